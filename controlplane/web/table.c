// SPDX-License-Identifier: BSD-3-Clause
#include "web/table.h"

#include "base/bytes.h"
#include "fields/public.h"

#include <string.h>

// clang-format off
#define PAGED                                                                               \
	{"cursor", XY_API_TEXT, false, NULL, "`next` of the page before"}
#define FILTERED PAGED,                                                                     \
	{"peer", XY_API_TEXT, false, NULL, "only of this peer: its name, key or address"},  \
	{"within", XY_API_TEXT, false, NULL, "only within this prefix", NULL, true},        \
	{"count", XY_API_YES_NO, false, NULL, "how many, instead of which"}
#define ABOUT(name, help) {name, XY_API_TEXT, true, NULL, help}

// What each reply of lib/fields takes here. One that is not named takes nothing.
static const struct {
	const char *name;
	struct xy_api_param params[XY_API_PARAMS];
} takes[] = {
	{"peers", {FILTERED}},
	{"routes", {FILTERED}},
	{"sessions", {FILTERED}},
	{"neighbours", {FILTERED}},
	{"gateways", {FILTERED}},
	{"route", {ABOUT("prefix", "prefix or address")}},
	{"tree", {PAGED}},
	{"drop", {ABOUT("reason", "as in drops")}},
	{"path", {ABOUT("address", "of a node, or behind one")}},
	{"trace", {ABOUT("address", "of a node")}},
	{"name", {ABOUT("name", "a name, a key or an address")}},
	{"log", {PAGED}},
};

#define NAME_ "/peers/{name}"
static const struct xy_api_entry own[] = {
	{"GET", "/access", XY_API_OPEN, true, "Who asks, and what is open to whom.", NULL, "access",
	 .handler = XY_API_ACCESS},
	{"POST", "/login", XY_API_OPEN, false, "Begins a session: its cookie comes with the answer.",
	 NULL, "access", {{"password", XY_API_TEXT, true, NULL, "as in the config"}}, .body = true,
	 .handler = XY_API_LOGIN},
	{"POST", "/logout", XY_API_OPEN, false, "Ends it.", NULL, "access", .body = true,
	 .handler = XY_API_LOGOUT},
	{"GET", "/openapi.json", XY_API_OPEN, true, "This document.", NULL, "any",
	 .handler = XY_API_OPENAPI},
	{"GET", NAME_, XY_API_READ, true, "One peer, by name, key or address.", xy_object_peer,
	 NULL, .command = "/xylem/peers", .handler = XY_API_PEER},
	{"GET", "/diagnosis", XY_API_READ, false,
	 "What is wrong, as far as the daemon's answers tell: as `xylem diagnose --json`.", NULL,
	 "diagnosis", .handler = XY_API_DIAGNOSIS},
	{"GET", "/history", XY_API_READ, true,
	 "Rates of the last ten minutes, in bits a second, oldest first; null: not known.", NULL,
	 "history", {{"peer", XY_API_TEXT, false, NULL, "by name; without it: all peers together"}},
	 .handler = XY_API_HISTORY},
	{"GET", "/events", XY_API_READ, true, "Server-sent events: state, tick each second, log.",
	 NULL, "events", .handler = XY_API_EVENTS},
	{"PATCH", NAME_, XY_API_ACT, false, "Sets a peer: traffic, cost.", NULL, "done",
	 {{"traffic", XY_API_TEXT, false, "on|off", "whether anything is routed over the link"},
	  {"cost", XY_API_COST, false, NULL, "of the link, 1 to 65534, or default: the config's"}},
	 .body = true, .command = "/xylem/set", .handler = XY_API_STEER},
	{"POST", "/peers", XY_API_ACT, false, "Adds a node.", NULL, "done",
	 {{"name", XY_API_TEXT, true, NULL, "that no peer has"},
	  {"key", XY_API_TEXT, true, NULL, "its public key"},
	  {"endpoints", XY_API_TEXTS, false, NULL, "HOST:PORT, where it is"},
	  {"preshared_key", XY_API_TEXT, false, NULL, "a secret of both", "psk"},
	  {"keepalive", XY_API_NUMBER, false, NULL, "seconds"},
	  {"mtu", XY_API_NUMBER, false, NULL, "instead of probing"},
	  {"cost", XY_API_NUMBER, false, NULL, "of the link"}},
	 .body = true, .command = "/xylem/peer_add", .handler = XY_API_STEER},
	{"DELETE", NAME_, XY_API_ACT, false, "Removes what was added at run time.", NULL, "done",
	 .body = true, .command = "/xylem/peer_remove", .handler = XY_API_STEER},
	{"POST", NAME_ "/reset", XY_API_ACT, false, "Ends its session, and begins another.", NULL,
	 "done", .body = true, .command = "/xylem/peer_reset", .handler = XY_API_STEER},
	{"POST", "/leaves", XY_API_ACT, false,
	 "Adds a WireGuard device, and gives its config: once, if its key is made here.", NULL,
	 "leaf",
	 {{"name", XY_API_TEXT, true, NULL, "that no peer has"},
	  {"public_key", XY_API_TEXT, false, NULL, "the device's; without it one is made", "key"},
	  {"addresses", XY_API_TEXTS, false, NULL, "without them the next free one", "allowed"},
	  {"endpoint", XY_API_TEXT, false, NULL, "HOST:PORT, where the device finds this node"}},
	 .body = true, .command = "/xylem/leaf_add", .handler = XY_API_LEAF},
	{"DELETE", "/leaves/{name}", XY_API_ACT, false, "Removes one.", NULL, "done", .body = true,
	 .command = "/xylem/leaf_remove", .handler = XY_API_STEER},
	{"POST", "/reload", XY_API_ACT, false, "Has the daemon read its config anew.", NULL, "done",
	 .body = true, .command = "/xylem/reload", .handler = XY_API_STEER},
	{"POST", "/drain", XY_API_ACT, false, "Leaves the mesh, and stays; or comes back.", NULL,
	 "done", {{"drained", XY_API_YES_NO, true, NULL, "true: leave"}}, .body = true,
	 .command = "/xylem/drain", .handler = XY_API_STEER},
	{"POST", "/ping", XY_API_ACT, false,
	 "Sends ICMP echo over the mesh, and says what comes: a first line with the way, one for "
	 "each answer or error, a last one with `sum`. Few at a time; it ends when who asked goes.",
	 NULL, "ping",
	 {{"to", XY_API_TEXT, true, NULL, "an address, or the name or key of a node"},
	  {"count", XY_API_NUMBER, false, NULL, "how many; 4", .least = 1, .most = 100},
	  {"interval_ms", XY_API_NUMBER, false, NULL, "between two of them; 1000", .least = 200,
	   .most = 10000},
	  {"size", XY_API_NUMBER, false, NULL, "bytes behind the ICMP header; 56", .most = 9000}},
	 .body = true, .handler = XY_API_PING},
	{"POST", "/netcheck", XY_API_ACT, false,
	 "Sends to each peer, some seconds long: reached, path MTU and whether proven, RTT, loss, "
	 "clock, NAT. One at a time.",
	 NULL, "netcheck", {{"peer", XY_API_TEXT, false, NULL, "of it alone: its name, key or address"}},
	 .body = true, .handler = XY_API_NETCHECK},
	{"POST", "/capture", XY_API_ACT, false,
	 "Packets on their way, as a pcapng file that is sent while it grows, 64 MB at most. One at a "
	 "time; it ends when who asked goes.",
	 NULL, "capture",
	 {{"peer", XY_API_TEXT, false, NULL, "of it alone: its name, key or address"},
	  {"port", XY_API_NUMBER, false, NULL, "of it alone: its number", .most = 255},
	  {"drop", XY_API_TEXT, false, NULL, "those dropped as that, as in drops"},
	  {"places", XY_API_TEXTS, false, "sealed|opened|host|drops",
	   "where; opened and drops, of a port sealed, of a drop drops"},
	  {"snap", XY_API_NUMBER, false, NULL, "bytes of each packet; all", .least = 64, .most = 65535},
	  {"packets", XY_API_NUMBER, false, NULL, "how many at most; 10000", .least = 1, .most = 100000},
	  {"seconds", XY_API_NUMBER, false, NULL, "how long at most; 10", .least = 1, .most = 300}},
	 .body = true, .command = "/xylem/capture", .handler = XY_API_CAPTURE},
	{"POST", "/log-level", XY_API_ACT, false, "Sets what the daemon logs.", NULL, "done",
	 {{"level", XY_API_TEXT, true, "error|warn|info|debug|default", "the least that is logged"},
	  {"subsystem", XY_API_TEXT, false, NULL, "of it alone"}},
	 .body = true, .command = "/xylem/log_level", .handler = XY_API_STEER},
};
// clang-format on

enum { REPLIES_MAX = 40, REPLY_PATH = 32 };

static struct xy_api_entry replies[REPLIES_MAX];
static char paths[REPLIES_MAX][REPLY_PATH];
static unsigned reply_count;

static void reply_make(struct xy_api_entry *e, char *path, const struct xy_reply *r)
{
	path[0] = '/';
	strncpy(path + 1, r->name, REPLY_PATH - 2);
	*e = (struct xy_api_entry){.method = "GET",
				   .path = path,
				   .scope = XY_API_READ,
				   .public = xy_reply_is_public(r->name),
				   .help = r->help,
				   .object = r->object,
				   .command = r->command,
				   .handler = XY_API_REPLY};
	for (unsigned i = 0; i < XY_ARRAY_SIZE(takes); i++)
		if (strcmp(takes[i].name, r->name) == 0) {
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

const struct xy_api_param *xy_api_param_of(const struct xy_api_entry *e, const char *name)
{
	for (unsigned i = 0; i < XY_API_PARAMS && e->params[i].name; i++)
		if (strcmp(e->params[i].name, name) == 0)
			return &e->params[i];
	return NULL;
}

const struct xy_api_entry *xy_api_entry_at(unsigned i)
{
	if (!reply_count)
		make();
	if (i < reply_count)
		return &replies[i];
	return i - reply_count < XY_ARRAY_SIZE(own) ? &own[i - reply_count] : NULL;
}
