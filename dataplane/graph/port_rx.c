// SPDX-License-Identifier: BSD-3-Clause
// Source: what the ports took.
#include "node.h"

enum { CLASSIFY, EDGES };

static uint16_t take(struct rte_graph *graph, struct rte_node *node, struct xy_worker *w,
		     struct xy_port *port)
{
	void **to = rte_node_next_stream_get(graph, node, CLASSIFY, XY_BURST);
	uint16_t n = port->ops->rx_burst_rcu(port, w, (struct rte_mbuf **)to, XY_BURST);
	xy_capture_burst(w, XY_DP_CAPTURE_RX, 0, to, n);
	rte_node_next_stream_put(graph, node, CLASSIFY, n);
	return n;
}

static uint16_t process(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n)
{
	struct xy_worker *w = xy_node_worker(node);
	const struct xy_port_list *list = __atomic_load_n(&w->dp->ports, __ATOMIC_ACQUIRE);
	uint16_t taken = 0;

	(void)objs;
	(void)n;
	for (unsigned i = 0; list && i < list->end; i++)
		if (list->port[i])
			taken += take(graph, node, w, list->port[i]);
	if (taken)
		w->busy = true;
	w->came += taken;
	return taken;
}

static struct rte_node_register port_rx = {
	.name = "port_rx",
	.flags = RTE_NODE_SOURCE_F,
	.process = process,
	.nb_edges = EDGES,
	.next_nodes = {[CLASSIFY] = "classify"},
};
RTE_NODE_REGISTER(port_rx);
