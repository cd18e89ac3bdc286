// SPDX-License-Identifier: BSD-3-Clause
// What workers tell the control thread, and it them: 16-byte elements on single-producer rings.
#pragma once

#include "worker.h"

#define XY_RING_SIZE 1024 // elements of each ring between threads

struct xy_msg {
	uint8_t type; // enum xy_dp_event_type, or enum xy_order
	uint8_t port;
	uint16_t punt; // enum xy_punt, of an OVERLAY
	uint32_t arg;  // end or index; of an ASK, a MEET and a LOST the source
	union {
		struct rte_mbuf *m; // or NULL
		uint64_t net; // XY_DP_ASK, USED, MEET, LOST: the /64, as xy_be64_load gives it
		uint64_t mtu; // XY_DP_FAR_MTU
	};
};
_Static_assert(sizeof(struct xy_msg) == 16, "ring element");

enum xy_order {		    // control -> worker
	XY_ORDER_SEND,	    // m: a datagram for port_tx
	XY_ORDER_KEEPALIVE, // m: an empty buffer; arg: session index; port: in the worker's lane?
	XY_ORDER_OVERLAY,   // m: an inner packet; arg: peer, or XY_PEER_NONE to be routed
	XY_ORDER_PROBE,	    // likewise, of a size that is to be tried; port: may IP cut it?
};

// What `punt` takes (xy_packet punt).
enum xy_punt {
	XY_PUNT_STRANGER,  // a handshake message or a probe
	XY_PUNT_HANDSHAKE, // a handshake message, likely a peer's
	XY_PUNT_ROUTING,   // a peer's Babel packet
	XY_PUNT_ROUTING_OPEN,
	XY_PUNT_SERVICE, // for our service port
	XY_PUNT_FAR,	 // a handshake message that came sealed to us: likely of one we know
	XY_PUNT_FAR_STRANGER,
	XY_PUNT_KINDS
};

void xy_msg_free(const struct xy_msg *msg); // what an event that nobody wants carries

// Worker -> control. False when the ring is full (the caller keeps m).
bool xy_event_put(struct xy_worker *w, enum xy_dp_event_type type, uint8_t port, uint32_t arg,
		  struct rte_mbuf *m);
// Does it carry a buffer, where that is not NULL?
bool xy_msg_has_buffer(const struct xy_msg *msg);
// One /64 (ASK, USED, MEET, LOST) in place of a buffer, and the source of an ASK or MEET.
bool xy_event_net(struct xy_worker *w, enum xy_dp_event_type type, uint64_t net, uint32_t source);
// A packet for the control plane, of that kind: within the kind's share of its ring, and within
// the rate of strangers. XY_DROP_COUNT: it is taken; else why it is not (the caller keeps m).
enum xy_drop xy_event_punt(struct xy_worker *w, enum xy_punt kind, struct rte_mbuf *m);
void xy_event_rates_init(struct xy_worker *w);
// Events that wake nobody are among so many first ones of a worker's ring: all workers' are no more
// than XY_DP_PATIENT_MOST.
unsigned xy_event_patient_most(const struct xy_dp *dp);
// The control thread took a packet of this kind.
void xy_event_punt_taken(struct xy_dp *dp, const struct xy_msg *msg);
// A sealed packet to this far node was too large for its path; told at a bounded rate.
void xy_event_far_mtu(struct xy_worker *w, uint32_t end, uint32_t mtu);
// What this link brought was sealed for us by one of this /64 in a session that we do not have;
// told at a bounded rate.
void xy_event_lost(struct xy_worker *w, uint32_t link, uint64_t net);
// The kernel refused a datagram to this peer for its size; told at a bounded rate.
void xy_event_mtu(struct xy_worker *w, uint32_t peer);
// An ICMP error said that a datagram to there was too large; told at a bounded rate.
void xy_event_mtu_at(struct xy_worker *w, uint8_t port, const struct xy_endpoint *remote);
// One said that none reaches it, and why (errno); likewise.
void xy_event_refused_at(struct xy_worker *w, uint8_t port, const struct xy_endpoint *remote,
			 int error);
// Control -> worker; frees m and returns -ENOBUFS when the ring is full.
int xy_order_put(struct xy_worker *w, enum xy_order type, uint8_t port, uint32_t arg,
		 struct rte_mbuf *m);
