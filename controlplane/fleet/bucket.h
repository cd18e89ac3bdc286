// SPDX-License-Identifier: BSD-3-Clause
// A bucket (kv.h) on a thread of its own, as the loop sees it: what it holds comes as events, in
// turns of a bounded number; what is asked of it is answered once. Queues in both directions are
// bounded: a full one refuses what is asked, and holds the server back. The loop's thread alone.
#pragma once

#include "fleet/kv.h"

#include <uv.h>

struct xy_bucket;

struct xy_bucket_ops {
	void (*entry)(void *arg, const struct xy_kv_entry *e);
	// Connected, and all entries were told: at each time that this becomes so. Down: it is
	// tried again and again; also with another why.
	void (*state)(void *arg, bool up, const char *why);
	void (*leader)(void *arg); // what was written shortly before may be lost
	void (*trouble)(void *arg, const char *text);
	bool (*wants)(const char *key); // on the bucket's thread
};

enum xy_bucket_what { XY_BUCKET_GET, XY_BUCKET_PUT, XY_BUCKET_DELETE };

struct xy_bucket_answer {
	enum xy_bucket_what what;
	int code;		  // as xy_kv_get, xy_kv_put; -ENOTCONN, -ECANCELED: it is closed
	const char *why;	  // of a code
	struct xy_kv_entry entry; // what GET read; its key, always
	uint64_t revision;	  // that PUT made
};
typedef void xy_bucket_done(void *arg, const struct xy_bucket_answer *a);

// -ENOMEM, -EAGAIN: no thread. The config is copied.
int xy_bucket_open(uv_loop_t *loop, const struct xy_kv_config *config,
		   const struct xy_bucket_ops *ops, void *arg, struct xy_bucket **out);
// Events end at once, done is called for what is under way (-ECANCELED), and closed when the loop
// has nothing of it any more: within some seconds, where a server does not answer.
void xy_bucket_close(struct xy_bucket *b, void (*closed)(void *arg), void *arg);

// value is copied. bound: as for xy_kv_put. False: too much is asked already.
bool xy_bucket_ask(struct xy_bucket *b, enum xy_bucket_what what, const char *key,
		   const void *value, size_t len, uint64_t bound, xy_bucket_done *done, void *arg);
bool xy_bucket_is_up(const struct xy_bucket *b);
void xy_bucket_tell_again(struct xy_bucket *b); // all entries, from the next look on
