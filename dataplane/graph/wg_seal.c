// SPDX-License-Identifier: BSD-3-Clause
// Seals overlay packets for their next peer (paper, section 5.4.6): session, counter, padding, AEAD
// over the burst, and the adjacency that port_tx sends by.
#include "node.h"

#include "aead.h"
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

struct burst {
	struct xy_session *session[XY_BURST];
	struct rte_mbuf *m[XY_BURST];
	struct xy_aead_op op[XY_BURST];
	unsigned at[XY_BURST];
	unsigned n;
	bool cut; // some are to be fragmented
};

_Static_assert(XY_PEER_SELF == XY_PEER_PROBE + 1 && XY_PEER_NONE == XY_PEER_SELF + 1,
	       "one comparison");
static bool is_ours(const struct xy_packet *p)
{
	return p->from - XY_PEER_PROBE < 2;
}

// A packet that may be cut waits for its session whole.
static rte_edge_t too_big(struct xy_worker *w, struct burst *b, struct rte_mbuf *m, uint32_t limit)
{
	struct xy_packet *p = xy_packet(m);
	if (is_ours(p))
		return DROP_TOO_BIG;
	p->limit = limit;
	if (xy_fragment_allowed(rte_pktmbuf_mtod(m, const uint8_t *), p->version)) {
		if (!xy_end_session_rcu(w->dp, p->next, w->now))
			return HOLD;
		b->cut = true;
		return FRAGMENT;
	}
	p->error = XY_ICMP_TOO_BIG;
	return ERROR;
}

// What the packet's buffer takes: one from an ordinary card may be shorter than a jumbo card's
// links.
static uint32_t room_of(const struct rte_mbuf *m)
{
	return m->buf_len - m->data_off - XY_TAILROOM;
}

// May it leave as it is, though the link is said to carry no more than `limit`? A probe asks that.
static bool is_probe(struct rte_mbuf *m)
{
	return xy_packet(m)->from == XY_PEER_PROBE && m->data_len <= room_of(m);
}

static rte_edge_t admit(struct xy_worker *w, struct burst *b, struct rte_mbuf *m,
			struct xy_session **session, const struct xy_adjacency **adjacency)
{
	struct xy_packet *p = xy_packet(m);
	if (p->next >= w->dp->cfg.max_peers)
		return DROP_STALE;
	const struct xy_adjacency *a = xy_adjacency_rcu(w->dp, p->next);
	if (!a)
		return DROP_STALE;
	uint32_t limit = RTE_MIN(a->payload_max, room_of(m));
	if (unlikely(m->data_len > limit) && a->remote.port && !is_probe(m))
		return too_big(w, b, m, limit);
	struct xy_session *s = xy_end_session_rcu(w->dp, p->next, w->now);
	if (!s)
		return p->version ? HOLD : DROP_STALE; // a keepalive is worth nothing later
	if (!a->remote.port)
		return DROP_NO_ENDPOINT;
	*session = s;
	*adjacency = a;
	return ADMITTED;
}

// What admit() will look at, for all of a burst before it does: two loads away from the packet.
static void fetch(const struct xy_worker *w, void **objs, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uint32_t peer = xy_packet(xy_node_mbuf(objs[i]))->next;
		if (peer >= w->dp->cfg.max_peers)
			continue;
		uint32_t slot = __atomic_load_n(&w->dp->end[peer].current, __ATOMIC_RELAXED);
		rte_prefetch0(xy_adjacency_rcu(w->dp, peer));
		if (slot) {
			rte_prefetch0(&w->dp->session[slot - 1]);
			rte_prefetch0(&w->dp->session[slot - 1].lane[0].tx_counter);
			rte_prefetch0(&w->dp->session[slot - 1].send);
			rte_prefetch0(&w->use[slot - 1]);
		}
	}
}

// What follows a packet that is cut, to the same peer, goes round with it: a flow stays in order.
// Peers are told apart by 64 bits; one more that goes round is but a little later.
static void follow(void **objs, rte_edge_t *edge, unsigned n)
{
	uint64_t cut = 0;
	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *m = xy_node_mbuf(objs[i]);
		uint64_t peer = UINT64_C(1) << (xy_packet(m)->next % 64);
		if (edge[i] == FRAGMENT) {
			cut |= peer;
		} else if (edge[i] == ADMITTED && cut & peer) {
			xy_packet(m)->limit = m->data_len; // fits
			edge[i] = FRAGMENT;
		}
	}
}

// Data up to the padded length (16, but never beyond what the link carries, nor from what goes
// whole into what does not), header before, room for the tag behind.
static void prepare(struct burst *b, unsigned at, struct rte_mbuf *m, struct xy_session *s,
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
	memset(rte_pktmbuf_append(m, (uint16_t)(padded - len + XY_WG_TAG_LEN)), 0, padded - len);
	struct xy_wg_data *msg = (struct xy_wg_data *)rte_pktmbuf_prepend(m, XY_WG_DATA_HEADER_LEN);
	*msg = (struct xy_wg_data){.type = XY_WG_DATA, .receiver = s->remote_index};
	b->session[b->n] = s;
	b->m[b->n] = m;
	b->at[b->n] = at;
	b->op[b->n++] = (struct xy_aead_op){.key = &s->send,
					    .data = msg->box,
					    .tag = msg->box + padded,
					    .len = padded,
					    .suite = s->suite};
	p->len = len;
}

static void nudge(struct xy_worker *w, struct xy_session *s)
{
	if (!__atomic_load_n(&s->lane[0].tx_nudged, __ATOMIC_RELAXED) &&
	    !__atomic_exchange_n(&s->lane[0].tx_nudged, 1, __ATOMIC_RELAXED) &&
	    !xy_event_put(w, XY_DP_NUDGE, 0, s->index, NULL))
		__atomic_store_n(&s->lane[0].tx_nudged, 0, __ATOMIC_RELAXED);
}

// Numbers for each run of one session: one fetch-add, exactly the packets in it. What is reserved
// here is sent in this burst, so a slow worker never falls behind the receiver's window by a kept
// rest.
static void number(struct xy_worker *w, struct burst *b)
{
	for (unsigned i = 0; i < b->n;) {
		struct xy_session *s = b->session[i];
		unsigned run = 1;
		while (i + run < b->n && b->session[i + run] == s)
			run++;
		uint64_t first = __atomic_fetch_add(&s->lane[0].tx_counter, run, __ATOMIC_RELAXED);
		if (first + run > w->dp->cfg.limits.rekey_after_messages)
			nudge(w, s);
		bool carried = false;
		for (unsigned k = 0; k < run; k++) {
			b->op[i + k].counter = first + k;
			rte_pktmbuf_mtod(b->m[i + k], struct xy_wg_data *)->counter = first + k;
			carried |= !is_ours(xy_packet(b->m[i + k]));
		}
		if (carried) // beside the counter: the cache line is ours by the fetch-add
			__atomic_store_n(&s->lane[0].tx_carried, w->now, __ATOMIC_RELAXED);
		i += run;
	}
}

static void account(struct xy_worker *w, const struct burst *b)
{
	for (unsigned i = 0; i < b->n; i++) {
		struct xy_session_use *u = &w->use[xy_session_number(w->dp, b->session[i])];
		uint32_t len = xy_packet(b->m[i])->len;
		XY_SET(u->tx_packets, u->tx_packets + 1);
		XY_SET(u->tx_any, w->now);
		if (len) {
			XY_SET(u->tx_bytes, u->tx_bytes + len);
			XY_SET(u->tx_data, w->now);
		}
	}
}

static void chunk(struct rte_graph *graph, struct rte_node *node, struct xy_worker *w, void **objs,
		  unsigned n)
{
	rte_edge_t edge[XY_BURST];
	struct xy_session *session[XY_BURST];
	const struct xy_adjacency *adjacency[XY_BURST];
	struct burst b; // not cleared: 5 KB
	b.n = 0;
	b.cut = false;

	fetch(w, objs, n);
	for (unsigned i = 0; i < n; i++)
		edge[i] = admit(w, &b, xy_node_mbuf(objs[i]), &session[i], &adjacency[i]);
	if (b.cut)
		follow(objs, edge, n);
	for (unsigned i = 0; i < n; i++)
		if (edge[i] == ADMITTED) {
			prepare(&b, i, xy_node_mbuf(objs[i]), session[i], adjacency[i]);
			edge[i] = PORT_TX;
		}
	number(w, &b);
	xy_aead_seal_burst(w->aead, b.op, b.n);
	account(w, &b);
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
