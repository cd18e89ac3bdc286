// SPDX-License-Identifier: BSD-3-Clause
// Peers as workers see them: a slot with an adjacency that is replaced whole (RCU) and the session
// to seal in. Control rw, workers ro.
#pragma once

#include "port/frame.h"
#include "session.h"

struct xy_adjacency {		   // immutable once published
	struct xy_endpoint remote; // port 0: not known
	struct xy_addr local;
	uint32_t payload_max; // largest overlay packet that the link carries, bytes
	uint32_t whole_max;   // and the largest that goes in one piece
	uint32_t heard_interface;
	uint16_t port;
	bool leaf, routing, open;
	bool as_heard;		      // local and port are those it was heard by
	uint8_t pieces;		      // of the larger ones: XY_PIECES_*
	struct xy_frame_header frame; // len 0: by the kernel's socket
	struct xy_addr heard_local;
	uint16_t heard_port;
} __rte_cache_aligned;
_Static_assert(offsetof(struct xy_adjacency, frame) <= 64, "one line is prefetched");

struct xy_peer_slot {
	struct xy_adjacency *adjacency; // RCU; NULL: no such peer
	uint32_t current;		// session slot + 1 to seal in; 0 = none
	uint32_t hold_generation;	// held packets of an older one are dropped

	uint32_t overlay_waiting; // Babel packets on the rings: workers add, control subtracts

	// Control only.
	uint32_t incarnation;
	uint64_t known;		      // where it is, among all peers' (known.h)
	uint32_t sessions;	      // slot + 1, a list by next_of_peer
	struct xy_dp_peer_stats gone; // of sessions that are no more
} __rte_cache_aligned;

static inline const struct xy_adjacency *xy_adjacency_rcu(const struct xy_dp *dp, uint32_t peer)
{
	return __atomic_load_n(&dp->peer[peer].adjacency, __ATOMIC_ACQUIRE);
}

// REJECT_AFTER_MESSAGES (paper, section 6.2): a nonce must never come again.
static inline bool xy_session_used_up(const struct xy_dp *dp, const struct xy_session *s)
{
	return __atomic_load_n(&s->tx_counter, __ATOMIC_RELAXED) >=
	       dp->cfg.limits.reject_after_messages;
}

// The session to seal in, or NULL when there is none that may still send.
static inline struct xy_session *xy_peer_session_rcu(const struct xy_dp *dp, uint32_t peer,
						     xy_nsec now)
{
	uint32_t slot = __atomic_load_n(&dp->peer[peer].current, __ATOMIC_ACQUIRE);
	if (!slot)
		return NULL;
	struct xy_session *s = &dp->session[slot - 1];
	if (__atomic_load_n(&s->state, __ATOMIC_ACQUIRE) != XY_SESSION_LIVE ||
	    now >= s->reject_at || s->peer != peer || xy_session_used_up(dp, s))
		return NULL;
	return s;
}

int xy_peers_init(struct xy_dp *dp, struct xy_err *err);
void xy_peers_fini(struct xy_dp *dp);
