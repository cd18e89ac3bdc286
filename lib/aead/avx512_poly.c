// SPDX-License-Identifier: BSD-3-Clause
// Poly1305 (RFC 8439 section 2.5) with AVX-512 and its products of 52 bits (IFMA): a number below
// 2^130 is limbs of 44, 44 and 42 bits, and a vector has a limb of eight numbers. poly_rows.h says
// which.
#include "aead/avx512.h"

#include <immintrin.h>
#include <stdint.h>

enum {
	LANES = 8,
	LIMBS = 3,
	TOGETHER = 4,	     // blocks of a lane, before limbs are made small again
	TOGETHER_LEAST = 12, // steps
};

#include "aead/poly_rows.h"

typedef __m512i v8; // eight words of 64 bits

#define INLINE static inline __attribute__((always_inline))

struct number {
	v8 limb[LIMBS];
};

struct factor { // a number, and twenty times its limbs 1 and 2: 2^132 is 20
	struct number r;
	v8 s[LIMBS];
};

struct work {
	struct factor by[PAIR][TOGETHER], at_end[PAIR]; // r, and its next powers if `together`
	bool together[PAIR];
	struct number sum[PAIR];
	struct lanes lanes;
};

INLINE v8 mask44(void)
{
	return _mm512_set1_epi64((INT64_C(1) << 44) - 1);
}

INLINE v8 mask42(void)
{
	return _mm512_set1_epi64((INT64_C(1) << 42) - 1);
}

// --- arithmetic modulo 2^130 - 5

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

// Of those lanes; the others are 0.
INLINE struct number limbs(v8 low, v8 high, __mmask8 lanes)
{
	v8 across = _mm512_shrdi_epi64(low, high, 44);
	return (struct number){{_mm512_maskz_and_epi64(lanes, low, mask44()),
				_mm512_maskz_and_epi64(lanes, across, mask44()),
				_mm512_maskz_srli_epi64(lanes, high, 24)}};
}

INLINE v8 five_times(v8 x)
{
	return _mm512_add_epi64(x, _mm512_slli_epi64(x, 2));
}

INLINE struct factor factor_of(const struct number *r)
{
	struct factor f;
	for (int i = 0; i < LIMBS; i++) {
		f.r.limb[i] = r->limb[i];
		f.s[i] = _mm512_slli_epi64(five_times(r->limb[i]), 2);
	}
	return f;
}

// Sums of products, before what limbs have too much goes to the next ones.
struct wide {
	v8 low[LIMBS], high[LIMBS];
};

// Limbs of x below 2^46, of f below 2^45, and so 20 of them below 2^50: what is multiplied has at
// most 52 bits.
INLINE void multiply(struct wide *w, const struct number *x, const struct factor *f)
{
#pragma GCC unroll 3
	for (int k = 0; k < LIMBS; k++)
#pragma GCC unroll 3
		for (int i = 0; i < LIMBS; i++) {
			v8 by = k <= i ? f->r.limb[i - k] : f->s[LIMBS + i - k];
			w->low[i] = _mm512_madd52lo_epu64(w->low[i], x->limb[k], by);
			w->high[i] = _mm512_madd52hi_epu64(w->high[i], x->limb[k], by);
		}
}

// Of at most four products: low parts below 12 * 2^52, high ones (of 2^52) below 12 * 2^44. What
// comes out is below 2^44 and 2^42, but for limb 1, a little above it.
INLINE struct number carried(const struct wide *w)
{
	v8 d[LIMBS];
	d[1] = _mm512_add_epi64(_mm512_add_epi64(w->low[1], _mm512_slli_epi64(w->high[0], 8)),
				_mm512_srli_epi64(w->low[0], 44));
	d[2] = _mm512_add_epi64(_mm512_add_epi64(w->low[2], _mm512_slli_epi64(w->high[1], 8)),
				_mm512_srli_epi64(d[1], 44));
	v8 over = _mm512_add_epi64(_mm512_slli_epi64(w->high[2], 10), _mm512_srli_epi64(d[2], 42));
	d[0] = _mm512_add_epi64(_mm512_and_si512(w->low[0], mask44()), five_times(over));
	return (struct number){
		{_mm512_and_si512(d[0], mask44()),
		 _mm512_add_epi64(_mm512_and_si512(d[1], mask44()), _mm512_srli_epi64(d[0], 44)),
		 _mm512_and_si512(d[2], mask42())}};
}

INLINE struct wide nothing(void)
{
	const v8 zero = _mm512_setzero_si512();
	return (struct wide){{zero, zero, zero}, {zero, zero, zero}};
}

INLINE struct number product(const struct number *x, const struct factor *f)
{
	struct wide w = nothing();
	multiply(&w, x, f);
	return carried(&w);
}

// --- keys

INLINE struct number key_of(const uint8_t *const key[LANES])
{
	v8 low, high;
	load(key, 0, &low, &high);
	low = _mm512_and_si512(low, _mm512_set1_epi64(0x0ffffffc0fffffff));
	high = _mm512_and_si512(high, _mm512_set1_epi64(0x0ffffffc0ffffffc));
	return limbs(low, high, 0xff);
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

INLINE v8 bits(__mmask8 lanes) // 2^128 of a block, in limb 2, of those
{
	return _mm512_maskz_set1_epi64(lanes, INT64_C(1) << 40);
}

INLINE void advance(struct lanes *l, int v, size_t by)
{
	for (int i = 0; i < LANES; i++)
		l->from[LANES * v + i] += by;
}

INLINE struct number block(const uint8_t *const from[LANES], size_t at, __mmask8 lanes)
{
	v8 low, high;
	load(from, at, &low, &high);
	struct number m = limbs(low, high, lanes);
	m.limb[2] = _mm512_or_si512(m.limb[2], bits(lanes));
	return m;
}

INLINE void add(struct number *x, const struct number *y)
{
	for (int i = 0; i < LIMBS; i++)
		x->limb[i] = _mm512_add_epi64(x->limb[i], y->limb[i]);
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
			struct number m = block(l->from + LANES * (first + v), at[v], lanes[v]);
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
			struct number m = block(from, at + k * stride, lanes);
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

// Below 2^130 - 5, and without what limbs have above 44 or 42 bits.
INLINE struct number reduced(struct number x)
{
	const v8 m = mask44();
	v8 *d = x.limb;
	for (int pass = 0; pass < 3; pass++) { // the last finds at most a row of ones
		d[1] = _mm512_add_epi64(d[1], _mm512_srli_epi64(d[0], 44));
		d[0] = _mm512_and_si512(d[0], m);
		d[2] = _mm512_add_epi64(d[2], _mm512_srli_epi64(d[1], 44));
		d[1] = _mm512_and_si512(d[1], m);
		d[0] = _mm512_add_epi64(d[0], five_times(_mm512_srli_epi64(d[2], 42)));
		d[2] = _mm512_and_si512(d[2], mask42());
	}
	v8 over[LIMBS]; // x - (2^130 - 5), where that is not below 0
	over[0] = _mm512_add_epi64(d[0], _mm512_set1_epi64(5));
	over[1] = _mm512_add_epi64(d[1], _mm512_srli_epi64(over[0], 44));
	over[2] = _mm512_add_epi64(d[2], _mm512_srli_epi64(over[1], 44));
	__mmask8 is = _mm512_test_epi64_mask(over[2], _mm512_set1_epi64(INT64_C(1) << 42));
	d[0] = _mm512_mask_and_epi64(d[0], is, over[0], m);
	d[1] = _mm512_mask_and_epi64(d[1], is, over[1], m);
	d[2] = _mm512_mask_and_epi64(d[2], is, over[2], mask42());
	return x;
}

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
	v8 low, high, s_low, s_high, *d = w->sum[v].limb;
	uint8_t tag[LANES][16] __attribute__((aligned(64)));
	row_keys(r, t, 16, key);
	for (int i = 0; i < LIMBS; i++)
		d[i] = lanes_sum(d[i], r->per);
	struct number x = reduced(w->sum[v]);
	low = _mm512_or_si512(x.limb[0], _mm512_slli_epi64(x.limb[1], 44));
	high = _mm512_or_si512(_mm512_srli_epi64(x.limb[1], 20), _mm512_slli_epi64(x.limb[2], 24));
	load(key, 0, &s_low, &s_high); // and + s modulo 2^128
	low = _mm512_add_epi64(low, s_low);
	high = _mm512_add_epi64(high, s_high);
	__mmask8 over = _mm512_cmplt_epu64_mask(low, s_low);
	high = _mm512_mask_add_epi64(high, over, high, _mm512_set1_epi64(1));
	const v8 to_low = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
	const v8 to_high = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
	_mm512_store_si512(tag[0], _mm512_permutex2var_epi64(low, to_low, high));
	_mm512_store_si512(tag[LANES / 2], _mm512_permutex2var_epi64(low, to_high, high));
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
