// SPDX-License-Identifier: BSD-3-Clause
// Packets to where a route must be asked for: kept, and the control plane is told. ring_rx brings
// them back.
#include "node.h"

#include "base/bytes.h"
#include "wire/inet.h"

enum { DROP_HOLD_FULL, EDGES };

static void chunk(struct rte_graph *graph, struct rte_node *node, struct xy_worker *w, void **objs,
		  unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *m = xy_node_mbuf(objs[i]);
		struct xy_addr dst = xy_inner_dst(rte_pktmbuf_mtod(m, const uint8_t *), 6);
		struct rte_mbuf *out = xy_ask_put(w, m, XY_DP_ASK, xy_be64_load(dst.b));
		if (out)
			rte_node_enqueue_x1(graph, node, DROP_HOLD_FULL, out);
	}
	xy_held_tell(w);
}
XY_NODE_CHUNKS(chunk)

static struct rte_node_register ask = {
	.name = "ask",
	.process = process,
	.nb_edges = EDGES,
	.next_nodes = {[DROP_HOLD_FULL] = "drop_hold_full"},
};
RTE_NODE_REGISTER(ask);
