// SPDX-License-Identifier: BSD-3-Clause
// What the telemetry socket tells of routing: routes in force, neighbours, and all that is known of
// one prefix.
#include "daemon.h"
#include "naming.h"

#include "base/bytes.h"
#include "show/filter.h"
#include "show/show.h"

#include <string.h>

enum { ENTRIES = 256 }; // of one prefix: a neighbour each
enum { WITHHELD_SHOWN = 16 };
enum { LINKS_LOOKED_AT = 256 };
enum { LOOKED_AT = 1024 }; // routes in a page, of which most may not fit: about a millisecond

static const char *const kind_text[] = {[XY_DP_ROUTE_PEER] = "peer",
					[XY_DP_ROUTE_HOST] = "host",
					[XY_DP_ROUTE_REJECT] = "reject",
					[XY_DP_ROUTE_ASK] = "ask",
					[XY_DP_ROUTE_EXIT] = "exit"};

static int64_t metric_of(uint16_t metric) // null: infinite
{
	return or_null(metric != XY_BABEL_INFINITY, metric);
}

static json_t *name_json(const struct xy_daemon *d, uint32_t slot)
{
	const char *name = xy_links_name(d->links, slot);
	return name ? json_string(name) : json_null();
}

static json_t *hops_json(const struct xy_daemon *d, const struct xy_dp_route *r)
{
	json_t *list = json_array();
	if (r->kind != XY_DP_ROUTE_PEER)
		return list;
	for (unsigned i = 0; i < r->hop_count; i++)
		json_array_append_new(list, name_json(d, r->hops[i]));
	if (!r->hop_count)
		json_array_append_new(list, name_json(d, r->peer));
	return list;
}

// --- entries of Babel

static const char *entry_state(const struct xy_babel_entry *e)
{
	if (e->own)
		return "ours";
	if (e->held)
		return "held back: it came and went too often";
	if (e->metric == XY_BABEL_INFINITY)
		return "retracted";
	if (e->selected && !e->used)
		return "passed on: no accept of this node names it";
	if (e->no_room)
		return "no room: waits for another route to go (max_routes)";
	if (e->selected)
		return e->followed ? "used" : "another node's is better";
	return e->feasible ? "worse" : "not feasible: it might lead back here";
}

// The same fields of two objects.
#define ORIGIN_OF(e)                                                                            \
	.metric = metric_of((e)->metric), .origin = (e)->has_key ? &(e)->key : NULL,            \
	.epoch = or_null((e)->has_key, (e)->epoch), .seqno = (e)->seqno, .router_id = (e)->rid, \
	.external = (e)->external, .tag = or_null((e)->external, (e)->tag),                     \
	.age = (int64_t)((e)->age / XY_SEC)

static json_t *entry_json(const struct xy_daemon *d, const struct xy_babel_entry *e)
{
	return xy_tell_said(&(struct xy_fields_said){
		.peer = e->own ? NULL : xy_links_name(d->links, e->link),
		.state = entry_state(e),
		.node = e->has_key ? xy_naming_known(d, &e->key) : NULL,
		.selected = e->selected,
		.feasible = e->feasible,
		.used = e->used,
		.followed = e->followed,
		ORIGIN_OF(e),
		.held_ms = or_null(e->held, e->held / XY_MSEC),
		.refmetric = metric_of(e->refmetric),
		.feasibility_seqno = e->fd_seqno,
		.feasibility_metric = metric_of(e->fd_metric),
	});
}

// --- /xylem/routes

static const char *next_hop(const struct xy_daemon *d, const struct xy_dp_route *r)
{
	return r->kind == XY_DP_ROUTE_PEER ? xy_links_name(d->links, r->peer) : NULL;
}

// Whose it is: who signed it, or who is beyond the link that it is the own net of. NULL: nobody.
static const struct xy_key *owner_of(const struct xy_daemon *d, const struct xy_rib_route *r)
{
	if (r->origin && r->origin->has_key)
		return &r->origin->key;
	bool peers = r->source == XY_ROUTE_PEER && r->route.kind == XY_DP_ROUTE_PEER;
	return peers ? xy_links_key(d->links, r->route.peer) : NULL;
}

struct owner {
	const char *name;
	struct xy_addr addr;
	bool there;
};

static struct owner known_owner(const struct xy_daemon *d, const struct xy_rib_route *r)
{
	const struct xy_key *key = owner_of(d, r);
	struct owner o = {.there = key != NULL};
	if (!key)
		return o;
	o.name = xy_naming_known(d, key);
	o.addr = xy_key_addr(key);
	return o;
}

// Likewise.
#define ROUTE_OF(d, r, o)                                                         \
	.prefix = &(r)->prefix, .kind = kind_text[(r)->route.kind],               \
	.peer = next_hop((d), &(r)->route), .peers = hops_json((d), &(r)->route), \
	.source = xy_route_source_text[(r)->source], .node = (o)->name,           \
	.node_address = (o)->there ? &(o)->addr : NULL

static json_t *route_json(const struct xy_daemon *d, const struct xy_rib_route *r)
{
	const struct owner o = known_owner(d, r);
	return xy_tell_route(&(struct xy_fields_route){ROUTE_OF(d, r, &o)});
}

static void put_learned(json_t *o, const struct xy_daemon *d, const struct xy_rib_route *r)
{
	struct xy_babel_entry all[ENTRIES];
	unsigned n = 0;
	if (r->source == XY_ROUTE_LEARNED)
		n = xy_routing_lookup(d->routing, &r->prefix, all, ENTRIES, xy_now());
	for (unsigned i = 0; i < n && i < ENTRIES; i++)
		if (all[i].selected && all[i].followed)
			xy_tell_learned_into(o, &(struct xy_fields_learned){ORIGIN_OF(&all[i])});
}

static json_t *learned_json(const struct xy_daemon *d, const struct xy_rib_route *r)
{
	json_t *o = route_json(d, r);
	put_learned(o, d, r);
	return o;
}

static bool goes_by(const struct xy_dp_route *r, uint32_t slot)
{
	if (r->kind != XY_DP_ROUTE_PEER)
		return false;
	for (unsigned i = 0; i < r->hop_count; i++)
		if (r->hops[i] == slot)
			return true;
	return !r->hop_count && r->peer == slot;
}

// By its bits alone: IPv4 has its place among those of ::/0, of which it is not.
static bool lies_in(const struct xy_filter *f, const struct xy_prefix *p)
{
	struct xy_prefix wide = *p;
	if (!f->by_within)
		return true;
	wide.len = f->within.len;
	xy_prefix_mask(&wide);
	return p->len >= f->within.len && xy_addr_eq(&wide.addr, &f->within.addr);
}

// In force, of those that lie in the prefix, which are together. *cursor: where the page ended;
// false: there are no more.
static bool routes_page(const struct xy_daemon *d, struct xy_filter *f, json_t *list,
			struct xy_prefix *cursor)
{
	bool begun = f->after[0];
	const struct xy_rib_route *r = begun	      ? xy_rib_after(&d->rib, cursor)
				       : f->by_within ? xy_rib_best(&d->rib, &f->within)
						      : xy_rib_after(&d->rib, NULL);
	if (!r && !begun && f->by_within)
		r = xy_rib_after(&d->rib, &f->within);
	for (unsigned n = 0; r && lies_in(f, &r->prefix); n++) {
		if (xy_filter_is_full(f) || n == LOOKED_AT)
			return true;
		*cursor = r->prefix;
		if (xy_filter_prefix(f, &r->prefix) && (!f->by_peer || goes_by(&r->route, f->slot)))
			XY_FILTER_PUT(f, list, learned_json(d, r));
		r = xy_rib_after(&d->rib, cursor);
	}
	return false;
}

static json_t *show_routes(void *arg, struct xy_request *q)
{
	const struct xy_daemon *d = arg;
	struct xy_prefix cursor = {0};
	char text[XY_PREFIX_STRLEN];
	struct xy_filter f;
	json_t *error = xy_filter_begin(&f, d, q);
	if (error)
		return error;
	if (f.after[0] && xy_prefix_parse(f.after, &cursor)) {
		error = xy_server_error("'%s' is no prefix; give the `next` of the page before",
					f.after);
		xy_filter_end(&f);
		return error;
	}
	json_t *list = json_array();
	bool more = routes_page(d, &f, list, &cursor);
	json_t *o = xy_tell_routes(&(struct xy_fields_routes){
		.routes = list,
		.count = xy_filter_count(&f),
		.next = xy_filter_next(&f, more ? xy_prefix_str(&cursor, text) : NULL)});
	xy_filter_end(&f);
	return o;
}

// --- /xylem/route

// The longest prefix in force that holds all of p, or p itself: what packets there follow.
static bool match(const struct xy_rib *rib, const struct xy_prefix *p, struct xy_prefix *out)
{
	int shortest = xy_prefix_is_v4(p) ? 96 : 0;
	*out = *p;
	for (int len = p->len; len >= shortest; len--) {
		out->len = (uint8_t)len;
		xy_prefix_mask(out);
		if (xy_rib_best(rib, out))
			return true;
	}
	return false;
}

// A route in force inside p; NULL: none.
static const struct xy_rib_route *inside(const struct xy_rib *rib, const struct xy_prefix *p)
{
	const struct xy_rib_route *r = xy_rib_after(rib, p);
	return r && xy_prefix_covers(p, &r->prefix) ? r : NULL;
}

static json_t *candidate_json(const struct xy_daemon *d, const struct xy_rib_route *r)
{
	const struct owner o = known_owner(d, r);
	return xy_tell_candidate(&(struct xy_fields_candidate){
		ROUTE_OF(d, r, &o), .in_force = xy_rib_in_force(&d->rib, r)});
}

static json_t *candidates_json(const struct xy_daemon *d, const struct xy_prefix *p)
{
	json_t *list = json_array();
	for (enum xy_route_source s = 0; s < XY_ROUTE_SOURCES; s++) {
		const struct xy_rib_route *r = xy_rib_get(&d->rib, p, s);
		if (r)
			json_array_append_new(list, candidate_json(d, r));
	}
	return list;
}

// The plain neighbours that `announce` would have told of it.
static json_t *not_announced_json(const struct xy_daemon *d, const struct xy_prefix *p)
{
	json_t *list = json_array();
	for (unsigned at = 0; at < xy_links_count(d->links); at++) {
		uint32_t slot = xy_links_slot_at(d->links, at);
		if (!xy_routing_tag_stops(d->routing, slot, p))
			continue;
		json_array_append_new(
			list, xy_tell_untold(&(struct xy_fields_untold){
				      .peer = xy_links_name(d->links, slot),
				      .reason = "it has the tag of this neighbour, so it came out "
						"of the network behind it; two networks need two "
						"tags",
			      }));
	}
	return list;
}

// A prefix, or where a peer or node is. NULL, or what is wrong with it.
static json_t *asked_prefix(const struct xy_daemon *d, const char *params, struct xy_prefix *p)
{
	char text[XY_PREFIX_STRLEN];
	struct xy_err err;
	int bad = xy_prefix_parse(params, p);
	if (!bad)
		return NULL;
	xy_prefix_mask(p);
	if (bad == -EDOM)
		return xy_server_error("'%s' has host bits set; ask for %s, or for the address "
				       "without a length",
				       params, xy_prefix_str(p, text));
	if (strchr(params, '/') && xy_key_parse(params, &(struct xy_key){0}, NULL))
		return xy_server_error("'%s' is neither a prefix nor an address", params);
	p->len = 128;
	int why = xy_naming_address(d, params, &p->addr, &err);
	return why ? xy_server_refused(why, &err) : NULL;
}

// --- what is known and not followed, of prefixes that hold what was asked for

static const char *unused_why(const struct xy_babel_entry *e)
{
	if (e->selected && e->followed && !e->no_room && e->metric != XY_BABEL_INFINITY)
		return "not in force: the table of routes has no place for it now";
	if (e->selected && !e->used && xy_prefix_is_default(&e->prefix))
		return "not accepted: neither exit nor routing.accept names it";
	if (e->selected && !e->used)
		return "not accepted: routing.accept does not name it";
	return entry_state(e);
}

static void put_said(json_t *list, const struct xy_daemon *d, const struct xy_prefix *p)
{
	struct xy_babel_entry all[ENTRIES];
	unsigned n = xy_routing_lookup(d->routing, p, all, ENTRIES, xy_now());
	for (unsigned i = 0; i < n && i < ENTRIES; i++) {
		const struct xy_babel_entry *e = &all[i];
		json_array_append_new(
			list, xy_tell_unused(&(struct xy_fields_unused){
				      .prefix = p,
				      .peer = e->own ? NULL : xy_links_name(d->links, e->link),
				      .source = xy_route_source_text[XY_ROUTE_LEARNED],
				      .node = e->has_key ? xy_naming_known(d, &e->key) : NULL,
				      .metric = metric_of(e->metric),
				      .why_not = unused_why(e),
			      }));
	}
}

// What other sources want for it, which is not in force: no room, or nobody to seal it for.
static void put_wanted(json_t *list, const struct xy_daemon *d, const struct xy_prefix *p)
{
	for (enum xy_route_source s = 0; s < XY_ROUTE_SOURCES; s++) {
		const struct xy_rib_route *r =
			s == XY_ROUTE_LEARNED ? NULL : xy_rib_get(&d->rib, p, s);
		if (!r)
			continue;
		const struct owner o = known_owner(d, r);
		json_array_append_new(
			list,
			xy_tell_unused(&(struct xy_fields_unused){
				.prefix = p,
				.peer = next_hop(d, &r->route),
				.source = xy_route_source_text[s],
				.node = o.name,
				.metric = XY_FIELD_NULL,
				.why_not = "not in force: no room for it (max_routes), or no key "
					   "to seal it for",
			}));
	}
}

// longest: of what is in force for all of asked; -1: nothing is.
static json_t *unused_json(const struct xy_daemon *d, const struct xy_prefix *asked, int longest)
{
	int shortest = xy_prefix_is_v4(asked) ? 96 : 0;
	json_t *list = json_array();
	struct xy_prefix p = *asked;
	for (int len = asked->len; len >= shortest && len > longest; len--) {
		p.len = (uint8_t)len;
		xy_prefix_mask(&p);
		put_wanted(list, d, &p);
		put_said(list, d, &p);
	}
	return list;
}

static json_t *show_route(void *arg, struct xy_request *q)
{
	const struct xy_daemon *d = arg;
	struct xy_babel_entry all[ENTRIES];
	struct xy_prefix p = {0}, in_force, asked;

	const char *of = q->params ? q->params : "";
	json_t *bad = asked_prefix(d, of, &p);
	if (bad)
		return bad;
	asked = p;
	bool matched = match(&d->rib, &p, &in_force);
	bool address = !strchr(of, '/') || xy_prefix_parse(of, &(struct xy_prefix){0});
	if (matched && address)
		p = in_force;
	unsigned n = xy_routing_lookup(d->routing, &p, all, ENTRIES, xy_now());
	json_t *list = json_array();
	for (unsigned i = 0; i < n && i < ENTRIES; i++)
		json_array_append_new(list, entry_json(d, &all[i]));
	const struct xy_rib_route *longer = inside(&d->rib, &p);
	return xy_tell_route_reply(&(struct xy_fields_route_reply){
		.prefix = &p,
		.match = matched ? &in_force : NULL,
		.inside = longer ? &longer->prefix : NULL,
		.routes = candidates_json(d, &p),
		.babel = list,
		.not_announced = not_announced_json(d, &p),
		.unused = unused_json(d, &asked, matched ? in_force.len : -1),
	});
}

// --- /xylem/neighbours

// Links and routing each see what the other does not; who looks at either reads the same word.
const char *xy_show_peer_word(const struct xy_daemon *d, const struct xy_link_info *k)
{
	static const char *const text[] = {[XY_LINK_UP] = "up",
					   [XY_LINK_SILENT] = "silent",
					   [XY_LINK_UNROUTED] = "no way",
					   [XY_LINK_HANDSHAKE] = "handshake",
					   [XY_LINK_DOWN] = "down",
					   [XY_LINK_IDLE] = "idle",
					   [XY_LINK_NO_ENDPOINT] = "no endpoint",
					   [XY_LINK_UNRESOLVED] = "unresolved"};
	struct xy_babel_link_info i;
	bool session = k->state == XY_LINK_UP || k->state == XY_LINK_SILENT;
	const struct xy_config_peer *says = xy_links_says(d->links, k->slot);
	if (k->state == XY_LINK_UP && says && says->no_traffic)
		return xy_babel_word_text(XY_BABEL_SHUT);
	if (session && !xy_routing_link_info(d->routing, k->slot, &i) &&
	    (i.word == XY_BABEL_LEFT || i.word == XY_BABEL_SILENT || i.word == XY_BABEL_LOSSY ||
	     i.word == XY_BABEL_ONE_WAY))
		return xy_babel_word_text(i.word);
	return text[k->state];
}

// As there, but that without a session there is no more to say of routing than that.
static const char *neighbour_word(const struct xy_daemon *d, const struct xy_link_info *k,
				  const struct xy_babel_link_info *i)
{
	bool more = k->state == XY_LINK_SILENT || k->state == XY_LINK_UNROUTED;
	return more ? xy_show_peer_word(d, k) : xy_babel_word_text(i->word);
}

// What came from us is no fault of who says it again, and is not refused in this sense.
static bool is_fault(enum xy_babel_refusal why)
{
	return why != XY_BABEL_REFUSED_REFLECTED;
}

static json_t *refusals_json(const struct xy_babel_link_info *i)
{
	json_t *o = json_object();
	for (unsigned r = 0; r < XY_BABEL_REFUSAL_COUNT; r++)
		json_object_set_new(o, xy_babel_refusal_name(r),
				    json_integer((json_int_t)i->refused[r]));
	return o;
}

static json_t *neighbour_json(const struct xy_daemon *d, const struct xy_link_info *k,
			      const struct xy_babel_link_info *i)
{
	uint64_t refused = 0, losses;
	unsigned lately = xy_routing_losses(d->routing, k->slot, xy_now(), &losses);
	struct xy_addr node;
	bool has_node = xy_links_node_addr(d->links, k->slot, &node);
	for (unsigned r = 0; r < XY_BABEL_REFUSAL_COUNT; r++)
		refused += is_fault(r) ? i->refused[r] : 0;
	return xy_tell_neighbour(&(struct xy_fields_neighbour){
		.peer = k->name,
		.node = has_node ? xy_naming_at(d, &node) : NULL,
		.node_address = has_node ? &node : NULL,
		.state = neighbour_word(d, k, i),
		.hellos = i->hellos,
		.address = i->heard ? &i->address : NULL,
		.cost = metric_of(i->cost),
		.rx_cost = metric_of(i->rxcost),
		.tx_cost = metric_of(i->txcost),
		.rtt_us = or_null(i->rtt, i->rtt),
		.routes = i->routes,
		.origins = i->origins,
		.waiting = i->waiting,
		.tx_packets = (int64_t)i->packets_sent,
		.tx_bytes = (int64_t)i->bytes_sent,
		.rx_packets = (int64_t)i->packets_received,
		.rx_bytes = (int64_t)i->bytes_received,
		.tx_updates = (int64_t)i->updates_sent,
		.rx_updates = (int64_t)i->updates_received,
		.resent = (int64_t)i->resent,
		.probes = (int64_t)i->probes,
		.silences = (int64_t)i->silences,
		.losses = (int64_t)losses,
		.losses_lately = lately,
		.refused = (int64_t)refused,
		.reflected = (int64_t)i->refused[XY_BABEL_REFUSED_REFLECTED],
		.refusals = refusals_json(i),
		.trouble = xy_routing_trouble(d->routing, k->slot),
	});
}

static void put_refusals(json_t *list, const char *name, const struct xy_babel_link_info *i)
{
	for (unsigned k = 0; k < XY_BABEL_REFUSAL_COUNT; k++) {
		if (!i->refused[k] || !is_fault(k))
			continue;
		json_array_append_new(list, xy_tell_refusal(&(struct xy_fields_refusal){
						    .peer = name,
						    .reason = xy_babel_refusal_name(k),
						    .count = (int64_t)i->refused[k],
						    .meaning = xy_babel_refusal_text(k),
					    }));
	}
}

static json_t *show_neighbours(void *arg, struct xy_request *q)
{
	const struct xy_daemon *d = arg;
	struct xy_filter f;
	json_t *error = xy_filter_begin(&f, d, q);
	if (error)
		return error;
	unsigned at = xy_links_after(d->links, xy_filter_after(&f)), looked = 0;
	unsigned count = xy_links_count(d->links);
	json_t *list = json_array(), *refusals = json_array();
	const char *last = NULL;
	for (; at < count && !xy_filter_is_full(&f) && looked < LINKS_LOOKED_AT; at++, looked++) {
		struct xy_babel_link_info i;
		struct xy_link_info k;
		uint32_t slot = xy_links_slot_at(d->links, at);
		last = xy_links_name(d->links, slot);
		if (!xy_filter_link(&f, d, slot) || xy_routing_link_info(d->routing, slot, &i))
			continue;
		xy_links_info(d->links, at, xy_now(), &k);
		XY_FILTER_PUT(&f, list, neighbour_json(d, &k, &i));
		if (!f.count)
			put_refusals(refusals, k.name, &i);
	}
	json_t *o = xy_tell_neighbours(
		&(struct xy_fields_neighbours){.neighbours = list,
					       .count = xy_filter_count(&f),
					       .next = xy_filter_next(&f, at < count ? last : NULL),
					       .refusals = refusals});
	xy_filter_end(&f);
	return o;
}

// --- /xylem/routing

static json_t *show_routing(void *arg, struct xy_request *q)
{
	const struct xy_daemon *d = arg;
	struct xy_routing_info i;
	xy_routing_info(d->routing, &i);
	return xy_tell_routing(&(struct xy_fields_routing){
		.epoch = i.babel.epoch,
		.router_id = i.babel.rid,
		.starting = i.babel.starting,
		.neighbours = i.babel.links,
		.prefixes = i.babel.prefixes,
		.prefix_limit = i.babel.prefix_limit,
		.reachable = i.babel.selected,
		.routes = i.babel.routes,
		.origins = i.babel.origins,
		.memory_bytes = (int64_t)i.babel.bytes,
		.verifications = (int64_t)i.babel.verifications,
		.signatures_verified = (int64_t)i.babel.verified,
		.signatures_known = (int64_t)i.babel.cached,
		.signatures_waiting = i.waiting,
		.packets_waiting = i.babel.packets_waiting,
		.seqno_requests = (int64_t)i.babel.seqno_requests,
		.forwarded = (int64_t)i.babel.forwarded,
		.raises = (int64_t)i.babel.raises,
		.packets_malformed = (int64_t)i.malformed,
		.routes_refused = (int64_t)i.refused,
		.not_accepted = i.babel.unaccepted,
	});
}

int xy_show_routing_register(struct xy_daemon *d)
{
	static const struct xy_show_reply reply[] = {
		{"routes", show_routes},	{"route", show_route},
		{"gateways", xy_show_gateways}, {"neighbours", show_neighbours},
		{"routing", show_routing},
	};
	return xy_show_register_all(d, reply, XY_ARRAY_SIZE(reply));
}

// Was it there, and is it not any more? NULL, or in which words. A plain device may go when it
// likes, and strangers may, too.
const char *xy_show_lost(const struct xy_daemon *d, const struct xy_link_info *k)
{
	static const struct {
		const char *word, *text;
	} all[] = {
		{"silent", "is silent: it was heard, and nothing comes from it any more"},
		{"left", "left: it said goodbye, and was not heard since"},
		{"lossy", "is lossy: most of its Hellos get lost, so it is not used"},
		{"one way", "does not hear this node, which hears it (one way)"},
		{"no way", "cannot be reached: this host has no way to its endpoint"},
		{"handshake", "is gone: its session ended, and it has not answered since"},
		{"down", "is gone: its session ended, and it has not answered since"},
	};
	struct xy_babel_link_info i;
	if (k->open || !k->last_handshake || xy_routing_link_info(d->routing, k->slot, &i))
		return NULL;
	const char *word = xy_show_peer_word(d, k);
	for (unsigned n = 0; n < XY_ARRAY_SIZE(all); n++)
		if (strcmp(all[n].word, word) == 0)
			return all[n].text;
	return NULL;
}

static void lost_warnings(const struct xy_daemon *d, json_t *list)
{
	const struct xy_tally_count *c = &d->tally.last;
	for (unsigned i = 0; i < c->lost && i < XY_TALLY_LOST; i++)
		json_array_append_new(list, json_string(c->text[i]));
	if (c->lost > XY_TALLY_LOST)
		json_array_append_new(
			list, json_sprintf("and %u more peers with faults: xylem show peers",
					   c->lost - XY_TALLY_LOST));
}

void xy_show_routing_warnings(const struct xy_daemon *d, json_t *list)
{
	struct xy_routing_info i;
	xy_routing_info(d->routing, &i);
	if (i.notice[XY_BABEL_NOTICE_TWO_NODES])
		json_array_append_new(list, json_string("another node has our key: give each node "
							"one of its own (xylem genkey)"));
	if (i.notice[XY_BABEL_NOTICE_COLLISION])
		json_array_append_new(list, json_string("two keys announce one /64: see the log"));
	if (i.notice[XY_BABEL_NOTICE_LIMIT])
		json_array_append_new(
			list, json_string("a peer brings more origins than max_origins allows"));
	struct xy_prefix p;
	const char *leaf;
	char text[XY_PREFIX_STRLEN];
	for (unsigned n = 0; n < WITHHELD_SHOWN && (leaf = xy_routing_withheld(d->routing, n, &p));
	     n++)
		json_array_append_new(list,
				      json_sprintf("%s is not announced: peer %s, which has it, "
						   "does not answer",
						   xy_prefix_str(&p, text), leaf));
	lost_warnings(d, list);
	unsigned left = xy_routing_troubles(d->routing);
	for (unsigned at = 0; left && at < xy_links_count(d->links); at++) {
		uint32_t slot = xy_links_slot_at(d->links, at);
		const char *trouble = xy_routing_trouble(d->routing, slot);
		left -= trouble != NULL;
		if (trouble)
			json_array_append_new(
				list,
				json_sprintf("peer %s %s", xy_links_name(d->links, slot), trouble));
	}
}
