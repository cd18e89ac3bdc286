// SPDX-License-Identifier: BSD-3-Clause
// What is done by the second: when, and how much of it. A tick is each second, or each other one
// where hardly anything is carried; after a suspend it may have been hours. Control thread.
#pragma once

#include "base/time.h"

#include <stdbool.h>

#define XY_TICK_REST (2 * XY_SEC)

struct xy_tick {
	xy_nsec at, ran;
	xy_nsec due;		  // as xy_awake
	uint32_t seconds, passed; // so far; since the last one
};

// At whole seconds, when links and routing look around as well: one wake-up does for all.
static inline void xy_tick_arm(struct xy_tick *t, bool rests, xy_nsec now, xy_nsec awake)
{
	xy_nsec every = rests ? XY_TICK_REST : XY_SEC;
	t->at = now - now % every + every;
	t->due = awake + (t->at - now);
}

static inline void xy_tick_begin(struct xy_tick *t, xy_nsec now)
{
	xy_nsec passed = t->ran ? (now - t->ran + XY_SEC / 2) / XY_SEC : 1;
	t->passed = passed ? (uint32_t)passed : 1;
	t->seconds += t->passed;
	t->ran = now;
}

// For what is done once in so many seconds: is this the tick?
static inline bool xy_tick_every(const struct xy_tick *t, unsigned seconds)
{
	return t->seconds / seconds != (t->seconds - t->passed) / seconds;
}

// For what is done so many times a second, in turn: how many times now. A longer pause than of two
// seconds is not made up for in one piece.
static inline unsigned xy_tick_share(const struct xy_tick *t, unsigned a_second)
{
	return t->passed < 2 ? a_second : 2 * a_second;
}
