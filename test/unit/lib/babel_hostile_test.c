// SPDX-License-Identifier: BSD-3-Clause
// Neighbours who lie, leave and change their minds: who never acknowledge, say old epochs again,
// make up keys, flap, toggle, answer what they were not asked, scan.
#include "babel_rig.h"

// Longer than pass() in all, in steps shorter than its Hellos.
static void step(struct rig *r, xy_nsec span)
{
	static xy_nsec since;
	since += span;
	if (since >= 2 * XY_SEC) {
		since = 0;
		for (uint16_t i = 0; i < LINKS; i++)
			if (r->up[i])
				greet(r, i);
	}
	pass(r, span);
}

// ---- acknowledgments ----

static void test_two_requests(void)
{
	struct rig *r = rig_up(2);
	uint8_t data[128];
	struct xy_babel_builder p;
	unsigned before = r->acks;
	xy_babel_build(&p, data, sizeof(data), &r->peers[0]);
	xy_babel_build_ack_request(&p, 11, 100);
	xy_babel_build_ack_request(&p, 12, 100);
	from_peer(r, 0, &p);
	pass(r, XY_SEC);
	CU_ASSERT_EQUAL(r->acks - before, 2);
	rig_free(r);
}

// ---- old epochs ----

// Retractions with a claim, which show an epoch.
static unsigned answers(const struct rig *r, uint16_t link, const struct xy_prefix *p)
{
	unsigned n = 0;
	for (unsigned i = 0; i < r->update_count; i++) {
		const struct xy_babel_update *u = &r->updates[i].u;
		n += r->updates[i].link == link && xy_prefix_eq(&u->prefix, p) && u->has_origin &&
		     u->metric == XY_BABEL_INFINITY;
	}
	return n;
}

// K lost its state; M says K's oldest claim a hundred times a second. Each has its own answers.
static void test_starve(void)
{
	struct rig *r = rig_up(3);
	struct xy_identity k = identity(77);
	struct xy_prefix p = xy_key_prefix(&k.x25519);
	struct xy_babel_update newest = claim_update(&k, &p, 5000, 3, 100),
			       old = claim_update(&k, &p, 4000, 0, 0),
			       older = claim_update(&k, &p, 3000, 0, 0);
	tell(r, 1, &newest);
	pass(r, XY_SEC);
	retract(r, 1, &p); // K died
	pass(r, 300 * XY_SEC);
	unsigned of_m = answers(r, 2, &p);
	for (unsigned ms = 0; ms < 20000; ms += 10) {
		tell(r, 2, &older);
		if (ms == 10070)
			tell(r, 0, &old);
		step(r, 10 * XY_MSEC);
	}
	CU_ASSERT_EQUAL(answers(r, 0, &p), 1);
	of_m = answers(r, 2, &p) - of_m;
	CU_ASSERT_TRUE(of_m >= 4 && of_m <= 6);
	rig_free(r);
}

static uint32_t followed_epoch(const struct rig *r, const struct xy_prefix *p)
{
	struct xy_babel_entry e[LINKS + 1];
	unsigned n = xy_babel_lookup(r->b, p, e, LINKS + 1, r->now);
	for (unsigned i = 0; i < n && i < LINKS + 1; i++)
		if (e[i].selected)
			return e[i].epoch;
	return 0;
}

// A gateway is away and M says its earlier claims again, oldest first: it is believed at once when
// it is back, whether M acknowledges or not.
static void replay(const char *of, unsigned epochs, bool mute)
{
	struct rig *r = rig_up(3);
	struct xy_identity g = identity(77);
	struct xy_prefix p = of ? prefix(of) : xy_key_prefix(&g.x25519);
	r->mute[2] = mute;
	for (unsigned e = 0; e < epochs; e++) {
		struct xy_babel_update u = claim_update(&g, &p, 2000 + e, 0, 0);
		tell(r, 2, &u);
		step(r, 100 * XY_MSEC);
		CU_ASSERT_EQUAL(followed_epoch(r, &p), 2000 + e);
	}
	struct xy_babel_update u = claim_update(&g, &p, 5000, 0, 0);
	tell(r, 0, &u);
	pass(r, 100 * XY_MSEC);
	CU_ASSERT_EQUAL(followed_epoch(r, &p), 5000);
	CU_ASSERT_EQUAL(refused(r, 0, XY_BABEL_REFUSED_ROUTE_LIMIT), 0);
	CU_ASSERT_TRUE(said(r, 1, &p) && said(r, 1, &p)->origin.epoch == 5000);
	rig_free(r);
}

static void test_replayed_epochs(void)
{
	replay("10.7.0.0/16", 8, false);
	replay("10.7.0.0/16", 20, true);
	replay(NULL, 64, false);
	replay(NULL, 100, true);
}

// ---- who never acknowledges ----

static struct xy_babel_stats stats(const struct rig *r)
{
	struct xy_babel_stats s;
	xy_babel_stats(r->b, &s);
	return s;
}

// Says Hello, and that it does not hear us.
static void greet_one_way(struct rig *r, uint16_t link)
{
	uint8_t data[256];
	struct xy_babel_builder p;
	xy_babel_build(&p, data, sizeof(data), &r->peers[link]);
	xy_babel_build_hello(&p,
			     &(struct xy_babel_hello){.seqno = r->hello[link]++, .interval = 400});
	xy_babel_build_ihu(&p, &(struct xy_babel_ihu){.address = r->links[link].local,
						      .rxcost = XY_BABEL_INFINITY,
						      .interval = 1200});
	from_peer(r, link, &p);
	act(r);
}

// A gateway restarts again and again beside a neighbour that is there and acknowledges nothing, or
// that does not hear us: its distances do not pile up, and it is followed each time.
static void restarts(bool one_way)
{
	struct rig *r = rig_up(3);
	struct xy_identity g = identity(77);
	struct xy_prefix p = prefix("10.7.0.0/16");
	r->mute[2] = true;
	for (unsigned e = 0; e < 12; e++) {
		struct xy_babel_update u = claim_update(&g, &p, 2000 + e, 0, 100);
		u.interval = 60000;
		tell(r, 0, &u);
		pass(r, XY_SEC);
		CU_ASSERT_EQUAL(followed_epoch(r, &p), 2000 + e);
		r->up[2] = !one_way;
		for (unsigned i = 0; i < 100; i++) {
			if (one_way)
				greet_one_way(r, 2);
			pass(r, 4 * XY_SEC);
		}
		CU_ASSERT_TRUE(stats(r).sources <= 2);
	}
	struct xy_babel_link_info info;
	CU_ASSERT_EQUAL(xy_babel_link_info(r->b, 2, &info), 0);
	CU_ASSERT_TRUE(info.heard && info.no_acks == !one_way);
	CU_ASSERT_EQUAL(r->notices[XY_BABEL_NOTICE_NO_ACKS], !one_way);
	rig_free(r);
}

static void test_never_acknowledges(void)
{
	restarts(false);
	restarts(true);
}

static unsigned told(const struct rig *r, uint16_t link, const struct xy_prefix *p, unsigned from)
{
	unsigned n = 0;
	for (unsigned i = from; i < r->update_count; i++)
		n += r->updates[i].link == link && xy_prefix_eq(&r->updates[i].u.prefix, p);
	return n;
}

// It is told of changes all the same; and when it acknowledges again, all is said anew.
static void test_acknowledges_again(void)
{
	struct rig *r = rig_up(3);
	struct xy_identity g = identity(77), h = identity(78);
	struct xy_prefix p = xy_key_prefix(&g.x25519), q = xy_key_prefix(&h.x25519);
	struct xy_babel_update u = claim_update(&g, &p, 50, 0, 100);
	u.interval = 60000;
	r->mute[2] = true;
	tell(r, 0, &u);
	pass(r, 200 * XY_SEC);
	CU_ASSERT_EQUAL(r->notices[XY_BABEL_NOTICE_NO_ACKS], 1);
	u = claim_update(&h, &q, 50, 0, 100);
	u.interval = 60000;
	unsigned from = r->update_count, wildcards = r->wildcards;
	tell(r, 0, &u);
	pass(r, 10 * XY_SEC);
	CU_ASSERT_EQUAL(said(r, 2, &q)->metric, 196);
	CU_ASSERT_TRUE(told(r, 2, &q, from) >= 2 && told(r, 2, &q, from) <= 4);
	retract(r, 0, &p);
	pass(r, 10 * XY_SEC);
	CU_ASSERT_EQUAL(said(r, 2, &p)->metric, XY_BABEL_INFINITY);
	CU_ASSERT_EQUAL(r->wildcards, wildcards);
	r->mute[2] = false;
	pass(r, 200 * XY_SEC);
	CU_ASSERT_EQUAL(r->wildcards, wildcards + 1);
	CU_ASSERT_EQUAL(said(r, 2, &q)->metric, 196);
	struct xy_babel_link_info info;
	CU_ASSERT_EQUAL(xy_babel_link_info(r->b, 2, &info), 0);
	CU_ASSERT_FALSE(info.no_acks);
	rig_free(r);
}

// ---- keys that somebody makes up ----

static struct xy_key made_up(unsigned i)
{
	struct xy_key x = {{(uint8_t)i, (uint8_t)(i >> 8), (uint8_t)(i >> 16), [9] = 3}};
	return x;
}

static struct xy_babel_update made_up_update(const struct xy_key *x, uint16_t metric)
{
	struct xy_babel_update u = {.prefix = xy_key_prefix(x),
				    .interval = 60000,
				    .metric = metric,
				    .has_rid = true,
				    .rid = xy_babel_router_id(x, 7),
				    .has_origin = true,
				    .origin = {.epoch = 7}};
	memcpy(u.origin.key, x->b, 32);
	memcpy(u.origin.signature, x->b, 32);
	return u;
}

static struct rig *small_rig(uint32_t max_routes, uint32_t max_origins, enum xy_babel_trust trust)
{
	struct rig *r = rig_new(false);
	xy_babel_free(r->b);
	struct xy_babel_config c = {.key = r->me.x25519,
				    .ed25519 = r->me.ed25519,
				    .epoch = 1000,
				    .secret = {1, 2, 3},
				    .max_routes = max_routes,
				    .max_origins = max_origins};
	r->b = xy_babel_new(&c, r->now);
	struct xy_prefix own = xy_key_prefix(&r->me.x25519);
	CU_ASSERT_EQUAL(xy_babel_announce(r->b, &own, r->now), 0);
	r->believe = true;
	r->links[2].trust = trust;
	for (uint16_t i = 0; i < 3; i++)
		link_up(r, i);
	pass(r, 15 * XY_SEC);
	return r;
}

// Announces ever new keys on link 2 and takes them back, ten at a time.
static void rotate(struct rig *r, unsigned keys)
{
	for (unsigned i = 0; i < keys; i++) {
		struct xy_key x = made_up(i);
		struct xy_babel_update u = made_up_update(&x, 0);
		tell(r, 2, &u);
		for (unsigned k = i - 9; i % 10 == 9 && k <= i; k++) {
			x = made_up(k);
			u.prefix = xy_key_prefix(&x);
			retract(r, 2, &u.prefix);
		}
		if (i % 10 == 9)
			step(r, 60 * XY_MSEC);
	}
}

static bool reached_by(struct rig *r, uint16_t link, unsigned key)
{
	struct xy_key x = made_up(key);
	struct xy_babel_update u = made_up_update(&x, 100);
	tell(r, link, &u);
	step(r, XY_SEC);
	return metric_to(r, &u.prefix) == 196;
}

// Whoever rotates keys, acknowledging or not, leaves room for others' nodes, and all of it goes.
static void churn(enum xy_babel_trust trust, bool mute)
{
	struct rig *r = small_rig(2000, 0, trust);
	r->mute[2] = mute;
	rotate(r, 5000);
	bool open = trust == XY_BABEL_OPEN;
	CU_ASSERT_TRUE(stats(r).prefixes <= (open ? 2000 / 2 : 2 * 2000 / 2) + 2);
	CU_ASSERT_TRUE(reached_by(r, 0, 1 << 20));
	CU_ASSERT_EQUAL(refused(r, 0, XY_BABEL_REFUSED_ROUTE_LIMIT), 0);
	pass(r, 1200 * XY_SEC);
	CU_ASSERT_TRUE(stats(r).prefixes <= 2 && stats(r).sources <= 1);
	rig_free(r);
}

static void test_churn(void)
{
	churn(XY_BABEL_OPEN, false);
	churn(XY_BABEL_OPEN, true);
	churn(XY_BABEL_CONFIGURED, false);
	churn(XY_BABEL_CONFIGURED, true);
}

// One neighbour brings all that it can: another one's nodes find room beside it.
static void test_pool_share(void)
{
	struct rig *r = small_rig(2000, 0, XY_BABEL_CONFIGURED);
	for (unsigned i = 0; i < 4000; i++) {
		struct xy_key x = made_up(i);
		struct xy_babel_update u = made_up_update(&x, 0);
		tell(r, 2, &u);
		if (i % 10 == 9)
			step(r, 20 * XY_MSEC);
	}
	unsigned routes = stats(r).routes;
	CU_ASSERT_TRUE(routes >= 990 && routes <= 1000);
	for (unsigned i = 0; i < 400; i++) {
		struct xy_key x = made_up((1 << 20) + i);
		struct xy_babel_update u = made_up_update(&x, 100);
		tell(r, 0, &u);
		if (i % 10 == 9)
			step(r, 20 * XY_MSEC);
	}
	CU_ASSERT_EQUAL(stats(r).routes, routes + 400);
	rig_free(r);
}

// An origin is away; somebody makes up more keys than there is room for: its epoch is known all the
// same, and what it said before its last start is not believed.
static void forget_epoch(enum xy_babel_trust trust)
{
	struct rig *r = small_rig(2000, 500, trust);
	struct xy_key away = made_up(1 << 20);
	struct xy_babel_update u = made_up_update(&away, 100), old = u;
	old.origin.epoch = 6;
	old.rid = xy_babel_router_id(&away, 6);
	tell(r, 0, &u);
	tell(r, 1, &u); // the network knows it, not one neighbour
	step(r, XY_SEC);
	retract(r, 0, &u.prefix);
	retract(r, 1, &u.prefix);
	step(r, XY_SEC);
	rotate(r, 3000);
	CU_ASSERT_TRUE(stats(r).origins <= (trust == XY_BABEL_OPEN ? 300 : 500));
	tell(r, 2, &old);
	step(r, XY_SEC);
	CU_ASSERT_EQUAL(refused(r, 2, XY_BABEL_REFUSED_OLD_EPOCH), 1);
	CU_ASSERT_EQUAL(metric_to(r, &u.prefix), XY_BABEL_INFINITY);
	rig_free(r);
}

static void test_epoch_remembered(void)
{
	forget_epoch(XY_BABEL_OPEN);
	forget_epoch(XY_BABEL_CONFIGURED);
}

// Its links come and go, so that each time somebody else is charged.
static void test_epoch_remembered_reconnect(void)
{
	struct rig *r = small_rig(2000, 500, XY_BABEL_OPEN);
	struct xy_key away = made_up(1 << 20);
	struct xy_babel_update u = made_up_update(&away, 100), old = u;
	old.origin.epoch = 6;
	old.rid = xy_babel_router_id(&away, 6);
	tell(r, 0, &u);
	tell(r, 1, &u);
	step(r, XY_SEC);
	retract(r, 0, &u.prefix);
	retract(r, 1, &u.prefix);
	for (unsigned i = 0; i < 2000; i++) {
		struct xy_key x = made_up(i);
		struct xy_babel_update v = made_up_update(&x, 0);
		tell(r, 2, &v);
		if (i % 10 != 9)
			continue;
		xy_babel_link_remove(r->b, 2, r->now);
		r->up[2] = false;
		step(r, 500 * XY_MSEC);
		link_up(r, 2);
	}
	CU_ASSERT_TRUE(stats(r).prefixes <= 2000 + 2); // a quarter of twice as many, and held ones
	tell(r, 2, &old);
	step(r, XY_SEC);
	CU_ASSERT_EQUAL(refused(r, 2, XY_BABEL_REFUSED_OLD_EPOCH), 1);
	CU_ASSERT_TRUE(reached_by(r, 0, (1 << 20) + 1));
	rig_free(r);
}

// What shows an epoch is a claim that some route is by, or one that is kept since there is none
// any more: who says an older one is answered with it, signature and all, in either case, and a
// newer epoch's claim takes its place.
static void test_epoch_shown(void)
{
	struct rig *r = rig_up(2);
	struct xy_identity id = identity(9);
	struct xy_prefix p = xy_key_prefix(&id.x25519);
	struct xy_babel_update u = claim_update(&id, &p, 7, 3, 100);
	tell(r, 0, &u);
	pass(r, XY_SEC);
	for (unsigned i = 0; i < 4; i++) {
		if (i == 1)
			retract(r, 0, &p);
		if (i == 2) { // it only tells of the epoch
			u = claim_update(&id, &p, 8, 1, XY_BABEL_INFINITY);
			tell(r, 0, &u);
		}
		pass(r, i == 3 ? 5 * XY_SEC : 90 * XY_SEC);
		struct xy_babel_update old = claim_update(&id, &p, 5, 1, 50);
		r->update_count = 0;
		tell(r, 1, &old);
		pass(r, XY_SEC);
		const struct xy_babel_update *answer = said(r, 1, &p);
		CU_ASSERT_PTR_NOT_NULL_FATAL(answer);
		CU_ASSERT_EQUAL(answer->metric, i ? XY_BABEL_INFINITY : answer->metric);
		CU_ASSERT(answer->has_origin && answer->origin.epoch == (i < 2 ? 7 : 8));
		CU_ASSERT_EQUAL(answer->rid, u.rid);
		CU_ASSERT_EQUAL(answer->seqno, u.seqno);
		CU_ASSERT_EQUAL(memcmp(answer->origin.signature, u.origin.signature, 64), 0);
	}
	rig_free(r);
}

// Routes that each have a key of their own, as /64s of the mesh do: what one costs. Chunks and
// tables that double are some of it.
static void test_memory(void)
{
	enum { KEYS = 1000, MOST = 600 };
	struct rig *r = small_rig(4 * KEYS, 2 * KEYS, XY_BABEL_CONFIGURED);
	size_t before = stats(r).bytes;
	for (unsigned i = 0; i < KEYS; i++) {
		struct xy_key x = made_up(i);
		struct xy_babel_update u = made_up_update(&x, 100);
		tell(r, 0, &u);
		step(r, 20 * XY_MSEC);
	}
	step(r, 5 * XY_SEC);
	CU_ASSERT(stats(r).routes == KEYS && stats(r).origins >= KEYS);
	printf("    %zu bytes a route\n", (stats(r).bytes - before) / KEYS);
	CU_ASSERT((stats(r).bytes - before) / KEYS <= MOST);
	rig_free(r);
}

// ---- more than can be done ----

// Takes actions as the daemon does, so many in a turn. Counts Acknowledgments, and the Hellos of
// link 1, and sends nobody anything.
static unsigned turn(struct rig *r, unsigned most)
{
	unsigned hellos = 0;
	const struct xy_babel_action *a = NULL;
	if (xy_babel_deadline(r->b) <= r->now)
		xy_babel_poll(r->b, r->now);
	while (most-- && (a = xy_babel_action(r->b))) {
		struct xy_babel_parser p;
		struct xy_babel_tlv t;
		if (a->kind == XY_BABEL_VERIFY) {
			struct xy_babel_action v = *a;
			verify(r, &v);
		}
		if (a->kind != XY_BABEL_SEND)
			continue;
		uint16_t link = a->send.link;
		CU_ASSERT_EQUAL(
			xy_babel_parse(&p, a->send.data, a->send.len, &r->links[link].local), 0);
		while (xy_babel_parse_next(&p, &t)) {
			hellos += link == 1 && t.type == XY_BABEL_HELLO;
			r->acks += t.type == XY_BABEL_ACK;
		}
	}
	return hellos;
}

static void toggles(struct rig *r, uint16_t link, struct xy_babel_update *u)
{
	uint8_t data[1232];
	struct xy_babel_builder p;
	xy_babel_build(&p, data, sizeof(data), &r->peers[link]);
	do
		u->metric = u->metric == 100 ? 150 : 100;
	while (xy_babel_build_update(&p, u));
	from_peer(r, link, &p);
}

static void ask(struct rig *r, uint16_t link)
{
	uint8_t data[16];
	struct xy_babel_builder b;
	xy_babel_build(&b, data, sizeof(data), &r->peers[link]);
	xy_babel_build_ack_request(&b, 7, 5);
	from_peer(r, link, &b);
	r->acks = 0;
}

// One neighbour says more than can be done, without end. Memory stays, our Hellos go out, another
// neighbour's nodes are heard of, and what was too much is counted.
static void test_overrun(void)
{
	struct rig *r = rig_up(3);
	struct xy_identity g = identity(77), far = identity(78);
	struct xy_prefix p = xy_key_prefix(&g.x25519), q = xy_key_prefix(&far.x25519);
	struct xy_babel_update u = claim_update(&g, &p, 2000, 0, 100),
			       honest = claim_update(&far, &q, 2000, 0, 100);
	u.interval = honest.interval = 60000;
	tell(r, 0, &u);
	pass(r, XY_SEC);
	unsigned hellos = 0;
	size_t most = 0;
	for (unsigned i = 0; i < 1000; i++) { // 40 s
		for (unsigned k = 0; k < 128; k++)
			toggles(r, 0, &u);
		if (i % 100 == 0)
			for (uint16_t k = 0; k < 3; k++) {
				uint8_t data[256];
				struct xy_babel_builder b;
				xy_babel_build(&b, data, sizeof(data), &r->peers[k]);
				xy_babel_build_hello(
					&b, &(struct xy_babel_hello){.seqno = r->hello[k]++,
								     .interval = 400});
				xy_babel_build_ihu(
					&b, &(struct xy_babel_ihu){.address = r->links[k].local,
								   .rxcost = 96,
								   .interval = 1200});
				from_peer(r, k, &b);
			}
		if (i == 500) {
			uint8_t data[512];
			struct xy_babel_builder b;
			xy_babel_build(&b, data, sizeof(data), &r->peers[1]);
			CU_ASSERT_TRUE(xy_babel_build_update(&b, &honest));
			from_peer(r, 1, &b);
		}
		if (i == 700)
			ask(r, 0);
		hellos += turn(r, 256);
		r->now += 40 * XY_MSEC;
		if (i == 710) // it would take us for dead
			CU_ASSERT_EQUAL(r->acks, 1);
		most = stats(r).bytes > most ? stats(r).bytes : most;
		if (i == 520)
			CU_ASSERT_EQUAL(metric_to(r, &q), 196);
	}
	CU_ASSERT_TRUE(hellos >= 9 && hellos <= 12);
	CU_ASSERT_TRUE(most < 4 << 20);
	CU_ASSERT_TRUE(refused(r, 0, XY_BABEL_REFUSED_OVERRUN) > 0);
	CU_ASSERT_EQUAL(refused(r, 1, XY_BABEL_REFUSED_OVERRUN), 0);
	struct xy_babel_link_info info;
	CU_ASSERT_EQUAL(xy_babel_link_info(r->b, 1, &info), 0);
	CU_ASSERT_TRUE(info.cost != XY_BABEL_INFINITY);
	act(r);
	pass(r, 10 * XY_SEC);
	CU_ASSERT_EQUAL(stats(r).packets_waiting, 0);
	rig_free(r);
}

// A burst that is not too much waits and is taken in full, and acknowledged then.
static void test_burst(void)
{
	struct rig *r = rig_up(3);
	uint8_t data[1232];
	struct xy_babel_builder p;
	unsigned acks = r->acks;
	r->believe = true;
	for (unsigned i = 0; i < 500; i++) {
		xy_babel_build(&p, data, sizeof(data), &r->peers[0]);
		xy_babel_build_ack_request(&p, (uint16_t)i, 100);
		for (unsigned k = 0; k < 5; k++) {
			struct xy_key x = made_up(5 * i + k);
			struct xy_babel_update u = made_up_update(&x, 100);
			CU_ASSERT_TRUE(xy_babel_build_update(&p, &u));
		}
		from_peer(r, 0, &p);
	}
	CU_ASSERT_TRUE(stats(r).packets_waiting > 200);
	pass(r, XY_SEC);
	CU_ASSERT_EQUAL(stats(r).packets_waiting, 0);
	CU_ASSERT_EQUAL(stats(r).routes, 2500);
	CU_ASSERT_TRUE(r->acks - acks >=
		       256); // so many wait for one packet; the others are asked again
	// What it said before it restarted does not come after.
	for (unsigned i = 0; i < 500; i++) {
		xy_babel_build(&p, data, sizeof(data), &r->peers[0]);
		for (unsigned k = 0; k < 5; k++) {
			struct xy_key x = made_up(1 << 16 | (5 * i + k));
			struct xy_babel_update u = made_up_update(&x, 100);
			CU_ASSERT_TRUE(xy_babel_build_update(&p, &u));
		}
		from_peer(r, 0, &p);
	}
	CU_ASSERT_TRUE(stats(r).packets_waiting > 200);
	xy_babel_link_down(r->b, 0, r->now);
	CU_ASSERT_EQUAL(stats(r).packets_waiting, 0);
	r->up[0] = false;
	pass(r, XY_SEC);
	CU_ASSERT_EQUAL(stats(r).routes, 0);
	rig_free(r);
}

// ---- who changes his mind ----

static struct xy_babel_entry entry_of(const struct rig *r, const struct xy_prefix *p, uint16_t link)
{
	struct xy_babel_entry e[LINKS + 1] = {0};
	unsigned n = xy_babel_lookup(r->b, p, e, LINKS + 1, r->now);
	for (unsigned i = 0; i < n && i < LINKS + 1; i++)
		if (!e[i].own && e[i].link == link)
			return e[i];
	return (struct xy_babel_entry){0};
}

static void take_back(struct rig *r, const struct xy_prefix *p, bool all)
{
	struct xy_babel_update u = {.prefix = *p, .interval = 6000, .metric = XY_BABEL_INFINITY};
	if (all)
		u = (struct xy_babel_update){
			.wildcard = true, .interval = 6000, .metric = XY_BABEL_INFINITY};
	tell(r, 0, &u);
}

// The same claim, taken back and said again, one by one or by retractions of all: it is verified
// once, and told on a few times. It is held back for longer each time, a minute at most, and used
// then without another word. Another neighbour's word for it is used at once.
static void flap(bool all)
{
	struct rig *r = rig_up(4);
	struct xy_identity g = identity(77);
	struct xy_prefix p = xy_key_prefix(&g.x25519);
	struct xy_babel_update u = claim_update(&g, &p, 2000, 0, 0);
	u.interval = 60000;
	unsigned verified = r->verifies, updates = r->update_count, actions = r->route_actions;
	for (int i = 0; i < 50; i++) {
		tell(r, 0, &u);
		step(r, 40 * XY_MSEC);
		take_back(r, &p, all);
		step(r, 40 * XY_MSEC);
	}
	tell(r, 0, &u);
	CU_ASSERT_EQUAL(r->verifies - verified, 1);
	CU_ASSERT_TRUE(r->route_actions - actions <= 24);
	CU_ASSERT_TRUE(r->update_count - updates <= 4 * 26);
	xy_nsec held = entry_of(r, &p, 0).held;
	CU_ASSERT_TRUE(held > 0 && held <= 4 * XY_SEC);
	CU_ASSERT_EQUAL(metric_to(r, &p), XY_BABEL_INFINITY);
	tell(r, 1, &u);
	CU_ASSERT_EQUAL(metric_to(r, &p), 96);
	retract(r, 1, &p);
	CU_ASSERT_EQUAL(metric_to(r, &p), XY_BABEL_INFINITY);
	pass(r, held + XY_SEC);
	CU_ASSERT_EQUAL(metric_to(r, &p), 96);
	xy_nsec longest = 0;
	for (int i = 0; i < 100; i++) {
		take_back(r, &p, all);
		tell(r, 0, &u);
		held = entry_of(r, &p, 0).held;
		longest = held > longest ? held : longest;
		pass(r, held + 100 * XY_MSEC);
		CU_ASSERT_EQUAL(metric_to(r, &p), 96);
	}
	CU_ASSERT_TRUE(longest > 55 * XY_SEC && longest <= 60 * XY_SEC);
	pass(r, 1000 * XY_SEC); // forgiven
	tell(r, 0, &u);
	take_back(r, &p, all);
	tell(r, 0, &u);
	CU_ASSERT_EQUAL(metric_to(r, &p), 96);
	rig_free(r);
}

static void test_flap(void)
{
	flap(false);
	flap(true);
}

// A claim is known for a minute after the last route by it went, and not longer; all of it goes.
static void test_proof_kept(void)
{
	struct rig *r = rig_up(3);
	struct xy_identity g = identity(77);
	struct xy_prefix p = prefix("10.7.0.0/16");
	struct xy_babel_update u = claim_update(&g, &p, 2000, 0, 0);
	struct xy_babel_update none = {.prefix = p,
				       .interval = 6000,
				       .metric = XY_BABEL_INFINITY,
				       .has_rid = true,
				       .rid = u.rid};
	tell(r, 0, &u);
	CU_ASSERT_EQUAL(r->verifies, 1);
	tell(r, 0, &none);
	pass(r, 50 * XY_SEC);
	tell(r, 1, &u);
	CU_ASSERT_EQUAL(r->verifies, 1);
	tell(r, 1, &none);
	pass(r, 70 * XY_SEC);
	CU_ASSERT_EQUAL(stats(r).claims, 0);
	tell(r, 0, &u);
	CU_ASSERT_EQUAL(r->verifies, 2);
	tell(r, 0, &none);
	u = claim_update(&g, &p, 2001, 0, 0); // a new epoch: the older claim is worth nothing
	none.rid = u.rid;
	tell(r, 0, &u);
	tell(r, 0, &none);
	pass(r, 1000 * XY_SEC);
	CU_ASSERT_EQUAL(stats(r).claims, 0);
	CU_ASSERT_EQUAL(stats(r).mappings, 0);
	rig_free(r);
}

// Keys that another neighbour brings, too, are nobody's: an open neighbour that brought many of
// them keeps what it alone has brought.
static void test_shared_keys(void)
{
	struct rig *r = small_rig(2000, 500, XY_BABEL_OPEN);
	for (unsigned i = 0; i < 300; i++) {
		struct xy_key x = made_up(i);
		struct xy_babel_update u = made_up_update(&x, 0);
		tell(r, 2, &u);
		tell(r, 0, &u);
		retract(r, 2, &u.prefix);
		retract(r, 0, &u.prefix);
		if (i % 10 == 9)
			step(r, XY_SEC);
	}
	struct xy_key away = made_up(1 << 20), more = made_up(1 << 21);
	struct xy_babel_update u = made_up_update(&away, 100), old = u, other;
	old.origin.epoch = 6;
	old.rid = xy_babel_router_id(&away, 6);
	tell(r, 2, &u);
	step(r, XY_SEC);
	CU_ASSERT_EQUAL(metric_to(r, &u.prefix), 196);
	retract(r, 2, &u.prefix);
	step(r, XY_SEC);
	other = made_up_update(&more, 100);
	tell(r, 2, &other);
	step(r, XY_SEC);
	CU_ASSERT_EQUAL(metric_to(r, &other.prefix), 196);
	tell(r, 2, &old);
	step(r, XY_SEC);
	CU_ASSERT_EQUAL(refused(r, 2, XY_BABEL_REFUSED_OLD_EPOCH), 1);
	CU_ASSERT_EQUAL(metric_to(r, &u.prefix), XY_BABEL_INFINITY);
	rig_free(r);
}

// ---- stubs ----

static struct rig *stub_rig(unsigned relays, unsigned others)
{
	struct rig *r = rig_new(true);
	struct xy_babel_update aggregate = {.prefix = prefix("200::/7"),
					    .interval = 60000,
					    .has_rid = true,
					    .rid = 5,
					    .seqno = 1};
	for (uint16_t i = 0; i < relays + others; i++) {
		r->links[i].relay = i < relays;
		link_up(r, i);
	}
	pass(r, 15 * XY_SEC);
	for (uint16_t i = 0; i < relays; i++)
		tell(r, i, &aggregate);
	return r;
}

static int want(struct rig *r, const struct xy_addr *a, uint32_t source)
{
	return xy_babel_want(r->b, a, source, r->now);
}

static void test_stub_no(void)
{
	struct rig *r = stub_rig(1, 1);
	struct xy_identity far = identity(9);
	struct xy_prefix p = xy_key_prefix(&far.x25519);
	CU_ASSERT_EQUAL(want(r, &far.addr, 1), -EAGAIN);
	retract(r, 1, &p); // nobody asked it
	CU_ASSERT_EQUAL(want(r, &far.addr, 1), -EAGAIN);
	CU_ASSERT_EQUAL(r->notices[XY_BABEL_NOTICE_NO_ANSWER], 0);
	announce(r, 0, &far, 50, 1, 100);
	CU_ASSERT_EQUAL(want(r, &far.addr, 1), 0);
	rig_free(r);
}

// One relay does not know the way, the other does.
static void test_stub_two_relays(void)
{
	struct rig *r = stub_rig(2, 0);
	struct xy_identity far = identity(9);
	struct xy_prefix p = xy_key_prefix(&far.x25519);
	CU_ASSERT_EQUAL(want(r, &far.addr, 1), -EAGAIN);
	retract(r, 0, &p);
	retract(r, 0, &p); // twice is not two
	CU_ASSERT_EQUAL(want(r, &far.addr, 1), -EAGAIN);
	retract(r, 1, &p);
	CU_ASSERT_EQUAL(want(r, &far.addr, 1), -ENETUNREACH);
	CU_ASSERT_EQUAL(r->notices[XY_BABEL_NOTICE_NO_ANSWER], 1);
	announce(r, 1, &far, 50, 1, 100);
	CU_ASSERT_EQUAL(want(r, &far.addr, 1), 0);
	rig_free(r);
}

// An answer that cannot be used yet is no "no", and counts once it can.
static void test_stub_early(void)
{
	struct rig *r = rig_new(true);
	struct xy_identity far = identity(9);
	r->links[0].relay = true;
	r->mute[0] = true; // so the wait at start goes on
	link_up(r, 0);
	CU_ASSERT_EQUAL(want(r, &far.addr, 1), -EAGAIN);
	pass(r, 100 * XY_MSEC);
	announce(r, 0, &far, 50, 1, 100);
	CU_ASSERT_EQUAL(want(r, &far.addr, 1), -EAGAIN);
	pass(r, 15 * XY_SEC);
	CU_ASSERT_EQUAL(r->notices[XY_BABEL_NOTICE_NO_ANSWER], 0);
	CU_ASSERT_EQUAL(want(r, &far.addr, 1), 0);
	rig_free(r);
}

// A relay that is silent said nothing: it is asked again, and no one is told that there is no way.
static void test_stub_silence(void)
{
	struct rig *r = stub_rig(1, 0);
	struct xy_identity far = identity(9);
	CU_ASSERT_EQUAL(want(r, &far.addr, 1), -EAGAIN);
	for (unsigned i = 0; i < 20; i++) { // a packet waits, as long as this
		step(r, XY_SEC);
		CU_ASSERT_EQUAL(want(r, &far.addr, 1), -EAGAIN);
	}
	CU_ASSERT_EQUAL(r->notices[XY_BABEL_NOTICE_NO_ANSWER], 0);
	CU_ASSERT_TRUE(r->route_requests >= 8 && r->route_requests <= 12);
	rig_free(r);
}

// What nobody sends to any more is asked for three times, and no more.
static void test_stub_gives_up(void)
{
	struct rig *r = stub_rig(1, 0);
	struct xy_identity far = identity(9);
	CU_ASSERT_EQUAL(want(r, &far.addr, 1), -EAGAIN);
	pass(r, 60 * XY_SEC);
	CU_ASSERT_EQUAL(r->route_requests, 3);
	CU_ASSERT_EQUAL(r->notices[XY_BABEL_NOTICE_NO_ANSWER], 0);
	rig_free(r);
}

// A "no" is to the question at hand: when it is asked again, the relay may know better.
static void test_stub_no_again(void)
{
	struct rig *r = stub_rig(2, 0);
	struct xy_identity far = identity(9);
	struct xy_prefix p = xy_key_prefix(&far.x25519);
	CU_ASSERT_EQUAL(want(r, &far.addr, 1), -EAGAIN);
	pass(r, 100 * XY_MSEC);
	CU_ASSERT_EQUAL(r->route_requests, 2);
	retract(r, 0, &p);
	pass(r, 2100 * XY_MSEC);
	CU_ASSERT_EQUAL(r->route_requests, 4);
	retract(r, 1, &p);
	CU_ASSERT_EQUAL(want(r, &far.addr, 1), -EAGAIN);
	retract(r, 0, &p);
	CU_ASSERT_EQUAL(want(r, &far.addr, 1), -ENETUNREACH);
	rig_free(r);
}

static void join(struct rig *r, struct rig *s, uint16_t link)
{
	r->links[link].stub = s->links[link].relay = true;
	s->links[link].local.b[13] = 3;
	r->joined[link] = s;
	s->joined[link] = r;
	for (struct rig *k = r; k; k = k == r ? s : NULL) {
		CU_ASSERT_EQUAL(xy_babel_link_add(k->b, link, &k->links[link], k->now), 0);
		xy_babel_link_up(k->b, link, k->now);
	}
}

static void together(struct rig *r, struct rig *s, xy_nsec span)
{
	for (xy_nsec end = r->now + span; r->now < end;) {
		xy_nsec step = end - r->now < 10 * XY_MSEC ? end - r->now : 10 * XY_MSEC;
		pass(r, step);
		pass(s, r->now > s->now ? r->now - s->now : 0);
	}
}

static void scan(struct rig *s, unsigned n, uint32_t *at)
{
	for (unsigned i = 0; i < n; i++, ++*at) {
		struct xy_addr a = {.b = {3, 0x77}};
		memcpy(a.b + 2, at, 4);
		want(s, &a, 1);
	}
}

// Somebody behind a stub scans; what another one there looks for is found, and the relay refuses
// no question.
static void test_stub_scan(void)
{
	static const unsigned rates[] = {20, 50, 90, 200, 500};
	for (size_t k = 0; k < XY_ARRAY_SIZE(rates); k++) {
		struct rig *r = rig_new(false), *s = rig_of(identity(2), true);
		uint32_t at = 0;
		unsigned found = 0;
		r->believe = s->believe = true;
		link_up(r, 1);
		join(r, s, 0);
		together(r, s, 15 * XY_SEC);
		greet(r, 1);
		struct xy_key key[10];
		for (uint8_t i = 0; i < 10; i++) {
			key[i] = (struct xy_key){{1, i, 5}};
			struct xy_babel_update u = {.prefix = xy_key_prefix(&key[i]),
						    .interval = 60000,
						    .metric = 100,
						    .has_rid = true,
						    .rid = 5000 + i,
						    .has_origin = true,
						    .origin = {.epoch = 9}};
			memcpy(u.origin.key, key[i].b, 32);
			tell(r, 1, &u);
		}
		for (unsigned ms = 0; ms < 20000; ms += 100) {
			if (ms % 4000 == 0)
				greet(r, 1);
			scan(s, rates[k] / 10, &at);
			struct xy_addr a = xy_key_addr(&key[ms / 2000]);
			if (ms % 2000 == 1000)
				CU_ASSERT_EQUAL(want(s, &a, 2), -EAGAIN);
			if (ms % 2000 == 1900)
				found += want(s, &a, 2) == 0;
			together(r, s, 100 * XY_MSEC);
		}
		CU_ASSERT_EQUAL(found, 10);
		CU_ASSERT_EQUAL(refused(r, 0, XY_BABEL_REFUSED_REQUEST_LIMIT), 0);
		rig_free(r);
		rig_free(s);
	}
}

XY_UNIT_MAIN("babel_hostile", {"the claim of an epoch", test_epoch_shown},
	     {"memory of a route", test_memory}, {"two Acknowledgment Requests", test_two_requests},
	     {"a lost epoch is told though another asks", test_starve},
	     {"epochs said again", test_replayed_epochs},
	     {"never acknowledges", test_never_acknowledges},
	     {"acknowledges again", test_acknowledges_again}, {"keys come and go", test_churn},
	     {"one neighbour's share", test_pool_share},
	     {"an epoch is remembered", test_epoch_remembered},
	     {"an epoch is remembered, new links", test_epoch_remembered_reconnect},
	     {"keys of several", test_shared_keys}, {"a flap", test_flap},
	     {"a claim is known for a minute", test_proof_kept},
	     {"more than can be done", test_overrun}, {"a burst", test_burst},
	     {"only a relay says no", test_stub_no}, {"all relays say no", test_stub_two_relays},
	     {"an answer before its time", test_stub_early}, {"a silent relay", test_stub_silence},
	     {"three questions", test_stub_gives_up}, {"no, and asked again", test_stub_no_again},
	     {"a scan behind a stub", test_stub_scan})
