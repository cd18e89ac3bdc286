// SPDX-License-Identifier: BSD-3-Clause
// What /api/v1 has, once: the method, the path, who may, what it takes and gives. The server, the
// OpenAPI document and its test all walk this. What shows is the list of lib/fields' replies; the
// rest stands in table.c. One thread; constant.
#pragma once

#include "fields/fields.h"

#include <stdbool.h>

#define XY_API_BASE "/api/v1"

// Who may: nobody's is for everybody who reaches the address, login or not.
enum xy_api_scope { XY_API_OPEN, XY_API_READ, XY_API_ACT };

enum xy_api_type {
	XY_API_TEXT,
	XY_API_NUMBER,
	XY_API_YES_NO,
	XY_API_TEXTS, // a list
	XY_API_COST,  // a number, or "default"
};

// A parameter of the query, or a member of the body.
struct xy_api_param {
	const char *name;
	enum xy_api_type type;
	bool required;
	const char *choices; // "a|b": no other text; NULL: any
	const char *help;
	const char *daemon; // as the daemon calls it; NULL: the same
	bool private;	    // not on the public address
	int least, most;    // of a number; most 0: any, or what the daemon says
};

enum { XY_API_PARAMS = 8 };

enum xy_api_handler {
	XY_API_REPLY, // one of lib/fields
	XY_API_PEER,
	XY_API_ACCESS,
	XY_API_LOGIN,
	XY_API_LOGOUT,
	XY_API_OPENAPI,
	XY_API_DIAGNOSIS,
	XY_API_HISTORY,
	XY_API_EVENTS,
	XY_API_STEER, // the body goes to `command`, with the path's name as `peer`
	XY_API_LEAF,
	XY_API_PING,
	XY_API_NETCHECK,
	XY_API_CAPTURE,
	XY_API_HANDLERS,
};

struct xy_api_entry {
	const char *method, *path; // behind XY_API_BASE; "{name}" is one part of any text
	enum xy_api_scope scope;
	bool public; // on the public address as well
	const char *help;
	const struct xy_object *(*object)(void);   // of the answer; NULL: `answer` says its schema
	const char *answer;			   // of openapi.c's own schemas
	struct xy_api_param params[XY_API_PARAMS]; // up to one without a name
	bool body;				   // they are of the body
	const char *command; // of the daemon's, what is asked for it; NULL: none, or several
	enum xy_api_handler handler;
};

// Entry i: NULL behind the last.
const struct xy_api_entry *xy_api_entry_at(unsigned i);
const struct xy_api_param *xy_api_param_of(const struct xy_api_entry *e, const char *name);
