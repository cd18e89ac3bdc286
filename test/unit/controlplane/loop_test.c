// SPDX-License-Identifier: BSD-3-Clause
// The loop and its seats: who runs when, that none starves another, and what is measured.
#include "loop.h"
#include "unit.h"

#include <time.h>

struct part { // that sits at the loop
	struct xy_loop *loop;
	xy_nsec at;    // its deadline
	xy_nsec every; // added at each run; 0: it is always due
	xy_nsec burns; // CPU time of a run
	unsigned runs, stop_after;
	char mark;
};

static char order[64]; // marks of those who ran
static unsigned ordered;

static xy_nsec cpu(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (xy_nsec)t.tv_sec * XY_SEC + (xy_nsec)t.tv_nsec;
}

static xy_nsec part_deadline(void *arg, xy_nsec now)
{
	const struct part *p = arg;
	return p->at;
}

static void part_run(void *arg, xy_nsec now)
{
	struct part *p = arg;
	CU_ASSERT(now >= p->at);
	for (xy_nsec end = cpu() + p->burns; cpu() < end;)
		;
	if (ordered < sizeof(order) - 1)
		order[ordered++] = p->mark;
	p->at = p->every ? now + p->every : p->at;
	if (++p->runs == p->stop_after)
		xy_loop_stop(p->loop);
}

static unsigned wakes;

static void woken(void *arg)
{
	wakes++;
}

static struct xy_loop loop;
static struct part part[3];
static struct xy_seat seat[3];

static void open_with(unsigned n)
{
	struct xy_err err;
	loop = (struct xy_loop){0};
	ordered = wakes = 0;
	memset(order, 0, sizeof(order));
	CU_ASSERT_EQUAL_FATAL(xy_loop_open(&loop, &err), 0);
	CU_ASSERT_EQUAL_FATAL(xy_loop_start(&loop, woken, NULL), 0);
	for (unsigned i = 0; i < n; i++) {
		part[i] = (struct part){.loop = &loop, .at = XY_NEVER, .mark = (char)('a' + i)};
		seat[i] = (struct xy_seat){"part", part_deadline, part_run, &part[i], 0, NULL};
		xy_loop_seat(&loop, &seat[i]);
	}
}

static bool wait_for_nothing(void *arg)
{
	return false;
}

static void close_it(void)
{
	xy_loop_close(&loop, wait_for_nothing, NULL);
	CU_ASSERT(!loop.open);
}

static void test_in_order(void)
{
	open_with(3);
	part[0].at = part[1].at = part[2].at = 1;
	part[0].every = part[1].every = part[2].every = XY_SEC * 1000;
	part[2].stop_after = 1;
	xy_loop_run(&loop);
	CU_ASSERT_STRING_EQUAL(order, "abc");
	close_it();
}

static void test_not_before(void)
{
	open_with(2);
	xy_nsec began = xy_now();
	part[0].at = began + 30 * XY_MSEC;
	part[0].every = 10 * XY_MSEC;
	part[0].stop_after = 4; // its deadline is asserted where it runs
	xy_loop_run(&loop);
	CU_ASSERT(xy_now() - began >= 60 * XY_MSEC);
	CU_ASSERT(wakes <= 12); // it waits, and does not spin
	CU_ASSERT_EQUAL(part[1].runs, 0);
	close_it();
}

static void on_handle(uv_timer_t *timer)
{
	part[1].at = 0; // nobody is told
}

static void test_deadline_moved(void)
{
	uv_timer_t timer;
	open_with(2);
	part[1].stop_after = 1;
	uv_timer_init(&loop.uv, &timer);
	uv_timer_start(&timer, on_handle, 5, 0);
	xy_loop_run(&loop);
	CU_ASSERT_EQUAL(part[1].runs, 1);
	close_it();
}

// Both always want, and one takes more than a turn should: they take turns.
static void test_no_one_starves(void)
{
	uv_timer_t timer;
	open_with(3);
	part[0].at = part[2].at = 0;
	part[0].burns = 2 * XY_MSEC;
	part[2].stop_after = 10;
	part[1].every = XY_SEC * 1000;
	uv_timer_init(&loop.uv, &timer);
	uv_timer_start(&timer, on_handle, 1, 0); // a handle comes between
	xy_loop_run(&loop);
	CU_ASSERT(part[0].runs >= 9 && part[0].runs <= 11);
	CU_ASSERT_EQUAL(part[1].runs, 1);
	close_it();
}

static void test_measured(void)
{
	open_with(2);
	part[0].at = part[1].at = 0;
	part[0].burns = 3 * XY_MSEC;
	part[1].stop_after = 3;
	xy_loop_run(&loop);
	CU_ASSERT(seat[0].longest >= 3 * XY_MSEC);
	CU_ASSERT(seat[1].longest < seat[0].longest);
	CU_ASSERT(loop.longest >= seat[0].longest);
	close_it();
}

static void on_burn(uv_timer_t *timer)
{
	xy_loop_begin(&loop);
	for (xy_nsec end = cpu() + 2 * XY_MSEC; cpu() < end;)
		;
	xy_loop_end(&loop, &seat[0]);
	xy_loop_stop(&loop);
}

static void test_handle_measured(void)
{
	uv_timer_t timer;
	open_with(1);
	seat[0].deadline = NULL; // a kind of work alone
	seat[0].run = NULL;
	uv_timer_init(&loop.uv, &timer);
	uv_timer_start(&timer, on_burn, 0, 0);
	xy_loop_run(&loop);
	CU_ASSERT(seat[0].longest >= 2 * XY_MSEC);
	close_it();
}

static bool came;

static void work(uv_work_t *req)
{
	struct timespec t = {.tv_nsec = 20 * 1000 * 1000};
	nanosleep(&t, NULL);
}

static void done(uv_work_t *req, int status)
{
	came = true;
}

static bool wait_for_work(void *arg)
{
	return !came;
}

static void test_close_waits(void)
{
	uv_work_t req;
	open_with(1);
	part[0].at = 0; // it may not run any more
	came = false;
	uv_queue_work(&loop.uv, &req, work, done);
	xy_loop_close(&loop, wait_for_work, NULL);
	CU_ASSERT(came);
	CU_ASSERT_EQUAL(part[0].runs, 0);
	xy_loop_close(&loop, wait_for_work, NULL); // twice is once
}

XY_UNIT_MAIN("loop", {"due seats run in order", test_in_order},
	     {"not before the deadline, and without spinning", test_not_before},
	     {"a deadline that a handle moved is seen", test_deadline_moved},
	     {"nobody starves", test_no_one_starves}, {"seats are measured", test_measured},
	     {"what handles do is measured", test_handle_measured},
	     {"closing waits for helpers, and runs no seat", test_close_waits})
