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

// The next `n` of a session's. Where no other worker takes any there is no need to lock the line.
static uint64_t take_numbers(const struct xy_dp *dp, struct xy_session *s, unsigned n)
{
	uint64_t *next = &s->lane[0].tx_counter;
	if (dp->workers > 1)
		return __atomic_fetch_add(next, n, __ATOMIC_RELAXED);
	uint64_t first = __atomic_load_n(next, __ATOMIC_RELAXED);
	__atomic_store_n(next, first + n, __ATOMIC_RELAXED);
	return first;
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
		uint64_t first = take_numbers(w->dp, s, run);
		if (first + run > w->dp->cfg.limits.rekey_after_messages)
			nudge(w, s);
		bool carried = false;
		for (unsigned k = 0; k < run; k++) {
			b->op[i + k].counter = first + k;
			message(&b->op[i + k])->counter = first + k;
			carried |= !xy_seal_is_ours(xy_packet(b->m[i + k]));
		}
		if (carried) // beside the counter: the cache line is ours by the fetch-add
			__atomic_store_n(&s->lane[0].tx_carried, w->now, __ATOMIC_RELAXED);
		i += run;
	}
}

static void account(struct xy_worker *w, const struct xy_seal *b)
{
	for (unsigned i = 0; i < b->n; i++) {
		struct xy_session_use *u = &w->use[xy_session_number(w->dp, b->session[i])];
		uint32_t len = xy_packet(b->m[i])->len;
		XY_SET(u->tx_packets, u->tx_packets + 1);
		XY_SET(u->tx_any, w->now);
		if (len) {
			XY_SET(u->tx_bytes, u->tx_bytes + len);
			XY_SET(u->tx_data, w->now);
		}
	}
}

void xy_seal_run(struct xy_worker *w, struct xy_seal *b)
{
	number(w, b);
	xy_aead_seal_burst(w->aead, b->op, b->n);
	account(w, b);
}

// Ends are told apart by 64 bits; one more that goes round is but a little later.
void xy_seal_follow(void **objs, rte_edge_t *edge, unsigned n, rte_edge_t admitted,
		    rte_edge_t fragment)
{
	uint64_t cut = 0;
	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *m = xy_node_mbuf(objs[i]);
		uint64_t end = UINT64_C(1) << (xy_packet(m)->next % 64);
		if (edge[i] == fragment) {
			cut |= end;
		} else if (edge[i] == admitted && cut & end) {
			xy_packet(m)->limit = m->data_len; // fits
			edge[i] = fragment;
		}
	}
}
