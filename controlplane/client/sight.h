// SPDX-License-Identifier: BSD-3-Clause
// A captured packet as people see it: what /xylem/capture_next tells of one, as raw IP (a datagram
// gets the headers that it was sent with) and as a line. One thread.
#pragma once

#include "base/ip.h"
#include "client/pcapng.h"

#include <jansson.h>

enum { XY_SIGHT_DATA = 65536 + 64, XY_SIGHT_LINE = 320 };

struct xy_sight {
	int64_t at;	   // ns since 1970
	char place[32];	   // "port 0", "links", "host", "drops"
	char comment[160]; // "peer r1, drop spoofed", or ""
	char word[16];	   // "rx", "in", ...; of a drop "drop"
	enum xy_pcapng_direction direction;
	size_t caplen, len; // as raw IP
	uint8_t data[XY_SIGHT_DATA];
};

// -EBADMSG: it is no such packet.
int xy_sight_take(const json_t *packet, struct xy_sight *out);
// Writes it behind what the file has; as xy_pcapng_put.
int xy_sight_put(const struct xy_sight *s, struct xy_pcapng *f, struct xy_err *err);
// Time, where it was, who from, who to, what: one line without control characters or newline.
void xy_sight_line(const struct xy_sight *s, char to[static XY_SIGHT_LINE]);
