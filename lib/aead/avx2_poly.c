// SPDX-License-Identifier: BSD-3-Clause
// Poly1305 (RFC 8439 section 2.5) with AVX2: a number below 2^130 is five limbs of 26 bits, and a
// vector has a limb of four numbers. poly_rows.h says which.
#include "aead/avx2.h"

#include <immintrin.h>

enum { LANES = 4, LIMBS = 5 };

#include "aead/poly_rows.h"

typedef __m256i v4; // four words of 64 bits

#define INLINE static inline __attribute__((always_inline))

struct number {
	v4 limb[LIMBS];
};

struct factor { // a number, and five times it
	struct number r, s;
};

struct work {
	struct factor by[PAIR], at_end[PAIR];
	struct number sum[PAIR];
	struct lanes lanes;
};

INLINE v4 mask26(void)
{
	return _mm256_set1_epi64x((1 << 26) - 1);
}

// --- arithmetic modulo 2^130 - 5

// Sixteen bytes of each lane.
INLINE void load(const uint8_t *const from[LANES], v4 *low, v4 *high)
{
	__m128i p[LANES];
	for (int i = 0; i < LANES; i++)
		p[i] = _mm_loadu_si128((const __m128i *)from[i]);
	v4 even = _mm256_inserti128_si256(_mm256_castsi128_si256(p[0]), p[2], 1);
	v4 odd = _mm256_inserti128_si256(_mm256_castsi128_si256(p[1]), p[3], 1);
	*low = _mm256_unpacklo_epi64(even, odd);
	*high = _mm256_unpackhi_epi64(even, odd);
}

INLINE struct number limbs(v4 low, v4 high)
{
	const v4 m = mask26();
	v4 across = _mm256_or_si256(_mm256_srli_epi64(low, 52), _mm256_slli_epi64(high, 12));
	return (struct number){
		{_mm256_and_si256(low, m), _mm256_and_si256(_mm256_srli_epi64(low, 26), m),
		 _mm256_and_si256(across, m), _mm256_and_si256(_mm256_srli_epi64(high, 14), m),
		 _mm256_srli_epi64(high, 40)}};
}

INLINE v4 five_times(v4 x)
{
	return _mm256_add_epi64(x, _mm256_slli_epi64(x, 2));
}

INLINE struct factor factor_of(const struct number *r)
{
	struct factor f = {.r = *r};
	for (int i = 0; i < LIMBS; i++)
		f.s.limb[i] = five_times(r->limb[i]);
	return f;
}

INLINE void carry(v4 *from, v4 *to)
{
	*to = _mm256_add_epi64(*to, _mm256_srli_epi64(*from, 26));
	*from = _mm256_and_si256(*from, mask26());
}

INLINE void carry_round(struct number *x) // 2^130 is 5
{
	v4 *d = x->limb;
	d[0] = _mm256_add_epi64(d[0], five_times(_mm256_srli_epi64(d[4], 26)));
	d[4] = _mm256_and_si256(d[4], mask26());
}

// Limbs of x below 2^28, of f below 2^27, so sums of five products (four of them five times as
// large) stay below 2^60. What comes out is below 2^26 but for limbs 1 and 4, a little above it.
INLINE struct number product(const struct number *x, const struct factor *f)
{
	struct number p;
	v4 *d = p.limb;
#pragma GCC unroll 5
	for (int i = 0; i < LIMBS; i++) {
		d[i] = _mm256_mul_epu32(x->limb[0], f->r.limb[i]);
#pragma GCC unroll 4
		for (int k = 1; k < LIMBS; k++) {
			const v4 *by = k <= i ? &f->r.limb[i - k] : &f->s.limb[LIMBS + i - k];
			d[i] = _mm256_add_epi64(d[i], _mm256_mul_epu32(x->limb[k], *by));
		}
	}
	carry(&d[3], &d[4]);
	carry(&d[0], &d[1]);
	carry_round(&p);
	carry(&d[1], &d[2]);
	carry(&d[2], &d[3]);
	carry(&d[0], &d[1]);
	carry(&d[3], &d[4]);
	return p;
}

// --- keys

INLINE struct number key_of(const uint8_t *const key[LANES])
{
	v4 low, high;
	load(key, &low, &high);
	low = _mm256_and_si256(low, _mm256_set1_epi64x(0x0ffffffc0fffffff));
	high = _mm256_and_si256(high, _mm256_set1_epi64x(0x0ffffffc0ffffffc));
	return limbs(low, high);
}

// r^per until the end, and there (where per is more than 1) each lane's own power, the last lane's
// r, so that the sum of lanes is the message's.
INLINE void powers(const struct number *r, unsigned per, struct factor *by, struct factor *at_end)
{
	struct number all = *r, end = *r;
	*by = factor_of(r);
	if (per == 1)
		return;
	all = product(r, by);
	for (int i = 0; i < LIMBS; i++) // lanes 0 and 2
		end.limb[i] = _mm256_blend_epi32(r->limb[i], all.limb[i], 0x33);
	*by = factor_of(&all);
	if (per > 2) {
		struct number more = product(&end, by);
		for (int i = 0; i < LIMBS; i++) // lanes 0 and 1
			end.limb[i] = _mm256_blend_epi32(end.limb[i], more.limb[i], 0x0f);
		all = product(&all, by);
		*by = factor_of(&all);
	}
	*at_end = factor_of(&end);
}

static void row_begin(struct work *w, unsigned v, const struct row *r,
		      const struct xy_batch_text *t, uint32_t steps)
{
	const uint8_t *key[LANES];
	row_keys(r, t, 0, key);
	struct number k = key_of(key);
	powers(&k, r->per, &w->by[v], &w->at_end[v]);
	memset(&w->sum[v], 0, sizeof(w->sum[v]));
	lanes_begin(&w->lanes, v, r, t, steps);
}

// --- the sum

// 2^128 of a block, in limb 4, of those lanes.
INLINE v4 bits(uint32_t lanes)
{
	const v4 lane = _mm256_setr_epi64x(1, 2, 4, 8);
	v4 is = _mm256_and_si256(_mm256_set1_epi64x(lanes), lane);
	return _mm256_and_si256(_mm256_cmpeq_epi64(is, lane), _mm256_set1_epi64x(1 << 24));
}

// Inlined for a number of vectors that the compiler knows.
INLINE void sum_over(struct work *w, uint32_t steps, const int vectors)
{
	struct lanes *l = &w->lanes;
	const uint8_t *from[PAIR * LANES];
	uint32_t stride[PAIR * LANES];
	struct number sum[PAIR];
	v4 bit[PAIR];
	memcpy(from, l->from, sizeof(from));
	for (int v = 0; v < vectors; v++)
		bit[v] = bits(l->begun[v]);
	for (int i = 0; i < LANES * vectors; i++) // what has not begun reads the same zeros
		stride[i] = l->begun[i / LANES] >> i % LANES & 1 ? l->stride[i / LANES] : 0;
	memcpy(sum, w->sum, sizeof(sum));
	for (; steps; steps--) {
#pragma GCC unroll 2
		for (int v = 0; v < vectors; v++) {
			v4 low, high;
			load(from + LANES * v, &low, &high);
			struct number m = limbs(low, high);
			m.limb[4] = _mm256_or_si256(m.limb[4], bit[v]);
			for (int i = 0; i < LIMBS; i++)
				sum[v].limb[i] = _mm256_add_epi64(sum[v].limb[i], m.limb[i]);
			sum[v] = product(&sum[v], &w->by[v]);
			for (int i = LANES * v; i < LANES * (v + 1); i++)
				from[i] += stride[i];
		}
	}
	memcpy(l->from, from, sizeof(from));
	memcpy(w->sum, sum, sizeof(sum));
}

static void sum_one(struct work *w, uint32_t steps)
{
	sum_over(w, steps, 1);
}

static void sum_pair(struct work *w, uint32_t steps)
{
	sum_over(w, steps, PAIR);
}

// --- tags

// Below 2^130 - 5, and without what limbs have above 26 bits.
INLINE struct number reduced(struct number x)
{
	const v4 m = mask26();
	v4 *d = x.limb;
	for (int pass = 0; pass < 2; pass++) { // the second finds at most a row of ones
		for (int i = 0; i < LIMBS - 1; i++)
			carry(&d[i], &d[i + 1]);
		carry_round(&x);
		carry(&d[0], &d[1]);
	}
	struct number over = x; // x - (2^130 - 5), where that is not below 0
	over.limb[0] = _mm256_add_epi64(over.limb[0], _mm256_set1_epi64x(5));
	for (int i = 0; i < LIMBS - 1; i++)
		carry(&over.limb[i], &over.limb[i + 1]);
	v4 is = _mm256_sub_epi64(_mm256_setzero_si256(), _mm256_srli_epi64(over.limb[4], 26));
	over.limb[4] = _mm256_and_si256(over.limb[4], m);
	for (int i = 0; i < LIMBS; i++)
		d[i] = _mm256_blendv_epi8(d[i], over.limb[i], is);
	return x;
}

static void row_end(struct work *w, unsigned v, const struct row *r, const struct xy_batch_text *t)
{
	const v4 sign = _mm256_set1_epi64x(INT64_MIN);
	const uint8_t *key[LANES];
	v4 low, high, s_low, s_high, *d = w->sum[v].limb;
	row_keys(r, t, 16, key);
	for (int i = 0; i < LIMBS; i++) { // a message's lanes, each of which then has it
		if (r->per > 1)
			d[i] = _mm256_add_epi64(d[i], _mm256_shuffle_epi32(d[i], 0x4e));
		if (r->per > 2)
			d[i] = _mm256_add_epi64(d[i], _mm256_permute4x64_epi64(d[i], 0x4e));
	}
	struct number x = reduced(w->sum[v]);
	low = _mm256_or_si256(x.limb[0], _mm256_or_si256(_mm256_slli_epi64(x.limb[1], 26),
							 _mm256_slli_epi64(x.limb[2], 52)));
	high = _mm256_or_si256(_mm256_srli_epi64(x.limb[2], 12),
			       _mm256_or_si256(_mm256_slli_epi64(x.limb[3], 14),
					       _mm256_slli_epi64(x.limb[4], 40)));
	load(key, &s_low, &s_high); // and + s modulo 2^128
	low = _mm256_add_epi64(low, s_low);
	v4 over = _mm256_cmpgt_epi64(_mm256_xor_si256(s_low, sign), _mm256_xor_si256(low, sign));
	high = _mm256_sub_epi64(_mm256_add_epi64(high, s_high), over);
	v4 even = _mm256_unpacklo_epi64(low, high), odd = _mm256_unpackhi_epi64(low, high);
	const __m128i tag[LANES] = {_mm256_castsi256_si128(even), _mm256_castsi256_si128(odd),
				    _mm256_extracti128_si256(even, 1),
				    _mm256_extracti128_si256(odd, 1)};
	for (unsigned i = 0; i < r->messages; i++)
		_mm_storeu_si128((__m128i *)t[r->message[i]].tag, tag[i * r->per]);
}

// --- a burst

static void sum(struct work *w, uint32_t steps, unsigned vectors)
{
	if (vectors == 1)
		sum_one(w, steps);
	else
		sum_pair(w, steps);
}

static void row_last(struct work *w, unsigned v)
{
	w->by[v] = w->at_end[v];
}

#include "aead/poly_burst.h"

void xy_batch_avx2_tags(const struct xy_batch_text *t, unsigned n)
{
	burst_tags(t, n);
}
