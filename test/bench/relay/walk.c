// SPDX-License-Identifier: BSD-3-Clause
// The worker's loop, walked by hand and timed burst by burst.
#include "bench.h"

#include <rte_cycles.h>
#include <time.h>

xy_nsec clock_now(void)
{
	struct timespec t;
	clock_gettime(XY_DP_CLOCK, &t);
	return (xy_nsec)t.tv_sec * XY_SEC + (xy_nsec)t.tv_nsec;
}

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

// One turn of a worker's loop: the clock, the graph, and the report to RCU.
static void walk_once(struct bench *b)
{
	struct xy_worker *w = b->dp->worker[0];
	struct xy_dp_node_stats before[NODES_MAX];
	nodes_begin(b, before);
	uint64_t start = rte_rdtsc();
	w->now = clock_now();
	rte_graph_walk(w->graph);
	rte_rcu_qsbr_quiescent(b->dp->rcu, 0);
	sample_add(b->forward, rte_rdtsc() - start);
	nodes_end(b, before);
}

void walk(struct bench *b)
{
	b->ring.out = b->host.out = b->out;
	b->ring.out_count = b->host.out_count = 0;
	b->ring.out_max = b->host.out_max = BUFFERS;
	while (b->ring.in_count || b->host.in_count)
		walk_once(b);
	mesh_check(b);
}
