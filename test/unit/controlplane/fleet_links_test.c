// SPDX-License-Identifier: BSD-3-Clause
// What the daemon is told of a book's nodes, on a real loop with a daemon that is played: for how
// long, what is taken back, and that it is asked again until it did so.
#include "fleet/links.h"
#include "fleet/talk.h"
#include "unit.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { DEADLINE_MS = 15000, KEYS = 40 };

struct said { // of a key, by the daemon
	struct xy_key key;
	unsigned peers, forgets;
	uint64_t life, admitted_life; // of the last that was said
	bool peer, admitted;
	char claim[48]; // that it was admitted with
};

static struct {
	uv_loop_t loop;
	struct xy_config_fleet config;
	struct xy_fleet f;
	uint64_t wall;
	struct said said[KEYS];
	struct xy_prefix claim; // of records that are put
	unsigned fails;		// so many of the next takings back
	unsigned sessions;	// how often others were ended
	bool is_left, empty, tells_fail;
} w;

uint64_t xy_fleet_wall(void)
{
	return w.wall;
}

static struct xy_identity identity(unsigned n)
{
	struct xy_identity id;
	uint8_t seed[32] = {(uint8_t)n, 3};
	CU_ASSERT_FATAL(xy_identity_from_seed(seed, &id) == 0);
	return id;
}

static struct said *said_of(const char *text)
{
	struct xy_key key;
	CU_ASSERT_FATAL(text && xy_key_parse(text, &key, NULL) == 0);
	for (unsigned i = 0; i < KEYS; i++)
		if (memcmp(&w.said[i].key, &key, sizeof(key)) == 0)
			return &w.said[i];
	CU_FAIL_FATAL("nobody has that key");
	return NULL;
}

static void say_admitted(const json_t *params)
{
	json_t *v;
	size_t i;
	json_array_foreach(json_object_get(params, "keys"), i, v)
	{
		struct said *s = said_of(
			json_string_value(json_is_string(v) ? v : json_object_get(v, "key")));
		s->admitted_life =
			(uint64_t)json_integer_value(json_object_get(params, "lifetime"));
		s->admitted = s->admitted_life;
		const char *claim = json_string_value(json_object_get(v, "claim"));
		snprintf(s->claim, sizeof(s->claim), "%s", claim ? claim : "");
	}
}

void xy_fleet_daemon_tell(struct xy_fleet_daemon *d, const char *command, json_t *params,
			  xy_ask_done *done, void *arg)
{
	static const struct xy_ask_answer no = {.code = -ETIMEDOUT, .text = "no answer"};
	const char *key = json_string_value(json_object_get(params, "key"));
	uint64_t life = (uint64_t)json_integer_value(json_object_get(params, "lifetime"));
	bool forgets = strcmp(command, "/xylem/fleet_forget") == 0;
	bool admits = strcmp(command, "/xylem/fleet_admit") == 0;
	struct xy_ask_answer yes = {.answer = json_object()};
	bool back = forgets || (admits && !life);
	bool fails = w.fails && (back || w.tells_fail);
	w.sessions += !fails && strcmp(command, "/xylem/fleet_session") == 0;
	w.fails -= fails;
	if (admits && !fails)
		say_admitted(params);
	if (key && !fails) {
		struct said *s = said_of(key);
		s->peers += !forgets;
		s->forgets += forgets;
		s->peer = !forgets;
		s->life = life;
	}
	json_decref(params);
	if (fails)
		json_decref(yes.answer);
	done(arg, fails ? &no : &yes);
}

// One page: a peer of the daemon's for each that was told.
void xy_fleet_daemon_look(struct xy_fleet_daemon *d, const char *command, const char *params,
			  xy_ask_done *done, void *arg)
{
	bool peers = strcmp(command, "/xylem/peers") == 0;
	json_t *list = json_array();
	char text[XY_KEY_STRLEN];
	for (unsigned i = 0; peers && !w.empty && i < KEYS; i++)
		if (w.said[i].peer)
			json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "key",
							      xy_key_str(&w.said[i].key, text),
							      "name", text, "state", "up"));
	const struct xy_ask_answer a = {
		.answer = json_pack("{s:o}", peers ? "peers" : "neighbours", list)};
	done(arg, &a);
}

const char *xy_fleet_daemon_why(const struct xy_fleet_daemon *d)
{
	return NULL;
}

static void put_as(unsigned n, uint64_t epoch, uint64_t life, bool ended)
{
	struct xy_identity id = identity(n);
	struct xy_fleet_record r = {.epoch = epoch,
				    .expires = w.wall + life,
				    .ended = ended,
				    .has_claim = w.claim.len,
				    .claim = w.claim};
	char *text = NULL, name[16];
	struct xy_err err = {""};
	snprintf(name, sizeof(name), "n%u", n);
	CU_ASSERT_FATAL(xy_fleet_record_sign(&r, &id, &text, &err) == 0);
	enum xy_fleet_outcome o = xy_fleet_book_put(w.f.book, XY_FLEET_FROM_SOURCE, name, text,
						    strlen(text), w.wall, &err);
	CU_ASSERT_FATAL(o < XY_FLEET_MALFORMED);
	free(text);
	xy_fleet_links_look(w.f.links);
}

static void put(unsigned n, uint64_t life)
{
	put_as(n, 1, life, false);
}

static void begin(void)
{
	memset(&w, 0, sizeof(w));
	w.wall = 1800000000;
	for (unsigned i = 0; i < KEYS; i++)
		w.said[i].key = identity(i).x25519;
	uv_loop_init(&w.loop);
	w.config.links = XY_CONFIG_FLEET_ALL;
	w.f = (struct xy_fleet){.loop = &w.loop, .config = &w.config, .met = true, .up_once = true};
	w.f.self.key = identity(100).ed25519;
	xy_fleet_trust_init(&w.f.trust);
	const struct xy_fleet_book_config book = {
		.self = w.f.self.key, .deletes = ~0u, .trust = &w.f.trust};
	CU_ASSERT_FATAL(xy_fleet_book_create(&book, &w.f.book) == 0);
	CU_ASSERT_FATAL(xy_fleet_links_create(&w.f, &w.f.links) == 0);
}

static void end(void)
{
	xy_fleet_links_close(w.f.links);
	uv_run(&w.loop, UV_RUN_DEFAULT);
	CU_ASSERT(uv_loop_close(&w.loop) == 0);
	xy_fleet_book_destroy(w.f.book);
	xy_fleet_trust_fini(&w.f.trust);
}

static bool until(bool (*is)(void))
{
	for (uint64_t end = uv_hrtime() / 1000000 + DEADLINE_MS; uv_hrtime() / 1000000 < end;) {
		if (is())
			return true;
		uv_run(&w.loop, UV_RUN_ONCE);
	}
	return false;
}

static bool all_told(void)
{
	unsigned n = 0;
	for (unsigned i = 0; i < KEYS; i++)
		n += w.said[i].peer && w.said[i].admitted;
	return n == xy_fleet_book_count(w.f.book);
}

// Who ends soon takes nothing from who does not.
static void test_lives(void)
{
	begin();
	for (unsigned i = 0; i < 20; i++)
		put(i, i == 7 ? 5 : 600 + i);
	CU_ASSERT(until(all_told));
	for (unsigned i = 0; i < 20; i++) {
		uint64_t life = w.said[i].admitted_life;
		CU_ASSERT(i == 7 ? life == 5 : life >= 300 && life <= 600 + i);
	}
	end();
}

static bool first_gone(void)
{
	return !w.said[0].peer && !w.said[0].admitted;
}

static void test_again(void)
{
	begin();
	put(0, 600);
	put(1, 600);
	CU_ASSERT(until(all_told));
	w.fails = 2; // both, of the first
	put_as(0, 2, 600, true);
	for (unsigned i = 0; i < 20 && w.fails; i++)
		uv_run(&w.loop, UV_RUN_ONCE);
	CU_ASSERT(!w.fails && w.said[0].peer && w.said[0].admitted);
	CU_ASSERT(until(first_gone));
	CU_ASSERT(w.said[0].forgets == 1 && w.said[1].peer && w.said[1].admitted);
	end();
}

static bool is_settled(void)
{
	return w.sessions;
}

// What an agent before said besides ends once all that the source has was said, and taken.
static void test_session(void)
{
	begin();
	w.f.up_once = false;
	w.f.since = 1;
	put(0, 600);
	CU_ASSERT(until(all_told) && !w.sessions);
	for (unsigned i = 0; i < 5; i++)
		uv_run(&w.loop, UV_RUN_ONCE);
	CU_ASSERT(!w.sessions);
	w.f.up_once = true;
	w.fails = 3; // two nodes, and an admission of both
	w.tells_fail = true;
	put(1, 600);
	put(2, 600);
	CU_ASSERT(until(is_settled) && all_told() && !w.fails && w.sessions == 1);
	xy_fleet_links_look(w.f.links);
	for (unsigned i = 0; i < 5; i++)
		uv_run(&w.loop, UV_RUN_ONCE);
	CU_ASSERT(w.sessions == 1);
	end();
}

static bool is_left(void)
{
	return w.is_left;
}

static void on_left(void *arg)
{
	w.is_left = true;
}

static void test_leave(void)
{
	begin();
	for (unsigned i = 0; i < KEYS; i++)
		put(i, 600);
	CU_ASSERT(until(all_told));
	w.fails = 3;
	xy_fleet_links_leave(w.f.links, on_left, NULL);
	CU_ASSERT(until(is_left) && !w.fails);
	for (unsigned i = 0; i < KEYS; i++)
		CU_ASSERT(!w.said[i].peer && !w.said[i].admitted);
	end();
}

// A key that comes to another place of the book, or back, is not forgotten for its old one.
static void test_places(void)
{
	begin();
	put(0, 600);
	put(1, 600);
	CU_ASSERT(until(all_told));
	xy_fleet_book_gone(w.f.book, XY_FLEET_FROM_SOURCE, "n0");
	w.wall += 700;
	xy_fleet_book_expire(w.f.book, w.wall, true);
	put_as(2, 2, 600, false);
	put_as(0, 2, 600, false);
	CU_ASSERT(until(all_told));
	for (unsigned i = 0; i < 5; i++)
		uv_run(&w.loop, UV_RUN_ONCE);
	CU_ASSERT(w.said[0].peer && w.said[0].admitted && !w.said[0].forgets);
	CU_ASSERT(w.said[2].peer && !w.said[1].peer);
	end();
}

static bool is_up(void)
{
	struct xy_fleet_link link;
	xy_fleet_links_tell(w.f.links, 0, &link);
	return link.up;
}

static bool is_down(void)
{
	return !is_up();
}

static void test_up(void)
{
	begin();
	put(0, 600);
	CU_ASSERT(until(is_up));
	w.empty = true;
	CU_ASSERT(until(is_down));
	end();
}

static bool has_claim(unsigned n)
{
	return w.said[n].admitted && w.said[n].claim[0];
}

static bool first_has(void)
{
	return has_claim(0);
}

static bool second_is_in(void)
{
	return w.said[1].admitted;
}

static bool second_has(void)
{
	return has_claim(1);
}

// A claim is its node's also while nobody listens, and whatever another says meanwhile; it is
// another's once its node was silent.
static void test_claims(void)
{
	begin();
	CU_ASSERT_FATAL(xy_prefix_parse("fd10:1::/48", &w.claim) == 0);
	put(0, 600);
	CU_ASSERT(until(first_has));
	w.wall += 700;
	xy_fleet_book_expire(w.f.book, w.wall, false);
	put(1, 6000);
	const struct xy_identity one = identity(1);
	xy_fleet_book_claim_heard(w.f.book, &one.ed25519, &w.claim, 1, w.wall);
	CU_ASSERT(until(second_is_in) && !second_has());
	w.said[0] = (struct said){.key = w.said[0].key};
	put_as(0, 2, 600, false);
	CU_ASSERT(until(first_has) && !second_has());
	w.wall += 700;
	xy_fleet_book_expire(w.f.book, w.wall, true);
	xy_fleet_links_look(w.f.links);
	CU_ASSERT(until(second_has));
	w.said[0] = (struct said){.key = w.said[0].key};
	put_as(0, 3, 600, false);
	for (unsigned i = 0; i < 5; i++)
		uv_run(&w.loop, UV_RUN_ONCE);
	CU_ASSERT(second_has() && !first_has());
	end();
}

XY_UNIT_MAIN("fleet links", {"lives", test_lives}, {"again", test_again}, {"session", test_session},
	     {"leave", test_leave}, {"places", test_places}, {"up", test_up},
	     {"claims", test_claims})
