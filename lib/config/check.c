// SPDX-License-Identifier: BSD-3-Clause
// What no key can say by itself: duplicates, and names that must exist. Sorting, not pairs: a file
// may hold 65,536 peers.
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

static int refuse_duplicate(struct xy_config_reader *r, const struct entry *first,
			    const struct entry *again, const char *what)
{
	return xy_config_fail(r, again->at, NULL,
			      "the same %s stands in line %u already; remove or change one", what,
			      config_setting_source_line(first->at));
}

static int check_unique(struct xy_config_reader *r, struct entry *e, size_t n, compare_fn *compare,
			const char *what)
{
	qsort_r(e, n, sizeof(*e), order, &compare);
	for (size_t i = 1; i < n; i++)
		if (compare(&e[i - 1], &e[i]) == 0)
			return refuse_duplicate(r, &e[i - 1], &e[i], what);
	return 0;
}

static const config_setting_t *member(const config_setting_t *s, const char *name)
{
	// libconfig 1.5's getters take no const
	return config_setting_get_member((config_setting_t *)(uintptr_t)s, name);
}

// A key that nobody wrote down is asked for: at one place, and of nodes alone.
static int check_keyless(struct xy_config_reader *r, const config_setting_t *peers)
{
	unsigned count = 0;
	for (unsigned i = 0; i < r->c->peer_count; i++) {
		const struct xy_config_peer *p = &r->c->peers[i];
		const config_setting_t *s = config_setting_get_elem(peers, i);
		if (!xy_key_is_zero(&p->key))
			continue;
		if (p->leaf)
			return xy_config_fail(r, s, "key",
					      "missing; a leaf cannot be asked for it. Write what "
					      "`wg pubkey` prints there");
		if (p->endpoint_count != 1)
			return xy_config_fail(
				r, s, "key",
				"missing; write it (xylem pubkey, on the peer), or give "
				"one endpoint to ask at: endpoint = \"host:port\";");
		if (++count > XY_CONFIG_KEYLESS)
			return xy_config_fail(r, s, "key",
					      "missing, as in %d peers before; write it (xylem "
					      "pubkey, on the peer)",
					      XY_CONFIG_KEYLESS);
	}
	return 0;
}

static int check_leaves(struct xy_config_reader *r, const config_setting_t *peers)
{
	for (unsigned i = 0; i < r->c->peer_count; i++) {
		const struct xy_config_peer *p = &r->c->peers[i];
		const config_setting_t *s = config_setting_get_elem(peers, i);
		if (p->leaf && !p->allowed.count)
			return xy_config_fail(r, s, "allowed",
					      "missing; a leaf needs the addresses it may have: "
					      "allowed = [ \"10.1.0.5/32\" ];");
		if (!p->leaf && member(s, "allowed"))
			return xy_config_fail(r, member(s, "allowed"), NULL,
					      "is for leaves; a node owns its /64 by its key. Add "
					      "leaf = true; or use `routes`");
	}
	return 0;
}

// Which keys of Babel a kind of peer has.
static int check_babel(struct xy_config_reader *r, const config_setting_t *routing,
		       const config_setting_t *peers)
{
	static const char *const plain[] = {"tag", "accept", "announce"};
	bool relay = false;
	for (unsigned i = 0; i < r->c->peer_count; i++) {
		const struct xy_config_peer *p = &r->c->peers[i];
		const config_setting_t *s = config_setting_get_elem(peers, i);
		bool is_plain = p->leaf && xy_config_speaks(p);
		for (unsigned k = 0; k < XY_ARRAY_SIZE(plain); k++)
			if (!is_plain && member(s, plain[k]))
				return xy_config_fail(r, member(s, plain[k]), NULL,
						      "is for leaves that speak Babel; add babel = "
						      "\"yes\"; to a leaf, or remove it");
		if (p->leaf && (p->stub || p->relay))
			return xy_config_fail(r, s, p->stub ? "stub" : "relay",
					      "is between nodes; a leaf is told 200::/7 anyway. "
					      "Remove it");
		if (p->stub && r->c->routing.stub)
			return xy_config_fail(r, member(s, "stub"), NULL,
					      "this node is a stub itself and knows no way to tell "
					      "it; remove it, or routing.stub");
		if (p->relay && !r->c->routing.stub)
			return xy_config_fail(r, s, "relay",
					      "this node keeps a table of its own and asks nobody; "
					      "remove it, or set routing = { stub = true; };");
		relay = relay || (p->relay && xy_config_speaks(p));
	}
	if (r->c->routing.stub && !relay)
		return xy_config_fail(r, member(routing, "stub"), NULL,
				      "there is nobody to ask; set relay = true; for the peers "
				      "that know the way");
	return 0;
}

static int check_peers(struct xy_config_reader *r, const config_setting_t *root,
		       const config_setting_t *peers)
{
	unsigned n = r->c->peer_count;
	struct entry *e = calloc(n ? n : 1, sizeof(*e));
	if (!e)
		return xy_config_fail(r, peers, NULL, "not enough memory to check it");
	for (unsigned i = 0; i < n; i++)
		e[i] = (struct entry){r->c->peers[i].name,
				      member(config_setting_get_elem(peers, i), "name")};
	int ret = check_unique(r, e, n, by_name, "name");
	unsigned keys = 0;
	for (unsigned i = 0; i < n; i++)
		if (!xy_key_is_zero(&r->c->peers[i].key))
			e[keys++] =
				(struct entry){&r->c->peers[i].key,
					       member(config_setting_get_elem(peers, i), "key")};
	if (!ret)
		ret = check_unique(r, e, keys, by_key, "key");
	free(e);
	ret = ret ? ret : check_keyless(r, peers);
	ret = ret ? ret : check_leaves(r, peers);
	return ret ? ret : check_babel(r, member(root, "routing"), peers);
}

static int by_peer_name(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->value, ((const struct entry *)b)->value);
}

// names is sorted; its values are the name fields of c->peers.
static int find_peer(struct xy_config_reader *r, const struct entry *names,
		     const config_setting_t *s, struct xy_config_route *route)
{
	struct entry want = {s->value.sval, NULL};
	const struct entry *e =
		bsearch(&want, names, r->c->peer_count, sizeof(*names), by_peer_name);
	if (!e)
		return xy_config_fail(r, s, NULL,
				      "no peer is called \"%.32s\"; write a name that stands in "
				      "`peers`",
				      s->value.sval);
	const struct xy_config_peer *p =
		(const struct xy_config_peer *)((const char *)e->value -
						offsetof(struct xy_config_peer, name));
	if (p->leaf)
		return xy_config_fail(
			r, s, NULL, "\"%s\" is a leaf; put the prefix into its `allowed`", p->name);
	route->peer = (unsigned)(p - r->c->peers);
	return 0;
}

static int check_routes(struct xy_config_reader *r, const config_setting_t *routes)
{
	unsigned n = r->c->peer_count;
	struct entry *names = calloc(n ? n : 1, sizeof(*names));
	if (!names)
		return xy_config_fail(r, routes, NULL, "not enough memory to check it");
	for (unsigned i = 0; i < n; i++)
		names[i].value = r->c->peers[i].name;
	qsort(names, n, sizeof(*names), by_peer_name);
	int ret = 0;
	for (unsigned i = 0; !ret && i < r->c->route_count; i++)
		ret = find_peer(r, names, member(config_setting_get_elem(routes, i), "peer"),
				&r->c->routes[i]);
	free(names);
	return ret;
}

static size_t count_prefixes(const struct xy_config *c)
{
	size_t n = c->route_count;
	for (unsigned i = 0; i < c->peer_count; i++)
		n += c->peers[i].allowed.count;
	return n;
}

static void collect_prefixes(const struct xy_config *c, const config_setting_t *peers,
			     const config_setting_t *routes, struct entry *e)
{
	for (unsigned i = 0; i < c->peer_count; i++) {
		const config_setting_t *all = member(config_setting_get_elem(peers, i), "allowed");
		for (unsigned j = 0; j < c->peers[i].allowed.count; j++)
			*e++ = (struct entry){&c->peers[i].allowed.v[j],
					      config_setting_get_elem(all, j)};
	}
	for (unsigned i = 0; i < c->route_count; i++)
		*e++ = (struct entry){&c->routes[i].prefix,
				      member(config_setting_get_elem(routes, i), "prefix")};
}

static int check_prefixes(struct xy_config_reader *r, const config_setting_t *root,
			  const config_setting_t *peers, const config_setting_t *routes)
{
	size_t n = count_prefixes(r->c);
	if (n > r->c->max_routes)
		return xy_config_fail(r, root, "max_routes",
				      "%u are too few for the %zu prefixes of leaves and routes; "
				      "raise it",
				      r->c->max_routes, n);
	struct entry *e = calloc(n ? n : 1, sizeof(*e));
	if (!e)
		return xy_config_fail(r, root, NULL, "not enough memory to check its prefixes");
	collect_prefixes(r->c, peers, routes, e);
	int ret = check_unique(r, e, n, by_prefix, "prefix");
	free(e);
	return ret;
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
static int check_two_ports(struct xy_config_reader *r, struct xy_config_port *p,
			   struct xy_config_port *q, const config_setting_t *ports)
{
	const struct entry first = {p, config_setting_get_elem(ports, (unsigned)(p - r->c->ports))};
	const struct entry again = {q, config_setting_get_elem(ports, (unsigned)(q - r->c->ports))};
	bool cards = p->driver != XY_DRIVER_SOCKET && q->driver != XY_DRIVER_SOCKET;
	bool sockets = p->driver == XY_DRIVER_SOCKET && q->driver == XY_DRIVER_SOCKET;
	if (is_same_card(p, q))
		return refuse_duplicate(r, &first, &again, "card");
	if (sockets && !is_same_port(p, q) && (is_within(p, q) || is_within(q, p)))
		return xy_config_fail(
			r, again.at, NULL,
			"one of this port and that in line %u is for all addresses, so "
			"the other's is taken; remove it, or change its port",
			config_setting_source_line(first.at));
	if (!is_same_port(p, q))
		return 0;
	if (!cards)
		return refuse_duplicate(r, &first, &again, "address and port");
	p->shared = q->shared = true;
	return 0;
}

// Our own interface is no way to anybody: what goes there comes back.
static int check_own_interface(struct xy_config_reader *r, const config_setting_t *root)
{
	static const char text[] = "is this node's own interface (host.name); name a card";
	const config_setting_t *found = member(root, "discovery");
	found = found ? member(found, "interfaces") : NULL;
	for (unsigned i = 0; i < r->c->port_count; i++)
		if (strcmp(r->c->ports[i].interface, r->c->host.name) == 0)
			return xy_config_fail(
				r,
				member(config_setting_get_elem(member(root, "ports"), i),
				       "interface"),
				NULL, text);
	for (unsigned i = 0; i < r->c->discovery.count; i++)
		if (strcmp(r->c->discovery.interfaces[i], r->c->host.name) == 0)
			return xy_config_fail(r, config_setting_get_elem(found, i), NULL, text);
	return 0;
}

static int check_ports(struct xy_config_reader *r, const config_setting_t *ports)
{
	int ret = 0;
	for (unsigned i = 0; ports && i < r->c->port_count; i++)
		for (unsigned j = 0; !ret && j < i; j++)
			ret = check_two_ports(r, &r->c->ports[j], &r->c->ports[i], ports);
	return ret;
}

int xy_config_check(struct xy_config_reader *r, const config_setting_t *root)
{
	const config_setting_t *peers = member(root, "peers"), *routes = member(root, "routes");
	int ret = check_ports(r, member(root, "ports"));
	if (!ret && r->c->host.enabled)
		ret = check_own_interface(r, root);
	if (!ret)
		ret = check_peers(r, root, peers ? peers : root);
	if (!ret)
		ret = check_routes(r, routes ? routes : root);
	if (!ret)
		ret = check_prefixes(r, root, peers, routes);
	return ret;
}
