// SPDX-License-Identifier: BSD-3-Clause
#include "known.h"

#include "pages.h"

#include <rte_common.h>
#include <sodium.h>

enum { WAYS = 8, SPARE = 4 }; // of a bucket; places for each peer

static size_t bytes(const struct xy_dp *dp)
{
	return ((size_t)dp->known_mask + 1) * WAYS * sizeof(*dp->known);
}

int xy_known_init(struct xy_dp *dp)
{
	dp->known_mask = rte_align32pow2(RTE_MAX(dp->cfg.max_peers * SPARE / WAYS, 1u)) - 1;
	dp->known = xy_pages_reserve_large(bytes(dp));
	randombytes_buf(dp->known_key, sizeof(dp->known_key));
	return dp->known ? 0 : -ENOMEM;
}

void xy_known_fini(struct xy_dp *dp)
{
	xy_pages_release(dp->known, bytes(dp));
	dp->known = NULL;
}

static uint64_t fingerprint(const struct xy_dp *dp, const struct xy_endpoint *e)
{
	_Static_assert(sizeof(dp->known_key) == crypto_shorthash_KEYBYTES, "SipHash key");
	uint8_t where[18];
	uint64_t hash;
	memcpy(where, e->addr.b, 16);
	memcpy(where + 16, &e->port, 2);
	crypto_shorthash((uint8_t *)&hash, where, sizeof(where), dp->known_key);
	return hash ? hash : 1; // 0 is an empty place
}

// Its place in the bucket, or an empty one for 0; NULL: there is none.
static uint64_t *find(const struct xy_dp *dp, uint64_t print, uint64_t what)
{
	uint64_t *bucket = &dp->known[(print & dp->known_mask) * WAYS];
	for (unsigned i = 0; i < WAYS; i++)
		if (__atomic_load_n(&bucket[i], __ATOMIC_RELAXED) == what)
			return &bucket[i];
	return NULL;
}

void xy_known_set(struct xy_dp *dp, uint64_t *place, const struct xy_endpoint *e)
{
	uint64_t is = e ? fingerprint(dp, e) : 0;
	if (is == *place)
		return;
	uint64_t *old = *place ? find(dp, *place, *place) : NULL;
	if (old)
		__atomic_store_n(old, 0, __ATOMIC_RELAXED);
	uint64_t *new = is ? find(dp, is, 0) : NULL;
	if (new) // one for each peer there, if there are several
		__atomic_store_n(new, is, __ATOMIC_RELAXED);
	*place = new ? is : 0;
}

bool xy_known_has(const struct xy_dp *dp, const struct xy_endpoint *e)
{
	uint64_t print = fingerprint(dp, e);
	return find(dp, print, print);
}
