// SPDX-License-Identifier: BSD-3-Clause
#include "pace.h"
#include "unit.h"

static void test_first_at_once(void)
{
	struct xy_pace p = {0};
	xy_nsec now = 1000 * XY_SEC;
	CU_ASSERT_EQUAL(xy_pace_due(&p, now), now + XY_PACE_SETTLE);
	xy_pace_done(&p, now);
	now += XY_PACE_QUIET; // and after a quiet time again
	CU_ASSERT_EQUAL(xy_pace_due(&p, now), now + XY_PACE_SETTLE);
	CU_ASSERT(!xy_pace_is_fight(&p, now));
	xy_pace_done(&p, now);
	CU_ASSERT_EQUAL(p.times, 1);
}

// Undone each time in the moment it was done, for an hour.
static void test_fight(void)
{
	struct xy_pace p = {0};
	xy_nsec now = 5, waited = 0;
	unsigned done = 0;
	while (now < 3600 * XY_SEC) {
		xy_nsec due = xy_pace_due(&p, now);
		CU_ASSERT(due - now >= (waited < XY_PACE_MOST ? waited : XY_PACE_MOST));
		CU_ASSERT(due - now <= XY_PACE_MOST);
		waited = due - now;
		now = due;
		xy_pace_done(&p, now);
		done++;
		CU_ASSERT_EQUAL(xy_pace_is_fight(&p, now), done >= XY_PACE_FIGHT);
	}
	CU_ASSERT_EQUAL(waited, XY_PACE_MOST);
	CU_ASSERT(done > 60 && done < 80);
	CU_ASSERT(!xy_pace_is_fight(&p, now + XY_PACE_QUIET));
}

XY_UNIT_MAIN("pace", {"the first at once", test_first_at_once}, {"a fight", test_fight})
