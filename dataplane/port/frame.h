// SPDX-License-Identifier: BSD-3-Clause
// Ethernet frames around our datagrams: taken off what a card received, put on what it sends, from
// an adjacency's template. Workers; the template is made by the control thread.
#pragma once

#include "packet.h"

#include <stdbool.h>

enum { XY_FRAME_HEADER_MAX = 14 + 40 + 8 };

// Who makes the UDP checksum. Over IPv4 it may be left out (RFC 768), but who translates to IPv6
// drops such datagrams (RFC 7915, section 4.5); over IPv6 there always is one (RFC 8200, 8.1).
enum {
	XY_FRAME_SUM_DEVICE = 1, // the device, over the pseudo header's that we write; else we
	XY_FRAME_SUM_NONE_V4 = 2,
};

// Ethernet, IP and UDP header with lengths and checksums left out.
struct xy_frame_header {
	uint8_t len;		 // 0 = none: send by the kernel's socket
	bool sum_made, sum_left; // the UDP checksum: made here, or left to the device
	uint8_t bytes[XY_FRAME_HEADER_MAX];
	// Unfolded, of what stands already: IPv4's header; what the UDP checksum covers.
	uint32_t ip_sum, udp_sum;
};

// local must be an address of the card. Both endpoints of one family, else -EINVAL.
int xy_frame_header_make(struct xy_frame_header *h, const uint8_t dst_mac[static 6],
			 const uint8_t src_mac[static 6], const struct xy_addr *local,
			 uint16_t local_port, const struct xy_endpoint *remote, unsigned sums);

// Leaves the UDP payload as the data and sets xy_packet remote, local and ecn. False: no datagram
// to take; xy_packet drop is the reason: not UDP after all or shorter than it says, or an
// IPv4 header whose checksum is wrong (RFC 1122, section 3.2.1.2), by the device's word where it
// has one. UDP checksums are not looked at: the tag decides, and the kernel hands over partial
// ones.
bool xy_frame_take_off(struct rte_mbuf *m);

// Puts the template in front with this packet's lengths, ECN and checksums.
void xy_frame_put_on(struct rte_mbuf *m, const struct xy_frame_header *h);
