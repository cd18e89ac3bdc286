// SPDX-License-Identifier: BSD-3-Clause
// Where an overlay packet goes: to a peer, sealed for a far node before or not, to be opened, to
// the host, to the control plane, or back as an ICMP error.
#include "node.h"

#include "base/bytes.h"
#include "fib.h"
#include "lookup.h"
#include "peer.h"
#include "spread.h"
#include "used.h"
#include "wire/e2e.h"
#include "wire/icmp.h"
#include "wire/mss.h"

enum {
	SEAL,
	SEAL_FAR,
	OPEN_FAR,
	ABOUT_SEALED,
	HOST,
	PUNT,
	ASK,
	ERROR,
	DROP_SAME_PEER,
	DROP_NOT_FORWARDED,
	DROP_NOT_SEALED,
	EDGES
};

static rte_edge_t refuse(struct xy_packet *p, enum xy_icmp_error error)
{
	p->error = (uint8_t)error;
	return ERROR;
}

// Did a node bring it, over a link or sealed? Then it is here that it ends.
static bool is_from_node(const struct xy_dp *dp, const struct xy_packet *p)
{
	return xy_packet_is_from_end(p) && xy_end_net(dp, p->from);
}

// The host's own packets had their hop in the kernel, and what we sealed had it before.
static bool has_hop(const struct xy_packet *p, const uint8_t *pkt)
{
	return !xy_packet_is_from_end(p) || pkt[p->version == 4 ? 8 : 7] > 1;
}

// far: for whom, or XY_PEER_NONE: for who has the destination. What a node brought ends here and
// goes to no other.
static rte_edge_t to_far(const struct xy_dp *dp, struct rte_mbuf *m, uint32_t far)
{
	struct xy_packet *p = xy_packet(m);
	if (is_from_node(dp, p))
		return DROP_NOT_SEALED;
	if (!has_hop(p, rte_pktmbuf_mtod(m, uint8_t *)))
		return refuse(p, XY_ICMP_TIME_EXCEEDED);
	p->far = far;
	return SEAL_FAR;
}

// Is the next hop where it ends: a leaf, the node whose /64 it is, or whose prefix?
static bool ends_at(const struct xy_dp *dp, struct rte_mbuf *m, uint32_t peer)
{
	uint64_t net = xy_end_net(dp, peer);
	if (!net || xy_packet(m)->version == 4)
		return true;
	struct xy_addr dst = xy_inner_dst(rte_pktmbuf_mtod(m, const uint8_t *), 6);
	return !xy_addr_is_mesh(&dst) || xy_be64_load(dst.b) == net;
}

// What the host or a leaf sends may look as if a node had sealed it: the next one would believe so.
static bool looks_sealed(struct rte_mbuf *m)
{
	const uint8_t *pkt = rte_pktmbuf_mtod(m, const uint8_t *);
	return xy_packet(m)->version == 6 &&
	       (xy_e2e_is_sealed(pkt) || xy_e2e_is_about_sealed(pkt, m->data_len));
}

// TCP to a neighbour is of the size that its link carries, as TCP to a far node is of its path's.
static void clamp(const struct xy_dp *dp, struct rte_mbuf *m, uint32_t peer)
{
	const struct xy_adjacency *a = xy_adjacency_rcu(dp, peer);
	if (a)
		xy_mss_clamp(rte_pktmbuf_mtod(m, uint8_t *), m->data_len, xy_packet(m)->version,
			     a->payload_max);
}

// What is for the next hop itself, if that is where it ends. SEAL: so it goes, if it has a hop
// left.
static __rte_noinline rte_edge_t plain_to_peer(const struct xy_dp *dp, struct rte_mbuf *m,
					       uint32_t peer)
{
	if (xy_end_net(dp, peer) && looks_sealed(m))
		return DROP_NOT_SEALED;
	if (!ends_at(dp, m, peer))
		return to_far(dp, m, XY_PEER_NONE);
	if (xy_end_net(dp, peer)) {
		if (is_from_node(dp, xy_packet(m)))
			return DROP_NOT_SEALED;
		clamp(dp, m, peer);
	}
	return SEAL;
}

// Between links of nodes sealed packets pass, and what is said about them.
static inline rte_edge_t to_peer(struct xy_worker *w, struct rte_mbuf *m, uint32_t peer)
{
	struct xy_packet *p = xy_packet(m);
	uint8_t *pkt = rte_pktmbuf_mtod(m, uint8_t *);

	if (p->from == peer)
		return DROP_SAME_PEER;
	if (p->mesh == XY_MESH_PLAIN) {
		rte_edge_t edge = plain_to_peer(w->dp, m, peer);
		if (edge != SEAL)
			return edge;
	} else if (!xy_end_net(w->dp, peer) || (pkt[24] & XY_MESH_MASK) != XY_MESH_BYTE) {
		return DROP_NOT_SEALED; // no node can open it there
	}
	if (!has_hop(p, pkt))
		return refuse(p, XY_ICMP_TIME_EXCEEDED);
	if (xy_packet_is_from_end(p))
		xy_inner_hop(pkt, p->version);
	p->next = peer;
	rte_prefetch0(&w->dp->end[peer]);
	return SEAL;
}

static bool is_service(const struct xy_dp *dp, struct rte_mbuf *m)
{
	const uint8_t *pkt = rte_pktmbuf_mtod(m, const uint8_t *);
	struct xy_inner_ports ports;
	if (!dp->cfg.service_port || xy_packet(m)->version != 6)
		return false;
	struct xy_addr dst = xy_inner_dst(pkt, 6);
	return xy_addr_eq(&dst, &dp->cfg.node_addr) && xy_inner_ports(pkt, m->data_len, &ports) &&
	       ports.protocol == XY_PROTO_UDP && ports.dst == dp->cfg.service_port;
}

// We open what is sealed for us, at the address that is our key's hash and at no other.
static rte_edge_t sealed_to_host(const struct xy_dp *dp, struct rte_mbuf *m)
{
	struct xy_addr dst = xy_inner_dst(rte_pktmbuf_mtod(m, const uint8_t *), 6);
	if (!xy_addr_eq(&dst, &dp->cfg.node_addr))
		return DROP_NOT_SEALED;
	return xy_packet(m)->mesh == XY_MESH_SEALED ? OPEN_FAR : ABOUT_SEALED;
}

// A packet that goes back to the attachment that it came by has no one to go to.
static rte_edge_t to_host(const struct xy_dp *dp, struct rte_mbuf *m, uint32_t host)
{
	struct xy_packet *p = xy_packet(m);
	if (p->mesh != XY_MESH_PLAIN)
		return sealed_to_host(dp, m);
	if (is_service(dp, m)) {
		p->punt = XY_PUNT_SERVICE;
		return PUNT;
	}
	if (p->from == XY_PEER_NONE && p->host == host)
		return refuse(p, XY_ICMP_ADDR_UNREACHABLE);
	p->host = host;
	return HOST;
}

// Out of the mesh, which both ends have to want. What the host sends itself comes back to it.
static rte_edge_t to_exit(const struct xy_dp *dp, struct rte_mbuf *m, uint32_t host)
{
	struct xy_packet *p = xy_packet(m);
	if (p->mesh == XY_MESH_PLAIN && xy_packet_is_from_end(p) && !xy_end_exits(dp, p->from))
		return refuse(p, XY_ICMP_PROHIBITED);
	return to_host(dp, m, host);
}

// The kernel sends router solicitations and the like into any interface: no error for these, and by
// no default route to somebody who has no use for them.
static bool is_hosts_alone(struct rte_mbuf *m)
{
	if (xy_packet(m)->from != XY_PEER_NONE)
		return false;
	struct xy_addr dst = xy_inner_dst(rte_pktmbuf_mtod(m, uint8_t *), xy_packet(m)->version);
	return xy_addr_is_multicast(&dst) || xy_addr_is_link_local(&dst);
}

static __rte_noinline rte_edge_t otherwise(struct xy_worker *w, struct rte_mbuf *m, uint32_t value)
{
	switch (xy_fib_kind(value)) {
	case XY_FIB_GROUP:
		return to_peer(w, m, xy_spread(w->dp, m, xy_group_rcu(w->dp, xy_fib_arg(value))));
	case XY_DP_ROUTE_FAR:
		return to_far(w->dp, m, xy_fib_arg(value));
	case XY_DP_ROUTE_HOST:
		return to_host(w->dp, m, xy_fib_arg(value));
	case XY_DP_ROUTE_EXIT:
		return to_exit(w->dp, m, xy_fib_arg(value));
	case XY_DP_ROUTE_ASK:
		// What ends nowhere here is not asked for.
		if (xy_packet(m)->mesh == XY_MESH_PLAIN && is_from_node(w->dp, xy_packet(m)))
			return DROP_NOT_SEALED;
		return ASK;
	}
	return refuse(xy_packet(m), XY_ICMP_NO_ROUTE);
}

static inline rte_edge_t decide(struct xy_worker *w, struct rte_mbuf *m, uint32_t value)
{
	if (is_hosts_alone(m))
		return DROP_NOT_FORWARDED;
	if (likely(xy_fib_kind(value) == XY_DP_ROUTE_PEER))
		return to_peer(w, m, xy_fib_arg(value));
	return otherwise(w, m, value);
}

// What this node's traffic goes to, where only such routes are kept.
static void note_used(struct xy_worker *w, void **objs, const struct xy_lookup *l,
		      const rte_edge_t *edge)
{
	for (unsigned i = 0; i < l->n; i++) {
		struct rte_mbuf *m = xy_node_mbuf(objs[i]);
		struct xy_addr dst;
		if (edge[i] != SEAL || xy_packet(m)->version != 6)
			continue;
		dst = xy_inner_dst(rte_pktmbuf_mtod(m, uint8_t *), 6);
		if (xy_addr_is_mesh(&dst) && memcmp(dst.b, w->dp->cfg.node_addr.b, 8) != 0)
			xy_used_note(w, xy_be64_load(dst.b));
	}
}

static void chunk(struct rte_graph *graph, struct rte_node *node, struct xy_worker *w, void **objs,
		  unsigned n)
{
	rte_edge_t edge[XY_BURST];
	struct xy_lookup l;
	l.n = 0;

	for (unsigned i = 0; i < n; i++)
		xy_lookup_add(&l, xy_node_mbuf(objs[i]), XY_LOOKUP_DST);
	xy_lookup_run_rcu(&w->dp->routes, &l);
	for (unsigned i = 0; i < n; i++)
		edge[i] = decide(w, xy_node_mbuf(objs[i]), l.value[i]);
	if (__atomic_load_n(&w->dp->ask_routes, __ATOMIC_RELAXED))
		note_used(w, objs, &l, edge);
	xy_node_pass(graph, node, objs, edge, n);
}
XY_NODE_CHUNKS(chunk)

static struct rte_node_register route = {
	.name = "route",
	.process = process,
	.nb_edges = EDGES,
	.next_nodes = {[SEAL] = "wg_seal",
		       [SEAL_FAR] = "e2e_seal",
		       [OPEN_FAR] = "e2e_input",
		       [ABOUT_SEALED] = "e2e_error",
		       [HOST] = "host_tx",
		       [PUNT] = "punt",
		       [ASK] = "ask",
		       [ERROR] = "icmp_error",
		       [DROP_SAME_PEER] = "drop_same_peer",
		       [DROP_NOT_FORWARDED] = "drop_not_forwarded",
		       [DROP_NOT_SEALED] = "drop_not_sealed"},
};
RTE_NODE_REGISTER(route);
