// SPDX-License-Identifier: BSD-3-Clause
// Packets larger than the link of their next hop: cut, cut by IP on the way, probes of the path.
#include "graph_rig.h"

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
	struct xy_dp_peer p = {.leaf = true, .remote = endpoint(who), .mtu = most + OVERHEAD_V4};
	CU_ASSERT_EQUAL_FATAL(xy_dp_peer_set(dp, who, &p), 0);
}

static void fragments_begin(void)
{
	struct xy_addr a = net4(0);
	route(&a, 120, XY_DP_ROUTE_PEER, NODE_B);
	a = xy_addr_from_v4(UINT32_C(0x0a020000));
	route(&a, 120, XY_DP_ROUTE_PEER, NODE_A);
	CU_ASSERT_EQUAL(
		xy_dp_accepts_set(dp, NODE_A, &(struct xy_prefix){.addr = a, .len = 120}, 1), 0);
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

// A link that carries more than its path does whole: what is larger may be cut on the way, nothing
// else may; padding takes no packet from one to the other.
static void test_pieces(void)
{
	enum { WHOLE = 605, ROOM = 1283 };
	struct xy_dp_peer p = {
		.node = at_b, .remote = endpoint(NODE_B), .mtu = WHOLE + OVERHEAD_V4, .room = ROOM};
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
	p = (struct xy_dp_peer){
		.node = at_b, .remote = endpoint(NODE_B), .mtu = 1500, .room = ROOM};
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

// A probe goes as it is, whatever the link is said to carry, and whole unless it may be cut.
static void test_path_probes(void)
{
	enum { WHOLE = 605, ROOM = 1283 };
	struct xy_dp_peer p = {
		.remote = endpoint(NODE_B), .mtu = WHOLE + OVERHEAD_V4, .room = ROOM};
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
	peer_kind(NODE_C, true);
	peer_kind(NODE_D, true);
	route_over(&a, 120, 2, (uint32_t[]){NODE_C, NODE_D});
	for (uint16_t i = 0; i < 30; i++) {
		uint32_t who = taken_by(NODE_A, packet4(i, i % 2 ? 0x2000 | i : 0x2000, 100));
		CU_ASSERT(!i || who == of_flow);
		of_flow = who;
	}
	fragments_end();
}

XY_UNIT_MAIN("graph_fragment", {"create", test_create, .always = true},
	     {"larger than goes whole", test_pieces}, {"probes of the path", test_path_probes},
	     {"fragments, spread", test_fragments_spread}, {"fragments", test_fragments},
	     {"fragments, many", test_fragments_many},
	     {"fragments refused", test_fragments_refused}, {"fragments held", test_fragments_held},
	     {"fragments, no buffers", test_fragments_no_buffers},
	     {"destroy", test_destroy, .always = true})
