// SPDX-License-Identifier: BSD-3-Clause
// Ethernet frames around our datagrams: taken off what a card received, put on what it sends, from
// an adjacency's template. Workers; the template is made by the control thread.
#pragma once

#include "packet.h"

#include <stdbool.h>

enum { XY_FRAME_HEADER_MAX = 14 + 40 + 8 };

// Ethernet, IP and UDP header with lengths and checksums left out.
struct xy_frame_header {
	uint8_t len; // 0 = none: send by the kernel's socket
	uint8_t bytes[XY_FRAME_HEADER_MAX];
	uint32_t sum; // IPv4: unfolded sum of the IP header as it stands
};

// local must be an address of the card. Both endpoints of one family, else -EINVAL.
int xy_frame_header_make(struct xy_frame_header *h, const uint8_t dst_mac[static 6],
			 const uint8_t src_mac[static 6], const struct xy_addr *local,
			 uint16_t local_port, const struct xy_endpoint *remote);

// Leaves the UDP payload as the data and sets xy_packet remote, local and ecn. False: not a UDP
// datagram after all, or shorter than it says.
bool xy_frame_take_off(struct rte_mbuf *m);

// Puts the template in front with this packet's lengths, ECN and checksums (IPv6: RFC 8200
// section 8.1 wants the UDP checksum; IPv4: 0).
void xy_frame_put_on(struct rte_mbuf *m, const struct xy_frame_header *h);
