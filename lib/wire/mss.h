// SPDX-License-Identifier: BSD-3-Clause
// The size of segments that a TCP handshake asks for (RFC 9293 section 3.7.1), held down to what a
// path carries: hosts behind a gateway know their own link's size alone, and what would tell them
// of a smaller one is filtered often enough (RFC 2923). Any thread; the bytes belong to the caller.
#pragma once

#include "wire/inet.h"

enum { XY_TCP_LEN = 20, XY_TCP_SYN = 0x02 };

// In a whole packet that xy_inner_parse took, which is a SYN: no more than what makes IP packets of
// `most` bytes, the checksum updated. True: it was more. Without the option nothing is done: then
// senders take 536 or 1220 bytes.
bool xy_mss_clamp_syn(uint8_t *pkt, size_t len, uint8_t version, uint32_t most);

// The same of any packet: most are told apart by two bytes.
static inline bool xy_mss_clamp(uint8_t *pkt, size_t len, uint8_t version, uint32_t most)
{
	size_t at = version == 6 ? XY_IPV6_LEN : (pkt[0] & 0xfU) * 4U;
	if (pkt[version == 6 ? 6 : 9] != XY_PROTO_TCP || len < at + XY_TCP_LEN ||
	    !(pkt[at + 13] & XY_TCP_SYN))
		return false;
	return xy_mss_clamp_syn(pkt, len, version, most);
}
