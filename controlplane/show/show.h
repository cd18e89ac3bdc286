// SPDX-License-Identifier: BSD-3-Clause
// What the handlers of the telemetry socket share to write JSON. Control thread only.
#pragma once

#include "api/server.h"
#include "base/time.h"

enum { XY_SHOW_PAGE = 64 }; // entries in a reply of a list that can be long

#define TEXT(s) ((s) ? json_string(s) : json_null())

static inline json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static inline json_t *seconds_since(xy_nsec then, xy_nsec now)
{
	return then ? number(now > then ? (now - then) / XY_SEC : 0) : json_null();
}

// One page of a list; next: what to ask for to go on, or null. Takes both over.
static inline json_t *page(const char *name, json_t *list, json_t *next)
{
	json_t *o = json_object();
	json_object_set_new(o, name, list);
	json_object_set_new(o, "next", next);
	return o;
}
