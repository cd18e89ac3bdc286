// SPDX-License-Identifier: BSD-3-Clause
// Routes and allowed sources: which table a prefix belongs to, and how a value is packed. Control
// thread; the lookups of workers are in graph/.
#include "fib.h"

#include "base/bytes.h"
#include "far_end.h"
#include "group.h"
#include "retire.h"

#include <sodium.h>
#include <stdlib.h>

// Room for what sources_reserve and xy_dp_source_own put there.
enum { RESERVED = 2 + RTE_DIM(((struct xy_own *)0)->prefix) };

static int tables_create(struct xy_dp *dp, struct xy_tables *t, uint32_t limit)
{
	uint64_t seed;
	randombytes_buf(&seed, sizeof(seed));
	t->mesh = xy_exact_create(limit, seed, &dp->reclaim);
	t->v6 = xy_lpm_create(128, limit, &dp->reclaim);
	t->v4 = xy_lpm_create(32, limit, &dp->reclaim);
	return t->mesh && t->v6 && t->v4 ? 0 : -ENOMEM;
}

static void tables_destroy(struct xy_tables *t)
{
	if (t->mesh)
		xy_exact_destroy(t->mesh);
	if (t->v6)
		xy_lpm_destroy(t->v6);
	if (t->v4)
		xy_lpm_destroy(t->v4);
}

static const struct xy_prefix whole_mesh = XY_MESH_PREFIX;

// A default route is no way into the mesh: what no other route of 200::/7 knows goes nowhere. It
// stands while nobody has set a route of his own there.
static int mesh_close(struct xy_dp *dp)
{
	dp->mesh_routed = false;
	return xy_lpm_set(dp->routes.v6, whole_mesh.addr.b, whole_mesh.len,
			  xy_fib_pack(XY_DP_ROUTE_REJECT, 0));
}

// Longest prefix decides whose a source is: so a leaf that may send from ::/0 may not from the
// mesh, nor as us. What it may have inside our own /64 is longer.
static int sources_reserve(struct xy_dp *dp)
{
	struct xy_lpm *v6 = dp->sources.v6;
	int r = xy_lpm_set(v6, whole_mesh.addr.b, whole_mesh.len, XY_SOURCE_NOBODYS);
	r = r ? r : xy_lpm_set(v6, dp->cfg.node_addr.b, 128, XY_SOURCE_OURS);
	xy_lpm_commit(v6);
	return r;
}

int xy_fib_init(struct xy_dp *dp, struct xy_err *err)
{
	randombytes_buf(dp->flow_key, sizeof(dp->flow_key));
	dp->own = calloc(1, sizeof(*dp->own));
	if (!dp->own || tables_create(dp, &dp->routes, dp->cfg.max_routes + 1) ||
	    tables_create(dp, &dp->sources, dp->cfg.max_routes + RESERVED) || mesh_close(dp) ||
	    sources_reserve(dp))
		return xy_err_set(err, ENOMEM, "no memory for the route tables");
	xy_lpm_commit(dp->routes.v6);
	return 0;
}

void xy_fib_fini(struct xy_dp *dp)
{
	tables_destroy(&dp->routes);
	tables_destroy(&dp->sources);
	free(dp->own);
}

// Our own /64 is looked up by longest prefix, so that leaves inside it can have addresses.
static bool is_ours(const struct xy_dp *dp, const struct xy_prefix *p)
{
	return p->len >= 64 && memcmp(p->addr.b, dp->cfg.node_addr.b, 8) == 0;
}

static bool is_mesh64(const struct xy_dp *dp, const struct xy_prefix *p)
{
	return p->len == 64 && xy_addr_is_mesh(&p->addr) && !is_ours(dp, p);
}

static int table_set(struct xy_dp *dp, struct xy_tables *t, const struct xy_prefix *p,
		     uint32_t value)
{
	if (is_mesh64(dp, p))
		return xy_exact_set(t->mesh, xy_be64_load(p->addr.b), value);
	if (p->len > 64 && xy_addr_is_mesh(&p->addr) && !is_ours(dp, p))
		return -EINVAL;
	if (xy_prefix_is_v4(p))
		return xy_lpm_set(t->v4, p->addr.b + 12, p->len - 96, value);
	return xy_lpm_set(t->v6, p->addr.b, p->len, value);
}

static int table_del(struct xy_dp *dp, struct xy_tables *t, const struct xy_prefix *p)
{
	if (is_mesh64(dp, p))
		return xy_exact_del(t->mesh, xy_be64_load(p->addr.b));
	if (xy_prefix_is_v4(p))
		return xy_lpm_del(t->v4, p->addr.b + 12, p->len - 96);
	return xy_lpm_del(t->v6, p->addr.b, p->len);
}

static uint32_t table_get(const struct xy_dp *dp, const struct xy_tables *t,
			  const struct xy_prefix *p)
{
	if (is_mesh64(dp, p))
		return xy_exact_get(t->mesh, xy_be64_load(p->addr.b));
	if (xy_prefix_is_v4(p))
		return xy_lpm_get(t->v4, p->addr.b + 12, p->len - 96);
	return xy_lpm_get(t->v6, p->addr.b, p->len);
}

// A route's next hops in the order that names the set, each once.
static void hops_sort(const struct xy_dp_route *route, struct xy_group *g)
{
	g->count = 0;
	for (unsigned i = 0; i < route->hop_count; i++) {
		uint32_t hop = route->hops[i], at = g->count;
		for (; at && g->hop[at - 1] > hop; at--)
			;
		if (at && g->hop[at - 1] == hop)
			continue;
		memmove(&g->hop[at + 1], &g->hop[at], (g->count - at) * sizeof(hop));
		g->hop[at] = hop;
		g->count++;
	}
}

static int hops_check(const struct xy_dp *dp, const struct xy_dp_route *route)
{
	if (route->hop_count > XY_DP_HOPS)
		return -EINVAL;
	for (unsigned i = 0; i < route->hop_count; i++)
		if (route->hops[i] >= dp->cfg.max_peers)
			return -EINVAL;
	return route->hop_count > 1 || route->peer < dp->cfg.max_peers ? 0 : -EINVAL;
}

static void ask_count(struct xy_dp *dp, unsigned kind, int change)
{
	if (kind == XY_DP_ROUTE_ASK)
		__atomic_store_n(&dp->ask_routes, dp->ask_routes + (uint32_t)change,
				 __ATOMIC_RELAXED);
}

// A table's value for a route, with the reference that the table will hold.
static int value_take(struct xy_dp *dp, const struct xy_dp_route *route, uint32_t *value)
{
	struct xy_group g;
	int number = -1;
	bool host = route->kind == XY_DP_ROUTE_HOST || route->kind == XY_DP_ROUTE_EXIT;
	if (host && route->host >= XY_DP_HOSTS)
		return -EINVAL;
	if (route->kind == XY_DP_ROUTE_FAR && !xy_end_is_far(dp, route->peer))
		return -EINVAL;
	if (route->kind != XY_DP_ROUTE_PEER) {
		ask_count(dp, route->kind, 1);
		*value = xy_fib_pack(route->kind, host				   ? route->host
						  : route->kind == XY_DP_ROUTE_FAR ? route->peer
										   : 0);
		return 0;
	}
	if (hops_check(dp, route))
		return -EINVAL;
	hops_sort(route, &g);
	if (route->hop_count > 1 && g.count > 1)
		number = xy_group_take(dp, &g);
	if (number >= 0)
		*value = xy_fib_pack(XY_FIB_GROUP, (uint32_t)number);
	else
		*value = xy_fib_pack(XY_DP_ROUTE_PEER,
				     route->hop_count > 1 ? route->hops[0] : route->peer);
	return 0;
}

static void value_give(struct xy_dp *dp, uint32_t value)
{
	ask_count(dp, xy_fib_kind(value), -1);
	if (xy_fib_kind(value) == XY_FIB_GROUP)
		xy_group_give(dp, xy_fib_arg(value));
}

static uint32_t route_count(const struct xy_dp *dp)
{
	const struct xy_tables *t = &dp->routes;
	return xy_exact_count(t->mesh) + xy_lpm_count(t->v6) + xy_lpm_count(t->v4) -
	       !dp->mesh_routed;
}

// One limit for all tables: whatever goes, anything finds room after it.
static bool is_full_for(const struct xy_dp *dp, const struct xy_prefix *p, uint32_t old)
{
	bool there = xy_prefix_eq(p, &whole_mesh) ? dp->mesh_routed : old != XY_TABLE_MISS;
	return !there && route_count(dp) >= dp->cfg.max_routes;
}

int xy_dp_route_set(struct xy_dp *dp, const struct xy_prefix *prefix,
		    const struct xy_dp_route *route)
{
	uint32_t value, old = table_get(dp, &dp->routes, prefix);
	if (route->kind == XY_DP_ROUTE_ASK && !xy_addr_is_mesh(&prefix->addr))
		return -EINVAL;
	if (route->kind == XY_DP_ROUTE_FAR && xy_addr_is_mesh(&prefix->addr))
		return -EINVAL;
	if (is_full_for(dp, prefix, old)) {
		dp->routes_refused++;
		return -ENOSPC;
	}
	int r = value_take(dp, route, &value);
	if (r)
		return r;
	r = table_set(dp, &dp->routes, prefix, value);
	value_give(dp, r ? value : old);
	if (r == -ENOSPC)
		dp->routes_refused++;
	if (!r && xy_prefix_eq(prefix, &whole_mesh))
		dp->mesh_routed = true;
	return r;
}

int xy_dp_route_del(struct xy_dp *dp, const struct xy_prefix *prefix)
{
	uint32_t old = table_get(dp, &dp->routes, prefix);
	int r;
	if (!xy_prefix_eq(prefix, &whole_mesh))
		r = table_del(dp, &dp->routes, prefix);
	else
		r = dp->mesh_routed ? mesh_close(dp) : -ENOENT;
	if (r == 0)
		value_give(dp, old);
	return r;
}

void xy_dp_route_prefetch(const struct xy_dp *dp, const struct xy_prefix *prefix)
{
	if (is_mesh64(dp, prefix))
		xy_exact_prefetch(dp->routes.mesh, xy_be64_load(prefix->addr.b));
}

void xy_dp_route_commit(struct xy_dp *dp)
{
	xy_lpm_commit(dp->routes.v6);
	xy_lpm_commit(dp->routes.v4);
	xy_lpm_commit(dp->sources.v6);
	xy_lpm_commit(dp->sources.v4);
	xy_groups_commit(dp);
	xy_dp_epoch_raise(dp, &dp->route_epoch); // what waits for a route is looked at again
}

void xy_dp_route_info(const struct xy_dp *dp, struct xy_dp_route_info *out)
{
	const struct xy_tables *t = &dp->routes;
	*out = (struct xy_dp_route_info){
		.count = route_count(dp),
		.limit = dp->cfg.max_routes,
		.bytes = xy_exact_bytes(t->mesh) + xy_lpm_bytes(t->v6) + xy_lpm_bytes(t->v4),
		.refused = dp->routes_refused,
	};
}

// What no peer may be given, nor lose: reserved, ours, or another node's.
static bool source_is_reserved(const struct xy_dp *dp, const struct xy_prefix *p)
{
	if (p->len >= 7 && xy_addr_is_mesh(&p->addr) && !is_ours(dp, p))
		return true;
	uint32_t whose = table_get(dp, &dp->sources, p);
	return whose == XY_SOURCE_NOBODYS || whose == XY_SOURCE_OURS;
}

int xy_dp_source_set(struct xy_dp *dp, const struct xy_prefix *prefix, uint32_t peer)
{
	if (peer >= dp->cfg.max_peers)
		return -EINVAL;
	return source_is_reserved(dp, prefix) ? -EPERM : table_set(dp, &dp->sources, prefix, peer);
}

int xy_dp_source_del(struct xy_dp *dp, const struct xy_prefix *prefix)
{
	return source_is_reserved(dp, prefix) ? -EPERM : table_del(dp, &dp->sources, prefix);
}

int xy_dp_source_own(struct xy_dp *dp, const struct xy_prefix *prefix)
{
	struct xy_own *own = malloc(sizeof(*own)), *old = dp->own;
	if (!own)
		return -ENOMEM;
	*own = *old;
	// Of our /64 a leaf may have a part; what nobody has is no claim to be us.
	uint32_t whose = prefix->len == 64 ? XY_SOURCE_NOBODYS : XY_SOURCE_OURS;
	bool fits = own->count < RTE_DIM(own->prefix);
	int r = fits ? table_set(dp, &dp->sources, prefix, whose) : -ENOSPC;
	if (r) {
		free(own);
		return r;
	}
	struct xy_prefix ones = {.len = prefix->len};
	memset(ones.addr.b, 0xff, sizeof(ones.addr.b));
	xy_prefix_mask(&ones);
	own->prefix[own->count].addr = prefix->addr;
	own->prefix[own->count].mask = ones.addr;
	own->count++;
	__atomic_store_n(&dp->own, own, __ATOMIC_RELEASE);
	xy_dp_retire_free(dp, old);
	return 0;
}
