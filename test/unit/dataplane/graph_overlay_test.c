// SPDX-License-Identifier: BSD-3-Clause
// Packets of the control plane inside the mesh: Babel's, the service's, and ours.
#include "graph_rig.h"

#include "event.h"

static const struct xy_addr babel_group = {.b = {0xff, 2, [13] = 1, [15] = 6}};

static void peer_set_open(uint32_t who, bool routing, bool open)
{
	struct xy_dp_peer p = {.leaf = who == LEAF,
			       .node = node_of(who),
			       .routing = routing,
			       .open = open,
			       .remote = endpoint(who),
			       .mtu = LINK_MAX + OVERHEAD_V4};
	CU_ASSERT_EQUAL_FATAL(xy_dp_peer_set(dp, who, &p), 0);
}

static void peer_set(uint32_t who, bool routing)
{
	peer_set_open(who, routing, false);
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
	// Somebody else's.
	expect_drop(NODE_A, udp(&at_a, &at_b, 12345, SERVICE, 100), XY_DROP_NOT_SEALED);
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
	CU_ASSERT_EQUAL(dp->end[NODE_A].link.overlay_waiting, 0);
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
	CU_ASSERT_EQUAL(dp->end[NODE_A].link.overlay_waiting, 0);
	peer_set(NODE_A, false);
	settle();
}

XY_UNIT_MAIN("graph_overlay", {"create", test_create, .always = true},
	     {"Babel packets", test_babel_packets}, {"service port", test_service},
	     {"packets of ours to a peer", test_overlay_send}, {"carried for others", test_carried},
	     {"packets of ours, routed", test_overlay_routed},
	     {"shares of the ring to the control plane", test_overlay_shares},
	     {"strangers leave room", test_overlay_strangers},
	     {"packets of a session that is gone", test_overlay_stale},
	     {"destroy", test_destroy, .always = true})
