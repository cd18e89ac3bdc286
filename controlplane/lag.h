// SPDX-License-Identifier: BSD-3-Clause
// How late the loop is: one sample per tick, the worst of that tick (a timer that came late, or one
// turn of the loop that took long), kept for a minute. Ticks go by the given time, also those in
// which nothing happened. Control thread only.
#pragma once

#include "base/time.h"

#define XY_LAG_TICK (100 * XY_MSEC)
enum { XY_LAG_SAMPLES = 600 };

struct xy_lag {
	xy_nsec sample[XY_LAG_SAMPLES];
	unsigned at, count;
	xy_nsec worst; // of the present tick
	xy_nsec ends;  // the present tick; 0: none began
};

// Something took this long, or came this late.
void xy_lag_note(struct xy_lag *lag, xy_nsec late, xy_nsec now);
// Of the ticks that ended.
void xy_lag_get(const struct xy_lag *noted, xy_nsec now, xy_nsec *p99, xy_nsec *max);
