// SPDX-License-Identifier: BSD-3-Clause
// The anti-replay window of RFC 6479 over 64-bit counters: 8192 bits, of which 8128 are usable, as
// in WireGuard. One writer: the session's receive owner. Inline: it is on the packet path.
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
	XY_REPLAY_BITS = 8192,
	XY_REPLAY_WORDS = XY_REPLAY_BITS / 64,
	XY_REPLAY_WINDOW = XY_REPLAY_BITS - 64, // 8128
};

struct xy_replay {
	uint64_t next; // one above the highest counter seen; 0 = none yet
	uint64_t bitmap[XY_REPLAY_WORDS];
};

// True when the counter is new and inside the window; it is then marked. Call only after the tag
// was found right. reject: counters at or above it are refused (REJECT_AFTER_MESSAGES).
static inline bool xy_replay_accept(struct xy_replay *r, uint64_t counter, uint64_t reject)
{
	if (counter >= reject)
		return false;
	uint64_t word = counter / 64;
	if (counter >= r->next) {
		// Clear the words that come into the window; at most all of them.
		uint64_t top = r->next ? (r->next - 1) / 64 : 0;
		uint64_t fresh = word - top;
		if (fresh > XY_REPLAY_WORDS)
			fresh = XY_REPLAY_WORDS;
		for (uint64_t i = 1; i <= fresh; i++)
			r->bitmap[(top + i) % XY_REPLAY_WORDS] = 0;
		r->next = counter + 1;
	} else if (r->next - 1 - counter >= XY_REPLAY_WINDOW) {
		return false;
	}
	uint64_t bit = UINT64_C(1) << (counter % 64);
	uint64_t *at = &r->bitmap[word % XY_REPLAY_WORDS];
	if (*at & bit)
		return false;
	*at |= bit;
	return true;
}
