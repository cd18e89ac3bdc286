// SPDX-License-Identifier: BSD-3-Clause
// What graph nodes share. A node works through any number of objects in chunks of XY_BURST; for
// each chunk it decides an edge per packet and then passes runs of one edge on together. Workers
// only.
#pragma once

#include "ask.h"
#include "capture.h"
#include "dp.h"
#include "event.h"
#include "hold.h"

#include "compat.h"

static inline struct rte_mbuf *xy_node_mbuf(void *obj)
{
	return (struct rte_mbuf *)obj;
}

// Do all of them take one edge? Without a branch for each.
static inline bool xy_node_is_one_way(const rte_edge_t *edge, unsigned n)
{
	rte_edge_t differ = 0;
	for (unsigned i = 0; i < n; i++)
		differ |= edge[i] ^ edge[0];
	return !differ;
}

// Passes n objects on, each over its edge. Where all that a node was called with take one, the next
// gets the array that they are in.
static inline void xy_node_pass(struct rte_graph *graph, struct rte_node *node, void **objs,
				const rte_edge_t *edge, unsigned n)
{
	if (objs == node->objs && n == node->idx && xy_node_is_one_way(edge, n)) {
		rte_node_next_stream_move(graph, node, edge[0]);
		return;
	}
	for (unsigned i = 0; i < n;) {
		unsigned run = i + 1;
		while (run < n && edge[run] == edge[i])
			run++;
		rte_node_enqueue(graph, node, edge[i], &objs[i], (uint16_t)(run - i));
		i = run;
	}
}

// After packets were held or released.
static inline void xy_held_tell(struct xy_worker *w)
{
	XY_SET(w->stats.held, xy_hold_count(w->hold) + xy_ask_count(w->ask));
}

// Runs chunk() over all objects, XY_BURST at a time.
#define XY_NODE_CHUNKS(chunk)                                                                  \
	static uint16_t process(struct rte_graph *graph, struct rte_node *node, void **objs,   \
				uint16_t n)                                                    \
	{                                                                                      \
		struct xy_worker *w = xy_node_worker(node);                                    \
		for (unsigned at = 0; at < n; at += XY_BURST)                                  \
			chunk(graph, node, w, objs + at, RTE_MIN(n - at, (unsigned)XY_BURST)); \
		return n;                                                                      \
	}
