// SPDX-License-Identifier: BSD-3-Clause
// What travels with a packet through the graph: the mbuf's private area, one cache line. The mbuf's
// data is a UDP payload (from port_rx to wg_open, from wg_seal to port_tx) or an overlay packet
// (between). One segment always. Written by the worker that holds the packet.
#pragma once

#include "base/ip.h"
#include "base/time.h"

#include <rte_mbuf.h>

enum {
	// Before the data of every overlay packet that we receive or make: it begins a cache line,
	// and so does what is sealed of it and what is opened in its place, for a vector that lies
	// across two lines costs the cipher more. Two layers and a frame's headers fit before it.
	XY_HEADROOM = 192,
	XY_DATAGRAM_AT = XY_HEADROOM - 16, // before a datagram, whose WireGuard header is 16 bytes
	XY_FRAME_SHIFT = 6, // before a frame: Ethernet, IPv4, UDP and that header are 58 bytes
	XY_TAILROOM = 32,   // padding and tag
	XY_BURST = 64,	    // nodes work in chunks of this
};

// May IP cut the datagram into fragments? Only what is larger than the path carries whole.
enum {
	XY_PIECES_NONE,	 // DF; too large is refused
	XY_PIECES_PATH,	 // of the size that the interface, and each router, has room for
	XY_PIECES_ROUTE, // of the size that the kernel's route says
	XY_PIECES_MASK = 3,
};

#define XY_PEER_NONE   UINT32_MAX	// from the host
#define XY_PEER_SELF   (UINT32_MAX - 1) // made here (ICMP errors, keepalives)
#define XY_PEER_PROBE  (UINT32_MAX - 2) // made here to see whether its size passes; to wg_seal alone
#define XY_PEER_LANE   (UINT32_MAX - 3) // made here to see whether this worker's lane passes
#define XY_PEER_SEALED (UINT32_MAX - 4) // sealed here for a far node, and to be routed as that

// What a packet is to the links between nodes, which carry no other (docs/wire-format.md).
enum {
	XY_MESH_PLAIN,	// for us or ours, or from us: where a link ends
	XY_MESH_SEALED, // end to end: next header 253
	XY_MESH_ABOUT,	// an ICMPv6 error about such a one
};

// Names in one place say who writes and reads it there: between two of them the place is free.
struct xy_packet {
	// Underlay: where from (port_rx to wg_open, and to the control plane), then where to (from
	// wg_seal on). Inside the overlay nobody reads them.
	struct xy_endpoint remote;
	struct xy_addr local; // the address it was sent to, or is to be sent from
	union {
		xy_nsec taken; // punt to the control plane: when the worker took its burst
		uint32_t
			limit; // wg_seal to fragment and icmp_error: the most that the link carries
		uint32_t len;  // while it is sealed: bytes of the overlay packet
		struct {
			uint8_t hops;  // e2e_input to overlay_input: outer hop limit
			uint32_t slot; // of the session with that index, if there is one:
				       // classify, e2e_input to wg_open, e2e_open
		};
	};
	uint32_t from; // end that sent it, or XY_PEER_*
	union {
		uint32_t index; // receiver index as on the wire: classify, e2e_input to the control
				// plane
		uint32_t far;	// route to e2e_seal, meet: whom to seal for; XY_PEER_NONE: by its
				// destination
	};
	union {
		uint32_t interface; // received by, 0 = not known: port_rx to route
		uint32_t host;	    // from = XY_PEER_NONE: came by; route to host_tx: goes by
		uint32_t next;	    // end to send it to, or XY_PEER_NONE: route to port_tx
	};
	uint8_t port;		// received on, or to be sent on
	uint8_t ecn : 2;	// outer ECN bits, received or to be sent
	uint8_t pieces : 2;	// to be sent: XY_PIECES_*
	uint8_t mesh : 2;	// overlay packet: XY_MESH_*
	uint8_t version;	// of the overlay packet: 4 or 6; 0 = keepalive
	union {			// for the next node alone
		uint8_t drop;	// enum xy_drop: what a port refused
		uint8_t error;	// enum xy_icmp_error: to icmp_error
		uint8_t punt;	// enum xy_punt: to punt
		uint8_t worker; // to handover: whose window it is
	};
};
_Static_assert(sizeof(struct xy_packet) <= 64, "one cache line");

static inline struct xy_packet *xy_packet(struct rte_mbuf *m)
{
	return (struct xy_packet *)rte_mbuf_to_priv(m);
}

// Which end of that number `from` is, where that is an end (end.h: incarnation): the packet may
// wait until another has the number. Inside the overlay, where no scope is read.
static inline void xy_packet_incarnation_set(struct xy_packet *p, uint32_t incarnation)
{
	p->remote.scope = incarnation;
}

static inline uint32_t xy_packet_incarnation(const struct xy_packet *p)
{
	return p->remote.scope;
}

static inline bool xy_packet_is_from_end(const struct xy_packet *p)
{
	return p->from < XY_PEER_SEALED;
}
