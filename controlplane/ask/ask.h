// SPDX-License-Identifier: BSD-3-Clause
// Questions to a socket of the daemon's, on the loop: one connection, a bounded queue, one question
// under way, no more of them a second than is said, and one answer for each by callback. The
// connection is made on a helper, since the daemon may not answer; when it is lost, what waits is
// told why, and it is made again: at once for who asks, else each second. The loop's thread alone.
#pragma once

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct xy_ask;

struct xy_ask_config {
	// As xy_client_config has them; they must stay. program NULL: the daemon.
	const char *instance, *program, *socket;
	unsigned answer_ms;  // a question's, from when it is sent
	unsigned per_second; // questions; as many at once after a second of rest
	unsigned queue;	     // questions that may wait
	bool lazy;	     // made for who asks, and left when nobody did for a while
	// When the daemon is reached, or no longer: xy_ask_why says why. May be NULL.
	void (*changed)(void *arg, bool reached);
	void *arg;
};

// answer is the callee's; NULL: code and text say why. -EREMOTE: the daemon says so; -ENOENT: it
// knows nobody of that name; -ENOTCONN: it
// is away; -ETIMEDOUT; -EBUSY: too many wait; -EINVAL, -EMSGSIZE: it cannot be asked that;
// -ECANCELED: this process ends.
struct xy_ask_answer {
	json_t *answer;
	int code;
	const char *text;
};
typedef void xy_ask_done(void *arg, const struct xy_ask_answer *a);

// The daemon's words for people who see that they are its, and who have no command line: without
// who speaks, and without "(xylem show ...)". Within text, which is changed.
const char *xy_ask_plain(char *text);

int xy_ask_create(uv_loop_t *loop, const struct xy_ask_config *cfg, struct xy_ask **out);
// done is called once, now or later.
void xy_ask(struct xy_ask *a, const char *command, const char *params, xy_ask_done *done,
	    void *arg);
// The same, before all that waits, and however many do: for who asks one thing at a time.
void xy_ask_first(struct xy_ask *a, const char *command, const char *params, xy_ask_done *done,
		  void *arg);
// A lazy one that was not reached is tried again, unless it was just now.
void xy_ask_try(struct xy_ask *a);
bool xy_ask_reached(const struct xy_ask *a);
// Why it is not, for people; NULL: it is, or was not tried yet. denied: the socket is not for us.
const char *xy_ask_why(const struct xy_ask *a, bool *denied);
// What waits is told; memory goes when the loop has closed its handles.
void xy_ask_close(struct xy_ask *a);
