// SPDX-License-Identifier: BSD-3-Clause
// exit and exit_for. An exit that is used is one more pair of accepted mappings, one that is
// offered one more pair of announced prefixes: they are put where the user would write them, so
// that all else goes by what there is.
#include "config/read.h"

#include <stdlib.h>

static const struct xy_prefix whole[] = {{.len = 0}, // ::/0, 0.0.0.0/0
					 {.addr.b = {[10] = 0xff, [11] = 0xff}, .len = 96}};

// --- who is named

// A name goes before what else the text may be. s: for errors.
static int node_read(struct xy_config_reader *r, const config_setting_t *s, bool leaf_too,
		     struct xy_key *out)
{
	const char *v = s->value.sval;
	int peer = xy_config_peer_called(r->c, v);
	struct xy_err why;
	if (peer < 0 && !xy_key_parse(v, out, &why) && !xy_key_is_zero(out))
		peer = xy_config_peer_with(r->c, out);
	else if (peer < 0)
		return xy_config_fail(r, s, NULL,
				      "\"%.60s\" is nobody: no peer has that name, and it is no "
				      "public key; write one of these",
				      v);
	if (peer < 0)
		return 0;
	const struct xy_config_peer *p = &r->c->peers[peer];
	if (p->leaf && !leaf_too)
		return xy_config_fail(r, s, NULL,
				      "\"%.60s\" is a leaf, and cannot say that it is an exit; "
				      "name a node that offers one (exit = \"offer\" there)",
				      p->name);
	if (xy_key_is_zero(&p->key))
		return xy_config_fail(r, s, NULL,
				      "the key of peer %s is not in this file; write it there, or "
				      "here (xylem pubkey, on that node)",
				      p->name);
	*out = p->key;
	return 0;
}

// --- offered

static int users_read(struct xy_config_reader *r, const config_setting_t *s)
{
	struct xy_config *c = r->c;
	int n = config_setting_length(s), ret = 0;
	if (n > XY_CONFIG_USERS)
		return xy_config_fail(r, s, NULL, "%d entries; write at most %d, or \"all\"", n,
				      XY_CONFIG_USERS);
	c->exit.users = calloc((size_t)n + 1, sizeof(*c->exit.users));
	if (!c->exit.users)
		return xy_config_fail(r, s, NULL, "not enough memory for %d entries", n);
	for (int i = 0; i < n; i++) {
		const config_setting_t *e = config_setting_get_elem(s, (unsigned)i);
		if (strcmp(e->value.sval, "all") == 0)
			c->exit.all = true;
		else
			ret |= node_read(r, e, true, &c->exit.users[c->exit.user_count++]);
	}
	return ret;
}

// A piece of the Internet under which half of it lies goes to the host, and asks nobody's consent.
static bool is_large(const struct xy_prefix *p)
{
	static const struct xy_prefix site = {.addr.b = {0xfc}, .len = 7}, mesh = XY_MESH_PREFIX;
	if (xy_prefix_is_v4(p))
		return p->len < 96 + 8;
	return p->len < 16 && !xy_prefix_covers(&site, p) && !xy_prefix_covers(&mesh, p);
}

static int pieces_check(struct xy_config_reader *r, const config_setting_t *s)
{
	const struct xy_config_prefixes *all = &r->c->routing.announce;
	char text[XY_PREFIX_STRLEN];
	for (unsigned i = 0; i < all->count; i++)
		if (is_large(&all->v[i]) && !xy_prefix_is_default(&all->v[i]))
			return xy_config_fail(
				r, s, NULL,
				"routing.announce has %s, by which all nodes could go out here, "
				"whatever exit_for says; remove it (an exit announces ::/0 and "
				"0.0.0.0/0 by itself), or write the networks that are meant",
				xy_prefix_str(&all->v[i], text));
	return 0;
}

static int announce(struct xy_config *c)
{
	struct xy_config_prefixes *to = &c->routing.announce;
	struct xy_prefix *v = reallocarray(to->v, to->count + XY_ARRAY_SIZE(whole), sizeof(*v));
	if (!v)
		return -ENOMEM;
	to->v = v;
	memcpy(v + to->count, whole, sizeof(whole));
	to->count += XY_ARRAY_SIZE(whole);
	return 0;
}

static int offer_read(struct xy_config_reader *r, const config_setting_t *s,
		      const config_setting_t *users)
{
	struct xy_config *c = r->c;
	c->exit.offer = true;
	if (!users || !config_setting_length(users))
		return xy_config_fail(r, s, NULL,
				      "says not for whom; add exit_for = [ \"NAME\" ]; with peers' "
				      "names or nodes' public keys, or [ \"all\" ]");
	if (users_read(r, users) || pieces_check(r, s))
		return -EINVAL;
	return announce(c) ? xy_config_fail(r, s, NULL, "not enough memory for it") : 0;
}

// --- used

static int accept(struct xy_config *c, int line)
{
	unsigned n = c->routing.accept_count;
	struct xy_config_accept *v =
		reallocarray(c->routing.accept, n + XY_ARRAY_SIZE(whole), sizeof(*v));
	if (!v)
		return -ENOMEM;
	c->routing.accept = v;
	for (size_t i = 0; i < XY_ARRAY_SIZE(whole); i++)
		v[n + i] = (struct xy_config_accept){c->exit.key, whole[i], line};
	c->routing.accept_count = n + (unsigned)XY_ARRAY_SIZE(whole);
	return 0;
}

static int use_read(struct xy_config_reader *r, const config_setting_t *s)
{
	struct xy_config *c = r->c;
	if (node_read(r, s, false, &c->exit.key))
		return -EINVAL;
	if (c->routing.stub)
		return xy_config_fail(r, s, NULL,
				      "this node is a stub, and its relays tell it of nothing "
				      "outside 200::/7; remove routing.stub");
	c->exit.used = true;
	snprintf(c->exit.name, sizeof(c->exit.name), "%s", s->value.sval);
	return accept(c, c->exit.line) ? xy_config_fail(r, s, NULL, "not enough memory for it") : 0;
}

void xy_config_exit_check(struct xy_config_reader *r, const config_setting_t *root)
{
	static const char *const on[] = {"routing", "exit", "exit_for", "tun", NULL};
	const config_setting_t *s = xy_config_member(root, "exit");
	if (!s || xy_config_is_unsure(root, on) ||
	    xy_config_is_bad(xy_config_member(root, "peers")))
		return;
	if (!s->value.sval[0])
		return;
	r->c->exit.line = (int)config_setting_source_line(s);
	if (!r->c->host.enabled)
		xy_config_fail(r, s, NULL,
			       "needs this host's interface, and tun = false; remove one of both");
	else if (strcmp(s->value.sval, "offer") == 0)
		offer_read(r, s, xy_config_member(root, "exit_for"));
	else
		use_read(r, s);
}

// --- what is missing for IPv4, which goes only from an address that both ends know of

static const struct xy_prefix *address_v4(const struct xy_config *c)
{
	for (unsigned i = 0; i < c->host.address_count; i++)
		if (xy_addr_is_v4(&c->host.addresses[i].addr))
			return &c->host.addresses[i];
	return NULL;
}

static bool is_announced(const struct xy_config *c, const struct xy_addr *a)
{
	for (unsigned i = 0; i < c->routing.announce.count; i++)
		if (xy_prefix_contains(&c->routing.announce.v[i], a))
			return true;
	return false;
}

static bool is_address(const char *endpoint)
{
	struct xy_endpoint e;
	return endpoint[0] == '[' || xy_endpoint_parse(endpoint, &e) == 0;
}

// Where names are resolved by way of the exit, none of these is ever found.
static bool needs_names(const struct xy_config *c)
{
	bool any = false;
	for (unsigned i = 0; i < c->peer_count; i++)
		for (unsigned k = 0; !c->peers[i].leaf && k < c->peers[i].endpoint_count; k++) {
			if (is_address(c->peers[i].endpoints[k]))
				return false;
			any = true;
		}
	return any;
}

static void weigh_used(struct xy_config_reader *r, const config_setting_t *s)
{
	if (needs_names(r->c))
		xy_config_warn(
			r, s,
			"all endpoints of peers are names: where this host's resolver is not "
			"on its LAN it is asked by way of the exit, which is not there until "
			"a name is resolved; write one endpoint at least as an address");
	const struct xy_prefix *v4 = address_v4(r->c);
	char text[XY_ADDR_STRLEN];
	if (!v4)
		xy_config_warn(
			r, s,
			"no IPv4 goes by it, and none past it: this host has no IPv4 address "
			"in the mesh. Add one, host.addresses = [ \"10.77.0.2/32\" ], announce "
			"it, routing.announce = [ \"10.77.0.2/32\" ], and have the exit accept "
			"it of this node (its routing.accept)");
	else if (!is_announced(r->c, &v4->addr))
		xy_config_warn(r, s,
			       "no answer to IPv4 comes back by it: %s is not announced; add "
			       "\"%s/32\" to routing.announce, and have the exit accept it of this "
			       "node (its routing.accept)",
			       xy_addr_str(&v4->addr, text), text);
}

static bool has_v4(const struct xy_config *c, const struct xy_key *key)
{
	int peer = xy_config_peer_with(c, key);
	for (unsigned i = 0; peer >= 0 && i < c->peers[peer].allowed.count; i++)
		if (xy_prefix_is_v4(&c->peers[peer].allowed.v[i]))
			return true;
	for (unsigned i = 0; i < c->routing.accept_count; i++)
		if (memcmp(&c->routing.accept[i].key, key, sizeof(*key)) == 0 &&
		    xy_prefix_is_v4(&c->routing.accept[i].prefix))
			return true;
	return false;
}

static void weigh_users(struct xy_config_reader *r, const config_setting_t *users)
{
	unsigned k = 0;
	for (unsigned i = 0; users && i < (unsigned)config_setting_length(users); i++) {
		const config_setting_t *e = config_setting_get_elem(users, i);
		if (strcmp(e->value.sval, "all") == 0)
			continue;
		if (!has_v4(r->c, &r->c->exit.users[k++]))
			xy_config_warn(
				r, e,
				"it gets IPv6 alone: no IPv4 prefix is accepted of it; add its "
				"IPv4 address to routing.accept, with its key");
	}
}

void xy_config_exit_weigh(struct xy_config_reader *r, const config_setting_t *root)
{
	const config_setting_t *users = xy_config_member(root, "exit_for");
	if (r->c->exit.used)
		weigh_used(r, xy_config_member(root, "exit"));
	if (r->c->exit.offer)
		weigh_users(r, users);
	else if (users && config_setting_length(users))
		xy_config_warn(r, users,
			       "has no effect: it says for whom this node is an exit, and exit = "
			       "\"offer\" does not stand here");
}
