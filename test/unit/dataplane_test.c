// SPDX-License-Identifier: BSD-3-Clause
// The graph as a packet meets it, through a port in memory: two workers walked by hand, peers whose
// other end is this test. The accounting identity is checked after every case.
#include "aead.h"
#include "base/bytes.h"
#include "dp.h"
#include "eal.h"
#include "event.h"
#include "group.h"
#include "hold.h"
#include "peer.h"
#include "port/ring.h"
#include "retire.h"
#include "session.h"
#include "unit.h"
#include "wake.h"
#include "wire/inet.h"

#include <sodium.h>

enum { SERVICE = 7000, BABEL = 6696 };
enum { NODE_A, NODE_B, LEAF, NODE_C, NODE_D, PEERS, OUT_MAX = 1024, LINK_MAX = 1420, NOW = 1000 };

static struct xy_dp *dp;
static struct xy_port_ring ring;
static struct rte_mbuf *in[OUT_MAX], *out[OUT_MAX];
static struct {
	uint32_t index;
	uint8_t to_us[32], from_us[32];
	uint64_t counter;
} peer[PEERS];

static const struct xy_addr us = {.b = {2, 1, [15] = 1}};
static const struct xy_addr at_a = {.b = {2, 0xa, [15] = 1}};
static const struct xy_addr at_b = {.b = {2, 0xb, [15] = 1}};
static const struct xy_addr leaf = {.b = {2, 1, [15] = 5}}; // inside our /64
static const struct xy_addr nowhere = {.b = {3, 3, [15] = 1}};

// --- the other ends

static struct xy_endpoint endpoint(uint32_t who)
{
	struct xy_endpoint e = {.port = 51820};
	e.addr = xy_addr_from_v4(UINT32_C(0x0a000001) + who);
	return e;
}

// Both workers pass a quiescent point, so everything retired so far is freed.
static void grace(void)
{
	rte_rcu_qsbr_quiescent(dp->rcu, 0);
	rte_rcu_qsbr_quiescent(dp->rcu, 1);
	xy_retire_run(dp, false);
	CU_ASSERT_PTR_NULL_FATAL(dp->retired_head);
}

static void session_new(uint32_t who, unsigned owner, bool use)
{
	struct xy_dp_session_keys k = {.remote_index = 100 + who, .owner = owner, .born = NOW};
	if (peer[who].index)
		xy_dp_session_del(dp, peer[who].index);
	grace();
	randombytes_buf(peer[who].to_us, 32);
	randombytes_buf(peer[who].from_us, 32);
	peer[who].counter = 0;
	memcpy(k.recv, peer[who].to_us, 32);
	memcpy(k.send, peer[who].from_us, 32);
	CU_ASSERT_EQUAL_FATAL(xy_dp_session_reserve(dp, who, &peer[who].index), 0);
	CU_ASSERT_EQUAL_FATAL(xy_dp_session_set(dp, peer[who].index, &k), 0);
	if (use)
		CU_ASSERT_EQUAL_FATAL(xy_dp_session_use(dp, peer[who].index), 0);
}

static struct rte_mbuf *buffer(void)
{
	struct rte_mbuf *m;
	CU_ASSERT_EQUAL_FATAL(xy_buffers_alloc(dp->worker[0], &m, 1), 0);
	return m;
}

// An IPv6 packet of len bytes; UDP so that it may be answered.
static struct rte_mbuf *packet(const struct xy_addr *src, const struct xy_addr *dst, uint8_t hops,
			       uint16_t len)
{
	struct rte_mbuf *m = buffer();
	uint8_t *p = (uint8_t *)rte_pktmbuf_append(m, len);
	for (unsigned i = 0; i < len; i++)
		p[i] = (uint8_t)i;
	xy_be32_store(p, 0x60000000);
	xy_be16_store(p + 4, (uint16_t)(len - XY_IPV6_LEN));
	p[6] = XY_PROTO_UDP;
	p[7] = hops;
	memcpy(p + 8, src->b, 16);
	memcpy(p + 24, dst->b, 16);
	return m;
}

static void seal(uint32_t who, struct rte_mbuf *m)
{
	uint32_t len = m->data_len, padded = RTE_ALIGN_CEIL(len, 16u);
	memset(rte_pktmbuf_append(m, (uint16_t)(padded - len + 16)), 0, padded - len);
	struct xy_wg_data *msg = (struct xy_wg_data *)rte_pktmbuf_prepend(m, sizeof(*msg));
	*msg = (struct xy_wg_data){
		.type = XY_WG_DATA, .receiver = peer[who].index, .counter = peer[who].counter++};
	struct xy_aead_op op = {.key = peer[who].to_us,
				.counter = msg->counter,
				.data = msg->box,
				.len = padded,
				.tag = msg->box + padded};
	xy_aead_seal_burst(dp->worker[0]->aead, &op, 1);
	xy_packet(m)->remote = endpoint(who);
	xy_packet(m)->local = (struct xy_addr){.b = {0}};
}

// Opens what we sent to a peer in place; its length, or -1.
static int open_sent(uint32_t who, struct rte_mbuf *m)
{
	struct xy_wg_data *msg = rte_pktmbuf_mtod(m, struct xy_wg_data *);
	uint32_t len = m->data_len - XY_WG_DATA_OVERHEAD;
	struct xy_aead_op op = {.key = peer[who].from_us,
				.counter = msg->counter,
				.data = msg->box,
				.len = len,
				.tag = msg->box + len};
	struct xy_endpoint e = endpoint(who);
	CU_ASSERT_EQUAL(msg->receiver, 100 + who);
	CU_ASSERT(xy_endpoint_eq(&xy_packet(m)->remote, &e));
	xy_aead_open_burst(dp->worker[0]->aead, &op, 1);
	rte_pktmbuf_adj(m, XY_WG_DATA_HEADER_LEN);
	rte_pktmbuf_trim(m, XY_WG_TAG_LEN);
	return op.ok ? (int)len : -1;
}

// --- running

static unsigned fed;

static void feed(struct rte_mbuf *m)
{
	in[fed++] = m;
}

static xy_nsec at = NOW + 1; // what the workers' clocks show

static void walk_one(unsigned id)
{
	struct xy_worker *w = dp->worker[id];
	w->now = at;
	rte_graph_walk(w->graph);
	rte_rcu_qsbr_quiescent(dp->rcu, id);
}

// Feeds worker 0 what was put by feed(), walks both until nothing is left; returns what came out.
static unsigned run(void)
{
	ring = (struct xy_port_ring){.in = in, .in_count = fed, .out = out, .out_max = OUT_MAX};
	for (int i = 0; i < 8; i++) {
		walk_one(0);
		walk_one(1);
	}
	fed = 0;
	return ring.out_count;
}

static void free_out(void)
{
	rte_pktmbuf_free_bulk(out, ring.out_count);
	ring.out_count = 0;
}

static uint64_t drops(enum xy_drop reason)
{
	return dp->worker[0]->stats.drop[reason] + dp->worker[1]->stats.drop[reason];
}

static unsigned seen[XY_DP_USED + 1];
static struct xy_dp_event last;
static uint8_t last_data[256];

static void on_event(void *arg, const struct xy_dp_event *ev)
{
	(void)arg;
	seen[ev->type]++;
	last = *ev;
	if (ev->data)
		memcpy(last_data, ev->data, RTE_MIN(ev->len, sizeof(last_data)));
}

static void events(void)
{
	memset(seen, 0, sizeof(seen));
	xy_dp_poll(dp, 1000, on_event, NULL);
}

static void settle(void)
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
static void expect_drop(uint32_t from, struct rte_mbuf *m, enum xy_drop reason)
{
	uint64_t before = drops(reason);
	seal(from, m);
	feed(m);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(drops(reason), before + 1);
	settle();
}

// --- cases

// Machines that are not here: which pools, where, and how many buffers in each.
static void test_pools(void)
{
	enum { ANY = SOCKET_ID_ANY };
	static const struct {
		const char *name;
		uint32_t buffers, more;
		unsigned workers, devices;
		int worker[12], device[2];
		unsigned count;
		int node[XY_POOLS];
		uint32_t want[XY_POOLS];
	} rows[] = {
		{"one node", 0, 0, 2, 0, {ANY, ANY}, {0}, 1, {ANY}, {4095 + 2 * 4096}},
		{"one node, as told, and cards",
		 1000,
		 4096,
		 2,
		 1,
		 {ANY, ANY},
		 {ANY},
		 1,
		 {ANY},
		 {1000 + 4096}},
		{"pinned to one of two", 0, 10, 2, 0, {1, 1}, {0}, 1, {1}, {4095 + 2 * 4096 + 10}},
		{"two nodes", 0, 0, 2, 0, {0, 1}, {0}, 2, {0, 1}, {8191, 8191}},
		{"worker 0 on the second", 0, 0, 2, 0, {1, 0}, {0}, 2, {1, 0}, {8191, 8191}},
		{"unequal, as told",
		 1000,
		 100,
		 3,
		 0,
		 {0, 1, 0},
		 {0},
		 2,
		 {0, 1},
		 {667 + 67, 334 + 34}},
		{"a card where no worker is",
		 0,
		 500,
		 1,
		 1,
		 {0},
		 {1},
		 2,
		 {0, 1},
		 {8191 + 500, 4095 + 500}},
		{"cards with workers, or nowhere",
		 0,
		 0,
		 2,
		 2,
		 {0, 1},
		 {1, ANY},
		 2,
		 {0, 1},
		 {8191, 8191}},
		{"not pinned, beside a pinned one",
		 0,
		 0,
		 2,
		 0,
		 {ANY, 1},
		 {0},
		 1,
		 {1},
		 {4095 + 2 * 4096}},
		{"more nodes than pools",
		 0,
		 0,
		 10,
		 0,
		 {0, 1, 2, 3, 4, 5, 6, 7, 8, 9},
		 {0},
		 8,
		 {0, 1, 2, 3, 4, 5, 6, 7},
		 {4095 + 3 * 4096, 8191, 8191, 8191, 8191, 8191, 8191, 8191}},
	};
	for (size_t i = 0; i < RTE_DIM(rows); i++) {
		struct xy_dp_config cfg = {.workers = rows[i].workers,
					   .buffers = rows[i].buffers,
					   .more_buffers = rows[i].more};
		struct xy_pools_places places = {.workers = rows[i].workers,
						 .devices = rows[i].devices,
						 .worker = rows[i].worker,
						 .device = rows[i].device};
		struct xy_pools p;
		xy_pools_plan(&cfg, &places, &p);
		bool right = p.count == rows[i].count;
		for (unsigned j = 0; right && j < p.count; j++)
			right = p.pool[j].node == rows[i].node[j] &&
				p.pool[j].buffers == rows[i].want[j];
		if (!right)
			fprintf(stderr, "%s\n", rows[i].name);
		CU_ASSERT(right);
		if (p.count == 1)
			CU_ASSERT_EQUAL(p.pool[0].buffers, xy_pools_buffers(&cfg));
	}
}

// Where threads may run, as EAL reads it: whole even where it is long.
static void test_lcores(void)
{
	static struct xy_worker worker[XY_DP_WORKERS];
	struct xy_dp many = {.workers = XY_DP_WORKERS};
	cpu_set_t all, some;
	CPU_ZERO(&all);
	CPU_ZERO(&some);
	for (unsigned i = 0; i < XY_DP_WORKERS; i++) {
		worker[i] = (struct xy_worker){.lcore = i + 1, .cpu = i == 1 ? 7 : -1};
		many.worker[i] = &worker[i];
	}
	for (unsigned i = 0; i < CPU_SETSIZE; i++) {
		CPU_SET(i, &all);
		if (i % 2)
			CPU_SET(i, &some);
	}
	CPU_CLR(1, &all);
	char *text = xy_eal_lcores(&many, &all);
	static const char start[] = "--lcores=0@(0,2-1023),1@(0,2-1023),2@7,3@(0,2-1023),";
	static const char end[] = ",64@(0,2-1023)", far_end[] = ",1021,1023)";
	CU_ASSERT_EQUAL(strncmp(text, start, strlen(start)), 0);
	CU_ASSERT_STRING_EQUAL(text + strlen(text) - strlen(end), end);
	free(text);
	text = xy_eal_lcores(&many, &some);
	CU_ASSERT_STRING_EQUAL(text + strlen(text) - strlen(far_end), far_end);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, ",64@(1,3,5,"));
	free(text);
}

static void route(const struct xy_addr *a, uint8_t len, enum xy_dp_route_kind kind, uint32_t to)
{
	struct xy_prefix p = {.addr = *a, .len = len};
	struct xy_dp_route r = {.kind = kind, .peer = to};
	xy_prefix_mask(&p);
	CU_ASSERT_EQUAL_FATAL(xy_dp_route_set(dp, &p, &r), 0);
}

static void test_create(void)
{
	struct xy_err err = {{0}};
	struct xy_dp_config cfg = {.name = "test",
				   .workers = 2,
				   .max_peers = 16,
				   .max_sessions = 64,
				   .max_routes = 1000,
				   .max_packet = 1500,
				   .limits = xy_wg_limits_default,
				   .node_addr = us,
				   .service_port = SERVICE};
	struct xy_port *port;

	cfg.limits.rekey_after_messages = 200;
	cfg.limits.reject_after_messages = 300;
	int r = xy_dp_create(&cfg, &dp, &err);
	if (r)
		fprintf(stderr, "%s\n", err.text);
	CU_ASSERT_EQUAL_FATAL(r, 0);
	memcpy(dp->flow_key,
	       (uint64_t[]){UINT64_C(0x243f6a8885a308d3), UINT64_C(0x13198a2e03707344)},
	       sizeof(dp->flow_key)); // where flows go, each time alike
	CU_ASSERT_EQUAL_FATAL(xy_port_ring_open(dp, 0, &ring, &port, &err), 0);
	xy_dp_port_publish(dp, 0, port);
	for (unsigned i = 0; i < 2; i++) {
		rte_rcu_qsbr_thread_register(dp->rcu, i);
		rte_rcu_qsbr_thread_online(dp->rcu, i);
	}
	for (uint32_t i = 0; i < PEERS; i++) {
		struct xy_dp_peer p = {.leaf = i == LEAF,
				       .remote = endpoint(i),
				       .mtu = LINK_MAX + XY_WG_LINK_OVERHEAD_V4};
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

static void test_relay(void)
{
	for (uint16_t len = XY_IPV6_LEN + 8; len <= LINK_MAX; len++) {
		struct rte_mbuf *m = packet(&at_a, &at_b, 64, len);
		if (peer[NODE_A].counter > 150) {
			session_new(NODE_A, 0, true);
			session_new(NODE_B, 0, true);
		}
		seal(NODE_A, m);
		feed(m);
		CU_ASSERT_EQUAL_FATAL(run(), 1);
		// Padded to 16, never beyond what the link carries.
		CU_ASSERT_EQUAL(out[0]->data_len,
				RTE_MIN(RTE_ALIGN_CEIL(len, 16), LINK_MAX) + XY_WG_DATA_OVERHEAD);
		CU_ASSERT(open_sent(NODE_B, out[0]) >= len);
		const uint8_t *p = rte_pktmbuf_mtod(out[0], uint8_t *);
		CU_ASSERT_EQUAL(p[7], 63);
		CU_ASSERT_EQUAL(xy_be16_load(p + 4), len - XY_IPV6_LEN);
		for (unsigned i = XY_IPV6_LEN; i < len; i++)
			CU_ASSERT_EQUAL_FATAL(p[i], (uint8_t)i);
		free_out();
	}
	settle();
}

static void test_first_and_stats(void)
{
	struct xy_dp_peer_stats s;
	struct xy_dp_session_stats ss;
	session_new(NODE_A, 0, true);
	events();
	for (int i = 0; i < 3; i++) {
		struct rte_mbuf *m = packet(&at_a, &at_b, 64, 100);
		seal(NODE_A, m);
		feed(m);
	}
	CU_ASSERT_EQUAL(run(), 3);
	events();
	CU_ASSERT_EQUAL(seen[XY_DP_FIRST], 1);
	CU_ASSERT_EQUAL(last.index, peer[NODE_A].index);
	CU_ASSERT_EQUAL(xy_dp_session_stats(dp, peer[NODE_A].index, &ss), 0);
	CU_ASSERT_EQUAL(ss.rx_packets, 3);
	CU_ASSERT_EQUAL(ss.rx_data, NOW + 1);
	CU_ASSERT_EQUAL(xy_dp_peer_stats(dp, NODE_A, &s), 0);
	uint64_t before = s.rx_packets;
	session_new(NODE_A, 0, true); // the peer's sum outlives the session
	CU_ASSERT_EQUAL(xy_dp_peer_stats(dp, NODE_A, &s), 0);
	CU_ASSERT_EQUAL(s.rx_packets, before);
	CU_ASSERT_EQUAL(xy_dp_session_stats(dp, 12345, &ss), -ENOENT);
	settle();
}

static void test_keepalive(void)
{
	struct rte_mbuf *m = buffer();
	uint64_t consumed = dp->worker[0]->stats.consumed;
	seal(NODE_A, m);
	feed(m);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(dp->worker[0]->stats.consumed, consumed + 1);
	CU_ASSERT_EQUAL(xy_dp_session_keepalive(dp, peer[NODE_B].index), 0);
	CU_ASSERT_EQUAL(run(), 1);
	CU_ASSERT_EQUAL(out[0]->data_len, XY_WG_DATA_OVERHEAD);
	CU_ASSERT_EQUAL(open_sent(NODE_B, out[0]), 0);
	settle();
}

static void test_refused_messages(void)
{
	struct rte_mbuf *m = packet(&at_a, &at_b, 64, 100);
	seal(NODE_A, m);
	rte_pktmbuf_mtod(m, uint8_t *)[40] ^= 1;
	uint64_t bad = drops(XY_DROP_BAD_TAG), unknown = drops(XY_DROP_UNKNOWN_INDEX);
	uint64_t none = drops(XY_DROP_NOT_WIREGUARD);
	feed(m);
	m = packet(&at_a, &at_b, 64, 100);
	seal(NODE_A, m);
	rte_pktmbuf_mtod(m, struct xy_wg_data *)->receiver ^= 0x10000;
	feed(m);
	m = buffer();
	memset(rte_pktmbuf_append(m, 31), 4, 31);
	feed(m);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(drops(XY_DROP_BAD_TAG), bad + 1);
	CU_ASSERT_EQUAL(drops(XY_DROP_UNKNOWN_INDEX), unknown + 1);
	CU_ASSERT_EQUAL(drops(XY_DROP_NOT_WIREGUARD), none + 1);
	settle();
}

static void test_replay(void)
{
	uint64_t before = drops(XY_DROP_REPLAY);
	for (int i = 0; i < 2; i++) {
		struct rte_mbuf *m = packet(&at_a, &at_b, 64, 100);
		seal(NODE_A, m);
		feed(m);
		peer[NODE_A].counter--;
	}
	peer[NODE_A].counter++;
	CU_ASSERT_EQUAL(run(), 1);
	CU_ASSERT_EQUAL(drops(XY_DROP_REPLAY), before + 1);
	settle();
}

static void test_inner_checks(void)
{
	struct xy_addr ll = {.b = {0xfe, 0x80, [15] = 1}}, mc = {.b = {0xff, 2, [15] = 1}};
	struct rte_mbuf *m = packet(&at_a, &at_b, 64, 100);
	rte_pktmbuf_mtod(m, uint8_t *)[0] = 0x50;
	expect_drop(NODE_A, m, XY_DROP_BAD_INNER);
	m = packet(&at_a, &at_b, 64, 100);
	xy_be16_store(rte_pktmbuf_mtod(m, uint8_t *) + 4, 1000);
	expect_drop(NODE_A, m, XY_DROP_BAD_INNER);
	expect_drop(NODE_A, packet(&us, &at_b, 64, 100), XY_DROP_SPOOFED);
	expect_drop(NODE_A, packet(&leaf, &at_b, 64, 100), XY_DROP_SPOOFED);
	expect_drop(NODE_A, packet(&mc, &at_b, 64, 100), XY_DROP_SPOOFED);
	expect_drop(NODE_A, packet(&ll, &at_b, 64, 100), XY_DROP_NOT_FORWARDED);
	expect_drop(NODE_A, packet(&at_a, &mc, 64, 100), XY_DROP_NOT_FORWARDED);
	expect_drop(NODE_A, packet(&at_a, &ll, 64, 100), XY_DROP_NOT_FORWARDED);
	expect_drop(LEAF, packet(&at_a, &at_b, 64, 100), XY_DROP_SOURCE_NOT_ALLOWED);
	expect_drop(LEAF, packet(&us, &at_b, 64, 100), XY_DROP_SPOOFED);
	expect_drop(NODE_A, packet(&at_a, &at_a, 64, 100), XY_DROP_SAME_PEER);
	expect_drop(NODE_A, packet(&at_a, &us, 64, 100), XY_DROP_HOST_DOWN);
	m = packet(&leaf, &at_b, 64, 100);
	seal(LEAF, m);
	feed(m);
	CU_ASSERT_EQUAL(run(), 1);
	settle();
}

// ::/0 of a leaf is all but the mesh and us; what routing brought of its networks as well.
static void test_leaf_of_everything(void)
{
	static const struct xy_addr net = {.b = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}};
	static const struct xy_addr host = {.b = {0x20, 0x01, 0x0d, 0xb8, 1, [15] = 1}};
	static const struct xy_addr sister = {.b = {2, 1, [15] = 6}};
	const struct xy_prefix all = {.len = 0}, mesh = {.addr.b = {2}, .len = 7};
	const struct xy_prefix half = {.addr.b = {3}, .len = 8}, node = {.addr = at_a, .len = 64};
	const struct xy_prefix ours = {.addr = host, .len = 128};
	struct xy_prefix own = {.addr = us, .len = 64}, upper = {.addr = us, .len = 96};
	xy_prefix_mask(&own);
	xy_prefix_mask(&upper);

	CU_ASSERT_EQUAL(xy_dp_source_own(dp, &ours), 0);
	CU_ASSERT_EQUAL(xy_dp_source_set(dp, &all, LEAF), 0);
	CU_ASSERT_EQUAL(xy_dp_source_set(dp, &upper, LEAF), 0);
	CU_ASSERT_EQUAL(xy_dp_source_set(dp, &mesh, LEAF), -EPERM);
	CU_ASSERT_EQUAL(xy_dp_source_set(dp, &half, LEAF), -EPERM);
	CU_ASSERT_EQUAL(xy_dp_source_set(dp, &node, LEAF), -EPERM);
	CU_ASSERT_EQUAL(xy_dp_source_set(dp, &own, LEAF), -EPERM);
	CU_ASSERT_EQUAL(xy_dp_source_set(dp, &ours, LEAF), -EPERM);
	CU_ASSERT_EQUAL(xy_dp_source_del(dp, &ours), -EPERM);
	CU_ASSERT_EQUAL(xy_dp_source_del(dp, &mesh), -EPERM);
	xy_dp_route_commit(dp);
	expect_drop(LEAF, packet(&at_a, &at_b, 64, 100), XY_DROP_SOURCE_NOT_ALLOWED);
	expect_drop(LEAF, packet(&nowhere, &at_b, 64, 100), XY_DROP_SOURCE_NOT_ALLOWED);
	expect_drop(LEAF, packet(&us, &at_b, 64, 100), XY_DROP_SPOOFED);
	expect_drop(LEAF, packet(&host, &at_b, 64, 100), XY_DROP_SPOOFED);
	for (unsigned i = 0; i < 2; i++) {
		seal(LEAF, (in[0] = packet(i ? &sister : &net, &at_b, 64, 100)));
		feed(in[0]);
		CU_ASSERT_EQUAL(run(), 1);
		settle();
	}
	CU_ASSERT_EQUAL(xy_dp_source_del(dp, &all), 0);
	CU_ASSERT_EQUAL(xy_dp_source_del(dp, &upper), 0);
	xy_dp_route_commit(dp);
	expect_drop(LEAF, packet(&net, &at_b, 64, 100), XY_DROP_SOURCE_NOT_ALLOWED);
}

// How many drops of the reason a packet makes.
static uint64_t drops_by(uint32_t who, struct rte_mbuf *m, enum xy_drop reason)
{
	uint64_t before = drops(reason);
	seal(who, m);
	feed(m);
	CU_ASSERT_EQUAL(run(), 1); // it, or the error about it
	settle();
	return drops(reason) - before;
}

// One limit for all kinds of routes: whatever goes makes room for any other.
static void test_route_limit(void)
{
	const struct xy_dp_route host = {.kind = XY_DP_ROUTE_HOST};
	const struct xy_prefix v4 = {.addr = xy_addr_from_v4(UINT32_C(0x0a630000)), .len = 112};
	struct xy_prefix p = {.addr.b = {2, 0x77}, .len = 64};
	struct xy_dp_route_info i;
	unsigned n = 0;

	xy_dp_route_info(dp, &i);
	for (unsigned room = i.limit - i.count; n < room; n++) {
		xy_be16_store(p.addr.b + 2, (uint16_t)n);
		CU_ASSERT_EQUAL_FATAL(xy_dp_route_set(dp, &p, &host), 0);
	}
	CU_ASSERT_EQUAL(xy_dp_route_set(dp, &p, &host), 0); // there already
	CU_ASSERT_EQUAL(xy_dp_route_set(dp, &v4, &host), -ENOSPC);
	CU_ASSERT_EQUAL(xy_dp_route_del(dp, &p), 0);
	CU_ASSERT_EQUAL(xy_dp_route_set(dp, &v4, &host), 0);
	CU_ASSERT_EQUAL(xy_dp_route_set(dp, &p, &host), -ENOSPC);
	CU_ASSERT_EQUAL(xy_dp_route_del(dp, &v4), 0);
	while (--n) {
		xy_be16_store(p.addr.b + 2, (uint16_t)(n - 1));
		CU_ASSERT_EQUAL_FATAL(xy_dp_route_del(dp, &p), 0);
	}
	xy_dp_route_commit(dp);
	xy_dp_route_info(dp, &i);
	CU_ASSERT_EQUAL(i.refused, 2);
}

// Nor is a default route a way into the mesh; a route of 200::/7 as a whole is.
static void test_default_route(void)
{
	static const struct xy_addr net = {.b = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}};
	const struct xy_prefix all = {.len = 0}, mesh = {.addr.b = {2}, .len = 7};
	const struct xy_dp_route b = {.kind = XY_DP_ROUTE_PEER, .peer = NODE_B};
	struct xy_dp_route_info before, after;

	xy_dp_route_info(dp, &before);
	route(&all.addr, 0, XY_DP_ROUTE_PEER, NODE_B);
	xy_dp_route_commit(dp);
	CU_ASSERT_EQUAL(drops_by(NODE_A, packet(&at_a, &net, 64, 100), XY_DROP_NO_ROUTE), 0);
	CU_ASSERT_EQUAL(drops_by(NODE_A, packet(&at_a, &nowhere, 64, 100), XY_DROP_NO_ROUTE), 1);
	CU_ASSERT_EQUAL(xy_dp_route_del(dp, &mesh), -ENOENT);
	CU_ASSERT_EQUAL(xy_dp_route_set(dp, &mesh, &b), 0);
	xy_dp_route_commit(dp);
	xy_dp_route_info(dp, &after);
	CU_ASSERT_EQUAL(after.count, before.count + 2);
	CU_ASSERT_EQUAL(drops_by(NODE_A, packet(&at_a, &nowhere, 64, 100), XY_DROP_NO_ROUTE), 0);
	CU_ASSERT_EQUAL(xy_dp_route_del(dp, &mesh), 0);
	CU_ASSERT_EQUAL(xy_dp_route_del(dp, &all), 0);
	xy_dp_route_commit(dp);
	CU_ASSERT_EQUAL(drops_by(NODE_A, packet(&at_a, &nowhere, 64, 100), XY_DROP_NO_ROUTE), 1);
	xy_dp_route_info(dp, &after);
	CU_ASSERT_EQUAL(after.count, before.count);
}

static void expect_icmp(uint8_t hops, const struct xy_addr *dst, uint16_t len, uint8_t type,
			uint8_t code, enum xy_drop reason)
{
	uint64_t before = drops(reason);
	struct rte_mbuf *m = packet(&at_a, dst, hops, len);
	seal(NODE_A, m);
	feed(m);
	CU_ASSERT_EQUAL_FATAL(run(), 1);
	CU_ASSERT_EQUAL(drops(reason), before + 1);
	CU_ASSERT(open_sent(NODE_A, out[0]) > 48);
	const uint8_t *p = rte_pktmbuf_mtod(out[0], uint8_t *);
	CU_ASSERT_EQUAL(p[6], XY_PROTO_ICMPV6);
	CU_ASSERT(memcmp(p + 8, us.b, 16) == 0 && memcmp(p + 24, at_a.b, 16) == 0);
	CU_ASSERT_EQUAL(p[40], type);
	CU_ASSERT_EQUAL(p[41], code);
	if (type == 2)
		CU_ASSERT_EQUAL(xy_be32_load(p + 44), LINK_MAX);
	CU_ASSERT(memcmp(p + 48 + 24, dst->b, 16) == 0); // the quote
	settle();
}

static void test_icmp(void)
{
	expect_icmp(1, &at_b, 100, 3, 0, XY_DROP_HOP_LIMIT);
	expect_icmp(64, &nowhere, 100, 1, 0, XY_DROP_NO_ROUTE);
	expect_icmp(64, &at_b, LINK_MAX + 1, 2, 0, XY_DROP_TOO_BIG);
}

// A packet that fills its buffer leaves no room for the next link's padding and tag.
static void test_buffer_full(void)
{
	uint64_t big = drops(XY_DROP_TOO_BIG);
	struct rte_mbuf *m = packet(&at_a, &at_b, 64, 1300);
	seal(NODE_A, m);
	const uint8_t *data = rte_pktmbuf_mtod(m, const uint8_t *);
	m->data_off = (uint16_t)(m->buf_len - m->data_len);
	memmove(rte_pktmbuf_mtod(m, void *), data, m->data_len);
	feed(m);
	CU_ASSERT_EQUAL_FATAL(run(), 1);
	CU_ASSERT(open_sent(NODE_A, out[0]) > 0);
	CU_ASSERT_EQUAL(rte_pktmbuf_mtod(out[0], const uint8_t *)[40], 2); // Packet Too Big
	CU_ASSERT_EQUAL(drops(XY_DROP_TOO_BIG), big + 1);
	settle();
}

static void test_icmp_limit(void)
{
	uint64_t limited = drops(XY_DROP_ICMP_LIMITED);
	unsigned sent = 0;
	for (int i = 0; i < 100; i++) {
		struct rte_mbuf *m = packet(&at_a, &nowhere, 64, 100);
		seal(NODE_A, m);
		feed(m);
	}
	sent = run();
	CU_ASSERT(sent > 0 && sent <= 50);
	CU_ASSERT_EQUAL(drops(XY_DROP_ICMP_LIMITED), limited + 100 - sent);
	settle();
}

static void test_hold(void)
{
	session_new(NODE_B, 0, false);
	session_new(NODE_A, 0, true);
	for (int i = 0; i < XY_DP_HELD_PER_PEER + 2; i++) {
		struct rte_mbuf *m = packet(&at_a, &at_b, 64, (uint16_t)(100 + i));
		seal(NODE_A, m);
		feed(m);
	}
	uint64_t full = drops(XY_DROP_HOLD_FULL), none = drops(XY_DROP_NO_SESSION);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(dp->worker[0]->stats.held, XY_DP_HELD_PER_PEER);
	CU_ASSERT_EQUAL(drops(XY_DROP_HOLD_FULL), full + 2);
	events();
	CU_ASSERT_EQUAL(seen[XY_DP_WANT], 1);
	CU_ASSERT_EQUAL(xy_dp_session_use(dp, peer[NODE_B].index), 0);
	CU_ASSERT_EQUAL_FATAL(run(), XY_DP_HELD_PER_PEER);
	CU_ASSERT_EQUAL(dp->worker[0]->stats.held, 0);
	CU_ASSERT(open_sent(NODE_B, out[0]) >= 102); // the two oldest had to go; order is kept
	CU_ASSERT_EQUAL(xy_be16_load(rte_pktmbuf_mtod(out[0], uint8_t *) + 4), 102 - XY_IPV6_LEN);
	settle();

	session_new(NODE_B, 0, false);
	struct rte_mbuf *m = packet(&at_a, &at_b, 64, 100);
	seal(NODE_A, m);
	feed(m);
	CU_ASSERT_EQUAL(run(), 0);
	xy_dp_peer_release_held(dp, NODE_B); // the handshake was given up
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(drops(XY_DROP_NO_SESSION), none + 1);
	session_new(NODE_B, 0, true);
	settle();
}

static struct rte_mbuf *held_for(uint32_t who)
{
	struct rte_mbuf *m = packet(&at_a, &at_b, 64, 60);
	xy_packet(m)->next = who;
	return m;
}

// Whoever waits for most gives way when all of it is too much.
static void test_hold_shared(void)
{
	struct xy_hold *h = xy_hold_create(dp, dp->worker[0]->pool);
	uint32_t limit = dp->worker[0]->pool->size / 4 / 2, hogs = limit / XY_DP_HELD_PER_PEER + 1,
		 n = 0;
	unsigned gone[16] = {0};
	bool want;
	CU_ASSERT_TRUE_FATAL(hogs < 15);
	for (uint32_t who = 0; who < hogs; who++)
		for (unsigned i = 0; i < XY_DP_HELD_PER_PEER; i++) {
			struct rte_mbuf *loser = xy_hold_put(h, held_for(who), at, &want);
			n += !loser;
			rte_pktmbuf_free(loser);
		}
	CU_ASSERT_EQUAL(n, limit);
	CU_ASSERT_EQUAL(xy_hold_count(h), limit);
	uint32_t share = limit / (hogs + 1);
	for (unsigned i = 0; i < share + 5; i++) {
		struct rte_mbuf *loser = xy_hold_put(h, held_for(15), at, &want);
		CU_ASSERT_PTR_NOT_NULL_FATAL(loser);
		gone[xy_packet(loser)->next]++;
		rte_pktmbuf_free(loser);
	}
	CU_ASSERT_EQUAL(gone[15], 5); // its own only above an equal share
	for (uint32_t who = 0; who < hogs; who++)
		CU_ASSERT(gone[who] <= XY_DP_HELD_PER_PEER - share);
	CU_ASSERT_EQUAL(xy_hold_count(h), limit);
	xy_hold_destroy(h);
}

static void test_roam(void)
{
	session_new(NODE_A, 0, true);
	struct rte_mbuf *m = packet(&at_a, &at_b, 64, 100);
	struct xy_endpoint moved = endpoint(77);
	seal(NODE_A, m);
	xy_packet(m)->remote = moved;
	feed(m);
	CU_ASSERT_EQUAL(run(), 1);
	events();
	CU_ASSERT_EQUAL(seen[XY_DP_ROAM], 1);
	CU_ASSERT(xy_endpoint_eq(&last.remote, &moved));
	settle();
	m = packet(&at_a, &at_b, 64, 100); // forged: says nothing about where the peer is
	seal(NODE_A, m);
	xy_packet(m)->remote = endpoint(78);
	rte_pktmbuf_mtod(m, uint8_t *)[60] ^= 1;
	feed(m);
	CU_ASSERT_EQUAL(run(), 0);
	events();
	CU_ASSERT_EQUAL(seen[XY_DP_ROAM], 0);
	settle();
}

static void test_handover_and_move(void)
{
	session_new(NODE_A, 1, true);
	session_new(NODE_B, 0, true);
	uint64_t handed = dp->worker[0]->stats.ring_out;
	struct xy_dp_session_stats s;
	for (int i = 0; i < 20; i++) {
		struct rte_mbuf *m = packet(&at_a, &at_b, 64, 100);
		seal(NODE_A, m);
		feed(m);
	}
	CU_ASSERT_EQUAL(run(), 20); // opened by worker 1, which has the window
	CU_ASSERT_EQUAL(dp->worker[0]->stats.ring_out, handed + 20);
	xy_dp_session_stats(dp, peer[NODE_A].index, &s);
	CU_ASSERT_EQUAL(s.owner, 1);
	CU_ASSERT_EQUAL(s.handed_over, 20);
	CU_ASSERT_EQUAL(s.handed_from, 0);
	settle();

	CU_ASSERT_EQUAL(xy_dp_session_move(dp, peer[NODE_A].index, 0), 0);
	CU_ASSERT_EQUAL(xy_dp_session_move(dp, peer[NODE_A].index, 1), -EBUSY);
	for (int i = 0; i < 20; i++) { // the window moves: these wait on worker 0's own ring
		struct rte_mbuf *m = packet(&at_a, &at_b, 64, 100);
		seal(NODE_A, m);
		feed(m);
	}
	ring = (struct xy_port_ring){.in = in, .in_count = fed, .out = out, .out_max = OUT_MAX};
	fed = 0;
	walk_one(0);
	walk_one(0);
	CU_ASSERT_EQUAL(ring.out_count, 0); // worker 1 may still be in a burst with the window
	walk_one(1);
	walk_one(0); // and now it cannot
	CU_ASSERT_EQUAL(ring.out_count, 20);
	CU_ASSERT_EQUAL(xy_dp_session_move(dp, peer[NODE_A].index, 1), -EBUSY);
	xy_dp_housekeep(dp);
	handed = dp->worker[0]->stats.ring_out;
	free_out();
	struct rte_mbuf *m = packet(&at_a, &at_b, 64, 100);
	seal(NODE_A, m);
	feed(m);
	CU_ASSERT_EQUAL(run(), 1);
	CU_ASSERT_EQUAL(dp->worker[0]->stats.ring_out, handed);
	settle();
}

// The control thread is busy for long after it has moved a window: receiving goes on.
static void test_move_alone(void)
{
	session_new(NODE_A, 1, true);
	session_new(NODE_B, 0, true);
	const struct xy_wg_limits limits = dp->cfg.limits;
	dp->cfg.limits.rekey_after_messages = dp->cfg.limits.reject_after_messages = 1000000;
	uint64_t full = drops(XY_DROP_RING_FULL);
	unsigned sent = 0, through = 0;
	CU_ASSERT_EQUAL(xy_dp_session_move(dp, peer[NODE_A].index, 0), 0);
	for (int round = 0; round < 100; round++) { // 100 ms at 20,000 packets a second
		for (int i = 0; i < 20; i++, sent++) {
			struct rte_mbuf *m = packet(&at_a, &at_b, 64, 100);
			seal(NODE_A, m);
			feed(m);
		}
		through += run();
		free_out();
	}
	CU_ASSERT_EQUAL(through, sent);
	CU_ASSERT_EQUAL(drops(XY_DROP_RING_FULL), full);
	settle();
	xy_dp_housekeep(dp);
	CU_ASSERT_EQUAL(xy_dp_session_move(dp, peer[NODE_A].index, 1), 0); // and back
	grace();
	dp->cfg.limits = limits;
	settle();
}

static void test_counter_limits(void)
{
	session_new(NODE_B, 0, true);
	session_new(NODE_A, 0, true);
	events();
	unsigned sent = 0;
	for (int i = 0; i < 4; i++) {
		for (int k = 0; k < 64; k++) {
			struct rte_mbuf *m = packet(&at_a, &at_b, 64, 100);
			seal(NODE_A, m);
			feed(m);
		}
		sent += run();
		free_out();
	}
	CU_ASSERT_EQUAL(sent, 256);
	events();
	CU_ASSERT_EQUAL(seen[XY_DP_NUDGE], 1); // at 200
	session_new(NODE_A, 0, true);
	for (int k = 0; k < 64; k++) {
		struct rte_mbuf *m = packet(&at_a, &at_b, 64, 100);
		seal(NODE_A, m);
		feed(m);
	}
	run(); // passes 300 inside this burst
	settle();
	struct rte_mbuf *m = packet(&at_a, &at_b, 64, 100);
	seal(NODE_A, m);
	feed(m);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(dp->worker[0]->stats.held, 1);	   // used up: waits for the next session
	CU_ASSERT_FALSE(xy_hold_due(dp->worker[0]->hold)); // and is not tried again and again
	session_new(NODE_B, 0, true);
	CU_ASSERT_EQUAL(run(), 1);
	settle();
}

static void test_expired(void)
{
	session_new(NODE_A, 0, true);
	struct xy_session *s = xy_session_find_rcu(dp, peer[NODE_A].index);
	s->reject_at = NOW;
	expect_drop(NODE_A, packet(&at_a, &at_b, 64, 100), XY_DROP_SESSION_EXPIRED);
	session_new(NODE_A, 0, true);
	settle();
}

static void test_control_datagrams(void)
{
	uint8_t msg[sizeof(struct xy_wg_initiation)] = {XY_WG_INITIATION};
	struct xy_endpoint to = endpoint(9);
	CU_ASSERT_EQUAL(xy_dp_send(dp, 0, &to, NULL, msg, sizeof(msg)), 0);
	CU_ASSERT_EQUAL_FATAL(run(), 1);
	CU_ASSERT_EQUAL(out[0]->data_len, sizeof(msg));
	CU_ASSERT(xy_endpoint_eq(&xy_packet(out[0])->remote, &to));
	settle();
	struct rte_mbuf *m = buffer();
	memcpy(rte_pktmbuf_append(m, sizeof(msg)), msg, sizeof(msg));
	xy_packet(m)->remote = to;
	feed(m);
	CU_ASSERT_EQUAL(run(), 0);
	events();
	CU_ASSERT_EQUAL(seen[XY_DP_PUNT], 1);
	CU_ASSERT_EQUAL(last.len, sizeof(msg));
	settle();
	CU_ASSERT_EQUAL(xy_dp_send(dp, 0, &to, NULL, msg, 60000), -EINVAL);

	CU_ASSERT_EQUAL(xy_dp_peer_send(dp, NODE_B, msg, sizeof(msg)), 0);
	CU_ASSERT_EQUAL_FATAL(run(), 1);
	CU_ASSERT_EQUAL(out[0]->data_len, sizeof(msg));
	CU_ASSERT_EQUAL(xy_packet(out[0])->next, NODE_B); // a card looks up its next hop by this
	CU_ASSERT(
		xy_endpoint_eq(&xy_packet(out[0])->remote, &xy_adjacency_rcu(dp, NODE_B)->remote));
	settle();
	CU_ASSERT_EQUAL(xy_dp_peer_send(dp, UINT32_MAX, msg, sizeof(msg)), -ENOENT);
}

// However much one worker has to tell, the other is heard.
static void test_events_fair(void)
{
	for (unsigned i = 0; i < 20; i++)
		CU_ASSERT(xy_event_put(dp->worker[0], XY_DP_WANT, 0, NODE_A, NULL));
	CU_ASSERT(xy_event_put(dp->worker[1], XY_DP_MTU, 0, NODE_B, NULL));
	memset(seen, 0, sizeof(seen));
	for (unsigned i = 0; i < 2; i++)
		CU_ASSERT_EQUAL(xy_dp_poll(dp, 4, on_event, NULL), 4);
	CU_ASSERT_EQUAL(seen[XY_DP_MTU], 1);
	events();
	CU_ASSERT_EQUAL(seen[XY_DP_MTU] + seen[XY_DP_WANT], 13);

	// Known peers go first, but handshakes are heard beside whatever they tell.
	for (unsigned i = 0; i < 20; i++) {
		enum xy_punt kind = i % 2 ? XY_PUNT_STRANGER : XY_PUNT_HANDSHAKE;
		CU_ASSERT_EQUAL(xy_event_punt(dp->worker[0], kind, buffer()), XY_DROP_COUNT);
		CU_ASSERT(xy_event_put(dp->worker[0], XY_DP_WANT, 0, NODE_A, NULL));
	}
	memset(seen, 0, sizeof(seen));
	CU_ASSERT_EQUAL(xy_dp_poll(dp, 8, on_event, NULL), 8);
	CU_ASSERT_EQUAL(seen[XY_DP_WANT], 6);
	CU_ASSERT_EQUAL(seen[XY_DP_PUNT], 2);
	events();
	CU_ASSERT_EQUAL(seen[XY_DP_WANT] + seen[XY_DP_PUNT], 32);
}

// --- whose handshakes

enum { RING = XY_RING_SIZE - 1, BURST = 256 };

static void feed_message(uint8_t type, uint32_t receiver, const struct xy_endpoint *from)
{
	union {
		uint8_t type;
		struct xy_wg_initiation initiation;
		struct xy_wg_response response;
		struct xy_wg_cookie_reply cookie;
	} u = {.type = type};
	size_t len = sizeof(u.initiation);
	if (type == XY_WG_RESPONSE) {
		u.response.receiver = rte_cpu_to_le_32(receiver);
		len = sizeof(u.response);
	} else if (type == XY_WG_COOKIE_REPLY) {
		u.cookie.receiver = rte_cpu_to_le_32(receiver);
		len = sizeof(u.cookie);
	}
	struct rte_mbuf *m = buffer();
	memcpy(rte_pktmbuf_append(m, (uint16_t)len), &u, len);
	xy_packet(m)->remote = *from;
	feed(m);
}

static void feed_initiations(unsigned n, const struct xy_endpoint *from)
{
	for (; n; n--) {
		feed_message(XY_WG_INITIATION, 0, from);
		if (n % 32 == 1) // so that worker 0 takes them all
			CU_ASSERT_EQUAL(run(), 0);
	}
}

// Whether it came on the ring of peers' handshakes; that of strangers else.
static bool is_peers(uint8_t type, uint32_t receiver, struct xy_endpoint from)
{
	const struct xy_worker *w = dp->worker[0];
	feed_message(type, receiver, &from);
	CU_ASSERT_EQUAL(run(), 0);
	unsigned peers = rte_ring_count(w->handshakes), strangers = rte_ring_count(w->strangers);
	CU_ASSERT_EQUAL(peers + strangers, 1);
	settle();
	return peers;
}

static void move_to(uint32_t who, uint32_t where, bool provisional)
{
	struct xy_dp_peer p = {.remote = endpoint(where),
			       .open = provisional,
			       .provisional = provisional,
			       .mtu = LINK_MAX + XY_WG_LINK_OVERHEAD_V4};
	CU_ASSERT_EQUAL_FATAL(xy_dp_peer_set(dp, who, &p), 0);
}

static void test_whose_handshakes(void)
{
	uint32_t live = peer[NODE_A].index, pending, ended;
	settle();
	CU_ASSERT(is_peers(XY_WG_INITIATION, 0, endpoint(NODE_A)));
	CU_ASSERT(!is_peers(XY_WG_INITIATION, 0, endpoint(77)));
	struct xy_endpoint port = endpoint(NODE_A);
	port.port++;
	CU_ASSERT(!is_peers(XY_WG_INITIATION, 0, port));
	move_to(NODE_A, 77, false); // roams
	CU_ASSERT(is_peers(XY_WG_INITIATION, 0, endpoint(77)));
	CU_ASSERT(!is_peers(XY_WG_INITIATION, 0, endpoint(NODE_A)));
	move_to(NODE_B, 77, false); // two at one place, then one
	move_to(NODE_A, NODE_A, false);
	CU_ASSERT(is_peers(XY_WG_INITIATION, 0, endpoint(77)));
	move_to(NODE_B, NODE_B, true); // a stranger until it is known to be there
	CU_ASSERT(!is_peers(XY_WG_INITIATION, 0, endpoint(77)));
	CU_ASSERT(!is_peers(XY_WG_INITIATION, 0, endpoint(NODE_B)));
	move_to(NODE_B, NODE_B, false);
	CU_ASSERT(is_peers(XY_WG_INITIATION, 0, endpoint(NODE_B)));

	CU_ASSERT_EQUAL(xy_dp_session_reserve(dp, NODE_A, &pending), 0);
	CU_ASSERT_EQUAL(xy_dp_session_reserve(dp, NODE_A, &ended), 0);
	xy_dp_session_del(dp, ended);
	for (uint8_t type = XY_WG_RESPONSE; type <= XY_WG_COOKIE_REPLY; type++) {
		CU_ASSERT(is_peers(type, live, endpoint(77)));
		CU_ASSERT(is_peers(type, pending, endpoint(77)));
		CU_ASSERT(!is_peers(type, ended, endpoint(77)));
		CU_ASSERT(!is_peers(type, pending + 1, endpoint(NODE_A)));
	}
	xy_dp_session_del(dp, pending);
	grace();
}

// Strangers come within their rate, and however many come, peers are heard, and first.
static void test_strangers_flood(void)
{
	struct xy_worker *w = dp->worker[0];
	uint64_t rate = drops(XY_DROP_STRANGER_RATE), full = drops(XY_DROP_STRANGER_FULL);
	uint64_t peers = drops(XY_DROP_HANDSHAKE_FULL);
	const struct xy_endpoint a = endpoint(NODE_A), stranger = endpoint(77);
	at += XY_SEC;
	feed_initiations(900, &stranger);
	feed_initiations(1, &a);
	CU_ASSERT_EQUAL(drops(XY_DROP_STRANGER_RATE), rate + 900 - BURST);
	CU_ASSERT_EQUAL(rte_ring_count(w->strangers), BURST);
	CU_ASSERT_EQUAL(rte_ring_count(w->handshakes), 1);
	CU_ASSERT_EQUAL(xy_dp_poll(dp, 1, on_event, NULL), 1);
	CU_ASSERT(xy_endpoint_eq(&last.remote, &a));
	CU_ASSERT_EQUAL(xy_dp_poll(dp, 64, on_event, NULL), 64);
	CU_ASSERT(xy_endpoint_eq(&last.remote, &stranger));
	settle();

	for (unsigned i = 0; i < 4; i++) { // the control thread does not come
		at += XY_SEC;
		feed_initiations(BURST, &stranger);
	}
	CU_ASSERT_EQUAL(drops(XY_DROP_STRANGER_FULL), full + 4 * BURST - RING);
	feed_initiations(RING + 1, &a);
	CU_ASSERT_EQUAL(drops(XY_DROP_HANDSHAKE_FULL), peers + 1);
	CU_ASSERT_EQUAL(drops(XY_DROP_STRANGER_RATE), rate + 900 - BURST);
	// Of both there is some in each turn.
	memset(seen, 0, sizeof(seen));
	CU_ASSERT_EQUAL(xy_dp_poll(dp, 128, on_event, NULL), 128);
	CU_ASSERT_EQUAL(rte_ring_count(w->handshakes), RING - 120);
	CU_ASSERT_EQUAL(rte_ring_count(w->strangers), RING - 8);
	while (rte_ring_count(w->handshakes) + rte_ring_count(w->strangers))
		settle();
	at = NOW + 1;
	xy_event_rates_init(w);
}

// A burst of datagrams too large for the underlay is one event.
static void test_mtu_events(void)
{
	struct xy_worker *w = dp->worker[0];
	w->now = NOW + XY_SEC;
	for (unsigned i = 0; i < 64; i++)
		xy_event_mtu(w, NODE_A);
	events();
	CU_ASSERT_EQUAL(seen[XY_DP_MTU], 1);
	CU_ASSERT_EQUAL(last.peer, NODE_A);
	w->now += XY_MSEC;
	xy_event_mtu(w, NODE_A); // not yet
	xy_event_mtu(w, NODE_B);
	events();
	CU_ASSERT_EQUAL(seen[XY_DP_MTU], 1);
	CU_ASSERT_EQUAL(last.peer, NODE_B);
	w->now += 100 * XY_MSEC;
	xy_event_mtu(w, NODE_B);
	events();
	CU_ASSERT_EQUAL(seen[XY_DP_MTU], 1);
	settle();
}

// So is a flood of ICMP errors, and those of one kind leave those of the other their turn.
static void test_refused_events(void)
{
	struct xy_worker *w = dp->worker[0];
	const struct xy_endpoint a = endpoint(NODE_A), b = endpoint(NODE_B);
	w->now += XY_SEC;
	for (unsigned i = 0; i < 64; i++)
		xy_event_refused_at(w, 0, &a, ECONNREFUSED);
	events();
	CU_ASSERT_EQUAL(seen[XY_DP_REFUSED], 1);
	CU_ASSERT(xy_endpoint_eq(&last.remote, &a) && last.error == ECONNREFUSED);
	xy_event_mtu_at(w, 0, &b);
	events();
	CU_ASSERT_EQUAL(seen[XY_DP_MTU], 1);
	CU_ASSERT(xy_endpoint_eq(&last.remote, &b) && last.error == 0);
	w->now += XY_MSEC;
	xy_event_refused_at(w, 0, &b, EHOSTUNREACH);
	events();
	CU_ASSERT(seen[XY_DP_REFUSED] == 1 && last.error == EHOSTUNREACH);
	settle();
}

// --- packets of the control plane inside the mesh

static const struct xy_addr link_a = {.b = {0xfe, 0x80, [15] = 0xa}};
static const struct xy_addr link_us = {.b = {0xfe, 0x80, [15] = 1}};
static const struct xy_addr babel_group = {.b = {0xff, 2, [13] = 1, [15] = 6}};

static void peer_set_open(uint32_t who, bool routing, bool open)
{
	struct xy_dp_peer p = {.leaf = who == LEAF,
			       .routing = routing,
			       .open = open,
			       .remote = endpoint(who),
			       .mtu = LINK_MAX + XY_WG_LINK_OVERHEAD_V4};
	CU_ASSERT_EQUAL_FATAL(xy_dp_peer_set(dp, who, &p), 0);
}

static void peer_set(uint32_t who, bool routing)
{
	peer_set_open(who, routing, false);
}

static struct rte_mbuf *udp(const struct xy_addr *src, const struct xy_addr *dst, uint16_t sport,
			    uint16_t dport, uint16_t len)
{
	struct rte_mbuf *m = packet(src, dst, 64, len);
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);
	xy_be16_store(p + 40, sport);
	xy_be16_store(p + 42, dport);
	return m;
}

// One packet from a peer that must come to the control plane, whole and without padding.
static void expect_overlay(uint32_t from, struct rte_mbuf *m)
{
	uint64_t punted = dp->worker[0]->stats.punted;
	uint8_t sent[256];
	uint16_t len = m->data_len;
	memcpy(sent, rte_pktmbuf_mtod(m, uint8_t *), len);
	seal(from, m);
	feed(m);
	CU_ASSERT_EQUAL(run(), 0);
	events();
	CU_ASSERT_EQUAL(seen[XY_DP_OVERLAY], 1);
	CU_ASSERT_EQUAL(last.peer, from);
	CU_ASSERT_EQUAL(last.len, len);
	CU_ASSERT_EQUAL(last.at, at);
	CU_ASSERT_EQUAL(memcmp(last_data, sent, len), 0);
	CU_ASSERT_EQUAL(dp->worker[0]->stats.punted, punted + 1);
	settle();
}

static void test_babel_packets(void)
{
	struct rte_mbuf *m;
	session_new(NODE_A, 0, true);
	session_new(LEAF, 0, true);
	peer_set(NODE_A, true);
	expect_overlay(NODE_A, udp(&link_a, &babel_group, BABEL, BABEL, 101));
	expect_overlay(NODE_A, udp(&link_a, &link_us, BABEL, BABEL, 60));
	expect_drop(NODE_A, udp(&link_a, &link_us, BABEL, 6697, 60), XY_DROP_NOT_FORWARDED);
	expect_drop(NODE_A, udp(&link_a, &link_us, 6697, BABEL, 60), XY_DROP_NOT_FORWARDED);
	expect_drop(NODE_A, udp(&at_a, &babel_group, BABEL, BABEL, 60), XY_DROP_NOT_FORWARDED);
	expect_drop(NODE_A, udp(&link_a, &us, BABEL, BABEL, 60), XY_DROP_NOT_FORWARDED);
	expect_drop(NODE_A, udp(&link_a, &at_b, BABEL, BABEL, 60), XY_DROP_NOT_FORWARDED);
	m = udp(&link_a, &babel_group, BABEL, BABEL, 60);
	rte_pktmbuf_mtod(m, uint8_t *)[24 + 15] = 1; // ff02::1:1
	expect_drop(NODE_A, m, XY_DROP_NOT_FORWARDED);
	m = udp(&link_a, &babel_group, BABEL, BABEL, 60);
	rte_pktmbuf_mtod(m, uint8_t *)[6] = XY_PROTO_TCP;
	expect_drop(NODE_A, m, XY_DROP_NOT_FORWARDED);
	m = packet(&link_a, &babel_group, 64, 43); // ends inside the ports
	expect_drop(NODE_A, m, XY_DROP_NOT_FORWARDED);
	expect_drop(LEAF, udp(&link_a, &babel_group, BABEL, BABEL, 60), XY_DROP_NOT_FORWARDED);
	peer_set(LEAF, true);
	expect_overlay(LEAF, udp(&link_a, &babel_group, BABEL, BABEL, 60));
	peer_set(LEAF, false);
	peer_set(NODE_A, false);
	expect_drop(NODE_A, udp(&link_a, &babel_group, BABEL, BABEL, 60), XY_DROP_NOT_FORWARDED);
}

static void test_service(void)
{
	struct xy_addr beside = us;
	struct rte_mbuf *m;
	beside.b[15] = 2;
	expect_overlay(NODE_A, udp(&at_a, &us, 12345, SERVICE, 100));
	expect_overlay(LEAF, udp(&leaf, &us, 12345, SERVICE, 100));
	expect_drop(NODE_A, udp(&at_a, &us, SERVICE, 12345, 100), XY_DROP_HOST_DOWN);
	expect_drop(NODE_A, udp(&at_a, &beside, 12345, SERVICE, 100), XY_DROP_HOST_DOWN);
	m = udp(&at_a, &us, 12345, SERVICE, 100);
	rte_pktmbuf_mtod(m, uint8_t *)[6] = 44; // a fragment is the host's
	expect_drop(NODE_A, m, XY_DROP_HOST_DOWN);
	m = udp(&at_a, &at_b, 12345, SERVICE, 100); // somebody else's
	seal(NODE_A, m);
	feed(m);
	CU_ASSERT_EQUAL(run(), 1);
	settle();
}

// As bytes, for xy_dp_overlay_send.
static const uint8_t *bytes(struct rte_mbuf *m)
{
	static uint8_t copy[2048];
	memcpy(copy, rte_pktmbuf_mtod(m, uint8_t *), m->data_len);
	rte_pktmbuf_free(m);
	return copy;
}

static void test_overlay_send(void)
{
	uint64_t generated = dp->worker[0]->stats.generated, none = drops(XY_DROP_NO_SESSION);
	const uint8_t *p = bytes(udp(&link_us, &babel_group, BABEL, BABEL, 100));
	CU_ASSERT_EQUAL(xy_dp_overlay_send(dp, NODE_A, p, 100), 0);
	CU_ASSERT_EQUAL_FATAL(run(), 1);
	CU_ASSERT_EQUAL(open_sent(NODE_A, out[0]), 112);
	CU_ASSERT_EQUAL(memcmp(rte_pktmbuf_mtod(out[0], uint8_t *), p, 100), 0); // hop limit too
	CU_ASSERT_EQUAL(dp->worker[0]->stats.generated, generated + 1);
	settle();
	session_new(NODE_A, 0, false);
	CU_ASSERT_EQUAL(xy_dp_overlay_send(dp, NODE_A, p, 100), 0);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(drops(XY_DROP_NO_SESSION), none + 1);
	CU_ASSERT_EQUAL(dp->worker[0]->stats.held, 0);
	session_new(NODE_A, 0, true);
	settle();
	CU_ASSERT_EQUAL(xy_dp_overlay_send(dp, 16, p, 100), -EINVAL);
	CU_ASSERT_EQUAL(xy_dp_overlay_send(dp, NODE_A, p, 99), -EINVAL);
	CU_ASSERT_EQUAL(xy_dp_overlay_send(dp, NODE_A, p, 1501), -EINVAL);
	CU_ASSERT_EQUAL(xy_dp_overlay_send(dp, NODE_A, "E", 1), -EINVAL);
}

// What others send by us, and what we say ourselves.
static void test_carried(void)
{
	struct xy_dp_peer_stats s;
	const uint8_t *p = bytes(udp(&link_us, &babel_group, BABEL, BABEL, 100));
	session_new(NODE_A, 0, true);
	session_new(NODE_B, 0, true);
	at += 10;
	struct rte_mbuf *m = packet(&at_a, &at_b, 64, 100);
	seal(NODE_A, m);
	feed(m);
	CU_ASSERT_EQUAL(run(), 1);
	settle();
	xy_nsec carried = at;
	CU_ASSERT_EQUAL(xy_dp_peer_stats(dp, NODE_B, &s), 0);
	CU_ASSERT(s.tx_carried == carried && s.tx_data == at);
	at += 10;
	CU_ASSERT_EQUAL(xy_dp_overlay_send(dp, NODE_B, p, 100), 0);
	CU_ASSERT_EQUAL(xy_dp_session_keepalive(dp, peer[NODE_B].index), 0);
	CU_ASSERT_EQUAL(run(), 2);
	settle();
	CU_ASSERT_EQUAL(xy_dp_peer_stats(dp, NODE_B, &s), 0);
	CU_ASSERT(s.tx_carried == carried && s.tx_data == at);
	session_new(NODE_B, 0, true); // it outlives the session
	CU_ASSERT_EQUAL(xy_dp_peer_stats(dp, NODE_B, &s), 0);
	CU_ASSERT_EQUAL(s.tx_carried, carried);
	at = NOW + 1;
}

static void test_overlay_routed(void)
{
	const uint8_t *p = bytes(udp(&us, &at_b, SERVICE, SERVICE, 100));
	CU_ASSERT_EQUAL(xy_dp_overlay_send(dp, XY_DP_NO_PEER, p, 100), 0);
	CU_ASSERT_EQUAL_FATAL(run(), 1);
	CU_ASSERT_EQUAL(open_sent(NODE_B, out[0]), 112);
	CU_ASSERT_EQUAL(memcmp(rte_pktmbuf_mtod(out[0], uint8_t *), p, 100), 0);
	settle();
	p = bytes(udp(&us, &us, SERVICE, SERVICE, 100)); // to ourselves
	CU_ASSERT_EQUAL(xy_dp_overlay_send(dp, XY_DP_NO_PEER, p, 100), 0);
	CU_ASSERT_EQUAL(run(), 0);
	events();
	CU_ASSERT_EQUAL(seen[XY_DP_OVERLAY], 1);
	CU_ASSERT_EQUAL(last.peer, XY_DP_NO_PEER);
	settle();
	uint64_t before = drops(XY_DROP_NO_ROUTE);
	p = bytes(udp(&us, &nowhere, SERVICE, SERVICE, 100));
	CU_ASSERT_EQUAL(xy_dp_overlay_send(dp, XY_DP_NO_PEER, p, 100), 0);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(drops(XY_DROP_NO_ROUTE), before + 1);
	settle();
}

// A neighbour that talks too much leaves room for another, and both for what workers tell.
static void test_overlay_shares(void)
{
	enum { EACH = XY_RING_SIZE / 8 };
	uint64_t full = drops(XY_DROP_PUNT_FULL);
	peer_set(NODE_A, true);
	peer_set(NODE_B, true);
	for (unsigned who = NODE_A; who <= NODE_B; who++) {
		session_new(who, 0, true);
		for (int i = 0; i < EACH + 10; i++) {
			struct rte_mbuf *m = udp(&link_a, &babel_group, BABEL, BABEL, 60);
			seal(who, m);
			feed(m);
		}
		CU_ASSERT_EQUAL(run(), 0);
	}
	CU_ASSERT_EQUAL(drops(XY_DROP_PUNT_FULL), full + 20);
	events();
	CU_ASSERT_EQUAL(seen[XY_DP_OVERLAY], 2 * EACH);
	CU_ASSERT_EQUAL(seen[XY_DP_FIRST], 2);
	settle();
	expect_overlay(NODE_A, udp(&link_a, &babel_group, BABEL, BABEL, 60)); // room again
	for (int i = 0; i < 2; i++) {
		session_new(NODE_A, 0, true);
		for (int k = 0; k < 150; k++) {
			struct rte_mbuf *m = udp(&at_a, &us, BABEL, SERVICE, 60);
			seal(NODE_A, m);
			feed(m);
		}
		run();
	}
	CU_ASSERT_EQUAL(rte_ring_count(dp->worker[0]->to_control), XY_RING_SIZE / 4);
	settle();
	peer_set(NODE_A, false);
	peer_set(NODE_B, false);
}

// Any number of strangers together leave room for a neighbour of the config.
static void test_overlay_strangers(void)
{
	enum { STRANGERS = XY_RING_SIZE * 3 / 8 };
	struct xy_worker *worker = dp->worker[0];
	peer_set_open(NODE_A, true, true);
	session_new(NODE_A, 0, true);
	for (int i = 0; i < STRANGERS; i++) // of other strangers
		CU_ASSERT_FATAL(xy_event_put(worker, XY_DP_WANT, 0, NODE_B, NULL));
	uint64_t full = drops(XY_DROP_PUNT_FULL);
	struct rte_mbuf *m = udp(&link_a, &babel_group, BABEL, BABEL, 60);
	seal(NODE_A, m);
	feed(m);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(drops(XY_DROP_PUNT_FULL), full + 1);
	peer_set(NODE_A, true);
	m = udp(&link_a, &babel_group, BABEL, BABEL, 60);
	seal(NODE_A, m);
	feed(m);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(drops(XY_DROP_PUNT_FULL), full + 1);
	events();
	CU_ASSERT_EQUAL(seen[XY_DP_OVERLAY], 1);
	CU_ASSERT_EQUAL(dp->peer[NODE_A].overlay_waiting, 0);
	settle();
	peer_set(NODE_A, false);
}

// What waits for the control plane when its session is deleted says nothing about the peer that
// has the number next.
static void test_overlay_stale(void)
{
	peer_set(NODE_A, true);
	session_new(NODE_A, 0, true);
	struct rte_mbuf *m = udp(&link_a, &babel_group, BABEL, BABEL, 60);
	seal(NODE_A, m);
	feed(m);
	CU_ASSERT_EQUAL(run(), 0);
	session_new(NODE_A, 0, true);
	events();
	CU_ASSERT_EQUAL(seen[XY_DP_OVERLAY], 0);
	CU_ASSERT_EQUAL(dp->peer[NODE_A].overlay_waiting, 0);
	peer_set(NODE_A, false);
	settle();
}

// --- several next hops

static const struct xy_addr spread_net = {.b = {2, 0xee, [15] = 1}};

static void route_over(const struct xy_addr *a, uint8_t len, unsigned count, const uint32_t *hops)
{
	struct xy_prefix p = {.addr = *a, .len = len};
	struct xy_dp_route r = {.kind = XY_DP_ROUTE_PEER, .hop_count = count};
	memcpy(r.hops, hops, count * sizeof(*hops));
	xy_prefix_mask(&p);
	CU_ASSERT_EQUAL_FATAL(xy_dp_route_set(dp, &p, &r), 0);
	xy_dp_route_commit(dp);
}

static void unroute(const struct xy_addr *a, uint8_t len)
{
	struct xy_prefix p = {.addr = *a, .len = len};
	xy_prefix_mask(&p);
	CU_ASSERT_EQUAL(xy_dp_route_del(dp, &p), 0);
	xy_dp_route_commit(dp);
	grace();
}

static void sessions_new(void)
{
	for (uint32_t i = 0; i < PEERS; i++)
		session_new(i, 0, true);
}

// The peer that one packet is sent to, by where it goes.
static uint32_t taken_by(uint32_t from, struct rte_mbuf *m)
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

enum { FLOWS = 60 };

// Which peers FLOWS flows take, and that each flow stays where it is.
static void flows(uint32_t taken[FLOWS], unsigned count[PEERS])
{
	memset(count, 0, PEERS * sizeof(*count));
	sessions_new();
	for (unsigned i = 0; i < FLOWS; i++) {
		for (uint16_t k = 0; k < 2; k++) {
			struct rte_mbuf *m = udp(&at_a, &spread_net, (uint16_t)(1000 + i), 53,
						 (uint16_t)(60 + k));
			uint32_t who = taken_by(NODE_A, m);
			CU_ASSERT(!k || who == taken[i]);
			taken[i] = who;
		}
		count[taken[i]]++;
	}
	settle();
}

static void test_spread(void)
{
	uint32_t was[FLOWS], is[FLOWS], again[FLOWS];
	unsigned n[PEERS];
	route_over(&spread_net, 64, 3, (uint32_t[]){NODE_D, NODE_B, NODE_C});
	flows(was, n);
	CU_ASSERT(n[NODE_B] >= 5 && n[NODE_C] >= 5 && n[NODE_D] >= 5);
	CU_ASSERT_EQUAL(n[NODE_B] + n[NODE_C] + n[NODE_D], FLOWS);
	route_over(&spread_net, 64, 2, (uint32_t[]){NODE_B, NODE_D});
	flows(is, n);
	for (unsigned i = 0; i < FLOWS; i++) // only the flows of the one that went have moved
		CU_ASSERT(is[i] != NODE_C && (was[i] == NODE_C || is[i] == was[i]));
	route_over(&spread_net, 64, 4, (uint32_t[]){NODE_B, NODE_C, NODE_D, NODE_B});
	flows(again, n);
	CU_ASSERT_EQUAL(memcmp(again, was, sizeof(was)), 0);
	route_over(&spread_net, 64, 2, (uint32_t[]){NODE_C, NODE_C}); // one, twice
	flows(is, n);
	CU_ASSERT_EQUAL(n[NODE_C], FLOWS);
	unroute(&spread_net, 64);
}

// What has no ports is told apart by IPv6's label and the addresses; fragments stay together.
static void test_spread_portless(void)
{
	unsigned n[PEERS] = {0};
	uint32_t of_flow = PEERS;
	route_over(&spread_net, 64, 2, (uint32_t[]){NODE_B, NODE_C});
	sessions_new();
	for (unsigned i = 0; i < 40; i++) {
		struct rte_mbuf *m = packet(&at_a, &spread_net, 64, 100);
		uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);
		p[6] = XY_PROTO_E2E;
		xy_be32_store(p, 0x60000000 + i * 0x1111);
		n[taken_by(NODE_A, m)]++;
	}
	CU_ASSERT(n[NODE_B] >= 5 && n[NODE_C] >= 5);
	for (uint16_t i = 0; i < 20; i++) {
		struct rte_mbuf *m = udp(&at_a, &spread_net, i, i, 100);
		rte_pktmbuf_mtod(m, uint8_t *)[6] = 44;
		uint32_t who = taken_by(NODE_A, m);
		CU_ASSERT(!i || who == of_flow);
		of_flow = who;
	}
	settle();
	unroute(&spread_net, 64);
}

// Never back to where it came from while there is another.
static void test_spread_back(void)
{
	route_over(&spread_net, 64, 2, (uint32_t[]){NODE_A, NODE_B});
	sessions_new();
	for (uint16_t i = 0; i < 20; i++)
		CU_ASSERT_EQUAL(taken_by(NODE_A, udp(&at_a, &spread_net, i, 53, 60)), NODE_B);
	settle();
	route_over(&spread_net, 64, 2, (uint32_t[]){NODE_B, NODE_D});
	for (uint16_t i = 0; i < 20; i++)
		CU_ASSERT_EQUAL(taken_by(NODE_D, udp(&at_a, &spread_net, i, 53, 60)), NODE_B);
	settle();
	unroute(&spread_net, 64);
}

// Sets are shared, outlive the routes that workers may still see, and come back.
static void test_groups(void)
{
	struct xy_dp_route bad = {.kind = XY_DP_ROUTE_PEER, .hop_count = XY_DP_HOPS + 1};
	struct xy_prefix p = {.addr = {.b = {0x20, 1, 0xd, 0xb8}}, .len = 32};
	uint32_t bc[] = {NODE_B, NODE_C};
	CU_ASSERT_EQUAL(xy_dp_route_set(dp, &p, &bad), -EINVAL);
	bad.hop_count = 2;
	bad.hops[1] = 16;
	CU_ASSERT_EQUAL(xy_dp_route_set(dp, &p, &bad), -EINVAL);

	route_over(&p.addr, 32, 2, bc);
	route_over(&spread_net, 64, 2, bc);
	int number = xy_group_take(dp, &(struct xy_group){.count = 2, .hop = {NODE_B, NODE_C}});
	xy_group_give(dp, (uint32_t)number);
	unroute(&spread_net, 64);
	CU_ASSERT_EQUAL(xy_group_rcu(dp, (uint32_t)number)->count, 2);
	// The last reference goes, but workers see the table as it was until the commit.
	CU_ASSERT_EQUAL(xy_dp_route_del(dp, &p), 0);
	route_over(&spread_net, 64, 2, (uint32_t[]){NODE_C, NODE_D});
	CU_ASSERT_NOT_EQUAL(
		xy_group_take(dp, &(struct xy_group){.count = 2, .hop = {NODE_A, NODE_D}}), number);
	grace(); // committed by route_over: now it may be used anew
	CU_ASSERT_EQUAL(xy_group_take(dp, &(struct xy_group){.count = 2, .hop = {NODE_A, NODE_B}}),
			number);
	// Given back and taken again between two commits: it stays.
	xy_group_give(dp, (uint32_t)number);
	CU_ASSERT_EQUAL(xy_group_take(dp, &(struct xy_group){.count = 2, .hop = {NODE_A, NODE_B}}),
			number);
	xy_dp_route_commit(dp);
	grace();
	CU_ASSERT_NOT_EQUAL(
		xy_group_take(dp, &(struct xy_group){.count = 2, .hop = {NODE_B, NODE_D}}), number);
	xy_group_give(dp, (uint32_t)number);
	unroute(&spread_net, 64);
}

static void test_groups_run_out(void)
{
	struct xy_group g = {.count = XY_DP_HOPS};
	unsigned n = 0, taken[PEERS];
	uint32_t where[FLOWS];
	for (uint32_t i = 0; i < XY_GROUPS + 10; i++) {
		for (unsigned k = 0; k < XY_DP_HOPS; k++)
			g.hop[k] = i * 10 + k;
		n += xy_group_take(dp, &g) >= 0;
	}
	CU_ASSERT(n > XY_GROUPS - 10 && n < XY_GROUPS);		      // one is still taken
	route_over(&spread_net, 64, 2, (uint32_t[]){NODE_C, NODE_B}); // the first alone
	flows(where, taken);
	CU_ASSERT_EQUAL(taken[NODE_C], FLOWS);
	unroute(&spread_net, 64);
}

// --- routes that must be asked for

static const struct xy_addr mesh = {.b = {2}};
enum { ASKED_EACH = XY_DP_ASKED_PER_NET / 2, ASKED_HERE = XY_DP_ASKED_ALL / 2 }; // two workers

static struct xy_addr far(unsigned i)
{
	struct xy_addr a = {.b = {3, 0xfa, [15] = 1}};
	xy_be16_store(a.b + 6, (uint16_t)i);
	return a;
}

// One packet from a leaf, so that it is not this host's.
static void send_far(unsigned i)
{
	struct xy_addr to = far(i);
	struct rte_mbuf *m = packet(&leaf, &to, 64, 100);
	seal(LEAF, m);
	feed(m);
}

// One of our own, as the control plane's service sends them.
static void send_own(unsigned i)
{
	struct xy_addr to = far(i);
	CU_ASSERT_EQUAL(xy_dp_overlay_send(dp, XY_DP_NO_PEER, bytes(udp(&us, &to, 7, 7, 60)), 60),
			0);
}

static void test_ask(void)
{
	struct xy_dp_route ask = {.kind = XY_DP_ROUTE_ASK};
	struct xy_prefix wide = {.len = 0}, wider = {.addr = mesh, .len = 6};
	struct xy_addr to = far(1), other = far(2);
	uint64_t full = drops(XY_DROP_HOLD_FULL);
	xy_prefix_mask(&wider);
	CU_ASSERT_EQUAL(xy_dp_route_set(dp, &wide, &ask), -EINVAL);
	CU_ASSERT_EQUAL(xy_dp_route_set(dp, &wider, &ask), -EINVAL);
	route(&mesh, 7, XY_DP_ROUTE_ASK, 0);
	xy_dp_route_commit(dp);
	sessions_new();
	for (int i = 0; i < ASKED_EACH + 2; i++)
		send_far(1);
	send_far(2);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(dp->worker[0]->stats.held, ASKED_EACH + 1);
	CU_ASSERT_EQUAL(drops(XY_DROP_HOLD_FULL), full + 2);
	events();
	CU_ASSERT_EQUAL(seen[XY_DP_ASK], 2);
	CU_ASSERT(memcmp(last.addr.b, other.b, 8) == 0 && xy_be64_load(last.addr.b + 8) == 0);
	settle();
	send_far(1); // not asked again within a second
	CU_ASSERT_EQUAL(run(), 0);
	events();
	CU_ASSERT_EQUAL(seen[XY_DP_ASK], 0);
	at += XY_SEC;
	send_far(1);
	CU_ASSERT_EQUAL(run(), 0);
	events();
	CU_ASSERT_EQUAL(seen[XY_DP_ASK], 1);
	route(&to, 64, XY_DP_ROUTE_PEER, NODE_B);
	xy_dp_route_commit(dp);
	CU_ASSERT_EQUAL_FATAL(run(), ASKED_EACH);
	CU_ASSERT(open_sent(NODE_B, out[0]) > 0);
	CU_ASSERT_EQUAL(rte_pktmbuf_mtod(out[0], uint8_t *)[7], 63); // one hop, not two
	CU_ASSERT_EQUAL(dp->worker[0]->stats.held, 1);
	settle();
	// What is refused is said to the sender.
	route(&other, 64, XY_DP_ROUTE_REJECT, 0);
	xy_dp_route_commit(dp);
	CU_ASSERT_EQUAL_FATAL(run(), 1);
	CU_ASSERT(open_sent(LEAF, out[0]) > 48);
	CU_ASSERT_EQUAL(rte_pktmbuf_mtod(out[0], uint8_t *)[6], XY_PROTO_ICMPV6);
	settle();
	unroute(&to, 64);
	unroute(&other, 64);
}

static void test_ask_given_up(void)
{
	uint64_t late = drops(XY_DROP_NO_ANSWER);
	sessions_new();
	send_far(3);
	run();
	at += 9 * XY_SEC;
	send_far(4);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(dp->worker[0]->stats.held, 2);
	at += XY_SEC;
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(dp->worker[0]->stats.held, 1);
	CU_ASSERT_EQUAL(drops(XY_DROP_NO_ANSWER), late + 1);
	settle();
	// The route that asks goes: so does what waits for another.
	unroute(&mesh, 7);
	CU_ASSERT_EQUAL(run(), 1); // an ICMP error
	CU_ASSERT_EQUAL(dp->worker[0]->stats.held, 0);
	CU_ASSERT_EQUAL(dp->ask_routes, 0);
	settle();
}

// A scan fills half of what is there for it, which leaves a quarter to this host; the next source
// has half of the rest; and all of it goes.
static void test_ask_scan(void)
{
	uint32_t scan = (ASKED_HERE - ASKED_HERE / 4 + 1) / 2, own = (ASKED_HERE - scan + 1) / 2;
	uint64_t full = drops(XY_DROP_HOLD_FULL), late = drops(XY_DROP_NO_ANSWER);
	unsigned sent = 0;
	route(&mesh, 7, XY_DP_ROUTE_ASK, 0);
	xy_dp_route_commit(dp);
	for (unsigned burst = 0; burst < 3; burst++) {
		session_new(LEAF, 0, true);
		for (unsigned i = 0; i < 150; i++)
			send_far(1000 + sent++);
		CU_ASSERT_EQUAL(run(), 0);
		settle();
	}
	CU_ASSERT_EQUAL(dp->worker[0]->stats.held, scan);
	CU_ASSERT_EQUAL(drops(XY_DROP_HOLD_FULL), full + sent - scan);
	for (unsigned i = 0; i < ASKED_HERE; i++) {
		send_own(i);
		run();
	}
	CU_ASSERT_EQUAL(dp->worker[0]->stats.held, scan + own);
	settle();
	for (unsigned i = 0; i < 40; i += 2) { // some are answered, in whatever order
		struct xy_addr to = far(1000 + i);
		route(&to, 64, XY_DP_ROUTE_PEER, NODE_B);
	}
	session_new(NODE_B, 0, true);
	xy_dp_route_commit(dp);
	CU_ASSERT_EQUAL(run(), 20);
	CU_ASSERT_EQUAL(dp->worker[0]->stats.held, scan + own - 20);
	settle();
	at += 10 * XY_SEC;
	for (int i = 0; i < 4; i++)
		CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(dp->worker[0]->stats.held, 0);
	CU_ASSERT_EQUAL(drops(XY_DROP_NO_ANSWER), late + scan + own - 20);
	settle();
	late = drops(XY_DROP_NO_ANSWER);
	for (unsigned i = 0; i < ASKED_HERE; i++) { // and there is room again, for the same ones
		send_own(i);
		run();
	}
	CU_ASSERT_EQUAL(dp->worker[0]->stats.held, (ASKED_HERE + 1) / 2);
	at += 10 * XY_SEC;
	for (int i = 0; i < 4; i++)
		CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(drops(XY_DROP_NO_ANSWER), late + (ASKED_HERE + 1) / 2);
	for (unsigned i = 0; i < 40; i += 2) {
		struct xy_addr to = far(1000 + i);
		unroute(&to, 64);
	}
	unroute(&mesh, 7);
	run();
	settle();
}

static void test_used(void)
{
	struct xy_addr to = far(5);
	at += 60 * XY_SEC; // whatever was told before
	route(&to, 64, XY_DP_ROUTE_PEER, NODE_B);
	xy_dp_route_commit(dp);
	sessions_new();
	events();
	send_far(5);
	CU_ASSERT_EQUAL(run(), 1);
	events();
	CU_ASSERT_EQUAL(seen[XY_DP_USED], 0); // a node with a full table has no use for it
	settle();
	route(&mesh, 7, XY_DP_ROUTE_ASK, 0);
	xy_dp_route_commit(dp);
	for (int i = 0; i < 3; i++)
		send_far(5);
	struct rte_mbuf *m = packet(&at_a, &leaf, 64, 100); // to a leaf of ours: no use
	seal(NODE_A, m);
	feed(m);
	CU_ASSERT_EQUAL(run(), 4);
	events();
	CU_ASSERT_EQUAL(seen[XY_DP_USED], 1);
	CU_ASSERT(memcmp(last.addr.b, to.b, 8) == 0 && xy_be64_load(last.addr.b + 8) == 0);
	settle();
	at += 59 * XY_SEC;
	send_far(5);
	run();
	events();
	CU_ASSERT_EQUAL(seen[XY_DP_USED], 0);
	settle();
	at += XY_SEC;
	sessions_new();
	send_far(5);
	run();
	events();
	CU_ASSERT_EQUAL(seen[XY_DP_USED], 1);
	settle();
	unroute(&to, 64);
	unroute(&mesh, 7);
	at = NOW + 1;
	sessions_new();
	settle();
}

static void test_probes(void)
{
	static const struct {
		uint8_t head[4], len;
		bool taken;
	} t[] = {{{0x80}, 132, true},	  {{0x81}, 132, true},	{{0x82}, 132, false},
		 {{0x80}, 131, false},	  {{0x81}, 133, false}, {{0x80, 0, 0, 1}, 132, false},
		 {{0x80, 1}, 132, false}, {{0x7f}, 132, false}};
	for (unsigned i = 0; i < RTE_DIM(t); i++) {
		uint64_t none = drops(XY_DROP_NOT_WIREGUARD);
		struct rte_mbuf *m = buffer();
		uint8_t *p = (uint8_t *)rte_pktmbuf_append(m, t[i].len);
		memset(p, 0, t[i].len);
		memcpy(p, t[i].head, 4);
		xy_packet(m)->remote = endpoint(9);
		feed(m);
		CU_ASSERT_EQUAL(run(), 0);
		events();
		CU_ASSERT_EQUAL(seen[XY_DP_PUNT], t[i].taken);
		CU_ASSERT_EQUAL(drops(XY_DROP_NOT_WIREGUARD), none + !t[i].taken);
		settle();
	}
}

static void feed_many(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *m = packet(&at_a, &at_b, 64, 100);
		seal(NODE_A, m);
		feed(m);
	}
}

// The owner of the window stands still: its ring fills, what does not fit is dropped and counted,
// and what did goes on when the owner does.
static void test_ring_full(void)
{
	enum { ROOM = 1023 };
	session_new(NODE_A, 1, true);
	uint64_t full = drops(XY_DROP_RING_FULL), handed = dp->worker[0]->stats.ring_out;
	for (int round = 0; round < 2; round++) { // a fed array holds no more than the ring
		feed_many(700);
		ring = (struct xy_port_ring){
			.in = in, .in_count = fed, .out = out, .out_max = OUT_MAX};
		for (int i = 0; i < 16; i++)
			walk_one(0);
		fed = 0;
	}
	CU_ASSERT_EQUAL(dp->worker[0]->stats.ring_out, handed + ROOM);
	CU_ASSERT_EQUAL(drops(XY_DROP_RING_FULL), full + 1400 - ROOM);
	CU_ASSERT_EQUAL(xy_dp_accounts_balance(&dp->worker[0]->stats), 0);
	uint64_t taken = dp->worker[1]->stats.ring_in;
	for (int i = 0; i < 16; i++)
		walk_one(1);
	CU_ASSERT_EQUAL(dp->worker[1]->stats.ring_in, taken + ROOM);
	settle();
	session_new(NODE_A, 0, true);
	session_new(NODE_B, 0, true); // used up
}

static void test_tx_full(void)
{
	uint64_t full = drops(XY_DROP_TX_FULL);
	feed_many(100);
	ring = (struct xy_port_ring){.in = in, .in_count = fed, .out = out, .out_max = 70};
	for (int i = 0; i < 8; i++)
		walk_one(0);
	fed = 0;
	CU_ASSERT_EQUAL(ring.out_count, 70);
	CU_ASSERT_EQUAL(drops(XY_DROP_TX_FULL), full + 30);
	settle();
}

// No buffer is left: what needs a new one (an ICMP error, our own datagrams, a keepalive) is not
// made; what has one goes on; and with buffers all is as before.
static void test_no_buffers(void)
{
	static struct rte_mbuf *hoard[1 << 15];
	unsigned n = 0;
	session_new(NODE_A, 0, true);
	session_new(NODE_B, 0, true);
	feed_many(10);
	struct rte_mbuf *lost = packet(&at_a, &nowhere, 64, 100);
	seal(NODE_A, lost);
	feed(lost);
	while (n < RTE_DIM(hoard) && (hoard[n] = rte_pktmbuf_alloc(dp->worker[0]->pool)))
		n++;
	CU_ASSERT_FATAL(n < RTE_DIM(hoard));
	struct xy_endpoint to = endpoint(NODE_A);
	uint64_t no_route = drops(XY_DROP_NO_ROUTE);
	CU_ASSERT_EQUAL(xy_dp_send(dp, 0, &to, NULL, "x", 1), -ENOBUFS);
	CU_ASSERT_EQUAL(xy_dp_session_keepalive(dp, peer[NODE_B].index), -ENOBUFS);
	CU_ASSERT_EQUAL(run(), 10); // the answer to the eleventh finds no buffer
	CU_ASSERT_EQUAL(drops(XY_DROP_NO_ROUTE), no_route + 1);
	settle();
	rte_pktmbuf_free_bulk(hoard, n);

	CU_ASSERT_EQUAL(xy_dp_send(dp, 0, &to, NULL, "x", 1), 0);
	CU_ASSERT_EQUAL(xy_dp_session_keepalive(dp, peer[NODE_B].index), 0);
	feed_many(10);
	CU_ASSERT_EQUAL(run(), 12);
	settle();
}

// --- fragments

enum { SMALL = 600 }; // what NODE_B's link carries here

static struct xy_addr net4(uint8_t last_byte) // 10.1.0.0/24: behind NODE_B
{
	return xy_addr_from_v4(UINT32_C(0x0a010000) + last_byte);
}

// An IPv4 packet of len bytes from behind NODE_A.
static struct rte_mbuf *packet4(uint16_t id, uint16_t where, uint16_t len)
{
	struct rte_mbuf *m = buffer();
	uint8_t *p = (uint8_t *)rte_pktmbuf_append(m, len);
	for (unsigned i = 0; i < len; i++)
		p[i] = i < XY_IPV4_MIN_LEN ? 0 : (uint8_t)(i * 7 + id);
	p[0] = 0x45;
	xy_be16_store(p + 2, len);
	xy_be16_store(p + 4, id);
	xy_be16_store(p + 6, where);
	p[8] = 64;
	p[9] = XY_PROTO_UDP;
	xy_be32_store(p + 12, 0x0a020001);
	xy_be32_store(p + 16, 0x0a010006);
	xy_le16_store(p + 10, xy_csum_fold(xy_csum_add(0, p, XY_IPV4_MIN_LEN)));
	return m;
}

static void feed4(uint16_t id, uint16_t where, uint16_t len)
{
	struct rte_mbuf *m = packet4(id, where, len);
	seal(NODE_A, m);
	feed(m);
}

static void link_small(uint32_t who, uint32_t most)
{
	struct xy_dp_peer p = {.remote = endpoint(who), .mtu = most + XY_WG_LINK_OVERHEAD_V4};
	CU_ASSERT_EQUAL_FATAL(xy_dp_peer_set(dp, who, &p), 0);
}

static void fragments_begin(void)
{
	struct xy_addr a = net4(0);
	route(&a, 120, XY_DP_ROUTE_PEER, NODE_B);
	a = xy_addr_from_v4(UINT32_C(0x0a020000));
	route(&a, 120, XY_DP_ROUTE_PEER, NODE_A);
	xy_dp_route_commit(dp);
	sessions_new();
	link_small(NODE_B, SMALL);
}

static void fragments_end(void)
{
	struct xy_addr a = net4(0), b = xy_addr_from_v4(UINT32_C(0x0a020000));
	settle();
	link_small(NODE_B, LINK_MAX);
	unroute(&a, 120);
	unroute(&b, 120);
}

// The next of what came out is a piece of packet `id`, at this place in it; its payload's length.
static unsigned expect_piece(unsigned i, uint16_t id, uint16_t where)
{
	CU_ASSERT_TRUE_FATAL(i < ring.out_count);
	CU_ASSERT(open_sent(NODE_B, out[i]) <= SMALL);
	const uint8_t *p = rte_pktmbuf_mtod(out[i], uint8_t *);
	unsigned len = xy_be16_load(p + 2), at_byte = (where & 0x1fff) * 8U, wrong = 0;
	CU_ASSERT_EQUAL(p[8], 63);
	CU_ASSERT_EQUAL(xy_be16_load(p + 4), id);
	CU_ASSERT_EQUAL(xy_be16_load(p + 6), where);
	CU_ASSERT_EQUAL(xy_csum_fold(xy_csum_add(0, p, XY_IPV4_MIN_LEN)), 0);
	for (unsigned k = XY_IPV4_MIN_LEN; k < len; k++)
		wrong += p[k] != (uint8_t)((at_byte + k) * 7 + id);
	CU_ASSERT_EQUAL(wrong, 0);
	return len - XY_IPV4_MIN_LEN;
}

// A probe goes as it is, whatever the link is said to carry, and whole unless it may be cut.
static void test_path_probes(void)
{
	enum { WHOLE = 605, ROOM = 1283 };
	struct xy_dp_peer p = {
		.remote = endpoint(NODE_B), .mtu = WHOLE + XY_WG_LINK_OVERHEAD_V4, .room = ROOM};
	uint64_t carried;
	struct xy_dp_peer_stats s;
	CU_ASSERT_EQUAL_FATAL(xy_dp_peer_set(dp, NODE_B, &p), 0);
	sessions_new();
	xy_dp_peer_stats(dp, NODE_B, &s);
	carried = s.tx_carried;
	for (uint16_t len = 100; len <= 1500; len += 7) {
		const uint8_t *probe = bytes(udp(&link_us, &link_a, BABEL, BABEL, len));
		if (len % 100 == 0)
			sessions_new();
		CU_ASSERT_EQUAL(xy_dp_overlay_probe(dp, NODE_B, len % 2, probe, len), 0);
		CU_ASSERT_EQUAL_FATAL(run(), 1);
		CU_ASSERT_EQUAL(out[0]->data_len, len + XY_WG_DATA_OVERHEAD);
		CU_ASSERT_EQUAL(xy_packet(out[0])->pieces,
				len % 2 && len > WHOLE ? XY_PIECES_PATH : XY_PIECES_NONE);
		free_out();
	}
	xy_dp_peer_stats(dp, NODE_B, &s);
	CU_ASSERT_EQUAL(s.tx_carried, carried);
	settle();
	link_small(NODE_B, LINK_MAX);
}

// A link that carries more than its path does whole: what is larger may be cut on the way, nothing
// else may; padding takes no packet from one to the other.
static void test_pieces(void)
{
	enum { WHOLE = 605, ROOM = 1283 };
	struct xy_dp_peer p = {
		.remote = endpoint(NODE_B), .mtu = WHOLE + XY_WG_LINK_OVERHEAD_V4, .room = ROOM};
	uint64_t big = drops(XY_DROP_TOO_BIG);
	CU_ASSERT_EQUAL_FATAL(xy_dp_peer_set(dp, NODE_B, &p), 0);
	sessions_new();
	for (uint16_t len = WHOLE - 17; len <= ROOM; len += len == WHOLE + 17 ? 600 : 1) {
		struct rte_mbuf *m = packet(&at_a, &at_b, 64, len);
		uint32_t most = len <= WHOLE ? WHOLE : ROOM;
		seal(NODE_A, m);
		feed(m);
		CU_ASSERT_EQUAL_FATAL(run(), 1);
		CU_ASSERT_EQUAL(out[0]->data_len,
				RTE_MIN(RTE_ALIGN_CEIL((uint32_t)len, 16U), most) +
					XY_WG_DATA_OVERHEAD);
		CU_ASSERT_EQUAL(xy_packet(out[0])->pieces,
				len <= WHOLE ? XY_PIECES_NONE : XY_PIECES_PATH);
		CU_ASSERT(open_sent(NODE_B, out[0]) >= len);
		free_out();
	}
	p.route_mtu = true;
	CU_ASSERT_EQUAL_FATAL(xy_dp_peer_set(dp, NODE_B, &p), 0);
	struct rte_mbuf *m = packet(&at_a, &at_b, 64, ROOM);
	seal(NODE_A, m);
	feed(m);
	CU_ASSERT_EQUAL_FATAL(run(), 1);
	CU_ASSERT_EQUAL(xy_packet(out[0])->pieces, XY_PIECES_ROUTE);
	free_out();
	m = packet(&at_a, &at_b, 64, ROOM + 1);
	seal(NODE_A, m);
	feed(m);
	CU_ASSERT_EQUAL_FATAL(run(), 1);
	CU_ASSERT_EQUAL(xy_packet(out[0])->pieces, XY_PIECES_NONE);
	CU_ASSERT(open_sent(NODE_A, out[0]) > 0);
	const uint8_t *icmp = rte_pktmbuf_mtod(out[0], const uint8_t *) + XY_IPV6_LEN;
	CU_ASSERT_EQUAL(icmp[0], 2);
	CU_ASSERT_EQUAL(xy_be32_load(icmp + 4), ROOM); // the true size
	CU_ASSERT_EQUAL(drops(XY_DROP_TOO_BIG), big + 1);
	free_out();
	// Less room than goes whole, by hand.
	p = (struct xy_dp_peer){.remote = endpoint(NODE_B), .mtu = 1500, .room = ROOM};
	CU_ASSERT_EQUAL_FATAL(xy_dp_peer_set(dp, NODE_B, &p), 0);
	m = packet(&at_a, &at_b, 64, ROOM);
	seal(NODE_A, m);
	feed(m);
	CU_ASSERT_EQUAL_FATAL(run(), 1);
	CU_ASSERT_EQUAL(out[0]->data_len, ROOM + XY_WG_DATA_OVERHEAD);
	CU_ASSERT_EQUAL(xy_packet(out[0])->pieces, XY_PIECES_NONE);
	CU_ASSERT(open_sent(NODE_B, out[0]) >= ROOM);
	settle();
	link_small(NODE_B, LINK_MAX);
}

// What is too large is cut, in its place among what is not; others' packets go as before.
static void test_fragments(void)
{
	enum { MF = 0x2000, EACH = (SMALL - 20) / 8 };
	uint64_t split = dp->worker[0]->stats.split;
	fragments_begin();
	feed4(1, 0, 100);
	feed4(2, 0, 1500);
	feed4(3, 0, SMALL);
	feed4(4, 0, SMALL + 1);
	feed4(5, 0, 40);
	CU_ASSERT_EQUAL_FATAL(run(), 8);
	CU_ASSERT_EQUAL(expect_piece(0, 1, 0), 80);
	CU_ASSERT_EQUAL(expect_piece(1, 2, MF), EACH * 8);
	CU_ASSERT_EQUAL(expect_piece(2, 2, MF | EACH), EACH * 8);
	CU_ASSERT_EQUAL(expect_piece(3, 2, 2 * EACH), 1480 - 2 * EACH * 8);
	CU_ASSERT_EQUAL(expect_piece(4, 3, 0), SMALL - 20);
	CU_ASSERT_EQUAL(expect_piece(5, 4, MF), EACH * 8);
	CU_ASSERT_EQUAL(expect_piece(6, 4, EACH), SMALL + 1 - 20 - EACH * 8);
	CU_ASSERT_EQUAL(expect_piece(7, 5, 0), 20);
	CU_ASSERT_EQUAL(dp->worker[0]->stats.split, split + 3);
	settle();

	feed4(6, 0, 1500);
	struct rte_mbuf *other = packet(&at_a, &leaf, 64, 100);
	seal(NODE_A, other);
	feed(other);
	CU_ASSERT_EQUAL_FATAL(run(), 4); // the other's does not go round
	CU_ASSERT(open_sent(LEAF, out[0]) > 0);
	expect_piece(1, 6, MF);
	settle();

	feed4(7, MF | 100, 1020); // a fragment of a fragment
	CU_ASSERT_EQUAL_FATAL(run(), 2);
	open_sent(NODE_B, out[0]);
	open_sent(NODE_B, out[1]);
	CU_ASSERT_EQUAL(xy_be16_load(rte_pktmbuf_mtod(out[0], uint8_t *) + 6), MF | 100);
	CU_ASSERT_EQUAL(xy_be16_load(rte_pktmbuf_mtod(out[1], uint8_t *) + 6), MF | (100 + EACH));
	fragments_end();
}

// A whole burst and more of the largest: each comes out whole and in order.
static void test_fragments_many(void)
{
	enum { MANY = 90, EACH = (SMALL - 20) / 8 };
	fragments_begin();
	for (uint16_t i = 0; i < MANY; i++)
		feed4(i, 0, 1500);
	dp->cfg.limits.reject_after_messages = dp->cfg.limits.rekey_after_messages = 100000;
	CU_ASSERT_EQUAL_FATAL(run(), 3 * MANY);
	for (uint16_t i = 0; i < MANY; i++)
		for (uint16_t k = 0; k < 3; k++)
			expect_piece(3U * i + k, i, (uint16_t)((k < 2 ? 0x2000 : 0) | k * EACH));
	dp->cfg.limits.rekey_after_messages = 200;
	dp->cfg.limits.reject_after_messages = 300;
	fragments_end();
	sessions_new();
}

static void expect_refused(struct rte_mbuf *m, enum xy_drop reason)
{
	uint64_t split = dp->worker[0]->stats.split;
	expect_drop(NODE_A, m, reason);
	CU_ASSERT_EQUAL(dp->worker[0]->stats.split, split);
}

static void test_fragments_refused(void)
{
	uint64_t before = drops(XY_DROP_TOO_BIG);
	fragments_begin();
	at += XY_SEC;		     // ICMP errors are within their rate again
	feed4(1, 0x4000, SMALL + 1); // DF: the sender is told
	CU_ASSERT_EQUAL_FATAL(run(), 1);
	CU_ASSERT_EQUAL(drops(XY_DROP_TOO_BIG), before + 1);
	CU_ASSERT(open_sent(NODE_A, out[0]) > 0);
	const uint8_t *p = rte_pktmbuf_mtod(out[0], uint8_t *);
	CU_ASSERT_EQUAL(p[20], 3);
	CU_ASSERT_EQUAL(p[21], 4);
	CU_ASSERT_EQUAL(xy_be16_load(p + 26), SMALL);
	settle();

	struct rte_mbuf *m = packet4(2, 0, 1500);
	rte_pktmbuf_mtod(m, uint8_t *)[10] ^= 1; // a wrong checksum is not made right
	expect_refused(m, XY_DROP_BAD_INNER);
	link_small(NODE_B, 27);
	expect_refused(packet4(3, 0, 1500), XY_DROP_TOO_BIG);
	link_small(NODE_B, 36); // 93 pieces
	expect_refused(packet4(4, 0, 1500), XY_DROP_TOO_BIG);
	fragments_end();
}

// A packet waits for its session whole; then it is cut.
static void test_fragments_held(void)
{
	fragments_begin();
	session_new(NODE_B, 0, false);
	feed4(1, 0, 1500);
	feed4(2, 0, 50);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(dp->worker[0]->stats.held, 2);
	CU_ASSERT_EQUAL(xy_dp_session_use(dp, peer[NODE_B].index), 0);
	CU_ASSERT_EQUAL_FATAL(run(), 4);
	expect_piece(0, 1, 0x2000);
	expect_piece(3, 2, 0);
	fragments_end();
}

static void test_fragments_no_buffers(void)
{
	static struct rte_mbuf *hoard[1 << 15];
	uint64_t none = drops(XY_DROP_NO_BUFFER);
	unsigned n = 0;
	fragments_begin();
	feed4(1, 0, 1500);
	feed4(2, 0, 100);
	while (n < RTE_DIM(hoard) && (hoard[n] = rte_pktmbuf_alloc(dp->worker[0]->pool)))
		n++;
	CU_ASSERT_EQUAL_FATAL(run(), 1); // no part of it, and the next as ever
	expect_piece(0, 2, 0);
	CU_ASSERT_EQUAL(drops(XY_DROP_NO_BUFFER), none + 1);
	settle();
	rte_pktmbuf_free_bulk(hoard, n);
	fragments_end();
}

// Of several next hops all fragments of a datagram take one, whatever stands where the first has
// its ports.
static void test_fragments_spread(void)
{
	struct xy_addr a = net4(0);
	uint32_t of_flow = PEERS;
	fragments_begin();
	route_over(&a, 120, 2, (uint32_t[]){NODE_C, NODE_D});
	for (uint16_t i = 0; i < 30; i++) {
		uint32_t who = taken_by(NODE_A, packet4(i, i % 2 ? 0x2000 | i : 0x2000, 100));
		CU_ASSERT(!i || who == of_flow);
		of_flow = who;
	}
	fragments_end();
}

static void test_peer_del(void)
{
	struct xy_prefix p = {.addr = at_b, .len = 64};
	xy_prefix_mask(&p);
	struct rte_mbuf *m = packet(&at_a, &at_b, 64, 100);
	xy_dp_peer_del(dp, NODE_B);
	peer[NODE_B].index = 0;
	expect_drop(NODE_A, m, XY_DROP_STALE); // the route is gone last only in this test
	CU_ASSERT_EQUAL(xy_dp_route_del(dp, &p), 0);
	xy_dp_route_commit(dp);
	CU_ASSERT_EQUAL(xy_dp_route_del(dp, &p), -ENOENT);
	settle();
}

static void test_indices_run_out(void)
{
	uint32_t index[64], extra;
	unsigned n = 0;
	while (n < 64 && xy_dp_session_reserve(dp, NODE_A, &index[n]) == 0)
		n++;
	CU_ASSERT(n >= 64 - PEERS);
	CU_ASSERT_EQUAL(xy_dp_session_reserve(dp, NODE_A, &extra), -ENOSPC);
	for (unsigned i = 0; i < n; i++)
		xy_dp_session_del(dp, index[i]);
	grace();
	CU_ASSERT_EQUAL(xy_dp_session_reserve(dp, NODE_A, &extra), 0);
	for (unsigned i = 0; i < n; i++)
		CU_ASSERT_NOT_EQUAL(extra, index[i]); // another generation
	xy_dp_session_del(dp, extra);
	settle();
}

static void test_destroy(void)
{
	unsigned used;
	for (unsigned i = 0; i < 2; i++)
		rte_rcu_qsbr_thread_offline(dp->rcu, i);
	xy_retire_run(dp, true);
	used = rte_mempool_in_use_count(dp->worker[0]->pool);
	CU_ASSERT_EQUAL(used, 0); // no buffer was lost
	xy_dp_destroy(dp);
}

static void feed_from(uint32_t who, const struct xy_addr *src, const struct xy_addr *dst,
		      uint16_t len, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct rte_mbuf *m = packet(src, dst, 64, len);
		seal(who, m);
		feed(m);
	}
}

// How many ICMPv6 errors of a type came out for this address behind a peer.
static unsigned errors_for(uint32_t who, const struct xy_addr *dst, uint8_t type)
{
	unsigned count = 0;
	for (unsigned i = 0; i < ring.out_count; i++) {
		const struct xy_wg_data *msg = rte_pktmbuf_mtod(out[i], const struct xy_wg_data *);
		if (msg->receiver != 100 + who || open_sent(who, out[i]) < 0)
			continue;
		const uint8_t *p = rte_pktmbuf_mtod(out[i], const uint8_t *);
		count += p[6] == XY_PROTO_ICMPV6 && p[40] == type && !memcmp(p + 24, dst->b, 16);
	}
	return count;
}

// Who asks for what is not there spends neither another peer's errors nor those of another kind.
static void test_icmp_apart(void)
{
	at += XY_SEC;
	session_new(NODE_A, 0, true);
	session_new(NODE_B, 0, true);
	session_new(LEAF, 0, true);
	feed_from(LEAF, &leaf, &nowhere, 100, 60);
	feed_from(NODE_A, &at_a, &nowhere, 100, 60);
	feed_from(NODE_A, &at_a, &at_b, LINK_MAX + 1, 1);
	feed_from(NODE_B, &at_b, &at_a, LINK_MAX + 1, 1);
	feed_from(NODE_B, &at_b, &nowhere, 100, 1);
	run();
	CU_ASSERT_EQUAL(errors_for(NODE_B, &at_b, 2), 1);
	CU_ASSERT_EQUAL(errors_for(NODE_A, &at_a, 2), 1);
	settle();
	feed_from(NODE_B, &at_b, &nowhere, 100, 1);
	run();
	CU_ASSERT_EQUAL(errors_for(NODE_B, &at_b, 1), 1);
	settle();
}

// A source that never heeds "too big" keeps it from the others behind its peer for a second at
// most.
static void test_icmp_lanes(void)
{
	static const struct xy_addr beside = {.b = {2, 0xa, [15] = 2}};
	unsigned told = 0;
	for (unsigned second = 0; second < 40; second++) {
		at += XY_SEC;
		session_new(NODE_A, 0, true);
		dp->session[xy_session_slot(dp, peer[NODE_A].index)].reject_at = at + XY_SEC;
		feed_from(NODE_A, &at_a, &at_b, LINK_MAX + 1, 100);
		feed_from(NODE_A, &beside, &at_b, LINK_MAX + 1, 1);
		run();
		told += errors_for(NODE_A, &beside, 2);
		settle();
	}
	CU_ASSERT(told > 20); // 5 of 6, by chance
}

// Longer while something comes at once, shorter when it does not, and none while others want the
// A new session wakes those workers that hold packets, not all.
static void test_epoch_wakes(void)
{
	session_new(NODE_A, 0, true);
	session_new(NODE_B, 0, false);
	for (uint32_t i = NODE_A; i <= NODE_B; i++)
		dp->session[xy_session_slot(dp, peer[i].index)].reject_at = at + XY_SEC;
	dp->worker[0]->sleeping = dp->worker[1]->sleeping = 1;
	xy_dp_epoch_raise(dp);
	CU_ASSERT(dp->worker[0]->sleeping && dp->worker[1]->sleeping);
	feed_from(NODE_A, &at_a, &at_b, 100, 1);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(dp->worker[0]->stats.held, 1);
	CU_ASSERT_EQUAL(xy_dp_session_use(dp, peer[NODE_B].index), 0);
	CU_ASSERT(!dp->worker[0]->sleeping && dp->worker[1]->sleeping);
	dp->worker[1]->sleeping = 0;
	CU_ASSERT_EQUAL(run(), 1);
	settle();
}

// CPU.
static void test_spin(void)
{
	enum { COST = 5000 };
	struct xy_spin s = {.most = COST};
	xy_nsec now = XY_SEC;
	xy_spin_slept(&s, 3 * COST, now);
	CU_ASSERT_EQUAL(s.now, 0);
	CU_ASSERT(!xy_spin_look_due(&s, now));
	static const xy_nsec longer[] = {1000, 2000, 4000, COST, COST};
	for (unsigned i = 0; i < RTE_DIM(longer); i++) {
		xy_spin_slept(&s, COST, now);
		CU_ASSERT_EQUAL(s.now, longer[i]);
	}
	static const xy_nsec shorter[] = {2500, 1250, 625, 0, 0};
	for (unsigned i = 0; i < RTE_DIM(shorter); i++) {
		xy_spin_slept(&s, XY_MSEC, now);
		CU_ASSERT_EQUAL(s.now, shorter[i]);
	}
	xy_spin_slept(&s, COST, now);
	CU_ASSERT(xy_spin_look_due(&s, now));
	xy_spin_look(&s, 7, now); // whatever it was before: long ago
	CU_ASSERT_EQUAL(s.now, XY_SPIN_LEAST);
	CU_ASSERT(!xy_spin_look_due(&s, now + XY_SPIN_LOOK - 1));
	xy_spin_look(&s, 7, now + XY_SPIN_LOOK);
	CU_ASSERT_EQUAL(s.now, XY_SPIN_LEAST);
	now += 2 * XY_SPIN_LOOK;
	xy_spin_look(&s, 8, now); // switched out
	CU_ASSERT_EQUAL(s.now, 0);
	xy_spin_slept(&s, COST, now + XY_SPIN_SWITCHED - 1);
	CU_ASSERT_EQUAL(s.now, 0);
	xy_spin_slept(&s, COST, now + XY_SPIN_SWITCHED);
	CU_ASSERT_EQUAL(s.now, XY_SPIN_LEAST);
	xy_nsec cost = xy_wake_cost();
	CU_ASSERT(cost >= XY_WAKE_COST_LEAST && cost <= XY_WAKE_COST_MOST);
}

XY_UNIT_MAIN("dataplane", {"pools", test_pools}, {"lcores", test_lcores}, {"create", test_create},
	     {"relay, every length", test_relay},
	     {"first packet, statistics", test_first_and_stats}, {"keepalive", test_keepalive},
	     {"refused messages", test_refused_messages}, {"replay", test_replay},
	     {"inner checks, sources", test_inner_checks},
	     {"a leaf of ::/0", test_leaf_of_everything}, {"a default route", test_default_route},
	     {"full of routes", test_route_limit}, {"ICMP errors", test_icmp},
	     {"no room behind a packet", test_buffer_full}, {"larger than goes whole", test_pieces},
	     {"probes of the path", test_path_probes}, {"ICMP rate", test_icmp_limit},
	     {"hold and release", test_hold}, {"roaming", test_roam},
	     {"hand-over, move of ownership", test_handover_and_move},
	     {"a move while control is busy", test_move_alone},
	     {"counter limits", test_counter_limits}, {"expired session", test_expired},
	     {"control datagrams", test_control_datagrams}, {"events, fair", test_events_fair},
	     {"whose handshakes", test_whose_handshakes},
	     {"a flood of strangers", test_strangers_flood}, {"events, MTU", test_mtu_events},
	     {"events, refused", test_refused_events}, {"Babel packets", test_babel_packets},
	     {"service port", test_service}, {"packets of ours to a peer", test_overlay_send},
	     {"carried for others", test_carried}, {"packets of ours, routed", test_overlay_routed},
	     {"shares of the ring to the control plane", test_overlay_shares},
	     {"strangers leave room", test_overlay_strangers},
	     {"packets of a session that is gone", test_overlay_stale}, {"probes", test_probes},
	     {"spread over next hops", test_spread}, {"spread without ports", test_spread_portless},
	     {"spread, not back", test_spread_back}, {"fragments, spread", test_fragments_spread},
	     {"sets of next hops", test_groups}, {"sets run out", test_groups_run_out},
	     {"rings full", test_ring_full}, {"transmit queue full", test_tx_full},
	     {"no buffers", test_no_buffers}, {"fragments", test_fragments},
	     {"fragments, many", test_fragments_many},
	     {"fragments refused", test_fragments_refused}, {"fragments held", test_fragments_held},
	     {"fragments, no buffers", test_fragments_no_buffers}, {"a route to ask for", test_ask},
	     {"asked, given up", test_ask_given_up}, {"asked, a scan", test_ask_scan},
	     {"routes in use", test_used}, {"held packets, shared", test_hold_shared},
	     {"ICMP, each peer its own", test_icmp_apart},
	     {"too big, each source its turn", test_icmp_lanes}, {"who is woken", test_epoch_wakes},
	     {"peer deleted", test_peer_del}, {"indices run out", test_indices_run_out},
	     {"spin that learns", test_spin}, {"destroy", test_destroy})
