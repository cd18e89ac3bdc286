// SPDX-License-Identifier: BSD-3-Clause
// Packets of the control plane inside the mesh: Babel's, the service's, and ours.
#include "babel/wire.h" // before what has `at` as a name

#include "graph_rig.h"

#include "event.h"

#include <poll.h>
#include <unistd.h>

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

// --- Hellos that wait

struct says {			// what a packet of Babel has
	uint16_t hello, rxcost; // interval in centiseconds; 0: there is none
	uint16_t ihu;		// its interval; 0: 12 s
	bool asks;
	unsigned padded; // so many TLVs of nothing
};

static struct rte_mbuf *babel(const struct says *s)
{
	uint8_t data[256];
	struct xy_babel_builder b;
	xy_babel_build(&b, data, sizeof(data), &link_a);
	if (s->hello)
		xy_babel_build_hello(
			&b, &(struct xy_babel_hello){.interval = s->hello, .has_time = true});
	if (s->rxcost)
		xy_babel_build_ihu(&b, &(struct xy_babel_ihu){.address = link_us,
							      .rxcost = s->rxcost,
							      .interval = s->ihu ? s->ihu : 1200,
							      .has_time = true});
	if (s->asks)
		xy_babel_build_ack_request(&b, 1, 5);
	uint16_t len = (uint16_t)xy_babel_build_end(&b);
	memset(data + len, 0, s->padded); // Pad1
	len += s->padded;
	data[3] += s->padded;
	struct rte_mbuf *m = udp(&link_a, &babel_group, BABEL, BABEL, (uint16_t)(48 + len));
	memcpy(rte_pktmbuf_mtod(m, uint8_t *) + 48, data, len);
	return m;
}

static bool readable(void)
{
	struct pollfd p = {.fd = xy_dp_event_fd(dp), .events = POLLIN};
	return poll(&p, 1, 0) == 1;
}

// Does a packet that says this wake the control thread? It gets it anyway, as it came.
static bool wakes(const struct says *s)
{
	struct rte_mbuf *m = babel(s);
	seal(NODE_A, m);
	feed(m);
	CU_ASSERT_EQUAL(run(), 0);
	bool woke = readable();
	CU_ASSERT(xy_dp_waits(dp));
	events();
	CU_ASSERT_EQUAL(seen[XY_DP_OVERLAY], 1);
	CU_ASSERT_EQUAL(last.at, at);
	CU_ASSERT(!xy_dp_waits(dp) && !readable());
	settle();
	return woke;
}

// Of a link that is well what says nothing new waits for the control thread's next turn, and all
// else does not.
static void test_hellos_wait(void)
{
	const struct says usual = {.hello = 400, .rxcost = 96};
	peer_set(NODE_A, true);
	session_new(NODE_A, 0, true);
	events();
	CU_ASSERT(wakes(&usual)); // it was not said that all is well
	CU_ASSERT_EQUAL(xy_dp_peer_patient(dp, NODE_A, true), 0);
	CU_ASSERT_FALSE(wakes(&usual));
	CU_ASSERT_FALSE(wakes(&(struct says){.hello = 6000, .rxcost = 96}));
	CU_ASSERT(wakes(&(struct says){.hello = 400})); // does it hear us?
	CU_ASSERT(wakes(&(struct says){.hello = 400, .rxcost = XY_BABEL_INFINITY}));
	CU_ASSERT(wakes(&(struct says){.hello = 10, .rxcost = 96})); // it leaves
	CU_ASSERT(wakes(&(struct says){.rxcost = 96}));
	CU_ASSERT(wakes(&(struct says){.hello = 400, .rxcost = 96, .asks = true}));
	CU_ASSERT(wakes(&(struct says){.hello = 400, .rxcost = 96, .ihu = 50})); // and soon again
	CU_ASSERT_FALSE(wakes(&(struct says){.hello = 400, .rxcost = 96, .padded = 8}));
	CU_ASSERT(
		wakes(&(struct says){.hello = 400, .rxcost = 96, .padded = 120})); // not looked at
	for (unsigned i = 0; i < 32; i++) {
		struct rte_mbuf *m = babel(&usual);
		seal(NODE_A, m);
		feed(m);
		CU_ASSERT_EQUAL(run(), 0);
		CU_ASSERT_FALSE(readable());
	}
	struct rte_mbuf *m = babel(&usual); // many are a reason
	seal(NODE_A, m);
	feed(m);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT(readable());
	events();
	CU_ASSERT_EQUAL(seen[XY_DP_OVERLAY], 33);
	settle();
	xy_dp_peer_del(dp, NODE_A); // who has the number next begins anew
	CU_ASSERT_EQUAL(xy_dp_peer_patient(dp, NODE_A, true), -ENOENT);
	peer_set(NODE_A, true);
	session_new(NODE_A, 0, true);
	CU_ASSERT(wakes(&usual));
	peer_set(NODE_A, false);
}

static unsigned hellos; // among the events
static void on_hello(void *arg, const struct xy_dp_event *ev)
{
	hellos += ev->type == XY_DP_OVERLAY;
}

// Whatever else the workers tell, one look takes all that waited before it: what is due when a
// Hello is missed comes after that look.
static void test_hellos_taken(void)
{
	const struct says usual = {.hello = 400, .rxcost = 96};
	unsigned waiting = 0;
	peer_set(NODE_A, true);
	session_new(NODE_A, 0, true);
	events();
	CU_ASSERT_EQUAL(xy_dp_peer_patient(dp, NODE_A, true), 0);
	for (unsigned first = 0; first < 2; first++) { // whichever worker's come first
		struct rte_mbuf *m = babel(&usual);
		seal(NODE_A, m);
		feed(m);
		CU_ASSERT_EQUAL(run(), 0);
		for (unsigned i = 0; i < 500; i++)
			for (unsigned id = 0; id < 2; id++)
				CU_ASSERT(xy_event_net(dp->worker[id], XY_DP_USED, i, NODE_B));
		hellos = 0;
		CU_ASSERT_EQUAL(xy_dp_poll(dp, 2 * XY_DP_PATIENT_MOST, on_hello, NULL),
				2 * XY_DP_PATIENT_MOST);
		CU_ASSERT_EQUAL(hellos, 1);
		events();
		events();
	}
	// So all workers together leave no more waiting than one look takes.
	for (unsigned id = 0; id < 2; id++) {
		uint64_t woken = 0;
		for (; !woken && waiting < 1000; waiting += !woken) {
			struct rte_mbuf *m = babel(&usual);
			xy_packet(m)->from = NODE_A;
			CU_ASSERT_EQUAL(xy_event_punt(dp->worker[id], XY_PUNT_ROUTING, m),
					XY_DROP_COUNT);
			if (read(xy_dp_event_fd(dp), &woken, sizeof(woken)) < 0)
				woken = 0;
		}
		__atomic_store_n(&dp->control_waiting, 1, __ATOMIC_RELAXED); // and goes to sleep
	}
	events();
	CU_ASSERT(waiting > 0 && waiting <= XY_DP_PATIENT_MOST);
	peer_set(NODE_A, false);
}

static unsigned wake_ups(void)
{
	uint64_t n = 0;
	return read(dp->worker[0]->wake_fd, &n, sizeof(n)) == sizeof(n) ? (unsigned)n : 0;
}

// What goes to several neighbours at once is one wake-up of the worker.
static void test_orders_gathered(void)
{
	struct xy_worker *worker = dp->worker[0];
	uint8_t packet[48] = {0x60, [4] = 0, [5] = 8, [6] = 17, [7] = 1};
	wake_ups();
	for (unsigned gathers = 0; gathers < 2; gathers++) {
		if (gathers)
			xy_dp_orders_gather(dp);
		for (unsigned i = 0; i < 3; i++) {
			__atomic_store_n(&worker->sleeping, 1, __ATOMIC_RELAXED);
			CU_ASSERT_EQUAL(xy_dp_overlay_send(dp, NODE_A, packet, sizeof(packet)), 0);
		}
		CU_ASSERT_EQUAL(wake_ups(), gathers ? 0 : 3);
		if (gathers)
			xy_dp_orders_give(dp);
		CU_ASSERT_EQUAL(wake_ups(), gathers);
		xy_dp_orders_give(dp); // and not again
		CU_ASSERT_EQUAL(wake_ups(), 0);
	}
	__atomic_store_n(&worker->sleeping, 0, __ATOMIC_RELAXED);
	run();
	events();
	settle();
}

XY_UNIT_MAIN("graph_overlay", {"create", test_create, .always = true},
	     {"Babel packets", test_babel_packets}, {"service port", test_service},
	     {"Hellos that wait", test_hellos_wait}, {"Hellos that waited", test_hellos_taken},
	     {"orders gathered", test_orders_gathered},
	     {"packets of ours to a peer", test_overlay_send}, {"carried for others", test_carried},
	     {"packets of ours, routed", test_overlay_routed},
	     {"shares of the ring to the control plane", test_overlay_shares},
	     {"strangers leave room", test_overlay_strangers},
	     {"packets of a session that is gone", test_overlay_stale},
	     {"destroy", test_destroy, .always = true})
