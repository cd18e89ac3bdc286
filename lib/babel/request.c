// SPDX-License-Identifier: BSD-3-Clause
// Route and seqno requests (RFC 8966 section 3.8): answered, forwarded once, asked again, limited.
#include "babel/state.h"

enum { HOPS = 64, ANSWERS = 64, RESENDS = 3, TOKENS_PER_SECOND = 32, TOKENS_MAX = 256 };
static const xy_nsec REDUNDANT = 1500 * XY_MSEC; // a copy of a request that we just forwarded
static const xy_nsec FORWARD_LIFE = 12 * XY_SEC;

static bool allowed(struct xy_babel *b, struct neigh *n)
{
	uint64_t earned = (b->now - n->tokens_at) / (XY_SEC / (16 * TOKENS_PER_SECOND));
	n->tokens_at += earned * (XY_SEC / (16 * TOKENS_PER_SECOND));
	n->tokens = n->tokens + earned > 16 * TOKENS_MAX ? 16 * TOKENS_MAX
							 : (uint32_t)(n->tokens + earned);
	if (n->tokens < 16) {
		babel_refuse(b, n, XY_BABEL_REFUSED_REQUEST_LIMIT);
		return false;
	}
	n->tokens -= 16;
	return true;
}

static void answer(struct xy_babel *b, struct neigh *n, uint32_t dest)
{
	if (!n->fresh) // else it gets the full table soon
		babel_send_one(b, n, dest);
}

// That we have no such route. Outside 200::/7 a retraction means the route under its router-id.
static void answer_none(struct xy_babel *b, struct neigh *n, const struct xy_prefix *p,
			uint64_t rid)
{
	babel_send_raw(
		b, n,
		&(struct xy_babel_update){.prefix = *p,
					  .metric = XY_BABEL_INFINITY,
					  .has_rid = !n->c.plain && !xy_addr_is_mesh(&p->addr),
					  .rid = rid});
}

// A prefix outside 200::/7 is asked for with all its mappings, those that we use first.
void babel_request_route(struct xy_babel *b, struct neigh *n, const struct xy_babel_request *r)
{
	unsigned answers = 0;
	if (r->wildcard) { // has a limit of its own
		babel_send_dump(b, n);
		return;
	}
	if (!allowed(b, n))
		return;
	uint32_t head = babel_dest_find(b, &r->prefix, 0);
	for (uint32_t k = head; k && answers < ANSWERS; k = kin_next(b, k)) {
		if (n->c.stub && DEST(b, k)->valid)
			babel_interest_add(b, k, n);
		if (!babel_send_told(b, n, k))
			continue;
		answer(b, n, k);
		answers++;
	}
	if (!answers)
		answer_none(b, n, &r->prefix, b->rid);
}

// ---- the list of requests ----

static uint32_t req_find(const struct xy_babel *b, uint32_t dest, uint64_t rid)
{
	struct req key = {.rid = rid, .dest = dest};
	uint32_t i = babel_map_first(&b->req_map, b->req_map.hash(b, &key));
	while (i && (REQ(b, i)->dest != dest || REQ(b, i)->rid != rid))
		i = babel_map_next(&b->req_map, i);
	return i;
}

static uint32_t req_add(struct xy_babel *b, uint32_t dest, uint64_t rid)
{
	uint32_t i = babel_pool_take(&b->reqs);
	if (!i)
		return 0;
	struct req *r = REQ(b, i);
	struct dest *d = DEST(b, dest);
	r->dest = dest;
	r->rid = rid;
	if (!babel_map_insert(&b->req_map, i)) {
		babel_pool_give(&b->reqs, i);
		return 0;
	}
	r->dnext = d->reqs;
	d->reqs = i;
	d->users++;
	return i;
}

static void req_free(struct xy_babel *b, uint32_t i)
{
	struct req *r = REQ(b, i);
	uint32_t dest = r->dest;
	for (uint32_t *at = &DEST(b, dest)->reqs; *at; at = &REQ(b, *at)->dnext)
		if (*at == i) {
			*at = r->dnext;
			break;
		}
	babel_timer_stop(b, T_REQ, i);
	babel_map_remove(&b->req_map, i);
	babel_pool_give(&b->reqs, i);
	DEST(b, dest)->users--;
	babel_dest_release(b, dest);
}

static void remember(struct req *r, const struct neigh *n)
{
	for (unsigned i = 0; i < r->behalf_count; i++)
		if (r->behalf[i] == n->id)
			return;
	if (r->behalf_count < XY_ARRAY_SIZE(r->behalf))
		r->behalf[r->behalf_count++] = n->id;
}

// ---- asking ----

static void send_request(struct xy_babel *b, struct neigh *n, const struct req *r, uint8_t hops)
{
	babel_send_item(b, n,
			&(struct item){.type = XY_BABEL_SEQNO_REQUEST,
				       .request = {.prefix = DEST(b, r->dest)->prefix,
						   .seqno = r->seqno,
						   .hops = hops,
						   .rid = r->rid}});
}

static void send_to_all(struct xy_babel *b, uint32_t i)
{
	const struct req *r = REQ(b, i);
	for (uint32_t k = DEST(b, r->dest)->routes; k; k = ROUTE(b, k)->dnext)
		if (babel_route_metric(b, ROUTE(b, k)) != XY_BABEL_INFINITY)
			send_request(b, babel_neigh_of(b, ROUTE(b, k)->neigh), r, HOPS);
}

void babel_request_ask(struct xy_babel *b, uint32_t dest, uint64_t rid, uint16_t seqno,
		       struct neigh *only)
{
	uint32_t i = req_find(b, dest, rid);
	if (i && REQ(b, i)->own && !seqno_above(seqno, REQ(b, i)->seqno))
		return; // asked, and asked again by its timer
	if (!i)
		i = req_add(b, dest, rid);
	if (!i)
		return;
	struct req *r = REQ(b, i);
	r->own = true;
	r->seqno = seqno;
	r->tries = 0;
	r->hops = HOPS;
	r->since = b->now;
	babel_timer_set(b, T_REQ, i, b->now + REQUEST_FIRST);
	b->stats.seqno_requests++;
	if (only)
		send_request(b, only, r, HOPS);
	else
		send_to_all(b, i);
}

void babel_request_timer(struct xy_babel *b, uint32_t i)
{
	struct req *r = REQ(b, i);
	if (!r->own || ++r->tries > RESENDS) {
		req_free(b, i);
		return;
	}
	babel_timer_set(b, T_REQ, i, b->now + (REQUEST_FIRST << r->tries));
	send_to_all(b, i);
}

// ---- answering ----

static bool current(const struct xy_babel *b, const struct dest *d, uint64_t *rid, uint16_t *seqno)
{
	if (d->own) {
		babel_own_current(OWN(b, d->own), rid, seqno);
		return *rid != 0;
	}
	*rid = d->rid;
	*seqno = d->seqno;
	return d->valid;
}

static bool satisfied(uint64_t rid, uint16_t seqno, uint64_t want_rid, uint16_t want)
{
	return rid != want_rid || !seqno_above(want, seqno);
}

void babel_request_check(struct xy_babel *b, uint32_t dest)
{
	struct dest *d = DEST(b, dest);
	uint64_t rid;
	uint16_t seqno;
	if (!d->reqs || !current(b, d, &rid, &seqno))
		return;
	d->users++;
	for (uint32_t i = d->reqs, next; i; i = next) {
		struct req *r = REQ(b, i);
		next = r->dnext;
		if (!satisfied(rid, seqno, r->rid, r->seqno))
			continue;
		for (unsigned k = 0; k < r->behalf_count; k++) {
			struct neigh *n = babel_neigh_of(b, r->behalf[k]);
			if (n && !n->fresh)
				babel_send_one(b, n, n->c.plain ? head_of(b, dest) : dest);
		}
		req_free(b, i);
	}
	d->users--;
}

// The next hop of a route to it that does not lead back: a feasible one if there is one; a repeated
// request goes another way when it can.
static struct neigh *choose_hop(struct xy_babel *b, const struct dest *d, const struct neigh *from,
				unsigned turn)
{
	struct neigh *feasible[8], *other[8];
	unsigned nf = 0, no = 0;
	// The selected one first, however many there are: only there a new seqno helps who asked.
	if (d->selected && ROUTE(b, d->selected)->neigh != from->id)
		feasible[nf++] = babel_neigh_of(b, ROUTE(b, d->selected)->neigh);
	for (uint32_t i = d->routes; i; i = ROUTE(b, i)->dnext) {
		const struct route *r = ROUTE(b, i);
		if (i == d->selected || r->neigh == from->id ||
		    babel_route_metric(b, r) == XY_BABEL_INFINITY)
			continue;
		if (!babel_route_feasible(b, r)) {
			if (no < XY_ARRAY_SIZE(other))
				other[no++] = babel_neigh_of(b, r->neigh);
		} else if (nf < XY_ARRAY_SIZE(feasible)) {
			feasible[nf++] = babel_neigh_of(b, r->neigh);
		}
	}
	if (nf)
		return feasible[turn % nf];
	return no ? other[turn % no] : NULL;
}

static void forward(struct xy_babel *b, struct neigh *from, uint32_t dest,
		    const struct xy_babel_request *q)
{
	uint32_t i = req_find(b, dest, q->rid);
	bool known = i != 0;
	if (!known)
		i = req_add(b, dest, q->rid);
	if (!i)
		return;
	struct req *r = REQ(b, i);
	bool covered = known && !seqno_above(q->seqno, r->seqno);
	remember(r, from);
	if (covered && b->now - r->since < REDUNDANT)
		return; // on its way already
	if (!covered)
		r->seqno = q->seqno;
	unsigned turn = known && !r->own ? ++r->tries : 0;
	r->since = b->now;
	if (!r->own)
		babel_timer_set(b, T_REQ, i, b->now + FORWARD_LIFE);
	struct neigh *to = q->hops >= 2 ? choose_hop(b, DEST(b, dest), from, turn) : NULL;
	if (!to)
		return;
	b->stats.forwarded++;
	send_request(b, to, r, q->hops - 1);
}

// The destination that a request for (prefix, router-id) is about.
static uint32_t meant(const struct xy_babel *b, const struct xy_prefix *p, uint64_t rid)
{
	if (xy_addr_is_mesh(&p->addr) || babel_own_rid(b, rid))
		return babel_dest_find(b, p, 0);
	return babel_dest_find(b, p, babel_origin_by_rid(b, rid));
}

// Raised by one at most: the answer to a request that asks for more is the next one.
static void raise_own(struct xy_babel *b, struct neigh *n, uint32_t dest,
		      const struct xy_babel_request *q)
{
	const struct dest *d = DEST(b, dest);
	if (!babel_own_request(b, d->own, q->seqno))
		return;
	uint32_t i = req_find(b, dest, q->rid);
	if (!i)
		i = req_add(b, dest, q->rid);
	if (!i)
		return;
	REQ(b, i)->seqno = (uint16_t)(OWN(b, d->own)->seqno + 1);
	remember(REQ(b, i), n);
	babel_timer_set(b, T_REQ, i, b->now + FORWARD_LIFE);
}

void babel_request_seqno(struct xy_babel *b, struct neigh *n, const struct xy_babel_request *q)
{
	uint64_t rid;
	uint16_t seqno;
	if (!allowed(b, n))
		return;
	uint32_t dest = meant(b, &q->prefix, q->rid);
	// A plain neighbour knows one source of a prefix, the one that is followed.
	uint32_t as = dest && n->c.plain ? head_of(b, dest) : dest;
	if (!dest || !babel_send_told(b, n, as))
		return;
	const struct dest *d = DEST(b, dest);
	if ((as != dest && DEST(b, as)->followed != dest) ||
	    (current(b, d, &rid, &seqno) && satisfied(rid, seqno, q->rid, q->seqno)))
		answer(b, n, as);
	else if (d->own && q->rid == b->rid)
		raise_own(b, n, dest, q);
	else if (d->valid && !d->own)
		forward(b, n, dest, q);
}
