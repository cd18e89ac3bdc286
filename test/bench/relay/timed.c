// SPDX-License-Identifier: BSD-3-Clause
// A turn of the worker's loop, timed.
#include "bench.h"

#include <rte_cycles.h>

static void nodes_begin(const struct bench *b, struct xy_dp_node_stats *before)
{
	if (b->node)
		xy_dp_graph_stats(b->dp, 0, before, NODES_MAX);
}

static void nodes_end(struct bench *b, const struct xy_dp_node_stats *before)
{
	struct xy_dp_node_stats after[NODES_MAX];
	unsigned n = b->node ? xy_dp_graph_stats(b->dp, 0, after, NODES_MAX) : 0;
	for (unsigned i = 0; i < RTE_MIN(n, (unsigned)NODES_MAX); i++)
		if (after[i].packets != before[i].packets)
			sample_add(&b->node[i], after[i].cycles - before[i].cycles);
}

void timed_add(struct bench *b, struct samples *s, uint64_t cycles)
{
	if (!b->counts || b->counts(b))
		sample_add(s, cycles);
}

// One turn of a worker's loop: the clock, the graph, and the report to RCU.
void turn_timed(struct bench *b)
{
	struct xy_worker *w = b->dp->worker[b->worker];
	struct xy_dp_node_stats before[NODES_MAX];
	nodes_begin(b, before);
	w->short_walk &= !b->node; // each node of each turn is timed where that is told
	uint64_t start = rte_rdtsc();
	xy_worker_clock(w, start);
	xy_graph_walk(w);
	rte_rcu_qsbr_quiescent(b->dp->rcu, b->worker);
	timed_add(b, b->forward, rte_rdtsc() - start);
	nodes_end(b, before);
}
