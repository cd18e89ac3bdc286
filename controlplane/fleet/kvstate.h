// SPDX-License-Identifier: BSD-3-Clause
// What kv.c (connection, requests) and kvlook.c (the look at all entries) share; nobody else's.
// `lock` guards what libnats' threads touch; `telling` is held while an event is told, and nothing
// that holds `lock` waits for it.
#pragma once

#include "fleet/kv.h"

#include "base/map.h"
#include "base/time.h"

#include <nats/nats.h>
#include <pthread.h>

// A key as it was last told.
struct kv_known {
	char *key;
	uint8_t digest[16];
	uint64_t look; // the last one that saw it
	bool told;     // false: the next sight is news, whatever it shows
};

// One subscription. It lives until libnats has run its last callback.
struct kv_look {
	struct xy_kv *kv;
	natsSubscription *sub;
	uint64_t number;
	uint64_t pending, seen;	 // when it began; since
	uint64_t last;		 // sequence of the stream
	bool whole, over, ended; // over: what comes counts no more; ended: the last callback was
	struct kv_look *next;	 // of those that could not begin
	xy_nsec died;
};

// One connection's callbacks. As a look, it lives until its last.
struct kv_wire {
	struct xy_kv *kv;
	bool over;
};

struct xy_kv {
	struct xy_kv_ops ops;
	void *arg;
	char **servers;
	unsigned server_count;
	char *bucket, *creds, *ca, *cert, *key_file, *name, *stream, *filter, *prefix;
	bool make;

	// The owner's thread alone.
	natsConnection *nc;
	jsCtx *js;
	xy_nsec check_at, look_at, looked_at;
	uint32_t planned; // keys that look_at is of
	struct kv_look *dead;
	unsigned failures; // of checks, in a row
	uint64_t behind;   // the stream was this far at the last check, and the look was not; 0: it
			   // was
	char leader[64];
	uint64_t last;	   // of the stream, at the last check
	uint64_t made;	   // tells the stream from what it was before it was made anew, or had less
	uint64_t lessened; // how often it had

	pthread_mutex_t lock, telling;
	pthread_cond_t quiet; // lives has changed
	unsigned lives;	      // looks and wires that libnats may still call
	bool closing, lost, look_wanted;
	char trouble[240]; // of the last asynchronous error, and when that was
	xy_nsec trouble_at;
	struct kv_wire *wire;
	struct kv_look *look;
	uint64_t looks; // counts them
	struct xy_map index;
	struct kv_known *known;
	uint32_t known_count, known_room;
	uint8_t secret[16];
	bool overfull; // said
};

xy_nsec xy_kv_now(void);
void xy_kv_life_begin(struct xy_kv *kv);
void xy_kv_life_end(struct xy_kv *kv);
// -errno and err (which ends in what libnats says of it).
int xy_kv_err(struct xy_kv *kv, natsStatus s, jsErrCode code, const char *what, struct xy_err *err);

int xy_kv_look_init(struct xy_kv *kv);
void xy_kv_look_fini(struct xy_kv *kv);
// Ends the look that there is, if any, and begins another.
int xy_kv_look_begin(struct xy_kv *kv, struct xy_err *err);
void xy_kv_look_end(struct xy_kv *kv);
void xy_kv_look_reap(struct xy_kv *kv, xy_nsec age); // frees what could not begin so long ago
void xy_kv_look_forget(struct xy_kv *kv);
uint32_t xy_kv_look_keys(struct xy_kv *kv);
bool xy_kv_is_marker(natsMsg *msg); // of a key that was deleted
