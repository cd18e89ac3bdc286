// SPDX-License-Identifier: BSD-3-Clause
// The outside of what is sealed from end to end: an IPv6 header with next header 253 before a
// WireGuard message, and the ICMPv6 errors that relays send about it (docs/wire-format.md). Any
// thread; the bytes belong to the caller.
#pragma once

#include "noise/wg.h"
#include "wire/inet.h"

// Each link between nodes carries this, and each path of them: 1280 inside what is sealed.
enum { XY_E2E_MTU_MIN = XY_IPV6_MIN_MTU + XY_E2E_OVERHEAD };

enum { XY_E2E_HOPS = 64 }; // of what carries no packet: keepalives, handshakes

struct xy_e2e_header {
	struct xy_addr src, dst; // node addresses
	uint16_t len;		 // of the message
	uint8_t hops, ecn;
	uint32_t flow; // 20 bits
};

void xy_e2e_header_write(const struct xy_e2e_header *h, uint8_t out[static XY_IPV6_LEN]);

// Of an IPv6 packet that xy_inner_parse took.
static inline bool xy_e2e_is_sealed(const uint8_t *pkt)
{
	return pkt[6] == XY_PROTO_E2E;
}

// Is it sealed data, for an IP packet of `len` bytes that xy_inner_parse need not have taken?
// Whoever has the destination's key opens it whole, or not at all.
static inline bool xy_e2e_is_data(const uint8_t *pkt, size_t len)
{
	return len >= XY_IPV6_LEN + XY_WG_DATA_OVERHEAD && pkt[0] >> 4 == 6 &&
	       xy_e2e_is_sealed(pkt) && pkt[XY_IPV6_LEN] == XY_WG_DATA;
}

// Is it an ICMPv6 error whose receiver had sent what it quotes, and that was sealed? Nothing else
// of it is checked.
bool xy_e2e_is_about_sealed(const uint8_t *pkt, size_t len);

// Such an error, read by who sealed.
struct xy_e2e_quote {
	uint8_t type, code;
	uint32_t mtu;	     // type 2; as it came
	struct xy_addr from; // who says so
	struct xy_addr dst;  // whom the quoted packet was for
	uint32_t flow;	     // its label
	uint32_t receiver;   // index in it, as on the wire
	uint64_t counter;
	const uint8_t *box; // its ciphertext: so much as was quoted, without the tag
	size_t box_len;
	size_t sealed_len; // and so much as there was: padded overlay packet
};

// 0; -EBADMSG: no error about a transport message, or too little of it.
int xy_e2e_quote_parse(const uint8_t *pkt, size_t len, struct xy_e2e_quote *out);
