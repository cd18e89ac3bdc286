// SPDX-License-Identifier: BSD-3-Clause
// What the telemetry socket tells of the mesh beyond our links: walks and the crawl take a while,
// so the first ask begins one, and each says how far it is.
#include "daemon.h"

#include "base/bytes.h"
#include "show/show.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

// What is not told is "".
static json_t *told(const char *text)
{
	return TEXT(text && text[0] ? text : NULL);
}

static json_t *addr_json(const struct xy_addr *a)
{
	char text[XY_ADDR_STRLEN];
	return json_string(xy_addr_str(a, text));
}

static json_t *micro(xy_nsec t)
{
	return t ? number(t / XY_USEC) : json_null();
}

static json_t *metric_json(uint16_t metric)
{
	return metric == XY_NODEINFO_UNKNOWN ? json_null() : json_integer(metric);
}

// --- /xylem/trace, /xylem/path

static const char *const end_text[] = {[XY_NODEINFO_REACHED] = "reached",
				       [XY_NODEINFO_NO_ROUTE] = "no route",
				       [XY_NODEINFO_NO_ANSWER] = "no answer",
				       [XY_NODEINFO_LOOP] = "loop",
				       [XY_NODEINFO_TOO_LONG] = "too long"};
static const char *const hop_text[] = {[XY_NODEINFO_ASKED] = "asked",
				       [XY_NODEINFO_ANSWERED] = "answered",
				       [XY_NODEINFO_SILENT] = "silent"};
static const char *const result_text[] = {
	[XY_NODEINFO_HERE] = "here", [XY_NODEINFO_VIA] = "via", [XY_NODEINFO_NONE] = "none"};

static json_t *hop_json(const struct xy_nodeinfo_hop *h, unsigned place, const char *peer)
{
	json_t *o = json_object();
	json_object_set_new(o, "hop", number(place));
	json_object_set_new(o, "address", addr_json(&h->addr));
	json_object_set_new(o, "name", told(h->name));
	json_object_set_new(o, "peer", told(peer));
	json_object_set_new(o, "state", json_string(hop_text[h->state]));
	json_object_set_new(o, "after_gap", json_boolean(h->after_gap));
	json_object_set_new(o, "rtt_us", micro(h->rtt));
	json_object_set_new(o, "route", told(result_text[h->result]));
	json_object_set_new(o, "metric", metric_json(h->metric));
	return o;
}

static json_t *walk_json(const struct xy_nodeinfo_walk *w)
{
	json_t *o = json_object(), *hops = json_array();
	for (unsigned i = 0; i < w->count; i++)
		json_array_append_new(hops, hop_json(&w->hop[i], i + 1,
						     i || w->route.asks ? NULL : w->route.peer));
	json_object_set_new(o, "address", addr_json(&w->to));
	json_object_set_new(o, "done", json_boolean(w->end != XY_NODEINFO_WALKING));
	json_object_set_new(o, "end", told(end_text[w->end]));
	json_object_set_new(o, "hops", hops);
	return o;
}

static json_t *route_json(const struct xy_nodeinfo_route *r)
{
	char text[XY_PREFIX_STRLEN];
	if (!r->source)
		return json_null();
	json_t *o = json_object();
	bool via = r->result == XY_NODEINFO_VIA;
	json_object_set_new(o, "prefix", json_string(xy_prefix_str(&r->prefix, text)));
	json_object_set_new(o, "source", json_string(r->source));
	json_object_set_new(o, "route", json_string(result_text[r->result]));
	json_object_set_new(o, "peer", told(r->peer));
	json_object_set_new(o, "next_hop", via ? addr_json(&r->hop) : json_null());
	json_object_set_new(o, "metric", metric_json(r->metric));
	json_object_set_new(o, "origin",
			    r->has_key ? json_string(xy_key_str(&r->key, text)) : json_null());
	json_object_set_new(o, "epoch", r->has_key ? number(r->epoch) : json_null());
	return o;
}

// NULL: *error says why.
static const struct xy_nodeinfo_walk *walk(struct xy_daemon *d, const char *params, json_t **error)
{
	const struct xy_nodeinfo_walk *w;
	struct xy_addr to;
	if (!params || xy_addr_parse(params, &to)) {
		*error = xy_server_error("'%s' is no address", params ? params : "");
		return NULL;
	}
	if (xy_nodeinfo_walk(d->nodeinfo, &to, xy_now(), &w)) {
		*error = xy_server_error("%d walks are under way, and that is the most; try "
					 "again in a few seconds",
					 XY_NODEINFO_WALKS);
		return NULL;
	}
	return w;
}

static json_t *show_trace(void *arg, struct xy_request *q)
{
	json_t *error = NULL;
	const struct xy_nodeinfo_walk *w = walk(arg, q->params, &error);
	return w ? walk_json(w) : error;
}

static json_t *show_path(void *arg, struct xy_request *q)
{
	json_t *error = NULL;
	const struct xy_nodeinfo_walk *w = walk(arg, q->params, &error);
	if (!w)
		return error;
	json_t *o = walk_json(w);
	json_object_set_new(o, "route", route_json(&w->route));
	return o;
}

// --- /xylem/tree: nodes, then links, in pages under one cursor, SERIAL.INDEX

static const char *const node_text[] = {[XY_NODEINFO_NODE_NEW] = "not asked",
					[XY_NODEINFO_NODE_ASKED] = "asked",
					[XY_NODEINFO_NODE_ANSWERED] = "answered",
					[XY_NODEINFO_NODE_SILENT] = "silent"};

static json_t *node_json(const struct xy_daemon *d, const struct xy_nodeinfo_crawl *c, uint32_t at)
{
	const struct xy_nodeinfo_node *n = &c->node[at];
	json_t *o = json_object();
	json_object_set_new(o, "address", addr_json(&n->addr));
	json_object_set_new(o, "name", told(n->name));
	json_object_set_new(o, "peer", TEXT(xy_links_name(d->links, n->slot)));
	json_object_set_new(o, "version", told(n->version));
	json_object_set_new(o, "state", json_string(node_text[n->state]));
	json_object_set_new(o, "parent", at ? addr_json(&c->node[n->parent].addr) : json_null());
	json_object_set_new(o, "depth", json_integer(n->depth));
	json_object_set_new(o, "cost", n->cost ? json_integer(n->cost) : json_null());
	json_object_set_new(o, "link_rtt_us",
			    n->link_rtt_us ? json_integer(n->link_rtt_us) : json_null());
	json_object_set_new(o, "rtt_us", micro(n->rtt));
	json_object_set_new(o, "neighbours",
			    n->tells_neighbours ? json_integer(n->total) : json_null());
	return o;
}

static json_t *link_json(const struct xy_nodeinfo_crawl *c, uint32_t at)
{
	const struct xy_nodeinfo_link *l = &c->link[at];
	json_t *o = json_object();
	json_object_set_new(o, "from", addr_json(&c->node[l->from].addr));
	json_object_set_new(o, "to", addr_json(&c->node[l->to].addr));
	json_object_set_new(o, "cost", l->cost ? json_integer(l->cost) : json_null());
	json_object_set_new(o, "rtt_us", l->rtt_us ? json_integer(l->rtt_us) : json_null());
	return o;
}

static json_t *crawl_json(const struct xy_nodeinfo_crawl *c)
{
	json_t *o = json_object();
	json_object_set_new(o, "done", json_boolean(c->done));
	json_object_set_new(o, "cut", json_boolean(c->cut));
	json_object_set_new(o, "found", json_integer(c->node_count));
	json_object_set_new(o, "answered", json_integer(c->answered));
	json_object_set_new(o, "silent", json_integer(c->silent));
	return o;
}

static json_t *crawl_page(struct xy_daemon *d, const struct xy_nodeinfo_crawl *c, uint32_t from)
{
	char next[32];
	uint32_t all = c->done ? c->node_count + c->link_count : 0;
	uint32_t to = from < all && all - from > XY_SHOW_PAGE ? from + XY_SHOW_PAGE : all;
	json_t *o = crawl_json(c), *nodes = json_array(), *links = json_array();
	for (uint32_t i = from; i < to; i++)
		if (i < c->node_count)
			json_array_append_new(nodes, node_json(d, c, i));
		else
			json_array_append_new(links, link_json(c, i - c->node_count));
	snprintf(next, sizeof(next), "%" PRIu32 ".%" PRIu32, c->serial, to);
	json_object_set_new(o, "nodes", nodes);
	json_object_set_new(o, "links", links);
	json_object_set_new(o, "next", to < all ? json_string(next) : json_null());
	if (c->done && to == all)
		xy_nodeinfo_crawl_told(d->nodeinfo, xy_now());
	return o;
}

static json_t *tree_more(struct xy_daemon *d, const char *cursor)
{
	uint32_t serial, from;
	int end = 0;
	if (sscanf(cursor, "%" SCNu32 ".%" SCNu32 "%n", &serial, &from, &end) != 2 || cursor[end])
		return xy_server_error("'%s' is no cursor; give the `next` of the page before",
				       cursor);
	const struct xy_nodeinfo_crawl *c = xy_nodeinfo_crawl_done(d->nodeinfo, serial, xy_now());
	if (!c)
		return xy_server_error("that tree is gone; ask for /xylem/tree again");
	return crawl_page(d, c, from);
}

static json_t *show_tree(void *arg, struct xy_request *q)
{
	struct xy_daemon *d = arg;
	const struct xy_nodeinfo_crawl *c;
	if (q->params)
		return tree_more(d, q->params);
	if (xy_nodeinfo_crawl(d->nodeinfo, xy_now(), &c))
		return NULL;
	return crawl_page(d, c, 0);
}

int xy_show_mesh_register(struct xy_daemon *d)
{
	static const struct xy_server_command command[] = {
		{"/xylem/tree",
		 "All nodes that can be found, from neighbour to neighbour. Ask until done. "
		 "Params: "
		 "cursor.",
		 show_tree},
		{"/xylem/path",
		 "Our route to an address, and the nodes on the way. Ask until done.", show_path},
		{"/xylem/trace", "The nodes on the way to an address. Ask until done.", show_trace},
	};
	return xy_server_register_all(d->telemetry, command, XY_ARRAY_SIZE(command), d);
}
