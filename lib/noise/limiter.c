// SPDX-License-Identifier: BSD-3-Clause
#include "noise/limiter.h"

#include "base/bytes.h"

#include <sodium.h>
#include <string.h>

_Static_assert(sizeof(((struct xy_limiter *)0)->key) == crypto_shorthash_KEYBYTES, "SipHash key");

#define COST  (XY_SEC / XY_LIMITER_RATE)
#define DEPTH (XY_LIMITER_BURST * COST)

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

// The /64; of an IPv4 address, all of it. (The two meet in 0:ffff::/32, which is nobody's.)
static uint64_t source(const struct xy_addr *a)
{
	return xy_addr_is_v4(a) ? xy_be64_load(a->b + 8) : xy_be64_load(a->b);
}

static struct xy_limiter_bucket *set_find(struct xy_limiter *l, uint64_t src)
{
	uint8_t hash[crypto_shorthash_BYTES];
	crypto_shorthash(hash, (const uint8_t *)&src, sizeof(src), l->key);
	return l->set[xy_le64_load(hash) % XY_LIMITER_SETS];
}

void xy_limiter_init(struct xy_limiter *l, const uint8_t key[static 16])
{
	memset(l, 0, sizeof(*l));
	memcpy(l->key, key, sizeof(l->key));
}

bool xy_limiter_take(struct xy_limiter *l, const struct xy_addr *src, xy_nsec now)
{
	uint64_t id = source(src);
	struct xy_limiter_bucket *set = set_find(l, id), *room = NULL;
	for (unsigned i = 0; i < XY_LIMITER_WAYS; i++) {
		if (set[i].source == id)
			return take(&set[i].full_at, COST, DEPTH, now);
		if (set[i].full_at <= now) // full again: as good as none
			room = &set[i];
	}
	if (!room)
		return false;
	*room = (struct xy_limiter_bucket){.source = id};
	return take(&room->full_at, COST, DEPTH, now);
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
