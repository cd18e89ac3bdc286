// SPDX-License-Identifier: BSD-3-Clause
// What nodes called themselves when they answered, kept beyond the crawl or walk that asked: people
// name nodes so. The oldest goes for the newest; a name is believed for an hour.
#include "informing/nodeinfo_state.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define GOOD_FOR (3600 * XY_SEC)
enum { FIRST = 64 };

static uint64_t hash(const struct xy_nodeinfo *n, const struct xy_addr *addr)
{
	uint64_t h;
	crypto_shorthash((uint8_t *)&h, addr->b, sizeof(addr->b), n->hash_key);
	return h;
}

static struct node_name *find(const struct xy_nodeinfo *n, const struct xy_addr *addr)
{
	uint32_t at;
	const struct node_names *a = &n->names;
	if (!a->v || !xy_map_get(&a->by_addr, hash(n, addr), &at))
		return NULL;
	return xy_addr_eq(&a->v[at].addr, addr) ? &a->v[at] : NULL;
}

static bool grow(struct node_names *a)
{
	uint32_t want = a->room ? a->room * 2 : FIRST;
	if (a->room == XY_NODEINFO_NODES || (!a->by_addr.entry && xy_map_init(&a->by_addr)))
		return false;
	want = want < XY_NODEINFO_NODES ? want : XY_NODEINFO_NODES;
	void *more = reallocarray(a->v, want, sizeof(*a->v));
	if (!more)
		return false;
	a->v = more;
	a->room = want;
	return true;
}

// A place for one more; NULL: no memory.
static struct node_name *place(struct xy_nodeinfo *n)
{
	struct node_names *a = &n->names;
	if (a->count == a->room)
		grow(a);
	if (a->count < a->room)
		return &a->v[a->count++];
	if (!a->room)
		return NULL;
	struct node_name *oldest = &a->v[a->next];
	a->next = (a->next + 1) % a->room;
	xy_map_del(&a->by_addr, hash(n, &oldest->addr));
	return oldest;
}

void xy_names_learn(struct xy_nodeinfo *n, const struct xy_addr *addr, const char *name,
		    xy_nsec now)
{
	struct node_name *e = find(n, addr);
	if (!e && !name[0])
		return;
	if (!e) {
		e = place(n);
		if (!e)
			return;
		*e = (struct node_name){.addr = *addr};
		if (xy_map_set(&n->names.by_addr, hash(n, addr), (uint32_t)(e - n->names.v)))
			return; // it is there without its name
	}
	snprintf(e->name, sizeof(e->name), "%s", name);
	e->at = now;
}

void xy_names_free(struct xy_nodeinfo *n)
{
	if (n->names.by_addr.entry)
		xy_map_fini(&n->names.by_addr);
	free(n->names.v);
}

static bool is_good(const struct node_name *e, xy_nsec now)
{
	return e->name[0] && now < e->at + GOOD_FOR;
}

const char *xy_nodeinfo_name(const struct xy_nodeinfo *n, const struct xy_addr *addr, xy_nsec now)
{
	const struct node_name *e = find(n, addr);
	return e && is_good(e, now) ? e->name : NULL;
}

unsigned xy_nodeinfo_named(const struct xy_nodeinfo *n, const char *name, xy_nsec now,
			   struct xy_addr *out, unsigned max)
{
	unsigned count = 0;
	if (name[0] && strcmp(n->fields.name, name) == 0 && count++ < max)
		out[0] = n->addr;
	for (uint32_t i = 0; i < n->names.count; i++) {
		const struct node_name *e = &n->names.v[i];
		if (!is_good(e, now) || strcmp(e->name, name) != 0)
			continue;
		if (count < max)
			out[count] = e->addr;
		count++;
	}
	return count;
}

const char *xy_nodeinfo_name_next(const struct xy_nodeinfo *n, uint32_t *at, xy_nsec now)
{
	while (*at < n->names.count) {
		const struct node_name *e = &n->names.v[(*at)++];
		if (is_good(e, now))
			return e->name;
	}
	return NULL;
}
