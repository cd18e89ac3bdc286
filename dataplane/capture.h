// SPDX-License-Identifier: BSD-3-Clause
// Copies of packets on their way through the graph, for people. While nobody captures it costs a
// node a load for each burst. While somebody does, each worker puts copies of what matches into a
// buffer of its own, and the control thread takes them from there: a worker never waits, and what
// finds no room is counted. Nodes call the inline functions; the rest is the control thread's
// (dataplane.h).
#pragma once

#include "dp.h"
#include "worker.h"

#include "compat.h"

struct xy_capture_ring {		   // one writer, the worker; one reader, the control thread
	uint64_t head __rte_cache_aligned; // bytes ever written, and what finds no room
	uint64_t lost;
	uint64_t tail __rte_cache_aligned; // bytes ever read
	uint8_t *data;			   // [XY_CAPTURE_ROOM]
};

struct xy_capture { // published by RCU
	struct xy_dp_capture what;
	uint32_t workers;
	struct xy_capture_ring ring[];
};

enum { XY_CAPTURE_ROOM = 4 << 20 }; // bytes of each worker; its pages come with use

// Packets that are at this point; drop: of XY_DP_CAPTURE_DROP. Worker w only.
void xy_capture_put(struct xy_worker *w, struct xy_capture *c, enum xy_dp_capture_point point,
		    unsigned drop, void **objs, unsigned n);

static inline struct xy_capture *xy_capture_at(const struct xy_worker *w,
					       enum xy_dp_capture_point point)
{
	struct xy_capture *c = __atomic_load_n(&w->dp->capture, __ATOMIC_ACQUIRE);
	return unlikely(c != NULL) && c->what.points & 1u << point ? c : NULL;
}

static inline void xy_capture_burst(struct xy_worker *w, enum xy_dp_capture_point point,
				    unsigned drop, void **objs, unsigned n)
{
	struct xy_capture *c = xy_capture_at(w, point);
	if (unlikely(c != NULL))
		xy_capture_put(w, c, point, drop, objs, n);
}
