// SPDX-License-Identifier: BSD-3-Clause
// The burst AEAD against libsodium; and whoever of the two computes which part of a burst (the
// choice is set by hand), as ipsec-mb alone.
#include "aead.h"
#include "aead_choice.h"
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

// --- the choice

enum {
	ROOM = 2112,
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	CASES = 30000,
#else
	CASES = 400000,
#endif
};

static uint64_t state = 88172645463325252; // xorshift64*: the same cases in each run

static uint32_t below(uint32_t n)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (uint32_t)(state * UINT64_C(0x2545f4914f6cdd1d) >> 33) % n;
}

static struct xy_aead_schedule key[XY_BURST];
static uint8_t first[XY_BURST][ROOM], own[XY_BURST][ROOM], mb[XY_BURST][ROOM];

static void ops_make(struct xy_aead_op *op, uint8_t (*data)[ROOM], const uint32_t *len, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		op[i] = (struct xy_aead_op){.key = &key[i],
					    .counter = len[i] * UINT64_C(0x123456789abcd),
					    .data = data[i],
					    .len = len[i],
					    .tag = data[i] + len[i],
					    .ok = true};
}

static void as_mb(void *alone, unsigned n)
{
	struct xy_aead_op op[XY_BURST], other[XY_BURST];
	uint32_t len[XY_BURST], kind = below(3), bad = below(n * 2);
	for (unsigned i = 0; i < n; i++)
		len[i] = kind == 0 ? below(2049) : kind == 1 ? 64 : below(4) ? 64 : 1420;
	memcpy(own, first, sizeof(own));
	memcpy(mb, first, sizeof(mb));
	ops_make(op, own, len, n);
	ops_make(other, mb, len, n);
	xy_aead_seal_burst(aead, op, n);
	xy_aead_chacha_mb.seal_burst(alone, other, n);
	CU_ASSERT_FATAL(memcmp(own, mb, sizeof(own)) == 0);
	if (bad < n)
		own[bad][below(len[bad] + 16)] ^= 1;
	xy_aead_open_burst(aead, op, n);
	for (unsigned i = 0; i < n; i++) {
		CU_ASSERT_FATAL(op[i].ok == (i != bad));
		CU_ASSERT_FATAL(!op[i].ok || memcmp(own[i], first[i], len[i]) == 0);
	}
}

static void test_choice(void)
{
	struct xy_aead_choice *c = xy_aead_choice(NULL); // made by create
	struct xy_aead_choice kept = *c;
	void *alone = xy_aead_chacha_mb.create();
	CU_ASSERT_PTR_NOT_NULL_FATAL(alone);
	randombytes_buf(key, sizeof(key));
	randombytes_buf(first, sizeof(first));
	for (unsigned done = 0; done < CASES;) {
		unsigned n = 1 + below(XY_BURST);
		for (unsigned i = 0; i < XY_AEAD_SIZES; i++) // by size, by burst, all, none
			c->use[i] = c->kernel ? (uint8_t)below(8) : 0;
		as_mb(alone, n);
		done += n;
	}
	xy_aead_chacha_mb.destroy(alone);
	*c = kept;
}

static void test_tell(void)
{
	struct xy_aead_choice c = {.kernel = xy_batch_kernel()};
	printf("(%s) ", xy_aead_tell(aead, CHACHA));
	CU_ASSERT(strstr(xy_aead_tell(aead, CHACHA), "ipsec-mb") != NULL);
	xy_aead_choice_tell(&c);
	CU_ASSERT_STRING_EQUAL(c.text, "ipsec-mb");
	if (!c.kernel)
		return;
	memset(c.use, 7, sizeof(c.use));
	c.use[4] = 2;
	xy_aead_choice_tell(&c);
	char want[sizeof(c.text)];
	snprintf(want, sizeof(want),
		 "%s in bursts from 64 of 64/256/512/1024, 8 of any size, 4 of 64/256/512/1024; "
		 "else ipsec-mb",
		 xy_batch_name(c.kernel));
	CU_ASSERT_STRING_EQUAL(c.text, want);
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
	     {"either computes, as ipsec-mb alone", test_choice},
	     {"what computes is told", test_tell}, {"destroy", test_destroy, .always = true})
