// SPDX-License-Identifier: BSD-3-Clause
// The path MTU machine on virtual time, against a path that is played here: its size, what becomes
// of fragments, loss, and a peer that is there or not.
#include "unit.h"

#include "pmtu/pmtu.h"

#include <string.h>

enum { TICK = 150, V4 = 60, V6 = 80, NODE = 1352 };

static struct {
	xy_nsec now;
	struct xy_pmtu p;
	struct xy_pmtu_seen seen;
	uint32_t path; // what it carries whole
	bool cuts;     // routers cut what is larger, where they may
	bool dead;     // nothing comes back
	unsigned loss; // per cent, each way
	bool traffic;
	unsigned probes, companions;
	uint32_t largest; // probed
	uint64_t random;
} w;

static bool lost(void)
{
	w.random ^= w.random << 13;
	w.random ^= w.random >> 7;
	w.random ^= w.random << 17;
	return w.random % 100 < w.loss;
}

static bool arrives(uint32_t size, bool may_be_cut)
{
	return !w.dead && (size <= w.path || (may_be_cut && w.cuts)) && !lost() && !lost();
}

static void tick(void)
{
	struct xy_pmtu_probe probe;
	w.now += TICK * XY_MSEC;
	if (w.traffic)
		w.seen.carried = w.now;
	if (!w.dead && w.now / XY_SEC % 4 == 0 && !lost()) // a Hello
		w.seen.heard = w.now;
	if (!xy_pmtu_run(&w.p, &w.seen, w.now, &probe))
		return;
	w.probes++;
	w.companions += probe.companion;
	w.largest = probe.size > w.largest ? probe.size : w.largest;
	if (probe.companion && arrives(64, true))
		w.seen.heard = w.now + XY_MSEC;
	if (arrives(probe.size, probe.pieces)) {
		w.seen.heard = w.now + XY_MSEC;
		xy_pmtu_acked(&w.p, probe.size, w.now + XY_MSEC);
	}
}

static void run_for(unsigned seconds)
{
	xy_nsec until = w.now + seconds * XY_SEC;
	while (w.now < until)
		tick();
}

static void begin(uint32_t limit, uint32_t overhead, uint32_t path)
{
	memset(&w, 0, sizeof(w));
	w.now = 1000 * XY_SEC;
	w.random = 88172645463325252;
	w.path = path;
	w.cuts = true;
	w.seen.rtt = 10 * XY_MSEC;
	xy_pmtu_reset(&w.p, limit, NODE + overhead, w.now);
	CU_ASSERT_EQUAL(w.p.size, limit);
	xy_pmtu_up(&w.p, w.now);
}

// One probe on an ordinary path, then one in ten seconds, with traffic alone.
static void test_whole(void)
{
	begin(1500, V4, 1500);
	run_for(1);
	CU_ASSERT_EQUAL(w.p.state, XY_PMTU_COMPLETE);
	CU_ASSERT(w.p.confirmed);
	CU_ASSERT_EQUAL(w.probes, 1);
	CU_ASSERT_EQUAL(w.p.size, 1500);
	run_for(3600);
	CU_ASSERT_EQUAL(w.probes, 1);
	w.traffic = true;
	run_for(600);
	CU_ASSERT(w.probes > 50 && w.probes <= 61);
	CU_ASSERT_EQUAL(w.p.size, 1500);
	CU_ASSERT_EQUAL(w.largest, 1500);
}

// Every path between: found to 16 bytes, never overestimated, from 4 seconds on never used above.
static void test_black_holes(void)
{
	for (uint32_t path = 1280; path <= 1500; path++) {
		begin(1500, V4, path);
		run_for(5);
		CU_ASSERT(w.p.size <= path);
		run_for(35);
		CU_ASSERT_EQUAL(w.p.state, XY_PMTU_COMPLETE);
		CU_ASSERT(w.p.size <= path && w.p.size + XY_PMTU_GRAIN > path);
		CU_ASSERT(w.probes < 30);
		if (w.p.size < NODE + V4)
			CU_ASSERT_EQUAL(w.p.pieces, XY_PMTU_PIECES_PASS);
	}
	begin(9000, V6, 8000);
	run_for(60);
	CU_ASSERT(w.p.size <= 8000 && w.p.size + XY_PMTU_GRAIN > 8000);
	begin(1500, V4, 1400); // an LTE line's, to the byte
	run_for(40);
	CU_ASSERT_EQUAL(w.p.size, 1400);
}

// The path becomes narrow: with traffic it is noticed within seconds. It becomes wide again: within
// ten minutes. The cost is bounded.
static void test_change(void)
{
	begin(1500, V4, 1500);
	w.traffic = true;
	run_for(60);
	w.path = 1400;
	run_for(15);
	CU_ASSERT(w.p.size <= 1400);
	run_for(60);
	CU_ASSERT_EQUAL(w.p.size, 1400);
	w.path = 1500;
	run_for(601);
	CU_ASSERT_EQUAL(w.p.size, 1500);
	w.path = 1450;
	run_for(60);
	CU_ASSERT_EQUAL(w.p.size, 1450);
	w.probes = 0;
	run_for(3600);
	CU_ASSERT_EQUAL(w.p.size, 1450);
	CU_ASSERT(w.probes < 6 * 40 + 360); // confirmations, and six searches
}

// A peer that is gone says nothing about sizes, however long; probes become rare.
static void test_dead(void)
{
	begin(1500, V4, 1500);
	w.traffic = true;
	run_for(60);
	w.dead = true;
	w.probes = 0;
	run_for(600);
	CU_ASSERT_EQUAL(w.p.size, 1500);
	CU_ASSERT(w.probes < 60);
	w.dead = false;
	run_for(30);
	CU_ASSERT_EQUAL(w.p.state, XY_PMTU_COMPLETE);
	CU_ASSERT_EQUAL(w.p.size, 1500);

	begin(1500, V4, 1500); // never there at all
	w.dead = true;
	run_for(600);
	CU_ASSERT_EQUAL(w.p.size, 1500);
	xy_pmtu_down(&w.p);
	w.probes = 0;
	run_for(600);
	CU_ASSERT_EQUAL(w.probes, 0);
}

// What was found outlives the session, not the endpoint.
static void test_down(void)
{
	begin(1500, V4, 1400);
	run_for(40);
	xy_pmtu_down(&w.p);
	CU_ASSERT_EQUAL(w.p.size, 1400);
	xy_pmtu_up(&w.p, w.now);
	w.probes = 0;
	run_for(2);
	CU_ASSERT_EQUAL(w.p.size, 1400);
	CU_ASSERT(w.probes >= 1); // asked at once
	xy_pmtu_reset(&w.p, 1500, NODE + V4, w.now);
	CU_ASSERT_EQUAL(w.p.size, 1500);
	w.path = 1500;
	run_for(1);
	CU_ASSERT(w.p.confirmed);
	CU_ASSERT_EQUAL(w.p.size, 1500);
	w.path = 1400; // while it is away
	xy_pmtu_down(&w.p);
	xy_pmtu_up(&w.p, w.now);
	run_for(6);
	CU_ASSERT(w.p.size <= 1400);
}

// A link that loses 30 % each way: what does not pass is found all the same, and a false alarm is
// rare and mended.
static void test_lossy(void)
{
	unsigned right = 0, rounds = 40;
	for (unsigned i = 0; i < rounds; i++) {
		begin(1500, V4, i % 2 ? 1400 : 1500);
		w.random += i * UINT64_C(0x9e3779b97f4a7c15);
		w.loss = 30;
		w.traffic = true;
		run_for(300);
		CU_ASSERT(w.p.size <= w.path);
		right += w.p.size + 120 > w.path;
	}
	CU_ASSERT(right >= rounds * 3 / 4);
}

// ICMP: believed at once and asked after. A forged one is undone by the first answer, and the next
// ones find no belief for a while.
static void test_hint(void)
{
	begin(1500, V4, 1500);
	run_for(5);
	xy_pmtu_hint(&w.p, 1340, w.now);
	CU_ASSERT_EQUAL(w.p.size, 1340);
	run_for(1);
	CU_ASSERT_EQUAL(w.p.size, 1500);
	w.probes = 0;
	for (unsigned i = 0; i < 300; i++) {
		xy_pmtu_hint(&w.p, 600 + i, w.now);
		CU_ASSERT_EQUAL(w.p.size, 1500);
		tick();
	}
	CU_ASSERT(w.probes < 5);
	run_for(60);
	xy_pmtu_hint(&w.p, 600, w.now);
	CU_ASSERT_EQUAL(w.p.size, 0); // nothing is sure: all may be cut
	run_for(2);
	CU_ASSERT_EQUAL(w.p.size, 1500);

	begin(1500, V4, 1500); // a true one
	run_for(5);
	w.path = 1420;
	xy_pmtu_hint(&w.p, 1420, w.now);
	CU_ASSERT_EQUAL(w.p.size, 1420);
	run_for(40);
	CU_ASSERT_EQUAL(w.p.size, 1420);
	CU_ASSERT_EQUAL(w.p.state, XY_PMTU_COMPLETE);
	w.path = 1500;
	xy_pmtu_hint(&w.p, 0, w.now); // it has expired
	run_for(1);
	CU_ASSERT_EQUAL(w.p.size, 1500);
}

// The interface or the route changes.
static void test_limit(void)
{
	begin(1500, V4, 1500);
	run_for(5);
	xy_pmtu_limit(&w.p, 1400);
	CU_ASSERT_EQUAL(w.p.size, 1400);
	run_for(2);
	CU_ASSERT(w.p.confirmed);
	CU_ASSERT_EQUAL(w.p.size, 1400);
	xy_pmtu_limit(&w.p, 1500);
	CU_ASSERT_EQUAL(w.p.size, 1400); // not before it was asked
	run_for(1);
	CU_ASSERT_EQUAL(w.p.size, 1500);
	xy_pmtu_limit(&w.p, 1280);
	run_for(2);
	CU_ASSERT_EQUAL(w.p.size, 1280);
	CU_ASSERT_EQUAL(w.p.pieces, XY_PMTU_PIECES_PASS); // 1352 inside must pass
	xy_pmtu_limit(&w.p, 576);
	run_for(2);
	CU_ASSERT_EQUAL(w.p.size, 576);
	w.largest = 0;
	xy_pmtu_down(&w.p);
	xy_pmtu_limit(&w.p, 9000);
	CU_ASSERT_EQUAL(w.p.size, 9000);
	xy_pmtu_up(&w.p, w.now);
	run_for(40);
	CU_ASSERT(w.p.size <= 1500 && w.p.size + XY_PMTU_GRAIN > 1500);
}

// Fragments that do not arrive are found out; so is that they do again.
static void test_pieces(void)
{
	begin(1500, V6, 1400);
	w.cuts = false;
	run_for(60);
	CU_ASSERT_EQUAL(w.p.size, 1400);
	CU_ASSERT_EQUAL(w.p.pieces, XY_PMTU_PIECES_LOST);
	w.cuts = true;
	run_for(700);
	CU_ASSERT_EQUAL(w.p.pieces, XY_PMTU_PIECES_PASS);
	begin(1500, V4, 1000); // not even the base; it is tried again
	run_for(60);
	CU_ASSERT_EQUAL(w.p.state, XY_PMTU_ERROR);
	CU_ASSERT_EQUAL(w.p.size, 0);
	CU_ASSERT_EQUAL(w.p.pieces, XY_PMTU_PIECES_PASS);
	w.path = 1500;
	run_for(120);
	CU_ASSERT_EQUAL(w.p.state, XY_PMTU_COMPLETE);
	CU_ASSERT(w.p.size >= 1280);
}

// Answers that come late, twice, or to nothing.
static void test_strange(void)
{
	struct xy_pmtu_probe probe;
	begin(1500, V4, 1500);
	xy_pmtu_acked(&w.p, 1500, w.now);
	CU_ASSERT_FALSE(w.p.confirmed);
	w.now += XY_SEC;
	CU_ASSERT_FATAL(xy_pmtu_run(&w.p, &w.seen, w.now, &probe));
	xy_pmtu_acked(&w.p, 9000, w.now);
	CU_ASSERT_FALSE(w.p.confirmed);
	xy_pmtu_acked(&w.p, 1500, w.now);
	xy_pmtu_acked(&w.p, 1500, w.now);
	CU_ASSERT_EQUAL(w.p.size, 1500);
	xy_pmtu_down(&w.p);
	xy_pmtu_acked(&w.p, 1500, w.now);
	xy_pmtu_hint(&w.p, 600, w.now);
	CU_ASSERT_EQUAL(w.p.size, 1500);
	w.seen.rtt = 5 * XY_SEC; // a probe is given its round trip
	xy_pmtu_reset(&w.p, 1500, NODE + V4, w.now);
	xy_pmtu_up(&w.p, w.now);
	CU_ASSERT(xy_pmtu_run(&w.p, &w.seen, w.now, &probe));
	w.seen.heard = w.now + XY_SEC;
	CU_ASSERT_FALSE(xy_pmtu_run(&w.p, &w.seen, w.now + 10 * XY_SEC, &probe));
	CU_ASSERT_EQUAL(w.p.lost, 0);
}

XY_UNIT_MAIN("pmtu", {"an ordinary path", test_whole}, {"black holes", test_black_holes},
	     {"a path that changes", test_change}, {"a peer that is gone", test_dead},
	     {"down and up", test_down}, {"loss", test_lossy}, {"ICMP", test_hint},
	     {"the route changes", test_limit}, {"fragments", test_pieces},
	     {"strange answers", test_strange})
