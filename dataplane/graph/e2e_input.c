// SPDX-License-Identifier: BSD-3-Clause
// What is sealed for us: the outer header comes off, and what is in it tells where it goes on.
// xy_packet remote.addr: the outer source; ecn, hops: the outer's.
#include "node.h"

#include "base/bytes.h"
#include "far.h"
#include "wire/e2e.h"

enum { OPEN, PUNT, DROP_NOT_WIREGUARD, EDGES };

// A flood of strangers must not crowd out those we know: who writes in their name, or with an index
// of ours, can.
static rte_edge_t punt(const struct xy_dp *dp, struct rte_mbuf *m, size_t receiver)
{
	const uint8_t *data = rte_pktmbuf_mtod(m, const uint8_t *);
	struct xy_packet *p = xy_packet(m);
	uint64_t net = xy_be64_load(p->remote.addr.b);
	bool known = receiver ? xy_session_is_ours_rcu(dp, xy_le32_load(data + receiver))
			      : xy_far_find_rcu(dp, net) != XY_TABLE_MISS;
	p->punt = known ? XY_PUNT_FAR : XY_PUNT_FAR_STRANGER;
	return PUNT;
}

static rte_edge_t look(const struct xy_dp *dp, struct rte_mbuf *m)
{
	struct xy_packet *p = xy_packet(m);
	const uint8_t *pkt = rte_pktmbuf_mtod(m, const uint8_t *);
	p->remote = (struct xy_endpoint){.addr = xy_inner_src(pkt, 6)};
	p->local = dp->cfg.node_addr;
	p->ecn = xy_ecn_encap(pkt, 6) & XY_ECN_MASK;
	p->hops = pkt[7];
	const uint8_t *data = (const uint8_t *)rte_pktmbuf_adj(m, XY_IPV6_LEN);
	switch (xy_wg_classify(data, m->data_len)) {
	case XY_WG_DATA:
		p->index = xy_le32_load(data + offsetof(struct xy_wg_data, receiver));
		rte_prefetch0(&dp->session[xy_session_slot(dp, p->index)]);
		return OPEN;
	case XY_WG_INITIATION:
		return punt(dp, m, 0);
	case XY_WG_RESPONSE:
		return punt(dp, m, offsetof(struct xy_wg_response, receiver));
	case XY_WG_COOKIE_REPLY:
		return punt(dp, m, offsetof(struct xy_wg_cookie_reply, receiver));
	}
	return DROP_NOT_WIREGUARD;
}

static void chunk(struct rte_graph *graph, struct rte_node *node, struct xy_worker *w, void **objs,
		  unsigned n)
{
	rte_edge_t edge[XY_BURST];
	for (unsigned i = 0; i < n; i++)
		edge[i] = look(w->dp, xy_node_mbuf(objs[i]));
	xy_node_pass(graph, node, objs, edge, n);
}
XY_NODE_CHUNKS(chunk)

static struct rte_node_register e2e_input = {
	.name = "e2e_input",
	.process = process,
	.nb_edges = EDGES,
	.next_nodes =
		{[OPEN] = "e2e_open", [PUNT] = "punt", [DROP_NOT_WIREGUARD] = "drop_not_wireguard"},
};
RTE_NODE_REGISTER(e2e_input);
