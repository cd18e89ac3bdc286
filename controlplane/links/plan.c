// SPDX-License-Identifier: BSD-3-Clause
#include "links/plan.h"

#include "log.h"

#include <sodium.h>
#include <stdlib.h>

static int endpoint_check(const char *path, const struct xy_config_peer *p,
			  const struct xy_config_endpoint *e, struct xy_err *err)
{
	struct xy_endpoint literal;
	if (xy_endpoint_parse(e->text, &literal))
		return 0; // a name
	if (xy_addr_is_mesh(&literal.addr))
		return xy_err_set(err, EINVAL,
				  "%s:%d: peer %s: endpoint %s lies in the overlay (200::/7); give "
				  "its address in the network underneath",
				  path, p->line, p->name, e->text);
	if (xy_addr_is_multicast(&literal.addr) || xy_addr_is_unspecified(&literal.addr))
		return xy_err_set(err, EINVAL,
				  "%s:%d: peer %s: nobody has the address of endpoint %s; give the "
				  "peer's",
				  path, p->line, p->name, e->text);
	return 0;
}

static void psk_choose(const struct xy_config *c, const struct xy_config_peer *p, uint8_t psk[32])
{
	memset(psk, 0, 32);
	if (p->has_psk)
		memcpy(psk, p->psk, 32);
	else if (c->has_network_secret && !p->leaf)
		memcpy(psk, c->network_secret, 32);
}

static int peer_prepare(const char *path, const struct xy_config *c, unsigned i,
			const struct xy_identity *id, struct xy_hs_remote *out, struct xy_err *err)
{
	const struct xy_config_peer *p = &c->peers[i];
	struct xy_hs_local local;
	uint8_t psk[32];
	int r = 0;

	if (memcmp(p->key.b, id->x25519.b, XY_KEY_LEN) == 0)
		return xy_err_set(err, EINVAL,
				  "%s:%d: peer %s: this is our own key; give the peer's (on the "
				  "peer: xylem pubkey)",
				  path, p->line, p->name);
	for (unsigned k = 0; !r && k < p->endpoint_count; k++)
		r = endpoint_check(path, p, &p->endpoints[k], err);
	if (r || xy_key_is_zero(&p->key))
		return r;
	memcpy(local.sk, id->x25519_sk, sizeof(local.sk));
	memcpy(local.pk, id->x25519.b, sizeof(local.pk));
	psk_choose(c, p, psk);
	if (xy_hs_remote_init(&local, p->key.b, psk, out))
		r = xy_err_set(err, EINVAL,
			       "%s:%d: peer %s: no handshake can be done with this key; copy it "
			       "again from the peer",
			       path, p->line, p->name);
	sodium_memzero(&local, sizeof(local));
	sodium_memzero(psk, sizeof(psk));
	return r;
}

// --- our own /64, which only a node with its key knows

// An address of 200::/7 is its owner's, and only of our own /64 may we give some away. What is
// shorter than the mesh's prefix means all but the mesh: the dataplane sees to that.
static bool is_foreign(const struct xy_prefix *p, const struct xy_prefix *own)
{
	return p->len >= 7 && xy_addr_is_mesh(&p->addr) && !xy_prefix_covers(own, p);
}

static int refuse_foreign(const char *path, int line, const char *what, const struct xy_prefix *p,
			  const struct xy_prefix *own, struct xy_err *err)
{
	char text[XY_PREFIX_STRLEN], ours[XY_PREFIX_STRLEN];
	return xy_err_set(
		err, EINVAL,
		"%s:%d: %s %s lies in 200::/7, but not in this node's own /64, %s; take "
		"one from there (what others reach this way is no matter: it says who may "
		"send from there)",
		path, line, what, xy_prefix_str(p, text), xy_prefix_str(own, ours));
}

static bool is_ours(const struct xy_config *c, const struct xy_identity *id,
		    const struct xy_prefix *p, const struct xy_prefix *own)
{
	if (xy_prefix_eq(p, own) || (p->len == 128 && xy_addr_eq(&p->addr, &id->addr)))
		return true;
	for (unsigned i = 0; i < c->host.address_count; i++)
		if (p->len == 128 && xy_addr_eq(&p->addr, &c->host.addresses[i].addr))
			return true;
	return false;
}

static int allowed_check(const char *path, const struct xy_config *c, unsigned peer,
			 const struct xy_identity *id, const struct xy_prefix *own,
			 struct xy_err *err)
{
	const struct xy_config_peer *p = &c->peers[peer];
	char what[80], text[XY_PREFIX_STRLEN];
	snprintf(what, sizeof(what), "peer %s: allowed", p->name);
	for (unsigned i = 0; i < p->allowed.count; i++) {
		const struct xy_prefix *a = &p->allowed.v[i];
		if (is_foreign(a, own))
			return refuse_foreign(path, p->line, what, a, own, err);
		if (is_ours(c, id, a, own))
			return xy_err_set(err, EINVAL,
					  "%s:%d: %s %s is this node's own; give the leaf another "
					  "address",
					  path, p->line, what, xy_prefix_str(a, text));
	}
	return 0;
}

static int own_check(const char *path, const struct xy_config *c, const struct xy_identity *id,
		     struct xy_err *err)
{
	const struct xy_prefix own = xy_key_prefix(&id->x25519);
	char text[XY_PREFIX_STRLEN];
	int r = 0;
	for (unsigned i = 0; !r && i < c->host.address_count; i++) {
		const struct xy_prefix one = {.addr = c->host.addresses[i].addr, .len = 128};
		if (is_foreign(&one, &own))
			r = refuse_foreign(path, c->host_line, "host.addresses:", &one, &own, err);
	}
	for (unsigned i = 0; !r && i < c->peer_count; i++)
		r = allowed_check(path, c, i, id, &own, err);
	for (unsigned i = 0; !r && i < c->route_count; i++)
		if (is_ours(c, id, &c->routes[i].prefix, &own))
			r = xy_err_set(err, EINVAL, "%s:%d: route %s is this node's own; remove it",
				       path, c->routes[i].line,
				       xy_prefix_str(&c->routes[i].prefix, text));
	for (unsigned i = 0; !r && i < c->routing.accept_count; i++)
		if (memcmp(&c->routing.accept[i].key, &id->x25519, XY_KEY_LEN) == 0)
			r = xy_err_set(err, EINVAL,
				       "%s:%d: routing.accept: this is our own key; what this node "
				       "has stands in routing.announce",
				       path, c->routing.accept[i].line);
	return r;
}

void xy_plan_warn(const struct xy_plan *p, const char *before)
{
	for (unsigned i = 0; i < p->config.warning_count; i++)
		xy_log_warn("%s%s", before, p->config.warnings[i]);
}

int xy_plan_make(const char *path, struct xy_config *config, const struct xy_identity *id,
		 struct xy_plan *out, struct xy_err *err)
{
	int r = 0;
	*out = (struct xy_plan){.config = *config};
	sodium_memzero(config, sizeof(*config));
	const struct xy_config *c = &out->config;
	out->remote = calloc(c->peer_count ? c->peer_count : 1, sizeof(*out->remote));
	if (!out->remote)
		r = xy_err_set(err, ENOMEM, "%s: no memory for %u peers", path, c->peer_count);
	if (!r && c->peer_count > c->max_peers)
		r = xy_err_set(err, EINVAL, "%s: %u peers, but max_peers is %u; raise max_peers",
			       path, c->peer_count, c->max_peers);
	r = r ? r : own_check(path, c, id, err);
	for (unsigned i = 0; !r && i < c->peer_count; i++)
		r = peer_prepare(path, c, i, id, &out->remote[i], err);
	if (r)
		xy_plan_free(out);
	return r;
}

int xy_plan_key_set(struct xy_plan *p, unsigned peer, const struct xy_key *key,
		    const struct xy_identity *id, struct xy_err *err)
{
	struct xy_key old = p->config.peers[peer].key;
	p->config.peers[peer].key = *key;
	int r = peer_prepare("config", &p->config, peer, id, &p->remote[peer], err);
	if (r)
		p->config.peers[peer].key = old;
	return r;
}

void xy_plan_free(struct xy_plan *p)
{
	if (p->remote)
		sodium_memzero(p->remote, p->config.peer_count * sizeof(*p->remote));
	free(p->remote);
	p->remote = NULL;
	xy_config_free(&p->config);
}
