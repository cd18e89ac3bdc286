// SPDX-License-Identifier: BSD-3-Clause
// A queue that was full stands for a minute after its last drop, with all that it lost without a
// minute's pause; what was counted before the first look is past.
#include "overload.h"
#include "unit.h"

static void test_queue(void)
{
	static const struct {
		unsigned at; // seconds
		uint64_t count, lost;
	} table[] = {
		{1, 100, 0}, // before the first look
		{2, 100, 0},	{3, 105, 5},   {30, 105, 5},  {50, 115, 15},
		{109, 115, 15}, {110, 115, 0}, {111, 115, 0}, {112, 116, 1}, // begins anew
	};
	struct xy_overload_queue q = {0};
	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		xy_nsec now = table[i].at * XY_SEC;
		xy_overload_see(&q, table[i].count, i > 0, now);
		CU_ASSERT_EQUAL(xy_overload_lost(&q, now), table[i].lost);
	}
	xy_overload_see(&q, 3, false, 113 * XY_SEC); // another port's
	CU_ASSERT_EQUAL(xy_overload_lost(&q, 113 * XY_SEC), 1);
}

XY_UNIT_MAIN("overload", {"a queue", test_queue})
