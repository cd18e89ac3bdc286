// SPDX-License-Identifier: BSD-3-Clause
// Follows the daemon: once a second its node, workers, graph and drops, and a bounded number of
// pages of its peers and neighbours, so that ten thousand of them cost it little and go round in
// some seconds. Makes rates of what it sees, and keeps the last ten minutes of them. The loop's
// thread alone.
#pragma once

#include "web/web.h"

#include <jansson.h>

enum {
	XY_WATCH_HISTORIES = 512, // peers that have one: those that carried something first
	XY_WATCH_ROWS = 200,	  // of a tick
	XY_WATCH_PAGES = 16, // a second, of peers, and as many of neighbours, while somebody looks
	XY_WATCH_PAGES_IDLE = 4, // while nobody does
};

// What is told of what was seen. A tick's objects are the callee's to read during the call.
struct xy_watch_ops {
	void (*state)(void *arg, bool up, const char *why);
	// NULL where nobody looks; the caller's to read, each once for all clients.
	void (*tick)(void *arg, const json_t *tick);
	void (*log)(void *arg, const json_t *lines);
	bool (*is_watched)(void *arg);
	void *arg;
};

int xy_watch_create(struct xy_web *w, const struct xy_watch_ops *ops, struct xy_watch **out);
void xy_watch_changed(struct xy_watch *w, bool reached); // the daemon is, or is no longer
bool xy_watch_is_up(const struct xy_watch *w);
void xy_watch_close(struct xy_watch *w);
