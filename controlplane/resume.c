// SPDX-License-Identifier: BSD-3-Clause
#include "resume.h"

#include "daemon.h"

#define NOTED	(1 * XY_SEC)   // shorter ones are noticed by nobody
#define AT_ONCE (XY_SEC / 100) // clocks read in a longer time say nothing about each other

// How long the machine has been suspended in all; false: we were not let run for a moment.
static bool slept(xy_nsec *out)
{
	xy_nsec before = xy_awake(), now = xy_now();
	*out = now > before ? now - before : 0;
	return xy_awake() - before < AT_ONCE;
}

void xy_resume_look(struct xy_daemon *d)
{
	struct xy_resume *r = &d->resume;
	xy_nsec all;
	if (!slept(&all))
		return;
	if (!r->known)
		*r = (struct xy_resume){.slept = all, .known = true};
	if (all < r->slept + NOTED)
		return;
	xy_nsec pause = all - r->slept;
	bool long_one = pause >= d->limits.reject_after_time;
	r->slept = all;
	xy_log_info("resumed after %llu s of suspend%s",
		    (unsigned long long)((pause + XY_SEC / 2) / XY_SEC),
		    long_one ? ": links begin anew" : "");
	if (long_one)
		xy_links_renew(d->links);
	xy_loop_rearm(d); // its timers stood still
}
