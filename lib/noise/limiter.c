// SPDX-License-Identifier: BSD-3-Clause
#include "noise/limiter.h"

#include "base/bytes.h"

#include <sodium.h>
#include <string.h>

_Static_assert(sizeof(((struct xy_limiter *)0)->key) == crypto_shorthash_KEYBYTES, "SipHash key");

// The bucket as a virtual clock (ITU-T I.371's GCRA): a token moves full_at on by its cost, and
// there is none when that would lead further than depth ahead of now.
static bool take(xy_nsec *full_at, xy_nsec cost, xy_nsec depth, xy_nsec now)
{
	xy_nsec from = *full_at > now ? *full_at : now;
	if (from + cost - now > depth)
		return false;
	*full_at = from + cost;
	return true;
}

// (That some of these meet is chance, or gains nothing: 0:ffff::/32 is nobody's.)
uint64_t xy_limiter_source(const struct xy_addr *a)
{
	bool low = xy_addr_is_v4(a) || xy_addr_is_link_local(a);
	return xy_be64_load(low ? a->b + 8 : a->b);
}

static struct xy_limiter_bucket *set_find(struct xy_limiter *l, uint64_t src)
{
	uint8_t hash[crypto_shorthash_BYTES];
	crypto_shorthash(hash, (const uint8_t *)&src, sizeof(src), l->key);
	return l->set[xy_le64_load(hash) % XY_LIMITER_SETS];
}

void xy_limiter_init_rate(struct xy_limiter *l, const uint8_t key[static 16], xy_nsec interval,
			  unsigned burst)
{
	memset(l, 0, sizeof(*l));
	memcpy(l->key, key, sizeof(l->key));
	l->cost = interval;
	l->depth = burst * interval;
}

void xy_limiter_init(struct xy_limiter *l, const uint8_t key[static 16])
{
	xy_limiter_init_rate(l, key, XY_SEC / XY_LIMITER_RATE, XY_LIMITER_BURST);
}

bool xy_limiter_take(struct xy_limiter *l, const struct xy_addr *src, xy_nsec now)
{
	uint64_t id = xy_limiter_source(src);
	struct xy_limiter_bucket *set = set_find(l, id), *room = NULL;
	for (unsigned i = 0; i < XY_LIMITER_WAYS; i++) {
		if (set[i].source == id)
			return take(&set[i].full_at, l->cost, l->depth, now);
		if (set[i].full_at <= now) // full again: as good as none
			room = &set[i];
	}
	if (!room)
		return false;
	*room = (struct xy_limiter_bucket){.source = id};
	return take(&room->full_at, l->cost, l->depth, now);
}

void xy_bucket_init(struct xy_bucket *b, xy_nsec interval, unsigned burst)
{
	*b = (struct xy_bucket){.cost = interval, .depth = burst * interval};
}

bool xy_bucket_take(struct xy_bucket *b, xy_nsec now)
{
	return take(&b->full_at, b->cost, b->depth, now);
}

void xy_load_init(struct xy_load *l, unsigned rate, unsigned burst)
{
	*l = (struct xy_load){.cost = XY_SEC / rate, .depth = burst * (XY_SEC / rate)};
}

bool xy_load_take(struct xy_load *l, xy_nsec now)
{
	if (!take(&l->full_at, l->cost, l->depth, now))
		l->until = now + XY_LOAD_HOLD;
	return xy_load_is(l, now);
}

bool xy_load_is(const struct xy_load *l, xy_nsec now)
{
	return now < l->until;
}
