// SPDX-License-Identifier: BSD-3-Clause
#include "icmp_rate.h"

#include "far_end.h"
#include "pages.h"
#include "table/exact_hash.h"

// Errors per second and at once, of each bucket.
#define RATE  200
#define BURST 50

enum { TIME_EXCEEDED, UNREACHABLE, TOO_BIG, BUCKETS = 8, LANES = BUCKETS - TOO_BIG };

// Lines behind those of peers: one of the host, and some that far nodes share.
enum { FAR = 64, MORE = 1 + FAR };

struct xy_icmp_rate {
	xy_nsec full_at[BUCKETS]; // as in struct xy_bucket
} __rte_cache_aligned;
_Static_assert(sizeof(struct xy_icmp_rate) == RTE_CACHE_LINE_SIZE, "a line a peer");

static size_t size(const struct xy_dp *dp)
{
	return ((size_t)dp->cfg.max_peers + MORE) * sizeof(struct xy_icmp_rate);
}

static uint32_t line_of(const struct xy_dp *dp, uint32_t end)
{
	if (xy_end_is_far(dp, end))
		return dp->cfg.max_peers + 1 + end % FAR;
	return RTE_MIN(end, dp->cfg.max_peers);
}

struct xy_icmp_rate *xy_icmp_rate_create(const struct xy_dp *dp)
{
	return xy_pages_reserve(size(dp));
}

void xy_icmp_rate_destroy(const struct xy_dp *dp, struct xy_icmp_rate *rate)
{
	xy_pages_release(rate, size(dp));
}

// Keyed, and another one each second: who shares a lane with a source that does not listen shares
// it for a second.
static unsigned lane(const struct xy_worker *w, const struct xy_addr *src)
{
	const uint64_t *key = w->dp->flow_key;
	uint64_t word[2];
	memcpy(word, src->b, sizeof(word));
	uint64_t hash = xy_exact_fold(word[0] ^ key[0], word[1] ^ key[1]);
	return (unsigned)(xy_exact_fold(hash ^ key[1], (w->now / XY_SEC) ^ key[0]) % LANES);
}

bool xy_icmp_rate_take(struct xy_worker *w, uint32_t end, enum xy_icmp_error error,
		       const struct xy_addr *src)
{
	struct xy_icmp_rate *own = &w->icmp[line_of(w->dp, end)];
	unsigned i = error == XY_ICMP_TOO_BIG	      ? TOO_BIG + lane(w, src)
		     : error == XY_ICMP_TIME_EXCEEDED ? TIME_EXCEEDED
						      : UNREACHABLE;
	struct xy_bucket b;
	xy_bucket_init(&b, XY_SEC / RATE, BURST);
	b.full_at = own->full_at[i];
	bool ok = xy_bucket_take(&b, w->now);
	own->full_at[i] = b.full_at;
	return ok;
}
