// SPDX-License-Identifier: BSD-3-Clause
// Source: what this host sends into the overlay.
#include "node.h"

enum { ROUTE, EDGES };

static uint16_t process(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n)
{
	struct xy_worker *w = xy_node_worker(node);
	struct xy_host *host = __atomic_load_n(&w->dp->host, __ATOMIC_ACQUIRE);

	(void)objs;
	if (!host)
		return 0;
	void **to = rte_node_next_stream_get(graph, node, ROUTE, XY_BURST);
	n = xy_host_rx_burst_rcu(host, w, (struct rte_mbuf **)to, XY_BURST);
	rte_node_next_stream_put(graph, node, ROUTE, n);
	if (n)
		w->busy = true;
	return n;
}

static struct rte_node_register host_rx = {
	.name = "host_rx",
	.flags = RTE_NODE_SOURCE_F,
	.process = process,
	.nb_edges = EDGES,
	.next_nodes = {[ROUTE] = "route"},
};
RTE_NODE_REGISTER(host_rx);
