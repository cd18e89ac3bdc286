// SPDX-License-Identifier: BSD-3-Clause
// The set of links: making it, finding one, running what is due, and what the dataplane tells.
#define XY_LOG_PART XY_PART_LINKS

#include "links/link.h"

#include "base/bytes.h"
#include "base/list.h"

#include <sodium.h>
#include <stdlib.h>

// Strangers' handshakes before cookies are asked: 1,000 a second are a twentieth of a core.
#define STRANGER_RATE  1000
#define STRANGER_BURST 100
// To those that do not answer, an initiation in so long: up to 5,000 of them are asked every
// REKEY_TIMEOUT, as WireGuard does it, and more less often.
#define RETRY_EVERY XY_MSEC
// A mesh link that nobody answered on is tried again after this, and half as much at random.
#define AGAIN_AFTER (5 * XY_SEC)

static int tables_init(struct xy_links *l)
{
	uint32_t n = l->cfg.max_peers;
	int r = xy_heap_init(&l->timers, n);
	r = r ? r : xy_map_init(&l->by_key);
	r = r ? r : xy_map_init(&l->by_serial);
	r = r ? r : xy_map_init(&l->by_remote);
	r = r ? r : xy_map_reserve(&l->by_key, n);
	r = r ? r : xy_map_reserve(&l->by_serial, n);
	r = r ? r : xy_map_reserve(&l->by_remote, n);
	l->link = calloc(n, sizeof(*l->link));
	l->met = calloc(n, sizeof(struct xy_link *));
	l->order = calloc(n, sizeof(*l->order));
	l->free_slot = calloc(n, sizeof(*l->free_slot));
	l->leaving = calloc(n, sizeof(*l->leaving));
	if (r || !l->link || !l->met || !l->order || !l->free_slot || !l->leaving)
		return -ENOMEM;
	while (l->free_count < n) {
		l->free_slot[l->free_count] = n - 1 - l->free_count;
		l->free_count++;
	}
	return 0;
}

static void own(struct xy_links *l)
{
	const struct xy_links_config *c = &l->cfg;
	l->exchanges = c->exchanges;
	l->rib = c->rib;
	l->book = c->book;
	l->feed.book = c->book;
	l->owner.ops = &xy_link_exchange_ops;
	l->owner.arg = l;
	l->owner.count = c->max_peers;
	l->owner.admission.rate = c->stranger_rate ? c->stranger_rate : STRANGER_RATE;
	l->owner.retry_every = RETRY_EVERY;
	l->owner.admission.burst = c->stranger_burst ? c->stranger_burst : STRANGER_BURST;
	xy_exchanges_own(c->exchanges, &l->owner);
}

int xy_links_create(const struct xy_links_config *cfg, struct xy_links **out, struct xy_err *err)
{
	struct xy_links *l = calloc(1, sizeof(*l));
	if (!l)
		return xy_err_set(err, ENOMEM, "no memory for links");
	l->cfg = *cfg;
	l->dp = cfg->dp;
	randombytes_buf(l->hash_key, sizeof(l->hash_key));
	own(l);
	if (tables_init(l)) {
		xy_links_destroy(l);
		return xy_err_set(err, ENOMEM, "no memory for %u links: lower max_peers",
				  cfg->max_peers);
	}
	*out = l;
	return 0;
}

void xy_links_destroy(struct xy_links *l)
{
	if (!l)
		return;
	xy_links_routes_clear(l);
	for (uint32_t i = 0; l->link && i < l->cfg.max_peers; i++)
		if (l->link[i])
			xy_link_remove(l, l->link[i]);
	for (uint32_t i = 0; l->leaving && i < l->cfg.max_peers; i++) // what routing held
		if (l->leaving[i])
			xy_dp_peer_del(l->dp, i);
	xy_exchanges_disown(l->exchanges, &l->owner);
	xy_heap_fini(&l->timers);
	xy_map_fini(&l->by_key);
	xy_map_fini(&l->by_serial);
	xy_map_fini(&l->by_remote);
	free(l->link);
	free(l->met);
	free(l->order);
	free(l->free_slot);
	free(l->leaving);
	free(l->rooms);
	sodium_memzero(l, sizeof(*l));
	free(l);
}

uint64_t xy_links_hash(const struct xy_links *l, const void *data, size_t len)
{
	uint64_t h;
	crypto_shorthash((unsigned char *)&h, data, len, l->hash_key);
	return h;
}

struct xy_link *xy_link_by_key(const struct xy_links *l, const uint8_t pk[XY_WG_KEY_LEN])
{
	uint32_t slot;
	if (!xy_map_get(&l->by_key, xy_links_hash(l, pk, XY_WG_KEY_LEN), &slot))
		return NULL;
	struct xy_link *k = l->link[slot];
	return memcmp(k->key.b, pk, XY_WG_KEY_LEN) == 0 ? k : NULL;
}

static bool is_kept_up(const struct xy_link *k)
{
	return !k->leaf && k->endpoints.count;
}

static xy_nsec again_at(struct xy_links *l, xy_nsec now)
{
	uint32_t random = 0;
	xy_env_random(l->cfg.env, &random, sizeof(random));
	return now + AGAIN_AFTER + random % (AGAIN_AFTER / 2);
}

void xy_link_tell(struct xy_links *l, const struct xy_link *k, enum xy_link_change what)
{
	if (k->routing && l->cfg.ops.routing)
		l->cfg.ops.routing(l->cfg.ops.arg, k->slot, what);
}

void xy_link_tell_up(struct xy_links *l, struct xy_link *k, xy_nsec now)
{
	char at[XY_ENDPOINT_STRLEN];
	xy_log_change(XY_LOG_INFO, now, k->open, k->name, "peer %s: up, at %s", k->name,
		      xy_endpoint_str(&k->remote, at));
	k->told_up = true;
	xy_link_tell(l, k, XY_LINK_CAME_UP);
}

// Without a session Babel cannot ask for one: what it sends is not held. So the link does.
void xy_link_down(struct xy_links *l, struct xy_link *k, xy_nsec now)
{
	if (k->routing && is_kept_up(k) && k->start_at == XY_NEVER)
		k->start_at = again_at(l, now);
	if (k->told_up)
		xy_link_tell(l, k, XY_LINK_WENT_DOWN);
	k->told_up = false;
}

void xy_link_given_up(struct xy_links *l, struct xy_link *k, xy_nsec now)
{
	char at[XY_ENDPOINT_STRLEN];
	unsigned long missed;
	const char *why = xy_link_trouble_text(k, 0);
	if (is_kept_up(k))
		k->start_at = again_at(l, now);
	if (xy_log_limit_pass(&k->quiet, now, &missed))
		xy_log_warn("peer %s: no answer, last tried %s%s%s", k->name,
			    xy_endpoint_str(&k->remote, at), why ? ": " : "", why ? why : "");
}

void xy_link_schedule(struct xy_links *l, struct xy_link *k, xy_nsec now)
{
	const xy_nsec due[] = {xy_exchange_deadline(l->exchanges, &k->exchange, now),
			       xy_link_open_ends(l, k), xy_link_trouble_due(l, k)};
	xy_nsec at = k->start_at;
	for (unsigned i = 0; i < XY_ARRAY_SIZE(due); i++)
		at = due[i] < at ? due[i] : at;
	xy_heap_set(&l->timers, &k->timer, at);
}

static void start(struct xy_links *l, struct xy_link *k, xy_nsec now)
{
	k->start_at = XY_NEVER;
	if (xy_link_is_up(l, k, now))
		return;
	if (!k->remote.port && k->endpoints.count)
		k->start_at = again_at(l, now);
	xy_exchange_want(l->exchanges, &k->exchange, now);
}

static void run(struct xy_links *l, struct xy_link *k, xy_nsec now)
{
	if (now >= xy_link_trouble_due(l, k))
		xy_link_trouble_unanswered(l, k, now);
	if (now >= k->start_at)
		start(l, k, now);
	xy_exchange_run(l->exchanges, &k->exchange, now);
	xy_link_schedule(l, k, now);
}

static void renew_run(struct xy_links *l, unsigned *max, xy_nsec now)
{
	for (; l->renewing && *max; l->renewing--) {
		struct xy_link *k = l->link[l->renewing - 1];
		if (!k)
			continue;
		xy_link_renew(l, k, now);
		(*max)--;
	}
}

// The plan has no word of open peers: theirs is the secret of all.
static void reopen_run(struct xy_links *l, unsigned *max, xy_nsec now)
{
	for (; l->reopening && *max; l->reopening--) {
		struct xy_link *k = l->link[l->reopening - 1];
		if (!k || !k->open)
			continue;
		memcpy(k->exchange.theirs.psk, l->open_psk, sizeof(l->open_psk));
		xy_link_renew(l, k, now);
		(*max)--;
	}
}

void xy_links_run(struct xy_links *l, unsigned max, xy_nsec now)
{
	struct xy_heap_node *n;
	renew_run(l, &max, now);
	reopen_run(l, &max, now);
	xy_links_accepts_again(l, now);
	for (; max && (n = xy_heap_first(&l->timers)) && n->at <= now; max--) {
		struct xy_link *k = (struct xy_link *)n;
		if (xy_link_open_ends(l, k) <= now)
			xy_link_open_drop(l, k);
		else
			run(l, k, now);
	}
	if (l->rib->unused_count)
		xy_links_slots_free(l);
	xy_links_apply_run(l, 2 * max, now);
}

xy_nsec xy_links_deadline(const struct xy_links *l)
{
	const struct xy_heap_node *n = xy_heap_first(&l->timers);
	if (l->renewing || l->reopening || xy_links_apply_due(l) ||
	    (l->leaving_count && l->rib->unused_count))
		return 0;
	xy_nsec at = n ? n->at : XY_NEVER;
	return l->untold && l->tell_at < at ? l->tell_at : at;
}

static void session_event(struct xy_links *l, struct xy_link *k, const struct xy_dp_event *ev,
			  xy_nsec now)
{
	const struct xy_dp_heard heard = {ev->local, ev->interface, ev->port};
	if (ev->type == XY_DP_FIRST) {
		xy_exchange_first(l->exchanges, &k->exchange, ev->index, now);
		if (k->provisional)
			xy_link_open_confirm(l, k, now);
	} else if (ev->type == XY_DP_ROAM)
		xy_link_endpoint_learn(l, k, &ev->remote, &heard, now);
	else
		run(l, k, now);
	xy_link_schedule(l, k, now);
}

static void ask(struct xy_links *l, struct xy_link *k, xy_nsec now)
{
	if (k->remote.port) {
		xy_exchange_want(l->exchanges, &k->exchange, now);
	} else {
		xy_exchange_stop(l->exchanges, &k->exchange);
		xy_link_endpoints_ask(l, k, now);
	}
	xy_link_schedule(l, k, now);
}

void xy_links_ask(struct xy_links *l, uint32_t slot, xy_nsec now)
{
	struct xy_link *k = slot < l->cfg.max_peers ? l->link[slot] : NULL;
	if (k)
		ask(l, k, now);
}

static void peer_event(struct xy_links *l, struct xy_link *k, const struct xy_dp_event *ev,
		       xy_nsec now)
{
	if (ev->type == XY_DP_MTU) {
		xy_link_endpoint_publish(l, k); // what did not change is not told again
		return;
	}
	ask(l, k, now);
}

static void punt(struct xy_links *l, const struct xy_dp_event *ev, xy_nsec now)
{
	const struct xy_exchange_message m = {
		.data = ev->data,
		.len = ev->len,
		.at = {.remote = ev->remote,
		       .heard = {ev->local, ev->interface, ev->port},
		       .worker = ev->worker},
		.payer = ev->remote.addr,
	};
	if (xy_addr_is_mesh(&ev->remote.addr))
		xy_links_drop(l, XY_HS_DROP_OVERLAY, NULL, &ev->remote);
	else
		xy_exchanges_take(l->exchanges, &l->owner, &m, now);
}

// Of a session, and not of a handshake under way.
static struct xy_link *by_session(const struct xy_links *l, uint32_t index)
{
	struct xy_exchange *x = xy_exchanges_by_index(l->exchanges, &l->owner, index);
	return x && xy_keypairs_find(&x->keypairs, index) != XY_KEYPAIR_SLOTS ? xy_link_of(x)
									      : NULL;
}

void xy_links_event(struct xy_links *l, const struct xy_dp_event *ev, xy_nsec now)
{
	struct xy_link *k;
	switch (ev->type) {
	case XY_DP_PUNT:
		punt(l, ev, now);
		break;
	case XY_DP_WANT:
	case XY_DP_MTU:
		k = ev->peer < l->cfg.max_peers ? l->link[ev->peer]
						: xy_link_by_remote(l, &ev->remote);
		if (k)
			peer_event(l, k, ev, now);
		else if (ev->type == XY_DP_WANT && ev->peer < l->cfg.max_peers) // it is gone
			xy_dp_peer_release_held(l->dp, ev->peer);
		break;
	case XY_DP_ROAM:
	case XY_DP_FIRST:
	case XY_DP_NUDGE:
		k = by_session(l, ev->index);
		if (k)
			session_event(l, k, ev, now);
		break;
	case XY_DP_REFUSED:
		xy_link_trouble_icmp(l, ev, now);
		k = xy_link_by_remote(l, &ev->remote);
		if (k && k->told_up)
			xy_link_tell(l, k, XY_LINK_DOUBT);
		break;
	case XY_DP_OVERLAY:
	case XY_DP_ASK:
	case XY_DP_USED:
	case XY_DP_MEET:
	case XY_DP_LOST:
	case XY_DP_FAR_MTU:
		break; // routing's, and far nodes'
	}
}

bool xy_links_mtu_refresh(struct xy_links *l, unsigned *from, unsigned max)
{
	for (; *from < l->count && max; (*from)++, max--) {
		struct xy_link *k = l->link[l->order[*from]];
		if (k->remote.port)
			xy_link_endpoint_publish(l, k);
	}
	return *from < l->count;
}

void xy_links_reset(struct xy_links *l, uint32_t slot, xy_nsec now)
{
	struct xy_link *k = slot < l->cfg.max_peers ? l->link[slot] : NULL;
	if (k)
		xy_link_renew(l, k, now);
}
