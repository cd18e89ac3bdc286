// SPDX-License-Identifier: BSD-3-Clause
// The state file itself: its text, reading and writing it. Text, a line each, the sum last:
//
//   xylem-state-v1
//   epoch 1763712000
//   stamp 400000006920a2801e000000            TAI64N, hex
//   pin KEY 203.0.113.5:51820                 the endpoint as the config has it
//   endpoint KEY [2001:db8::1]:51820
//   sum 64 HEX DIGITS                         BLAKE2b-256 over all bytes before this line
//
// Values belong to whoever holds the struct, until xy_statefile_free. Writing is for any
// thread, and for a helper: ten thousand endpoints are tens of milliseconds of text.
#pragma once

#include "state/state.h"

#define XY_STATEFILE_NAME "state"

struct xy_statefile_pin {
	char endpoint[XY_STATE_ENDPOINT_LEN];
	struct xy_key key;
};

struct xy_statefile_place {
	struct xy_key key;
	struct xy_endpoint at;
};

struct xy_statefile {
	uint32_t epoch; // 0: none
	uint8_t stamp[XY_WG_TAI64N_LEN];
	unsigned pins;
	struct xy_statefile_pin *pin; // [pins]
	unsigned places, place_room;
	struct xy_statefile_place *place; // [places], sorted by key
};

// Reads folder/state. No file is no loss. A file that is no state of ours gives an empty struct and
// the reason in why, and is put aside as state.lost.
int xy_statefile_load(const char *folder, struct xy_statefile *out, struct xy_err *why);
// The text of a file, as read. -EINVAL with the reason; out is empty then.
int xy_statefile_parse(const void *text, size_t len, struct xy_statefile *out, struct xy_err *why);
// Writes folder/state: beside, synced, renamed.
int xy_statefile_write(const char *folder, const struct xy_statefile *f, struct xy_err *err);
int xy_statefile_copy(const struct xy_statefile *f, struct xy_statefile *out); // -ENOMEM
void xy_statefile_free(struct xy_statefile *f);

int xy_statefile_pin_add(struct xy_statefile *f, const char *endpoint, const struct xy_key *key);
// True when it is there; *at is its place, or where it would stand.
bool xy_statefile_place_find(const struct xy_statefile *f, const struct xy_key *key, unsigned *at);
int xy_statefile_place_put(struct xy_statefile *f, const struct xy_key *key,
			   const struct xy_endpoint *at);
