// SPDX-License-Identifier: BSD-3-Clause
// What workers tell the control thread and it sends by them: handshakes, probes, events, and that
// a flood of one kind leaves room for the others.
#include "graph_rig.h"

#include "event.h"
#include "graph/graph.h"

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
			       .mtu = LINK_MAX + OVERHEAD_V4};
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

// As between the end of one start and another: its name is free again.
static void test_graph_anew(void)
{
	struct xy_worker *of = dp->worker[1];
	struct xy_err err;
	xy_graph_destroy(of);
	CU_ASSERT_PTR_NULL(of->graph);
	xy_graph_destroy(of); // there is none: nothing is done
	CU_ASSERT_EQUAL(xy_graph_create(of, &err), 0);
	CU_ASSERT_PTR_NOT_NULL(of->graph);
	test_control_datagrams();
}

// Each driver by its name; and a port whose driver has nothing of its own to tell or to be told.
static void test_ports(void)
{
	struct xy_dp_port_info info;
	struct xy_err err;
	unsigned port = 99;
	CU_ASSERT_EQUAL_FATAL(xy_dp_port_info(dp, 0, &info), 0);
	CU_ASSERT_STRING_EQUAL(info.driver, "ring");
	CU_ASSERT_STRING_EQUAL(info.interface, "");
	CU_ASSERT_STRING_EQUAL(info.idle, "descriptor");
	CU_ASSERT_EQUAL(info.queues, 2);
	CU_ASSERT_EQUAL(info.rx_missed, 0);
	CU_ASSERT_EQUAL(xy_dp_port_addresses(dp, 0, &us, 1), -ENOENT);
	xy_dp_port_follow(dp, 0);
	CU_ASSERT_EQUAL(xy_dp_port_info(dp, 1, &info), -ENOENT);
	CU_ASSERT_EQUAL(xy_dp_port_info(dp, XY_DP_PORTS, &info), -ENOENT);
	CU_ASSERT_EQUAL(xy_dp_port_addresses(dp, 1, &us, 1), -ENOENT);
	xy_dp_port_follow(dp, XY_DP_PORTS);

	struct xy_dp_port_config cfg = {.driver = XY_DP_AF_XDP, .interface = "none0"};
	CU_ASSERT_EQUAL(xy_dp_port_add(dp, &cfg, &port, &err), -ENODEV);
	CU_ASSERT_STRING_EQUAL(err.text, "none0: no such interface");
	cfg = (struct xy_dp_port_config){.driver = XY_DP_DPDK, .device = "none1"};
	CU_ASSERT_EQUAL(xy_dp_port_add(dp, &cfg, &port, &err), -ENODEV);
	CU_ASSERT(strstr(err.text, "none1: DPDK has no such device") == err.text);
	cfg = (struct xy_dp_port_config){.driver = XY_DP_SOCKET};
	xy_addr_parse("127.0.0.1", &cfg.address);
	CU_ASSERT_EQUAL_FATAL(xy_dp_port_add(dp, &cfg, &port, &err), 0);
	CU_ASSERT_EQUAL(port, 1);
	CU_ASSERT_EQUAL_FATAL(xy_dp_port_info(dp, port, &info), 0);
	CU_ASSERT_STRING_EQUAL(info.driver, "socket");
	CU_ASSERT(info.port != 0);
	xy_dp_port_del(dp, port);
	CU_ASSERT_EQUAL(xy_dp_port_info(dp, port, &info), -ENOENT);
}

XY_UNIT_MAIN("graph_control", {"create", test_create, .always = true},
	     {"control datagrams", test_control_datagrams}, {"events, fair", test_events_fair},
	     {"whose handshakes", test_whose_handshakes},
	     {"a flood of strangers", test_strangers_flood}, {"events, MTU", test_mtu_events},
	     {"events, refused", test_refused_events}, {"probes", test_probes},
	     {"ports", test_ports}, {"a graph anew", test_graph_anew},
	     {"destroy", test_destroy, .always = true})
