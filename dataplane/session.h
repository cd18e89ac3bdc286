// SPDX-License-Identifier: BSD-3-Clause
// Sessions as workers see them: one array access from the receiver index on the wire. The control
// thread writes keys and state, a lane's owner its replay window and what it counts of what came,
// transmitting workers its counter and what was sent. A packet that is opened touches two lines of
// its session, and one that is sealed two others. Whom a session is with is an end (end.h): it
// knows no link.
//
// Life of a slot: FREE -> RESERVED (a handshake has its index) -> LIVE (keys are there; set last,
// with release) -> FREE by unlinking, a grace period, wiping; only then may it be reserved again,
// with the next generation.
#pragma once

#include "aead.h"
#include "dp.h"
#include "noise/replay.h"

enum xy_session_state { XY_SESSION_FREE, XY_SESSION_RESERVED, XY_SESSION_LIVE, XY_SESSION_DYING };

// A lane is one counter and the window that it is checked by. WireGuard has one, and so has each
// session until its end, a node, says inside it that it takes more (docs/adr/0029). Then the top 8
// bits of a message's counter are its lane, and the others its number there and the light suites'
// mark; all are the nonce.
#define XY_LANE_AT 56
_Static_assert(XY_WG_LIGHT_MARK == UINT64_C(1) << (XY_LANE_AT - 1), "numbers end below the mark");
// REJECT_AFTER_MESSAGES of a lane, which has the paper's distance from where its numbers end.
#define XY_LANE_MESSAGES (XY_WG_LIGHT_MARK - (UINT64_C(1) << 13) - 1)

// Beside the worker's number: the window has moved, so the new owner must not touch it until all
// workers have passed `moved`, a token of RCU. It looks for itself: the control thread, which takes
// the mark away, may come by only at its next tick.
#define XY_OWNER_MOVING UINT32_C(0x80000000)
// A lane that nothing has come in: the worker that opens its first packet has it.
#define XY_OWNER_NONE UINT32_C(0x7fffffff)

struct xy_lane {
	// Transmitting workers: rw. Who takes numbers has the line, and counts in it.
	uint64_t tx_counter __rte_cache_aligned; // next to use, so many were sent; fetch-add
	uint64_t tx_bytes;			 // of packets, without their padding; fetch-add
	xy_nsec tx_any, tx_data;		 // the latest
	xy_nsec tx_carried;			 // likewise, of what is not our own
	uint32_t tx_nudged;			 // NUDGE was sent; exchange

	// Owner: rw; control: ro, what is counted. A line, and the bitmap behind it.
	xy_nsec roam_told __rte_cache_aligned;
	uint64_t rx_packets, rx_bytes;
	xy_nsec rx_any, rx_data;
	bool first_seen;
	struct xy_replay replay;
};
_Static_assert(offsetof(struct xy_lane, tx_counter) == 0, "transmitters have a line");
_Static_assert(offsetof(struct xy_lane, roam_told) == 64, "and the owner has others");
_Static_assert(offsetof(struct xy_lane, replay.bitmap) == 128, "one, for packets in order");

struct xy_lane_more {
	struct xy_lane lane;
	// Control: rw; of NONE workers make their own number, by exchange.
	uint32_t owner __rte_cache_aligned;
	uint32_t was;	// the owner before, while XY_OWNER_MOVING
	uint64_t moved; // acquire / release
	// Workers that hand its packets over: rw.
	uint32_t handed __rte_cache_aligned;
	uint32_t handed_from; // the last of them
	// Control only.
	uint64_t told;	    // packets, when the other side asked last
	uint64_t placed_rx; // and when its owner was last judged
	uint32_t placed_handed;
};

struct xy_lanes {	// of a session, beside its first; freed with it
	unsigned count; // with the first
	uint64_t send;	// control: rw, workers: ro. Those that data goes in, a bit each
	struct xy_lane_more more[];
};

struct xy_session {
	// Control: rw, workers: ro. What opening looks at.
	uint32_t state; // enum xy_session_state; acquire / release
	uint32_t index; // ours, as on the wire
	uint32_t end;
	uint32_t incarnation; // of the end
	uint32_t owner;	      // with the first lane's replay window, | XY_OWNER_MOVING
	uint8_t suite;	      // enum xy_aead_suite, of both keys
	bool light;	      // of what is sealed end to end, the head alone
	uint8_t lanes;	      // how many; 0: WireGuard's one. acquire / release
	xy_nsec reject_at;
	struct xy_aead_schedule recv;

	// Control: rw, workers: ro. What sealing looks at.
	struct xy_aead_schedule send;
	xy_nsec send_until;    // reject_at while it is live, else 0; acquire / release
	uint32_t send_end;     // end
	uint32_t remote_index; // theirs, as on the wire
	uint8_t send_suite;    // suite
	bool send_light;       // light
	struct xy_lanes *more; // as `lanes`, and set before that

	struct xy_lane lane; // the first

	// Control: rw.
	xy_nsec born;
	uint64_t moved; // workers: ro, while XY_OWNER_MOVING; acquire / release
	uint32_t generation;
	uint32_t next_of_end; // slot + 1 of the next in the end's list
} __rte_cache_aligned;
_Static_assert(offsetof(struct xy_session, send) == 64, "line 0: opening; 1: sealing");
_Static_assert(offsetof(struct xy_session, lane) == 128, "then lanes");

static inline uint32_t xy_session_slot(const struct xy_dp *dp, uint32_t index)
{
	return xy_index_show(&dp->index_key, index) & dp->session_mask;
}

// May the new owner touch the window?
static inline bool xy_lane_has_moved_rcu(const struct xy_dp *dp, const uint64_t *moved)
{
	uint64_t token = __atomic_load_n(moved, __ATOMIC_ACQUIRE);
	return token && rte_rcu_qsbr_check(dp->rcu, token, false) == 1;
}

// Was a slot ever in use? One that was not has no memory, and who guesses at indices gives it none.
static inline bool xy_session_was_opened(const struct xy_dp *dp, uint32_t slot)
{
	return slot < __atomic_load_n(&dp->sessions_opened, __ATOMIC_ACQUIRE);
}

// The live session of a receiver index whose slot is known, or NULL. Workers under RCU; control.
static inline struct xy_session *xy_session_at_rcu(const struct xy_dp *dp, uint32_t slot,
						   uint32_t index)
{
	struct xy_session *s = &dp->session[slot];
	if (!xy_session_was_opened(dp, slot) ||
	    __atomic_load_n(&s->state, __ATOMIC_ACQUIRE) != XY_SESSION_LIVE || s->index != index)
		return NULL;
	return s;
}

static inline struct xy_session *xy_session_find_rcu(const struct xy_dp *dp, uint32_t index)
{
	return xy_session_at_rcu(dp, xy_session_slot(dp, index), index);
}

// Did we give this index out, and is it not over: a handshake's that is under way, or a session's?
static inline bool xy_session_is_ours_rcu(const struct xy_dp *dp, uint32_t index)
{
	uint32_t slot = xy_session_slot(dp, index);
	if (!xy_session_was_opened(dp, slot))
		return false;
	const struct xy_session *s = &dp->session[slot];
	enum xy_session_state state = __atomic_load_n(&s->state, __ATOMIC_ACQUIRE);
	return (state == XY_SESSION_RESERVED || state == XY_SESSION_LIVE) && s->index == index;
}

static inline uint32_t xy_session_number(const struct xy_dp *dp, const struct xy_session *s)
{
	return (uint32_t)(s - dp->session);
}

// All else that sealing reads is set: nothing is opened nor sealed from then on. Control.
static inline void xy_session_ends_at(struct xy_session *s, xy_nsec when)
{
	__atomic_store_n(&s->reject_at, when, __ATOMIC_RELAXED);
	__atomic_store_n(&s->send_until, when, __ATOMIC_RELEASE);
}

// How many; 0: WireGuard's one, whose counter is its whole number. What they are is set before.
static inline unsigned xy_session_lanes(const struct xy_session *s)
{
	return __atomic_load_n(&s->lanes, __ATOMIC_ACQUIRE);
}

// The same for who seals, and has no use for the other line; NULL: one.
static inline struct xy_lanes *xy_session_more(const struct xy_session *s)
{
	return __atomic_load_n(&s->more, __ATOMIC_ACQUIRE);
}

// The lane of a counter, and its number there; NULL: the session has none such. Whose it is says
// the caller: the control thread, or a worker under RCU.
static inline struct xy_lane *xy_session_lane(const struct xy_session *s, uint64_t counter,
					      uint64_t *number)
{
	unsigned lanes = xy_session_lanes(s), lane = (unsigned)(counter >> XY_LANE_AT);
	*number = s->light ? counter & ~XY_WG_LIGHT_MARK : counter;
	if (likely(!lanes || !lane))
		return (struct xy_lane *)(uintptr_t)&s->lane;
	*number &= (UINT64_C(1) << XY_LANE_AT) - 1;
	return lane < lanes ? &s->more->more[lane - 1].lane : NULL;
}

// REJECT_AFTER_MESSAGES (paper, section 6.2) of a lane: a nonce must never come again. Each session
// keeps to it, one of one lane as well: nobody sends as many in 180 s.
static inline uint64_t xy_lane_reject_after(const struct xy_dp *dp)
{
	return RTE_MIN(dp->cfg.limits.reject_after_messages, XY_LANE_MESSAGES);
}

static inline bool xy_lane_used_up(const struct xy_dp *dp, const struct xy_lane *l)
{
	return __atomic_load_n(&l->tx_counter, __ATOMIC_RELAXED) >= xy_lane_reject_after(dp);
}

// REKEY_AFTER_MESSAGES of a lane: its share of the session's, and far from where its numbers end.
static inline uint64_t xy_lane_rekey_after(const struct xy_dp *dp, const struct xy_lanes *more)
{
	return RTE_MIN(dp->cfg.limits.rekey_after_messages / more->count, XY_LANE_MESSAGES / 2);
}

int xy_sessions_init(struct xy_dp *dp, struct xy_err *err);
void xy_sessions_fini(struct xy_dp *dp);
// An index for a session with this end, which there must be (xy_dp_session_reserve).
int xy_session_reserve(struct xy_dp *dp, uint32_t end, uint32_t *index);
// Unlinks all sessions of an end.
void xy_sessions_del_end(struct xy_dp *dp, uint32_t end);
// Of all sessions that it has had.
void xy_sessions_sum(const struct xy_dp *dp, uint32_t end, struct xy_dp_peer_stats *out);
