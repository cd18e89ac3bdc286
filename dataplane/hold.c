// SPDX-License-Identifier: BSD-3-Clause
#include "hold.h"

#include "pages.h"
#include "queue.h"

#include <stdlib.h>

struct line {
	struct xy_queue queue;
	uint32_t generation, incarnation; // of the end when it was first put to
	xy_nsec wanted;
};

struct xy_hold {
	struct xy_dp *dp;
	struct line *line; // [max_peers], pages come with use
	uint32_t *active;  // ends with something held
	uint32_t active_count, total, limit;
	uint32_t epoch; // dp->session_epoch at the last look
	uint32_t scan;	// where the last take stopped
	uint32_t hand;	// in active: who gave way last
	bool again;	// the take stopped because out was full
};

struct xy_hold *xy_hold_create(struct xy_dp *dp, const struct rte_mempool *pool)
{
	unsigned sharers = 0;
	struct xy_hold *h = calloc(1, sizeof(*h));
	if (!h)
		return NULL;
	h->dp = dp;
	for (unsigned i = 0; i < dp->workers; i++)
		sharers += dp->worker[i]->pool == pool;
	// A quarter of the pool over its workers: what waits must not starve what moves.
	h->limit = pool->size / 4 / sharers;
	h->line = xy_pages_reserve(dp->cfg.max_peers * sizeof(*h->line));
	h->active = xy_pages_reserve(dp->cfg.max_peers * sizeof(*h->active));
	if (!h->line || !h->active) {
		xy_hold_destroy(h);
		return NULL;
	}
	return h;
}

static struct rte_mbuf *take(struct xy_hold *h, struct line *l)
{
	h->total--;
	return xy_queue_take(&l->queue);
}

void xy_hold_destroy(struct xy_hold *h)
{
	if (!h)
		return;
	for (uint32_t i = 0; i < h->active_count; i++)
		while (h->line[h->active[i]].queue.count)
			rte_pktmbuf_free(take(h, &h->line[h->active[i]]));
	xy_pages_release(h->line, h->dp->cfg.max_peers * sizeof(*h->line));
	xy_pages_release(h->active, h->dp->cfg.max_peers * sizeof(*h->active));
	free(h);
}

uint32_t xy_hold_count(const struct xy_hold *h)
{
	return h->total;
}

static void active_remove(struct xy_hold *h, uint32_t at)
{
	h->active[at] = h->active[--h->active_count];
}

// The oldest packet of an end that holds more than an equal share. There is one when all is full
// and somebody holds less than that. The hand stays where it is while it finds something, so over
// many packets it makes few steps.
static struct rte_mbuf *evict(struct xy_hold *h, uint32_t share)
{
	for (;; h->hand++) {
		if (h->hand >= h->active_count)
			h->hand = 0;
		struct line *l = &h->line[h->active[h->hand]];
		if (l->queue.count > share)
			return take(h, l);
	}
}

// Whose packet gives way to one more in this line: nobody's, its own oldest, another's; or m, when
// there are more lines than room.
static struct rte_mbuf *make_room(struct xy_hold *h, struct line *l, struct rte_mbuf *m)
{
	uint32_t share = h->limit / (h->active_count + !l->queue.count);
	if (l->queue.count >= XY_DP_HELD_PER_PEER)
		return take(h, l);
	if (h->total < h->limit)
		return NULL;
	if (l->queue.count < share)
		return evict(h, share);
	return l->queue.count ? take(h, l) : m;
}

struct rte_mbuf *xy_hold_put(struct xy_hold *h, struct rte_mbuf *m, xy_nsec now, bool *want)
{
	uint32_t end = xy_packet(m)->next;
	struct line *l = &h->line[end];
	bool empty = !l->queue.count;

	*want = now - l->wanted >= XY_SEC || !l->wanted;
	if (*want)
		l->wanted = now;
	struct rte_mbuf *out = make_room(h, l, m);
	if (out == m)
		return m;
	if (empty) {
		l->generation = __atomic_load_n(&h->dp->end[end].hold_generation, __ATOMIC_ACQUIRE);
		l->incarnation = xy_end_incarnation(h->dp, end);
		h->active[h->active_count++] = end;
	}
	xy_queue_put(&l->queue, m);
	h->total++;
	// A session may have come between wg_seal's look and now.
	h->again = h->again || xy_end_session_rcu(h->dp, end, now);
	return out;
}

bool xy_hold_due(const struct xy_hold *h)
{
	return h->total &&
	       (h->again || h->epoch != __atomic_load_n(&h->dp->session_epoch, __ATOMIC_ACQUIRE));
}

unsigned xy_hold_take_rcu(struct xy_hold *h, struct rte_mbuf **out, uint8_t *what, unsigned n,
			  xy_nsec now)
{
	unsigned taken = 0;
	if (!h->again) {
		h->epoch = __atomic_load_n(&h->dp->session_epoch, __ATOMIC_ACQUIRE);
		h->scan = 0;
	}
	h->again = false;
	while (h->scan < h->active_count) {
		uint32_t end = h->active[h->scan];
		struct line *l = &h->line[end];
		bool stale = l->generation !=
			     __atomic_load_n(&h->dp->end[end].hold_generation, __ATOMIC_ACQUIRE);
		bool gone = l->incarnation != xy_end_incarnation(h->dp, end);
		if (!stale && !xy_end_session_rcu(h->dp, end, now)) {
			h->scan++;
			continue;
		}
		while (l->queue.count && taken < n) {
			what[taken] = !stale ? XY_HOLD_GO : gone ? XY_HOLD_GONE : XY_HOLD_STALE;
			out[taken++] = take(h, l);
		}
		if (l->queue.count) {
			h->again = true;
			return taken;
		}
		active_remove(h, h->scan);
	}
	return taken;
}
