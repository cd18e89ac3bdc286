// SPDX-License-Identifier: BSD-3-Clause
#include "fleet/answers.h"

#include "api/server.h"
#include "api/tell.h"
#include "client/rundir.h"
#include "fleet/agent.h"
#include "fleet/links.h"
#include "fleet/own.h"
#include "fleet/talk.h"
#include "log.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PAGE = 200, MODE = 0660, DEVICES_FROM = XY_FLEET_PLACES }; // cursors behind are devices'

struct xy_fleet_answers {
	struct xy_fleet *f;
	struct xy_server *server;
	struct xy_rundir dir;
	uint64_t leaving; // who waits
	bool closing, untold;
};

// --- values

static json_t *endpoints_of(const struct xy_fleet_record *r)
{
	char text[XY_ENDPOINT_STRLEN], with[XY_ENDPOINT_STRLEN + 16];
	json_t *list = json_array();
	for (unsigned i = 0; i < r->endpoint_count; i++) {
		snprintf(with, sizeof(with), "%s %s", xy_endpoint_str(&r->endpoint[i].at, text),
			 xy_fleet_from_names[r->endpoint[i].from]);
		json_array_append_new(list, json_string(with));
	}
	return list;
}

static json_t *prefixes_of(const struct xy_prefix *v, unsigned count)
{
	char text[XY_PREFIX_STRLEN];
	json_t *list = json_array();
	for (unsigned i = 0; i < count; i++)
		json_array_append_new(list, json_string(xy_prefix_str(&v[i], text)));
	return list;
}

static int64_t left_of(uint64_t until)
{
	uint64_t now = xy_fleet_wall();
	return until > now ? (int64_t)(until - now) : 0;
}

static int64_t since(const struct xy_fleet *f, uint64_t ms)
{
	return (int64_t)((uv_now(f->loop) - ms) / 1000);
}

// --- rows

static json_t *node_row(const struct xy_fleet *f, uint32_t at, const struct xy_fleet_entry *e)
{
	const struct xy_fleet_record *r = &e->record;
	struct xy_fleet_link l;
	char address[XY_ADDR_STRLEN];
	xy_fleet_links_tell(f->links, at, &l);
	uint64_t wall = xy_fleet_wall();
	const struct xy_fields_fleet_node row = {
		.name = r->name[0] ? r->name : xy_addr_str(&r->address, address),
		.address = &r->address,
		.key = &r->key,
		.link_key = &r->link_key,
		.linked = xy_fleet_why_names[l.why],
		.state = l.why == XY_FLEET_WHY_NOT && !l.up ? NULL
			 : l.up				    ? "up"
							    : "down",
		.rtt_us = l.rtt_us ? (int64_t)l.rtt_us : XY_FIELD_NULL,
		.age = wall > e->taken ? (int64_t)(wall - e->taken) : 0,
		.expires = left_of(e->until),
		.endpoints = endpoints_of(r),
		.relay = r->relay,
		.epoch = (int64_t)r->epoch,
		.version = r->version[0] ? r->version : NULL,
		.prefixes = prefixes_of(r->prefix, r->prefix_count),
		.claim = r->has_claim ? &r->claim : NULL,
		.source = e->sources & 1u << XY_FLEET_FROM_SOURCE  ? "source"
			  : e->sources & 1u << XY_FLEET_FROM_CACHE ? "cache"
								   : NULL,
		.peer = l.peer[0] ? l.peer : NULL,
		.in_force = l.in_force[0] ? l.in_force : NULL,
		.trouble = l.trouble[0] ? l.trouble : NULL,
	};
	return xy_tell_fleet_node(&row);
}

static json_t *device_row(const struct xy_fleet *f, const struct xy_fleet_device *d,
			  const struct xy_fleet_link *l)
{
	json_t *at = json_array();
	json_array_append_new(at, json_string(d->endpoint));
	const struct xy_fields_fleet_node row = {
		.name = d->name,
		.address = d->allowed_count ? &d->allowed[0].addr : NULL,
		.link_key = &d->link_key,
		.linked = xy_fleet_why_names[l->why],
		.state = l->up ? "up" : "down",
		.rtt_us = XY_FIELD_NULL,
		.age = XY_FIELD_NULL,
		.expires = XY_FIELD_NULL,
		.endpoints = at,
		.epoch = XY_FIELD_NULL,
		.prefixes = prefixes_of(d->allowed, d->allowed_count),
		.source = "source",
		.peer = l->peer[0] ? l->peer : NULL,
		.in_force = l->in_force[0] ? l->in_force : NULL,
		.trouble = l->trouble[0] ? l->trouble : NULL,
	};
	return xy_tell_fleet_node(&row);
}

// From that place on; where it goes on, or UINT32_MAX.
static uint32_t nodes_page(const struct xy_fleet *f, uint32_t from, json_t *to)
{
	const struct xy_fleet_entry *e;
	struct xy_fleet_link l;
	unsigned n = 0;
	uint32_t at = from;
	for (; f->book && at < DEVICES_FROM && (e = xy_fleet_book_next(f->book, &at)); at++) {
		if (!e->live)
			continue;
		if (n++ == PAGE)
			return at;
		json_array_append_new(to, node_row(f, at, e));
	}
	for (unsigned k = from > DEVICES_FROM ? from - DEVICES_FROM : 0;; k++) {
		const struct xy_fleet_device *d = xy_fleet_links_device_at(f->links, k, &l);
		if (!d)
			return UINT32_MAX;
		if (n++ == PAGE)
			return DEVICES_FROM + k;
		json_array_append_new(to, device_row(f, d, &l));
	}
}

static json_t *refusals(const struct xy_fleet *f)
{
	const struct xy_fleet_refusal *r;
	json_t *list = json_array();
	uint64_t wall = xy_fleet_wall();
	for (unsigned i = 0; f->book && (r = xy_fleet_book_refusal(f->book, i)); i++) {
		const struct xy_fields_fleet_refusal row = {
			.entry = r->hold,
			.reason = r->outcome == XY_FLEET_UNTRUSTED
					  ? xy_fleet_verdict_names[r->verdict]
					  : xy_fleet_outcome_names[r->outcome],
			.node = r->node[0] ? r->node : NULL,
			.key = r->has_key ? &r->key : NULL,
			.count = r->count,
			.age = wall > r->last ? (int64_t)(wall - r->last) : 0,
			.why = r->why,
		};
		json_array_append_new(list, xy_tell_fleet_refusal(&row));
	}
	return list;
}

static json_t *outcomes(const struct xy_fleet *f)
{
	json_t *o = json_object();
	for (unsigned i = 0; f->book && i < XY_FLEET_OUTCOME_COUNT; i++)
		json_object_set_new(o, xy_fleet_outcome_names[i],
				    json_integer((json_int_t)xy_fleet_book_outcomes(f->book, i)));
	return o;
}

static json_t *refused(const struct xy_fleet *f)
{
	json_t *o = json_object();
	for (unsigned i = XY_FLEET_MALFORMED; f->book && i < XY_FLEET_OUTCOME_COUNT; i++)
		json_object_set_new(o, xy_fleet_outcome_names[i],
				    json_integer((json_int_t)xy_fleet_book_refused(f->book, i)));
	return o;
}

static const char *trust_text(const struct xy_config_fleet *c, char *buf, size_t size)
{
	char key[XY_KEY_STRLEN];
	if (c->mode == XY_CONFIG_FLEET_IKTO)
		snprintf(buf, size, "who may write the bucket");
	else if (c->trust == XY_CONFIG_FLEET_LISTED)
		snprintf(buf, size, "keys that are listed: %u", c->key_count);
	else if (c->trust == XY_CONFIG_FLEET_CA)
		snprintf(buf, size, "members of the CA %s", xy_key_str(&c->ca, key));
	else
		snprintf(buf, size, "whose record bears its signature");
	return buf;
}

// --- all of it

static json_t *answer(void *arg, struct xy_request *q)
{
	struct xy_fleet *f = ((struct xy_fleet_answers *)arg)->f;
	struct xy_fleet_links_sum sum;
	struct xy_fleet_own_state own;
	char trust[120], links[16], next[16];
	const char *away = xy_fleet_daemon_why(f->daemon);
	unsigned long from = q->params ? strtoul(q->params, NULL, 10) : 0;
	json_t *nodes = json_array();
	uint32_t more = nodes_page(f, from < UINT32_MAX ? (uint32_t)from : 0, nodes);
	xy_fleet_links_sum(f->links, &sum);
	xy_fleet_own_tell(f->own, &own);
	snprintf(links, sizeof(links), "%u", f->config->links);
	snprintf(next, sizeof(next), "%u", more);
	const char *trouble = own.why;
	const struct xy_fields_fleet all = {
		.instance = f->instance,
		.version = XY_VERSION,
		.pid = getpid(),
		.uptime = since(f, f->begun),
		.daemon = away ? away : "reached",
		.name = f->self.name[0] ? f->self.name : NULL,
		.address = f->met ? &f->self.address : NULL,
		.key = f->met ? &f->self.key : NULL,
		.link_key = f->met ? &f->self.link_key : NULL,
		.source = f->source		 ? f->source->kind
			  : f->config->folder[0] ? "folder"
						 : "nats",
		.place = f->source		? f->source->place
			 : f->config->folder[0] ? f->config->folder
						: f->config->servers[0],
		.source_state = f->up ? "up" : "down",
		.source_since = since(f, f->since ? f->since : f->begun),
		.source_trouble = f->why[0]    ? f->why
				  : !f->source ? "it waits for the daemon"
					       : NULL,
		.trust = trust_text(f->config, trust, sizeof(trust)),
		.endpoints = own.record ? endpoints_of(own.record) : NULL,
		.epoch = own.record ? (int64_t)own.epoch : XY_FIELD_NULL,
		.published = own.published ? since(f, own.published) : XY_FIELD_NULL,
		.expires = own.record ? left_of(own.expires) : XY_FIELD_NULL,
		.trouble = trouble,
		.claim = f->claim.len ? &f->claim : NULL,
		.claim_trouble = f->claim_why[0] ? f->claim_why : NULL,
		.links = f->config->links == XY_CONFIG_FLEET_ALL ? "all" : links,
		.records = f->book ? (int64_t)xy_fleet_book_count(f->book) : 0,
		.wanted = sum.wanted,
		.up = sum.up,
		.devices = sum.devices,
		.publishes = (int64_t)own.count,
		.peers_added = (int64_t)sum.added,
		.peers_changed = (int64_t)sum.changed,
		.peers_forgotten = (int64_t)sum.forgotten,
		.peers_refused = (int64_t)sum.refused,
		.unread = (int64_t)f->unread,
		.outcomes = outcomes(f),
		.refused = refused(f),
		.memory_bytes = f->book ? (int64_t)xy_fleet_book_memory(f->book) : 0,
		.record = own.text,
		.nodes = nodes,
		.refusals = from ? json_array() : refusals(f),
		.next = more == UINT32_MAX ? NULL : next,
	};
	return xy_tell_fleet(&all);
}

static void on_left(void *arg, int code, const char *why)
{
	struct xy_fleet_answers *a = arg;
	uint64_t ticket = a->leaving;
	a->leaving = 0;
	if (a->closing || !ticket)
		return;
	xy_server_answer(a->server, ticket,
			 code ? xy_server_error("not left: %s", why ? why : strerror(-code))
			      : json_pack("{s:b}", "left", 1));
}

static json_t *leave(void *arg, struct xy_request *q)
{
	struct xy_fleet_answers *a = arg;
	if (q->from.uid != 0 && q->from.uid != geteuid())
		return xy_server_error("only root may have this node leave the fleet");
	if (a->leaving)
		return xy_server_error("it leaves already");
	xy_log_info("leaving the fleet: uid %u asked for it", (unsigned)q->from.uid);
	q->later = true;
	a->leaving = q->ticket;
	xy_fleet_agent_leave(a->f, on_left, a);
	return NULL;
}

// --- life

static int listen_there(struct xy_fleet_answers *a, struct xy_err *err)
{
	char path[XY_RUNDIR_LEN + sizeof("/" XY_RUNDIR_FLEET)];
	snprintf(path, sizeof(path), "%s/" XY_RUNDIR_FLEET, a->dir.path);
	const struct xy_server_config cfg = {.listen = {.instance = a->f->instance,
							.setting = "fleet",
							.path = path,
							.mode = MODE,
							.group = a->f->config->group}};
	return xy_server_listen(a->server, &cfg, err);
}

int xy_fleet_answers_create(struct xy_fleet *f, struct xy_fleet_answers **out, struct xy_err *err)
{
	static const struct xy_server_command commands[] = {
		{"/xylem/fleet",
		 "The fleet: this node, where its records are, the nodes. Params: place to go on "
		 "at.",
		 answer},
		{"/xylem/fleet_leave", "Says in the fleet that this node left, and ends the agent.",
		 leave},
	};
	struct xy_fleet_answers *a = calloc(1, sizeof(*a));
	if (!a)
		return xy_err_set(err, ENOMEM, "not enough memory");
	a->f = f;
	*out = a;
	int r = xy_server_create(f->loop, &a->server, err);
	r = r ? r : xy_server_register_all(a->server, commands, 2, a);
	r = r ? r : xy_rundir_make(XY_RUNDIR_AGENT, f->instance, &a->dir, err);
	r = r ? r : listen_there(a, err);
	if (!r && xy_server_lacks(a->server))
		xy_log_warn("%s", xy_server_lacks(a->server));
	return r;
}

void xy_fleet_answers_tend(struct xy_fleet_answers *a)
{
	struct xy_err err = {""};
	xy_server_give(a->server);
	if (xy_server_is_there(a->server))
		return;
	int r = xy_rundir_make(XY_RUNDIR_AGENT, a->f->instance, &a->dir, &err);
	r = r ? r : listen_there(a, &err);
	if (!r)
		xy_log_warn("the socket was not there any more: it is %s/" XY_RUNDIR_FLEET " now",
			    a->dir.path);
	else if (!a->untold)
		xy_log_warn("the socket is gone: %s; trying again", err.text);
	a->untold = r != 0;
}

void xy_fleet_answers_close(struct xy_fleet_answers *a)
{
	if (!a)
		return;
	a->closing = true;
	xy_server_close(a->server);
	xy_rundir_remove(&a->dir);
	free(a);
}
