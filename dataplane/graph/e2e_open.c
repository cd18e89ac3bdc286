// SPDX-License-Identifier: BSD-3-Clause
// Opens what was sealed for us from end to end. There is no roaming: the outer source is the hash
// of the session's static key, to 128 bits, or it is nobody's.
#include "open.h"

#include "base/ip.h"
#include "event.h"
#include "far_end.h"

enum { OVERLAY = XY_OPEN_EDGES, KEEPALIVE, DROP_SPOOFED, EDGES };

// The session of its index, if that is with a far node.
static struct xy_session *find(const struct xy_dp *dp, const struct xy_packet *p)
{
	struct xy_session *s = xy_session_at_rcu(dp, p->slot, p->index);
	return s && xy_end_is_far(dp, s->end) ? s : NULL;
}

// Its owner may be one that we knew before a restart. Anybody can say so in any name.
static void tell_lost(struct xy_worker *w, struct rte_mbuf *m)
{
	const struct xy_packet *p = xy_packet(m);
	if (p->from < w->dp->cfg.max_peers && xy_addr_is_mesh(&p->remote.addr))
		xy_event_lost(w, p->from, xy_be64_load(p->remote.addr.b));
}

static rte_edge_t admit(struct xy_worker *w, struct rte_mbuf *m, const struct xy_session *s)
{
	const struct xy_far_end *far = s ? xy_far_end_rcu(w->dp, s->end) : NULL;
	if (!s)
		tell_lost(w, m);
	if (s && !far)
		return XY_OPEN_DROP_STALE;
	if (far && !xy_addr_eq(&far->addr, &xy_packet(m)->remote.addr))
		return DROP_SPOOFED;
	return xy_open_admit(w, m, s);
}

static rte_edge_t finish(struct xy_worker *w, struct rte_mbuf *m, struct xy_session *s,
			 const struct xy_aead_op *op)
{
	struct xy_lane *lane;
	rte_edge_t edge = xy_open_check(w, s, op, &lane);
	if (edge != XY_OPEN_GOOD)
		return edge;
	xy_open_take(w, m, s, lane, op);
	xy_packet_incarnation_set(xy_packet(m), s->incarnation);
	return op->len ? OVERLAY : KEEPALIVE;
}

static void chunk(struct rte_graph *graph, struct rte_node *node, struct xy_worker *w, void **objs,
		  unsigned n)
{
	rte_edge_t edge[XY_BURST];
	struct xy_session *session[XY_BURST];
	struct xy_open b;
	b.n = 0;

	for (unsigned i = 0; i < n; i++) {
		session[i] = find(w->dp, xy_packet(xy_node_mbuf(objs[i])));
		if (session[i]) {
			rte_prefetch0(&session[i]->lane.roam_told);
			rte_prefetch0(xy_far_end_rcu(w->dp, session[i]->end));
		}
	}
	for (unsigned i = 0; i < n; i++) {
		edge[i] = admit(w, xy_node_mbuf(objs[i]), session[i]);
		if (edge[i] == XY_OPEN_GOOD)
			xy_open_add(&b, i, xy_node_mbuf(objs[i]), session[i]);
	}
	xy_aead_open_burst(w->aead, b.op, b.n);
	for (unsigned i = 0; i < b.n; i++)
		edge[b.at[i]] = finish(w, b.m[i], b.session[i], &b.op[i]);
	xy_node_pass(graph, node, objs, edge, n);
}
XY_NODE_CHUNKS(chunk)

static struct rte_node_register e2e_open = {
	.name = "e2e_open",
	.process = process,
	.nb_edges = EDGES,
	.next_nodes = {XY_OPEN_NEXT, [OVERLAY] = "overlay_input", [KEEPALIVE] = "keepalive",
		       [DROP_SPOOFED] = "drop_spoofed"},
};
RTE_NODE_REGISTER(e2e_open);
