// SPDX-License-Identifier: BSD-3-Clause
// A far node's life: how it comes, who makes room for whom, and how it goes.
#define XY_LOG_PART XY_PART_LINKS

#include "far/fars.h"

#include <sodium.h>
#include <stdlib.h>

#define ACTIVE	      (10 * XY_SEC) // since something was carried: it makes room for no traffic
#define ACTIVE_LONGER (60 * XY_SEC) // nor for strangers
#define COMMITTED     XY_SEC	    // is a change of routes long before
#define MEET_AGAIN    (10 * XY_MSEC)

enum {
	MEETS_AT_ONCE = 32,	 // of the jobs of all: 2 ms of helpers' time
	PROVISIONAL_MOST = 1024, // a second's worth of strangers, before cookies are asked
	RESTED_MOST = 8,
	SPARE_MOST = 64, // indices that are kept free, for links and for rekeys
};

// --- lists

static void list_put(struct xy_far_list *l, struct xy_far_node *n)
{
	n->prev = l->tail;
	n->next = NULL;
	*(l->tail ? &l->tail->next : &l->head) = n;
	l->tail = n;
}

static void list_take(struct xy_far_list *l, struct xy_far_node *n)
{
	*(n->prev ? &n->prev->next : &l->head) = n->next;
	*(n->next ? &n->next->prev : &l->tail) = n->prev;
	n->prev = n->next = NULL;
}

static struct xy_far_list *list_of(struct xy_fars *f, const struct xy_far_node *n)
{
	if (n->provisional)
		return &f->provisional;
	return n->pins ? NULL : &f->idle;
}

static void list_leave(struct xy_fars *f, struct xy_far_node *n)
{
	struct xy_far_list *l = list_of(f, n);
	if (l)
		list_take(l, n);
}

static void list_enter(struct xy_fars *f, struct xy_far_node *n)
{
	struct xy_far_list *l = list_of(f, n);
	if (l)
		list_put(l, n);
}

void xy_far_touch(struct xy_fars *f, struct xy_far_node *n, xy_nsec at)
{
	if (at <= n->active)
		return;
	n->active = at;
	if (list_of(f, n) != &f->idle)
		return;
	list_take(&f->idle, n);
	list_put(&f->idle, n);
}

// --- by what it is found

static uint64_t net_hash(const struct xy_fars *f, const struct xy_addr *addr)
{
	uint64_t h;
	crypto_shorthash((unsigned char *)&h, addr->b, 8, f->hash_key);
	return h;
}

struct xy_far_node *xy_far_by_net(const struct xy_fars *f, const struct xy_addr *addr)
{
	uint32_t number;
	if (!xy_map_get(&f->by_net, net_hash(f, addr), &number))
		return NULL;
	struct xy_far_node *n = xy_far_at(f, number);
	return n && memcmp(n->addr.b, addr->b, 8) == 0 ? n : NULL;
}

struct xy_far_node *xy_far_by_key(const struct xy_fars *f, const struct xy_key *key)
{
	const struct xy_addr addr = xy_key_addr(key);
	struct xy_far_node *n = xy_far_by_net(f, &addr);
	return n && memcmp(n->key.b, key->b, sizeof(key->b)) == 0 ? n : NULL;
}

// --- who makes room

static uint32_t provisional_most(const struct xy_fars *f)
{
	uint32_t quarter = f->cfg.max / 4;
	return quarter < PROVISIONAL_MOST ? quarter + !quarter : PROVISIONAL_MOST;
}

bool xy_fars_crowded(const struct xy_fars *f)
{
	return f->provisional_count && f->provisional_count >= provisional_most(f) / 2;
}

// The oldest of the link that brought most, which is the one at hand where that has as many: so a
// flood by one link takes places from itself.
static struct xy_far_node *provisional_victim(const struct xy_fars *f, uint32_t via)
{
	uint32_t most = via < f->cfg.first ? f->brought[via] : 0, link = via;
	for (const struct xy_far_node *n = f->provisional.head; n; n = n->next)
		if (n->via < f->cfg.first && f->brought[n->via] > most) {
			most = f->brought[n->via];
			link = n->via;
		}
	for (struct xy_far_node *n = f->provisional.head; n; n = n->next)
		if (n->via == link)
			return n;
	return f->provisional.head;
}

static bool is_strange(enum xy_far_reason why)
{
	return why == XY_FAR_BY_STRANGER || why == XY_FAR_BY_LOST;
}

static struct xy_far_node *victim(const struct xy_fars *f, enum xy_far_reason why, uint32_t via,
				  xy_nsec now)
{
	struct xy_far_node *n = f->idle.head;
	xy_nsec least = is_strange(why) ? ACTIVE_LONGER : ACTIVE;
	if (f->provisional.head)
		return provisional_victim(f, via);
	while (n && why == XY_FAR_BY_PIN && n->unpinned && now - n->unpinned < COMMITTED)
		n = n->next;
	return n && (why == XY_FAR_BY_PIN || now - n->active >= least) ? n : NULL;
}

static void evict(struct xy_fars *f, struct xy_far_node *n)
{
	f->evicted++;
	xy_far_forget(f, n);
}

static uint32_t spare(const struct xy_fars *f)
{
	uint32_t eighth = f->cfg.max_sessions / 8;
	return eighth < SPARE_MOST ? eighth : SPARE_MOST;
}

static bool is_short(const struct xy_fars *f)
{
	return xy_exchanges_indices(f->cfg.exchanges) + spare(f) >= f->cfg.max_sessions;
}

void xy_fars_trim(struct xy_fars *f, xy_nsec now)
{
	struct xy_far_node *n =
		is_short(f) ? victim(f, XY_FAR_BY_TRAFFIC, XY_DP_NO_PEER, now) : NULL;
	if (n)
		evict(f, n);
}

// So many numbers are kept free that the next one has rested: workers still knew it by another's
// name a moment ago.
static uint32_t rested(const struct xy_fars *f)
{
	uint32_t part = f->cfg.max / 16;
	return part < RESTED_MOST ? part : RESTED_MOST;
}

// Who makes room for one more goes when that one is there, or it could be in vain: only where all
// numbers are taken it goes now. An index that goes is another's after a grace period, so some are
// kept. False: there is no room.
static bool room_find(struct xy_fars *f, enum xy_far_reason why, uint32_t via, xy_nsec now,
		      struct xy_far_node **leaves)
{
	struct xy_far_node *n = NULL;
	if (is_strange(why) && f->provisional_count >= provisional_most(f))
		n = provisional_victim(f, via);
	else if (f->free_count <= rested(f) || is_short(f))
		n = victim(f, why, via, now);
	bool found = n || why == XY_FAR_BY_PIN ||
		     xy_exchanges_indices(f->cfg.exchanges) + spare(f) / 2 < f->cfg.max_sessions;
	*leaves = f->free_count ? n : NULL;
	if (n && !f->free_count)
		evict(f, n);
	return f->free_count && found;
}

static void say_full(struct xy_fars *f, const struct xy_key *key, bool memory, xy_nsec now)
{
	char text[XY_ADDR_STRLEN];
	unsigned long missed;
	const struct xy_addr addr = xy_key_addr(key);
	f->refused++;
	if (xy_log_limit_pass(&f->log_full, now, &missed))
		xy_log_warn("node %s: no %s to seal for one more node end to end%s (%lu more like "
			    "this)",
			    xy_addr_str(&addr, text), memory ? "memory" : "room",
			    memory ? "; it is tried again" : ": raise max_sessions and restart",
			    missed);
}

// --- coming

int xy_far_tell(struct xy_fars *f, struct xy_far_node *n)
{
	const struct xy_dp_far cfg = {.addr = n->addr, .mtu = n->mtu};
	return xy_dp_far_set(f->cfg.dp, n->number, &cfg);
}

void xy_far_accepts_tell(struct xy_fars *f, struct xy_far_node *n)
{
	const struct xy_prefix *prefix;
	unsigned count = xy_accepts_of(f->cfg.accepts, &n->key, &prefix);
	xy_dp_exit_allow(f->cfg.dp, n->number, xy_accepts_exits(f->cfg.accepts, &n->key));
	int r = xy_dp_accepts_set(f->cfg.dp, n->number, prefix, count);
	if (r) // what was is wider, maybe; nothing needs no memory
		xy_dp_accepts_set(f->cfg.dp, n->number, NULL, 0);
	if (r && !n->untold)
		xy_log_error("node %s: no memory for what it may send from: nothing, until there "
			     "is",
			     xy_far_exchange_ops.name(&n->exchange));
	n->untold = r;
	f->untold = f->untold || r;
}

static uint32_t number_take(struct xy_fars *f)
{
	uint32_t number = f->free[f->free_at];
	f->free_at = (f->free_at + 1) % f->cfg.max;
	f->free_count--;
	return number;
}

static void number_untake(struct xy_fars *f, uint32_t number) // it rests on
{
	f->free_at = (f->free_at + f->cfg.max - 1) % f->cfg.max;
	f->free[f->free_at] = number;
	f->free_count++;
}

static void number_give(struct xy_fars *f, uint32_t number)
{
	f->free[(f->free_at + f->free_count++) % f->cfg.max] = number;
}

static void meet_put(struct xy_fars *f, struct xy_far_node *n)
{
	n->phase = XY_FAR_WAITS;
	n->meet_prev = f->meet_tail;
	n->meet_next = NULL;
	*(f->meet_tail ? &f->meet_tail->meet_next : &f->meet_head) = n;
	f->meet_tail = n;
}

static void meet_take(struct xy_fars *f, struct xy_far_node *n)
{
	*(n->meet_prev ? &n->meet_prev->meet_next : &f->meet_head) = n->meet_next;
	*(n->meet_next ? &n->meet_next->meet_prev : &f->meet_tail) = n->meet_prev;
	n->meet_prev = n->meet_next = NULL;
}

static void enter(struct xy_fars *f, struct xy_far_node *n, enum xy_far_reason why)
{
	n->provisional = is_strange(why);
	f->provisional_count += n->provisional;
	if (n->provisional && n->via < f->cfg.first)
		f->brought[n->via]++;
	list_enter(f, n);
	xy_far_accepts_tell(f, n);
	if (why == XY_FAR_BY_STRANGER) // what it takes is there already
		n->phase = XY_FAR_MEETS;
	else
		meet_put(f, n);
	f->made++;
}

static int announce(struct xy_fars *f, struct xy_far_node *n)
{
	int r = xy_map_set(&f->by_net, net_hash(f, &n->addr), n->number);
	r = r ? r : xy_far_tell(f, n);
	if (r)
		xy_map_del(&f->by_net, net_hash(f, &n->addr));
	return r;
}

struct xy_far_node *xy_far_make(struct xy_fars *f, const struct xy_key *key, enum xy_far_reason why,
				uint32_t via, xy_nsec now)
{
	struct xy_far_node *leaves;
	bool room = room_find(f, why, via, now, &leaves);
	struct xy_far_node *n = room ? calloc(1, sizeof(*n)) : NULL;
	if (!n) {
		say_full(f, key, room, now);
		return NULL;
	}
	n->number = number_take(f);
	n->key = *key;
	n->addr = xy_key_addr(key);
	n->via = n->via_last = via;
	n->since = n->active = now;
	n->ends = XY_NEVER;
	int r = announce(f, n);
	if (r) {
		number_untake(f, n->number);
		free(n);
		if (r != -EBUSY) // else whoever wants it asks again
			say_full(f, key, r == -ENOMEM, now);
		return NULL;
	}
	f->node[n->number - f->cfg.first] = n;
	if (leaves)
		evict(f, leaves);
	enter(f, n, why);
	return n;
}

// --- meeting

void xy_far_meet_again(struct xy_fars *f, struct xy_far_node *n)
{
	if (n->phase == XY_FAR_MEETS)
		meet_put(f, n);
}

bool xy_far_meets_due(const struct xy_fars *f)
{
	return f->meet_head && f->meeting < MEETS_AT_ONCE;
}

void xy_far_meets_next(struct xy_fars *f, xy_nsec now)
{
	while (now >= f->meet_at && xy_far_meets_due(f)) {
		struct xy_far_node *n = f->meet_head;
		const struct xy_endpoint remote = {.addr = n->addr};
		if (!xy_exchanges_meet_wanted(f->cfg.exchanges, &f->owner, n->key.b, f->cfg.psk,
					      &remote)) {
			f->meet_at = now + MEET_AGAIN;
			return;
		}
		meet_take(f, n);
		n->phase = XY_FAR_MEETS;
		f->meeting++;
	}
}

void xy_far_ready(struct xy_fars *f, struct xy_far_node *n, const struct xy_job *job, xy_nsec now)
{
	struct xy_hs_remote theirs = job->theirs;
	memcpy(theirs.psk, f->cfg.psk, sizeof(theirs.psk)); // it may be another by now
	if (n->phase == XY_FAR_WAITS)
		meet_take(f, n);
	n->phase = XY_FAR_READY;
	xy_exchange_init(f->cfg.exchanges, &n->exchange, n->number, &theirs, 0);
	n->exchange.suite.whole = true;
	sodium_memzero(&theirs, sizeof(theirs));
	if (n->wanted)
		xy_far_want(f, n, now);
	xy_far_schedule(f, n, now);
}

// --- staying

static void provisional_end(struct xy_fars *f, struct xy_far_node *n)
{
	if (!n->provisional)
		return;
	f->provisional_count--;
	if (n->via < f->cfg.first)
		f->brought[n->via]--;
	n->via = n->via_last;
	n->provisional = false;
}

void xy_far_confirm(struct xy_fars *f, struct xy_far_node *n, xy_nsec now)
{
	if (!n->provisional)
		return;
	list_leave(f, n);
	provisional_end(f, n);
	n->active = now > n->active ? now : n->active;
	list_enter(f, n);
}

void xy_far_pins_set(struct xy_fars *f, struct xy_far_node *n, unsigned pins, xy_nsec now)
{
	list_leave(f, n);
	provisional_end(f, n);
	f->pinned_count += !n->pins && pins;
	f->pinned_count -= n->pins && !pins;
	n->pins = pins;
	n->active = now > n->active ? now : n->active;
	if (!pins) { // till the table of routes is committed, workers see one that leads there
		n->unpinned = now;
		n->ends = n->phase == XY_FAR_CANNOT ? now + COMMITTED : XY_NEVER;
	}
	list_enter(f, n);
	xy_far_schedule(f, n, now);
}

// --- going

void xy_far_forget(struct xy_fars *f, struct xy_far_node *n)
{
	if (n->phase == XY_FAR_READY)
		xy_exchange_clear(f->cfg.exchanges, &n->exchange);
	if (n->phase == XY_FAR_WAITS)
		meet_take(f, n);
	xy_heap_set(&f->timers, &n->timer, XY_NEVER);
	list_leave(f, n);
	provisional_end(f, n);
	f->pinned_count -= n->pins != 0;
	xy_map_del(&f->by_net, net_hash(f, &n->addr));
	f->node[n->number - f->cfg.first] = NULL;
	xy_dp_far_del(f->cfg.dp, n->number);
	xy_exchanges_forget(f->cfg.exchanges, n->number);
	number_give(f, n->number);
	sodium_memzero(n, sizeof(*n));
	free(n);
	f->ended++;
}
