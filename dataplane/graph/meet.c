// SPDX-License-Identifier: BSD-3-Clause
// Packets for a far node without a session: kept, and the control plane is told by its /64. ring_rx
// brings them back to route, for the way may be another by then.
#include "node.h"

#include "base/bytes.h"
#include "far_end.h"
#include "wire/inet.h"

enum { DROP_HOLD_FULL, DROP_STALE, EDGES };

// The /64 of whom it is to be sealed for; 0: that node has gone.
static uint64_t net_of(const struct xy_dp *dp, struct rte_mbuf *m)
{
	const struct xy_packet *p = xy_packet(m);
	if (p->far != XY_PEER_NONE) {
		const struct xy_far_end *far = xy_far_end_rcu(dp, p->far);
		return far ? far->net : 0;
	}
	struct xy_addr dst = xy_inner_dst(rte_pktmbuf_mtod(m, const uint8_t *), 6);
	return xy_be64_load(dst.b);
}

static void chunk(struct rte_graph *graph, struct rte_node *node, struct xy_worker *w, void **objs,
		  unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *m = xy_node_mbuf(objs[i]), *out;
		uint64_t net = net_of(w->dp, m);
		if (!net) {
			rte_node_enqueue_x1(graph, node, DROP_STALE, m);
			continue;
		}
		out = xy_ask_put(w, m, XY_DP_MEET, net);
		if (out)
			rte_node_enqueue_x1(graph, node, DROP_HOLD_FULL, out);
	}
	xy_held_tell(w);
}
XY_NODE_CHUNKS(chunk)

static struct rte_node_register meet = {
	.name = "meet",
	.process = process,
	.nb_edges = EDGES,
	.next_nodes = {[DROP_HOLD_FULL] = "drop_hold_full", [DROP_STALE] = "drop_stale"},
};
RTE_NODE_REGISTER(meet);
