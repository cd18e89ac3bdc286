// SPDX-License-Identifier: BSD-3-Clause
#include "web/table.h"

#include "base/bytes.h"

#include <string.h>

// clang-format off
#define PAGED                                                                               \
	{"cursor", XY_API_TEXT, false, NULL, "`next` of the page before"}
#define FILTERED PAGED,                                                                     \
	{"peer", XY_API_TEXT, false, NULL, "only of this peer: its name, key or address"},  \
	{"within", XY_API_TEXT, false, NULL, "only within this prefix"},                    \
	{"count", XY_API_YES_NO, false, NULL, "how many, instead of which"}
#define ABOUT(name, help) {name, XY_API_TEXT, true, NULL, help}

// What each reply of lib/fields takes here, and whether everybody may see it. One that is not
// named takes nothing, and is private.
static const struct {
	const char *name;
	bool public;
	struct xy_api_param params[XY_API_PARAMS];
} takes[] = {
	{"node", true, {{0}}},
	{"peers", true, {FILTERED}},
	{"workers", true, {{0}}},
	{"graph", true, {{0}}},
	{"routes", true, {FILTERED}},
	{"sessions", true, {FILTERED}},
	{"neighbours", true, {FILTERED}},
	{"routing", true, {{0}}},
	{"gateways", true, {FILTERED}},
	{"route", true, {ABOUT("prefix", "prefix or address")}},
	{"tree", true, {PAGED}},
	{"drop", false, {ABOUT("reason", "as in drops")}},
	{"path", false, {ABOUT("address", "of a node, or behind one")}},
	{"trace", false, {ABOUT("address", "of a node")}},
	{"name", false, {ABOUT("name", "a name, a key or an address")}},
	{"log", false, {PAGED}},
};

static const struct xy_api_entry own[] = {
	{"GET", "/access", XY_API_OPEN, true, "Who asks, and what is open to whom.", NULL, "access",
	 .handler = XY_API_ACCESS},
	{"GET", "/openapi.json", XY_API_OPEN, true, "This document.", NULL, "any",
	 .handler = XY_API_OPENAPI},
	{"GET", "/peers/{name}", XY_API_READ, true, "One peer, by name, key or address.",
	 xy_object_peer, NULL, .command = "/xylem/peers", .handler = XY_API_PEER},
};
// clang-format on

enum { REPLIES_MAX = 40, PATH_MAX_ = 32 };

static struct xy_api_entry replies[REPLIES_MAX];
static char paths[REPLIES_MAX][PATH_MAX_];
static unsigned reply_count;

static void reply_make(struct xy_api_entry *e, char *path, const struct xy_reply *r)
{
	path[0] = '/';
	strncpy(path + 1, r->name, PATH_MAX_ - 2);
	*e = (struct xy_api_entry){.method = "GET",
				   .path = path,
				   .scope = XY_API_READ,
				   .help = r->help,
				   .object = r->object,
				   .command = r->command,
				   .handler = XY_API_REPLY};
	for (unsigned i = 0; i < XY_ARRAY_SIZE(takes); i++)
		if (strcmp(takes[i].name, r->name) == 0) {
			e->public = takes[i].public;
			memcpy(e->params, takes[i].params, sizeof(e->params));
		}
}

static void make(void)
{
	const struct xy_reply *r;
	for (unsigned i = 0; (r = xy_reply_at(i)) && i < REPLIES_MAX; i++)
		reply_make(&replies[i], paths[i], r);
	for (reply_count = 0; replies[reply_count].method; reply_count++)
		;
}

const struct xy_api_entry *xy_api_entry_at(unsigned i)
{
	if (!reply_count)
		make();
	if (i < reply_count)
		return &replies[i];
	return i - reply_count < XY_ARRAY_SIZE(own) ? &own[i - reply_count] : NULL;
}
