// SPDX-License-Identifier: BSD-3-Clause
// When a worker counts as stuck, and when the service manager hears that all is well.
#include "unit.h"
#include "watchdog.h"

#include <stdio.h>
#include <unistd.h>

static void test_stuck_and_free(void)
{
	struct xy_watchdog w;
	xy_watchdog_init(&w, NULL, NULL, 100 * XY_SEC);
	static const struct {
		unsigned at; // s
		uint64_t walks;
		enum xy_watchdog_news want;
		bool asleep, stuck;
	} steps[] = {
		{100, 0, XY_WATCHDOG_SAME},
		{101, 5, XY_WATCHDOG_SAME},
		{102, 6, XY_WATCHDOG_SAME},
		{106, 6, XY_WATCHDOG_SAME},
		{107, 6, XY_WATCHDOG_GOT_STUCK, .stuck = true},
		{108, 6, XY_WATCHDOG_SAME, .stuck = true},
		{109, 7, XY_WATCHDOG_GOT_FREE},
		{110, 8, XY_WATCHDOG_SAME},
		{120, 8, XY_WATCHDOG_SAME, .asleep = true},
		{125, 8, XY_WATCHDOG_GOT_STUCK, .asleep = true,
		 .stuck = true}, // it is never let run
		{126, 9, XY_WATCHDOG_GOT_FREE},
		{140, 9, XY_WATCHDOG_SAME, .asleep = true},
		{142, 9, XY_WATCHDOG_GOT_STUCK, .asleep = true, .stuck = true},
		{150, 10, XY_WATCHDOG_GOT_FREE, .asleep = true},
		{154, 10, XY_WATCHDOG_SAME}, // woken, and not yet there
		{155, 10, XY_WATCHDOG_GOT_STUCK, .stuck = true},
		{156, 10, XY_WATCHDOG_GOT_FREE, .asleep = true},
	};
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		CU_ASSERT_EQUAL(xy_watchdog_see(&w, 1, steps[i].walks, steps[i].asleep,
						steps[i].at * XY_SEC),
				steps[i].want);
		CU_ASSERT_EQUAL(xy_watchdog_stuck(&w, 2), steps[i].stuck);
	}
}

static void test_pings(void)
{
	struct xy_watchdog w;
	char pid[32];
	snprintf(pid, sizeof(pid), "%d", getpid());
	xy_watchdog_init(&w, "4000000", pid, 0); // 4 s: a ping every 2 s
	CU_ASSERT(!xy_watchdog_ping_due(&w, 1, XY_SEC));
	CU_ASSERT(xy_watchdog_ping_due(&w, 1, 2 * XY_SEC));
	CU_ASSERT(!xy_watchdog_ping_due(&w, 1, 3 * XY_SEC));
	xy_watchdog_see(&w, 0, 0, false, 6 * XY_SEC);
	CU_ASSERT(!xy_watchdog_ping_due(&w, 1, 6 * XY_SEC)); // stuck: let it run out
	xy_watchdog_see(&w, 0, 1, false, 7 * XY_SEC);
	CU_ASSERT(xy_watchdog_ping_due(&w, 1, 7 * XY_SEC));
}

static void test_environment(void)
{
	static const char *const odd[] = {"", "x", "12x", "0"};
	struct xy_watchdog w;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		xy_watchdog_init(&w, odd[i], NULL, 0);
		CU_ASSERT_EQUAL(w.interval, 0);
	}
	xy_watchdog_init(&w, "4000000", "1", 0); // for another process
	CU_ASSERT_EQUAL(w.interval, 0);
}

XY_UNIT_MAIN("watchdog", {"stuck and free again", test_stuck_and_free},
	     {"pings to the service manager", test_pings}, {"odd environment", test_environment})
