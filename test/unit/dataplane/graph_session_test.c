// SPDX-License-Identifier: BSD-3-Clause
// Sessions as packets meet them: held until there is one, roaming, the replay window's owner,
// limits, peers and indices that end.
#include "graph_rig.h"

#include "hold.h"

#include <sys/mman.h>
#include <unistd.h>

// An index that nobody was given leads to a session that was never used: that is not so much as
// read, as what has no memory yet would get some.
static void test_never_used(void)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE),
		  first = (uintptr_t)&dp->session[dp->sessions_opened],
		  end = (uintptr_t)&dp->session[dp->session_mask + 1] & -page;
	uint32_t ours = peer[NODE_A].index;
	first = (first + page - 1) & -page;
	CU_ASSERT_FATAL(first < end);
	CU_ASSERT_EQUAL_FATAL(mprotect((void *)first, end - first, PROT_NONE), 0); // NOLINT
	for (uint32_t slot = dp->sessions_opened; slot <= dp->session_mask; slot++) {
		uint32_t index = xy_index_hide(&dp->index_key, dp->session_mask + 1 + slot);
		CU_ASSERT_FALSE(xy_session_is_ours_rcu(dp, index)); // a handshake's
		peer[NODE_A].index = index;
		expect_drop(NODE_A, packet(&at_a, &at_b, 64, 100), XY_DROP_UNKNOWN_INDEX);
		CU_ASSERT_EQUAL(xy_dp_session_use(dp, index), -ENOENT);
	}
	peer[NODE_A].index = ours;
	mprotect((void *)first, end - first, PROT_READ | PROT_WRITE); // NOLINT
}

// Where the kernel brings packets to workers by session, an end's are one worker's, always.
static void test_index_worker(void)
{
	for (unsigned i = 0; i < 50; i++) {
		session_new(NODE_A, 0, true);
		session_new(NODE_B, 0, true);
		CU_ASSERT_EQUAL(xy_port_worker_of(2, peer[NODE_A].index, 0), NODE_A % 2);
		CU_ASSERT_EQUAL(xy_port_worker_of(2, peer[NODE_B].index, 0), NODE_B % 2);
	}
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

// Whose window it is may sleep: it is woken. Who hands over to itself, while a window moves to it,
// is awake.
static void test_handover_wakes(void)
{
	session_new(NODE_A, 1, true);
	dp->worker[0]->sleeping = dp->worker[1]->sleeping = 1;
	feed_from(NODE_A, &at_a, &at_b, 100, 1);
	ring = (struct xy_port_ring){.in = in, .in_count = fed, .out = out, .out_max = OUT_MAX};
	fed = 0;
	walk_one(0);
	CU_ASSERT(dp->worker[0]->sleeping && !dp->worker[1]->sleeping);
	walk_one(1);
	CU_ASSERT_EQUAL(ring.out_count, 1);
	settle();

	CU_ASSERT_EQUAL(xy_dp_session_move(dp, peer[NODE_A].index, 0), 0);
	dp->worker[1]->sleeping = 1;
	feed_from(NODE_A, &at_a, &at_b, 100, 1);
	ring = (struct xy_port_ring){.in = in, .in_count = fed, .out = out, .out_max = OUT_MAX};
	fed = 0;
	walk_one(0);
	CU_ASSERT(dp->worker[0]->sleeping && dp->worker[1]->sleeping);
	dp->worker[0]->sleeping = dp->worker[1]->sleeping = 0;
	CU_ASSERT_EQUAL(run(), 1);
	xy_dp_housekeep(dp);
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
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	xy_session_ends_at(s, NOW);
	expect_drop(NODE_A, packet(&at_a, &at_b, 64, 100), XY_DROP_SESSION_EXPIRED);
	session_new(NODE_A, 0, true);
	settle();
}

// A new session wakes those workers that hold packets, not all.
static void test_epoch_wakes(void)
{
	session_new(NODE_A, 0, true);
	session_new(NODE_B, 0, false);
	for (uint32_t i = NODE_A; i <= NODE_B; i++)
		xy_session_ends_at(&dp->session[xy_session_slot(dp, peer[i].index)], at + XY_SEC);
	dp->worker[0]->sleeping = dp->worker[1]->sleeping = 1;
	xy_dp_epoch_raise(dp, &dp->session_epoch);
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

// Each slot comes back with another generation: who holds on to an index of old finds nobody.
static void test_indices_run_out(void)
{
	uint32_t index[64], again[64], extra;
	unsigned n = 0, m = 0;
	while (n < 64 && xy_dp_session_reserve(dp, NODE_A, &index[n]) == 0)
		n++;
	CU_ASSERT(n >= 64 - PEERS);
	CU_ASSERT_EQUAL(xy_dp_session_reserve(dp, NODE_A, &extra), -ENOSPC);
	for (unsigned i = 0; i < n; i++)
		xy_dp_session_del(dp, index[i]);
	grace();
	while (m < 64 && xy_dp_session_reserve(dp, NODE_A, &again[m]) == 0)
		m++;
	CU_ASSERT(m >= n); // every slot
	for (unsigned i = 0; i < m; i++)
		for (unsigned k = 0; k < n; k++)
			CU_ASSERT_NOT_EQUAL(again[i], index[k]);
	for (unsigned i = 0; i < m; i++)
		xy_dp_session_del(dp, again[i]);
	grace();
	settle();
}

XY_UNIT_MAIN("graph_session", {"create", test_create, .always = true},
	     {"sessions never used", test_never_used}, {"an index's worker", test_index_worker},
	     {"hold and release", test_hold}, {"roaming", test_roam},
	     {"hand-over, move of ownership", test_handover_and_move},
	     {"hand-over wakes", test_handover_wakes},
	     {"a move while control is busy", test_move_alone},
	     {"counter limits", test_counter_limits}, {"expired session", test_expired},
	     {"held packets, shared", test_hold_shared}, {"who is woken", test_epoch_wakes},
	     {"peer deleted", test_peer_del}, {"indices run out", test_indices_run_out},
	     {"destroy", test_destroy, .always = true})
