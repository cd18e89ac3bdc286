// SPDX-License-Identifier: BSD-3-Clause
// What workers tell the control thread, and it them: 16-byte elements on single-producer rings.
#pragma once

#include "worker.h"

struct xy_msg {
	uint8_t type; // enum xy_dp_event_type, or enum xy_order
	uint8_t port;
	uint16_t spare;
	uint32_t arg;	    // peer or index
	struct rte_mbuf *m; // or NULL
};
_Static_assert(sizeof(struct xy_msg) == 16, "ring element");

enum xy_order {		    // control -> worker
	XY_ORDER_SEND,	    // m: a datagram for port_tx
	XY_ORDER_KEEPALIVE, // m: an empty buffer; arg: session index
};

// Worker -> control. False when the ring is full (the caller keeps m).
bool xy_event_put(struct xy_worker *w, enum xy_dp_event_type type, uint8_t port, uint32_t arg,
		  struct rte_mbuf *m);
// The kernel refused a datagram to this peer for its size; told at a bounded rate.
void xy_event_mtu(struct xy_worker *w, uint32_t peer);
// Control -> worker; frees m and returns -ENOBUFS when the ring is full.
int xy_order_put(struct xy_worker *w, enum xy_order type, uint8_t port, uint32_t arg,
		 struct rte_mbuf *m);
