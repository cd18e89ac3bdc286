// SPDX-License-Identifier: BSD-3-Clause
// Peers as workers see them: ends (end.h) with an adjacency, that is where and how datagrams go to
// them and come from them. It is replaced whole (RCU). Control rw, workers ro.
#pragma once

#include "end.h"
#include "port/frame.h"

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

static inline const struct xy_adjacency *xy_adjacency_rcu(const struct xy_dp *dp, uint32_t peer)
{
	return __atomic_load_n(&dp->end[peer].link.adjacency, __ATOMIC_ACQUIRE);
}

int xy_peers_init(struct xy_dp *dp, struct xy_err *err);
void xy_peers_fini(struct xy_dp *dp);
