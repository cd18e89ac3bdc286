// SPDX-License-Identifier: BSD-3-Clause
// Node info's place in the daemon: what it sends by, what it is told of links and routes, and its
// timer.
#include "daemon.h"
#include "fleetside.h"
#include "lanes.h"
#include "naming.h"
#include "suites.h"

static int send_packet(void *arg, const void *packet, size_t len)
{
	const struct xy_daemon *d = arg;
	return xy_dp_overlay_send(d->dp, XY_DP_NO_PEER, packet, len);
}

// Cost and round-trip time are as Babel measures them; where it is not spoken, nothing is known.
static void neighbours(void *arg, xy_nodeinfo_each *each, void *to)
{
	const struct xy_daemon *d = arg;
	xy_nsec now = xy_now();
	for (unsigned i = 0; i < xy_links_count(d->links); i++) {
		struct xy_nodeinfo_near n = {.slot = xy_links_slot_at(d->links, i)};
		struct xy_babel_link_info b;
		if (!xy_links_is_up(d->links, n.slot, now) ||
		    !xy_links_node_addr(d->links, n.slot, &n.told.addr))
			continue;
		if (xy_routing_link_info(d->routing, n.slot, &b) == 0) {
			n.told.cost = b.cost == XY_BABEL_INFINITY ? 0 : b.cost;
			n.told.rtt_us = b.rtt;
		}
		each(to, &n);
	}
}

static void via_peer(const struct xy_daemon *d, uint32_t slot, struct xy_nodeinfo_route *out)
{
	const char *name = xy_links_name(d->links, slot);
	if (name)
		snprintf(out->peer, sizeof(out->peer), "%s", name);
	// Behind a leaf there is no further node.
	out->result =
		xy_links_node_addr(d->links, slot, &out->hop) ? XY_NODEINFO_VIA : XY_NODEINFO_HERE;
}

static void route(void *arg, const struct xy_addr *to, struct xy_nodeinfo_route *out)
{
	const struct xy_daemon *d = arg;
	const struct xy_rib_route *r = xy_rib_covering(&d->rib, to, 128);
	*out = (struct xy_nodeinfo_route){.result = XY_NODEINFO_NONE,
					  .metric = XY_NODEINFO_UNKNOWN};
	if (!r)
		return;
	out->prefix = r->prefix;
	out->source = xy_route_source_text[r->source];
	if (r->route.kind == XY_DP_ROUTE_HOST || r->route.kind == XY_DP_ROUTE_EXIT)
		out->result = XY_NODEINFO_HERE;
	out->asks = r->route.kind == XY_DP_ROUTE_ASK;
	if (r->route.kind == XY_DP_ROUTE_PEER)
		via_peer(d, r->route.hop_count > 1 ? r->route.hops[0] : r->route.peer, out);
	if (r->origin) {
		out->metric = r->origin->metric;
		out->has_key = r->origin->has_key;
		out->key = r->origin->key;
		out->epoch = r->origin->epoch;
	}
}

// Of a link with it alone: who is reached by others is seen by them.
static void seen(void *arg, const struct xy_addr *of, struct xy_nodeinfo_seen *out)
{
	const struct xy_daemon *d = arg;
	struct xy_link_info link;
	xy_nsec now = xy_now();
	uint32_t slot;
	*out = (struct xy_nodeinfo_seen){0};
	if (!xy_naming_neighbour(d, of, &slot) || !xy_links_is_up(d->links, slot, now))
		return;
	for (unsigned i = 0; i < xy_links_count(d->links); i++) {
		if (xy_links_slot_at(d->links, i) != slot)
			continue;
		xy_links_info(d->links, i, now, &link);
		const struct xy_prefix host = {.addr = link.remote.addr, .len = 128};
		if (link.remote.port && !xy_prefix_is_martian(&host))
			out->at = link.remote;
	}
}

static struct xy_nodeinfo_fields fields_of(const struct xy_config *c)
{
	struct xy_nodeinfo_fields f = {.enabled = c->node_info.enabled,
				       .neighbours = c->node_info.neighbours,
				       .version = c->node_info.version};
	_Static_assert(sizeof(f.name) == sizeof(c->node_info.name), "a name is a name");
	memcpy(f.name, c->node_info.name, sizeof(f.name));
	return f;
}

int xy_informer_up(struct xy_daemon *d, struct xy_err *err)
{
	struct xy_nodeinfo_config cfg = {.addr = d->id.addr,
					 .version = XY_VERSION,
					 .fields = fields_of(&d->plan.config),
					 .env = &d->env,
					 .ops = {.arg = d,
						 .send = send_packet,
						 .neighbours = neighbours,
						 .route = route,
						 .suites = xy_suites_ours,
						 .suites_told = xy_suites_told,
						 .lanes = xy_lanes_asked,
						 .lanes_told = xy_lanes_told,
						 .seen = seen,
						 .seen_told = xy_fleetside_seen_told}};
	if (xy_nodeinfo_create(&cfg, &d->nodeinfo))
		return xy_err_set(err, ENOMEM, "no memory for node info");
	return 0;
}

void xy_informer_down(struct xy_daemon *d)
{
	xy_nodeinfo_destroy(d->nodeinfo);
	d->nodeinfo = NULL;
}

void xy_informer_reload(struct xy_daemon *d)
{
	struct xy_nodeinfo_fields f = fields_of(&d->plan.config);
	xy_nodeinfo_fields_set(d->nodeinfo, &f);
}
