// SPDX-License-Identifier: BSD-3-Clause
// Neighbours in turn. What many of them may have to be done for each is begun by whoever has a
// reason, and done in the order of asking, a slice at a time: nobody walks over all to find who
// that is.
#include "babel/state.h"

void babel_turn_wait(struct xy_babel *b, struct neigh *n, unsigned kind)
{
	struct turn *t = &n->turn[kind];
	struct turns *all = &b->turns[kind];
	if (t->waits)
		return;
	*t = (struct turn){.prev = all->last, .waits = true};
	*(all->last ? &all->last->turn[kind].next : &all->first) = n;
	all->last = n;
}

void babel_turn_leave(struct xy_babel *b, struct neigh *n, unsigned kind)
{
	struct turn *t = &n->turn[kind];
	struct turns *all = &b->turns[kind];
	if (!t->waits)
		return;
	*(t->prev ? &t->prev->turn[kind].next : &all->first) = t->next;
	*(t->next ? &t->next->turn[kind].prev : &all->last) = t->prev;
	*t = (struct turn){0};
}

struct neigh *babel_turn_take(struct xy_babel *b, unsigned kind)
{
	struct neigh *n = b->turns[kind].first;
	if (n)
		babel_turn_leave(b, n, kind);
	return n;
}
