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

int xy_session_reserve(struct xy_dp *dp, uint32_t end, uint32_t *index)
{
	uint32_t slot;
	if (!slot_take(dp, &slot))
		return -ENOSPC;
	struct xy_session *s = &dp->session[slot];
	struct xy_end *e = &dp->end[end];
	s->generation++;
	s->index = xy_index_hide(&dp->index_key, s->generation * (dp->session_mask + 1) | slot);
	s->end = end;
	s->incarnation = e->incarnation;
	s->next_of_end = e->sessions;
	e->sessions = slot + 1;
	__atomic_store_n(&s->state, XY_SESSION_RESERVED, __ATOMIC_RELEASE); // after its index
	*index = s->index;
	return 0;
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
	for (unsigned i = 0; i < XY_LANES; i++)
		s->owner[i] = keys->owner < dp->workers ? keys->owner : 0;
	memset(s->lane, 0, sizeof(s->lane));
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
	for (unsigned i = 0; i < XY_LANES; i++)
		lane_add(sum, &dp->session[slot].lane[i]);
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

int xy_dp_session_keepalive(struct xy_dp *dp, uint32_t index)
{
	struct xy_session *s = session_any(dp, index);
	if (!s || s->state != XY_SESSION_LIVE)
		return -ENOENT;
	struct xy_worker *w = dp->worker[(s->owner[0] & ~XY_OWNER_MOVING) % dp->workers];
	struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);
	if (!m)
		return -ENOBUFS;
	m->data_off = XY_HEADROOM; // two layers and a frame's headers come before it
	return xy_order_put(w, XY_ORDER_KEEPALIVE, 0, index, m);
}

static void move_done(struct xy_dp *dp, void *ptr)
{
	(void)dp;
	uint32_t *owner = ptr;
	__atomic_fetch_and(owner, ~XY_OWNER_MOVING, __ATOMIC_RELEASE);
}

int xy_dp_session_move(struct xy_dp *dp, uint32_t index, unsigned worker)
{
	struct xy_session *s = session_any(dp, index);
	if (!s || s->state != XY_SESSION_LIVE)
		return -ENOENT;
	if (worker >= dp->workers)
		return -EINVAL;
	uint32_t *owner = &s->owner[0];
	if (*owner & XY_OWNER_MOVING)
		return -EBUSY;
	if (*owner == worker)
		return 0;
	// From here on both workers put packets of this lane on the new owner's rings; the old one
	// may still be in a burst with the window until it has passed the token, which must be
	// taken after it can see the new owner. Workers that sleep have passed.
	__atomic_store_n(&s->moved[0], 0, __ATOMIC_RELAXED);
	__atomic_store_n(owner, worker | XY_OWNER_MOVING, __ATOMIC_SEQ_CST);
	__atomic_store_n(&s->moved[0], rte_rcu_qsbr_start(dp->rcu), __ATOMIC_RELEASE);
	for (unsigned i = 0; i < dp->workers; i++)
		__atomic_store_n(&dp->worker[i]->handed[xy_session_number(dp, s)], 0,
				 __ATOMIC_RELAXED);
	xy_dp_retire(dp, owner, move_done);
	return 0;
}

int xy_dp_session_stats(const struct xy_dp *dp, uint32_t index, struct xy_dp_session_stats *out)
{
	const struct xy_session *s = session_any(dp, index);
	if (!s || s->state != XY_SESSION_LIVE)
		return -ENOENT;
	uint32_t slot = xy_session_number(dp, s), most = 0;
	struct xy_dp_peer_stats sum = {0};

	session_sum(dp, slot, &sum);
	*out = (struct xy_dp_session_stats){
		.peer = s->end,
		.owner = s->owner[0] & ~XY_OWNER_MOVING,
		.born = s->born,
		.suite = s->light ? xy_wg_light_of(s->suite) : s->suite,
		.tx_counter = __atomic_load_n(&s->lane[0].tx_counter, __ATOMIC_RELAXED),
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
	return 0;
}
