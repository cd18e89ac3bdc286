// SPDX-License-Identifier: BSD-3-Clause
// Time is a number of nanoseconds on the monotonic clock, given by the caller: pure code has no
// clock, so tests run on virtual time. 0 means "never".
#pragma once

#include <stdint.h>

typedef uint64_t xy_nsec;

#define XY_USEC	 UINT64_C(1000)
#define XY_MSEC	 (1000 * XY_USEC)
#define XY_SEC	 (1000 * XY_MSEC)

#define XY_NEVER UINT64_MAX // a deadline that does not come

// How long ago it was; 0 if it is ahead, as another thread's look at the clock may be by some
// microseconds.
static inline xy_nsec xy_since(xy_nsec then, xy_nsec now)
{
	return now > then ? now - then : 0;
}
