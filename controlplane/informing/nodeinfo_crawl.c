// SPDX-License-Identifier: BSD-3-Clause
// A crawl: nodes are asked in the order in which they are found, which is breadth first.
#include "informing/nodeinfo_state.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>

#define PACE	   (10 * XY_MSEC) // between two nodes: 100 a second
#define PACE_BURST (100 * XY_MSEC)
enum { NONE = UINT32_MAX, FIRST_ROOM = 64 };

static uint64_t hash(const struct xy_nodeinfo *n, const struct xy_addr *addr)
{
	uint64_t h;
	_Static_assert(sizeof(h) == crypto_shorthash_BYTES, "SipHash");
	crypto_shorthash((uint8_t *)&h, addr->b, sizeof(addr->b), n->hash_key);
	return h;
}

// --- what was found

// Doubles an array up to its limit. False: it is at its limit, or there is no memory.
static bool grow(void *array, uint32_t *room, uint32_t limit, size_t size)
{
	void *old, *more;
	uint32_t want = *room ? *room * 2 : FIRST_ROOM;
	want = want < limit ? want : limit;
	memcpy(&old, array, sizeof(old));
	more = want > *room ? reallocarray(old, want, size) : NULL;
	if (!more)
		return false;
	memcpy(array, &more, sizeof(more));
	*room = want;
	return true;
}

static uint32_t node_find(const struct xy_nodeinfo *n, const struct xy_addr *addr)
{
	uint32_t at;
	const struct crawl *c = &n->crawl;
	if (!xy_map_get(&c->by_addr, hash(n, addr), &at))
		return NONE;
	return xy_addr_eq(&c->shown.node[at].addr, addr) ? at : NONE;
}

static uint32_t node_add(struct xy_nodeinfo *n, const struct xy_addr *addr, uint32_t parent)
{
	struct crawl *c = &n->crawl;
	struct xy_nodeinfo_crawl *s = &c->shown;
	bool room = s->node_count < c->node_room ||
		    grow(&s->node, &c->node_room, XY_NODEINFO_NODES, sizeof(*s->node));
	if (!room || xy_map_set(&c->by_addr, hash(n, addr), s->node_count)) {
		s->cut = true;
		return NONE;
	}
	s->node[s->node_count] = (struct xy_nodeinfo_node){
		.addr = *addr,
		.slot = NONE,
		.parent = parent,
		.depth = s->node_count ? s->node[parent].depth + 1 : 0,
	};
	return s->node_count++;
}

static void link_add(struct crawl *c, uint32_t from, uint32_t to,
		     const struct xy_nodeinfo_neighbour *told)
{
	struct xy_nodeinfo_crawl *s = &c->shown;
	if (s->link_count == c->link_room &&
	    !grow(&s->link, &c->link_room, XY_NODEINFO_LINKS, sizeof(*s->link))) {
		s->cut = true;
		return;
	}
	s->link[s->link_count++] = (struct xy_nodeinfo_link){
		.from = from, .to = to, .cost = told->cost, .rtt_us = told->rtt_us};
}

static void neighbour_add(struct xy_nodeinfo *n, uint32_t from,
			  const struct xy_nodeinfo_neighbour *told)
{
	uint32_t known = node_find(n, &told->addr), to = known;
	if (known == NONE)
		to = node_add(n, &told->addr, from);
	if (to == NONE || to == from)
		return;
	if (known == NONE) {
		n->crawl.shown.node[to].cost = told->cost;
		n->crawl.shown.node[to].link_rtt_us = told->rtt_us;
	}
	n->crawl.shown.node[from].taken++;
	link_add(&n->crawl, from, to, told);
}

// --- asking

static bool page_add(struct xy_nodeinfo *n, uint32_t at, const struct xy_nodeinfo_info *info,
		     struct xy_addr *about)
{
	struct crawl *c = &n->crawl;
	for (unsigned i = 0; i < info->count; i++) {
		// A page that leads back would go on for ever.
		if (memcmp(&info->neighbour[i].addr, about, sizeof(*about)) <= 0)
			return false;
		neighbour_add(n, at, &info->neighbour[i]);
		*about = info->neighbour[i].addr;
	}
	if (info->more && c->shown.node[at].taken >= XY_NODEINFO_LINKS_PER_NODE)
		c->shown.cut = true;
	return info->more && c->shown.node[at].taken < XY_NODEINFO_LINKS_PER_NODE;
}

bool xy_crawl_answer(struct xy_nodeinfo *n, uint32_t at, const struct xy_nodeinfo_reply *reply,
		     xy_nsec rtt, xy_nsec now, struct xy_addr *about)
{
	struct xy_nodeinfo_crawl *s = &n->crawl.shown;
	struct xy_nodeinfo_node *node = &s->node[at];
	bool first = node->state != XY_NODEINFO_NODE_ANSWERED;
	if (!reply) { // a further page that does not come leaves what came
		s->cut = s->cut || !first;
		s->silent += first;
		node->state = first ? XY_NODEINFO_NODE_SILENT : XY_NODEINFO_NODE_ANSWERED;
		return false;
	}
	if (first) {
		s->answered++;
		node->state = XY_NODEINFO_NODE_ANSWERED;
		node->rtt = rtt;
		memcpy(node->name, reply->info.name, sizeof(node->name));
		memcpy(node->version, reply->info.version, sizeof(node->version));
		node->tells_neighbours = reply->info.tells_neighbours;
		node->total = reply->info.total;
		xy_names_learn(n, &node->addr, node->name, now);
	}
	return page_add(n, at, &reply->info, about);
}

static void ask_next(struct xy_nodeinfo *n, xy_nsec now)
{
	struct crawl *c = &n->crawl;
	struct ask a = {.owner = OWNER_CRAWL,
			.kind = XY_NODEINFO_INFO,
			.node = c->next,
			.to = c->shown.node[c->next].addr};
	if (!xy_ask_begin(n, &a, now))
		return;
	c->shown.node[c->next++].state = XY_NODEINFO_NODE_ASKED;
	c->asking++;
	if (c->next_start + PACE_BURST < now)
		c->next_start = now - PACE_BURST;
	c->next_start += PACE;
}

static bool may_ask(const struct crawl *c)
{
	return !c->shown.done && c->next < c->shown.node_count && c->asking < CRAWL_ASKS;
}

// Who was asked and may still answer is told as one whom we did not wait for.
static void stop(struct xy_nodeinfo *n)
{
	struct xy_nodeinfo_crawl *s = &n->crawl.shown;
	xy_ask_end_all(n, OWNER_CRAWL);
	for (uint32_t i = 0; i < s->node_count; i++)
		if (s->node[i].state == XY_NODEINFO_NODE_ASKED)
			s->node[i].state = XY_NODEINFO_NODE_NEW;
	s->cut = true;
	s->done = true;
}

static xy_nsec end_of(const struct xy_nodeinfo_crawl *s)
{
	return s->asked_at + UNASKED_TIME;
}

void xy_crawl_run(struct xy_nodeinfo *n, xy_nsec now)
{
	struct crawl *c = &n->crawl;
	if (!c->shown.node)
		return;
	if (now >= end_of(&c->shown)) {
		xy_crawl_free(n);
		return;
	}
	while (may_ask(c) && now >= c->next_start)
		ask_next(n, now);
	if (c->shown.done)
		return;
	if (c->next == c->shown.node_count && !c->asking)
		c->shown.done = true;
	else if (now >= c->shown.began + XY_NODEINFO_CRAWL_LIMIT)
		stop(n);
}

xy_nsec xy_crawl_deadline(const struct xy_nodeinfo *n)
{
	const struct crawl *c = &n->crawl;
	if (!c->shown.node)
		return XY_NEVER;
	xy_nsec at = end_of(&c->shown), limit = c->shown.began + XY_NODEINFO_CRAWL_LIMIT;
	if (!c->shown.done && limit < at)
		at = limit;
	return may_ask(c) && c->next_start < at ? c->next_start : at;
}

// --- from outside

void xy_crawl_free(struct xy_nodeinfo *n)
{
	struct crawl *c = &n->crawl;
	xy_ask_end_all(n, OWNER_CRAWL);
	if (c->by_addr.entry)
		xy_map_fini(&c->by_addr);
	free(c->shown.node);
	free(c->shown.link);
	*c = (struct crawl){.shown.serial = c->shown.serial};
}

static void own_add(struct xy_nodeinfo *n, const struct xy_nodeinfo_near *near)
{
	neighbour_add(n, 0, &near->told);
	uint32_t at = node_find(n, &near->told.addr);
	if (at != NONE)
		n->crawl.shown.node[at].slot = near->slot;
}

static int begin(struct xy_nodeinfo *n, xy_nsec now)
{
	struct crawl *c = &n->crawl;
	xy_crawl_free(n);
	if (xy_map_init(&c->by_addr) || node_add(n, &n->addr, 0) == NONE) {
		xy_crawl_free(n);
		return -ENOMEM;
	}
	c->shown.serial++;
	c->shown.began = c->next_start = now;
	c->next = 1;
	xy_near_refresh(n, now);
	for (unsigned i = 0; i < n->near_count; i++)
		own_add(n, &n->near[i]);
	struct xy_nodeinfo_node *us = &c->shown.node[0];
	us->state = XY_NODEINFO_NODE_ANSWERED;
	us->tells_neighbours = true;
	us->total = (uint16_t)n->near_count;
	memcpy(us->name, n->fields.name, sizeof(us->name));
	strncpy(us->version, n->version, sizeof(us->version) - 1);
	return 0;
}

int xy_nodeinfo_crawl(struct xy_nodeinfo *n, xy_nsec now, const struct xy_nodeinfo_crawl **out)
{
	struct xy_nodeinfo_crawl *s = &n->crawl.shown;
	bool old = s->told_at && now >= s->told_at + TOLD_TIME;
	if (!s->node || old || now >= end_of(s)) {
		int r = begin(n, now);
		if (r)
			return r;
	}
	s->asked_at = now;
	xy_nodeinfo_run(n, now);
	*out = s;
	return 0;
}

bool xy_nodeinfo_crawling(const struct xy_nodeinfo *n)
{
	return n->crawl.shown.node && !n->crawl.shown.done;
}

const struct xy_nodeinfo_crawl *xy_nodeinfo_crawl_done(struct xy_nodeinfo *n, uint32_t serial,
						       xy_nsec now)
{
	struct xy_nodeinfo_crawl *s = &n->crawl.shown;
	if (!s->node || !s->done || s->serial != serial)
		return NULL;
	s->asked_at = now;
	return s;
}

void xy_nodeinfo_crawl_told(struct xy_nodeinfo *n, xy_nsec now)
{
	if (!n->crawl.shown.told_at)
		n->crawl.shown.told_at = now;
}
