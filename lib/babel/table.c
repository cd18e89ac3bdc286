// SPDX-License-Identifier: BSD-3-Clause
// Destinations, routes, feasibility distances, and the log of what changed: every neighbour reads
// the log at its own pace, so a change costs the same with one neighbour as with a thousand.
#include "babel/state.h"

#include <sodium.h>
#include <stdlib.h>

uint32_t babel_hash_bytes(const struct xy_babel *b, const void *data, size_t len)
{
	uint8_t out[crypto_shorthash_BYTES];
	crypto_shorthash(out, data, len, b->c.secret);
	return xy_le32_load(out);
}

static uint32_t hash_two(const struct xy_babel *b, uint64_t x, uint64_t y)
{
	uint64_t key[2] = {x, y};
	return babel_hash_bytes(b, key, sizeof(key));
}

static uint32_t hash_prefix(const struct xy_babel *b, const struct xy_prefix *p)
{
	return babel_hash_bytes(b, p, sizeof(*p)); // 17 bytes without padding
}

static_assert(sizeof(struct xy_prefix) == 17, "hashed as it lies");

static uint32_t mapping_hash(const struct xy_babel *b, const struct xy_prefix *p, uint32_t origin)
{
	return hash_prefix(b, p) + origin * UINT32_C(0x9e3779b1); // our own numbers
}

static uint32_t dest_hash(const void *b, const void *o)
{
	const struct dest *d = o;
	return mapping_hash(b, &d->prefix, d->origin);
}

static uint32_t mix(uint32_t dest, uint32_t neigh) // our own numbers: nobody chooses them
{
	uint64_t x = ((uint64_t)dest << 16 | neigh) * UINT64_C(0x9e3779b97f4a7c15);
	return (uint32_t)(x >> 32);
}

static uint32_t route_hash(const void *b, const void *o)
{
	return mix(((const struct route *)o)->dest, ((const struct route *)o)->neigh);
}

static uint32_t out_hash(const void *b, const void *o)
{
	return mix(((const struct out *)o)->dest, ((const struct out *)o)->neigh);
}

static uint32_t interest_hash(const void *b, const void *o)
{
	return mix(((const struct interest *)o)->dest, ((const struct interest *)o)->neigh);
}

static uint32_t share_hash(const void *b, const void *o)
{
	return mix(((const struct share *)o)->origin, ((const struct share *)o)->neigh);
}

static uint32_t flap_hash(const void *b, const void *o)
{
	return mix(((const struct flap *)o)->dest, ((const struct flap *)o)->serial);
}

static uint32_t answer_hash(const void *b, const void *o)
{
	return mix(((const struct answer *)o)->origin, ((const struct answer *)o)->neigh);
}

static uint32_t proof_hash(const void *b, const void *o)
{
	const struct proof *p = o;
	return mix(p->dest, p->seqno) + p->era * UINT32_C(0x9e3779b1);
}

// The Ed25519 form of a preferred key is not known before it is met: all of these would be in one
// chain, which is walked when its bucket is split, and when one of them goes.
static uint32_t origin_hash(const void *b, const void *at)
{
	const struct origin *o = at;
	const struct xy_key *by = xy_key_is_zero(&o->ed25519) ? &o->x25519 : &o->ed25519;
	return babel_hash_bytes(b, by->b, 32);
}

static uint32_t x_hash(const void *b, const void *o)
{
	return babel_hash_bytes(b, ((const struct origin *)o)->x25519.b, 32);
}

static uint32_t era_hash(const void *b, const void *o)
{
	return hash_two(b, ((const struct era *)o)->rid, 0);
}

static uint32_t job_hash(const void *b, const void *o)
{
	return babel_hash_bytes(b, ((const struct job *)o)->claim.origin.signature, 64);
}

// One Update waits per neighbour and prefix; outside 200::/7 one per router-id.
uint32_t babel_wait_key(const struct xy_babel *b, uint16_t neigh, const struct xy_prefix *p,
			uint64_t rid)
{
	uint32_t hash = hash_prefix(b, p) + neigh;
	return xy_addr_is_mesh(&p->addr) ? hash : hash_two(b, rid, hash);
}

static uint32_t wait_hash(const void *owner, const void *o)
{
	const struct xy_babel *b = owner;
	const struct wait *w = o;
	const struct xy_babel_claim *c = &JOB(b, w->job)->claim;
	return babel_wait_key(b, w->neigh, &c->prefix, c->rid);
}

static uint32_t req_hash(const void *b, const void *o)
{
	return hash_two(b, ((const struct req *)o)->rid, ((const struct req *)o)->dest);
}

static uint32_t want_hash(const void *b, const void *o)
{
	return hash_prefix(b, &((const struct want *)o)->prefix);
}

void babel_table_init(struct xy_babel *b)
{
	uint32_t routes = b->c.max_routes, origins = b->c.max_origins;
	babel_pool_init(&b->dests, sizeof(struct dest), b->c.max_dests);
	babel_pool_init(&b->routes, sizeof(struct route), routes);
	babel_pool_init(&b->sources, sizeof(struct source), KEY_SOURCES * b->c.max_dests);
	babel_pool_init(&b->proofs, sizeof(struct proof), routes);
	babel_pool_init(&b->origins, sizeof(struct origin), origins);
	babel_pool_init(&b->kepts, sizeof(struct kept), origins);
	babel_pool_init(&b->eras, sizeof(struct era), origins + routes);
	babel_pool_init(&b->jobs, sizeof(struct job), JOBS);
	babel_pool_init(&b->waits, sizeof(struct wait), 4 * JOBS);
	babel_pool_init(&b->owns, sizeof(struct own), routes);
	babel_pool_init(&b->outs, sizeof(struct out), 1 << 22);
	babel_pool_init(&b->reqs, sizeof(struct req), 1 << 16);
	babel_pool_init(&b->wants, sizeof(struct want), 1 << 16);
	babel_pool_init(&b->interests, sizeof(struct interest), 1 << 20);
	babel_pool_init(&b->shares, sizeof(struct share), routes);
	babel_pool_init(&b->flaps, sizeof(struct flap), FLAPS);
	babel_pool_init(&b->answers, sizeof(struct answer), ANSWERED);
	babel_map_init(&b->dest_map, &b->dests, offsetof(struct dest, hnext), dest_hash, b);
	babel_map_init(&b->route_map, &b->routes, offsetof(struct route, hnext), route_hash, b);
	babel_map_init(&b->proof_map, &b->proofs, offsetof(struct proof, hnext), proof_hash, b);
	babel_map_init(&b->origin_map, &b->origins, offsetof(struct origin, hnext), origin_hash, b);
	babel_map_init(&b->x_map, &b->origins, offsetof(struct origin, xnext), x_hash, b);
	babel_map_init(&b->era_map, &b->eras, offsetof(struct era, hnext), era_hash, b);
	babel_map_init(&b->job_map, &b->jobs, offsetof(struct job, hnext), job_hash, b);
	babel_map_init(&b->wait_map, &b->waits, offsetof(struct wait, hnext), wait_hash, b);
	babel_map_init(&b->out_map, &b->outs, offsetof(struct out, hnext), out_hash, b);
	babel_map_init(&b->req_map, &b->reqs, offsetof(struct req, hnext), req_hash, b);
	babel_map_init(&b->want_map, &b->wants, offsetof(struct want, hnext), want_hash, b);
	babel_map_init(&b->interest_map, &b->interests, offsetof(struct interest, hnext),
		       interest_hash, b);
	babel_map_init(&b->share_map, &b->shares, offsetof(struct share, hnext), share_hash, b);
	babel_map_init(&b->flap_map, &b->flaps, offsetof(struct flap, hnext), flap_hash, b);
	babel_map_init(&b->answer_map, &b->answers, offsetof(struct answer, hnext), answer_hash, b);
}

void babel_table_clear(struct xy_babel *b)
{
	struct pool *pools[] = {XY_BABEL_POOLS(b)};
	struct map *maps[] = {XY_BABEL_MAPS(b)};
	for (size_t i = 0; i < XY_ARRAY_SIZE(pools); i++)
		babel_pool_clear(pools[i]);
	for (size_t i = 0; i < XY_ARRAY_SIZE(maps); i++)
		babel_map_clear(maps[i]);
	babel_heap_clear(&b->timers);
	babel_heap_clear(&b->hellos);
	babel_log_clear(b);
}

// ---- whose share of the table it is ----

static void charge_end(struct xy_babel *b, struct dest *d)
{
	struct neigh *n = charged(b, &d->charge);
	if (n)
		n->dests_charged--;
	b->open_charged -= d->charge.open;
	d->charge = (struct charge){0};
}

// The first who brings a prefix is charged for it, for as long as anything of it is kept, or until
// one whom the config names brings it, too.
static void charge(struct xy_babel *b, struct dest *d, struct neigh *n)
{
	bool open = n->c.trust == XY_BABEL_OPEN;
	if (d->charge.serial && d->charge.serial != n->serial && !open) {
		charge_end(b, d);
	} else if (!d->charge.serial && !d->routes && !d->sources) {
		d->charge = (struct charge){n->serial, n->id, open};
		n->dests_charged++;
		b->open_charged += open;
	}
}

// ---- destinations ----

uint32_t babel_dest_find(const struct xy_babel *b, const struct xy_prefix *p, uint32_t origin)
{
	if (xy_addr_is_mesh(&p->addr))
		origin = 0;
	uint32_t i = babel_map_first(&b->dest_map, mapping_hash(b, p, origin));
	while (i && (DEST(b, i)->origin != origin || !xy_prefix_eq(&DEST(b, i)->prefix, p)))
		i = babel_map_next(&b->dest_map, i);
	return i;
}

static uint32_t dest_add(struct xy_babel *b, const struct xy_prefix *p, uint32_t origin)
{
	uint32_t i = babel_pool_take(&b->dests);
	if (!i)
		return 0;
	DEST(b, i)->prefix = *p;
	DEST(b, i)->origin = origin;
	DEST(b, i)->logged_metric = XY_BABEL_INFINITY;
	if (!babel_map_insert(&b->dest_map, i)) {
		DEST(b, i)->prefix.len = 0xff;
		babel_pool_give(&b->dests, i);
		return 0;
	}
	return i;
}

// Those that are used come first: whoever looks for them need not pass what others made up.
static void kin_link(struct xy_babel *b, struct dest *h, uint32_t i)
{
	struct dest *d = DEST(b, i);
	d->kprev = d->used ? 0 : h->kin_end;
	d->knext = d->used ? h->kin : 0;
	*(d->kprev ? &DEST(b, d->kprev)->knext : &h->kin) = i;
	*(d->knext ? &DEST(b, d->knext)->kprev : &h->kin_end) = i;
}

static void kin_unlink(struct xy_babel *b, struct dest *h, const struct dest *d)
{
	*(d->kprev ? &DEST(b, d->kprev)->knext : &h->kin) = d->knext;
	*(d->knext ? &DEST(b, d->knext)->kprev : &h->kin_end) = d->kprev;
}

void babel_dest_use(struct xy_babel *b, uint32_t dest, bool used)
{
	struct dest *d = DEST(b, dest), *h = DEST(b, d->head);
	if (d->used == used)
		return;
	kin_unlink(b, h, d);
	d->used = used;
	b->unaccepted += used ? UINT32_MAX : 1; // one less
	kin_link(b, h, dest);
}

static uint32_t mapping_add(struct xy_babel *b, const struct xy_prefix *p, uint32_t origin)
{
	uint32_t head = babel_dest_get(b, p, 0), i = head ? dest_add(b, p, origin) : 0;
	if (!i) {
		if (head)
			babel_dest_release(b, head);
		return 0;
	}
	DEST(b, i)->head = head;
	DEST(b, head)->users++;
	kin_link(b, DEST(b, head), i);
	b->mappings++;
	b->unaccepted += !DEST(b, i)->used;
	ORIGIN(b, origin)->dest_count++;
	babel_origin_idle(b, origin);
	babel_dest_accept(b, i);
	return i;
}

uint32_t babel_dest_get(struct xy_babel *b, const struct xy_prefix *p, uint32_t origin)
{
	uint32_t i = babel_dest_find(b, p, origin);
	if (i)
		return i;
	return origin && !xy_addr_is_mesh(&p->addr) ? mapping_add(b, p, origin) : dest_add(b, p, 0);
}

static void mapping_remove(struct xy_babel *b, const struct dest *d)
{
	uint32_t head = d->head;
	kin_unlink(b, DEST(b, head), d);
	DEST(b, head)->users--;
	b->mappings--;
	b->unaccepted -= !d->used;
	ORIGIN(b, d->origin)->dest_count--;
	babel_origin_idle(b, d->origin);
	babel_dest_release(b, head);
}

void babel_dest_release(struct xy_babel *b, uint32_t i)
{
	struct dest *d = DEST(b, i);
	if (d->routes || d->own || d->sources || d->pending || d->users || d->held || d->valid)
		return;
	babel_log_remove(b, i);
	babel_timer_stop(b, T_DEST, i);
	babel_map_remove(&b->dest_map, i);
	if (d->origin)
		mapping_remove(b, d);
	charge_end(b, d);
	memset(&d->prefix, 0, sizeof(d->prefix));
	d->prefix.len = 0xff; // free, for walks
	babel_pool_give(&b->dests, i);
}

// ---- routes ----

uint32_t babel_route_find(const struct xy_babel *b, uint32_t dest, const struct neigh *n)
{
	uint32_t i = babel_map_first(&b->route_map, mix(dest, n->id));
	while (i && (ROUTE(b, i)->dest != dest || ROUTE(b, i)->neigh != n->id))
		i = babel_map_next(&b->route_map, i);
	return i;
}

uint32_t babel_route_add(struct xy_babel *b, uint32_t dest, struct neigh *n)
{
	uint32_t i = babel_pool_take(&b->routes);
	if (!i)
		return 0;
	struct route *r = ROUTE(b, i);
	struct dest *d = DEST(b, dest);
	r->dest = dest;
	r->neigh = n->id;
	r->gen = n->gen;
	r->refmetric = XY_BABEL_INFINITY;
	if (!babel_map_insert(&b->route_map, i)) {
		babel_pool_give(&b->routes, i);
		return 0;
	}
	charge(b, d, n);
	r->dnext = d->routes;
	if (r->dnext)
		ROUTE(b, r->dnext)->dprev = i;
	d->routes = i;
	r->nnext = n->routes;
	if (r->nnext)
		ROUTE(b, r->nnext)->nprev = i;
	n->routes = i;
	n->route_count++;
	return i;
}

static void unlink_dest(struct xy_babel *b, uint32_t i, struct route *r)
{
	struct dest *d = DEST(b, r->dest);
	if (r->dprev)
		ROUTE(b, r->dprev)->dnext = r->dnext;
	else
		d->routes = r->dnext;
	if (r->dnext)
		ROUTE(b, r->dnext)->dprev = r->dprev;
	if (d->selected == i)
		d->selected = 0;
}

static void unlink_neigh(struct xy_babel *b, uint32_t i, struct route *r, struct neigh *n)
{
	if (n->walk == i)
		n->walk = r->nnext;
	if (r->nprev)
		ROUTE(b, r->nprev)->nnext = r->nnext;
	else
		n->routes = r->nnext;
	if (r->nnext)
		ROUTE(b, r->nnext)->nprev = r->nprev;
	n->route_count--;
}

void babel_route_drop(struct xy_babel *b, uint32_t i)
{
	struct route *r = ROUTE(b, i);
	struct neigh *n = babel_neigh_of(b, r->neigh);
	unlink_dest(b, i, r);
	unlink_neigh(b, i, r, n);
	if (r->proof) {
		babel_share_drop(b, n, PROOF(b, r->proof)->origin);
		babel_proof_drop(b, r->proof);
	}
	babel_timer_stop(b, T_ROUTE, i);
	babel_map_remove(&b->route_map, i);
	babel_pool_give(&b->routes, i);
}

// ---- feasibility distances ----

uint32_t babel_source_find(const struct xy_babel *b, const struct dest *d, uint64_t rid)
{
	uint32_t i = d->sources;
	while (i && SOURCE(b, i)->rid != rid)
		i = SOURCE(b, i)->next;
	return i;
}

// RFC 8966 section 3.7.3: before a finite update is sent.
bool babel_source_update(struct xy_babel *b, uint32_t dest, uint64_t rid, uint16_t seqno,
			 uint16_t metric)
{
	struct dest *d = DEST(b, dest);
	uint32_t i = babel_source_find(b, d, rid);
	struct source *s;
	if (!i) {
		i = babel_pool_take(&b->sources);
		if (!i)
			return false; // it must not be sent then
		s = SOURCE(b, i);
		*s = (struct source){.rid = rid,
				     .dest = dest,
				     .next = d->sources,
				     .seqno = seqno,
				     .metric = metric};
		d->sources = i;
		d->source_count++;
	}
	s = SOURCE(b, i);
	if (seqno_above(seqno, s->seqno)) {
		s->seqno = seqno;
		s->metric = metric;
	} else if (seqno == s->seqno && metric < s->metric) {
		s->metric = metric;
	}
	return true;
}

// What is announced keeps its distance, without a timer; the others of a dest begin to age when
// its selection turns away from them.
void babel_sources_age(struct xy_babel *b, uint32_t dest)
{
	for (uint32_t i = DEST(b, dest)->sources; i; i = SOURCE(b, i)->next)
		if (!SOURCE(b, i)->tpos)
			babel_timer_set(b, T_SOURCE, i, b->now + SOURCE_GC);
}

static void source_free(struct xy_babel *b, uint32_t i)
{
	struct dest *d = DEST(b, SOURCE(b, i)->dest);
	for (uint32_t *at = &d->sources; *at; at = &SOURCE(b, *at)->next)
		if (*at == i) {
			*at = SOURCE(b, i)->next;
			break;
		}
	d->source_count--;
	babel_timer_stop(b, T_SOURCE, i);
	babel_pool_give(&b->sources, i);
}

// A distance is kept while somebody may still follow what it stands for: while we announce it, and
// until every neighbour has acknowledged what replaced it.
void babel_source_expire(struct xy_babel *b, uint32_t i)
{
	struct source *s = SOURCE(b, i);
	uint32_t dest = s->dest;
	struct dest *d = DEST(b, dest);
	if (d->valid && d->rid == s->rid)
		return;
	if (d->held || !babel_send_reached_all(b, d)) {
		babel_timer_set(b, T_SOURCE, i, b->now + SOURCE_GC);
		return;
	}
	source_free(b, i);
	babel_dest_select(b, dest); // what was unfeasible may be feasible now
	babel_dest_release(b, dest);
}

// The router-ids of a signed prefix are its key's epochs, and a receiver takes nothing under an
// older one any more, whatever its distance: so the one that has been there for longest goes, and
// never the one that we announce.
bool babel_source_room(struct xy_babel *b, uint32_t dest, uint64_t rid, bool is_signed)
{
	const struct dest *d = DEST(b, dest);
	if (d->source_count < (is_signed ? KEY_SOURCES : SOURCES) || babel_source_find(b, d, rid))
		return true;
	uint32_t oldest = 0; // the list begins with the newest
	for (uint32_t i = d->sources; is_signed && i; i = SOURCE(b, i)->next)
		if (!d->valid || d->rid != SOURCE(b, i)->rid)
			oldest = i;
	if (oldest)
		source_free(b, oldest);
	return oldest;
}

// ---- the log ----
// A position never changes, so cursors need no care. What was overtaken leaves a hole; a chunk that
// is half holes is packed, and joined with its neighbours when it fits: each removal pays for it.

uint64_t babel_log_end(const struct xy_babel *b)
{
	return b->log.end;
}

// The last chunk that begins at or before a position.
static uint32_t chunk_of(const struct log *log, uint64_t at)
{
	uint32_t low = 0, high = log->count;
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;
		if (log->chunks[middle]->base <= at)
			low = middle;
		else
			high = middle;
	}
	return low;
}

// The first entry of a chunk at or after a position.
static uint32_t entry_of(const struct log_chunk *c, uint64_t at)
{
	uint32_t low = 0, high = c->count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (c->base + c->entries[middle].offset < at)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void chunk_free(struct log *log, uint32_t k)
{
	free(log->chunks[k]);
	memmove(&log->chunks[k], &log->chunks[k + 1], (--log->count - k) * sizeof(*log->chunks));
}

static void pack(struct log_chunk *c)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < c->count; i++)
		if (c->entries[i].dest)
			c->entries[n++] = c->entries[i];
	c->count = n;
}

// Puts the entries of the next chunk behind those of this one, when they fit.
static void join(struct log *log, uint32_t k)
{
	if (k + 1 >= log->count)
		return;
	struct log_chunk *c = log->chunks[k], *next = log->chunks[k + 1];
	uint64_t apart = next->base - c->base;
	if (c->live + next->live > LOG_CHUNK || apart > UINT32_MAX - LOG_CHUNK ||
	    (next->count && apart + next->entries[next->count - 1].offset > UINT32_MAX))
		return;
	pack(c);
	pack(next);
	for (uint32_t i = 0; i < next->count; i++) {
		c->entries[c->count] = next->entries[i];
		c->entries[c->count++].offset += (uint32_t)apart;
	}
	c->live += next->live;
	chunk_free(log, k + 1);
}

void babel_log_remove(struct xy_babel *b, uint32_t dest)
{
	struct dest *d = DEST(b, dest);
	struct log *log = &b->log;
	if (!d->version)
		return;
	uint32_t k = chunk_of(log, d->version - 1);
	struct log_chunk *c = log->chunks[k];
	c->entries[entry_of(c, d->version - 1)].dest = 0;
	d->version = 0;
	if (--c->live == 0) {
		chunk_free(log, k);
	} else if (c->live < c->count / 2) {
		b->stats.steps += c->count / 8;
		pack(c);
		join(log, k);
		if (k > 0)
			join(log, k - 1);
	}
}

static struct log_chunk *chunk_add(struct log *log)
{
	if (log->count == log->size) {
		uint32_t size = log->size ? 2 * log->size : 4;
		void *chunks = realloc(log->chunks, size * sizeof(*log->chunks));
		if (!chunks)
			return NULL;
		log->chunks = chunks;
		log->size = size;
	}
	struct log_chunk *c = malloc(sizeof(*c));
	if (!c)
		return NULL;
	c->base = log->end;
	c->count = c->live = 0;
	return log->chunks[log->count++] = c;
}

void babel_log_touch(struct xy_babel *b, uint32_t dest, bool urgent)
{
	struct log *log = &b->log;
	babel_log_remove(b, dest);
	struct log_chunk *c = log->count ? log->chunks[log->count - 1] : NULL;
	if (!c || c->count == LOG_CHUNK || log->end - c->base >= UINT32_MAX - LOG_CHUNK)
		c = chunk_add(log);
	if (!c)
		return;
	c->entries[c->count].dest = dest;
	c->entries[c->count++].offset = (uint32_t)(log->end++ - c->base);
	c->live++;
	DEST(b, dest)->version = log->end;
	b->touched = true;
	b->urgent |= urgent;
}

uint32_t babel_log_next(const struct xy_babel *b, uint64_t *at)
{
	const struct log *log = &b->log;
	for (uint32_t k = chunk_of(log, *at); k < log->count; k++) {
		const struct log_chunk *c = log->chunks[k];
		uint32_t i = entry_of(c, *at);
		while (i < c->count && !c->entries[i].dest)
			i++;
		if (i == c->count)
			continue;
		*at = c->base + c->entries[i].offset;
		return c->entries[i].dest;
	}
	*at = log->end;
	return 0;
}

void babel_log_clear(struct xy_babel *b)
{
	while (b->log.count)
		free(b->log.chunks[--b->log.count]);
	free(b->log.chunks);
}
