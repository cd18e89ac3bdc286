// SPDX-License-Identifier: BSD-3-Clause
// Packets to the control plane: handshake messages, probes, Babel, its service inside the mesh.
#include "node.h"

enum { DROP_PUNT_FULL, DROP_HANDSHAKE_FULL, DROP_STRANGER_FULL, DROP_STRANGER_RATE, EDGES };

static rte_edge_t edge_of(enum xy_drop why)
{
	switch (why) {
	case XY_DROP_HANDSHAKE_FULL:
		return DROP_HANDSHAKE_FULL;
	case XY_DROP_STRANGER_FULL:
		return DROP_STRANGER_FULL;
	case XY_DROP_STRANGER_RATE:
		return DROP_STRANGER_RATE;
	default:
		return DROP_PUNT_FULL;
	}
}

static void chunk(struct rte_graph *graph, struct rte_node *node, struct xy_worker *w, void **objs,
		  unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *m = xy_node_mbuf(objs[i]);
		xy_packet(m)->taken = w->now;
		enum xy_drop why = xy_event_punt(w, (enum xy_punt)xy_packet(m)->punt, m);
		if (why == XY_DROP_COUNT)
			XY_COUNT(w, punted, 1);
		else
			rte_node_enqueue_x1(graph, node, edge_of(why), m);
	}
}
XY_NODE_CHUNKS(chunk)

static struct rte_node_register punt = {
	.name = "punt",
	.process = process,
	.nb_edges = EDGES,
	.next_nodes = {[DROP_PUNT_FULL] = "drop_punt_full",
		       [DROP_HANDSHAKE_FULL] = "drop_handshake_full",
		       [DROP_STRANGER_FULL] = "drop_stranger_full",
		       [DROP_STRANGER_RATE] = "drop_stranger_rate"},
};
RTE_NODE_REGISTER(punt);
