// SPDX-License-Identifier: BSD-3-Clause
#include "noise/keypairs.h"

#include <stddef.h>

static void drop(struct xy_keypair *p, struct xy_keypair_drops *drops)
{
	if (p->live)
		drops->index[drops->n++] = p->index;
	*p = (struct xy_keypair){0};
}

static void move(struct xy_keypairs *k, enum xy_keypair_slot from, enum xy_keypair_slot to,
		 struct xy_keypair_drops *drops)
{
	drop(&k->slot[to], drops);
	k->slot[to] = k->slot[from];
	k->slot[to].overtaken = k->slot[to].unheard = false;
	k->slot[from] = (struct xy_keypair){0};
}

// Of current and previous stays the one that the peer sends in.
static void current_retire(struct xy_keypairs *k, struct xy_keypair_drops *drops)
{
	struct xy_keypair *current = &k->slot[XY_KEYPAIR_CURRENT];
	if (current->unheard && k->slot[XY_KEYPAIR_PREVIOUS].live)
		drop(current, drops);
	else if (current->live)
		move(k, XY_KEYPAIR_CURRENT, XY_KEYPAIR_PREVIOUS, drops);
}

void xy_keypairs_initiated(struct xy_keypairs *k, uint32_t index, xy_nsec now,
			   struct xy_keypair_drops *drops)
{
	drops->n = 0;
	current_retire(k, drops);
	k->slot[XY_KEYPAIR_CURRENT] =
		(struct xy_keypair){.index = index, .live = true, .initiator = true, .born = now};
	k->slot[XY_KEYPAIR_NEXT].overtaken = k->slot[XY_KEYPAIR_NEXT].live;
}

void xy_keypairs_responded(struct xy_keypairs *k, uint32_t index, xy_nsec now,
			   struct xy_keypair_drops *drops)
{
	drops->n = 0;
	drop(&k->slot[XY_KEYPAIR_NEXT], drops);
	k->slot[XY_KEYPAIR_NEXT] = (struct xy_keypair){.index = index, .live = true, .born = now};
}

bool xy_keypairs_received(struct xy_keypairs *k, uint32_t index, struct xy_keypair_drops *drops)
{
	const struct xy_keypair *next = &k->slot[XY_KEYPAIR_NEXT];
	drops->n = 0;
	if (!next->live || next->index != index)
		return false;
	if (next->overtaken) {
		move(k, XY_KEYPAIR_NEXT, XY_KEYPAIR_PREVIOUS, drops);
		k->slot[XY_KEYPAIR_CURRENT].unheard = true;
		return false;
	}
	current_retire(k, drops);
	move(k, XY_KEYPAIR_NEXT, XY_KEYPAIR_CURRENT, drops);
	return true;
}

void xy_keypairs_expire(struct xy_keypairs *k, xy_nsec now, xy_nsec age,
			struct xy_keypair_drops *drops)
{
	drops->n = 0;
	for (unsigned i = 0; i < XY_KEYPAIR_SLOTS; i++)
		if (k->slot[i].live && now >= k->slot[i].born && now - k->slot[i].born >= age)
			drop(&k->slot[i], drops);
}

void xy_keypairs_clear(struct xy_keypairs *k, struct xy_keypair_drops *drops)
{
	drops->n = 0;
	for (unsigned i = 0; i < XY_KEYPAIR_SLOTS; i++)
		drop(&k->slot[i], drops);
}

enum xy_keypair_slot xy_keypairs_find(const struct xy_keypairs *k, uint32_t index)
{
	unsigned i = 0;
	while (i < XY_KEYPAIR_SLOTS && !(k->slot[i].live && k->slot[i].index == index))
		i++;
	return i;
}

const struct xy_keypair *xy_keypairs_current(const struct xy_keypairs *k)
{
	const struct xy_keypair *p = &k->slot[XY_KEYPAIR_CURRENT];
	return p->live ? p : NULL;
}
