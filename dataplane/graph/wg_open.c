// SPDX-License-Identifier: BSD-3-Clause
// Opens what came in datagrams: the session by its index, and whether its peer has a new endpoint,
// which the control plane must know.
#include "open.h"

#include "peer.h"
#include "wire/e2e.h"

enum { OVERLAY = XY_OPEN_EDGES, KEEPALIVE, DROP_NOT_SEALED, EDGES };

#define ROAM_INTERVAL (100 * XY_MSEC) // between two tellings about one session

static bool moved(const struct xy_adjacency *a, const struct xy_packet *p)
{
	if (!xy_endpoint_eq(&a->remote, &p->remote) || a->heard_interface != p->interface)
		return true;
	if (likely(a->as_heard))
		return a->port != p->port || !xy_addr_eq(&a->local, &p->local);
	return a->heard_port != p->port || !xy_addr_eq(&a->heard_local, &p->local);
}

// The control plane hears of a new endpoint in a buffer of its own; without one it hears later.
static void tell_roam(struct xy_worker *w, struct xy_session *s, const struct xy_packet *p)
{
	struct rte_mbuf *note;
	if (s->lane.roam_told && w->now - s->lane.roam_told < ROAM_INTERVAL)
		return;
	if (xy_buffers_alloc(w, &note, 1))
		return;
	*xy_packet(note) = *p;
	if (xy_event_put(w, XY_DP_ROAM, p->port, s->index, note))
		s->lane.roam_told = w->now;
	else
		rte_pktmbuf_free(note);
}

// The session of its index, if that is a link's: a far node's comes inside one.
static struct xy_session *find(const struct xy_dp *dp, const struct xy_packet *p)
{
	struct xy_session *s = xy_session_at_rcu(dp, p->slot, p->index);
	return s && s->end < dp->cfg.max_peers ? s : NULL;
}

static rte_edge_t finish(struct xy_worker *w, struct rte_mbuf *m, struct xy_session *s,
			 const struct xy_aead_op *op)
{
	struct xy_lane *lane;
	rte_edge_t edge = xy_open_check(w, s, op, &lane);
	if (edge != XY_OPEN_GOOD)
		return edge;
	const struct xy_adjacency *a = xy_adjacency_rcu(w->dp, s->end);
	if (!a) {
		xy_packet_incarnation_set(xy_packet(m), s->incarnation);
		return XY_OPEN_DROP_STALE;
	}
	size_t len = (size_t)(op->tag - op->data);
	bool light = op->len != len; // nothing vouches for the rest but the seal that it has itself
	xy_open_take(w, m, s, lane, op);
	if (moved(a, xy_packet(m)) &&
	    lane == &s->lane) // by the first alone it is known where they are
		tell_roam(w, s, xy_packet(m));
	xy_packet_incarnation_set(xy_packet(m), s->incarnation);
	if (light && !xy_e2e_is_data(op->data, len))
		return DROP_NOT_SEALED;
	return len ? OVERLAY : KEEPALIVE;
}

static void chunk(struct rte_graph *graph, struct rte_node *node, struct xy_worker *w, void **objs,
		  unsigned n)
{
	rte_edge_t edge[XY_BURST];
	struct xy_session *session[XY_BURST];
	const void *good = NULL; // whose last was admitted, and who has one lane
	struct xy_open b;
	b.n = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct xy_packet *p = xy_packet(xy_node_mbuf(objs[i]));
		if (i && p->index == xy_packet(xy_node_mbuf(objs[i - 1]))->index) {
			session[i] = session[i - 1];
			continue;
		}
		session[i] = find(w->dp, p);
		if (session[i]) {
			rte_prefetch0(&session[i]->lane.roam_told);
			rte_prefetch0(&w->dp->end[session[i]->end]);
		}
	}
	for (unsigned i = 0; i < n; i++) {
		// What goes for one of a session's goes for its next, where it has one lane; only
		// another's are counted.
		bool again = good && session[i] == good;
		edge[i] =
			again ? XY_OPEN_GOOD : xy_open_admit(w, xy_node_mbuf(objs[i]), session[i]);
		if (edge[i] != XY_OPEN_GOOD)
			continue;
		xy_open_add(&b, i, xy_node_mbuf(objs[i]), session[i]);
		if (again)
			continue;
		good = xy_session_lanes(session[i]) ? NULL : session[i];
		// comes while the burst is opened
		rte_prefetch0(xy_adjacency_rcu(w->dp, session[i]->end));
	}
	xy_aead_open_burst(w->aead, b.op, b.n);
	struct xy_capture *c = xy_capture_at(w, XY_DP_CAPTURE_IN);
	for (unsigned i = 0; i < b.n; i++) {
		edge[b.at[i]] = finish(w, b.m[i], b.session[i], &b.op[i]);
		if (unlikely(c != NULL) && edge[b.at[i]] == OVERLAY)
			xy_capture_put(w, c, XY_DP_CAPTURE_IN, 0, &objs[b.at[i]], 1);
	}
	xy_node_pass(graph, node, objs, edge, n);
}
XY_NODE_CHUNKS(chunk)

static struct rte_node_register wg_open = {
	.name = "wg_open",
	.process = process,
	.nb_edges = EDGES,
	.next_nodes = {XY_OPEN_NEXT, [OVERLAY] = "overlay_input", [KEEPALIVE] = "keepalive",
		       [DROP_NOT_SEALED] = "drop_not_sealed"},
};
RTE_NODE_REGISTER(wg_open);
