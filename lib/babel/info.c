// SPDX-License-Identifier: BSD-3-Clause
// What users look at. Reads only.
#include "babel/state.h"

const char *xy_babel_word_text(enum xy_babel_word w)
{
	static const char *const text[] = {
#define X(name, text) [XY_BABEL_##name] = text,
		XY_BABEL_WORDS(X)
#undef X
	};
	return text[w];
}

static enum xy_babel_word word_of(const struct neigh *n)
{
	if (!n->up)
		return XY_BABEL_DOWN;
	if (n->no_way)
		return XY_BABEL_NO_WAY;
	if (n->shut)
		return XY_BABEL_SHUT;
	if (n->left)
		return XY_BABEL_LEFT;
	if (n->heard && n->told == XY_BABEL_NOTICE_LOSSY)
		return XY_BABEL_LOSSY;
	if (!n->heard || n->rxcost == XY_BABEL_INFINITY) // the first Hello alone does not count
		return n->told || (n->ever && !n->heard) ? XY_BABEL_SILENT : XY_BABEL_NOT_HEARD;
	if (n->cost != XY_BABEL_INFINITY)
		return XY_BABEL_UP;
	bool begins = !n->told && n->hellos_sent < QUICK_HELLOS; // its answer may be on the way
	return begins ? XY_BABEL_NOT_HEARD : XY_BABEL_ONE_WAY;
}

int xy_babel_link_info(const struct xy_babel *b, uint16_t link, struct xy_babel_link_info *out)
{
	const struct neigh *n = babel_link_of(b, link);
	if (!n)
		return -ENOENT;
	*out = n->info;
	out->word = word_of(n);
	out->up = n->up;
	out->heard = n->heard;
	out->silent = n->silent;
	out->left = n->left;
	out->no_acks = n->gave_up;
	out->usable = n->usable;
	out->acknowledges = n->acknowledges;
	out->probed = n->probed;
	out->address = n->addr;
	out->rxcost = n->rxcost;
	out->txcost = n->txcost;
	out->cost = n->cost;
	out->hellos = n->hist[0] | n->hist[1];
	out->rtt = n->rtt;
	out->routes = n->route_count;
	out->origins = n->origin_count;
	out->waiting = n->wait_count;
	return 0;
}

bool xy_babel_link_is_well(const struct xy_babel *b, uint16_t link)
{
	enum { LAST_THREE = 0xe000 };
	const struct neigh *n = babel_link_of(b, link);
	return n && n->usable && !n->quiet && !n->told && !n->unwanting && !b->starting &&
	       n->hellos_sent >= QUICK_HELLOS &&
	       ((n->hist[0] | n->hist[1]) & LAST_THREE) == LAST_THREE;
}

static void origin_of(const struct xy_babel *b, uint32_t proof, struct xy_babel_entry *e)
{
	if (!proof)
		return;
	const struct proof *p = PROOF(b, proof);
	e->has_key = true;
	e->key = ORIGIN(b, p->origin)->x25519;
	e->epoch = ERA(b, p->era)->epoch;
	e->tag = p->tag;
	e->external = p->flags & XY_BABEL_ORIGIN_EXTERNAL;
}

static void describe(const struct xy_babel *b, const struct dest *d, uint32_t i, xy_nsec now,
		     struct xy_babel_entry *e)
{
	const struct route *r = ROUTE(b, i);
	uint32_t s = babel_source_find(b, d, r->rid);
	*e = (struct xy_babel_entry){.prefix = d->prefix,
				     .selected = d->selected == i,
				     .feasible = babel_route_feasible(b, r),
				     .used = babel_dest_used(d),
				     .link = babel_neigh_of(b, r->neigh)->link,
				     .metric = babel_route_metric(b, r),
				     .refmetric = r->refmetric,
				     .seqno = r->seqno,
				     .rid = r->rid,
				     .age = (xy_nsec)(uint32_t)(centiseconds(now) - r->heard) * 10 *
					    XY_MSEC,
				     .fd_metric = XY_BABEL_INFINITY};
	if (r->held) {
		xy_nsec until = babel_timer_at(b, r->tpos);
		e->held = until > now && until != XY_NEVER ? until - now : 1;
	}
	if (s) {
		e->fd_seqno = SOURCE(b, s)->seqno;
		e->fd_metric = SOURCE(b, s)->metric;
	}
	origin_of(b, r->proof, e);
}

static void describe_own(const struct xy_babel *b, const struct dest *d, struct xy_babel_entry *e)
{
	const struct own *o = OWN(b, d->own);
	*e = (struct xy_babel_entry){.prefix = d->prefix,
				     .own = true,
				     .selected = !o->external,
				     .feasible = true,
				     .used = true,
				     .link = XY_BABEL_LINKS,
				     .metric = o->external ? d->metric : 0,
				     .seqno = o->seqno,
				     .rid = o->rid,
				     .has_key = true,
				     .key = b->c.key,
				     .epoch = o->epoch,
				     .tag = o->tag,
				     .external = o->external,
				     .fd_metric = XY_BABEL_INFINITY};
}

unsigned xy_babel_lookup(const struct xy_babel *b, const struct xy_prefix *p,
			 struct xy_babel_entry *out, unsigned max, xy_nsec now)
{
	uint32_t head = babel_dest_find(b, p, 0);
	unsigned n = 0;
	if (!head)
		return 0;
	const struct dest *h = DEST(b, head);
	if (h->own && n++ < max)
		describe_own(b, h, &out[n - 1]);
	for (uint32_t k = head; k; k = kin_next(b, k))
		for (uint32_t i = DEST(b, k)->routes; i; i = ROUTE(b, i)->dnext) {
			if (babel_neigh_of(b, ROUTE(b, i)->neigh)->removed || n++ >= max)
				continue;
			describe(b, DEST(b, k), i, now, &out[n - 1]);
			out[n - 1].followed = h->followed == k && DEST(b, k)->selected == i;
			out[n - 1].no_room = h->no_room && out[n - 1].followed;
		}
	return n;
}

// ---- mappings ----

enum { HEARD = 256 }; // of one, when none is selected

static bool is_asked_for(const struct dest *d, const struct xy_prefix *in)
{
	if (d->prefix.len == 0xff || !d->origin ||
	    !d->routes) // a free place; no mapping; not heard
		return false;
	return !in || xy_prefix_covers(in, &d->prefix) ||
	       (in->len == 128 && xy_prefix_covers(&d->prefix, in));
}

static bool closer(const struct xy_babel *b, uint32_t a, uint32_t than)
{
	if (!than)
		return true;
	uint16_t ma = babel_route_metric(b, ROUTE(b, a)),
		 mb = babel_route_metric(b, ROUTE(b, than));
	return ma != mb ? ma < mb : ROUTE(b, a)->refmetric < ROUTE(b, than)->refmetric;
}

static bool is_there(const struct xy_babel *b, uint32_t route)
{
	return route && !babel_neigh_of(b, ROUTE(b, route)->neigh)->removed;
}

static uint32_t best_heard(const struct xy_babel *b, const struct dest *d, unsigned *left)
{
	uint32_t best = 0, i = d->routes;
	if (is_there(b, d->selected))
		return d->selected;
	for (unsigned n = 0; i && n < HEARD; n++, i = ROUTE(b, i)->dnext) {
		*left -= *left > 0;
		if (is_there(b, i) && closer(b, i, best))
			best = i;
	}
	return best;
}

// What was retracted bears no signature any more; whose it was is known all the same.
static void describe_of(const struct xy_babel *b, const struct dest *d, uint32_t route, xy_nsec now,
			struct xy_babel_entry *e)
{
	describe(b, d, route, now, e);
	e->has_key = d->origin != 0;
	if (d->origin)
		e->key = ORIGIN(b, d->origin)->x25519;
}

static void describe_mapping(const struct xy_babel *b, uint32_t dest, uint32_t route, xy_nsec now,
			     struct xy_babel_mapping *out)
{
	const struct dest *d = DEST(b, dest), *h = DEST(b, d->head);
	*out = (struct xy_babel_mapping){.ours = h->own && !OWN(b, h->own)->external};
	describe_of(b, d, route, now, &out->entry);
	uint32_t followed = out->ours ? 0 : h->followed;
	out->entry.followed = followed == dest;
	out->entry.no_room = h->no_room && out->entry.followed;
	out->other = followed && followed != dest && DEST(b, followed)->selected;
	if (out->other)
		describe_of(b, DEST(b, followed), DEST(b, followed)->selected, now, &out->by);
}

bool xy_babel_mapping_next(const struct xy_babel *b, uint32_t *at, unsigned *left,
			   const struct xy_prefix *in, xy_nsec now, struct xy_babel_mapping *out)
{
	for (uint32_t i = *at ? *at : 1; i <= b->dests.top; i++) {
		*at = i;
		if (!*left)
			return false;
		--*left;
		uint32_t best = is_asked_for(DEST(b, i), in) ? best_heard(b, DEST(b, i), left) : 0;
		if (!best)
			continue;
		describe_mapping(b, i, best, now, out);
		*at = i + 1;
		return true;
	}
	*at = 0;
	return false;
}

static size_t memory(const struct xy_babel *b)
{
	const struct pool *pools[] = {XY_BABEL_POOLS(b)};
	const struct map *maps[] = {XY_BABEL_MAPS(b)};
	size_t bytes =
		sizeof(*b) + b->in_bytes + b->in_count * sizeof(struct waiting) +
		(b->timers.entries.size + b->hellos.entries.size) * sizeof(struct heap_entry) +
		b->log.count * sizeof(struct log_chunk) + b->first.byte_size + b->rest.byte_size +
		(b->first.size + b->rest.size) * sizeof(struct action);
	for (size_t i = 0; i < XY_ARRAY_SIZE(pools); i++)
		bytes += babel_pool_bytes(pools[i]);
	for (size_t i = 0; i < XY_ARRAY_SIZE(maps); i++)
		bytes += maps[i]->buckets.size * sizeof(uint32_t);
	return bytes + b->neigh_count * sizeof(struct neigh) +
	       b->slot_sets * SLOTS * sizeof(struct slot);
}

void xy_babel_stats(const struct xy_babel *b, struct xy_babel_stats *out)
{
	*out = b->stats;
	out->epoch = b->epoch;
	out->rid = b->rid;
	out->starting = b->starting;
	out->prefixes = b->dests.used - b->mappings;
	out->mappings = b->mappings;
	out->unaccepted = b->unaccepted;
	out->routes = b->routes.used;
	out->sources = b->sources.used;
	out->origins = b->origins.used;
	out->claims = b->proofs.used;
	out->jobs = b->jobs.used;
	out->packets_waiting = b->in_count;
	out->prefix_limit = b->dests.limit;
	out->route_limit = b->routes.limit;
	out->origin_limit = b->origins.limit;
	out->requests = b->reqs.used;
	out->links = b->neigh_count;
	out->selected = b->valid_count;
	out->bytes = memory(b);
}
