// SPDX-License-Identifier: BSD-3-Clause
// What the telemetry socket tells of routing: routes in force, neighbours, and all that is known of
// one prefix.
#include "daemon.h"

#include "base/bytes.h"
#include "show/show.h"

#include <inttypes.h>

enum { ENTRIES = 256 }; // of one prefix: a neighbour each
enum { WITHHELD_SHOWN = 16 };
enum { LOST_SHOWN = 16 };

static const char *const kind_text[] = {[XY_DP_ROUTE_PEER] = "peer",
					[XY_DP_ROUTE_HOST] = "host",
					[XY_DP_ROUTE_REJECT] = "reject",
					[XY_DP_ROUTE_ASK] = "ask"};

static json_t *peer_name(const struct xy_daemon *d, uint32_t slot)
{
	const char *name = xy_links_name(d->links, slot);
	return TEXT(name);
}

static json_t *key_json(bool there, const struct xy_key *key)
{
	char text[XY_KEY_STRLEN];
	return there ? json_string(xy_key_str(key, text)) : json_null();
}

static json_t *metric_json(uint16_t metric) // null: infinite
{
	return metric == XY_BABEL_INFINITY ? json_null() : number(metric);
}

static json_t *hops_json(const struct xy_daemon *d, const struct xy_dp_route *r)
{
	json_t *list = json_array();
	if (r->kind != XY_DP_ROUTE_PEER)
		return list;
	for (unsigned i = 0; i < r->hop_count; i++)
		json_array_append_new(list, peer_name(d, r->hops[i]));
	if (!r->hop_count)
		json_array_append_new(list, peer_name(d, r->peer));
	return list;
}

// --- entries of Babel

static json_t *rid_json(uint64_t rid)
{
	char text[20];
	snprintf(text, sizeof(text), "%016" PRIx64, rid);
	return json_string(text);
}

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

static void put_origin(json_t *o, const struct xy_babel_entry *e)
{
	json_object_set_new(o, "metric", metric_json(e->metric));
	json_object_set_new(o, "origin", key_json(e->has_key, &e->key));
	json_object_set_new(o, "epoch", e->has_key ? number(e->epoch) : json_null());
	json_object_set_new(o, "seqno", number(e->seqno));
	json_object_set_new(o, "router_id", rid_json(e->rid));
	json_object_set_new(o, "external", json_boolean(e->external));
	json_object_set_new(o, "tag", e->external ? number(e->tag) : json_null());
	json_object_set_new(o, "age", number(e->age / XY_SEC));
}

static json_t *entry_json(const struct xy_daemon *d, const struct xy_babel_entry *e)
{
	json_t *o = json_object();
	json_object_set_new(o, "peer", e->own ? json_null() : peer_name(d, e->link));
	json_object_set_new(o, "state", json_string(entry_state(e)));
	json_object_set_new(o, "selected", json_boolean(e->selected));
	json_object_set_new(o, "feasible", json_boolean(e->feasible));
	json_object_set_new(o, "used", json_boolean(e->used));
	json_object_set_new(o, "followed", json_boolean(e->followed));
	put_origin(o, e);
	json_object_set_new(o, "held_ms", e->held ? number(e->held / XY_MSEC) : json_null());
	json_object_set_new(o, "refmetric", metric_json(e->refmetric));
	json_object_set_new(o, "feasibility_seqno", number(e->fd_seqno));
	json_object_set_new(o, "feasibility_metric", metric_json(e->fd_metric));
	return o;
}

// --- /xylem/routes

static json_t *route_json(const struct xy_daemon *d, const struct xy_rib_route *r)
{
	char text[XY_PREFIX_STRLEN];
	bool peer = r->route.kind == XY_DP_ROUTE_PEER;
	json_t *o = json_object();
	json_object_set_new(o, "prefix", json_string(xy_prefix_str(&r->prefix, text)));
	json_object_set_new(o, "kind", json_string(kind_text[r->route.kind]));
	json_object_set_new(o, "peer", peer ? peer_name(d, r->route.peer) : json_null());
	json_object_set_new(o, "peers", hops_json(d, &r->route));
	json_object_set_new(o, "source", json_string(xy_route_source_text[r->source]));
	return o;
}

static void put_learned(json_t *o, const struct xy_daemon *d, const struct xy_rib_route *r)
{
	struct xy_babel_entry all[ENTRIES];
	unsigned n = 0;
	if (r->source == XY_ROUTE_LEARNED)
		n = xy_routing_lookup(d->routing, &r->prefix, all, ENTRIES, xy_now());
	for (unsigned i = 0; i < n && i < ENTRIES; i++)
		if (all[i].selected && all[i].followed)
			put_origin(o, &all[i]);
}

static json_t *show_routes(void *arg, struct xy_request *q)
{
	const struct xy_daemon *d = arg;
	const struct xy_rib *rib = xy_links_rib(d->links);
	const struct xy_rib_route *r, *last = NULL;
	struct xy_prefix cursor;
	char text[XY_PREFIX_STRLEN];

	if (q->params && xy_prefix_parse(q->params, &cursor))
		return xy_server_error("'%s' is no prefix; give the `next` of the page before",
				       q->params);
	json_t *list = json_array();
	for (r = xy_rib_after(rib, q->params ? &cursor : NULL);
	     r && json_array_size(list) < XY_SHOW_PAGE; r = xy_rib_after(rib, &r->prefix)) {
		json_t *o = route_json(d, r);
		put_learned(o, d, r);
		json_array_append_new(list, o);
		last = r;
	}
	return page("routes", list, TEXT(r ? xy_prefix_str(&last->prefix, text) : NULL));
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

static json_t *candidates_json(const struct xy_daemon *d, const struct xy_prefix *p)
{
	json_t *list = json_array();
	for (enum xy_route_source s = 0; s < XY_ROUTE_SOURCES; s++) {
		const struct xy_rib_route *r = xy_rib_get(xy_links_rib(d->links), p, s);
		if (!r)
			continue;
		json_t *o = route_json(d, r);
		json_object_set_new(o, "in_force",
				    json_boolean(xy_rib_in_force(xy_links_rib(d->links), r)));
		json_array_append_new(list, o);
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
		json_t *o = json_object();
		json_object_set_new(o, "peer", peer_name(d, slot));
		json_object_set_new(o, "reason",
				    json_string("it has the tag of this neighbour, so it came out "
						"of the network behind it; two networks need two "
						"tags"));
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *refuse_prefix(int why, const char *params, struct xy_prefix *p)
{
	char text[XY_PREFIX_STRLEN];
	xy_prefix_mask(p);
	if (why == -EDOM)
		return xy_server_error("'%s' has host bits set; ask for %s, or for the address "
				       "without a length",
				       params, xy_prefix_str(p, text));
	return xy_server_error("'%s' is neither a prefix nor an address", params);
}

static json_t *show_route(void *arg, struct xy_request *q)
{
	const struct xy_daemon *d = arg;
	struct xy_babel_entry all[ENTRIES];
	struct xy_prefix p = {0}, in_force;
	char text[XY_PREFIX_STRLEN];

	int bad = q->params ? xy_prefix_parse(q->params, &p) : -EINVAL;
	if (bad)
		return refuse_prefix(bad, q->params ? q->params : "", &p);
	bool matched = match(xy_links_rib(d->links), &p, &in_force);
	if (matched && !strchr(q->params, '/'))
		p = in_force;
	unsigned n = xy_routing_lookup(d->routing, &p, all, ENTRIES, xy_now());
	json_t *o = json_object(), *list = json_array();
	for (unsigned i = 0; i < n && i < ENTRIES; i++)
		json_array_append_new(list, entry_json(d, &all[i]));
	json_object_set_new(o, "prefix", json_string(xy_prefix_str(&p, text)));
	json_object_set_new(o, "match", TEXT(matched ? xy_prefix_str(&in_force, text) : NULL));
	const struct xy_rib_route *longer = inside(xy_links_rib(d->links), &p);
	json_object_set_new(o, "inside",
			    TEXT(longer ? xy_prefix_str(&longer->prefix, text) : NULL));
	json_object_set_new(o, "routes", candidates_json(d, &p));
	json_object_set_new(o, "babel", list);
	json_object_set_new(o, "not_announced", not_announced_json(d, &p));
	return o;
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

static json_t *neighbour_json(const struct xy_daemon *d, const struct xy_link_info *k,
			      const struct xy_babel_link_info *i)
{
	char text[XY_ADDR_STRLEN];
	uint64_t refused = 0;
	json_t *o = json_object(), *reasons = json_object();
	for (unsigned r = 0; r < XY_BABEL_REFUSAL_COUNT; r++) {
		refused += is_fault(r) ? i->refused[r] : 0;
		json_object_set_new(reasons, xy_babel_refusal_name(r), number(i->refused[r]));
	}
	snprintf(text, sizeof(text), "%04x", i->hellos);
	json_object_set_new(o, "peer", json_string(k->name));
	json_object_set_new(o, "state", json_string(neighbour_word(d, k, i)));
	json_object_set_new(o, "hellos", json_string(text));
	json_object_set_new(o, "address",
			    i->heard ? json_string(xy_addr_str(&i->address, text)) : json_null());
	json_object_set_new(o, "cost", metric_json(i->cost));
	json_object_set_new(o, "rx_cost", metric_json(i->rxcost));
	json_object_set_new(o, "tx_cost", metric_json(i->txcost));
	json_object_set_new(o, "rtt_us", i->rtt ? number(i->rtt) : json_null());
	json_object_set_new(o, "routes", number(i->routes));
	json_object_set_new(o, "origins", number(i->origins));
	json_object_set_new(o, "waiting", number(i->waiting));
	json_object_set_new(o, "tx_packets", number(i->packets_sent));
	json_object_set_new(o, "tx_bytes", number(i->bytes_sent));
	json_object_set_new(o, "rx_packets", number(i->packets_received));
	json_object_set_new(o, "rx_bytes", number(i->bytes_received));
	json_object_set_new(o, "tx_updates", number(i->updates_sent));
	json_object_set_new(o, "rx_updates", number(i->updates_received));
	json_object_set_new(o, "resent", number(i->resent));
	json_object_set_new(o, "probes", number(i->probes));
	json_object_set_new(o, "silences", number(i->silences));
	json_object_set_new(o, "refused", number(refused));
	json_object_set_new(o, "reflected", number(i->refused[XY_BABEL_REFUSED_REFLECTED]));
	json_object_set_new(o, "refusals", reasons);
	return o;
}

static void put_refusals(json_t *list, const char *name, const struct xy_babel_link_info *i)
{
	for (unsigned k = 0; k < XY_BABEL_REFUSAL_COUNT; k++) {
		if (!i->refused[k] || !is_fault(k))
			continue;
		json_t *o = json_object();
		json_object_set_new(o, "peer", json_string(name));
		json_object_set_new(o, "reason", json_string(xy_babel_refusal_name(k)));
		json_object_set_new(o, "count", number(i->refused[k]));
		json_object_set_new(o, "meaning", json_string(xy_babel_refusal_text(k)));
		json_array_append_new(list, o);
	}
}

static json_t *show_neighbours(void *arg, struct xy_request *q)
{
	const struct xy_daemon *d = arg;
	unsigned at = xy_links_after(d->links, q->params), count = xy_links_count(d->links);
	json_t *list = json_array(), *refusals = json_array();
	const char *last = NULL;
	for (; at < count && json_array_size(list) < XY_SHOW_PAGE; at++) {
		struct xy_babel_link_info i;
		struct xy_link_info k;
		xy_links_info(d->links, at, xy_now(), &k);
		last = k.name;
		if (xy_routing_link_info(d->routing, k.slot, &i))
			continue;
		json_t *o = neighbour_json(d, &k, &i);
		json_object_set_new(o, "trouble", TEXT(xy_routing_trouble(d->routing, k.slot)));
		json_array_append_new(list, o);
		put_refusals(refusals, last, &i);
	}
	json_t *o = page("neighbours", list, TEXT(at < count ? last : NULL));
	json_object_set_new(o, "refusals", refusals);
	return o;
}

// --- /xylem/routing

static json_t *show_routing(void *arg, struct xy_request *q)
{
	const struct xy_daemon *d = arg;
	struct xy_routing_info i;
	json_t *o = json_object();
	xy_routing_info(d->routing, &i);
	json_object_set_new(o, "epoch", number(i.babel.epoch));
	json_object_set_new(o, "router_id", rid_json(i.babel.rid));
	json_object_set_new(o, "starting", json_boolean(i.babel.starting));
	json_object_set_new(o, "neighbours", number(i.babel.links));
	json_object_set_new(o, "prefixes", number(i.babel.prefixes));
	json_object_set_new(o, "prefix_limit", number(i.babel.prefix_limit));
	json_object_set_new(o, "reachable", number(i.babel.selected));
	json_object_set_new(o, "routes", number(i.babel.routes));
	json_object_set_new(o, "origins", number(i.babel.origins));
	json_object_set_new(o, "memory_bytes", number(i.babel.bytes));
	json_object_set_new(o, "verifications", number(i.babel.verifications));
	json_object_set_new(o, "signatures_verified", number(i.babel.verified));
	json_object_set_new(o, "signatures_known", number(i.babel.cached));
	json_object_set_new(o, "signatures_waiting", number(i.waiting));
	json_object_set_new(o, "packets_waiting", number(i.babel.packets_waiting));
	json_object_set_new(o, "seqno_requests", number(i.babel.seqno_requests));
	json_object_set_new(o, "forwarded", number(i.babel.forwarded));
	json_object_set_new(o, "raises", number(i.babel.raises));
	json_object_set_new(o, "packets_malformed", number(i.malformed));
	json_object_set_new(o, "routes_refused", number(i.refused));
	return o;
}

int xy_show_routing_register(struct xy_daemon *d)
{
	static const struct xy_server_command command[] = {
		{"/xylem/routes", "Routes in force. Params: prefix to go on behind.", show_routes},
		{"/xylem/route", "All that is known of one. Params: prefix or address.",
		 show_route},
		{"/xylem/neighbours",
		 "Babel with each peer, and what was refused. Params: name to go on behind.",
		 show_neighbours},
		{"/xylem/routing", "Babel in sum.", show_routing},
	};
	return xy_server_register_all(d->telemetry, command, XY_ARRAY_SIZE(command), d);
}

// Was it there, and is it not any more? NULL, or in which words. A plain device may go when it
// likes, and strangers may, too.
static const char *lost(const struct xy_daemon *d, const struct xy_link_info *k)
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
	unsigned more = 0, shown = 0;
	for (unsigned at = 0; at < xy_links_met(d->links); at++) {
		struct xy_link_info k;
		xy_links_met_info(d->links, at, xy_now(), &k);
		const char *text = lost(d, &k);
		if (text && shown++ < LOST_SHOWN)
			json_array_append_new(list, json_sprintf("peer %s %s", k.name, text));
		else
			more += text != NULL;
	}
	if (more)
		json_array_append_new(list,
				      json_sprintf("%u more peers are lost: see show peers", more));
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
