// SPDX-License-Identifier: BSD-3-Clause
// Routes that must be asked for: what waits for them, and what is in use.
#include "graph_rig.h"

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
	peer_kind(NODE_B, true);
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
	unroute(&mesh, 7);
}

static void test_ask_given_up(void)
{
	uint64_t late = drops(XY_DROP_NO_ANSWER);
	route(&mesh, 7, XY_DP_ROUTE_ASK, 0);
	xy_dp_route_commit(dp);
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
	sessions_new();
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

XY_UNIT_MAIN("graph_ask", {"create", test_create, .always = true}, {"a route to ask for", test_ask},
	     {"asked, given up", test_ask_given_up}, {"asked, a scan", test_ask_scan},
	     {"routes in use", test_used}, {"destroy", test_destroy, .always = true})
