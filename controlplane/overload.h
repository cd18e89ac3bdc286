// SPDX-License-Identifier: BSD-3-Clause
// Whether more comes than this node takes: queues that were full and for how much of that packets
// were dropped, workers without a rest, a control thread that is late. What was so within the last
// minute stands as a warning, with its name and what to look at. Control thread only.
#pragma once

#include "base/time.h"
#include "dataplane.h"

#include <stdbool.h>
#include <stdint.h>

struct json_t;
struct xy_daemon;

struct xy_overload_queue {
	uint64_t seen; // dropped so far
	uint64_t lost; // since it began to be full
	xy_nsec grew;  // last; 0: never
};

enum { XY_OVERLOAD_QUEUES = 6 }; // overload.c has which

struct xy_overload {
	bool begun; // what was counted before is past
	struct xy_overload_queue queue[XY_OVERLOAD_QUEUES], port[XY_DP_PORTS];
	unsigned busy[XY_DP_WORKERS]; // seconds without a rest
};

void xy_overload_look(struct xy_daemon *d, xy_nsec now); // once a tick
void xy_overload_warnings(const struct xy_daemon *d, xy_nsec now, struct json_t *list);

// Of a counter that stands at `count` now.
static inline uint64_t xy_overload_lost(const struct xy_overload_queue *q, xy_nsec now)
{
	return q->grew && now - q->grew < 60 * XY_SEC ? q->lost : 0;
}

// begun: what it counts more than at the last look was lost since.
static inline void xy_overload_see(struct xy_overload_queue *q, uint64_t count, bool begun,
				   xy_nsec now)
{
	if (begun && count > q->seen) {
		q->lost = xy_overload_lost(q, now) + count - q->seen;
		q->grew = now;
	}
	q->seen = count;
}
