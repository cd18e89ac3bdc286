// SPDX-License-Identifier: BSD-3-Clause
// Arithmetic of Poly1305 (RFC 8439 section 2.5) with AVX-512 and its products of 52 bits (IFMA): a
// number below 2^130 is limbs of 44, 44 and 42 bits, and a vector has a limb of eight numbers.
// Included by the kernel's files alone.
#pragma once

#include <immintrin.h>
#include <stdint.h>

enum { NUMBERS = 8, LIMBS = 3 };

typedef __m512i v8; // eight words of 64 bits

#ifndef INLINE
#define INLINE static inline __attribute__((always_inline))
#endif

struct number {
	v8 limb[LIMBS];
};

struct factor { // a number, and twenty times its limbs 1 and 2: 2^132 is 20
	struct number r;
	v8 s[LIMBS];
};

INLINE v8 mask44(void)
{
	return _mm512_set1_epi64((INT64_C(1) << 44) - 1);
}

INLINE v8 mask42(void)
{
	return _mm512_set1_epi64((INT64_C(1) << 42) - 1);
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

INLINE void add(struct number *x, const struct number *y)
{
	for (int i = 0; i < LIMBS; i++)
		x->limb[i] = _mm512_add_epi64(x->limb[i], y->limb[i]);
}

// A block of each of those lanes, with its 2^128; the others are 0.
INLINE struct number block_of(v8 low, v8 high, __mmask8 lanes)
{
	struct number m = limbs(low, high, lanes);
	m.limb[2] = _mm512_maskz_shrdi_epi64(lanes, high, _mm512_set1_epi64(1), 24);
	return m;
}

// r, of a key's first half.
INLINE struct number clamped(v8 low, v8 high)
{
	low = _mm512_and_si512(low, _mm512_set1_epi64(0x0ffffffc0fffffff));
	high = _mm512_and_si512(high, _mm512_set1_epi64(0x0ffffffc0ffffffc));
	return limbs(low, high, 0xff);
}

// Of the sum, and + s modulo 2^128. `tag` begins at a line.
INLINE void tags_of(struct number sum, v8 s_low, v8 s_high, uint8_t tag[NUMBERS][16])
{
	struct number x = reduced(sum);
	v8 low = _mm512_or_si512(x.limb[0], _mm512_slli_epi64(x.limb[1], 44));
	v8 high =
		_mm512_or_si512(_mm512_srli_epi64(x.limb[1], 20), _mm512_slli_epi64(x.limb[2], 24));
	low = _mm512_add_epi64(low, s_low);
	high = _mm512_add_epi64(high, s_high);
	__mmask8 over = _mm512_cmplt_epu64_mask(low, s_low);
	high = _mm512_mask_add_epi64(high, over, high, _mm512_set1_epi64(1));
	const v8 to_low = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
	const v8 to_high = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
	_mm512_store_si512(tag[0], _mm512_permutex2var_epi64(low, to_low, high));
	_mm512_store_si512(tag[NUMBERS / 2], _mm512_permutex2var_epi64(low, to_high, high));
}
