// SPDX-License-Identifier: BSD-3-Clause
// What is sealed for us: the outer header comes off, and what is in it tells where it goes on.
// xy_packet remote.addr: the outer source; ecn, hops: the outer's.
#include "message.h"

#include "far_end.h"
#include "wire/e2e.h"

// Who writes in the name of a node that we know, or with an index of ours, can crowd out those.
static bool knows(const struct xy_dp *dp, struct rte_mbuf *m)
{
	return xy_far_end_find_rcu(dp, xy_be64_load(xy_packet(m)->remote.addr.b)) != XY_TABLE_MISS;
}

static rte_edge_t look(const struct xy_dp *dp, struct rte_mbuf *m, struct xy_message_last *last)
{
	static const struct xy_message_punts punts = {knows, XY_PUNT_FAR, XY_PUNT_FAR_STRANGER};
	struct xy_packet *p = xy_packet(m);
	const uint8_t *pkt = rte_pktmbuf_mtod(m, const uint8_t *);
	uint32_t incarnation = xy_packet_incarnation(p);
	p->remote = (struct xy_endpoint){.addr = xy_inner_src(pkt, 6)};
	xy_packet_incarnation_set(p, incarnation);
	p->local = dp->cfg.node_addr;
	p->ecn = xy_ecn_encap(pkt, 6) & XY_ECN_MASK;
	p->hops = pkt[7];
	rte_pktmbuf_adj(m, XY_IPV6_LEN);
	return xy_message_look(dp, m, &punts, last);
}

static void chunk(struct rte_graph *graph, struct rte_node *node, struct xy_worker *w, void **objs,
		  unsigned n)
{
	rte_edge_t edge[XY_BURST];
	struct xy_message_last last = {.index = XY_MESSAGE_FIRST};
	for (unsigned i = 0; i < n; i++)
		edge[i] = look(w->dp, xy_node_mbuf(objs[i]), &last);
	xy_node_pass(graph, node, objs, edge, n);
}
XY_NODE_CHUNKS(chunk)

static struct rte_node_register e2e_input = {
	.name = "e2e_input",
	.process = process,
	.nb_edges = XY_MESSAGE_EDGES,
	.next_nodes = {[XY_MESSAGE_OPEN] = "e2e_open",
		       [XY_MESSAGE_PUNT] = "punt",
		       [XY_MESSAGE_DROP_NOT_WIREGUARD] = "drop_not_wireguard"},
};
RTE_NODE_REGISTER(e2e_input);
