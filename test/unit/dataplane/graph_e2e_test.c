// SPDX-License-Identifier: BSD-3-Clause
// Sealed end to end: what is sealed for a far node and opened from it, what waits for its session,
// what is refused of it and of those between, and the errors that they send.
#include "graph_rig.h"

#include "wire/e2e.h"
#include "wire/icmp.h"

enum { K = 16, KIND_PATH = 1352 }; // the far node's number, behind the 16 peers; the least MTU

static const struct xy_addr at_k = {.b = {2, 0xf0, [15] = 7}};
static const struct xy_addr in_k = {.b = {2, 0xf0, [15] = 9}}; // inside its /64

static struct {
	uint32_t index;
	struct xy_aead_schedule to_us, from_us;
	uint64_t counter;
} k;

static uint8_t *room_for(struct rte_mbuf *m, uint16_t len)
{
	rte_pktmbuf_append(m, len);
	return rte_pktmbuf_mtod(m, uint8_t *);
}

// --- the far node

static void k_session(unsigned owner, bool use)
{
	struct xy_dp_session_keys keys = {.remote_index = 0x5005, .owner = owner, .born = at};
	if (k.index)
		xy_dp_session_del(dp, k.index);
	grace();
	randombytes_buf(keys.recv, sizeof(keys.recv));
	randombytes_buf(keys.send, sizeof(keys.send));
	xy_aead_key_set(XY_AEAD_CHACHA20_POLY1305, &k.to_us, keys.recv);
	xy_aead_key_set(XY_AEAD_CHACHA20_POLY1305, &k.from_us, keys.send);
	k.counter = 0;
	CU_ASSERT_EQUAL_FATAL(xy_dp_session_reserve(dp, K, &k.index), 0);
	CU_ASSERT_EQUAL_FATAL(xy_dp_session_set(dp, k.index, &keys), 0);
	if (use)
		CU_ASSERT_EQUAL_FATAL(xy_dp_session_use(dp, k.index), 0);
}

static void k_set(uint32_t mtu)
{
	struct xy_dp_far far = {.addr = at_k, .mtu = mtu};
	CU_ASSERT_EQUAL_FATAL(xy_dp_far_set(dp, K, &far), 0);
}

static void begin(void)
{
	at += XY_SEC; // ICMP errors are within their rate again
	sessions_new();
	k_set(0);
	k_session(0, true);
	route(&at_k, 64, XY_DP_ROUTE_PEER, NODE_B);
	xy_dp_route_commit(dp);
	settle();
}

static void end(void)
{
	settle();
	unroute(&at_k, 64);
	xy_dp_far_del(dp, K);
	k.index = 0;
	grace();
}

// Seals a packet as the far node does, outer header and all.
static void k_seal(struct rte_mbuf *m, uint8_t hops, uint8_t ecn)
{
	uint32_t len = m->data_len, padded = RTE_ALIGN_CEIL(len, 16u);
	memset(rte_pktmbuf_append(m, (uint16_t)(padded - len + 16)), 0, padded - len);
	struct xy_wg_data *msg = (struct xy_wg_data *)rte_pktmbuf_prepend(m, sizeof(*msg));
	*msg = (struct xy_wg_data){.type = XY_WG_DATA, .receiver = k.index, .counter = k.counter++};
	struct xy_aead_op op = {.key = &k.to_us,
				.counter = msg->counter,
				.data = msg->box,
				.len = padded,
				.tag = msg->box + padded};
	xy_aead_seal_burst(dp->worker[0]->aead, &op, 1);
	struct xy_e2e_header h = {
		.src = at_k, .dst = us, .len = m->data_len, .hops = hops, .ecn = ecn};
	xy_e2e_header_write(&h, (uint8_t *)rte_pktmbuf_prepend(m, XY_IPV6_LEN));
}

// Brought by a link.
static void k_feed(uint32_t by, struct rte_mbuf *m)
{
	k_seal(m, 60, 0);
	seal(by, m);
	feed(m);
}

static void k_expect_drop(struct rte_mbuf *m, enum xy_drop reason)
{
	k_seal(m, 60, 0);
	expect_drop(NODE_B, m, reason);
}

// Opens what came out of a link as the far node does; the padded length of what is inside, or -1.
static int k_open(uint32_t by, struct rte_mbuf *m)
{
	int len = open_sent(by, m);
	if (len < (int)XY_E2E_OVERHEAD)
		return -1;
	const uint8_t *h = rte_pktmbuf_mtod(m, const uint8_t *);
	CU_ASSERT_EQUAL(h[6], XY_PROTO_E2E);
	CU_ASSERT_EQUAL(memcmp(h + 8, us.b, 16), 0);
	CU_ASSERT_EQUAL(memcmp(h + 24, at_k.b, 16), 0);
	rte_pktmbuf_trim(m,
			 (uint16_t)(len - XY_IPV6_LEN - xy_be16_load(h + 4))); // the link's padding
	rte_pktmbuf_adj(m, XY_IPV6_LEN);
	struct xy_wg_data *msg = rte_pktmbuf_mtod(m, struct xy_wg_data *);
	uint32_t box = m->data_len - XY_WG_DATA_OVERHEAD;
	struct xy_aead_op op = {.key = &k.from_us,
				.counter = msg->counter,
				.data = msg->box,
				.len = box,
				.tag = msg->box + box};
	CU_ASSERT_EQUAL(msg->receiver, 0x5005);
	xy_aead_open_burst(dp->worker[0]->aead, &op, 1);
	rte_pktmbuf_adj(m, XY_WG_DATA_HEADER_LEN);
	rte_pktmbuf_trim(m, XY_WG_TAG_LEN);
	return op.ok ? (int)box : -1;
}

static void leaf_feed(const struct xy_addr *to, uint8_t hops, uint16_t len)
{
	struct rte_mbuf *m = packet(&leaf, to, hops, len);
	seal(LEAF, m);
	feed(m);
}

// --- cases

// Every length: 72 bytes more, padding inside, the link's outside; nothing of what is inside shows.
static void test_sealed(void)
{
	begin();
	k_set(LINK_MAX);
	for (uint16_t len = XY_IPV6_LEN + 8; len <= LINK_MAX - XY_E2E_OVERHEAD; len += 3) {
		if (peer[LEAF].counter > 150) {
			sessions_new();
			k_session(0, true);
		}
		leaf_feed(&in_k, 64, len);
		CU_ASSERT_EQUAL_FATAL(run(), 1);
		uint32_t sealed =
			RTE_MIN(RTE_ALIGN_CEIL(len, 16) + (int)XY_E2E_OVERHEAD, (int)LINK_MAX);
		CU_ASSERT_EQUAL(out[0]->data_len, RTE_MIN(RTE_ALIGN_CEIL(sealed, 16u), LINK_MAX) +
							  XY_WG_DATA_OVERHEAD);
		CU_ASSERT(k_open(NODE_B, out[0]) >= len);
		const uint8_t *p = rte_pktmbuf_mtod(out[0], uint8_t *);
		CU_ASSERT_EQUAL(p[7], 63); // our own hop
		CU_ASSERT_EQUAL(memcmp(p + 24, in_k.b, 16), 0);
		for (unsigned i = XY_IPV6_LEN; i < len; i++)
			CU_ASSERT_EQUAL_FATAL(p[i], (uint8_t)i);
		free_out();
	}
	end();
}

// Hop limit, congestion marks and flow are told outside, and nothing else.
static void test_outside(void)
{
	uint32_t flow[2];
	uint64_t hop = drops(XY_DROP_HOP_LIMIT);
	begin();
	for (unsigned i = 0; i < 2; i++) {
		struct rte_mbuf *m = packet(&leaf, &in_k, 9, 100);
		uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);
		xy_be32_store(p, 0x6b800000 | 2 << 20); // DSCP 46, ECT(0)
		xy_be16_store(p + 40, (uint16_t)i);
		seal(LEAF, m);
		feed(m);
		CU_ASSERT_EQUAL_FATAL(run(), 1);
		CU_ASSERT_EQUAL(xy_packet(out[0])->ecn, 2);
		CU_ASSERT(open_sent(NODE_B, out[0]) > 0);
		p = rte_pktmbuf_mtod(out[0], uint8_t *);
		CU_ASSERT_EQUAL(p[7], 8);
		CU_ASSERT_EQUAL(p[0] << 4 | p[1] >> 4, 0x602); // class: the two bits alone
		flow[i] = xy_be32_load(p) & 0xfffff;
		free_out();
	}
	CU_ASSERT_NOT_EQUAL(flow[0], flow[1]);
	leaf_feed(&in_k, 1, 100); // no hop is left: its sender hears it from us
	CU_ASSERT_EQUAL_FATAL(run(), 1);
	CU_ASSERT(open_sent(LEAF, out[0]) > 0);
	CU_ASSERT_EQUAL(drops(XY_DROP_HOP_LIMIT), hop + 1);
	end();
}

// Nobody is known there: it waits, and the control plane hears of the /64; then of the session.
static void test_meet(void)
{
	struct xy_dp_far far = {.addr = at_k};
	uint64_t late = drops(XY_DROP_NO_ANSWER);
	sessions_new();
	route(&at_k, 64, XY_DP_ROUTE_PEER, NODE_B);
	xy_dp_route_commit(dp);
	for (int i = 0; i < 3; i++)
		leaf_feed(&in_k, 64, 100);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(dp->worker[0]->stats.held, 3);
	events();
	CU_ASSERT_EQUAL(seen[XY_DP_MEET], 1);
	CU_ASSERT_EQUAL(last.source, LEAF);
	CU_ASSERT(memcmp(last.addr.b, at_k.b, 8) == 0 && xy_be64_load(last.addr.b + 8) == 0);
	CU_ASSERT_EQUAL(xy_dp_far_set(dp, K, &far), 0);
	xy_dp_route_commit(dp);
	CU_ASSERT_EQUAL(run(), 0); // known, and no session yet
	k_session(0, false);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(xy_dp_session_use(dp, k.index), 0);
	CU_ASSERT_EQUAL_FATAL(run(), 3);
	CU_ASSERT(k_open(NODE_B, out[0]) > 0);
	CU_ASSERT_EQUAL(rte_pktmbuf_mtod(out[0], uint8_t *)[7], 63); // one hop, not two
	CU_ASSERT_EQUAL(dp->worker[0]->stats.held, 0);
	settle();
	// Its session goes: asked again; nobody answers.
	xy_dp_session_del(dp, k.index);
	k.index = 0;
	leaf_feed(&in_k, 64, 100);
	CU_ASSERT_EQUAL(run(), 0);
	events();
	CU_ASSERT_EQUAL(seen[XY_DP_MEET], 1);
	at += 10 * XY_SEC;
	run();
	CU_ASSERT_EQUAL(drops(XY_DROP_NO_ANSWER), late + 1);
	// It waits, and the node becomes our neighbour: it goes as it is.
	struct xy_dp_peer direct = {
		.node = at_k, .remote = endpoint(NODE_C), .mtu = LINK_MAX + OVERHEAD_V4};
	sessions_new();
	leaf_feed(&in_k, 64, 100);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(xy_dp_peer_set(dp, NODE_C, &direct), 0);
	route(&at_k, 64, XY_DP_ROUTE_PEER, NODE_C);
	xy_dp_route_commit(dp);
	CU_ASSERT_EQUAL_FATAL(run(), 1);
	CU_ASSERT_EQUAL(open_sent(NODE_C, out[0]), 112);
	CU_ASSERT_EQUAL(memcmp(rte_pktmbuf_mtod(out[0], uint8_t *) + 24, in_k.b, 16), 0);
	peer_kind(NODE_C, false);
	end();
}

// To a leaf and to this host, with the hops and marks that it had outside.
static void test_opened(void)
{
	struct rte_mbuf *m;
	begin();
	k_seal((m = packet(&in_k, &leaf, 64, 100)), 7, 0);
	seal(NODE_A, m); // whichever link
	feed(m);
	CU_ASSERT_EQUAL_FATAL(run(), 1);
	CU_ASSERT(open_sent(LEAF, out[0]) >= 100);
	CU_ASSERT_EQUAL(rte_pktmbuf_mtod(out[0], uint8_t *)[7], 6);
	settle();
	m = packet(&in_k, &leaf, 5, 100);
	rte_pktmbuf_mtod(m, uint8_t *)[1] = 2 << 4; // ECT(0)
	k_seal(m, 60, XY_ECN_CE);
	seal(NODE_A, m);
	feed(m);
	CU_ASSERT_EQUAL_FATAL(run(), 1);
	CU_ASSERT(open_sent(LEAF, out[0]) >= 100);
	CU_ASSERT_EQUAL(rte_pktmbuf_mtod(out[0], uint8_t *)[7], 4);
	CU_ASSERT_EQUAL(rte_pktmbuf_mtod(out[0], uint8_t *)[1] >> 4, XY_ECN_CE);
	settle();
	k_expect_drop(packet(&in_k, &us, 64, 100), XY_DROP_HOST_DOWN); // it would be the host's
	k_feed(NODE_B, udp(&at_k, &us, 1, SERVICE, 60));
	CU_ASSERT_EQUAL(run(), 0);
	events();
	CU_ASSERT_EQUAL(seen[XY_DP_OVERLAY], 1);
	end();
}

// What a node may not, sealed or over its link.
static void test_refused(void)
{
	static const struct xy_addr mc = {.b = {0xff, 2, [15] = 1}};
	struct rte_mbuf *m;
	begin();
	k_expect_drop(packet(&at_a, &leaf, 64, 100), XY_DROP_SPOOFED); // another node's
	k_expect_drop(packet(&us, &leaf, 64, 100), XY_DROP_SPOOFED);
	k_expect_drop(packet(&leaf, &leaf, 64, 100), XY_DROP_SPOOFED);
	k_expect_drop(packet(&in_k, &mc, 64, 100), XY_DROP_NOT_FORWARDED);
	k_expect_drop(packet(&link_a, &leaf, 64, 100), XY_DROP_NOT_FORWARDED);
	k_expect_drop(udp(&in_k, &at_a, 1, 2, 100), XY_DROP_NOT_SEALED); // through us to another
	m = packet(&in_k, &us, 64, 100);
	rte_pktmbuf_mtod(m, uint8_t *)[6] = XY_PROTO_E2E; // one inside another
	k_expect_drop(m, XY_DROP_NOT_SEALED);
	// The outer source is another's; the address is not ours to open at; no session; no
	// message.
	k_seal((m = packet(&in_k, &leaf, 64, 100)), 60, 0);
	rte_pktmbuf_mtod(m, uint8_t *)[8 + 15] ^= 1;
	expect_drop(NODE_B, m, XY_DROP_SPOOFED);
	k_seal((m = packet(&in_k, &leaf, 64, 100)), 60, 0);
	rte_pktmbuf_mtod(m, uint8_t *)[24 + 15] ^= 8;
	expect_drop(NODE_B, m, XY_DROP_NOT_SEALED);
	k_seal((m = packet(&in_k, &leaf, 64, 100)), 60, 0);
	rte_pktmbuf_mtod(m, uint8_t *)[XY_IPV6_LEN + 4] ^= 1;
	expect_drop(NODE_B, m, XY_DROP_UNKNOWN_INDEX);
	k_seal((m = packet(&in_k, &leaf, 64, 100)), 60, 0);
	rte_pktmbuf_mtod(m, uint8_t *)[XY_IPV6_LEN + 60] ^= 1;
	expect_drop(NODE_B, m, XY_DROP_BAD_TAG);
	k_seal((m = packet(&in_k, &leaf, 64, 100)), 60, 0);
	rte_pktmbuf_mtod(m, uint8_t *)[XY_IPV6_LEN] = 9;
	expect_drop(NODE_B, m, XY_DROP_NOT_WIREGUARD);
	k_seal((m = packet(&in_k, &leaf, 64, 100)), 60, 0);
	rte_pktmbuf_mtod(m, uint8_t *)[5] = 12; // it ends before the message does
	expect_drop(NODE_B, m, XY_DROP_NOT_WIREGUARD);
	k.counter = 0;
	k_expect_drop(packet(&in_k, &leaf, 64, 100), XY_DROP_REPLAY);
	k.counter = 100;
	// Our session's index on a link, and a link's inside.
	m = packet(&in_k, &leaf, 64, 100);
	k_seal(m, 60, 0);
	rte_pktmbuf_adj(m, XY_IPV6_LEN);
	xy_packet(m)->remote = endpoint(NODE_B);
	uint64_t unknown = drops(XY_DROP_UNKNOWN_INDEX);
	feed(m);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(drops(XY_DROP_UNKNOWN_INDEX), unknown + 1);
	settle();
	// A neighbour's own packets: its /64, to us and ours.
	expect_drop(NODE_A, udp(&at_b, &leaf, 1, 2, 100), XY_DROP_SPOOFED);
	expect_drop(NODE_A, udp(&at_a, &at_b, 1, 2, 100), XY_DROP_NOT_SEALED);
	expect_drop(NODE_A, udp(&at_a, &in_k, 1, 2, 100), XY_DROP_NOT_SEALED);
	end();
}

// An error of a node's own about a packet from a leaf of ours to there.
static struct rte_mbuf *own_error(const struct xy_addr *from, const struct xy_addr *about)
{
	struct rte_mbuf *quoted = packet(&leaf, about, 64, 100), *m = buffer();
	uint8_t *p = room_for(m, XY_ICMP_ERROR_MAX);
	size_t len = xy_icmp_error_build(XY_ICMP_TOO_BIG, 1280, from,
					 rte_pktmbuf_mtod(quoted, uint8_t *), 100, p);
	rte_pktmbuf_trim(m, (uint16_t)(XY_ICMP_ERROR_MAX - len));
	rte_pktmbuf_free(quoted);
	return m;
}

// A node tells about what was for it, over its link and sealed, and about nothing else.
static void test_others_errors(void)
{
	static const struct xy_addr net = {.b = {0x20, 0x01, 0x0d, 0xb8, 5, [15] = 1}};
	const struct xy_prefix all = {.len = 0};
	begin();
	k_feed(NODE_A, own_error(&at_k, &in_k));
	struct rte_mbuf *m = own_error(&at_a, &at_a);
	seal(NODE_A, m);
	feed(m);
	CU_ASSERT_EQUAL(run(), 2);
	settle();
	k_expect_drop(own_error(&at_k, &at_a), XY_DROP_SPOOFED);
	k_expect_drop(own_error(&in_k, &net), XY_DROP_SPOOFED);
	expect_drop(NODE_A, own_error(&at_a, &at_b), XY_DROP_SPOOFED);
	expect_drop(NODE_A, own_error(&at_a, &in_k), XY_DROP_SPOOFED);
	CU_ASSERT_EQUAL(xy_dp_accepts_set(dp, K, &all, 1), 0);
	k_feed(NODE_A, own_error(&net, &net));
	CU_ASSERT_EQUAL(run(), 1);
	settle();
	k_expect_drop(own_error(&net, &at_a), XY_DROP_SPOOFED); // no prefix holds the mesh
	end();
}

// Sources outside the mesh: those that are accepted of this node, over whatever it comes by.
static void test_accepts(void)
{
	const struct xy_addr inside = xy_addr_from_v4(UINT32_C(0x0a010203));
	static const struct xy_addr net = {.b = {0x20, 0x01, 0x0d, 0xb8, 5, [15] = 1}};
	static const struct xy_addr beside = {.b = {0x20, 0x01, 0x0d, 0xb9, 5, [15] = 1}};
	const struct xy_prefix some[] = {
		{.addr.b = {0x20, 0x01, 0x0d, 0xb8, 5}, .len = 48},
		{.addr.b = {0x20, 0x01, 0x0d, 0xb8}, .len = 32}, // holds the one before
		{.addr.b = {0x20, 0x02}, .len = 16},
		{.addr = xy_addr_from_v4(UINT32_C(0x0a010000)), .len = 112},
		{.addr = xy_addr_from_v4(UINT32_C(0x0a090000)), .len = 112},
	};
	const struct xy_prefix all = {.len = 0};
	begin();
	k_expect_drop(packet(&net, &leaf, 64, 100), XY_DROP_SOURCE_NOT_ALLOWED);
	expect_drop(NODE_A, packet(&net, &leaf, 64, 100), XY_DROP_SOURCE_NOT_ALLOWED);
	CU_ASSERT_EQUAL(xy_dp_accepts_set(dp, K, some, RTE_DIM(some)), 0);
	CU_ASSERT_EQUAL(xy_dp_accepts_set(dp, NODE_A, &all, 1), 0);
	CU_ASSERT_EQUAL(xy_dp_accepts_set(dp, K + 1, some, 1), -ENOENT);
	k_feed(NODE_B, packet(&net, &leaf, 64, 100));
	feed_from(NODE_A, &net, &leaf, 100, 1);
	CU_ASSERT_EQUAL(run(), 2);
	settle();
	k_expect_drop(packet(&beside, &leaf, 64, 100), XY_DROP_SOURCE_NOT_ALLOWED);
	CU_ASSERT(xy_accepts_rcu(dp, K, &inside));
	CU_ASSERT(xy_accepts_rcu(dp, K, &(struct xy_addr){.b = {0x20, 0x02, [15] = 3}}));
	CU_ASSERT(!xy_accepts_rcu(dp, K, &(struct xy_addr){.b = {0x20, 0x03, [15] = 3}}));
	for (uint32_t i = 0; i < 0x20; i++) { // 10.0.0.0 to 10.31.255.255
		struct xy_addr a = xy_addr_from_v4(UINT32_C(0x0a00ffff) + (i << 16));
		CU_ASSERT_EQUAL(xy_accepts_rcu(dp, K, &a), i == 1 || i == 9);
	}
	CU_ASSERT(!xy_accepts_rcu(dp, NODE_A, &inside)); // ::/0 holds no IPv4
	// The mesh is nobody's to have by a prefix.
	expect_drop(NODE_A, udp(&at_b, &leaf, 1, 2, 100), XY_DROP_SPOOFED);
	CU_ASSERT_EQUAL(xy_dp_accepts_set(dp, NODE_A, NULL, 0), 0);
	expect_drop(NODE_A, packet(&net, &leaf, 64, 100), XY_DROP_SOURCE_NOT_ALLOWED);
	end();
	CU_ASSERT(!xy_accepts_rcu(dp, K, &inside)); // it went with the node
}

// Who is accepted to be the Internet is nobody else: nothing that is accepted of another.
static void test_taken(void)
{
	static const struct xy_prefix all[] = {
		{.len = 0},
		{.addr.b = {[10] = 0xff, [11] = 0xff}, .len = 96},
		{.addr.b = {[10] = 0xff, [11] = 0xff, 10, 5}, .len = 112}, // and by its name
	};
	static const struct xy_prefix taken[] = {
		{.addr.b = {0x20, 0x01, 0x0d, 0xb8, 5}, .len = 48},
		{.addr.b = {[10] = 0xff, [11] = 0xff, 10}, .len = 104},
		{.addr.b = {[10] = 0xff, [11] = 0xff, 192, 168, 1, 7}, .len = 128},
	};
	static const struct xy_addr net = {.b = {0x20, 0x01, 0x0d, 0xb8, 5, [15] = 1}};
	static const struct xy_addr beside = {.b = {0x20, 0x01, 0x0d, 0xb9, 5, [15] = 1}};
	static const struct {
		uint32_t addr;
		bool its;
	} v4[] = {{0x0a010203, false}, {0x0a05ffff, true},  {0x0a060000, false}, {0x0b000000, true},
		  {0x09ffffff, true},  {0xc0a80107, false}, {0xc0a80108, true}};
	begin();
	CU_ASSERT_EQUAL(xy_dp_accepts_set(dp, NODE_A, all, RTE_DIM(all)), 0);
	feed_from(NODE_A, &net, &leaf, 100, 1);
	CU_ASSERT_EQUAL(run(), 1);
	settle();
	CU_ASSERT_EQUAL(xy_dp_taken_set(dp, taken, RTE_DIM(taken)), 0);
	expect_drop(NODE_A, packet(&net, &leaf, 64, 100), XY_DROP_SOURCE_NOT_ALLOWED);
	feed_from(NODE_A, &beside, &leaf, 100, 1);
	CU_ASSERT_EQUAL(run(), 1);
	settle();
	for (unsigned i = 0; i < RTE_DIM(v4); i++) {
		struct xy_addr a = xy_addr_from_v4(v4[i].addr);
		CU_ASSERT_EQUAL(xy_accepts_rcu(dp, NODE_A, &a), v4[i].its);
	}
	CU_ASSERT_EQUAL(xy_dp_taken_set(dp, NULL, 0), 0);
	CU_ASSERT(xy_accepts_rcu(dp, NODE_A, &net));
	end();
}

// Out of the mesh go only those that may, and each is told.
static void test_exit(void)
{
	static const struct xy_addr net = {.b = {0x20, 0x01, 0x0d, 0xb8, 9, [15] = 1}};
	const struct xy_addr all = {0};
	uint64_t prohibited = drops(XY_DROP_EXIT_NOT_ALLOWED), down = drops(XY_DROP_HOST_DOWN);
	begin();
	route(&all, 0, XY_DP_ROUTE_EXIT, 0);
	xy_dp_route_commit(dp);
	k_feed(NODE_B, packet(&in_k, &net, 64, 100)); // far, and of a link
	feed_from(NODE_A, &at_a, &net, 100, 1);
	CU_ASSERT_EQUAL(run(), 2); // two errors, for K and A
	CU_ASSERT_EQUAL(drops(XY_DROP_EXIT_NOT_ALLOWED), prohibited + 2);
	settle();
	CU_ASSERT_EQUAL(xy_dp_exit_allow(dp, K, true), 0);
	CU_ASSERT_EQUAL(xy_dp_exit_allow(dp, NODE_A, true), 0);
	CU_ASSERT_EQUAL(xy_dp_exit_allow(dp, K + 1, true), -ENOENT);
	k_feed(NODE_B, packet(&in_k, &net, 64, 100));
	feed_from(NODE_A, &at_a, &net, 100, 1);
	run(); // there is no interface here
	CU_ASSERT_EQUAL(drops(XY_DROP_HOST_DOWN), down + 2);
	CU_ASSERT_EQUAL(drops(XY_DROP_EXIT_NOT_ALLOWED), prohibited + 2);
	settle();
	CU_ASSERT_EQUAL(xy_dp_exit_allow(dp, K, false), 0);
	k_feed(NODE_B, packet(&in_k, &net, 64, 100));
	CU_ASSERT_EQUAL(run(), 1);
	CU_ASSERT_EQUAL(drops(XY_DROP_EXIT_NOT_ALLOWED), prohibited + 3);
	settle();
	CU_ASSERT_EQUAL(xy_dp_exit_allow(dp, NODE_A, false), 0);
	unroute(&all, 0);
	end();
}

// A keepalive, the window of another worker, a first packet, a session that was used up.
static void test_session(void)
{
	struct xy_dp_peer_stats s;
	uint64_t consumed = dp->worker[0]->stats.consumed;
	begin();
	feed_from(NODE_B, &at_b, &leaf, 100, 1); // the link's first
	run();
	settle();
	k_session(1, true);
	k_feed(NODE_B, packet(&in_k, &leaf, 64, 100)); // worker 0 hands it to worker 1
	CU_ASSERT_EQUAL_FATAL(run(), 1);
	CU_ASSERT(open_sent(LEAF, out[0]) >= 100);
	events();
	CU_ASSERT_EQUAL(seen[XY_DP_FIRST], 1);
	CU_ASSERT_EQUAL(last.peer, K);
	CU_ASSERT_EQUAL(last.index, k.index);
	settle();
	k_session(0, true);
	k_feed(NODE_B, buffer());
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(dp->worker[0]->stats.consumed, consumed + 1);
	CU_ASSERT_EQUAL(xy_dp_session_keepalive(dp, k.index), 0);
	CU_ASSERT_EQUAL_FATAL(run(), 1);
	CU_ASSERT(rte_pktmbuf_headroom(out[0]) >= XY_FRAME_HEADER_MAX);
	CU_ASSERT_EQUAL(k_open(NODE_B, out[0]), 0);
	settle();
	CU_ASSERT_EQUAL(xy_dp_peer_stats(dp, K, &s), 0);
	CU_ASSERT(s.rx_packets == 2 && s.tx_packets == 1 && s.rx_any == at && s.tx_any == at);
	events();
	for (unsigned i = 0; i < 310; i++) {
		if (peer[LEAF].counter > 150)
			sessions_new();
		leaf_feed(&in_k, 64, 100);
		run();
		free_out();
	}
	events();
	CU_ASSERT_EQUAL(seen[XY_DP_NUDGE], 1);
	CU_ASSERT_EQUAL(seen[XY_DP_MEET], 1); // used up
	k_session(0, true);
	CU_ASSERT(run() > 0);
	end();
}

// Handshake messages inside the mesh: whom they say to come from, and who brought them.
static void punted(struct rte_mbuf *m, uint32_t by)
{
	seal(by, m);
	feed(m);
	CU_ASSERT_EQUAL(run(), 0);
	events();
	CU_ASSERT_EQUAL(seen[XY_DP_PUNT], 1);
	CU_ASSERT_EQUAL(last.peer, by);
	CU_ASSERT(xy_addr_eq(&last.remote.addr, &at_k) && last.remote.port == 0);
}

static struct rte_mbuf *handshake(uint8_t type, uint16_t len, uint32_t receiver)
{
	struct rte_mbuf *m = buffer();
	uint8_t *p = room_for(m, len);
	memset(p, 0, len);
	p[0] = type;
	xy_le32_store(p + 8, receiver); // of a response
	struct xy_e2e_header h = {.src = at_k, .dst = us, .len = len, .hops = 60};
	xy_e2e_header_write(&h, (uint8_t *)rte_pktmbuf_prepend(m, XY_IPV6_LEN));
	return m;
}

static void test_handshakes(void)
{
	uint64_t limited = drops(XY_DROP_STRANGER_RATE);
	begin();
	punted(handshake(XY_WG_INITIATION, 148, 0), NODE_B);
	CU_ASSERT_EQUAL(last.len, 148);
	CU_ASSERT_EQUAL(last_data[0], XY_WG_INITIATION);
	punted(handshake(XY_WG_RESPONSE, 92, k.index), NODE_B);
	punted(handshake(XY_WG_RESPONSE, 92, 12345), NODE_A);
	// In the name of a node that we know anybody writes: it is limited, too, and leaves those
	// of links the half of their ring.
	for (int i = 0; i < 5; i++) {
		sessions_new();
		for (int n = 0; n < 120; n++) {
			struct rte_mbuf *m = handshake(XY_WG_INITIATION, 148, 0);
			seal(NODE_A, m);
			feed(m);
		}
		CU_ASSERT_EQUAL(run(), 0);
	}
	CU_ASSERT(drops(XY_DROP_STRANGER_RATE) > limited + 50);
	CU_ASSERT(rte_ring_count(dp->worker[0]->handshakes) <= 512);
	settle();
	sessions_new();
	limited = drops(XY_DROP_STRANGER_RATE);
	xy_dp_far_del(dp, K);
	k.index = 0;
	// A flood of strangers by one link leaves the other's alone.
	for (int i = 0; i < 120; i++) {
		struct rte_mbuf *m = handshake(XY_WG_INITIATION, 148, 0);
		seal(NODE_A, m);
		feed(m);
	}
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT(drops(XY_DROP_STRANGER_RATE) > limited + 40);
	events();
	limited = drops(XY_DROP_STRANGER_RATE);
	punted(handshake(XY_WG_INITIATION, 148, 0), NODE_B);
	CU_ASSERT_EQUAL(drops(XY_DROP_STRANGER_RATE), limited);
	settle();
	k_set(0);
	k_session(0, true);
	expect_drop(NODE_A, handshake(XY_WG_INITIATION, 147, 0), XY_DROP_NOT_WIREGUARD);
	// What the control plane sends of them goes by the route, as it is.
	struct rte_mbuf *m = handshake(XY_WG_INITIATION, 148, 0);
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);
	memcpy(p + 8, us.b, 16);
	memcpy(p + 24, at_k.b, 16);
	const uint8_t *sent = bytes(m);
	CU_ASSERT_EQUAL(xy_dp_overlay_send(dp, XY_DP_NO_PEER, sent, 188), 0);
	CU_ASSERT_EQUAL_FATAL(run(), 1);
	CU_ASSERT(open_sent(NODE_B, out[0]) >= 188);
	CU_ASSERT_EQUAL(memcmp(rte_pktmbuf_mtod(out[0], uint8_t *), sent, 188), 0);
	end();
}

static struct rte_mbuf *packet4(uint16_t id, uint16_t where, uint16_t len)
{
	struct rte_mbuf *m = buffer();
	uint8_t *p = room_for(m, len);
	memset(p, (uint8_t)id, len);
	memset(p, 0, XY_IPV4_MIN_LEN);
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
	seal(LEAF, m);
	feed(m);
}

// --- errors about what is sealed

// What a relay would send about a packet that it had of us: all that fits of it.
static struct rte_mbuf *error_about(struct rte_mbuf *sealed, uint8_t type, uint8_t code,
				    uint32_t word, const struct xy_addr *relay)
{
	struct rte_mbuf *m = buffer();
	uint16_t quoted = (uint16_t)RTE_MIN(sealed->data_len, 1280 - 48);
	uint8_t *p = room_for(m, (uint16_t)(48 + quoted));
	memset(p, 0, 48);
	xy_be32_store(p, 0x60000000);
	xy_be16_store(p + 4, (uint16_t)(8 + quoted));
	p[6] = XY_PROTO_ICMPV6;
	p[7] = 60;
	memcpy(p + 8, relay->b, 16);
	memcpy(p + 24, us.b, 16);
	p[40] = type;
	p[41] = code;
	xy_be32_store(p + 44, word);
	memcpy(p + 48, rte_pktmbuf_mtod(sealed, uint8_t *), quoted);
	return m;
}

// A packet of the leaf's, sealed and without its link; to be freed.
static struct rte_mbuf *sealed_one(uint16_t len)
{
	leaf_feed(&in_k, 64, len);
	CU_ASSERT_EQUAL_FATAL(run(), 1);
	CU_ASSERT(open_sent(NODE_B, out[0]) > 0);
	ring.out_count = 0;
	return out[0];
}

// The error comes to the leaf, about its own packet.
static void expect_told(struct rte_mbuf *error, uint8_t type, uint8_t code, uint32_t word,
			const struct xy_addr *from)
{
	seal(NODE_B, error);
	feed(error);
	CU_ASSERT_EQUAL_FATAL(run(), 1);
	CU_ASSERT(open_sent(LEAF, out[0]) > 48 + 40);
	const uint8_t *p = rte_pktmbuf_mtod(out[0], const uint8_t *);
	CU_ASSERT_EQUAL(memcmp(p + 8, from->b, 16), 0);
	CU_ASSERT_EQUAL(memcmp(p + 24, leaf.b, 16), 0);
	CU_ASSERT(p[40] == type && p[41] == code);
	CU_ASSERT_EQUAL(xy_be32_load(p + 44), word);
	CU_ASSERT_EQUAL(memcmp(p + 48 + 8, leaf.b, 16), 0);
	CU_ASSERT_EQUAL(memcmp(p + 48 + 24, in_k.b, 16), 0);
	CU_ASSERT_EQUAL(p[48 + 41], 41); // as it was
	settle();
}

static void expect_silence(struct rte_mbuf *error)
{
	uint64_t consumed = dp->worker[0]->stats.consumed;
	seal(NODE_B, error);
	feed(error);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(dp->worker[0]->stats.consumed, consumed + 1);
	events();
	CU_ASSERT_EQUAL(seen[XY_DP_FAR_MTU], 0);
	settle();
}

static void test_errors(void)
{
	static const struct xy_addr relay = {.b = {2, 0x77, [15] = 3}};
	begin();
	struct rte_mbuf *s = sealed_one(1300), *m;
	expect_told(error_about(s, 3, 0, 0, &relay), 3, 0, 0, &relay); // traceroute
	expect_told(error_about(s, 1, 0, 0, &relay), 1, 0, 0, &relay);
	expect_told(error_about(s, 2, 0, 1400, &relay), 2, 0, 1400 - XY_E2E_OVERHEAD, &relay);
	m = error_about(s, 2, 0, 1400, &relay);
	seal(NODE_B, m);
	feed(m);
	run();
	events();
	CU_ASSERT_EQUAL(seen[XY_DP_FAR_MTU], 0); // told at a bounded rate
	settle();
	at += XY_SEC;
	m = error_about(s, 2, 0, 100, &relay); // never below what carries 1280 inside
	seal(NODE_B, m);
	feed(m);
	CU_ASSERT_EQUAL(run(), 1);
	events();
	CU_ASSERT_EQUAL(seen[XY_DP_FAR_MTU], 1);
	CU_ASSERT(last.peer == K && last.mtu == KIND_PATH);
	settle();
	// Forged: no packet of ours comes out.
	m = error_about(s, 3, 0, 0, &relay);
	rte_pktmbuf_mtod(m, uint8_t *)[48 + 56 + 24] ^= 1; // its inner destination
	expect_silence(m);
	m = error_about(s, 3, 0, 0, &relay);
	rte_pktmbuf_mtod(m, uint8_t *)[48 + 56 + 5] ^= 0x40; // its length
	rte_pktmbuf_mtod(m, uint8_t *)[48 + 56 + 4] ^= 0x40;
	expect_silence(m);
	m = error_about(s, 3, 0, 0, &relay);
	rte_pktmbuf_mtod(m, uint8_t *)[48 + 40 + 8] ^= 1; // another counter
	expect_silence(m);
	m = error_about(s, 3, 0, 0, &relay);
	rte_pktmbuf_mtod(m, uint8_t *)[48 + 40 + 4] ^= 1; // another session
	expect_silence(m);
	m = error_about(s, 3, 0, 0, &relay);
	rte_pktmbuf_mtod(m, uint8_t *)[48 + 24 + 15] ^= 1; // another node of its /64
	expect_silence(m);
	m = error_about(s, 9, 0, 0, &relay); // no such error
	expect_silence(m);
	m = error_about(s, 3, 0, 0, &relay);
	rte_pktmbuf_trim(m, (uint16_t)(m->data_len - 48 - 70)); // too little of it
	xy_be16_store(rte_pktmbuf_mtod(m, uint8_t *) + 4, 8 + 70);
	expect_silence(m);
	// Nobody's errors but about what is sealed pass a link; those about others' do.
	expect_drop(NODE_B, udp(&relay, &us, 1, 2, 100), XY_DROP_SPOOFED);
	m = error_about(s, 3, 0, 0, &relay);
	memcpy(rte_pktmbuf_mtod(m, uint8_t *) + 24, at_a.b, 16);
	expect_drop(NODE_B, m, XY_DROP_SPOOFED); // its receiver has not sent that
	m = error_about(s, 3, 0, 0, &relay);
	memcpy(rte_pktmbuf_mtod(m, uint8_t *) + 24, at_a.b, 16);
	memcpy(rte_pktmbuf_mtod(m, uint8_t *) + 48 + 8, at_a.b, 16);
	seal(NODE_B, m);
	feed(m);
	CU_ASSERT_EQUAL_FATAL(run(), 1);
	CU_ASSERT(open_sent(NODE_A, out[0]) > 0);
	settle();
	rte_pktmbuf_free(s);
	end();
}

// No tag is quoted, so a relay can have whatever it likes come out of the cipher, but not choose to
// whom that goes: here the address of another leaf, and the same with all the rest as it was.
static void test_oracle(void)
{
	static const struct xy_addr relay = {.b = {2, 0x77, [15] = 3}};
	struct xy_addr other = leaf;
	struct rte_mbuf *m;
	other.b[15] = 6;
	const struct xy_prefix sister = {.addr = other, .len = 128};
	begin();
	CU_ASSERT_EQUAL(xy_dp_source_set(dp, &sister, LEAF), 0);
	route(&other, 128, XY_DP_ROUTE_PEER, LEAF);
	xy_dp_route_commit(dp);
	struct rte_mbuf *s = sealed_one(600);
	m = error_about(s, 3, 0, 0, &relay);
	uint8_t *inner = rte_pktmbuf_mtod(m, uint8_t *) + 48 + XY_IPV6_LEN + XY_WG_DATA_HEADER_LEN;
	for (unsigned i = 0; i < 16; i++) // its source, by what is known of both
		inner[8 + i] ^= leaf.b[i] ^ other.b[i];
	expect_silence(m);
	m = error_about(s, 3, 0, 0, &relay);
	seal(NODE_B, m);
	feed(m);
	CU_ASSERT_EQUAL_FATAL(run(), 1);
	CU_ASSERT(open_sent(LEAF, out[0]) > 48 + 40);
	const uint8_t *p = rte_pktmbuf_mtod(out[0], const uint8_t *) + 48;
	CU_ASSERT_EQUAL(p[XY_IPV6_LEN + 7], XY_IPV6_LEN + 7);
	for (unsigned i = XY_IPV6_LEN + 8; i < 600; i++) // no more than names the packet
		CU_ASSERT_EQUAL_FATAL(p[i], 0);
	rte_pktmbuf_free(s);
	settle();
	CU_ASSERT_EQUAL(xy_dp_source_del(dp, &sister), 0);
	unroute(&other, 128);
	end();
}

// Sealed packets, and errors about such, are for nodes: not for leaves or networks, nor from them.
static void test_for_nodes_alone(void)
{
	static const struct xy_addr net = {.b = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}};
	static const struct xy_addr relay = {.b = {2, 0x77, [15] = 3}};
	struct rte_mbuf *m, *s;
	begin();
	m = packet(&at_a, &leaf, 64, 100);
	rte_pktmbuf_mtod(m, uint8_t *)[6] = XY_PROTO_E2E;
	expect_drop(NODE_A, m, XY_DROP_NOT_SEALED);
	route(&net, 64, XY_DP_ROUTE_PEER, NODE_B);
	xy_dp_route_commit(dp);
	m = packet(&at_a, &net, 64, 100);
	rte_pktmbuf_mtod(m, uint8_t *)[6] = XY_PROTO_E2E;
	expect_drop(NODE_A, m, XY_DROP_NOT_SEALED);
	unroute(&net, 64);
	for (unsigned i = 0; i < 2; i++) { // to a neighbour, and beyond
		m = packet(&leaf, i ? &in_k : &at_a, 64, 100);
		rte_pktmbuf_mtod(m, uint8_t *)[6] = XY_PROTO_E2E;
		expect_drop(LEAF, m, XY_DROP_NOT_SEALED);
	}
	s = packet(&at_a, &leaf, 64, 100);
	rte_pktmbuf_mtod(s, uint8_t *)[6] = XY_PROTO_E2E;
	m = error_about(s, 3, 0, 0, &relay); // as if a relay said it
	memcpy(rte_pktmbuf_mtod(m, uint8_t *) + 8, leaf.b, 16);
	memcpy(rte_pktmbuf_mtod(m, uint8_t *) + 24, at_a.b, 16);
	expect_drop(LEAF, m, XY_DROP_NOT_SEALED);
	rte_pktmbuf_free(s);
	end();
}

// A leaf tells what became of packets that were for it, and of nobody else's.
static void test_leafs_errors(void)
{
	struct rte_mbuf *m, *about;
	begin();
	for (unsigned i = 0; i < 2; i++) {
		about = udp(&at_a, i ? &leaf : &at_b, 1, 2, 100);
		m = error_about(about, 1, 4, 0, &leaf);
		memcpy(rte_pktmbuf_mtod(m, uint8_t *) + 24, at_a.b, 16);
		rte_pktmbuf_free(about);
		if (!i) {
			expect_drop(LEAF, m, XY_DROP_SPOOFED);
			continue;
		}
		seal(LEAF, m);
		feed(m);
		CU_ASSERT_EQUAL_FATAL(run(), 1);
		CU_ASSERT(open_sent(NODE_A, out[0]) > 0);
	}
	end();
}

// What a stub does not know the way to it asks for its own, and not for another node.
static void test_stub(void)
{
	static const struct xy_addr mesh = {.b = {2}};
	begin();
	route(&mesh, 7, XY_DP_ROUTE_ASK, 0);
	xy_dp_route_commit(dp);
	expect_drop(NODE_A, udp(&at_a, &nowhere, 1, 2, 100), XY_DROP_NOT_SEALED);
	k_expect_drop(udp(&in_k, &nowhere, 1, 2, 100), XY_DROP_NOT_SEALED);
	CU_ASSERT_EQUAL(seen[XY_DP_ASK], 0);
	// For one /64 a way is asked for, and for another packet a session with who has it: apart.
	const struct xy_prefix theirs = {.addr = xy_addr_from_v4(UINT32_C(0x0a010000)), .len = 112};
	const struct xy_prefix lan = {.addr = xy_addr_from_v4(UINT32_C(0x0a020000)), .len = 112};
	struct xy_dp_route r = {.kind = XY_DP_ROUTE_FAR, .peer = K};
	CU_ASSERT_EQUAL(xy_dp_route_set(dp, &theirs, &r), 0);
	CU_ASSERT_EQUAL(xy_dp_source_set(dp, &lan, LEAF), 0);
	unroute(&at_k, 64);
	k_session(0, false);
	for (unsigned i = 0; i < 3; i++) {
		feed4(1, 0, 100);
		leaf_feed(&in_k, 64, 100);
	}
	CU_ASSERT_EQUAL(run(), 0);
	events();
	CU_ASSERT(seen[XY_DP_ASK] == 1 && seen[XY_DP_MEET] == 1);
	CU_ASSERT_EQUAL(dp->worker[0]->stats.held, 6);
	at += 10 * XY_SEC;
	run();
	CU_ASSERT_EQUAL(dp->worker[0]->stats.held, 0);
	CU_ASSERT_EQUAL(xy_dp_route_del(dp, &theirs), 0);
	CU_ASSERT_EQUAL(xy_dp_source_del(dp, &lan), 0);
	unroute(&mesh, 7);
	route(&at_k, 64, XY_DP_ROUTE_PEER, NODE_B);
	xy_dp_route_commit(dp);
	end();
}

// A relay's own: about what it carries, in the clear, to who sealed it.
static void test_relays_errors(void)
{
	begin();
	struct rte_mbuf *m = packet(&at_a, &at_b, 1, 200);
	seal(NODE_A, m);
	feed(m);
	CU_ASSERT_EQUAL_FATAL(run(), 1);
	CU_ASSERT(open_sent(NODE_A, out[0]) > 0);
	CU_ASSERT(xy_e2e_is_about_sealed(rte_pktmbuf_mtod(out[0], uint8_t *), out[0]->data_len));
	free_out();
	// Of one that comes from further away, the error goes there.
	m = packet(&in_k, &at_b, 1, 200);
	seal(NODE_A, m);
	feed(m);
	CU_ASSERT_EQUAL_FATAL(run(), 1);
	CU_ASSERT(open_sent(NODE_B, out[0]) > 0);
	CU_ASSERT_EQUAL(rte_pktmbuf_mtod(out[0], uint8_t *)[6], XY_PROTO_ICMPV6);
	end();
}

// What somebody on the Internet sends by our exit is told of what is narrow beyond, too.
static void test_exits_errors(void)
{
	static const struct xy_addr relay = {.b = {2, 0x77, [15] = 3}};
	static const struct xy_addr net = {.b = {0x20, 0x01, 0x0d, 0xb8, 9, [15] = 1}};
	const struct xy_prefix from = {.addr = net, .len = 128};
	const struct xy_addr all = {0};
	begin();
	at += XY_SEC;
	route(&all, 0, XY_DP_ROUTE_EXIT, 0);
	CU_ASSERT_EQUAL(xy_dp_source_set(dp, &from, LEAF), 0); // it stands for the host here
	xy_dp_route_commit(dp);
	feed_from(LEAF, &net, &in_k, 1300, 1);
	CU_ASSERT_EQUAL_FATAL(run(), 1);
	CU_ASSERT(open_sent(NODE_B, out[0]) > 0);
	struct rte_mbuf *m = error_about(out[0], 2, 0, 1400, &relay);
	settle();
	seal(NODE_B, m);
	feed(m);
	run();
	events();
	CU_ASSERT_EQUAL(seen[XY_DP_FAR_MTU], 1);
	settle();
	xy_dp_source_del(dp, &from);
	unroute(&all, 0);
	end();
}

// Our own first link is the narrow one: the same way, without a relay.
static void test_narrow_link(void)
{
	struct xy_dp_peer p = {
		.node = at_b, .remote = endpoint(NODE_B), .mtu = KIND_PATH + OVERHEAD_V4};
	begin();
	CU_ASSERT_EQUAL(xy_dp_peer_set(dp, NODE_B, &p), 0);
	leaf_feed(&in_k, 64, 1300);
	CU_ASSERT_EQUAL_FATAL(run(), 1);
	CU_ASSERT(open_sent(LEAF, out[0]) > 0);
	const uint8_t *icmp = rte_pktmbuf_mtod(out[0], const uint8_t *);
	CU_ASSERT(icmp[40] == 2 && xy_be32_load(icmp + 44) == XY_IPV6_MIN_MTU);
	CU_ASSERT_EQUAL(memcmp(icmp + 8, us.b, 16), 0);
	events();
	CU_ASSERT_EQUAL(seen[XY_DP_FAR_MTU], 1);
	settle();
	k_set(last.mtu);
	leaf_feed(&in_k, 64, 1281); // known now: refused before it is sealed
	CU_ASSERT_EQUAL_FATAL(run(), 1);
	CU_ASSERT(open_sent(LEAF, out[0]) > 0);
	settle();
	leaf_feed(&in_k, 64, 1280);
	CU_ASSERT_EQUAL_FATAL(run(), 1);
	CU_ASSERT_EQUAL(out[0]->data_len, KIND_PATH + XY_WG_DATA_OVERHEAD);
	CU_ASSERT_EQUAL(k_open(NODE_B, out[0]), 1280);
	settle();
	peer_kind(NODE_B, false);
	end();
}

// --- prefixes outside the mesh

// IPv4 to a far gateway: waits as others do, and is cut to what the path carries.
static void test_mapping(void)
{
	const struct xy_prefix theirs = {.addr = xy_addr_from_v4(UINT32_C(0x0a010000)), .len = 112};
	const struct xy_prefix lan = {.addr = xy_addr_from_v4(UINT32_C(0x0a020000)), .len = 112};
	const struct xy_prefix own = {.addr = {.b = {2, 0xf0}}, .len = 64};
	struct xy_dp_route r = {.kind = XY_DP_ROUTE_FAR, .peer = K};
	static const struct xy_addr relay = {.b = {2, 0x77, [15] = 3}};
	begin();
	CU_ASSERT_EQUAL(xy_dp_route_set(dp, &own, &r), -EINVAL); // the mesh's are who has them
	r.peer = NODE_B;
	CU_ASSERT_EQUAL(xy_dp_route_set(dp, &theirs, &r), -EINVAL);
	r.peer = K;
	CU_ASSERT_EQUAL(xy_dp_route_set(dp, &theirs, &r), 0);
	CU_ASSERT_EQUAL(xy_dp_source_set(dp, &lan, LEAF), 0);
	r = (struct xy_dp_route){.kind = XY_DP_ROUTE_PEER, .peer = LEAF};
	CU_ASSERT_EQUAL(xy_dp_route_set(dp, &lan, &r), 0);
	xy_dp_route_commit(dp);
	k_session(0, false);
	feed4(1, 0, 100);
	CU_ASSERT_EQUAL(run(), 0);
	events();
	CU_ASSERT_EQUAL(seen[XY_DP_MEET], 1);
	CU_ASSERT(memcmp(last.addr.b, at_k.b, 8) == 0);
	CU_ASSERT_EQUAL(xy_dp_session_use(dp, k.index), 0);
	CU_ASSERT_EQUAL_FATAL(run(), 1);
	struct rte_mbuf *s = out[0];
	ring.out_count = 0;
	CU_ASSERT(open_sent(NODE_B, s) > 0);
	// An error about it says nothing of the relay's address, which IPv4 cannot bear.
	struct rte_mbuf *m = error_about(s, 3, 0, 0, &relay);
	seal(NODE_B, m);
	feed(m);
	CU_ASSERT_EQUAL_FATAL(run(), 1);
	CU_ASSERT(open_sent(LEAF, out[0]) > 0);
	const uint8_t *p = rte_pktmbuf_mtod(out[0], const uint8_t *);
	CU_ASSERT(xy_be32_load(p + 12) == 0xc0000008 && xy_be32_load(p + 16) == 0x0a020001);
	CU_ASSERT_EQUAL(p[20], 11);
	CU_ASSERT_EQUAL(xy_be32_load(p + 28 + 16), 0x0a010006);
	rte_pktmbuf_free(s);
	settle();
	k_set(KIND_PATH);
	feed4(2, 0, 1400);
	feed4(3, 0, 100);
	CU_ASSERT_EQUAL_FATAL(run(), 3);
	for (unsigned i = 0; i < 3; i++) {
		CU_ASSERT(k_open(NODE_B, out[i]) > 0);
		p = rte_pktmbuf_mtod(out[i], const uint8_t *);
		CU_ASSERT_EQUAL(xy_be16_load(p + 4), i < 2 ? 2 : 3); // in order
		CU_ASSERT_EQUAL(p[8], 63);
	}
	settle();
	feed4(4, 0x4000, 1400); // DF
	CU_ASSERT_EQUAL_FATAL(run(), 1);
	CU_ASSERT(open_sent(LEAF, out[0]) > 0);
	p = rte_pktmbuf_mtod(out[0], const uint8_t *);
	CU_ASSERT(p[20] == 3 && p[21] == 4 && xy_be16_load(p + 26) == XY_IPV6_MIN_MTU);
	settle();
	// A node may not send through us to it.
	CU_ASSERT_EQUAL(xy_dp_accepts_set(dp, NODE_A, &lan, 1), 0);
	expect_drop(NODE_A, packet4(5, 0, 100), XY_DROP_NOT_SEALED);
	CU_ASSERT_EQUAL(xy_dp_accepts_set(dp, NODE_A, NULL, 0), 0);
	CU_ASSERT_EQUAL(xy_dp_route_del(dp, &theirs), 0);
	CU_ASSERT_EQUAL(xy_dp_route_del(dp, &lan), 0);
	CU_ASSERT_EQUAL(xy_dp_source_del(dp, &lan), 0);
	xy_dp_route_commit(dp);
	end();
}

// A SYN of 64 bytes that asks for segments of 1440.
static struct rte_mbuf *syn(const struct xy_addr *src, const struct xy_addr *dst)
{
	struct rte_mbuf *m = udp(src, dst, 1, 2, 64);
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);
	p[6] = XY_PROTO_TCP;
	p[52] = 6 << 4;
	p[53] = 2;
	xy_be32_store(p + 60, 0x020405a0);
	xy_be16_store(p + 56, 0);
	uint32_t sum = xy_csum_pseudo(src, dst, XY_PROTO_TCP, 24);
	xy_le16_store(p + 56, xy_csum_fold(xy_csum_add(sum, p + 40, 24)));
	return m;
}

static void expect_syn(struct rte_mbuf *m, uint16_t size)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	struct xy_addr src = xy_inner_src(p, 6), dst = xy_inner_dst(p, 6);
	CU_ASSERT_EQUAL(xy_be16_load(p + 62), size);
	CU_ASSERT_EQUAL(
		xy_csum_fold(xy_csum_add(xy_csum_pseudo(&src, &dst, XY_PROTO_TCP, 24), p + 40, 24)),
		0);
}

// TCP asks for segments that the path carries, whichever side begins, sealed or to a neighbour.
static void test_segments(void)
{
	struct rte_mbuf *m;
	begin();
	k_set(KIND_PATH);
	seal(LEAF, (m = syn(&leaf, &in_k)));
	feed(m);
	CU_ASSERT_EQUAL_FATAL(run(), 1);
	CU_ASSERT_EQUAL(k_open(NODE_B, out[0]), 64);
	expect_syn(out[0], XY_IPV6_MIN_MTU - 60);
	settle();
	k_feed(NODE_B, syn(&in_k, &leaf));
	CU_ASSERT_EQUAL_FATAL(run(), 1);
	CU_ASSERT_EQUAL(open_sent(LEAF, out[0]), 64);
	expect_syn(out[0], XY_IPV6_MIN_MTU - 60);
	settle();
	seal(LEAF, (m = syn(&leaf, &at_b)));
	feed(m);
	seal(NODE_B, (m = syn(&at_b, &leaf)));
	feed(m);
	CU_ASSERT_EQUAL_FATAL(run(), 2);
	for (unsigned i = 0; i < 2; i++) {
		struct xy_endpoint e = endpoint(LEAF);
		bool to_leaf = xy_endpoint_eq(&xy_packet(out[i])->remote, &e);
		CU_ASSERT_EQUAL(open_sent(to_leaf ? LEAF : NODE_B, out[i]), 64);
		expect_syn(out[i], LINK_MAX - 60);
	}
	end();
}

// Numbers and addresses.
static void test_numbers(void)
{
	struct xy_dp_far far = {.addr = at_k};
	uint32_t index;
	CU_ASSERT_EQUAL(xy_dp_far_set(dp, 15, &far), -ENOSPC);
	CU_ASSERT_EQUAL(xy_dp_far_set(dp, 32, &far), -ENOSPC);
	CU_ASSERT_EQUAL(xy_dp_session_reserve(dp, 31, &index), -ENOENT);
	CU_ASSERT_EQUAL(xy_dp_far_set(dp, 31, &far), 0);
	CU_ASSERT_EQUAL(xy_dp_far_set(dp, 30, &far), -EEXIST);
	far.addr = in_k;
	CU_ASSERT_EQUAL(xy_dp_far_set(dp, 30, &far), -EEXIST); // the same /64
	CU_ASSERT_EQUAL(xy_dp_session_reserve(dp, 31, &index), 0);
	xy_dp_far_del(dp, 31);
	xy_dp_far_del(dp, 31);
	CU_ASSERT_EQUAL(xy_dp_far_set(dp, 31, &far), -EBUSY); // workers may still mean the other
	grace();
	CU_ASSERT_EQUAL(xy_dp_far_set(dp, 31, &far), 0);
	xy_dp_far_del(dp, 31);
	CU_ASSERT_EQUAL(xy_dp_far_set(dp, 30, &far), 0);
	xy_dp_far_del(dp, 30);
	grace();
}

// Brought by a link, from this address, in a session that nobody has.
static void feed_lost(uint32_t by, const struct xy_addr *src, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct rte_mbuf *m = packet(&at_k, &us, 64, 100);
		k_seal(m, 60, 0);
		uint8_t *h = rte_pktmbuf_mtod(m, uint8_t *);
		memcpy(h + 8, src->b, sizeof(src->b));
		xy_le32_store(h + XY_IPV6_LEN + offsetof(struct xy_wg_data, receiver), 0xbad);
		seal(by, m);
		feed(m);
	}
	CU_ASSERT_EQUAL(run(), 0);
}

// Who may have known us before a restart is told of: once a second, and by the link that brings it.
static void test_lost(void)
{
	const struct xy_addr outside = {.b = {0x20, 1, [15] = 7}};
	struct xy_addr other = {.b = {2, 0xf1, [15] = 7}};
	begin();
	uint64_t unknown = drops(XY_DROP_UNKNOWN_INDEX);
	feed_lost(NODE_B, &at_k, 5);
	CU_ASSERT_EQUAL(drops(XY_DROP_UNKNOWN_INDEX), unknown + 5);
	events();
	CU_ASSERT(seen[XY_DP_LOST] == 1 && last.source == NODE_B);
	struct xy_addr net = at_k;
	memset(net.b + 8, 0, 8);
	CU_ASSERT(xy_addr_eq(&last.addr, &net));
	feed_lost(NODE_A, &at_k, 1);
	events();
	CU_ASSERT_EQUAL(seen[XY_DP_LOST], 0);
	feed_lost(NODE_A, &other, 1);
	events();
	CU_ASSERT(seen[XY_DP_LOST] == 1 && last.source == NODE_A);
	at += 2 * XY_SEC;
	feed_lost(NODE_A, &at_k, 1);
	events();
	CU_ASSERT_EQUAL(seen[XY_DP_LOST], 1);
	feed_lost(NODE_B, &outside, 1); // an address that is no node's
	events();
	CU_ASSERT_EQUAL(seen[XY_DP_LOST], 0);
	at += 10 * XY_SEC; // a flood by one link, in many names
	for (unsigned i = 0; i < 1000; i++) {
		other.b[3] = (uint8_t)i;
		other.b[4] = (uint8_t)(i >> 8);
		feed_lost(NODE_B, &other, 1);
	}
	events();
	CU_ASSERT(seen[XY_DP_LOST] >= 10 && seen[XY_DP_LOST] <= 110);
	other.b[5] = 1;
	feed_lost(NODE_A, &other, 1);
	events();
	CU_ASSERT_EQUAL(seen[XY_DP_LOST], 1); // the others' is left
	settle();
}

XY_UNIT_MAIN("graph_e2e", {"create", test_create, .always = true}, {"sealed", test_sealed},
	     {"what shows outside", test_outside}, {"no session yet", test_meet},
	     {"opened", test_opened}, {"refused", test_refused},
	     {"another's errors", test_others_errors}, {"accepted sources", test_accepts},
	     {"who may go out", test_exit}, {"what is taken", test_taken},
	     {"sessions", test_session}, {"sessions of before", test_lost},
	     {"handshakes", test_handshakes}, {"errors", test_errors},
	     {"errors for who comes by our exit", test_exits_errors}, {"no oracle", test_oracle},
	     {"for nodes alone", test_for_nodes_alone}, {"a leaf's errors", test_leafs_errors},
	     {"a relay's errors", test_relays_errors}, {"a narrow first link", test_narrow_link},
	     {"outside the mesh", test_mapping}, {"segments of TCP", test_segments},
	     {"a stub's", test_stub}, {"numbers", test_numbers},
	     {"destroy", test_destroy, .always = true})
