// SPDX-License-Identifier: BSD-3-Clause
// Answers a packet that cannot go on with an ICMP error, within a rate, and drops it under its
// reason. xy_packet error; limit: the MTU for TOO_BIG.
#include "reply.h"

#include "icmp_rate.h"

enum { ROUTE, DROP_HOP_LIMIT, DROP_NO_ROUTE, DROP_TOO_BIG, DROP_EXIT_NOT_ALLOWED, EDGES };

static const rte_edge_t reason[] = {
	[XY_ICMP_TIME_EXCEEDED] = DROP_HOP_LIMIT,
	[XY_ICMP_NO_ROUTE] = DROP_NO_ROUTE,
	[XY_ICMP_PROHIBITED] = DROP_EXIT_NOT_ALLOWED,
	[XY_ICMP_ADDR_UNREACHABLE] = DROP_NO_ROUTE,
	[XY_ICMP_TOO_BIG] = DROP_TOO_BIG,
};

static struct xy_addr answer_from(const struct xy_dp *dp, uint8_t version)
{
	if (version == 6)
		return dp->cfg.node_addr;
	if (!xy_addr_is_unspecified(&dp->cfg.node_addr_v4))
		return dp->cfg.node_addr_v4;
	return xy_reply_dummy();
}

static void answer(struct rte_graph *graph, struct rte_node *node, struct xy_worker *w,
		   struct rte_mbuf *m)
{
	const struct xy_packet *p = xy_packet(m);
	const uint8_t *pkt = rte_pktmbuf_mtod(m, const uint8_t *);
	struct xy_addr from = answer_from(w->dp, p->version), src = xy_inner_src(pkt, p->version);
	struct rte_mbuf *reply;

	if (p->from == XY_PEER_SELF || !xy_icmp_may_answer(pkt, m->data_len))
		return;
	if (!xy_icmp_rate_take(w, p->from, (enum xy_icmp_error)p->error, &src)) {
		XY_COUNT(w, generated, 1);
		xy_count_drop(w, XY_DROP_ICMP_LIMITED, 1);
		return;
	}
	reply = xy_reply_make(w, (enum xy_icmp_error)p->error, p->limit, &from, m);
	if (!reply)
		return;
	xy_packet(reply)->mesh = p->mesh == XY_MESH_SEALED ? XY_MESH_ABOUT : XY_MESH_PLAIN;
	rte_node_enqueue_x1(graph, node, ROUTE, reply);
}

static void chunk(struct rte_graph *graph, struct rte_node *node, struct xy_worker *w, void **objs,
		  unsigned n)
{
	rte_edge_t edge[XY_BURST];
	for (unsigned i = 0; i < n; i++) {
		answer(graph, node, w, xy_node_mbuf(objs[i]));
		edge[i] = reason[xy_packet(xy_node_mbuf(objs[i]))->error];
	}
	xy_node_pass(graph, node, objs, edge, n);
}
XY_NODE_CHUNKS(chunk)

static struct rte_node_register icmp_error = {
	.name = "icmp_error",
	.process = process,
	.nb_edges = EDGES,
	.next_nodes = {[ROUTE] = "route",
		       [DROP_HOP_LIMIT] = "drop_hop_limit",
		       [DROP_NO_ROUTE] = "drop_no_route",
		       [DROP_TOO_BIG] = "drop_too_big",
		       [DROP_EXIT_NOT_ALLOWED] = "drop_exit_not_allowed"},
};
RTE_NODE_REGISTER(icmp_error);
