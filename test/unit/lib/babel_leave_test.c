// SPDX-License-Identifier: BSD-3-Clause
// Goodbyes on virtual time: what a node that leaves says, who believes it and of what, and how it
// is taken back when it returns.
#include "babel_rig.h"

static struct xy_babel_link_info info_of(const struct rig *r, uint16_t link)
{
	struct xy_babel_link_info i;
	CU_ASSERT_EQUAL_FATAL(xy_babel_link_info(r->b, link, &i), 0);
	return i;
}

static bool by(const struct rig *r, uint16_t link)
{
	return r->last.kind == XY_BABEL_VIA && r->last.hop_count == 1 && r->last.hops[0] == link;
}

// A destination behind links 0 (better) and 1.
static struct rig *two_ways(const struct xy_identity *id)
{
	struct rig *r = rig_up(2);
	announce(r, 0, id, 5, 0, 96);
	announce(r, 1, id, 5, 0, 150);
	pass(r, XY_SEC);
	CU_ASSERT(by(r, 0));
	return r;
}

enum said { RETRACTION = 1, UNWANTING = 2 };

// What a node that leaves says, or one of its two words alone.
static void say(struct rig *r, uint16_t link, unsigned what)
{
	uint8_t data[256];
	struct xy_babel_builder p;
	xy_babel_build(&p, data, sizeof(data), &r->peers[link]);
	xy_babel_build_hello(&p,
			     &(struct xy_babel_hello){.seqno = r->hello[link]++, .interval = 10});
	uint16_t rxcost = what & UNWANTING ? XY_BABEL_INFINITY : 96;
	xy_babel_build_ihu(&p, &(struct xy_babel_ihu){.address = r->links[link].local,
						      .rxcost = rxcost,
						      .interval = 1200});
	if (what & RETRACTION)
		xy_babel_build_update(&p, &(struct xy_babel_update){.wildcard = true,
								    .interval = 100,
								    .metric = XY_BABEL_INFINITY});
	from_peer(r, link, &p);
	act(r);
}

static void poll_now(struct rig *r)
{
	while (xy_babel_deadline(r->b) <= r->now) {
		xy_babel_poll(r->b, r->now);
		act(r);
	}
}

// ---- what is said

static const struct xy_babel_hello *last_hello(const struct rig *r, uint16_t link)
{
	return &r->hello_heard[link];
}

static void test_said(void)
{
	struct xy_identity id = identity(9);
	struct rig *r = two_ways(&id);
	unsigned wildcards = r->wildcards, updates = r->update_count;
	CU_ASSERT_EQUAL(xy_babel_goodbye(r->b, r->now), 2);
	poll_now(r);
	CU_ASSERT_EQUAL(r->wildcards - wildcards, 2); // at once, to each
	for (uint16_t i = 0; i < 2; i++) {
		CU_ASSERT_EQUAL(r->ihu_heard[i].rxcost, XY_BABEL_INFINITY);
		CU_ASSERT(last_hello(r, i)->interval <= 10);
	}
	CU_ASSERT(xy_babel_goodbye_due(r->b));
	pass(r, 100 * XY_MSEC);
	CU_ASSERT_EQUAL(r->wildcards - wildcards, 4);
	CU_ASSERT_FALSE(xy_babel_goodbye_due(r->b));
	CU_ASSERT(by(r, 0)); // what is on its way is still forwarded

	// It stays: no later word says otherwise, whatever changes.
	announce(r, 0, &id, 5, 1, 80);
	retract(r, 1, &(struct xy_prefix){.addr = xy_key_prefix(&id.x25519).addr, .len = 64});
	tell(r, 1, &(struct xy_babel_update){.wildcard = true, .metric = XY_BABEL_INFINITY});
	pass(r, 30 * XY_SEC);
	CU_ASSERT_EQUAL(r->update_count, updates);
	CU_ASSERT_EQUAL(r->wildcards - wildcards, 4);
	CU_ASSERT_EQUAL(r->ihu_heard[0].rxcost, XY_BABEL_INFINITY);
	CU_ASSERT_EQUAL(last_hello(r, 0)->interval, 400);
	rig_free(r);
}

// Nobody there: there is nothing to wait for.
static void test_alone(void)
{
	struct rig *r = rig_new(false);
	CU_ASSERT_EQUAL(xy_babel_link_add(r->b, 0, &r->links[0], r->now), 0);
	xy_babel_link_up(r->b, 0, r->now);
	pass(r, XY_SEC);
	CU_ASSERT_EQUAL(xy_babel_goodbye(r->b, r->now), 0);
	CU_ASSERT_FALSE(xy_babel_goodbye_due(r->b));
	rig_free(r);
}

// ---- what is heard

static void test_heard(void)
{
	struct xy_identity id = identity(9);
	struct rig *r = two_ways(&id);
	say(r, 0, RETRACTION | UNWANTING);
	r->up[0] = false;
	poll_now(r);
	CU_ASSERT(by(r, 1)); // at once
	struct xy_babel_link_info i = info_of(r, 0);
	CU_ASSERT(i.left && !i.usable && i.routes == 0);
	CU_ASSERT_EQUAL(r->notices[XY_BABEL_NOTICE_LEFT], 1);
	say(r, 0, RETRACTION | UNWANTING); // twice
	pass(r, 3 * XY_SEC);
	CU_ASSERT_EQUAL(r->notices[XY_BABEL_NOTICE_LEFT], 1);
	CU_ASSERT_EQUAL(r->notices[XY_BABEL_NOTICE_SILENT], 0); // that is known
	i = info_of(r, 0);
	CU_ASSERT(i.left && !i.heard); // nothing waits for it any more
	CU_ASSERT(by(r, 1));
	rig_free(r);
}

// It is believed of the neighbour's own routes, and nobody else's. A retraction alone is no
// goodbye; nor is one who does not hear us.
static void test_only_its_own(void)
{
	struct xy_identity id = identity(9), other = identity(10);
	struct rig *r = two_ways(&id);
	announce(r, 1, &other, 5, 0, 96);
	pass(r, XY_SEC);
	say(r, 0, RETRACTION | UNWANTING);
	r->up[0] = false;
	pass(r, 3 * XY_SEC);
	struct xy_prefix p = xy_key_prefix(&other.x25519);
	CU_ASSERT_EQUAL(info_of(r, 1).routes, 2);
	CU_ASSERT_EQUAL(metric_to(r, &p), 192);
	say(r, 1, RETRACTION);
	CU_ASSERT(!info_of(r, 1).left && info_of(r, 1).usable);
	rig_free(r);

	r = two_ways(&id);
	say(r, 0, UNWANTING);
	poll_now(r);
	CU_ASSERT(!info_of(r, 0).left && !info_of(r, 0).usable);
	CU_ASSERT(by(r, 1));
	rig_free(r);
}

// A neighbour that begins hears nothing yet, and says so, and then takes back what it may have said
// before.
static void test_beginning(void)
{
	struct rig *r = rig_new(false);
	CU_ASSERT_EQUAL(xy_babel_link_add(r->b, 0, &r->links[0], r->now), 0);
	xy_babel_link_up(r->b, 0, r->now);
	for (unsigned i = 0; i < 3; i++)
		say(r, 0, UNWANTING);
	say(r, 0, UNWANTING | RETRACTION);
	pass(r, XY_SEC);
	CU_ASSERT_EQUAL(r->notices[XY_BABEL_NOTICE_LEFT], 0);
	CU_ASSERT_FALSE(info_of(r, 0).left);
	rig_free(r);
}

// Back within the same second: used as soon as it speaks, as often as that happens.
static void come_back(struct rig *r, const struct xy_identity *id, uint32_t epoch)
{
	r->hello[0] = (uint16_t)(r->hello[0] + 20000);
	for (int i = 0; i < 3; i++) {
		greet(r, 0);
		act(r);
	}
	announce(r, 0, id, epoch, 0, 96);
	poll_now(r);
}

// It was stopped, and is started again where nothing of ours arrives: then it is there, and deaf.
static void test_back_deaf(void)
{
	struct xy_identity id = identity(9);
	struct rig *r = two_ways(&id);
	say(r, 0, RETRACTION | UNWANTING);
	r->up[0] = false;
	pass(r, 60 * XY_SEC);
	CU_ASSERT_EQUAL(info_of(r, 0).word, XY_BABEL_LEFT);
	r->hello[0] = (uint16_t)(r->hello[0] + 20000);
	for (unsigned i = 0; i < 10; i++) {
		say(r, 0, UNWANTING);
		pass(r, 100 * XY_MSEC);
		CU_ASSERT(!info_of(r, 0).left);
	}
	rig_free(r);
}

static void test_back(void)
{
	struct xy_identity id = identity(9);
	struct rig *r = two_ways(&id);
	for (unsigned i = 0; i < 20; i++) {
		say(r, 0, RETRACTION | UNWANTING);
		pass(r, 80 * XY_MSEC);
		say(r, 0, RETRACTION | UNWANTING);
		pass(r, 300 * XY_MSEC);
		CU_ASSERT(by(r, 1));
		come_back(r, &id, 5);
		CU_ASSERT(by(r, 0));
		CU_ASSERT(!info_of(r, 0).left && info_of(r, 0).usable);
	}
	CU_ASSERT_EQUAL(r->notices[XY_BABEL_NOTICE_LEFT], 20);
	CU_ASSERT_EQUAL(r->notices[XY_BABEL_NOTICE_HEARD], 20);
	rig_free(r);
}

// Two nodes of ours, side by side for so many twentieths of a second.
static void pass_both(struct rig *a, struct rig *b, unsigned turns)
{
	for (unsigned i = 0; i < turns; i++) {
		pass(a, 50 * XY_MSEC);
		pass(b, 50 * XY_MSEC);
	}
}

static void join_two(struct rig *a, struct rig *b)
{
	for (unsigned i = 0; i < 2; i++) {
		struct rig *r = i ? b : a, *other = i ? a : b;
		r->joined[0] = other;
		r->links[0].local = i ? a->peers[0] : a->links[0].local;
	}
	b->peers[0] = a->links[0].local;
	CU_ASSERT_EQUAL(xy_babel_link_add(a->b, 0, &a->links[0], a->now), 0);
	CU_ASSERT_EQUAL(xy_babel_link_add(b->b, 0, &b->links[0], b->now), 0);
	xy_babel_link_up(a->b, 0, a->now);
	xy_babel_link_up(b->b, 0, b->now);
	pass_both(a, b, 300);
}

// The one is told by the other, over and over, with a table; and then that it stays.
static void test_joined(void)
{
	struct rig *a = rig_new(false), *b = rig_of(identity(2), false);
	struct xy_prefix theirs = xy_key_prefix(&b->me.x25519);
	join_two(a, b);
	CU_ASSERT_EQUAL(metric_to(a, &theirs), 96);
	CU_ASSERT_EQUAL(xy_babel_goodbye(b->b, b->now), 1);
	pass(b, XY_MSEC);
	pass(a, XY_MSEC);
	CU_ASSERT_EQUAL(metric_to(a, &theirs), XY_BABEL_INFINITY);
	CU_ASSERT(info_of(a, 0).left);
	for (unsigned i = 0; i < 400; i++) { // drained, and there
		pass(a, 50 * XY_MSEC);
		pass(b, 50 * XY_MSEC);
		CU_ASSERT_EQUAL(metric_to(a, &theirs), XY_BABEL_INFINITY);
		CU_ASSERT_EQUAL(info_of(a, 0).word, XY_BABEL_LEFT);
	}
	CU_ASSERT(info_of(a, 0).heard && !info_of(a, 0).usable);
	CU_ASSERT_EQUAL(a->notices[XY_BABEL_NOTICE_LEFT], 1);
	for (unsigned times = 0; times < 3; times++) {
		xy_babel_stay(b->b, b->now);
		xy_babel_stay(b->b, b->now); // twice
		pass_both(a, b, 100);	     // who does so often is held back for a little
		CU_ASSERT_EQUAL(metric_to(a, &theirs), 96);
		CU_ASSERT_EQUAL(info_of(a, 0).word, XY_BABEL_UP);
		CU_ASSERT_EQUAL(xy_babel_goodbye(b->b, b->now), 1);
		pass_both(a, b, 4);
		CU_ASSERT_EQUAL(metric_to(a, &theirs), XY_BABEL_INFINITY);
	}
	rig_free(a);
	rig_free(b);
}

// A link that is shut by one of them is used by neither, both say why, and it is back at once.
static void test_shut(void)
{
	struct rig *a = rig_new(false), *b = rig_of(identity(2), false);
	struct xy_prefix theirs = xy_key_prefix(&b->me.x25519), ours = xy_key_prefix(&a->me.x25519);
	join_two(a, b);
	for (unsigned times = 0; times < 3; times++) {
		xy_babel_link_shut(a->b, 0, true, a->now);
		xy_babel_link_shut(a->b, 0, true, a->now);
		pass_both(a, b, 4);
		CU_ASSERT_EQUAL(metric_to(a, &theirs), XY_BABEL_INFINITY);
		CU_ASSERT_EQUAL(metric_to(b, &ours), XY_BABEL_INFINITY);
		CU_ASSERT_EQUAL(info_of(a, 0).word, XY_BABEL_SHUT);
		pass_both(a, b, 400);
		CU_ASSERT_EQUAL(metric_to(b, &ours), XY_BABEL_INFINITY);
		CU_ASSERT(info_of(a, 0).heard && info_of(b, 0).heard);
		CU_ASSERT_EQUAL(info_of(b, 0).word, XY_BABEL_ONE_WAY);
		xy_babel_link_shut(a->b, 0, false, a->now);
		pass_both(a, b, 40);
		CU_ASSERT_EQUAL(metric_to(a, &theirs), 96);
		CU_ASSERT_EQUAL(metric_to(b, &ours), 96);
		CU_ASSERT_EQUAL(info_of(a, 0).word, XY_BABEL_UP);
	}
	CU_ASSERT_EQUAL(a->notices[XY_BABEL_NOTICE_SILENT], 0);
	CU_ASSERT_EQUAL(b->notices[XY_BABEL_NOTICE_SILENT], 0);
	CU_ASSERT_EQUAL(b->notices[XY_BABEL_NOTICE_LEFT], 0);
	rig_free(a);
	rig_free(b);
}

// One of them begins its link anew, in whatever turn the other is: it hears nothing yet, and takes
// back what it may have said; but it says so in packets apart, and is there.
static void test_reset(void)
{
	struct rig *a = rig_new(false), *b = rig_of(identity(2), false);
	struct xy_prefix theirs = xy_key_prefix(&b->me.x25519);
	join_two(a, b);
	for (unsigned times = 0; times < 6; times++) {
		xy_babel_link_down(b->b, 0, b->now);
		pass(b, times % 5 * 20 * XY_MSEC);
		xy_babel_link_up(b->b, 0, b->now);
		for (unsigned i = 0; i < 100; i++) {
			pass(b, XY_MSEC);
			pass(a, XY_MSEC);
			CU_ASSERT(!info_of(a, 0).left);
		}
		pass_both(a, b, 200 + times);
		CU_ASSERT_EQUAL(metric_to(a, &theirs), 96);
	}
	CU_ASSERT_EQUAL(a->notices[XY_BABEL_NOTICE_LEFT], 0);
	rig_free(a);
	rig_free(b);
}

XY_UNIT_MAIN("babel_leave", {"what is said", test_said}, {"nobody to tell", test_alone},
	     {"what is heard", test_heard}, {"of its own routes alone", test_only_its_own},
	     {"no goodbye", test_beginning}, {"back at once, many times", test_back},
	     {"back, and deaf", test_back_deaf}, {"between two nodes", test_joined},
	     {"a link that is shut", test_shut}, {"begun anew", test_reset})
