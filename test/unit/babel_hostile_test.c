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

XY_UNIT_MAIN("babel_hostile", {"two Acknowledgment Requests", test_two_requests},
	     {"a lost epoch is told though another asks", test_starve},
	     {"epochs said again", test_replayed_epochs}, {"only a relay says no", test_stub_no},
	     {"all relays say no", test_stub_two_relays},
	     {"an answer before its time", test_stub_early}, {"a silent relay", test_stub_silence},
	     {"a scan behind a stub", test_stub_scan})
