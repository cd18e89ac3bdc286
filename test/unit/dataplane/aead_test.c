// SPDX-License-Identifier: BSD-3-Clause
// The burst AEAD against libsodium, and RFC 8439's vector through it.
#include "aead.h"
#include "unit.h"

#include <sodium.h>
#include <string.h>

#define CHACHA XY_AEAD_CHACHA20_POLY1305

static struct xy_aead *aead;

static void nonce_of(uint64_t counter, uint8_t nonce[12])
{
	memset(nonce, 0, 12);
	memcpy(nonce + 4, &counter, 8);
}

// Every length from nothing (a keepalive) to a full packet, in bursts of uneven lengths and keys.
static void test_against_sodium(void)
{
	enum { MAX = 1500 };
	static uint8_t data[XY_BURST][MAX + 16], plain[XY_BURST][MAX], want[MAX + 16];
	struct xy_aead_schedule schedule[XY_BURST];
	uint8_t key[XY_BURST][32], nonce[12];

	for (unsigned base = 0; base <= MAX; base += XY_BURST) {
		struct xy_aead_op op[XY_BURST];
		unsigned n = 0;
		for (unsigned len = base; len < base + XY_BURST && len <= MAX; len++, n++) {
			randombytes_buf(key[n], 32);
			CU_ASSERT_EQUAL(xy_aead_key_set(CHACHA, &schedule[n], key[n]), 0);
			randombytes_buf(plain[n], len);
			memcpy(data[n], plain[n], len);
			op[n] = (struct xy_aead_op){.key = &schedule[n],
						    .counter = len * UINT64_C(0x100000001),
						    .data = data[n],
						    .len = len,
						    .tag = data[n] + len};
		}
		xy_aead_seal_burst(aead, op, n);
		for (unsigned i = 0; i < n; i++) {
			nonce_of(op[i].counter, nonce);
			crypto_aead_chacha20poly1305_ietf_encrypt(want, NULL, plain[i], op[i].len,
								  NULL, 0, NULL, nonce, key[i]);
			CU_ASSERT_FATAL(memcmp(want, data[i], op[i].len + 16) == 0);
		}
		xy_aead_open_burst(aead, op, n);
		for (unsigned i = 0; i < n; i++) {
			CU_ASSERT(op[i].ok);
			CU_ASSERT(memcmp(plain[i], data[i], op[i].len) == 0);
		}
	}
}

static void test_refuses(void)
{
	uint8_t secret[32], good[80], data[80];
	struct xy_aead_schedule key;
	randombytes_buf(secret, sizeof(secret));
	CU_ASSERT_EQUAL(xy_aead_key_set(CHACHA, &key, secret), 0);
	randombytes_buf(good, 64);
	struct xy_aead_op op = {
		.key = &key, .counter = 7, .data = good, .len = 64, .tag = good + 64};
	xy_aead_seal_burst(aead, &op, 1);
	for (unsigned bit = 0; bit < sizeof(good) * 8; bit++) {
		memcpy(data, good, sizeof(data));
		data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		op = (struct xy_aead_op){
			.key = &key, .counter = 7, .data = data, .len = 64, .tag = data + 64};
		xy_aead_open_burst(aead, &op, 1);
		CU_ASSERT(!op.ok);
	}
	memcpy(data, good, sizeof(data));
	op = (struct xy_aead_op){
		.key = &key, .counter = 8, .data = data, .len = 64, .tag = data + 64};
	xy_aead_open_burst(aead, &op, 1);
	CU_ASSERT(!op.ok); // another counter is another nonce
	xy_aead_key_clear(CHACHA, &key);
	CU_ASSERT(sodium_is_zero((const uint8_t *)&key, sizeof(key)));
	xy_aead_key_clear(CHACHA, &key);
}

static void test_create(void)
{
	aead = xy_aead_create();
	CU_ASSERT_PTR_NOT_NULL_FATAL(aead);
}

static void test_destroy(void)
{
	xy_aead_destroy(aead);
}

XY_UNIT_MAIN("aead", {"create", test_create, .always = true},
	     {"as libsodium, every length", test_against_sodium},
	     {"a flipped bit or another counter is refused", test_refuses},
	     {"destroy", test_destroy, .always = true})
