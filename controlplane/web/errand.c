// SPDX-License-Identifier: BSD-3-Clause
#include "web/errand.h"

#include "web/auth.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct xy_errand {
	struct xy_errand *next, **pprev;
	struct xy_errands *all;
	const struct xy_errand_ops *ops;
	void *arg;
	struct xy_api_call *call;  // until it is answered
	struct xy_http_request *q; // NULL: it is gone
	struct xy_auth_who who;
	uint64_t until; // ms; once it is done: that who asked may take the rest
	uv_thread_t thread;
	uv_async_t async; // something was said, or it is done
	uv_timer_t timer;
	unsigned handles;
	bool streams, joined;
	atomic_bool over;
	struct xy_err err; // below: the thread's, until it is done
	int result;
	uv_mutex_t lock; // of what is below
	bool done;
	char *said;
	size_t len;
};

struct xy_errands {
	struct xy_web *web;
	struct xy_errand *first;
	bool closing;
};

// --- the thread

bool xy_errand_is_over(void *errand)
{
	struct xy_errand *e = errand;
	return atomic_load(&e->over);
}

static void append(struct xy_errand *e, const char *text, size_t len)
{
	char *more = e->len + len < XY_ERRAND_SAID ? realloc(e->said, e->len + len + 1) : NULL;
	if (!more) { // who asked does not read, or there is no memory
		atomic_store(&e->over, true);
		return;
	}
	memcpy(more + e->len, text, len);
	e->len += len;
	more[e->len] = 0;
	e->said = more;
}

void xy_errand_say(struct xy_errand *e, json_t *line)
{
	char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;
	json_decref(line);
	uv_mutex_lock(&e->lock);
	if (text)
		append(e, text, strlen(text));
	if (text && e->ops->lines)
		append(e, "\n", 1);
	uv_mutex_unlock(&e->lock);
	free(text);
	uv_async_send(&e->async);
}

static void run(void *errand)
{
	struct xy_errand *e = errand;
	e->result = e->ops->run(e, e->arg, &e->err);
	uv_mutex_lock(&e->lock);
	e->done = true;
	uv_mutex_unlock(&e->lock);
	uv_async_send(&e->async);
}

// --- its end

static void free_when_closed(uv_handle_t *h)
{
	struct xy_errand *e = h->data;
	if (--e->handles)
		return;
	uv_mutex_destroy(&e->lock);
	free(e->said);
	free(e);
}

static void end_if_over(struct xy_errand *e)
{
	if (!e->joined || e->q)
		return;
	*e->pprev = e->next;
	if (e->next)
		e->next->pprev = e->pprev;
	uv_close((uv_handle_t *)&e->async, free_when_closed);
	uv_close((uv_handle_t *)&e->timer, free_when_closed);
}

static unsigned status_of(int result)
{
	switch (result) {
	case -ENOMEM:
		return 500;
	case -ETIMEDOUT:
		return 504;
	case -ENOENT:
		return 404;
	case -EREMOTE:
	case -EINVAL:
	case -ENETUNREACH:
	case -EHOSTUNREACH:
		return 422;
	}
	return 503;
}

// --- lines

static ssize_t on_read(void *arg, char *to, size_t max)
{
	struct xy_errand *e = arg;
	uv_mutex_lock(&e->lock);
	size_t n = e->len < max ? e->len : max;
	if (n) {
		memcpy(to, e->said, n);
		memmove(e->said, e->said + n, e->len - n);
		e->len -= n;
	}
	bool end = !n && (e->done || e->all->closing);
	uv_mutex_unlock(&e->lock);
	return end ? -1 : (ssize_t)n;
}

static void on_gone(void *arg)
{
	struct xy_errand *e = arg;
	e->q = NULL;
	atomic_store(&e->over, true);
	end_if_over(e);
}

static void stream(struct xy_errand *e)
{
	const struct xy_http_stream s = {.read = on_read, .gone = on_gone, .arg = e};
	e->streams = true;
	xy_api_end(e->call);
	e->call = NULL;
	xy_http_answer_stream(e->q, "application/x-ndjson", &s);
}

// --- the loop

static void answer(struct xy_errand *e)
{
	struct xy_api_call *c = e->call;
	e->call = NULL;
	e->q = NULL;
	if (!xy_auth_holds(e->all->web->auth, &e->who))
		xy_api_problem(c, 401, "who asked may no more: log in again");
	else if (e->result)
		xy_api_problem(c, status_of(e->result), "%s", xy_ask_plain(e->err.text));
	else
		xy_api_answer_once(c, e->said ? json_loads(e->said, 0, NULL) : NULL);
}

static void on_said(uv_async_t *async)
{
	struct xy_errand *e = async->data;
	if (e->joined)
		return;
	uv_mutex_lock(&e->lock);
	bool done = e->done, said = e->len;
	uv_mutex_unlock(&e->lock);
	if (e->call && said && e->ops->lines)
		stream(e);
	else if (e->streams && e->q)
		xy_http_stream_wake(e->q);
	if (!done)
		return;
	uv_thread_join(&e->thread);
	e->joined = true;
	e->until = uv_now(e->timer.loop) + XY_HTTP_TAKE_MS;
	e->ops->free(e->arg);
	if (e->call)
		answer(e);
	end_if_over(e);
}

static void look(struct xy_errand *e)
{
	if (!e->q || e->all->closing ||
	    (!xy_http_has_left(e->q) && xy_auth_holds(e->all->web->auth, &e->who) &&
	     (!e->joined || uv_now(e->timer.loop) < e->until)))
		return;
	atomic_store(&e->over, true);
	if (e->streams)
		xy_http_stream_cut(e->q);
}

static void on_look(uv_timer_t *t)
{
	look(t->data);
}

static void refuse(struct xy_api_call *c, const char *why)
{
	xy_http_add(c->q, "Retry-After", "2");
	xy_api_problem(c, 429, "%s", why);
}

static bool has_room(const struct xy_errands *all, const struct xy_errand_ops *ops)
{
	unsigned same = 0, n = 0;
	for (const struct xy_errand *e = all->first; e; e = e->next, n++)
		same += e->ops == ops;
	return n < XY_ERRANDS && same < ops->most;
}

static void handle_begins(struct xy_errand *e, void *handle)
{
	((uv_handle_t *)handle)->data = e;
	e->handles++;
}

void xy_errand_begin(struct xy_api_call *c, const struct xy_errand_ops *ops, void *arg)
{
	struct xy_errands *all = c->web->errands;
	bool room = has_room(all, ops);
	struct xy_errand *e = room ? calloc(1, sizeof(*e)) : NULL;
	if (!e || uv_mutex_init(&e->lock)) {
		free(e);
		ops->free(arg);
		if (room)
			xy_api_problem(c, 500, "not enough memory");
		else
			refuse(c, "as many of these are under way as may be; try again when one "
				  "is done");
		return;
	}
	e->all = all;
	e->ops = ops;
	e->arg = arg;
	e->call = c;
	e->q = c->q;
	e->who = c->who;
	e->next = all->first;
	e->pprev = &all->first;
	if (e->next)
		e->next->pprev = &e->next;
	all->first = e;
	uv_async_init(c->web->loop, &e->async, on_said);
	uv_timer_init(c->web->loop, &e->timer);
	handle_begins(e, &e->async);
	handle_begins(e, &e->timer);
	uv_timer_start(&e->timer, on_look, XY_ERRAND_LOOK_MS, XY_ERRAND_LOOK_MS);
	if (!uv_thread_create(&e->thread, run, e))
		return;
	e->joined = true;
	e->result = xy_err_set(&e->err, ENOMEM, "no thread for it");
	ops->free(arg);
	answer(e);
	end_if_over(e);
}

// --- all of them

struct xy_errands *xy_errands_create(struct xy_web *w)
{
	struct xy_errands *all = calloc(1, sizeof(*all));
	if (all)
		all->web = w;
	return all;
}

void xy_errands_look(struct xy_errands *all)
{
	for (struct xy_errand *e = all->first; e; e = e->next)
		look(e);
}

void xy_errands_close(struct xy_errands *all)
{
	if (!all)
		return;
	all->closing = true;
	for (struct xy_errand *e = all->first; e; e = e->next) {
		atomic_store(&e->over, true);
		if (e->streams && e->q) {
			xy_http_stream_wake(e->q); // it is at its end now
		} else if (e->call) {
			xy_api_problem(e->call, 503, "xylem-web ends");
			e->call = NULL;
			e->q = NULL;
		}
	}
}

void xy_errands_free(struct xy_errands *all)
{
	free(all);
}
