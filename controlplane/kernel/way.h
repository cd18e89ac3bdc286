// SPDX-License-Identifier: BSD-3-Clause
// One decision: by which port, from which address and by which way a datagram goes to an endpoint.
//
// As kernel WireGuard has it, a peer is answered from the address that it sent to, and the kernel's
// route is looked up with that address as its source (rules, source-specific routes). Where that
// way leads out at an interface at which the address is not valid, or the address is gone, it is
// dropped, and the kernel chooses another with the way. The port is one that can send so: the card
// at that interface, a socket that is bound to the address, one of all addresses. Control thread.
#pragma once

#include "dataplane.h"
#include "kernel/addresses.h"
#include "kernel/underlay.h"

struct xy_way_port { // that is open
	unsigned id;
	struct xy_addr address; // it is bound to; unspecified: any
	uint16_t udp_port;
	unsigned card; // interface whose frames it sends; 0: a socket
	bool bound;    // its socket sends by that interface alone
};

struct xy_ways {
	struct xy_underlay underlay; // its source and port are this decision's
	struct xy_host_addresses addresses;
	unsigned count;
	struct xy_way_port port[XY_DP_PORTS];
};

struct xy_way {
	unsigned port;	       // id; one that cannot send there where there is none that can
	bool by_card;	       // it sends frames of its own, when the next hop is resolved
	struct xy_addr local;  // to be sent from; unspecified: the kernel chooses, each time anew
	struct xy_addr source; // what it will be; unspecified: not known
	struct xy_underlay_path path;
};

// heard: where a message from there came to, its local unspecified: nowhere. hardware: next hops'
// addresses are wanted where a card sends. As xy_underlay_path; port and local are good also when
// it fails.
int xy_way_find(struct xy_ways *w, const struct xy_endpoint *to, const struct xy_dp_heard *heard,
		struct xy_way *out);
