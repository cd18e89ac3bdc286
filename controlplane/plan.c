// SPDX-License-Identifier: BSD-3-Clause
#include "plan.h"

#include <sodium.h>
#include <stdlib.h>

static int endpoint_check(const char *path, const struct xy_config_peer *p,
			  const struct xy_config_endpoint *e, struct xy_err *err)
{
	struct xy_endpoint literal;
	if (xy_endpoint_parse(e->text, &literal) == 0 && xy_addr_is_mesh(&literal.addr))
		return xy_err_set(err, EINVAL,
				  "%s:%d: peer %s: endpoint %s lies in the overlay (200::/7); give "
				  "its address in the network underneath",
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
