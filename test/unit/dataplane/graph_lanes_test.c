// SPDX-License-Identifier: BSD-3-Clause
// Sessions with several lanes: each has a counter, a window and a worker of its own; keys are one,
// and the first is WireGuard's.
#include "graph/open.h"

#include "graph_rig.h"

static uint64_t in_lane(unsigned lane, uint64_t number)
{
	return (uint64_t)lane << XY_LANE_AT | number;
}

static struct rte_mbuf *sealed(uint32_t who, const struct xy_addr *src, const struct xy_addr *dst,
			       uint64_t counter)
{
	struct rte_mbuf *m = packet(src, dst, 64, 100);
	peer[who].counter = counter;
	seal(who, m);
	return m;
}

// What was fed comes to that worker's queue; what comes out.
static unsigned run_at(unsigned worker)
{
	ring = (struct xy_port_ring){.in = in, .in_count = fed, .out = out, .out_max = OUT_MAX};
	fed = 0;
	while (ring.in_count)
		walk_one(worker);
	for (int i = 0; i < 4; i++) {
		walk_one(worker ^ 1);
		walk_one(worker);
	}
	return ring.out_count;
}

static unsigned come_to(unsigned worker, uint64_t counter)
{
	feed(sealed(NODE_A, &at_a, &at_b, counter));
	unsigned n = run_at(worker);
	free_out();
	return n;
}

static uint64_t handed(void)
{
	return dp->worker[0]->stats.ring_out + dp->worker[1]->stats.ring_out;
}

static struct xy_dp_session_stats stats(uint32_t who)
{
	struct xy_dp_session_stats s;
	CU_ASSERT_EQUAL_FATAL(xy_dp_session_stats(dp, peer[who].index, &s), 0);
	return s;
}

static void begin(void) // A and B, of whom only A has more than one lane
{
	session_new(NODE_A, 0, true);
	session_new(NODE_B, 0, true);
	CU_ASSERT_EQUAL(xy_dp_session_lanes(dp, peer[NODE_A].index, 2), 2);
}

static void end(void)
{
	settle();
	session_new(NODE_A, 0, true);
	session_new(NODE_B, 0, true);
}

// Until more is said, the counter is one of 64 bits, as everywhere.
static void test_wireguard(void)
{
	const struct xy_wg_limits limits = dp->cfg.limits;
	dp->cfg.limits.reject_after_messages = xy_wg_limits_default.reject_after_messages;
	session_new(NODE_A, 0, true);
	CU_ASSERT_EQUAL(stats(NODE_A).lanes, 1);
	CU_ASSERT_EQUAL(xy_dp_session_lanes(dp, peer[NODE_A].index, 1), 1);
	CU_ASSERT_EQUAL(xy_dp_session_lanes_send(dp, peer[NODE_A].index, 3), -ENOENT);
	CU_ASSERT_EQUAL(xy_dp_session_lanes_probe(dp, peer[NODE_A].index), -ENOENT);
	CU_ASSERT_EQUAL(come_to(0, 7), 1);
	CU_ASSERT_EQUAL(come_to(0, in_lane(1, 0)), 1);
	uint64_t replay = drops(XY_DROP_REPLAY);
	CU_ASSERT_EQUAL(come_to(0, 8), 0); // far behind the window
	CU_ASSERT_EQUAL(drops(XY_DROP_REPLAY), replay + 1);
	dp->cfg.limits = limits;
	end();
}

static void test_windows(void)
{
	begin();
	uint64_t before = handed(), replay = drops(XY_DROP_REPLAY);
	for (unsigned i = 0; i < 5; i++) {
		CU_ASSERT_EQUAL(come_to(0, in_lane(0, i)), 1);
		CU_ASSERT_EQUAL(come_to(1, in_lane(1, i)), 1);
	}
	CU_ASSERT_EQUAL(handed(), before); // each worker has a window
	CU_ASSERT_EQUAL(come_to(0, in_lane(0, 4)), 0);
	CU_ASSERT_EQUAL(come_to(1, in_lane(1, 4)), 0);
	CU_ASSERT_EQUAL(drops(XY_DROP_REPLAY), replay + 2);
	CU_ASSERT_EQUAL(stats(NODE_A).rx_packets, 10);
	CU_ASSERT_EQUAL(come_to(0, in_lane(1, 5)), 1); // and what comes elsewhere is handed over
	CU_ASSERT_EQUAL(come_to(1, in_lane(0, 5)), 1);
	CU_ASSERT_EQUAL(handed(), before + 2);
	CU_ASSERT_EQUAL(stats(NODE_A).handed_over, 2);
	end();
}

static void test_mixed_burst(void)
{
	begin();
	CU_ASSERT_EQUAL(come_to(1, in_lane(1, 0)), 1);
	uint64_t before = handed();
	for (unsigned i = 1; i <= 30; i++) {
		feed(sealed(NODE_A, &at_a, &at_b, in_lane(0, i)));
		feed(sealed(NODE_A, &at_a, &at_b, in_lane(1, i)));
	}
	CU_ASSERT_EQUAL(run_at(0), 60);
	CU_ASSERT_EQUAL(handed(), before + 30);
	end();
}

static void test_unknown_lane(void)
{
	begin();
	uint64_t unknown = drops(XY_DROP_UNKNOWN_LANE), bad = drops(XY_DROP_BAD_TAG);
	CU_ASSERT_EQUAL(come_to(0, in_lane(2, 0)), 0);
	CU_ASSERT_EQUAL(come_to(0, in_lane(255, 0)), 0);
	CU_ASSERT_EQUAL(drops(XY_DROP_UNKNOWN_LANE), unknown + 2);
	struct rte_mbuf *m = sealed(NODE_A, &at_a, &at_b, in_lane(1, 0));
	rte_pktmbuf_mtod(m, struct xy_wg_data *)->counter = in_lane(9, 0); // anybody can write it
	feed(m);
	CU_ASSERT_EQUAL(run_at(0), 0);
	CU_ASSERT_EQUAL(drops(XY_DROP_UNKNOWN_LANE), unknown + 2);
	CU_ASSERT_EQUAL(drops(XY_DROP_BAD_TAG), bad + 1);
	CU_ASSERT_EQUAL(come_to(0, 0), 1); // the others go on
	end();
}

// A forged one does not say whose a lane is: who opens the first has it.
static void test_owner(void)
{
	begin();
	struct rte_mbuf *m = sealed(NODE_A, &at_a, &at_b, in_lane(1, 0));
	rte_pktmbuf_mtod(m, uint8_t *)[40] ^= 1;
	feed(m);
	CU_ASSERT_EQUAL(run_at(0), 0);
	uint64_t before = handed();
	CU_ASSERT_EQUAL(come_to(1, in_lane(1, 0)), 1);
	CU_ASSERT_EQUAL(handed(), before);
	for (unsigned i = 1; i < 100; i++) // now they come to the other
		CU_ASSERT_EQUAL(come_to(0, in_lane(1, i)), 1);
	CU_ASSERT_EQUAL(handed(), before + 99);
	xy_dp_session_lanes_place(dp, peer[NODE_A].index);
	grace();
	before = handed();
	for (unsigned i = 100; i < 110; i++)
		CU_ASSERT_EQUAL(come_to(0, in_lane(1, i)), 1);
	CU_ASSERT_EQUAL(handed(), before);
	xy_dp_session_lanes_place(dp, peer[NODE_A].index); // a few say nothing
	CU_ASSERT_EQUAL(come_to(0, in_lane(1, 110)), 1);
	CU_ASSERT_EQUAL(handed(), before);
	uint64_t replay = drops(XY_DROP_REPLAY);
	CU_ASSERT_EQUAL(come_to(0, in_lane(1, 5)), 0); // the window moved whole
	CU_ASSERT_EQUAL(drops(XY_DROP_REPLAY), replay + 1);
	end();
}

// The two of them open a lane's first packet at once: one has the window, the other's is lost. When
// it moves, who had it keeps it for the burst that it is in, and the new owner waits for that.
static void test_owner_late(void)
{
	begin();
	struct xy_session *s = xy_session_find_rcu(dp, peer[NODE_A].index);
	struct xy_lane_more *l = &s->more->more[0];
	CU_ASSERT_EQUAL(l->owner, XY_OWNER_NONE);
	CU_ASSERT_EQUAL(xy_open_lane_check(dp->worker[1], s, in_lane(1, 3)), XY_OPEN_GOOD);
	CU_ASSERT_EQUAL(l->owner, 1);
	CU_ASSERT_EQUAL(xy_open_lane_check(dp->worker[0], s, in_lane(1, 4)), XY_OPEN_DROP_STALE);
	l->was = 1;
	l->owner = 0 | XY_OWNER_MOVING;
	CU_ASSERT_EQUAL(xy_open_lane_check(dp->worker[1], s, in_lane(1, 4)), XY_OPEN_GOOD);
	CU_ASSERT_EQUAL(xy_open_lane_check(dp->worker[0], s, in_lane(1, 5)), XY_OPEN_DROP_STALE);
	l->owner = 0;
	CU_ASSERT_EQUAL(xy_open_lane_check(dp->worker[0], s, in_lane(1, 5)), XY_OPEN_GOOD);
	CU_ASSERT_EQUAL(xy_open_lane_check(dp->worker[0], s, in_lane(1, 4)), XY_OPEN_DROP_REPLAY);
	CU_ASSERT_EQUAL(xy_open_lane_check(dp->worker[1], s, in_lane(1, 6)), XY_OPEN_DROP_STALE);
	end();
}

static void test_heard(void)
{
	uint64_t mask;
	begin();
	CU_ASSERT_EQUAL(xy_dp_session_lanes_heard(dp, peer[NODE_A].index, &mask), 0);
	CU_ASSERT_EQUAL(mask, 1);
	come_to(1, in_lane(1, 0));
	xy_dp_session_lanes_heard(dp, peer[NODE_A].index, &mask);
	CU_ASSERT_EQUAL(mask, 3);
	xy_dp_session_lanes_heard(dp, peer[NODE_A].index, &mask); // since then nothing
	CU_ASSERT_EQUAL(mask, 1);
	CU_ASSERT_EQUAL(xy_dp_session_lanes_heard(dp, 12345, &mask), -ENOENT);
	end();
}

// Said twice, and otherwise: the first holds, as the other side was told it.
static void test_told_again(void)
{
	begin();
	come_to(1, in_lane(1, 0));
	CU_ASSERT_EQUAL(xy_dp_session_lanes(dp, peer[NODE_A].index, 2), 2);
	CU_ASSERT_EQUAL(xy_dp_session_lanes(dp, peer[NODE_A].index, 1), 2);
	CU_ASSERT_EQUAL(xy_dp_session_lanes(dp, peer[NODE_A].index, 64), 2);
	uint64_t replay = drops(XY_DROP_REPLAY);
	CU_ASSERT_EQUAL(come_to(1, in_lane(1, 0)), 0); // and no window begins anew
	CU_ASSERT_EQUAL(drops(XY_DROP_REPLAY), replay + 1);
	CU_ASSERT_EQUAL(xy_dp_session_lanes(dp, peer[NODE_B].index, 1000), XY_DP_LANES);
	CU_ASSERT_EQUAL(xy_dp_session_lanes(dp, 12345, 2), -ENOENT);
	end();
}

// --- sealing

// What B is sent of what comes to that worker, from A; and the counter of the first.
static uint64_t sent_by(unsigned worker, unsigned count)
{
	static uint64_t number;
	for (unsigned i = 0; i < count; i++)
		feed(sealed(NODE_A, &at_a, &at_b, in_lane(worker, number++)));
	CU_ASSERT_EQUAL_FATAL(run_at(worker), count);
	uint64_t first = rte_pktmbuf_mtod(out[0], struct xy_wg_data *)->counter;
	for (unsigned i = 0; i < count; i++) {
		CU_ASSERT_EQUAL(rte_pktmbuf_mtod(out[i], struct xy_wg_data *)->counter, first + i);
		CU_ASSERT(open_sent(NODE_B, out[i]) > 0); // the nonce is the whole of it
	}
	return first;
}

static void test_seal(void)
{
	begin();
	uint32_t b = peer[NODE_B].index;
	CU_ASSERT_EQUAL(sent_by(1, 2), 0); // B was told of nothing
	free_out();
	CU_ASSERT_EQUAL(xy_dp_session_lanes(dp, b, 2), 2);
	CU_ASSERT_EQUAL(sent_by(1, 2), 2); // nor said that it hears
	free_out();
	CU_ASSERT_EQUAL(xy_dp_session_lanes_send(dp, b, 3), 0);
	CU_ASSERT_EQUAL(sent_by(1, 3), in_lane(1, 0));
	free_out();
	CU_ASSERT_EQUAL(sent_by(0, 3), 4);
	free_out();
	CU_ASSERT_EQUAL(sent_by(1, 3), in_lane(1, 3));
	free_out();
	CU_ASSERT_EQUAL(stats(NODE_B).tx_packets, 13);
	CU_ASSERT_EQUAL(stats(NODE_B).tx_counter, 7);
	CU_ASSERT_EQUAL(xy_dp_session_lanes_send(dp, b, 1), 0); // it hears no more
	CU_ASSERT_EQUAL(sent_by(1, 1), 7);
	end();
}

// By what we make ourselves the other side knows where we are: it goes in the first.
static void test_ours(void)
{
	begin();
	uint32_t b = peer[NODE_B].index;
	xy_dp_session_move(dp, b, 1);
	grace();
	xy_dp_session_lanes(dp, b, 2);
	xy_dp_session_lanes_send(dp, b, 3);
	CU_ASSERT_EQUAL(xy_dp_session_keepalive(dp, b), 0);
	CU_ASSERT_EQUAL(run(), 1);
	CU_ASSERT_EQUAL(rte_pktmbuf_mtod(out[0], struct xy_wg_data *)->counter, 0);
	CU_ASSERT_EQUAL(open_sent(NODE_B, out[0]), 0);
	free_out();
	xy_dp_session_lanes_send(dp, b, 1); // probes go where data does not yet
	CU_ASSERT_EQUAL(xy_dp_session_lanes_probe(dp, b), 0);
	CU_ASSERT_EQUAL(run(), 1);
	CU_ASSERT_EQUAL(rte_pktmbuf_mtod(out[0], struct xy_wg_data *)->counter, in_lane(1, 0));
	CU_ASSERT_EQUAL(open_sent(NODE_B, out[0]), 0);
	end();
}

// Limits are of all lanes: 200 and 300 messages, so 100 of each of two begin the next handshake.
static void test_limits(void)
{
	begin();
	uint32_t b = peer[NODE_B].index;
	struct xy_session *s = xy_session_find_rcu(dp, b);
	xy_dp_session_lanes(dp, b, 2);
	xy_dp_session_lanes_send(dp, b, 3);
	events();
	s->more->more[0].lane.tx_counter = 99;
	CU_ASSERT_EQUAL(sent_by(1, 1), in_lane(1, 99));
	events();
	CU_ASSERT_EQUAL(seen[XY_DP_NUDGE], 0);
	free_out();
	CU_ASSERT_EQUAL(sent_by(1, 1), in_lane(1, 100));
	events();
	CU_ASSERT_EQUAL(seen[XY_DP_NUDGE], 1);
	CU_ASSERT(stats(NODE_B).tx_used >= 200);
	free_out();
	s->more->more[0].lane.tx_counter = 300; // used up: no number comes twice
	CU_ASSERT_EQUAL(sent_by(1, 2), 0);
	free_out();
	s->lane.tx_counter = 300;
	CU_ASSERT_PTR_NULL(xy_end_session_rcu(dp, NODE_B, at));
	settle();

	// By the paper's limits a lane's numbers end before the next one's begin.
	const struct xy_wg_limits limits = dp->cfg.limits;
	dp->cfg.limits = xy_wg_limits_default;
	s->lane.tx_counter = 0;
	s->more->more[0].lane.tx_counter = XY_LANE_MESSAGES - 1;
	CU_ASSERT_EQUAL(sent_by(1, 1), in_lane(1, XY_LANE_MESSAGES - 1));
	free_out();
	CU_ASSERT_EQUAL(sent_by(1, 1), 0);
	free_out();
	s->lane.tx_counter = XY_LANE_MESSAGES;
	CU_ASSERT_PTR_NULL(xy_end_session_rcu(dp, NODE_B, at));
	CU_ASSERT(stats(NODE_B).tx_used >= xy_wg_limits_default.reject_after_messages);
	uint64_t replay = drops(XY_DROP_REPLAY);
	CU_ASSERT_EQUAL(come_to(1, in_lane(1, XY_LANE_MESSAGES)), 0);
	CU_ASSERT_EQUAL(drops(XY_DROP_REPLAY), replay + 1);
	dp->cfg.limits = limits;
	end();
}

// A light suite's mark is none of the lane's number: one window for both kinds, in each lane, and
// what is sent light in a lane bears lane, mark and number.
static void test_light(void)
{
	for (unsigned i = 0; i < 2; i++)
		session_new_in(i ? NODE_B : NODE_A, XY_WG_CHACHA20_POLY1305_LIGHT, 0, true);
	uint32_t b = peer[NODE_B].index;
	CU_ASSERT_EQUAL(xy_dp_session_lanes(dp, peer[NODE_A].index, 2), 2);
	CU_ASSERT_EQUAL(xy_dp_session_lanes(dp, b, 2), 2);
	CU_ASSERT_EQUAL(xy_dp_session_lanes_send(dp, b, 3), 0);
	uint64_t replay = drops(XY_DROP_REPLAY), sent[2] = {0};
	for (unsigned i = 0; i < 8; i++) {
		unsigned lane = i / 4;
		bool light = i % 4 == 0 || i % 4 == 3; // marked and not, in both orders
		struct rte_mbuf *m = packet(&at_a, &at_b, 64, 200);
		rte_pktmbuf_mtod(m, uint8_t *)[XY_IPV6_LEN] = XY_WG_DATA;
		peer[NODE_A].counter = in_lane(lane, i % 4 / 2);
		seal_as(NODE_A, m, light);
		feed(m);
		unsigned n = run_at(lane);
		CU_ASSERT_EQUAL_FATAL(n, i % 2 == 0);
		if (n) {
			uint64_t counter = rte_pktmbuf_mtod(out[0], struct xy_wg_data *)->counter;
			CU_ASSERT_EQUAL(counter, in_lane(lane, sent[lane]++) | XY_WG_LIGHT_MARK);
			CU_ASSERT(open_sent(NODE_B, out[0]) >= 200);
		}
		free_out();
	}
	CU_ASSERT_EQUAL(drops(XY_DROP_REPLAY), replay + 4);
	end();
}

// Where a lane's packets come from says nothing: only the first's does.
static void test_roam(void)
{
	begin();
	struct rte_mbuf *m = sealed(NODE_A, &at_a, &at_b, in_lane(1, 0));
	xy_packet(m)->remote.port = 7777;
	feed(m);
	CU_ASSERT_EQUAL(run_at(1), 1);
	events();
	CU_ASSERT_EQUAL(seen[XY_DP_ROAM], 0);
	free_out();
	m = sealed(NODE_A, &at_a, &at_b, in_lane(0, 0));
	xy_packet(m)->remote.port = 7777;
	feed(m);
	CU_ASSERT_EQUAL(run_at(0), 1);
	events();
	CU_ASSERT_EQUAL(seen[XY_DP_ROAM], 1);
	end();
}

// What was counted in lanes counts on when the session is gone; nothing of it comes back.
static void test_gone(void)
{
	struct xy_dp_peer_stats before, after;
	begin();
	xy_dp_peer_stats(dp, NODE_A, &before);
	come_to(0, in_lane(0, 0));
	come_to(1, in_lane(1, 0));
	session_new(NODE_A, 0, true);
	xy_dp_peer_stats(dp, NODE_A, &after);
	CU_ASSERT_EQUAL(after.rx_packets, before.rx_packets + 2);
	CU_ASSERT_EQUAL(stats(NODE_A).lanes, 1);
	end();
}

XY_UNIT_MAIN("graph_lanes", {"create", test_create, .always = true},
	     {"WireGuard's one", test_wireguard}, {"windows", test_windows},
	     {"a burst of two lanes", test_mixed_burst}, {"unknown lanes", test_unknown_lane},
	     {"whose a lane is", test_owner}, {"first come", test_owner_late},
	     {"which are heard", test_heard}, {"told again", test_told_again},
	     {"sealing", test_seal}, {"what is ours", test_ours}, {"limits", test_limits},
	     {"light", test_light}, {"roaming", test_roam}, {"gone", test_gone},
	     {"destroy", test_destroy, .always = true})
