// SPDX-License-Identifier: BSD-3-Clause
// ChaCha20 (RFC 8439 section 2.3) with AVX2: vector i is word i of eight blocks' states, so that a
// round is the same for blocks of any packets; they are turned about when they go in and come out.
#include "aead/avx2.h"

#include <immintrin.h>
#include <string.h>

enum { LANES = 8, BLOCK = 64 };

typedef __m256i v8; // eight words of 32 bits

#define INLINE static inline __attribute__((always_inline))

// Row i of eight words becomes column i.
INLINE void turn(v8 r[8])
{
	v8 t[8], u[8];
	for (int i = 0; i < 8; i += 2) {
		t[i] = _mm256_unpacklo_epi32(r[i], r[i + 1]);
		t[i + 1] = _mm256_unpackhi_epi32(r[i], r[i + 1]);
	}
	for (int i = 0; i < 8; i += 4)
		for (int k = 0; k < 2; k++) {
			u[i + 2 * k] = _mm256_unpacklo_epi64(t[i + k], t[i + k + 2]);
			u[i + 2 * k + 1] = _mm256_unpackhi_epi64(t[i + k], t[i + k + 2]);
		}
	for (int i = 0; i < 4; i++) {
		r[i] = _mm256_permute2x128_si256(u[i], u[i + 4], 0x20);
		r[i + 4] = _mm256_permute2x128_si256(u[i], u[i + 4], 0x31);
	}
}

INLINE v8 left(v8 x, int bits)
{
	const v8 by16 = _mm256_setr_epi8(2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13, 2, 3,
					 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
	const v8 by8 = _mm256_setr_epi8(3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14, 3, 0,
					1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14);
	if (bits % 8 == 0)
		return _mm256_shuffle_epi8(x, bits == 16 ? by16 : by8);
	return _mm256_or_si256(_mm256_slli_epi32(x, bits), _mm256_srli_epi32(x, 32 - bits));
}

// Where column (by 0) or diagonal (by 1) i has its word of that row.
#define AT(row, i) (4 * (row) + ((i) + (row)*by) % 4)

// Two quarter rounds side by side, a quarter of each: to += from; into = (into ^ to) <<< bits. Two
// and not four, for sixteen registers hold no more beside what waits (gcc: a fifth faster).
INLINE void step(v8 x[16], int by, int first, int to, int from, int into, int bits)
{
#pragma GCC unroll 2
	for (int i = first; i < first + 2; i++)
		x[AT(to, i)] = _mm256_add_epi32(x[AT(to, i)], x[AT(from, i)]);
#pragma GCC unroll 2
	for (int i = first; i < first + 2; i++)
		x[AT(into, i)] = _mm256_xor_si256(x[AT(into, i)], x[AT(to, i)]);
#pragma GCC unroll 2
	for (int i = first; i < first + 2; i++)
		x[AT(into, i)] = left(x[AT(into, i)], bits);
}

INLINE void half_round(v8 x[16], int by)
{
#pragma GCC unroll 2
	for (int first = 0; first < 4; first += 2) {
		step(x, by, first, 0, 1, 3, 16);
		step(x, by, first, 2, 3, 1, 12);
		step(x, by, first, 0, 1, 3, 8);
		step(x, by, first, 2, 3, 1, 7);
	}
}

INLINE void rounds(v8 x[16])
{
	for (int i = 0; i < 10; i++) {
		half_round(x, 0);
		half_round(x, 1);
	}
}

// Of all lanes: keys and the last four words, which differ.
struct states {
	v8 key[8], last[4];
};

// The keystream, word by word.
INLINE void keystream(const struct states *s, v8 x[16])
{
	const v8 constants[4] = {_mm256_set1_epi32(0x61707865), _mm256_set1_epi32(0x3320646e),
				 _mm256_set1_epi32(0x79622d32), _mm256_set1_epi32(0x6b206574)};
	for (int i = 0; i < 4; i++) {
		x[i] = constants[i];
		x[4 + i] = s->key[i];
		x[8 + i] = s->key[4 + i];
		x[12 + i] = s->last[i];
	}
	rounds(x);
	for (int i = 0; i < 4; i++) {
		x[i] = _mm256_add_epi32(x[i], constants[i]);
		x[4 + i] = _mm256_add_epi32(x[4 + i], s->key[i]);
		x[8 + i] = _mm256_add_epi32(x[8 + i], s->key[4 + i]);
		x[12 + i] = _mm256_add_epi32(x[12 + i], s->last[i]);
	}
}

// --- keystream on text

INLINE void on_half(uint8_t *dst, const uint8_t *src, v8 x)
{
	v8 text = _mm256_loadu_si256((const v8 *)src);
	_mm256_storeu_si256((v8 *)dst, _mm256_xor_si256(text, x));
}

// At most 32 bytes.
static void on_part(uint8_t *dst, const uint8_t *src, v8 x, uint32_t len)
{
	uint8_t stream[32] __attribute__((aligned(32)));
	uint32_t at = 0;
	_mm256_store_si256((v8 *)stream, x);
	for (; len - at >= 8; at += 8) {
		uint64_t text, with;
		memcpy(&text, src + at, 8);
		memcpy(&with, stream + at, 8);
		text ^= with;
		memcpy(dst + at, &text, 8);
	}
	for (; at < len; at++)
		dst[at] = src[at] ^ stream[at];
}

// The first or second half of each block.
INLINE void on_blocks(const struct xy_batch_block *b, unsigned n, const v8 row[8], uint32_t from)
{
	for (unsigned i = 0; i < n; i++) {
		if (b[i].len >= from + 32)
			on_half(b[i].dst + from, b[i].src + from, row[i]);
		else if (b[i].len > from)
			on_part(b[i].dst + from, b[i].src + from, row[i], b[i].len - from);
	}
}

// The last row of each state: words of the block's number and nonce, as they follow each other.
INLINE void last_rows(const struct xy_batch_block *const b[LANES], v8 last[4])
{
	v8 row[4], t[4];
	for (int i = 0; i < 4; i++) {
		__m128i low = _mm_loadu_si128((const __m128i *)&b[i]->number);
		__m128i high = _mm_loadu_si128((const __m128i *)&b[i + 4]->number);
		row[i] = _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
	}
	for (int i = 0; i < 4; i += 2) {
		t[i] = _mm256_unpacklo_epi32(row[i], row[i + 1]);
		t[i + 1] = _mm256_unpackhi_epi32(row[i], row[i + 1]);
	}
	for (int i = 0; i < 2; i++) {
		last[2 * i] = _mm256_unpacklo_epi64(t[i], t[i + 2]);
		last[2 * i + 1] = _mm256_unpackhi_epi64(t[i], t[i + 2]);
	}
}

void xy_batch_avx2_blocks(const struct xy_batch_block *b, unsigned n)
{
	struct states s;
	v8 x[16];
	const struct xy_batch_block *from[LANES];
	for (unsigned i = 0; i < LANES; i++) {
		from[i] = &b[i < n ? i : 0];
		s.key[i] = _mm256_loadu_si256((const v8 *)from[i]->key);
	}
	turn(s.key);
	last_rows(from, s.last);
	keystream(&s, x);
	turn(x);
	turn(x + 8);
	on_blocks(b, n, x, 0);
	on_blocks(b, n, x + 8, 32);
}

void xy_batch_avx2_stretch(const struct xy_batch_block *b, unsigned times)
{
	const uint8_t *src = b->src;
	uint8_t *dst = b->dst;
	struct states s;
	v8 x[16];
	for (int i = 0; i < 8; i++) {
		int word;
		memcpy(&word, b->key + 4 * i, 4);
		s.key[i] = _mm256_set1_epi32(word);
	}
	s.last[0] = _mm256_add_epi32(_mm256_set1_epi32((int)b->number),
				     _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
	s.last[1] = _mm256_setzero_si256();
	s.last[2] = _mm256_set1_epi32((int)b->counter);
	s.last[3] = _mm256_set1_epi32((int)(b->counter >> 32));
	for (; times; times--, src += LANES * BLOCK, dst += LANES * BLOCK) {
		keystream(&s, x);
		turn(x);
		turn(x + 8);
		for (int i = 0; i < LANES; i++) {
			on_half(dst + BLOCK * i, src + BLOCK * i, x[i]);
			on_half(dst + BLOCK * i + 32, src + BLOCK * i + 32, x[8 + i]);
		}
		s.last[0] = _mm256_add_epi32(s.last[0], _mm256_set1_epi32(LANES));
	}
}
