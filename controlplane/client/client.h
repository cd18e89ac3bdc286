// SPDX-License-Identifier: BSD-3-Clause
// A connection to a socket of a running instance, for the command line and whatever else speaks to
// the daemon: bounded in bytes and in time, and an error names the socket. Needs lib and jansson
// alone. A connection is one thread's; what open gives is freed by close.
#pragma once

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum {
	XY_CLIENT_TIMEOUT_MS = 10000,
	XY_CLIENT_OUTPUT = 16 << 20, // the most that a daemon may say it sends in one message
};
#define XY_CLIENT_MOST ((size_t)2 << 30)

struct xy_client_config {
	const char *instance;
	const char *program; // whose folder: XY_RUNDIR_AGENT; NULL: the daemon's
	const char *socket;  // in it: XY_RUNDIR_TELEMETRY
	unsigned timeout_ms; // for each message; 0: as above
	size_t most;	     // bytes, of all pages of an answer; 0: as above
	// Looked at while something is waited for, and between pages; it ends that: -ECANCELED.
	// NULL: never.
	bool (*is_over)(void *arg);
	void *arg;
};

struct xy_client;

// -EACCES, -ENOENT and the like: nobody answers there; -EPERM: the folder is not to be trusted.
int xy_client_open(const struct xy_client_config *cfg, struct xy_client **out, struct xy_err *err);
void xy_client_close(struct xy_client *c); // NULL: nothing

// The object inside {"COMMAND": {...}}, the caller's. params: NULL for none. What the daemon
// answers as error comes as -EREMOTE; after any other error the connection is of no more use.
int xy_client_ask(struct xy_client *c, const char *command, const char *params, json_t **out,
		  struct xy_err *err);
// The same for a command that may answer in pages: follows `next`, joins the lists in it. -EFBIG.
int xy_client_ask_all(struct xy_client *c, const char *command, const char *params, json_t **out,
		      struct xy_err *err);

// The same page by page: each takes the page, of so many bytes as text, and is the last that was
// called where it returns another value than 0, which is what comes.
typedef int xy_client_each(void *arg, json_t *page, size_t bytes, struct xy_err *err);
int xy_client_ask_each(struct xy_client *c, const char *command, const char *params,
		       xy_client_each *each, void *arg, struct xy_err *err);

// The same of what the daemon asks others for, by a connection of its own: again and again, until
// the reply is `done`. each is told what has come so far, and whether that is all; false: no more
// of it is wanted, which comes as -ECANCELED. May be NULL. -ENOENT: nobody is meant.
typedef bool xy_client_wanted(void *arg, const json_t *reply, bool over);
int xy_client_ask_done(const struct xy_client_config *cfg, const char *command, const char *params,
		       xy_client_wanted *each, void *arg, json_t **out, struct xy_err *err);

// In two steps, for those who have a loop and a deadline of their own: send, then take, which gives
// -EAGAIN while nothing has come; the descriptor is readable when something has.
int xy_client_fd(const struct xy_client *c);
int xy_client_send(struct xy_client *c, const char *command, const char *params,
		   struct xy_err *err);
bool xy_client_is_unknown(const struct xy_client *c); // the last error: nobody is meant
bool xy_client_is_broken(const struct xy_client *c);  // it is of no more use
int xy_client_take(struct xy_client *c, json_t **out, struct xy_err *err);
