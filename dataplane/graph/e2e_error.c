// SPDX-License-Identifier: BSD-3-Clause
// ICMPv6 errors about what we sealed. They quote ciphertext, so it is opened with our own send key,
// and the error is believed only if a packet comes out that we sealed for that node: from here, to
// what is its, and of the flow whose keyed hash the outer header bears. Then its sender is told, by
// the same relay's address, as if nothing had been sealed; and the control plane, where the path
// carries less than was thought. Anybody can send such errors, but only who saw the packet has its
// ciphertext; and who has may change it, for no tag is quoted: what comes out must not go to where
// he likes. So the addresses must be the flow's, and no more is told than an error has to.
#include "reply.h"

#include "base/bytes.h"
#include "far_end.h"
#include "fib.h"
#include "icmp_rate.h"
#include "lookup.h"
#include "peer.h"
#include "spread.h"
#include "wire/e2e.h"

enum { ROUTE, EDGES };

enum { HEAD_MORE = 8 };

// RFC 4443, section 3; another error says nothing that a sender could use.
static int kind_of(const struct xy_e2e_quote *q)
{
	switch (q->type) {
	case 1:
		return q->code == 1   ? XY_ICMP_PROHIBITED
		       : q->code == 3 ? XY_ICMP_ADDR_UNREACHABLE
				      : XY_ICMP_NO_ROUTE;
	case 2:
		return XY_ICMP_TOO_BIG;
	case 3:
		return q->code == 0 ? XY_ICMP_TIME_EXCEEDED : -1;
	default:
		return -1;
	}
}

// The session that the quoted message was sealed in, if we send in it still, and have used that
// number.
static const struct xy_session *session_of(const struct xy_worker *w, const struct xy_e2e_quote *q)
{
	uint32_t end = xy_far_end_find_rcu(w->dp, xy_be64_load(q->dst.b));
	const struct xy_far_end *far = end != XY_TABLE_MISS ? xy_far_end_rcu(w->dp, end) : NULL;
	if (!far || !xy_addr_eq(&far->addr, &q->dst))
		return NULL;
	const struct xy_session *s = xy_end_session_rcu(w->dp, end, w->now);
	if (!s || s->remote_index != q->receiver)
		return NULL;
	uint64_t number;
	const struct xy_lane *l = xy_session_lane(s, q->counter, &number);
	return l && number < __atomic_load_n(&l->tx_counter, __ATOMIC_RELAXED) ? s : NULL;
}

// Is it routed to whom it was sealed for, and back to here, to a leaf of ours, or out by our exit?
static bool is_between(struct xy_worker *w, struct rte_mbuf *inner, uint32_t end)
{
	struct xy_lookup l = {.n = 0};
	struct xy_addr dst =
		xy_inner_dst(rte_pktmbuf_mtod(inner, const uint8_t *), xy_packet(inner)->version);
	xy_lookup_add(&l, inner, XY_LOOKUP_SRC);
	xy_lookup_add(&l, inner, XY_LOOKUP_DST);
	xy_lookup_run_rcu(&w->dp->routes, &l);
	uint32_t to = xy_fib_arg(l.value[0]);
	unsigned kind = xy_fib_kind(l.value[0]);
	bool ours = kind == XY_DP_ROUTE_HOST || kind == XY_DP_ROUTE_EXIT ||
		    (kind == XY_DP_ROUTE_PEER && !xy_end_net(w->dp, to));
	bool theirs = xy_addr_is_mesh(&dst) ? xy_be64_load(dst.b) == xy_end_net(w->dp, end)
					    : l.value[1] == xy_fib_pack(XY_DP_ROUTE_FAR, end);
	return ours && theirs;
}

// The header as it was sealed, and behind it no more than what tells a sender which packet it was
// (RFC 792); zeros for the rest. False: it is no packet, or another flow's.
static bool leave_head(const struct xy_worker *w, const struct xy_e2e_quote *q, struct rte_mbuf *m)
{
	struct xy_inner in;
	uint8_t *pkt = rte_pktmbuf_mtod(m, uint8_t *);
	if (xy_inner_parse(pkt, m->data_len, &in) || in.header_len > q->box_len)
		return false;
	if (in.version == 4 && xy_csum_fold(xy_csum_add(0, pkt, in.header_len)) != 0)
		return false;
	uint32_t head = RTE_MIN(in.header_len + (uint32_t)HEAD_MORE, (uint32_t)in.total_len);
	xy_packet(m)->version = in.version;
	rte_pktmbuf_trim(m, m->data_len - in.total_len);
	if (head > q->box_len || ((xy_flow_hash(w->dp, m) ^ q->flow) & XY_FLOW_LABEL) != 0)
		return false;
	memset(pkt + head, 0, in.total_len - head);
	return true;
}

// The overlay packet that was sealed, as far as it is told; NULL: it is none of ours.
static struct rte_mbuf *look(struct xy_worker *w, const struct xy_e2e_quote *q,
			     const struct xy_session *s)
{
	struct rte_mbuf *m;
	if (q->box_len < XY_IPV4_MIN_LEN || q->sealed_len > w->dp->cfg.max_packet)
		return NULL;
	if (xy_buffers_alloc(w, &m, 1))
		return NULL;
	uint8_t *inner = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)q->sealed_len);
	if (!inner) {
		rte_pktmbuf_free(m);
		return NULL;
	}
	memset(inner, 0, q->sealed_len);
	memcpy(inner, q->box, q->box_len);
	xy_aead_look((enum xy_aead_suite)s->send_suite, &s->send, q->counter, inner, q->box_len);
	if (leave_head(w, q, m) && is_between(w, m, s->send_end))
		return m;
	rte_pktmbuf_free(m);
	return NULL;
}

static uint32_t mtu_of(const struct xy_e2e_quote *q)
{
	return RTE_MAX(q->mtu, (uint32_t)XY_E2E_MTU_MIN);
}

static void tell(struct rte_graph *graph, struct rte_node *node, struct xy_worker *w,
		 struct rte_mbuf *inner, const struct xy_e2e_quote *q, enum xy_icmp_error kind)
{
	struct xy_addr dummy = xy_reply_dummy();
	struct rte_mbuf *reply =
		xy_reply_make(w, kind, mtu_of(q) - XY_E2E_OVERHEAD,
			      xy_packet(inner)->version == 4 ? &dummy : &q->from, inner);
	if (reply)
		rte_node_enqueue_x1(graph, node, ROUTE, reply);
}

static void one(struct rte_graph *graph, struct rte_node *node, struct xy_worker *w,
		struct rte_mbuf *m)
{
	struct xy_e2e_quote q;
	if (xy_e2e_quote_parse(rte_pktmbuf_mtod(m, const uint8_t *), m->data_len, &q))
		return;
	int kind = kind_of(&q);
	const struct xy_session *s = kind < 0 ? NULL : session_of(w, &q);
	// Who has seen no packet of that session uses up nobody's rate.
	if (!s || !xy_icmp_rate_take(w, xy_packet(m)->from, (enum xy_icmp_error)kind, &q.dst))
		return;
	struct rte_mbuf *inner = look(w, &q, s);
	if (!inner)
		return;
	if (kind == XY_ICMP_TOO_BIG)
		xy_event_far_mtu(w, s->end, mtu_of(&q));
	tell(graph, node, w, inner, &q, (enum xy_icmp_error)kind);
	rte_pktmbuf_free(inner);
}

static void chunk(struct rte_graph *graph, struct rte_node *node, struct xy_worker *w, void **objs,
		  unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		one(graph, node, w, xy_node_mbuf(objs[i]));
	rte_pktmbuf_free_bulk((struct rte_mbuf **)objs, n);
	XY_COUNT(w, consumed, n);
}
XY_NODE_CHUNKS(chunk)

static struct rte_node_register e2e_error = {
	.name = "e2e_error",
	.process = process,
	.nb_edges = EDGES,
	.next_nodes = {[ROUTE] = "route"},
};
RTE_NODE_REGISTER(e2e_error);
