// SPDX-License-Identifier: BSD-3-Clause
// Packets to the control plane: handshake messages, probes, Babel, its service inside the mesh.
#include "node.h"

enum { DROP_PUNT_FULL, EDGES };

static void chunk(struct rte_graph *graph, struct rte_node *node, struct xy_worker *w, void **objs,
		  unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *m = xy_node_mbuf(objs[i]);
		if (xy_event_punt(w, (enum xy_punt)xy_packet(m)->verdict, m))
			XY_COUNT(w, punted, 1);
		else
			rte_node_enqueue_x1(graph, node, DROP_PUNT_FULL, m);
	}
}
XY_NODE_CHUNKS(chunk)

static struct rte_node_register punt = {
	.name = "punt",
	.process = process,
	.nb_edges = EDGES,
	.next_nodes = {[DROP_PUNT_FULL] = "drop_punt_full"},
};
RTE_NODE_REGISTER(punt);
