// SPDX-License-Identifier: BSD-3-Clause
// A walk: each node on the way is asked for its next hop.
#include "informing/nodeinfo_state.h"

#include <errno.h>

static void hop_add(struct xy_nodeinfo *n, struct xy_nodeinfo_walk *w, const struct xy_addr *addr,
		    bool after_gap, xy_nsec now)
{
	struct ask a = {.owner = (uint8_t)(w - n->walk),
			.kind = XY_NODEINFO_NEXT,
			.node = w->count,
			.to = *addr,
			.about = w->to};
	if (w->count == XY_NODEINFO_HOPS || !xy_ask_begin(n, &a, now)) {
		w->end = XY_NODEINFO_TOO_LONG;
		return;
	}
	w->hop[w->count++] = (struct xy_nodeinfo_hop){
		.addr = *addr, .after_gap = after_gap, .metric = XY_NODEINFO_UNKNOWN};
}

static bool passed(const struct xy_nodeinfo *n, const struct xy_nodeinfo_walk *w,
		   const struct xy_addr *addr)
{
	if (xy_addr_eq(addr, &n->addr))
		return true;
	for (unsigned i = 0; i < w->count; i++)
		if (xy_addr_eq(addr, &w->hop[i].addr))
			return true;
	return false;
}

// Where it would have led is not known; but whether the destination itself answers can be seen.
static void skip_silent(struct xy_nodeinfo *n, struct xy_nodeinfo_walk *w, xy_nsec now)
{
	if (passed(n, w, &w->to) || !xy_addr_is_mesh(&w->to))
		w->end = XY_NODEINFO_NO_ANSWER;
	else
		hop_add(n, w, &w->to, true, now);
}

static void go_on(struct xy_nodeinfo *n, struct xy_nodeinfo_walk *w, uint8_t result,
		  const struct xy_addr *hop, xy_nsec now)
{
	if (result == XY_NODEINFO_HERE)
		w->end = XY_NODEINFO_REACHED;
	else if (result != XY_NODEINFO_VIA)
		w->end = XY_NODEINFO_NO_ROUTE;
	else if (passed(n, w, hop))
		w->end = XY_NODEINFO_LOOP;
	else
		hop_add(n, w, hop, false, now);
}

void xy_walk_answer(struct xy_nodeinfo *n, unsigned walk, uint32_t hop,
		    const struct xy_nodeinfo_reply *reply, xy_nsec rtt, xy_nsec now)
{
	struct xy_nodeinfo_walk *w = &n->walk[walk];
	struct xy_nodeinfo_hop *h = &w->hop[hop];
	h->state = reply ? XY_NODEINFO_ANSWERED : XY_NODEINFO_SILENT;
	if (!reply) {
		skip_silent(n, w, now);
		return;
	}
	memcpy(h->name, reply->next.name, sizeof(h->name));
	xy_names_learn(n, &h->addr, h->name, now);
	h->rtt = rtt;
	h->result = reply->next.result;
	h->metric = reply->next.metric;
	go_on(n, w, reply->next.result, &reply->next.hop, now);
}

static bool in_use(const struct xy_nodeinfo_walk *w, xy_nsec now)
{
	xy_nsec until = w->told_at ? w->told_at + TOLD_TIME : w->asked_at + UNASKED_TIME;
	return w->asked_at && now < until;
}

void xy_walks_run(struct xy_nodeinfo *n, xy_nsec now)
{
	for (unsigned i = 0; i < XY_NODEINFO_WALKS; i++) {
		if (!n->walk[i].asked_at || in_use(&n->walk[i], now))
			continue;
		xy_ask_end_all(n, (uint8_t)i);
		n->walk[i].asked_at = 0;
	}
}

static struct xy_nodeinfo_walk *find(struct xy_nodeinfo *n, const struct xy_addr *to)
{
	for (unsigned i = 0; i < XY_NODEINFO_WALKS; i++)
		if (n->walk[i].asked_at && xy_addr_eq(&n->walk[i].to, to))
			return &n->walk[i];
	return NULL;
}

static struct xy_nodeinfo_walk *begin(struct xy_nodeinfo *n, const struct xy_addr *to, xy_nsec now)
{
	struct xy_nodeinfo_walk *w = n->walk;
	while (w < n->walk + XY_NODEINFO_WALKS && w->asked_at)
		w++;
	if (w == n->walk + XY_NODEINFO_WALKS)
		return NULL;
	*w = (struct xy_nodeinfo_walk){.to = *to, .asked_at = now};
	n->ops.route(n->ops.arg, to, &w->route);
	if (w->route.asks)
		hop_add(n, w, to, true, now); // from then on there is a route
	else
		go_on(n, w, w->route.result, &w->route.hop, now);
	return w;
}

int xy_nodeinfo_walk(struct xy_nodeinfo *n, const struct xy_addr *to, xy_nsec now,
		     const struct xy_nodeinfo_walk **out)
{
	xy_walks_run(n, now);
	struct xy_nodeinfo_walk *w = find(n, to);
	w = w ? w : begin(n, to, now);
	if (!w)
		return -EBUSY;
	w->asked_at = now;
	if (w->end != XY_NODEINFO_WALKING && !w->told_at)
		w->told_at = now;
	xy_nodeinfo_run(n, now);
	*out = w;
	return 0;
}
