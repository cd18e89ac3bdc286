// SPDX-License-Identifier: BSD-3-Clause
// ICMP errors about a packet (RFC 792, RFC 1812 section 4.3, RFC 4443). Any thread.
#pragma once

#include "wire/inet.h"

enum xy_icmp_error {
	XY_ICMP_TIME_EXCEEDED,	  // v4 11/0, v6 3/0
	XY_ICMP_NO_ROUTE,	  // v4 3/0, v6 1/0
	XY_ICMP_PROHIBITED,	  // v4 3/13, v6 1/1
	XY_ICMP_ADDR_UNREACHABLE, // v4 3/1, v6 1/3
	XY_ICMP_TOO_BIG,	  // v4 3/4 with the MTU, v6 2/0
};

#define XY_ICMP_ERROR_MAX 1280 // v6: as much of the packet as fits in the minimum MTU; v4: 576

// Must an error about this packet be sent at all? Not about ICMP errors, not about fragments other
// than the first, not to multicast or broadcast, not to an unspecified source (RFC 1122 3.2.2, RFC
// 4443 2.4(e)).
bool xy_icmp_may_answer(const uint8_t *pkt, size_t len);
// Is it an ICMP error, or a chain of headers so long that it may be one? about: the destination of
// the packet that it quotes; unspecified where that is not to be seen. Not asked of later
// fragments. Of a packet that xy_inner_parse took.
bool xy_icmp_is_error(const uint8_t *pkt, size_t len, struct xy_addr *about);
// Writes a whole IP packet from `from` (v4-mapped for an IPv4 packet) to the packet's source into
// out (XY_ICMP_ERROR_MAX bytes). mtu: for TOO_BIG. Returns its length, or 0 when none may be sent.
size_t xy_icmp_error_build(enum xy_icmp_error error, uint32_t mtu, const struct xy_addr *from,
			   const uint8_t *pkt, size_t len, uint8_t out[static XY_ICMP_ERROR_MAX]);
