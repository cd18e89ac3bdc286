// SPDX-License-Identifier: BSD-3-Clause
#include "seal.h"

static void nudge(struct xy_worker *w, struct xy_session *s)
{
	if (!__atomic_load_n(&s->lane[0].tx_nudged, __ATOMIC_RELAXED) &&
	    !__atomic_exchange_n(&s->lane[0].tx_nudged, 1, __ATOMIC_RELAXED) &&
	    !xy_event_put(w, XY_DP_NUDGE, 0, s->index, NULL))
		__atomic_store_n(&s->lane[0].tx_nudged, 0, __ATOMIC_RELAXED);
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

// Numbers for each run of one session: one fetch-add, exactly the packets in it. What is reserved
// here is sent in this burst, so a slow worker never falls behind the receiver's window by a kept
// rest.
static void number(struct xy_worker *w, struct xy_seal *b)
{
	for (unsigned i = 0; i < b->n;) {
		struct xy_session *s = b->session[i];
		unsigned run = 1;
		while (i + run < b->n && b->session[i + run] == s)
			run++;
		uint64_t first = add(w->dp, &s->lane[0].tx_counter, run), bytes = 0;
		if (first + run > w->dp->cfg.limits.rekey_after_messages)
			nudge(w, s);
		bool carried = false;
		for (unsigned k = 0; k < run; k++) {
			const struct xy_packet *p = xy_packet(b->m[i + k]);
			struct xy_aead_op *op = &b->op[i + k];
			op->counter = (first + k) | (is_light(op) ? XY_WG_LIGHT_MARK : 0);
			message(op)->counter = op->counter;
			carried |= !xy_seal_is_ours(p);
			bytes += p->len;
		}
		account(w, &s->lane[0], bytes, carried);
		i += run;
	}
}

void xy_seal_run(struct xy_worker *w, struct xy_seal *b)
{
	number(w, b);
	xy_aead_seal_burst(w->aead, b->op, b->n);
}
