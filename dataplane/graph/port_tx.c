// SPDX-License-Identifier: BSD-3-Clause
// Sink: puts datagrams on their ports, a burst per port; what a port refuses is dropped by reason.
#include "node.h"

enum { DROP_PORT_GONE, DROP_TX_FAILED, DROP_TX_FULL, DROP_UNDERLAY_MTU, EDGES };

static rte_edge_t refused(struct xy_worker *w, const struct xy_packet *p)
{
	switch (p->drop) {
	case XY_DROP_UNDERLAY_MTU:
		if (p->next != XY_PEER_NONE)
			xy_event_mtu(w, p->next);
		return DROP_UNDERLAY_MTU;
	case XY_DROP_TX_FULL:
		return DROP_TX_FULL;
	}
	return DROP_TX_FAILED;
}

static void put(struct rte_graph *graph, struct rte_node *node, struct xy_worker *w,
		struct xy_port *port, struct rte_mbuf **pkts, unsigned n)
{
	if (!port) {
		rte_node_enqueue(graph, node, DROP_PORT_GONE, (void **)pkts, (uint16_t)n);
		return;
	}
	xy_capture_burst(w, XY_DP_CAPTURE_TX, 0, (void **)pkts, n);
	unsigned left = n - port->ops->tx_burst_rcu(port, w, pkts, (uint16_t)n);
	for (unsigned i = 0; i < left; i++)
		rte_node_enqueue_x1(graph, node, refused(w, xy_packet(pkts[i])), pkts[i]);
}

// Splits off the packets of the first one's port, in order, and brings the others to the front.
static unsigned group(struct rte_mbuf **out, void **objs, unsigned *n)
{
	uint8_t port = xy_packet(xy_node_mbuf(objs[0]))->port;
	unsigned same = 0, left = 0;
	for (unsigned i = 0; i < *n; i++) {
		struct rte_mbuf *m = xy_node_mbuf(objs[i]);
		if (xy_packet(m)->port == port)
			out[same++] = m;
		else
			objs[left++] = m;
	}
	*n = left;
	return same;
}

static void chunk(struct rte_graph *graph, struct rte_node *node, struct xy_worker *w, void **objs,
		  unsigned n)
{
	const struct xy_port_list *list = __atomic_load_n(&w->dp->ports, __ATOMIC_ACQUIRE);
	struct rte_mbuf *pkts[XY_BURST];

	while (n) {
		unsigned same = group(pkts, objs, &n);
		uint8_t id = xy_packet(pkts[0])->port;
		put(graph, node, w, list && id < XY_DP_PORTS ? list->port[id] : NULL, pkts, same);
	}
}
XY_NODE_CHUNKS(chunk)

static struct rte_node_register port_tx = {
	.name = "port_tx",
	.process = process,
	.nb_edges = EDGES,
	.next_nodes = {[DROP_PORT_GONE] = "drop_port_gone",
		       [DROP_TX_FAILED] = "drop_tx_failed",
		       [DROP_TX_FULL] = "drop_tx_full",
		       [DROP_UNDERLAY_MTU] = "drop_underlay_mtu"},
};
RTE_NODE_REGISTER(port_tx);
