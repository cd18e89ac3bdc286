// SPDX-License-Identifier: BSD-3-Clause
// Who offers which network outside 200::/7, and why packets go there by another, or not at all.
// Routing has these in no order among all that it knows, so a page is so many places of its table,
// of which most may be no mapping's. A page begins with "NUMBER@PREFIX", the prefix as it was asked
// for.
#include "daemon.h"
#include "naming.h"

#include "base/bytes.h"
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

struct page {
	uint32_t at;
	const char *in; // "": all
	struct xy_prefix prefix;
};

// False: it is neither a prefix nor a cursor.
static bool begin(struct page *p, const char *params)
{
	char *end;
	*p = (struct page){.in = params ? params : ""};
	if (params && strchr(params, '@')) {
		p->at = (uint32_t)strtoul(params, &end, 10);
		p->in = end + 1;
		if (end == params || *end != '@')
			return false;
	}
	return !*p->in || xy_prefix_parse(p->in, &p->prefix) == 0;
}

json_t *xy_show_gateways(void *arg, struct xy_request *q)
{
	const struct xy_daemon *d = arg;
	char next[16 + XY_PREFIX_STRLEN], text[XY_PREFIX_STRLEN];
	struct xy_babel_mapping m;
	struct page p;
	unsigned left = PLACES;
	xy_nsec now = xy_now();
	if (!begin(&p, q->params))
		return xy_server_error("'%s' is neither a prefix without host bits nor an address",
				       q->params);
	json_t *list = json_array();
	while (json_array_size(list) < XY_SHOW_PAGE &&
	       xy_routing_mapping_next(d->routing, &p.at, &left, *p.in ? &p.prefix : NULL, now, &m))
		json_array_append_new(list, gateway_json(d, &m));
	snprintf(next, sizeof(next), "%u@%s", p.at, *p.in ? xy_prefix_str(&p.prefix, text) : "");
	return xy_tell_gateways(
		&(struct xy_fields_gateways){.gateways = list, .next = p.at ? next : NULL});
}
