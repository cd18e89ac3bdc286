// SPDX-License-Identifier: BSD-3-Clause
// What time it is, by the TSC between two looks at the kernel's clock: that costs some 50 cycles
// even without a system call, and a turn that finds one packet has read the TSC already. Never
// further than a millisecond from a look, and not across a sleep, so a TSC that runs at another
// speed, or stops with its CPU, misleads no longer than that. A worker's own; on given time.
#pragma once

#include "base/time.h"

#include <stdbool.h>
#include <stdint.h>

struct xy_clock {
	uint64_t tsc;	// at the last look
	uint64_t most;	// so many later it says nothing; 0: no look yet
	uint64_t scale; // ns in one, of 2^32
	xy_nsec at;	// what the look said
};

static inline void xy_clock_begin(struct xy_clock *c, uint64_t tsc_hz)
{
	*c = (struct xy_clock){.scale = ((uint64_t)XY_SEC << 32) / tsc_hz};
}

static inline void xy_clock_look(struct xy_clock *c, uint64_t tsc, xy_nsec at)
{
	c->tsc = tsc;
	c->at = at;
	c->most = ((uint64_t)XY_MSEC << 32) / c->scale;
}

// Before a sleep, whose length the TSC need not know.
static inline void xy_clock_forget(struct xy_clock *c)
{
	c->most = 0;
}

// False: look.
static inline bool xy_clock_tells(const struct xy_clock *c, uint64_t tsc, xy_nsec *now)
{
	uint64_t since = tsc - c->tsc; // one that began anew is far ahead
	if (since >= c->most)
		return false;
	*now = c->at + (xy_nsec)(since * c->scale >> 32);
	return true;
}
