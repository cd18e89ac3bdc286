// SPDX-License-Identifier: BSD-3-Clause
// The worker's loop, walked by hand, burst by burst.
#include "bench.h"

#include <time.h>

xy_nsec clock_now(void)
{
	struct timespec t;
	clock_gettime(XY_DP_CLOCK, &t);
	return (xy_nsec)t.tv_sec * XY_SEC + (xy_nsec)t.tv_nsec;
}

// A port or the host gives what one turn takes, and nothing more.
static void feed(uint32_t *in_count, uint32_t *left, uint32_t burst)
{
	*in_count = RTE_MIN(*left, burst);
	*left -= *in_count;
}

void walk(struct bench *b)
{
	uint32_t ring = b->ring->in_count, host = b->host.in_count;
	b->ring->out = b->host.out = b->out;
	b->ring->out_count = b->host.out_count = 0;
	b->ring->out_max = b->host.out_max = BUFFERS;
	while (ring || host) {
		feed(&b->ring->in_count, &ring, b->load.burst);
		feed(&b->host.in_count, &host, b->load.burst);
		b->turn(b);
	}
	mesh_check(b);
}
