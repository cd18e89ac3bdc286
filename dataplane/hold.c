// SPDX-License-Identifier: BSD-3-Clause
#include "hold.h"

#include "memory.h"

#include <stdlib.h>

struct queue {
	struct rte_mbuf *head, *tail; // linked by mbuf->next
	uint32_t count;
	uint32_t generation; // of the peer slot when it was first put to
	xy_nsec wanted;
};

struct xy_hold {
	struct xy_dp *dp;
	struct queue *queue; // [max_peers], pages come with use
	uint32_t *active;    // peers with something held
	uint32_t active_count, total, limit;
	uint32_t epoch; // dp->session_epoch at the last look
	uint32_t scan;	// where the last take stopped
	bool again;	// it stopped because out was full
};

struct xy_hold *xy_hold_create(struct xy_dp *dp)
{
	struct xy_hold *h = calloc(1, sizeof(*h));
	if (!h)
		return NULL;
	h->dp = dp;
	// A quarter of the pool over all workers: what waits must not starve what moves.
	h->limit = dp->pool->size / 4 / dp->workers;
	h->queue = xy_memory_reserve(dp->cfg.max_peers * sizeof(*h->queue));
	h->active = xy_memory_reserve(dp->cfg.max_peers * sizeof(*h->active));
	if (!h->queue || !h->active) {
		xy_hold_destroy(h);
		return NULL;
	}
	return h;
}

static struct rte_mbuf *pop(struct xy_hold *h, struct queue *q)
{
	struct rte_mbuf *m = q->head;
	q->head = m->next;
	m->next = NULL;
	q->count--;
	h->total--;
	return m;
}

void xy_hold_destroy(struct xy_hold *h)
{
	if (!h)
		return;
	for (uint32_t i = 0; i < h->active_count; i++)
		while (h->queue[h->active[i]].count)
			rte_pktmbuf_free(pop(h, &h->queue[h->active[i]]));
	xy_memory_release(h->queue, h->dp->cfg.max_peers * sizeof(*h->queue));
	xy_memory_release(h->active, h->dp->cfg.max_peers * sizeof(*h->active));
	free(h);
}

uint32_t xy_hold_count(const struct xy_hold *h)
{
	return h->total;
}

struct rte_mbuf *xy_hold_put(struct xy_hold *h, struct rte_mbuf *m, xy_nsec now, bool *want)
{
	uint32_t peer = xy_packet(m)->next;
	struct queue *q = &h->queue[peer];
	struct rte_mbuf *out = NULL;

	*want = now - q->wanted >= XY_SEC || !q->wanted;
	if (*want)
		q->wanted = now;
	if (q->count >= XY_DP_HELD_PER_PEER)
		out = pop(h, q);
	else if (h->total >= h->limit)
		return m;
	if (!q->count) {
		q->generation =
			__atomic_load_n(&h->dp->peer[peer].hold_generation, __ATOMIC_ACQUIRE);
		h->active[h->active_count++] = peer;
		q->head = m;
	} else {
		q->tail->next = m;
	}
	m->next = NULL;
	q->tail = m;
	q->count++;
	h->total++;
	// A session may have come between wg_seal's look and now.
	h->again = h->again || xy_peer_session_rcu(h->dp, peer, now);
	return out;
}

bool xy_hold_due(const struct xy_hold *h)
{
	return h->total &&
	       (h->again || h->epoch != __atomic_load_n(&h->dp->session_epoch, __ATOMIC_ACQUIRE));
}

unsigned xy_hold_take_rcu(struct xy_hold *h, struct rte_mbuf **out, uint8_t *drop, unsigned n,
			  xy_nsec now)
{
	unsigned taken = 0;
	if (!h->again) {
		h->epoch = __atomic_load_n(&h->dp->session_epoch, __ATOMIC_ACQUIRE);
		h->scan = 0;
	}
	h->again = false;
	while (h->scan < h->active_count) {
		uint32_t peer = h->active[h->scan];
		struct queue *q = &h->queue[peer];
		bool stale = q->generation !=
			     __atomic_load_n(&h->dp->peer[peer].hold_generation, __ATOMIC_ACQUIRE);
		if (!stale && !xy_peer_session_rcu(h->dp, peer, now)) {
			h->scan++;
			continue;
		}
		while (q->count && taken < n) {
			drop[taken] = stale ? 1 : 0;
			out[taken++] = pop(h, q);
		}
		if (q->count) {
			h->again = true;
			return taken;
		}
		h->active[h->scan] = h->active[--h->active_count];
	}
	return taken;
}
