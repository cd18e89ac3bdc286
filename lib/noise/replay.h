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

// The word of the highest counter is beside it, so that packets in order touch the bitmap once in
// 64: its own place there is stale until a higher word comes.
struct xy_replay {
	uint64_t next; // one above the highest counter seen; 0 = none yet
	uint64_t top;  // the word of next - 1
	uint64_t bitmap[XY_REPLAY_WORDS];
};

// A higher word becomes the top: the one before goes to its place, the words between are cleared,
// all of them at most.
static inline void xy_replay_advance(struct xy_replay *r, uint64_t top, uint64_t word)
{
	uint64_t between = word - top - 1;
	r->bitmap[top % XY_REPLAY_WORDS] = r->top;
	if (between > XY_REPLAY_WORDS)
		between = XY_REPLAY_WORDS;
	for (uint64_t i = 1; i <= between; i++)
		r->bitmap[(top + i) % XY_REPLAY_WORDS] = 0;
	r->top = 0;
}

// True when the counter is new and inside the window; it is then marked. Call only after the tag
// was found right. reject: counters at or above it are refused (REJECT_AFTER_MESSAGES).
static inline bool xy_replay_accept(struct xy_replay *r, uint64_t counter, uint64_t reject)
{
	if (counter >= reject)
		return false;
	uint64_t word = counter / 64, top = r->next ? (r->next - 1) / 64 : 0;
	if (counter >= r->next) {
		if (word != top)
			xy_replay_advance(r, top, word);
		r->next = counter + 1;
		top = word;
	} else if (r->next - 1 - counter >= XY_REPLAY_WINDOW) {
		return false;
	}
	uint64_t bit = UINT64_C(1) << (counter % 64);
	uint64_t *at = word == top ? &r->top : &r->bitmap[word % XY_REPLAY_WORDS];
	if (*at & bit)
		return false;
	*at |= bit;
	return true;
}
