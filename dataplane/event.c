// SPDX-License-Identifier: BSD-3-Clause
#include "event.h"

#include "dp.h"

#include <rte_ring_elem.h>
#include <unistd.h>

// Every datagram of a burst may be refused, and each telling costs the control thread some system
// calls and the ring a place that handshakes want.
#define MTU_INTERVAL	  XY_MSEC
#define MTU_INTERVAL_SAME (100 * XY_MSEC) // about one peer

// Wakes the control thread when it said that it waits; one system call per wake-up, none while it
// is busy.
static void control_wake(struct xy_dp *dp)
{
	if (__atomic_load_n(&dp->control_waiting, __ATOMIC_SEQ_CST) &&
	    __atomic_exchange_n(&dp->control_waiting, 0, __ATOMIC_SEQ_CST)) {
		uint64_t one = 1;
		ssize_t r = write(dp->event_fd, &one, sizeof(one));
		(void)r; // cannot fail but by overflow, and then it is readable anyway
	}
}

bool xy_event_put(struct xy_worker *w, enum xy_dp_event_type type, uint8_t port, uint32_t arg,
		  struct rte_mbuf *m)
{
	struct xy_msg msg = {.type = type, .port = port, .arg = arg, .m = m};
	if (rte_ring_sp_enqueue_elem(w->to_control, &msg, sizeof(msg)))
		return false;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	control_wake(w->dp);
	return true;
}

void xy_event_mtu(struct xy_worker *w, uint32_t peer)
{
	xy_nsec pause = peer == w->mtu_peer ? MTU_INTERVAL_SAME : MTU_INTERVAL;
	if (w->mtu_told && w->now - w->mtu_told < pause)
		return;
	if (!xy_event_put(w, XY_DP_MTU, 0, peer, NULL))
		return; // a full ring: the next refused datagram tells again
	w->mtu_told = w->now;
	w->mtu_peer = peer;
}

int xy_order_put(struct xy_worker *w, enum xy_order type, uint8_t port, uint32_t arg,
		 struct rte_mbuf *m)
{
	struct xy_msg msg = {.type = type, .port = port, .arg = arg, .m = m};
	if (rte_ring_sp_enqueue_elem(w->from_control, &msg, sizeof(msg))) {
		rte_pktmbuf_free(m);
		return -ENOBUFS;
	}
	xy_worker_wake(w);
	return 0;
}
