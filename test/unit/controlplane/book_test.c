// SPDX-License-Identifier: BSD-3-Clause
// The book of peers: step by step what is in force and what is news, at random beside an obvious
// model, and fed by one plan after the other.
#include "unit.h"

#include "base/bytes.h"
#include "fake_net.h"
#include "identity/identity.h"
#include "log.h"
#include "peers/feed.h"

#include <sodium.h>
#include <stdlib.h>

enum { KEYS = 40, STEPS = 50000 };

static struct {
	struct xy_book book;
	uint64_t random;
	struct xy_config_peer says[XY_BOOK_SOURCES];
	struct xy_hs_remote remote;
} w;

static struct xy_key key_of(unsigned i)
{
	return (struct xy_key){.b = {(uint8_t)(i + 1)}};
}

static void world_make(void)
{
	memset(&w, 0, sizeof(w));
	w.random = 88172645463325252;
	CU_ASSERT_FATAL(xy_book_init(&w.book, 4) == 0);
}

static void set(unsigned key, enum xy_book_source source, uint32_t mark)
{
	const struct xy_book_peer p = {key_of(key), source, mark, &w.says[source], &w.remote};
	CU_ASSERT_FATAL(xy_book_set(&w.book, &p) == 0);
}

static void del(unsigned key, enum xy_book_source source)
{
	const struct xy_key k = key_of(key);
	xy_book_del(&w.book, &k, source);
}

static int source_of(const struct xy_book_peer *p) // -1: nobody wants it
{
	CU_ASSERT_FATAL(!p->says || p->says == &w.says[p->source]);
	return p->says ? (int)p->source : -1;
}

static int in_force(unsigned key)
{
	const struct xy_key k = key_of(key);
	struct xy_book_peer p;
	return xy_book_in_force(&w.book, &k, &p) ? source_of(&p) : -1;
}

// --- step by step

enum op { SET, DEL, NEWS, WAIT, WAKE };
enum { L = XY_BOOK_COMMAND_LINE, C = XY_BOOK_CONFIG, P = XY_BOOK_PIN, O = XY_BOOK_OPEN, NONE = -1 };

static const struct step {
	enum op op;
	unsigned key;
	int source;   // NEWS: that it tells of
	int in_force; // after
	bool news;    // are left
} steps[] = {
	// A stranger is configured, and back: what it says itself is in force again.
	/* 0*/ {SET, 0, O, O, true},
	/* 1*/ {NEWS, 0, O, O, false},
	/* 2*/ {SET, 0, C, C, true},
	/* 3*/ {NEWS, 0, C, C, false},
	/* 4*/ {DEL, 0, C, O, true},
	/* 5*/ {NEWS, 0, O, O, false},
	// What is below is nobody's news, as it comes and as it goes.
	/* 6*/ {SET, 0, C, C, true},
	/* 7*/ {NEWS, 0, C, C, false},
	/* 8*/ {SET, 0, P, C, false},
	/* 9*/ {SET, 0, O, C, false},
	/*10*/ {DEL, 0, O, C, false},
	/*11*/ {DEL, 0, O, C, false}, // nothing there
	// The same again is news: it may be to be treated otherwise. The command line is above all.
	/*12*/ {SET, 0, C, C, true},
	/*13*/ {NEWS, 0, C, C, false},
	/*14*/ {SET, 0, L, L, true},
	/*15*/ {NEWS, 0, L, L, false},
	// A peer that the config and a pin hold is no peer without either.
	/*16*/ {DEL, 0, L, C, true},
	/*17*/ {DEL, 0, C, P, true},
	/*18*/ {NEWS, 0, P, P, false}, // once, as it is in the end
	/*19*/ {DEL, 0, P, NONE, true},
	/*20*/ {NEWS, 0, NONE, NONE, false},
	// Who came and went before he was told of has not been there.
	/*21*/ {SET, 1, C, C, true},
	/*22*/ {DEL, 1, C, NONE, false},
	// Who goes comes first, whenever.
	/*23*/ {SET, 0, C, C, true},
	/*24*/ {NEWS, 0, C, C, false},
	/*25*/ {SET, 1, C, C, true},
	/*26*/ {SET, 2, C, C, true},
	/*27*/ {DEL, 0, C, NONE, true},
	/*28*/ {NEWS, 0, NONE, NONE, true},
	/*29*/ {NEWS, 1, C, C, true},
	// Gone and here again is here.
	/*30*/ {DEL, 1, C, NONE, true},
	/*31*/ {SET, 1, P, P, true},
	/*32*/ {NEWS, 2, C, C, true},
	/*33*/ {NEWS, 1, P, P, false},
	// Who waits is no news until he is woken, is changed, or goes.
	/*34*/ {WAIT, 1, P, P, false},
	/*35*/ {WAIT, 2, C, C, false},
	/*36*/ {SET, 2, L, L, true},
	/*37*/ {NEWS, 2, L, L, false},
	/*38*/ {WAIT, 2, L, L, false},
	/*39*/ {WAKE, 1, P, P, true},
	/*40*/ {NEWS, 1, P, P, true},
	/*41*/ {NEWS, 2, L, L, false},
	/*42*/ {WAIT, 1, P, P, false},
	/*43*/ {DEL, 1, P, NONE, true},
	/*44*/ {NEWS, 1, NONE, NONE, false},
	/*45*/ {WAKE, 1, NONE, NONE, false},
};

static void test_steps(void)
{
	world_make();
	for (unsigned i = 0; i < XY_ARRAY_SIZE(steps); i++) {
		const struct step *s = &steps[i];
		const struct xy_key key = key_of(s->key);
		struct xy_book_peer p = {0};
		bool good = true;
		if (s->op == SET)
			set(s->key, (enum xy_book_source)s->source, 1);
		else if (s->op == DEL)
			del(s->key, (enum xy_book_source)s->source);
		else if (s->op == NEWS)
			good = xy_book_news(&w.book, &p) && source_of(&p) == s->source &&
			       memcmp(&p.key, &key, sizeof(key)) == 0;
		else if (s->op == WAIT)
			xy_book_wait(&w.book, &key);
		else
			xy_book_wake(&w.book);
		good = good && in_force(s->key) == s->in_force &&
		       xy_book_has_news(&w.book) == s->news;
		if (!good)
			printf("\n  step %u\n", i);
		CU_ASSERT(good);
	}
	xy_book_fini(&w.book);
}

// --- beside a model

static struct {
	uint32_t mark[KEYS][XY_BOOK_SOURCES]; // 0: not there
	int told[KEYS];			      // what the one who follows believes
} m;

static int model(unsigned key)
{
	for (int s = 0; s < XY_BOOK_SOURCES; s++)
		if (m.mark[key][s])
			return s;
	return -1;
}

static uint32_t any(uint32_t below)
{
	uint32_t r;
	fake_random(&w.random, &r, sizeof(r));
	return r % below;
}

static void follow(unsigned most)
{
	struct xy_book_peer p;
	while (most-- && xy_book_news(&w.book, &p)) {
		unsigned key = p.key.b[0] - 1u;
		CU_ASSERT_FATAL(p.says || m.told[key] >= 0); // who was not there does not go
		CU_ASSERT_FATAL(source_of(&p) == model(key));
		m.told[key] = source_of(&p);
	}
}

static void sweep(unsigned sources, uint32_t mark)
{
	uint32_t at = 0;
	unsigned max = 3;
	for (; xy_book_sweep(&w.book, sources, mark, &at, &max); max = 3)
		CU_ASSERT_EQUAL_FATAL(max, 0);
	for (unsigned k = 0; k < KEYS; k++)
		for (unsigned s = 0; s < XY_BOOK_SOURCES; s++)
			if (sources & 1u << s && m.mark[k][s] != mark)
				m.mark[k][s] = 0;
}

static void check(void)
{
	for (unsigned k = 0; k < KEYS; k++) {
		const struct xy_key key = key_of(k);
		struct xy_book_peer p;
		CU_ASSERT_FATAL(in_force(k) == model(k));
		for (unsigned s = 0; s < XY_BOOK_SOURCES; s++) {
			bool there = xy_book_get(&w.book, &key, s, &p);
			CU_ASSERT_FATAL(there == (m.mark[k][s] != 0));
			CU_ASSERT_FATAL(!there || p.mark == m.mark[k][s]);
		}
	}
}

static void test_model(void)
{
	world_make();
	memset(&m, 0, sizeof(m));
	memset(m.told, -1, sizeof(m.told));
	for (unsigned i = 0; i < STEPS; i++) {
		unsigned key = any(KEYS), source = any(XY_BOOK_SOURCES), what = any(100);
		if (what < 45) {
			m.mark[key][source] = 1 + any(3);
			set(key, source, m.mark[key][source]);
		} else if (what < 90) {
			m.mark[key][source] = 0;
			del(key, source);
		} else if (what < 91) {
			sweep(1 + any(15), 1 + any(3));
		} else if (what < 92) {
			const struct xy_key k = key_of(key);
			if (model(key) >= 0)
				xy_book_wait(&w.book, &k);
			xy_book_wake(&w.book);
		} else {
			follow(any(8));
		}
		if (i % 16 == 0)
			check();
	}
	follow(UINT32_MAX);
	for (unsigned k = 0; k < KEYS; k++)
		CU_ASSERT_EQUAL(m.told[k], model(k));
	CU_ASSERT(w.book.used <= KEYS); // places are used again
	xy_book_fini(&w.book);
}

// As many as it was made for come without a call that moves them all.
static void test_in_place(void)
{
	enum { PEERS = 1000 };
	struct xy_book_peer p = {.source = XY_BOOK_CONFIG, .says = &w.says[0], .remote = &w.remote};
	memset(&w, 0, sizeof(w));
	CU_ASSERT_FATAL(xy_book_init(&w.book, PEERS) == 0);
	const void *nodes = w.book.node, *entries = w.book.by_key.entry;
	for (unsigned i = 0; i < PEERS; i++) {
		memcpy(p.key.b, &i, sizeof(i));
		CU_ASSERT_FATAL(xy_book_set(&w.book, &p) == 0);
	}
	CU_ASSERT(w.book.node == nodes && w.book.by_key.entry == entries);
	xy_book_fini(&w.book);
}

// --- plans

static struct xy_identity id;

// Peers [from, to), each with a key of its own; of the command line below `line`.
static void plan_make(unsigned from, unsigned to, unsigned line, const char *top,
		      struct xy_plan *out)
{
	static char text[16384];
	char key[XY_KEY_STRLEN];
	struct xy_config config;
	struct xy_err err;
	size_t at = (size_t)snprintf(text, sizeof(text), "%s peers = ( ", top);
	for (unsigned i = from; i < to; i++) {
		struct xy_identity peer;
		uint8_t seed[32] = {(uint8_t)(i + 1), 0x33};
		CU_ASSERT_FATAL(xy_identity_from_seed(seed, &peer) == 0);
		at += (size_t)snprintf(text + at, sizeof(text) - at,
				       "%s{ name = \"p%u\"; key = \"%s\"; }", i > from ? ", " : "",
				       i, xy_key_str(&peer.x25519, key));
	}
	snprintf(text + at, sizeof(text) - at,
		 "%s{ name = \"none\"; endpoint = \"192.0.2.1:1\"; } );", from < to ? ", " : "");
	CU_ASSERT_FATAL(xy_config_parse("test", text, strlen(text), &config, &err) == 0);
	CU_ASSERT_FATAL(xy_plan_make("test", &config, &id, out, &err) == 0);
	for (unsigned i = 0; i < line; i++)
		out->config.peers[i].line = 0;
}

static void feed(struct xy_feed *f, const struct xy_plan *plan)
{
	struct xy_err err;
	unsigned turns = 0, max = 4;
	xy_feed_begin(f, plan);
	for (; xy_feed_run(f, &max, &err); max = 4) {
		CU_ASSERT_EQUAL_FATAL(max, 0);
		CU_ASSERT_FATAL(turns++ < 100);
	}
}

static void drain(unsigned *come, unsigned *gone)
{
	struct xy_book_peer p;
	*come = *gone = 0;
	while (xy_book_news(&w.book, &p))
		++*(p.says ? come : gone);
}

// In slices, and with another one in the middle; strangers stay where peering is open.
static void test_feed(void)
{
	const uint8_t seed[32] = {0x44};
	const struct xy_key stranger = {.b = {0x55}};
	struct xy_plan plan[3];
	struct xy_book_peer p;
	unsigned come, gone, max = 5;
	struct xy_err err;
	world_make();
	struct xy_feed f = {.book = &w.book};
	CU_ASSERT_FATAL(xy_identity_from_seed(seed, &id) == 0);
	plan_make(0, 20, 2, "peering = \"open\";", &plan[0]);
	plan_make(10, 30, 0, "peering = \"open\";", &plan[1]);
	plan_make(10, 12, 0, "", &plan[2]);
	feed(&f, &plan[0]);
	drain(&come, &gone);
	CU_ASSERT(come == 20 && gone == 0); // who has no key is left to joining
	CU_ASSERT(xy_book_in_force(&w.book, &plan[0].config.peers[0].key, &p));
	CU_ASSERT(p.source == XY_BOOK_COMMAND_LINE && p.says == &plan[0].config.peers[0] &&
		  p.remote == &plan[0].remote[0]);
	CU_ASSERT(xy_book_get(&w.book, &plan[0].config.peers[2].key, XY_BOOK_CONFIG, &p));

	p = (struct xy_book_peer){stranger, XY_BOOK_OPEN, 0, &w.says[XY_BOOK_OPEN], &w.remote};
	CU_ASSERT_EQUAL(xy_book_set(&w.book, &p), 0);
	xy_feed_begin(&f, &plan[2]); // given up in the middle
	CU_ASSERT_EQUAL(xy_feed_run(&f, &max, &err), 1);
	feed(&f, &plan[1]);
	drain(&come, &gone);
	CU_ASSERT(come == 21 && gone == 10);
	CU_ASSERT(xy_book_in_force(&w.book, &plan[0].config.peers[15].key, &p));
	CU_ASSERT_PTR_EQUAL(p.says, &plan[1].config.peers[5]); // nothing points into the old one
	feed(&f, &plan[2]);
	drain(&come, &gone);
	CU_ASSERT(come == 2 && gone == 19); // and the stranger
	for (unsigned i = 0; i < XY_ARRAY_SIZE(plan); i++)
		xy_plan_free(&plan[i]);
	xy_book_fini(&w.book);
}

int main(int argc, char **argv)
{
	static const struct xy_unit_case cases[] = {
		{"step by step", test_steps},
		{"beside a model", test_model},
		{"room for so many", test_in_place},
		{"fed by plans", test_feed},
	};
	xy_log_init(XY_LOG_ERROR);
	return sodium_init() < 0 || xy_unit_run("book", cases, XY_ARRAY_SIZE(cases), argc, argv);
}
