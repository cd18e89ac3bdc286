// SPDX-License-Identifier: BSD-3-Clause
// Routes and allowed sources that follow from the config, and from who is a peer. Each is set in
// the table of routes with the mark at hand; those of older marks go after. So what stood there and
// stays is in force all the while, however many slices it takes.
#include "links/link.h"

// --- what the plan wants, one by one

// Our /64, and each further address of the interface as a host prefix.
static int own_prefix(const struct xy_plan *plan, const struct xy_identity *id, unsigned i,
		      struct xy_prefix *out)
{
	if (i > plan->config.host.address_count)
		return -ENOENT;
	if (i == 0)
		*out = xy_key_prefix(&id->x25519);
	else
		*out = (struct xy_prefix){.addr = plan->config.host.addresses[i - 1].addr,
					  .len = 128};
	return 0;
}

static bool own_next(const struct xy_links *l, struct xy_links_apply *a, struct xy_rib_route *out)
{
	out->source = XY_ROUTE_OWN;
	out->route.kind = XY_DP_ROUTE_HOST;
	return own_prefix(a->plan, l->cfg.identity, a->at++, &out->prefix) == 0;
}

static bool announced_next(struct xy_links_apply *a, struct xy_rib_route *out)
{
	const struct xy_config_prefixes *list = &a->plan->config.routing.announce;
	if (a->at >= list->count)
		return false;
	out->source = XY_ROUTE_ANNOUNCED;
	out->prefix = list->v[a->at++];
	out->route.kind = a->plan->config.exit.offer && xy_prefix_is_default(&out->prefix)
				  ? XY_DP_ROUTE_EXIT
				  : XY_DP_ROUTE_HOST;
	return true;
}

// A node's own /64; of a leaf, what it is allowed. An open peer's is strangers.c's. False: it has
// no more.
static bool link_route(const struct xy_link *k, unsigned n, struct xy_rib_route *out)
{
	if (k->open || k->shut || n >= (k->leaf ? k->allowed->count : 1))
		return false;
	out->source = k->leaf ? XY_ROUTE_LEAF : XY_ROUTE_PEER;
	out->route = (struct xy_dp_route){.kind = XY_DP_ROUTE_PEER, .peer = k->slot};
	out->prefix = k->leaf ? k->allowed->v[n] : xy_key_prefix(&k->key);
	return true;
}

// All links come by here with each config, also those that it does not name.
static void accepts_tell(struct xy_links *l, struct xy_link *k)
{
	struct xy_err err;
	int r = xy_link_accepts_tell(l, k);
	if (r)
		xy_links_apply_failed(l,
				      xy_err_set(&err, -r,
						 "peer %s: no memory for what it may send from: "
						 "nothing, until there is",
						 k->name),
				      &err);
}

static bool link_next(struct xy_links *l, struct xy_links_apply *a, struct xy_rib_route *out)
{
	while (a->at < l->cfg.max_peers && !l->link[a->at]) {
		a->at++;
		a->nth = 0;
	}
	if (a->at == l->cfg.max_peers)
		return false;
	if (!a->nth)
		accepts_tell(l, l->link[a->at]);
	if (!link_route(l->link[a->at], a->nth++, out)) { // a step all the same
		a->at++;
		a->nth = 0;
	}
	return true;
}

static bool static_next(const struct xy_links *l, struct xy_links_apply *a,
			struct xy_rib_route *out)
{
	const struct xy_config *c = &a->plan->config;
	if (a->at == c->route_count)
		return false;
	const struct xy_config_route *r = &c->routes[a->at++];
	const struct xy_link *k = xy_link_by_key(l, a->plan->remote[r->peer].pk);
	if (!k || k->shut) // its key is not known, or it could not be added
		return true;
	out->source = XY_ROUTE_STATIC;
	out->route = (struct xy_dp_route){.kind = XY_DP_ROUTE_PEER, .peer = k->slot};
	out->prefix = r->prefix;
	if (!xy_key_is_zero(&r->key)) {
		a->origin = (struct xy_rib_origin){.has_key = true, .key = r->key};
		out->origin = &a->origin;
	}
	return true;
}

// The next one; without a kind: a step that brought none. False: that was all.
static bool next(struct xy_links *l, struct xy_links_apply *a, struct xy_rib_route *out)
{
	enum { OWN, ANNOUNCED, LINKS, STATIC, END };
	*out = (struct xy_rib_route){.mark = l->mark};
	for (; a->list < END; a->list++, a->at = a->nth = 0)
		if ((a->list == OWN && own_next(l, a, out)) ||
		    (a->list == ANNOUNCED && announced_next(a, out)) ||
		    (a->list == LINKS && link_next(l, a, out)) ||
		    (a->list == STATIC && static_next(l, a, out)))
			return true;
	return false;
}

// --- into the table, and out of it

static void withdraw(struct xy_links *l, const struct xy_rib_route *r)
{
	if (r->source == XY_ROUTE_LEAF)
		xy_dp_source_del(l->dp, &r->prefix);
	xy_rib_del(l->rib, &r->prefix, r->source); // and r with it
}

static int install(struct xy_links *l, const struct xy_rib_route *r, struct xy_err *err)
{
	char prefix[XY_PREFIX_STRLEN];
	const struct xy_rib_route *was = xy_rib_get(l->rib, &r->prefix, r->source);
	if (was && was->mark == r->mark) // twice in the config: the first one counts
		return 0;
	bool same = was && was->mark && was->route.peer == r->route.peer;
	int e = xy_rib_set(l->rib, r);
	// A route that waits for room comes into force by itself; who may send from there is said
	// now.
	bool there = !e || e == -ENOSPC || e == -ENOMEM;
	if (there && !same && r->source == XY_ROUTE_LEAF) {
		int s = xy_dp_source_set(l->dp, &r->prefix, r->route.peer);
		e = e ? e : s;
	}
	if (!e)
		return 0;
	xy_prefix_str(&r->prefix, prefix);
	if (e == -EINVAL)
		return xy_err_set(
			err, EINVAL,
			"route %s: inside 200::/7 nothing longer than a /64 can be routed, "
			"but for addresses in our own /64",
			prefix);
	return xy_err_set(err, -e, "route %s: %s%s", prefix, strerror(-e),
			  e == -ENOSPC ? "; raise max_routes and restart" : "");
}

static int own_tell(struct xy_links *l, const struct xy_plan *plan, struct xy_err *err)
{
	struct xy_prefix p;
	for (unsigned i = 0; !l->own_told && own_prefix(plan, l->cfg.identity, i, &p) == 0; i++)
		if (xy_dp_source_own(l->dp, &p))
			return xy_err_set(err, ENOSPC, "too many addresses for the host interface");
	l->own_told = true;
	return 0;
}

bool xy_links_routes_run(struct xy_links *l, unsigned *max)
{
	struct xy_links_apply *a = &l->apply;
	struct xy_rib_route r;
	struct xy_err err;
	int e = own_tell(l, a->plan, &err);
	if (e)
		xy_links_apply_failed(l, e, &err);
	for (; *max; --*max) {
		if (!next(l, a, &r))
			return false;
		e = r.route.kind ? install(l, &r, &err) : 0;
		if (e)
			xy_links_apply_failed(l, e, &err);
	}
	return true;
}

// What bears no mark is not the config's.
bool xy_links_routes_sweep(struct xy_links *l, unsigned *max)
{
	struct xy_links_apply *a = &l->apply;
	for (; *max; --*max) {
		const struct xy_rib_route *r =
			xy_rib_next(l->rib, a->at ? &a->swept : NULL, a->swept_source);
		if (!r)
			return false;
		a->at = 1;
		a->swept = r->prefix;
		a->swept_source = r->source;
		if (r->mark && r->mark != l->mark)
			withdraw(l, r);
	}
	return true;
}

void xy_links_routes_clear(struct xy_links *l)
{
	const struct xy_rib_route *r;
	while ((r = xy_rib_next(l->rib, NULL, 0)))
		withdraw(l, r);
	xy_rib_commit(l->rib);
}
