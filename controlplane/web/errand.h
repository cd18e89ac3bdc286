// SPDX-License-Identifier: BSD-3-Clause
// What takes seconds and waits meanwhile (ping, netcheck), on a thread of its own, which shares
// nothing with the loop but its answer: lines as they come, or one object. It is over when it is
// done, when who asked has gone or may no more, or when the process ends. Few at a time. The loop's
// thread, unless it says otherwise.
#pragma once

#include "web/api.h"

struct xy_errand;
struct xy_errands;

enum {
	XY_ERRANDS = 5, // at a time
	XY_ERRAND_LOOK_MS = 500,
	XY_ERRAND_SAID = 1 << 20, // bytes that may wait for who asked
};

struct xy_errand_ops {
	// On the thread; arg is its own meanwhile.
	int (*run)(struct xy_errand *e, void *arg, struct xy_err *err);
	void (*free)(void *arg);
	bool lines;    // each is sent as it is said; else the one that is said is the answer
	unsigned most; // of these at a time
};

struct xy_errands *xy_errands_create(struct xy_web *w);
void xy_errands_look(struct xy_errands *all);  // those of who may no more end
void xy_errands_close(struct xy_errands *all); // who waits is told; each ends soon
void xy_errands_free(struct xy_errands *all);  // behind the loop's end

// Takes arg, and answers c now or later.
void xy_errand_begin(struct xy_api_call *c, const struct xy_errand_ops *ops, void *arg);

// On the thread. Takes line.
void xy_errand_say(struct xy_errand *e, json_t *line);
bool xy_errand_is_over(void *errand); // nobody wants it any more
