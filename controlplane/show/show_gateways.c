// SPDX-License-Identifier: BSD-3-Clause
// Who offers which network outside 200::/7, and why packets go there by another, or not at all.
// Routing has these in no order among all that it knows, so a page is so many places of its table,
// of which most may be no mapping's. A page begins with "NUMBER@PREFIX", the prefix as it was asked
// for.
#include "daemon.h"
#include "naming.h"

#include "base/bytes.h"
#include "show/filter.h"
#include "show/show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLACES = 4096, WHY_LEN = 200 };

// --- why not

static const char *not_accepted(const struct xy_babel_entry *e)
{
	if (xy_prefix_is_default(&e->prefix))
		return "not accepted: neither exit nor routing.accept names it";
	return "not accepted: routing.accept does not name it";
}

// It was said to us, and is no way now.
static const char *no_way(const struct xy_babel_entry *e)
{
	if (e->held)
		return "held back: it came and went too often";
	if (e->refmetric == XY_BABEL_INFINITY)
		return "retracted: the peer that told of it has no way there any more";
	if (e->metric == XY_BABEL_INFINITY)
		return "its peer is not used now: show neighbours says why";
	return "not feasible: it might lead back here";
}

static const char *compared(const struct xy_daemon *d, const struct xy_babel_mapping *m,
			    char to[static WHY_LEN])
{
	char text[XY_NAMING_LEN] = "a plain Babel router's route";
	const char *than = m->by.has_key ? xy_naming_key(d, &m->by.key, text) : text;
	if (m->entry.metric < m->by.metric)
		snprintf(to, WHY_LEN, "nearer than %s, whose place it takes if it stays so", than);
	else
		snprintf(to, WHY_LEN, "%s %s",
			 m->entry.metric > m->by.metric ? "further than" : "no nearer than", than);
	return to;
}

// Routing follows it; what the table of all sources makes of that. NULL: it is in force.
static const char *in_table(const struct xy_daemon *d, const struct xy_babel_entry *e,
			    char to[static WHY_LEN])
{
	const struct xy_rib_route *r = xy_rib_best(&d->rib, &e->prefix);
	if (e->no_room)
		return "no room: waits for another route to go (max_routes)";
	if (!r)
		return "not in the table of routes";
	if (r->source == XY_ROUTE_LEARNED)
		return NULL;
	snprintf(to, WHY_LEN, "the route of source \"%s\" goes before it",
		 xy_route_source_text[r->source]);
	return to;
}

static const char *why_not(const struct xy_daemon *d, const struct xy_babel_mapping *m,
			   char to[static WHY_LEN])
{
	const struct xy_babel_entry *e = &m->entry;
	if (m->ours)
		return "this node announces it itself";
	if (!e->used)
		return not_accepted(e);
	if (!e->selected || e->metric == XY_BABEL_INFINITY)
		return no_way(e);
	if (m->other)
		return compared(d, m, to);
	return e->followed ? in_table(d, e, to) : "not chosen yet";
}

// --- /xylem/gateways

static json_t *gateway_json(const struct xy_daemon *d, const struct xy_babel_mapping *m)
{
	char name[XY_NAMING_LEN], text[WHY_LEN];
	const struct xy_babel_entry *e = &m->entry;
	const struct xy_addr addr = xy_key_addr(&e->key);
	const char *why = why_not(d, m, text);
	return xy_tell_gateway(&(struct xy_fields_gateway){
		.prefix = &e->prefix,
		.gateway = xy_naming_key(d, &e->key, name),
		.key = &e->key,
		.address = &addr,
		.metric = or_null(e->metric != XY_BABEL_INFINITY, e->metric),
		.via = xy_links_name(d->links, e->link),
		.used = !why,
		.why_not = why,
		.age = (int64_t)(e->age / XY_SEC),
	});
}

// False: it is neither a prefix nor a cursor, "NUMBER@PREFIX". As a filter has it, the prefix is
// its own, and the cursor a number.
static bool begin(struct xy_filter *f, uint32_t *at)
{
	char *end = NULL;
	const char *after = f->after;
	*at = 0;
	if (f->asked || strchr(after, '@')) {
		*at = (uint32_t)strtoul(after, &end, 10);
		if ((end == after && *after) || (*end && *end != '@'))
			return false;
		after = *end ? end + 1 : "";
	}
	if (f->asked || !*after)
		return true;
	f->by_within = true;
	return xy_prefix_parse(after, &f->within) == 0;
}

static json_t *page(const struct xy_daemon *d, struct xy_filter *f, uint32_t at)
{
	char next[16 + XY_PREFIX_STRLEN], text[XY_PREFIX_STRLEN] = "";
	struct xy_babel_mapping m;
	unsigned left = PLACES;
	xy_nsec now = xy_now();
	const struct xy_prefix *in = f->by_within ? &f->within : NULL;
	json_t *list = json_array();
	while (!xy_filter_is_full(f) &&
	       xy_routing_mapping_next(d->routing, &at, &left, in, now, &m))
		if (!f->by_peer || m.entry.link == f->slot)
			XY_FILTER_PUT(f, list, gateway_json(d, &m));
	if (in && !f->asked)
		xy_prefix_str(in, text);
	snprintf(next, sizeof(next), "%u%s%s", at, f->asked ? "" : "@", text);
	return xy_tell_gateways(
		&(struct xy_fields_gateways){.gateways = list,
					     .count = xy_filter_count(f),
					     .next = xy_filter_next(f, at ? next : NULL)});
}

json_t *xy_show_gateways(void *arg, struct xy_request *q)
{
	const struct xy_daemon *d = arg;
	struct xy_filter f;
	uint32_t at;
	json_t *error = xy_filter_begin(&f, d, q);
	if (error)
		return error;
	json_t *o = begin(&f, &at)
			    ? page(d, &f, at)
			    : xy_server_error("'%s' is neither a prefix without host bits nor an "
					      "address",
					      q->params);
	xy_filter_end(&f);
	return o;
}
