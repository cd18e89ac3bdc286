// SPDX-License-Identifier: BSD-3-Clause
// Sessions as workers see them: one array access from the receiver index on the wire. The control
// thread writes keys and state, the receive owner the replay window, transmitting workers the
// counter; statistics are per worker, in lines of their own (struct xy_session_use).
//
// Life of a slot: FREE -> RESERVED (a handshake has its index) -> LIVE (keys are there; set last,
// with release) -> FREE by unlinking, a grace period, wiping; only then may it be reserved again,
// with the next generation.
#pragma once

#include "aead.h"
#include "dp.h"
#include "noise/replay.h"

enum xy_session_state { XY_SESSION_FREE, XY_SESSION_RESERVED, XY_SESSION_LIVE, XY_SESSION_DYING };

// In `owner` beside the worker's number: the window has moved, so the new owner must not touch it
// until all workers have passed `moved`, a token of RCU. It looks for itself: the control thread,
// which takes the mark away, may come by only at its next tick.
#define XY_OWNER_MOVING UINT32_C(0x80000000)

struct xy_session {
	// Control: rw, workers: ro. One line: what wg_open and wg_seal look at first.
	uint32_t state;	       // enum xy_session_state; acquire / release
	uint32_t index;	       // ours, as on the wire
	uint32_t remote_index; // theirs, as on the wire
	uint32_t peer;
	uint32_t owner; // worker with the replay window, | XY_OWNER_MOVING
	uint32_t generation;
	uint32_t next_of_peer; // control only: slot + 1 of the peer's next session
	uint32_t incarnation;  // control only: of the peer
	xy_nsec born, reject_at;
	uint64_t moved; // while XY_OWNER_MOVING; acquire / release
	uint8_t suite;	// enum xy_aead_suite, of both keys

	// Control: rw, workers: ro.
	struct xy_aead_schedule recv __rte_cache_aligned;
	struct xy_aead_schedule send;

	// Transmitting workers: rw.
	uint64_t tx_counter __rte_cache_aligned; // next to use; fetch-add
	uint32_t tx_nudged;			 // NUDGE was sent; exchange
	xy_nsec tx_carried;			 // of what is not our own; whoever stores last

	// Receive owner: rw.
	xy_nsec roam_told __rte_cache_aligned;
	bool first_seen;
	struct xy_replay replay;
};
_Static_assert(offsetof(struct xy_session, recv) == 64, "line 1: keys");
_Static_assert(offsetof(struct xy_session, tx_counter) == 128, "line 2: transmitters");
_Static_assert(offsetof(struct xy_session, roam_told) == 192, "line 3: the owner");

// One worker's share in one session: worker rw, control ro.
struct xy_session_use {
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
	xy_nsec rx_any, rx_data, tx_any, tx_data;
};
_Static_assert(sizeof(struct xy_session_use) == 64, "one cache line");

static inline uint32_t xy_session_slot(const struct xy_dp *dp, uint32_t index)
{
	return xy_index_show(&dp->index_key, index) & dp->session_mask;
}

// May the new owner touch the window?
static inline bool xy_session_has_moved_rcu(const struct xy_dp *dp, const struct xy_session *s)
{
	uint64_t token = __atomic_load_n(&s->moved, __ATOMIC_ACQUIRE);
	return token && rte_rcu_qsbr_check(dp->rcu, token, false) == 1;
}

// The live session of a receiver index, or NULL. Workers under RCU; control.
static inline struct xy_session *xy_session_find_rcu(const struct xy_dp *dp, uint32_t index)
{
	struct xy_session *s = &dp->session[xy_session_slot(dp, index)];
	if (__atomic_load_n(&s->state, __ATOMIC_ACQUIRE) != XY_SESSION_LIVE || s->index != index)
		return NULL;
	return s;
}

// Did we give this index out, and is it not over: a handshake's that is under way, or a session's?
static inline bool xy_session_is_ours_rcu(const struct xy_dp *dp, uint32_t index)
{
	const struct xy_session *s = &dp->session[xy_session_slot(dp, index)];
	enum xy_session_state state = __atomic_load_n(&s->state, __ATOMIC_ACQUIRE);
	return (state == XY_SESSION_RESERVED || state == XY_SESSION_LIVE) && s->index == index;
}

static inline uint32_t xy_session_number(const struct xy_dp *dp, const struct xy_session *s)
{
	return (uint32_t)(s - dp->session);
}

int xy_sessions_init(struct xy_dp *dp, struct xy_err *err);
void xy_sessions_fini(struct xy_dp *dp);
// Unlinks all sessions of a peer (xy_dp_peer_del).
void xy_sessions_del_peer(struct xy_dp *dp, uint32_t peer);
