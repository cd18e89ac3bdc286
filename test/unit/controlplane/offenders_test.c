// SPDX-License-Identifier: BSD-3-Clause
// Whose was what the control plane dropped: who has a record keeps it, until he was quiet for long
// and another needs it; who finds none is counted; strangers are one record.
#include "offenders.h"
#include "unit.h"

#include <stdlib.h>

static struct xy_offenders o;

static void add(uint32_t of, xy_nsec when)
{
	const struct xy_offence x = {.of = of, .when = when};
	xy_offenders_add(&o, 3, &x);
}

// What is counted of one; 0: he has no record, UINT64_MAX: several.
static uint64_t packets_of(uint32_t of)
{
	struct xy_dp_blame *v;
	unsigned n;
	uint64_t found = 0;
	CU_ASSERT_FATAL(xy_offenders_list(&o, 3, &v, &n) == 0);
	for (unsigned i = 0; i < n; i++)
		if (v[i].of == of)
			found = found ? UINT64_MAX : v[i].packets;
	free(v);
	return found;
}

static void test_room(void)
{
	xy_nsec now = 1000 * XY_SEC;
	CU_ASSERT_FATAL(xy_offenders_init(&o) == 0);
	for (uint32_t of = 0; of < XY_OFFENDERS; of++)
		add(of, now);
	add(XY_OFFENDERS, now + 599 * XY_SEC); // all have lost something lately
	CU_ASSERT(packets_of(XY_OFFENDERS) == 0 && xy_offenders_no_room(&o, 3) == 1);
	add(XY_DP_OF_STRANGER, now);
	CU_ASSERT(packets_of(XY_DP_OF_STRANGER) == 1 && xy_offenders_no_room(&o, 3) == 1);
	add(0, now + 500 * XY_SEC);
	now += 601 * XY_SEC;
	for (uint32_t i = 0; i < XY_OFFENDERS - 1; i++) // all but that one are quiet
		add(XY_OFFENDERS + i, now);
	CU_ASSERT_EQUAL(xy_offenders_no_room(&o, 3), 1);
	CU_ASSERT(packets_of(0) == 2 && packets_of(1) == 0);
	CU_ASSERT(packets_of(XY_OFFENDERS) == 1 && packets_of(2 * XY_OFFENDERS - 2) == 1);
	add(5, now);
	CU_ASSERT(packets_of(5) == 0 && xy_offenders_no_room(&o, 3) == 2);
	xy_offenders_forget(&o, 0);
	add(5, now);
	CU_ASSERT(packets_of(0) == 0 && packets_of(5) == 1);
	CU_ASSERT_EQUAL(xy_offenders_packets(&o, 3), 2 * XY_OFFENDERS + 4);
	for (uint32_t of = 0; of < 3 * XY_OFFENDERS; of++)
		xy_offenders_forget(&o, of);
	CU_ASSERT_EQUAL(o.place.count, 0);
	xy_offenders_fini(&o);
}

XY_UNIT_MAIN("offenders", {"room", test_room})
