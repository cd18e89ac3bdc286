// SPDX-License-Identifier: BSD-3-Clause
// Routes and allowed sources that follow from the config: a sorted list, of which the difference to
// the one before goes into the table of routes.
#include "link.h"

#include <stdlib.h>

struct list {
	struct xy_rib_route *v;
	unsigned n, room;
};

static int add(struct list *t, const struct xy_prefix *prefix, enum xy_dp_route_kind kind,
	       uint32_t peer, enum xy_route_source source)
{
	if (t->n == t->room) {
		unsigned room = t->room ? t->room * 2 : 64;
		struct xy_rib_route *v = reallocarray(t->v, room, sizeof(*v));
		if (!v)
			return -ENOMEM;
		t->v = v;
		t->room = room;
	}
	t->v[t->n++] = (struct xy_rib_route){
		.prefix = *prefix, .source = source, .route = {.kind = kind, .peer = peer}};
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct xy_rib_route *x = a, *y = b;
	int c = memcmp(x->prefix.addr.b, y->prefix.addr.b, sizeof(x->prefix.addr.b));
	c = c ? c : (int)x->prefix.len - (int)y->prefix.len;
	return c ? c : (int)x->source - (int)y->source;
}

static void sort_unique(struct list *t)
{
	unsigned kept = 0;
	if (t->n)
		qsort(t->v, t->n, sizeof(*t->v), compare);
	for (unsigned i = 0; i < t->n; i++)
		if (!kept || compare(&t->v[i], &t->v[kept - 1]) != 0)
			t->v[kept++] = t->v[i];
	t->n = kept;
}

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

static int own_add(const struct xy_links *l, const struct xy_plan *plan, struct list *t)
{
	struct xy_prefix p;
	int r = 0;
	for (unsigned i = 0; !r && own_prefix(plan, l->cfg.identity, i, &p) == 0; i++)
		r = add(t, &p, XY_DP_ROUTE_HOST, 0, XY_ROUTE_OWN);
	return r;
}

static int link_add(const struct xy_link *k, struct list *t)
{
	int r = 0;
	if (k->open) // strangers.c has its route
		return 0;
	if (!k->leaf) {
		struct xy_prefix p = xy_key_prefix(&k->key);
		return add(t, &p, XY_DP_ROUTE_PEER, k->slot, XY_ROUTE_PEER);
	}
	for (unsigned i = 0; !r && i < k->allowed_count; i++)
		r = add(t, &k->allowed[i], XY_DP_ROUTE_PEER, k->slot, XY_ROUTE_LEAF);
	return r;
}

static int wanted(const struct xy_links *l, const struct xy_plan *plan, struct list *t)
{
	const struct xy_config *c = &plan->config;
	int r = own_add(l, plan, t);
	for (unsigned i = 0; !r && i < c->routing.announce.count; i++)
		r = add(t, &c->routing.announce.v[i], XY_DP_ROUTE_HOST, 0, XY_ROUTE_ANNOUNCED);
	for (uint32_t i = 0; !r && i < l->count; i++)
		r = link_add(l->link[l->order[i]], t);
	for (unsigned i = 0; !r && i < c->route_count; i++) {
		const struct xy_link *k = xy_link_by_key(l, c->peers[c->routes[i].peer].key.b);
		if (k) // it is missing when it could not be added
			r = add(t, &c->routes[i].prefix, XY_DP_ROUTE_PEER, k->slot,
				XY_ROUTE_STATIC);
	}
	sort_unique(t);
	return r;
}

static void withdraw(struct xy_links *l, const struct xy_rib_route *r)
{
	xy_rib_del(&l->rib, &r->prefix, r->source);
	if (r->source == XY_ROUTE_LEAF)
		xy_dp_source_del(l->dp, &r->prefix);
}

static int install(struct xy_links *l, const struct xy_rib_route *r, struct xy_err *err)
{
	char prefix[XY_PREFIX_STRLEN];
	int e = xy_rib_set(&l->rib, r);
	if (!e && r->source == XY_ROUTE_LEAF)
		e = xy_dp_source_set(l->dp, &r->prefix, r->route.peer);
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

static bool is_equal(const struct xy_rib_route *a, const struct xy_rib_route *b)
{
	return a->route.kind == b->route.kind && a->route.peer == b->route.peer;
}

// Both sorted: what is only in the old goes, what is new or other is set. Goes on after an error.
static int merge(struct xy_links *l, const struct list *t, struct xy_err *err)
{
	unsigned i = 0, k = 0;
	int result = 0;
	while (i < l->route_count || k < t->n) {
		int c = i == l->route_count ? 1 : k == t->n ? -1 : compare(&l->route[i], &t->v[k]);
		bool same = c == 0 && is_equal(&l->route[i], &t->v[k]);
		if (c < 0)
			withdraw(l, &l->route[i]);
		if (c >= 0 && !same && !result)
			result = install(l, &t->v[k], err);
		else if (c >= 0 && !same)
			install(l, &t->v[k], NULL);
		i += c <= 0;
		k += c >= 0;
	}
	return result;
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

int xy_links_routes_set(struct xy_links *l, const struct xy_plan *plan, struct xy_err *err)
{
	struct list t = {0};
	int r = own_tell(l, plan, err);
	if (!r && wanted(l, plan, &t))
		r = xy_err_set(err, ENOMEM, "no memory for routes");
	if (r) {
		free(t.v);
		return r;
	}
	r = merge(l, &t, err);
	xy_rib_commit(&l->rib);
	free(l->route);
	l->route = t.v;
	l->route_count = t.n;
	return r;
}

void xy_links_routes_drop(struct xy_links *l)
{
	unsigned kept = 0;
	for (unsigned i = 0; i < l->route_count; i++) {
		const struct xy_rib_route *r = &l->route[i];
		if (r->route.kind == XY_DP_ROUTE_PEER && l->link[r->route.peer]->mark != l->mark)
			withdraw(l, r);
		else
			l->route[kept++] = *r;
	}
	l->route_count = kept;
	xy_rib_commit(&l->rib);
}

void xy_links_routes_clear(struct xy_links *l)
{
	for (unsigned i = 0; i < l->route_count; i++)
		withdraw(l, &l->route[i]);
	l->route_count = 0;
	xy_rib_clear(&l->rib);
}
