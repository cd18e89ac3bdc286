// SPDX-License-Identifier: BSD-3-Clause
// A UDP datagram in an IPv6 packet without extension headers: what the control plane itself sends
// and takes inside the mesh (RFC 8200, RFC 768). Any thread; the bytes belong to the caller.
#pragma once

#include "wire/inet.h"

enum {
	XY_UDP6_HEADERS = XY_IPV6_LEN + XY_UDP_LEN,
	XY_UDP6_PAYLOAD = XY_IPV6_MIN_MTU - XY_UDP6_HEADERS, // 1232: goes through any link
};

struct xy_udp6 {
	struct xy_addr src, dst;
	uint16_t src_port, dst_port;
	uint8_t traffic_class, hop_limit;
	const void *data;
	size_t len;
};

// A whole packet, with its checksum checked: 0 or -EBADMSG. data points into pkt.
int xy_udp6_parse(const void *pkt, size_t len, struct xy_udp6 *out);
// Writes the packet; returns its length, or 0 when it does not fit into room.
size_t xy_udp6_build(const struct xy_udp6 *u, void *out, size_t room);
