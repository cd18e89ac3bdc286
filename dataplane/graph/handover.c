// SPDX-License-Identifier: BSD-3-Clause
// Transport messages whose replay window is another worker's: onto its ring (xy_packet worker).
// While a window moves, packets go round through the new owner's own ring.
#include "node.h"

enum { DROP_RING_FULL, EDGES };

static void chunk(struct rte_graph *graph, struct rte_node *node, struct xy_worker *w, void **objs,
		  unsigned n)
{
	for (unsigned i = 0; i < n;) {
		uint32_t to = xy_packet(xy_node_mbuf(objs[i]))->worker;
		unsigned run = 1;
		while (i + run < n && xy_packet(xy_node_mbuf(objs[i + run]))->worker == to)
			run++;
		struct xy_worker *owner = w->dp->worker[to];
		unsigned put =
			rte_ring_sp_enqueue_burst(owner->handover[w->id], &objs[i], run, NULL);
		XY_COUNT(w, ring_out, put);
		if (put < run)
			rte_node_enqueue(graph, node, DROP_RING_FULL, &objs[i + put],
					 (uint16_t)(run - put));
		if (owner != w)
			xy_worker_wake(owner);
		i += run;
	}
}
XY_NODE_CHUNKS(chunk)

static struct rte_node_register handover = {
	.name = "handover",
	.process = process,
	.nb_edges = EDGES,
	.next_nodes = {[DROP_RING_FULL] = "drop_ring_full"},
};
RTE_NODE_REGISTER(handover);
