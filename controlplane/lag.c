// SPDX-License-Identifier: BSD-3-Clause
#include "lag.h"

#include <stdlib.h>
#include <string.h>

void xy_lag_note(struct xy_lag *lag, xy_nsec late)
{
	if (late > lag->worst)
		lag->worst = late;
}

void xy_lag_tick(struct xy_lag *lag)
{
	lag->sample[lag->at] = lag->worst;
	lag->at = (lag->at + 1) % XY_LAG_SAMPLES;
	if (lag->count < XY_LAG_SAMPLES)
		lag->count++;
	lag->worst = 0;
}

static int compare(const void *a, const void *b)
{
	xy_nsec x = *(const xy_nsec *)a, y = *(const xy_nsec *)b;
	return (x > y) - (x < y);
}

void xy_lag_get(const struct xy_lag *lag, xy_nsec *p99, xy_nsec *max)
{
	xy_nsec sorted[XY_LAG_SAMPLES];
	*p99 = *max = 0;
	if (!lag->count)
		return;
	memcpy(sorted, lag->sample, lag->count * sizeof(sorted[0]));
	qsort(sorted, lag->count, sizeof(sorted[0]), compare);
	*p99 = sorted[(lag->count * 99 - 1) / 100];
	*max = sorted[lag->count - 1];
}
