// SPDX-License-Identifier: BSD-3-Clause
#include "session.h"

#include "base/secret.h"
#include "end.h"
#include "event.h"
#include "far_end.h"
#include "pages.h"
#include "retire.h"

#include <sodium.h>
#include <stdlib.h>

// Slots that were in use before, oldest first. One that never was takes memory when it is: so they
// are taken only while few of the others are free, and those rest as long as there are many in use.
struct xy_slots {
	uint32_t head, count;
	uint32_t slot[];
};
enum { RESTING = 64 }; // free ones at least, and a quarter of those in use

static size_t sessions_size(const struct xy_dp *dp)
{
	return (size_t)(dp->session_mask + 1) * sizeof(struct xy_session);
}

static int keys_set(struct xy_session *s, const struct xy_dp_session_keys *keys)
{
	s->suite = (uint8_t)xy_wg_cipher_of(keys->suite);
	s->light = xy_wg_is_light(keys->suite);
	int r = xy_aead_key_set(s->suite, &s->recv, keys->recv);
	if (r)
		return r;
	r = xy_aead_key_set(s->suite, &s->send, keys->send);
	if (r)
		xy_aead_key_clear(s->suite, &s->recv);
	return r;
}

static void wipe(struct xy_session *s)
{
	xy_aead_key_clear(s->suite, &s->recv);
	xy_aead_key_clear(s->suite, &s->send);
	free(s->more);
	sodium_memzero(s, sizeof(*s));
}

int xy_sessions_init(struct xy_dp *dp, struct xy_err *err)
{
	dp->session_mask = rte_align32pow2(dp->cfg.max_sessions) - 1;
	dp->session = xy_pages_reserve_large(sessions_size(dp));
	xy_secret_hide(dp->session, sessions_size(dp));
	dp->slots = calloc(1, sizeof(struct xy_slots) +
				      (dp->session_mask + 1) * sizeof(dp->slots->slot[0]));
	if (!dp->session || !dp->slots)
		return xy_err_set(err, ENOMEM,
				  "no memory for %u sessions: lower max_sessions in the config",
				  dp->cfg.max_sessions);
	randombytes_buf(&dp->index_key, sizeof(dp->index_key));
	return 0;
}

void xy_sessions_fini(struct xy_dp *dp)
{
	if (dp->session && dp->slots)
		for (uint32_t i = 0; i < dp->sessions_opened; i++)
			if (dp->session[i].state != XY_SESSION_FREE)
				wipe(&dp->session[i]);
	xy_pages_release(dp->session, dp->session ? sessions_size(dp) : 0);
	free(dp->slots);
	sodium_memzero(&dp->index_key, sizeof(dp->index_key));
}

static bool slot_take(struct xy_dp *dp, uint32_t *slot)
{
	struct xy_slots *f = dp->slots;
	uint32_t opened = dp->sessions_opened, used = opened - f->count;
	if (opened <= dp->session_mask && f->count <= RESTING + used / 4) {
		*slot = opened;
		__atomic_store_n(&dp->sessions_opened, opened + 1, __ATOMIC_RELEASE);
		return true;
	}
	if (!f->count)
		return false;
	*slot = f->slot[f->head];
	f->head = (f->head + 1) & dp->session_mask;
	f->count--;
	return true;
}

static void slot_give(struct xy_dp *dp, uint32_t slot)
{
	struct xy_slots *f = dp->slots;
	f->slot[(f->head + f->count++) & dp->session_mask] = slot;
}

// The session of an index in any state but free; control thread.
static struct xy_session *session_any(const struct xy_dp *dp, uint32_t index)
{
	uint32_t slot = xy_session_slot(dp, index);
	struct xy_session *s = &dp->session[slot];
	bool mine = xy_session_was_opened(dp, slot) && s->index == index &&
		    (s->state == XY_SESSION_RESERVED || s->state == XY_SESSION_LIVE);
	return mine ? s : NULL;
}

// An index of the next generation whose packets a steered port brings to the end's own worker: the
// same for all of its sessions, so that a flow stays there when they change.
static uint32_t index_next(const struct xy_dp *dp, struct xy_session *s, uint32_t slot,
			   uint32_t end)
{
	uint32_t index;
	unsigned tries = 16 * dp->workers; // by chance none fits; then another worker has them
	do {
		s->generation++;
		index = xy_index_hide(&dp->index_key,
				      s->generation * (dp->session_mask + 1) | slot);
	} while (xy_port_worker_of(dp->workers, index, 0) != end % dp->workers && --tries);
	return index;
}

int xy_session_reserve(struct xy_dp *dp, uint32_t end, uint32_t *index)
{
	uint32_t slot;
	if (!slot_take(dp, &slot))
		return -ENOSPC;
	struct xy_session *s = &dp->session[slot];
	struct xy_end *e = &dp->end[end];
	s->index = index_next(dp, s, slot, end);
	s->end = end;
	s->incarnation = e->incarnation;
	s->next_of_end = e->sessions;
	e->sessions = slot + 1;
	__atomic_store_n(&s->state, XY_SESSION_RESERVED, __ATOMIC_RELEASE); // after its index
	*index = s->index;
	return 0;
}

// The worker that its packets come to.
static uint32_t owner_of(const struct xy_dp *dp, uint32_t index,
			 const struct xy_dp_session_keys *keys)
{
	const struct xy_port *port =
		dp->ports && keys->port < XY_DP_PORTS ? dp->ports->port[keys->port] : NULL;
	if (port && port->steered)
		return xy_port_worker_of(dp->workers, index, 0);
	return keys->owner < dp->workers ? keys->owner : 0;
}

int xy_dp_session_set(struct xy_dp *dp, uint32_t index, const struct xy_dp_session_keys *keys)
{
	struct xy_session *s = session_any(dp, index);
	if (!s || s->state != XY_SESSION_RESERVED)
		return -ENOENT;
	int r = keys_set(s, keys);
	if (r)
		return r;
	s->remote_index = keys->remote_index;
	s->born = keys->born;
	s->send_suite = s->suite;
	s->send_light = s->light;
	s->send_end = s->end;
	s->owner = owner_of(dp, index, keys);
	memset(&s->lane, 0, sizeof(s->lane));
	xy_session_ends_at(s, keys->born + dp->cfg.limits.reject_after_time);
	__atomic_store_n(&s->state, XY_SESSION_LIVE, __ATOMIC_RELEASE);
	return 0;
}

// Only who holds packets wants to know. Pairs with the fence before a worker sleeps: we see what it
// holds, or it sees the epoch.
void xy_dp_epoch_raise(struct xy_dp *dp, uint32_t *epoch)
{
	__atomic_add_fetch(epoch, 1, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	for (unsigned i = 0; i < dp->workers; i++)
		if (__atomic_load_n(&dp->worker[i]->stats.held, __ATOMIC_RELAXED))
			xy_worker_wake(dp->worker[i]);
}

int xy_dp_session_use(struct xy_dp *dp, uint32_t index)
{
	struct xy_session *s = session_any(dp, index);
	if (!s || s->state != XY_SESSION_LIVE)
		return -ENOENT;
	__atomic_store_n(&dp->end[s->end].current, xy_session_number(dp, s) + 1, __ATOMIC_RELEASE);
	if (xy_end_is_far(dp, s->end))
		xy_dp_epoch_raise(dp, &dp->far_epoch);
	else
		xy_dp_epoch_raise(dp, &dp->session_epoch);
	return 0;
}

static void lane_add(struct xy_dp_peer_stats *sum, const struct xy_lane *l)
{
#define ADD(f) sum->f += __atomic_load_n(&l->f, __ATOMIC_RELAXED)
#define MAX(f) sum->f = RTE_MAX(sum->f, __atomic_load_n(&l->f, __ATOMIC_RELAXED))
	ADD(rx_packets);
	ADD(rx_bytes);
	ADD(tx_bytes);
	MAX(rx_any);
	MAX(rx_data);
	MAX(tx_any);
	MAX(tx_data);
	MAX(tx_carried);
	sum->tx_packets += __atomic_load_n(&l->tx_counter, __ATOMIC_RELAXED);
#undef ADD
#undef MAX
}

static void session_sum(const struct xy_dp *dp, uint32_t slot, struct xy_dp_peer_stats *sum)
{
	const struct xy_session *s = &dp->session[slot];
	lane_add(sum, &s->lane);
	for (unsigned i = 1; i < s->lanes; i++)
		lane_add(sum, &s->more->more[i - 1].lane);
}

static void list_remove(const struct xy_dp *dp, uint32_t *at, const struct xy_session *s)
{
	while (*at && &dp->session[*at - 1] != s)
		at = &dp->session[*at - 1].next_of_end;
	if (*at)
		*at = s->next_of_end;
}

// After the grace period: no worker can hold the session, so its counts are final.
static void session_release(struct xy_dp *dp, void *ptr)
{
	struct xy_session *s = ptr;
	uint32_t slot = xy_session_number(dp, s), generation = s->generation;
	struct xy_end *e = &dp->end[s->end];

	if (e->incarnation == s->incarnation) {
		list_remove(dp, &e->dying, s);
		session_sum(dp, slot, &e->gone);
	}
	for (unsigned i = 0; i < dp->workers; i++)
		dp->worker[i]->handed[slot] = 0;
	wipe(s);
	s->generation = generation;
	slot_give(dp, slot);
}

static void unlink_from_end(struct xy_dp *dp, struct xy_session *s)
{
	struct xy_end *e = &dp->end[s->end];
	uint32_t slot = xy_session_number(dp, s);

	list_remove(dp, &e->sessions, s);
	if (e->current == slot + 1)
		__atomic_store_n(&e->current, 0, __ATOMIC_RELEASE);
}

static void session_kill(struct xy_dp *dp, struct xy_session *s)
{
	unlink_from_end(dp, s);
	__atomic_store_n(&s->state, XY_SESSION_DYING, __ATOMIC_RELEASE);
	__atomic_store_n(&s->send_until, 0, __ATOMIC_RELEASE);
	s->next_of_end = dp->end[s->end].dying; // its packets are still counted
	dp->end[s->end].dying = xy_session_number(dp, s) + 1;
	xy_dp_retire(dp, s, session_release);
}

void xy_dp_session_del(struct xy_dp *dp, uint32_t index)
{
	struct xy_session *s = session_any(dp, index);
	if (s)
		session_kill(dp, s);
}

void xy_sessions_del_end(struct xy_dp *dp, uint32_t end)
{
	while (dp->end[end].sessions)
		session_kill(dp, &dp->session[dp->end[end].sessions - 1]);
}

void xy_sessions_sum(const struct xy_dp *dp, uint32_t end, struct xy_dp_peer_stats *out)
{
	*out = dp->end[end].gone;
	for (uint32_t at = dp->end[end].sessions; at; at = dp->session[at - 1].next_of_end)
		session_sum(dp, at - 1, out);
	for (uint32_t at = dp->end[end].dying; at; at = dp->session[at - 1].next_of_end)
		session_sum(dp, at - 1, out);
}

// lane: in the worker's own, else in the first.
static int keepalive(struct xy_worker *w, uint32_t index, bool lane)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);
	if (!m)
		return -ENOBUFS;
	m->data_off = XY_HEADROOM; // two layers and a frame's headers come before it
	return xy_order_put(w, XY_ORDER_KEEPALIVE, lane, index, m);
}

static struct xy_session *session_live(const struct xy_dp *dp, uint32_t index)
{
	struct xy_session *s = session_any(dp, index);
	return s && s->state == XY_SESSION_LIVE ? s : NULL;
}

int xy_dp_session_keepalive(struct xy_dp *dp, uint32_t index)
{
	const struct xy_session *s = session_live(dp, index);
	if (!s)
		return -ENOENT;
	return keepalive(dp->worker[(s->owner & ~XY_OWNER_MOVING) % dp->workers], index, false);
}

static void move_done(struct xy_dp *dp, void *ptr)
{
	(void)dp;
	uint32_t *owner = ptr; // of a session that is there: it goes by a later token
	__atomic_fetch_and(owner, ~XY_OWNER_MOVING, __ATOMIC_RELEASE);
}

// From here on both workers put packets of this lane on the new owner's rings; the old one may
// still be in a burst with the window until it has passed the token, which must be taken after it
// can see the new owner. Workers that sleep have passed.
static void owner_move(struct xy_dp *dp, uint32_t *owner, uint64_t *moved, unsigned worker)
{
	__atomic_store_n(moved, 0, __ATOMIC_RELAXED);
	__atomic_store_n(owner, worker | XY_OWNER_MOVING, __ATOMIC_SEQ_CST);
	__atomic_store_n(moved, rte_rcu_qsbr_start(dp->rcu), __ATOMIC_RELEASE);
	xy_dp_retire(dp, owner, move_done);
}

int xy_dp_session_move(struct xy_dp *dp, uint32_t index, unsigned worker)
{
	struct xy_session *s = session_live(dp, index);
	if (!s)
		return -ENOENT;
	if (worker >= dp->workers)
		return -EINVAL;
	if (s->owner & XY_OWNER_MOVING)
		return -EBUSY;
	if (s->owner == worker)
		return 0;
	owner_move(dp, &s->owner, &s->moved, worker);
	for (unsigned i = 0; i < dp->workers; i++)
		__atomic_store_n(&dp->worker[i]->handed[xy_session_number(dp, s)], 0,
				 __ATOMIC_RELAXED);
	return 0;
}

// --- lanes beside the first

int xy_dp_session_lanes(struct xy_dp *dp, uint32_t index, unsigned count)
{
	struct xy_session *s = session_live(dp, index);
	if (!s)
		return -ENOENT;
	if (s->lanes || count < 2) // what the other side was told holds for the session
		return RTE_MAX(s->lanes, 1);
	count = RTE_MIN(count, (unsigned)XY_DP_LANES);
	size_t len = sizeof(struct xy_lanes) + (count - 1) * sizeof(struct xy_lane_more);
	len = RTE_ALIGN_CEIL(len, (size_t)RTE_CACHE_LINE_SIZE);
	struct xy_lanes *l = aligned_alloc(RTE_CACHE_LINE_SIZE, len);
	if (!l)
		return -ENOMEM;
	memset(l, 0, len);
	for (unsigned i = 0; i < count - 1; i++) {
		l->more[i].owner = XY_OWNER_NONE;
		l->more[i].lane.first_seen = true; // it was, or nobody could have told
	}
	l->count = count;
	__atomic_store_n(&s->more, l, __ATOMIC_RELEASE);
	__atomic_store_n(&s->lanes, (uint8_t)count, __ATOMIC_RELEASE);
	return (int)count;
}

int xy_dp_session_lanes_heard(struct xy_dp *dp, uint32_t index, uint64_t *mask)
{
	struct xy_session *s = session_live(dp, index);
	if (!s)
		return -ENOENT;
	*mask = 1;
	for (unsigned i = 1; i < s->lanes; i++) {
		struct xy_lane_more *m = &s->more->more[i - 1];
		uint64_t rx = __atomic_load_n(&m->lane.rx_packets, __ATOMIC_RELAXED);
		if (rx != m->told)
			*mask |= UINT64_C(1) << i;
		m->told = rx;
	}
	return 0;
}

int xy_dp_session_lanes_send(struct xy_dp *dp, uint32_t index, uint64_t mask)
{
	struct xy_session *s = session_live(dp, index);
	if (!s || !s->lanes)
		return -ENOENT;
	__atomic_store_n(&s->more->send, mask, __ATOMIC_RELAXED);
	return 0;
}

int xy_dp_session_lanes_probe(struct xy_dp *dp, uint32_t index)
{
	const struct xy_session *s = session_live(dp, index);
	int r = s && s->lanes ? 0 : -ENOENT;
	for (unsigned i = 1; !r && i < RTE_MIN((unsigned)s->lanes, dp->workers); i++)
		r = keepalive(dp->worker[i], index, true);
	return r;
}

// As xy_dp_session_move does for the first.
static void lane_place(struct xy_dp *dp, struct xy_lane_more *m)
{
	enum { FEW = 32 }; // packets since then, that say nothing yet
	uint64_t rx = __atomic_load_n(&m->lane.rx_packets, __ATOMIC_RELAXED) - m->placed_rx;
	uint32_t handed = __atomic_load_n(&m->handed, __ATOMIC_RELAXED) - m->placed_handed;
	uint32_t from = __atomic_load_n(&m->handed_from, __ATOMIC_RELAXED);
	uint32_t owner = __atomic_load_n(&m->owner, __ATOMIC_RELAXED);
	if (rx < FEW)
		return;
	m->placed_rx += rx;
	m->placed_handed += handed;
	if (handed > rx / 2 && from != owner && !(owner & XY_OWNER_MOVING)) {
		m->was = owner;
		owner_move(dp, &m->owner, &m->moved, from);
	}
}

void xy_dp_session_lanes_place(struct xy_dp *dp, uint32_t index)
{
	const struct xy_session *s = session_live(dp, index);
	for (unsigned i = 1; s && i < s->lanes; i++)
		lane_place(dp, &s->more->more[i - 1]);
}

// What is told of its lanes. By their shares (xy_lane_rekey_after) the fullest says how far all
// are.
static void lanes_stats(const struct xy_dp *dp, const struct xy_session *s,
			struct xy_dp_session_stats *out)
{
	uint64_t most = out->tx_counter;
	out->lanes = RTE_MAX(s->lanes, 1);
	for (unsigned i = 1; i < s->lanes; i++) {
		const struct xy_lane_more *m = &s->more->more[i - 1];
		uint64_t n = __atomic_load_n(&m->lane.tx_counter, __ATOMIC_RELAXED);
		out->handed_over += __atomic_load_n(&m->handed, __ATOMIC_RELAXED);
		most = RTE_MAX(most, n);
	}
	out->tx_used = most * out->lanes;
	if (s->lanes && most >= xy_lane_rekey_after(dp, s->more))
		out->tx_used = RTE_MAX(out->tx_used, dp->cfg.limits.rekey_after_messages);
	if (s->lanes && most >= XY_LANE_MESSAGES)
		out->tx_used = RTE_MAX(out->tx_used, dp->cfg.limits.reject_after_messages);
}

int xy_dp_session_stats(const struct xy_dp *dp, uint32_t index, struct xy_dp_session_stats *out)
{
	const struct xy_session *s = session_live(dp, index);
	if (!s)
		return -ENOENT;
	uint32_t slot = xy_session_number(dp, s), most = 0;
	struct xy_dp_peer_stats sum = {0};

	session_sum(dp, slot, &sum);
	*out = (struct xy_dp_session_stats){
		.peer = s->end,
		.owner = s->owner & ~XY_OWNER_MOVING,
		.handed_from = s->owner & ~XY_OWNER_MOVING,
		.remote_index = s->remote_index,
		.born = s->born,
		.suite = s->light ? xy_wg_light_of(s->suite) : s->suite,
		.tx_counter = __atomic_load_n(&s->lane.tx_counter, __ATOMIC_RELAXED),
		.rx_packets = sum.rx_packets,
		.rx_bytes = sum.rx_bytes,
		.tx_packets = sum.tx_packets,
		.tx_bytes = sum.tx_bytes,
		.rx_any = sum.rx_any,
		.rx_data = sum.rx_data,
		.tx_any = sum.tx_any,
		.tx_data = sum.tx_data,
	};
	for (unsigned i = 0; i < dp->workers; i++) {
		uint32_t n = __atomic_load_n(&dp->worker[i]->handed[slot], __ATOMIC_RELAXED);
		out->handed_over += n;
		if (n > most) {
			most = n;
			out->handed_from = i;
		}
	}
	lanes_stats(dp, s, out);
	return 0;
}
