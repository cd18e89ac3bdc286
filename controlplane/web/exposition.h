// SPDX-License-Identifier: BSD-3-Clause
// The daemon's replies as metrics, in the text format of Prometheus (0.0.4) or OpenMetrics (1.0).
// What is a metric, and its name, says fields/metrics.h; here are samples made of what was
// answered. Replies are taken page by page, and none is kept: memory is the text's, and bounded. A
// peer has series of its own only where the config names it, for strangers come as often as they
// like. Pure, one thread; what create gives is freed by free.
#pragma once

#include "fields/metrics.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum {
	XY_EXPOSITION_PEERS = 2048,	// that have series
	XY_EXPOSITION_BYTES = 16 << 20, // of samples
};

struct xy_exposition;
enum xy_exposition_format { XY_EXPOSITION_TEXT, XY_EXPOSITION_OPENMETRICS };
struct xy_exposition_config {
	bool peers;	     // those that the config names have series
	unsigned most;	     // 0: as above
	size_t bytes;	     // likewise
	const char *program; // that answers, and its version; they must stay
	const char *version;
};

struct xy_exposition *xy_exposition_create(
	const struct xy_exposition_config *cfg);  // NULL: no memory
void xy_exposition_free(struct xy_exposition *x); // NULL: nothing

// The reply to /xylem/REPLY, or a page of it. Peers come before all that is of peers.
void xy_exposition_take(struct xy_exposition *x, const char *reply, const json_t *page);
// So many peers were not asked for: there was no time for them, or there are too many.
void xy_exposition_unasked(struct xy_exposition *x, long long peers, bool time);
// All was asked for, in so many seconds; not called: the daemon does not answer.
void xy_exposition_done(struct xy_exposition *x, double seconds);
// Have as many peers series as may?
bool xy_exposition_is_full(const struct xy_exposition *x);
long long xy_exposition_peers(const struct xy_exposition *x); // that were seen

const char *xy_exposition_type(enum xy_exposition_format format); // for Content-Type
// By the header Accept, NULL: there is none.
enum xy_exposition_format xy_exposition_format_of(const char *accept);
// public: only what anybody may know. malloc'd; NULL: no memory, now or before.
char *xy_exposition_text(const struct xy_exposition *x, enum xy_exposition_format format,
			 bool public, size_t *len);
