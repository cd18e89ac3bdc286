// SPDX-License-Identifier: BSD-3-Clause
// A backbone relay: a thousand neighbours, of which sixteen bring full tables, a hundred thousand
// routes together, and the others are stubs. Steps are counted, never time (babel_load_test.c).
#define RIG_LINKS 1000
#include "babel/state.h"
#include "babel_rig.h"

enum { FULL = 16, EACH = 6250, STEPS = 4000 };

// Mappings of the neighbour's key, which nobody verifies.
static void feed(struct rig *r, uint16_t link, unsigned count)
{
	uint8_t data[1232];
	struct xy_babel_builder p;
	struct xy_babel_update u = {.interval = 60000,
				    .seqno = 1,
				    .metric = 100,
				    .has_rid = true,
				    .rid = 1000u + link,
				    .has_origin = true,
				    .origin = {.epoch = 7, .key = {9, (uint8_t)link, link >> 8}}};
	for (unsigned i = 0; i < count;) {
		xy_babel_build(&p, data, sizeof(data), &r->peers[link]);
		for (; i < count; i++) {
			u.prefix = (struct xy_prefix){
				{.b = {0x20, 0x01, (uint8_t)(link >> 8), (uint8_t)link,
				       (uint8_t)(i >> 8), (uint8_t)i}},
				48};
			if (!xy_babel_build_update(&p, &u))
				break;
		}
		from_peer(r, link, &p);
		pass(r, 0);
	}
}

static uint64_t updates_sent(const struct rig *r, uint16_t link)
{
	struct xy_babel_link_info info;
	CU_ASSERT_EQUAL_FATAL(xy_babel_link_info(r->b, link, &info), 0);
	CU_ASSERT_TRUE(info.up && info.heard);
	return info.updates_sent;
}

static void test_backbone(void)
{
	struct rig *r = rig_new(false);
	struct xy_babel_stats s;
	r->believe = true;
	for (uint16_t i = 0; i < RIG_LINKS; i++) {
		r->links[i].stub = i >= FULL;
		r->links[i].max_prefixes = i < FULL ? 2 * EACH : 0;
		link_up(r, i);
	}
	pass(r, 15 * XY_SEC);
	for (uint16_t i = 0; i < RIG_LINKS; i++)
		feed(r, i, i < FULL ? EACH : 1);
	pass(r, 60 * XY_SEC);
	xy_babel_stats(r->b, &s);
	CU_ASSERT_EQUAL(s.routes, FULL * EACH + RIG_LINKS - FULL);
	CU_ASSERT_TRUE(r->most_steps > 0 && r->most_steps <= STEPS);
	// Who keeps a full table is told all but his own; a stub the aggregate.
	for (uint16_t i = 0; i < FULL; i++)
		CU_ASSERT_TRUE(updates_sent(r, i) >= s.routes - EACH);
	for (uint16_t i = FULL; i < RIG_LINKS; i++)
		CU_ASSERT_TRUE(updates_sent(r, i) >= 1 && updates_sent(r, i) <= 4);
	// At rest: three steps for each Hello that comes or goes, and nothing for each route.
	uint64_t before = s.steps;
	pass(r, 60 * XY_SEC);
	xy_babel_stats(r->b, &s);
	CU_ASSERT_TRUE(s.steps - before <= 60 * RIG_LINKS);
	printf("\n    %zu bytes a route, %llu steps in the longest call (%.3f ms), %llu in a "
	       "minute at rest",
	       s.bytes / s.routes, (unsigned long long)r->most_steps, 1e3 * r->longest,
	       (unsigned long long)(s.steps - before));
	rig_free(r);
}

// Links on which nobody is cost nothing, whatever one of them does: their number is not walked
// over.
static void test_many_idle(void)
{
	enum { IDLE = 60000, STEPS_EACH = 40 };
	struct rig *r = rig_new(false);
	const struct xy_babel_link plain = {.stub = true};
	struct xy_babel_stats s;
	for (uint16_t i = 0; i < IDLE; i++)
		CU_ASSERT_EQUAL_FATAL(xy_babel_link_add(r->b, i, &plain, r->now), 0);
	pass(r, XY_SEC);
	xy_babel_stats(r->b, &s);
	uint64_t before = s.steps;
	for (uint16_t i = 0; i < 100; i++) {
		xy_babel_link_remove(r->b, 500 * i, r->now);
		pass(r, 10 * XY_MSEC);
	}
	xy_babel_stats(r->b, &s);
	CU_ASSERT_TRUE(s.steps - before <= 100 * STEPS_EACH);
	printf("\n    %llu steps for each of 100 that went",
	       (unsigned long long)(s.steps - before) / 100);
	rig_free(r);
}

// Most of them go while they are being told of a change, and one is removed.
static void test_gone_while_told(void)
{
	enum { LEFT = 300 };
	struct rig *r = rig_new(false);
	const struct xy_prefix p = prefix("2001:db8::/48");
	r->believe = true;
	for (uint16_t i = 0; i < RIG_LINKS; i++)
		link_up(r, i);
	pass(r, 75 * XY_SEC);
	xy_babel_announce(r->b, &p, r->now);
	act(r);
	for (unsigned i = 0; !r->b->telling && i < 100000; i++) {
		xy_nsec at = xy_babel_deadline(r->b);
		r->now = at > r->now ? at : r->now;
		xy_babel_poll(r->b, r->now);
		act(r);
	}
	CU_ASSERT(r->b->telling && r->b->tell_left > LEFT);
	for (uint16_t i = RIG_LINKS - 1; i >= LEFT; i--) {
		xy_babel_link_down(r->b, i, r->now);
		r->up[i] = false;
	}
	xy_babel_link_remove(r->b, LEFT, r->now);
	CU_ASSERT(r->b->tell_left <= r->b->up_count && r->b->up_count == LEFT);
	pass(r, 30 * XY_SEC);
	for (uint16_t i = 0; i < LEFT; i++)
		CU_ASSERT_TRUE(updates_sent(r, i) >= 1);
	rig_free(r);
}

XY_UNIT_MAIN("babel_wide", {"a thousand neighbours", test_backbone},
	     {"many on which nobody is", test_many_idle}, {"gone while told", test_gone_while_told})
