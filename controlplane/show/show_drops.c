// SPDX-License-Identifier: BSD-3-Clause
// What was dropped: by reason, here and by the kernel beside us; and of one reason by whom, with
// the last packet of each.
#include "daemon.h"
#include "naming.h"

#include "base/bytes.h"
#include "base/near.h"
#include "interface.h"
#include "offenders.h"
#include "show/show.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OWNERS = 32 }; // that are shown

// --- /xylem/drops

struct drops_to {
	void (*fn)(void *to, const struct xy_fields_drop *drop);
	void *to;
};

static void each(const struct drops_to *t, const char *const *name, const char *const *text,
		 unsigned which, uint64_t packets)
{
	t->fn(t->to, &(struct xy_fields_drop){.reason = name[which],
					      .packets = (int64_t)packets,
					      .meaning = text[which]});
}

void xy_show_drops_each(const struct xy_daemon *d,
			void (*fn)(void *to, const struct xy_fields_drop *drop), void *to)
{
	const struct drops_to t = {fn, to};
	uint64_t sum[XY_DROP_COUNT] = {0};
	for (unsigned i = 0; i < xy_dp_workers(d->dp); i++) {
		struct xy_dp_worker_stats s;
		bool there = xy_dp_worker_stats(d->dp, i, &s) == 0;
		for (unsigned k = 0; there && k < XY_DROP_COUNT; k++)
			sum[k] += s.drop[k];
	}
	for (unsigned k = 0; k < XY_DROP_COUNT; k++)
		each(&t, xy_drop_name, xy_drop_text, k, sum[k]);
	for (unsigned k = 0; k < XY_HS_DROP_COUNT; k++)
		each(&t, xy_hs_drop_name, xy_hs_drop_text, k, xy_exchanges_drops(d->exchanges, k));
	for (unsigned k = 0; k < XY_JOIN_DROP_COUNT; k++)
		each(&t, xy_join_drop_name, xy_join_drop_text, k, xy_join_drops(d->join, k));
	for (unsigned k = 0; k < XY_NODEINFO_DROP_COUNT; k++)
		each(&t, xy_nodeinfo_drop_name, xy_nodeinfo_drop_text, k,
		     xy_nodeinfo_drops(d->nodeinfo, k));
}

static void put_drop(void *list, const struct xy_fields_drop *drop)
{
	json_array_append_new(list, xy_tell_drop(drop));
}

static void put_kernel(json_t *list, const char *place, const char *counter, uint64_t packets,
		       const char *meaning)
{
	json_array_append_new(list, xy_tell_kernel_drop(&(struct xy_fields_kernel_drop){
					    .place = place,
					    .counter = counter,
					    .packets = (int64_t)packets,
					    .meaning = meaning,
				    }));
}

// Where no worker sees them: they are in no worker's account.
static json_t *kernel_drops(struct xy_daemon *d)
{
	struct xy_hostlink_counters host;
	struct xy_dp_port_info port;
	json_t *list = json_array();
	char place[48];
	if (xy_hostqueue_counters(d, &host) == 0) {
		put_kernel(list, xy_interface_name(d), "rx_missed", host.rx_missed,
			   "this host sent them faster than workers take them");
		put_kernel(list, xy_interface_name(d), "tx_errors", host.tx_errors,
			   "for this host, which did not take them");
	}
	for (unsigned i = 0; i < XY_DP_PORTS; i++) {
		if (xy_dp_port_info(d->dp, i, &port))
			continue;
		snprintf(place, sizeof(place), "port %u%s%s", i, port.interface[0] ? " " : "",
			 port.interface);
		put_kernel(list, place, "rx_missed", port.rx_missed,
			   "came faster than workers take them: the queue was full");
		put_kernel(list, place, "tx_errors", port.tx_errors,
			   "to be sent, and not taken by the kernel or the card");
	}
	return list;
}

json_t *xy_show_drops(void *arg, struct xy_request *q)
{
	json_t *list = json_array();
	xy_show_drops_each(arg, put_drop, list);
	return xy_tell_drops(&(struct xy_fields_drops){.drops = list, .kernel = kernel_drops(arg)});
}

// --- /xylem/drop

struct reason {
	struct xy_nearest asked;
	bool found;
	struct xy_fields_drop is;
};

static void look(void *to, const struct xy_fields_drop *drop)
{
	struct reason *r = to;
	xy_nearest_see(&r->asked, drop->reason);
	if (strcmp(r->asked.text, drop->reason) == 0) {
		r->is = *drop;
		r->found = true;
	}
}

// Which node has the address, as people know it; NULL: that is not known.
static const char *node_name(const struct xy_daemon *d, const struct xy_addr *a)
{
	struct xy_prefix net = {.addr = *a, .len = 64};
	if (!xy_addr_is_mesh(a))
		return NULL;
	if (memcmp(a->b, d->id.addr.b, 8) == 0)
		return "this node";
	xy_prefix_mask(&net);
	const struct xy_rib_route *r = xy_rib_get(&d->rib, &net, XY_ROUTE_PEER);
	const char *name = r ? xy_links_name(d->links, r->route.peer) : NULL;
	return name ? name : xy_naming_at(d, a);
}

enum { PEER_LEN = XY_ADDR_STRLEN + 8 };

// The node of an overlay's address, or the peer that is known to be at one of the underlay.
static const char *source_name(const struct xy_daemon *d, const struct xy_dp_blame *b)
{
	if (!b->datagram)
		return node_name(d, &b->src);
	return xy_links_name_at(d->links,
				&(struct xy_endpoint){.addr = b->src, .port = b->src_port});
}

static const char *owner_name(const struct xy_daemon *d, uint32_t of, char to[static PEER_LEN])
{
	char at[XY_ADDR_STRLEN];
	struct xy_far_info far;
	const char *name;
	if (of == XY_DP_OF_STRANGER)
		return "(a stranger)";
	if (of == XY_DP_OF_HOST)
		return "(this host)";
	if (of == XY_DP_OF_NODE)
		return "(this node)";
	name = xy_links_name(d->links, of);
	if (name)
		return name;
	if (!xy_fars_info(d->fars, of, xy_now(), &far))
		return "(gone)";
	name = xy_naming_at(d, &far.addr);
	snprintf(to, PEER_LEN, "node %s", name ? name : xy_addr_str(&far.addr, at));
	return to;
}

// "[2001:db8::1]:51820" of a datagram that came, else the address alone; NULL: not known.
static const char *source_text(const struct xy_dp_blame *b, char to[static XY_ENDPOINT_STRLEN])
{
	if (xy_addr_is_unspecified(&b->src))
		return NULL;
	if (!b->src_port)
		return xy_addr_str(&b->src, to);
	return xy_endpoint_str(&(struct xy_endpoint){.addr = b->src, .port = b->src_port}, to);
}

// Who counts a reason, as what: all names of reasons differ.
struct counted {
	enum { BY_WORKERS, BY_EXCHANGES, BY_JOIN, BY_NODEINFO } by;
	unsigned reason;
};

// Of a handshake it is certain whose it was once it is opened, checked and known to be new, or that
// it was ours; and who brought what claims to be a node's, from end to end.
static bool is_certain_hs(enum xy_hs_drop reason)
{
	return reason == XY_HS_DROP_FLOOD || reason == XY_HS_DROP_NO_INDEX ||
	       reason == XY_HS_DROP_UNSENT || reason == XY_HS_DROP_SOURCE ||
	       reason == XY_HS_DROP_OWN_KEY || reason == XY_HS_DROP_FAR_FULL;
}

// What anybody can write in a peer's name, or send again: before it is opened, or known to be new.
static bool is_certain(const struct counted *c, const struct xy_dp_blame *b)
{
	if (b->of == XY_DP_OF_STRANGER)
		return false;
	if (c->by == BY_EXCHANGES)
		return is_certain_hs(c->reason);
	return c->by != BY_WORKERS || (c->reason != XY_DROP_BAD_TAG && c->reason != XY_DROP_REPLAY);
}

static json_t *owner_json(const struct xy_daemon *d, const struct counted *reason,
			  const struct xy_dp_blame *b)
{
	char peer[PEER_LEN], source[XY_ENDPOINT_STRLEN];
	bool known = !xy_addr_is_unspecified(&b->dst);
	return xy_tell_drop_owner(&(struct xy_fields_drop_owner){
		.peer = owner_name(d, b->of, peer),
		.packets = (int64_t)b->packets,
		.last = seconds_since(b->at, xy_now()),
		.certain = is_certain(reason, b),
		.source = source_text(b, source),
		.source_node = source_name(d, b),
		.destination = known ? &b->dst : NULL,
		.destination_node = node_name(d, &b->dst),
		.inside = !b->datagram,
	});
}

static const struct xy_offenders *offenders_of(const struct xy_daemon *d, const struct counted *c)
{
	return c->by == BY_EXCHANGES ? xy_exchanges_offenders(d->exchanges)
	       : c->by == BY_JOIN    ? xy_join_offenders(d->join)
				     : xy_nodeinfo_offenders(d->nodeinfo);
}

static uint64_t no_room_of(const struct xy_daemon *d, const struct counted *c)
{
	return c->by == BY_WORKERS ? xy_dp_blames_no_room(d->dp, (enum xy_drop)c->reason)
				   : xy_offenders_no_room(offenders_of(d, c), c->reason);
}

static json_t *answer(const struct xy_daemon *d, const struct reason *r,
		      const struct counted *reason, const struct xy_dp_blame *v, unsigned count)
{
	uint64_t theirs = 0;
	unsigned last = 0, shown = count < OWNERS ? count : OWNERS;
	json_t *list = json_array();
	for (unsigned i = 0; i < count; i++) {
		theirs += v[i].packets;
		last = v[i].at > v[last].at ? i : last;
	}
	for (unsigned i = 0; i < shown; i++)
		json_array_append_new(list, owner_json(d, reason, &v[i]));
	uint64_t all = (uint64_t)r->is.packets; // read before theirs
	return xy_tell_drop_reason(&(struct xy_fields_drop_reason){
		.reason = r->is.reason,
		.meaning = r->is.meaning,
		.packets = r->is.packets,
		.others = all > theirs ? (int64_t)(all - theirs) : 0,
		.no_room = (int64_t)no_room_of(d, reason),
		.last = count ? owner_json(d, reason, &v[last]) : NULL,
		.owners = list,
		.more = count - shown,
	});
}

static bool is_of(const char *asked, const char *const *name, unsigned count, unsigned *which)
{
	for (*which = 0; *which < count; (*which)++)
		if (strcmp(name[*which], asked) == 0)
			return true;
	return false;
}

static struct counted counted_by(const char *name)
{
	struct counted c = {0};
	if (is_of(name, xy_drop_name, XY_DROP_COUNT, &c.reason))
		c.by = BY_WORKERS;
	else if (is_of(name, xy_hs_drop_name, XY_HS_DROP_COUNT, &c.reason))
		c.by = BY_EXCHANGES;
	else if (is_of(name, xy_join_drop_name, XY_JOIN_DROP_COUNT, &c.reason))
		c.by = BY_JOIN;
	else if (is_of(name, xy_nodeinfo_drop_name, XY_NODEINFO_DROP_COUNT, &c.reason))
		c.by = BY_NODEINFO;
	return c;
}

// Who lost most first.
static int blames_of(const struct xy_daemon *d, const struct counted *c, struct xy_dp_blame **v,
		     unsigned *count)
{
	if (c->by == BY_WORKERS)
		return xy_dp_blames(d->dp, (enum xy_drop)c->reason, v, count);
	int r = xy_offenders_list(offenders_of(d, c), c->reason, v, count);
	if (!r)
		qsort(*v, *count, sizeof(**v), xy_dp_blame_compare);
	return r;
}

json_t *xy_show_drop(void *arg, struct xy_request *q)
{
	const struct xy_daemon *d = arg;
	struct reason r = {.asked = xy_nearest_to(q->params ? q->params : "", 4)};
	struct xy_dp_blame *v = NULL;
	unsigned count = 0;
	xy_show_drops_each(d, look, &r);
	if (!r.found) {
		char near[XY_NEAR_SAYS];
		return xy_server_error("there is no reason \"%.60s\"%s (xylem show drops)",
				       r.asked.text, xy_near_says(r.asked.best, near));
	}
	const struct counted reason = counted_by(r.is.reason);
	if (blames_of(d, &reason, &v, &count))
		return xy_server_error("no memory to look at whose they were");
	json_t *o = answer(d, &r, &reason, v, count);
	free(v);
	return o;
}
