// SPDX-License-Identifier: BSD-3-Clause
// What travels with a packet through the graph: the mbuf's private area, one cache line. The mbuf's
// data is a UDP payload (from port_rx to wg_open, from wg_seal to port_tx) or an overlay packet
// (between). One segment always. Written by the worker that holds the packet.
#pragma once

#include "base/ip.h"

#include <rte_mbuf.h>

enum {
	XY_HEADROOM = 192, // before the data of every packet we receive or make
	XY_TAILROOM = 32,  // padding and tag
	XY_BURST = 64,	   // nodes work in chunks of this
};

// May IP cut the datagram into fragments? Only what is larger than the path carries whole.
enum {
	XY_PIECES_NONE,	 // DF; too large is refused
	XY_PIECES_PATH,	 // of the size that the interface, and each router, has room for
	XY_PIECES_ROUTE, // of the size that the kernel's route says
	XY_PIECES_MASK = 3,
};

#define XY_PEER_NONE  UINT32_MAX       // from the host
#define XY_PEER_SELF  (UINT32_MAX - 1) // made here (ICMP errors, keepalives)
#define XY_PEER_PROBE (UINT32_MAX - 2) // made here to see whether its size passes; to wg_seal alone

struct xy_packet {
	struct xy_endpoint remote; // underlay: where from, or where to
	struct xy_addr local;	   // underlay: the address it was sent to, or is to be sent from
	uint64_t counter;	   // of the transport message (wg_open, wg_seal)
	uint32_t from;		   // peer that sent it, or XY_PEER_NONE or XY_PEER_SELF
	uint32_t index;		   // receiver index as on the wire; wg_seal: not used
	union {
		uint32_t interface; // received by, 0 = not known; until route
		uint32_t next;	    // peer to send it to (route, wg_seal)
	};
	uint8_t port;	    // received on, or to be sent on
	uint8_t ecn : 2;    // outer ECN bits, received or to be sent
	uint8_t pieces : 2; // to be sent: XY_PIECES_*
	uint8_t version;    // of the overlay packet: 4 or 6; 0 = keepalive
	// For the next node: reason (enum xy_drop), error (enum xy_icmp_error), or whose it is.
	uint8_t verdict;
};
_Static_assert(sizeof(struct xy_packet) <= 64, "one cache line");

static inline struct xy_packet *xy_packet(struct rte_mbuf *m)
{
	return (struct xy_packet *)rte_mbuf_to_priv(m);
}
