// SPDX-License-Identifier: BSD-3-Clause
#include "lag.h"

#include <stdlib.h>
#include <string.h>

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
