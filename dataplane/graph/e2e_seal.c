// SPDX-License-Identifier: BSD-3-Clause
// Seals overlay packets for the node that has their destination, whoever carries them there: back
// to route they go, as packets to that node's address. xy_packet far.
#include "seal.h"

#include "base/bytes.h"
#include "far_end.h"
#include "spread.h"
#include "wire/e2e.h"
#include "wire/fragment.h"
#include "wire/icmp.h"
#include "wire/mss.h"

enum { ROUTE, MEET, FRAGMENT, ERROR, DROP_TOO_BIG, DROP_STALE, EDGES, ADMITTED = EDGES };

// Two tags and two paddings come behind, one before: more than XY_TAILROOM is left for.
enum { TAIL = 64 };

// Whom each is for, where only its destination says so.
static void find(const struct xy_dp *dp, void **objs, unsigned n)
{
	struct rte_mbuf *m[XY_BURST];
	uint64_t net[XY_BURST];
	uint32_t end[XY_BURST];
	unsigned asked = 0;
	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *one = xy_node_mbuf(objs[i]);
		if (xy_packet(one)->far != XY_PEER_NONE)
			continue;
		struct xy_addr dst = xy_inner_dst(rte_pktmbuf_mtod(one, const uint8_t *), 6);
		net[asked] = xy_be64_load(dst.b);
		m[asked++] = one;
	}
	if (!asked)
		return;
	xy_exact_lookup_burst_rcu(dp->far, net, end, asked);
	for (unsigned i = 0; i < asked; i++)
		if (end[i] != XY_TABLE_MISS)
			xy_packet(m[i])->far = end[i];
}

// Larger than what goes in one piece to there. An IPv4 packet that may be cut waits for its session
// whole.
static rte_edge_t too_big(struct xy_worker *w, struct rte_mbuf *m, uint32_t limit)
{
	struct xy_packet *p = xy_packet(m);
	if (xy_seal_is_ours(p))
		return DROP_TOO_BIG;
	p->limit = limit;
	if (xy_fragment_allowed(rte_pktmbuf_mtod(m, const uint8_t *), p->version)) {
		if (!xy_end_session_rcu(w->dp, p->far, w->now))
			return MEET;
		p->next = p->far;
		return FRAGMENT;
	}
	p->error = XY_ICMP_TOO_BIG;
	return ERROR;
}

static uint32_t room(const struct rte_mbuf *m)
{
	return m->buf_len - m->data_off - TAIL;
}

// Whose it is nobody here knows. A route for just its /64 has an owner, whom the control plane
// finds; one for more of the mesh says where to send what is sealed already.
static rte_edge_t unknown(const struct xy_dp *dp, struct rte_mbuf *m)
{
	struct xy_addr dst = xy_inner_dst(rte_pktmbuf_mtod(m, const uint8_t *), 6);
	uint64_t net = xy_be64_load(dst.b);
	uint32_t value;
	xy_exact_lookup_burst_rcu(dp->routes.mesh, &net, &value, 1);
	xy_packet(m)->error = XY_ICMP_NO_ROUTE;
	return value == XY_TABLE_MISS ? ERROR : MEET;
}

static uint32_t limit_of(const struct rte_mbuf *m, const struct xy_far_end *far)
{
	return RTE_MIN(far->payload_max, room(m));
}

static rte_edge_t admit(struct xy_worker *w, struct rte_mbuf *m, const struct xy_far_end **far,
			struct xy_session **session)
{
	struct xy_packet *p = xy_packet(m);
	if (p->far == XY_PEER_NONE)
		return unknown(w->dp, m);
	*far = xy_far_end_rcu(w->dp, p->far); // once: it may be gone at the next look
	if (!*far)
		return DROP_STALE;
	if (unlikely(m->data_len > limit_of(m, *far)))
		return too_big(w, m, limit_of(m, *far));
	*session = xy_end_session_rcu(w->dp, p->far, w->now);
	if (!*session)
		return p->version ? MEET : DROP_STALE;
	p->next = p->far;
	return ADMITTED;
}

// A relay sees of the flow no more than that it is one: a keyed hash. Hop limit and congestion
// marks are one inside and outside (RFC 6040).
static struct xy_e2e_header outside(struct xy_worker *w, struct rte_mbuf *m,
				    const struct xy_far_end *far)
{
	const struct xy_packet *p = xy_packet(m);
	struct xy_e2e_header h = {
		.src = w->dp->cfg.node_addr, .dst = far->addr, .hops = XY_E2E_HOPS};
	if (!p->version)
		return h;
	uint8_t *pkt = rte_pktmbuf_mtod(m, uint8_t *);
	if (xy_packet_is_from_end(p)) // route has seen that there is one
		xy_inner_hop(pkt, p->version);
	xy_mss_clamp(pkt, m->data_len, p->version, limit_of(m, far));
	h.hops = pkt[p->version == 4 ? 8 : 7];
	h.ecn = xy_ecn_encap(pkt, p->version);
	h.flow = (uint32_t)xy_flow_hash(w->dp, m);
	return h;
}

static void wrap(struct rte_mbuf *m, struct xy_e2e_header *h)
{
	struct xy_packet *p = xy_packet(m);
	h->len = m->data_len;
	xy_e2e_header_write(h, (uint8_t *)rte_pktmbuf_prepend(m, XY_IPV6_LEN));
	bool ours = xy_seal_is_ours(p) && p->from != XY_PEER_LANE; // which goes as data does
	p->from = ours ? XY_PEER_SELF : XY_PEER_SEALED;
	p->version = 6;
	p->mesh = XY_MESH_SEALED;
}

static void chunk(struct rte_graph *graph, struct rte_node *node, struct xy_worker *w, void **objs,
		  unsigned n)
{
	rte_edge_t edge[XY_BURST];
	struct xy_e2e_header header[XY_BURST];
	struct xy_seal b;
	uint64_t cut = 0;
	b.n = 0;

	find(w->dp, objs, n);
	for (unsigned i = 0; i < n; i++)
		if (xy_packet(xy_node_mbuf(objs[i]))->far != XY_PEER_NONE)
			xy_seal_fetch(w, xy_packet(xy_node_mbuf(objs[i]))->far);
	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *m = xy_node_mbuf(objs[i]);
		const struct xy_far_end *far;
		struct xy_session *session;
		edge[i] = admit(w, m, &far, &session);
		if (edge[i] == ADMITTED && xy_seal_follows(cut, m))
			edge[i] = FRAGMENT;
		if (edge[i] == FRAGMENT)
			xy_seal_cut(&cut, m);
		if (edge[i] != ADMITTED)
			continue;
		header[b.n] = outside(w, m, far);
		uint32_t padded = RTE_ALIGN_CEIL(m->data_len, (uint32_t)XY_WG_PAD);
		xy_seal_add(&b, m, session, RTE_MIN(padded, limit_of(m, far)));
		edge[i] = ROUTE;
	}
	xy_seal_run(w, &b);
	for (unsigned i = 0; i < b.n; i++)
		wrap(b.m[i], &header[i]);
	xy_node_pass(graph, node, objs, edge, n);
}
XY_NODE_CHUNKS(chunk)

static struct rte_node_register e2e_seal = {
	.name = "e2e_seal",
	.process = process,
	.nb_edges = EDGES,
	.next_nodes = {[ROUTE] = "route",
		       [MEET] = "meet",
		       [FRAGMENT] = "fragment",
		       [ERROR] = "icmp_error",
		       [DROP_TOO_BIG] = "drop_too_big",
		       [DROP_STALE] = "drop_stale"},
};
RTE_NODE_REGISTER(e2e_seal);
