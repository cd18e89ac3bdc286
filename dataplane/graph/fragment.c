// SPDX-License-Identifier: BSD-3-Clause
// IPv4 packets that are larger than the link of their next hop carries, and whose sender allows it:
// or their path carries: cut, and back to who seals (xy_packet limit). What follows one of them to
// the same end comes along, so that it does not overtake. A link carries at least 1280 bytes and a
// packet has at most 9216, so one makes 8 at most.
#include "node.h"

#include "far_end.h"
#include "wire/fragment.h"

enum { SEAL, SEAL_FAR, DROP_BAD_INNER, DROP_TOO_BIG, DROP_NO_BUFFER, EDGES };

static rte_edge_t sealer(const struct xy_worker *w, struct rte_mbuf *m)
{
	return xy_end_is_far(w->dp, xy_packet(m)->next) ? SEAL_FAR : SEAL;
}

// All pieces of a packet, in order: same hop, same sender as it has.
static void pieces(struct rte_graph *graph, struct rte_node *node, struct xy_worker *w,
		   struct rte_mbuf *m, const struct xy_fragment_cut *cut)
{
	struct rte_mbuf *out[XY_BURST];
	if (xy_buffers_alloc(w, out, cut->count)) {
		rte_node_enqueue_x1(graph, node, DROP_NO_BUFFER, m);
		return;
	}
	for (unsigned i = 0; i < cut->count; i++) {
		int len = xy_fragment_next(cut, i, rte_pktmbuf_mtod(out[i], uint8_t *),
					   rte_pktmbuf_tailroom(out[i]) - XY_TAILROOM);
		rte_pktmbuf_append(out[i], (uint16_t)len);
		*xy_packet(out[i]) = *xy_packet(m);
	}
	XY_COUNT(w, split, cut->count - 1U);
	rte_node_enqueue(graph, node, sealer(w, m), (void **)out, cut->count);
	rte_pktmbuf_free(m);
}

static void one(struct rte_graph *graph, struct rte_node *node, struct xy_worker *w,
		struct rte_mbuf *m)
{
	struct xy_fragment_cut cut;
	uint32_t limit = xy_packet(m)->limit;
	if (m->data_len <= limit) {
		rte_node_enqueue_x1(graph, node, sealer(w, m), m);
		return;
	}
	int n = xy_fragment_begin(&cut, rte_pktmbuf_mtod(m, uint8_t *), m->data_len, limit);
	if (n == -EBADMSG)
		rte_node_enqueue_x1(graph, node, DROP_BAD_INNER, m);
	else if (n <= 0 || n > XY_BURST)
		rte_node_enqueue_x1(graph, node, DROP_TOO_BIG, m);
	else
		pieces(graph, node, w, m, &cut);
}

static void chunk(struct rte_graph *graph, struct rte_node *node, struct xy_worker *w, void **objs,
		  unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		one(graph, node, w, xy_node_mbuf(objs[i]));
}
XY_NODE_CHUNKS(chunk)

static struct rte_node_register fragment = {
	.name = "fragment",
	.process = process,
	.nb_edges = EDGES,
	.next_nodes = {[SEAL] = "wg_seal",
		       [SEAL_FAR] = "e2e_seal",
		       [DROP_BAD_INNER] = "drop_bad_inner",
		       [DROP_TOO_BIG] = "drop_too_big",
		       [DROP_NO_BUFFER] = "drop_no_buffer"},
};
RTE_NODE_REGISTER(fragment);
