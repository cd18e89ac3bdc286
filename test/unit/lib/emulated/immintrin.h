// SPDX-License-Identifier: BSD-3-Clause
// What the kernel for AVX-512 uses of it, in plain C: so that tools which do not know those
// instructions see what the kernel does with secrets, and machines without them run it. Named and
// defined as in Intel's guide; no branch and no index but on what is no vector.
#pragma once

#include <stdint.h>
#include <string.h>

typedef long long __m512i __attribute__((vector_size(64), may_alias));
typedef long long __m256i __attribute__((vector_size(32), may_alias));
typedef long long __m128i __attribute__((vector_size(16), may_alias));
typedef uint8_t __mmask8;
typedef uint64_t __mmask64;

typedef uint64_t emulated_q __attribute__((vector_size(64)));
typedef uint32_t emulated_d __attribute__((vector_size(64)));

#define EMULATED static inline __attribute__((always_inline, unused))

// All ones or all zeros.
EMULATED uint64_t emulated_bit(uint64_t mask, int i)
{
	return 0 - (mask >> i & 1);
}

// --- in memory

EMULATED __m512i _mm512_loadu_si512(const void *p)
{
	__m512i x;
	memcpy(&x, p, sizeof(x));
	return x;
}

EMULATED __m512i _mm512_load_si512(const void *p)
{
	return _mm512_loadu_si512(p);
}

EMULATED void _mm512_storeu_si512(void *p, __m512i x)
{
	memcpy(p, &x, sizeof(x));
}

EMULATED void _mm512_store_si512(void *p, __m512i x)
{
	memcpy(p, &x, sizeof(x));
}

EMULATED __m128i _mm_loadu_si128(const __m128i *p)
{
	__m128i x;
	memcpy(&x, p, sizeof(x));
	return x;
}

EMULATED __m128i _mm_load_si128(const __m128i *p)
{
	return _mm_loadu_si128(p);
}

EMULATED void _mm_storeu_si128(__m128i *p, __m128i x)
{
	memcpy(p, &x, sizeof(x));
}

EMULATED __m512i _mm512_maskz_loadu_epi8(__mmask64 mask, const void *p)
{
	uint8_t b[64] = {0};
	for (int i = 0; i < 64; i++)
		if (mask >> i & 1)
			b[i] = ((const uint8_t *)p)[i];
	return _mm512_loadu_si512(b);
}

EMULATED void _mm512_mask_storeu_epi8(void *p, __mmask64 mask, __m512i x)
{
	uint8_t b[64];
	memcpy(b, &x, sizeof(b));
	for (int i = 0; i < 64; i++)
		if (mask >> i & 1)
			((uint8_t *)p)[i] = b[i];
}

EMULATED __m512i _mm512_setzero_si512(void)
{
	return (__m512i){0};
}

EMULATED __m512i _mm512_set1_epi64(long long x)
{
	return (__m512i){x, x, x, x, x, x, x, x};
}

EMULATED __m512i _mm512_setr_epi64(long long a, long long b, long long c, long long d, long long e,
				   long long f, long long g, long long h)
{
	return (__m512i){a, b, c, d, e, f, g, h};
}

EMULATED __m512i _mm512_set1_epi32(int x)
{
	return _mm512_set1_epi64((long long)((uint64_t)(uint32_t)x << 32 | (uint32_t)x));
}

EMULATED __m512i _mm512_setr_epi32(int a, int b, int c, int d, int e, int f, int g, int h, int i,
				   int j, int k, int l, int m, int n, int o, int p)
{
	const int x[16] = {a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p};
	return _mm512_loadu_si512(x);
}

EMULATED __m512i _mm512_castsi128_si512(__m128i x)
{
	return (__m512i){x[0], x[1]};
}

// --- lane by lane

EMULATED __m512i _mm512_add_epi32(__m512i a, __m512i b)
{
	return (__m512i)((emulated_d)a + (emulated_d)b);
}

EMULATED __m512i _mm512_add_epi64(__m512i a, __m512i b)
{
	return (__m512i)((emulated_q)a + (emulated_q)b);
}

EMULATED __m512i _mm512_and_si512(__m512i a, __m512i b)
{
	return a & b;
}

EMULATED __m512i _mm512_or_si512(__m512i a, __m512i b)
{
	return a | b;
}

EMULATED __m512i _mm512_xor_si512(__m512i a, __m512i b)
{
	return a ^ b;
}

EMULATED __m512i _mm512_slli_epi64(__m512i x, unsigned bits)
{
	return (__m512i)((emulated_q)x << bits);
}

EMULATED __m512i _mm512_srli_epi64(__m512i x, unsigned bits)
{
	return (__m512i)((emulated_q)x >> bits);
}

EMULATED __m512i _mm512_shrdi_epi64(__m512i low, __m512i high, int bits)
{
	return (__m512i)((emulated_q)low >> bits | (emulated_q)high << (64 - bits));
}

EMULATED __m512i _mm512_rol_epi32(__m512i x, int bits)
{
	return (__m512i)((emulated_d)x << bits | (emulated_d)x >> (32 - bits));
}

EMULATED __m512i _mm512_madd52lo_epu64(__m512i sum, __m512i a, __m512i b)
{
	const uint64_t m = (UINT64_C(1) << 52) - 1;
	for (int i = 0; i < 8; i++)
		sum[i] = (long long)((uint64_t)sum[i] +
				     (((uint64_t)a[i] & m) * ((uint64_t)b[i] & m) & m));
	return sum;
}

EMULATED __m512i _mm512_madd52hi_epu64(__m512i sum, __m512i a, __m512i b)
{
	const uint64_t m = (UINT64_C(1) << 52) - 1;
	for (int i = 0; i < 8; i++) {
		unsigned __int128 p =
			(unsigned __int128)((uint64_t)a[i] & m) * ((uint64_t)b[i] & m);
		sum[i] = (long long)((uint64_t)sum[i] + (uint64_t)(p >> 52));
	}
	return sum;
}

// --- under a mask

EMULATED __m512i _mm512_mask_mov_epi64(__m512i other, __mmask8 mask, __m512i x)
{
	for (int i = 0; i < 8; i++) {
		uint64_t is = emulated_bit(mask, i);
		x[i] = (long long)(((uint64_t)x[i] & is) | ((uint64_t)other[i] & ~is));
	}
	return x;
}

EMULATED __m512i _mm512_mask_add_epi64(__m512i other, __mmask8 mask, __m512i a, __m512i b)
{
	return _mm512_mask_mov_epi64(other, mask, _mm512_add_epi64(a, b));
}

EMULATED __m512i _mm512_mask_and_epi64(__m512i other, __mmask8 mask, __m512i a, __m512i b)
{
	return _mm512_mask_mov_epi64(other, mask, a & b);
}

EMULATED __m512i _mm512_maskz_and_epi64(__mmask8 mask, __m512i a, __m512i b)
{
	return _mm512_mask_mov_epi64(_mm512_setzero_si512(), mask, a & b);
}

EMULATED __m512i _mm512_maskz_srli_epi64(__mmask8 mask, __m512i x, unsigned bits)
{
	return _mm512_mask_mov_epi64(_mm512_setzero_si512(), mask, _mm512_srli_epi64(x, bits));
}

EMULATED __m512i _mm512_maskz_shrdi_epi64(__mmask8 mask, __m512i low, __m512i high, int bits)
{
	return _mm512_mask_mov_epi64(_mm512_setzero_si512(), mask,
				     _mm512_shrdi_epi64(low, high, bits));
}

EMULATED __m512i _mm512_maskz_mov_epi8(__mmask64 mask, __m512i x)
{
	uint8_t b[64];
	memcpy(b, &x, sizeof(b));
	for (int i = 0; i < 64; i++)
		b[i] &= (uint8_t)emulated_bit(mask, i);
	return _mm512_loadu_si512(b);
}

EMULATED __mmask8 _mm512_test_epi64_mask(__m512i a, __m512i b)
{
	unsigned mask = 0;
	for (int i = 0; i < 8; i++) {
		uint64_t x = (uint64_t)a[i] & (uint64_t)b[i];
		mask |= (unsigned)((x | (0 - x)) >> 63) << i;
	}
	return (__mmask8)mask;
}

EMULATED __mmask8 _mm512_cmplt_epu64_mask(__m512i a, __m512i b)
{
	unsigned mask = 0;
	for (int i = 0; i < 8; i++) {
		uint64_t x = (uint64_t)a[i], y = (uint64_t)b[i];
		mask |= (unsigned)(((~x & y) | ((~x | y) & (x - y))) >> 63) << i;
	}
	return (__mmask8)mask;
}

// --- from lane to lane: where to is no secret

EMULATED __m512i _mm512_inserti64x2(__m512i x, __m128i y, int at)
{
	x[2 * at] = y[0];
	x[2 * at + 1] = y[1];
	return x;
}

EMULATED __m512i _mm512_inserti32x4(__m512i x, __m128i y, int at)
{
	return _mm512_inserti64x2(x, y, at);
}

EMULATED __m256i _mm512_castsi512_si256(__m512i x)
{
	return (__m256i){x[0], x[1], x[2], x[3]};
}

EMULATED __m256i _mm512_extracti64x4_epi64(__m512i x, int at)
{
	return (__m256i){x[4 * at], x[4 * at + 1], x[4 * at + 2], x[4 * at + 3]};
}

EMULATED __m512i _mm512_cvtepu32_epi64(__m256i x)
{
	__m512i y = {0};
	for (int i = 0; i < 8; i++)
		y[i] = (long long)((uint64_t)x[i / 2] >> 32 * (i % 2) & UINT32_MAX);
	return y;
}

EMULATED __m512i _mm512_unpacklo_epi64(__m512i a, __m512i b)
{
	return (__m512i){a[0], b[0], a[2], b[2], a[4], b[4], a[6], b[6]};
}

EMULATED __m512i _mm512_unpackhi_epi64(__m512i a, __m512i b)
{
	return (__m512i){a[1], b[1], a[3], b[3], a[5], b[5], a[7], b[7]};
}

EMULATED __m512i emulated_unpack(__m512i a, __m512i b, int half)
{
	emulated_d x = (emulated_d)a, y = (emulated_d)b, z = {0};
	for (int i = 0; i < 16; i++) {
		int from = i / 4 * 4 + 2 * half + i % 4 / 2;
		z[i] = i % 2 ? y[from] : x[from];
	}
	return (__m512i)z;
}

EMULATED __m512i _mm512_unpacklo_epi32(__m512i a, __m512i b)
{
	return emulated_unpack(a, b, 0);
}

EMULATED __m512i _mm512_unpackhi_epi32(__m512i a, __m512i b)
{
	return emulated_unpack(a, b, 1);
}

EMULATED __m512i _mm512_shuffle_i64x2(__m512i a, __m512i b, int how)
{
	__m512i x = {0};
	for (int i = 0; i < 4; i++) {
		int from = how >> 2 * i & 3;
		x[2 * i] = i < 2 ? a[2 * from] : b[2 * from];
		x[2 * i + 1] = i < 2 ? a[2 * from + 1] : b[2 * from + 1];
	}
	return x;
}

EMULATED __m512i _mm512_shuffle_i32x4(__m512i a, __m512i b, int how)
{
	return _mm512_shuffle_i64x2(a, b, how);
}

EMULATED __m512i _mm512_permutex_epi64(__m512i x, int how)
{
	__m512i y = {0};
	for (int i = 0; i < 8; i++)
		y[i] = x[i / 4 * 4 + (how >> 2 * (i % 4) & 3)];
	return y;
}

EMULATED __m512i _mm512_permutex2var_epi64(__m512i a, __m512i how, __m512i b)
{
	__m512i x = {0};
	for (int i = 0; i < 8; i++)
		x[i] = how[i] & 8 ? b[how[i] & 7] : a[how[i] & 7];
	return x;
}
