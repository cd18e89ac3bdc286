// SPDX-License-Identifier: BSD-3-Clause
// What the parts of xylem-web share. One thread, the loop's.
#pragma once

#include "ask/ask.h"
#include "config/web.h"
#include "web/http.h"

#include <uv.h>

struct xy_auth;
struct xy_diagnosis;
struct xy_errands;
struct xy_events;
struct xy_metrics;
struct xy_share;
struct xy_watch;
struct xy_web_capture;

struct xy_web {
	uv_loop_t *loop;
	const char *instance;
	struct xy_config_web config;
	bool here; // nobody but this host reaches the private address
	// Connections to the daemon, of the 32 that it takes: for who asks us, for everybody (NULL:
	// no such address), for what we follow ourselves, for what is changed, and for captured
	// packets. Each has a rate and a queue of its own, so that none of them is kept from it by
	// another.
	struct xy_ask *ask, *everybody, *follow, *control, *capturing;
	struct xy_ask *fleet; // xylem-fleet's socket, where one runs
	struct xy_auth *auth;
	struct xy_watch *watch;
	struct xy_events *events;
	struct xy_metrics *metrics;
	struct xy_errands *errands;
	struct xy_web_capture *capture;	  // under way; NULL: none
	struct xy_share *share;		  // of what everybody asks
	struct xy_diagnosis *diagnosis;	  // under way; NULL: none
	struct xy_http *private, *public; // NULL: none
};
