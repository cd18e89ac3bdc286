// SPDX-License-Identifier: BSD-3-Clause
#include "seal.h"

static void nudge(struct xy_worker *w, struct xy_session *s)
{
	if (!__atomic_load_n(&s->lane.tx_nudged, __ATOMIC_RELAXED) &&
	    !__atomic_exchange_n(&s->lane.tx_nudged, 1, __ATOMIC_RELAXED) &&
	    !xy_event_put(w, XY_DP_NUDGE, 0, s->index, NULL))
		__atomic_store_n(&s->lane.tx_nudged, 0, __ATOMIC_RELAXED);
}

static struct xy_wg_data *message(const struct xy_aead_op *op)
{
	return (struct xy_wg_data *)(op->data - offsetof(struct xy_wg_data, box));
}

// Covers its head alone: then the tag is further behind.
static bool is_light(const struct xy_aead_op *op)
{
	return op->tag != op->data + op->len;
}

// Adds to what transmitting workers share, and says what it was. Where no other worker seals there
// is no need to lock the line.
static uint64_t add(const struct xy_dp *dp, uint64_t *place, uint64_t n)
{
	if (dp->workers > 1)
		return __atomic_fetch_add(place, n, __ATOMIC_RELAXED);
	uint64_t before = __atomic_load_n(place, __ATOMIC_RELAXED);
	__atomic_store_n(place, before + n, __ATOMIC_RELAXED);
	return before;
}

// Others store, too, and one of them may have looked at the clock later.
static void later(xy_nsec *at, xy_nsec now)
{
	if (__atomic_load_n(at, __ATOMIC_RELAXED) < now)
		XY_SET(*at, now);
}

// All that a run writes in its session's line, once: it is counted here, as sealing does not fail.
static void account(const struct xy_worker *w, struct xy_lane *l, uint64_t bytes, bool carried)
{
	later(&l->tx_any, w->now);
	if (bytes) {
		add(w->dp, &l->tx_bytes, bytes);
		later(&l->tx_data, w->now);
	}
	if (carried)
		later(&l->tx_carried, w->now);
}

// In which lane a packet of a session with several goes: what this node makes itself in the first,
// by which the other side knows where we are; else the worker's own. One that is used up gives way
// to the first, and when that is, the session is over.
static unsigned lane_choose(const struct xy_worker *w, const struct xy_lanes *more,
			    const struct xy_packet *p)
{
	unsigned lane = w->id % more->count;
	uint64_t send = __atomic_load_n(&more->send, __ATOMIC_RELAXED);
	if (p->from != XY_PEER_LANE && (xy_seal_is_ours(p) || !(send >> lane & 1)))
		return 0;
	return lane && xy_lane_used_up(w->dp, &more->more[lane - 1].lane) ? 0 : lane;
}

// Numbers for a run: one fetch-add, exactly the packets in it. What is reserved here is sent in
// this burst, so a slow worker never falls behind the receiver's window by a kept rest.
static __rte_always_inline void number_run(struct xy_worker *w, struct xy_seal *b, unsigned i,
					   unsigned run, struct xy_lane *l, uint64_t top,
					   uint64_t rekey)
{
	uint64_t first = add(w->dp, &l->tx_counter, run), bytes = 0;
	if (first + run > rekey)
		nudge(w, b->session[i]);
	bool carried = false;
	first |= top; // far from its end: xy_lane_used_up
	for (unsigned k = 0; k < run; k++) {
		const struct xy_packet *p = xy_packet(b->m[i + k]);
		struct xy_aead_op *op = &b->op[i + k];
		op->counter = (first + k) | (is_light(op) ? XY_WG_LIGHT_MARK : 0);
		message(op)->counter = op->counter;
		carried |= !xy_seal_is_ours(p);
		bytes += p->len;
	}
	account(w, l, bytes, carried);
}

// Of a session with several lanes: those at the run's front that go in one. How many.
static __attribute__((noinline)) unsigned number_lane(struct xy_worker *w, struct xy_seal *b,
						      unsigned i, unsigned run,
						      struct xy_lanes *more)
{
	struct xy_session *s = b->session[i];
	unsigned lane = lane_choose(w, more, xy_packet(b->m[i])), k = 1;
	while (k < run && lane_choose(w, more, xy_packet(b->m[i + k])) == lane)
		k++;
	number_run(w, b, i, k, lane ? &more->more[lane - 1].lane : &s->lane,
		   (uint64_t)lane << XY_LANE_AT, xy_lane_rekey_after(w->dp, more));
	return k;
}

// For each run of one session.
static void number(struct xy_worker *w, struct xy_seal *b)
{
	for (unsigned i = 0; i < b->n;) {
		struct xy_session *s = b->session[i];
		struct xy_lanes *more = xy_session_more(s);
		unsigned run = 1;
		while (i + run < b->n && b->session[i + run] == s)
			run++;
		if (unlikely(more != NULL))
			run = number_lane(w, b, i, run, more);
		else
			number_run(w, b, i, run, &s->lane, 0,
				   w->dp->cfg.limits.rekey_after_messages);
		i += run;
	}
}

void xy_seal_run(struct xy_worker *w, struct xy_seal *b)
{
	number(w, b);
	xy_aead_seal_burst(w->aead, b->op, b->n);
}
