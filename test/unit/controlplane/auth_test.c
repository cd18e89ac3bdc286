// SPDX-License-Identifier: BSD-3-Clause
// Who guesses at xylem-web, and whom that keeps out: on a clock of the test's own, with passwords
// that are right, wrong, or cannot be looked at, as it says.
#include "base/bytes.h"
#include "unit.h"
#include "web/auth.h"
#include "web/devices.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>

// --- HTTP, time and argon2, as auth.c is built to see them

struct xy_http_request {
	struct xy_addr source;
	const char *authorization, *cookie;
	unsigned status; // 0: not answered
};

static uint64_t now;
static struct {
	uv_timer_t *timer;
	uv_timer_cb cb;
	uint64_t at;
} timers[4096];
static unsigned timer_count;

uint64_t fake_now(const uv_loop_t *loop)
{
	return now;
}

int fake_timer_start(uv_timer_t *t, uv_timer_cb cb, uint64_t ms, uint64_t repeat)
{
	timers[timer_count].timer = t;
	timers[timer_count].cb = cb;
	timers[timer_count++].at = now + ms;
	return 0;
}

static unsigned looks; // at passwords, so far

int fake_verify(const char hash[crypto_pwhash_STRBYTES], const char *const password,
		unsigned long long len)
{
	looks++;
	errno = strcmp(password, "no memory") == 0 ? ENOMEM : EINVAL;
	return strcmp(password, "right") == 0 ? 0 : -1;
}

const char *xy_http_header(const struct xy_http_request *q, const char *name)
{
	return strcmp(name, "Authorization") == 0 ? q->authorization
	       : strcmp(name, "Cookie") == 0	  ? q->cookie
						  : NULL;
}

const char *xy_http_body(const struct xy_http_request *q, size_t *len)
{
	*len = 0;
	return "";
}

bool xy_http_is_public(const struct xy_http_request *q)
{
	return false;
}

bool xy_http_is_tls(const struct xy_http_request *q)
{
	return false;
}

bool xy_http_is_from_here(const struct xy_http_request *q)
{
	return false;
}

struct xy_addr xy_http_source(const struct xy_http_request *q)
{
	return q->source;
}

const char *xy_http_from(const struct xy_http_request *q)
{
	return "there";
}

static char known[100]; // the device's cookie, as it was set last

void xy_http_add(struct xy_http_request *q, const char *name, const char *value)
{
	if (strcmp(name, "Set-Cookie") == 0 && strncmp(value, "known-", 6) == 0)
		snprintf(known, sizeof(known), "%.*s", (int)strcspn(value, ";"), value);
}

void xy_http_problem(struct xy_http_request *q, unsigned status, const char *fmt, ...)
{
	q->status = status;
}

// --- the tries

static uv_loop_t loop;
static struct xy_web web;

static void begin(void)
{
	now = 1000000;
	timer_count = 0;
	uv_loop_init(&loop);
	web = (struct xy_web){.loop = &loop, .instance = "xylem"};
	strcpy(web.config.password, "$argon2id$");
	CU_ASSERT_EQUAL_FATAL(xy_auth_create(&web, &web.auth), 0);
}

static void end(void)
{
	xy_auth_close(web.auth);
	uv_run(&loop, UV_RUN_DEFAULT);
	CU_ASSERT_EQUAL(uv_loop_close(&loop), 0);
}

static void on_right(struct xy_web *w, struct xy_http_request *q, const struct xy_auth_who *who)
{
	q->status = 200;
}

static struct xy_addr at(unsigned a, unsigned b)
{
	return (struct xy_addr){.b = {0x20, 1, 0xd, 0xb8, (uint8_t)(a >> 8), (uint8_t)a,
				      (uint8_t)(b >> 8), (uint8_t)b}};
}

// Every delay has passed, and who waited is answered.
static void pass(void)
{
	uv_run(&loop, UV_RUN_DEFAULT);
	for (unsigned i = 0; i < timer_count; i++) {
		now = timers[i].at > now ? timers[i].at : now;
		timers[i].cb(timers[i].timer);
	}
	timer_count = 0;
	uv_run(&loop, UV_RUN_DEFAULT);
}

static unsigned login(struct xy_addr source, const char *password)
{
	struct xy_http_request q = {.source = source};
	xy_auth_login(web.auth, &q, password, on_right);
	pass();
	return q.status;
}

static void lock(struct xy_addr source)
{
	for (unsigned i = 0; i < XY_AUTH_TRIES; i++)
		CU_ASSERT_EQUAL(login(source, "wrong"), 401);
	CU_ASSERT_EQUAL(login(source, "right"), 429);
}

static void test_tries(void)
{
	begin();
	CU_ASSERT_EQUAL(login(at(1, 1), "right"), 200);
	lock(at(1, 1));
	CU_ASSERT_EQUAL(login(at(1, 2), "right"), 200);
	now += XY_AUTH_LOCK_S * UINT64_C(1000);
	CU_ASSERT_EQUAL(login(at(1, 1), "right"), 200);
	end();
}

static void test_tokens(void)
{
	struct xy_http_request q = {.source = at(1, 1), .authorization = "Bearer old"};
	struct xy_auth_who who;
	begin();
	for (unsigned i = 0; i < 100; i++) {
		q.status = 0;
		CU_ASSERT(!xy_auth_who(web.auth, &q, &who));
		CU_ASSERT_EQUAL(q.status, 401); // at once
	}
	CU_ASSERT_EQUAL(login(at(1, 1), "right"), 200);
	q = (struct xy_http_request){.source = at(1, 1), .authorization = "Basic eDp5"};
	CU_ASSERT(xy_auth_who(web.auth, &q, &who));
	CU_ASSERT(q.status == 0 && who.scopes == 0);
	end();
}

static void test_memory(void)
{
	begin();
	for (unsigned i = 0; i < 2 * XY_AUTH_TRIES; i++)
		CU_ASSERT_EQUAL(login(at(1, 1), "no memory"), 503);
	CU_ASSERT_EQUAL(login(at(1, 1), "right"), 200);
	end();
}

// Who is locked stays it, however many come.
static void test_kept(void)
{
	begin();
	lock(at(1, 1));
	for (unsigned i = 0; i < 2 * XY_AUTH_SOURCES; i++) {
		now = 1000000 + 60000;
		CU_ASSERT_EQUAL(login(at(2 + i, 1), "wrong"), 401);
	}
	CU_ASSERT_EQUAL(login(at(1, 1), "right"), 429);
	end();
}

static void test_wide(void)
{
	begin();
	for (unsigned i = 0; i < XY_AUTH_TRIES_WIDE; i++)
		CU_ASSERT_EQUAL(login(at(1, i), "wrong"), 401);
	CU_ASSERT_EQUAL(login(at(1, 1000), "right"), 429);
	CU_ASSERT_EQUAL(login(at(2, 1000), "right"), 200);
	end();
}

// Those who wait for the answer that they were wrong take nobody's place.
static void test_room(void)
{
	static struct xy_http_request q[200];
	begin();
	memset(q, 0, sizeof(q));
	for (unsigned i = 0; i < 200; i++) {
		q[i].source = at(1 + i, 1);
		xy_auth_login(web.auth, &q[i], "wrong", on_right);
		uv_run(&loop, UV_RUN_DEFAULT);
		CU_ASSERT_EQUAL(q[i].status, 0);
	}
	CU_ASSERT_EQUAL(timer_count, 200);
	CU_ASSERT_EQUAL(login(at(999, 1), "right"), 200);
	CU_ASSERT_EQUAL(q[199].status, 401);
	end();
}

// Of as many sources as may wait, each wrong before, and each that is answered comes again.
static struct xy_http_request crowd[XY_AUTH_WAITING + 8];

static void crowd_comes(void)
{
	for (unsigned i = 0; i < XY_ARRAY_SIZE(crowd); i++) {
		struct xy_http_request *q = &crowd[i];
		if (q->source.b[0] && !q->status)
			continue; // it waits
		*q = (struct xy_http_request){.source = at(1 + i, 1)};
		xy_auth_login(web.auth, q, "wrong", on_right);
	}
}

// One password was looked at, and the next is.
static void look_once(void)
{
	uv_run(&loop, UV_RUN_ONCE);
	for (unsigned i = 0; i < timer_count; i++) {
		now = timers[i].at > now ? timers[i].at : now;
		timers[i].cb(timers[i].timer);
	}
	timer_count = 0;
}

static void crowd_begins(void)
{
	begin();
	memset(crowd, 0, sizeof(crowd));
	for (unsigned i = 0; i < XY_ARRAY_SIZE(crowd); i++)
		CU_ASSERT_EQUAL(login(at(1 + i, 1), "wrong"), 401);
	crowd_comes();
}

// Who was never wrong waits for no crowd of those who were.
static void test_crowd(void)
{
	struct xy_http_request q = {.source = at(999, 1)};
	crowd_begins();
	xy_auth_login(web.auth, &q, "right", on_right);
	CU_ASSERT_EQUAL(q.status, 0);
	looks = 0;
	for (unsigned i = 0; i < 100 && !q.status; i++) {
		look_once();
		crowd_comes();
	}
	CU_ASSERT_EQUAL(q.status, 200);
	CU_ASSERT(looks <= 3);
	pass();
	end();
}

// A crowd that was never wrong, and does not wait: who tries now and then has a turn.
static void test_pressing(void)
{
	static struct xy_http_request fresh[8 * XY_AUTH_WAITING];
	struct xy_http_request q = {.source = at(999, 1), .status = 429};
	begin();
	memset(fresh, 0, sizeof(fresh));
	for (unsigned turn = 0; turn < 40 && q.status == 429; turn++) {
		for (unsigned i = 0; i < XY_ARRAY_SIZE(fresh); i++) {
			if (fresh[i].source.b[0] && fresh[i].status != 429)
				continue; // it waits, or was wrong and is gone
			fresh[i] = (struct xy_http_request){.source = at(1 + i, 1)};
			xy_auth_login(web.auth, &fresh[i], "wrong", on_right);
		}
		if (turn % 4 == 3) {
			q.status = 0;
			xy_auth_login(web.auth, &q, "right", on_right);
		}
		if (q.status == 429)
			look_once();
	}
	CU_ASSERT_EQUAL(q.status, 0); // it waits
	looks = 0;
	for (unsigned i = 0; i < 100 && !q.status; i++)
		look_once();
	CU_ASSERT_EQUAL(q.status, 200);
	CU_ASSERT(looks <= 2 + XY_AUTH_WAITING); // behind those who came before
	pass();
	end();
}

// Nor is anybody of the crowd kept out for good: who waits for longest has a turn.
static void test_turn(void)
{
	struct xy_http_request q = {.source = at(999, 1)}, fresh;
	begin();
	for (unsigned i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(login(q.source, "wrong"), 401);
	fresh = (struct xy_http_request){.source = at(500, 1)};
	xy_auth_login(web.auth, &fresh, "wrong", on_right);
	xy_auth_login(web.auth, &q, "right", on_right);
	for (unsigned i = 0; i < 4 * XY_AUTH_OLDEST && !q.status; i++) {
		static struct xy_http_request more[4 * XY_AUTH_OLDEST];
		more[i] = (struct xy_http_request){.source = at(600 + i, 1)};
		xy_auth_login(web.auth, &more[i], "wrong", on_right);
		look_once();
	}
	CU_ASSERT_EQUAL(q.status, 200);
	pass();
	end();
}

// A browser that logged in before: however many never were wrong, and from a source that is locked.
static void test_device(void)
{
	struct xy_http_request q = {.source = at(1, 1)};
	static struct xy_http_request fresh[XY_AUTH_WAITING + 1];
	begin();
	CU_ASSERT_EQUAL(login(at(1, 1), "right"), 200);
	char cookie[sizeof(known)];
	memcpy(cookie, known, sizeof(cookie));
	CU_ASSERT(strncmp(cookie, "known-xylem=", 12) == 0 && strlen(cookie) > 40);
	lock(at(1, 1));
	memset(fresh, 0, sizeof(fresh));
	for (unsigned i = 0; i < XY_ARRAY_SIZE(fresh); i++) {
		fresh[i].source = at(100 + i, 1);
		xy_auth_login(web.auth, &fresh[i], "wrong", on_right);
	}
	q.cookie = cookie;
	xy_auth_login(web.auth, &q, "right", on_right);
	looks = 0;
	for (unsigned i = 0; i < 20 && !q.status; i++)
		look_once();
	CU_ASSERT_EQUAL(q.status, 200);
	CU_ASSERT(looks <= 3); // those under way, and it
	CU_ASSERT_STRING_EQUAL(known, cookie);
	pass();
	for (unsigned i = 0; i < XY_DEVICES_TRIES; i++) { // it may guess no more than others
		q.status = 0;
		xy_auth_login(web.auth, &q, "wrong", on_right);
		pass();
		CU_ASSERT_EQUAL(q.status, 401);
	}
	q.status = 0;
	xy_auth_login(web.auth, &q, "right", on_right);
	CU_ASSERT_EQUAL(q.status, 429);
	end();
}

XY_UNIT_MAIN("auth", {"tries", test_tries}, {"tokens", test_tokens}, {"memory", test_memory},
	     {"locks are kept", test_kept}, {"a /48", test_wide}, {"room", test_room},
	     {"a crowd", test_crowd}, {"a crowd that presses", test_pressing},
	     {"a turn", test_turn}, {"a device", test_device})
