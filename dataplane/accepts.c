// SPDX-License-Identifier: BSD-3-Clause
#include "accepts.h"

#include "end.h"
#include "retire.h"

#include <stdlib.h>

struct range {
	struct xy_addr first, last;
};

// Apart, for no prefix of one family holds an address of the other.
struct ranges {
	uint32_t count;
	struct range *at; // ascending, none in another
};

struct xy_accepts {
	struct ranges v6, v4;
	bool rest_v6, rest_v4; // and what is nobody else's
	struct range range[];
};

static int by_first(const void *a, const void *b)
{
	const struct range *x = a, *y = b;
	int r = memcmp(x->first.b, y->first.b, sizeof(x->first.b));
	return r ? r : memcmp(y->last.b, x->last.b, sizeof(x->last.b)); // the longer one first
}

static bool is_behind(const struct xy_addr *a, const struct xy_addr *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) > 0;
}

// Prefixes are inside one another or apart.
static void ranges_sort(struct ranges *r)
{
	uint32_t kept = 0;
	qsort(r->at, r->count, sizeof(r->at[0]), by_first);
	for (uint32_t i = 0; i < r->count; i++)
		if (!kept || is_behind(&r->at[i].first, &r->at[kept - 1].last))
			r->at[kept++] = r->at[i];
	r->count = kept;
}

static struct range range_of(const struct xy_prefix *p)
{
	struct range r = {.first = p->addr, .last = p->addr};
	for (unsigned bit = p->len; bit < 128; bit++)
		r.last.b[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	return r;
}

static void family_make(struct xy_accepts *a, struct ranges *r, const struct xy_prefix *prefix,
			unsigned n, bool v4)
{
	r->at = a->range + a->v6.count;
	for (unsigned i = 0; i < n; i++) {
		if (xy_prefix_is_v4(&prefix[i]) != v4)
			continue;
		if (xy_prefix_is_default(&prefix[i]))
			*(v4 ? &a->rest_v4 : &a->rest_v6) = true;
		else
			r->at[r->count++] = range_of(&prefix[i]);
	}
	ranges_sort(r);
}

static struct xy_accepts *accepts_make(const struct xy_prefix *prefix, unsigned n)
{
	struct xy_accepts *a = calloc(1, sizeof(*a) + n * sizeof(a->range[0]));
	if (!a)
		return NULL;
	family_make(a, &a->v6, prefix, n, false);
	family_make(a, &a->v4, prefix, n, true);
	return a;
}

static int replace(struct xy_dp *dp, struct xy_accepts **in, const struct xy_prefix *prefix,
		   unsigned n)
{
	struct xy_accepts *a = n ? accepts_make(prefix, n) : NULL, *old = *in;
	if (n && !a)
		return -ENOMEM;
	__atomic_store_n(in, a, __ATOMIC_RELEASE);
	xy_dp_retire_free(dp, old);
	return 0;
}

int xy_accepts_set(struct xy_dp *dp, uint32_t end, const struct xy_prefix *prefix, unsigned n)
{
	return replace(dp, &dp->end[end].accepts, prefix, n);
}

int xy_dp_taken_set(struct xy_dp *dp, const struct xy_prefix *prefix, unsigned n)
{
	return replace(dp, &dp->taken, prefix, n);
}

static bool holds(const struct xy_accepts *a, const struct xy_addr *src)
{
	const struct ranges *r = xy_addr_is_v4(src) ? &a->v4 : &a->v6;
	uint32_t from = 0, to = r->count; // the last that does not begin behind src is before `to`
	while (from < to) {
		uint32_t at = (from + to) / 2;
		if (is_behind(&r->at[at].first, src))
			to = at;
		else
			from = at + 1;
	}
	return from && !is_behind(src, &r->at[from - 1].last);
}

bool xy_accepts_rcu(const struct xy_dp *dp, uint32_t end, const struct xy_addr *src)
{
	const struct xy_accepts *a = __atomic_load_n(&dp->end[end].accepts, __ATOMIC_ACQUIRE);
	const struct xy_accepts *taken;
	if (!a)
		return false;
	if (holds(a, src))
		return true;
	if (!(xy_addr_is_v4(src) ? a->rest_v4 : a->rest_v6))
		return false;
	taken = __atomic_load_n(&dp->taken, __ATOMIC_ACQUIRE);
	return !taken || !holds(taken, src);
}
