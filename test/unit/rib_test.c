// SPDX-License-Identifier: BSD-3-Clause
// The table of routes beside an obvious model: for each prefix what each source wants, the first in
// force.
#include "unit.h"

#include "base/bytes.h"
#include "fake_dataplane.h"
#include "routing/rib.h"

#include <stdlib.h>

enum { PREFIXES = 24, STEPS = 20000, PEERS = 4 };

static struct {
	xy_nsec now;
	struct xy_dp dp;
	struct xy_rib rib;
	bool there[PREFIXES][XY_ROUTE_SOURCES];
	struct xy_dp_route want[PREFIXES][XY_ROUTE_SOURCES];
	unsigned told;
} w;

static struct xy_prefix prefix_at(unsigned i)
{
	// several lengths under one address, and several addresses
	struct xy_prefix p = {.addr.b = {0x20, 0x01, (uint8_t)(i / 3)}};
	p.len = (uint8_t)(24 + 8 * (i % 3));
	return p;
}

static const struct xy_dp_route *model_best(unsigned i)
{
	for (unsigned s = 0; s < XY_ROUTE_SOURCES; s++)
		if (w.there[i][s])
			return &w.want[i][s];
	return NULL;
}

static bool same(const struct xy_dp_route *a, const struct xy_dp_route *b)
{
	return a->kind == b->kind && a->peer == b->peer;
}

static void check_prefix(unsigned i)
{
	char text[XY_PREFIX_STRLEN];
	struct xy_prefix p = prefix_at(i);
	const struct xy_dp_route *want = model_best(i);
	const struct xy_rib_route *best = xy_rib_best(&w.rib, &p);
	const struct fake_route *there = fake_route_find(w.dp.route, xy_prefix_str(&p, text));
	CU_ASSERT_FATAL(!want == !best && !want == !there);
	CU_ASSERT_FATAL(!want || (same(want, &best->route) && same(want, &there->route)));
	for (unsigned s = 0; s < XY_ROUTE_SOURCES; s++)
		CU_ASSERT_FATAL(w.there[i][s] == !!xy_rib_get(&w.rib, &p, s));
}

static int by_prefix(const struct xy_prefix *a, const struct xy_prefix *b)
{
	int c = memcmp(a->addr.b, b->addr.b, sizeof(a->addr.b));
	return c ? c : (int)a->len - (int)b->len;
}

// The walk gives each prefix once, in order.
static void check_walk(void)
{
	unsigned want = 0, n = 0;
	struct xy_prefix last = {0};
	for (unsigned i = 0; i < PREFIXES; i++)
		want += model_best(i) != NULL;
	for (const struct xy_rib_route *r = xy_rib_after(&w.rib, NULL); r;
	     r = xy_rib_after(&w.rib, &r->prefix)) {
		CU_ASSERT_FATAL(!n || by_prefix(&last, &r->prefix) < 0);
		last = r->prefix;
		n++;
	}
	CU_ASSERT_EQUAL(n, want);
}

static void tell(void *arg, const struct xy_rib_route *was, const struct xy_rib_route *is)
{
	CU_ASSERT_FATAL(was || is);
	CU_ASSERT_FATAL(!was || !is || xy_prefix_eq(&was->prefix, &is->prefix));
	w.told++;
}

static void step(unsigned i, unsigned source)
{
	struct xy_rib_route r = {.prefix = prefix_at(i), .source = source};
	r.route = (struct xy_dp_route){.kind = XY_DP_ROUTE_PEER, .peer = (unsigned)rand() % PEERS};
	if (rand() % 3) {
		w.there[i][source] = true;
		w.want[i][source] = r.route;
		CU_ASSERT_EQUAL(xy_rib_set(&w.rib, &r), 0);
	} else {
		w.there[i][source] = false;
		xy_rib_del(&w.rib, &r.prefix, source);
	}
}

static void test_model(void)
{
	srand(1);
	memset(&w, 0, sizeof(w));
	fake_init(&w.dp, &w.now);
	CU_ASSERT_EQUAL_FATAL(xy_rib_init(&w.rib, &w.dp, PEERS), 0);
	w.rib.tell = tell;
	for (unsigned n = 0; n < STEPS; n++) {
		unsigned i = (unsigned)rand() % PREFIXES;
		step(i, (unsigned)rand() % XY_ROUTE_SOURCES);
		check_prefix(i);
		if (n % 64 == 0)
			check_walk();
	}
	CU_ASSERT(w.told > STEPS / 3);
	unsigned commits = w.dp.commits;
	xy_rib_commit(&w.rib);
	xy_rib_commit(&w.rib); // nothing changed
	CU_ASSERT_EQUAL(w.dp.commits, commits + 1);
	xy_rib_clear(&w.rib);
	CU_ASSERT_EQUAL(fake_route_count(w.dp.route), 0);
	CU_ASSERT_EQUAL(w.rib.count, 0);
	xy_rib_fini(&w.rib);
}

// What the dataplane has no room for stands in the table all the same.
static void covered_by(const char *addr, int len, const char *want)
{
	struct xy_addr a;
	char text[XY_PREFIX_STRLEN];
	CU_ASSERT_EQUAL_FATAL(xy_addr_parse(addr, &a), 0);
	const struct xy_rib_route *r = xy_rib_covering(&w.rib, &a, len);
	CU_ASSERT_STRING_EQUAL(r ? xy_prefix_str(&r->prefix, text) : "none", want);
}

static void test_covering(void)
{
	static const char *const there[] = {"::/0", "2001:db8::/32", "2001:db8::7/128",
					    "10.0.0.0/8"};
	memset(&w, 0, sizeof(w));
	fake_init(&w.dp, &w.now);
	CU_ASSERT_EQUAL_FATAL(xy_rib_init(&w.rib, &w.dp, PEERS), 0);
	for (unsigned i = 0; i < XY_ARRAY_SIZE(there); i++) {
		struct xy_rib_route r = {.source = XY_ROUTE_LEARNED,
					 .route = {.kind = XY_DP_ROUTE_HOST}};
		CU_ASSERT_EQUAL_FATAL(xy_prefix_parse(there[i], &r.prefix), 0);
		CU_ASSERT_EQUAL(xy_rib_set(&w.rib, &r), 0);
	}
	covered_by("2001:db8::7", 128, "2001:db8::7/128");
	covered_by("2001:db8::7", 127, "2001:db8::/32");
	covered_by("2001:db8::7", 31, "::/0");
	covered_by("2001:db8::7", -1, "none");
	covered_by("10.9.9.9", 128, "10.0.0.0/8");
	covered_by("10.9.9.9", 103, "none"); // ::/0 is none of IPv4's
	xy_rib_clear(&w.rib);
	xy_rib_fini(&w.rib);
}

static void test_full(void)
{
	memset(&w, 0, sizeof(w));
	fake_init(&w.dp, &w.now);
	CU_ASSERT_EQUAL_FATAL(xy_rib_init(&w.rib, &w.dp, PEERS), 0);
	struct xy_rib_route r = {.source = XY_ROUTE_LEARNED, .route = {.kind = XY_DP_ROUTE_HOST}};
	for (unsigned i = 0; i < FAKE_ROUTES; i++) {
		r.prefix = (struct xy_prefix){.addr.b = {0x20, 0x02, (uint8_t)i}, .len = 32};
		CU_ASSERT_EQUAL(xy_rib_set(&w.rib, &r), 0);
	}
	r.prefix.addr.b[1] = 3;
	CU_ASSERT_EQUAL(xy_rib_set(&w.rib, &r), -ENOSPC);
	CU_ASSERT_PTR_NOT_NULL(xy_rib_best(&w.rib, &r.prefix));
	xy_rib_clear(&w.rib);
	CU_ASSERT_EQUAL(fake_route_count(w.dp.route), 0);
	xy_rib_fini(&w.rib);
}

XY_UNIT_MAIN("rib", {"each step as the model has it", test_model},
	     {"longest prefix", test_covering}, {"a full dataplane", test_full})
