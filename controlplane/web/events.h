// SPDX-License-Identifier: BSD-3-Clause
// GET /events: what watch.h sees, as server-sent events to all who listen. Each event is made once,
// as text, and shared; a client holds a bounded number that it has not taken, and is cut when there
// are more: its browser comes again, and begins with what is. The loop's thread alone.
#pragma once

#include "web/watch.h"
#include "web/web.h"

enum {
	XY_EVENTS_CLIENTS = 512,    // of both addresses; further ones are told to come later
	XY_EVENTS_PUBLIC = 256,	    // of them, on the address for everybody,
	XY_EVENTS_FROM_ONE = 16,    // and of these from one source, unless it is this host
	XY_EVENTS_HELD = 16,	    // events that one has not taken
	XY_EVENTS_QUIET_MS = 10000, // then a comment is sent, so that who has left is noticed
};

int xy_events_create(struct xy_web *w, struct xy_events **out);
// To be given to xy_watch_create.
struct xy_watch_ops xy_events_ops(struct xy_events *e);
void xy_events_end(struct xy_events *e, const char *csrf); // those of the session
void xy_events_end_private(struct xy_events *e);	   // all but those of everybody
void xy_events_close(struct xy_events *e);
