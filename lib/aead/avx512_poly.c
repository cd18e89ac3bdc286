// SPDX-License-Identifier: BSD-3-Clause
// Tags of messages in memory, of any lengths. poly_rows.h says which lane has what of them.
#include "aead/avx512.h"
#include "aead/avx512_number.h"

enum {
	LANES = NUMBERS,
	TOGETHER = 4,	     // blocks of a lane, before limbs are made small again
	TOGETHER_LEAST = 12, // steps
};

#include "aead/poly_rows.h"

struct work {
	struct factor by[PAIR][TOGETHER], at_end[PAIR]; // r, and its next powers if `together`
	bool together[PAIR];
	struct number sum[PAIR];
	struct lanes lanes;
};

INLINE v8 every_other(const uint8_t *const from[LANES], int first, size_t at)
{
	__m128i p[4];
#pragma GCC unroll 4
	for (int i = 0; i < 4; i++)
		p[i] = _mm_loadu_si128((const __m128i *)(from[first + 2 * i] + at));
	v8 x = _mm512_inserti64x2(_mm512_castsi128_si512(p[0]), p[1], 1);
	return _mm512_inserti64x2(_mm512_inserti64x2(x, p[2], 2), p[3], 3);
}

// Sixteen bytes of each lane.
INLINE void load(const uint8_t *const from[LANES], size_t at, v8 *low, v8 *high)
{
	v8 even = every_other(from, 0, at), odd = every_other(from, 1, at);
	*low = _mm512_unpacklo_epi64(even, odd);
	*high = _mm512_unpackhi_epi64(even, odd);
}

// --- keys

INLINE struct number key_of(const uint8_t *const key[LANES])
{
	v8 low, high;
	load(key, 0, &low, &high);
	return clamped(low, high);
}

// r^per until the end, and there (where per is more than 1) each lane's own power, the last lane's
// r, so that the sum of lanes is the message's.
static void powers(struct number r, unsigned per, bool together, struct factor by[TOGETHER],
		   struct factor *at_end)
{
	static const uint8_t lanes[] = {0x55, 0x33, 0x0f}; // whose power has that binary digit
	struct number end = r;
	by[0] = factor_of(&r);
	for (unsigned k = 0; 1u << k < per; k++) {
		struct number more = product(&end, &by[0]);
		for (int i = 0; i < LIMBS; i++)
			end.limb[i] = _mm512_mask_mov_epi64(end.limb[i], lanes[k], more.limb[i]);
		r = product(&r, &by[0]);
		by[0] = factor_of(&r);
	}
	if (per > 1)
		*at_end = factor_of(&end);
	for (int k = 1; k < TOGETHER && together; k++) {
		r = product(&by[(k - 1) / 2].r, &by[k / 2]);
		by[k] = factor_of(&r);
	}
}

static void row_begin(struct work *w, unsigned v, const struct row *r,
		      const struct xy_batch_text *t, uint32_t steps)
{
	const uint8_t *key[LANES];
	row_keys(r, t, 0, key);
	w->together[v] = r->steps >= TOGETHER_LEAST;
	powers(key_of(key), r->per, w->together[v], w->by[v], &w->at_end[v]);
	memset(&w->sum[v], 0, sizeof(w->sum[v]));
	lanes_begin(&w->lanes, v, r, t, steps);
}

// --- the sum

// Lanes that have not begun read where one has that did. By words, as they were written: a vector
// of what was just written by words would wait until that is in the cache.
INLINE __mmask8 active(struct lanes *l, int v)
{
	__mmask8 lanes = (__mmask8)l->begun[v];
	const uint8_t **from = l->from + LANES * v;
	if (lanes != 0xff && lanes)
		for (int i = 0; i < LANES; i++)
			from[i] = lanes >> i & 1 ? from[i] : from[__builtin_ctz(lanes)];
	return lanes;
}

INLINE void advance(struct lanes *l, int v, size_t by)
{
	for (int i = 0; i < LANES; i++)
		l->from[LANES * v + i] += by;
}

INLINE struct number block_at_lanes(const uint8_t *const from[LANES], size_t at, __mmask8 lanes)
{
	v8 low, high;
	load(from, at, &low, &high);
	return block_of(low, high, lanes);
}

// Steps one by one, of vectors from `first` on; inlined for a number of them that the compiler
// knows.
INLINE void sum_over(struct work *w, uint32_t steps, int first, const int vectors)
{
	struct lanes *l = &w->lanes;
	struct number sum[PAIR];
	__mmask8 lanes[PAIR];
	size_t at[PAIR] = {0};
	for (int v = 0; v < vectors; v++) {
		lanes[v] = active(l, first + v);
		sum[v] = w->sum[first + v];
	}
	for (; steps; steps--)
#pragma GCC unroll 2
		for (int v = 0; v < vectors; v++) {
			struct number m =
				block_at_lanes(l->from + LANES * (first + v), at[v], lanes[v]);
			add(&m, &sum[v]);
			sum[v] = product(&m, w->by[first + v]);
			at[v] += l->stride[first + v];
		}
	for (int v = 0; v < vectors; v++) {
		w->sum[first + v] = sum[v];
		advance(l, first + v, at[v]);
	}
}

static void sum_one(struct work *w, uint32_t steps, int v)
{
	sum_over(w, steps, v, 1);
}

static void sum_pair(struct work *w, uint32_t steps)
{
	sum_over(w, steps, 0, PAIR);
}

// So many times four steps: the four products are one sum.
static void sum_together(struct work *w, uint32_t times, int v)
{
	struct lanes *l = &w->lanes;
	struct number sum = w->sum[v];
	__mmask8 lanes = active(l, v);
	const uint8_t *const *from = l->from + LANES * v;
	const size_t stride = l->stride[v];
	size_t at = 0;
	for (; times; times--) {
		struct wide x = nothing();
#pragma GCC unroll 4
		for (int k = TOGETHER - 1; k >= 0; k--) {
			struct number m = block_at_lanes(from, at + k * stride, lanes);
			if (k == 0)
				add(&m, &sum);
			multiply(&x, &m, &w->by[v][TOGETHER - 1 - k]);
		}
		sum = carried(&x);
		at += TOGETHER * stride;
	}
	w->sum[v] = sum;
	advance(l, v, at);
}

// A vector that has not begun is left alone.
static void sum(struct work *w, uint32_t steps, unsigned vectors)
{
	uint32_t rest[PAIR] = {0};
	for (unsigned v = 0; v < vectors; v++) {
		if (!w->lanes.begun[v])
			continue;
		rest[v] = w->together[v] ? steps % TOGETHER : steps;
		if (rest[v] < steps)
			sum_together(w, steps / TOGETHER, (int)v);
	}
	if (rest[0] && rest[0] == rest[1]) {
		sum_pair(w, rest[0]);
		return;
	}
	for (int v = 0; v < PAIR; v++)
		if (rest[v])
			sum_one(w, rest[v], v);
}

// --- tags

// A message's lanes, each of which then has it.
INLINE v8 lanes_sum(v8 x, unsigned per)
{
	if (per >= 2)
		x = _mm512_add_epi64(x, _mm512_permutex_epi64(x, 0xb1));
	if (per >= 4)
		x = _mm512_add_epi64(x, _mm512_permutex_epi64(x, 0x4e));
	if (per >= 8)
		x = _mm512_add_epi64(x, _mm512_shuffle_i64x2(x, x, 0x4e));
	return x;
}

static void row_end(struct work *w, unsigned v, const struct row *r, const struct xy_batch_text *t)
{
	const uint8_t *key[LANES];
	v8 s_low, s_high, *d = w->sum[v].limb;
	uint8_t tag[LANES][16] __attribute__((aligned(64)));
	row_keys(r, t, 16, key);
	for (int i = 0; i < LIMBS; i++)
		d[i] = lanes_sum(d[i], r->per);
	load(key, 0, &s_low, &s_high);
	tags_of(w->sum[v], s_low, s_high, tag);
	for (unsigned i = 0; i < r->messages; i++)
		memcpy(t[r->message[i]].tag, tag[i * r->per], sizeof(tag[0]));
}

// --- a burst

static void row_last(struct work *w, unsigned v)
{
	w->by[v][0] = w->at_end[v];
}

#include "aead/poly_burst.h"

void xy_batch_avx512_tags(const struct xy_batch_text *t, unsigned n)
{
	burst_tags(t, n);
}
