// SPDX-License-Identifier: BSD-3-Clause
// What the telemetry socket tells of the mesh beyond our links: walks and the crawl take a while,
// so the first ask begins one, and each says how far it is.
#include "daemon.h"
#include "naming.h"

#include "base/bytes.h"
#include "show/show.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static int64_t micro(xy_nsec t)
{
	return or_null(t, t / XY_USEC);
}

static int64_t metric_of(uint16_t metric)
{
	return or_null(metric != XY_NODEINFO_UNKNOWN, metric);
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
	return xy_tell_hop(&(struct xy_fields_hop){
		.hop = place,
		.address = &h->addr,
		.name = told(h->name),
		.peer = told(peer),
		.state = hop_text[h->state],
		.after_gap = h->after_gap,
		.rtt_us = micro(h->rtt),
		.route = told(result_text[h->result]),
		.metric = metric_of(h->metric),
	});
}

static json_t *hops_json(const struct xy_nodeinfo_walk *w)
{
	json_t *hops = json_array();
	for (unsigned i = 0; i < w->count; i++)
		json_array_append_new(hops, hop_json(&w->hop[i], i + 1,
						     i || w->route.asks ? NULL : w->route.peer));
	return hops;
}

static json_t *way_json(const struct xy_nodeinfo_route *r)
{
	if (!r->source)
		return json_null();
	return xy_tell_way(&(struct xy_fields_way){
		.prefix = &r->prefix,
		.source = r->source,
		.route = result_text[r->result],
		.peer = told(r->peer),
		.next_hop = r->result == XY_NODEINFO_VIA ? &r->hop : NULL,
		.metric = metric_of(r->metric),
		.origin = r->has_key ? &r->key : NULL,
		.epoch = or_null(r->has_key, r->epoch),
	});
}

// The same fields of two objects.
#define WALK_OF(w)                                                    \
	.address = &(w)->to, .done = (w)->end != XY_NODEINFO_WALKING, \
	.end = told(end_text[(w)->end]), .hops = hops_json(w)

// NULL: *error says why.
static const struct xy_nodeinfo_walk *walk(struct xy_daemon *d, const char *params, json_t **error)
{
	const struct xy_nodeinfo_walk *w;
	struct xy_addr to;
	struct xy_err err;
	if (!params || !*params) {
		*error = xy_server_error("where to? Write an address, a name or a key");
		return NULL;
	}
	int why = xy_naming_address(d, params, &to, &err);
	if (why) {
		*error = xy_server_refused(why, &err);
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
	return w ? xy_tell_trace(&(struct xy_fields_trace){WALK_OF(w)}) : error;
}

static json_t *show_path(void *arg, struct xy_request *q)
{
	json_t *error = NULL;
	const struct xy_nodeinfo_walk *w = walk(arg, q->params, &error);
	if (!w)
		return error;
	return xy_tell_path(&(struct xy_fields_path){WALK_OF(w), .route = way_json(&w->route)});
}

// --- /xylem/name

static json_t *named_json(const struct xy_named *who)
{
	static const char *const kind[] = {[XY_NAMED_US] = "this node",
					   [XY_NAMED_PEER] = "peer",
					   [XY_NAMED_NODE] = "node",
					   [XY_NAMED_ADDRESS] = "address"};
	return xy_tell_named(&(struct xy_fields_named){
		.name = told(who->name),
		.kind = kind[who->kind],
		.address = who->has_addr ? &who->addr : NULL,
		.key = who->has_key ? &who->key : NULL,
		.done = true,
		.found = XY_FIELD_NULL,
		.answered = XY_FIELD_NULL,
	});
}

// Who is not known is looked for in a crawl; and while one is under way, a second node may still
// say that it is called so.
static json_t *show_name(void *arg, struct xy_request *q)
{
	struct xy_daemon *d = arg;
	const struct xy_nodeinfo_crawl *c;
	const char *text = q->params ? q->params : "";
	struct xy_named who;
	struct xy_err err;
	int r = xy_naming_find(d, text, &who, &err);
	if (r == -ENOENT || (!r && who.by_itself && xy_nodeinfo_crawling(d->nodeinfo))) {
		if (xy_nodeinfo_crawl(d->nodeinfo, xy_now(), &c))
			return NULL;
		if (!c->done)
			return xy_tell_named(&(struct xy_fields_named){.found = c->node_count,
								       .answered = c->answered});
		xy_nodeinfo_crawl_told(d->nodeinfo, xy_now());
		r = xy_naming_find(d, text, &who, &err);
	}
	return r ? xy_server_refused(r, &err) : named_json(&who);
}

// --- /xylem/tree: nodes, then links, in pages under one cursor, SERIAL.INDEX

static const char *const node_text[] = {[XY_NODEINFO_NODE_NEW] = "not asked",
					[XY_NODEINFO_NODE_ASKED] = "asked",
					[XY_NODEINFO_NODE_ANSWERED] = "answered",
					[XY_NODEINFO_NODE_SILENT] = "silent"};

static json_t *node_json(const struct xy_daemon *d, const struct xy_nodeinfo_crawl *c, uint32_t at)
{
	const struct xy_nodeinfo_node *n = &c->node[at];
	return xy_tell_tree_node(&(struct xy_fields_tree_node){
		.address = &n->addr,
		.name = told(n->name),
		.peer = xy_links_name(d->links, n->slot),
		.version = told(n->version),
		.state = node_text[n->state],
		.parent = at ? &c->node[n->parent].addr : NULL,
		.depth = n->depth,
		.cost = or_null(n->cost, n->cost),
		.link_rtt_us = or_null(n->link_rtt_us, n->link_rtt_us),
		.rtt_us = micro(n->rtt),
		.neighbours = or_null(n->tells_neighbours, n->total),
	});
}

static json_t *link_json(const struct xy_nodeinfo_crawl *c, uint32_t at)
{
	const struct xy_nodeinfo_link *l = &c->link[at];
	return xy_tell_tree_link(&(struct xy_fields_tree_link){
		.from = &c->node[l->from].addr,
		.to = &c->node[l->to].addr,
		.cost = or_null(l->cost, l->cost),
		.rtt_us = or_null(l->rtt_us, l->rtt_us),
	});
}

static json_t *crawl_page(struct xy_daemon *d, const struct xy_nodeinfo_crawl *c, uint32_t from)
{
	char next[32];
	uint32_t all = c->done ? c->node_count + c->link_count : 0;
	uint32_t to = from < all && all - from > XY_SHOW_PAGE ? from + XY_SHOW_PAGE : all;
	json_t *nodes = json_array(), *links = json_array();
	for (uint32_t i = from; i < to; i++)
		if (i < c->node_count)
			json_array_append_new(nodes, node_json(d, c, i));
		else
			json_array_append_new(links, link_json(c, i - c->node_count));
	snprintf(next, sizeof(next), "%" PRIu32 ".%" PRIu32, c->serial, to);
	json_t *o = xy_tell_tree(&(struct xy_fields_tree){
		.done = c->done,
		.cut = c->cut,
		.found = c->node_count,
		.answered = c->answered,
		.silent = c->silent,
		.nodes = nodes,
		.links = links,
		.next = to < all ? next : NULL,
	});
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
	static const struct xy_show_reply reply[] = {{"tree", show_tree},
						     {"path", show_path},
						     {"trace", show_trace},
						     {"name", show_name}};
	return xy_show_register_all(d, reply, XY_ARRAY_SIZE(reply));
}
