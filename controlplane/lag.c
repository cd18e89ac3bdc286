// SPDX-License-Identifier: BSD-3-Clause
#include "lag.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

const char *const xy_work_name[XY_WORK_COUNT] = {
#define X(NAME, name) #name,
	XY_WORKS(X)
#undef X
};

static void tick_end(struct xy_lag *lag)
{
	lag->sample[lag->at] = lag->worst;
	lag->at = (lag->at + 1) % XY_LAG_SAMPLES;
	if (lag->count < XY_LAG_SAMPLES)
		lag->count++;
	lag->worst = 0;
	lag->ends += XY_LAG_TICK;
}

static void pass(struct xy_lag *lag, xy_nsec now)
{
	if (!lag->ends)
		lag->ends = now + XY_LAG_TICK;
	for (unsigned i = 0; now >= lag->ends && i <= XY_LAG_SAMPLES; i++)
		tick_end(lag);
	if (now >= lag->ends) // longer ago than is kept
		lag->ends = now + XY_LAG_TICK;
}

void xy_lag_note(struct xy_lag *lag, xy_nsec late, xy_nsec now)
{
	pass(lag, now);
	if (late > lag->worst)
		lag->worst = late;
}

static int compare(const void *a, const void *b)
{
	xy_nsec x = *(const xy_nsec *)a, y = *(const xy_nsec *)b;
	return (x > y) - (x < y);
}

void xy_lag_get(const struct xy_lag *noted, xy_nsec now, xy_nsec *p99, xy_nsec *max)
{
	struct xy_lag lag = *noted;
	xy_nsec *sorted = lag.sample;
	*p99 = *max = 0;
	pass(&lag, now);
	if (!lag.count)
		return;
	qsort(sorted, lag.count, sizeof(sorted[0]), compare);
	*p99 = sorted[(lag.count * 99 - 1) / 100];
	*max = sorted[lag.count - 1];
}

xy_nsec xy_work_begin(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (xy_nsec)t.tv_sec * XY_SEC + (xy_nsec)t.tv_nsec;
}

static void note(struct xy_works *w, enum xy_work kind, xy_nsec took)
{
	if (took > w->longest[kind])
		w->longest[kind] = took;
}

void xy_work_end(struct xy_works *w, enum xy_work kind, xy_nsec began)
{
	note(w, kind, xy_work_begin() - began);
}

void xy_work_turn(struct xy_works *w)
{
	xy_nsec now = xy_work_begin();
	if (w->turn)
		note(w, XY_WORK_TURN, now - w->turn);
	w->turn = now;
}
