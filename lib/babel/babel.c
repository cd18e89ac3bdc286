// SPDX-License-Identifier: BSD-3-Clause
// Life, events in, actions out, timers.
#include "babel/state.h"

#include <stdlib.h>

// ---- actions ----

static struct action *put(struct actions *q, enum xy_babel_action_kind kind)
{
	if (q->count == q->size) {
		size_t size = q->size ? 2 * q->size : 16;
		void *v = realloc(q->v, size * sizeof(*q->v));
		if (!v)
			return NULL;
		q->v = v;
		q->size = size;
	}
	struct action *a = &q->v[q->count++];
	memset(a, 0, sizeof(*a));
	a->a.kind = kind;
	return a;
}

struct xy_babel_action *babel_action_add(struct xy_babel *b, enum xy_babel_action_kind kind)
{
	static struct action lost; // without memory an action is lost as a packet may be
	struct action *a = put(&b->rest, kind);
	return a ? &a->a : &lost.a;
}

static bool bytes_room(struct actions *q, size_t len)
{
	if (q->byte_size - q->byte_count >= len)
		return true;
	size_t size = 2 * q->byte_size + len;
	void *bytes = realloc(q->bytes, size);
	if (!bytes)
		return false;
	q->bytes = bytes;
	q->byte_size = size;
	return true;
}

struct action *babel_action_send(struct xy_babel *b, struct neigh *n, bool soon, bool multicast,
				 const uint8_t *data, size_t len)
{
	struct actions *q = soon ? &b->first : &b->rest;
	struct action *a = bytes_room(q, len) ? put(q, XY_BABEL_SEND) : NULL;
	if (!a)
		return NULL;
	memcpy(q->bytes + q->byte_count, data, len);
	a->a.send.link = n->link;
	a->a.send.multicast = multicast;
	a->a.send.to = multicast ? xy_babel_group : n->addr;
	a->a.send.len = len;
	a->offset = q->byte_count;
	q->byte_count += len;
	n->info.packets_sent++;
	n->info.bytes_sent += len;
	return a;
}

// What a burst took is not kept for the next one.
static void release(struct actions *q)
{
	enum { SMALL = 16, SMALL_BYTES = 4096 };
	if (q->size > SMALL || q->byte_size > SMALL_BYTES) {
		free(q->v);
		free(q->bytes);
		*q = (struct actions){.taken = q->taken};
	}
	q->at = q->count = q->byte_count = 0;
}

// What was taken makes room, also where something is always left.
static void make_room(struct actions *q)
{
	if (q->at && q->at == q->count) {
		release(q);
		return;
	}
	size_t left = q->count - q->at, from = q->byte_count;
	if (q->at < left || !q->at)
		return;
	for (size_t i = q->at; i < q->count && from == q->byte_count; i++)
		if (q->v[i].a.kind == XY_BABEL_SEND)
			from = q->v[i].offset;
	if (left)
		memmove(q->v, q->v + q->at, left * sizeof(*q->v));
	if (q->byte_count > from)
		memmove(q->bytes, q->bytes + from, q->byte_count - from);
	for (size_t i = 0; i < left; i++)
		if (q->v[i].a.kind == XY_BABEL_SEND)
			q->v[i].offset -= from;
	q->byte_count -= from;
	q->count = left;
	q->at = 0;
}

bool babel_actions_full(const struct xy_babel *b)
{
	return b->rest.count - b->rest.at >= BACKLOG;
}

// A copy: an event from within the carrying out of it may move what waits.
const struct xy_babel_action *xy_babel_action(struct xy_babel *b)
{
	struct actions *q = b->first.at < b->first.count ? &b->first : &b->rest;
	b->stamp = NULL;
	if (q->at == q->count)
		return NULL;
	const struct action *a = &q->v[q->at++];
	q->taken++;
	b->given = a->a;
	if (a->a.kind == XY_BABEL_SEND)
		b->given.send.data = q->bytes + a->offset;
	if (a->stamped)
		b->stamp = q->bytes + a->offset;
	return &b->given;
}

struct xy_babel_fence xy_babel_fence(const struct xy_babel *b)
{
	return (struct xy_babel_fence){.first = b->first.taken + b->first.count - b->first.at,
				       .rest = b->rest.taken + b->rest.count - b->rest.at};
}

bool xy_babel_passed(const struct xy_babel *b, const struct xy_babel_fence *f)
{
	return b->first.taken >= f->first && b->rest.taken >= f->rest;
}

void xy_babel_send_stamp(struct xy_babel *b, xy_nsec now)
{
	if (b->stamp)
		xy_babel_hello_restamp(b->stamp, (uint32_t)(now / XY_USEC));
}

void babel_notice(struct xy_babel *b, enum xy_babel_notice code, const struct neigh *n,
		  const struct xy_prefix *p, const struct xy_key *key)
{
	struct xy_babel_action *a = babel_action_add(b, XY_BABEL_NOTICE);
	a->notice.code = code;
	a->notice.link = n ? n->link : XY_BABEL_LINKS;
	if (p)
		a->notice.prefix = *p;
	if (key)
		a->notice.key = *key;
}

// ---- timers ----

static uint32_t *timer_place(void *owner, uint32_t ref)
{
	struct xy_babel *b = owner;
	uint32_t i = ref & ((UINT32_C(1) << TIMER_SHIFT) - 1);
	switch ((enum timer)(ref >> TIMER_SHIFT)) {
	case T_ROUTE:
		return &ROUTE(b, i)->tpos;
	case T_SOURCE:
		return &SOURCE(b, i)->tpos;
	case T_DEST:
		return &DEST(b, i)->tpos;
	case T_REQ:
		return &REQ(b, i)->tpos;
	case T_NEIGH:
		return &b->neighs[i]->tpos;
	case T_ORIGIN:
		return &ORIGIN(b, i)->tpos;
	case T_OWN:
		return &OWN(b, i)->tpos;
	case T_WANT:
		return &WANT(b, i)->tpos;
	case T_INTEREST:
		return &INTEREST(b, i)->tpos;
	case T_GLOBAL:
		break;
	}
	return &b->global_tpos;
}

static struct heap *heap_of(struct xy_babel *b, enum timer kind)
{
	return kind == T_NEIGH ? &b->hellos : &b->timers;
}

void babel_timer_set(struct xy_babel *b, enum timer kind, uint32_t i, xy_nsec at)
{
	babel_heap_set(heap_of(b, kind), (uint32_t)kind << TIMER_SHIFT | i, at);
}

void babel_timer_stop(struct xy_babel *b, enum timer kind, uint32_t i)
{
	babel_heap_stop(heap_of(b, kind), (uint32_t)kind << TIMER_SHIFT | i);
}

xy_nsec babel_timer_at(const struct xy_babel *b, uint32_t tpos)
{
	return tpos ? babel_heap_at(&b->timers, tpos - 1)->at : XY_NEVER;
}

void babel_global_at(struct xy_babel *b, xy_nsec at)
{
	if (at < babel_timer_at(b, b->global_tpos))
		babel_timer_set(b, T_GLOBAL, 0, at);
}

xy_nsec babel_jitter(struct xy_babel *b, xy_nsec around)
{
	b->random ^= b->random << 13; // xorshift64: spreads packets, guards nothing
	b->random ^= b->random >> 7;
	b->random ^= b->random << 17;
	return around - around / 4 + b->random % (around / 2 + 1);
}

static void fire(struct xy_babel *b, uint32_t ref)
{
	uint32_t i = ref & ((UINT32_C(1) << TIMER_SHIFT) - 1);
	switch ((enum timer)(ref >> TIMER_SHIFT)) {
	case T_ROUTE:
		babel_route_timer(b, i);
		break;
	case T_SOURCE:
		babel_source_expire(b, i);
		break;
	case T_DEST:
		babel_dest_timer(b, i);
		break;
	case T_REQ:
		babel_request_timer(b, i);
		break;
	case T_NEIGH:
		babel_neigh_timer(b, b->neighs[i]);
		break;
	case T_ORIGIN:
		babel_origin_timer(b, i);
		break;
	case T_OWN:
		babel_own_timer(b, i);
		break;
	case T_WANT:
		babel_want_timer(b, i);
		break;
	case T_INTEREST:
		babel_interest_timer(b, i);
		break;
	case T_GLOBAL:
		babel_own_global(b);
		babel_start_check(b);
		babel_want_pump(b);
		babel_proofs_expire(b);
		babel_flaps_expire(b);
		break;
	}
}

void babel_sweep_start(struct xy_babel *b)
{
	b->sweeping = true;
	b->sweep = 1;
}

enum { ACCEPTS_STEP = 32 }; // entries of the accept list that are looked at in a step's time

static void sweep_dest(struct xy_babel *b, uint32_t dest)
{
	DEST(b, dest)->users++; // it stays until it was looked at
	babel_dest_accept(b, dest);
	babel_dest_select(b, dest);
	DEST(b, dest)->users--;
	babel_dest_release(b, dest);
}

// Selects anew for every destination, a slice at a time.
static void sweep(struct xy_babel *b)
{
	for (; b->sweeping && steps_left(b); b->sweep++, b->stats.steps++) {
		if (b->sweep > b->dests.top)
			b->sweeping = false;
		else if (DEST(b, b->sweep)->prefix.len != 0xff)
			sweep_dest(b, b->sweep);
		b->stats.steps += b->accept_count / ACCEPTS_STEP;
	}
}

static bool bulk_left(const struct xy_babel *b)
{
	return b->turns[TURN_BULK].first || b->sweeping || b->resign;
}

void babel_bulk_wanted(struct xy_babel *b, struct neigh *n)
{
	babel_turn_wait(b, n, TURN_BULK);
	babel_global_at(b, b->now);
}

// Who is not done when the call is over comes after the others.
static void neighs_work(struct xy_babel *b)
{
	struct neigh *n;
	while (steps_left(b) && (n = babel_turn_take(b, TURN_BULK)))
		if (babel_neigh_work(b, n))
			babel_turn_wait(b, n, TURN_BULK);
}

static void bulk(struct xy_babel *b)
{
	b->until = b->stats.steps + BUDGET;
	neighs_work(b);
	babel_own_resign(b);
	sweep(b);
}

// After every event: when those are told who have not seen what changed.
void xy_babel_leave(struct xy_babel *b)
{
	if (!b->touched)
		return;
	xy_nsec at = b->now + (b->urgent ? URGENT : 10 * URGENT);
	b->touched = b->urgent = false;
	b->tell_at = at < b->tell_at ? at : b->tell_at;
}

// One walk for all that changed until then, in slices, from the last that is up down to the first:
// who takes the place of one that goes meanwhile was told already, or is not yet.
static void tell_due(struct xy_babel *b)
{
	if (!b->telling && b->tell_at > b->now)
		return;
	if (!b->telling) {
		b->tell_at = XY_NEVER;
		b->tell_left = b->up_count;
		b->telling = true;
	}
	b->until = b->stats.steps + BUDGET / 4;
	for (; b->tell_left && steps_left(b); b->stats.steps++) {
		struct neigh *n = b->up[--b->tell_left];
		if (n->usable && !n->fresh && n->cursor < babel_log_end(b))
			babel_send_soon(b, n, 0);
	}
	b->telling = b->tell_left;
}

void xy_babel_enter(struct xy_babel *b, xy_nsec now)
{
	b->event++;
	if (now > b->now)
		b->now = now;
	b->stamp = NULL;
	make_room(&b->first);
	make_room(&b->rest);
}

static void in_take(struct xy_babel *b);

// Bounded: what is left over comes with the next call, which the deadline asks for at once.
static void fire_due(struct xy_babel *b, struct heap *h)
{
	b->until = b->stats.steps + BUDGET;
	for (; h->count && steps_left(b); b->stats.steps++) {
		struct heap_entry e = *babel_heap_at(h, 0);
		if (e.at > b->now)
			break;
		babel_heap_stop(h, e.ref);
		fire(b, e.ref);
	}
}

// Neighbours are spoken to whatever waits; all else begins only when what followed before was
// taken.
void xy_babel_poll(struct xy_babel *b, xy_nsec now)
{
	xy_babel_enter(b, now);
	tell_due(b);
	fire_due(b, &b->hellos);
	if (!babel_actions_full(b)) {
		bulk(b);
		fire_due(b, &b->timers);
		in_take(b);
	}
	xy_babel_leave(b);
	if (bulk_left(b))
		babel_global_at(b, b->now);
}

xy_nsec xy_babel_deadline(const struct xy_babel *b)
{
	xy_nsec at = b->hellos.count ? babel_heap_at(&b->hellos, 0)->at : XY_NEVER;
	xy_nsec tell = b->telling ? b->now : b->tell_at;
	at = tell < at ? tell : at;
	if (babel_actions_full(b))
		return at;
	if (b->in_count)
		return b->now < at ? b->now : at;
	if (b->timers.count && babel_heap_at(&b->timers, 0)->at < at)
		at = babel_heap_at(&b->timers, 0)->at;
	return at;
}

// ---- links ----

struct neigh *babel_neigh_of(const struct xy_babel *b, uint32_t id)
{
	return id < b->neigh_size ? b->neighs[id] : NULL;
}

struct neigh *babel_link_of(const struct xy_babel *b, uint32_t link)
{
	uint32_t id = link < b->by_link_size ? b->by_link[link] : 0;
	return id ? b->neighs[id - 1] : NULL;
}

// A zeroed array of at least `least`; *size tells how many it is.
static void *grown(void *array, size_t object, uint32_t *size, uint32_t least)
{
	uint32_t new = *size ? *size : 8;
	while (new < least)
		new *= 2;
	void *bigger = realloc(array, new *object);
	if (!bigger)
		return NULL;
	memset((uint8_t *)bigger + *size * object, 0, (new - *size) * object);
	*size = new;
	return bigger;
}

static bool ids_grow(struct xy_babel *b)
{
	uint32_t old = b->neigh_size, size = old ? 2 * old : 8;
	void *neighs = realloc(b->neighs, size * sizeof(*b->neighs));
	b->neighs = neighs ? neighs : b->neighs;
	void *up = realloc(b->up, size * sizeof(*b->up));
	b->up = up ? up : b->up;
	void *ids = realloc(b->free_ids, size * sizeof(*b->free_ids));
	b->free_ids = ids ? ids : b->free_ids;
	if (!neighs || !up || !ids)
		return false;
	memset(b->neighs + old, 0, (size - old) * sizeof(*b->neighs));
	b->neigh_size = size;
	for (uint32_t id = size; id-- > old;)
		if (id < UINT16_MAX) // which is none
			b->free_ids[b->free_id_count++] = (uint16_t)id;
	return true;
}

// Our own number for a link, that it keeps until nothing hangs on it; -ENOMEM, -ERANGE. It stays
// the first one that is free until it is taken off.
static int next_id(struct xy_babel *b)
{
	if (!b->free_id_count && b->neigh_size > UINT16_MAX)
		return -ERANGE;
	if (!b->free_id_count && !ids_grow(b))
		return -ENOMEM;
	return b->free_ids[b->free_id_count - 1];
}

static int room_for(struct xy_babel *b, uint16_t link)
{
	if (link >= b->by_link_size) {
		void *by_link = grown(b->by_link, sizeof(*b->by_link), &b->by_link_size, link + 1u);
		if (!by_link)
			return -ENOMEM;
		b->by_link = by_link;
	}
	return next_id(b);
}

static const struct xy_prefix *copy_list(const struct xy_prefix *list, unsigned n)
{
	struct xy_prefix *copy = calloc(n + 1u, sizeof(*copy));
	if (copy && n)
		memcpy(copy, list, n * sizeof(*copy));
	return copy;
}

static void neigh_free(struct xy_babel *b, struct neigh *n)
{
	b->slot_sets -= n->slots != NULL;
	free(n->slots);
	for (struct waiting *w = n->in, *next; w; w = next) {
		next = w->next;
		free(w);
	}
	free((void *)n->c.accept);
	free((void *)n->c.announce);
	free(n->items);
	free(n);
}

static void fill_defaults(struct xy_babel_link *c)
{
	if (!c->cost)
		c->cost = XY_BABEL_COST;
	if (!c->mtu)
		c->mtu = 1232;
	if (c->mtu < 512)
		c->mtu = 512; // RFC 8966 section 4
	if (!c->max_origins)
		c->max_origins = c->trust == XY_BABEL_OPEN ? XY_BABEL_OPEN_ORIGINS : 65536;
	if (!c->max_routes)
		c->max_routes = 16 * c->max_origins;
	if (!c->max_prefixes)
		c->max_prefixes = c->max_routes > 256 ? c->max_routes / 16 : 16;
}

static bool covers_mesh(const struct xy_babel_link *c)
{
	const struct xy_prefix mesh = XY_MESH_PREFIX;
	for (unsigned i = 0; i < c->announce_count; i++)
		if (xy_prefix_covers(&c->announce[i], &mesh))
			return true;
	return !c->announce;
}

int xy_babel_link_add(struct xy_babel *b, uint16_t link, const struct xy_babel_link *c, xy_nsec now)
{
	xy_babel_enter(b, now);
	if (link >= XY_BABEL_LINKS)
		return -ERANGE;
	if (babel_link_of(b, link))
		return -EEXIST;
	int id = room_for(b, link);
	if (id < 0)
		return id;
	struct neigh *n = calloc(1, sizeof(*n));
	if (!n)
		return -ENOMEM;
	bool aggregate = c->stub || (c->plain && covers_mesh(c));
	n->id = (uint16_t)id;
	n->serial = ++b->neigh_serial;
	n->link = link;
	n->c = *c;
	n->c.accept = copy_list(c->accept, c->accept_count);
	n->c.announce = c->announce ? copy_list(c->announce, c->announce_count) : NULL;
	if (!n->c.accept || (c->announce && !n->c.announce)) {
		neigh_free(b, n);
		return -ENOMEM;
	}
	fill_defaults(&n->c);
	n->txcost = n->rxcost = n->cost = XY_BABEL_INFINITY;
	n->hello_seqno = (uint16_t)babel_jitter(b, 60000);
	n->fresh = true;
	n->tokens = 16 * 64;
	b->neighs[id] = n;
	b->free_id_count--;
	b->by_link[link] = (uint16_t)(id + 1);
	b->neigh_count++;
	if (aggregate)
		babel_own_aggregate(b);
	return 0;
}

void xy_babel_link_remove(struct xy_babel *b, uint16_t link, xy_nsec now)
{
	struct neigh *n = babel_link_of(b, link);
	if (!n)
		return;
	xy_babel_link_down(b, link, now);
	b->by_link[link] = 0;
	b->neigh_count--;
	n->removed = true;
	babel_bulk_wanted(b, n);
}

// The last thing that named it is gone.
void babel_link_free(struct xy_babel *b, struct neigh *n)
{
	babel_turn_leave(b, n, TURN_BULK);
	b->neighs[n->id] = NULL;
	b->free_ids[b->free_id_count++] = n->id;
	babel_origins_orphan(b, n);
	neigh_free(b, n);
}

void xy_babel_link_up(struct xy_babel *b, uint16_t link, xy_nsec now)
{
	xy_babel_enter(b, now);
	struct neigh *n = babel_link_of(b, link);
	if (!n || n->up)
		return;
	n->up = true;
	n->up_at = b->up_count;
	b->up[b->up_count++] = n;
	n->info.aggregate = n->ever = n->left = false;
	n->addr = n->c.remote;
	n->hello_at = b->now;
	n->hellos_sent = 0;
	babel_neigh_arm(b, n);
}

void xy_babel_link_down(struct xy_babel *b, uint16_t link, xy_nsec now)
{
	xy_babel_enter(b, now);
	struct neigh *n = babel_link_of(b, link);
	if (!n || !n->up)
		return;
	n->up = false;
	b->up[n->up_at] = b->up[--b->up_count];
	b->up[n->up_at]->up_at = n->up_at;
	if (b->tell_left > b->up_count) // the last one took this one's place, or was told
		b->tell_left = b->up_count;
	babel_neigh_forget(b, n);
	babel_timer_stop(b, T_NEIGH, n->id);
	babel_start_check(b);
	xy_babel_leave(b);
}

void xy_babel_link_cost(struct xy_babel *b, uint16_t link, uint16_t cost, xy_nsec now)
{
	xy_babel_enter(b, now);
	struct neigh *n = babel_link_of(b, link);
	if (!n)
		return;
	n->c.cost = cost ? cost : XY_BABEL_COST;
	babel_neigh_cost(b, n);
	xy_babel_leave(b);
}

void xy_babel_route_room(struct xy_babel *b, const struct xy_prefix *p, bool room, xy_nsec now)
{
	xy_babel_enter(b, now);
	uint32_t head = babel_dest_find(b, p, 0);
	if (head)
		babel_dest_room(b, head, room);
	xy_babel_leave(b);
}

void xy_babel_link_limit(struct xy_babel *b, uint16_t link, uint32_t max_origins, xy_nsec now)
{
	xy_babel_enter(b, now);
	struct neigh *n = babel_link_of(b, link);
	if (!n)
		return;
	n->c.max_origins = max_origins;
	n->c.max_routes = n->c.max_prefixes = 0;
	fill_defaults(&n->c);
	n->limit_told = false;
	if (n->usable) // what was refused before
		babel_send_full_request(b, n);
	xy_babel_leave(b);
}

// ---- packets ----

static bool source_valid(const struct neigh *n, const struct xy_addr *from)
{
	if (!xy_addr_is_link_local(from) || xy_addr_eq(from, &n->c.local))
		return false;
	return xy_addr_is_unspecified(&n->c.remote) || xy_addr_eq(from, &n->c.remote);
}

static bool is_for_us(const struct neigh *n, const struct xy_babel_ihu *ihu)
{
	return ihu->any || xy_addr_eq(&ihu->address, &n->c.local);
}

static void receive_tlv(struct xy_babel *b, struct neigh *n, const struct xy_babel_tlv *t,
			struct xy_babel_hello *hello)
{
	switch (t->type) {
	case XY_BABEL_ACK:
		babel_send_ack(b, n, t->ack.opaque);
		break;
	case XY_BABEL_HELLO:
		*hello = t->hello;
		babel_neigh_hello(b, n, &t->hello);
		break;
	case XY_BABEL_IHU:
		if (is_for_us(n, &t->ihu))
			babel_neigh_ihu(b, n, &t->ihu, hello);
		break;
	case XY_BABEL_UPDATE:
		babel_update_receive(b, n, &t->update);
		break;
	case XY_BABEL_ROUTE_REQUEST:
		babel_request_route(b, n, &t->request);
		break;
	case XY_BABEL_SEQNO_REQUEST:
		babel_request_seqno(b, n, &t->request);
		break;
	default:
		break;
	}
}

// The TLVs of a packet that was found well formed before: those that cost nothing, or the others.
// true: there are others, which were left out.
static bool receive_some(struct xy_babel *b, struct neigh *n, const struct waiting *w, bool cheap,
			 bool dear)
{
	struct xy_babel_parser p;
	struct xy_babel_tlv t;
	struct xy_babel_hello hello = {0};
	uint16_t asked[ACKS];
	unsigned count = 0;
	bool put_off = false;
	if (xy_babel_parse(&p, w->data, w->len, &w->from) < 0)
		return false;
	n->skipped = n->unwanting_here = false;
	for (; xy_babel_parse_next(&p, &t); b->stats.steps++) {
		bool is_cheap = t.type == XY_BABEL_HELLO || t.type == XY_BABEL_IHU ||
				t.type == XY_BABEL_ACK;
		bool asks = t.type == XY_BABEL_ACK_REQUEST;
		n->unwanting_here |= t.type == XY_BABEL_IHU && is_for_us(n, &t.ihu) &&
				     t.ihu.rxcost == XY_BABEL_INFINITY;
		if (asks && count < ACKS)
			asked[count++] = t.ack.opaque;
		else if (!asks && (is_cheap ? cheap : dear))
			receive_tlv(b, n, &t, &hello);
		put_off |= !asks && !is_cheap && !dear;
	}
	if (cheap)
		n->info.refused[XY_BABEL_REFUSED_MALFORMED] += p.ignored;
	// No Acknowledgment for a packet that was not taken in full: it will be sent again.
	for (unsigned i = 0; i < count && !n->skipped && !put_off; i++)
		babel_send_item(b, n, &(struct item){.type = XY_BABEL_ACK, .opaque = asked[i]});
	babel_neigh_arm(b, n);
	return put_off;
}

// ---- packets that wait ----
// What follows from a packet is actions, and the caller takes them at his own pace. When many wait,
// the Updates and requests of packets do, too, each neighbour's in a queue of its own, and they are
// taken in turn: one neighbour that says more than can be done delays itself. What keeps a link
// alive (Hellos, IHUs, Acknowledgments) never waits.

static bool in_room(const struct xy_babel *b, const struct neigh *n, size_t len)
{
	size_t share = n->c.trust == XY_BABEL_OPEN ? IN_OPEN : IN_EACH, left = IN_ALL - b->in_bytes;
	return n->in_bytes + len <= (share < left / 2 ? share : left / 2);
}

static void in_put(struct xy_babel *b, struct neigh *n, const struct waiting *w)
{
	struct waiting *copy = in_room(b, n, w->len) ? malloc(sizeof(*w) + w->len) : NULL;
	if (!copy) {
		babel_refuse(b, n, XY_BABEL_REFUSED_OVERRUN);
		return;
	}
	*copy = (struct waiting){.from = w->from, .len = w->len, .data = (uint8_t *)(copy + 1)};
	memcpy(copy + 1, w->data, w->len);
	*(n->in ? &n->in_last->next : &n->in) = copy;
	n->in_last = copy;
	n->in_bytes += w->len;
	b->in_bytes += w->len;
	b->in_count++;
	babel_turn_wait(b, n, TURN_IN);
}

static struct waiting *in_first(struct xy_babel *b, struct neigh *n)
{
	struct waiting *w = n->in;
	n->in = w->next;
	n->in_bytes -= w->len;
	b->in_bytes -= w->len;
	b->in_count--;
	return w;
}

void babel_in_drop(struct xy_babel *b, struct neigh *n)
{
	babel_turn_leave(b, n, TURN_IN);
	while (n->in)
		free(in_first(b, n));
}

// One packet of each neighbour that has some, and again, while there is room for what follows.
static void in_take(struct xy_babel *b)
{
	b->until = b->stats.steps + BUDGET;
	struct neigh *n;
	while (steps_left(b) && !babel_actions_full(b) && (n = babel_turn_take(b, TURN_IN))) {
		struct waiting *w = in_first(b, n);
		b->stats.steps++;
		receive_some(b, n, w, false, true);
		free(w);
		if (n->in)
			babel_turn_wait(b, n, TURN_IN);
	}
}

void xy_babel_receive(struct xy_babel *b, uint16_t link, const struct xy_addr *from,
		      const void *data, size_t len, xy_nsec arrived, xy_nsec now)
{
	struct xy_babel_parser p;
	xy_babel_enter(b, now);
	struct neigh *n = babel_link_of(b, link);
	if (!n || !n->up)
		return;
	if (!source_valid(n, from) || xy_babel_parse(&p, data, len, from) < 0) {
		babel_refuse(b, n, XY_BABEL_REFUSED_PACKET);
		return;
	}
	n->info.packets_received++;
	n->info.bytes_received += len;
	if (n->heard && !xy_addr_eq(&n->addr, from))
		babel_neigh_forget(b, n); // another router behind the same link
	n->addr = *from;
	b->arrived = arrived < b->now ? arrived : b->now;
	struct waiting w = {.from = *from, .data = data, .len = len};
	babel_silence_heard(n, b->arrived);
	if (receive_some(b, n, &w, true, !n->in && !babel_actions_full(b)))
		in_put(b, n, &w);
	xy_babel_leave(b);
}

// ---- life ----

struct xy_babel *xy_babel_new(const struct xy_babel_config *c, xy_nsec now)
{
	struct xy_babel *b = calloc(1, sizeof(*b));
	if (!b)
		return NULL;
	b->c = *c;
	if (!b->c.max_routes)
		b->c.max_routes = 1 << 20;
	if (!b->c.max_dests)
		b->c.max_dests = 2 * b->c.max_routes;
	if (!b->c.max_origins)
		b->c.max_origins = 1 << 17;
	if (!b->c.hello_interval)
		b->c.hello_interval = 4 * XY_SEC;
	b->now = b->start = now;
	b->random = xy_le64_load(c->secret) ^ xy_le64_load(c->secret + 8);
	b->random |= 1;
	b->timers.place = b->hellos.place = timer_place;
	b->timers.owner = b->hellos.owner = b;
	b->timers.entries.object = b->hellos.entries.object = sizeof(struct heap_entry);
	b->epoch = c->epoch;
	b->rid = xy_babel_router_id(&c->key, c->epoch);
	b->starting = true;
	b->tell_at = XY_NEVER;
	babel_table_init(b);
	babel_global_at(b, now + START_WAIT);
	return b;
}

void xy_babel_free(struct xy_babel *b)
{
	if (!b)
		return;
	FOR_NEIGHS(b, n)
	neigh_free(b, n);
	free(b->neighs);
	free(b->up);
	free(b->free_ids);
	free(b->by_link);
	babel_table_clear(b);
	free(b->accept);
	free(b->first.v);
	free(b->first.bytes);
	free(b->rest.v);
	free(b->rest.bytes);
	free(b);
}

int xy_babel_accept(struct xy_babel *b, const struct xy_babel_accept *list, unsigned n, xy_nsec now)
{
	xy_babel_enter(b, now);
	struct xy_babel_accept *copy = calloc(n + 1u, sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	if (n)
		memcpy(copy, list, n * sizeof(*copy));
	free(b->accept);
	b->accept = copy;
	b->accept_count = n;
	babel_sweep_start(b);
	babel_global_at(b, b->now);
	return 0;
}
