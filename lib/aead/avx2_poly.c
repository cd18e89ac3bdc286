// SPDX-License-Identifier: BSD-3-Clause
// Poly1305 (RFC 8439 section 2.5) with AVX2: a number below 2^130 is five limbs of 26 bits, and a
// vector has a limb of four numbers. Its lanes are four messages, or one message's every fourth
// block, by r^4 (Goll and Gueron, "Vectorization of Poly1305 message authentication code", 2015).
// Two such vectors go side by side, for while one waits for its products the other may have its
// own.
//
// All end together: a lane with fewer blocks begins later, and is zero until then.
#include "aead/avx2.h"

#include <immintrin.h>
#include <stdbool.h>
#include <string.h>

enum {
	LANES = 4,
	PAIR = 2, // vectors side by side
	BLOCK = 16,
	LIMBS = 5,
	MESSAGES = 64, // XY_BATCH_MAX
	// What it costs, in steps of a vector, to make the powers of r and to begin and end.
	SPLIT_COST = 4,
	SPLIT_LEAST = 16, // blocks
};

typedef __m256i v4; // four words of 64 bits

#define INLINE static inline __attribute__((always_inline))

struct number {
	v4 limb[LIMBS];
};

struct factor { // a number, and five times it
	struct number r, s;
};

// What one vector works on.
struct row {
	unsigned steps, messages; // messages: one where it is split
	bool split;
	uint8_t message[LANES];
};

struct lane {
	const uint8_t *next; // block
	uint32_t stride;     // from it to the one after
	uint32_t first;	     // the step that is its first
	const uint8_t *last[2];
};

struct work {
	struct factor by[PAIR], at_end[PAIR];
	struct number sum[PAIR];
	uint64_t bit[PAIR * LANES] __attribute__((aligned(32))); // 2^128 of a block, in limb 4
	const uint8_t *from[PAIR * LANES];
	uint32_t stride[PAIR * LANES];
	struct lane lane[PAIR * LANES];
	uint8_t tail[PAIR * LANES][BLOCK], length[PAIR * LANES][BLOCK];
};

static const uint8_t zeros[BLOCK];

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

// r^4 until the end, and there each lane's own power, so that the sum of lanes is the message's.
INLINE void powers(const struct number *r, struct factor *by, struct factor *at_end)
{
	struct factor f = factor_of(r);
	struct number r2 = product(r, &f), r3 = product(&r2, &f), end;
	struct factor f2 = factor_of(&r2);
	struct number r4 = product(&r2, &f2);
	for (int i = 0; i < LIMBS; i++) {
		v4 high = _mm256_blend_epi32(r2.limb[i], r->limb[i], 0xc0); // lanes 2 and 3
		v4 low = _mm256_blend_epi32(r4.limb[i], r3.limb[i], 0x0c);  // lanes 0 and 1
		end.limb[i] = _mm256_blend_epi32(low, high, 0xf0);
	}
	*by = factor_of(&r4);
	*at_end = factor_of(&end);
}

// --- the sum

// Inlined for a number of vectors that the compiler knows.
INLINE void sum_over(struct work *w, uint32_t steps, const int vectors)
{
	const uint8_t *from[PAIR * LANES];
	struct number sum[PAIR];
	memcpy(from, w->from, sizeof(from));
	memcpy(sum, w->sum, sizeof(sum));
	for (; steps; steps--) {
#pragma GCC unroll 2
		for (int v = 0; v < vectors; v++) {
			v4 low, high;
			load(from + LANES * v, &low, &high);
			struct number m = limbs(low, high);
			m.limb[4] = _mm256_or_si256(
				m.limb[4], _mm256_load_si256((const v4 *)(w->bit + LANES * v)));
			for (int i = 0; i < LIMBS; i++)
				sum[v].limb[i] = _mm256_add_epi64(sum[v].limb[i], m.limb[i]);
			sum[v] = product(&sum[v], &w->by[v]);
			for (int i = LANES * v; i < LANES * (v + 1); i++)
				from[i] += w->stride[i];
		}
	}
	memcpy(w->from, from, sizeof(from));
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

// --- lanes

static uint32_t blocks_of(const struct xy_batch_text *t) // and the one of its length
{
	return t->len / BLOCK + (t->len % BLOCK != 0) + 1;
}

// The last block but one of a message, filled with zeros; then its length.
static void ends_make(const struct xy_batch_text *t, uint8_t tail[BLOCK], uint8_t length[BLOCK])
{
	uint32_t rest = t->len % BLOCK;
	uint64_t len = t->len;
	if (rest)
		for (uint32_t i = 0; i < BLOCK; i++)
			tail[i] = i < rest ? t->data[t->len - rest + i] : 0;
	memset(length, 0, 8);
	memcpy(length + 8, &len, 8);
}

// Where block i of all `count` is.
static const uint8_t *block_at(const struct xy_batch_text *t, uint32_t i, uint32_t count,
			       const uint8_t *tail, const uint8_t *length)
{
	if (i + 1 == count)
		return length;
	return i + 2 == count && t->len % BLOCK ? tail : t->data + (size_t)BLOCK * i;
}

static void lane_whole(struct work *w, unsigned at, const struct xy_batch_text *t, uint32_t steps)
{
	uint32_t count = blocks_of(t);
	ends_make(t, w->tail[at], w->length[at]);
	w->lane[at] = (struct lane){
		.next = t->data,
		.stride = BLOCK,
		.first = steps - count,
		.last = {count > 1 ? block_at(t, count - 2, count, w->tail[at], w->length[at])
				   : zeros,
			 w->length[at]}};
}

// Every fourth block, so that the last lane has the length: the first ones may begin a step later.
static void lanes_split(struct work *w, unsigned at, const struct xy_batch_text *t, uint32_t steps)
{
	uint32_t count = blocks_of(t), own = (count + LANES - 1) / LANES;
	uint32_t lack = own * LANES - count;
	ends_make(t, w->tail[at], w->length[at]);
	for (uint32_t i = 0; i < LANES; i++) {
		uint32_t first = i < lack ? i + LANES - lack : i - lack, end = count - LANES + i;
		w->lane[at + i] = (struct lane){
			.next = t->data + (size_t)BLOCK * first,
			.stride = BLOCK * LANES,
			.first = steps - own + (i < lack),
			.last = {block_at(t, end - LANES, count, w->tail[at], w->length[at]),
				 block_at(t, end, count, w->tail[at], w->length[at])}};
	}
}

static void row_begin(struct work *w, unsigned v, const struct row *r,
		      const struct xy_batch_text *t, uint32_t steps)
{
	const uint8_t *key[LANES];
	for (unsigned i = 0; i < LANES; i++)
		key[i] = t[r->message[r->split || i >= r->messages ? 0 : i]].key;
	struct number k = key_of(key);
	if (r->split)
		powers(&k, &w->by[v], &w->at_end[v]);
	else
		w->by[v] = factor_of(&k);
	memset(&w->sum[v], 0, sizeof(w->sum[v]));
	if (r->split) {
		lanes_split(w, LANES * v, &t[r->message[0]], steps);
		return;
	}
	for (unsigned i = 0; i < LANES; i++) {
		if (i < r->messages)
			lane_whole(w, LANES * v + i, &t[r->message[i]], steps);
		else
			w->lane[LANES * v + i] =
				(struct lane){.first = steps, .last = {zeros, zeros}};
	}
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
	for (unsigned i = 0; i < LANES; i++)
		key[i] = t[r->message[r->split || i >= r->messages ? 0 : i]].key + 16;
	for (int i = 0; r->split && i < LIMBS; i++) {
		d[i] = _mm256_add_epi64(d[i], _mm256_permute4x64_epi64(d[i], 0x4e));
		d[i] = _mm256_add_epi64(d[i], _mm256_shuffle_epi32(d[i], 0x4e));
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
		_mm_storeu_si128((__m128i *)t[r->message[i]].tag, tag[i]);
}

// --- a pair of vectors

static void sum(struct work *w, uint32_t steps, unsigned vectors)
{
	if (vectors == 1)
		sum_one(w, steps);
	else
		sum_pair(w, steps);
}

// Lanes whose first step this is begin; returns the next step at which one does, or `end`.
static uint32_t begin(struct work *w, uint32_t step, uint32_t end, unsigned lanes)
{
	uint32_t next = end;
	for (unsigned i = 0; i < lanes; i++) {
		const struct lane *l = &w->lane[i];
		if (l->first == step) {
			w->from[i] = l->next;
			w->stride[i] = l->stride;
			w->bit[i] = 1 << 24;
		} else if (l->first > step && l->first < next) {
			next = l->first;
		}
	}
	return next;
}

static void pair_sum(struct work *w, const struct row *r, unsigned vectors,
		     const struct xy_batch_text *t)
{
	const unsigned lanes = LANES * vectors;
	uint32_t steps = r[0].steps;
	if (vectors > 1 && r[1].steps > steps)
		steps = r[1].steps;
	for (unsigned v = 0; v < vectors; v++)
		row_begin(w, v, &r[v], t, steps);
	for (unsigned i = 0; i < lanes; i++) {
		w->from[i] = zeros;
		w->stride[i] = 0;
		w->bit[i] = 0;
	}
	uint32_t body = steps > 2 ? steps - 2 : 0;
	for (uint32_t step = 0, next; step < body; step = next) {
		next = begin(w, step, body, lanes);
		sum(w, next - step, vectors);
	}
	for (uint32_t step = body; step < steps; step++) {
		begin(w, step, steps, lanes);
		for (unsigned i = 0; i < lanes; i++)
			w->from[i] = w->lane[i].last[step + 2 - steps];
		for (unsigned v = 0; v < vectors && step + 1 == steps; v++)
			if (r[v].split)
				w->by[v] = w->at_end[v];
		sum(w, 1, vectors);
	}
	for (unsigned v = 0; v < vectors; v++)
		row_end(w, v, &r[v], t);
}

// --- a burst

// Of at most MESSAGES, the longest first, so that what is in a vector is about as long.
static void sort(const struct xy_batch_text *t, unsigned n, uint8_t order[MESSAGES])
{
	for (unsigned i = 0; i < n; i++) {
		unsigned at = i;
		for (; at && t[order[at - 1]].len < t[i].len; at--)
			order[at] = order[at - 1];
		order[at] = (uint8_t)i;
	}
}

// The next row of those: four messages, or one that is so much longer that it is better split.
static struct row row_of(const struct xy_batch_text *t, const uint8_t *order, unsigned n)
{
	struct row r = {.steps = blocks_of(&t[order[0]]), .messages = n < LANES ? n : LANES};
	uint32_t split = 0;
	for (unsigned i = 0; i < r.messages; i++)
		split += (blocks_of(&t[order[i]]) + LANES - 1) / LANES + SPLIT_COST;
	if (r.steps >= SPLIT_LEAST && r.steps > split) {
		r.split = true;
		r.messages = 1;
		r.steps = (r.steps + LANES - 1) / LANES;
	}
	memcpy(r.message, order, r.messages);
	return r;
}

void xy_batch_avx2_tags(const struct xy_batch_text *t, unsigned n)
{
	struct work w;
	uint8_t order[MESSAGES];
	sort(t, n, order);
	for (unsigned at = 0; at < n;) {
		struct row r[PAIR] = {{0}};
		unsigned vectors = 0;
		for (; vectors < PAIR && at < n; vectors++) {
			r[vectors] = row_of(t, order + at, n - at);
			at += r[vectors].messages;
		}
		pair_sum(&w, r, vectors, t);
	}
}
