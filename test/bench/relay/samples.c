// SPDX-License-Identifier: BSD-3-Clause
#include "samples.h"

#include <stdlib.h>

void sample_add(struct samples *s, uint64_t cycles)
{
	if (s->n < SAMPLES)
		s->cycles[s->n++] = cycles < UINT32_MAX ? (uint32_t)cycles : UINT32_MAX;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

double percentile(struct samples *s, unsigned percent, unsigned burst)
{
	if (!s->n)
		return 0;
	qsort(s->cycles, s->n, sizeof(s->cycles[0]), compare);
	return (double)s->cycles[(s->n - 1) * percent / 100] / burst;
}
