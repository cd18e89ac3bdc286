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

static struct xy_accepts *accepts_make(const struct xy_prefix *prefix, unsigned n)
{
	struct xy_accepts *a = calloc(1, sizeof(*a) + n * sizeof(a->range[0]));
	if (!a)
		return NULL;
	a->v6.at = a->range;
	for (unsigned i = 0; i < n; i++)
		if (!xy_prefix_is_v4(&prefix[i]))
			a->v6.at[a->v6.count++] = range_of(&prefix[i]);
	a->v4.at = a->range + a->v6.count;
	for (unsigned i = 0; i < n; i++)
		if (xy_prefix_is_v4(&prefix[i]))
			a->v4.at[a->v4.count++] = range_of(&prefix[i]);
	ranges_sort(&a->v6);
	ranges_sort(&a->v4);
	return a;
}

int xy_accepts_set(struct xy_dp *dp, uint32_t end, const struct xy_prefix *prefix, unsigned n)
{
	struct xy_accepts *a = n ? accepts_make(prefix, n) : NULL, *old = dp->end[end].accepts;
	if (n && !a)
		return -ENOMEM;
	__atomic_store_n(&dp->end[end].accepts, a, __ATOMIC_RELEASE);
	xy_dp_retire_free(dp, old);
	return 0;
}

bool xy_accepts_rcu(const struct xy_dp *dp, uint32_t end, const struct xy_addr *src)
{
	const struct xy_accepts *a = __atomic_load_n(&dp->end[end].accepts, __ATOMIC_ACQUIRE);
	if (!a)
		return false;
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
