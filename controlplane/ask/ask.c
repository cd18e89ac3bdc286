// SPDX-License-Identifier: BSD-3-Clause
#include "ask/ask.h"

#include "client/client.h"

#include <stdlib.h>
#include <string.h>

enum {
	OPEN_MS = 3000,	 // a connection, with the greeting
	AGAIN_MS = 1000, // after one that failed or was lost
	SOON_MS = 200,	 // the same, for somebody who asks
	IDLE_MS = 10000, // of a lazy one
};

static const char ends[] = "this program ends";

struct question {
	struct question *next;
	char *command, *params;
	xy_ask_done *done;
	void *arg;
};

// A connection, until the loop has let go of its descriptor.
struct line {
	uv_poll_t poll;
	struct xy_client *client;
	struct xy_ask *ask; // NULL: it was left
};

struct opening {
	uv_work_t work;
	struct xy_client_config config;
	struct xy_client *client;
	struct xy_err err;
	int result;
	struct xy_ask *ask; // NULL: nobody wants it any more
};

struct xy_ask {
	struct xy_ask_config cfg;
	uv_loop_t *loop;
	uv_timer_t timer; // whatever is to happen next
	struct line *line;
	struct opening *opening;
	struct question *first, **last, *under_way;
	unsigned waiting;
	uint64_t until; // of the question under way
	uint64_t due;	// of the next one, as far as the rate goes
	uint64_t tried; // when a connection failed or was lost
	uint64_t used;	// when somebody asked last
	bool tried_once, denied, told, closing;
	struct xy_err why;
};

static void go_on(struct xy_ask *a);

// --- questions

static void question_free(struct question *q)
{
	if (!q)
		return;
	free(q->command);
	if (q->params) {
		explicit_bzero(q->params, strlen(q->params)); // a key may be in it
		free(q->params);
	}
	free(q);
}

// It may ask again while it is told.
static void tell(struct question *q, json_t *answer, int code, const char *text)
{
	struct xy_ask_answer a = {.answer = answer, .code = code, .text = text};
	q->done(q->arg, &a);
	question_free(q);
}

static struct question *take_first(struct xy_ask *a)
{
	struct question *q = a->first;
	if (!q)
		return NULL;
	a->first = q->next;
	if (!a->first)
		a->last = &a->first;
	a->waiting--;
	return q;
}

static void tell_all(struct xy_ask *a, int code, const char *text)
{
	struct question *q = a->under_way, *rest = a->first;
	a->under_way = NULL;
	a->first = NULL;
	a->last = &a->first;
	a->waiting = 0;
	if (q)
		tell(q, NULL, code, text);
	while (rest) { // who is told may ask, and begins another queue
		q = rest;
		rest = q->next;
		tell(q, NULL, code, text);
	}
}

// --- the connection

static void line_freed(uv_handle_t *h)
{
	free(h->data);
}

static void leave(struct xy_ask *a)
{
	struct line *l = a->line;
	a->line = NULL;
	if (!l)
		return;
	l->ask = NULL;
	uv_close((uv_handle_t *)&l->poll, line_freed); // it looks at the descriptor no more
	xy_client_close(l->client);
}

static void say_changed(struct xy_ask *a, bool reached)
{
	if (a->tried_once && a->told == reached)
		return;
	a->tried_once = true;
	a->told = reached;
	if (a->cfg.changed)
		a->cfg.changed(a->cfg.arg, reached);
}

static void lost(struct xy_ask *a, int code, const char *text)
{
	char why[sizeof(a->why.text)];
	snprintf(why, sizeof(why), "%s", text);
	xy_err_set(&a->why, EIO, "%s", why);
	leave(a);
	a->tried = uv_now(a->loop);
	a->denied = code == -EACCES || code == -EPERM;
	say_changed(a, false);
	tell_all(a, code == -ETIMEDOUT ? -ETIMEDOUT : -ENOTCONN, why);
}

static void answered(struct xy_ask *a, json_t *answer, int code, const char *text)
{
	struct question *q = a->under_way;
	a->under_way = NULL;
	if (q)
		tell(q, answer, code, text);
	else
		json_decref(answer);
}

const char *xy_ask_plain(char *text)
{
	static const char says[] = "the daemon says: ";
	char *from = strncmp(text, says, sizeof(says) - 1) == 0 ? text + sizeof(says) - 1 : text;
	char *at = strstr(from, " (xylem "), *end = at ? strchr(at, ')') : NULL;
	if (end)
		memmove(at, end + 1, strlen(end + 1) + 1);
	return from;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct line *l = poll->data;
	struct xy_ask *a = l->ask;
	struct xy_err err;
	json_t *answer = NULL;
	int ret = status < 0 ? status : xy_client_take(l->client, &answer, &err);
	if (ret == -EAGAIN)
		return;
	if (status < 0)
		xy_err_set(&err, EIO, "%s", uv_strerror(status));
	bool broken = status < 0 || xy_client_is_broken(l->client);
	bool unknown = ret == -EREMOTE && xy_client_is_unknown(l->client);
	if (ret == 0 || (ret == -EREMOTE && !broken))
		answered(a, answer, unknown ? -ENOENT : ret, ret ? xy_ask_plain(err.text) : NULL);
	if (broken && a->line == l)
		lost(a, ret, err.text);
	if (!a->closing)
		go_on(a);
}

static void reached(struct xy_ask *a, struct xy_client *client)
{
	struct line *l = calloc(1, sizeof(*l));
	if (!l || uv_poll_init(a->loop, &l->poll, xy_client_fd(client))) {
		free(l);
		xy_client_close(client);
		lost(a, -ENOMEM, "not enough memory");
		return;
	}
	*l = (struct line){.poll = l->poll, .client = client, .ask = a};
	l->poll.data = l;
	uv_poll_start(&l->poll, UV_READABLE | UV_DISCONNECT, on_readable);
	a->line = l;
	a->denied = false;
	a->used = uv_now(a->loop);
	say_changed(a, true);
}

static void open_it(uv_work_t *work)
{
	struct opening *o = work->data;
	o->result = xy_client_open(&o->config, &o->client, &o->err);
}

static void opened(uv_work_t *work, int status)
{
	struct opening *o = work->data;
	struct xy_ask *a = o->ask;
	if (a)
		a->opening = NULL;
	if (status == 0 && o->result == 0 && a)
		reached(a, o->client);
	else if (status == 0 && o->result == 0)
		xy_client_close(o->client);
	else if (a)
		lost(a, status ? status : o->result, status ? uv_strerror(status) : o->err.text);
	free(o);
	if (a)
		go_on(a);
}

static void begin_open(struct xy_ask *a)
{
	struct opening *o = calloc(1, sizeof(*o));
	if (!o) {
		lost(a, -ENOMEM, "not enough memory");
		return;
	}
	*o = (struct opening){.config = {.instance = a->cfg.instance,
					 .program = a->cfg.program,
					 .socket = a->cfg.socket,
					 .timeout_ms = OPEN_MS},
			      .ask = a};
	o->work.data = o;
	a->opening = o;
	if (uv_queue_work(a->loop, &o->work, open_it, opened)) {
		a->opening = NULL;
		free(o);
		lost(a, -ENOMEM, "not enough memory");
	}
}

// --- what is next

static void send_next(struct xy_ask *a, uint64_t now)
{
	struct xy_err err;
	struct question *q = take_first(a);
	uint64_t rested = now > 1000 ? now - 1000 : 0;
	int ret = xy_client_send(a->line->client, q->command, q->params, &err);
	if (ret == -EINVAL || ret == -EMSGSIZE) {
		tell(q, NULL, ret, err.text);
		return;
	}
	a->under_way = q;
	a->until = now + a->cfg.answer_ms;
	a->due = (a->due > rested ? a->due : rested) + 1000 / a->cfg.per_second;
	if (ret)
		lost(a, ret, err.text);
}

static void on_timer(uv_timer_t *t)
{
	go_on(t->data);
}

// Looks at what is to be done, does it, and arms the timer for what comes after.
static void go_on(struct xy_ask *a)
{
	uint64_t now, next = UINT64_MAX;
	if (a->closing)
		return;
	uv_update_time(a->loop);
	now = uv_now(a->loop);
	if (a->under_way && now >= a->until)
		lost(a, -ETIMEDOUT, "the daemon does not answer: timed out; look at its log");
	while (a->line && !a->under_way && a->first && now >= a->due && !a->closing)
		send_next(a, now);
	if (a->line && a->cfg.lazy && !a->under_way && !a->first && now >= a->used + IDLE_MS)
		leave(a);
	if (a->under_way)
		next = a->until;
	else if (a->line && a->first)
		next = a->due;
	else if (a->line && a->cfg.lazy)
		next = a->used + IDLE_MS;
	else if (!a->line && !a->opening && (!a->cfg.lazy || a->first || !a->tried_once)) {
		next = a->tried ? a->tried + (a->first ? SOON_MS : AGAIN_MS) : now;
		if (now >= next) {
			begin_open(a);
			next = a->opening ? UINT64_MAX : now + AGAIN_MS;
		}
	}
	if (next == UINT64_MAX)
		uv_timer_stop(&a->timer);
	else
		uv_timer_start(&a->timer, on_timer, next > now ? next - now : 1, 0);
}

int xy_ask_create(uv_loop_t *loop, const struct xy_ask_config *cfg, struct xy_ask **out)
{
	struct xy_ask *a = calloc(1, sizeof(*a));
	if (!a)
		return -ENOMEM;
	a->cfg = *cfg;
	a->loop = loop;
	a->last = &a->first;
	a->timer.data = a;
	uv_timer_init(loop, &a->timer);
	*out = a;
	go_on(a);
	return 0;
}

// The answer to who asks while the daemon is known to be away comes at once.
static const char *not_now(const struct xy_ask *a, bool first, int *code)
{
	bool away = !a->line && !a->opening && a->tried && uv_now(a->loop) < a->tried + SOON_MS;
	bool full = a->waiting >= a->cfg.queue && !first;
	*code = a->closing ? -ECANCELED : away ? -ENOTCONN : full ? -EBUSY : 0;
	return a->closing ? ends
	       : away	  ? a->why.text
			  : "too many questions wait for the daemon; try again in a second";
}

static void put(struct xy_ask *a, struct question *q, bool first)
{
	struct question **at = first ? &a->first : a->last;
	q->next = *at;
	*at = q;
	if (!q->next)
		a->last = &q->next;
	a->waiting++;
}

static void ask(struct xy_ask *a, bool first, const char *command, const char *params,
		xy_ask_done *done, void *arg)
{
	struct question *q = calloc(1, sizeof(*q));
	struct xy_ask_answer no = {.code = -ENOMEM, .text = "not enough memory"};
	char *copy = strdup(command), *with = params ? strdup(params) : NULL;
	if (q)
		*q = (struct question){.command = copy, .params = with, .done = done, .arg = arg};
	uv_update_time(a->loop);
	a->used = uv_now(a->loop);
	if (q && copy && (with || !params))
		no.text = not_now(a, first, &no.code);
	if (no.code) {
		question_free(q);
		if (!q) {
			free(copy);
			free(with);
		}
		done(arg, &no);
		return;
	}
	put(a, q, first);
	go_on(a);
}

void xy_ask(struct xy_ask *a, const char *command, const char *params, xy_ask_done *done, void *arg)
{
	ask(a, false, command, params, done, arg);
}

void xy_ask_first(struct xy_ask *a, const char *command, const char *params, xy_ask_done *done,
		  void *arg)
{
	ask(a, true, command, params, done, arg);
}

void xy_ask_try(struct xy_ask *a)
{
	uv_update_time(a->loop);
	if (!a->closing && !a->line && !a->opening && !a->told &&
	    uv_now(a->loop) >= a->tried + AGAIN_MS)
		begin_open(a);
}

bool xy_ask_reached(const struct xy_ask *a)
{
	return a->line || (a->cfg.lazy && a->told);
}

const char *xy_ask_why(const struct xy_ask *a, bool *denied)
{
	if (denied)
		*denied = a->denied;
	return !a->tried_once || xy_ask_reached(a) ? NULL : a->why.text;
}

static void freed(uv_handle_t *h)
{
	free(h->data);
}

void xy_ask_close(struct xy_ask *a)
{
	if (!a)
		return;
	a->closing = true;
	leave(a);
	if (a->opening)
		a->opening->ask = NULL;
	tell_all(a, -ECANCELED, ends);
	uv_close((uv_handle_t *)&a->timer, freed);
}
