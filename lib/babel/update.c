// SPDX-License-Identifier: BSD-3-Clause
// Updates from neighbours: what may come from whom, and RFC 8966 section 3.5.3.
#include "babel/state.h"

void babel_refuse(struct xy_babel *b, struct neigh *n, enum xy_babel_refusal why)
{
	n->info.refused[why]++;
	if (why != XY_BABEL_REFUSED_ORIGIN_LIMIT && why != XY_BABEL_REFUSED_ROUTE_LIMIT)
		return;
	if (!n->limit_told)
		babel_notice(b, XY_BABEL_NOTICE_LIMIT, n, NULL, NULL);
	n->limit_told = true;
}

static bool is_aggregate(const struct xy_prefix *p)
{
	return p->len == 7 && p->addr.b[0] == 0x02;
}

static bool listed(const struct xy_prefix *list, unsigned n, const struct xy_prefix *p)
{
	for (unsigned i = 0; i < n; i++)
		if (xy_prefix_covers(&list[i], p))
			return true;
	return false;
}

// Which of a neighbour's routes to a prefix a retraction means. Outside 200::/7 a mesh neighbour
// may have one per key, and says by the router-id whose it was; one that is not known means nothing
// that we hold.
static uint32_t retracted(const struct xy_babel *b, const struct neigh *n,
			  const struct xy_babel_update *u, uint32_t *dest)
{
	bool named = !n->c.plain && !xy_addr_is_mesh(&u->prefix.addr);
	uint32_t origin = named && u->has_rid ? babel_origin_by_rid(b, u->rid) : 0;
	*dest = named && !origin ? 0 : babel_dest_find(b, &u->prefix, origin);
	uint32_t i = *dest ? babel_route_find(b, *dest, n) : 0;
	return i && named && ROUTE(b, i)->rid != u->rid ? 0 : i;
}

static void retract(struct xy_babel *b, struct neigh *n, const struct xy_babel_update *u)
{
	const struct xy_prefix *p = &u->prefix;
	uint32_t dest, i = retracted(b, n, u, &dest);
	n->info.aggregate &= !is_aggregate(p);
	babel_wait_cancel(b, n, p, u->rid);
	if (i) {
		if (ROUTE(b, i)->gen == n->gen)
			babel_flap_note(b, i);
		babel_route_drop(b, i);
		babel_dest_select(b, dest);
	}
	if (n->c.relay && (!dest || !DEST(b, dest)->valid))
		babel_want_refuse(b, p, n);
	if (i)
		babel_dest_release(b, dest);
}

static void wildcard(struct xy_babel *b, struct neigh *n)
{
	bool had = n->routes || n->wait_count;
	n->info.aggregate = false;
	// In one packet: who begins its link anew says both, too, but apart.
	bool stops = n->unwanting && n->unwanting_here;
	n->takes_back = !stops; // who stops is not held back when it has started again
	if (stops)
		babel_neigh_goodbye(b, n);
	if (!babel_neigh_retract_all(b, n)) {
		n->skipped = true;
		babel_refuse(b, n, XY_BABEL_REFUSED_BUSY);
		return;
	}
	// A delayed copy of one may have hit what was announced after it: ask for all again.
	if (had)
		babel_send_full_request(b, n);
}

static void receive_plain(struct xy_babel *b, struct neigh *n, const struct xy_babel_update *u)
{
	// First, since it is no fault: a stock babeld says again on a tunnel what it was told
	// there.
	if (babel_own_rid(b, u->rid) || babel_origin_by_rid(b, u->rid))
		babel_refuse(b, n, XY_BABEL_REFUSED_REFLECTED);
	else if (xy_addr_is_mesh(&u->prefix.addr) && u->prefix.len >= 7)
		babel_refuse(b, n, XY_BABEL_REFUSED_UNSIGNED);
	else if (!listed(n->c.accept, n->c.accept_count, &u->prefix))
		babel_refuse(b, n, XY_BABEL_REFUSED_NOT_ACCEPTED);
	else
		babel_update_apply(b, n, &u->prefix, 0, u->rid, u->seqno, u->metric, u->interval);
}

static void receive_mesh(struct xy_babel *b, struct neigh *n, const struct xy_babel_update *u)
{
	n->info.aggregate |= is_aggregate(&u->prefix) && !u->has_origin;
	if (is_aggregate(&u->prefix) && !u->has_origin && b->c.stub && n->c.relay)
		babel_update_apply(b, n, &u->prefix, 0, u->rid, u->seqno, u->metric, u->interval);
	else if (xy_addr_is_mesh(&u->prefix.addr) && u->prefix.len >= 7 && u->prefix.len != 64)
		babel_refuse(b, n, XY_BABEL_REFUSED_MESH_PREFIX);
	else if (!u->has_origin)
		babel_refuse(b, n, XY_BABEL_REFUSED_UNSIGNED);
	else
		babel_claim_receive(b, n, u);
}

void babel_update_receive(struct xy_babel *b, struct neigh *n, const struct xy_babel_update *u)
{
	n->info.updates_received++;
	// What it believes of this link is from before we forgot it. When it is heard it is asked
	// for all; what was kept of now might be of a life before that.
	if (!n->heard) {
		n->skipped = true;
		babel_refuse(b, n, XY_BABEL_REFUSED_NOT_HEARD);
		return;
	}
	if (u->wildcard) {
		wildcard(b, n);
		return;
	}
	if (xy_prefix_is_martian(&u->prefix)) {
		babel_refuse(b, n, XY_BABEL_REFUSED_MARTIAN);
		return;
	}
	if (u->metric == XY_BABEL_INFINITY) {
		retract(b, n, u);
		if (u->has_origin && u->has_rid && !n->c.plain)
			babel_claim_receive(b, n, u); // it may tell of a higher epoch
		return;
	}
	if (n->c.plain)
		receive_plain(b, n, u);
	else
		receive_mesh(b, n, u);
}

// How long a route lasts without news: 3.5 intervals (RFC 8966 appendix B). First the neighbour is
// asked, at seven eighths of it (section 3.8.2.3).
static xy_nsec hold_time(const struct route *r)
{
	if (r->interval == 0xffff)
		return XY_NEVER / 4;
	return r->interval * 10 * XY_MSEC * 7 / 2;
}

// A mapping is named by its router-id, and only seqno requests have one: for the seqno that we
// have.
static void ask_again(struct xy_babel *b, struct neigh *n, const struct route *r)
{
	const struct dest *d = DEST(b, r->dest);
	struct item item = {.type = XY_BABEL_ROUTE_REQUEST, .request = {.prefix = d->prefix}};
	if (d->origin) {
		item.type = XY_BABEL_SEQNO_REQUEST;
		item.request.hops = 1;
		item.request.seqno = r->seqno;
		item.request.rid = r->rid;
	}
	babel_send_item(b, n, &item);
}

void babel_route_timer(struct xy_babel *b, uint32_t i)
{
	struct route *r = ROUTE(b, i);
	struct neigh *n = babel_neigh_of(b, r->neigh);
	uint32_t dest = r->dest;
	if (r->held) {
		r->held = 0;
		babel_timer_set(b, T_ROUTE, i, b->now + hold_time(r) - hold_time(r) / 8);
		babel_dest_select(b, dest);
		return;
	}
	if (r->doubted) { // no new seqno came: it is what it is
		r->doubted = 0;
		r->seqno = r->doubt_seqno;
		r->refmetric = r->doubt_metric;
		babel_timer_set(b, T_ROUTE, i, b->now + hold_time(r) - hold_time(r) / 8);
		babel_dest_select(b, dest);
		return;
	}
	if (!r->asked) {
		r->asked = 1;
		babel_timer_set(b, T_ROUTE, i, b->now + hold_time(r) / 8);
		ask_again(b, n, r);
		return;
	}
	babel_route_drop(b, i);
	babel_dest_select(b, dest);
	babel_dest_release(b, dest);
}

static void route_heard(struct xy_babel *b, uint32_t i, uint16_t interval)
{
	struct route *r = ROUTE(b, i);
	r->interval = interval;
	r->heard = centiseconds(b->now);
	r->asked = r->doubted = 0;
	xy_nsec until = r->held ? babel_flap_hold(b, babel_neigh_of(b, r->neigh), r->dest) : 0;
	r->held = until != 0;
	babel_timer_set(b, T_ROUTE, i, until ? until : b->now + hold_time(r) - hold_time(r) / 8);
}

static uint32_t ask_seqno(const struct xy_babel *b, const struct dest *d, uint64_t rid)
{
	uint32_t s = babel_source_find(b, d, rid);
	return s ? SOURCE(b, s)->seqno + 1u : 0;
}

// RFC 8966 section 3.8.2.2: an unfeasible update for the route in use, or for one that would be
// better, is worth a new seqno.
static void want_feasible(struct xy_babel *b, struct neigh *n, uint32_t dest, uint64_t rid,
			  uint16_t metric, bool selected)
{
	struct dest *d = DEST(b, dest);
	uint32_t would = (uint32_t)metric + n->cost;
	if (!d->valid || !n->usable || (!selected && would + would / 16 + 8 >= d->metric))
		return;
	babel_request_ask(b, dest, rid, (uint16_t)ask_seqno(b, d, rid), n);
}

// Two keys for one /64: the one that is known stays while its route lives.
static bool collides(struct xy_babel *b, struct neigh *n, uint32_t dest, uint32_t proof)
{
	const struct dest *d = DEST(b, dest);
	if (!proof || !xy_addr_is_mesh(&d->prefix.addr))
		return false;
	for (uint32_t i = d->routes; i; i = ROUTE(b, i)->dnext) {
		uint32_t other = ROUTE(b, i)->proof;
		if (!other || PROOF(b, other)->origin == PROOF(b, proof)->origin)
			continue;
		babel_refuse(b, n, XY_BABEL_REFUSED_COLLISION);
		babel_notice(b, XY_BABEL_NOTICE_COLLISION, n, &d->prefix,
			     &ORIGIN(b, PROOF(b, proof)->origin)->x25519);
		return true;
	}
	return false;
}

static uint32_t new_route(struct xy_babel *b, struct neigh *n, uint32_t dest, uint32_t proof)
{
	if (!babel_route_room(b, n, dest, proof ? PROOF(b, proof)->origin : 0, 0)) {
		babel_refuse(b, n, XY_BABEL_REFUSED_ROUTE_LIMIT);
		return 0;
	}
	if (proof && !babel_origin_room(b, n, PROOF(b, proof)->origin)) {
		babel_refuse(b, n, XY_BABEL_REFUSED_ORIGIN_LIMIT);
		return 0;
	}
	uint32_t i = babel_route_add(b, dest, n);
	if (!i)
		babel_refuse(b, n, XY_BABEL_REFUSED_ROUTE_LIMIT);
	return i;
}

static void set_proof(struct xy_babel *b, struct neigh *n, struct route *r, uint32_t proof)
{
	if (r->proof == proof)
		return;
	uint32_t old = r->proof;
	if (proof) {
		babel_proof_hold(b, proof);
		babel_share_add(b, n, PROOF(b, proof)->origin);
	}
	r->proof = proof;
	if (old) {
		babel_share_drop(b, n, PROOF(b, old)->origin);
		babel_proof_drop(b, old);
	}
}

// A selected route gets an unfeasible update: what we hold stays true in the sense that matters
// (the neighbour's distance only fell since), so it stays for a minute while a new seqno is asked
// for, instead of a hole at once.
static bool doubt(struct xy_babel *b, struct neigh *n, uint32_t dest, uint32_t i, uint64_t rid,
		  uint16_t seqno, uint16_t metric)
{
	struct route *r = ROUTE(b, i);
	if (DEST(b, dest)->selected != i || r->rid != rid || r->gen != n->gen)
		return false;
	want_feasible(b, n, dest, rid, metric, true);
	if (!r->doubted) {
		r->doubted = 1;
		babel_timer_set(b, T_ROUTE, i, b->now + 20 * XY_SEC);
	}
	r->doubt_seqno = seqno;
	r->doubt_metric = metric;
	return true;
}

static void fill(struct xy_babel *b, struct neigh *n, uint32_t i, uint32_t proof, uint64_t rid,
		 uint16_t seqno, uint16_t metric)
{
	struct route *r = ROUTE(b, i);
	bool first = r->refmetric == XY_BABEL_INFINITY || r->gen != n->gen;
	if (r->gen != n->gen && n->takes_back)
		babel_flap_note(b, i);
	set_proof(b, n, r, proof);
	r->gen = n->gen;
	r->rid = rid;
	r->seqno = seqno;
	r->refmetric = metric;
	if (first) {
		r->held = babel_flap_hold(b, n, r->dest) != 0;
		r->smooth = babel_route_metric(b, r);
		r->smooth_at = (uint16_t)(b->now / XY_SEC);
	}
}

void babel_update_apply(struct xy_babel *b, struct neigh *n, const struct xy_prefix *p,
			uint32_t proof, uint64_t rid, uint16_t seqno, uint16_t metric,
			uint16_t interval)
{
	babel_wait_cancel(b, n, p, rid);
	uint32_t dest = babel_dest_get(b, p, proof ? PROOF(b, proof)->origin : 0);
	if (!dest) {
		babel_refuse(b, n, XY_BABEL_REFUSED_ROUTE_LIMIT);
		return;
	}
	struct dest *d = DEST(b, dest);
	uint32_t i = babel_route_find(b, dest, n);
	bool feasible = babel_update_feasible(b, d, rid, seqno, metric);
	if (!babel_source_room(b, dest, rid, proof)) {
		babel_refuse(b, n, XY_BABEL_REFUSED_ROUTE_LIMIT);
	} else if (!collides(b, n, dest, proof)) {
		if (i && !feasible && doubt(b, n, dest, i, rid, seqno, metric))
			return;
		if (!i)
			i = new_route(b, n, dest, proof);
		if (i) {
			fill(b, n, i, proof, rid, seqno, metric);
			route_heard(b, i, interval);
			babel_dest_select(b, dest);
			if (!feasible)
				want_feasible(b, n, dest, rid, metric, false);
			if (d->valid)
				babel_want_found(b, p);
		}
	}
	babel_dest_release(b, dest);
}
