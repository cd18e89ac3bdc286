// SPDX-License-Identifier: BSD-3-Clause
// Packets without a session to go in: kept, and the control plane is asked for a handshake. ring_rx
// brings them back.
#include "node.h"

enum { DROP_HOLD_FULL, EDGES };

static void chunk(struct rte_graph *graph, struct rte_node *node, struct xy_worker *w, void **objs,
		  unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *m = xy_node_mbuf(objs[i]);
		uint32_t end = xy_packet(m)->next;
		bool want;
		struct rte_mbuf *out = xy_hold_put(w->hold, m, w->now, &want);
		if (want)
			xy_event_put(w, XY_DP_WANT, 0, end, NULL);
		if (out)
			rte_node_enqueue_x1(graph, node, DROP_HOLD_FULL, out);
	}
	xy_held_tell(w);
}
XY_NODE_CHUNKS(chunk)

static struct rte_node_register hold = {
	.name = "hold",
	.process = process,
	.nb_edges = EDGES,
	.next_nodes = {[DROP_HOLD_FULL] = "drop_hold_full"},
};
RTE_NODE_REGISTER(hold);
