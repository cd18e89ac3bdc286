// SPDX-License-Identifier: BSD-3-Clause
// What goes to a neighbour: Hellos, small TLVs, and Updates in packets that ask for an
// Acknowledgment. At most SLOTS of those are under way, so acknowledgments pace full tables; a
// lost one is sent again, with what is true by then.
#include "babel/state.h"

enum { LOG_STEPS = 512, PACKET_MAX = 9000, NAMES = 1 + KEY_SOURCES };
// What a neighbour is given to acknowledge, in centiseconds; how long its answer then takes on the
// way is measured. It must not follow what was measured: babeld takes three fifths of what it is
// given.
enum { ACK_WITHIN = 5 };
enum { TRIES_GIVEN_UP = 2 }; // copies to a neighbour that acknowledges nothing
// Of a Hello that is the last, in centiseconds: a neighbour that misses all else gives up after two
// of them. As babeld has it.
enum { LAST_HELLO = 10 };
static const xy_nsec RTO_MIN = 200 * XY_MSEC, RTO_MAX = 3 * XY_SEC;
static const xy_nsec AGAIN = 1500 * XY_MSEC; // after a change overtook a copy in flight
static const xy_nsec GAVE_UP = 16 * XY_SEC;  // after TRIES copies
static const xy_nsec PATIENCE = 60 * XY_SEC; // for an acknowledgment
static const xy_nsec DUMP_PAUSE = 5 * XY_SEC;

enum advert { ADVERT_NOT, ADVERT_RETRACT, ADVERT_FINITE };

// ---- what a neighbour is told ----

static bool in_announce(const struct neigh *n, const struct xy_prefix *p)
{
	for (unsigned i = 0; i < n->c.announce_count; i++)
		if (xy_prefix_covers(&n->c.announce[i], p))
			return true;
	return false;
}

static enum advert advert_own(const struct neigh *n, const struct own *o)
{
	if (!o->ready)
		return ADVERT_NOT;
	return !o->aggregate || n->c.stub ? ADVERT_FINITE : ADVERT_NOT;
}

// What is followed came out of the neighbour's own domain, by the tag that it bears.
static bool is_of_domain(const struct xy_babel *b, const struct neigh *n, const struct dest *d)
{
	const struct dest *f = DEST(b, d->followed);
	if (f->origin) {
		const struct proof *p = PROOF(b, f->announced);
		return p->flags & XY_BABEL_ORIGIN_EXTERNAL && p->tag == n->c.tag;
	}
	return d->own && OWN(b, d->own)->tag == n->c.tag;
}

// A plain neighbour is told of what we follow ourselves, and never what came out of its own domain.
static enum advert advert_followed(const struct xy_babel *b, const struct neigh *n,
				   const struct dest *d)
{
	const struct own *o = d->own ? OWN(b, d->own) : NULL;
	const struct dest *f = DEST(b, d->followed);
	if (!f->origin && (!o || !o->ready))
		return ADVERT_NOT; // not brought into the mesh: then it is not ours to tell
	bool came_from_it = !f->origin && f->hops[0] == n->id;
	return came_from_it || is_of_domain(b, n, d) ? ADVERT_RETRACT : ADVERT_FINITE;
}

// What a plain neighbour may have heard of before is retracted, what it never may is not named.
static enum advert advert_plain(const struct xy_babel *b, const struct neigh *n,
				const struct dest *d)
{
	const struct own *o = d->own ? OWN(b, d->own) : NULL;
	if (d->origin)
		return ADVERT_NOT;
	if (o && o->aggregate)
		return o->ready && (!n->c.announce || in_announce(n, &d->prefix)) ? ADVERT_FINITE
										  : ADVERT_NOT;
	if (o && !o->external)
		return o->ready ? ADVERT_FINITE : ADVERT_NOT;
	if (xy_addr_is_mesh(&d->prefix.addr) || !in_announce(n, &d->prefix) || b->c.stub)
		return d->was_own ? ADVERT_RETRACT : ADVERT_NOT;
	return d->followed ? advert_followed(b, n, d) : ADVERT_RETRACT;
}

// What is followed, and has no place in the table of routes: no way for others.
static bool leads_nowhere(const struct xy_babel *b, uint32_t dest)
{
	const struct dest *h = DEST(b, head_of(b, dest));
	return h->no_room && (h->followed == dest || dest == head_of(b, dest));
}

static enum advert advert_any(const struct xy_babel *b, const struct neigh *n, uint32_t dest)
{
	const struct dest *d = DEST(b, dest);
	if (n->c.plain)
		return advert_plain(b, n, d);
	if (d->own)
		return advert_own(n, OWN(b, d->own));
	if (!d->origin && !xy_addr_is_mesh(&d->prefix.addr))
		return d->was_own || d->was_external ? ADVERT_RETRACT : ADVERT_NOT;
	if (d->valid && (!d->selected || !d->announced))
		return ADVERT_NOT; // unsigned and not ours to sign
	if (b->c.stub || (n->c.stub && !babel_interest_find(b, dest, n)))
		return d->was_own && !d->valid ? ADVERT_RETRACT : ADVERT_NOT;
	if (!d->valid || d->hops[0] == n->id) // split horizon, said aloud
		return ADVERT_RETRACT;
	return ADVERT_FINITE;
}

static enum advert advert(const struct xy_babel *b, const struct neigh *n, uint32_t dest)
{
	enum advert a = advert_any(b, n, dest);
	return a == ADVERT_FINITE && leads_nowhere(b, dest) ? ADVERT_RETRACT : a;
}

bool xy_babel_tag_stops(const struct xy_babel *b, uint16_t link, const struct xy_prefix *p)
{
	const struct neigh *n = babel_link_of(b, link);
	uint32_t head = babel_dest_find(b, p, 0);
	const struct dest *d = head ? DEST(b, head) : NULL;
	if (!n || !n->c.plain || !d || !d->followed || !in_announce(n, p))
		return false;
	bool came_from_it = DEST(b, d->followed)->hops[0] == n->id;
	return !came_from_it && is_of_domain(b, n, d);
}

bool babel_send_told(struct xy_babel *b, struct neigh *n, uint32_t dest)
{
	return advert(b, n, dest) != ADVERT_NOT;
}

static uint16_t interval_cs(const struct xy_babel *b, const struct neigh *n)
{
	xy_nsec interval = b->c.update_interval;
	if (!interval)
		interval = n->c.plain || n->gave_up ? 60 * XY_SEC : 600 * XY_SEC;
	xy_nsec cs = interval / (10 * XY_MSEC);
	return cs < 65534 ? (uint16_t)cs : 65534;
}

static void fill_own(const struct xy_babel *b, const struct neigh *n, const struct dest *d,
		     struct xy_babel_update *u)
{
	const struct own *o = OWN(b, d->own);
	u->rid = o->rid;
	u->seqno = o->seqno;
	u->metric = o->external ? d->metric : 0;
	u->has_origin = !n->c.plain && !o->aggregate;
	u->origin = (struct xy_babel_origin){.flags = o->external ? XY_BABEL_ORIGIN_EXTERNAL : 0,
					     .epoch = o->epoch,
					     .tag = o->tag};
	memcpy(u->origin.key, b->c.ed25519.b, 32);
	memcpy(u->origin.signature, o->signature, 64);
}

static void fill_learned(const struct xy_babel *b, const struct neigh *n, const struct dest *d,
			 struct xy_babel_update *u)
{
	struct xy_babel_claim c;
	babel_proof_claim(b, PROOF(b, d->announced), &c);
	u->rid = d->rid;
	u->seqno = d->seqno;
	u->metric = d->metric;
	u->has_origin = !n->c.plain;
	u->origin = c.origin;
}

// The dest whose route an announcement of this one shows: a plain neighbour hears of a prefix what
// we follow.
static uint32_t shown_by(const struct xy_babel *b, const struct neigh *n, uint32_t dest)
{
	const struct dest *d = DEST(b, dest);
	bool own = d->own && !OWN(b, d->own)->external;
	return n->c.plain && d->followed && !own ? d->followed : dest;
}

static void fill_finite(const struct xy_babel *b, const struct neigh *n, const struct dest *d,
			struct xy_babel_update *u)
{
	u->has_rid = true;
	if (d->own)
		fill_own(b, n, d, u);
	else
		fill_learned(b, n, d, u);
}

static struct xy_babel_update retraction(const struct xy_babel *b, const struct neigh *n,
					 const struct dest *d)
{
	struct xy_babel_update u = {
		.prefix = d->prefix, .interval = interval_cs(b, n), .metric = XY_BABEL_INFINITY};
	if (n->c.plain && xy_prefix_is_v4(&d->prefix) && xy_addr_is_v4(&n->c.local_v4))
		u.next_hop = n->c.local_v4;
	return u;
}

// ---- Updates on their way ----

static void list_unlink(struct xy_babel *b, struct list *l, struct out *o)
{
	*(o->prev ? &OUT(b, o->prev)->next : &l->head) = o->next;
	*(o->next ? &OUT(b, o->next)->prev : &l->tail) = o->prev;
	o->next = o->prev = 0;
}

static void list_append(struct xy_babel *b, struct list *l, uint32_t i)
{
	struct out *o = OUT(b, i);
	o->prev = l->tail;
	o->next = 0;
	*(o->prev ? &OUT(b, o->prev)->next : &l->head) = i;
	l->tail = i;
}

static struct list *list_of(struct neigh *n, const struct out *o)
{
	if (o->gen != n->out_gen)
		return &n->trash;
	if (o->state == OUT_FLIGHT)
		return &n->slots[o->slot].outs;
	return o->state == OUT_LATER ? &n->later[o->tries != 0] : &n->queue;
}

static uint32_t out_any(const struct xy_babel *b, const struct neigh *n, uint32_t dest)
{
	struct out key = {.dest = dest, .neigh = n->id};
	uint32_t i = babel_map_first(&b->out_map, b->out_map.hash(b, &key));
	while (i && (OUT(b, i)->dest != dest || OUT(b, i)->neigh != n->id))
		i = babel_map_next(&b->out_map, i);
	return i;
}

static uint32_t out_find(const struct xy_babel *b, const struct neigh *n, uint32_t dest)
{
	uint32_t i = out_any(b, n, dest);
	return i && OUT(b, i)->gen == n->out_gen ? i : 0;
}

static uint32_t out_get(struct xy_babel *b, struct neigh *n, uint32_t dest)
{
	uint32_t i = out_any(b, n, dest);
	if (i) {
		struct out *o = OUT(b, i);
		list_unlink(b, list_of(n, o), o);
		if (o->gen != n->out_gen) { // as good as new
			o->tries = 0;
			o->overlap = false;
			o->origin = 0;
			o->since = 0;
		}
		o->gen = n->out_gen;
		return i;
	}
	i = babel_pool_take(&b->outs);
	if (!i)
		return 0;
	OUT(b, i)->dest = dest;
	OUT(b, i)->neigh = n->id;
	OUT(b, i)->gen = n->out_gen;
	if (!babel_map_insert(&b->out_map, i)) {
		babel_pool_give(&b->outs, i);
		return 0;
	}
	DEST(b, dest)->pending++;
	return i;
}

// Not in any list any more.
static void out_free(struct xy_babel *b, uint32_t i)
{
	uint32_t dest = OUT(b, i)->dest;
	babel_map_remove(&b->out_map, i);
	babel_pool_give(&b->outs, i);
	DEST(b, dest)->pending--;
	babel_dest_release(b, dest);
}

static void out_queue(struct xy_babel *b, struct neigh *n, uint32_t i)
{
	OUT(b, i)->state = OUT_QUEUED;
	list_append(b, &n->queue, i);
}

// After AGAIN, or, when it was given up, after GAVE_UP.
static void out_later(struct xy_babel *b, struct neigh *n, uint32_t i, bool gave_up)
{
	struct out *o = OUT(b, i);
	o->state = OUT_LATER;
	o->tries = gave_up;
	o->due = b->now + (gave_up ? GAVE_UP : AGAIN);
	list_append(b, &n->later[gave_up], i);
	if (!n->later_due || o->due < n->later_due)
		n->later_due = o->due;
}

void babel_send_one(struct xy_babel *b, struct neigh *n, uint32_t dest)
{
	uint32_t i = out_find(b, n, dest);
	if (i && OUT(b, i)->state == OUT_QUEUED)
		return;
	bool flying = i && OUT(b, i)->state == OUT_FLIGHT;
	i = out_get(b, n, dest);
	if (!i)
		return;
	OUT(b, i)->overlap |= flying;
	OUT(b, i)->tries = 0;
	out_queue(b, n, i);
	babel_send_soon(b, n, 10 * XY_MSEC);
}

void babel_send_answer(struct xy_babel *b, struct neigh *n, uint32_t origin)
{
	struct xy_babel_claim c;
	bool shown = babel_origin_shown(b, origin, &c);
	uint32_t dest = shown ? babel_dest_get(b, &c.prefix, origin) : 0;
	if (!dest)
		return;
	babel_send_one(b, n, dest);
	uint32_t i = out_find(b, n, dest);
	if (i)
		OUT(b, i)->origin = origin;
	else
		babel_dest_release(b, dest);
}

static void list_join(struct xy_babel *b, struct list *to, struct list *from)
{
	if (!from->head)
		return;
	*(to->tail ? &OUT(b, to->tail)->next : &to->head) = from->head;
	OUT(b, from->head)->prev = to->tail;
	to->tail = from->tail;
	*from = (struct list){0};
}

bool babel_send_trash(struct xy_babel *b, struct neigh *n)
{
	for (; n->trash.head && steps_left(b); b->stats.steps++) {
		uint32_t i = n->trash.head;
		list_unlink(b, &n->trash, OUT(b, i));
		out_free(b, i);
	}
	return n->trash.head;
}

// Whatever was on its way to it.
static void outs_void(struct xy_babel *b, struct neigh *n)
{
	list_join(b, &n->trash, &n->queue);
	list_join(b, &n->trash, &n->later[0]);
	list_join(b, &n->trash, &n->later[1]);
	FOR_SLOTS(n, s)
	{
		list_join(b, &n->trash, &s->outs);
		s->used = false;
	}
	n->out_gen++;
	n->cursor = babel_log_end(b);
	n->later_due = 0;
	if (n->trash.head)
		babel_bulk_wanted(b, n);
}

void babel_send_forget(struct xy_babel *b, struct neigh *n)
{
	outs_void(b, n);
	n->gave_up = false;
	n->mark_at = 0;
	n->item_count = 0;
	n->flush_at = n->later_due = n->dump_due = n->dumped = 0;
	n->dumping = n->dump_again = n->wildcard_due = n->full_due = false;
	n->wildcard_tries = 0;
	n->fresh = true;
	n->acked = false;
}

// ---- full tables ----

void babel_send_dump(struct xy_babel *b, struct neigh *n)
{
	if (n->fresh)
		return; // one comes with the acknowledgment
	if (n->dumping) {
		n->dump_again = true;
		return;
	}
	if (n->dumped && b->now - n->dumped < DUMP_PAUSE) {
		n->dump_due = n->dumped + DUMP_PAUSE;
		return;
	}
	n->dumping = true;
	n->dump_again = false;
	n->dump_due = 0;
	n->dump_at = 0;
	n->dump_end = n->cursor;
	babel_send_soon(b, n, 0);
}

static void dump_done(struct xy_babel *b, struct neigh *n)
{
	xy_nsec interval = interval_cs(b, n) * 10 * XY_MSEC;
	n->dumping = false;
	n->dumped = b->now;
	n->dump_due =
		b->now + (n->dump_again ? DUMP_PAUSE : interval - babel_jitter(b, interval / 8));
	n->dump_again = false;
}

// It has nothing of ours any more: now it gets everything.
static void wildcard_done(struct xy_babel *b, struct neigh *n)
{
	n->fresh = false;
	n->wildcard_due = false;
	n->cursor = babel_log_end(b);
	babel_send_dump(b, n);
	babel_start_check(b);
}

// ---- packets ----

struct packet {
	struct xy_babel_builder b;
	uint8_t data[PACKET_MAX];
	struct slot *slot;
	unsigned slot_index, outs;
	unsigned steps; // through the log, left
};

static void packet_open(struct neigh *n, struct packet *p)
{
	size_t size = n->c.mtu < PACKET_MAX ? n->c.mtu : PACKET_MAX;
	xy_babel_build(&p->b, p->data, size, &n->c.local);
	p->slot = NULL;
	p->outs = 0;
}

static void packet_send(struct xy_babel *b, struct neigh *n, struct packet *p)
{
	if (!xy_babel_build_empty(&p->b))
		babel_action_send(b, n, false, false, p->data, xy_babel_build_end(&p->b));
}

// All that was said holds no more. Behind an IHU that wants nothing it is a goodbye.
static struct xy_babel_update wildcard_retraction(const struct xy_babel *b, const struct neigh *n)
{
	return (struct xy_babel_update){
		.wildcard = true, .interval = interval_cs(b, n), .metric = XY_BABEL_INFINITY};
}

// Do we want packets of it?
static bool wanted(const struct xy_babel *b, const struct neigh *n)
{
	return !b->leaving && !n->shut;
}

void babel_send_hello(struct xy_babel *b, struct neigh *n)
{
	struct packet p;
	uint16_t interval = (uint16_t)(b->c.hello_interval / (10 * XY_MSEC));
	bool goodbye = babel_goodbye_due(b, n);
	packet_open(n, &p);
	xy_babel_build_hello(&p.b, &(struct xy_babel_hello){
					   .seqno = n->hello_seqno++,
					   .interval = goodbye ? LAST_HELLO : interval,
					   .has_time = !n->c.no_rtt,
					   .time = (uint32_t)(b->now / XY_USEC),
				   });
	if (n->heard)
		xy_babel_build_ihu(&p.b,
				   &(struct xy_babel_ihu){
					   .address = n->addr,
					   .rxcost = wanted(b, n) ? n->rxcost : XY_BABEL_INFINITY,
					   .interval = (uint16_t)(3 * interval),
					   .has_time = n->has_stamp && !n->c.no_rtt,
					   .origin_time = n->stamp_theirs,
					   .receive_time = n->stamp_ours,
				   });
	struct xy_babel_update all = wildcard_retraction(b, n);
	if (goodbye)
		xy_babel_build_update(&p.b, &all);
	n->hellos_sent++;
	// The last goodbye is behind all that was on its way out, whatever that says.
	bool soon = !goodbye || ++n->goodbyes < GOODBYES;
	struct action *a = babel_action_send(b, n, soon, true, p.data, xy_babel_build_end(&p.b));
	if (a)
		a->stamped = !n->c.no_rtt;
}

void babel_send_probe(struct xy_babel *b, struct neigh *n)
{
	struct packet p;
	n->info.probes++;
	packet_open(n, &p);
	xy_babel_build_ack_request(&p.b, n->opaque++, ACK_WITHIN);
	babel_action_send(b, n, true, false, p.data, xy_babel_build_end(&p.b));
}

size_t xy_babel_link_probe(struct xy_babel *b, uint16_t link, uint8_t *out, size_t len)
{
	struct neigh *n = babel_link_of(b, link);
	struct xy_babel_builder p;
	if (!n || !n->up || !n->heard || len < XY_BABEL_PROBE_MIN)
		return 0;
	xy_babel_build(&p, out, len, &n->c.local);
	n->probe_opaque = n->opaque++;
	n->probe_sent = true;
	n->probed = false;
	xy_babel_build_ack_request(&p, n->probe_opaque, ACK_WITHIN);
	xy_babel_build_pad(&p, len);
	n->info.packets_sent++;
	n->info.bytes_sent += len;
	return xy_babel_build_end(&p);
}

static bool add_item(struct packet *p, const struct item *item)
{
	switch (item->type) {
	case XY_BABEL_ACK:
		return xy_babel_build_ack(&p->b, item->opaque);
	case XY_BABEL_ROUTE_REQUEST:
		return xy_babel_build_route_request(&p->b, &item->request);
	case XY_BABEL_SEQNO_REQUEST:
		return xy_babel_build_seqno_request(&p->b, &item->request);
	case XY_BABEL_UPDATE:
		return xy_babel_build_update(&p->b, &item->update);
	default:
		return true;
	}
}

static void add_items(struct neigh *n, struct packet *p)
{
	unsigned done = 0;
	while (done < n->item_count && add_item(p, &n->items[done]))
		done++;
	n->item_count -= done;
	if (n->item_count)
		memmove(n->items, n->items + done, n->item_count * sizeof(*n->items));
}

static xy_nsec rto(const struct neigh *n, unsigned tries)
{
	xy_nsec t = n->ack_rtt ? 3 * (xy_nsec)n->ack_rtt * XY_USEC : 2 * RTO_MIN;
	if (t < RTO_MIN)
		t = RTO_MIN;
	t <<= tries;
	return t < RTO_MAX ? t : RTO_MAX;
}

static struct slot *free_slot(struct xy_babel *b, struct neigh *n)
{
	if (!n->slots && (n->slots = calloc(SLOTS, sizeof(*n->slots))))
		b->slot_sets++;
	FOR_SLOTS(n, s)
	if (!s->used)
		return s;
	return NULL;
}

static bool open_slot(struct xy_babel *b, struct neigh *n, struct packet *p)
{
	p->slot = free_slot(b, n);
	if (!p->slot)
		return false;
	p->slot_index = (unsigned)(p->slot - n->slots);
	*p->slot = (struct slot){.opaque = n->opaque};
	if (!xy_babel_build_ack_request(&p->b, n->opaque, ACK_WITHIN)) {
		p->slot = NULL;
		return false;
	}
	n->opaque++;
	return true;
}

static void close_slot(struct xy_babel *b, struct neigh *n, struct packet *p)
{
	struct slot *s = p->slot;
	s->used = true;
	s->sent = b->now;
	s->due = b->now + rto(n, s->tries);
}

enum added { ADDED, NOTHING, FULL };

// A retraction that answers an older epoch carries the newest signature that we hold: harmless to
// whoever is honest, and it shows an origin that lost its state where to go on.
static bool add_claim(const struct xy_babel *b, const struct neigh *n, uint32_t dest,
		      struct xy_babel_update *u)
{
	uint32_t i = out_find(b, n, dest);
	uint32_t origin = i ? OUT(b, i)->origin : 0; // it may be gone, or another one's number now
	struct xy_babel_claim c;
	if (!babel_pool_has(&b->origins, origin) || !babel_origin_shown(b, origin, &c) ||
	    !xy_prefix_eq(&c.prefix, &u->prefix))
		return false;
	u->has_rid = u->has_origin = true;
	u->rid = c.rid;
	u->seqno = c.seqno;
	u->origin = c.origin;
	return true;
}

// Outside 200::/7 a retraction to a mesh node names a router-id: of all under which we may have
// announced this. Feasibility distances are kept until whatever replaced them was acknowledged, so
// they are that list; for our own announcement it is our router-ids.
static unsigned names(const struct xy_babel *b, const struct dest *d, uint64_t rids[static NAMES])
{
	unsigned n = 0;
	for (uint32_t i = d->sources; d->origin && i && n < NAMES; i = SOURCE(b, i)->next)
		rids[n++] = SOURCE(b, i)->rid;
	if (d->origin)
		return n;
	rids[n++] = b->rid;
	for (unsigned i = 0; i < XY_ARRAY_SIZE(b->old_rids); i++)
		if (b->old_rids[i])
			rids[n++] = b->old_rids[i];
	return n;
}

static enum added add_named(struct xy_babel *b, struct neigh *n, struct packet *p, uint32_t dest,
			    enum advert what, struct xy_babel_update *u)
{
	struct xy_babel_builder before = p->b;
	uint64_t rids[NAMES];
	unsigned count = what == ADVERT_RETRACT ? names(b, DEST(b, dest), rids) : 0;
	bool claim = add_claim(b, n, dest, u), built = !claim || xy_babel_build_update(&p->b, u);
	u->has_origin = false;
	u->has_rid = true;
	for (unsigned i = 0; i < count && built; i++) {
		u->rid = rids[i];
		built = xy_babel_build_update(&p->b, u);
	}
	if (!built) {
		p->b = before;
		return FULL;
	}
	n->info.updates_sent += count + claim;
	return count || claim ? ADDED : NOTHING;
}

static enum added add_finite(struct xy_babel *b, struct neigh *n, struct packet *p, uint32_t dest,
			     const struct xy_babel_update *u)
{
	// Before it is sent, and rather too early than too late (RFC 8966 section 3.7.3).
	uint32_t from = shown_by(b, n, dest);
	if (!DEST(b, from)->own && !babel_source_update(b, from, u->rid, u->seqno, u->metric))
		return NOTHING;
	if (!xy_babel_build_update(&p->b, u))
		return FULL;
	n->info.updates_sent++;
	return ADDED;
}

static enum added add_update(struct xy_babel *b, struct neigh *n, struct packet *p, uint32_t dest)
{
	struct xy_babel_update u = retraction(b, n, DEST(b, dest));
	enum advert what = advert(b, n, dest);
	if (what == ADVERT_FINITE) {
		fill_finite(b, n, DEST(b, shown_by(b, n, dest)), &u);
		return add_finite(b, n, p, dest, &u);
	}
	if (!n->c.plain && !xy_addr_is_mesh(&u.prefix.addr))
		return add_named(b, n, p, dest, what, &u);
	if (!add_claim(b, n, dest, &u) && what == ADVERT_NOT)
		return NOTHING;
	if (!xy_babel_build_update(&p->b, &u))
		return FULL;
	n->info.updates_sent++;
	return ADDED;
}

// The copy is in the packet: it waits for the acknowledgment.
static void fly(struct xy_babel *b, struct neigh *n, struct packet *p, uint32_t dest)
{
	uint32_t i = out_find(b, n, dest);
	bool flying = i && OUT(b, i)->state == OUT_FLIGHT;
	i = out_get(b, n, dest);
	if (!i)
		return;
	struct out *o = OUT(b, i);
	o->overlap |= flying;
	o->state = OUT_FLIGHT;
	o->since = o->since ? o->since : b->now;
	o->slot = (uint8_t)p->slot_index;
	if (o->tries > p->slot->tries)
		p->slot->tries = o->tries;
	list_append(b, &p->slot->outs, i);
	p->outs++;
}

static bool fill_from_queue(struct xy_babel *b, struct neigh *n, struct packet *p)
{
	while (n->queue.head) {
		uint32_t i = n->queue.head, dest = OUT(b, i)->dest;
		enum added result = add_update(b, n, p, dest);
		if (result == FULL)
			return false;
		if (result == ADDED) {
			fly(b, n, p, dest);
			continue;
		}
		list_unlink(b, &n->queue, OUT(b, i));
		out_free(b, i);
	}
	return true;
}

// Walks the log from *at to end. A full table says nothing of what is lost: who gets one has no
// such route, or was told.
static bool fill_from_log(struct xy_babel *b, struct neigh *n, struct packet *p, uint64_t *at,
			  uint64_t end)
{
	for (uint32_t dest; (dest = babel_log_next(b, at)) && *at < end; ++*at) {
		if (p->steps == 0)
			return false;
		p->steps--;
		b->stats.steps++;
		enum added result = add_update(b, n, p, dest);
		if (result == FULL)
			return false;
		if (result == ADDED)
			fly(b, n, p, dest);
	}
	*at = end;
	return true;
}

static bool fill_updates(struct xy_babel *b, struct neigh *n, struct packet *p)
{
	if (!fill_from_queue(b, n, p) || !fill_from_log(b, n, p, &n->cursor, babel_log_end(b)))
		return false;
	if (!n->dumping)
		return true;
	if (!fill_from_log(b, n, p, &n->dump_at, n->dump_end))
		return false;
	dump_done(b, n);
	return true;
}

static void add_updates(struct xy_babel *b, struct neigh *n, struct packet *p, bool *more)
{
	struct xy_babel_builder before = p->b;
	bool work = n->queue.head || n->cursor < babel_log_end(b) || n->dumping;
	*more = false;
	if (!work || !n->usable || n->fresh || b->leaving || !open_slot(b, n, p))
		return;
	*more = !fill_updates(b, n, p);
	if (p->outs)
		close_slot(b, n, p);
	else
		p->b = before; // nothing to acknowledge
}

// The start of a conversation: what we said before is void, and what it has we want.
static void send_wildcard(struct xy_babel *b, struct neigh *n)
{
	struct packet p;
	packet_open(n, &p);
	if (!open_slot(b, n, &p))
		return;
	p.slot->wildcard = n->wildcard_due;
	p.slot->full = n->full_due;
	p.slot->tries = (uint8_t)n->wildcard_tries++;
	struct xy_babel_update all = wildcard_retraction(b, n);
	if (n->wildcard_due)
		xy_babel_build_update(&p.b, &all);
	if (n->full_due)
		xy_babel_build_route_request(&p.b, &(struct xy_babel_request){.wildcard = true});
	n->wildcard_due = n->full_due = false;
	close_slot(b, n, &p);
	packet_send(b, n, &p);
}

void babel_send_full_request(struct xy_babel *b, struct neigh *n)
{
	n->full_due = true;
	n->wildcard_tries = 0;
	babel_send_soon(b, n, 0);
}

void babel_send_flush(struct xy_babel *b, struct neigh *n)
{
	struct packet p = {.steps = LOG_STEPS};
	bool more = true;
	n->flush_at = 0;
	if ((n->wildcard_due || n->full_due) && n->usable && !b->leaving)
		send_wildcard(b, n);
	for (unsigned i = 0; i < SLOTS && (more || n->item_count); i++) {
		packet_open(n, &p);
		add_items(n, &p);
		add_updates(b, n, &p, &more);
		packet_send(b, n, &p);
	}
	if (n->item_count || (more && p.steps == 0))
		babel_send_soon(b, n, XY_MSEC);
}

void babel_send_soon(struct xy_babel *b, struct neigh *n, xy_nsec delay)
{
	if (n->flush_at && n->flush_at <= b->now + delay)
		return;
	n->flush_at = b->now + delay;
	babel_neigh_arm(b, n);
}

void babel_send_item(struct xy_babel *b, struct neigh *n, const struct item *item)
{
	if (n->item_count == n->item_size) {
		unsigned size = n->item_size ? 2 * n->item_size : 4;
		void *items = size <= ITEMS ? realloc(n->items, size * sizeof(*n->items)) : NULL;
		if (!items)
			return; // as if the packet had been lost
		n->items = items;
		n->item_size = size;
	}
	n->items[n->item_count++] = *item;
	babel_send_soon(b, n, 5 * XY_MSEC);
}

void babel_send_raw(struct xy_babel *b, struct neigh *n, const struct xy_babel_update *u)
{
	struct item item = {.type = XY_BABEL_UPDATE, .update = *u};
	item.update.interval = interval_cs(b, n);
	babel_send_item(b, n, &item);
}

// ---- acknowledgments ----

static void measure(struct xy_babel *b, struct neigh *n, const struct slot *s)
{
	uint32_t sample = (uint32_t)((b->now - s->sent) / XY_USEC) + 1;
	n->ack_rtt = n->ack_rtt ? (7 * n->ack_rtt + sample) / 8 : sample;
}

static void delivered(struct xy_babel *b, struct neigh *n, struct slot *s)
{
	while (s->outs.head) {
		uint32_t i = s->outs.head;
		struct out *o = OUT(b, i);
		list_unlink(b, &s->outs, o);
		o->since = 0;
		if (o->overlap) // an older copy may still arrive: said once more, a while later
			out_later(b, n, i, false);
		else
			out_free(b, i);
	}
}

void babel_send_ack(struct xy_babel *b, struct neigh *n, uint16_t opaque)
{
	babel_silence_acked(b, n);
	n->probed |= n->probe_sent && opaque == n->probe_opaque;
	FOR_SLOTS(n, s)
	{
		if (!s->used || s->opaque != opaque)
			continue;
		if (s->tries == 0)
			measure(b, n, s);
		s->used = false;
		delivered(b, n, s);
		n->acked |= s->wildcard;
		if (s->wildcard && n->fresh)
			wildcard_done(b, n);
		if (s->full || s->wildcard)
			n->wildcard_tries = 0;
		babel_send_soon(b, n, 0);
	}
}

// An acknowledgment frees what waits for it: feasibility distances, prefixes that are held,
// Updates. Who never gives one, or lags for ever, must not keep them: after a minute the
// conversation is given up. Such a neighbour is told of changes as plain Babel would, by a few
// copies of each and a full table each minute, and nothing waits for it.
static void give_up(struct xy_babel *b, struct neigh *n)
{
	n->gave_up_at = b->now;
	if (n->gave_up)
		return;
	n->gave_up = true;
	if (!n->dumping)
		n->dump_due = b->now + DUMP_PAUSE;
	babel_notice(b, XY_BABEL_NOTICE_NO_ACKS, n, NULL, NULL);
}

// Once a minute: has it read what was there a minute ago? And after one in which all was well, it
// is spoken to as at first: what it missed is made good by forgetting all. With one that has not
// heard us for a minute nothing was said, and all begins anew when it does.
void babel_send_judge(struct xy_babel *b, struct neigh *n)
{
	if (b->leaving) { // nothing is said, so nothing can be missed
		n->mark_at = 0;
		return;
	}
	if (n->fresh || b->now - n->turned_at < PATIENCE ||
	    (n->usable && n->mark_at && b->now - n->mark_at < PATIENCE))
		return;
	bool behind = n->mark_at > n->turned_at && n->cursor < n->mark;
	n->mark_at = b->now;
	n->mark = babel_log_end(b);
	if (n->usable && behind) {
		give_up(b, n);
	} else if (!n->usable || (n->gave_up && b->now - n->gave_up_at >= PATIENCE)) {
		babel_send_forget(b, n);
		n->wildcard_due = n->full_due = n->usable;
		babel_send_soon(b, n, 0);
	}
}

// false: it was tried for long enough.
static bool keep_trying(const struct xy_babel *b, const struct neigh *n, const struct out *o)
{
	xy_nsec since = o->since > n->turned_at ? o->since : n->turned_at;
	if (n->gave_up)
		return o->tries + 1 < TRIES_GIVEN_UP;
	return !n->usable || b->now - since < PATIENCE;
}

static void undelivered(struct xy_babel *b, struct neigh *n, struct slot *s)
{
	bool lost = false;
	s->used = false;
	n->info.resent++;
	while (s->outs.head) {
		uint32_t i = s->outs.head;
		struct out *o = OUT(b, i);
		list_unlink(b, &s->outs, o);
		o->overlap = true; // late is not lost
		if (!keep_trying(b, n, o)) {
			lost = true;
			out_free(b, i);
		} else if (++o->tries >= TRIES)
			out_later(b, n, i, true);
		else
			out_queue(b, n, i);
	}
	if (lost)
		give_up(b, n);
	if (s->full && n->wildcard_tries < 4 * TRIES)
		n->full_due = true;
	if (!s->wildcard || !n->fresh)
		return;
	if (n->wildcard_tries < TRIES)
		n->wildcard_due = true;
	else
		wildcard_done(b, n);
}

static void later_timers(struct xy_babel *b, struct neigh *n)
{
	if (!n->later_due || n->later_due > b->now)
		return;
	n->later_due = 0;
	for (unsigned k = 0; k < XY_ARRAY_SIZE(n->later); k++) {
		uint32_t i;
		for (; (i = n->later[k].head) && OUT(b, i)->due <= b->now && steps_left(b);
		     b->stats.steps++) {
			list_unlink(b, &n->later[k], OUT(b, i));
			OUT(b, i)->overlap = false;
			OUT(b, i)->tries = 0;
			out_queue(b, n, i);
			n->flush_at = b->now;
		}
		if (i && (!n->later_due || OUT(b, i)->due < n->later_due))
			n->later_due = OUT(b, i)->due;
	}
}

void babel_send_timers(struct xy_babel *b, struct neigh *n)
{
	FOR_SLOTS(n, s)
	if (s->used && s->due <= b->now) {
		undelivered(b, n, s);
		n->flush_at = b->now;
	}
	later_timers(b, n);
	if (n->dump_due && n->dump_due <= b->now && n->usable) {
		n->dump_due = 0;
		babel_send_dump(b, n);
	}
	if (n->flush_at && n->flush_at <= b->now)
		babel_send_flush(b, n);
}

xy_nsec babel_send_deadline(const struct neigh *n)
{
	xy_nsec at = XY_NEVER;
	xy_nsec own[] = {n->flush_at, n->later_due, n->usable ? n->dump_due : 0};
	for (unsigned i = 0; i < XY_ARRAY_SIZE(own); i++)
		if (own[i] && own[i] < at)
			at = own[i];
	FOR_SLOTS(n, s)
	if (s->used && s->due < at)
		at = s->due;
	return at;
}

// How far everyone who may follow us has read the log; looked up once per event.
static uint64_t reached(struct xy_babel *b)
{
	if (b->reached_event == b->event)
		return b->reached;
	b->reached_event = b->event;
	b->reached = UINT64_MAX;
	FOR_UP(b, n)
	{
		b->stats.steps++;
		if (n->heard && !n->fresh && !n->gave_up && n->cursor < b->reached)
			b->reached = n->cursor;
	}
	return b->reached;
}

// Has every neighbour that may follow us acknowledged the last word on this prefix?
bool babel_send_reached_all(struct xy_babel *b, const struct dest *d)
{
	return !d->pending && reached(b) >= d->version;
}
