// SPDX-License-Identifier: BSD-3-Clause
// One AF_XDP socket: one queue of one card, its rings, and a UMEM laid over the packet pool, so
// that a frame is a packet buffer from the moment the kernel fills it. Opened and closed by the
// control thread; one worker receives and sends.
#pragma once

#include "worker.h"

#include <xdp/xsk.h>

struct xy_xsk {
	struct xsk_socket *socket;
	struct xsk_umem *umem;
	struct xsk_ring_prod fill, tx;
	struct xsk_ring_cons done, rx;
	uint8_t *base; // of the UMEM
	struct rte_mempool *pool;
	uint64_t owner;	      // marks buffers that the kernel has (mbuf tx_offload)
	uint32_t outstanding; // sent and not yet given back
	bool zero_copy;
	bool unsent; // the kernel left frames in the ring: ask again
};

// The longest frame that a buffer of the pool holds, bytes.
uint32_t xy_xsk_frame_max(const struct rte_mempool *pool);
// -EBUSY: the queue has an AF_XDP socket already (the text says by whom it may be); -EINVAL: the
// pool's buffers are no UMEM.
int xy_xsk_open(struct xy_xsk *x, const char *interface, uint32_t queue, struct rte_mempool *pool,
		uint64_t owner, struct xy_err *err);
// Gives every buffer back that the kernel had.
void xy_xsk_close(struct xy_xsk *x);

uint16_t xy_xsk_rx_burst(struct xy_xsk *x, struct rte_mbuf **out, uint16_t n);
// Returns how many were taken (they belong to the kernel until done); the others stay the caller's.
uint16_t xy_xsk_tx_burst(struct xy_xsk *x, struct rte_mbuf **pkts, uint16_t n);
// Between bursts: takes back buffers that were sent. True: some wait to be sent, call again soon.
bool xy_xsk_tend(struct xy_xsk *x);
uint64_t xy_xsk_missed(const struct xy_xsk *x); // frames that the kernel dropped for want of room
