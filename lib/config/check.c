// SPDX-License-Identifier: BSD-3-Clause
// What no key can say by itself: duplicates, and names that must exist. Sorting, not pairs: a file
// may hold 65,536 peers. What follows from something that was refused already is not said: the
// reader would look for a second mistake.
#include "config/read.h"

#include <stdlib.h>

struct entry {
	const void *value; // what must be unique
	const config_setting_t *at;
};

typedef int compare_fn(const struct entry *a, const struct entry *b);

static int by_name(const struct entry *a, const struct entry *b)
{
	return strcmp(a->value, b->value);
}

static int by_key(const struct entry *a, const struct entry *b)
{
	return memcmp(a->value, b->value, XY_KEY_LEN);
}

static int by_prefix(const struct entry *a, const struct entry *b)
{
	const struct xy_prefix *p = a->value, *q = b->value;
	int c = memcmp(p->addr.b, q->addr.b, sizeof(p->addr.b));
	return c ? c : (int)p->len - (int)q->len;
}

// qsort_r's order, and stable: the later one in the file is the duplicate.
static int order(const void *a, const void *b, void *compare)
{
	const struct entry *x = a, *y = b;
	int c = (*(compare_fn **)compare)(x, y);
	if (c)
		return c;
	unsigned i = config_setting_source_line(x->at), j = config_setting_source_line(y->at);
	return i < j ? -1 : i > j;
}

static void refuse_duplicate(struct xy_config_reader *r, const struct entry *first,
			     const struct entry *again, const char *what)
{
	xy_config_fail(r, again->at, NULL,
		       "the same %s stands in line %u already; remove or change one", what,
		       config_setting_source_line(first->at));
}

static void check_unique(struct xy_config_reader *r, struct entry *e, size_t n, compare_fn *compare,
			 const char *what)
{
	qsort_r(e, n, sizeof(*e), order, &compare);
	for (size_t i = 1; i < n; i++)
		if (compare(&e[i - 1], &e[i]) == 0)
			refuse_duplicate(r, &e[i - 1], &e[i], what);
}

// A key that nobody wrote down is asked for: at one place, and of nodes alone. True: it is counted.
static bool check_keyless(struct xy_config_reader *r, const struct xy_config_peer *p,
			  const config_setting_t *s, unsigned count)
{
	static const char *const on[] = {"key", "leaf", "endpoint", "endpoints", NULL};
	if (!xy_key_is_zero(&p->key) || xy_config_is_unsure(s, on))
		return false;
	if (p->leaf)
		xy_config_fail(r, s, "key",
			       "missing; a leaf cannot be asked for it. Write what `wg pubkey` "
			       "prints there");
	else if (p->endpoint_count != 1)
		xy_config_fail(r, s, "key",
			       "missing; write it (xylem pubkey, on the peer), or give one "
			       "endpoint to ask at: endpoint = \"host:port\";");
	else if (count >= XY_CONFIG_KEYLESS)
		xy_config_fail(r, s, "key",
			       "missing, as in %d peers before; write it (xylem pubkey, on the "
			       "peer)",
			       XY_CONFIG_KEYLESS);
	return true;
}

static void check_allowed(struct xy_config_reader *r, const struct xy_config_peer *p,
			  const config_setting_t *s)
{
	static const char *const on[] = {"leaf", "allowed", NULL};
	if (xy_config_is_unsure(s, on))
		return;
	if (p->leaf && !p->allowed.count)
		xy_config_fail(r, s, "allowed",
			       "missing; a leaf needs the addresses it may have: "
			       "allowed = [ \"10.1.0.5/32\" ];");
	if (!p->leaf && xy_config_member(s, "allowed"))
		xy_config_fail(r, xy_config_member(s, "allowed"), NULL,
			       "is for leaves; a node owns its /64 by its key. Add "
			       "leaf = true; or use `routes`");
}

// Which keys of Babel a kind of peer has.
static void check_babel(struct xy_config_reader *r, const struct xy_config_peer *p,
			const config_setting_t *s)
{
	static const char *const on[] = {"leaf", "babel", "stub", "relay", NULL};
	static const char *const plain[] = {"tag", "accept", "announce"};
	if (xy_config_is_unsure(s, on))
		return;
	for (unsigned k = 0; k < XY_ARRAY_SIZE(plain); k++)
		if (!(p->leaf && xy_config_speaks(p)) && xy_config_member(s, plain[k]))
			xy_config_fail(r, xy_config_member(s, plain[k]), NULL,
				       "is for leaves that speak Babel; add babel = \"yes\"; to a "
				       "leaf, or remove it");
	if (p->leaf && (p->stub || p->relay))
		xy_config_fail(r, xy_config_member(s, p->stub ? "stub" : "relay"), NULL,
			       "is between nodes; a leaf is told 200::/7 anyway. Remove it");
	else if (p->stub && r->c->routing.stub)
		xy_config_fail(r, xy_config_member(s, "stub"), NULL,
			       "this node is a stub itself and knows no way to tell it; remove "
			       "it, or routing.stub");
	else if (p->relay && !r->c->routing.stub)
		xy_config_fail(r, xy_config_member(s, "relay"), NULL,
			       "this node keeps a table of its own and asks nobody; remove it, or "
			       "set routing = { stub = true; };");
}

static void check_relays(struct xy_config_reader *r, const config_setting_t *root)
{
	const config_setting_t *s = xy_config_member(root, "routing");
	unsigned i = 0, n = r->c->peer_count;
	if (!r->c->routing.stub || xy_config_is_bad(xy_config_member(root, "peers")))
		return;
	while (i < n && !(r->c->peers[i].relay && xy_config_speaks(&r->c->peers[i])))
		i++;
	if (i == n)
		xy_config_fail(r, xy_config_member(s, "stub"), NULL,
			       "there is nobody to ask; set relay = true; for the peers that know "
			       "the way");
}

static void check_peer_unique(struct xy_config_reader *r, const config_setting_t *peers)
{
	unsigned n = r->c->peer_count, names = 0, keys = 0;
	struct entry *e = calloc(n ? n : 1, sizeof(*e));
	if (!e) {
		xy_config_fail(r, peers, NULL, "not enough memory to check it");
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		const config_setting_t *s =
			xy_config_member(config_setting_get_elem(peers, i), "name");
		if (s && !xy_config_is_bad(s))
			e[names++] = (struct entry){r->c->peers[i].name, s};
	}
	check_unique(r, e, names, by_name, "name");
	for (unsigned i = 0; i < n; i++)
		if (!xy_key_is_zero(&r->c->peers[i].key))
			e[keys++] = (struct entry){
				&r->c->peers[i].key,
				xy_config_member(config_setting_get_elem(peers, i), "key")};
	check_unique(r, e, keys, by_key, "key");
	free(e);
}

static void check_peers(struct xy_config_reader *r, const config_setting_t *root,
			const config_setting_t *peers)
{
	unsigned keyless = 0;
	check_peer_unique(r, peers);
	for (unsigned i = 0; i < r->c->peer_count; i++) {
		const struct xy_config_peer *p = &r->c->peers[i];
		const config_setting_t *s = config_setting_get_elem(peers, i);
		keyless += check_keyless(r, p, s, keyless);
		check_allowed(r, p, s);
		check_babel(r, p, s);
	}
	check_relays(r, root);
}

static int by_peer_name(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->value, ((const struct entry *)b)->value);
}

// names is sorted; its values are the name fields of c->peers.
static void find_peer(struct xy_config_reader *r, const struct entry *names,
		      const config_setting_t *s, struct xy_config_route *route)
{
	struct entry want = {s->value.sval, NULL};
	const struct entry *e =
		bsearch(&want, names, r->c->peer_count, sizeof(*names), by_peer_name);
	if (!e) {
		xy_config_fail(r, s, NULL,
			       "no peer is called \"%.32s\"; write a name that stands in `peers`",
			       s->value.sval);
		return;
	}
	const struct xy_config_peer *p =
		(const struct xy_config_peer *)((const char *)e->value -
						offsetof(struct xy_config_peer, name));
	if (p->leaf)
		xy_config_fail(r, s, NULL, "\"%s\" is a leaf; put the prefix into its `allowed`",
			       p->name);
	route->peer = (unsigned)(p - r->c->peers);
}

// Has each peer the name that it was meant to have?
static bool are_named(const struct xy_config_reader *r, const config_setting_t *root)
{
	static const char *const none[] = {NULL}, *const name[] = {"name", NULL};
	const config_setting_t *peers = xy_config_member(root, "peers");
	if (xy_config_is_unsure(root, none) || xy_config_is_unsure(peers, none))
		return false;
	for (unsigned i = 0; i < r->c->peer_count; i++)
		if (xy_config_is_unsure(config_setting_get_elem(peers, i), name))
			return false;
	return true;
}

static void check_routes(struct xy_config_reader *r, const config_setting_t *root,
			 const config_setting_t *routes)
{
	unsigned n = r->c->peer_count;
	struct entry *names = calloc(n ? n : 1, sizeof(*names));
	if (!names) {
		xy_config_fail(r, routes, NULL, "not enough memory to check it");
		return;
	}
	for (unsigned i = 0; i < n; i++)
		names[i].value = r->c->peers[i].name;
	qsort(names, n, sizeof(*names), by_peer_name);
	const bool named = are_named(r, root); // which takes a look at each peer
	for (unsigned i = 0; named && i < r->c->route_count; i++) {
		const config_setting_t *s =
			xy_config_member(config_setting_get_elem(routes, i), "peer");
		if (s && !xy_config_is_bad(s))
			find_peer(r, names, s, &r->c->routes[i]);
	}
	free(names);
}

// Inside the mesh a /64 is its key's: 57 bits of it are the key's hash.
static void check_route_key(struct xy_config_reader *r, const config_setting_t *s,
			    const struct xy_config_route *route)
{
	char text[XY_PREFIX_STRLEN];
	const struct xy_prefix own = xy_key_prefix(&route->key);
	const config_setting_t *at = xy_config_member(s, "key");
	bool inside = route->prefix.len >= 7 && xy_addr_is_mesh(&route->prefix.addr);
	if (at && !xy_config_is_bad(at) && inside && !xy_prefix_covers(&own, &route->prefix))
		xy_config_fail(r, at, NULL,
			       "a node with this key has %s, and no other prefix inside 200::/7; "
			       "write that, or the key of the node that is meant",
			       xy_prefix_str(&own, text));
}

static void check_route_keys(struct xy_config_reader *r, const config_setting_t *routes)
{
	for (unsigned i = 0; i < r->c->route_count; i++) {
		const config_setting_t *s = config_setting_get_elem(routes, i);
		const config_setting_t *prefix = xy_config_member(s, "prefix");
		if (prefix && !xy_config_is_bad(prefix))
			check_route_key(r, s, &r->c->routes[i]);
	}
}

static size_t count_prefixes(const struct xy_config *c)
{
	size_t n = c->route_count;
	for (unsigned i = 0; i < c->peer_count; i++)
		n += c->peers[i].allowed.count;
	return n;
}

static size_t collect_prefixes(const struct xy_config *c, const config_setting_t *peers,
			       const config_setting_t *routes, struct entry *e)
{
	size_t n = 0;
	for (unsigned i = 0; i < c->peer_count; i++) {
		const config_setting_t *all =
			xy_config_member(config_setting_get_elem(peers, i), "allowed");
		for (unsigned j = 0; j < c->peers[i].allowed.count; j++)
			e[n++] = (struct entry){&c->peers[i].allowed.v[j],
						config_setting_get_elem(all, j)};
	}
	for (unsigned i = 0; i < c->route_count; i++)
		e[n++] = (struct entry){
			&c->routes[i].prefix,
			xy_config_member(config_setting_get_elem(routes, i), "prefix")};
	size_t good = 0;
	for (size_t i = 0; i < n; i++)
		if (e[i].at && !xy_config_is_bad(e[i].at))
			e[good++] = e[i];
	return good;
}

static void check_prefixes(struct xy_config_reader *r, const config_setting_t *root,
			   const config_setting_t *peers, const config_setting_t *routes)
{
	size_t n = count_prefixes(r->c);
	if (n > r->c->max_routes && !xy_config_is_bad(xy_config_member(root, "max_routes")))
		xy_config_fail(r, root, "max_routes",
			       "%u are too few for the %zu prefixes of leaves and routes; raise it",
			       r->c->max_routes, n);
	struct entry *e = calloc(n ? n : 1, sizeof(*e));
	if (!e) {
		xy_config_fail(r, root, NULL, "not enough memory to check its prefixes");
		return;
	}
	check_unique(r, e, collect_prefixes(r->c, peers, routes, e), by_prefix, "prefix");
	free(e);
}

static bool is_same_port(const struct xy_config_port *p, const struct xy_config_port *q)
{
	return p->port && p->port == q->port && xy_addr_eq(&p->address, &q->address);
}

// All addresses have one in them: the kernel gives a port to either.
static bool is_within(const struct xy_config_port *p, const struct xy_config_port *q)
{
	return p->port && p->port == q->port && xy_addr_is_unspecified(&q->address) &&
	       (!xy_addr_is_v4(&q->address) || xy_addr_is_v4(&p->address));
}

static bool is_same_card(const struct xy_config_port *p, const struct xy_config_port *q)
{
	if (p->driver != q->driver || p->driver == XY_DRIVER_SOCKET)
		return false;
	return strcmp(p->device, q->device) == 0 &&
	       (p->device[0] || strcmp(p->interface, q->interface) == 0);
}

// Ports on cards may share an address and port: each is for its card.
static void check_two_ports(struct xy_config_reader *r, struct xy_config_port *p,
			    struct xy_config_port *q, const config_setting_t *ports)
{
	const struct entry first = {p, config_setting_get_elem(ports, (unsigned)(p - r->c->ports))};
	const struct entry again = {q, config_setting_get_elem(ports, (unsigned)(q - r->c->ports))};
	bool cards = p->driver != XY_DRIVER_SOCKET && q->driver != XY_DRIVER_SOCKET;
	bool sockets = p->driver == XY_DRIVER_SOCKET && q->driver == XY_DRIVER_SOCKET;
	if (xy_config_is_bad(first.at) || xy_config_is_bad(again.at))
		return;
	if (is_same_card(p, q))
		refuse_duplicate(r, &first, &again, "card");
	else if (sockets && !is_same_port(p, q) && (is_within(p, q) || is_within(q, p)))
		xy_config_fail(r, again.at, NULL,
			       "one of this port and that in line %u is for all addresses, so "
			       "the other's is taken; remove it, or change its port",
			       config_setting_source_line(first.at));
	else if (is_same_port(p, q) && !cards)
		refuse_duplicate(r, &first, &again, "address and port");
	else if (is_same_port(p, q))
		p->shared = q->shared = true;
}

// Our own interface is no way to anybody: what goes there comes back.
static void check_own_interface(struct xy_config_reader *r, const config_setting_t *root)
{
	static const char text[] = "is this node's own interface (host.name); name a card";
	const config_setting_t *found = xy_config_member(root, "discovery");
	found = xy_config_member(found, "interfaces");
	for (unsigned i = 0; r->c->host.name[0] && i < r->c->port_count; i++)
		if (strcmp(r->c->ports[i].interface, r->c->host.name) == 0)
			xy_config_fail(r,
				       xy_config_member(config_setting_get_elem(
								xy_config_member(root, "ports"), i),
							"interface"),
				       NULL, text);
	for (unsigned i = 0; i < r->c->discovery.count; i++)
		if (strcmp(r->c->discovery.interfaces[i], r->c->host.name) == 0)
			xy_config_fail(r, config_setting_get_elem(found, i), NULL, text);
}

static void check_ports(struct xy_config_reader *r, const config_setting_t *ports)
{
	for (unsigned i = 0; ports && i < r->c->port_count; i++)
		for (unsigned j = 0; j < i; j++)
			check_two_ports(r, &r->c->ports[j], &r->c->ports[i], ports);
}

void xy_config_check(struct xy_config_reader *r, const config_setting_t *root)
{
	const config_setting_t *peers = xy_config_member(root, "peers");
	const config_setting_t *routes = xy_config_member(root, "routes");
	check_ports(r, xy_config_member(root, "ports"));
	if (r->c->host.enabled)
		check_own_interface(r, root);
	check_peers(r, root, peers ? peers : root);
	check_routes(r, root, routes ? routes : root);
	check_route_keys(r, routes);
	xy_config_allow_check(r, root);
	xy_config_exit_check(r, root);
	check_prefixes(r, root, peers, routes);
}
