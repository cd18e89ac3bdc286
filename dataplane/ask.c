// SPDX-License-Identifier: BSD-3-Clause
#include "ask.h"

#include "base/bytes.h"
#include "event.h"
#include "far_end.h"
#include "fib.h"
#include "graph/lookup.h"
#include "queue.h"
#include "table/exact_hash.h"
#include "wire/inet.h"

#include <stdlib.h>

#define GIVE_UP	 (10 * XY_SEC)
#define INTERVAL XY_SEC // between two askings for one /64

enum {
	CHAINS = 1024, // about one for each packet that may wait
	SHARES = 256,  // sources are told apart by so many values of a keyed hash
};

struct dest { // a /64 that something waits for
	uint64_t net;
	enum xy_dp_event_type how; // a way to there, or whom to seal for
	struct xy_queue queue;	   // empty: a free one
	uint32_t next;		   // number + 1, of its chain or of the free ones
	xy_nsec born, asked;
};

struct xy_ask {
	struct xy_dp *dp;
	uint32_t limit, limit_of_net; // packets
	uint32_t total;
	uint32_t of_source[SHARES]; // packets
	uint32_t chain[CHAINS];	    // number + 1
	uint32_t free, made;	    // free ones, number + 1; numbers below `made` were used once
	uint32_t epoch, far_epoch;  // of the dp at the last look
	uint32_t scan;		    // where the last take stopped
	bool again;		    // it stopped because out was full
	xy_nsec give_up;	    // no packet has waited too long before
	struct dest dest[];	    // [limit]: each holds a packet at least
};

// This worker's share of what may wait over all.
static uint32_t share(const struct xy_dp *dp, uint32_t all)
{
	return RTE_MAX(all / dp->workers, 1u);
}

struct xy_ask *xy_ask_create(struct xy_dp *dp)
{
	uint32_t limit = share(dp, XY_DP_ASKED_ALL);
	struct xy_ask *a = calloc(1, sizeof(*a) + limit * sizeof(a->dest[0]));
	if (!a)
		return NULL;
	a->dp = dp;
	a->limit = limit;
	a->limit_of_net = share(dp, XY_DP_ASKED_PER_NET);
	a->give_up = XY_NEVER;
	return a;
}

// Who sends it: the peer it came from, which may have any number of addresses, or an address of
// this host.
static uint32_t source_of(const struct xy_ask *a, struct rte_mbuf *m)
{
	uint32_t from = xy_packet(m)->from;
	if (from < XY_PEER_SEALED)
		return from;
	struct xy_addr src =
		xy_inner_src(rte_pktmbuf_mtod(m, const uint8_t *), xy_packet(m)->version);
	uint64_t x =
		xy_be64_load(src.b) ^ xy_exact_fold(xy_be64_load(src.b + 8), a->dp->flow_key[0]);
	return (uint32_t)xy_exact_fold(x ^ a->dp->flow_key[0], a->dp->flow_key[1]) | 1u << 31;
}

static uint32_t *share_of(struct xy_ask *a, uint32_t source)
{
	return &a->of_source[xy_exact_fold(source ^ a->dp->flow_key[1], a->dp->flow_key[0]) %
			     SHARES];
}

static struct rte_mbuf *take(struct xy_ask *a, struct dest *d)
{
	struct rte_mbuf *m = xy_queue_take(&d->queue);
	a->total--;
	--*share_of(a, source_of(a, m));
	return m;
}

void xy_ask_destroy(struct xy_ask *a)
{
	for (uint32_t i = 0; a && i < a->limit; i++)
		while (a->dest[i].queue.count)
			rte_pktmbuf_free(take(a, &a->dest[i]));
	free(a);
}

uint32_t xy_ask_count(const struct xy_ask *a)
{
	return a->total;
}

static uint32_t *chain_of(struct xy_ask *a, uint64_t net)
{
	return &a->chain[xy_exact_fold(net ^ a->dp->flow_key[0], a->dp->flow_key[1]) % CHAINS];
}

static struct dest *find(struct xy_ask *a, uint64_t net, enum xy_dp_event_type how)
{
	for (uint32_t at = *chain_of(a, net); at; at = a->dest[at - 1].next)
		if (a->dest[at - 1].net == net && a->dest[at - 1].how == how)
			return &a->dest[at - 1];
	return NULL;
}

// There is a free one while fewer packets wait than may.
static struct dest *dest_new(struct xy_ask *a, uint64_t net, enum xy_dp_event_type how, xy_nsec now)
{
	uint32_t number = a->free ? a->free : ++a->made, *chain = chain_of(a, net);
	struct dest *d = &a->dest[number - 1];
	a->free = d->next;
	*d = (struct dest){.net = net, .how = how, .next = *chain, .born = now};
	*chain = number;
	a->give_up = RTE_MIN(a->give_up, now + GIVE_UP);
	return d;
}

static void dest_free(struct xy_ask *a, struct dest *d)
{
	uint32_t *at = chain_of(a, d->net), number = (uint32_t)(d - a->dest) + 1;
	while (*at != number)
		at = &a->dest[*at - 1].next;
	*at = d->next;
	d->next = a->free;
	a->free = number;
}

// What others send through us leaves a quarter to this host; and each source takes half of what is
// left at most, so that who scans the network leaves room for the others.
static bool is_full(struct xy_ask *a, struct rte_mbuf *m, uint32_t source)
{
	bool ours = !xy_packet_is_from_end(xy_packet(m));
	uint32_t limit = ours ? a->limit : a->limit - a->limit / 4;
	return a->total >= limit || *share_of(a, source) >= RTE_MAX(limit - a->total, 1u);
}

struct rte_mbuf *xy_ask_put(struct xy_worker *w, struct rte_mbuf *m, enum xy_dp_event_type how,
			    uint64_t net)
{
	struct xy_ask *a = w->ask;
	struct rte_mbuf *out = NULL;
	uint32_t source = source_of(a, m);
	struct dest *d = find(a, net, how);

	if (d && d->queue.count >= a->limit_of_net)
		out = take(a, d);
	else if (is_full(a, m, source))
		return m;
	if (!d)
		d = dest_new(a, net, how, w->now);
	xy_queue_put(&d->queue, m);
	a->total++;
	++*share_of(a, source);
	bool due = !d->asked || w->now - d->asked >= INTERVAL;
	if (due && xy_event_net(w, how, net, source))
		d->asked = w->now;
	return out;
}

bool xy_ask_due(const struct xy_ask *a, xy_nsec now)
{
	return a->total && (a->again || now >= a->give_up ||
			    a->epoch != __atomic_load_n(&a->dp->route_epoch, __ATOMIC_ACQUIRE) ||
			    a->far_epoch != __atomic_load_n(&a->dp->far_epoch, __ATOMIC_ACQUIRE));
}

static bool has_session_rcu(const struct xy_ask *a, uint64_t net, xy_nsec now)
{
	uint32_t end = xy_far_end_find_rcu(a->dp, net);
	return end != XY_TABLE_MISS && xy_end_session_rcu(a->dp, end, now);
}

// By its first packet's route.
static bool still_waits_rcu(const struct xy_ask *a, const struct dest *d, xy_nsec now)
{
	struct xy_lookup l = {.n = 0};
	xy_lookup_add(&l, d->queue.head, XY_LOOKUP_DST);
	xy_lookup_run_rcu(&a->dp->routes, &l);
	unsigned kind = xy_fib_kind(l.value[0]);
	if (d->how == XY_DP_ASK)
		return kind == XY_DP_ROUTE_ASK;
	uint32_t to = xy_fib_arg(l.value[0]);
	bool theirs = kind == XY_FIB_GROUP ||
		      (kind == XY_DP_ROUTE_FAR && xy_end_net(a->dp, to) == d->net) ||
		      (kind == XY_DP_ROUTE_PEER && xy_end_net(a->dp, to) &&
		       xy_end_net(a->dp, to) != d->net);
	return theirs && !has_session_rcu(a, d->net, now);
}

unsigned xy_ask_take_rcu(struct xy_ask *a, struct rte_mbuf **out, uint8_t *drop, unsigned n,
			 xy_nsec now)
{
	unsigned taken = 0;
	if (!a->again) {
		a->epoch = __atomic_load_n(&a->dp->route_epoch, __ATOMIC_ACQUIRE);
		a->far_epoch = __atomic_load_n(&a->dp->far_epoch, __ATOMIC_ACQUIRE);
		a->scan = 0;
		a->give_up = XY_NEVER;
	}
	a->again = false;
	for (; a->scan < a->made && a->total; a->scan++) {
		struct dest *d = &a->dest[a->scan];
		if (!d->queue.count)
			continue;
		bool late = now - d->born >= GIVE_UP;
		if (!late && still_waits_rcu(a, d, now)) {
			a->give_up = RTE_MIN(a->give_up, d->born + GIVE_UP);
			continue;
		}
		while (d->queue.count && taken < n) {
			drop[taken] = late;
			out[taken++] = take(a, d);
		}
		if (d->queue.count) {
			a->again = true;
			return taken;
		}
		dest_free(a, d);
	}
	return taken;
}
