// SPDX-License-Identifier: BSD-3-Clause
// Origins and their epochs, claims on their way through verification, and the proofs that remain.
#include "babel/state.h"

#include <sodium.h>

uint32_t babel_origin_find(const struct xy_babel *b, const uint8_t ed25519[32])
{
	uint32_t i = babel_map_first(&b->origin_map, babel_hash_bytes(b, ed25519, 32));
	while (i && memcmp(ORIGIN(b, i)->ed25519.b, ed25519, 32) != 0)
		i = babel_map_next(&b->origin_map, i);
	return i;
}

uint32_t babel_origin_by_key(const struct xy_babel *b, const struct xy_key *x25519)
{
	uint32_t i = babel_map_first(&b->x_map, babel_hash_bytes(b, x25519->b, 32));
	while (i && memcmp(ORIGIN(b, i)->x25519.b, x25519->b, 32) != 0)
		i = babel_map_next(&b->x_map, i);
	return i;
}

// ---- eras ----

static uint32_t era_find(const struct xy_babel *b, uint64_t rid)
{
	struct era key = {.rid = rid};
	uint32_t i = babel_map_first(&b->era_map, b->era_map.hash(b, &key));
	while (i && ERA(b, i)->rid != rid)
		i = babel_map_next(&b->era_map, i);
	return i;
}

uint32_t babel_origin_by_rid(const struct xy_babel *b, uint64_t rid)
{
	uint32_t i = era_find(b, rid);
	return i ? ERA(b, i)->origin : 0;
}

// A reference more; 0: no memory.
static uint32_t era_hold(struct xy_babel *b, uint32_t origin, const struct xy_babel_claim *c)
{
	uint32_t i = era_find(b, c->rid);
	while (i && (ERA(b, i)->rid != c->rid || ERA(b, i)->origin != origin ||
		     ERA(b, i)->epoch != c->origin.epoch))
		i = babel_map_next(&b->era_map, i);
	if (!i) {
		i = babel_pool_take(&b->eras);
		if (!i)
			return 0;
		ERA(b, i)->rid = c->rid;
		ERA(b, i)->origin = origin;
		ERA(b, i)->epoch = c->origin.epoch;
		if (!babel_map_insert(&b->era_map, i)) {
			babel_pool_give(&b->eras, i);
			return 0;
		}
	}
	ERA(b, i)->refs++;
	return i;
}

static void era_drop(struct xy_babel *b, uint32_t i)
{
	if (!i || --ERA(b, i)->refs)
		return;
	babel_map_remove(&b->era_map, i);
	babel_pool_give(&b->eras, i);
}

// ---- life of an origin ----

static struct list *dead_list(struct xy_babel *b, const struct origin *o)
{
	struct neigh *n = charged(b, &o->charge);
	if (n)
		return &n->dead;
	return o->charge.serial ? &b->orphans : &b->dead;
}

static void dead_unlink(struct xy_babel *b, uint32_t i)
{
	struct origin *o = ORIGIN(b, i);
	struct list *l = dead_list(b, o);
	if (!o->dead)
		return;
	*(o->dprev ? &ORIGIN(b, o->dprev)->dnext : &l->head) = o->dnext;
	*(o->dnext ? &ORIGIN(b, o->dnext)->dprev : &l->tail) = o->dprev;
	o->dead = false;
	o->dnext = o->dprev = 0;
}

static void dead_append(struct xy_babel *b, uint32_t i)
{
	struct origin *o = ORIGIN(b, i);
	struct list *l = dead_list(b, o);
	dead_unlink(b, i);
	o->dead = true;
	o->dead_since = b->now;
	o->dprev = l->tail;
	*(o->dprev ? &ORIGIN(b, o->dprev)->dnext : &l->head) = i;
	l->tail = i;
	babel_timer_set(b, T_ORIGIN, i, b->now + ORIGIN_GC);
}

void babel_origin_idle(struct xy_babel *b, uint32_t i)
{
	struct origin *o = ORIGIN(b, i);
	bool idle = !o->proof_count && !o->dest_count;
	if (idle == o->dead)
		return;
	if (idle) {
		dead_append(b, i);
		return;
	}
	dead_unlink(b, i);
	if (!o->retire_at && !o->retiring)
		babel_timer_stop(b, T_ORIGIN, i);
}

static void idle_free(struct xy_babel *b, uint32_t i);

// Nobody's any more: several have brought it.
static void uncharge(struct xy_babel *b, uint32_t i)
{
	struct origin *o = ORIGIN(b, i);
	struct neigh *n = charged(b, &o->charge);
	bool dead = o->dead;
	xy_nsec since = o->dead_since;
	if (!o->charge.serial)
		return;
	dead_unlink(b, i);
	if (n)
		n->keys_charged--;
	o->charge = (struct charge){0};
	if (!dead)
		return;
	dead_append(b, i);
	o->dead_since = since;
}

void babel_origins_orphan(struct xy_babel *b, struct neigh *n)
{
	if (!n->dead.head)
		return;
	ORIGIN(b, n->dead.head)->dprev = b->orphans.tail;
	*(b->orphans.tail ? &ORIGIN(b, b->orphans.tail)->dnext : &b->orphans.head) = n->dead.head;
	b->orphans.tail = n->dead.tail;
}

static void origin_free(struct xy_babel *b, uint32_t i)
{
	while (ORIGIN(b, i)->proofs) // idle ones, as it is dead
		idle_free(b, ORIGIN(b, i)->proofs);
	dead_unlink(b, i);
	uncharge(b, i);
	babel_timer_stop(b, T_ORIGIN, i);
	babel_map_remove(&b->origin_map, i);
	babel_map_remove(&b->x_map, i);
	era_drop(b, ORIGIN(b, i)->era);
	if (ORIGIN(b, i)->kept)
		babel_pool_give(&b->kepts, ORIGIN(b, i)->kept);
	ORIGIN(b, i)->shown = ORIGIN(b, i)->kept =
		0; // an Update on its way may still look (struct out)
	babel_pool_give(&b->origins, i);
}

// The key of a list that has been without a route for the longest time, unless it is preferred.
static bool free_oldest(struct xy_babel *b, const struct list *l)
{
	uint32_t i = l->head;
	while (i && ORIGIN(b, i)->prefer)
		i = ORIGIN(b, i)->dnext;
	if (i)
		origin_free(b, i);
	return i;
}

static struct neigh *fullest(const struct xy_babel *b)
{
	struct neigh *most = NULL;
	FOR_NEIGHS(b, n)
	if (n->dead.head && (!most || n->keys_charged > most->keys_charged))
		most = n;
	return most;
}

// Full: what one neighbour alone has brought goes first, of the one that brought most, so that keys
// that somebody makes up displace each other, and not the epoch of an origin that is away.
static void make_room(struct xy_babel *b)
{
	if (free_oldest(b, &b->orphans))
		return;
	const struct neigh *n = fullest(b);
	b->stats.steps += b->neigh_count;
	if (!n || !free_oldest(b, &n->dead))
		free_oldest(b, &b->dead);
}

// n: who brought it first; NULL: the user.
static uint32_t origin_add(struct xy_babel *b, const uint8_t ed25519[32], const struct xy_key *x,
			   struct neigh *n)
{
	if (n && n->c.trust == XY_BABEL_OPEN && n->keys_charged >= OPEN_KEYS)
		free_oldest(b, &n->dead);
	if (b->origins.used >= b->origins.limit)
		make_room(b);
	uint32_t i = babel_pool_take(&b->origins);
	if (!i)
		return 0;
	struct origin *o = ORIGIN(b, i);
	memcpy(o->ed25519.b, ed25519, 32);
	o->x25519 = *x;
	if (n) {
		o->charge = (struct charge){n->serial, n->id, false};
		n->keys_charged++;
	}
	if (!babel_map_insert(&b->origin_map, i) || !babel_map_insert(&b->x_map, i)) {
		origin_free(b, i);
		return 0;
	}
	dead_append(b, i);
	return i;
}

// Preferred, and its Ed25519 form not known: that comes with its first claim.
static bool is_unmet(const struct origin *o)
{
	return o->prefer && sodium_is_zero(o->ed25519.b, sizeof(o->ed25519.b));
}

void xy_babel_origin_prefer(struct xy_babel *b, const struct xy_key *x25519, bool on)
{
	static const uint8_t unknown[32];
	uint32_t i = babel_origin_by_key(b, x25519);
	if (!i && on)
		i = origin_add(b, unknown, x25519, NULL);
	if (i && on)
		uncharge(b, i);
	if (!i || (!on && !ORIGIN(b, i)->prefer))
		return;
	b->unmet -= is_unmet(ORIGIN(b, i));
	ORIGIN(b, i)->prefer += on ? 1 : UINT32_MAX;
	b->unmet += is_unmet(ORIGIN(b, i));
}

// ---- what a neighbour brings ----

static uint32_t share_find(const struct xy_babel *b, const struct neigh *n, uint32_t origin)
{
	struct share key = {.origin = origin, .neigh = n->id};
	uint32_t i = babel_map_first(&b->share_map, b->share_map.hash(b, &key));
	while (i && (SHARE(b, i)->origin != origin || SHARE(b, i)->neigh != n->id))
		i = babel_map_next(&b->share_map, i);
	return i;
}

// An unknown key may be that of a preferred origin which was not met yet: verification will tell.
static bool preferred(const struct xy_babel *b, uint32_t origin)
{
	return origin ? ORIGIN(b, origin)->prefer : b->unmet;
}

// An eighth of the limit is kept for origins with a session, a pin or a config entry.
bool babel_origin_room(struct xy_babel *b, const struct neigh *n, uint32_t origin)
{
	uint32_t limit = n->c.max_origins;
	if (origin && share_find(b, n, origin))
		return true;
	if (!preferred(b, origin))
		limit -= limit / 8;
	return n->origin_count < limit;
}

// An origin that brings many prefixes takes them from its own share; waiting counts against the
// whole.
// Of the table a neighbour may have as much as is left, so that there is always room for another
// one, whatever each is allowed; and all that nobody configured together a quarter.
static bool table_room(const struct xy_babel *b, const struct neigh *n, uint32_t dest,
		       uint32_t waiting)
{
	uint32_t left = b->routes.limit - b->routes.used, room = b->dests.limit - b->dests.used;
	if (n->route_count + waiting >= left)
		return false;
	if (dest &&
	    (DEST(b, dest)->routes || DEST(b, dest)->sources || DEST(b, dest)->charge.serial))
		return true;
	if (n->c.trust == XY_BABEL_OPEN && b->open_charged >= b->dests.limit / 4)
		return false;
	return n->dests_charged + waiting < room && n->dests_charged / 2 < n->c.max_routes;
}

bool babel_route_room(struct xy_babel *b, const struct neigh *n, uint32_t dest, uint32_t origin,
		      uint32_t waiting)
{
	uint32_t share = origin ? share_find(b, n, origin) : 0, limit = n->c.max_routes;
	if (share && SHARE(b, share)->count >= n->c.max_prefixes)
		return false;
	if (!n->c.plain && !preferred(b, origin))
		limit -= limit / 8;
	if (n->route_count + waiting >= limit)
		return false;
	return (origin && ORIGIN(b, origin)->prefer) || table_room(b, n, dest, waiting);
}

void babel_share_add(struct xy_babel *b, struct neigh *n, uint32_t origin)
{
	if (ORIGIN(b, origin)->charge.serial != n->serial && n->c.trust != XY_BABEL_OPEN)
		uncharge(b, origin);
	uint32_t i = share_find(b, n, origin);
	if (!i) {
		i = babel_pool_take(&b->shares);
		if (!i)
			return;
		SHARE(b, i)->origin = origin;
		SHARE(b, i)->neigh = n->id;
		babel_map_insert(&b->share_map, i);
		n->origin_count++;
	}
	SHARE(b, i)->count++;
}

void babel_share_drop(struct xy_babel *b, struct neigh *n, uint32_t origin)
{
	uint32_t i = share_find(b, n, origin);
	if (!i || --SHARE(b, i)->count)
		return;
	babel_map_remove(&b->share_map, i);
	babel_pool_give(&b->shares, i);
	n->origin_count--;
	n->limit_told = false;
}

// ---- proofs ----

void babel_proof_claim(const struct xy_babel *b, const struct proof *p, struct xy_babel_claim *out)
{
	*out = (struct xy_babel_claim){
		.prefix = DEST(b, p->dest)->prefix,
		.rid = ERA(b, p->era)->rid,
		.seqno = p->seqno,
		.origin = {.flags = p->flags, .epoch = ERA(b, p->era)->epoch, .tag = p->tag}};
	memcpy(out->origin.key, ORIGIN(b, p->origin)->ed25519.b, 32);
	memcpy(out->origin.signature, p->signature, 64);
}

// ---- the claim that shows the newest epoch ----
// It is mostly one that some route is by, so it is not kept twice.

bool babel_origin_shown(const struct xy_babel *b, uint32_t origin, struct xy_babel_claim *out)
{
	const struct origin *o = ORIGIN(b, origin);
	if (o->shown)
		babel_proof_claim(b, PROOF(b, o->shown), out);
	else if (o->kept)
		*out = KEPT(b, o->kept)->claim;
	return o->shown || o->kept;
}

static bool same_claim(const struct xy_babel_claim *a, const struct xy_babel_claim *c)
{
	return xy_prefix_eq(&a->prefix, &c->prefix) && a->rid == c->rid && a->seqno == c->seqno &&
	       a->origin.flags == c->origin.flags && a->origin.epoch == c->origin.epoch &&
	       a->origin.tag == c->origin.tag && !memcmp(a->origin.key, c->origin.key, 32) &&
	       !memcmp(a->origin.signature, c->origin.signature, 64);
}

static void show_kept(struct xy_babel *b, uint32_t origin, const struct xy_babel_claim *c)
{
	struct origin *o = ORIGIN(b, origin);
	o->shown = 0;
	if (!o->kept)
		o->kept = babel_pool_take(&b->kepts);
	if (o->kept)
		KEPT(b, o->kept)->claim = *c;
}

static void show_proof(struct xy_babel *b, uint32_t proof)
{
	struct origin *o = ORIGIN(b, PROOF(b, proof)->origin);
	struct xy_babel_claim c;
	babel_proof_claim(b, PROOF(b, proof), &c);
	if (!o->kept || !same_claim(&KEPT(b, o->kept)->claim, &c))
		return;
	babel_pool_give(&b->kepts, o->kept);
	o->kept = 0;
	o->shown = proof;
}

static uint32_t proof_find(const struct xy_babel *b, uint32_t dest, uint32_t origin,
			   const struct xy_babel_claim *c)
{
	struct proof key = {.dest = dest, .seqno = c->seqno, .era = era_find(b, c->rid)};
	uint32_t i = key.era ? babel_map_first(&b->proof_map, b->proof_map.hash(b, &key)) : 0;
	for (; i; i = babel_map_next(&b->proof_map, i)) {
		const struct proof *p = PROOF(b, i);
		if (p->dest == dest && p->origin == origin && p->era == key.era &&
		    p->seqno == c->seqno && p->flags == c->origin.flags &&
		    ERA(b, p->era)->epoch == c->origin.epoch && p->tag == c->origin.tag)
			return i;
	}
	return 0;
}

static void idle_unlink(struct xy_babel *b, uint32_t i)
{
	struct proof *p = PROOF(b, i);
	*(p->iprev ? &PROOF(b, p->iprev)->inext : &b->idle.head) = p->inext;
	*(p->inext ? &PROOF(b, p->inext)->iprev : &b->idle.tail) = p->iprev;
	p->inext = p->iprev = 0;
}

static void proof_free(struct xy_babel *b, uint32_t i)
{
	struct proof *p = PROOF(b, i);
	struct origin *o = ORIGIN(b, p->origin);
	struct xy_babel_claim c;
	if (o->shown == i) {
		babel_proof_claim(b, p, &c);
		show_kept(b, p->origin, &c);
	}
	*(p->oprev ? &PROOF(b, p->oprev)->onext : &o->proofs) = p->onext;
	if (p->onext)
		PROOF(b, p->onext)->oprev = p->oprev;
	if (o->retiring == i)
		o->retiring = p->onext;
	o->proof_count -= !p->idle;
	babel_origin_idle(b, p->origin);
	babel_map_remove(&b->proof_map, i);
	era_drop(b, p->era);
	babel_pool_give(&b->proofs, i);
}

static void idle_free(struct xy_babel *b, uint32_t i)
{
	uint32_t dest = PROOF(b, i)->dest;
	idle_unlink(b, i);
	proof_free(b, i);
	DEST(b, dest)->users--;
	babel_dest_release(b, dest);
}

static uint32_t proof_add(struct xy_babel *b, uint32_t dest, uint32_t origin,
			  const struct xy_babel_claim *c)
{
	uint32_t i = proof_find(b, dest, origin, c);
	if (i)
		return i;
	DEST(b, dest)->users++; // it may have no other
	if (b->proofs.used >= b->proofs.limit && b->idle.head)
		idle_free(b, b->idle.head);
	DEST(b, dest)->users--;
	i = babel_pool_take(&b->proofs);
	uint32_t era = i ? era_hold(b, origin, c) : 0;
	if (!era) {
		if (i)
			babel_pool_give(&b->proofs, i);
		return 0;
	}
	struct proof *p = PROOF(b, i);
	struct origin *o = ORIGIN(b, origin);
	*p = (struct proof){.dest = dest,
			    .origin = origin,
			    .era = era,
			    .seqno = c->seqno,
			    .flags = c->origin.flags,
			    .tag = c->origin.tag,
			    .onext = o->proofs};
	memcpy(p->signature, c->origin.signature, 64);
	if (!babel_map_insert(&b->proof_map, i)) {
		era_drop(b, era);
		babel_pool_give(&b->proofs, i);
		return 0;
	}
	if (p->onext)
		PROOF(b, p->onext)->oprev = i;
	o->proofs = i;
	o->proof_count++;
	show_proof(b, i);
	babel_origin_idle(b, origin);
	return i;
}

void babel_proof_hold(struct xy_babel *b, uint32_t i)
{
	struct proof *p = PROOF(b, i);
	if (p->refs++ || !p->idle)
		return;
	idle_unlink(b, i);
	p->idle = false;
	ORIGIN(b, p->origin)->proof_count++;
	babel_origin_idle(b, p->origin);
	DEST(b, p->dest)->users--; // whoever holds the proof has the dest as well
}

// What was verified stays known for a minute: who takes a claim back and says it again costs no
// second verification. Under an older epoch it will not be said again.
void babel_proof_drop(struct xy_babel *b, uint32_t i)
{
	struct proof *p = PROOF(b, i);
	if (--p->refs)
		return;
	if (ERA(b, p->era)->epoch < ORIGIN(b, p->origin)->epoch) {
		proof_free(b, i);
		return;
	}
	p->idle = true;
	ORIGIN(b, p->origin)->proof_count--;
	babel_origin_idle(b, p->origin);
	p->idle_at = centiseconds(b->now);
	p->iprev = b->idle.tail;
	*(p->iprev ? &PROOF(b, p->iprev)->inext : &b->idle.head) = i;
	b->idle.tail = i;
	DEST(b, p->dest)->users++;
	babel_global_at(b, b->now + PROOF_GC);
}

void babel_proofs_expire(struct xy_babel *b)
{
	const uint32_t life = centiseconds(PROOF_GC);
	for (; b->idle.head && steps_left(b); b->stats.steps++) {
		uint32_t age = centiseconds(b->now) - PROOF(b, b->idle.head)->idle_at;
		if (age < life) {
			babel_global_at(b, b->now + (life - age) * 10 * XY_MSEC);
			return;
		}
		idle_free(b, b->idle.head);
	}
	if (b->idle.head)
		babel_global_at(b, b->now);
}

// ---- epochs ----

// Drops the routes of a dest that are under an older epoch of the origin, and lets it choose again.
static void retire_dest(struct xy_babel *b, uint32_t origin, uint32_t dest)
{
	struct dest *d = DEST(b, dest);
	bool dropped = false;
	d->users++; // keeps it while its routes go
	for (uint32_t r = d->routes, next; r; r = next, b->stats.steps++) {
		uint32_t p = ROUTE(b, r)->proof;
		next = ROUTE(b, r)->dnext;
		if (!p || PROOF(b, p)->origin != origin ||
		    ERA(b, PROOF(b, p)->era)->epoch >= ORIGIN(b, origin)->epoch)
			continue;
		babel_send_answer(b, babel_neigh_of(b, ROUTE(b, r)->neigh), origin);
		babel_route_drop(b, r);
		dropped = true;
	}
	if (dropped)
		babel_dest_select(b, dest);
	d->users--;
	babel_dest_release(b, dest);
}

static void retire_older(struct xy_babel *b, uint32_t origin)
{
	struct origin *o = ORIGIN(b, origin);
	while (o->retiring && steps_left(b)) {
		const struct proof *p = PROOF(b, o->retiring);
		o->retiring = p->onext; // whoever frees that one moves it on
		b->stats.steps++;
		if (ERA(b, p->era)->epoch < o->epoch)
			retire_dest(b, origin, p->dest);
	}
	if (o->retiring)
		babel_timer_set(b, T_ORIGIN, origin, b->now);
}

static void raise_epoch(struct xy_babel *b, uint32_t origin, const struct xy_babel_claim *c)
{
	struct origin *o = ORIGIN(b, origin);
	uint32_t old = o->era;
	o->epoch = c->origin.epoch;
	o->rid = c->rid;
	o->era = era_hold(b, origin, c);
	era_drop(b, old);
	show_kept(b, origin, c);
	if (o->proof_count) {
		o->retire_at = b->now + RETIRE;
		if (!o->retiring)
			babel_timer_set(b, T_ORIGIN, origin, o->retire_at);
	}
}

// The /64 of the key shows an epoch better than a mapping: nobody else announces it, so that a
// retraction with this claim takes nothing away.
static void show_better(struct xy_babel *b, uint32_t origin, const struct xy_babel_claim *c)
{
	struct xy_babel_claim now;
	if (c->origin.epoch == ORIGIN(b, origin)->epoch && xy_addr_is_mesh(&c->prefix.addr) &&
	    (!babel_origin_shown(b, origin, &now) || !xy_addr_is_mesh(&now.prefix.addr)))
		show_kept(b, origin, c);
}

void babel_origin_timer(struct xy_babel *b, uint32_t i)
{
	struct origin *o = ORIGIN(b, i);
	if (o->retire_at && o->retire_at <= b->now) {
		o->retire_at = 0;
		o->retiring = o->proofs;
	}
	if (o->retiring)
		retire_older(b, i);
	if (o->retiring)
		return;
	if (o->retire_at)
		babel_timer_set(b, T_ORIGIN, i, o->retire_at);
	else if (o->dead && b->now - o->dead_since >= ORIGIN_GC && !o->prefer)
		origin_free(b, i);
	else if (o->dead)
		babel_timer_set(b, T_ORIGIN, i, b->now + ORIGIN_GC);
}

// The newest signature that we hold, in a retraction: harmless to whoever is honest, and it shows
// an origin that lost its state where to go on.
static void answer_old(struct xy_babel *b, struct neigh *n, uint32_t origin)
{
	babel_refuse(b, n, XY_BABEL_REFUSED_OLD_EPOCH);
	if (babel_answer_due(b, n, origin))
		babel_send_answer(b, n, origin);
	else
		n->skipped = true; // no Acknowledgment: it says so again, and is answered then
}

// ---- verification ----

static bool waits_for(const struct xy_babel *b, const struct wait *w, const struct neigh *n,
		      const struct xy_prefix *p, uint64_t rid)
{
	const struct xy_babel_claim *c = &JOB(b, w->job)->claim;
	return w->neigh == n->id && xy_prefix_eq(&c->prefix, p) &&
	       (c->rid == rid || xy_addr_is_mesh(&p->addr));
}

static uint32_t wait_find(const struct xy_babel *b, const struct neigh *n,
			  const struct xy_prefix *p, uint64_t rid)
{
	uint32_t i = babel_map_first(&b->wait_map, babel_wait_key(b, n->id, p, rid));
	while (i && !waits_for(b, WAIT(b, i), n, p, rid))
		i = babel_map_next(&b->wait_map, i);
	return i;
}

static void may_go(struct xy_babel *b, struct neigh *n)
{
	if (n->removed && !n->wait_count && !n->job_count)
		babel_bulk_wanted(b, n);
}

static void wait_free(struct xy_babel *b, uint32_t i)
{
	babel_map_remove(&b->wait_map, i);
	struct neigh *n = babel_neigh_of(b, WAIT(b, i)->neigh);
	n->wait_count--;
	may_go(b, n);
	babel_pool_give(&b->waits, i);
}

static void wait_drop(struct xy_babel *b, uint32_t i)
{
	for (uint32_t *at = &JOB(b, WAIT(b, i)->job)->waits; *at; at = &WAIT(b, *at)->next)
		if (*at == i) {
			*at = WAIT(b, i)->next;
			break;
		}
	wait_free(b, i);
}

void babel_wait_cancel(struct xy_babel *b, struct neigh *n, const struct xy_prefix *p, uint64_t rid)
{
	uint32_t i = n->wait_count ? wait_find(b, n, p, rid) : 0;
	if (i)
		wait_drop(b, i);
}

static uint32_t job_find(const struct xy_babel *b, const struct xy_babel_claim *c)
{
	uint32_t i = babel_map_first(&b->job_map, babel_hash_bytes(b, c->origin.signature, 64));
	while (i && !same_claim(&JOB(b, i)->claim, c))
		i = babel_map_next(&b->job_map, i);
	return i;
}

// What is verified cannot be called back when the Update is replaced or retracted, so each claim
// counts until it is done: else one prefix with ever new signatures would fill what all share.
static bool job_room(const struct xy_babel *b, const struct neigh *n)
{
	bool open = n->c.trust == XY_BABEL_OPEN;
	return n->job_count < (open ? OPEN_WAITS : WAITS) &&
	       b->jobs.used < (open ? OPEN_JOBS : JOBS);
}

static uint32_t job_get(struct xy_babel *b, struct neigh *n, const struct xy_babel_claim *c)
{
	uint32_t i = job_find(b, c);
	if (i)
		return i;
	i = job_room(b, n) ? babel_pool_take(&b->jobs) : 0;
	if (!i)
		return 0;
	struct job *j = JOB(b, i);
	j->claim = *c;
	j->neigh = n->id;
	j->serial = ++b->serial;
	if (!babel_map_insert(&b->job_map, i)) {
		babel_pool_give(&b->jobs, i);
		return 0;
	}
	n->job_count++;
	struct xy_babel_action *a = babel_action_add(b, XY_BABEL_VERIFY);
	a->verify.id = (uint64_t)j->serial << 32 | i;
	a->verify.claim = *c;
	b->stats.verifications++;
	return i;
}

static void job_free(struct xy_babel *b, uint32_t i)
{
	struct neigh *n = babel_neigh_of(b, JOB(b, i)->neigh);
	n->job_count--;
	may_go(b, n);
	babel_map_remove(&b->job_map, i);
	JOB(b, i)->serial = 0;
	babel_pool_give(&b->jobs, i);
}

static void wait_add(struct xy_babel *b, struct neigh *n, const struct xy_babel_claim *c,
		     const struct xy_babel_update *u)
{
	babel_wait_cancel(b, n, &c->prefix, c->rid);
	uint32_t job = n->wait_count < WAITS ? job_get(b, n, c) : 0;
	uint32_t i = job ? babel_pool_take(&b->waits) : 0;
	if (!i) {
		n->skipped = true;
		babel_refuse(b, n, XY_BABEL_REFUSED_BUSY);
		return;
	}
	struct job *j = JOB(b, job);
	*WAIT(b, i) = (struct wait){.job = job,
				    .next = j->waits,
				    .neigh = n->id,
				    .gen = n->gen,
				    .metric = u->metric,
				    .interval = u->interval};
	if (!babel_map_insert(&b->wait_map, i)) {
		babel_pool_give(&b->waits, i);
		return;
	}
	j->waits = i;
	n->wait_count++;
}

static bool about_us(struct xy_babel *b, struct neigh *n, const struct xy_babel_claim *c,
		     const struct xy_babel_update *u)
{
	if (memcmp(c->origin.key, b->c.ed25519.b, 32) != 0)
		return false;
	if (babel_own_foreign(b, c))
		wait_add(b, n, c, u);
	return true;
}

// What is known of the key already spares the verification. true: refused.
static bool known_bad(struct xy_babel *b, struct neigh *n, const struct xy_babel_claim *c,
		      uint32_t origin)
{
	const struct origin *o = ORIGIN(b, origin);
	if (xy_addr_is_mesh(&c->prefix.addr)) {
		struct xy_prefix own = xy_key_prefix(&o->x25519);
		if (!xy_prefix_eq(&own, &c->prefix)) {
			babel_refuse(b, n, XY_BABEL_REFUSED_NOT_OWNER);
			return true;
		}
	}
	if (c->origin.epoch < o->epoch) {
		answer_old(b, n, origin);
		return true;
	}
	if (c->origin.epoch == o->epoch && c->rid != o->rid) {
		babel_refuse(b, n, XY_BABEL_REFUSED_BAD_ROUTER_ID);
		return true;
	}
	return false;
}

static bool has_room(struct xy_babel *b, struct neigh *n, uint32_t dest, uint32_t origin)
{
	if (dest && babel_route_find(b, dest, n))
		return true;
	if (!babel_route_room(b, n, dest, origin, n->wait_count)) {
		babel_refuse(b, n, XY_BABEL_REFUSED_ROUTE_LIMIT);
		return false;
	}
	if (!babel_origin_room(b, n, origin)) {
		babel_refuse(b, n, XY_BABEL_REFUSED_ORIGIN_LIMIT);
		return false;
	}
	return true;
}

void babel_claim_receive(struct xy_babel *b, struct neigh *n, const struct xy_babel_update *u)
{
	struct xy_babel_claim c = {u->prefix, u->rid, u->seqno, u->origin};
	bool finite = u->metric != XY_BABEL_INFINITY;
	if (c.origin.epoch == UINT32_MAX) {
		babel_refuse(b, n, XY_BABEL_REFUSED_BAD_EPOCH);
		return;
	}
	if (about_us(b, n, &c, u))
		return;
	uint32_t origin = babel_origin_find(b, c.origin.key), dest = 0;
	if (origin)
		dest = babel_dest_find(b, &c.prefix, origin);
	if (origin && known_bad(b, n, &c, origin))
		return;
	if (!finite && (!origin || c.origin.epoch <= ORIGIN(b, origin)->epoch))
		return; // a retraction that teaches nothing new
	uint32_t proof = origin && dest ? proof_find(b, dest, origin, &c) : 0;
	if (finite && proof) {
		b->stats.cached++;
		babel_update_apply(b, n, &c.prefix, proof, c.rid, c.seqno, u->metric, u->interval);
	} else if (has_room(b, n, dest, origin)) {
		wait_add(b, n, &c, u);
	}
}

static enum xy_babel_refusal why(int result)
{
	switch (result) {
	case -EINVAL:
		return XY_BABEL_REFUSED_BAD_KEY;
	case -EPERM:
		return XY_BABEL_REFUSED_NOT_OWNER;
	case -ESTALE:
		return XY_BABEL_REFUSED_BAD_ROUTER_ID;
	default:
		return XY_BABEL_REFUSED_BAD_SIGNATURE;
	}
}

// A preferred key was known by its X25519 form alone.
static uint32_t complete(struct xy_babel *b, const uint8_t ed25519[32], const struct xy_key *x,
			 struct neigh *n)
{
	uint32_t i = babel_origin_by_key(b, x);
	if (!i)
		return origin_add(b, ed25519, x, n);
	b->unmet -= is_unmet(ORIGIN(b, i));
	babel_map_remove(&b->origin_map, i);
	memcpy(ORIGIN(b, i)->ed25519.b, ed25519, 32);
	babel_map_insert(&b->origin_map, i);
	return i;
}

static void apply_wait(struct xy_babel *b, const struct xy_babel_claim *c, uint32_t origin,
		       const struct wait *w)
{
	struct neigh *n = babel_neigh_of(b, w->neigh);
	if (c->origin.epoch < ORIGIN(b, origin)->epoch) {
		answer_old(b, n, origin);
		return;
	}
	if (w->metric == XY_BABEL_INFINITY || w->gen != n->gen)
		return; // it only told of the epoch, or was taken back meanwhile
	uint32_t dest = babel_dest_get(b, &c->prefix, origin);
	uint32_t proof = dest ? proof_add(b, dest, origin, c) : 0;
	if (!proof) {
		babel_refuse(b, n, XY_BABEL_REFUSED_ROUTE_LIMIT);
		return;
	}
	DEST(b, dest)->users++;
	babel_proof_hold(b, proof);
	babel_update_apply(b, n, &c->prefix, proof, c->rid, c->seqno, w->metric, w->interval);
	babel_proof_drop(b, proof);
	DEST(b, dest)->users--;
	babel_dest_release(b, dest);
}

static void verified(struct xy_babel *b, struct job *j, int result, const struct xy_key *x25519)
{
	uint32_t origin = 0;
	bool ours = !memcmp(j->claim.origin.key, b->c.ed25519.b, 32);
	if (result == 0 && ours)
		babel_own_seen(b, &j->claim);
	if (result == 0 && !ours) {
		origin = babel_origin_find(b, j->claim.origin.key);
		if (!origin)
			origin = complete(b, j->claim.origin.key, x25519,
					  babel_neigh_of(b, j->neigh));
		b->stats.verified++;
	}
	if (origin && (j->claim.origin.epoch > ORIGIN(b, origin)->epoch || !ORIGIN(b, origin)->rid))
		raise_epoch(b, origin, &j->claim);
	else if (origin)
		show_better(b, origin, &j->claim);
	while (j->waits) {
		uint32_t i = j->waits;
		struct wait w = *WAIT(b, i);
		j->waits = w.next;
		wait_free(b, i);
		if (origin)
			apply_wait(b, &j->claim, origin, &w);
		else if (result)
			babel_refuse(b, babel_neigh_of(b, w.neigh), why(result));
	}
	uint32_t dest = origin ? babel_dest_find(b, &j->claim.prefix, origin) : 0;
	if (dest) // the older route of the same prefix goes at once
		retire_dest(b, origin, dest);
}

void xy_babel_verified(struct xy_babel *b, uint64_t id, int result, const struct xy_key *x25519,
		       xy_nsec now)
{
	uint32_t i = (uint32_t)id;
	xy_babel_enter(b, now);
	if (!i || i > b->jobs.top || JOB(b, i)->serial != id >> 32)
		return;
	verified(b, JOB(b, i), result, x25519);
	job_free(b, i);
	xy_babel_leave(b);
}
