// SPDX-License-Identifier: BSD-3-Clause
#include "fleet/bucket.h"

#include "base/list.h"
#include "base/time.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	ASKED = 64,  // at a time
	NEWS = 1024, // that wait for the loop: libnats' thread waits when there are as many
	A_TURN = 64, // of them
	BACKOFF_MS = 250,
	BACKOFF_MAX_MS = 10000,
};

// Either a question, which comes back with its answer, or news.
struct item {
	struct item *next;
	bool asked;
	enum xy_bucket_what what;
	enum { ENTRY, UP, DOWN, LEADER, TROUBLE } kind;
	char key[XY_KV_KEY + 1], why[sizeof(((struct xy_err *)0)->text)];
	struct xy_kv_entry entry;
	uint64_t bound, revision;
	int code;
	xy_bucket_done *done;
	void *arg;
	size_t len;
	uint8_t value[];
};

struct queue {
	struct item *first, **last;
	unsigned count;
};

struct xy_bucket {
	struct xy_bucket_ops ops;
	void *arg;
	struct xy_kv *kv;
	uv_async_t async;
	pthread_t thread;
	void (*closed)(void *arg);
	void *closed_arg;
	bool is_up;    // as the loop was told
	unsigned open; // questions

	pthread_mutex_t lock;
	pthread_cond_t work, room; // for the thread; in `news`
	struct queue asked, news;
	bool closing, woken, again, ended;
};

// --- queues

static void push(struct queue *q, struct item *it)
{
	it->next = NULL;
	*q->last = it;
	q->last = &it->next;
	q->count++;
}

static struct item *pull(struct queue *q)
{
	struct item *it = q->first;
	if (it) {
		q->first = it->next;
		q->last = q->first ? q->last : &q->first;
		q->count--;
	}
	return it;
}

static struct item *make(const char *key, const void *value, size_t len)
{
	struct item *it = calloc(1, sizeof(*it) + (value ? len : 0));
	if (!it)
		return NULL;
	snprintf(it->key, sizeof(it->key), "%s", key);
	it->len = len;
	if (value && len)
		memcpy(it->value, value, len);
	return it;
}

// To the loop. Answers and states never wait: there is a bounded number of them.
static void tell(struct xy_bucket *b, struct item *it, bool waits)
{
	if (!it)
		return;
	pthread_mutex_lock(&b->lock);
	while (waits && b->news.count >= NEWS && !b->closing)
		pthread_cond_wait(&b->room, &b->lock);
	if (b->closing && !it->asked)
		free(it);
	else
		push(&b->news, it);
	pthread_mutex_unlock(&b->lock);
	uv_async_send(&b->async);
}

static void tell_state(struct xy_bucket *b, bool up, const char *why)
{
	struct item *it = make("", NULL, 0);
	if (!it)
		return;
	it->kind = up ? UP : DOWN;
	snprintf(it->why, sizeof(it->why), "%s", why);
	tell(b, it, false);
}

// --- threads of libnats

static void event(void *arg, enum xy_kv_event what, const struct xy_kv_entry *e, const char *text)
{
	struct xy_bucket *b = arg;
	if (what == XY_KV_WHOLE) {
		tell_state(b, true, "");
		return;
	}
	struct item *it = e ? make(e->key, e->value, e->value ? e->len : 0) : make("", NULL, 0);
	if (!it) { // all is told again, then
		xy_bucket_tell_again(b);
		return;
	}
	if (e) {
		it->entry = *e;
		it->entry.key = it->key;
		it->entry.value = e->value ? it->value : NULL;
	}
	it->kind = what == XY_KV_ENTRY ? ENTRY : what == XY_KV_LEADER ? LEADER : TROUBLE;
	snprintf(it->why, sizeof(it->why), "%s", text ? text : "");
	tell(b, it, what == XY_KV_ENTRY);
}

static void wake(void *arg)
{
	struct xy_bucket *b = arg;
	pthread_mutex_lock(&b->lock);
	b->woken = true;
	pthread_cond_signal(&b->work);
	pthread_mutex_unlock(&b->lock);
}

// --- the thread

static void answer(struct xy_bucket *b, struct item *it)
{
	struct xy_err err = {""};
	uint8_t value[XY_KV_VALUE];
	struct xy_kv_entry e = {.key = it->key};
	if (it->what == XY_BUCKET_PUT)
		it->code = xy_kv_put(b->kv, it->key, it->value, it->len, it->bound, &it->revision,
				     &err);
	else if (it->what == XY_BUCKET_DELETE)
		it->code = xy_kv_delete(b->kv, it->key, it->bound, &err);
	else
		it->code = xy_kv_get(b->kv, it->key, value, &e, &err);
	if (e.value) { // room for it is not the question's
		struct item *more = realloc(it, sizeof(*it) + e.len);
		if (more) {
			it = more;
			memcpy(it->value, value, e.len);
			e.value = it->value;
		} else {
			it->code = xy_err_set(&err, ENOMEM, "no memory");
			e.value = NULL;
		}
	}
	it->entry = e;
	it->entry.key = it->key;
	snprintf(it->why, sizeof(it->why), "%s", err.text);
	tell(b, it, false);
}

// Waits for work, but no longer than so; then does what is asked. False: it is to end.
static bool serve(struct xy_bucket *b, int ms)
{
	struct timespec end;
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += ms / 1000;
	end.tv_nsec += ms % 1000 * 1000000L;
	end.tv_sec += end.tv_nsec / 1000000000L;
	end.tv_nsec %= 1000000000L;
	pthread_mutex_lock(&b->lock);
	while (!b->asked.first && !b->woken && !b->closing && !b->again &&
	       pthread_cond_timedwait(&b->work, &b->lock, &end) != ETIMEDOUT)
		;
	struct item *it = b->closing ? NULL : pull(&b->asked);
	bool closing = b->closing, again = b->again;
	b->woken = b->again = false;
	pthread_mutex_unlock(&b->lock);
	if (again)
		xy_kv_tell_again(b->kv);
	if (it)
		answer(b, it);
	return !closing;
}

// What is asked meanwhile is refused, at once.
static bool pause_for(struct xy_bucket *b, int ms)
{
	struct timespec now, end;
	clock_gettime(CLOCK_MONOTONIC, &now);
	end = now;
	end.tv_sec += ms / 1000;
	end.tv_nsec += ms % 1000 * 1000000L;
	for (;;) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		int64_t left = (int64_t)(end.tv_sec - now.tv_sec) * 1000 +
			       (end.tv_nsec - now.tv_nsec) / 1000000;
		if (left <= 0)
			return true;
		if (!serve(b, (int)left))
			return false;
	}
}

static void *run(void *arg)
{
	struct xy_bucket *b = arg;
	struct xy_err err;
	int backoff = BACKOFF_MS;
	for (;;) {
		if (!xy_kv_connect(b->kv, &err)) {
			int ms;
			backoff = BACKOFF_MS;
			while ((ms = xy_kv_tend(b->kv, &err)) >= 0 && serve(b, ms))
				;
			if (ms >= 0)
				break;
		}
		tell_state(b, false, err.text);
		if (!pause_for(b, backoff / 2 + (int)randombytes_uniform((uint32_t)backoff)))
			break;
		backoff = backoff * 2 < BACKOFF_MAX_MS ? backoff * 2 : BACKOFF_MAX_MS;
	}
	xy_kv_close(b->kv);
	pthread_mutex_lock(&b->lock);
	b->ended = true;
	pthread_mutex_unlock(&b->lock);
	uv_async_send(&b->async);
	return NULL;
}

// --- the loop

static void tell_answer(struct xy_bucket *b, struct item *it)
{
	struct xy_bucket_answer a = {.what = it->what,
				     .code = it->code,
				     .why = it->why,
				     .entry = it->entry,
				     .revision = it->revision};
	b->open--;
	it->done(it->arg, &a);
}

static void tell_news(struct xy_bucket *b, const struct item *it)
{
	switch (it->kind) {
	case ENTRY:
		b->ops.entry(b->arg, &it->entry);
		break;
	case UP:
	case DOWN:
		if (it->kind == DOWN || !b->is_up) {
			b->is_up = it->kind == UP;
			b->ops.state(b->arg, b->is_up, it->why);
		}
		break;
	case LEADER:
		b->ops.leader(b->arg);
		break;
	case TROUBLE:
		b->ops.trouble(b->arg, it->why);
		break;
	}
}

static void gone(uv_handle_t *h)
{
	struct xy_bucket *b = h->data;
	void (*closed)(void *arg) = b->closed;
	void *arg = b->closed_arg;
	pthread_mutex_destroy(&b->lock);
	pthread_cond_destroy(&b->work);
	pthread_cond_destroy(&b->room);
	free(b);
	closed(arg);
}

static void cancel(struct xy_bucket *b, struct queue *q)
{
	for (struct item *it; (it = pull(q)); free(it))
		if (it->asked) {
			it->code = it->code ?: -ECANCELED;
			tell_answer(b, it);
		}
}

static void turn(uv_async_t *async)
{
	struct xy_bucket *b = async->data;
	for (unsigned i = 0; i < A_TURN; i++) {
		pthread_mutex_lock(&b->lock);
		bool closing = b->closing;
		struct item *it = closing ? NULL : pull(&b->news);
		pthread_cond_broadcast(&b->room);
		pthread_mutex_unlock(&b->lock);
		if (!it)
			break;
		if (it->asked)
			tell_answer(b, it);
		else
			tell_news(b, it);
		free(it);
	}
	pthread_mutex_lock(&b->lock);
	bool more = b->news.first && !b->closing, end = b->closing && b->ended;
	pthread_mutex_unlock(&b->lock);
	if (more)
		uv_async_send(async);
	if (!end || uv_is_closing((uv_handle_t *)async))
		return;
	pthread_join(b->thread, NULL);
	cancel(b, &b->asked);
	cancel(b, &b->news);
	uv_close((uv_handle_t *)async, gone);
}

bool xy_bucket_ask(struct xy_bucket *b, enum xy_bucket_what what, const char *key,
		   const void *value, size_t len, uint64_t bound, xy_bucket_done *done, void *arg)
{
	struct item *it = b->open < ASKED && !b->closing ? make(key, value, len) : NULL;
	if (!it)
		return false;
	it->asked = true;
	it->what = what;
	it->bound = bound;
	it->done = done;
	it->arg = arg;
	b->open++;
	pthread_mutex_lock(&b->lock);
	push(&b->asked, it);
	pthread_cond_signal(&b->work);
	pthread_mutex_unlock(&b->lock);
	return true;
}

bool xy_bucket_is_up(const struct xy_bucket *b)
{
	return b->is_up;
}

void xy_bucket_tell_again(struct xy_bucket *b)
{
	pthread_mutex_lock(&b->lock);
	b->again = true;
	pthread_cond_signal(&b->work);
	pthread_mutex_unlock(&b->lock);
}

int xy_bucket_open(uv_loop_t *loop, const struct xy_kv_config *config,
		   const struct xy_bucket_ops *ops, void *arg, struct xy_bucket **out)
{
	const struct xy_kv_ops kv = {.event = event, .wake = wake, .wants = ops->wants};
	struct xy_bucket *b = calloc(1, sizeof(*b));
	if (!b)
		return -ENOMEM;
	b->ops = *ops;
	b->arg = arg;
	b->asked.last = &b->asked.first;
	b->news.last = &b->news.first;
	int e = xy_kv_open(config, &kv, b, &b->kv);
	if (e) {
		free(b);
		return e;
	}
	pthread_condattr_t clock;
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&b->work, &clock);
	pthread_condattr_destroy(&clock);
	pthread_cond_init(&b->room, NULL);
	pthread_mutex_init(&b->lock, NULL);
	b->async.data = b;
	uv_async_init(loop, &b->async, turn);
	if (pthread_create(&b->thread, NULL, run, b)) {
		xy_kv_close(b->kv);
		b->closed = (void (*)(void *))free; // of nothing
		uv_close((uv_handle_t *)&b->async, gone);
		return -EAGAIN;
	}
	*out = b;
	return 0;
}

void xy_bucket_close(struct xy_bucket *b, void (*closed)(void *arg), void *arg)
{
	b->closed = closed;
	b->closed_arg = arg;
	xy_kv_poke(b->kv);
	pthread_mutex_lock(&b->lock);
	b->closing = true;
	pthread_cond_broadcast(&b->room);
	pthread_cond_signal(&b->work);
	pthread_mutex_unlock(&b->lock);
	uv_async_send(&b->async);
}
