// SPDX-License-Identifier: BSD-3-Clause
// Source: what this host sends into the overlay, by all its attachments.
#include "node.h"

enum { ROUTE, EDGES };

static uint16_t take(struct rte_graph *graph, struct rte_node *node, struct xy_worker *w,
		     struct xy_host *host)
{
	void **to = rte_node_next_stream_get(graph, node, ROUTE, XY_BURST);
	uint16_t n = host->ops->rx_burst_rcu(host, w, (struct rte_mbuf **)to, XY_BURST);
	xy_capture_burst(w, XY_DP_CAPTURE_FROM_HOST, 0, to, n);
	rte_node_next_stream_put(graph, node, ROUTE, n);
	return n;
}

static uint16_t process(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n)
{
	struct xy_worker *w = xy_node_worker(node);
	const struct xy_host_list *list = __atomic_load_n(&w->dp->hosts, __ATOMIC_ACQUIRE);
	uint16_t taken = 0;

	(void)objs;
	(void)n;
	for (unsigned i = 0; list && i < list->end; i++)
		if (list->host[i])
			taken += take(graph, node, w, list->host[i]);
	if (taken)
		w->busy = true;
	w->came += taken;
	return taken;
}

static struct rte_node_register host_rx = {
	.name = "host_rx",
	.flags = RTE_NODE_SOURCE_F,
	.process = process,
	.nb_edges = EDGES,
	.next_nodes = {[ROUTE] = "route"},
};
RTE_NODE_REGISTER(host_rx);
