// SPDX-License-Identifier: BSD-3-Clause
// Parts of the dataplane that need no graph: which pools there are, where threads may run, how long
// a worker spins.
#include "dp.h"
#include "eal.h"
#include "unit.h"
#include "wake.h"

// Machines that are not here: which pools, where, and how many buffers in each.
static void test_pools(void)
{
	enum { ANY = SOCKET_ID_ANY };
	static const struct {
		const char *name;
		uint32_t buffers, more;
		unsigned workers, devices;
		int worker[12], device[2];
		unsigned count;
		int node[XY_POOLS];
		uint32_t want[XY_POOLS];
	} rows[] = {
		{"one node", 0, 0, 2, 0, {ANY, ANY}, {0}, 1, {ANY}, {4095 + 2 * 4096}},
		{"one node, as told, and cards",
		 1000,
		 4096,
		 2,
		 1,
		 {ANY, ANY},
		 {ANY},
		 1,
		 {ANY},
		 {1000 + 4096}},
		{"pinned to one of two", 0, 10, 2, 0, {1, 1}, {0}, 1, {1}, {4095 + 2 * 4096 + 10}},
		{"two nodes", 0, 0, 2, 0, {0, 1}, {0}, 2, {0, 1}, {8191, 8191}},
		{"worker 0 on the second", 0, 0, 2, 0, {1, 0}, {0}, 2, {1, 0}, {8191, 8191}},
		{"unequal, as told",
		 1000,
		 100,
		 3,
		 0,
		 {0, 1, 0},
		 {0},
		 2,
		 {0, 1},
		 {667 + 67, 334 + 34}},
		{"a card where no worker is",
		 0,
		 500,
		 1,
		 1,
		 {0},
		 {1},
		 2,
		 {0, 1},
		 {8191 + 500, 4095 + 500}},
		{"cards with workers, or nowhere",
		 0,
		 0,
		 2,
		 2,
		 {0, 1},
		 {1, ANY},
		 2,
		 {0, 1},
		 {8191, 8191}},
		{"not pinned, beside a pinned one",
		 0,
		 0,
		 2,
		 0,
		 {ANY, 1},
		 {0},
		 1,
		 {1},
		 {4095 + 2 * 4096}},
		{"more nodes than pools",
		 0,
		 0,
		 10,
		 0,
		 {0, 1, 2, 3, 4, 5, 6, 7, 8, 9},
		 {0},
		 8,
		 {0, 1, 2, 3, 4, 5, 6, 7},
		 {4095 + 3 * 4096, 8191, 8191, 8191, 8191, 8191, 8191, 8191}},
	};
	for (size_t i = 0; i < RTE_DIM(rows); i++) {
		struct xy_dp_config cfg = {.workers = rows[i].workers,
					   .buffers = rows[i].buffers,
					   .more_buffers = rows[i].more};
		struct xy_pools_places places = {.workers = rows[i].workers,
						 .devices = rows[i].devices,
						 .worker = rows[i].worker,
						 .device = rows[i].device};
		struct xy_pools p;
		xy_pools_plan(&cfg, &places, &p);
		bool right = p.count == rows[i].count;
		for (unsigned j = 0; right && j < p.count; j++)
			right = p.pool[j].node == rows[i].node[j] &&
				p.pool[j].buffers == rows[i].want[j];
		if (!right)
			fprintf(stderr, "%s\n", rows[i].name);
		CU_ASSERT(right);
		if (p.count == 1)
			CU_ASSERT_EQUAL(p.pool[0].buffers, xy_pools_buffers(&cfg));
	}
}

// Where threads may run, as EAL reads it: whole even where it is long.
static void test_lcores(void)
{
	static struct xy_worker worker[XY_DP_WORKERS];
	struct xy_dp many = {.workers = XY_DP_WORKERS};
	cpu_set_t all, some;
	CPU_ZERO(&all);
	CPU_ZERO(&some);
	for (unsigned i = 0; i < XY_DP_WORKERS; i++) {
		worker[i] = (struct xy_worker){.lcore = i + 1, .cpu = i == 1 ? 7 : -1};
		many.worker[i] = &worker[i];
	}
	for (unsigned i = 0; i < CPU_SETSIZE; i++) {
		CPU_SET(i, &all);
		if (i % 2)
			CPU_SET(i, &some);
	}
	CPU_CLR(1, &all);
	char *text = xy_eal_lcores(&many, &all);
	static const char start[] = "--lcores=0@(0,2-1023),1@(0,2-1023),2@7,3@(0,2-1023),";
	static const char end[] = ",64@(0,2-1023)", far_end[] = ",1021,1023)";
	CU_ASSERT_EQUAL(strncmp(text, start, strlen(start)), 0);
	CU_ASSERT_STRING_EQUAL(text + strlen(text) - strlen(end), end);
	free(text);
	text = xy_eal_lcores(&many, &some);
	CU_ASSERT_STRING_EQUAL(text + strlen(text) - strlen(far_end), far_end);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, ",64@(1,3,5,"));
	free(text);
}

// Longer while something comes at once, shorter when it does not, and none while others want the
// CPU.
static void test_spin(void)
{
	enum { COST = 5000 };
	struct xy_spin s = {.most = COST};
	xy_nsec now = XY_SEC;
	xy_spin_slept(&s, 3 * COST, now);
	CU_ASSERT_EQUAL(s.now, 0);
	CU_ASSERT(!xy_spin_look_due(&s, now));
	static const xy_nsec longer[] = {1000, 2000, 4000, COST, COST};
	for (unsigned i = 0; i < RTE_DIM(longer); i++) {
		xy_spin_slept(&s, COST, now);
		CU_ASSERT_EQUAL(s.now, longer[i]);
	}
	static const xy_nsec shorter[] = {2500, 1250, 625, 0, 0};
	for (unsigned i = 0; i < RTE_DIM(shorter); i++) {
		xy_spin_slept(&s, XY_MSEC, now);
		CU_ASSERT_EQUAL(s.now, shorter[i]);
	}
	xy_spin_slept(&s, COST, now);
	CU_ASSERT(xy_spin_look_due(&s, now));
	xy_spin_look(&s, 7, now); // whatever it was before: long ago
	CU_ASSERT_EQUAL(s.now, XY_SPIN_LEAST);
	CU_ASSERT(!xy_spin_look_due(&s, now + XY_SPIN_LOOK - 1));
	xy_spin_look(&s, 7, now + XY_SPIN_LOOK);
	CU_ASSERT_EQUAL(s.now, XY_SPIN_LEAST);
	now += 2 * XY_SPIN_LOOK;
	xy_spin_look(&s, 8, now); // switched out
	CU_ASSERT_EQUAL(s.now, 0);
	xy_spin_slept(&s, COST, now + XY_SPIN_SWITCHED - 1);
	CU_ASSERT_EQUAL(s.now, 0);
	xy_spin_slept(&s, COST, now + XY_SPIN_SWITCHED);
	CU_ASSERT_EQUAL(s.now, XY_SPIN_LEAST);
	xy_nsec cost = xy_wake_cost();
	CU_ASSERT(cost >= XY_WAKE_COST_LEAST && cost <= XY_WAKE_COST_MOST);
}

XY_UNIT_MAIN("parts", {"pools", test_pools}, {"lcores", test_lcores},
	     {"spin that learns", test_spin})
