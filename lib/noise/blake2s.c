// SPDX-License-Identifier: BSD-3-Clause
// BLAKE2s (RFC 7693). Inputs are a few hundred bytes at most and mostly one or two blocks, so what
// counts is that nothing is set up, fetched or allocated for a hash.
#include "noise/blake2s.h"

#include <sodium.h>
#include <string.h>

enum { BLOCK = 64 };

struct blake2s {
	uint32_t h[8];
	uint64_t taken; // bytes compressed
	unsigned held;	// in block; the last one is compressed at the end only
	uint8_t block[BLOCK];
};

static const uint32_t iv[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
			       0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

static inline uint32_t rotate(uint32_t x, unsigned n)
{
	return x >> n | x << (32 - n);
}

// Section 3.1. Rows are constants, so that v and m stay in registers.
#define G(a, b, c, d, x, y)                                          \
	do {                                                         \
		v[a] += v[b] + m[x], v[d] = rotate(v[d] ^ v[a], 16); \
		v[c] += v[d], v[b] = rotate(v[b] ^ v[c], 12);        \
		v[a] += v[b] + m[y], v[d] = rotate(v[d] ^ v[a], 8);  \
		v[c] += v[d], v[b] = rotate(v[b] ^ v[c], 7);         \
	} while (0)

#define ROUND(s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, sa, sb, sc, sd, se, sf) \
	do {                                                                  \
		G(0, 4, 8, 12, s0, s1);                                       \
		G(1, 5, 9, 13, s2, s3);                                       \
		G(2, 6, 10, 14, s4, s5);                                      \
		G(3, 7, 11, 15, s6, s7);                                      \
		G(0, 5, 10, 15, s8, s9);                                      \
		G(1, 6, 11, 12, sa, sb);                                      \
		G(2, 7, 8, 13, sc, sd);                                       \
		G(3, 4, 9, 14, se, sf);                                       \
	} while (0)

// Section 3.2.
static void compress(uint32_t h[static 8], const uint8_t block[static BLOCK], uint64_t upto,
		     bool last)
{
	uint32_t v[16], m[16];
	memcpy(m, block, sizeof(m)); // little-endian, as this machine is
	memcpy(v, h, 32);
	memcpy(v + 8, iv, 32);
	v[12] ^= (uint32_t)upto;
	v[13] ^= (uint32_t)(upto >> 32);
	v[14] ^= last ? UINT32_MAX : 0;
	ROUND(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
	ROUND(14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3);
	ROUND(11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4);
	ROUND(7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8);
	ROUND(9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13);
	ROUND(2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9);
	ROUND(12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11);
	ROUND(13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10);
	ROUND(6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5);
	ROUND(10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0);
	for (int i = 0; i < 8; i++)
		h[i] ^= v[i] ^ v[i + 8];
}

static void take(struct blake2s *s, const void *data, size_t len)
{
	const uint8_t *p = data;
	while (len) {
		if (s->held == BLOCK) {
			compress(s->h, s->block, s->taken += BLOCK, false);
			s->held = 0;
		}
		size_t n = len < BLOCK - s->held ? len : BLOCK - s->held;
		memcpy(s->block + s->held, p, n);
		s->held += (unsigned)n;
		p += n;
		len -= n;
	}
}

// key_len 0: not keyed.
static void begin(struct blake2s *s, const uint8_t *key, size_t key_len, size_t out_len)
{
	memcpy(s->h, iv, sizeof(s->h));
	s->h[0] ^= 0x01010000 ^ (uint32_t)key_len << 8 ^ (uint32_t)out_len; // section 2.5
	s->taken = 0;
	s->held = 0;
	if (!key_len)
		return;
	memset(s->block, 0, BLOCK);
	memcpy(s->block, key, key_len);
	s->held = BLOCK;
}

// Wipes the state: it may be of secrets.
static void end(struct blake2s *s, uint8_t *out, size_t out_len)
{
	memset(s->block + s->held, 0, BLOCK - s->held);
	compress(s->h, s->block, s->taken + s->held, true);
	memcpy(out, s->h, out_len);
	sodium_memzero(s, sizeof(*s));
}

void xy_blake2s(const void *a, size_t a_len, const void *b, size_t b_len,
		uint8_t out[static XY_WG_HASH_LEN])
{
	struct blake2s s;
	begin(&s, NULL, 0, XY_WG_HASH_LEN);
	take(&s, a, a_len);
	take(&s, b, b_len);
	end(&s, out, XY_WG_HASH_LEN);
}

void xy_blake2s_mac(const uint8_t *key, size_t key_len, const void *data, size_t len,
		    uint8_t out[static XY_WG_MAC_LEN])
{
	struct blake2s s;
	begin(&s, key, key_len, XY_WG_MAC_LEN);
	take(&s, data, len);
	end(&s, out, XY_WG_MAC_LEN);
}

void xy_blake2s_hmac(const uint8_t key[static XY_WG_HASH_LEN], const void *a, size_t a_len,
		     const void *b, size_t b_len, uint8_t out[static XY_WG_HASH_LEN])
{
	uint8_t pad[BLOCK], inner[XY_WG_HASH_LEN];
	struct blake2s s;
	memset(pad, 0x36, sizeof(pad));
	for (size_t i = 0; i < XY_WG_HASH_LEN; i++)
		pad[i] ^= key[i];
	begin(&s, NULL, 0, XY_WG_HASH_LEN);
	take(&s, pad, sizeof(pad));
	take(&s, a, a_len);
	take(&s, b, b_len);
	end(&s, inner, sizeof(inner));
	for (size_t i = 0; i < BLOCK; i++)
		pad[i] ^= 0x36 ^ 0x5c;
	xy_blake2s(pad, sizeof(pad), inner, sizeof(inner), out);
	sodium_memzero(pad, sizeof(pad));
	sodium_memzero(inner, sizeof(inner));
}

void xy_blake2s_kdf(const uint8_t key[static XY_WG_HASH_LEN], const void *input, size_t len,
		    unsigned n, uint8_t *const out[])
{
	uint8_t secret[XY_WG_HASH_LEN], t[XY_WG_HASH_LEN];
	xy_blake2s_hmac(key, input, len, NULL, 0, secret);
	for (uint8_t i = 1; i <= n; i++) {
		xy_blake2s_hmac(secret, t, i > 1 ? sizeof(t) : 0, &i, 1, t);
		memcpy(out[i - 1], t, sizeof(t));
	}
	sodium_memzero(secret, sizeof(secret));
	sodium_memzero(t, sizeof(t));
}
