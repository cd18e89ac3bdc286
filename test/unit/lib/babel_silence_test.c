// SPDX-License-Identifier: BSD-3-Clause
// Silent links on virtual time: what is asked of a neighbour that sends nothing under traffic, when
// it is given up, who never is, and how it comes back.
#include "babel_rig.h"

enum { TICK = 50, LOOK = 150, ANSWERS = 64 }; // milliseconds

struct flow { // over link 0, one way; the neighbour behind it is played here
	struct rig *r;
	bool on, dead; // packets go out; the neighbour is gone
	unsigned loss; // per cent, each way, of probes and answers
	xy_nsec lag;   // before it answers
	uint64_t random;
	xy_nsec received, carried;
	xy_nsec hello_at, other_at; // of the neighbour, and of the one behind link 1
	uint64_t probes;
	uint16_t opaque[ANSWERS];
	xy_nsec due[ANSWERS];
	unsigned first, count;
};

static struct xy_babel_link_info info_of(const struct rig *r)
{
	struct xy_babel_link_info i;
	CU_ASSERT_EQUAL_FATAL(xy_babel_link_info(r->b, 0, &i), 0);
	return i;
}

static struct flow flow_new(struct rig *r)
{
	r->mute[0] = true;
	r->up[0] = false; // its Hellos are said here
	return (struct flow){.r = r,
			     .on = true,
			     .random = 88172645463325252,
			     .probes = info_of(r).probes,
			     .hello_at = r->now + 2 * XY_SEC,
			     .other_at = r->now};
}

static bool lost(struct flow *f)
{
	f->random ^= f->random << 13;
	f->random ^= f->random >> 7;
	f->random ^= f->random << 17;
	return f->random % 100 < f->loss;
}

static void probes_take(struct flow *f)
{
	uint64_t probes = info_of(f->r).probes;
	if (probes != f->probes && !f->dead && !lost(f) && f->count < ANSWERS) {
		unsigned at = (f->first + f->count++) % ANSWERS;
		f->opaque[at] = f->r->ack_opaque;
		f->due[at] = f->r->now + f->lag;
	}
	f->probes = probes;
}

static void acknowledge(struct flow *f, uint16_t opaque)
{
	struct rig *r = f->r;
	uint8_t data[16];
	struct xy_babel_builder out;
	xy_babel_build(&out, data, sizeof(data), &r->peers[0]);
	xy_babel_build_ack(&out, opaque);
	from_peer(r, 0, &out);
	act(r);
	f->received = r->now;
}

static void answers_send(struct flow *f)
{
	for (; f->count && f->due[f->first] <= f->r->now; f->first = (f->first + 1) % ANSWERS) {
		f->count--;
		if (!f->dead && !lost(f))
			acknowledge(f, f->opaque[f->first]);
	}
}

static void hello(struct flow *f)
{
	greet(f->r, 0);
	act(f->r);
	f->received = f->r->now;
	f->hello_at = f->r->now + 4 * XY_SEC;
}

static void look(struct flow *f)
{
	struct rig *r = f->r;
	xy_babel_link_traffic(r->b, 0, f->received, f->carried, r->now);
	act(r);
}

static void run(struct flow *f, xy_nsec span)
{
	struct rig *r = f->r;
	for (xy_nsec end = r->now + span; r->now < end;) {
		pass(r, TICK * XY_MSEC);
		probes_take(f);
		answers_send(f);
		if (!f->dead && f->hello_at <= r->now)
			hello(f);
		if (f->other_at <= r->now) {
			greet(r, 1);
			f->other_at = r->now + 4 * XY_SEC;
		}
		if (f->on)
			f->carried = r->now;
		if (r->now / XY_MSEC % LOOK == 0)
			look(f);
	}
}

// Until the route to p is by that link, or the span is over; how long it took.
static xy_nsec until_by(struct flow *f, uint16_t link, xy_nsec span)
{
	xy_nsec start = f->r->now;
	while (f->r->last.hops[0] != link && f->r->now - start < span)
		run(f, TICK * XY_MSEC);
	return f->r->now - start;
}

static void starts(struct rig *r, bool mute)
{
	r->mute[0] = mute;
	link_up(r, 0);
	link_up(r, 1);
	pass(r, 15 * XY_SEC);
}

// A destination behind links 0 (better) and 1.
static struct rig *two_ways_mute(bool mute)
{
	struct rig *r = rig_new(false);
	struct xy_identity id = identity(9);
	starts(r, mute);
	announce(r, 0, &id, 5, 0, 96);
	announce(r, 1, &id, 5, 0, 150);
	pass(r, XY_SEC);
	CU_ASSERT_EQUAL(r->last.kind, XY_BABEL_VIA);
	CU_ASSERT_EQUAL(r->last.hops[0], 0);
	return r;
}

static struct rig *two_ways(void)
{
	return two_ways_mute(false);
}

// The same behind routers that may be anybody's, of which the first acknowledges nothing.
static struct rig *two_ways_plain(void)
{
	static struct xy_prefix p;
	struct rig *r = rig_new(false);
	p = prefix("10.9.0.0/16");
	for (uint16_t i = 0; i < 2; i++) {
		r->links[i].plain = true;
		r->links[i].accept = &p;
		r->links[i].accept_count = 1;
	}
	starts(r, true);
	for (uint16_t i = 0; i < 2; i++)
		tell(r, i,
		     &(struct xy_babel_update){.prefix = p,
					       .interval = 60000,
					       .seqno = 1,
					       .metric = i ? 150 : 96,
					       .has_rid = true,
					       .rid = 77});
	pass(r, XY_SEC);
	CU_ASSERT_EQUAL(r->last.kind, XY_BABEL_VIA);
	CU_ASSERT_EQUAL(r->last.hops[0], 0);
	return r;
}

static void test_prompt(void)
{
	struct rig *r = two_ways();
	struct flow f = flow_new(r);
	run(&f, 10 * XY_SEC);
	CU_ASSERT_EQUAL(r->last.hops[0], 0);
	xy_nsec third = f.hello_at + 8 * XY_SEC; // what Hellos alone would take
	uint64_t before = info_of(r).probes;
	f.dead = true;
	xy_nsec took = until_by(&f, 1, 20 * XY_SEC);
	CU_ASSERT(took >= 2 * XY_SEC && took <= 3 * XY_SEC);
	CU_ASSERT(r->now + 4 * XY_SEC < third);
	CU_ASSERT_EQUAL(r->last.kind, XY_BABEL_VIA);
	struct xy_babel_link_info i = info_of(r);
	CU_ASSERT(i.silent && i.cost == XY_BABEL_INFINITY && i.silences == 1);
	CU_ASSERT_EQUAL(r->notices[XY_BABEL_NOTICE_SILENT], 1);
	CU_ASSERT(i.probes - before >= 10 && i.probes - before <= 30);
	run(&f, 60 * XY_SEC); // traffic or not: nothing more is asked
	CU_ASSERT_EQUAL(info_of(r).probes, i.probes);
	CU_ASSERT_EQUAL(r->notices[XY_BABEL_NOTICE_SILENT], 1);
	rig_free(r);
}

// One packet that nothing answers is enough.
static void test_one_packet(void)
{
	struct rig *r = two_ways();
	struct flow f = flow_new(r);
	f.on = false;
	f.dead = true;
	f.carried = r->now;
	CU_ASSERT(until_by(&f, 1, 20 * XY_SEC) <= 3 * XY_SEC);
	rig_free(r);
}

static void test_idle(void)
{
	struct rig *r = two_ways();
	struct flow f = flow_new(r);
	f.on = false;
	f.carried = f.received = r->now; // and answered
	run(&f, 600 * XY_SEC);
	CU_ASSERT_EQUAL(info_of(r).probes, 0);
	CU_ASSERT_EQUAL(r->last.hops[0], 0);
	rig_free(r);
}

// The answers are the proof, for as long as it goes; the cost is bounded.
static void test_one_way(void)
{
	struct rig *r = two_ways();
	struct flow f = flow_new(r);
	run(&f, 600 * XY_SEC);
	uint64_t probes = info_of(r).probes;
	CU_ASSERT(probes > 300 && probes <= 2 * 600);
	CU_ASSERT_EQUAL(info_of(r).silences, 0);
	CU_ASSERT_EQUAL(r->last.hops[0], 0);
	rig_free(r);
}

// It acknowledges nothing, but other things come of it.
static void test_other_packets(void)
{
	struct rig *r = two_ways();
	struct flow f = flow_new(r);
	f.loss = 100;
	for (unsigned i = 0; i < 100; i++) {
		run(&f, 2500 * XY_MSEC);
		pass(r, XY_MSEC); // not with a Hello
		f.received = r->now;
		look(&f);
	}
	CU_ASSERT(info_of(r).probes > 0);
	CU_ASSERT_EQUAL(info_of(r).silences, 0);
	CU_ASSERT_EQUAL(r->last.hops[0], 0);
	rig_free(r);
}

// One that has never acknowledged anything, and may be anybody's: its Hellos alone tell.
static void test_no_acknowledgments(void)
{
	struct rig *r = two_ways_plain();
	struct flow f = flow_new(r);
	f.loss = 100;
	run(&f, 100 * XY_SEC);
	CU_ASSERT(info_of(r).probes > 0);
	CU_ASSERT_EQUAL(info_of(r).silences, 0);
	CU_ASSERT_EQUAL(r->last.hops[0], 0);
	rig_free(r);
}

// A node that restarted, and dies before it has acknowledged anything anew: it could before.
static void test_restarted_soon(void)
{
	struct rig *r = two_ways();
	struct flow f = flow_new(r);
	struct xy_identity id = identity(9);
	f.loss = 100;
	r->hello[0] = (uint16_t)(r->hello[0] + 3000);
	hello(&f);
	hello(&f);
	announce(r, 0, &id, 5, 0, 96);
	run(&f, 5 * XY_SEC);
	CU_ASSERT_EQUAL(info_of(r).silences, 1);
	CU_ASSERT_EQUAL(r->last.hops[0], 1);
	rig_free(r);
}

// We did: nothing was acknowledged yet, and a node acknowledges.
static void test_started_soon(void)
{
	struct rig *r = two_ways_mute(true);
	struct flow f = flow_new(r);
	f.dead = true;
	xy_nsec took = until_by(&f, 1, 20 * XY_SEC);
	CU_ASSERT(took >= 2 * XY_SEC && took <= 3 * XY_SEC);
	CU_ASSERT_EQUAL(info_of(r).silences, 1);
	CU_ASSERT_FALSE(info_of(r).acknowledges);
	rig_free(r);
}

static void test_slow_and_lossy(void)
{
	static const struct {
		unsigned loss;
		xy_nsec lag;
	} table[] = {{0, 400 * XY_MSEC}, {0, 900 * XY_MSEC}, {30, 0}, {30, 300 * XY_MSEC}};
	for (size_t i = 0; i < XY_ARRAY_SIZE(table); i++) {
		struct rig *r = two_ways();
		struct flow f = flow_new(r);
		f.loss = table[i].loss;
		f.lag = table[i].lag;
		run(&f, 3600 * XY_SEC);
		CU_ASSERT_EQUAL(info_of(r).silences, 0);
		CU_ASSERT_EQUAL(r->last.hops[0], 0);
		// At most 20 packets a second, and on the whole far less.
		CU_ASSERT(info_of(r).probes < 3600 * 5);
		rig_free(r);
	}
}

// The machine slept in the middle of it: what it knew of the neighbour is old, not true.
static void test_slept(void)
{
	struct rig *r = two_ways();
	struct flow f = flow_new(r);
	f.loss = 100;
	f.hello_at = XY_NEVER;
	run(&f, 2300 * XY_MSEC);
	CU_ASSERT(info_of(r).probes > 10);
	r->now += 3 * XY_SEC;
	look(&f);
	CU_ASSERT_FALSE(info_of(r).silent);
	f.loss = 0;
	f.hello_at = r->now;
	run(&f, 10 * XY_SEC);
	CU_ASSERT_EQUAL(info_of(r).silences, 0);
	CU_ASSERT_EQUAL(r->last.hops[0], 0);
	rig_free(r);
}

// One Hello does not bring it back, two do; the second time soon after, four.
static void test_heard_again(void)
{
	struct rig *r = two_ways();
	struct flow f = flow_new(r);
	for (unsigned hellos = 2; hellos <= 4; hellos *= 2) {
		f.dead = f.on = true;
		until_by(&f, 1, 20 * XY_SEC);
		CU_ASSERT(info_of(r).silent);
		f.on = false;
		for (unsigned i = 1; i <= hellos; i++) {
			CU_ASSERT(info_of(r).silent);
			CU_ASSERT_EQUAL(r->last.hops[0], 1);
			f.received = r->now; // what else comes of it does not count
			look(&f);
			hello(&f);
			acknowledge(&f, r->ack_opaque);
			pass(r, 100 * XY_MSEC);
		}
		CU_ASSERT_FALSE(info_of(r).silent);
		CU_ASSERT_EQUAL(info_of(r).cost, XY_BABEL_COST);
		f.dead = false;
		f.on = true;
		CU_ASSERT(until_by(&f, 0, 40 * XY_SEC) < 40 * XY_SEC);
		CU_ASSERT_EQUAL(r->notices[XY_BABEL_NOTICE_HEARD], hellos / 2);
	}
	// A long time later it is as at first.
	run(&f, 100 * XY_SEC);
	f.dead = true;
	until_by(&f, 1, 20 * XY_SEC);
	hello(&f);
	acknowledge(&f, r->ack_opaque);
	hello(&f);
	CU_ASSERT_FALSE(info_of(r).silent);
	rig_free(r);
}

// A link that dies as soon as it is used again has to be heard for longer each time, up to a limit.
static void test_flapping(void)
{
	static const unsigned hellos[] = {2, 4, 4, 4};
	struct rig *r = two_ways();
	struct flow f = flow_new(r);
	f.hello_at = XY_NEVER; // those below alone
	for (size_t i = 0; i < XY_ARRAY_SIZE(hellos); i++) {
		unsigned n = 0;
		f.dead = true;
		until_by(&f, 1, 20 * XY_SEC);
		CU_ASSERT_FATAL(info_of(r).silent);
		for (f.dead = false; info_of(r).silent && n < 20; n++) {
			run(&f, 3900 * XY_MSEC);
			hello(&f);
			f.hello_at = XY_NEVER;
		}
		CU_ASSERT_EQUAL(n, hellos[i]);
		CU_ASSERT(until_by(&f, 0, 10 * XY_SEC) < 10 * XY_SEC);
	}
	rig_free(r);
}

// It was restarted: it begins anew.
static void test_restarted(void)
{
	struct rig *r = two_ways();
	struct flow f = flow_new(r);
	f.dead = true;
	until_by(&f, 1, 20 * XY_SEC);
	f.on = false;
	r->hello[0] = (uint16_t)(r->hello[0] + 3000);
	hello(&f);
	CU_ASSERT_FALSE(info_of(r).silent);
	CU_ASSERT_EQUAL(info_of(r).cost, XY_BABEL_INFINITY);
	hello(&f);
	CU_ASSERT_EQUAL(info_of(r).cost, XY_BABEL_COST);
	rig_free(r);
}

// ---- doubt: something says that it may be gone

static void quiet_from(struct flow *f)
{
	f->on = false;
	f->dead = true;
	f->carried = 0;
}

// No traffic, and a sign: asked at once, found silent within about a second.
static void test_doubt(void)
{
	struct rig *r = two_ways();
	struct flow f = flow_new(r);
	f.on = false;
	hello(&f);
	run(&f, 6 * XY_SEC);
	f.received = r->now; // just before
	quiet_from(&f);
	run(&f, TICK * XY_MSEC);
	xy_babel_link_doubt(r->b, 0, r->now);
	CU_ASSERT_TRUE(xy_babel_look_soon(r->b));
	CU_ASSERT_FALSE(xy_babel_look_soon(r->b));
	look(&f); // not yet decided
	CU_ASSERT_TRUE(xy_babel_look_soon(r->b));
	CU_ASSERT(until_by(&f, 1, 20 * XY_SEC) <= 1300 * XY_MSEC);
	struct xy_babel_link_info i = info_of(r);
	CU_ASSERT(i.silent && i.word == XY_BABEL_SILENT && i.silences == 1);
	CU_ASSERT(i.probes >= 10 && i.probes <= 20);
	run(&f, 60 * XY_SEC);
	CU_ASSERT_EQUAL(info_of(r).probes, i.probes);
	CU_ASSERT_EQUAL(info_of(r).word, XY_BABEL_SILENT); // forgotten meanwhile
	CU_ASSERT_EQUAL(r->notices[XY_BABEL_NOTICE_SILENT], 1);
	rig_free(r);
}

// It is there: one probe or two for each doubt, and no more than a few a second, whoever forges
// signs and how many.
static void test_doubt_forged(void)
{
	struct rig *r = two_ways();
	struct flow f = flow_new(r);
	f.on = false;
	for (unsigned i = 0; i < 1000; i++) {
		xy_babel_link_doubt(r->b, 0, r->now);
		run(&f, TICK * XY_MSEC);
	}
	CU_ASSERT(info_of(r).probes > 20 && info_of(r).probes <= 50 * 6);
	CU_ASSERT_EQUAL(info_of(r).silences, 0);
	CU_ASSERT_EQUAL(info_of(r).word, XY_BABEL_UP);
	CU_ASSERT_EQUAL(r->last.hops[0], 0);
	rig_free(r);
}

// Slow, or loses much: it is there.
static void test_doubt_far(void)
{
	struct rig *r = two_ways();
	struct flow f = flow_new(r);
	f.on = false;
	f.lag = 300 * XY_MSEC;
	f.loss = 30;
	for (unsigned i = 0; i < 50; i++) {
		xy_babel_link_doubt(r->b, 0, r->now);
		run(&f, 3 * XY_SEC);
	}
	CU_ASSERT_EQUAL(info_of(r).silences, 0);
	CU_ASSERT_EQUAL(r->last.hops[0], 0);
	rig_free(r);
}

// Without traffic the first Hello that does not come is a sign: it is over before the third.
static void test_idle_dead(void)
{
	struct rig *r = two_ways();
	struct flow f = flow_new(r);
	f.on = false;
	hello(&f);
	run(&f, 60 * XY_SEC);
	CU_ASSERT_EQUAL(info_of(r).probes, 0);
	xy_nsec last = f.hello_at - 4 * XY_SEC;
	quiet_from(&f);
	until_by(&f, 1, 20 * XY_SEC);
	CU_ASSERT(r->now - last >= 6 * XY_SEC && r->now - last <= 7500 * XY_MSEC);
	CU_ASSERT_EQUAL(r->notices[XY_BABEL_NOTICE_SILENT], 1);
	CU_ASSERT_EQUAL(info_of(r).word, XY_BABEL_SILENT);
	rig_free(r);
}

// The last Hello is read 1.9 s after it arrived: that is no more time for the neighbour.
static void test_read_late(void)
{
	struct rig *r = two_ways();
	struct flow f = flow_new(r);
	uint8_t data[256];
	struct xy_babel_builder p;
	f.on = false;
	hello(&f);
	run(&f, 8 * XY_SEC);
	CU_ASSERT(xy_babel_link_is_well(r->b, 0));
	xy_nsec last = f.hello_at;
	quiet_from(&f);
	run(&f, last + 1900 * XY_MSEC - r->now);
	CU_ASSERT(xy_babel_link_is_well(r->b, 0));
	xy_babel_build(&p, data, sizeof(data), &r->peers[0]);
	xy_babel_build_hello(&p, &(struct xy_babel_hello){.seqno = r->hello[0]++, .interval = 400});
	xy_babel_receive(r->b, 0, &r->peers[0], data, xy_babel_build_end(&p), last, r->now);
	act(r);
	until_by(&f, 1, 20 * XY_SEC);
	CU_ASSERT(r->now - last >= 6 * XY_SEC && r->now - last <= 7500 * XY_MSEC);
	CU_ASSERT_FALSE(xy_babel_link_is_well(r->b, 0));
	CU_ASSERT(xy_babel_link_is_well(r->b, 1));
	rig_free(r);
}

// Each Hello of a link that begins is wanted at once.
static void test_well(void)
{
	struct rig *r = rig_new(false);
	link_up(r, 0);
	CU_ASSERT_FALSE(xy_babel_link_is_well(r->b, 0));
	CU_ASSERT_FALSE(xy_babel_link_is_well(r->b, 1)); // there is none
	pass(r, 15 * XY_SEC);
	CU_ASSERT(xy_babel_link_is_well(r->b, 0));
	xy_babel_link_doubt(r->b, 0, r->now);
	CU_ASSERT_FALSE(xy_babel_link_is_well(r->b, 0));
	rig_free(r);
}

// One that cannot be asked is left to its Hellos, and the word is the same.
static void test_idle_mute(void)
{
	struct rig *r = two_ways_mute(true);
	struct flow f = flow_new(r);
	run(&f, 20 * XY_SEC);
	quiet_from(&f);
	CU_ASSERT(until_by(&f, 1, 30 * XY_SEC) >= 4 * XY_SEC);
	CU_ASSERT_EQUAL(info_of(r).word, XY_BABEL_SILENT);
	CU_ASSERT_EQUAL(r->notices[XY_BABEL_NOTICE_SILENT], 1);
	run(&f, 120 * XY_SEC);
	CU_ASSERT_EQUAL(info_of(r).word, XY_BABEL_SILENT); // and not "not heard": it was
	f.dead = false;
	f.hello_at = r->now;
	run(&f, 20 * XY_SEC);
	CU_ASSERT_EQUAL(info_of(r).word, XY_BABEL_UP);
	CU_ASSERT_EQUAL(r->notices[XY_BABEL_NOTICE_HEARD], 1);
	rig_free(r);
}

// The host's own interface is down: not used at once, used at once when it is back, and asked then.
static void test_no_way(void)
{
	struct rig *r = two_ways();
	struct flow f = flow_new(r);
	f.on = false;
	hello(&f);
	run(&f, XY_SEC);
	for (unsigned i = 1; i <= 3; i++) {
		xy_babel_link_way(r->b, 0, false, r->now);
		pass(r, 0);
		CU_ASSERT_EQUAL(r->last.hops[0], 1);
		CU_ASSERT_EQUAL(info_of(r).word, XY_BABEL_NO_WAY);
		CU_ASSERT_EQUAL(r->notices[XY_BABEL_NOTICE_NO_WAY], i);
		run(&f, 2 * XY_SEC);
		CU_ASSERT_EQUAL(r->last.hops[0], 1);
		uint64_t probes = info_of(r).probes;
		xy_babel_link_way(r->b, 0, true, r->now);
		pass(r, 0);
		CU_ASSERT_EQUAL(r->last.hops[0], 0);
		run(&f, 3 * XY_SEC);
		CU_ASSERT(info_of(r).probes > probes);
		CU_ASSERT_EQUAL(info_of(r).word, XY_BABEL_UP);
		CU_ASSERT_EQUAL(r->notices[XY_BABEL_NOTICE_HEARD], i);
	}
	xy_babel_link_way(r->b, 0, false, r->now);
	quiet_from(&f); // and when it is back, the peer is not
	run(&f, XY_SEC);
	xy_babel_link_way(r->b, 0, true, r->now);
	run(&f, 1500 * XY_MSEC);
	CU_ASSERT_EQUAL(r->last.hops[0], 1);
	CU_ASSERT_EQUAL(info_of(r).word, XY_BABEL_SILENT);
	rig_free(r);
}

// It says that it does not hear us; what it is told when we do not hear it, is at once.
static void say_cost(struct rig *r, uint16_t rxcost)
{
	uint8_t data[256];
	struct xy_babel_builder p;
	xy_babel_build(&p, data, sizeof(data), &r->peers[0]);
	xy_babel_build_ihu(&p, &(struct xy_babel_ihu){.address = r->links[0].local,
						      .rxcost = rxcost,
						      .interval = 1200});
	from_peer(r, 0, &p);
	act(r);
}

static void test_one_way_word(void)
{
	struct rig *r = two_ways();
	xy_babel_look_soon(r->b);
	say_cost(r, XY_BABEL_INFINITY);
	CU_ASSERT(xy_babel_look_soon(r->b)); // before there is a word for it
	CU_ASSERT_EQUAL(r->notices[XY_BABEL_NOTICE_ONE_WAY], 0);
	pass(r, XY_SEC);
	CU_ASSERT_EQUAL(r->last.hops[0], 1);
	CU_ASSERT_EQUAL(info_of(r).word, XY_BABEL_ONE_WAY);
	CU_ASSERT_EQUAL(r->notices[XY_BABEL_NOTICE_ONE_WAY], 1);
	say_cost(r, 96);
	pass(r, XY_SEC);
	CU_ASSERT_EQUAL(info_of(r).word, XY_BABEL_UP);
	CU_ASSERT_EQUAL(r->notices[XY_BABEL_NOTICE_HEARD], 1);
	rig_free(r);

	r = two_ways();
	struct flow f = flow_new(r);
	f.dead = true;
	until_by(&f, 1, 20 * XY_SEC);
	pass(r, 0);
	CU_ASSERT_EQUAL(r->ihu_heard[0].rxcost, XY_BABEL_INFINITY);
	rig_free(r);
}

// Who has just been heard, and whose word that it hears us is on the way, is no one-way link yet.
static void test_one_way_begins(void)
{
	struct rig *r = rig_new(false);
	uint8_t data[64];
	struct xy_babel_builder p;
	CU_ASSERT_EQUAL_FATAL(xy_babel_link_add(r->b, 0, &r->links[0], r->now), 0);
	xy_babel_link_up(r->b, 0, r->now);
	for (unsigned i = 0; i < 8; i++) {
		xy_babel_build(&p, data, sizeof(data), &r->peers[0]);
		xy_babel_build_hello(
			&p, &(struct xy_babel_hello){.seqno = (uint16_t)i, .interval = 400});
		from_peer(r, 0, &p);
		act(r);
		CU_ASSERT_EQUAL(info_of(r).word, i < 2 ? XY_BABEL_NOT_HEARD : XY_BABEL_ONE_WAY);
		pass(r, i < 2 ? 50 * XY_MSEC : 4 * XY_SEC);
		if (i == 1)
			pass(r, 4 * XY_SEC);
	}
	rig_free(r);
}

// What a neighbour says that hears nothing: a Hello, and an Update until it is acknowledged.
static void speak_deaf(struct flow *f)
{
	struct rig *r = f->r;
	struct xy_identity id = identity(9);
	struct xy_prefix to = xy_key_prefix(&id.x25519);
	struct xy_babel_update u = claim_update(&id, &to, 5, 0, 96);
	struct xy_babel_builder p;
	uint8_t data[512];
	xy_babel_build(&p, data, sizeof(data), &r->peers[0]);
	xy_babel_build_ack_request(&p, 7, 5);
	xy_babel_build_update(&p, &u);
	from_peer(r, 0, &p);
	pass(r, TICK * XY_MSEC);
	hello(f);
}

// Traffic goes to one that is heard and does not hear. What it says of itself is no answer, as
// often as it comes: it is found as soon as a link that is cut, and not used before it answers.
static void test_deaf(void)
{
	struct rig *r = two_ways();
	struct flow f = flow_new(r);
	f.loss = 100;
	xy_nsec start = r->now;
	while (r->last.hops[0] == 0 && r->now - start < 20 * XY_SEC) {
		run(&f, 400 * XY_MSEC);
		speak_deaf(&f);
	}
	CU_ASSERT(r->now - start <= 3 * XY_SEC);
	CU_ASSERT_EQUAL(info_of(r).word, XY_BABEL_SILENT);
	for (unsigned i = 0; i < 20; i++) {
		run(&f, XY_SEC);
		speak_deaf(&f);
		CU_ASSERT_EQUAL(r->last.hops[0], 1);
	}
	CU_ASSERT_EQUAL(info_of(r).silences, 1);
	acknowledge(&f, r->ack_opaque);
	pass(r, XY_SEC);
	CU_ASSERT_EQUAL(info_of(r).word, XY_BABEL_UP);
	CU_ASSERT_EQUAL(r->notices[XY_BABEL_NOTICE_HEARD], 1);
	rig_free(r);
}

// Updates of a neighbour whose Hellos were not heard: of which of its lives they are nobody knows
// when they are. Not taken, and not acknowledged, so that they come again.
static void test_unheard(void)
{
	struct rig *r = two_ways();
	struct xy_identity id = identity(9);
	struct xy_babel_builder p;
	uint8_t data[512];
	r->up[0] = false;
	xy_babel_link_down(r->b, 0, r->now);
	pass(r, XY_SEC);
	xy_babel_link_up(r->b, 0, r->now);
	CU_ASSERT_EQUAL(r->last.hops[0], 1);
	unsigned acks = r->acks;
	struct xy_prefix to = xy_key_prefix(&id.x25519);
	struct xy_babel_update u = claim_update(&id, &to, 5, 0, 96);
	xy_babel_build(&p, data, sizeof(data), &r->peers[0]);
	xy_babel_build_ack_request(&p, 7, 5);
	xy_babel_build_update(&p, &u);
	from_peer(r, 0, &p);
	pass(r, 30 * XY_SEC);
	CU_ASSERT_EQUAL(r->acks, acks);
	CU_ASSERT_EQUAL(refused(r, 0, XY_BABEL_REFUSED_NOT_HEARD), 1);
	CU_ASSERT_EQUAL(info_of(r).routes, 0);
	r->hello[0] =
		(uint16_t)(r->hello[0] + 3000); // it was restarted meanwhile, and knows nothing
	for (unsigned i = 0; i < 3; i++) {
		greet(r, 0);
		pass(r, 200 * XY_MSEC);
	}
	CU_ASSERT(info_of(r).usable);
	CU_ASSERT_EQUAL(r->last.hops[0], 1);
	r->up[0] = true;
	tell(r, 0, &u);
	pass(r, 40 * XY_SEC);
	CU_ASSERT_EQUAL(r->last.hops[0], 0);
	rig_free(r);
}

static void test_never_heard(void)
{
	struct rig *r = rig_new(false);
	CU_ASSERT_EQUAL(xy_babel_link_add(r->b, 0, &r->links[0], r->now), 0);
	CU_ASSERT_EQUAL(info_of(r).word, XY_BABEL_DOWN);
	xy_babel_link_up(r->b, 0, r->now);
	pass(r, 60 * XY_SEC);
	CU_ASSERT_EQUAL(info_of(r).word, XY_BABEL_NOT_HEARD);
	CU_ASSERT_EQUAL(r->notices[XY_BABEL_NOTICE_SILENT], 0);
	rig_free(r);
}

// On a grid, Hellos to all neighbours leave in one turn, whenever each link came up.
static void test_hello_grid(void)
{
	enum { NEIGHBOURS = 3 };
	const xy_nsec grid = 4 * XY_SEC;
	struct rig *r = rig_with(identity(1), false, grid);
	for (uint16_t i = 0; i < NEIGHBOURS; i++) {
		link_up(r, i);
		pass(r, 700 * XY_MSEC);
	}
	pass(r, 20 * XY_SEC);
	for (unsigned turn = 0; turn < 3; turn++) {
		xy_nsec at = r->now - r->now % grid;
		for (uint16_t i = 0; i < NEIGHBOURS; i++)
			CU_ASSERT_EQUAL(r->hello_at[i], at);
		pass(r, grid);
	}
	rig_free(r);
}

XY_UNIT_MAIN("babel_silence", {"a dead neighbour under traffic", test_prompt},
	     {"a single packet", test_one_packet}, {"an idle link", test_idle},
	     {"a flow in one direction", test_one_way},
	     {"no answer, but other packets", test_other_packets},
	     {"no acknowledgments at all", test_no_acknowledgments},
	     {"a node that restarted", test_restarted_soon},
	     {"we were restarted", test_started_soon},
	     {"a slow neighbour, a lossy link", test_slow_and_lossy},
	     {"the machine slept", test_slept}, {"heard again", test_heard_again},
	     {"a link that flaps", test_flapping}, {"restarted", test_restarted},
	     {"a sign, and it is gone", test_doubt}, {"signs that are forged", test_doubt_forged},
	     {"doubt of one that is far", test_doubt_far}, {"gone without traffic", test_idle_dead},
	     {"a Hello read late", test_read_late}, {"well", test_well},
	     {"one that is not asked", test_idle_mute}, {"no way, and one again", test_no_way},
	     {"one way", test_one_way_word}, {"one way, at first", test_one_way_begins},
	     {"heard, and deaf", test_deaf}, {"Updates, and no Hello", test_unheard},
	     {"never heard", test_never_heard}, {"Hellos together", test_hello_grid})
