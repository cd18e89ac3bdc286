// SPDX-License-Identifier: BSD-3-Clause
// An answer for DPDK's own telemetry socket, as xy_dp_telemetry_publish takes it: objects, numbers
// and ASCII text, of at most XY_OUTLINE_JSON bytes once it is JSON. What has no room is left out
// whole and counted. Any thread; owns nothing but what stands in it.
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum {
	XY_OUTLINE_JSON = 8192,
	XY_OUTLINE_MEMBERS = 250, // of one object; DPDK has room for 256
};

struct xy_outline {
	char text[XY_OUTLINE_JSON + 64]; // shorter than the JSON: no quotes
	size_t len;
	size_t json; // bytes that the answer will have
};

void xy_outline_init(struct xy_outline *o, const char *command);
// Puts the members of an object, or the elements of an array under their numbers. `depth` levels
// may be cut, with a member `left_out` that says how many members are missing; below those a value
// is there whole or not at all. False: it has no room.
bool xy_outline_members(struct xy_outline *o, const json_t *from, unsigned depth);
