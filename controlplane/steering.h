// SPDX-License-Identifier: BSD-3-Clause
// The node changed at run time: the control socket, who may and who did, and what is kept of it in
// the state folder (steer/runtime.h). A change is in force at once, and its answer comes when it is
// on the disk, or says that it is not. Control thread only; writing is a helper's.
#pragma once

#include "api/server.h"
#include "base/err.h"
#include "config/config.h"
#include "steer/runtime.h"

#include <jansson.h>

struct xy_daemon;
struct xy_plan;
struct xy_steering;

#define XY_STEERING_FILE "runtime.conf" // in the state folder

// Reads what is kept, and lays it over the plan, before links have it: the book is there.
int xy_steering_up(struct xy_daemon *d, struct xy_err *err);
void xy_steering_begin(struct xy_daemon *d); // all that it steers is there
void xy_steering_close(struct xy_daemon *d); // no commands any more
void xy_steering_down(struct xy_daemon *d);  // links are gone, and no helper runs

void xy_steering_lay(struct xy_daemon *d, struct xy_plan *plan); // it comes into force
// A config was taken, or refused: why, and of several errors all.
void xy_steering_reloaded(struct xy_daemon *d, const struct xy_err *why,
			  const struct xy_config_notes *errors);
// True: the config is to be read anew, for what lies over it has come.
bool xy_steering_second(struct xy_daemon *d);
void xy_steering_log_apply(const struct xy_daemon *d); // levels and format, as they are now
void xy_steering_warnings(const struct xy_daemon *d, json_t *list);
struct xy_runtime *xy_steering_runtime(const struct xy_daemon *d);
// Why what was changed is not on the disk; NULL: it is.
const char *xy_steering_unkept(const struct xy_daemon *d);

// --- for commands.c: what they do is said here, once

// Who, for the log: "anna (uid 1000, pid 4242)".
enum { XY_STEERING_WHO = 96 };
const char *xy_steering_who(const struct xy_caller *from, char buf[static XY_STEERING_WHO]);
// Its params, a JSON object; NULL and *err: they are none, or have a key that is not allowed (NULL:
// any is; NULL ends them).
json_t *xy_steering_params(const struct xy_request *q, const char *const *allowed,
			   struct xy_err *err);
// It was done: it is logged, kept, and then answered with `answer`, which is taken.
__attribute__((format(printf, 4, 5))) json_t *xy_steering_done(struct xy_daemon *d,
							       struct xy_request *q, json_t *answer,
							       const char *fmt, ...);
// The same for what is not kept: the answer comes at once.
__attribute__((format(printf, 4, 5))) json_t *xy_steering_said(struct xy_daemon *d,
							       struct xy_request *q, json_t *answer,
							       const char *fmt, ...);
// It was not: logged, and the answer says why.
json_t *xy_steering_refused(const struct xy_request *q, const struct xy_err *why);
// The answer comes when the config of the reload of that number is in force, or refused.
json_t *xy_steering_reload(struct xy_daemon *d, struct xy_request *q, uint32_t number);
// A plan comes into force: what needs it to stand still is done after. True: not now; the handler
// returns *a, which is NULL where it will be asked again (q->later), else why it will not.
bool xy_steering_waits(struct xy_daemon *d, struct xy_request *q, xy_server_handler *handler,
		       json_t **a);
