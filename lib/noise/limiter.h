// SPDX-License-Identifier: BSD-3-Clause
// What strangers may cost us. Two things, both on given time and of constant size:
//
// xy_limiter: a token bucket per source (an IPv4 address, an IPv6 /64, a link-local IPv6 address):
// for handshake messages that carry a right cookie, as WireGuard's, 20 a second, 5 at once. Where
// its table has no room for one more busy source, that source is refused: what we hold and what we
// do stay bounded.
//
// xy_bucket: one for all sources.
//
// xy_load: one bucket over all strangers. When it runs dry we are under load, until a second has
// passed in which it did not: then only who shows a cookie is served.
//
// One thread each; the memory is the caller's (xy_limiter is 64 KB: not for a stack).
#pragma once

#include "base/ip.h"
#include "base/time.h"

enum {
	XY_LIMITER_RATE = 20, // a second
	XY_LIMITER_BURST = 5,
	XY_LIMITER_WAYS = 8,
	XY_LIMITER_SETS = 512,
};
#define XY_LOAD_HOLD (1 * XY_SEC)

// A bucket is one time: when it will be full again. In the past, it says no more than no bucket.
struct xy_limiter_bucket {
	uint64_t source;
	xy_nsec full_at;
};

struct xy_limiter {
	uint8_t key[16]; // random: nobody chooses whose set he falls into
	xy_nsec cost, depth;
	struct xy_limiter_bucket set[XY_LIMITER_SETS][XY_LIMITER_WAYS];
};

struct xy_bucket {
	xy_nsec cost;	 // of one message: 1 s / rate
	xy_nsec depth;	 // burst * cost
	xy_nsec full_at; // as above
};

struct xy_load {
	xy_nsec cost;	 // of one message: 1 s / rate
	xy_nsec depth;	 // burst * cost
	xy_nsec full_at; // as above
	xy_nsec until;	 // under load until then; 0 = never was
};

// Whom an address counts as: its /64; an IPv4 address is one, and of a link-local one what is not
// the same for all.
uint64_t xy_limiter_source(const struct xy_addr *a);
void xy_limiter_init(struct xy_limiter *l, const uint8_t key[static 16]);
// A message each `interval`, `burst` at once, in place of the above.
void xy_limiter_init_rate(struct xy_limiter *l, const uint8_t key[static 16], xy_nsec interval,
			  unsigned burst);
// Takes a token of the source; false when it has none left, or no room was found for it.
bool xy_limiter_take(struct xy_limiter *l, const struct xy_addr *src, xy_nsec now);

void xy_bucket_init(struct xy_bucket *b, xy_nsec interval, unsigned burst);
bool xy_bucket_take(struct xy_bucket *b, xy_nsec now); // false: none left

// rate (a second) and burst are at least 1.
void xy_load_init(struct xy_load *l, unsigned rate, unsigned burst);
// Counts a stranger's message. True: under load, so a cookie is needed.
bool xy_load_take(struct xy_load *l, xy_nsec now);
bool xy_load_is(const struct xy_load *l, xy_nsec now);
