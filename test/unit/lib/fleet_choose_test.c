// SPDX-License-Identifier: BSD-3-Clause
// Whom to link to: each rule alone, that both ends of ring and finger agree, that a choice stands
// still, and that nobody who does not answer keeps others apart.
#include "fleet/choose.h"
#include "unit.h"

#include <stdlib.h>

enum { MOST = 300 };

static struct xy_key key_of(unsigned n)
{
	struct xy_key k = {{(uint8_t)n, (uint8_t)(n >> 8), 1}};
	return k;
}

struct rig {
	struct xy_fleet_node node[MOST];
	enum xy_fleet_why out[MOST];
	struct xy_fleet_choice c;
	unsigned count;
};

static struct rig *begin(unsigned count, unsigned self)
{
	struct rig *g = calloc(1, sizeof(*g));
	g->count = count;
	g->c = (struct xy_fleet_choice){.self = key_of(self), .now = 10000, .seed = 7};
	for (unsigned i = 0; i < count; i++)
		g->node[i].key = key_of(i);
	return g;
}

static unsigned choose(struct rig *g)
{
	unsigned n = 0;
	xy_fleet_choose(&g->c, g->node, g->count, g->out);
	for (unsigned i = 0; i < g->count; i++)
		n += g->out[i] != XY_FLEET_WHY_NOT;
	return n;
}

static unsigned with(const struct rig *g, enum xy_fleet_why why)
{
	unsigned n = 0;
	for (unsigned i = 0; i < g->count; i++)
		n += g->out[i] == why;
	return n;
}

// What the choice was is what is there when it is made again.
static void settle(struct rig *g)
{
	for (unsigned i = 0; i < g->count; i++) {
		if (g->node[i].was != g->out[i])
			g->node[i].since = g->c.now;
		if (g->out[i] == XY_FLEET_WHY_TRIAL && g->node[i].was != XY_FLEET_WHY_TRIAL)
			g->node[i].tried = g->c.now;
		g->node[i].was = g->out[i];
	}
}

static void test_vector(void) // both ends must agree, so it may never change
{
	struct xy_key k = key_of(0);
	CU_ASSERT(xy_fleet_ring(&k) == UINT64_C(0x6665080b31fdfb19));
	CU_ASSERT(xy_fleet_finger(&k) == UINT64_C(0x13adb23814ce263b));
}

static void test_few(void)
{
	struct rig *g = begin(0, 0);
	CU_ASSERT(choose(g) == 0);
	free(g);
	g = begin(1, 0); // we ourselves
	CU_ASSERT(choose(g) == 0);
	free(g);
	for (unsigned count = 2; count < 5; count++) {
		g = begin(count, 0);
		CU_ASSERT(choose(g) >= (count < 3 ? 1 : 2) && g->out[0] == XY_FLEET_WHY_NOT);
		CU_ASSERT(with(g, XY_FLEET_WHY_RING) == (count < 3 ? 1 : 2));
		free(g);
	}
}

// Whoever has me in the ring or as a finger, I have him.
static void test_both_ends(void)
{
	enum { N = 120 };
	static bool has[N][N];
	for (unsigned self = 0; self < N; self++) {
		struct rig *g = begin(N, self);
		choose(g);
		for (unsigned i = 0; i < N; i++)
			has[self][i] = g->out[i] != XY_FLEET_WHY_NOT;
		CU_ASSERT(with(g, XY_FLEET_WHY_RING) == 2 && with(g, XY_FLEET_WHY_NEAR) == 0);
		for (unsigned i = 0; i < N; i++) { // what is kept beside is no other
			g->node[i].ring = xy_fleet_ring(&g->node[i].key);
			g->node[i].finger = xy_fleet_finger(&g->node[i].key);
		}
		choose(g);
		for (unsigned i = 0; i < N; i++)
			CU_ASSERT(has[self][i] == (g->out[i] != XY_FLEET_WHY_NOT));
		free(g);
	}
	for (unsigned a = 0; a < N; a++)
		for (unsigned b = 0; b < N; b++)
			CU_ASSERT(has[a][b] == has[b][a]);
}

// Whoever makes keys until their fingers lead to one node.
static void test_fingers_here(void)
{
	struct rig *g = begin(MOST, 0);
	struct xy_key self = key_of(0);
	for (unsigned i = 100; i < MOST; i++)
		g->node[i].finger = xy_fleet_ring(&self) - MOST - 1 + i; // the last is the nearest
	choose(g);
	CU_ASSERT(with(g, XY_FLEET_WHY_FINGER) <= XY_FLEET_FINGERS_HERE + 1);
	CU_ASSERT(g->out[MOST - 1] != XY_FLEET_WHY_NOT && g->out[100] == XY_FLEET_WHY_NOT);
	for (unsigned i = 100; i < 104; i++)
		g->node[i].was = XY_FLEET_WHY_FINGER; // who was there first stays
	choose(g);
	for (unsigned i = 100; i < 104; i++)
		CU_ASSERT(g->out[i] != XY_FLEET_WHY_NOT);
	CU_ASSERT(with(g, XY_FLEET_WHY_FINGER) <= XY_FLEET_FINGERS_HERE + 1);
	free(g);
}

static void test_down(void)
{
	struct rig *g = begin(50, 0);
	choose(g);
	unsigned beside = 0;
	while (g->out[beside] != XY_FLEET_WHY_RING)
		beside++;
	g->node[beside].down = true;
	choose(g);
	CU_ASSERT(with(g, XY_FLEET_WHY_RING) == 3 && g->out[beside] == XY_FLEET_WHY_RING);
	for (unsigned i = 0; i < g->count; i++)
		g->node[i].down = true; // then it is us, and not all are asked
	choose(g);
	CU_ASSERT(with(g, XY_FLEET_WHY_RING) == 2 * (XY_FLEET_RING_PASS + 1));
	free(g);
}

static void test_near(void)
{
	struct rig *g = begin(200, 0);
	g->c.near = 4;
	for (unsigned i = 1; i < 200; i++)
		g->node[i].rtt_us = 1000 * i + 20000;
	choose(g);
	for (unsigned i = 1; i < 5; i++)
		CU_ASSERT(g->out[i] != XY_FLEET_WHY_NOT);
	CU_ASSERT(with(g, XY_FLEET_WHY_NEAR) <= 4);
	for (unsigned i = 5; i < 200; i++)
		CU_ASSERT(g->out[i] != XY_FLEET_WHY_NEAR);
	settle(g);
	g->node[100].rtt_us = 20000; // better than all, but not by a quarter of the fourth
	choose(g);
	CU_ASSERT(g->out[100] == XY_FLEET_WHY_NOT);
	g->node[100].rtt_us = 17000;
	choose(g);
	CU_ASSERT(g->out[100] == XY_FLEET_WHY_NEAR && g->out[4] != XY_FLEET_WHY_NEAR);
	settle(g);
	g->node[100].rtt_us = 24500; // and it stays, though it is now a little worse
	choose(g);
	CU_ASSERT(g->out[100] == XY_FLEET_WHY_NEAR);
	g->node[100].down = true;
	choose(g);
	CU_ASSERT(g->out[100] == XY_FLEET_WHY_NOT && g->out[4] != XY_FLEET_WHY_NOT);
	for (unsigned i = 1; i < 200; i++) // a LAN: 25 % of little is nothing
		g->node[i].rtt_us = 300 + i;
	g->node[100].down = false;
	choose(g);
	settle(g);
	g->node[150].rtt_us = 100;
	choose(g);
	CU_ASSERT(g->out[150] != XY_FLEET_WHY_NEAR);
	g->c.near = 1000; // more than there is room for
	choose(g);
	CU_ASSERT(with(g, XY_FLEET_WHY_NEAR) <= XY_FLEET_NEAR_MOST);
	free(g);
}

static void test_relays(void)
{
	struct rig *g = begin(200, 0);
	for (unsigned i = 10; i < 20; i++)
		g->node[i].relay = true;
	choose(g); // nothing is known of them: two all the same, and always the same two
	CU_ASSERT(with(g, XY_FLEET_WHY_RELAY) >= 1 && with(g, XY_FLEET_WHY_RELAY) <= 2);
	enum xy_fleet_why was[MOST];
	memcpy(was, g->out, sizeof(was));
	choose(g);
	CU_ASSERT(memcmp(was, g->out, sizeof(was)) == 0);
	for (unsigned i = 10; i < 20; i++)
		g->node[i].rtt_us = 1000 * (30 - i);
	choose(g);
	CU_ASSERT(g->out[19] != XY_FLEET_WHY_NOT && g->out[18] != XY_FLEET_WHY_NOT);
	g->node[19].down = true;
	choose(g);
	CU_ASSERT(g->out[17] != XY_FLEET_WHY_NOT);
	g->c.self_relay = true; // then those beside us in their order, both ways
	choose(g);
	CU_ASSERT(with(g, XY_FLEET_WHY_RELAY) >= 1);
	for (unsigned i = 0; i < 200; i++)
		CU_ASSERT(g->out[i] != XY_FLEET_WHY_RELAY || g->node[i].relay);
	free(g);
}

static void test_trials(void)
{
	struct rig *g = begin(MOST, 0);
	unsigned tried = 0, rounds = 0;
	g->c.near = 4;
	for (; rounds < 40; rounds++) {
		choose(g);
		CU_ASSERT(with(g, XY_FLEET_WHY_TRIAL) == XY_FLEET_TRIALS);
		settle(g);
		g->c.now += 5;
		choose(g); // it is under way: no other is begun
		for (unsigned i = 0; i < MOST; i++)
			CU_ASSERT((g->out[i] == XY_FLEET_WHY_TRIAL) ==
				  (g->node[i].was == XY_FLEET_WHY_TRIAL));
		for (unsigned i = 0; i < MOST; i++) // one in two answers
			if (g->node[i].was == XY_FLEET_WHY_TRIAL && ++tried % 2)
				g->node[i].rtt_us = 5000 + tried;
		g->c.now += XY_FLEET_TRIAL_TIME;
	}
	CU_ASSERT(tried == 2 * rounds);
	for (unsigned i = 0; i < MOST; i++) // nobody twice, so soon
		CU_ASSERT(!g->node[i].tried || g->node[i].rtt_us ||
			  g->c.now - g->node[i].tried <= 40 * 25);
	for (unsigned i = 0; i < XY_FLEET_SAMPLE; i++)
		g->node[i].rtt_us = 9000; // enough is known: one at a time, and seldom
	unsigned begun = 0;
	for (unsigned i = 0; i < 60; i++, g->c.now += 10) {
		choose(g);
		for (unsigned k = 0; k < MOST; k++)
			begun += g->out[k] == XY_FLEET_WHY_TRIAL &&
				 g->node[k].was != XY_FLEET_WHY_TRIAL;
		settle(g);
	}
	CU_ASSERT(begun >= 1 && begun <= 3);
	g->c.near = 0;
	choose(g);
	CU_ASSERT(with(g, XY_FLEET_WHY_TRIAL) == 0);
	free(g);
}

static void test_pinned_and_full(void)
{
	struct rig *g = begin(100, 0);
	g->node[40].pinned = g->node[0].pinned = true;
	g->node[40].down = true;
	choose(g);
	CU_ASSERT(g->out[40] == XY_FLEET_WHY_PINNED && g->out[0] == XY_FLEET_WHY_NOT);
	g->c.full = true;
	CU_ASSERT(choose(g) == 99 && g->out[40] == XY_FLEET_WHY_PINNED);
	CU_ASSERT(with(g, XY_FLEET_WHY_FULL) == 98);
	free(g);
}

XY_UNIT_MAIN("fleet_choose", {"vector", test_vector}, {"few", test_few},
	     {"both ends", test_both_ends}, {"fingers here", test_fingers_here},
	     {"down", test_down}, {"near", test_near}, {"relays", test_relays},
	     {"trials", test_trials}, {"pinned and full", test_pinned_and_full})
