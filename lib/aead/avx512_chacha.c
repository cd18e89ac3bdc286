// SPDX-License-Identifier: BSD-3-Clause
// ChaCha20 on blocks that may be of any packets, and on many of one.
#include "aead/avx512.h"
#include "aead/avx512_states.h"

#include <string.h>

INLINE void on_block(uint8_t *dst, const uint8_t *src, v16 x)
{
	_mm512_storeu_si512(dst, _mm512_xor_si512(_mm512_loadu_si512(src), x));
}

INLINE void on_part(uint8_t *dst, const uint8_t *src, v16 x, uint32_t len)
{
	__mmask64 bytes = UINT64_MAX >> (BLOCK - len);
	v16 text = _mm512_maskz_loadu_epi8(bytes, src);
	_mm512_mask_storeu_epi8(dst, bytes, _mm512_xor_si512(text, x));
}

void xy_batch_avx512_blocks(const struct xy_batch_block *b, unsigned n)
{
	struct states s;
	v16 x[16];
	const void *from[3][STATES];
	for (unsigned i = 0; i < STATES; i++) {
		const struct xy_batch_block *block = &b[i < n ? i : 0];
		from[0][i] = block->key;
		from[1][i] = block->key + 16;
		from[2][i] = &block->number;
	}
	constants_set(&s);
	for (int i = 0; i < 3; i++)
		gather(from[i], s.word + 4 * (i + 1));
	keystream(&s, x);
	turn(x);
	for (unsigned i = 0; i < n; i++) {
		if (b[i].len == BLOCK)
			on_block(b[i].dst, b[i].src, x[i]);
		else
			on_part(b[i].dst, b[i].src, x[i], b[i].len);
	}
}

void xy_batch_avx512_stretch(const struct xy_batch_block *b, unsigned times)
{
	const uint8_t *src = b->src;
	uint8_t *dst = b->dst;
	struct states s;
	v16 x[16];
	constants_set(&s);
#pragma GCC unroll 8
	for (int i = 0; i < 8; i++) {
		int word;
		memcpy(&word, b->key + 4 * i, 4);
		s.word[4 + i] = _mm512_set1_epi32(word);
	}
	s.word[12] = _mm512_add_epi32(
		_mm512_set1_epi32((int)b->number),
		_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
	s.word[13] = _mm512_setzero_si512();
	s.word[14] = _mm512_set1_epi32((int)b->counter);
	s.word[15] = _mm512_set1_epi32((int)(b->counter >> 32));
	for (; times; times--, src += STATES * BLOCK, dst += STATES * BLOCK) {
		keystream(&s, x);
		turn(x);
#pragma GCC unroll 16
		for (int i = 0; i < STATES; i++)
			on_block(dst + BLOCK * i, src + BLOCK * i, x[i]);
		s.word[12] = _mm512_add_epi32(s.word[12], _mm512_set1_epi32(STATES));
	}
}
