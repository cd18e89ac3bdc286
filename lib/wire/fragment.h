// SPDX-License-Identifier: BSD-3-Clause
// Cutting an IPv4 packet that is larger than its next link into fragments, as routers do where the
// sender has not forbidden it (RFC 791 sections 2.3 and 3.2, RFC 1812 sections 4.2.2.7 and 5.2.6).
// What is cut may be a fragment itself. Any thread; the bytes belong to the caller.
#pragma once

#include "wire/inet.h"

enum { XY_IPV4_OPTIONS_MAX = 40 };

struct xy_fragment_cut {
	const uint8_t *pkt; // must stay as it is while fragments are made
	uint16_t total_len;
	uint16_t first_header, header; // bytes of the first fragment's header, and of the others'
	uint16_t first, each;	       // payload of the first, and of those between it and the last
	uint16_t count;
	uint16_t where;			      // the packet's own flags and offset
	uint8_t options[XY_IPV4_OPTIONS_MAX]; // of the others: those that are copied, padded
};

// May it be cut at all: IPv4, and DF is not set. A packet that xy_inner_parse took.
bool xy_fragment_allowed(const uint8_t *pkt, uint8_t version);
// How many fragments of at most mtu bytes the packet makes: as few as can be, 1 when it fits.
// -EBADMSG: a wrong header checksum (it would be made right), options that cannot be read, a length
// or an offset that no fragment can have; -EMSGSIZE: DF, or no 8 bytes of payload fit behind the
// header.
int xy_fragment_begin(struct xy_fragment_cut *cut, const uint8_t *pkt, size_t len, uint32_t mtu);
// Writes fragment i (from 0, in order) and returns its length; -ENOSPC when room is too small.
int xy_fragment_next(const struct xy_fragment_cut *cut, unsigned i, uint8_t *out, size_t room);
