// SPDX-License-Identifier: BSD-3-Clause
// Source: what comes over rings. Orders of the control plane first, then held packets that may go,
// then packets that other workers handed over.
#include "node.h"

#include "far_end.h"
#include "peer.h"
#include "wire/e2e.h"

#include <rte_ring_elem.h>

enum {
	PORT_TX,
	SEAL,
	SEAL_FAR,
	OPEN,
	OPEN_FAR,
	ROUTE,
	DROP_NO_SESSION,
	DROP_NO_ANSWER,
	DROP_STALE,
	EDGES
};

static rte_edge_t keepalive(struct xy_worker *w, const struct xy_msg *msg)
{
	const struct xy_session *s = xy_session_find_rcu(w->dp, msg->arg);
	struct xy_packet *p = xy_packet(msg->m);
	p->from = msg->port ? XY_PEER_LANE : XY_PEER_SELF;
	p->version = 0;
	p->mesh = XY_MESH_PLAIN;
	if (!s)
		return DROP_STALE;
	p->next = p->far = s->end;
	return xy_end_is_far(w->dp, s->end) ? SEAL_FAR : SEAL;
}

// What routing says to a neighbour is worth nothing later: no session, no wait.
static rte_edge_t overlay(struct xy_worker *w, const struct xy_msg *msg)
{
	struct xy_packet *p = xy_packet(msg->m);
	p->from = msg->type == XY_ORDER_PROBE ? XY_PEER_PROBE : XY_PEER_SELF;
	p->pieces = msg->type == XY_ORDER_PROBE && msg->port ? XY_PIECES_PATH : XY_PIECES_NONE;
	p->version = 6;
	p->mesh = xy_e2e_is_sealed(rte_pktmbuf_mtod(msg->m, const uint8_t *)) ? XY_MESH_SEALED
									      : XY_MESH_PLAIN;
	p->next = msg->arg;
	if (msg->arg == XY_PEER_NONE)
		return ROUTE;
	return xy_end_session_rcu(w->dp, msg->arg, w->now) ? SEAL : DROP_NO_SESSION;
}

static void order(struct rte_graph *graph, struct rte_node *node, struct xy_worker *w,
		  const struct xy_msg *msg)
{
	rte_edge_t edge = PORT_TX;
	if (msg->type == XY_ORDER_SEND) {
		XY_COUNT(w, ring_in, 1);
	} else {
		XY_COUNT(w, generated, 1);
		edge = msg->type == XY_ORDER_KEEPALIVE ? keepalive(w, msg) : overlay(w, msg);
	}
	rte_node_enqueue_x1(graph, node, edge, msg->m);
}

// Most turns find nothing on any ring, and see that by two loads of each.
static unsigned take_orders(struct rte_graph *graph, struct rte_node *node, struct xy_worker *w)
{
	struct xy_msg msg[XY_BURST];
	if (likely(rte_ring_empty(w->from_control)))
		return 0;
	unsigned n = rte_ring_sc_dequeue_burst_elem(w->from_control, msg, sizeof(msg[0]), XY_BURST,
						    NULL);
	for (unsigned i = 0; i < n; i++)
		order(graph, node, w, &msg[i]);
	return n;
}

static unsigned take_held(struct rte_graph *graph, struct rte_node *node, struct xy_worker *w)
{
	static const rte_edge_t edge_of[] = {[XY_HOLD_GO] = SEAL,
					     [XY_HOLD_STALE] = DROP_NO_SESSION,
					     [XY_HOLD_GONE] = DROP_STALE};
	struct rte_mbuf *m[XY_BURST];
	uint8_t what[XY_BURST];
	if (!xy_hold_due(w->hold))
		return 0;
	unsigned n = xy_hold_take_rcu(w->hold, m, what, XY_BURST, w->now);
	for (unsigned i = 0; i < n; i++)
		rte_node_enqueue_x1(graph, node, edge_of[what[i]], m[i]);
	xy_held_tell(w);
	return n;
}

static unsigned take_asked(struct rte_graph *graph, struct rte_node *node, struct xy_worker *w)
{
	struct rte_mbuf *m[XY_BURST];
	uint8_t drop[XY_BURST];
	if (!xy_ask_due(w->ask, w->now))
		return 0;
	unsigned n = xy_ask_take_rcu(w->ask, m, drop, XY_BURST, w->now);
	for (unsigned i = 0; i < n; i++)
		rte_node_enqueue_x1(graph, node, drop[i] ? DROP_NO_ANSWER : ROUTE, m[i]);
	xy_held_tell(w);
	return n;
}

// In whose session it came, as far as that is still there.
static rte_edge_t opener(const struct xy_dp *dp, struct rte_mbuf *m)
{
	const struct xy_session *s = xy_session_find_rcu(dp, xy_packet(m)->index);
	return s && xy_end_is_far(dp, s->end) ? OPEN_FAR : OPEN;
}

static unsigned take_handed(struct rte_graph *graph, struct rte_node *node, struct xy_worker *w)
{
	unsigned total = 0;
	for (unsigned from = 0; from < w->dp->workers; from++) {
		void *objs[XY_BURST];
		if (likely(rte_ring_empty(w->handover[from])))
			continue;
		unsigned n = rte_ring_sc_dequeue_burst(w->handover[from], objs, XY_BURST, NULL);
		rte_edge_t edge[XY_BURST];
		for (unsigned i = 0; i < n; i++)
			edge[i] = opener(w->dp, xy_node_mbuf(objs[i]));
		xy_node_pass(graph, node, objs, edge, n);
		total += n;
	}
	if (total)
		XY_COUNT(w, ring_in, total);
	return total;
}

static uint16_t process(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n)
{
	struct xy_worker *w = xy_node_worker(node);
	unsigned total = take_orders(graph, node, w);
	(void)objs;
	(void)n;
	total += take_held(graph, node, w);
	total += take_asked(graph, node, w);
	total += take_handed(graph, node, w);
	if (total)
		w->busy = true;
	return (uint16_t)total;
}

static struct rte_node_register ring_rx = {
	.name = "ring_rx",
	.flags = RTE_NODE_SOURCE_F,
	.process = process,
	.nb_edges = EDGES,
	.next_nodes = {[PORT_TX] = "port_tx",
		       [SEAL] = "wg_seal",
		       [SEAL_FAR] = "e2e_seal",
		       [OPEN] = "wg_open",
		       [OPEN_FAR] = "e2e_open",
		       [ROUTE] = "route",
		       [DROP_NO_SESSION] = "drop_no_session",
		       [DROP_NO_ANSWER] = "drop_no_answer",
		       [DROP_STALE] = "drop_stale"},
};
RTE_NODE_REGISTER(ring_rx);
