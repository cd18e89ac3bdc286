// SPDX-License-Identifier: BSD-3-Clause
// Seals overlay packets for their next peer: how large its link lets them be, the session, padding,
// and the adjacency that port_tx sends by.
#include "seal.h"

#include "peer.h"
#include "wire/fragment.h"
#include "wire/icmp.h"

enum {
	PORT_TX,
	HOLD,
	FRAGMENT,
	ERROR,
	DROP_TOO_BIG,
	DROP_NO_ENDPOINT,
	DROP_STALE,
	EDGES,
	ADMITTED = EDGES
};

// A packet that may be cut waits for its session whole.
static rte_edge_t too_big(struct xy_worker *w, struct rte_mbuf *m, uint32_t limit)
{
	struct xy_packet *p = xy_packet(m);
	if (xy_seal_is_ours(p))
		return DROP_TOO_BIG;
	p->limit = limit;
	if (xy_fragment_allowed(rte_pktmbuf_mtod(m, const uint8_t *), p->version)) {
		if (!xy_end_session_rcu(w->dp, p->next, w->now))
			return HOLD;
		return FRAGMENT;
	}
	p->error = XY_ICMP_TOO_BIG;
	return ERROR;
}

// May it leave as it is, though the link is said to carry no more than `limit`? A probe asks that.
static bool is_probe(struct rte_mbuf *m)
{
	return xy_packet(m)->from == XY_PEER_PROBE && m->data_len <= xy_seal_room(m);
}

// To whom a packet was admitted.
struct admitted {
	uint64_t next; // of 32 bits; UINT64_MAX: none was yet
	struct xy_session *session;
	const struct xy_adjacency *adjacency;
};

static rte_edge_t admit(struct xy_worker *w, struct rte_mbuf *m, struct admitted *to)
{
	struct xy_packet *p = xy_packet(m);
	if (p->next >= w->dp->cfg.max_peers)
		return DROP_STALE;
	const struct xy_adjacency *a = xy_adjacency_rcu(w->dp, p->next);
	if (!a)
		return DROP_STALE;
	uint32_t limit = RTE_MIN(a->payload_max, xy_seal_room(m));
	if (unlikely(m->data_len > limit) && a->remote.port && !is_probe(m))
		return too_big(w, m, limit);
	struct xy_session *s = xy_end_session_rcu(w->dp, p->next, w->now);
	if (!s)
		return p->version ? HOLD : DROP_STALE; // a keepalive is worth nothing later
	if (!a->remote.port)
		return DROP_NO_ENDPOINT;
	*to = (struct admitted){p->next, s, a};
	return ADMITTED;
}

// To the same peer, and no larger than the link carries: what goes for one goes for the next.
static inline bool is_as_before(const struct admitted *to, struct rte_mbuf *m)
{
	return xy_packet(m)->next == to->next &&
	       m->data_len <= RTE_MIN(to->adjacency->payload_max, xy_seal_room(m));
}

// What admit() will look at.
static void fetch(const struct xy_worker *w, void **objs, unsigned n)
{
	uint32_t before = XY_PEER_NONE;
	for (unsigned i = 0; i < n; i++) {
		uint32_t peer = xy_packet(xy_node_mbuf(objs[i]))->next;
		if (peer >= w->dp->cfg.max_peers || peer == before)
			continue;
		before = peer;
		rte_prefetch0(xy_adjacency_rcu(w->dp, peer));
		xy_seal_fetch(w, peer);
	}
}

// Padded to 16, but not beyond what the link carries, nor from what goes whole into what does not.
static void prepare(struct xy_seal *b, struct rte_mbuf *m, struct xy_session *s,
		    const struct xy_adjacency *a)
{
	struct xy_packet *p = xy_packet(m);
	uint32_t len = m->data_len;
	bool whole = len <= a->whole_max;
	uint32_t padded = RTE_ALIGN_CEIL(len, (uint32_t)XY_WG_PAD);
	unsigned pieces = whole ? XY_PIECES_NONE : a->pieces;
	padded = RTE_MIN(padded, whole ? a->whole_max : a->payload_max);
	if (unlikely(p->from == XY_PEER_PROBE)) {
		padded = len;
		pieces = p->pieces ? pieces : XY_PIECES_NONE;
	}

	p->remote = a->remote;
	p->local = a->local;
	p->port = (uint8_t)a->port;
	uint8_t ecn = len ? xy_ecn_encap(rte_pktmbuf_mtod(m, uint8_t *), p->version) : 0;
	p->ecn = ecn & XY_ECN_MASK;
	p->pieces = pieces & XY_PIECES_MASK;
	xy_seal_add(b, m, s, padded);
}

static void chunk(struct rte_graph *graph, struct rte_node *node, struct xy_worker *w, void **objs,
		  unsigned n)
{
	rte_edge_t edge[XY_BURST];
	struct admitted to = {.next = UINT64_MAX};
	struct xy_capture *c = xy_capture_at(w, XY_DP_CAPTURE_OUT);
	uint64_t cut = 0;
	struct xy_seal b;
	b.n = 0;

	fetch(w, objs, n);
	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *m = xy_node_mbuf(objs[i]);
		edge[i] = likely(is_as_before(&to, m)) ? ADMITTED : admit(w, m, &to);
		if (edge[i] == ADMITTED && xy_seal_follows(cut, m))
			edge[i] = FRAGMENT;
		if (edge[i] == FRAGMENT)
			xy_seal_cut(&cut, m);
		if (edge[i] != ADMITTED)
			continue;
		if (unlikely(c != NULL))
			xy_capture_put(w, c, XY_DP_CAPTURE_OUT, 0, &objs[i], 1);
		prepare(&b, m, to.session, to.adjacency);
		edge[i] = PORT_TX;
	}
	xy_seal_run(w, &b);
	xy_node_pass(graph, node, objs, edge, n);
}
XY_NODE_CHUNKS(chunk)

static struct rte_node_register wg_seal = {
	.name = "wg_seal",
	.process = process,
	.nb_edges = EDGES,
	.next_nodes = {[PORT_TX] = "port_tx",
		       [HOLD] = "hold",
		       [FRAGMENT] = "fragment",
		       [ERROR] = "icmp_error",
		       [DROP_TOO_BIG] = "drop_too_big",
		       [DROP_NO_ENDPOINT] = "drop_no_endpoint",
		       [DROP_STALE] = "drop_stale"},
};
RTE_NODE_REGISTER(wg_seal);
