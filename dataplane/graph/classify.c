// SPDX-License-Identifier: BSD-3-Clause
// Which kind of WireGuard message a datagram is: transport data to wg_open, handshakes and probes
// to the control plane, all else to a drop.
#include "message.h"

#include "join/join.h"
#include "known.h"

// A node that knows an endpoint but no key asks there for it: docs/wire-format.md.
static bool is_probe(const uint8_t *data, size_t len)
{
	return len == XY_JOIN_LEN && xy_be32_load(data) << 8 == 0 &&
	       (data[0] == XY_JOIN_PROBE || data[0] == XY_JOIN_REPLY);
}

// Theirs is what comes from where a peer is, and what answers an index of ours.
static bool knows(const struct xy_dp *dp, struct rte_mbuf *m)
{
	return xy_known_has(dp, &xy_packet(m)->remote);
}

static rte_edge_t look(const struct xy_dp *dp, struct rte_mbuf *m, struct xy_message_last *last)
{
	static const struct xy_message_punts punts = {knows, XY_PUNT_HANDSHAKE, XY_PUNT_STRANGER};
	rte_edge_t edge = xy_message_look(dp, m, &punts, last);
	if (edge == XY_MESSAGE_DROP_NOT_WIREGUARD &&
	    is_probe(rte_pktmbuf_mtod(m, const uint8_t *), m->data_len)) {
		xy_packet(m)->punt = XY_PUNT_STRANGER;
		return XY_MESSAGE_PUNT;
	}
	return edge;
}

enum { FEW = 4 };

// Of many packets those before hide what the next one waits for; of a few nothing does, so here
// begins what the cipher reads: the first line and the last one.
static void fetch(void **objs, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const struct rte_mbuf *m = xy_node_mbuf(objs[i]);
		const uint8_t *data = rte_pktmbuf_mtod(m, const uint8_t *);
		rte_prefetch0(data + XY_WG_DATA_HEADER_LEN);
		rte_prefetch0(data + m->data_len - 1);
	}
}

static void chunk(struct rte_graph *graph, struct rte_node *node, struct xy_worker *w, void **objs,
		  unsigned n)
{
	rte_edge_t edge[XY_BURST];
	struct xy_message_last last = {.index = XY_MESSAGE_FIRST};
	for (unsigned i = 0; i < n; i++) // not every port's driver has read them
		rte_prefetch0(rte_pktmbuf_mtod(xy_node_mbuf(objs[i]), const uint8_t *));
	if (n <= FEW)
		fetch(objs, n);
	for (unsigned i = 0; i < n; i++)
		edge[i] = look(w->dp, xy_node_mbuf(objs[i]), &last);
	xy_node_pass(graph, node, objs, edge, n);
}
XY_NODE_CHUNKS(chunk)

static struct rte_node_register classify = {
	.name = "classify",
	.process = process,
	.nb_edges = XY_MESSAGE_EDGES,
	.next_nodes = {[XY_MESSAGE_OPEN] = "wg_open",
		       [XY_MESSAGE_PUNT] = "punt",
		       [XY_MESSAGE_DROP_NOT_WIREGUARD] = "drop_not_wireguard"},
};
RTE_NODE_REGISTER(classify);
