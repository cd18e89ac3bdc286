// SPDX-License-Identifier: BSD-3-Clause
// Sink: overlay packets for this host.
#include "node.h"

enum { DROP_HOST_DOWN, EDGES };

static void chunk(struct rte_graph *graph, struct rte_node *node, struct xy_worker *w, void **objs,
		  unsigned n)
{
	struct xy_host *host = __atomic_load_n(&w->dp->host, __ATOMIC_ACQUIRE);
	if (host)
		xy_host_tx_burst_rcu(host, w, (struct rte_mbuf **)objs, (uint16_t)n);
	else
		rte_node_enqueue(graph, node, DROP_HOST_DOWN, objs, (uint16_t)n);
}
XY_NODE_CHUNKS(chunk)

static struct rte_node_register host_tx = {
	.name = "host_tx",
	.process = process,
	.nb_edges = EDGES,
	.next_nodes = {[DROP_HOST_DOWN] = "drop_host_down"},
};
RTE_NODE_REGISTER(host_tx);
