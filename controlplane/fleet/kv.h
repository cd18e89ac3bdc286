// SPDX-License-Identifier: BSD-3-Clause
// A key-value bucket of NATS JetStream by libnats, which blocks: one thread owns it and calls all
// of this but xy_kv_poke, which any may. What the bucket holds comes by `event` on a thread of
// libnats, one event at a time; that may wait there, which holds the server back. Revisions tell
// two states of a key apart and are what a change can be bound to; two servers may name one state
// by different ones, so they say nothing of which is newer.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct xy_kv;

enum {
	XY_KV_SERVERS = 16,
	XY_KV_KEY = 128,    // longest key
	XY_KV_VALUE = 4096, // largest value; of a larger one only the length is told
	XY_KV_KEYS = 40000, // of a bucket: further ones are not looked at, and that is said
	XY_KV_CHECK_S = 15, // is what was heard all there is? and 1 s more for each 200 keys
	XY_KV_LOOK_S = 60, // everything is read again; for more than 1,000 keys in proportion later
};

struct xy_kv_config {
	const char *const *servers; // tls://HOST:PORT or nats://[USER:PASSWORD@]HOST:PORT
	unsigned server_count;
	const char *bucket;
	const char *creds, *ca, *cert, *key; // files; NULL or "": none
	const char *name;		     // of this client, for people who look at the server
	bool make;			     // the bucket, where there is none
};

struct xy_kv_entry {
	const char *key;
	const uint8_t *value;
	size_t len;	   // of the value as the bucket has it; value is NULL beyond XY_KV_VALUE
	uint64_t revision; // 0: never written
	uint64_t at;	   // that it was written, Unix seconds; of what was heard alone, else 0
	bool gone;	   // deleted: it has a revision, and no value
	uint64_t made;	   // by xy_kv_get: another once it was made anew, or lost something; else 0
};

enum xy_kv_event {
	XY_KV_ENTRY,   // it is there, or is another than before, or gone
	XY_KV_WHOLE,   // all that the bucket had when the look began was told
	XY_KV_LEADER,  // another server leads: what was written shortly before may be lost
	XY_KV_TROUBLE, // text: what is the matter, in words for people
};

struct xy_kv_ops {
	// Of each key what is not as it was last told, also over connections.
	void (*event)(void *arg, enum xy_kv_event what, const struct xy_kv_entry *e,
		      const char *text);
	// Something is to be done: call xy_kv_tend soon. Any thread.
	void (*wake)(void *arg);
	// Is this key wanted?
	bool (*wants)(const char *key);
};

// Takes a copy of the config. -ENOMEM.
int xy_kv_open(const struct xy_kv_config *config, const struct xy_kv_ops *ops, void *arg,
	       struct xy_kv **out);
void xy_kv_close(struct xy_kv *kv); // NULL is none

// Tries each server once, in a random order, then the bucket, and begins to look. 0, or -errno: err
// names each server with what was wrong. Whatever it was may be otherwise later.
int xy_kv_connect(struct xy_kv *kv, struct xy_err *err);
bool xy_kv_is_connected(const struct xy_kv *kv);
// Looks after the connection and the look; gives how many ms until the next call at the latest.
// -ENOTCONN: the connection is gone (err), and xy_kv_connect is to be called.
int xy_kv_tend(struct xy_kv *kv, struct xy_err *err);
void xy_kv_poke(struct xy_kv *kv); // ends a wait of `event`'s thread for ever: it is being closed
bool xy_kv_is_closing(const struct xy_kv *kv);
// What was told so far counts for nothing: the next look tells it all again. It begins at once.
void xy_kv_tell_again(struct xy_kv *kv);

// Reads one key from who leads the bucket. out (its value in `value`) is as for an entry that is
// told. 0, also of one that is gone or never was (revision 0); -errno and err.
int xy_kv_get(struct xy_kv *kv, const char *key, uint8_t value[static XY_KV_VALUE],
	      struct xy_kv_entry *out, struct xy_err *err);
// Writes, bound to a revision (0: the key was never written), or with XY_KV_ANY to none. -EEXIST:
// it has another revision; -ETIMEDOUT: it may or may not have been written; else it was not.
#define XY_KV_ANY UINT64_MAX
int xy_kv_put(struct xy_kv *kv, const char *key, const void *value, size_t len, uint64_t bound,
	      uint64_t *revision, struct xy_err *err);
int xy_kv_delete(struct xy_kv *kv, const char *key, uint64_t bound, struct xy_err *err);
