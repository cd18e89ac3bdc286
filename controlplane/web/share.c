// SPDX-License-Identifier: BSD-3-Clause
#include "web/share.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct waiter {
	struct waiter *next;
	struct xy_http_request *q;
};

struct xy_shared {
	struct xy_share *share;
	char key[XY_SHARE_KEY]; // "": free
	bool asking;
	struct waiter *waiters;
	uint64_t until; // ms: the answer holds
	struct xy_http_text *text;
	unsigned status; // where there is no text
	char tag[XY_SHARE_TAG], why[600];
};

struct xy_share {
	uv_loop_t *loop;
	size_t held; // bytes of answers
	struct xy_shared v[XY_SHARE_QUESTIONS];
};

struct xy_share *xy_share_create(uv_loop_t *loop)
{
	struct xy_share *s = calloc(1, sizeof(*s));
	if (s)
		s->loop = loop;
	return s;
}

static void forget(struct xy_shared *one)
{
	xy_http_text_release(one->text);
	one->text = NULL;
	one->key[0] = 0;
}

void xy_share_free(struct xy_share *s)
{
	for (unsigned i = 0; s && i < XY_SHARE_QUESTIONS; i++)
		forget(&s->v[i]);
	free(s);
}

bool xy_share_is_kept(struct xy_http_request *q, const char *tag)
{
	const char *have = xy_http_header(q, "If-None-Match");
	xy_http_add(q, "ETag", tag);
	xy_http_add(q, "Cache-Control", "no-cache, private"); // kept, and asked for again
	if (!have || !strstr(have, tag))
		return false;
	xy_http_answer_constant(q, 304, NULL, "", 0);
	return true;
}

static void give(const struct xy_shared *one, struct xy_http_request *q)
{
	if (one->text) {
		if (!xy_share_is_kept(q, one->tag))
			xy_http_answer_text(q, 200, "application/json", one->text);
		return;
	}
	if (one->status == 503)
		xy_http_add(q, "Retry-After", "1");
	xy_http_problem(q, one->status, "%s", one->why);
}

static struct xy_shared *find(struct xy_share *s, const char *key, uint64_t now)
{
	struct xy_shared *free_one = NULL;
	for (unsigned i = 0; i < XY_SHARE_QUESTIONS; i++) {
		struct xy_shared *one = &s->v[i];
		bool over = !one->asking && now >= one->until;
		if (one->key[0] && !over && strcmp(one->key, key) == 0)
			return one;
		if (over)
			free_one = one;
	}
	if (free_one)
		forget(free_one);
	return free_one;
}

struct xy_shared *xy_share_join(struct xy_share *s, const char *key, struct xy_http_request *q,
				bool *asks)
{
	*asks = false;
	uv_update_time(s->loop);
	struct xy_shared *one = strlen(key) < XY_SHARE_KEY ? find(s, key, uv_now(s->loop)) : NULL;
	if (!one)
		return NULL;
	if (one->key[0] && !one->asking) {
		give(one, q);
		return one;
	}
	struct waiter *w = malloc(sizeof(*w));
	if (!w)
		return NULL;
	*w = (struct waiter){.next = one->waiters, .q = q};
	one->waiters = w;
	if (one->asking)
		return one;
	*asks = true;
	one->share = s;
	one->asking = true;
	strcpy(one->key, key);
	return one;
}

static void tell_all(struct xy_shared *one)
{
	struct waiter *w = one->waiters, *next;
	uv_update_time(one->share->loop);
	one->until = uv_now(one->share->loop) + XY_SHARE_MS;
	one->asking = false;
	one->waiters = NULL;
	for (; w; w = next) {
		next = w->next;
		give(one, w->q);
		free(w);
	}
}

void xy_share_answer(struct xy_shared *one, char *text, size_t len, const char *tag)
{
	one->text = xy_http_text_make(text, len, &one->share->held);
	if (!one->text) {
		xy_share_fail(one, 500, "not enough memory for the answer");
		return;
	}
	snprintf(one->tag, sizeof(one->tag), "%s", tag);
	tell_all(one);
}

void xy_share_fail(struct xy_shared *one, unsigned status, const char *why)
{
	one->status = status;
	snprintf(one->why, sizeof(one->why), "%s", why);
	tell_all(one);
}
