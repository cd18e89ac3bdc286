// SPDX-License-Identifier: BSD-3-Clause
// Feasibility (RFC 8966 section 3.5.1), metrics, route selection with hysteresis (appendix A.3),
// equal-cost next hops, and what follows from a change.
#include "babel/state.h"

uint16_t babel_route_metric(const struct xy_babel *b, const struct route *r)
{
	const struct neigh *n = babel_neigh_of(b, r->neigh);
	if (r->gen != n->gen || !n->usable || r->held || r->refmetric == XY_BABEL_INFINITY)
		return XY_BABEL_INFINITY;
	uint32_t metric = (uint32_t)r->refmetric + n->cost;
	return metric < XY_BABEL_INFINITY ? (uint16_t)metric : XY_BABEL_INFINITY;
}

bool babel_update_feasible(const struct xy_babel *b, const struct dest *d, uint64_t rid,
			   uint16_t seqno, uint16_t metric)
{
	uint32_t i = babel_source_find(b, d, rid);
	if (metric == XY_BABEL_INFINITY || !i)
		return true;
	const struct source *s = SOURCE(b, i);
	return seqno_above(seqno, s->seqno) || (seqno == s->seqno && metric < s->metric);
}

bool babel_route_feasible(const struct xy_babel *b, const struct route *r)
{
	return babel_update_feasible(b, DEST(b, r->dest), r->rid, r->seqno, r->refmetric);
}

static bool accepted(const struct xy_babel *b, const struct xy_prefix *p, const struct xy_key *key)
{
	for (unsigned i = 0; i < b->accept_count; i++)
		if (xy_prefix_covers(&b->accept[i].prefix, p) &&
		    !memcmp(&b->accept[i].key, key, sizeof(*key)))
			return true;
	return false;
}

// Inside 200::/7 the hash is the right; a plain route was let in by its link's accept list;
// everything else needs ours.
bool babel_dest_used(const struct dest *d)
{
	return !d->origin || d->used;
}

void babel_dest_accept(struct xy_babel *b, uint32_t dest)
{
	const struct dest *d = DEST(b, dest);
	if (d->origin)
		babel_dest_use(b, dest, accepted(b, &d->prefix, &ORIGIN(b, d->origin)->x25519));
}

// The smoothed metric moves a sixteenth of the way each second: a time constant of about 16 s,
// four Hellos.
static uint16_t smoothed(struct xy_babel *b, struct route *r, uint16_t metric)
{
	uint16_t now = (uint16_t)(b->now / XY_SEC);
	uint16_t steps = now - r->smooth_at;
	int diff = (int)r->smooth - metric;
	if (steps > 128 || r->smooth == XY_BABEL_INFINITY)
		diff = 0;
	for (; steps > 0 && diff; steps--)
		diff -= diff > 0 ? (diff + 15) / 16 : (diff - 15) / 16;
	r->smooth = (uint16_t)(metric + diff);
	r->smooth_at = now;
	return r->smooth;
}

struct choice {
	uint32_t route;
	uint16_t metric;
};

static struct choice choice_of(const struct xy_babel *b, uint32_t i)
{
	const struct route *r = ROUTE(b, i);
	struct choice c = {.route = i, .metric = babel_route_metric(b, r)};
	if (c.metric == XY_BABEL_INFINITY || !babel_route_feasible(b, r))
		c.route = 0;
	return c;
}

static struct choice best_of(struct xy_babel *b, const struct dest *d)
{
	struct choice best = {0};
	for (uint32_t i = d->routes; i; i = ROUTE(b, i)->dnext, b->stats.steps++) {
		struct choice c = choice_of(b, i);
		if (c.route && (!best.route || c.metric < best.metric))
			best = c;
	}
	return best;
}

static bool newer_epoch(const struct xy_babel *b, uint32_t old, uint32_t new)
{
	if (!old || !new || PROOF(b, old)->origin != PROOF(b, new)->origin)
		return false;
	return ERA(b, PROOF(b, old)->era)->epoch < ERA(b, PROOF(b, new)->era)->epoch;
}

// Stays with the present route unless the better one is better now and has been (appendix A.3); a
// direct link gives way only to a metric that is better by a fifth.
static bool worth_switching(struct xy_babel *b, const struct choice *from, const struct choice *to)
{
	struct route *old = ROUTE(b, from->route), *new = ROUTE(b, to->route);
	if (newer_epoch(b, old->proof, new->proof))
		return true; // the older one is on its way out
	uint16_t so = smoothed(b, old, from->metric), sn = smoothed(b, new, to->metric);
	if (old->refmetric == 0 && to->metric + to->metric / 4 >= from->metric)
		return false;
	return to->metric < from->metric && sn < so;
}

static struct choice choose(struct xy_babel *b, uint32_t dest)
{
	struct dest *d = DEST(b, dest);
	struct choice best = best_of(b, d), now = {0};
	if (d->selected)
		now = choice_of(b, d->selected);
	if (!best.route || !now.route || best.route == now.route)
		return best;
	if (worth_switching(b, &now, &best))
		return best;
	if (!d->held)
		babel_timer_set(b, T_DEST, dest, b->now + DEST_TICK);
	return now;
}

// Next hops of equal cost. They must be nearer to the origin than we are by what we are about to
// announce, or two nodes could choose each other: the same source, and strictly better than our
// own (seqno, metric).
static unsigned next_hops(struct xy_babel *b, const struct dest *d, const struct choice *c,
			  uint16_t hops[static XY_BABEL_HOPS])
{
	const struct route *s = ROUTE(b, c->route);
	unsigned n = 0;
	hops[n++] = s->neigh;
	for (uint32_t i = d->routes; i && n < XY_BABEL_HOPS;
	     i = ROUTE(b, i)->dnext, b->stats.steps++) {
		const struct route *r = ROUTE(b, i);
		if (i == c->route || r->rid != s->rid || r->seqno != s->seqno ||
		    r->proof != s->proof || babel_route_metric(b, r) != c->metric ||
		    !babel_route_feasible(b, r))
			continue;
		hops[n++] = r->neigh;
	}
	return n;
}

static void describe(const struct xy_babel *b, const struct route *r, struct xy_babel_route *out)
{
	if (!r->proof)
		return;
	const struct proof *p = PROOF(b, r->proof);
	out->has_key = true;
	out->key = ORIGIN(b, p->origin)->x25519;
	out->external = p->flags & XY_BABEL_ORIGIN_EXTERNAL;
	out->preferred = ORIGIN(b, p->origin)->prefer > 0;
	out->epoch = ERA(b, p->era)->epoch;
	out->tag = p->tag;
}

static void tell_via(struct xy_babel *b, struct dest *h, const struct dest *d)
{
	struct xy_babel_route *out = &babel_action_add(b, XY_BABEL_ROUTE)->route;
	*out = (struct xy_babel_route){.prefix = d->prefix,
				       .kind = XY_BABEL_VIA,
				       .hop_count = d->hop_count,
				       .metric = d->metric,
				       .seqno = d->seqno,
				       .rid = d->rid,
				       .used = true};
	for (unsigned i = 0; i < d->hop_count; i++)
		out->hops[i] = babel_neigh_of(b, d->hops[i])->link;
	describe(b, ROUTE(b, d->selected), out);
	h->told = true;
}

static void tell(struct xy_babel *b, struct dest *h, enum xy_babel_route_kind kind)
{
	struct xy_babel_route *out = &babel_action_add(b, XY_BABEL_ROUTE)->route;
	*out = (struct xy_babel_route){.prefix = h->prefix, .kind = kind};
	h->told = kind != XY_BABEL_GONE;
	if (!h->told) // and what comes next is another one
		h->no_room = false;
}

// ---- which source of a prefix is followed ----

static bool better(const struct xy_babel *b, uint32_t a, uint32_t than)
{
	return !than || DEST(b, a)->metric < DEST(b, than)->metric;
}

static uint32_t best_source(struct xy_babel *b, uint32_t head)
{
	const struct dest *h = DEST(b, head);
	uint32_t best = h->valid ? head : 0;
	for (uint32_t k = h->kin; k && DEST(b, k)->used; k = DEST(b, k)->knext, b->stats.steps++)
		if (DEST(b, k)->valid && better(b, k, best))
			best = k;
	return best;
}

// A source that is better moves the flows once it has been better for a while.
static bool ripe(struct xy_babel *b, uint32_t head, uint32_t best)
{
	struct dest *h = DEST(b, head);
	const struct dest *now = DEST(b, h->followed);
	if (!now->valid || !babel_dest_used(now))
		return true;
	if (best == h->followed || !better(b, best, h->followed)) {
		h->ripening = false;
		return best == h->followed;
	}
	if (!h->ripening)
		h->since = centiseconds(b->now);
	h->ripening = true;
	if (centiseconds(b->now) - h->since >= RIPE_CS)
		return true;
	if (!h->tpos)
		babel_timer_set(b, T_DEST, head, b->now + DEST_TICK);
	return false;
}

static void hold(struct xy_babel *b, uint32_t dest)
{
	struct dest *d = DEST(b, dest);
	d->held = true;
	d->ripening = false;
	d->since = centiseconds(b->now);
	babel_timer_set(b, T_DEST, dest, b->now + DEST_TICK / 2);
}

// After the selection of a dest: the route that packets take to its prefix. Of several keys that
// announce it only those count that accept names, so that no other one can hide them.
static void follow(struct xy_babel *b, uint32_t dest, bool changed)
{
	uint32_t head = head_of(b, dest);
	struct dest *h = DEST(b, head);
	if (h->own && !OWN(b, h->own)->external)
		return;
	uint32_t best = best_source(b, head), old = h->followed;
	if (old && !ripe(b, head, best))
		best = old;
	if (best == old && !(best == dest && changed))
		return;
	h->followed = best;
	if (best != old) // else what ripens beside the followed one goes on doing so
		h->ripening = false;
	if (best) {
		h->held = false;
		tell_via(b, h, DEST(b, best));
	} else {
		hold(b, head);
		tell(b, h, XY_BABEL_UNREACHABLE);
	}
	if (best != old && ((best && best != head) || (old && old != head)))
		babel_log_touch(b, head, true); // plain neighbours hear of what is followed
}

// What we announce ourselves follows what is selected: a plain route is brought into the mesh.
static void follow_external(struct xy_babel *b, uint32_t dest)
{
	struct dest *d = DEST(b, dest);
	bool plain = false;
	uint32_t tag = 0;
	if (d->origin)
		return;
	if (d->selected && !ROUTE(b, d->selected)->proof) {
		const struct neigh *n = babel_neigh_of(b, ROUTE(b, d->selected)->neigh);
		plain = n->c.plain;
		tag = n->c.tag;
	}
	if (d->own && OWN(b, d->own)->external && (!plain || OWN(b, d->own)->tag != tag))
		babel_own_drop(b, d->own);
	if (plain && !d->own)
		d->own = babel_own_external(b, dest, tag);
}

// Triggered updates (RFC 8966 section 3.7.2): a metric that moved by a sixteenth, at least by 8.
static bool metric_moved(uint16_t old, uint16_t new)
{
	uint16_t least = old / 16 > 8 ? old / 16 : 8;
	return abs(new - old) >= least;
}

static void poison(struct xy_babel *b, uint32_t dest, uint16_t neigh)
{
	struct neigh *n = babel_neigh_of(b, neigh);
	if (n && !n->fresh)
		babel_send_one(b, n, dest);
}

static void lose(struct xy_babel *b, uint32_t dest)
{
	struct dest *d = DEST(b, dest);
	b->valid_count -= d->valid;
	d->valid = false;
	d->hop_count = 0;
	d->metric = d->logged_metric = XY_BABEL_INFINITY;
	hold(b, dest);
	babel_sources_age(b, dest);
	follow_external(b, dest);
	babel_log_touch(b, dest, true);
}

// RFC 8966 section 3.8.2.1: all feasible routes are gone, others are there.
static void starve(struct xy_babel *b, uint32_t dest)
{
	const struct dest *d = DEST(b, dest);
	for (uint32_t i = d->routes; i; i = ROUTE(b, i)->dnext, b->stats.steps++) {
		const struct route *r = ROUTE(b, i);
		uint32_t s = babel_source_find(b, d, r->rid);
		if (babel_route_metric(b, r) == XY_BABEL_INFINITY || !s)
			continue;
		babel_request_ask(b, dest, r->rid, (uint16_t)(SOURCE(b, s)->seqno + 1), NULL);
		if (!d->tpos) // and again, should all copies of the request be lost
			babel_timer_set(b, T_DEST, dest, b->now + LONG_TICK);
	}
}

static void take(struct xy_babel *b, uint32_t dest, const struct choice *c)
{
	struct dest *d = DEST(b, dest);
	const struct route *r = ROUTE(b, c->route);
	uint16_t hops[XY_BABEL_HOPS] = {0}, old_hop = d->hops[0];
	bool was = d->valid, new_source = !was || d->rid != r->rid;
	unsigned n = next_hops(b, d, c, hops);
	bool tell_it = !was || n != d->hop_count || memcmp(hops, d->hops, n * sizeof(hops[0])) ||
		       d->rid != r->rid || d->announced != r->proof || d->metric != c->metric;
	bool new_hop = was && hops[0] != old_hop;
	d->selected = c->route;
	b->valid_count += !d->valid;
	d->valid = true;
	d->held = false;
	d->rid = r->rid;
	d->seqno = r->seqno;
	d->metric = c->metric;
	d->hop_count = (uint8_t)n;
	d->announced = r->proof;
	memcpy(d->hops, hops, sizeof(hops));
	if (was && new_source)
		babel_sources_age(b, dest);
	follow_external(b, dest);
	follow(b, dest, tell_it);
	if (new_source || metric_moved(d->logged_metric, d->metric)) {
		d->logged_metric = d->metric;
		babel_log_touch(b, dest, new_source);
		if (d->origin && DEST(b, d->head)->followed == dest)
			babel_log_touch(b, d->head, new_source);
	}
	if (new_hop) { // split horizon turned: one must forget us, the other must hear from us
		poison(b, dest, old_hop);
		poison(b, dest, hops[0]);
	}
}

// An unfeasible route that would be better is worth a new seqno (RFC 8966 section 3.8.2.2), asked
// for again from time to time while that is so.
static void long_for(struct xy_babel *b, uint32_t dest)
{
	const struct dest *d = DEST(b, dest);
	uint32_t best = 0, metric = d->metric - d->metric / 16u;
	for (uint32_t i = d->routes; i; i = ROUTE(b, i)->dnext, b->stats.steps++) {
		const struct route *r = ROUTE(b, i);
		uint32_t m = babel_route_metric(b, r) + 8u;
		if (m >= metric || babel_route_feasible(b, r))
			continue;
		best = i;
		metric = m;
	}
	if (!best)
		return;
	const struct route *r = ROUTE(b, best);
	uint32_t s = babel_source_find(b, d, r->rid);
	babel_request_ask(b, dest, r->rid, (uint16_t)(SOURCE(b, s)->seqno + 1),
			  babel_neigh_of(b, r->neigh));
	if (!d->tpos)
		babel_timer_set(b, T_DEST, dest, b->now + LONG_TICK);
}

static void own_prefix(struct xy_babel *b, uint32_t dest)
{
	struct dest *d = DEST(b, dest);
	d->selected = d->followed = 0;
	d->hop_count = 0;
	b->valid_count -= d->valid;
	d->held = d->ripening = d->valid = d->was_own = false;
	babel_sources_age(b, dest);
	if (d->told)
		tell(b, d, XY_BABEL_GONE);
}

void babel_dest_select(struct xy_babel *b, uint32_t dest)
{
	struct dest *d = DEST(b, dest);
	if (d->own && !OWN(b, d->own)->external) {
		own_prefix(b, dest);
		return;
	}
	if (b->starting)
		return;
	struct choice c = choose(b, dest);
	if (c.route) {
		take(b, dest, &c);
		long_for(b, dest);
	} else {
		d->selected = 0;
		if (d->valid)
			lose(b, dest);
		follow(b, dest, false);
		starve(b, dest);
	}
	babel_request_check(b, dest);
}

void babel_dest_room(struct xy_babel *b, uint32_t head, bool room)
{
	struct dest *h = DEST(b, head);
	if (h->no_room == !room)
		return;
	h->no_room = !room;
	babel_log_touch(b, head, true);
	if (h->followed && h->followed != head)
		babel_log_touch(b, h->followed, true);
}

static bool kin_held(const struct xy_babel *b, const struct dest *d)
{
	uint32_t k = d->origin ? 0 : d->kin;
	while (k && DEST(b, k)->used && !DEST(b, k)->held)
		k = DEST(b, k)->knext;
	return k && DEST(b, k)->used;
}

// A retracted prefix is held until every neighbour knows, so that no packet follows a shorter
// prefix back to where it came from (RFC 8966 section 2.8).
void babel_dest_timer(struct xy_babel *b, uint32_t dest)
{
	struct dest *d = DEST(b, dest);
	if (!d->held) {
		babel_dest_select(b, dest);
		return;
	}
	if ((!babel_send_reached_all(b, d) || kin_held(b, d)) &&
	    centiseconds(b->now) - d->since < HOLD_MAX_CS) {
		babel_timer_set(b, T_DEST, dest, b->now + DEST_TICK / 2);
		return;
	}
	d->held = false;
	if (d->told && !d->followed)
		tell(b, d, XY_BABEL_GONE);
	babel_dest_select(b, dest);
	babel_dest_release(b, dest);
}

// Our own prefix was withdrawn: told to everyone like any other loss.
void babel_dest_withdrawn(struct xy_babel *b, uint32_t dest)
{
	struct dest *d = DEST(b, dest);
	d->was_own = true;
	lose(b, dest);
	babel_dest_select(b, dest);
	if (!d->followed)
		tell(b, d, XY_BABEL_UNREACHABLE);
}
