// SPDX-License-Identifier: BSD-3-Clause
#include "wire/mss.h"

#include "base/bytes.h"

enum {
	TCP_OFFSET = 12,
	TCP_FLAGS = 13,
	TCP_CSUM = 16,
	OPTION_END = 0,
	OPTION_NOP = 1,
	OPTION_MSS = 2,
	OPTION_MSS_LEN = 4,
};

// Where TCP begins; 0: it is none, or not all of its header is at hand.
static size_t tcp_at(const uint8_t *pkt, size_t len, uint8_t version)
{
	struct xy_inner_ports ports;
	if (!xy_inner_ports(pkt, len, &ports) || ports.protocol != XY_PROTO_TCP)
		return 0;
	size_t at = version == 6 ? XY_IPV6_LEN : (pkt[0] & 0xfU) * 4U;
	return len >= at + XY_TCP_LEN ? at : 0;
}

// The option's place in TCP's header; 0: it has none.
static size_t option_at(const uint8_t *tcp, size_t end)
{
	for (size_t at = XY_TCP_LEN; at < end && tcp[at] != OPTION_END;) {
		if (tcp[at] == OPTION_NOP) {
			at++;
			continue;
		}
		if (at + 2 > end || tcp[at + 1] < 2 || at + tcp[at + 1] > end)
			return 0;
		if (tcp[at] == OPTION_MSS)
			return tcp[at + 1] == OPTION_MSS_LEN ? at : 0;
		at += tcp[at + 1];
	}
	return 0;
}

// RFC 1624, equation 3, of a word that may stand across two of the checksum's.
static void csum_update(uint8_t *csum, uint16_t was, uint16_t is, bool odd)
{
	if (odd) {
		was = (uint16_t)(was << 8 | was >> 8);
		is = (uint16_t)(is << 8 | is >> 8);
	}
	uint32_t sum = (uint16_t)~xy_be16_load(csum) + (uint32_t)(uint16_t)~was + is;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	xy_be16_store(csum, (uint16_t)~sum);
}

bool xy_mss_clamp_syn(uint8_t *pkt, size_t len, uint8_t version, uint32_t most)
{
	size_t at = tcp_at(pkt, len, version);
	if (!at || !(pkt[at + TCP_FLAGS] & XY_TCP_SYN) || most <= at + XY_TCP_LEN)
		return false;
	uint8_t *tcp = pkt + at;
	size_t end = (tcp[TCP_OFFSET] >> 4) * 4U;
	size_t option = end <= len - at ? option_at(tcp, end) : 0;
	uint32_t fits = most - (version == 6 ? XY_IPV6_LEN : XY_IPV4_MIN_LEN) - XY_TCP_LEN;
	if (!option || xy_be16_load(tcp + option + 2) <= fits)
		return false;
	csum_update(tcp + TCP_CSUM, xy_be16_load(tcp + option + 2), (uint16_t)fits, option % 2);
	xy_be16_store(tcp + option + 2, (uint16_t)fits);
	return true;
}
