// SPDX-License-Identifier: BSD-3-Clause
#include "naming.h"

#include "base/near.h"
#include "daemon.h"

#include <stdio.h>
#include <string.h>

enum {
	SHORT_KEY = 8,
	SHOWN = 2,  // of nodes that bear one name
	NEAR = 250, // names before and behind are looked at for "did you mean"
};

bool xy_naming_has_address(const struct xy_daemon *d, uint32_t slot, const struct xy_addr *a)
{
	struct xy_addr node;
	const struct xy_config_peer *p = xy_links_says(d->links, slot);
	if (xy_links_node_addr(d->links, slot, &node) && xy_addr_eq(&node, a))
		return true;
	for (unsigned i = 0; p && p->leaf && i < p->allowed.count; i++)
		if (p->allowed.v[i].len == 128 && xy_addr_eq(&p->allowed.v[i].addr, a))
			return true;
	return false;
}

// In our config, without a key: nobody else has its name meanwhile.
static bool joins(const struct xy_daemon *d, const char *name, struct xy_join_info *out)
{
	for (unsigned i = 0; i < xy_join_count(d->join); i++) {
		xy_join_info(d->join, i, out);
		if (strcmp(out->name, name) == 0)
			return true;
	}
	return false;
}

// The peer's name that is meant, or a node's; NULL: none is near.
static const char *meant(const struct xy_daemon *d, const char *text, bool peers_only)
{
	struct xy_nearest n = xy_nearest_to(text, 3);
	const char *name;
	unsigned count = xy_links_count(d->links), at_name = xy_links_after(d->links, text);
	unsigned from = at_name > NEAR ? at_name - NEAR : 0, to = at_name + NEAR;
	for (unsigned i = from; i < to && i < count; i++)
		xy_nearest_see(&n, xy_links_name(d->links, xy_links_slot_at(d->links, i)));
	if (peers_only)
		return n.best;
	for (uint32_t at = 0; (name = xy_nodeinfo_name_next(d->nodeinfo, &at, xy_now()));)
		xy_nearest_see(&n, name);
	return n.best;
}

static int nobody(const struct xy_daemon *d, const char *text, bool peers_only, struct xy_err *err)
{
	char near[XY_NEAR_SAYS];
	xy_near_says(meant(d, text, peers_only), near);
	if (peers_only)
		return xy_err_set(err, ENOENT, "there is no peer \"%.80s\"%s (xylem show peers)",
				  text, near);
	return xy_err_set(err, ENOENT,
			  "\"%.80s\" is no address, no key, no peer's name and no name of a node "
			  "that tells its own%s (xylem show peers; xylem show tree asks nodes "
			  "for their names)",
			  text, near);
}

// --- whose

static bool whole_address(const struct xy_daemon *d, uint32_t slot, struct xy_addr *out)
{
	const struct xy_config_peer *p = xy_links_says(d->links, slot);
	for (unsigned i = 0; p && p->leaf && i < p->allowed.count; i++) {
		if (p->allowed.v[i].len != 128)
			continue;
		*out = p->allowed.v[i].addr;
		return true;
	}
	return xy_links_node_addr(d->links, slot, out);
}

static void be_us(const struct xy_daemon *d, struct xy_named *out)
{
	*out = (struct xy_named){.kind = XY_NAMED_US,
				 .has_key = true,
				 .has_addr = true,
				 .key = d->id.x25519,
				 .addr = d->id.addr,
				 .name = "this node"};
}

static void be_peer(const struct xy_daemon *d, uint32_t slot, struct xy_named *out)
{
	const char *name = xy_links_name(d->links, slot);
	*out = (struct xy_named){.kind = XY_NAMED_PEER,
				 .slot = slot,
				 .has_key = true,
				 .key = *xy_links_key(d->links, slot)};
	out->has_addr = whole_address(d, slot, &out->addr);
	snprintf(out->name, sizeof(out->name), "%s", name ? name : "");
}

static const char *not_a_peers(const struct xy_daemon *d, const char *name);

// What a node calls itself: does nobody else?
static bool is_its_alone(const struct xy_daemon *d, const char *name)
{
	struct xy_addr one;
	return not_a_peers(d, name) && xy_nodeinfo_named(d->nodeinfo, name, xy_now(), &one, 1) == 1;
}

// Peers and leaves stand in the table of routes by what is theirs, so that there is no walk over
// all of them.
static bool has_route(const struct xy_daemon *d, const struct xy_addr *addr, uint8_t len,
		      enum xy_route_source source, uint32_t *slot)
{
	struct xy_prefix p = {.addr = *addr, .len = len};
	xy_prefix_mask(&p);
	const struct xy_rib_route *r = xy_rib_get(&d->rib, &p, source);
	*slot = r ? r->route.peer : 0;
	return r && xy_naming_has_address(d, *slot, addr);
}

bool xy_naming_neighbour(const struct xy_daemon *d, const struct xy_addr *addr, uint32_t *slot)
{
	return has_route(d, addr, 64, XY_ROUTE_PEER, slot);
}

static void be_at(const struct xy_daemon *d, const struct xy_addr *addr, struct xy_named *out)
{
	uint32_t slot = 0;
	if (xy_addr_eq(addr, &d->id.addr)) {
		be_us(d, out);
		return;
	}
	bool found = xy_naming_neighbour(d, addr, &slot) ||
		     has_route(d, addr, 128, XY_ROUTE_LEAF, &slot);
	const char *says = xy_nodeinfo_name(d->nodeinfo, addr, xy_now());
	if (found)
		be_peer(d, slot, out);
	else
		*out = (struct xy_named){.kind = says ? XY_NAMED_NODE : XY_NAMED_ADDRESS};
	if (!found && is_its_alone(d, says))
		snprintf(out->name, sizeof(out->name), "%s", says);
	out->has_addr = true;
	out->addr = *addr; // a leaf may have several
}

static bool by_key(const struct xy_daemon *d, const struct xy_key *key, struct xy_named *out)
{
	uint32_t slot;
	if (memcmp(key, &d->id.x25519, sizeof(*key)) == 0)
		be_us(d, out);
	else if (xy_links_slot(d->links, key, &slot) == 0)
		be_peer(d, slot, out);
	else
		return false;
	return true;
}

static int by_peers_name(const struct xy_daemon *d, const char *text, struct xy_named *out,
			 struct xy_err *err)
{
	char one[XY_KEY_STRLEN], other[XY_KEY_STRLEN];
	struct xy_join_info waits;
	unsigned found = 0;
	uint32_t slot[2];
	for (unsigned i = xy_links_after(d->links, text); i && found < 2; i--) { // by name
		uint32_t at = xy_links_slot_at(d->links, i - 1);
		const char *name = xy_links_name(d->links, at);
		if (!name || strcmp(name, text) != 0)
			break;
		slot[found++] = at;
	}
	if (found == 1)
		be_peer(d, slot[0], out);
	if (found == 1)
		return 0;
	if (found)
		return xy_err_set(err, EEXIST,
				  "there are several peers \"%.80s\"; name yours by its key, as %s "
				  "or %s",
				  text, xy_key_str(xy_links_key(d->links, slot[0]), one),
				  xy_key_str(xy_links_key(d->links, slot[1]), other));
	if (joins(d, text, &waits))
		return xy_err_set(err, EAGAIN,
				  "peer %.80s: its key is not known yet; it is asked for it at "
				  "%.200s",
				  text, waits.endpoint);
	return -ENOENT;
}

static int by_itself(const struct xy_daemon *d, const char *text, struct xy_named *out,
		     struct xy_err *err)
{
	char one[XY_ADDR_STRLEN], other[XY_ADDR_STRLEN];
	struct xy_addr found[SHOWN];
	unsigned n = xy_nodeinfo_named(d->nodeinfo, text, xy_now(), found, SHOWN);
	if (n > 1)
		return xy_err_set(err, EEXIST,
				  "%u nodes call themselves \"%.80s\"; name yours by its address, "
				  "as %s or %s",
				  n, text, xy_addr_str(&found[0], one),
				  xy_addr_str(&found[1], other));
	if (!n)
		return -ENOENT;
	be_at(d, &found[0], out);
	out->by_itself = true;
	return 0;
}

// -ENOENT comes without a text.
static int find(const struct xy_daemon *d, const char *text, struct xy_named *out,
		struct xy_err *err)
{
	struct xy_addr addr;
	struct xy_key key;
	if (!*text)
		return xy_err_set(err, EINVAL,
				  "who is meant? An address, a key or a name is not empty");
	if (xy_addr_parse(text, &addr) == 0) {
		be_at(d, &addr, out);
		return 0;
	}
	bool is_key = xy_key_parse(text, &key, NULL) == 0;
	if (is_key && by_key(d, &key, out))
		return 0;
	int r = by_peers_name(d, text, out, err);
	if (r != -ENOENT)
		return r;
	if (!is_key)
		return by_itself(d, text, out, err);
	addr = xy_key_addr(&key);
	be_at(d, &addr, out);
	out->kind = XY_NAMED_NODE;
	out->has_key = true;
	out->key = key;
	return 0;
}

int xy_naming_find(const struct xy_daemon *d, const char *text, struct xy_named *out,
		   struct xy_err *err)
{
	int r = find(d, text, out, err);
	return r == -ENOENT ? nobody(d, text, false, err) : r;
}

int xy_naming_peer(const struct xy_daemon *d, const char *text, uint32_t *slot, struct xy_err *err)
{
	struct xy_named who;
	int r = find(d, text, &who, err);
	if (r == -ENOENT || (r == 0 && who.kind != XY_NAMED_PEER))
		return nobody(d, text, true, err);
	*slot = r ? *slot : who.slot;
	return r;
}

int xy_naming_address(const struct xy_daemon *d, const char *text, struct xy_addr *out,
		      struct xy_err *err)
{
	struct xy_named who;
	if (xy_addr_parse(text, out) == 0)
		return 0;
	int r = xy_naming_find(d, text, &who, err);
	if (r)
		return r;
	*out = who.addr;
	if (who.has_addr)
		return 0;
	return xy_err_set(
		err, EINVAL,
		"%.80s is a leaf, to which only networks are allowed: name an address in one",
		who.name);
}

// The config's peers have their names for themselves, whatever others call themselves.
static const char *not_a_peers(const struct xy_daemon *d, const char *name)
{
	unsigned at = name ? xy_links_after(d->links, name) : 0;
	const char *peer = at ? xy_links_name(d->links, xy_links_slot_at(d->links, at - 1)) : NULL;
	struct xy_join_info waits;
	bool taken = name && ((peer && strcmp(peer, name) == 0) || joins(d, name, &waits));
	return taken ? NULL : name;
}

const char *xy_naming_at(const struct xy_daemon *d, const struct xy_addr *addr)
{
	return not_a_peers(d, xy_nodeinfo_name(d->nodeinfo, addr, xy_now()));
}

const char *xy_naming_known(const struct xy_daemon *d, const struct xy_key *key)
{
	uint32_t slot;
	const struct xy_addr addr = xy_key_addr(key);
	const char *name =
		xy_links_slot(d->links, key, &slot) == 0 ? xy_links_name(d->links, slot) : NULL;
	return name ? name : xy_naming_at(d, &addr);
}

const char *xy_naming_key(const struct xy_daemon *d, const struct xy_key *key,
			  char to[static XY_NAMING_LEN])
{
	char text[XY_KEY_STRLEN];
	const char *name = xy_naming_known(d, key);
	if (name)
		snprintf(to, XY_NAMING_LEN, "%s", name);
	else
		snprintf(to, XY_NAMING_LEN, "%.*s...", SHORT_KEY, xy_key_str(key, text));
	return to;
}
