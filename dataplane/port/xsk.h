// SPDX-License-Identifier: BSD-3-Clause
// One AF_XDP socket: one queue of one card, its rings, and a UMEM. Usually that lies over the
// packet pool, so that a frame is a packet buffer from the moment the kernel fills it. Where
// packets may be longer than a page (the kernel's largest chunk) the UMEM has frames of its own,
// and packets are copied to and from them, each from and into as many as it takes. Opened and
// closed by the control thread; one worker receives and sends.
#pragma once

#include "gather.h"
#include "worker.h"
#include "xsk_ring.h"

enum {
	XY_XSK_RING = 2048,  // frames, each of the four rings
	XY_XSK_CHUNK = 4096, // of a UMEM of our own
	// The largest MTU whose frames a driver holds in a page with all that stands around them:
	// veth's limit, and of the order of all others'.
	XY_XSK_MTU_PLAIN = 3506,
};

struct xy_xsk {
	int fd; // -1: none
	struct xy_xsk_ring fill, tx, done, rx;
	uint8_t *base; // of the UMEM
	struct rte_mempool *pool;
	uint64_t owner;	      // marks buffers that the kernel has (mbuf tx_offload)
	uint32_t outstanding; // sent and not yet given back
	bool zero_copy;
	bool dry;		 // there were no buffers to fill with
	bool unsent;		 // the kernel left frames in the ring: ask again
	uint32_t taken, stalled; // what it had taken at the last tend; tends since that rose
	bool pieces;		 // frames may come and go in several
	bool copy;		 // frames of our own; then:
	struct xy_gather gather;
	uint32_t free_count;	    // frames for sending that the kernel does not have
	uint32_t free[XY_XSK_RING]; // their numbers
};

// Whether packets of this pool are copied: a buffer is more than the kernel takes as a chunk.
bool xy_xsk_copies(const struct rte_mempool *pool);
// The longest frame that a buffer of the pool holds, bytes.
uint32_t xy_xsk_frame_max(const struct rte_mempool *pool);
// For xy_xsk_open. PIECES: frames beyond a page are wanted (copying pools only; Linux 6.6).
// NO_WAIT: a queue that is taken is not waited for, a second at most.
enum { XY_XSK_PIECES = 1, XY_XSK_NO_WAIT = 2 };

struct xy_xsk_config {
	int fd; // as xy_dp_xsk makes it; taken over, also on failure
	const char *interface;
	uint32_t queue;
	struct rte_mempool *pool;
	uint64_t owner;
	unsigned flags;
};

// Needs no privilege. -EBUSY: the queue has an AF_XDP socket already (the text says by whom it may
// be); -EINVAL: the pool's buffers are no UMEM, or the kernel has no frames in pieces.
int xy_xsk_open(struct xy_xsk *x, const struct xy_xsk_config *cfg, struct xy_err *err);
// Gives every buffer back that the kernel had.
void xy_xsk_close(struct xy_xsk *x);

uint16_t xy_xsk_rx_burst(struct xy_xsk *x, struct rte_mbuf **out, uint16_t n);
// Returns how many were taken (they belong to the kernel until done); the others stay the caller's.
uint16_t xy_xsk_tx_burst(struct xy_xsk *x, struct rte_mbuf **pkts, uint16_t n);
// Between bursts: takes back buffers that were sent, and tells the kernel of those that it left, if
// it wants to be told. True: some wait to be sent, call again soon.
bool xy_xsk_tend(struct xy_xsk *x);
uint64_t xy_xsk_missed(const struct xy_xsk *x); // frames that the kernel dropped for want of room
