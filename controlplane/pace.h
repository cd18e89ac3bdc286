// SPDX-License-Identifier: BSD-3-Clause
// How soon what somebody undid is done again: at once, so that a restarted network manager costs
// nothing, but when it is undone again and again ever later, so that two who disagree do not fight
// for ever. Pure; memory is the caller's.
#pragma once

#include "base/time.h"

#include <stdbool.h>

#define XY_PACE_SETTLE (50 * XY_MSEC) // changes come in bursts
#define XY_PACE_MOST   (60 * XY_SEC)
#define XY_PACE_QUIET  (2 * XY_PACE_MOST) // after that the next is the first again

enum {
	XY_PACE_FREE = 3,  // a network manager may take several turns
	XY_PACE_FIGHT = 8, // so often, with no quiet time between, is no accident
};

struct xy_pace {
	unsigned times;
	xy_nsec last;
};

// When what is asked for now may be done; never before it has settled.
static inline xy_nsec xy_pace_due(const struct xy_pace *p, xy_nsec now)
{
	xy_nsec soonest = now + XY_PACE_SETTLE, wait = 0;
	unsigned late = p->times > XY_PACE_FREE ? p->times - XY_PACE_FREE : 0;
	if (late && now - p->last < XY_PACE_QUIET)
		wait = late < 8 ? (XY_SEC / 2) << (late - 1) : XY_PACE_MOST;
	wait = wait < XY_PACE_MOST ? wait : XY_PACE_MOST;
	return p->last + wait > soonest ? p->last + wait : soonest;
}

static inline void xy_pace_done(struct xy_pace *p, xy_nsec now)
{
	if (now - p->last >= XY_PACE_QUIET)
		p->times = 0;
	p->times++;
	p->last = now;
}

static inline bool xy_pace_is_fight(const struct xy_pace *p, xy_nsec now)
{
	return p->times >= XY_PACE_FIGHT && now - p->last < XY_PACE_QUIET;
}
