// SPDX-License-Identifier: BSD-3-Clause
#include "tick.h"
#include "unit.h"

// At whole seconds, whenever the last one ended; even ones where the node rests.
static void test_when(void)
{
	struct xy_tick t = {0};
	xy_tick_arm(&t, false, 7 * XY_SEC + 1, 100);
	CU_ASSERT_EQUAL(t.at, 8 * XY_SEC);
	CU_ASSERT_EQUAL(t.due, 100 + XY_SEC - 1);
	xy_tick_arm(&t, false, 8 * XY_SEC, 0);
	CU_ASSERT_EQUAL(t.at, 9 * XY_SEC);
	xy_tick_arm(&t, true, 8 * XY_SEC + 1, 0);
	CU_ASSERT_EQUAL(t.at, 10 * XY_SEC);
	xy_tick_arm(&t, true, 9 * XY_SEC - 1, 0);
	CU_ASSERT_EQUAL(t.at, 10 * XY_SEC);
}

// Seconds are counted by the clock, not by ticks: rounded, for a tick comes a little late.
static void test_passed(void)
{
	struct xy_tick t = {0};
	xy_nsec now = 50 * XY_SEC;
	xy_tick_begin(&t, now);
	CU_ASSERT_EQUAL(t.passed, 1);
	xy_tick_begin(&t, now += XY_SEC / 4); // never none
	CU_ASSERT_EQUAL(t.passed, 1);
	xy_tick_begin(&t, now += XY_SEC * 3 / 2 - 1);
	CU_ASSERT_EQUAL(t.passed, 1);
	xy_tick_begin(&t, now += XY_SEC * 3 / 2);
	CU_ASSERT_EQUAL(t.passed, 2);
	xy_tick_begin(&t, now += 3600 * XY_SEC);
	CU_ASSERT_EQUAL(t.passed, 3600);
	CU_ASSERT_EQUAL(t.seconds, 3605);
}

// Once in ten seconds, also where no tick falls on the tenth; a share in each second.
static void test_every_and_share(void)
{
	static const unsigned step[] = {1, 2, 3};
	for (unsigned i = 0; i < 3; i++) {
		struct xy_tick t = {0};
		unsigned times = 0, share = 0;
		for (xy_nsec now = XY_SEC; now <= 600 * XY_SEC; now += step[i] * XY_SEC) {
			xy_tick_begin(&t, now);
			times += xy_tick_every(&t, 10);
			if (now > XY_SEC)
				share += xy_tick_share(&t, 7);
		}
		CU_ASSERT_EQUAL(times, t.seconds / 10);
		CU_ASSERT(times >= 59);
		CU_ASSERT_EQUAL(share, (t.seconds - 1) / step[i] * 7 * (step[i] < 2 ? 1 : 2));
	}
}

XY_UNIT_MAIN("tick", {"when", test_when}, {"passed", test_passed},
	     {"every, and share", test_every_and_share})
