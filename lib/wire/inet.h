// SPDX-License-Identifier: BSD-3-Clause
// IPv4, IPv6, UDP, TCP and ICMP headers: reading them safely, and checksums (RFC 791, 8200, 768,
// 9293, 1071). Any thread; the bytes belong to the caller.
#pragma once

#include "base/bytes.h"
#include "base/ip.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
	XY_IPV4_MIN_LEN = 20,
	XY_IPV6_LEN = 40,
	XY_UDP_LEN = 8,
	XY_IPV6_MIN_MTU = 1280,

	XY_PROTO_ICMP = 1,
	XY_PROTO_TCP = 6,
	XY_PROTO_UDP = 17,
	XY_PROTO_ICMPV6 = 58,
	XY_PROTO_E2E = 253, // sealed end to end (RFC 3692 number)

	XY_FLOW_LABEL = 0xfffff, // low bits of the first word of an IPv6 header

	XY_ECN_MASK = 3, // low bits of the traffic class
	XY_ECN_CE = 3,
};

// What overlay packets are checked for before anything else looks at them.
struct xy_inner {
	uint8_t version;  // 4 or 6
	uint8_t protocol; // IPv4: protocol; IPv6: first next header
	uint8_t hop_limit;
	uint8_t traffic_class;
	uint16_t header_len; // IPv4 with options; IPv6: 40
	uint16_t total_len;  // header and payload; at most the bytes given (the rest is padding)
};

// Checks version, header length, total length against len, and (IPv4) the header checksum is NOT
// checked here: forwarding updates it incrementally, so a wrong one stays wrong for its receiver.
// 0 or -EBADMSG.
int xy_inner_parse(const uint8_t *pkt, size_t len, struct xy_inner *out);
// The ports of a packet that xy_inner_parse took: TCP or UDP at once after the IP header, and no
// part of a fragmented one. False: it has none.
struct xy_inner_ports {
	uint8_t protocol;
	uint16_t src, dst;
};
bool xy_inner_ports(const uint8_t *pkt, size_t len, struct xy_inner_ports *out);
// Source or destination of a packet that xy_inner_parse took; IPv4 comes v4-mapped.
static inline struct xy_addr xy_inner_src(const uint8_t *pkt, uint8_t version)
{
	struct xy_addr a;
	if (version == 4)
		return xy_addr_from_v4(xy_be32_load(pkt + 12));
	memcpy(a.b, pkt + 8, sizeof(a.b));
	return a;
}
static inline struct xy_addr xy_inner_dst(const uint8_t *pkt, uint8_t version)
{
	struct xy_addr a;
	if (version == 4)
		return xy_addr_from_v4(xy_be32_load(pkt + 16));
	memcpy(a.b, pkt + 24, sizeof(a.b));
	return a;
}
// One hop less, with IPv4's checksum updated (RFC 1624). hop limit must be > 0.
void xy_inner_hop_v4(uint8_t *pkt);
static inline void xy_inner_hop(uint8_t *pkt, uint8_t version)
{
	if (version == 6)
		pkt[7]--;
	else
		xy_inner_hop_v4(pkt);
}
// And no more than so many, likewise.
void xy_inner_hops_limit(uint8_t *pkt, uint8_t version, uint8_t most);
// RFC 6040 (normal mode): the outer header's ECN for a packet, and the inner's after opening.
// _decap changes the packet; false = drop it (outer CE over inner not-ECT).
static inline uint8_t xy_ecn_encap(const uint8_t *pkt, uint8_t version)
{
	return (uint8_t)(pkt[1] >> (version == 4 ? 0 : 4)) & XY_ECN_MASK; // TOS; traffic class
}
bool xy_ecn_decap(uint8_t *pkt, uint8_t version, uint8_t outer_ecn);

// Ones' complement sums. _add accumulates (32-bit, unfolded), _fold finishes and complements.
uint32_t xy_csum_add(uint32_t sum, const void *data, size_t len);
uint16_t xy_csum_fold(uint32_t sum); // network order as stored
uint32_t xy_csum_pseudo(const struct xy_addr *src, const struct xy_addr *dst, uint8_t protocol,
			uint32_t len); // both v4-mapped: IPv4's pseudo header
