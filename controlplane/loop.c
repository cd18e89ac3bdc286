// SPDX-License-Identifier: BSD-3-Clause
#include "loop.h"

#include "dataplane.h"

#include <time.h>

// Of CPU time in one turn, until the seats that did not run yet wait for the next.
#define BUDGET (XY_MSEC / 2)

static xy_nsec clock_read(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (xy_nsec)t.tv_sec * XY_SEC + (xy_nsec)t.tv_nsec;
}

xy_nsec xy_now(void)
{
	return clock_read(XY_DP_CLOCK);
}

xy_nsec xy_awake(void)
{
	return clock_read(CLOCK_MONOTONIC);
}

static xy_nsec cpu_now(void)
{
	return clock_read(CLOCK_THREAD_CPUTIME_ID); // a system call
}

void xy_loop_begin(struct xy_loop *l)
{
	l->cpu = cpu_now();
}

void xy_loop_end(struct xy_loop *l, struct xy_seat *s)
{
	xy_nsec now = cpu_now();
	if (now - l->cpu > s->longest)
		s->longest = now - l->cpu;
	l->cpu = now;
}

// --- seats

void xy_loop_seat(struct xy_loop *l, struct xy_seat *s)
{
	if (!l->last)
		l->last = &l->seats;
	s->next = NULL;
	*l->last = s;
	l->last = &s->next;
}

static xy_nsec deadline(const struct xy_seat *s, xy_nsec now)
{
	return s->deadline ? s->deadline(s->arg, now) : XY_NEVER;
}

// One at least, and in turn, so that none waits for ever behind one that always wants to run.
static void run_due(struct xy_loop *l)
{
	struct xy_seat *s = l->from ? l->from : l->seats, *first = s;
	xy_nsec now = xy_now();
	bool spent = false;
	xy_loop_begin(l);
	do {
		if (deadline(s, now) <= now) {
			s->run(s->arg, now);
			xy_loop_end(l, s);
			now = xy_now();
			spent = l->cpu - l->turn > BUDGET;
		}
		s = s->next ? s->next : l->seats;
	} while (s != first && !spent && !l->stopping);
	l->from = spent ? s : NULL;
}

static void on_timer(uv_timer_t *timer)
{
	run_due(timer->data);
}

static void on_idle(uv_idle_t *idle)
{
	run_due(idle->data);
}

// What is due already is done in the next turn, after a look at the descriptors: an idle handle
// gives them theirs, a timer of 0 ms would not.
static void arm(struct xy_loop *l)
{
	xy_nsec now = xy_now(), at = XY_NEVER;
	for (const struct xy_seat *s = l->seats; s; s = s->next) {
		xy_nsec its = deadline(s, now);
		at = its < at ? its : at;
	}
	if (at <= now)
		uv_idle_start(&l->idle, on_idle);
	else
		uv_idle_stop(&l->idle);
	if (at <= now || at == XY_NEVER) {
		uv_timer_stop(&l->timer);
		return;
	}
	// Rounded up: a timer that fires early would find nothing to do and spin.
	uv_update_time(&l->uv);
	uv_timer_start(&l->timer, on_timer, (at - now + XY_MSEC - 1) / XY_MSEC, 0);
}

// --- turns

// The poll's timeout is worked out after this.
static void on_prepare(uv_prepare_t *prepare)
{
	struct xy_loop *l = prepare->data;
	xy_nsec now = xy_awake(), cpu = cpu_now();
	if (l->began)
		xy_lag_note(&l->lag, now - l->began, now);
	if (l->turn && cpu - l->turn > l->longest)
		l->longest = cpu - l->turn;
	l->turn = cpu;
	if (!l->stopping)
		arm(l);
}

static void on_check(uv_check_t *check)
{
	struct xy_loop *l = check->data;
	l->began = xy_awake();
	l->woken(l->arg);
}

// --- life

int xy_loop_open(struct xy_loop *l, struct xy_err *err)
{
	int r = uv_loop_init(&l->uv);
	if (r)
		return xy_err_set(err, -r, "event loop: %s", uv_strerror(r));
	l->open = true;
	return 0;
}

int xy_loop_start(struct xy_loop *l, void (*woken)(void *arg), void *arg)
{
	int r = uv_timer_init(&l->uv, &l->timer);
	r = r ? r : uv_idle_init(&l->uv, &l->idle);
	r = r ? r : uv_prepare_init(&l->uv, &l->prepare);
	r = r ? r : uv_check_init(&l->uv, &l->check);
	l->timer.data = l->idle.data = l->prepare.data = l->check.data = l;
	l->woken = woken;
	l->arg = arg;
	r = r ? r : uv_prepare_start(&l->prepare, on_prepare);
	return r ? r : uv_check_start(&l->check, on_check);
}

void xy_loop_run(struct xy_loop *l)
{
	uv_run(&l->uv, UV_RUN_DEFAULT);
}

void xy_loop_stop(struct xy_loop *l)
{
	l->stopping = true;
	uv_stop(&l->uv);
}

static void close_handle(uv_handle_t *handle, void *arg)
{
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

void xy_loop_close(struct xy_loop *l, bool (*wait)(void *arg), void *arg)
{
	if (!l->open)
		return;
	l->stopping = true;
	uv_walk(&l->uv, close_handle, NULL);
	while (uv_run(&l->uv, UV_RUN_NOWAIT) && wait(arg))
		;
	uv_loop_close(&l->uv);
	l->open = false;
}
