// SPDX-License-Identifier: BSD-3-Clause
// The graph as a packet meets it, through a port in memory: two workers walked by hand, peers whose
// other end is the test. The accounting identity is checked after every case (settle). A program's
// table of cases begins with test_create and ends with test_destroy; each case takes the peers,
// their sessions and the routes as the one makes them, and leaves them so. One thread.
#pragma once

#include "accepts.h"
#include "aead.h"
#include "base/bytes.h"
#include "dp.h"
#include "far_end.h"
#include "graph/graph.h"
#include "peer.h"
#include "port/ring.h"
#include "retire.h"
#include "session.h"
#include "unit.h"
#include "wire/inet.h"

#include <sodium.h>
#include <stdlib.h>
#include <unistd.h>

enum { SERVICE = 7000, BABEL = 6696 };
enum { NODE_A, NODE_B, LEAF, NODE_C, NODE_D, PEERS, OUT_MAX = 1024, LINK_MAX = 1420, NOW = 1000 };
enum { OVERHEAD_V4 = 60 }; // of a link over UDP and IPv4

static struct xy_dp *dp;
static struct xy_port_ring ring;
static struct rte_mbuf *in[OUT_MAX], *out[OUT_MAX];
static struct {
	uint32_t index;
	struct xy_aead_schedule to_us, from_us;
	uint64_t counter;
} peer[PEERS];

static const struct xy_addr us = {.b = {2, 1, [15] = 1}};
static const struct xy_addr at_a = {.b = {2, 0xa, [15] = 1}};
static const struct xy_addr at_b = {.b = {2, 0xb, [15] = 1}};
static const struct xy_addr leaf = {.b = {2, 1, [15] = 5}}; // inside our /64
static const struct xy_addr nowhere = {.b = {3, 3, [15] = 1}};
static const struct xy_addr link_a = {.b = {0xfe, 0x80, [15] = 0xa}};
static const struct xy_addr link_us = {.b = {0xfe, 0x80, [15] = 1}};

// --- the other ends

static inline struct xy_endpoint endpoint(uint32_t who)
{
	struct xy_endpoint e = {.port = 51820};
	e.addr = xy_addr_from_v4(UINT32_C(0x0a000001) + who);
	return e;
}

// Both workers pass a quiescent point, so everything retired so far is freed.
static inline void grace(void)
{
	rte_rcu_qsbr_quiescent(dp->rcu, 0);
	rte_rcu_qsbr_quiescent(dp->rcu, 1);
	while (xy_retire_run(dp, false)) // some at a time
		;
	CU_ASSERT_PTR_NULL_FATAL(dp->retired_head);
}

static inline void session_new_in(uint32_t who, enum xy_wg_suite suite, unsigned owner, bool use)
{
	struct xy_dp_session_keys k = {
		.remote_index = 100 + who, .owner = owner, .suite = (uint8_t)suite, .born = NOW};
	if (peer[who].index)
		xy_dp_session_del(dp, peer[who].index);
	grace();
	randombytes_buf(k.recv, sizeof(k.recv));
	randombytes_buf(k.send, sizeof(k.send));
	xy_aead_key_set(XY_AEAD_CHACHA20_POLY1305, &peer[who].to_us, k.recv);
	xy_aead_key_set(XY_AEAD_CHACHA20_POLY1305, &peer[who].from_us, k.send);
	peer[who].counter = 0;
	CU_ASSERT_EQUAL_FATAL(xy_dp_session_reserve(dp, who, &peer[who].index), 0);
	CU_ASSERT_EQUAL_FATAL(xy_dp_session_set(dp, peer[who].index, &k), 0);
	if (use)
		CU_ASSERT_EQUAL_FATAL(xy_dp_session_use(dp, peer[who].index), 0);
}

static inline void session_new(uint32_t who, unsigned owner, bool use)
{
	session_new_in(who, XY_WG_CHACHA20_POLY1305, owner, use);
}

static inline struct rte_mbuf *buffer(void)
{
	struct rte_mbuf *m;
	CU_ASSERT_EQUAL_FATAL(xy_buffers_alloc(dp->worker[0], &m, 1), 0);
	return m;
}

// The node address of a peer; a leaf has none.
static inline struct xy_addr node_of(uint32_t who)
{
	static const struct xy_addr at[PEERS] = {[NODE_A] = {.b = {2, 0xa, [15] = 1}},
						 [NODE_B] = {.b = {2, 0xb, [15] = 1}},
						 [NODE_C] = {.b = {2, 0xc, [15] = 1}},
						 [NODE_D] = {.b = {2, 0xd, [15] = 1}}};
	return at[who];
}

static inline bool is_of(const struct xy_addr *a, const struct xy_addr *net)
{
	return memcmp(a->b, net->b, 8) == 0;
}

// From one node to another it is sealed; to and from us and ours it is UDP, so that it may be
// answered.
static inline uint8_t next_header(const struct xy_addr *src, const struct xy_addr *dst)
{
	bool mesh = xy_addr_is_mesh(src) && xy_addr_is_mesh(dst);
	return mesh && !is_of(src, &us) && !is_of(dst, &us) ? XY_PROTO_E2E : XY_PROTO_UDP;
}

// An IPv6 packet of len bytes.
static inline struct rte_mbuf *packet(const struct xy_addr *src, const struct xy_addr *dst,
				      uint8_t hops, uint16_t len)
{
	struct rte_mbuf *m = buffer();
	uint8_t *p = (uint8_t *)rte_pktmbuf_append(m, len);
	for (unsigned i = 0; i < len; i++)
		p[i] = (uint8_t)i;
	xy_be32_store(p, 0x60000000);
	xy_be16_store(p + 4, (uint16_t)(len - XY_IPV6_LEN));
	p[6] = next_header(src, dst);
	p[7] = hops;
	memcpy(p + 8, src->b, 16);
	memcpy(p + 24, dst->b, 16);
	return m;
}

// light: its head alone, and marked as such.
static inline void seal_as(uint32_t who, struct rte_mbuf *m, bool light)
{
	uint32_t len = m->data_len, padded = RTE_ALIGN_CEIL(len, 16u);
	memset(rte_pktmbuf_append(m, (uint16_t)(padded - len + 16)), 0, padded - len);
	struct xy_wg_data *msg = (struct xy_wg_data *)rte_pktmbuf_prepend(m, sizeof(*msg));
	*msg = (struct xy_wg_data){.type = XY_WG_DATA,
				   .receiver = peer[who].index,
				   .counter = peer[who].counter++ | (light ? XY_WG_LIGHT_MARK : 0)};
	struct xy_aead_op op = {.key = &peer[who].to_us,
				.counter = msg->counter,
				.data = msg->box,
				.len = light ? (uint32_t)XY_WG_LIGHT_LEN : padded,
				.tag = msg->box + padded};
	xy_aead_seal_burst(dp->worker[0]->aead, &op, 1);
	xy_packet(m)->remote = endpoint(who);
	xy_packet(m)->local = (struct xy_addr){.b = {0}};
	xy_packet(m)->ecn = 0;
}

static inline void seal(uint32_t who, struct rte_mbuf *m)
{
	seal_as(who, m, false);
}

// Opens what we sent to a peer in place; its length, or -1.
static inline int open_sent(uint32_t who, struct rte_mbuf *m)
{
	struct xy_wg_data *msg = rte_pktmbuf_mtod(m, struct xy_wg_data *);
	uint32_t len = m->data_len - XY_WG_DATA_OVERHEAD;
	struct xy_aead_op op = {.key = &peer[who].from_us,
				.counter = msg->counter,
				.data = msg->box,
				.len = msg->counter & XY_WG_LIGHT_MARK ? (uint32_t)XY_WG_LIGHT_LEN
								       : len,
				.tag = msg->box + len};
	struct xy_endpoint e = endpoint(who);
	CU_ASSERT_EQUAL(msg->receiver, 100 + who);
	CU_ASSERT(xy_endpoint_eq(&xy_packet(m)->remote, &e));
	xy_aead_open_burst(dp->worker[0]->aead, &op, 1);
	rte_pktmbuf_adj(m, XY_WG_DATA_HEADER_LEN);
	rte_pktmbuf_trim(m, XY_WG_TAG_LEN);
	return op.ok ? (int)len : -1;
}

static inline struct rte_mbuf *udp(const struct xy_addr *src, const struct xy_addr *dst,
				   uint16_t sport, uint16_t dport, uint16_t len)
{
	struct rte_mbuf *m = packet(src, dst, 64, len);
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);
	p[6] = XY_PROTO_UDP;
	xy_be16_store(p + 40, sport);
	xy_be16_store(p + 42, dport);
	return m;
}

// As bytes, for xy_dp_overlay_send.
static inline const uint8_t *bytes(struct rte_mbuf *m)
{
	static uint8_t copy[2048];
	memcpy(copy, rte_pktmbuf_mtod(m, uint8_t *), m->data_len);
	rte_pktmbuf_free(m);
	return copy;
}

static inline void sessions_new(void)
{
	for (uint32_t i = 0; i < PEERS; i++)
		session_new(i, 0, true);
}

// --- running

static unsigned fed;

static inline void feed(struct rte_mbuf *m)
{
	in[fed++] = m;
}

static xy_nsec at = NOW + 1; // what the workers' clocks show

static inline void walk_one(unsigned id)
{
	struct xy_worker *w = dp->worker[id];
	w->now = at;
	xy_graph_walk(w);
	rte_rcu_qsbr_quiescent(dp->rcu, id);
}

// Feeds worker 0 what was put by feed(), walks both until nothing is left; returns what came out.
static inline unsigned run(void)
{
	ring = (struct xy_port_ring){.in = in, .in_count = fed, .out = out, .out_max = OUT_MAX};
	for (int i = 0; i < 8; i++) {
		walk_one(0);
		walk_one(1);
	}
	fed = 0;
	return ring.out_count;
}

static inline void free_out(void)
{
	rte_pktmbuf_free_bulk(out, ring.out_count);
	ring.out_count = 0;
}

static inline uint64_t drops(enum xy_drop reason)
{
	return dp->worker[0]->stats.drop[reason] + dp->worker[1]->stats.drop[reason];
}

static unsigned seen[XY_DP_FAR_MTU + 1];
static struct xy_dp_event last;
static uint8_t last_data[256];

static inline void on_event(void *arg, const struct xy_dp_event *ev)
{
	(void)arg;
	seen[ev->type]++;
	last = *ev;
	if (ev->data)
		memcpy(last_data, ev->data, RTE_MIN(ev->len, sizeof(last_data)));
}

static inline void events(void)
{
	memset(seen, 0, sizeof(seen));
	xy_dp_poll(dp, 1000, on_event, NULL);
}

static inline void settle(void)
{
	free_out();
	for (unsigned i = 0; i < 2; i++) {
		struct xy_dp_worker_stats s;
		xy_dp_worker_stats(dp, i, &s);
		CU_ASSERT_EQUAL(xy_dp_accounts_balance(&s), 0);
	}
	events();
}

// One packet from a peer; expects it to be dropped for this reason and nothing else to happen.
static inline void expect_drop(uint32_t from, struct rte_mbuf *m, enum xy_drop reason)
{
	uint64_t before = drops(reason);
	seal(from, m);
	feed(m);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(drops(reason), before + 1);
	settle();
}

static inline void feed_from(uint32_t who, const struct xy_addr *src, const struct xy_addr *dst,
			     uint16_t len, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct rte_mbuf *m = packet(src, dst, 64, len);
		seal(who, m);
		feed(m);
	}
}

// The peer that one packet is sent to, by where it goes.
static inline uint32_t taken_by(uint32_t from, struct rte_mbuf *m)
{
	uint32_t who = PEERS;
	seal(from, m);
	feed(m);
	CU_ASSERT_EQUAL_FATAL(run(), 1);
	for (uint32_t i = 0; i < PEERS; i++) {
		struct xy_endpoint e = endpoint(i);
		if (xy_endpoint_eq(&xy_packet(out[0])->remote, &e))
			who = i;
	}
	CU_ASSERT(open_sent(who, out[0]) > 0);
	free_out();
	return who;
}

// What goes to a leaf by plain packets ends there; to a node, what is its own.
static inline void peer_kind(uint32_t who, bool is_leaf)
{
	struct xy_dp_peer p = {.leaf = is_leaf,
			       .node = is_leaf ? (struct xy_addr){{0}} : node_of(who),
			       .remote = endpoint(who),
			       .mtu = LINK_MAX + OVERHEAD_V4};
	CU_ASSERT_EQUAL_FATAL(xy_dp_peer_set(dp, who, &p), 0);
}

// --- routes

static inline void route(const struct xy_addr *a, uint8_t len, enum xy_dp_route_kind kind,
			 uint32_t to)
{
	struct xy_prefix p = {.addr = *a, .len = len};
	struct xy_dp_route r = {.kind = kind, .peer = to};
	xy_prefix_mask(&p);
	CU_ASSERT_EQUAL_FATAL(xy_dp_route_set(dp, &p, &r), 0);
}

static inline void route_over(const struct xy_addr *a, uint8_t len, unsigned count,
			      const uint32_t *hops)
{
	struct xy_prefix p = {.addr = *a, .len = len};
	struct xy_dp_route r = {.kind = XY_DP_ROUTE_PEER, .hop_count = count};
	memcpy(r.hops, hops, count * sizeof(*hops));
	xy_prefix_mask(&p);
	CU_ASSERT_EQUAL_FATAL(xy_dp_route_set(dp, &p, &r), 0);
	xy_dp_route_commit(dp);
}

static inline void unroute(const struct xy_addr *a, uint8_t len)
{
	struct xy_prefix p = {.addr = *a, .len = len};
	xy_prefix_mask(&p);
	CU_ASSERT_EQUAL(xy_dp_route_del(dp, &p), 0);
	xy_dp_route_commit(dp);
	grace();
}

// --- the first case and the last

static inline void test_create(void)
{
	struct xy_err err = {{0}};
	static char name[32]; // of this process alone: EAL's folder goes with who ends
	snprintf(name, sizeof(name), "test-%d", (int)getpid());
	struct xy_dp_config cfg = {.name = name,
				   .workers = 2,
				   .max_peers = 16,
				   .max_sessions = 64,
				   .max_far = 16,
				   .max_routes = 1000,
				   .max_packet = 1500,
				   .limits = xy_wg_limits_default,
				   .node_addr = us,
				   .service_port = SERVICE};
	struct xy_port *port;

	cfg.limits.rekey_after_messages = 200;
	cfg.limits.reject_after_messages = 300;
	int r = xy_dp_create(&cfg, &dp, &err);
	if (r) { // the other cases have nothing to stand on
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	memcpy(dp->flow_key,
	       (uint64_t[]){UINT64_C(0x243f6a8885a308d3), UINT64_C(0x13198a2e03707344)},
	       sizeof(dp->flow_key)); // where flows go, each time alike
	CU_ASSERT_EQUAL_FATAL(xy_port_ring_open(dp, 0, &ring, 1, &port, &err), 0);
	xy_dp_port_publish(dp, 0, port);
	for (unsigned i = 0; i < 2; i++) {
		rte_rcu_qsbr_thread_register(dp->rcu, i);
		rte_rcu_qsbr_thread_online(dp->rcu, i);
	}
	for (uint32_t i = 0; i < PEERS; i++) {
		struct xy_dp_peer p = {.leaf = i == LEAF,
				       .node = node_of(i),
				       .remote = endpoint(i),
				       .mtu = LINK_MAX + OVERHEAD_V4};
		CU_ASSERT_EQUAL_FATAL(xy_dp_peer_set(dp, i, &p), 0);
	}
	struct xy_prefix own = {.addr = us, .len = 64}, leaf_prefix = {.addr = leaf, .len = 128};
	xy_prefix_mask(&own);
	CU_ASSERT_EQUAL(xy_dp_source_own(dp, &own), 0);
	CU_ASSERT_EQUAL(xy_dp_source_set(dp, &leaf_prefix, LEAF), 0);
	route(&us, 64, XY_DP_ROUTE_HOST, 0);
	route(&leaf, 128, XY_DP_ROUTE_PEER, LEAF);
	route(&at_a, 64, XY_DP_ROUTE_PEER, NODE_A);
	route(&at_b, 64, XY_DP_ROUTE_PEER, NODE_B);
	xy_dp_route_commit(dp);
	for (uint32_t i = 0; i < PEERS; i++)
		session_new(i, 0, true);
}

static inline void test_destroy(void)
{
	unsigned used;
	for (unsigned i = 0; i < 2; i++)
		rte_rcu_qsbr_thread_offline(dp->rcu, i);
	xy_retire_run(dp, true);
	used = rte_mempool_in_use_count(dp->worker[0]->pool);
	CU_ASSERT_EQUAL(used, 0); // no buffer was lost
	xy_dp_destroy(dp);
}
