// SPDX-License-Identifier: BSD-3-Clause
// Opens transport messages (paper, section 5.4.6): session by index, AEAD over the burst, replay
// window, then what the control plane must know: first packet, new endpoint, last receive.
#include "node.h"

#include "aead.h"
#include "base/bytes.h"
#include "peer.h"

enum {
	OVERLAY,
	KEEPALIVE,
	HANDOVER,
	DROP_UNKNOWN_INDEX,
	DROP_EXPIRED,
	DROP_BAD_TAG,
	DROP_REPLAY,
	DROP_STALE,
	EDGES,
	ADMITTED = EDGES, // not an edge: goes to the AEAD
};

#define ROAM_INTERVAL (100 * XY_MSEC) // between two tellings about one session

struct burst {
	struct xy_session *session[XY_BURST];
	struct rte_mbuf *m[XY_BURST]; // those admitted
	struct xy_aead_op op[XY_BURST];
	unsigned at[XY_BURST]; // their places in the chunk
	unsigned n;
};

static rte_edge_t admit(struct xy_worker *w, struct rte_mbuf *m, const struct xy_session *s)
{
	if (!s)
		return DROP_UNKNOWN_INDEX;
	if (w->now >= s->reject_at)
		return DROP_EXPIRED;
	uint32_t owner = __atomic_load_n(&s->owner[0].worker, __ATOMIC_ACQUIRE);
	if (owner != w->id) { // another's window, or ours as soon as it has moved
		if (owner == (w->id | XY_OWNER_MOVING) &&
		    xy_lane_has_moved_rcu(w->dp, &s->owner[0]))
			return ADMITTED;
		xy_packet(m)->worker = (uint8_t)(owner & ~XY_OWNER_MOVING);
		if (xy_packet(m)->worker != w->id)
			XY_SET(w->handed[xy_session_number(w->dp, s)],
			       w->handed[xy_session_number(w->dp, s)] + 1);
		return HANDOVER;
	}
	return ADMITTED;
}

static void prepare(struct xy_worker *w, struct burst *b, unsigned at, struct rte_mbuf *m,
		    struct xy_session *s)
{
	struct xy_wg_data *msg = rte_pktmbuf_mtod(m, struct xy_wg_data *);
	uint32_t len = m->data_len - XY_WG_DATA_OVERHEAD;

	xy_packet(m)->from = s->end;
	b->session[b->n] = s;
	b->m[b->n] = m;
	b->at[b->n] = at;
	b->op[b->n++] = (struct xy_aead_op){.key = &s->recv,
					    .counter = msg->counter,
					    .data = msg->box,
					    .len = len,
					    .tag = msg->box + len,
					    .suite = s->suite};
	rte_prefetch0(&s->lane[0].replay.bitmap[msg->counter / 64 % XY_REPLAY_WORDS]);
	rte_prefetch0(&s->lane[0].roam_told);
	rte_prefetch0(&w->use[xy_session_number(w->dp, s)]);
	rte_prefetch0(&w->dp->end[s->end]);
}

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
	if (s->lane[0].roam_told && w->now - s->lane[0].roam_told < ROAM_INTERVAL)
		return;
	if (xy_buffers_alloc(w, &note, 1))
		return;
	*xy_packet(note) = *p;
	if (xy_event_put(w, XY_DP_ROAM, p->port, s->index, note))
		s->lane[0].roam_told = w->now;
	else
		rte_pktmbuf_free(note);
}

static void account(struct xy_worker *w, const struct xy_session *s, uint32_t len)
{
	struct xy_session_use *u = &w->use[xy_session_number(w->dp, s)];
	XY_SET(u->rx_packets, u->rx_packets + 1);
	XY_SET(u->rx_any, w->now);
	if (len) {
		XY_SET(u->rx_bytes, u->rx_bytes + len);
		XY_SET(u->rx_data, w->now);
	}
}

static rte_edge_t finish(struct xy_worker *w, struct rte_mbuf *m, struct xy_session *s,
			 const struct xy_aead_op *op)
{
	const struct xy_adjacency *a;
	if (!op->ok)
		return DROP_BAD_TAG;
	if (!xy_replay_accept(&s->lane[0].replay, op->counter,
			      w->dp->cfg.limits.reject_after_messages))
		return DROP_REPLAY;
	a = xy_adjacency_rcu(w->dp, s->end);
	if (!a)
		return DROP_STALE;
	account(w, s, op->len);
	if (!s->lane[0].first_seen)
		s->lane[0].first_seen =
			xy_event_put(w, XY_DP_FIRST, xy_packet(m)->port, s->index, NULL);
	if (moved(a, xy_packet(m)))
		tell_roam(w, s, xy_packet(m));
	rte_pktmbuf_adj(m, XY_WG_DATA_HEADER_LEN);
	rte_pktmbuf_trim(m, XY_WG_TAG_LEN);
	return op->len ? OVERLAY : KEEPALIVE;
}

static void chunk(struct rte_graph *graph, struct rte_node *node, struct xy_worker *w, void **objs,
		  unsigned n)
{
	rte_edge_t edge[XY_BURST];
	struct xy_session *session[XY_BURST];
	struct burst b; // not cleared: 5 KB
	b.n = 0;

	for (unsigned i = 0; i < n; i++) {
		session[i] = xy_session_find_rcu(w->dp, xy_packet(xy_node_mbuf(objs[i]))->index);
		if (session[i])
			rte_prefetch0(&session[i]->recv);
	}
	for (unsigned i = 0; i < n; i++) {
		edge[i] = admit(w, xy_node_mbuf(objs[i]), session[i]);
		if (edge[i] == ADMITTED)
			prepare(w, &b, i, xy_node_mbuf(objs[i]), session[i]);
	}
	xy_aead_open_burst(w->aead, b.op, b.n);
	for (unsigned i = 0; i < b.n; i++)
		rte_prefetch0(xy_adjacency_rcu(w->dp, b.session[i]->end));
	for (unsigned i = 0; i < b.n; i++)
		edge[b.at[i]] = finish(w, b.m[i], b.session[i], &b.op[i]);
	xy_node_pass(graph, node, objs, edge, n);
}
XY_NODE_CHUNKS(chunk)

static struct rte_node_register wg_open = {
	.name = "wg_open",
	.process = process,
	.nb_edges = EDGES,
	.next_nodes = {[OVERLAY] = "overlay_input",
		       [KEEPALIVE] = "keepalive",
		       [HANDOVER] = "handover",
		       [DROP_UNKNOWN_INDEX] = "drop_unknown_index",
		       [DROP_EXPIRED] = "drop_session_expired",
		       [DROP_BAD_TAG] = "drop_bad_tag",
		       [DROP_REPLAY] = "drop_replay",
		       [DROP_STALE] = "drop_stale"},
};
RTE_NODE_REGISTER(wg_open);
