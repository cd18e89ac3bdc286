// SPDX-License-Identifier: BSD-3-Clause
// Opening in sessions with several lanes: whose a lane's window is, and its numbers.
#include "open.h"

rte_edge_t xy_open_lane_admit(struct xy_worker *w, struct rte_mbuf *m, const struct xy_session *s)
{
	unsigned lane = (unsigned)(xy_open_counter(m) >> XY_LANE_AT);
	if (lane >= xy_session_lanes(s))
		return XY_OPEN_GOOD; // its tag first: anybody can write a number
	struct xy_lane_more *l = &s->more->more[lane - 1];
	uint32_t owner = __atomic_load_n(&l->owner, __ATOMIC_ACQUIRE);
	if (owner == w->id || owner == XY_OWNER_NONE)
		return XY_OPEN_GOOD;
	if (owner == (w->id | XY_OWNER_MOVING) && xy_lane_has_moved_rcu(w->dp, &l->moved))
		return XY_OPEN_GOOD;
	xy_packet(m)->worker = (uint8_t)(owner & ~XY_OWNER_MOVING);
	if (xy_packet(m)->worker != w->id) {
		__atomic_fetch_add(&l->handed, 1, __ATOMIC_RELAXED);
		XY_SET(l->handed_from, w->id);
	}
	return XY_OPEN_HANDOVER;
}

// Whose window nobody has is who asks first's. Who had it when it moved has it until this burst
// ends: the new owner waits for that.
static bool lane_is_mine(const struct xy_worker *w, struct xy_lane_more *l)
{
	uint32_t owner = XY_OWNER_NONE;
	if (__atomic_compare_exchange_n(&l->owner, &owner, w->id, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		return true;
	if (!(owner & XY_OWNER_MOVING))
		return owner == w->id;
	if (owner == (w->id | XY_OWNER_MOVING))
		return xy_lane_has_moved_rcu(w->dp, &l->moved);
	return l->was == w->id;
}

rte_edge_t xy_open_lane_check(const struct xy_worker *w, struct xy_session *s, uint64_t counter)
{
	unsigned index = (unsigned)(counter >> XY_LANE_AT);
	uint64_t number;
	struct xy_lane *lane = xy_session_lane(s, counter, &number);
	if (!lane)
		return XY_OPEN_DROP_UNKNOWN_LANE;
	// Another was first, while this one was opened; or it was admitted when there was one lane.
	if (index && !lane_is_mine(w, &s->more->more[index - 1]))
		return XY_OPEN_DROP_STALE;
	return xy_replay_accept(&lane->replay, number, xy_lane_reject_after(w->dp))
		       ? XY_OPEN_GOOD
		       : XY_OPEN_DROP_REPLAY;
}
