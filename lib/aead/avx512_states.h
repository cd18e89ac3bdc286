// SPDX-License-Identifier: BSD-3-Clause
// ChaCha20 (RFC 8439 section 2.3) with AVX-512: vector i is word i of sixteen blocks' states, so
// that a round is the same for blocks of any packets; they are turned about when they go in and
// come out. Included by the kernel's files alone.
#pragma once

#include <immintrin.h>
#include <stdint.h>

enum { STATES = 16, BLOCK = 64 };

typedef __m512i v16; // sixteen words of 32 bits

#ifndef INLINE
#define INLINE static inline __attribute__((always_inline))
#endif

// Of four rows, in each 128 bits by themselves: row i becomes column i.
INLINE void turn_four(v16 r[4])
{
	v16 t[4];
#pragma GCC unroll 2
	for (int i = 0; i < 2; i++) {
		t[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
		t[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
	}
#pragma GCC unroll 2
	for (int i = 0; i < 2; i++) {
		r[2 * i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
		r[2 * i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
	}
}

// Row i of sixteen words becomes column i: first within 128 bits, then those.
INLINE void turn(v16 r[16])
{
	v16 t[16];
#pragma GCC unroll 4
	for (int i = 0; i < 16; i += 4)
		turn_four(r + i);
#pragma GCC unroll 4
	for (int i = 0; i < 4; i++)
#pragma GCC unroll 2
		for (int k = 0; k < 16; k += 8) {
			t[i + k] = _mm512_shuffle_i32x4(r[i + k], r[i + k + 4], 0x88);
			t[i + k + 4] = _mm512_shuffle_i32x4(r[i + k], r[i + k + 4], 0xdd);
		}
#pragma GCC unroll 4
	for (int i = 0; i < 4; i++) {
		r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
		r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
		r[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
		r[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xdd);
	}
}

// Where column (by 0) or diagonal (by 1) i has its word of that row.
#define AT(row, i) (4 * (row) + ((i) + (row)*by) % 4)

// A quarter of four quarter rounds: to += from; into = (into ^ to) <<< bits.
#define STEP(to, from, into, bits)                                                              \
	do {                                                                                    \
		_Pragma("GCC unroll 4") for (int i = 0; i < 4; i++) x[AT(to, i)] =              \
			_mm512_add_epi32(x[AT(to, i)], x[AT(from, i)]);                         \
		_Pragma("GCC unroll 4") for (int i = 0; i < 4; i++) x[AT(into, i)] =            \
			_mm512_rol_epi32(_mm512_xor_si512(x[AT(into, i)], x[AT(to, i)]), bits); \
	} while (0)

INLINE void half_round(v16 x[16], int by)
{
	STEP(0, 1, 3, 16);
	STEP(2, 3, 1, 12);
	STEP(0, 1, 3, 8);
	STEP(2, 3, 1, 7);
}

INLINE void rounds(v16 x[16])
{
	for (int i = 0; i < 10; i++) {
		half_round(x, 0);
		half_round(x, 1);
	}
}

// Of all lanes, in memory.
struct states {
	v16 word[16];
};

INLINE void constants_set(struct states *s)
{
	static const uint32_t word[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
#pragma GCC unroll 4
	for (int i = 0; i < 4; i++)
		s->word[i] = _mm512_set1_epi32((int)word[i]);
}

// Word by word: mixed, and the states added to it.
INLINE void keystream(const struct states *s, v16 x[16])
{
#pragma GCC unroll 16
	for (int i = 0; i < 16; i++)
		x[i] = s->word[i];
	rounds(x);
	__asm__ volatile("" : : "r"(s) : "memory"); // gcc 12 would make copies of states
#pragma GCC unroll 16
	for (int i = 0; i < 16; i++)
		x[i] = _mm512_add_epi32(x[i], s->word[i]);
}

// Four words of each lane's, where those are.
INLINE void gather(const void *const from[STATES], v16 word[4])
{
#pragma GCC unroll 4
	for (int i = 0; i < 4; i++) {
		v16 x = _mm512_castsi128_si512(_mm_loadu_si128(from[i]));
		x = _mm512_inserti32x4(x, _mm_loadu_si128(from[i + 4]), 1);
		x = _mm512_inserti32x4(x, _mm_loadu_si128(from[i + 8]), 2);
		word[i] = _mm512_inserti32x4(x, _mm_loadu_si128(from[i + 12]), 3);
	}
	turn_four(word);
}
