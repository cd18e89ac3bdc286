// SPDX-License-Identifier: BSD-3-Clause
// How long a worker that has nothing to do looks on before it sleeps. Longer is worth it only while
// packets come sooner than a sleep and its end cost, and while nobody else wants the CPU, so it is
// learned, as hypervisors learn how long to poll before they halt a guest (KVM's halt_poll_ns): a
// sleep that something ended at once makes it longer, one that was long makes it shorter. Never
// more than a wake-up costs. A worker's own; on given time.
#pragma once

#include "base/time.h"

#include <stdbool.h>

#define XY_SPIN_LEAST	 XY_USEC	 // one look at a socket and the TUN
#define XY_SPIN_SWITCHED (100 * XY_MSEC) // no spinning so long after others wanted the CPU
#define XY_SPIN_LOOK	 (10 * XY_MSEC)	 // between two looks at whether they do

struct xy_spin {
	xy_nsec most;  // what a wake-up costs
	xy_nsec now;   // what is worth it now
	xy_nsec until; // none until then: others want the CPU
	xy_nsec looked;
	long switched; // involuntary context switches of this thread, at the last look
};

// The worker slept, and something came `idle` after what came before. Of that the wake-up took its
// part.
static inline void xy_spin_slept(struct xy_spin *s, xy_nsec idle, xy_nsec now)
{
	if (idle > 2 * s->most)
		s->now = s->now > XY_SPIN_LEAST ? s->now / 2 : 0;
	else if (now >= s->until)
		s->now = s->now ? s->now * 2 : XY_SPIN_LEAST;
	if (s->now > s->most)
		s->now = s->most;
}

static inline bool xy_spin_look_due(const struct xy_spin *s, xy_nsec now)
{
	return s->now && now - s->looked >= XY_SPIN_LOOK;
}

// How often this thread had to leave its CPU to another, ever.
static inline void xy_spin_look(struct xy_spin *s, long switched, xy_nsec now)
{
	// What happened before the last look but one is long ago: no news.
	if (switched != s->switched && now - s->looked < XY_SPIN_SWITCHED) {
		s->now = 0;
		s->until = now + XY_SPIN_SWITCHED;
	}
	s->switched = switched;
	s->looked = now;
}
