// SPDX-License-Identifier: BSD-3-Clause
#include "peers/plan.h"

#include "base/secret.h"
#include "log.h"

#include <net/if.h>
#include <sodium.h>
#include <stdlib.h>

// What is refused goes to the others of the file, and the rest is looked at as well.
struct look {
	const char *path;
	struct xy_config *c;
	const struct xy_identity *id;
	struct xy_prefix own; // our /64, which only a node with its key knows
};

__attribute__((format(printf, 4, 5))) static void say(const struct look *k,
						      struct xy_config_notes *to, int line,
						      const char *fmt, ...)
{
	char what[400];
	struct xy_err whole;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	xy_err_set(&whole, EINVAL, "%s:%d: %s", k->path, line, what);
	xy_config_note(to, (unsigned)line, whole.text);
}

// It may come later, as a name may; but mostly it is a slip.
static void interface_look(const struct look *k, const struct xy_config_peer *p,
			   const char *endpoint)
{
	char host[XY_CONFIG_HOST_LEN];
	uint16_t port;
	bool split = xy_hostport_split(endpoint, host, sizeof(host), &port) == 0;
	const char *zone = split && endpoint[0] == '[' ? strchr(host, '%') : NULL;
	if (zone && !if_nametoindex(zone + 1) && strspn(zone + 1, "0123456789") < strlen(zone + 1))
		say(k, &k->c->warnings, p->line,
		    "peer %s: endpoint %s: there is no interface %.15s now", p->name, endpoint,
		    zone + 1);
}

static void psk_choose(const struct xy_config *c, const struct xy_config_peer *p, uint8_t psk[32])
{
	memset(psk, 0, 32);
	if (p->has_psk)
		memcpy(psk, p->psk, 32);
	else if (c->has_network_secret && !p->leaf)
		memcpy(psk, c->network_secret, 32);
}

static const char own_key[] = "this is our own key; give the peer's (on the peer: xylem pubkey)";

static bool is_own_key(const struct xy_key *key, const struct xy_identity *id)
{
	return memcmp(key->b, id->x25519.b, XY_KEY_LEN) == 0;
}

static int peer_prepare(const struct xy_config *c, unsigned i, const struct xy_key *key,
			struct xy_hs_remote *out)
{
	uint8_t psk[32];
	if (xy_key_is_zero(key))
		return 0;
	psk_choose(c, &c->peers[i], psk);
	int r = xy_hs_remote_init(key->b, psk, out);
	sodium_memzero(psk, sizeof(psk));
	return r ? -EINVAL : 0;
}

// An address of 200::/7 is its owner's, and only of our own /64 may we give some away. What is
// shorter than the mesh's prefix means all but the mesh: the dataplane sees to that.
static bool is_foreign(const struct look *k, const struct xy_prefix *p)
{
	return p->len >= 7 && xy_addr_is_mesh(&p->addr) && !xy_prefix_covers(&k->own, p);
}

static void refuse_foreign(const struct look *k, int line, const char *what,
			   const struct xy_prefix *p)
{
	char text[XY_PREFIX_STRLEN], ours[XY_PREFIX_STRLEN];
	say(k, &k->c->errors, line,
	    "%s %s lies in 200::/7, but not in this node's own /64, %s; take one from there "
	    "(what others reach this way is no matter: it says who may send from there)",
	    what, xy_prefix_str(p, text), xy_prefix_str(&k->own, ours));
}

static bool is_ours(const struct look *k, const struct xy_prefix *p)
{
	const struct xy_config *c = k->c;
	if (xy_prefix_eq(p, &k->own) || (p->len == 128 && xy_addr_eq(&p->addr, &k->id->addr)))
		return true;
	for (unsigned i = 0; i < c->host.address_count; i++)
		if (p->len == 128 && xy_addr_eq(&p->addr, &c->host.addresses[i].addr))
			return true;
	return false;
}

static void allowed_look(const struct look *k, const struct xy_config_peer *p)
{
	char what[80], text[XY_PREFIX_STRLEN];
	snprintf(what, sizeof(what), "peer %s: allowed", p->name);
	for (unsigned i = 0; i < p->allowed.count; i++) {
		const struct xy_prefix *a = &p->allowed.v[i];
		if (is_foreign(k, a))
			refuse_foreign(k, p->line, what, a);
		else if (is_ours(k, a))
			say(k, &k->c->errors, p->line,
			    "%s %s is this node's own; give the leaf another address", what,
			    xy_prefix_str(a, text));
	}
}

static void route_look(const struct look *k, const struct xy_config_route *r)
{
	char text[XY_PREFIX_STRLEN];
	if (is_ours(k, &r->prefix))
		say(k, &k->c->errors, r->line, "route %s is this node's own; remove it",
		    xy_prefix_str(&r->prefix, text));
	else if (is_own_key(&r->key, k->id))
		say(k, &k->c->errors, r->line,
		    "route %s: its key is our own; give that of the node that what goes there is "
		    "sealed for (on it: xylem pubkey)",
		    xy_prefix_str(&r->prefix, text));
}

static void exit_look(const struct look *k)
{
	struct xy_config *c = k->c;
	if (c->exit.used && is_own_key(&c->exit.key, k->id))
		say(k, &c->errors, c->exit.line,
		    "exit: this is our own key; name another node, or write \"offer\"");
	for (unsigned i = 0; i < c->exit.user_count; i++)
		if (is_own_key(&c->exit.users[i], k->id))
			say(k, &c->errors, c->exit.line,
			    "exit_for: one of them is our own key; this host needs no exit to go "
			    "out here. Remove it");
}

void xy_plan_look(const char *path, struct xy_config *c, const struct xy_identity *id)
{
	const struct look k = {path, c, id, xy_key_prefix(&id->x25519)};
	for (unsigned i = 0; i < c->host.address_count; i++) {
		const struct xy_prefix one = {.addr = c->host.addresses[i].addr, .len = 128};
		if (is_foreign(&k, &one))
			refuse_foreign(&k, c->host_line, "host.addresses:", &one);
	}
	for (unsigned i = 0; i < c->peer_count; i++) {
		const struct xy_config_peer *p = &c->peers[i];
		if (is_own_key(&p->key, id))
			say(&k, &c->errors, p->line, "peer %s: %s", p->name, own_key);
		allowed_look(&k, p);
		for (unsigned n = 0; n < p->endpoint_count; n++)
			interface_look(&k, p, p->endpoints[n]);
	}
	for (unsigned i = 0; i < c->route_count; i++)
		route_look(&k, &c->routes[i]);
	for (unsigned i = 0; i < c->routing.accept_count; i++)
		if (is_own_key(&c->routing.accept[i].key, id) &&
		    c->routing.accept[i].line != c->exit.line)
			say(&k, &c->errors, c->routing.accept[i].line,
			    "routing.accept: this is our own key; what this node has stands in "
			    "routing.announce");
	exit_look(&k);
}

static void log_all(const struct xy_config_notes *n, enum xy_log_level level, const char *before,
		    const char *of_what)
{
	for (unsigned i = 0; i < n->count; i++)
		xy_log(level, "%s%s", before, n->v[i].text);
	if (n->more)
		xy_log(level, "%sand %u more %s", before, n->more, of_what);
}

void xy_plan_warn(const struct xy_plan *p, const char *before)
{
	log_all(&p->config.warnings, XY_LOG_WARN, before, "warnings");
}

unsigned xy_plan_refused(const struct xy_plan *p, const char *before)
{
	const struct xy_config_notes *n = &p->config.errors;
	log_all(n, XY_LOG_ERROR, before, "errors");
	return n->count + n->more;
}

static void remotes_make(const char *path, struct xy_plan *plan)
{
	struct xy_config *c = &plan->config;
	const struct look k = {.path = path, .c = c};
	for (unsigned i = 0; i < c->peer_count; i++)
		if (peer_prepare(c, i, &c->peers[i].key, &plan->remote[i]))
			say(&k, &c->errors, c->peers[i].line,
			    "peer %s: no handshake can be done with this key; copy it again from "
			    "the peer",
			    c->peers[i].name);
}

// --- whom to find without looking at all

static const char *endpoint_of(const struct xy_config_peer *peers, uint32_t at)
{
	return peers[at / XY_CONFIG_ENDPOINTS].endpoints[at % XY_CONFIG_ENDPOINTS];
}

static int by_endpoint(const void *a, const void *b, void *arg)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	int c = strcmp(endpoint_of(arg, x), endpoint_of(arg, y));
	return c ? c : (x > y) - (x < y);
}

static int index_make(struct xy_plan *p)
{
	struct xy_config *c = &p->config;
	unsigned endpoints = 0;
	for (unsigned i = 0; i < c->peer_count; i++)
		endpoints += c->peers[i].endpoint_count;
	p->keyless = calloc(c->peer_count + 1u, sizeof(*p->keyless));
	p->by_endpoint = calloc(endpoints + 1u, sizeof(*p->by_endpoint));
	if (!p->keyless || !p->by_endpoint)
		return -ENOMEM;
	for (unsigned i = 0; i < c->peer_count; i++) {
		if (xy_key_is_zero(&c->peers[i].key)) {
			p->keyless[p->keyless_count++] = i;
			continue;
		}
		for (unsigned k = 0; k < c->peers[i].endpoint_count; k++)
			p->by_endpoint[p->endpoint_count++] = i * XY_CONFIG_ENDPOINTS + k;
	}
	qsort_r(p->by_endpoint, p->endpoint_count, sizeof(*p->by_endpoint), by_endpoint, c->peers);
	return 0;
}

const struct xy_config_peer *xy_plan_at(const struct xy_plan *p, const char *endpoint)
{
	const struct xy_config_peer *peers = p->config.peers;
	uint32_t from = 0, to = p->endpoint_count;
	while (from < to) {
		uint32_t mid = from + (to - from) / 2;
		int c = strcmp(endpoint_of(peers, p->by_endpoint[mid]), endpoint);
		if (!c)
			return &peers[p->by_endpoint[mid] / XY_CONFIG_ENDPOINTS];
		if (c < 0)
			from = mid + 1;
		else
			to = mid;
	}
	return NULL;
}

int xy_plan_make(const char *path, struct xy_config *config, const struct xy_identity *id,
		 struct xy_plan *out, struct xy_err *err)
{
	*out = (struct xy_plan){.config = *config};
	sodium_memzero(config, sizeof(*config));
	struct xy_config *c = &out->config;
	out->remote = calloc(c->peer_count ? c->peer_count : 1, sizeof(*out->remote));
	if (!out->remote || index_make(out))
		return xy_err_set(err, ENOMEM, "%s: no memory for %u peers", path, c->peer_count);
	if (c->peer_count > c->max_peers)
		return xy_err_set(err, EINVAL, "%s: %u peers, but max_peers is %u; raise max_peers",
				  path, c->peer_count, c->max_peers);
	xy_secret_hide(out->remote, c->peer_count * sizeof(*out->remote));
	xy_secret_hide(c->peers, c->peer_count * sizeof(*c->peers));
	xy_plan_look(path, c, id);
	remotes_make(path, out);
	if (c->errors.count)
		return xy_err_set(err, EINVAL, "%s", c->errors.v[0].text);
	return c->errors.more ? xy_err_set(err, ENOMEM, "%s: no memory to say what is wrong", path)
			      : 0;
}

int xy_plan_key_known(struct xy_plan *p, unsigned peer, const struct xy_key *key,
		      const struct xy_identity *id, struct xy_err *err)
{
	const char *name = p->config.peers[peer].name;
	if (is_own_key(key, id))
		return xy_err_set(err, EINVAL, "peer %s: %s", name, own_key);
	if (peer_prepare(&p->config, peer, key, &p->remote[peer]) == 0)
		return 0;
	return xy_err_set(err, EINVAL, "peer %s: no handshake can be done with its key", name);
}

void xy_plan_free(struct xy_plan *p)
{
	if (p->remote)
		sodium_memzero(p->remote, p->config.peer_count * sizeof(*p->remote));
	free(p->remote);
	free(p->keyless);
	free(p->by_endpoint);
	p->remote = NULL;
	p->keyless = p->by_endpoint = NULL;
	p->keyless_count = p->endpoint_count = 0;
	xy_config_free(&p->config);
}
