// SPDX-License-Identifier: BSD-3-Clause
// What everybody asks on the public address is asked of the daemon once a second: who asks the same
// meanwhile waits for that answer, or has the one of just now. Bounded; a question for which there
// is no place goes its own way. The loop's thread alone.
#pragma once

#include "web/web.h"

struct xy_share;
struct xy_shared; // a question

enum {
	XY_SHARE_QUESTIONS = 64,
	XY_SHARE_KEY = 512, // bytes of a question
	XY_SHARE_MS = 1000, // that an answer holds
	XY_SHARE_TAG = 40,
};

struct xy_share *xy_share_create(uv_loop_t *loop); // NULL: no memory
void xy_share_free(struct xy_share *s);		   // behind the listeners' end; NULL: nothing

// NULL: it is not shared. Else q is answered by it: at once, or when whoever is told to ask has
// called one of the two below, which each asker does once.
struct xy_shared *xy_share_join(struct xy_share *s, const char *key, struct xy_http_request *q,
				bool *asks);
// Takes `text`, which was malloc'd.
void xy_share_answer(struct xy_shared *one, char *text, size_t len, const char *tag);
void xy_share_fail(struct xy_shared *one, unsigned status, const char *why);

// Adds what lets a client keep the answer; true: it has that one, and was told so.
bool xy_share_is_kept(struct xy_http_request *q, const char *tag);
