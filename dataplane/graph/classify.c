// SPDX-License-Identifier: BSD-3-Clause
// Which kind of WireGuard message a datagram is: transport data to wg_open, handshakes and probes
// to the control plane, all else to a drop.
#include "node.h"

#include "base/bytes.h"
#include "join/join.h"
#include "known.h"
#include "session.h"

enum { OPEN, PUNT, DROP_NOT_WIREGUARD, EDGES };

// A node that knows an endpoint but no key asks there for it: docs/wire-format.md.
static bool is_probe(const uint8_t *data, size_t len)
{
	return len == XY_JOIN_LEN && xy_be32_load(data) << 8 == 0 &&
	       (data[0] == XY_JOIN_PROBE || data[0] == XY_JOIN_REPLY);
}

// A flood of strangers must not crowd out peers: theirs is what comes from where one is, and what
// answers an index of ours.
static rte_edge_t punt(const struct xy_dp *dp, struct rte_mbuf *m, size_t receiver)
{
	const uint8_t *data = rte_pktmbuf_mtod(m, const uint8_t *);
	bool theirs = receiver ? xy_session_is_ours_rcu(dp, xy_le32_load(data + receiver))
			       : xy_known_has(dp, &xy_packet(m)->remote);
	xy_packet(m)->punt = theirs ? XY_PUNT_HANDSHAKE : XY_PUNT_STRANGER;
	return PUNT;
}

static rte_edge_t look(const struct xy_dp *dp, struct rte_mbuf *m)
{
	const uint8_t *data = rte_pktmbuf_mtod(m, const uint8_t *);
	switch (xy_wg_classify(data, m->data_len)) {
	case XY_WG_DATA:
		xy_packet(m)->index = xy_le32_load(data + offsetof(struct xy_wg_data, receiver));
		rte_prefetch0(&dp->session[xy_session_slot(dp, xy_packet(m)->index)]);
		return OPEN;
	case XY_WG_INITIATION:
		return punt(dp, m, 0);
	case XY_WG_RESPONSE:
		return punt(dp, m, offsetof(struct xy_wg_response, receiver));
	case XY_WG_COOKIE_REPLY:
		return punt(dp, m, offsetof(struct xy_wg_cookie_reply, receiver));
	}
	if (is_probe(data, m->data_len)) {
		xy_packet(m)->punt = XY_PUNT_STRANGER;
		return PUNT;
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

static struct rte_node_register classify = {
	.name = "classify",
	.process = process,
	.nb_edges = EDGES,
	.next_nodes =
		{[OPEN] = "wg_open", [PUNT] = "punt", [DROP_NOT_WIREGUARD] = "drop_not_wireguard"},
};
RTE_NODE_REGISTER(classify);
