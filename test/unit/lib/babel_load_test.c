// SPDX-License-Identifier: BSD-3-Clause
// No call computes for long, whatever happens to a large table: what would is cut into slices.
// Steps are counted (routes, log entries, Updates looked at), never time, so the machine does not
// matter. Each case prints its longest call for people to look at.
#include "babel_rig.h"

#include "babel/pool.h"
#include "babel/state.h"

enum {
	MANY = 20000,
	STEPS = 4000, // two budgets and what one packet can bring; far below MANY
};

static const struct xy_prefix everything[] = {{.len = 0}};

static struct xy_prefix nth(unsigned i)
{
	return (struct xy_prefix){
		{.b = {0x20, 0x01, 0x0d, 0xb8, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}},
		64};
}

static struct rig *load_rig(void)
{
	struct rig *r = rig_new(false);
	r->believe = true;
	for (uint16_t i = 0; i < 3; i++) { // 0 and 1 into plain domains, 2 and 3 in the mesh
		r->links[i].plain = i < 2;
		r->links[i].tag = i;
		r->links[i].accept = r->links[i].announce = everything;
		r->links[i].accept_count = r->links[i].announce_count = 1;
	}
	for (uint16_t i = 0; i < 4; i++) {
		r->links[i].max_prefixes = 2 * MANY;
		link_up(r, i);
	}
	pass(r, 15 * XY_SEC);
	r->most_steps = 0;
	r->longest = 0;
	return r;
}

// Full packets of Updates, as fast as they are taken.
static void feed(struct rig *r, uint16_t link, const struct xy_babel_update *like)
{
	uint8_t data[1232];
	struct xy_babel_builder p;
	for (unsigned i = 0; i < MANY;) {
		xy_babel_build(&p, data, sizeof(data), &r->peers[link]);
		for (; i < MANY; i++) {
			struct xy_babel_update u = *like;
			u.prefix = nth(i);
			if (!xy_babel_build_update(&p, &u))
				break;
		}
		from_peer(r, link, &p);
		pass(r, 0);
	}
}

static void feed_plain(struct rig *r, uint16_t link, uint16_t metric)
{
	feed(r, link,
	     &(struct xy_babel_update){
		     .interval = 60000, .seqno = 1, .metric = metric, .has_rid = true, .rid = 77});
}

// Mappings of one key that nobody verifies.
static void feed_signed(struct rig *r, uint16_t link, uint32_t epoch, uint16_t metric)
{
	struct xy_babel_update u = {.interval = 60000,
				    .seqno = 1,
				    .metric = metric,
				    .has_rid = true,
				    .rid = 1000 + epoch,
				    .has_origin = true,
				    .origin = {.epoch = epoch, .key = {9}}};
	feed(r, link, &u);
}

static unsigned routes(const struct rig *r)
{
	struct xy_babel_stats s;
	xy_babel_stats(r->b, &s);
	return s.routes;
}

static void bounded(struct rig *r, const char *what)
{
	printf("\n    %-28s %6llu steps, %.3f ms", what, (unsigned long long)r->most_steps,
	       1e3 * r->longest);
	CU_ASSERT_TRUE(r->most_steps > 0 && r->most_steps <= STEPS);
	r->most_steps = 0;
	r->longest = 0;
}

static void wildcard(struct rig *r, uint16_t link)
{
	tell(r, link,
	     &(struct xy_babel_update){
		     .wildcard = true, .interval = 6000, .metric = XY_BABEL_INFINITY});
}

// A neighbour brings its table; it is passed on; it is asked for again.
static void test_table(void)
{
	struct rig *r = load_rig();
	feed_plain(r, 0, 100);
	bounded(r, "feed");
	pass(r, 30 * XY_SEC);
	bounded(r, "passed on to three");
	CU_ASSERT_EQUAL(routes(r), MANY);
	uint8_t data[32];
	struct xy_babel_builder p;
	xy_babel_build(&p, data, sizeof(data), &r->peers[2]);
	xy_babel_build_route_request(&p, &(struct xy_babel_request){.wildcard = true});
	from_peer(r, 2, &p);
	pass(r, 30 * XY_SEC);
	bounded(r, "full table");
	begin(r);
	xy_babel_link_cost(r->b, 0, 300, r->now);
	done(r);
	pass(r, 60 * XY_SEC);
	bounded(r, "change of cost");
	CU_ASSERT_TRUE(said(r, 2, &(struct xy_prefix){nth(7).addr, 64}) != NULL);
	rig_free(r);
}

// The table goes: by a wildcard, with the link, with the link's removal while its number is taken
// again, and what comes anew meanwhile is not lost.
static void test_loss(void)
{
	struct rig *r = load_rig();
	feed_plain(r, 0, 100);
	pass(r, 30 * XY_SEC);
	r->most_steps = 0;
	wildcard(r, 0);
	pass(r, 0);
	bounded(r, "wildcard retraction");
	CU_ASSERT_EQUAL(routes(r), 0);
	feed_plain(r, 0, 90); // before everyone has heard of the retraction
	wildcard(r, 0);
	struct xy_prefix p = nth(3);
	plain_update(r, 0, &p, 78, 100); // overtakes the slices
	wildcard(r, 0);
	plain_update(r, 0, &p, 78, 100);
	pass(r, 30 * XY_SEC);
	bounded(r, "retraction in flight");
	CU_ASSERT_EQUAL(routes(r), 1);
	CU_ASSERT_EQUAL(metric_to(r, &p), 196);
	feed_plain(r, 0, 80);
	begin(r);
	xy_babel_link_down(r->b, 0, r->now);
	done(r);
	xy_babel_link_up(r->b, 0, r->now);
	pass(r, 30 * XY_SEC);
	bounded(r, "link down");
	CU_ASSERT_EQUAL(routes(r), 0);
	feed_plain(r, 0, 70);
	feed_plain(r, 1, 300);
	pass(r, 30 * XY_SEC);
	begin(r);
	xy_babel_link_remove(r->b, 0, r->now);
	done(r);
	link_up(r, 0);
	struct xy_babel_link_info info;
	CU_ASSERT_TRUE(xy_babel_link_info(r->b, 0, &info) == 0 && info.routes == 0);
	plain_update(r, 0, &p, 79, 5);
	pass(r, 30 * XY_SEC);
	bounded(r, "link removed, added again");
	CU_ASSERT_EQUAL(routes(r), MANY + 1);
	xy_babel_link_remove(r->b, 1, r->now);
	xy_babel_link_remove(r->b, 0, r->now);
	r->up[0] = r->up[1] = false;
	pass(r, 600 * XY_SEC);
	bounded(r, "all removed, held, forgotten");
	struct xy_babel_stats s;
	xy_babel_stats(r->b, &s);
	CU_ASSERT_TRUE(s.routes == 0 && s.sources == 0 && s.links == 2 && s.prefixes <= 2);
	rig_free(r);
}

// Our epoch rises over all that we brought into the mesh.
static void test_own_epoch(void)
{
	struct rig *r = load_rig();
	feed_plain(r, 0, 100);
	pass(r, 30 * XY_SEC);
	struct xy_prefix mine = prefix("2001:db9::/48");
	xy_babel_announce(r->b, &mine, r->now);
	xy_babel_withdraw(r->b, &mine, r->now);
	r->most_steps = 0;
	unsigned before = r->signs;
	pass(r, 60 * XY_SEC);
	bounded(r, "our epoch");
	CU_ASSERT_EQUAL(r->signs - before, MANY + 2); // and our /64; what is withdrawn, before that
	rig_free(r);
}

// As who shows them does: so many rows, or places without one, at a time.
static unsigned walk_mappings(struct rig *r, const struct xy_prefix *in, const char *what)
{
	struct xy_babel_mapping m;
	unsigned found = 0, slices = 0;
	uint32_t at = 0;
	r->longest = 0;
	for (; !slices || at; slices++) {
		unsigned left = 4096, rows = 0;
		begin(r);
		while (rows < 64 && xy_babel_mapping_next(r->b, &at, &left, in, r->now, &m))
			rows++;
		done(r);
		found += rows;
	}
	printf("\n    %-28s %6u slices, %.3f ms", what, slices, 1e3 * r->longest);
	r->longest = 0;
	return found;
}

// One origin with many mappings: accept lists, its new epoch, its end.
static void test_mappings(void)
{
	struct rig *r = load_rig();
	r->now += XY_SEC;
	feed_signed(r, 2, 50, 100);
	feed_signed(r, 3, 50, 200);
	pass(r, 30 * XY_SEC);
	bounded(r, "mappings from two");
	CU_ASSERT_EQUAL(routes(r), 2 * MANY);
	unsigned before = r->route_actions;
	struct xy_babel_accept list = {.key = {{9}}};
	begin(r);
	xy_babel_accept(r->b, &list, 1, r->now);
	done(r);
	pass(r, XY_SEC);
	bounded(r, "accepted");
	CU_ASSERT_EQUAL(r->route_actions - before, MANY);
	const struct xy_prefix none = nth(MANY);
	CU_ASSERT_EQUAL(walk_mappings(r, NULL, "shown"), MANY);
	CU_ASSERT_EQUAL(walk_mappings(r, &none, "shown, of which none fits"), 0);
	struct xy_babel_update u = {.prefix = nth(0),
				    .interval = 60000,
				    .metric = 100,
				    .has_rid = true,
				    .rid = 1051,
				    .has_origin = true,
				    .origin = {.epoch = 51, .key = {9}}};
	tell(r, 2, &u);
	pass(r, 30 * XY_SEC);
	bounded(r, "its new epoch");
	CU_ASSERT_TRUE(routes(r) >= 2 * MANY - 2);
	pass(r, 40 * XY_SEC);
	bounded(r, "its older routes retired");
	CU_ASSERT_EQUAL(routes(r), 1);
	CU_ASSERT_EQUAL(metric_to(r, &u.prefix), 196);
	rig_free(r);
}

// ---- a stub in a network of 10,000 ----

enum { NODES = 10000, ACTIVE = 20 };

static struct xy_key nth_key(unsigned i)
{
	return (struct xy_key){{1, (uint8_t)(i >> 8), (uint8_t)i, 5}};
}

static void feed_nodes(struct rig *r, uint16_t link)
{
	for (unsigned i = 0; i < NODES; i++) {
		struct xy_key key = nth_key(i);
		struct xy_babel_update u = {.prefix = xy_key_prefix(&key),
					    .interval = 60000,
					    .metric = 100,
					    .has_rid = true,
					    .rid = 5000 + i,
					    .has_origin = true,
					    .origin = {.epoch = 9}};
		memcpy(u.origin.key, key.b, 32);
		tell(r, link, &u);
	}
}

static void together(struct rig *r, struct rig *s, xy_nsec span)
{
	static unsigned turn;
	for (xy_nsec end = r->now + span; r->now < end;) {
		pass(r, XY_SEC / 10);
		s->now = s->now > r->now - XY_SEC / 10 ? s->now : r->now - XY_SEC / 10;
		pass(s, r->now - s->now);
		if (turn++ % 40 == 0)
			greet(r, 0);
	}
}

static struct xy_babel_stats stats(const struct rig *r)
{
	struct xy_babel_stats s;
	xy_babel_stats(r->b, &s);
	return s;
}

// It holds what it sends to, hears of changes there and of nothing else, and lets it go.
static void test_stub_of_many(void)
{
	struct rig *r = rig_new(false), *s = rig_of(identity(2), true);
	r->believe = s->believe = true;
	r->links[1].stub = s->links[1].relay = true;
	s->links[1].local.b[13] = 3;
	r->joined[1] = s;
	s->joined[1] = r;
	link_up(r, 0);
	for (struct rig *k = r; k; k = k == r ? s : NULL) {
		CU_ASSERT_EQUAL(xy_babel_link_add(k->b, 1, &k->links[1], k->now), 0);
		xy_babel_link_up(k->b, 1, k->now);
	}
	together(r, s, 15 * XY_SEC);
	feed_nodes(r, 0);
	together(r, s, 10 * XY_SEC);
	CU_ASSERT_EQUAL(stats(r).routes, NODES + 1); // and the stub's own
	CU_ASSERT_EQUAL(stats(s).routes, 2);	     // the aggregate, and the relay's own
	for (unsigned i = 0; i < ACTIVE; i++) {
		struct xy_key key = nth_key(17 * i);
		struct xy_addr a = xy_key_addr(&key);
		CU_ASSERT_EQUAL(xy_babel_want(s->b, &a, i, s->now), -EAGAIN);
	}
	together(r, s, 3 * XY_SEC);
	CU_ASSERT_EQUAL(stats(s).routes, ACTIVE + 2);
	printf("\n    relay %zu bytes, stub %zu", stats(r).bytes, stats(s).bytes);
	CU_ASSERT_TRUE(stats(s).bytes < stats(r).bytes / 20);
	unsigned before = s->route_actions;
	struct xy_key key = nth_key(17);
	struct xy_prefix p = xy_key_prefix(&key);
	CU_ASSERT_EQUAL(metric_to(s, &p), 292);
	retract(r, 0, &p);
	key = nth_key(18);
	struct xy_prefix q = xy_key_prefix(&key);
	retract(r, 0, &q);
	together(r, s, 2 * XY_SEC);
	CU_ASSERT_EQUAL(metric_to(s, &p), XY_BABEL_INFINITY);
	CU_ASSERT_TRUE(s->route_actions > before && s->route_actions <= before + 2);
	together(r, s, 330 * XY_SEC);
	CU_ASSERT_EQUAL(stats(s).routes, 2);
	CU_ASSERT_TRUE(stats(r).routes >= NODES - 2);
	rig_free(r);
	rig_free(s);
}

// Links without end come and go, none of them up: no call looks at all of them.
static void test_many_links(void)
{
	struct rig *r = load_rig();
	for (int round = 0; round < 2; round++) {
		for (uint16_t i = 0; i < MANY; i++) {
			begin(r);
			CU_ASSERT_EQUAL(xy_babel_link_add(r->b, 10 + i, &r->links[4], r->now), 0);
			done(r);
		}
		CU_ASSERT_EQUAL(stats(r).links, MANY + 4);
		for (uint16_t i = 0; i < MANY; i++)
			xy_babel_link_remove(r->b, 10 + i, r->now);
		pass(r, XY_SEC);
		CU_ASSERT_EQUAL(stats(r).links, 4);
	}
	printf("\n    %lu steps", (unsigned long)r->most_steps);
	CU_ASSERT_TRUE(r->most_steps < STEPS);
	rig_free(r);
}

// With the last object the memory of the others goes back, and what is taken anew is zeroed.
static void test_pool(void)
{
	enum { OBJECTS = 900, SIZE = 48 };
	static uint32_t taken[OBJECTS];
	struct pool p;
	babel_pool_init(&p, SIZE, OBJECTS);
	for (int round = 0; round < 3; round++) {
		for (unsigned i = 0; i < OBJECTS; i++) {
			taken[i] = babel_pool_take(&p);
			CU_ASSERT_FATAL(taken[i] != 0);
			CU_ASSERT_EQUAL(*(uint8_t *)babel_pool_at(&p, taken[i]), 0);
			memset(babel_pool_at(&p, taken[i]), 0xa5, SIZE);
		}
		CU_ASSERT_EQUAL(babel_pool_take(&p), 0);
		CU_ASSERT_TRUE(babel_pool_has(&p, OBJECTS));
		CU_ASSERT_FALSE(babel_pool_has(&p, 0));
		CU_ASSERT_TRUE(babel_pool_bytes(&p) >= OBJECTS * SIZE);
		for (unsigned i = 0; i < OBJECTS; i++)
			babel_pool_give(&p, taken[(i * 7 + 5) % OBJECTS]);
		CU_ASSERT_EQUAL(p.used, 0);
		CU_ASSERT_EQUAL(babel_pool_bytes(&p), POOL_CHUNK * SIZE);
		CU_ASSERT_FALSE(babel_pool_has(&p, 1)); // who still has a number
		CU_ASSERT_FALSE(babel_pool_has(&p, OBJECTS));
	}
	babel_pool_clear(&p);
}

// The longest chain of a map: what is walked when its bucket is split, and when one of it goes.
static unsigned longest_chain(const struct map *m)
{
	unsigned most = 0;
	for (uint32_t k = 0; k < m->bucket_count; k++) {
		unsigned n = 0;
		for (uint32_t i = *(uint32_t *)babel_seq_at(&m->buckets, k); i;
		     i = babel_map_next(m, i))
			n++;
		most = n > most ? n : most;
	}
	return most;
}

// Peers of a config that were never met: of none the Ed25519 key is known. One that is met then is
// found by it.
static void test_unmet(void)
{
	struct rig *r = load_rig();
	for (unsigned i = 0; i < MANY; i++) {
		struct xy_key x = {{(uint8_t)i, (uint8_t)(i >> 8), 1, [20] = 7}};
		xy_babel_origin_prefer(r->b, &x, true);
	}
	CU_ASSERT_EQUAL(r->b->unmet, MANY);
	CU_ASSERT_TRUE(longest_chain(&r->b->origin_map) <= 16);
	CU_ASSERT_TRUE(longest_chain(&r->b->x_map) <= 16);
	struct xy_key met = {{7, 0, 1, [20] = 7}};
	struct xy_babel_update u = {.prefix = xy_key_prefix(&met),
				    .interval = 60000,
				    .seqno = 1,
				    .metric = 100,
				    .has_rid = true,
				    .rid = xy_babel_router_id(&met, 9),
				    .has_origin = true,
				    .origin = {.epoch = 9}};
	memcpy(u.origin.key, met.b, 32); // the rig believes that it is both of its forms
	tell(r, 2, &u);
	pass(r, XY_SEC);
	CU_ASSERT_EQUAL(metric_to(r, &u.prefix), 196);
	CU_ASSERT_EQUAL(r->b->unmet, MANY - 1);
	CU_ASSERT_EQUAL(babel_origin_find(r->b, met.b), babel_origin_by_key(r->b, &met));
	for (unsigned i = 0; i < MANY; i++) {
		struct xy_key x = {{(uint8_t)i, (uint8_t)(i >> 8), 1, [20] = 7}};
		xy_babel_origin_prefer(r->b, &x, false);
	}
	CU_ASSERT_EQUAL(r->b->unmet, 0);
	rig_free(r);
}

static int allocations = -1; // that succeed before one fails; below 0: all do

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
	return allocations >= 0 && allocations-- == 0 ? NULL : __real_malloc(size);
}

// An answer that there is no memory to remember is given all the same, and nothing is left of it.
static void test_no_memory(void)
{
	for (int k = 0; k < 2; k++) { // the answers' first chunk, their map's first part
		struct rig *r = load_rig();
		struct xy_babel *b = r->b;
		const struct neigh *n = babel_link_of(b, 2);
		r->now += XY_SEC;
		allocations = k;
		CU_ASSERT_TRUE(babel_answer_due(b, n, 1));
		CU_ASSERT_EQUAL(allocations, -1); // it was needed
		CU_ASSERT_TRUE(b->answers.used == 0 && b->answered.head == 0);
		CU_ASSERT_TRUE(babel_answer_due(b, n, 1));
		CU_ASSERT_FALSE(babel_answer_due(b, n, 1));
		CU_ASSERT_EQUAL(b->answers.used, 1);
		rig_free(r);
	}
}

XY_UNIT_MAIN("babel_load", {"a table comes", test_table}, {"a table goes", test_loss},
	     {"our epoch rises", test_own_epoch}, {"mappings", test_mappings},
	     {"a stub in a network of 10,000", test_stub_of_many}, {"many links", test_many_links},
	     {"keys that were never met", test_unmet}, {"no memory for an answer", test_no_memory},
	     {"memory of a pool", test_pool})
