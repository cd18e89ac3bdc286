// SPDX-License-Identifier: BSD-3-Clause
// Parts of the dataplane that need no graph: which pools there are, where threads may run, how long
// a worker spins or lingers, and what it looks at.
#include "clock.h"
#include "dp.h"
#include "eal.h"
#include "rest.h"
#include "unit.h"
#include "wake.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

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

// By the TSC for a millisecond, whatever its speed; never without a look, behind a sleep, or where
// it began anew.
static void test_clock(void)
{
	static const uint64_t speeds[] = {UINT64_C(1000000000), UINT64_C(2300000000),
					  UINT64_C(2450000000), UINT64_C(5700000000)};
	const xy_nsec at = 77 * 86400 * XY_SEC + 12345;
	for (unsigned i = 0; i < RTE_DIM(speeds); i++) {
		uint64_t hz = speeds[i], ms = hz / 1000, tsc = UINT64_MAX - ms / 2;
		struct xy_clock c;
		xy_nsec now = 1, before = at;
		xy_clock_begin(&c, hz);
		CU_ASSERT(!xy_clock_tells(&c, 0, &now) && !xy_clock_tells(&c, tsc, &now));
		xy_clock_look(&c, tsc, at); // and the counter goes over its end meanwhile
		for (uint64_t d = 0; d < ms - 2; d += 997, before = now) {
			double right = (double)d * 1e9 / (double)hz;
			CU_ASSERT_FATAL(xy_clock_tells(&c, tsc + d, &now));
			CU_ASSERT(now >= before && (double)(now - at) <= right + 1 &&
				  (double)(now - at) >= right - 2);
		}
		CU_ASSERT(!xy_clock_tells(&c, tsc + ms + 2, &now));
		CU_ASSERT(!xy_clock_tells(&c, tsc - 1, &now)); // began anew
		xy_clock_forget(&c);
		CU_ASSERT(!xy_clock_tells(&c, tsc, &now));
		xy_clock_look(&c, tsc, at + XY_SEC);
		CU_ASSERT(xy_clock_tells(&c, tsc, &now) && now == at + XY_SEC);
	}
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

// --- lingering

struct flow { // packets that come so often, and what they cost
	struct xy_linger l;
	xy_nsec now, busy, work; // work: of a pause's packets
	uint64_t packets;
};

// A pause each `every` ns with so many packets, for a while; how long it lingers at last.
static xy_nsec linger_at(struct flow *f, xy_nsec every, unsigned packets)
{
	xy_nsec time = 0;
	for (xy_nsec end = f->now + 4 * XY_LINGER_WINDOW; f->now < end;) {
		f->now += every;
		f->packets += packets;
		f->busy += f->work;
		time = xy_linger_wanted(&f->l, f->packets, f->busy, f->now);
	}
	return time;
}

// Not where packets come seldom, nor where trains are long already; three times what the work
// takes, and no longer than a train takes to come.
static void test_linger(void)
{
	struct flow f = {.now = XY_SEC, .work = 10 * XY_USEC};
	CU_ASSERT_EQUAL(xy_linger_wanted(&f.l, 1000000, 0, f.now), 0); // the first window is long
	CU_ASSERT_EQUAL(linger_at(&f, 50 * XY_USEC, 1), 0);	       // 20,000 a second
	CU_ASSERT_EQUAL(linger_at(&f, 26 * XY_USEC, 1), 0);	       // 38,500
	CU_ASSERT_EQUAL(linger_at(&f, 20 * XY_USEC, 1), 30 * XY_USEC);
	CU_ASSERT_EQUAL(linger_at(&f, 26 * XY_USEC, 1),
			30 * XY_USEC); // it ends later than it begins
	CU_ASSERT_EQUAL(linger_at(&f, 40 * XY_USEC, 1), 0);
	f.work = 100 * XY_USEC;
	CU_ASSERT_EQUAL(linger_at(&f, 125 * XY_USEC, 6), XY_LINGER_MOST);
	CU_ASSERT_EQUAL(linger_at(&f, 125 * XY_USEC, 25), 160 * XY_USEC); // 32 at 200,000 a second
	CU_ASSERT_EQUAL(linger_at(&f, 125 * XY_USEC, XY_LINGER_BURST), 0);
	CU_ASSERT_EQUAL(linger_at(&f, 125 * XY_USEC, XY_LINGER_TRAIN), 0); // and does not begin
	CU_ASSERT_EQUAL(linger_at(&f, 125 * XY_USEC, XY_LINGER_TRAIN - 1), 129032);
	f.now += XY_SEC; // silence
	f.packets++;
	CU_ASSERT_EQUAL(xy_linger_wanted(&f.l, f.packets, f.busy, f.now), 0);
}

// --- what a walk looks at

enum { WATCHED = 9 };

static void walked(struct xy_worker *w, xy_nsec took)
{
	w->now += took;
	w->more = true; // it does not sleep
	xy_rest(w);
	w->gave_count = 0;
}

static unsigned looked_at(const struct xy_worker *w, const int fd[static WATCHED])
{
	unsigned bits = 0;
	for (unsigned i = 0; i < WATCHED; i++)
		bits |= (unsigned)xy_worker_ready(w, fd[i]) << i;
	return bits;
}

// Only what the kernel told of, or what gave something and has more, until it is asked again.
static void test_looks(void)
{
	struct xy_dp *dp = calloc(1, sizeof(*dp));
	struct xy_worker *w = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*w));
	uint64_t one = 1;
	int fd[WATCHED];
	memset(w, 0, sizeof(*w));
	w->dp = dp;
	w->now = XY_SEC;
	w->wake_fd = -1;
	w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	for (unsigned i = 0; i < WATCHED; i++) {
		fd[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		CU_ASSERT_EQUAL(xy_worker_watch(w, fd[i]), 0);
	}
	CU_ASSERT_EQUAL(looked_at(w, fd), 0x1ff); // the first walk
	xy_rest_begin(w, w->now);
	walked(w, XY_MSEC);
	CU_ASSERT_EQUAL(looked_at(w, fd), 0);
	CU_ASSERT_EQUAL(write(fd[2], &one, sizeof(one)), sizeof(one));
	walked(w, XY_USEC);
	CU_ASSERT_EQUAL(looked_at(w, fd), 0); // not asked yet
	xy_worker_gave(w, fd[0], false);
	xy_worker_gave(w, fd[1], true);
	walked(w, XY_USEC);
	CU_ASSERT_EQUAL(looked_at(w, fd), 2);
	walked(w, 10 * XY_USEC);
	CU_ASSERT_EQUAL(looked_at(w, fd), 4);
	for (unsigned i = 0; i < WATCHED; i++)
		xy_worker_gave(w, fd[i], false);
	walked(w, XY_USEC);
	CU_ASSERT_EQUAL(looked_at(w, fd), 0x1ff); // more than are noted
	for (unsigned i = 0; i < WATCHED; i++)
		CU_ASSERT_EQUAL(write(fd[i], &one, sizeof(one)), sizeof(one));
	walked(w, 10 * XY_USEC);
	CU_ASSERT_EQUAL(looked_at(w, fd), 0x1ff); // more than the kernel is asked for
	for (unsigned i = 0; i < WATCHED; i++)
		close(fd[i]);
	close(w->epoll_fd);
	free(w);
	free(dp);
}

XY_UNIT_MAIN("parts", {"pools", test_pools}, {"lcores", test_lcores}, {"clock", test_clock},
	     {"spin that learns", test_spin}, {"lingers for trains", test_linger},
	     {"looks at what has something", test_looks})
