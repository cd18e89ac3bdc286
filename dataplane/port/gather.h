// SPDX-License-Identifier: BSD-3-Clause
// A frame that comes in several pieces (AF_XDP's XDP_PKT_CONTD), put together in one buffer: the
// graph wants a packet in one segment. One worker, the one that receives.
#pragma once

#include "packet.h"

enum { XY_GATHER_PIECES = 18 }; // MAX_SKB_FRAGS, and the first

struct xy_gather {
	struct rte_mempool *pool;
	struct rte_mbuf *begun;	      // pieces so far, or NULL
	unsigned pieces;	      // of the frame that is begun or skipped
	bool skip;		      // its other pieces, too
	uint32_t too_long, no_buffer; // frames lost, for the caller to count and clear
};

// The next piece of the frame; more: not its last. Returns the frame with its last piece, the
// caller's from then on. NULL: there is more to come, or the frame is lost and counted.
struct rte_mbuf *xy_gather_add(struct xy_gather *g, const uint8_t *piece, uint32_t len, bool more);
// Forgets a frame that was begun: no other piece will come. It was never counted.
void xy_gather_end(struct xy_gather *g);
