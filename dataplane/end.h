// SPDX-License-Identifier: BSD-3-Clause
// Ends: whom a session is with, by number. First the links, one for each peer by its own number;
// far ends, which are reached over links, have the numbers behind them. The session to seal in,
// what is held for it and what was counted are an end's, of whatever kind; where datagrams go is a
// link's alone. Control rw, workers ro.
#pragma once

#include "session.h"

struct xy_adjacency;
struct xy_far_end;
struct xy_accepts;

struct xy_end {
	struct {				// of links alone
		struct xy_adjacency *adjacency; // RCU; NULL: no such peer
		uint64_t known;		  // control only: where it is, among all peers' (known.h)
		uint32_t overlay_waiting; // Babel packets on the rings: workers add, control
					  // subtracts
		bool patient;		  // its Hellos may wait: xy_dp_peer_patient
	} link;
	uint64_t net;		    // a node's own /64, as xy_be64_load gives it; 0: it is a leaf
	struct xy_far_end *far;	    // of far ends alone; RCU; NULL: no such node
	struct xy_accepts *accepts; // RCU; NULL: no source but its own /64
	uint32_t current;	    // session slot + 1 to seal in; 0 = none
	uint32_t hold_generation;   // held packets of an older one are dropped
	bool exits;		    // it may use our exit
	uint32_t incarnation;	    // which of those that have had this number; rises at both ends

	// Control only.
	uint32_t sessions; // slot + 1, a list by next_of_end
	uint32_t dying;	   // likewise: of those that end, until their grace period is over
	uint64_t left;	   // a far node: RCU's token of when the last one left; 0: none did
	struct xy_dp_peer_stats gone; // of sessions that are no more
} __rte_cache_aligned;
_Static_assert(offsetof(struct xy_end, sessions) <= 64, "workers look at one line");

static inline uint64_t xy_end_net(const struct xy_dp *dp, uint32_t end)
{
	return __atomic_load_n(&dp->end[end].net, __ATOMIC_RELAXED);
}

static inline bool xy_end_exits(const struct xy_dp *dp, uint32_t end)
{
	return __atomic_load_n(&dp->end[end].exits, __ATOMIC_RELAXED);
}

// The session to seal in, or NULL when there is none that may still send.
static inline struct xy_session *xy_end_session_rcu(const struct xy_dp *dp, uint32_t end,
						    xy_nsec now)
{
	uint32_t slot = __atomic_load_n(&dp->end[end].current, __ATOMIC_ACQUIRE);
	if (!slot)
		return NULL;
	struct xy_session *s = &dp->session[slot - 1];
	if (now >= __atomic_load_n(&s->send_until, __ATOMIC_ACQUIRE) || s->send_end != end ||
	    xy_lane_used_up(dp, &s->lane))
		return NULL;
	return s;
}

int xy_ends_init(struct xy_dp *dp, struct xy_err *err);
void xy_ends_fini(struct xy_dp *dp);

static inline uint32_t xy_end_incarnation(const struct xy_dp *dp, uint32_t end)
{
	return __atomic_load_n(&dp->end[end].incarnation, __ATOMIC_RELAXED);
}

// What the control thread does with an end, of whatever kind.
void xy_end_incarnate(struct xy_end *e); // another one than before, or none any more
bool xy_end_is_there(const struct xy_dp *dp, uint32_t end);
void xy_end_release_held(struct xy_dp *dp, uint32_t end);
// It is no more, and its number may be another's: sessions, statistics and what is held go.
void xy_end_forget(struct xy_dp *dp, uint32_t end);
