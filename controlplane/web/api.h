// SPDX-License-Identifier: BSD-3-Clause
// /api/v1, by the table (table.h): who may, what is asked right, and then the handler of the entry.
// The loop's thread alone.
#pragma once

#include "url/url.h"
#include "web/auth.h"
#include "web/share.h"
#include "web/table.h"
#include "web/web.h"

void xy_api_serve(struct xy_web *w, struct xy_http_request *q, const struct xy_url *url);

// Why there is no answer, for everybody: where the daemon is, and how it fails, is not their
// matter.
#define XY_API_AWAY "the daemon is away"

// A request that was let in. Who answers it ends it: each function that answers frees the call.
struct xy_api_call {
	struct xy_web *web;
	struct xy_http_request *q;
	const struct xy_api_entry *entry;
	const struct xy_url *url; // while the handler is called
	struct xy_auth_who who;
	json_t *body;		  // an object as the entry says; NULL: it takes none
	char name[256];		  // in the path
	unsigned pages;		  // asked so far
	struct xy_shared *shared; // whose answer is for others, too; NULL: for q alone
};
typedef void xy_api_handler(struct xy_api_call *c);

// Takes `body`; the same bytes have the same ETag, whoever asks.
void xy_api_answer(struct xy_api_call *c, json_t *body);
// Takes `body`: what came of a change, which nobody may keep.
void xy_api_answer_once(struct xy_api_call *c, json_t *body);
void xy_api_answer_failed(struct xy_api_call *c, const struct xy_ask_answer *why);
__attribute__((format(printf, 3, 4))) void xy_api_problem(struct xy_api_call *c, unsigned status,
							  const char *fmt, ...);
void xy_api_end(struct xy_api_call *c); // it was answered by other means
// {"peer": name} as the daemon's params; malloc'd, or NULL: it was answered.
char *xy_api_params(struct xy_api_call *c, json_t *o);

json_int_t xy_api_number(const struct xy_api_call *c, const char *name, json_int_t otherwise);

// act.c
xy_api_handler xy_act_steer, xy_act_leaf_add;
void xy_act_say(const struct xy_api_call *c, const char *what); // who did it, into the log
// The control socket did not do it. Answers.
void xy_act_refused(struct xy_api_call *c, const struct xy_ask_answer *a);
// tools.c
xy_api_handler xy_tools_ping, xy_tools_netcheck;
// diagnose.c
xy_api_handler xy_api_diagnose;
void xy_diagnosis_close(struct xy_web *w); // who waits is told
// events.c, watch.c
xy_api_handler xy_events_serve, xy_watch_serve_history;
// openapi.c, by api.c
json_t *xy_openapi(void);
