// SPDX-License-Identifier: BSD-3-Clause
// How xylem-web follows the daemon: what is asked in which second, with answers that the test
// gives.
#include "unit.h"

#include "web/api.h"
#include "web/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// --- the daemon

static struct question {
	char command[32], params[64];
	xy_ask_done *done;
	void *arg;
} asked[64];
static unsigned asked_count;
static uv_timer_cb second;
static uv_timer_t *timer;

int fake_timer_start(uv_timer_t *t, uv_timer_cb cb, uint64_t ms, uint64_t repeat)
{
	timer = t;
	second = cb;
	return 0;
}

void xy_ask(struct xy_ask *a, const char *command, const char *params, xy_ask_done *done, void *arg)
{
	struct question *q = &asked[asked_count++];
	*q = (struct question){.done = done, .arg = arg};
	snprintf(q->command, sizeof(q->command), "%s", command);
	snprintf(q->params, sizeof(q->params), "%s", params ? params : "");
}

const char *xy_ask_why(const struct xy_ask *a, bool *denied)
{
	return NULL;
}

void xy_api_answer(struct xy_api_call *c, json_t *body)
{
}

void xy_api_problem(struct xy_api_call *c, unsigned status, const char *fmt, ...)
{
}

static struct question *question(const char *command)
{
	for (unsigned i = asked_count; i-- > 0;)
		if (strcmp(asked[i].command, command) == 0 && asked[i].done)
			return &asked[i];
	return NULL;
}

static void answer(const char *command, json_t *what, int code)
{
	struct question *q = question(command);
	struct xy_ask_answer a = {.answer = what, .code = code, .text = "as the test says"};
	CU_ASSERT_PTR_NOT_NULL_FATAL(q);
	xy_ask_done *done = q->done;
	q->done = NULL;
	done(q->arg, &a);
}

// --- who hears of it

static void on_state(void *arg, bool up, const char *why)
{
}

static void on_told(void *arg, const json_t *what)
{
}

static bool is_watched(void *arg)
{
	return true;
}

static uv_loop_t loop;
static struct xy_web web;

static void begin(void)
{
	const struct xy_watch_ops ops = {
		.state = on_state, .tick = on_told, .log = on_told, .is_watched = is_watched};
	uv_loop_init(&loop);
	web = (struct xy_web){.loop = &loop};
	asked_count = 0;
	CU_ASSERT_EQUAL_FATAL(xy_watch_create(&web, &ops, &web.watch), 0);
	xy_watch_changed(web.watch, true);
}

static void end(void)
{
	xy_watch_close(web.watch);
	uv_run(&loop, UV_RUN_DEFAULT);
	CU_ASSERT_EQUAL(uv_loop_close(&loop), 0);
}

// Whatever is not answered yet in this second, is: empty.
static void rest(void)
{
	for (unsigned i = 0; i < asked_count; i++) {
		struct xy_ask_answer a = {.answer = json_object()};
		xy_ask_done *done = asked[i].done;
		asked[i].done = NULL;
		if (done)
			done(asked[i].arg, &a);
		else
			json_decref(a.answer);
	}
	asked_count = 0;
}

static json_t *page(const char *next)
{
	return json_pack("{s:[], s:s?}", "peers", "next", next);
}

// A page that is refused, whatever the daemon says of it, is not asked for for ever.
static void test_refused_page(void)
{
	static const int codes[] = {-EREMOTE, -ENOENT, -EINVAL, -EMSGSIZE};
	for (unsigned i = 0; i < 4; i++) {
		begin();
		second(timer);
		CU_ASSERT_STRING_EQUAL(question("/xylem/peers")->params, "");
		answer("/xylem/peers", page("old"), 0);
		CU_ASSERT_STRING_EQUAL(question("/xylem/peers")->params, "old");
		answer("/xylem/peers", NULL, codes[i]);
		rest();
		second(timer);
		CU_ASSERT_STRING_EQUAL(question("/xylem/peers")->params, "");
		rest();
		end();
	}
}

// One for which there was no time is.
static void test_busy_page(void)
{
	begin();
	second(timer);
	answer("/xylem/peers", page("there"), 0);
	answer("/xylem/peers", NULL, -EBUSY);
	rest();
	second(timer);
	CU_ASSERT_STRING_EQUAL(question("/xylem/peers")->params, "there");
	rest();
	end();
}

XY_UNIT_MAIN("watch", {"a refused page", test_refused_page}, {"a busy page", test_busy_page})
