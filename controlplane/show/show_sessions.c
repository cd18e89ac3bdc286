// SPDX-License-Identifier: BSD-3-Clause
// Sessions: first those of links, by name of the peer; then those end to end, by number, and far
// nodes without one, which have a row as well. A page of the latter begins with ":NUMBER", which is
// no peer's name.
#include "daemon.h"
#include "naming.h"

#include "show/filter.h"
#include "show/show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// That are looked at in a page, of which most may be nobody's, or not fit.
enum { NUMBERS = 65536, LINKS = 256, FARS = 256 };

static xy_nsec later(xy_nsec a, xy_nsec b)
{
	return a > b ? a : b;
}

// What is told of the end that a session is with.
static void fill_lanes(struct xy_fields_session *f, unsigned lanes, const char *why)
{
	bool current = f->use && strcmp(f->use, "current") == 0;
	f->lanes = current ? (int64_t)lanes : 1;
	f->lanes_why = current ? why : NULL;
}

static void fill_stats(struct xy_fields_session *f, const struct xy_dp_session_stats *s,
		       xy_nsec now)
{
	f->owner = s->owner;
	f->suite = xy_wg_suite_name[s->suite];
	f->age = seconds_since(s->born, now);
	f->tx_counter = (int64_t)s->tx_counter;
	f->rx_packets = (int64_t)s->rx_packets;
	f->rx_bytes = (int64_t)s->rx_bytes;
	f->tx_packets = (int64_t)s->tx_packets;
	f->tx_bytes = (int64_t)s->tx_bytes;
	f->handed_over = (int64_t)s->handed_over;
	f->idle = seconds_since(later(s->rx_data, s->tx_data), now);
}

// --- links

static json_t *of_link(const struct xy_daemon *d, const struct xy_link_info *k,
		       const struct xy_link_session *s, xy_nsec now)
{
	const struct xy_addr addr = xy_key_addr(&k->key);
	struct xy_dp_session_stats stats = {0};
	struct xy_fields_session f = {
		.index = s->index,
		.peer = k->name,
		.kind = "link",
		.address = &addr,
		.key = &k->key,
		.state = xy_show_peer_word(d, k),
		.role = s->initiator ? "initiator" : "responder",
		.use = s->use,
		.last_handshake = seconds_since(k->last_handshake, now),
		.fallbacks = (int64_t)k->fallbacks,
		.mtu = or_null(k->mtu, k->mtu),
	};
	xy_dp_session_stats(d->dp, s->index, &stats);
	fill_stats(&f, &stats, now);
	fill_lanes(&f, k->lanes, k->lanes_why);
	return xy_tell_session(&f);
}

// Where it ended.
static unsigned links_page(const struct xy_daemon *d, struct xy_filter *f, json_t *list,
			   unsigned at, xy_nsec now)
{
	unsigned count = xy_links_count(d->links);
	for (unsigned n = 0; at < count && n < LINKS && !xy_filter_is_full(f); n++, at++) {
		struct xy_link_session s[3];
		struct xy_link_info k;
		if (!xy_filter_link(f, d, xy_links_slot_at(d->links, at)))
			continue;
		unsigned sessions = xy_links_sessions(d->links, at, s);
		xy_links_info(d->links, at, now, &k);
		for (unsigned i = 0; i < sessions; i++)
			XY_FILTER_PUT(f, list, of_link(d, &k, &s[i], now));
	}
	return at;
}

// --- end to end

// The link by which packets to an address leave; NULL: none is known.
static const char *next_hop(const struct xy_daemon *d, const struct xy_addr *to)
{
	const struct xy_rib_route *r = xy_rib_covering(&d->rib, to, 64);
	if (!r || r->route.kind != XY_DP_ROUTE_PEER)
		return NULL;
	return xy_links_name(d->links, r->route.hop_count > 1 ? r->route.hops[0] : r->route.peer);
}

// As people know it, else its address.
static const char *name_of(const struct xy_daemon *d, const struct xy_far_info *n,
			   char addr[static XY_ADDR_STRLEN])
{
	const char *name = xy_naming_known(d, &n->key);
	return name ? name : xy_addr_str(&n->addr, addr);
}

static void of_far(const struct xy_daemon *d, struct xy_filter *filter, json_t *list,
		   const struct xy_far_info *n, xy_nsec now)
{
	char addr[XY_ADDR_STRLEN];
	struct xy_fields_session f = {
		.index = XY_FIELD_NO_HEX,
		.peer = name_of(d, n, addr),
		.kind = "end to end",
		.address = &n->addr,
		.key = &n->key,
		.state = xy_far_state_text[n->state],
		.owner = XY_FIELD_NULL,
		.lanes = XY_FIELD_NULL,
		.age = XY_FIELD_NULL,
		.path = next_hop(d, &n->addr),
		.last_handshake = seconds_since(n->last_handshake, now),
		.fallbacks = (int64_t)n->fallbacks,
		.mtu = or_null(n->mtu, n->mtu),
		.idle = seconds_since(n->active, now),
	};
	if (!n->session_count)
		XY_FILTER_PUT(filter, list, xy_tell_session(&f));
	for (unsigned i = 0; i < n->session_count; i++) {
		struct xy_dp_session_stats stats = {0};
		f.index = n->session[i].index;
		f.use = n->session[i].use;
		f.role = n->session[i].initiator ? "initiator" : "responder";
		xy_dp_session_stats(d->dp, n->session[i].index, &stats);
		fill_stats(&f, &stats, now);
		fill_lanes(&f, n->lanes, n->lanes_why);
		XY_FILTER_PUT(filter, list, xy_tell_session(&f));
	}
}

// By the peer's own key, or by the peer that it leads over.
static bool far_fits(const struct xy_filter *f, const struct xy_daemon *d,
		     const struct xy_far_info *n)
{
	uint32_t slot;
	const char *path = f->by_peer ? next_hop(d, &n->addr) : NULL;
	const char *name = f->by_peer ? xy_links_name(d->links, f->slot) : NULL;
	bool own = f->by_peer && xy_links_slot(d->links, &n->key, &slot) == 0 && slot == f->slot;
	bool over = path && name && strcmp(path, name) == 0;
	return (!f->by_peer || own || over) && xy_filter_address(f, &n->addr);
}

// Where it ended; false: there are no more.
static bool fars_page(const struct xy_daemon *d, struct xy_filter *f, json_t *list,
		      uint32_t *number, xy_nsec now)
{
	struct xy_far_info n;
	uint32_t from = *number;
	unsigned left = FARS;
	while (!xy_filter_is_full(f) && left-- &&
	       xy_fars_next(d->fars, number, NUMBERS - (*number - from)) &&
	       xy_fars_info(d->fars, *number, now, &n)) {
		if (far_fits(f, d, &n))
			of_far(d, f, list, &n, now);
		++*number;
	}
	return *number < d->plan.config.max_peers + d->plan.config.max_sessions;
}

json_t *xy_show_sessions(void *arg, struct xy_request *q)
{
	const struct xy_daemon *d = arg;
	struct xy_filter filter;
	json_t *error = xy_filter_begin(&filter, d, q);
	if (error)
		return error;
	const char *after = xy_filter_after(&filter);
	bool far = after && after[0] == ':';
	uint32_t number = far ? (uint32_t)strtoul(after + 1, NULL, 10) : 0;
	xy_nsec now = xy_now();
	json_t *list = json_array();
	char next[32] = "";
	struct xy_fields_sessions f = {.sessions = list};
	unsigned at = far ? xy_links_count(d->links) : xy_links_after(d->links, after);
	if (!far)
		at = links_page(d, &filter, list, at, now);
	if (at < xy_links_count(d->links)) {
		f.next = xy_links_name(d->links, xy_links_slot_at(d->links, at - 1));
	} else if (fars_page(d, &filter, list, &number, now)) {
		snprintf(next, sizeof(next), ":%u", number);
		f.next = next;
	}
	f.next = xy_filter_next(&filter, f.next);
	f.count = xy_filter_count(&filter);
	json_t *o = xy_tell_sessions(&f);
	xy_filter_end(&filter);
	return o;
}
