// SPDX-License-Identifier: BSD-3-Clause
// What goes through: a peer's packets to another peer, what is refused of them, ICMP errors.
#include "graph_rig.h"

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
	session_new(NODE_B, 0, true);
	events();
	for (int i = 0; i < 3; i++) {
		struct rte_mbuf *m = packet(&at_a, &at_b, 64, 96); // needs no padding
		seal(NODE_A, m);
		feed(m);
	}
	CU_ASSERT_EQUAL(run(), 3);
	events();
	CU_ASSERT_EQUAL(seen[XY_DP_FIRST], 1);
	CU_ASSERT_EQUAL(last.index, peer[NODE_A].index);
	CU_ASSERT_EQUAL(xy_dp_session_stats(dp, peer[NODE_A].index, &ss), 0);
	CU_ASSERT(ss.rx_packets == 3 && ss.rx_bytes == 3 * 96);
	CU_ASSERT(ss.rx_any == NOW + 1 && ss.rx_data == NOW + 1);
	CU_ASSERT(!ss.tx_packets && !ss.tx_bytes && !ss.tx_any && !ss.tx_data && !ss.tx_counter);
	CU_ASSERT_EQUAL(xy_dp_session_stats(dp, peer[NODE_B].index, &ss), 0);
	CU_ASSERT(ss.tx_packets == 3 && ss.tx_bytes == 3 * 96 && ss.tx_counter == 3);
	CU_ASSERT(ss.tx_any == NOW + 1 && ss.tx_data == NOW + 1);
	CU_ASSERT(!ss.rx_packets && !ss.rx_bytes && !ss.rx_any && !ss.rx_data);
	CU_ASSERT_EQUAL(xy_dp_peer_stats(dp, NODE_A, &s), 0);
	uint64_t before = s.rx_packets, bytes = s.rx_bytes;
	xy_dp_session_del(dp, peer[NODE_A].index);
	peer[NODE_A].index = 0;
	CU_ASSERT_EQUAL(xy_dp_peer_stats(dp, NODE_A, &s),
			0); // also before its grace period is over
	CU_ASSERT(s.rx_packets == before && s.rx_bytes == bytes);
	session_new(NODE_A, 0, true); // the peer's sum outlives the session
	CU_ASSERT_EQUAL(xy_dp_peer_stats(dp, NODE_A, &s), 0);
	CU_ASSERT(s.rx_packets == before && s.rx_bytes == bytes && bytes >= 3 * 96);
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
	CU_ASSERT_EQUAL(drops_by(LEAF, packet(&leaf, &net, 64, 100), XY_DROP_NO_ROUTE), 0);
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
		xy_session_ends_at(&dp->session[xy_session_slot(dp, peer[NODE_A].index)],
				   at + XY_SEC);
		feed_from(NODE_A, &at_a, &at_b, LINK_MAX + 1, 100);
		feed_from(NODE_A, &beside, &at_b, LINK_MAX + 1, 1);
		run();
		told += errors_for(NODE_A, &beside, 2);
		settle();
	}
	CU_ASSERT(told > 20); // 5 of 6, by chance
}

// What relays carry most goes a shorter way through the checks: with one thing off, it does not.
static void test_sealed_off(void)
{
	static const struct xy_addr beside = {.b = {2, 0xa, [15] = 2}};
	static const struct {
		uint32_t from;
		const struct xy_addr *src, *dst;
		unsigned at; // this byte of the packet
		uint8_t is, ecn;
		uint16_t len;
		enum xy_drop drop;
	} t[] = {
		{NODE_A, &us, &at_b, 6, XY_PROTO_E2E, 0, 100, XY_DROP_SPOOFED},
		{NODE_A, &at_a, &at_b, 5, 61, 0, 96, XY_DROP_BAD_INNER}, // 101 bytes of 96
		{NODE_A, &at_a, &at_b, 0, 0x50, 0, 100, XY_DROP_BAD_INNER},
		{NODE_A, &at_a, &at_b, 6, XY_PROTO_E2E, 0, 39, XY_DROP_BAD_INNER},
		{NODE_A, &at_a, &at_b, 6, XY_PROTO_E2E, XY_ECN_CE, 100, XY_DROP_BAD_ECN},
		{NODE_A, &at_a, &at_b, 24, 0xff, 0, 100, XY_DROP_NOT_FORWARDED},
		{NODE_A, &at_a, &at_b, 8, 0xff, 0, 100, XY_DROP_SPOOFED},
		{NODE_A, &at_a, &at_b, 6, XY_PROTO_UDP, 0, 100, XY_DROP_NOT_SEALED},
		{NODE_A, &beside, &at_a, 6, XY_PROTO_E2E, 0, 100, XY_DROP_SAME_PEER},
		{LEAF, &at_a, &at_b, 6, XY_PROTO_E2E, 0, 100, XY_DROP_SOURCE_NOT_ALLOWED},
	};
	session_new(NODE_A, 0, true);
	session_new(NODE_B, 0, true);
	session_new(LEAF, 0, true);
	for (size_t i = 0; i < RTE_DIM(t); i++) {
		uint64_t before = drops(t[i].drop);
		struct rte_mbuf *m = packet(t[i].src, t[i].dst, 64, 100);
		rte_pktmbuf_mtod(m, uint8_t *)[t[i].at] = t[i].is;
		m->data_len = t[i].len;
		m->pkt_len = t[i].len;
		seal(t[i].from, m);
		xy_packet(m)->ecn = t[i].ecn & XY_ECN_MASK;
		feed_from(NODE_A, &at_a, &at_b, 100, 1); // and those around it pass
		feed(m);
		feed_from(NODE_A, &at_a, &at_b, 100, 1);
		CU_ASSERT_EQUAL(run(), 2);
		CU_ASSERT_EQUAL(drops(t[i].drop), before + 1);
		settle();
	}
}

static struct xy_dp_node_stats node_stats(const char *name)
{
	struct xy_dp_node_stats s[128], none = {0};
	unsigned n = xy_dp_graph_stats(dp, 0, s, RTE_DIM(s));
	CU_ASSERT_FATAL(n <= RTE_DIM(s));
	for (unsigned i = 0; i < n; i++)
		if (strcmp(s[i].name, name) == 0)
			return s[i];
	CU_FAIL("no such node");
	return none;
}

// What nodes did is counted in each turn; what they took is, too, where turns are short and not
// each is timed, and where they are long.
static void test_node_stats(void)
{
	enum { SHORT = 40, LONG = 32 };
	session_new(NODE_A, 0, true);
	session_new(NODE_B, 0, true);
	struct xy_dp_node_stats before = node_stats("route"), after;
	for (unsigned i = 0; i < SHORT; i++) {
		feed_from(NODE_A, &at_a, &at_b, 100, 1);
		CU_ASSERT_EQUAL(run(), 1);
		free_out();
	}
	after = node_stats("route");
	CU_ASSERT_EQUAL(after.calls - before.calls, SHORT);
	CU_ASSERT_EQUAL(after.packets - before.packets, SHORT);

	// A run is eight turns: of two, one is timed.
	before = node_stats("port_rx");
	for (unsigned i = 0; i < 2; i++)
		run();
	after = node_stats("port_rx");
	CU_ASSERT_EQUAL(after.calls - before.calls, 16);
	CU_ASSERT_EQUAL(after.packets, before.packets);
	CU_ASSERT(after.cycles > before.cycles);

	for (unsigned turn = 0; turn < 2; turn++) { // and the second of two long ones is timed
		before = node_stats("route");
		feed_from(NODE_A, &at_a, &at_b, 100, LONG);
		ring = (struct xy_port_ring){
			.in = in, .in_count = fed, .out = out, .out_max = OUT_MAX};
		fed = 0;
		walk_one(0);
		free_out();
		after = node_stats("route");
	}
	CU_ASSERT_EQUAL(after.packets - before.packets, LONG);
	CU_ASSERT(after.cycles > before.cycles);
	settle();
}

// --- a light suite: of what is sealed end to end, the head alone

#define LIGHT XY_WG_CHACHA20_POLY1305_LIGHT

static struct rte_mbuf *sealed_data(uint16_t len)
{
	struct rte_mbuf *m = packet(&at_a, &at_b, 64, len);
	rte_pktmbuf_mtod(m, uint8_t *)[XY_IPV6_LEN] = XY_WG_DATA;
	return m;
}

// Does what came out have its head alone sealed?
static bool sent_light(const struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod(m, const struct xy_wg_data *)->counter & XY_WG_LIGHT_MARK;
}

// Between any two kinds of links, at each length; what is behind the head comes out as it came in.
static void test_light(void)
{
	for (unsigned kind = 0; kind < 4; kind++) {
		bool from_light = kind & 1, out_light = kind & 2;
		uint64_t bad = drops(XY_DROP_BAD_TAG);
		for (uint16_t len = XY_IPV6_LEN + XY_WG_DATA_OVERHEAD; len <= LINK_MAX; len++) {
			if (len % 128 == XY_IPV6_LEN + XY_WG_DATA_OVERHEAD) {
				session_new_in(NODE_A, from_light ? LIGHT : XY_WG_CHACHA20_POLY1305,
					       0, true);
				session_new_in(NODE_B, out_light ? LIGHT : XY_WG_CHACHA20_POLY1305,
					       0, true);
			}
			struct rte_mbuf *m = sealed_data(len);
			seal_as(NODE_A, m, from_light);
			feed(m);
			CU_ASSERT_EQUAL_FATAL(run(), 1);
			CU_ASSERT_EQUAL(sent_light(out[0]), out_light);
			const uint8_t *p = rte_pktmbuf_mtod(out[0], uint8_t *);
			bool clear = memcmp(p + XY_WG_DATA_HEADER_LEN + XY_WG_LIGHT_LEN,
					    (uint8_t[]){64, 65, 66, 67, 68, 69, 70, 71}, 8) == 0;
			CU_ASSERT_EQUAL(clear, out_light);
			CU_ASSERT(open_sent(NODE_B, out[0]) >= len);
			p = rte_pktmbuf_mtod(out[0], uint8_t *);
			CU_ASSERT_EQUAL(p[7], 63);
			for (unsigned i = XY_IPV6_LEN + 1; i < len; i++)
				CU_ASSERT_EQUAL_FATAL(p[i], (uint8_t)i);
			free_out();
		}
		CU_ASSERT_EQUAL(drops(XY_DROP_BAD_TAG), bad);
	}
	struct xy_dp_session_stats s;
	CU_ASSERT_EQUAL(xy_dp_session_stats(dp, peer[NODE_A].index, &s), 0);
	CU_ASSERT_EQUAL(s.suite, LIGHT);
	CU_ASSERT(s.rx_packets && s.rx_bytes > s.rx_packets * 1000); // whole ones are counted
	settle();
}

// All else goes whole: handshakes inside, errors, what is for us and from us.
static void test_light_others(void)
{
	session_new_in(NODE_A, LIGHT, 0, true);
	session_new_in(NODE_B, LIGHT, 0, true);
	for (uint8_t type = XY_WG_INITIATION; type < XY_WG_DATA; type++) {
		struct rte_mbuf *m = sealed_data(200);
		rte_pktmbuf_mtod(m, uint8_t *)[XY_IPV6_LEN] = type;
		seal(NODE_A, m);
		feed(m);
		CU_ASSERT_EQUAL_FATAL(run(), 1);
		CU_ASSERT(!sent_light(out[0]));
		CU_ASSERT_EQUAL(open_sent(NODE_B, out[0]), 208);
		free_out();
	}
	struct rte_mbuf *m = packet(&at_a, &nowhere, 64, 200); // no route: an error comes back
	rte_pktmbuf_mtod(m, uint8_t *)[6] = XY_PROTO_E2E;
	rte_pktmbuf_mtod(m, uint8_t *)[XY_IPV6_LEN] = XY_WG_DATA;
	seal_as(NODE_A, m, true);
	feed(m);
	CU_ASSERT_EQUAL_FATAL(run(), 1);
	CU_ASSERT(!sent_light(out[0]));
	CU_ASSERT(open_sent(NODE_A, out[0]) > 0);
	free_out();
	settle();
}

// A head that was changed, or a mark: refused. What is behind it: its end finds it out. Nothing but
// sealed data may come so, and not in a session that is not light.
static void test_light_refused(void)
{
	session_new_in(NODE_A, LIGHT, 0, true);
	session_new_in(NODE_B, LIGHT, 0, true);
	const struct row {
		unsigned at; // of the message, changed by a bit
		unsigned passes;
		uint64_t tags;
	} rows[] = {
		{16, 0, 1},	  // head, first
		{79, 0, 1},	  // and last
		{80, 1, 0},	  // behind it
		{14, 0, 1},	  // the mark: 7th byte of the counter
		{16 + 208, 0, 1}, // tag
	};
	for (unsigned i = 0; i < XY_ARRAY_SIZE(rows); i++) {
		uint64_t tags = drops(XY_DROP_BAD_TAG);
		struct rte_mbuf *m = sealed_data(200);
		seal_as(NODE_A, m, true);
		rte_pktmbuf_mtod(m, uint8_t *)[rows[i].at] ^= 0x80;
		feed(m);
		CU_ASSERT_EQUAL(run(), rows[i].passes);
		CU_ASSERT_EQUAL(drops(XY_DROP_BAD_TAG), tags + rows[i].tags);
		free_out();
	}
	uint64_t clear = drops(XY_DROP_NOT_SEALED), tags = drops(XY_DROP_BAD_TAG);
	struct rte_mbuf *m = udp(&at_a, &us, 9, 9, 200);
	seal_as(NODE_A, m, true);
	feed(m);
	m = sealed_data(200);
	rte_pktmbuf_mtod(m, uint8_t *)[XY_IPV6_LEN] = XY_WG_INITIATION;
	seal_as(NODE_A, m, true);
	feed(m);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(drops(XY_DROP_NOT_SEALED), clear + 2);
	session_new(NODE_A, 0, true); // knows no mark
	m = sealed_data(200);
	seal_as(NODE_A, m, true);
	feed(m);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(drops(XY_DROP_BAD_TAG), tags + 1);
	settle();
}

// One window for both: a number comes once, with the mark or without.
static void test_light_replay(void)
{
	session_new_in(NODE_A, LIGHT, 0, true);
	session_new_in(NODE_B, LIGHT, 0, true);
	uint64_t before = drops(XY_DROP_REPLAY);
	for (unsigned i = 0; i < 4; i++) { // marked and not, in both orders
		struct rte_mbuf *m = sealed_data(200);
		seal_as(NODE_A, m, i == 0 || i == 3);
		feed(m);
		if (i % 2 == 0)
			peer[NODE_A].counter--;
	}
	CU_ASSERT_EQUAL(run(), 2);
	CU_ASSERT_EQUAL(drops(XY_DROP_REPLAY), before + 2);
	session_new(NODE_A, 0, true);
	session_new(NODE_B, 0, true);
	settle();
}

XY_UNIT_MAIN("graph_relay", {"create", test_create, .always = true},
	     {"relay, every length", test_relay},
	     {"first packet, statistics", test_first_and_stats}, {"keepalive", test_keepalive},
	     {"refused messages", test_refused_messages}, {"replay", test_replay},
	     {"counts of nodes", test_node_stats}, {"sealed, and one thing off", test_sealed_off},
	     {"inner checks, sources", test_inner_checks},
	     {"a leaf of ::/0", test_leaf_of_everything}, {"a default route", test_default_route},
	     {"full of routes", test_route_limit}, {"ICMP errors", test_icmp},
	     {"no room behind a packet", test_buffer_full}, {"ICMP rate", test_icmp_limit},
	     {"ICMP, each peer its own", test_icmp_apart},
	     {"too big, each source its turn", test_icmp_lanes}, {"light", test_light},
	     {"light, all else", test_light_others}, {"light, refused", test_light_refused},
	     {"light, replay", test_light_replay}, {"destroy", test_destroy, .always = true})
