// SPDX-License-Identifier: BSD-3-Clause
// What a file may say and what then does nothing, given the rest of it: no error, but the user
// believes that it does something. Each is a warning with its line.
#include "config/read.h"

#include <stdlib.h>

// --- keys that another one switches off

static bool no_interface(const struct xy_config *c)
{
	return !c->host.enabled;
}

static bool tells_nothing(const struct xy_config *c)
{
	return !c->node_info.enabled;
}

static bool no_group_rights(const struct xy_config *c)
{
	return c->telemetry.group[0] && !(c->telemetry.mode & 0020); // to ask is to write
}

static bool no_control_rights(const struct xy_config *c)
{
	return c->control.group[0] && !(c->control.mode & 0020);
}

static bool is_closed(const struct xy_config *c)
{
	return c->peering == XY_PEERING_CLOSED;
}

// Nobody to exchange routes with; without any peer the command line may bring some.
static bool no_routing(const struct xy_config *c)
{
	for (unsigned i = 0; i < c->peer_count; i++)
		if (xy_config_speaks(&c->peers[i]))
			return false;
	return c->peer_count && is_closed(c);
}

// What is announced is also what leaves reach behind this node: the host's.
static bool tells_nobody(const struct xy_config *c)
{
	return no_routing(c) && no_interface(c);
}

// A node without a key has one once it was asked for it.
static bool nobody_to_find(const struct xy_config *c)
{
	for (unsigned i = 0; i < c->peer_count; i++)
		if (!c->peers[i].leaf)
			return false;
	return c->discovery.count && is_closed(c);
}

static bool no_strangers(const struct xy_config *c)
{
	return is_closed(c) && c->max_open_peers != XY_CONFIG_OPEN_PEERS;
}

static const struct {
	const char *group, *key; // group NULL: top level
	bool (*is_off)(const struct xy_config *c);
	const char *why;
} switched[] = {
	{"host", "name", no_interface, "tun = false, so there is no interface"},
	{"host", "mtu", no_interface, "tun = false, so there is no interface"},
	{"host", "allow", no_interface, "tun = false, so nothing of this host is reached that way"},
	{"node_info", "name", tells_nothing, "node_info.enabled = false, so nothing is told"},
	{"node_info", "neighbours", tells_nothing, "node_info.enabled = false, so nothing is told"},
	{"node_info", "version", tells_nothing, "node_info.enabled = false, so nothing is told"},
	{"telemetry", "group", no_group_rights,
	 "telemetry.mode lets no group write, and so none ask; 0660 would"},
	{"control", "group", no_control_rights,
	 "control.mode lets no group write, and so none change anything; 0660 would"},
	{"routing", "announce", tells_nobody,
	 "no peer exchanges routes with this node, and no interface takes what comes for it (but "
	 "for xylemd --peer and --autoconf)"},
	{"routing", "accept", no_routing,
	 "no peer exchanges routes with this node (but for xylemd --peer and --autoconf)"},
	{"discovery", "interfaces", nobody_to_find,
	 "peering is closed, and no node stands in `peers`, so nobody can be found "
	 "(but for xylemd --autoconf)"},
	{NULL, "max_open_peers", no_strangers,
	 "peering is closed, so there are none (but for xylemd --autoconf)"},
};

static void warn_off(struct xy_config_reader *r, const config_setting_t *s, const char *why)
{
	if (s)
		xy_config_warn(r, s, "has no effect: %s", why);
}

static void weigh_switched(struct xy_config_reader *r, const config_setting_t *root)
{
	for (size_t i = 0; i < XY_ARRAY_SIZE(switched); i++)
		if (switched[i].is_off(r->c))
			warn_off(
				r,
				xy_config_member(switched[i].group
							 ? xy_config_member(root, switched[i].group)
							 : root,
						 switched[i].key),
				switched[i].why);
}

// --- peers

static void weigh_silent(struct xy_config_reader *r, const config_setting_t *peer, bool leaf)
{
	static const char *const keys[] = {"cost", "max_origins", "stub", "relay"};
	for (size_t i = 0; i < XY_ARRAY_SIZE(keys); i++)
		warn_off(r, xy_config_member(peer, keys[i]),
			 leaf ? "no routes are exchanged with a leaf, unless babel = \"yes\""
			      : "babel = \"no\", so no routes are exchanged with it");
}

struct place {
	const char *endpoint;
	const config_setting_t *at;
	unsigned peer;
};

static int by_endpoint(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	int c = strcmp(x->endpoint, y->endpoint);
	unsigned i = config_setting_source_line(x->at), j = config_setting_source_line(y->at);
	return c ? c : i < j ? -1 : i > j;
}

static unsigned collect_places(const struct xy_config *c, const config_setting_t *peers,
			       struct place *to)
{
	unsigned n = 0;
	for (unsigned i = 0; i < c->peer_count; i++) {
		const config_setting_t *s = config_setting_get_elem(peers, i);
		const config_setting_t *all = xy_config_member(s, "endpoints");
		for (unsigned k = 0; k < c->peers[i].endpoint_count; k++)
			to[n++] = (struct place){c->peers[i].endpoints[k],
						 all ? config_setting_get_elem(all, k)
						     : xy_config_member(s, "endpoint"),
						 i};
	}
	return n;
}

// One address and port is one daemon's, which has one key.
static void weigh_endpoints(struct xy_config_reader *r, const config_setting_t *peers)
{
	size_t room = 0;
	for (unsigned i = 0; i < r->c->peer_count; i++)
		room += r->c->peers[i].endpoint_count;
	struct place *all = calloc(room ? room : 1, sizeof(*all));
	unsigned n = all ? collect_places(r->c, peers, all) : 0;
	if (n)
		qsort(all, n, sizeof(*all), by_endpoint);
	for (unsigned i = 1; i < n; i++) {
		const struct place *was = &all[i - 1], *is = &all[i];
		if (strcmp(was->endpoint, is->endpoint) != 0)
			continue;
		xy_config_warn(r, is->at,
			       is->peer == was->peer
				       ? "\"%.60s\" stands in line %u already"
				       : "\"%.60s\" is another peer's in line %u, and only one of "
					 "both can answer there",
			       is->endpoint, config_setting_source_line(was->at));
	}
	free(all);
}

static void weigh_peers(struct xy_config_reader *r, const config_setting_t *peers)
{
	for (unsigned i = 0; i < r->c->peer_count; i++)
		if (!xy_config_speaks(&r->c->peers[i]))
			weigh_silent(r, config_setting_get_elem(peers, i), r->c->peers[i].leaf);
	weigh_endpoints(r, peers);
}

// --- lists

static bool overlaps(const struct xy_prefix *a, const struct xy_prefix *b)
{
	return xy_prefix_covers(a, b) || xy_prefix_covers(b, a);
}

static bool any_overlaps(const struct xy_config_prefixes *all, const struct xy_prefix *p)
{
	for (unsigned i = 0; i < all->count; i++)
		if (overlaps(&all->v[i], p))
			return true;
	return false;
}

// What is announced comes here; a leaf, a route or the host must have it, or somebody who may
// announce parts of it.
static bool leads_on(const struct xy_config *c, const struct xy_prefix *p)
{
	if (c->host.enabled)
		return true;
	for (unsigned i = 0; i < c->route_count; i++)
		if (overlaps(&c->routes[i].prefix, p))
			return true;
	for (unsigned i = 0; i < c->routing.accept_count; i++)
		if (overlaps(&c->routing.accept[i].prefix, p))
			return true;
	for (unsigned i = 0; i < c->peer_count; i++)
		if (any_overlaps(&c->peers[i].allowed, p) || any_overlaps(&c->peers[i].accept, p))
			return true;
	return false;
}

static void weigh_announced(struct xy_config_reader *r, const config_setting_t *announce)
{
	const struct xy_config_prefixes *own = &r->c->routing.announce;
	for (unsigned i = 0; i < own->count; i++) {
		const config_setting_t *s = announce ? config_setting_get_elem(announce, i) : NULL;
		if (!s) // an exit's, which nobody wrote
			continue;
		if (!leads_on(r->c, &own->v[i]) && !tells_nobody(r->c))
			xy_config_warn(r, s,
				       "what comes for it is dropped: no leaf has it in its "
				       "`allowed`, and this host has no interface (tun = false)");
		unsigned k = 0;
		while (!xy_prefix_eq(&own->v[i], &own->v[k])) // i ends it
			k++;
		if (k < i)
			warn_off(r, s, "it stands in this list already");
	}
}

static int by_mapping(const void *a, const void *b)
{
	const struct xy_config_accept *x = *(const struct xy_config_accept *const *)a;
	const struct xy_config_accept *y = *(const struct xy_config_accept *const *)b;
	int c = memcmp(&x->key, &y->key, sizeof(x->key));
	c = c ? c : memcmp(&x->prefix.addr, &y->prefix.addr, sizeof(x->prefix.addr));
	return c ? c : (int)x->prefix.len - (int)y->prefix.len;
}

static int by_mapping_and_place(const void *a, const void *b)
{
	const struct xy_config_accept *const *x = a, *const *y = b;
	int c = by_mapping(a, b);
	return c ? c : *x < *y ? -1 : *x > *y;
}

static void weigh_accepted(struct xy_config_reader *r, const config_setting_t *accept)
{
	unsigned n = r->c->routing.accept_count;
	const struct xy_config_accept **all = calloc(n ? n : 1, sizeof(const void *));
	for (unsigned i = 0; all && i < n; i++)
		all[i] = &r->c->routing.accept[i];
	if (all && n)
		qsort(all, n, sizeof(const void *), by_mapping_and_place);
	for (unsigned i = 1; all && i < n; i++)
		if (by_mapping(&all[i - 1], &all[i]) == 0 && accept) // else it is an exit's
			warn_off(r,
				 config_setting_get_elem(accept,
							 (unsigned)(all[i] - r->c->routing.accept)),
				 "the same key and prefix stand in this list already");
	free(all);
}

static void weigh_interfaces(struct xy_config_reader *r, const config_setting_t *list)
{
	for (unsigned i = 0; i < r->c->discovery.count; i++)
		for (unsigned k = 0; k < i; k++)
			if (strcmp(r->c->discovery.interfaces[i], r->c->discovery.interfaces[k]) ==
			    0)
				warn_off(r, config_setting_get_elem(list, i),
					 "it stands in this list already");
}

// --- routes

// Relays carry only what is sealed, and for whom is said by a signed route or by a key here.
static bool ends_nowhere(const struct xy_config *c, const struct xy_config_route *route)
{
	const struct xy_config_peer *p = &c->peers[route->peer];
	const struct xy_prefix own = xy_key_prefix(&p->key);
	return route->prefix.len == 64 && xy_addr_is_mesh(&route->prefix.addr) &&
	       xy_key_is_zero(&route->key) && !xy_key_is_zero(&p->key) && !p->leaf &&
	       !xy_prefix_eq(&own, &route->prefix);
}

// Does nothing say the key of any node beyond? Then a route for more of the mesh than one /64 takes
// sealed packets along, but nobody can seal any for there.
static bool is_keyless(const struct xy_config *c)
{
	bool told = !is_closed(c); // who joins tells, as a node does
	for (unsigned i = 0; i < c->peer_count; i++)
		told |= !c->peers[i].leaf && xy_config_speaks(&c->peers[i]);
	for (unsigned i = 0; i < c->route_count; i++)
		told |= !xy_key_is_zero(&c->routes[i].key);
	return !told;
}

static bool leads_unsealed(const struct xy_config *c, const struct xy_config_route *route)
{
	return route->prefix.len >= 7 && route->prefix.len < 64 &&
	       xy_addr_is_mesh(&route->prefix.addr) && !c->peers[route->peer].leaf;
}

static void weigh_routes(struct xy_config_reader *r, const config_setting_t *routes)
{
	bool keyless = is_keyless(r->c);
	for (unsigned i = 0; i < r->c->route_count && r->c->peer_count; i++)
		if (keyless && leads_unsealed(r->c, &r->c->routes[i]))
			xy_config_warn(
				r, config_setting_get_elem(routes, i),
				"this host reaches no node beyond peer %s by it: what goes there "
				"is sealed for its node, and nothing here says a key; let the peer "
				"tell (babel), or add a route with key = \"...\" for each /64",
				r->c->peers[r->c->routes[i].peer].name);
		else if (ends_nowhere(r->c, &r->c->routes[i]))
			xy_config_warn(
				r, config_setting_get_elem(routes, i),
				"leads beyond peer %s, which carries only what is sealed for "
				"the node that has this prefix; say for whom: key = \"...\"",
				r->c->peers[r->c->routes[i].peer].name);
}

// --- limits

static void weigh_limits(struct xy_config_reader *r, const config_setting_t *root)
{
	const struct xy_config *c = r->c;
	const config_setting_t *open = xy_config_member(root, "max_open_peers");
	uint64_t room = c->max_peers - c->peer_count;
	if (open && !is_closed(c) && c->max_open_peers > room)
		xy_config_warn(r, open,
			       "%u, but max_peers = %u leaves room for %llu; raise max_peers",
			       c->max_open_peers, c->max_peers, (unsigned long long)room);
	if (3ULL * c->peer_count > c->max_sessions)
		xy_config_warn(r,
			       xy_config_member(root, "max_sessions")
				       ? xy_config_member(root, "max_sessions")
				       : xy_config_member(root, "peers"),
			       "%u peers use up to %u sessions, but max_sessions is %u; raise it",
			       c->peer_count, 3 * c->peer_count, c->max_sessions);
}

void xy_config_weigh(struct xy_config_reader *r, const config_setting_t *root)
{
	const config_setting_t *routing = xy_config_member(root, "routing");
	weigh_switched(r, root);
	weigh_peers(r, xy_config_member(root, "peers"));
	weigh_announced(r, xy_config_member(routing, "announce"));
	weigh_accepted(r, xy_config_member(routing, "accept"));
	weigh_interfaces(r, xy_config_member(xy_config_member(root, "discovery"), "interfaces"));
	weigh_routes(r, xy_config_member(root, "routes"));
	weigh_limits(r, root);
	xy_config_allow_weigh(r, root);
	xy_config_exit_weigh(r, root);
}
