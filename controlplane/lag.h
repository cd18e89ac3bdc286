// SPDX-License-Identifier: BSD-3-Clause
// How late the loop is: one sample per tick, the worst of that tick (a timer that came late, or one
// turn of the loop that took long), kept for a minute. Ticks go by the given time, also those in
// which nothing happened. And the longest piece of each kind of work, in CPU time of the thread: so
// a machine that is busy with other things is told from work that is too long. Control thread only.
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

#define XY_WORKS(X)                                                    \
	X(EVENTS, events) /* from workers */                           \
	X(LINKS, links)	  /* timers, a plan's slices */                \
	X(ROUTING, routing)                                            \
	X(JOINING, joining)                                            \
	X(NODEINFO, nodeinfo)                                          \
	X(KERNEL, kernel)	      /* routes */                     \
	X(TICK, tick)		      /* what is done by the second */ \
	X(HOUSEKEEPING, housekeeping) /* of workers' old memory */     \
	X(RESULTS, results)	      /* of helpers */                 \
	X(TURN, turn)		      /* of the loop, whole */

enum xy_work {
#define X(NAME, name) XY_WORK_##NAME,
	XY_WORKS(X)
#undef X
		XY_WORK_COUNT
};
extern const char *const xy_work_name[XY_WORK_COUNT];

struct xy_works {
	xy_nsec longest[XY_WORK_COUNT]; // since the start
	xy_nsec turn;			// CPU time at the turn's begin; 0: none began
};

xy_nsec xy_work_begin(void); // the thread's CPU time: a system call
void xy_work_end(struct xy_works *w, enum xy_work kind, xy_nsec began);
void xy_work_turn(struct xy_works *w); // one ends, another begins
