// SPDX-License-Identifier: BSD-3-Clause
// What a neighbour says of a destination, takes back and says again costs all our neighbours an
// Update each time, and flows their way. The first few times are free: links fail, and routing
// finds its way. From then on its next word is held back, for a second, then for two, at most for a
// minute; a minute of peace forgives one. It is kept for each pair of neighbour and destination, so
// nobody holds back what another one says.
#include "babel/state.h"

enum { FREE = 8, DOUBLINGS = 6 };
static const xy_nsec FIRST = XY_SEC, LONGEST = 60 * XY_SEC, FORGIVEN = 60 * XY_SEC;

static uint32_t flap_find(const struct xy_babel *b, const struct neigh *n, uint32_t dest)
{
	struct flap key = {.dest = dest, .serial = n->serial};
	uint32_t i = babel_map_first(&b->flap_map, b->flap_map.hash(b, &key));
	while (i && (FLAP(b, i)->dest != dest || FLAP(b, i)->serial != n->serial))
		i = babel_map_next(&b->flap_map, i);
	return i;
}

static void list_put(struct xy_babel *b, uint32_t i)
{
	struct flap *f = FLAP(b, i);
	f->at = centiseconds(b->now);
	f->next = 0;
	f->prev = b->flapped.tail;
	*(f->prev ? &FLAP(b, f->prev)->next : &b->flapped.head) = i;
	b->flapped.tail = i;
}

static void list_take(struct xy_babel *b, uint32_t i)
{
	struct flap *f = FLAP(b, i);
	*(f->prev ? &FLAP(b, f->prev)->next : &b->flapped.head) = f->next;
	*(f->next ? &FLAP(b, f->next)->prev : &b->flapped.tail) = f->prev;
}

static void flap_free(struct xy_babel *b, uint32_t i)
{
	uint32_t dest = FLAP(b, i)->dest;
	list_take(b, i);
	babel_map_remove(&b->flap_map, i);
	babel_pool_give(&b->flaps, i);
	DEST(b, dest)->users--;
	babel_dest_release(b, dest);
}

static uint32_t flap_add(struct xy_babel *b, const struct neigh *n, uint32_t dest)
{
	if (b->flaps.used == b->flaps.limit)
		flap_free(b, b->flapped.head);
	uint32_t i = babel_pool_take(&b->flaps);
	if (!i)
		return 0;
	*FLAP(b, i) = (struct flap){.dest = dest, .serial = n->serial};
	if (!babel_map_insert(&b->flap_map, i)) {
		babel_pool_give(&b->flaps, i);
		return 0;
	}
	DEST(b, dest)->users++;
	return i;
}

static void forgive(const struct xy_babel *b, struct flap *f)
{
	uint32_t minutes = (centiseconds(b->now) - f->at) / centiseconds(FORGIVEN);
	f->count = minutes < f->count ? (uint8_t)(f->count - minutes) : 0;
}

// What was held back all the time was never there to be taken back.
void babel_flap_note(struct xy_babel *b, uint32_t route)
{
	const struct route *r = ROUTE(b, route);
	const struct neigh *n = babel_neigh_of(b, r->neigh);
	if (r->held || r->refmetric == XY_BABEL_INFINITY)
		return;
	uint32_t i = flap_find(b, n, r->dest);
	if (i)
		list_take(b, i);
	else
		i = flap_add(b, n, r->dest);
	if (!i)
		return;
	struct flap *f = FLAP(b, i);
	if (f->count)
		forgive(b, f);
	f->count += f->count < FREE + DOUBLINGS + 1;
	list_put(b, i);
	xy_nsec hold = 0;
	if (f->count > FREE)
		hold = FIRST << (f->count - FREE - 1);
	f->until = centiseconds(b->now + (hold < LONGEST ? hold : LONGEST));
	babel_global_at(b, b->now + FORGIVEN);
}

xy_nsec babel_flap_hold(struct xy_babel *b, const struct neigh *n, uint32_t dest)
{
	uint32_t i = b->flaps.used ? flap_find(b, n, dest) : 0;
	int32_t left = i ? (int32_t)(FLAP(b, i)->until - centiseconds(b->now)) : 0;
	return left > 0 ? b->now + (xy_nsec)left * 10 * XY_MSEC : 0;
}

// Those that are forgiven go: looked at once in a minute, each where it stands by its last time.
void babel_flaps_expire(struct xy_babel *b)
{
	const uint32_t life = centiseconds(FORGIVEN);
	for (; b->flapped.head && steps_left(b); b->stats.steps++) {
		uint32_t i = b->flapped.head, age = centiseconds(b->now) - FLAP(b, i)->at;
		if (age < life) {
			babel_global_at(b, b->now + (life - age) * 10 * XY_MSEC);
			return;
		}
		forgive(b, FLAP(b, i));
		if (!FLAP(b, i)->count) {
			flap_free(b, i);
			continue;
		}
		list_take(b, i);
		list_put(b, i);
	}
	if (b->flapped.head)
		babel_global_at(b, b->now);
}
