// SPDX-License-Identifier: BSD-3-Clause
// A link's life, and the step from one config to the next.
#include "link.h"

#include <sodium.h>
#include <stdlib.h>

#define START_SPREAD XY_SEC // links begin spread over this, so that a start is no burst

static int allowed_set(struct xy_link *k, const struct xy_config_peer *p)
{
	struct xy_prefix *copy = NULL;
	if (p->allowed.count) {
		copy = calloc(p->allowed.count, sizeof(*copy));
		if (!copy)
			return -ENOMEM;
		memcpy(copy, p->allowed.v, p->allowed.count * sizeof(*copy));
	}
	free(k->allowed);
	k->allowed = copy;
	k->allowed_count = p->allowed.count;
	return 0;
}

// Initiate unasked: to every node whose endpoint is known, and to a leaf that is to be kept alive.
void xy_link_start_plan(struct xy_links *l, struct xy_link *k, xy_nsec now)
{
	uint32_t random = 0;
	l->cfg.ops.random(l->cfg.ops.arg, &random, sizeof(random));
	k->start_at = XY_NEVER;
	if ((k->endpoints.count || k->endpoints.learned.port) && (!k->leaf || k->keepalive))
		k->start_at = now + random % START_SPREAD;
}

// Whether Babel is spoken with it may change while the link is up.
static void routing_set(struct xy_links *l, struct xy_link *k, const struct xy_config_peer *p)
{
	if (k->routing == xy_config_speaks(p))
		return;
	xy_link_tell(l, k, XY_LINK_REMOVED);
	k->routing = !k->routing;
	xy_link_endpoint_publish(l, k);
	if (k->told_up)
		xy_link_tell(l, k, XY_LINK_CAME_UP);
}

int xy_link_change(struct xy_links *l, struct xy_link *k, const struct xy_config_peer *p,
		   xy_nsec now)
{
	memcpy(k->name, p->name, sizeof(k->name));
	routing_set(l, k, p);
	if (k->keepalive != p->keepalive) {
		k->keepalive = p->keepalive;
		k->timers.persistent_keepalive = p->keepalive * XY_SEC;
		k->timers.persistent_at = p->keepalive ? now : XY_NEVER;
	}
	int r = allowed_set(k, p);
	r = r ? r : xy_link_endpoints_set(l, k, p, now);
	if (!r && !xy_link_is_up(l, k, now))
		xy_link_start_plan(l, k, now);
	xy_link_schedule(l, k, now);
	return r;
}

static int enter(struct xy_links *l, struct xy_link *k)
{
	int r = xy_link_endpoint_publish(l, k); // before its indices and routes
	r = r ? r : xy_map_set(&l->by_key, xy_links_hash(l, k->key.b, XY_KEY_LEN), k->slot);
	return r ? r : xy_map_set(&l->by_serial, k->serial, k->slot);
}

int xy_link_add(struct xy_links *l, const struct xy_config_peer *p,
		const struct xy_hs_remote *remote, xy_nsec now, struct xy_link **out)
{
	if (!l->free_count && !xy_link_open_evict(l))
		return -ENOSPC;
	struct xy_link *k = calloc(1, sizeof(*k));
	if (!k)
		return -ENOMEM;
	k->slot = l->free_slot[--l->free_count];
	k->serial = ++l->serial;
	k->key = p->key;
	k->leaf = p->leaf;
	k->routing = xy_config_speaks(p);
	k->keepalive = p->keepalive;
	k->start_at = XY_NEVER;
	k->hs_remote = *remote;
	memcpy(k->stamped, l->cfg.stamp_floor, sizeof(k->stamped));
	xy_cookie_jar_init(&k->jar, p->key.b);
	xy_wg_timers_init(&k->timers, &l->cfg.limits, p->keepalive * XY_SEC);
	l->link[k->slot] = k;
	int r = enter(l, k);
	r = r ? r : xy_link_change(l, k, p, now);
	if (r)
		xy_link_remove(l, k);
	else
		*out = k;
	return r;
}

void xy_link_remove(struct xy_links *l, struct xy_link *k)
{
	xy_link_tell(l, k, XY_LINK_REMOVED);
	xy_link_open_end(l, k);
	xy_link_handshake_end(l, k);
	xy_link_sessions_clear(l, k);
	xy_heap_set(&l->timers, &k->timer, XY_NEVER);
	xy_map_del(&l->by_key, xy_links_hash(l, k->key.b, XY_KEY_LEN));
	xy_map_del(&l->by_serial, k->serial);
	xy_link_endpoints_free(l, k);
	xy_dp_peer_del(l->dp, k->slot);
	l->link[k->slot] = NULL;
	l->free_slot[l->free_count++] = k->slot;
	free(k->allowed);
	sodium_memzero(k, sizeof(*k));
	free(k);
}

// --- from one config to the next

static bool is_same(const struct xy_link *k, const struct xy_plan *plan, unsigned at)
{
	// Another pre-shared key or another kind: its sessions must not go on.
	return k->leaf == plan->config.peers[at].leaf &&
	       sodium_memcmp(&k->hs_remote, &plan->remote[at], sizeof(k->hs_remote)) == 0;
}

static void mark_wanted(struct xy_links *l, const struct xy_plan *plan)
{
	bool open = plan->config.peering != XY_PEERING_CLOSED;
	l->mark++;
	for (uint32_t i = 0; i < l->count; i++)
		if (l->link[l->order[i]]->open && open)
			l->link[l->order[i]]->mark = l->mark;
	for (unsigned i = 0; i < plan->config.peer_count; i++) {
		struct xy_link *k = xy_link_by_key(l, plan->config.peers[i].key.b);
		if (k)
			k->mark = is_same(k, plan, i) ? l->mark : l->mark - 1;
	}
}

static void remove_unwanted(struct xy_links *l)
{
	for (uint32_t i = 0; i < l->count; i++) {
		struct xy_link *k = l->link[l->order[i]];
		if (k->mark == l->mark)
			continue;
		xy_log_info("peer %s: removed", k->name);
		xy_link_remove(l, k);
	}
	l->count = 0; // until order is made again
}

static int by_name(const void *a, const void *b, void *arg)
{
	const struct xy_links *l = arg;
	return strcmp(l->link[*(const uint32_t *)a]->name, l->link[*(const uint32_t *)b]->name);
}

static void order_make(struct xy_links *l)
{
	l->count = 0;
	for (uint32_t i = 0; i < l->cfg.max_peers; i++)
		if (l->link[i])
			l->order[l->count++] = i;
	qsort_r(l->order, l->count, sizeof(*l->order), by_name, l);
}

static uint32_t order_place(const struct xy_links *l, const struct xy_link *k)
{
	uint32_t from = 0, to = l->count;
	while (from < to) {
		uint32_t mid = from + (to - from) / 2;
		if (by_name(&l->order[mid], &k->slot, (void *)(uintptr_t)l) < 0)
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

void xy_link_order_put(struct xy_links *l, struct xy_link *k)
{
	uint32_t at = order_place(l, k);
	memmove(&l->order[at + 1], &l->order[at], (l->count - at) * sizeof(*l->order));
	l->order[at] = k->slot;
	l->count++;
}

void xy_link_order_drop(struct xy_links *l, const struct xy_link *k)
{
	uint32_t at = order_place(l, k);
	while (at < l->count && l->order[at] != k->slot) // of several with one name
		at++;
	if (at < l->count)
		memmove(&l->order[at], &l->order[at + 1], (--l->count - at) * sizeof(*l->order));
}

static void open_set(struct xy_links *l, const struct xy_config *c)
{
	l->open_most = c->max_open_peers;
	memcpy(l->open_psk, c->network_secret, sizeof(l->open_psk)); // zeros: none
}

static int bring_in(struct xy_links *l, const struct xy_plan *plan, xy_nsec now, struct xy_err *err)
{
	int r = 0;
	for (unsigned i = 0; !r && i < plan->config.peer_count; i++) {
		const struct xy_config_peer *p = &plan->config.peers[i];
		struct xy_link *k = xy_link_by_key(l, p->key.b);
		if (xy_key_is_zero(&p->key)) // not known yet
			continue;
		if (k) {
			xy_link_open_adopt(l, k, now);
			r = xy_link_change(l, k, p, now);
		} else {
			r = xy_link_add(l, p, &plan->remote[i], now, &k);
		}
		if (r)
			return xy_err_set(err, -r, "peer %s: cannot be added: %s%s", p->name,
					  strerror(-r),
					  r == -ENOSPC ? "; raise max_peers and restart" : "");
		k->mark = l->mark;
	}
	return 0;
}

int xy_links_apply(struct xy_links *l, const struct xy_plan *plan, xy_nsec now, struct xy_err *err)
{
	open_set(l, &plan->config);
	mark_wanted(l, plan);
	xy_links_routes_drop(l); // no route may lead to a peer that is gone
	remove_unwanted(l);
	int r = bring_in(l, plan, now, err);
	order_make(l);
	int routes = xy_links_routes_set(l, plan, r ? NULL : err);
	return r ? r : routes;
}
