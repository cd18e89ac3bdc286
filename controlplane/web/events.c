// SPDX-License-Identifier: BSD-3-Clause
#include "web/events.h"

#include "base/bytes.h"
#include "web/api.h"
#include "web/redact.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct text {
	unsigned users;
	size_t len;
	char bytes[];
};

struct client {
	struct client *next, **pprev;
	struct xy_events *events;
	struct xy_http_request *q;
	struct text *held[XY_EVENTS_HELD];
	unsigned first, count;
	size_t at; // of the first, taken
	bool public, cut;
	char csrf[48]; // of its session; "": none
};

struct xy_events {
	struct xy_web *web;
	uv_timer_t timer;
	struct client *clients;
	unsigned count, public_count;
	bool closing, up;
	char *why; // it is down
};

// --- texts

static struct text *text_make(const char *event, const char *data)
{
	size_t len = strlen(event) + strlen(data) + 20;
	struct text *t = malloc(sizeof(*t) + len + 1);
	if (!t)
		return NULL;
	t->users = 1;
	t->len = (size_t)sprintf(t->bytes, "event: %s\ndata: %s\n\n", event, data);
	return t;
}

static void text_release(struct text *t)
{
	if (t && --t->users == 0)
		free(t);
}

// --- one client

static void cut(struct client *c)
{
	if (c->cut)
		return;
	c->cut = true;
	xy_http_stream_cut(c->q);
}

static void give(struct client *c, struct text *t)
{
	if (!t || c->cut)
		return;
	if (c->count == XY_EVENTS_HELD) { // it does not read
		cut(c);
		return;
	}
	t->users++;
	c->held[(c->first + c->count++) % XY_EVENTS_HELD] = t;
	xy_http_stream_wake(c->q);
}

static ssize_t on_read(void *arg, char *to, size_t max)
{
	struct client *c = arg;
	size_t n = 0;
	if (c->cut || c->events->closing)
		return -1;
	while (c->count && n < max) {
		struct text *t = c->held[c->first];
		size_t part = t->len - c->at < max - n ? t->len - c->at : max - n;
		memcpy(to + n, t->bytes + c->at, part);
		n += part;
		c->at += part;
		if (c->at < t->len)
			break;
		text_release(t);
		c->first = (c->first + 1) % XY_EVENTS_HELD;
		c->count--;
		c->at = 0;
	}
	return (ssize_t)n;
}

static void on_gone(void *arg)
{
	struct client *c = arg;
	*c->pprev = c->next;
	if (c->next)
		c->next->pprev = c->pprev;
	for (unsigned i = 0; i < c->count; i++)
		text_release(c->held[(c->first + i) % XY_EVENTS_HELD]);
	c->events->count--;
	c->events->public_count -= c->public;
	free(c);
}

static struct text *state_text(const struct xy_events *e, bool public)
{
	const char *why = public && e->why ? XY_API_AWAY : e->why;
	json_t *o = json_pack("{s:s, s:s?}", "daemon", e->up ? "up" : "down", "why", why);
	char *data = o ? json_dumps(o, JSON_COMPACT) : NULL;
	struct text *t = data ? text_make("state", data) : NULL;
	free(data);
	json_decref(o);
	return t;
}

static struct text *first_text(const struct xy_events *e, bool public)
{
	static const char retry[] = "retry: 2000\n\n";
	struct text *state = state_text(e, public), *t = NULL;
	if (state)
		t = realloc(state, sizeof(*state) + state->len + sizeof(retry));
	if (!t) {
		free(state);
		return NULL;
	}
	memmove(t->bytes + sizeof(retry) - 1, t->bytes, t->len + 1);
	memcpy(t->bytes, retry, sizeof(retry) - 1);
	t->len += sizeof(retry) - 1;
	return t;
}

// Everybody leaves room for us, and for others.
static bool has_room(const struct xy_events *e, const struct xy_http_request *q)
{
	struct xy_addr from = xy_http_source(q);
	unsigned same = 0;
	if (!xy_http_is_public(q) || e->public_count >= XY_EVENTS_PUBLIC)
		return !xy_http_is_public(q) && e->count < XY_EVENTS_CLIENTS;
	for (const struct client *c = e->clients; c; c = c->next) {
		struct xy_addr a = xy_http_source(c->q);
		same += c->public && xy_addr_eq(&a, &from);
	}
	return e->count < XY_EVENTS_CLIENTS &&
	       (same < XY_EVENTS_FROM_ONE || xy_http_is_from_here(q));
}

void xy_events_serve(struct xy_api_call *call)
{
	struct xy_events *e = call->web->events;
	struct xy_http_request *q = call->q;
	bool room = has_room(e, q);
	struct client *c = room ? calloc(1, sizeof(*c)) : NULL;
	struct text *t = c ? first_text(e, xy_http_is_public(q)) : NULL;
	if (!t) {
		free(c);
		xy_http_add(q, "Retry-After", "10");
		xy_api_problem(call, 503,
			       room ? "not enough memory"
				    : "as many listen as may, of all or from there; close another "
				      "page of it, or try again later");
		return;
	}
	*c = (struct client){.next = e->clients,
			     .pprev = &e->clients,
			     .events = e,
			     .q = q,
			     .public = xy_http_is_public(q)};
	memcpy(c->csrf, call->who.csrf, sizeof(c->csrf));
	if (c->next)
		c->next->pprev = &c->next;
	e->clients = c;
	e->count++;
	e->public_count += c->public;
	c->held[c->count++] = t;
	xy_api_end(call);
	xy_http_answer_stream(q, "text/event-stream",
			      &(struct xy_http_stream){.read = on_read, .gone = on_gone, .arg = c});
}

// --- to all of them

static void tell(struct xy_events *e, struct text *private, struct text *public)
{
	struct client *next;
	for (struct client *c = e->clients; c; c = next) {
		next = c->next;
		give(c, c->public ? public : private);
	}
}

static void tell_object(struct xy_events *e, const char *event, const json_t *o, bool public)
{
	char *data = o ? json_dumps(o, JSON_COMPACT) : NULL;
	struct text *t = data ? text_make(event, data) : NULL;
	free(data);
	if (t)
		tell(e, public ? NULL : t, public ? t : NULL);
	text_release(t);
}

static void on_state(void *arg, bool up, const char *why)
{
	struct xy_events *e = arg;
	free(e->why);
	e->why = why ? strdup(why) : NULL;
	e->up = up;
	struct text *private = state_text(e, false), *public = state_text(e, true);
	tell(e, private, public);
	text_release(private);
	text_release(public);
}

// Whose session has ended hears no more.
static void end_dead(struct xy_events *e)
{
	struct client *next;
	for (struct client *c = e->clients; c; c = next) {
		next = c->next;
		if (c->csrf[0] && !xy_auth_is_alive(e->web->auth, c->csrf))
			cut(c);
	}
}

static void on_tick(void *arg, const json_t *tick)
{
	struct xy_events *e = arg;
	end_dead(e);
	if (e->count > e->public_count)
		tell_object(e, "tick", tick, false);
	if (e->public_count) {
		json_t *less = json_deep_copy(tick);
		xy_redact_tick(less);
		tell_object(e, "tick", less, true);
		json_decref(less);
	}
}

static void on_log(void *arg, const json_t *lines)
{
	tell_object(arg, "log", lines, false);
}

static bool is_watched(void *arg)
{
	const struct xy_events *e = arg;
	return e->count > 0;
}

struct xy_watch_ops xy_events_ops(struct xy_events *e)
{
	return (struct xy_watch_ops){.state = on_state,
				     .tick = on_tick,
				     .log = on_log,
				     .is_watched = is_watched,
				     .arg = e};
}

void xy_events_end(struct xy_events *e, const char *csrf)
{
	struct client *next;
	for (struct client *c = e->clients; c; c = next) {
		next = c->next;
		if (c->csrf[0] && strcmp(c->csrf, csrf) == 0)
			cut(c);
	}
}

void xy_events_end_private(struct xy_events *e)
{
	struct client *next;
	for (struct client *c = e->clients; c; c = next) {
		next = c->next;
		if (!c->public)
			cut(c);
	}
}

// While the daemon is away nothing else is sent.
static void on_quiet(uv_timer_t *timer)
{
	static const char comment[] = ":\n\n";
	struct xy_events *e = timer->data;
	struct text *t = e->up || !e->clients ? NULL : malloc(sizeof(*t) + sizeof(comment));
	if (!t)
		return;
	t->users = 1;
	t->len = sizeof(comment) - 1;
	memcpy(t->bytes, comment, sizeof(comment));
	tell(e, t, t);
	text_release(t);
}

int xy_events_create(struct xy_web *w, struct xy_events **out)
{
	struct xy_events *e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->web = w;
	uv_timer_init(w->loop, &e->timer);
	e->timer.data = e;
	uv_timer_start(&e->timer, on_quiet, XY_EVENTS_QUIET_MS, XY_EVENTS_QUIET_MS);
	*out = e;
	return 0;
}

static void freed(uv_handle_t *h)
{
	struct xy_events *e = h->data;
	free(e->why);
	free(e);
}

void xy_events_close(struct xy_events *e)
{
	if (!e)
		return;
	e->closing = true;
	for (struct client *c = e->clients; c; c = c->next)
		xy_http_stream_wake(c->q); // each is at its end now
	uv_close((uv_handle_t *)&e->timer, freed);
}
