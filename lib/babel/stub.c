// SPDX-License-Identifier: BSD-3-Clause
// Nodes without a full table, seen from both ends: what a stub wants to know, and what its relay
// remembers of it.
#include "babel/state.h"

// ---- the relay: answers that it keeps up to date ----

static const xy_nsec INTEREST_LIFE = 600 * XY_SEC;

uint32_t interest_find(const struct xy_babel *b, uint32_t dest, const struct neigh *n)
{
	struct interest key = {.dest = dest, .neigh = n->id};
	uint32_t i = map_first(&b->interest_map, b->interest_map.hash(b, &key));
	while (i && (INTEREST(b, i)->dest != dest || INTEREST(b, i)->neigh != n->id))
		i = map_next(&b->interest_map, i);
	return i;
}

void interest_add(struct xy_babel *b, uint32_t dest, struct neigh *n)
{
	uint32_t i = interest_find(b, dest, n);
	if (!i) {
		i = n->interest_count < INTERESTS ? pool_take(&b->interests) : 0;
		if (!i)
			return;
		INTEREST(b, i)->dest = dest;
		INTEREST(b, i)->neigh = n->id;
		if (!map_insert(&b->interest_map, i)) {
			pool_give(&b->interests, i);
			return;
		}
		INTEREST(b, i)->next = n->interests;
		if (n->interests)
			INTEREST(b, n->interests)->prev = i;
		n->interests = i;
		n->interest_count++;
		DEST(b, dest)->users++;
	}
	timer_set(b, T_INTEREST, i, b->now + INTEREST_LIFE);
}

void interest_timer(struct xy_babel *b, uint32_t i)
{
	const struct interest *t = INTEREST(b, i);
	struct neigh *n = neigh_of(b, t->neigh);
	uint32_t dest = t->dest;
	*(t->prev ? &INTEREST(b, t->prev)->next : &n->interests) = t->next;
	if (t->next)
		INTEREST(b, t->next)->prev = t->prev;
	n->interest_count--;
	timer_stop(b, T_INTEREST, i);
	map_remove(&b->interest_map, i);
	pool_give(&b->interests, i);
	DEST(b, dest)->users--;
	dest_release(b, dest);
}

bool interest_forget(struct xy_babel *b, struct neigh *n)
{
	for (; n->interests && steps_left(b); b->stats.steps++)
		interest_timer(b, n->interests);
	return n->interests;
}

// ---- the stub: what traffic asks for ----

enum { ASKED, REFUSED, ACTIVE };
enum { ASKS = 3 };
static const xy_nsec ASK_AGAIN = 2 * XY_SEC, NO_LIFE = 10 * XY_SEC, IDLE = 300 * XY_SEC,
		     RENEW = 120 * XY_SEC;

static uint32_t want_find(const struct xy_babel *b, const struct xy_prefix *p)
{
	uint32_t i = map_first(&b->want_map, hash_bytes(b, p, sizeof(*p)));
	while (i && !xy_prefix_eq(&WANT(b, i)->prefix, p))
		i = map_next(&b->want_map, i);
	return i;
}

static void ask(struct xy_babel *b, struct want *w)
{
	w->asked = b->now;
	FOR_NEIGHS(b, n)
	if (n->c.relay && n->usable)
		send_item(b, n,
			  &(struct item){.type = XY_BABEL_ROUTE_REQUEST,
					 .request = {.prefix = w->prefix}});
}

static void become(struct xy_babel *b, uint32_t i, uint8_t state, xy_nsec until)
{
	struct want *w = WANT(b, i);
	b->asking += (state != ACTIVE) - (w->state != ACTIVE);
	w->state = state;
	timer_set(b, T_WANT, i, until);
}

static void want_free(struct xy_babel *b, uint32_t i)
{
	b->asking -= WANT(b, i)->state != ACTIVE;
	timer_stop(b, T_WANT, i);
	map_remove(&b->want_map, i);
	pool_give(&b->wants, i);
}

static int want_new(struct xy_babel *b, const struct xy_prefix *p)
{
	uint32_t i = b->asking < WANTS ? pool_take(&b->wants) : 0;
	if (!i)
		return -ENOBUFS;
	struct want *w = WANT(b, i);
	w->prefix = *p;
	if (!map_insert(&b->want_map, i)) {
		pool_give(&b->wants, i);
		return -ENOBUFS;
	}
	b->asking++;
	w->state = ASKED;
	w->used = b->now;
	ask(b, w);
	timer_set(b, T_WANT, i, b->now + ASK_AGAIN);
	return -EAGAIN;
}

int xy_babel_want(struct xy_babel *b, const struct xy_addr *a, xy_nsec now)
{
	struct xy_prefix p = {.addr = *a, .len = 64};
	xy_babel_enter(b, now);
	xy_prefix_mask(&p);
	uint32_t dest = dest_find(b, &p, 0), i = want_find(b, &p);
	bool have = dest && DEST(b, dest)->valid;
	if (!b->c.stub || !xy_addr_is_mesh(a))
		return have ? 0 : -ENETUNREACH;
	if (!i)
		return want_new(b, &p);
	struct want *w = WANT(b, i);
	w->used = b->now;
	if (w->state == ACTIVE && b->now - w->asked > RENEW)
		ask(b, w); // the relay remembers us for ten minutes
	if (w->state == REFUSED)
		return -ENETUNREACH;
	return have ? 0 : -EAGAIN;
}

static void refused(struct xy_babel *b, uint32_t i)
{
	if (WANT(b, i)->state == REFUSED)
		return;
	become(b, i, REFUSED, b->now + NO_LIFE);
	notice(b, XY_BABEL_NOTICE_NO_ANSWER, NULL, &WANT(b, i)->prefix, NULL);
}

void want_answer(struct xy_babel *b, const struct xy_prefix *p, bool found)
{
	uint32_t i = b->c.stub ? want_find(b, p) : 0;
	if (!i)
		return;
	if (!found)
		refused(b, i);
	else if (WANT(b, i)->state != ACTIVE)
		become(b, i, ACTIVE, WANT(b, i)->used + IDLE);
}

// Nobody sends there any more: the table of a stub holds what it uses.
static void let_go(struct xy_babel *b, uint32_t i)
{
	uint32_t dest = dest_find(b, &WANT(b, i)->prefix, 0);
	want_free(b, i);
	if (!dest || DEST(b, dest)->own)
		return;
	DEST(b, dest)->users++;
	while (DEST(b, dest)->routes)
		route_drop(b, DEST(b, dest)->routes);
	dest_select(b, dest);
	DEST(b, dest)->users--;
	dest_release(b, dest);
}

void want_timer(struct xy_babel *b, uint32_t i)
{
	struct want *w = WANT(b, i);
	switch (w->state) {
	case ASKED:
		if (++w->tries >= ASKS) {
			refused(b, i);
			return;
		}
		ask(b, w);
		timer_set(b, T_WANT, i, b->now + ASK_AGAIN);
		return;
	case REFUSED:
		want_free(b, i);
		return;
	default:
		if (b->now - w->used < IDLE)
			timer_set(b, T_WANT, i, w->used + IDLE);
		else
			let_go(b, i);
	}
}
