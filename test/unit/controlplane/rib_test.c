// SPDX-License-Identifier: BSD-3-Clause
// The table of routes beside an obvious model: for each prefix what each source wants, the first in
// force.
#include "unit.h"

#include "base/bytes.h"
#include "fake_dataplane.h"
#include "routes/rib.h"

#include <stdlib.h>

enum { PREFIXES = 24, STEPS = 20000, PEERS = 4 };

static struct {
	xy_nsec now;
	struct xy_dp dp;
	struct xy_rib rib;
	bool there[PREFIXES][XY_ROUTE_SOURCES];
	struct xy_dp_route want[PREFIXES][XY_ROUTE_SOURCES];
	uint32_t epoch[PREFIXES][XY_ROUTE_SOURCES]; // of the origin; 0: none
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
	for (unsigned s = 0; s < XY_ROUTE_SOURCES; s++) {
		const struct xy_rib_route *r = xy_rib_get(&w.rib, &p, s);
		CU_ASSERT_FATAL(w.there[i][s] == !!r);
		CU_ASSERT_FATAL(!r || w.epoch[i][s] == (r->origin ? r->origin->epoch : 0));
	}
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
	CU_ASSERT_FATAL(!was || !was->origin);
	w.told++;
}

static void step(unsigned i, unsigned source)
{
	struct xy_rib_route r = {.prefix = prefix_at(i), .source = source};
	struct xy_rib_origin origin = {.has_key = true, .epoch = (uint32_t)rand() % 4};
	r.route = (struct xy_dp_route){.kind = XY_DP_ROUTE_PEER, .peer = (unsigned)rand() % PEERS};
	r.origin = origin.epoch ? &origin : NULL;
	if (rand() % 3) {
		w.there[i][source] = true;
		w.want[i][source] = r.route;
		w.epoch[i][source] = origin.epoch;
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

// --- a full dataplane

enum { MANY = FAKE_ROUTES + 40 };

static struct xy_rib_route many_at(unsigned i, bool yields)
{
	return (struct xy_rib_route){
		.prefix = {.addr.b = {0x20, 0x02, (uint8_t)i}, .len = 32},
		.source = XY_ROUTE_LEARNED,
		.yields = yields,
		.route = {.kind = XY_DP_ROUTE_HOST},
	};
}

static void full_begin(void)
{
	memset(&w, 0, sizeof(w));
	fake_init(&w.dp, &w.now);
	CU_ASSERT_EQUAL_FATAL(xy_rib_init(&w.rib, &w.dp, PEERS), 0);
	for (unsigned i = 0; i < FAKE_ROUTES; i++) {
		struct xy_rib_route r = many_at(i, true);
		CU_ASSERT_EQUAL(xy_rib_set(&w.rib, &r), 0);
	}
}

static void full_end(void)
{
	xy_rib_clear(&w.rib);
	CU_ASSERT_EQUAL(fake_route_count(w.dp.route), 0);
	CU_ASSERT_EQUAL(w.rib.waiting_count, 0);
	CU_ASSERT_PTR_NULL(w.rib.news.head);
	xy_rib_fini(&w.rib);
}

static bool in_force(unsigned i)
{
	char text[XY_PREFIX_STRLEN];
	struct xy_rib_route r = many_at(i, true);
	bool there = fake_route_find(w.dp.route, xy_prefix_str(&r.prefix, text));
	CU_ASSERT_EQUAL(there, xy_rib_best(&w.rib, &r.prefix) != NULL);
	return there;
}

static void news_is(unsigned i, bool room)
{
	struct xy_prefix p;
	bool there;
	struct xy_rib_route r = many_at(i, true);
	CU_ASSERT_FATAL(xy_rib_room_news(&w.rib, &p, &there));
	CU_ASSERT(xy_prefix_eq(&p, &r.prefix) && there == room);
}

// What found no room has it when another goes, first come first served; who brought it hears of
// both.
static void test_full(void)
{
	struct xy_prefix p;
	bool room;
	full_begin();
	for (unsigned i = FAKE_ROUTES; i < FAKE_ROUTES + 3; i++) {
		struct xy_rib_route r = many_at(i, true);
		CU_ASSERT_EQUAL(xy_rib_set(&w.rib, &r), -ENOSPC);
		CU_ASSERT_FALSE(in_force(i));
		CU_ASSERT_PTR_NOT_NULL(xy_rib_get(&w.rib, &r.prefix, r.source));
		news_is(i, false);
	}
	CU_ASSERT_EQUAL(w.rib.waiting_count, 3);
	struct xy_rib_route gone = many_at(7, true), left = many_at(FAKE_ROUTES + 1, true);
	xy_rib_del(&w.rib, &left.prefix, left.source); // who waits no longer is passed over
	xy_rib_del(&w.rib, &gone.prefix, gone.source);
	CU_ASSERT(in_force(FAKE_ROUTES));
	CU_ASSERT_FALSE(in_force(FAKE_ROUTES + 2));
	news_is(FAKE_ROUTES, true);
	CU_ASSERT_FALSE(xy_rib_room_news(&w.rib, &p, &room));
	gone = many_at(9, true);
	xy_rib_del(&w.rib, &gone.prefix, gone.source);
	CU_ASSERT(in_force(FAKE_ROUTES + 2));
	CU_ASSERT_EQUAL(w.rib.waiting_count, 0);
	full_end();
}

// What does not yield has the place of the latest that does, and that one has the next.
static void test_yield(void)
{
	full_begin();
	struct xy_rib_route r = many_at(FAKE_ROUTES, false), gone = many_at(1, true);
	CU_ASSERT_EQUAL(xy_rib_set(&w.rib, &r), 0);
	CU_ASSERT(in_force(FAKE_ROUTES));
	CU_ASSERT_FALSE(in_force(FAKE_ROUTES - 1));
	news_is(FAKE_ROUTES - 1, false);
	r = many_at(FAKE_ROUTES + 1, false);
	r.source = XY_ROUTE_STATIC;
	CU_ASSERT_EQUAL(xy_rib_set(&w.rib, &r), 0);
	CU_ASSERT_FALSE(in_force(FAKE_ROUTES - 2));
	CU_ASSERT(in_force(FAKE_ROUTES - 3));
	xy_rib_del(&w.rib, &gone.prefix, gone.source);
	CU_ASSERT(in_force(FAKE_ROUTES - 2));
	full_end();
}

static void full_step(unsigned i, unsigned source)
{
	struct xy_rib_route r = many_at(i, source == XY_ROUTE_LEARNED && i % 2);
	r.source = source;
	r.route = (struct xy_dp_route){.kind = XY_DP_ROUTE_PEER, .peer = (unsigned)rand() % PEERS};
	if (rand() % 3)
		xy_rib_set(&w.rib, &r);
	else
		xy_rib_del(&w.rib, &r.prefix, source);
}

// At every moment: no place is free while somebody waits, and nobody waits for a place that
// yields.
static void full_check(void)
{
	unsigned there = 0, wait_firm = 0, there_soft = 0, wanted = 0;
	for (unsigned i = 0; i < MANY; i++) {
		struct xy_rib_route r = many_at(i, true);
		const struct xy_rib_route *best = xy_rib_get(&w.rib, &r.prefix, XY_ROUTE_STATIC);
		best = best ? best : xy_rib_get(&w.rib, &r.prefix, XY_ROUTE_LEARNED);
		bool is = in_force(i);
		wanted += best != NULL;
		there += is;
		there_soft += is && best->yields;
		wait_firm += best && !is && !best->yields;
	}
	CU_ASSERT_EQUAL_FATAL(there, wanted < FAKE_ROUTES ? wanted : FAKE_ROUTES);
	CU_ASSERT_EQUAL_FATAL(w.rib.waiting_count, wanted - there);
	CU_ASSERT_FATAL(!wait_firm || !there_soft);
}

static void test_full_model(void)
{
	srand(2);
	full_begin();
	for (unsigned n = 0; n < STEPS / 2; n++) {
		full_step((unsigned)rand() % MANY, rand() % 4 ? XY_ROUTE_LEARNED : XY_ROUTE_STATIC);
		if (n % 16 == 0)
			full_check();
	}
	full_end();
}

// --- no memory

static int fail_after = -1; // so many more allocations work, and then none; -1: all

static bool may_allocate(void)
{
	return fail_after < 0 || (fail_after > 0 && fail_after--);
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
	return may_allocate() ? __real_malloc(size) : NULL;
}

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
	return may_allocate() ? __real_calloc(n, size) : NULL;
}

static int resolve(void *arg, const struct xy_rib_route *r, struct xy_dp_route *out)
{
	*out = (struct xy_dp_route){.kind = XY_DP_ROUTE_FAR, .peer = r->origin->key.b[0]};
	return 0;
}

static void release(void *arg, uint32_t far)
{
}

static int set_failing(const struct xy_rib_route *r)
{
	fail_after = 0;
	int e = xy_rib_set(&w.rib, r);
	fail_after = -1;
	return e;
}

static void memory_begin(struct xy_rib_route *r, const char *prefix)
{
	memset(&w, 0, sizeof(w));
	fake_init(&w.dp, &w.now);
	CU_ASSERT_EQUAL_FATAL(xy_rib_init(&w.rib, &w.dp, PEERS), 0);
	w.rib.seal = (struct xy_rib_seal_ops){.resolve = resolve, .release = release};
	CU_ASSERT_EQUAL_FATAL(xy_prefix_parse(prefix, &r->prefix), 0);
}

static void memory_end(void)
{
	xy_rib_clear(&w.rib);
	CU_ASSERT_EQUAL(fake_route_count(w.dp.route), 0);
	xy_rib_fini(&w.rib);
}

// Whom a route is sealed for needs no memory of its own: what is there, is there with its owner.
static void test_owner_kept(void)
{
	const struct xy_rib_origin owner = {.has_key = true, .key = {{9}}, .epoch = 1};
	struct xy_rib_route r = {.source = XY_ROUTE_STATIC,
				 .route = {.kind = XY_DP_ROUTE_PEER, .peer = 1},
				 .origin = &owner};
	memory_begin(&r, "10.0.0.0/8");
	CU_ASSERT_EQUAL(set_failing(&r), -ENOMEM);
	CU_ASSERT(w.rib.count == 0 && fake_route_count(w.dp.route) == 0);
	r.origin = NULL;
	CU_ASSERT_EQUAL(xy_rib_set(&w.rib, &r), 0);
	const struct fake_route *told = fake_route_find(w.dp.route, "10.0.0.0/8");
	CU_ASSERT_FATAL(told && told->route.kind == XY_DP_ROUTE_PEER);
	r.origin = &owner;
	CU_ASSERT_EQUAL(set_failing(&r), 0);
	CU_ASSERT(told->route.kind == XY_DP_ROUTE_FAR && told->route.peer == 9);
	const struct xy_rib_route *kept = xy_rib_get(&w.rib, &r.prefix, r.source);
	CU_ASSERT_FATAL(kept && kept->origin && kept->origin != &owner);
	CU_ASSERT(kept->origin->key.b[0] == 9 && kept->origin->epoch == 1);
	CU_ASSERT_EQUAL(set_failing(kept), 0); // itself
	CU_ASSERT(kept->origin && kept->origin->key.b[0] == 9);
	r.origin = NULL;
	CU_ASSERT_EQUAL(set_failing(&r), 0);
	CU_ASSERT(told->route.kind == XY_DP_ROUTE_PEER && !kept->origin);
	memory_end();
}

// What the dataplane had no memory for is tried again, though no route goes that would make room.
static void test_memory_again(void)
{
	const struct xy_rib_origin owner = {.has_key = true, .key = {{9}}, .epoch = 1};
	struct xy_rib_route r = {.source = XY_ROUTE_LEARNED,
				 .route = {.kind = XY_DP_ROUTE_PEER, .peer = 1},
				 .origin = &owner};
	struct xy_prefix p;
	bool room;
	memory_begin(&r, "10.0.0.0/8");
	CU_ASSERT_FALSE(xy_rib_wants_again(&w.rib));
	w.dp.no_memory = true;
	CU_ASSERT_EQUAL(xy_rib_set(&w.rib, &r), -ENOMEM);
	r.origin = NULL;
	CU_ASSERT_EQUAL_FATAL(xy_prefix_parse("2001:db8::/32", &r.prefix), 0);
	CU_ASSERT_EQUAL(xy_rib_set(&w.rib, &r), -ENOMEM);
	CU_ASSERT(w.rib.waiting_count == 2 && xy_rib_wants_again(&w.rib));
	CU_ASSERT(xy_rib_room_news(&w.rib, &p, &room) && !room);
	xy_rib_again(&w.rib, 9); // there is none yet
	CU_ASSERT(w.rib.waiting_count == 2 && xy_rib_wants_again(&w.rib));
	CU_ASSERT_EQUAL(fake_route_count(w.dp.route), 0);
	w.dp.no_memory = false;
	xy_rib_again(&w.rib, 1);
	const struct fake_route *told = fake_route_find(w.dp.route, "10.0.0.0/8");
	CU_ASSERT_FATAL(told && told->route.kind == XY_DP_ROUTE_FAR);
	CU_ASSERT(w.rib.waiting_count == 1 && xy_rib_wants_again(&w.rib));
	xy_rib_again(&w.rib, 9);
	CU_ASSERT(w.rib.waiting_count == 0 && !xy_rib_wants_again(&w.rib));
	CU_ASSERT_EQUAL(fake_route_count(w.dp.route), 2);
	bool told_room = false;
	while (xy_rib_room_news(&w.rib, &p, &room))
		told_room = room;
	CU_ASSERT(told_room);
	// Where it is room that is lacking, nothing is tried: a route that goes tells.
	w.dp.room = 2;
	CU_ASSERT_EQUAL_FATAL(xy_prefix_parse("2001:db9::/32", &r.prefix), 0);
	CU_ASSERT_EQUAL(xy_rib_set(&w.rib, &r), -ENOSPC);
	CU_ASSERT(w.rib.waiting_count == 1 && !xy_rib_wants_again(&w.rib));
	memory_end();
}

XY_UNIT_MAIN("rib", {"each step as the model has it", test_model},
	     {"longest prefix", test_covering}, {"a full dataplane", test_full},
	     {"who yields", test_yield}, {"full, as the model has it", test_full_model},
	     {"an owner needs no memory", test_owner_kept},
	     {"no memory is not for ever", test_memory_again})
