// SPDX-License-Identifier: BSD-3-Clause
// Packets into a pcapng file (draft-ietf-opsawg-pcapng), for tcpdump, tshark and Wireshark: raw IP
// (LINKTYPE_RAW), nanoseconds, an interface for each place. One thread.
#pragma once

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct xy_pcapng;

enum xy_pcapng_direction { XY_PCAPNG_NONE, XY_PCAPNG_IN, XY_PCAPNG_OUT };

struct xy_pcapng_packet {
	const char *interface; // a new name is a new interface
	int64_t at;	       // ns since 1970
	enum xy_pcapng_direction direction;
	const char *comment; // NULL: none
	const uint8_t *data; // from its IP header on
	size_t caplen, len;  // of the packet: as it stands in data, and as it was
};

// to: who opened it closes it. -EIO: it cannot be written.
int xy_pcapng_begin(FILE *to, struct xy_pcapng **out, struct xy_err *err);
int xy_pcapng_put(struct xy_pcapng *p, const struct xy_pcapng_packet *packet, struct xy_err *err);
// So many more were there, and lost; behind the last packet.
int xy_pcapng_lost(struct xy_pcapng *p, uint64_t lost, struct xy_err *err);
void xy_pcapng_end(struct xy_pcapng *p); // NULL: nothing
