// SPDX-License-Identifier: BSD-3-Clause
// A link's life, and its number's, which goes on until no route leads there.
#define XY_LOG_PART XY_PART_LINKS

#include "links/link.h"

#include <sodium.h>
#include <stdlib.h>

#define START_SPREAD XY_SEC // links begin spread over this, so that a start is no burst

// Who has no name gets one of the key.
static void name_make(const struct xy_book_peer *p, char name[static XY_NAME_LEN + 1])
{
	char text[XY_KEY_STRLEN];
	memcpy(name, p->says->name, XY_NAME_LEN + 1);
	if (name[0])
		return;
	sodium_bin2base64(text, sizeof(text), p->key.b, sizeof(p->key.b),
			  sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	snprintf(name, XY_NAME_LEN + 1, "open-%.16s", text);
}

// Initiate unasked: to every node whose endpoint is known, and to a leaf that is to be kept alive.
void xy_link_start_plan(struct xy_links *l, struct xy_link *k, xy_nsec now)
{
	uint32_t random = 0;
	xy_env_random(l->cfg.env, &random, sizeof(random));
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

void xy_link_change(struct xy_links *l, struct xy_link *k, const struct xy_book_peer *e,
		    xy_nsec now)
{
	const struct xy_config_peer *p = e->says;
	name_make(e, k->name);
	routing_set(l, k, p);
	if (k->keepalive != p->keepalive) {
		k->keepalive = p->keepalive;
		xy_exchange_keepalive_set(&k->exchange, p->keepalive * XY_SEC, now);
	}
	if (k->mtu != p->mtu) {
		k->mtu = p->mtu;
		xy_link_endpoint_publish(l, k);
	}
	k->allowed = &p->allowed;
	k->shut = p->no_traffic;
	xy_link_endpoints_set(l, k, p, now);
	if (!xy_link_is_up(l, k, now))
		xy_link_start_plan(l, k, now);
	xy_link_schedule(l, k, now);
}

// Who was up is asked at once, in case it has nothing to send, and so would not find out.
void xy_link_renew(struct xy_links *l, struct xy_link *k, xy_nsec now)
{
	bool had = xy_keypairs_current(&k->exchange.keypairs);
	xy_exchange_restart(l->exchanges, &k->exchange);
	xy_link_down(l, k, now);
	xy_link_start_plan(l, k, now);
	if (had && !k->leaf && k->remote.port && k->start_at == XY_NEVER)
		k->start_at = now;
	xy_link_schedule(l, k, now);
}

// The dataplane is told of it once, with all that is known; its indices and routes come after.
static int enter(struct xy_links *l, struct xy_link *k, const struct xy_book_peer *p, xy_nsec now)
{
	int r = xy_map_set(&l->by_key, xy_links_hash(l, k->key.b, XY_KEY_LEN), k->slot);
	r = r ? r : xy_map_set(&l->by_serial, k->exchange.serial, k->slot);
	if (r)
		return r;
	k->entering = true;
	xy_link_change(l, k, p, now);
	k->entering = false;
	r = xy_link_endpoint_publish(l, k);
	if (!r && xy_link_accepts_tell(l, k))
		xy_log_error("peer %s: no memory for what it may send from: nothing, until there "
			     "is",
			     k->name);
	return r;
}

int xy_link_add(struct xy_links *l, const struct xy_book_peer *p, xy_nsec now, struct xy_link **out)
{
	if (!l->free_count && !l->leaving_count && !xy_link_open_evict(l))
		return -ENOSPC;
	if (!l->free_count) // routes still lead to who has gone
		return -EAGAIN;
	struct xy_link *k = calloc(1, sizeof(*k));
	if (!k)
		return -ENOMEM;
	k->slot = l->free_slot[--l->free_count];
	k->key = p->key;
	k->leaf = p->says->leaf;
	k->routing = xy_config_speaks(p->says);
	k->keepalive = p->says->keepalive;
	k->mtu = p->says->mtu;
	k->start_at = XY_NEVER;
	xy_exchange_init(l->exchanges, &k->exchange, k->slot, p->remote, k->keepalive * XY_SEC);
	k->exchange.suite.plain = k->leaf;
	l->link[k->slot] = k;
	int r = enter(l, k, p, now);
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
	xy_exchange_clear(l->exchanges, &k->exchange);
	xy_exchanges_forget(l->exchanges, k->slot);
	xy_link_unmeet(l, k);
	xy_heap_set(&l->timers, &k->timer, XY_NEVER);
	xy_map_del(&l->by_key, xy_links_hash(l, k->key.b, XY_KEY_LEN));
	xy_map_del(&l->by_serial, k->exchange.serial);
	xy_link_endpoints_free(l, k);
	l->link[k->slot] = NULL;
	l->leaving[k->slot] = true;
	l->leaving_count++;
	xy_rib_hold(l->rib, k->slot); // nothing may name it as it is
	xy_rib_release(l->rib, k->slot);
	sodium_memzero(k, sizeof(*k));
	free(k);
	xy_links_slots_free(l);
}

// A route that leads there would be the next peer's: it comes after the last one.
void xy_links_slots_free(struct xy_links *l)
{
	uint32_t slot;
	if (!l->leaving_count)
		return;
	xy_rib_commit(l->rib);
	while (xy_rib_unused(l->rib, &slot)) {
		if (!l->leaving[slot])
			continue;
		l->leaving[slot] = false;
		l->leaving_count--;
		xy_dp_peer_del(l->dp, slot);
		l->free_slot[l->free_count++] = slot;
		xy_book_wake(l->book);
	}
}

// --- the list by name

static int by_name(const void *a, const void *b, void *arg)
{
	const struct xy_links *l = arg;
	return strcmp(l->link[*(const uint32_t *)a]->name, l->link[*(const uint32_t *)b]->name);
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

bool xy_links_lanes_asked(struct xy_links *l, uint32_t slot, const struct xy_nodeinfo_lanes *q,
			  struct xy_nodeinfo_lanes *out)
{
	struct xy_link *k = slot < l->cfg.max_peers ? l->link[slot] : NULL;
	if (!k)
		return false;
	struct xy_nodeinfo_lanes of = *q;
	if (!xy_dp_port_takes_lanes(l->dp, k->told.heard.port))
		of.count = 1;
	return xy_exchange_lanes_asked(l->exchanges, &k->exchange, &of, out);
}

void xy_links_lanes_told(struct xy_links *l, uint32_t slot, const struct xy_nodeinfo_lanes *its,
			 xy_nsec now)
{
	struct xy_link *k = slot < l->cfg.max_peers ? l->link[slot] : NULL;
	if (!k)
		return;
	xy_exchange_lanes_told(l->exchanges, &k->exchange, its, now);
	xy_link_schedule(l, k, now);
}

void xy_links_suites(struct xy_links *l, uint32_t slot, uint8_t can, uint8_t best, bool asked,
		     xy_nsec now)
{
	struct xy_link *k = slot < l->cfg.max_peers ? l->link[slot] : NULL;
	if (!k)
		return;
	xy_exchange_suites(l->exchanges, &k->exchange, can, best, asked, now);
	xy_link_schedule(l, k, now);
}
