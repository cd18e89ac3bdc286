// SPDX-License-Identifier: BSD-3-Clause
// What came out of a link, or was opened from end to end: is it an IP packet, may this peer or node
// send from that source, may it be forwarded at all.
#include "node.h"

#include "accepts.h"
#include "babel/babel.h"
#include "base/bytes.h"
#include "far_end.h"
#include "fib.h"
#include "lookup.h"
#include "peer.h"
#include "wire/e2e.h"
#include "wire/icmp.h"
#include "wire/mss.h"

enum {
	ROUTE,
	PUNT,
	DROP_BAD_INNER,
	DROP_BAD_ECN,
	DROP_SOURCE,
	DROP_SPOOFED,
	DROP_NOT_FORWARDED,
	DROP_NOT_SEALED,
	DROP_STALE,
	EDGES,
	LEAF = EDGES, // not an edge: its source is still to be looked up
};

static inline bool is_own(const struct xy_own *own, const uint8_t a[static 16])
{
	uint64_t x[2], addr[2], mask[2];
	memcpy(x, a, sizeof(x));
	for (unsigned i = 0; i < own->count; i++) {
		memcpy(addr, own->prefix[i].addr.b, sizeof(addr));
		memcpy(mask, own->prefix[i].mask.b, sizeof(mask));
		if (likely((x[0] & mask[0]) != addr[0])) // most often: the first half says so
			continue;
		if ((x[1] & mask[1]) == addr[1])
			return true;
	}
	return false;
}

static bool is_loopback(const struct xy_addr *a)
{
	static const struct xy_addr one = {.b = {[15] = 1}};
	return xy_addr_is_v4(a) ? a->b[12] == 127 : xy_addr_eq(a, &one);
}

static bool is_martian(const struct xy_addr *a)
{
	return xy_addr_is_multicast(a) || xy_addr_is_unspecified(a) || is_loopback(a);
}

// RFC 4291 section 2.5.6, RFC 3927 section 2.7
static bool is_link_local(const struct xy_addr *a)
{
	return xy_addr_is_v4(a) ? a->b[12] == 169 && a->b[13] == 254 : xy_addr_is_link_local(a);
}

static bool is_local_scope(const struct xy_addr *a)
{
	return xy_addr_is_multicast(a) || is_link_local(a);
}

// RFC 8966, section 4: from a link-local address, to one or to ff02::1:6.
static bool is_babel(const struct rte_mbuf *m, const struct xy_addr *src, const struct xy_addr *dst)
{
	static const struct xy_addr group = {.b = {0xff, 2, [13] = 1, [15] = 6}};
	struct xy_inner_ports ports;
	return xy_addr_is_link_local(src) &&
	       (xy_addr_is_link_local(dst) || xy_addr_eq(dst, &group)) &&
	       xy_inner_ports(rte_pktmbuf_mtod(m, const uint8_t *), m->data_len, &ports) &&
	       ports.protocol == XY_PROTO_UDP && ports.src == XY_BABEL_PORT &&
	       ports.dst == XY_BABEL_PORT;
}

// Of link scope: for Babel where it is spoken with this peer, else nobody's.
static rte_edge_t local_scope(const struct xy_adjacency *a, struct rte_mbuf *m,
			      const struct xy_addr *src, const struct xy_addr *dst)
{
	if (!a->routing || !is_babel(m, src, dst))
		return DROP_NOT_FORWARDED;
	xy_packet(m)->punt = a->open ? XY_PUNT_ROUTING_OPEN : XY_PUNT_ROUTING;
	return PUNT;
}

// Is this address a node's own, or accepted of it?
static bool is_its(const struct xy_dp *dp, uint32_t from, const struct xy_addr *a)
{
	return xy_addr_is_mesh(a) ? xy_be64_load(a->b) == xy_end_net(dp, from)
				  : xy_accepts_rcu(dp, from, a);
}

// Whoever knows two addresses can write an error about what they send each other. What goes to a
// node in the clear is for itself, and what is sealed is opened by none but it: so it has none to
// tell about but what was for it. Errors of those between quote what is sealed (e2e_error).
static bool is_others_error(const struct xy_dp *dp, struct rte_mbuf *m)
{
	struct xy_addr about;
	return xy_icmp_is_error(rte_pktmbuf_mtod(m, const uint8_t *), m->data_len, &about) &&
	       (xy_addr_is_unspecified(&about) || !is_its(dp, xy_packet(m)->from, &about));
}

// A node's own packets: from its own /64, always; else from what is accepted of it. What comes back
// to it has `most` bytes.
static rte_edge_t of_node(const struct xy_dp *dp, struct rte_mbuf *m, const struct xy_addr *src,
			  uint32_t most)
{
	const struct xy_packet *p = xy_packet(m);
	xy_mss_clamp(rte_pktmbuf_mtod(m, uint8_t *), m->data_len, p->version, most);
	if (!is_its(dp, p->from, src))
		return xy_addr_is_mesh(src) ? DROP_SPOOFED : DROP_SOURCE;
	return is_others_error(dp, m) ? DROP_SPOOFED : ROUTE;
}

// What a link to a node brings: sealed from end to end, or said about such a one, and from whom it
// may; or its own.
static rte_edge_t of_link(const struct xy_dp *dp, struct rte_mbuf *m, const struct xy_addr *src,
			  const struct xy_adjacency *a)
{
	struct xy_packet *p = xy_packet(m);
	const uint8_t *pkt = rte_pktmbuf_mtod(m, const uint8_t *);
	if (p->version == 6 && xy_e2e_is_sealed(pkt))
		p->mesh = XY_MESH_SEALED;
	else if (p->version == 6 && xy_e2e_is_about_sealed(pkt, m->data_len))
		p->mesh = XY_MESH_ABOUT;
	else
		return of_node(dp, m, src, a->payload_max);
	return ROUTE;
}

// Opened from end to end: hops that it had outside count. One inside another is nobody's.
static rte_edge_t of_far(const struct xy_dp *dp, struct rte_mbuf *m, const struct xy_addr *src)
{
	const struct xy_far_end *far = xy_far_end_rcu(dp, xy_packet(m)->from);
	if (!far)
		return DROP_STALE;
	struct xy_packet *p = xy_packet(m);
	uint8_t *pkt = rte_pktmbuf_mtod(m, uint8_t *);
	if (p->version == 6 && xy_e2e_is_sealed(pkt))
		return DROP_NOT_SEALED;
	xy_inner_hops_limit(pkt, p->version, p->hops);
	return of_node(dp, m, src, far->payload_max);
}

// May these addresses be forwarded at all? EDGES: they may.
static rte_edge_t scope(const struct xy_adjacency *a, struct rte_mbuf *m, const struct xy_addr *src,
			const struct xy_addr *dst)
{
	if (is_martian(src))
		return DROP_SPOOFED;
	if (is_local_scope(dst) || is_link_local(src))
		return a ? local_scope(a, m, src, dst) : DROP_NOT_FORWARDED;
	return is_martian(dst) ? DROP_NOT_FORWARDED : EDGES;
}

// Of the mesh both, as between nodes: they are of no other scope.
static bool is_within_mesh(const struct xy_addr *src, const struct xy_addr *dst)
{
	return xy_addr_is_mesh(src) && xy_addr_is_mesh(dst);
}

// Parses, trims the padding, merges ECN; then the addresses.
static __rte_noinline rte_edge_t check(struct xy_worker *w, const struct xy_own *own,
				       struct rte_mbuf *m)
{
	uint8_t *pkt = rte_pktmbuf_mtod(m, uint8_t *);
	struct xy_packet *p = xy_packet(m);
	struct xy_inner inner;

	if (xy_inner_parse(pkt, m->data_len, &inner))
		return DROP_BAD_INNER;
	p->version = inner.version;
	p->mesh = XY_MESH_PLAIN;
	m->data_len = inner.total_len;
	m->pkt_len = inner.total_len;
	if (p->ecn && !xy_ecn_decap(pkt, inner.version, p->ecn))
		return DROP_BAD_ECN;

	bool far = xy_end_is_far(w->dp, p->from);
	const struct xy_adjacency *a = far ? NULL : xy_adjacency_rcu(w->dp, p->from);
	struct xy_addr src = xy_inner_src(pkt, inner.version);
	struct xy_addr dst = xy_inner_dst(pkt, inner.version);
	if (!a && !far)
		return DROP_STALE;
	if (!is_within_mesh(&src, &dst)) {
		rte_edge_t edge = scope(a, m, &src, &dst);
		if (edge != EDGES)
			return edge;
	}
	if (!far && a->leaf)
		return LEAF;
	if (is_own(own, src.b))
		return DROP_SPOOFED;
	return far ? of_far(w->dp, m, &src) : of_link(w->dp, m, &src, a);
}

// What check() finds of nearly all that a relay carries, by few looks: IPv6 that is sealed from end
// to end, from the mesh into the mesh, from a link to a node, without a mark of congestion outside,
// and no longer than it came. False: check() says.
static inline bool is_relayed(const struct xy_own *own, struct rte_mbuf *m)
{
	static const uint64_t head = UINT64_C(0xf0) | UINT64_C(0xff) << 48; // version, next header
	static const uint64_t sealed = UINT64_C(0x60) | (uint64_t)XY_PROTO_E2E << 48;
	const uint8_t *pkt = rte_pktmbuf_mtod(m, const uint8_t *);
	struct xy_packet *p = xy_packet(m);

	if (m->data_len < XY_IPV6_LEN || p->ecn || (xy_le64_load(pkt) & head) != sealed ||
	    (((pkt[8] ^ XY_MESH_BYTE) | (pkt[24] ^ XY_MESH_BYTE)) & XY_MESH_MASK))
		return false;
	uint32_t total = XY_IPV6_LEN + (uint32_t)xy_be16_load(pkt + 4);
	if (total > m->data_len || is_own(own, pkt + 8))
		return false;
	p->version = 6;
	p->mesh = XY_MESH_SEALED;
	m->data_len = (uint16_t)total;
	m->pkt_len = total;
	return true;
}

static bool is_to_node(const struct xy_dp *dp, uint32_t from)
{
	const struct xy_adjacency *a = from < dp->cfg.max_peers ? xy_adjacency_rcu(dp, from) : NULL;
	return a && !a->leaf;
}

// As is_others_error: a leaf has errors to tell about what was for it, or behind it, alone.
static void check_leaves_errors(struct xy_worker *w, void **objs, rte_edge_t *edge,
				const unsigned *leaves, unsigned n)
{
	struct xy_lookup l;
	struct xy_addr about[XY_BURST];
	unsigned at[XY_BURST];
	l.n = 0;

	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *m = xy_node_mbuf(objs[leaves[i]]);
		struct xy_addr *a = &about[l.n];
		if (edge[leaves[i]] != ROUTE ||
		    !xy_icmp_is_error(rte_pktmbuf_mtod(m, const uint8_t *), m->data_len, a))
			continue;
		l.v4[l.n] = xy_addr_is_v4(a);
		l.addr[l.n] = xy_addr_is_v4(a) ? a->b + 12 : a->b;
		at[l.n++] = leaves[i];
	}
	if (!l.n)
		return;
	xy_lookup_run_rcu(&w->dp->sources, &l);
	for (unsigned i = 0; i < l.n; i++)
		if (l.value[i] != xy_packet(xy_node_mbuf(objs[at[i]]))->from)
			edge[at[i]] = DROP_SPOOFED;
}

// A leaf may send only from what it was given (longest prefix decides whose it is).
static void check_leaves(struct xy_worker *w, void **objs, rte_edge_t *edge, unsigned n)
{
	struct xy_lookup l;
	unsigned at[XY_BURST];
	l.n = 0;

	for (unsigned i = 0; i < n; i++)
		if (edge[i] == LEAF) {
			at[l.n] = i;
			xy_lookup_add(&l, xy_node_mbuf(objs[i]), XY_LOOKUP_SRC);
		}
	xy_lookup_run_rcu(&w->dp->sources, &l);
	for (unsigned i = 0; i < l.n; i++) {
		uint32_t from = xy_packet(xy_node_mbuf(objs[at[i]]))->from;
		edge[at[i]] = l.value[i] == from	     ? ROUTE
			      : l.value[i] == XY_SOURCE_OURS ? DROP_SPOOFED
							     : DROP_SOURCE;
	}
	check_leaves_errors(w, objs, edge, at, l.n);
}

static void chunk(struct rte_graph *graph, struct rte_node *node, struct xy_worker *w, void **objs,
		  unsigned n)
{
	const struct xy_own *own = __atomic_load_n(&w->dp->own, __ATOMIC_ACQUIRE);
	rte_edge_t edge[XY_BURST];
	uint32_t from = XY_PEER_NONE; // of the packet before; none of these is from the host
	bool to_node = false, leaves = false;

	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *m = xy_node_mbuf(objs[i]);
		if (xy_packet(m)->from != from) {
			from = xy_packet(m)->from;
			to_node = is_to_node(w->dp, from);
		}
		if (likely(to_node && is_relayed(own, m))) {
			edge[i] = ROUTE;
			continue;
		}
		edge[i] = check(w, own, m);
		leaves |= edge[i] == LEAF;
	}
	if (leaves)
		check_leaves(w, objs, edge, n);
	xy_node_pass(graph, node, objs, edge, n);
}
XY_NODE_CHUNKS(chunk)

static struct rte_node_register overlay_input = {
	.name = "overlay_input",
	.process = process,
	.nb_edges = EDGES,
	.next_nodes = {[ROUTE] = "route",
		       [PUNT] = "punt",
		       [DROP_BAD_INNER] = "drop_bad_inner",
		       [DROP_BAD_ECN] = "drop_bad_ecn",
		       [DROP_SOURCE] = "drop_source_not_allowed",
		       [DROP_SPOOFED] = "drop_spoofed",
		       [DROP_NOT_FORWARDED] = "drop_not_forwarded",
		       [DROP_NOT_SEALED] = "drop_not_sealed",
		       [DROP_STALE] = "drop_stale"},
};
RTE_NODE_REGISTER(overlay_input);
