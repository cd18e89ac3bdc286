// SPDX-License-Identifier: BSD-3-Clause
// Who is meant, over peers and nodes that stand in tables here: in which order it is looked for,
// and what hostile names come to.
#include "daemon.h"
#include "naming.h"
#include "unit.h"

#include <string.h>

// --- what there is

struct node {
	struct xy_addr addr;
	const char *name;
};
static struct {
	const char *name;
	struct xy_key key;
	struct xy_config_peer says;
} peer[4]; // by name
static struct node node[8];
static unsigned peers, nodes, joining;
static struct xy_prefix leaf_prefix[4][2];
static struct xy_daemon d;

unsigned xy_links_count(const struct xy_links *l)
{
	return peers;
}

uint32_t xy_links_slot_at(const struct xy_links *l, unsigned at)
{
	return at + 10;
}

const char *xy_links_name(const struct xy_links *l, uint32_t slot)
{
	return peer[slot - 10].name;
}

const struct xy_key *xy_links_key(const struct xy_links *l, uint32_t slot)
{
	return &peer[slot - 10].key;
}

unsigned xy_links_after(const struct xy_links *l, const char *after)
{
	unsigned i = 0;
	while (i < peers && strcmp(peer[i].name, after) <= 0)
		i++;
	return i;
}

int xy_links_slot(const struct xy_links *l, const struct xy_key *key, uint32_t *slot)
{
	for (unsigned i = 0; i < peers; i++)
		if (memcmp(&peer[i].key, key, sizeof(*key)) == 0) {
			*slot = i + 10;
			return 0;
		}
	return -ENOENT;
}

const struct xy_config_peer *xy_links_says(const struct xy_links *l, uint32_t slot)
{
	return &peer[slot - 10].says;
}

bool xy_links_node_addr(const struct xy_links *l, uint32_t slot, struct xy_addr *out)
{
	if (peer[slot - 10].says.leaf)
		return false;
	*out = xy_key_addr(&peer[slot - 10].key);
	return true;
}

// What is theirs, as links put it there.
const struct xy_rib_route *xy_rib_get(const struct xy_rib *rib, const struct xy_prefix *p,
				      enum xy_route_source source)
{
	static struct xy_rib_route found;
	for (unsigned i = 0; i < peers; i++) {
		const struct xy_config_peer *says = &peer[i].says;
		const struct xy_prefix net = xy_key_prefix(&peer[i].key);
		bool is = source == XY_ROUTE_PEER && !says->leaf && xy_prefix_eq(&net, p);
		for (unsigned k = 0;
		     source == XY_ROUTE_LEAF && says->leaf && k < says->allowed.count; k++)
			is |= xy_prefix_eq(&says->allowed.v[k], p);
		found.route.peer = i + 10;
		if (is)
			return &found;
	}
	return NULL;
}

unsigned xy_join_count(const struct xy_join *j)
{
	return joining;
}

void xy_join_info(const struct xy_join *j, unsigned at, struct xy_join_info *out)
{
	*out = (struct xy_join_info){.name = "waits", .endpoint = "192.0.2.9:1"};
}

const char *xy_nodeinfo_name(const struct xy_nodeinfo *n, const struct xy_addr *addr, xy_nsec now)
{
	for (unsigned i = 0; i < nodes; i++)
		if (xy_addr_eq(&node[i].addr, addr))
			return node[i].name;
	return NULL;
}

unsigned xy_nodeinfo_named(const struct xy_nodeinfo *n, const char *name, xy_nsec now,
			   struct xy_addr *out, unsigned max)
{
	unsigned count = 0;
	for (unsigned i = 0; i < nodes; i++)
		if (strcmp(node[i].name, name) == 0 && count++ < max)
			out[count - 1] = node[i].addr;
	return count;
}

const char *xy_nodeinfo_name_next(const struct xy_nodeinfo *n, uint32_t *at, xy_nsec now)
{
	return *at < nodes ? node[(*at)++].name : NULL;
}

xy_nsec xy_now(void)
{
	return XY_SEC;
}

// --- a world: peers leaf, r, twin, twin; we are key 9

static struct xy_key key_of(uint8_t number)
{
	return (struct xy_key){.b = {number, 1}};
}

static struct xy_addr addr_of(uint8_t number)
{
	const struct xy_key key = key_of(number);
	return xy_key_addr(&key);
}

static const char *addr_text(uint8_t number)
{
	static char text[XY_ADDR_STRLEN];
	const struct xy_addr a = addr_of(number);
	return xy_addr_str(&a, text);
}

static const char *key_text(uint8_t number)
{
	static char text[XY_KEY_STRLEN];
	const struct xy_key key = key_of(number);
	return xy_key_str(&key, text);
}

static void says(uint8_t number, const char *name) // the node with that key
{
	node[nodes++] = (struct node){addr_of(number), name};
}

static void leaf(unsigned at, const char *first, const char *second)
{
	struct xy_config_peer *p = &peer[at].says;
	p->leaf = true;
	p->allowed.v = leaf_prefix[at];
	CU_ASSERT_FATAL(xy_prefix_parse(first, &leaf_prefix[at][0]) == 0);
	CU_ASSERT_FATAL(xy_prefix_parse(second, &leaf_prefix[at][1]) == 0);
	p->allowed.count = 2;
}

static void begin(void)
{
	static const char *const name[] = {"leaf", "r", "twin", "twin"};
	memset(peer, 0, sizeof(peer));
	peers = 4;
	nodes = joining = 0;
	for (unsigned i = 0; i < peers; i++) {
		peer[i].name = name[i];
		peer[i].key = key_of((uint8_t)(i + 1));
	}
	leaf(0, "10.1.0.0/16", "10.2.0.1");
	d.id.x25519 = key_of(9);
	d.id.addr = addr_of(9);
	says(9, "us");
}

// --- questions

static struct xy_named who;
static struct xy_err err;

// Is it of that kind, at the address of that node, called so?
static bool is(const char *text, enum xy_named_kind kind, uint8_t number, const char *name)
{
	const struct xy_addr at = addr_of(number);
	if (xy_naming_find(&d, text, &who, &err) == 0 && who.kind == kind && who.has_addr &&
	    xy_addr_eq(&who.addr, &at) && strcmp(who.name, name) == 0)
		return true;
	printf("\n  %s: %d %s %s\n", text, who.kind, who.name, err.text);
	return false;
}

static bool fails(const char *text, int code, const char *words)
{
	int r = xy_naming_find(&d, text, &who, &err);
	if (r == -code && strstr(err.text, words))
		return true;
	printf("\n  %s: %d %s\n", text, r, r ? err.text : who.name);
	return false;
}

static bool no_peer(const char *text, int code, const char *words)
{
	uint32_t slot = 77;
	int r = xy_naming_peer(&d, text, &slot, &err);
	if (r == -code && slot == 77 && strstr(err.text, words))
		return true;
	printf("\n  %s: %d %s\n", text, r, r ? err.text : "");
	return false;
}

static void test_found(void)
{
	begin();
	says(2, "relay");
	says(20, "far");
	CU_ASSERT(is("r", XY_NAMED_PEER, 2, "r") && who.slot == 11 && !who.by_itself);
	CU_ASSERT(is(key_text(2), XY_NAMED_PEER, 2, "r") && who.has_key);
	CU_ASSERT(is(addr_text(2), XY_NAMED_PEER, 2, "r"));
	CU_ASSERT(is("relay", XY_NAMED_PEER, 2, "r") && who.by_itself); // as it calls itself
	CU_ASSERT(is("far", XY_NAMED_NODE, 20, "far") && who.by_itself && !who.has_key);
	CU_ASSERT(is(key_text(20), XY_NAMED_NODE, 20, "far") && who.has_key);
	CU_ASSERT(is(addr_text(20), XY_NAMED_NODE, 20, "far") && !who.by_itself);
	CU_ASSERT(is(key_text(21), XY_NAMED_NODE, 21, ""));
	CU_ASSERT(is(addr_text(21), XY_NAMED_ADDRESS, 21, ""));
	CU_ASSERT(is(addr_text(9), XY_NAMED_US, 9, "this node"));
	CU_ASSERT(is(key_text(9), XY_NAMED_US, 9, "this node") && who.has_key);
	CU_ASSERT(is("us", XY_NAMED_US, 9, "this node"));
}

static void test_leaf(void)
{
	char text[XY_ADDR_STRLEN];
	struct xy_addr to;
	begin();
	CU_ASSERT(xy_naming_address(&d, "leaf", &to, &err) == 0);
	CU_ASSERT_STRING_EQUAL(xy_addr_str(&to, text), "10.2.0.1");
	CU_ASSERT(xy_naming_find(&d, "10.2.0.1", &who, &err) == 0 && who.kind == XY_NAMED_PEER);
	CU_ASSERT_STRING_EQUAL(who.name, "leaf");
	CU_ASSERT(xy_naming_find(&d, "10.1.0.7", &who, &err) == 0 && who.kind == XY_NAMED_ADDRESS);
	leaf(0, "10.1.0.0/16", "10.2.0.0/16");
	CU_ASSERT(xy_naming_find(&d, "leaf", &who, &err) == 0 && !who.has_addr);
	CU_ASSERT(xy_naming_address(&d, "leaf", &to, &err) == -EINVAL);
	CU_ASSERT(strstr(err.text, "leaf is a leaf, to which only networks") != NULL);
}

static void test_errors(void)
{
	begin();
	says(20, "bravo");
	CU_ASSERT(fails("", EINVAL, "is not empty"));
	CU_ASSERT(fails("nobody", ENOENT, "\"nobody\" is no address, no key, no peer's name"));
	CU_ASSERT(strstr(err.text, "did you mean") == NULL);
	CU_ASSERT(fails("nobody", ENOENT, "xylem show tree asks nodes for their names"));
	CU_ASSERT(fails("bravi", ENOENT, "; did you mean bravo?"));
	CU_ASSERT(fails("rr", ENOENT, "; did you mean r?"));
	CU_ASSERT(fails("twin", EEXIST, "there are several peers \"twin\"; name yours by its key"));
	CU_ASSERT(strstr(err.text, key_text(3)) != NULL);
	CU_ASSERT(strstr(err.text, key_text(4)) != NULL);
	says(21, "bravo");
	CU_ASSERT(fails("bravo", EEXIST, "2 nodes call themselves \"bravo\""));
	CU_ASSERT(strstr(err.text, addr_text(20)) != NULL);
	CU_ASSERT(strstr(err.text, addr_text(21)) != NULL);
	CU_ASSERT(is(addr_text(20), XY_NAMED_NODE, 20, "")); // the name is nobody's
	says(22, "us");					     // as we do
	CU_ASSERT(fails("us", EEXIST, "2 nodes call themselves \"us\""));
	CU_ASSERT(no_peer("rr", ENOENT,
			  "there is no peer \"rr\"; did you mean r? (xylem show peers)"));
	CU_ASSERT(no_peer("us", EEXIST, "2 nodes"));
	CU_ASSERT(no_peer(addr_text(20), ENOENT, "there is no peer"));
	CU_ASSERT(no_peer(key_text(9), ENOENT, "there is no peer"));
	CU_ASSERT(no_peer("", EINVAL, "is not empty"));
}

// What nodes say of themselves takes nothing from what the config says, and no address or key.
static void test_hostile(void)
{
	const struct xy_key key20 = key_of(20);
	begin();
	joining = 1;
	says(20, "r");
	CU_ASSERT(is("r", XY_NAMED_PEER, 2, "r"));
	CU_ASSERT(is(addr_text(20), XY_NAMED_NODE, 20, "")); // it is not shown so, either
	CU_ASSERT_PTR_NULL(xy_naming_known(&d, &key20));
	node[1].name = "twin";
	CU_ASSERT_PTR_NULL(xy_naming_at(&d, &node[1].addr)); // that is a peer's
	CU_ASSERT(fails("twin", EEXIST, "several peers"));
	node[1].name = "waits"; // a peer whose key is not known yet
	CU_ASSERT(fails("waits", EAGAIN,
			"its key is not known yet; it is asked for it at 192.0.2.9"));
	CU_ASSERT(no_peer("waits", EAGAIN, "its key is not known yet"));
	CU_ASSERT_PTR_NULL(xy_naming_known(&d, &key20));
	node[1].name = "10.9.9.9"; // an address is an address
	CU_ASSERT(xy_naming_find(&d, "10.9.9.9", &who, &err) == 0 && who.kind == XY_NAMED_ADDRESS);
	says(2, "10.9.9.8"); // a peer says so
	CU_ASSERT(no_peer("10.9.9.8", ENOENT, "there is no peer \"10.9.9.8\""));
	node[2].name = key_text(21); // and a key a key
	CU_ASSERT(no_peer(key_text(21), ENOENT, "there is no peer"));
	CU_ASSERT(is(key_text(21), XY_NAMED_NODE, 21, ""));
	node[2].name = "this-node";
	CU_ASSERT(is(addr_text(9), XY_NAMED_US, 9, "this node"));
}

// Texts of any length and bytes are answered, and what is answered is a string.
static void test_any_text(void)
{
	char text[1001];
	begin();
	says(20, "+~.-_");
	for (unsigned len = 1; len < sizeof(text); len += 37) {
		for (unsigned i = 0; i < len; i++)
			text[i] = (char)(1 + (i * 31 + len) % 255);
		text[len] = 0;
		CU_ASSERT(xy_naming_find(&d, text, &who, &err) == -ENOENT);
		CU_ASSERT(strlen(err.text) < sizeof(err.text));
	}
	memset(text, 'x', sizeof(text) - 1);
	peer[3].name = text; // no name is that long; they are in order
	CU_ASSERT(xy_naming_find(&d, text, &who, &err) == 0 && strlen(who.name) < XY_NAMING_LEN);
	CU_ASSERT(is("+~.-_", XY_NAMED_NODE, 20, "+~.-_"));
}

XY_UNIT_MAIN("naming", {"found", test_found}, {"leaf", test_leaf}, {"errors", test_errors},
	     {"hostile", test_hostile}, {"any text", test_any_text})
