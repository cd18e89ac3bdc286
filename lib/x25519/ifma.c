// SPDX-License-Identifier: BSD-3-Clause
// Eight X25519 at once, one to a lane, by AVX-512 IFMA: RFC 7748's ladder on five limbs of 51 bits.
// No branch and no address depends on what is in a lane. A limb that goes into a product is below
// 2^52, of which the instructions take no more; "carried" is below 2^51 + 2^15.
#include "x25519/kernel.h"

#include <immintrin.h>
#include <string.h>

enum { LIMBS = 5, BITS = 51, LANES = XY_X25519_LANES };

struct fe {
	__m512i l[LIMBS];
};

#define INLINE	    static inline __attribute__((always_inline))
#define MASK	    _mm512_set1_epi64((INT64_C(1) << BITS) - 1)
#define LO(c, a, b) _mm512_madd52lo_epu64(c, a, b)
#define HI(c, a, b) _mm512_madd52hi_epu64(c, a, b)

// Of limbs below 2^61.
INLINE void carry(struct fe *r)
{
	__m512i c[LIMBS];
	for (int i = 0; i < LIMBS; i++) {
		c[i] = _mm512_srli_epi64(r->l[i], BITS);
		r->l[i] = _mm512_and_si512(r->l[i], MASK);
	}
	for (int i = 1; i < LIMBS; i++)
		r->l[i] = _mm512_add_epi64(r->l[i], c[i - 1]);
	r->l[0] = LO(r->l[0], c[LIMBS - 1], _mm512_set1_epi64(19)); // 2^255 = 19
}

INLINE void add(struct fe *r, const struct fe *a, const struct fe *b)
{
	for (int i = 0; i < LIMBS; i++)
		r->l[i] = _mm512_add_epi64(a->l[i], b->l[i]);
	carry(r);
}

// a + 4p - b: a limb of 2p would be less than one of a carried b may be.
INLINE void sub(struct fe *r, const struct fe *a, const struct fe *b)
{
	const __m512i p0 = _mm512_set1_epi64(4 * ((INT64_C(1) << BITS) - 19));
	const __m512i p = _mm512_set1_epi64(4 * ((INT64_C(1) << BITS) - 1));
	for (int i = 0; i < LIMBS; i++)
		r->l[i] = _mm512_sub_epi64(_mm512_add_epi64(a->l[i], i ? p : p0), b->l[i]);
	carry(r);
}

// From z, where limb i has the weight 2^(51 i) and is below 2^56: what is above 2^255 counts 19
// times.
INLINE void fold(struct fe *r, const __m512i z[static 2 * LIMBS])
{
	for (int i = 0; i < LIMBS; i++) {
		__m512i h = z[i + LIMBS];
		__m512i twice = _mm512_add_epi64(h, h), most = _mm512_slli_epi64(h, 4);
		r->l[i] =
			_mm512_add_epi64(_mm512_add_epi64(z[i], h), _mm512_add_epi64(twice, most));
	}
	carry(r);
}

// The high half of a product of 52 bits stands one bit above the next limb, so it counts twice.
INLINE void mul(struct fe *r, const struct fe *a, const struct fe *b)
{
	__m512i z[2 * LIMBS];
	for (int i = 0; i < 2 * LIMBS; i++)
		z[i] = _mm512_setzero_si512();
	for (int i = 0; i < LIMBS; i++)
		for (int k = 0; k < LIMBS; k++)
			z[i + k + 1] = HI(z[i + k + 1], a->l[i], b->l[k]);
	for (int i = 1; i < 2 * LIMBS; i++)
		z[i] = _mm512_add_epi64(z[i], z[i]);
	for (int i = 0; i < LIMBS; i++)
		for (int k = 0; k < LIMBS; k++)
			z[i + k] = LO(z[i + k], a->l[i], b->l[k]);
	fold(r, z);
}

// Each product of two limbs stands twice in a square, those of a limb with itself once.
INLINE void sqr(struct fe *r, const struct fe *a)
{
	__m512i z[2 * LIMBS], h[2 * LIMBS];
	for (int i = 0; i < 2 * LIMBS; i++)
		z[i] = h[i] = _mm512_setzero_si512();
	for (int i = 0; i < LIMBS; i++)
		for (int k = i + 1; k < LIMBS; k++) {
			h[i + k + 1] = HI(h[i + k + 1], a->l[i], a->l[k]);
			z[i + k] = LO(z[i + k], a->l[i], a->l[k]);
		}
	for (int i = 1; i < 2 * LIMBS; i++) {
		z[i] = _mm512_add_epi64(z[i], h[i]);
		z[i] = _mm512_add_epi64(z[i], h[i]);
		z[i] = _mm512_add_epi64(z[i], z[i]);
	}
	for (int i = 0; i < LIMBS; i++) {
		__m512i own = HI(_mm512_setzero_si512(), a->l[i], a->l[i]);
		z[2 * i] = LO(z[2 * i], a->l[i], a->l[i]);
		z[2 * i + 1] = _mm512_add_epi64(z[2 * i + 1], _mm512_add_epi64(own, own));
	}
	fold(r, z);
}

// r = a + 121665 b
INLINE void add_a24(struct fe *r, const struct fe *a, const struct fe *b)
{
	const __m512i a24 = _mm512_set1_epi64(121665);
	__m512i h[LIMBS];
	for (int i = 0; i < LIMBS; i++) {
		h[i] = HI(_mm512_setzero_si512(), b->l[i], a24);
		r->l[i] = LO(a->l[i], b->l[i], a24);
	}
	for (int i = 1; i < LIMBS; i++)
		r->l[i] = _mm512_add_epi64(r->l[i], _mm512_add_epi64(h[i - 1], h[i - 1]));
	r->l[0] = LO(r->l[0], h[LIMBS - 1], _mm512_set1_epi64(38));
	carry(r);
}

INLINE void swap(__mmask8 m, struct fe *a, struct fe *b)
{
	for (int i = 0; i < LIMBS; i++) {
		__m512i t = a->l[i];
		a->l[i] = _mm512_mask_mov_epi64(t, m, b->l[i]);
		b->l[i] = _mm512_mask_mov_epi64(b->l[i], m, t);
	}
}

struct point { // of the ladder: x2:z2 and x3:z3
	struct fe x2, z2, x3, z3;
};

// RFC 7748, section 5.
INLINE void step(struct point *p, const struct fe *x1)
{
	struct fe a, b, c, d, aa, bb, e, da, cb;
	add(&a, &p->x2, &p->z2);
	sub(&b, &p->x2, &p->z2);
	add(&c, &p->x3, &p->z3);
	sub(&d, &p->x3, &p->z3);
	sqr(&aa, &a);
	sqr(&bb, &b);
	mul(&da, &d, &a);
	mul(&cb, &c, &b);
	sub(&e, &aa, &bb);
	add(&c, &da, &cb);
	sub(&d, &da, &cb);
	mul(&p->x2, &aa, &bb);
	sqr(&p->x3, &c);
	sqr(&d, &d);
	add_a24(&aa, &aa, &e);
	mul(&p->z3, x1, &d);
	mul(&p->z2, &e, &aa);
}

static __attribute__((noinline)) void ladder(struct point *p, const struct fe *x1,
					     const __m512i scalar[static 4])
{
	__mmask8 swapped = 0;
	for (int t = 254; t >= 0; t--) {
		__m512i bit = _mm512_set1_epi64((int64_t)(UINT64_C(1) << (t & 63)));
		__mmask8 set = _mm512_test_epi64_mask(scalar[t >> 6], bit);
		swap(set ^ swapped, &p->x2, &p->x3);
		swap(set ^ swapped, &p->z2, &p->z3);
		swapped = set;
		step(p, x1);
	}
	swap(swapped, &p->x2, &p->x3);
	swap(swapped, &p->z2, &p->z3);
}

static __attribute__((noinline)) void sqr_times(struct fe *r, const struct fe *a, int n)
{
	struct fe t = *a;
	for (int i = 0; i < n; i++)
		sqr(&t, &t);
	*r = t;
}

static __attribute__((noinline)) void mul_call(struct fe *r, const struct fe *a, const struct fe *b)
{
	struct fe t;
	mul(&t, a, b);
	*r = t;
}

// a^(p - 2), by a^(2^n - 1) for n = 5, 10, 20, 40, 50, 100, 200, 250.
static __attribute__((noinline)) void invert(struct fe *r, const struct fe *a)
{
	struct fe a2, a9, a11, n5, n10, n20, n50, n100, t;
	sqr_times(&a2, a, 1);
	sqr_times(&t, &a2, 2);
	mul_call(&a9, &t, a);
	mul_call(&a11, &a9, &a2);
	sqr_times(&t, &a11, 1);
	mul_call(&n5, &t, &a9);
	sqr_times(&t, &n5, 5);
	mul_call(&n10, &t, &n5);
	sqr_times(&t, &n10, 10);
	mul_call(&n20, &t, &n10);
	sqr_times(&t, &n20, 20);
	mul_call(&t, &t, &n20);
	sqr_times(&t, &t, 10);
	mul_call(&n50, &t, &n10);
	sqr_times(&t, &n50, 50);
	mul_call(&n100, &t, &n50);
	sqr_times(&t, &n100, 100);
	mul_call(&t, &t, &n100);
	sqr_times(&t, &t, 50);
	mul_call(&t, &t, &n50);
	sqr_times(&t, &t, 5);
	mul_call(r, &t, &a11);
}

// --- from and to bytes

struct words { // of each lane
	uint64_t w[LIMBS][LANES] __attribute__((aligned(64)));
};

static void words_set(struct words *out, unsigned lane, const uint8_t b[static 32])
{
	uint64_t q[4];
	memcpy(q, b, sizeof(q)); // little-endian, as this machine is
	const uint64_t mask = (UINT64_C(1) << BITS) - 1;
	out->w[0][lane] = q[0] & mask;
	out->w[1][lane] = (q[0] >> 51 | q[1] << 13) & mask;
	out->w[2][lane] = (q[1] >> 38 | q[2] << 26) & mask;
	out->w[3][lane] = (q[2] >> 25 | q[3] << 39) & mask;
	out->w[4][lane] = q[3] >> 12 & mask; // the topmost bit counts for nothing
}

// The one value below p. Limbs are carried.
static void words_get(const struct words *in, unsigned lane, uint8_t b[static 32])
{
	const uint64_t mask = (UINT64_C(1) << BITS) - 1;
	uint64_t l[LIMBS], c = 0;
	for (int i = 0; i < LIMBS; i++)
		l[i] = in->w[i][lane];
	for (int round = 0; round < 2;
	     round++) { // below 2^255 after the first, but for a carry of 1
		for (int i = 0; i < LIMBS; i++) {
			l[i] += c;
			c = l[i] >> BITS;
			l[i] &= mask;
		}
		c *= 19;
	}
	l[0] += c;
	c = 19; // would adding 19 reach 2^255, it is p or more
	for (int i = 0; i < LIMBS; i++)
		c = (l[i] + c) >> BITS;
	c *= 19;
	for (int i = 0; i < LIMBS; i++) {
		l[i] += c;
		c = l[i] >> BITS;
		l[i] &= mask;
	}
	const uint64_t q[4] = {l[0] | l[1] << 51, l[1] >> 13 | l[2] << 38, l[2] >> 26 | l[3] << 25,
			       l[3] >> 39 | l[4] << 12};
	memcpy(b, q, sizeof(q));
}

static void scalar_set(struct words *out, unsigned lane, const uint8_t sk[static 32])
{
	uint64_t q[4];
	memcpy(q, sk, sizeof(q));
	q[0] &= ~UINT64_C(7);
	q[3] = (q[3] & INT64_MAX) | UINT64_C(1) << 62;
	for (int i = 0; i < 4; i++)
		out->w[i][lane] = q[i];
}

static void fe_load(struct fe *out, const struct words *in)
{
	for (int i = 0; i < LIMBS; i++)
		out->l[i] = _mm512_load_si512(in->w[i]);
}

static void eight(const struct xy_x25519_op *op, unsigned n)
{
	struct words scalars = {0}, points = {0}, results;
	struct fe x1, inverse;
	__m512i scalar[4];
	for (unsigned i = 0; i < n; i++) {
		scalar_set(&scalars, i, op[i].sk);
		words_set(&points, i, op[i].pk);
	}
	for (int i = 0; i < 4; i++)
		scalar[i] = _mm512_load_si512(scalars.w[i]);
	fe_load(&x1, &points);
	struct point p = {.x3 = x1};
	for (int i = 0; i < LIMBS; i++) {
		p.x2.l[i] = p.z2.l[i] = p.z3.l[i] = _mm512_setzero_si512();
	}
	p.x2.l[0] = p.z3.l[0] = _mm512_set1_epi64(1);
	ladder(&p, &x1, scalar);
	invert(&inverse, &p.z2);
	mul_call(&p.x2, &p.x2, &inverse);
	for (int i = 0; i < LIMBS; i++)
		_mm512_store_si512(results.w[i], p.x2.l[i]);
	for (unsigned i = 0; i < n; i++)
		words_get(&results, i, op[i].out);
}

static bool can(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
	       __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512ifma");
}

const struct xy_x25519_kernel xy_x25519_ifma = {.name = "avx512-ifma", .can = can, .run = eight};
