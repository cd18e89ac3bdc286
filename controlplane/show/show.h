// SPDX-License-Identifier: BSD-3-Clause
// What the handlers of the telemetry socket share. Each fills in the struct of an object in the
// list of fields (lib/fields), which api/tell.h makes JSON of. Control thread only.
#pragma once

#include "api/server.h"
#include "api/tell.h"
#include "base/time.h"

struct xy_daemon;

enum { XY_SHOW_PAGE = 64 }; // entries in a reply of a list that can be long

static inline int64_t or_null(bool there, uint64_t n)
{
	return there ? (int64_t)n : XY_FIELD_NULL;
}

static inline int64_t seconds_since(xy_nsec then, xy_nsec now)
{
	return or_null(then != 0, now > then ? (now - then) / XY_SEC : 0);
}

static inline const char *told(const char *text) // "": it is not
{
	return text && text[0] ? text : NULL;
}

// Who answers what of the list of replies.
struct xy_show_reply {
	const char *name;
	xy_server_handler *handler;
};
int xy_show_register_all(struct xy_daemon *d, const struct xy_show_reply *v, unsigned count);

json_t *xy_show_node(void *arg, struct xy_request *q);
json_t *xy_show_config(void *arg, struct xy_request *q);
json_t *xy_show_gateways(void *arg, struct xy_request *q);
json_t *xy_show_sessions(void *arg, struct xy_request *q);
json_t *xy_show_drops(void *arg, struct xy_request *q);
json_t *xy_show_drop(void *arg, struct xy_request *q);
struct xy_link_info;
// Why a neighbour that was there is not used now, for people; NULL: it is, or never was one.
const char *xy_show_lost(const struct xy_daemon *d, const struct xy_link_info *k);

// Calls fn for each reason and what was dropped for it.
void xy_show_drops_each(const struct xy_daemon *d,
			void (*fn)(void *to, const struct xy_fields_drop *drop), void *to);
