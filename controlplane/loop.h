// SPDX-License-Identifier: BSD-3-Clause
// The event loop of the control thread, and the seats of those who work at it. The loop knows no
// part of the daemon: a seat says when it wants its turn, and is given it. Handles of libuv stand
// beside (descriptors, signals, helpers); what they do may change any deadline, so all of them are
// asked before each wait. Control thread only; what is seated outlives the loop.
#pragma once

#include "base/err.h"
#include "lag.h"

#include <stdbool.h>
#include <uv.h>

struct xy_seat {
	const char *name; // of this kind of work, for people
	// When it is to run: at or before now means at once, XY_NEVER not at all. Both may be NULL:
	// then it is a kind of work alone, which handles do between xy_loop_begin and _end.
	xy_nsec (*deadline)(void *arg, xy_nsec now);
	// A slice: what is left is done in the next turn, after the rest of the loop.
	void (*run)(void *arg, xy_nsec now);
	void *arg;
	// the loop's own
	xy_nsec longest; // piece, CPU time, since the start
	struct xy_seat *next;
};

struct xy_loop {
	uv_loop_t uv;
	bool open, stopping;
	struct xy_seat *seats, **last, *from; // from: who comes first in the next turn
	uv_timer_t timer;
	uv_idle_t idle;
	uv_prepare_t prepare;
	uv_check_t check;
	void (*woken)(void *arg); // after each wait, before any work
	void *arg;
	xy_nsec began;	   // this turn, by the clock
	xy_nsec cpu, turn; // CPU time: when this piece of work began, and this turn
	xy_nsec longest;   // turn, CPU time
	struct xy_lag lag;
};

xy_nsec xy_now(void);	// goes on in a suspend
xy_nsec xy_awake(void); // stands still in one: how long our threads had to do something

int xy_loop_open(struct xy_loop *l, struct xy_err *err); // without handles of its own
// Begins to run seats; woken(arg) is told of each end of a wait. 0 or a code of libuv.
int xy_loop_start(struct xy_loop *l, void (*woken)(void *arg), void *arg);
void xy_loop_seat(struct xy_loop *l, struct xy_seat *s); // they run in this order
void xy_loop_run(struct xy_loop *l);			 // until xy_loop_stop
void xy_loop_stop(struct xy_loop *l);
// Around what a handle does in its callback: a piece of this seat's work.
void xy_loop_begin(struct xy_loop *l);
void xy_loop_end(struct xy_loop *l, struct xy_seat *s);
// No seat runs any more, and all handles close; turns go on while wait(arg), for helpers' results.
void xy_loop_close(struct xy_loop *l, bool (*wait)(void *arg), void *arg);
