// SPDX-License-Identifier: BSD-3-Clause
// Packets of as many blocks each from beginning to end: keystream, text and tag of a block while it
// is in registers, so that nothing is read twice and no key of a tag is ever written. A vector has
// a block of sixteen packets, or two blocks of eight.
#include "aead/avx512.h"
#include "aead/avx512_number.h"
#include "aead/avx512_states.h"
#include "aead/batch.h"

#include <stddef.h>

enum { TOGETHER = 4 }; // of Poly1305's blocks, as many as ChaCha20's has

_Static_assert(offsetof(struct xy_batch_op, counter) == offsetof(struct xy_batch_op, key) + 8,
	       "a counter lies where the nonce has it in 16 bytes from the key's address on");

struct group {
	const struct xy_batch_op *op[STATES]; // those above `n` are the first one
	unsigned n;
	bool open, whole; // whole: all of the last blocks are
	uint32_t last;	  // block of ChaCha20; block 0 is the tag's
	struct states s;
	struct sums {
		struct factor by[TOGETHER]; // r, and its next powers if there are whole blocks
		struct number sum;
		v8 s_low, s_high, len;
	} half[2]; // of eight packets
};

// Row i of eight words becomes column i.
INLINE void turn_eight(v8 r[8])
{
	v8 t[8], u[8];
#pragma GCC unroll 4
	for (int i = 0; i < 8; i += 2) {
		t[i] = _mm512_unpacklo_epi64(r[i], r[i + 1]);
		t[i + 1] = _mm512_unpackhi_epi64(r[i], r[i + 1]);
	}
#pragma GCC unroll 2
	for (int i = 0; i < 8; i += 4)
#pragma GCC unroll 2
		for (int k = 0; k < 2; k++) {
			u[i + k] = _mm512_shuffle_i64x2(t[i + k], t[i + k + 2], 0x88);
			u[i + k + 2] = _mm512_shuffle_i64x2(t[i + k], t[i + k + 2], 0xdd);
		}
#pragma GCC unroll 4
	for (int i = 0; i < 4; i++) {
		r[i] = _mm512_shuffle_i64x2(u[i], u[i + 4], 0x88);
		r[i + 4] = _mm512_shuffle_i64x2(u[i], u[i + 4], 0xdd);
	}
}

// --- keys

// Words of 64 bits, of eight packets.
INLINE v8 pair_of(v16 low, v16 high, int half)
{
	__m256i l = half ? _mm512_extracti64x4_epi64(low, 1) : _mm512_castsi512_si256(low);
	__m256i h = half ? _mm512_extracti64x4_epi64(high, 1) : _mm512_castsi512_si256(high);
	return _mm512_or_si512(_mm512_cvtepu32_epi64(l),
			       _mm512_slli_epi64(_mm512_cvtepu32_epi64(h), 32));
}

// Of the states of block 0.
INLINE void sums_begin(struct sums *p, const v16 x[16], int half, bool whole)
{
	struct number r = clamped(pair_of(x[0], x[1], half), pair_of(x[2], x[3], half));
	p->s_low = pair_of(x[4], x[5], half);
	p->s_high = pair_of(x[6], x[7], half);
	p->by[0] = factor_of(&r);
	for (int k = 1; k < TOGETHER && whole; k++) {
		r = product(&p->by[(k - 1) / 2].r, &p->by[k / 2]);
		p->by[k] = factor_of(&r);
	}
	for (int i = 0; i < LIMBS; i++)
		p->sum.limb[i] = _mm512_setzero_si512();
}

INLINE void states_begin(struct group *g, int width)
{
	const void *from[3][STATES];
	v16 last[4];
	for (int i = 0; i < STATES; i++) {
		const struct xy_batch_op *op = g->op[i % width];
		from[0][i] = op->key;
		from[1][i] = op->key + 16;
		from[2][i] = &op->key;
	}
	constants_set(&g->s);
	gather(from[0], g->s.word + 4);
	gather(from[1], g->s.word + 8);
	gather(from[2], last);
	g->s.word[12] = width == STATES
				? _mm512_setzero_si512()
				: _mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
	g->s.word[13] = _mm512_setzero_si512();
	g->s.word[14] = last[2];
	g->s.word[15] = last[3];
}

// --- text

// Eight whole blocks, of which the sealed text is left in `row`.
INLINE void on_eight(const struct group *g, unsigned first, size_t at, v8 row[8])
{
	const bool open = g->open;
#pragma GCC unroll 8
	for (unsigned i = 0; i < 8; i++) {
		const struct xy_batch_op *op = g->op[first + i];
		v8 text = _mm512_loadu_si512(op->src + at);
		v8 to = _mm512_xor_si512(text, row[i]);
		if (first + i < g->n)
			_mm512_storeu_si512(op->dst + at, to);
		row[i] = open ? text : to;
	}
}

// The last ones; what is behind a text's end is 0.
INLINE void on_eight_ends(const struct group *g, unsigned first, size_t at, v8 row[8])
{
	const bool open = g->open;
#pragma GCC unroll 8
	for (unsigned i = 0; i < 8; i++) {
		const struct xy_batch_op *op = g->op[first + i];
		__mmask64 bytes = UINT64_MAX >> (BLOCK - (op->len - at));
		v8 text = _mm512_maskz_loadu_epi8(bytes, op->src + at);
		v8 to = _mm512_maskz_mov_epi8(bytes, _mm512_xor_si512(text, row[i]));
		if (first + i < g->n)
			_mm512_mask_storeu_epi8(op->dst + at, bytes, to);
		row[i] = open ? text : to;
	}
}

// --- sums

// Four blocks each.
INLINE void sum_four(struct sums *p, const v8 word[8])
{
	struct wide x = nothing();
#pragma GCC unroll 4
	for (int k = TOGETHER - 1; k >= 0; k--) {
		struct number m = block_of(word[2 * k], word[2 * k + 1], 0xff);
		if (k == 0)
			add(&m, &p->sum);
		multiply(&x, &m, &p->by[TOGETHER - 1 - k]);
	}
	p->sum = carried(&x);
}

INLINE void sum_one(struct sums *p, v8 low, v8 high)
{
	struct number m = block_of(low, high, 0xff);
	add(&m, &p->sum);
	p->sum = product(&m, &p->by[0]);
}

// Those that a message has; `all`: each has four.
INLINE void sum_ends(struct sums *p, const v8 word[8], size_t at, bool all)
{
#pragma GCC unroll 4
	for (int k = 0; k < 4; k++) {
		v8 begins = _mm512_set1_epi64((long long)(at + 16 * (size_t)k));
		__mmask8 has = all ? 0xff : _mm512_cmplt_epu64_mask(begins, p->len);
		struct number before = p->sum;
		if (!has)
			return;
		sum_one(p, word[2 * k], word[2 * k + 1]);
		for (int i = 0; i < LIMBS && !all; i++)
			p->sum.limb[i] = _mm512_mask_mov_epi64(before.limb[i], has, p->sum.limb[i]);
	}
}

// Block `number` of eight packets, whose keystream `row` is.
INLINE void eight_blocks(struct group *g, struct sums *p, unsigned first, uint32_t number,
			 v8 row[8])
{
	const size_t at = (size_t)BLOCK * (number - 1);
	if (number < g->last) {
		on_eight(g, first, at, row);
		turn_eight(row);
		sum_four(p, row);
	} else if (g->whole) {
		on_eight(g, first, at, row);
		turn_eight(row);
		sum_ends(p, row, at, true);
	} else {
		on_eight_ends(g, first, at, row);
		turn_eight(row);
		sum_ends(p, row, at, false);
	}
}

// Inlined for each width: so many packets to a vector.
INLINE void run(struct group *g, uint8_t *const tag[], const int width)
{
	const int halves = width / 8, per = STATES / width;
	uint64_t len[STATES];
	v16 x[16];
	g->whole = true;
	for (int i = 0; i < width; i++) {
		len[i] = g->op[i]->len;
		g->whole &= len[i] % BLOCK == 0;
	}
	states_begin(g, width);
	for (uint32_t number = 0; number <= g->last; number += (uint32_t)per) {
		keystream(&g->s, x);
		if (number == 0)
			for (int h = 0; h < halves; h++) {
				sums_begin(&g->half[h], x, h, g->last > 1);
				g->half[h].len = _mm512_loadu_si512(len + 8 * h);
			}
		if (number || per > 1)
			turn(x);
		if (number)
			eight_blocks(g, &g->half[0], 0, number, x);
		if (per == 1 && number)
			eight_blocks(g, &g->half[1], 8, number, x + 8);
		if (per == 2 && number < g->last)
			eight_blocks(g, &g->half[0], 0, number + 1, x + 8);
		g->s.word[12] = _mm512_add_epi32(g->s.word[12], _mm512_set1_epi32(per));
	}
	uint8_t made[STATES][16] __attribute__((aligned(64)));
	for (int h = 0; h < halves; h++) {
		struct sums *p = &g->half[h];
		sum_one(p, _mm512_setzero_si512(), p->len);
		tags_of(p->sum, p->s_low, p->s_high, made + 8 * h);
	}
	for (unsigned i = 0; i < g->n; i++)
		_mm_storeu_si128((__m128i *)tag[i], _mm_load_si128((const __m128i *)made[i]));
}

static __attribute__((noinline)) void run_eight(struct group *g, uint8_t *const tag[])
{
	run(g, tag, 8);
}

static __attribute__((noinline)) void run_sixteen(struct group *g, uint8_t *const tag[])
{
	run(g, tag, 16);
}

void xy_batch_avx512_packets(const struct xy_batch_op *op, const uint8_t *which, unsigned n,
			     uint8_t (*tags)[16])
{
	struct group g;
	uint8_t *tag[STATES];
	g.n = n;
	g.open = tags != NULL;
	for (unsigned i = 0; i < STATES; i++) {
		const unsigned w = which[i < n ? i : 0];
		g.op[i] = &op[w];
		tag[i] = tags ? tags[w] : op[w].tag;
	}
	g.last = (g.op[0]->len + BLOCK - 1) / BLOCK;
	if (n > 8)
		run_sixteen(&g, tag);
	else
		run_eight(&g, tag);
}
