// SPDX-License-Identifier: BSD-3-Clause
#include "naming.h"

#include "base/near.h"
#include "daemon.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { SHORT_KEY = 8, SHOWN = 2 }; // of nodes that bear one name

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

static int no_key_yet(const struct xy_daemon *d, const char *text, struct xy_err *err)
{
	for (unsigned i = 0; i < xy_join_count(d->join); i++) {
		struct xy_join_info k;
		xy_join_info(d->join, i, &k);
		if (strcmp(k.name, text) == 0)
			return xy_err_set(
				err, ENOENT,
				"peer %s: its key is not known yet; it is asked for it at "
				"%.200s",
				text, k.endpoint);
	}
	return 0;
}

static int unknown(const struct xy_daemon *d, const char *what, const char *where, const char *text,
		   struct xy_err *err)
{
	const char *best = NULL;
	unsigned least = 3;
	int r = no_key_yet(d, text, err);
	if (r)
		return r;
	for (unsigned i = 0; i < xy_links_count(d->links); i++) {
		const char *name = xy_links_name(d->links, xy_links_slot_at(d->links, i));
		unsigned far = name ? xy_near(text, name) : UINT_MAX;
		best = far < least ? name : best;
		least = far < least ? far : least;
	}
	return xy_err_set(err, ENOENT, "there is no %s \"%.80s\"%s%s%s (%s)", what, text,
			  best ? "; did you mean " : "", best ? best : "", best ? "?" : "", where);
}

static int several(const char *text, const struct xy_key *a, const struct xy_key *b,
		   struct xy_err *err)
{
	char one[XY_KEY_STRLEN], other[XY_KEY_STRLEN];
	return xy_err_set(err, EEXIST,
			  "there are several peers \"%.80s\"; name yours by its key, as %s or %s",
			  text, xy_key_str(a, one), xy_key_str(b, other));
}

// Of those whom our config names, or whose address it is. -ENOENT without a text.
static int by_link(const struct xy_daemon *d, const char *text, uint32_t *out, struct xy_err *err)
{
	struct xy_key key;
	struct xy_addr addr;
	bool is_addr = xy_addr_parse(text, &addr) == 0, found = false;
	if (xy_key_parse(text, &key, NULL) == 0 && xy_links_slot(d->links, &key, out) == 0)
		return 0;
	for (unsigned i = 0; i < xy_links_count(d->links); i++) {
		uint32_t slot = xy_links_slot_at(d->links, i);
		const char *name = xy_links_name(d->links, slot);
		if (is_addr ? !xy_naming_has_address(d, slot, &addr)
			    : !name || strcmp(name, text) != 0)
			continue;
		if (found)
			return several(text, xy_links_key(d->links, *out),
				       xy_links_key(d->links, slot), err);
		found = true;
		*out = slot;
	}
	return found ? 0 : -ENOENT;
}

// Of those who call themselves so. -ENOENT without a text.
static int by_itself(const struct xy_daemon *d, const char *text, struct xy_addr *out,
		     struct xy_err *err)
{
	char one[XY_ADDR_STRLEN], other[XY_ADDR_STRLEN];
	struct xy_addr found[SHOWN];
	unsigned n = xy_nodeinfo_named(d->nodeinfo, text, xy_now(), found, SHOWN);
	if (!n)
		return -ENOENT;
	*out = found[0];
	if (n == 1)
		return 0;
	return xy_err_set(err, EEXIST,
			  "%u nodes call themselves \"%.80s\"; name yours by its address, as %s or "
			  "%s",
			  n, text, xy_addr_str(&found[0], one), xy_addr_str(&found[1], other));
}

int xy_naming_peer(const struct xy_daemon *d, const char *text, uint32_t *slot, struct xy_err *err)
{
	char at[XY_ADDR_STRLEN];
	struct xy_addr addr;
	int r = by_link(d, text, slot, err);
	if (r != -ENOENT)
		return r;
	r = by_itself(d, text, &addr, err);
	if (r == 0)
		r = by_link(d, xy_addr_str(&addr, at), slot, err);
	return r == -ENOENT ? unknown(d, "peer", "xylem show peers", text, err) : r;
}

// The node's, or the first of a leaf's own.
static int address_of(const struct xy_daemon *d, uint32_t slot, struct xy_addr *out,
		      struct xy_err *err)
{
	const struct xy_config_peer *p = xy_links_says(d->links, slot);
	for (unsigned i = 0; p && p->leaf && i < p->allowed.count; i++) {
		if (p->allowed.v[i].len != 128)
			continue;
		*out = p->allowed.v[i].addr;
		return 0;
	}
	if (xy_links_node_addr(d->links, slot, out))
		return 0;
	return xy_err_set(
		err, EINVAL,
		"%s is a leaf, to which only networks are allowed: name an address in one",
		xy_links_name(d->links, slot));
}

int xy_naming_address(const struct xy_daemon *d, const char *text, struct xy_addr *out,
		      struct xy_err *err)
{
	struct xy_key key;
	uint32_t slot;
	if (xy_addr_parse(text, out) == 0)
		return 0;
	int r = by_link(d, text, &slot, err);
	if (r == 0)
		return address_of(d, slot, out, err);
	if (r != -ENOENT)
		return r;
	if (xy_key_parse(text, &key, NULL) == 0) {
		*out = xy_key_addr(&key);
		return 0;
	}
	r = by_itself(d, text, out, err);
	return r == -ENOENT
		       ? unknown(d, "address, peer or node",
				 "xylem show peers; xylem show tree asks nodes for their names",
				 text, err)
		       : r;
}

// The config's peers have their names for themselves, whatever others call themselves.
static const char *not_a_peers(const struct xy_daemon *d, const char *name)
{
	unsigned at = name ? xy_links_after(d->links, name) : 0;
	const char *peer = at ? xy_links_name(d->links, xy_links_slot_at(d->links, at - 1)) : NULL;
	return peer && strcmp(peer, name) == 0 ? NULL : name;
}

const char *xy_naming_known(const struct xy_daemon *d, const struct xy_key *key)
{
	uint32_t slot;
	const struct xy_addr addr = xy_key_addr(key);
	const char *name =
		xy_links_slot(d->links, key, &slot) == 0 ? xy_links_name(d->links, slot) : NULL;
	return name ? name : not_a_peers(d, xy_nodeinfo_name(d->nodeinfo, &addr, xy_now()));
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
