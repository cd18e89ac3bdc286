// SPDX-License-Identifier: BSD-3-Clause
// X25519 side by side: RFC 7748's vectors, and libsodium as the model at random, at the edges of
// the field, with points of small order, for each number at once. So is the kernel by itself, where
// this machine has its instructions, whatever is measured to be faster; and that it leaves nothing
// behind.
#include "unit.h"
#include "x25519/kernel.h"

#include <sodium.h>
#include <string.h>

enum { MANY = 19, ROUNDS = 200 };

static uint8_t sk[MANY][32], pk[MANY][32], out[MANY][32], right[32];
static struct xy_x25519_op op[MANY];

static void ops_make(void)
{
	randombytes_buf(sk, sizeof(sk));
	randombytes_buf(pk, sizeof(pk));
	memset(out, 0xee, sizeof(out));
	for (unsigned i = 0; i < MANY; i++) {
		pk[i][31] &= 0x7f;
		op[i] = (struct xy_x25519_op){.sk = sk[i], .pk = pk[i], .out = out[i]};
	}
}

static void hex(uint8_t to[static 32], const char *text)
{
	CU_ASSERT_EQUAL_FATAL(sodium_hex2bin(to, 32, text, 64, NULL, NULL, NULL), 0);
}

static void bursts(const struct xy_x25519_op *ops, unsigned n)
{
	xy_x25519_burst(ops, n);
}

// As the dispatcher gives it: points for all, and no more than there are lanes.
static void kernel(const struct xy_x25519_op *ops, unsigned n)
{
	for (; n > XY_X25519_LANES; n -= XY_X25519_LANES, ops += XY_X25519_LANES)
		xy_x25519_ifma.run(ops, XY_X25519_LANES);
	xy_x25519_ifma.run(ops, n);
}

static void (*run)(const struct xy_x25519_op *ops, unsigned n);

static void check(unsigned n)
{
	run(op, n);
	for (unsigned i = 0; i < n; i++) {
		if (crypto_scalarmult(right, sk[i], pk[i]))
			memset(right, 0, sizeof(right));
		CU_ASSERT_EQUAL(memcmp(out[i], right, sizeof(right)), 0);
	}
	for (unsigned i = n; i < MANY; i++)
		CU_ASSERT(out[i][0] == 0xee && out[i][31] == 0xee);
}

// Section 5.2.
static void vectors(void)
{
	static const struct {
		const char *sk, *pk, *out;
	} v[] = {
		{"a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
		 "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
		 "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"},
		{"4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
		 "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
		 "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957"},
	};
	ops_make();
	for (unsigned i = 0; i < 2; i++) {
		hex(sk[i], v[i].sk);
		hex(pk[i], v[i].pk);
	}
	run(op, 2);
	for (unsigned i = 0; i < 2; i++) {
		hex(right, v[i].out);
		CU_ASSERT_EQUAL(memcmp(out[i], right, sizeof(right)), 0);
	}
}

static void random_ones(void)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		ops_make();
		check(1 + i % MANY);
	}
}

// 0, 1, p - 1, and so on upwards past p: those that are none of a field's are taken as what they
// are equal to. 0, 1 and p - 1 are of small order.
static void edges(void)
{
	ops_make();
	for (unsigned i = 0; i < MANY; i++) {
		memset(pk[i], i < 3 ? 0 : 0xff, sizeof(pk[i]));
		pk[i][0] = (uint8_t)(i < 3 ? i : 0xea + i);
		pk[i][31] = i < 3 ? 0 : 0x7f;
		memset(sk[i], i & 1 ? 0xff : 0, sizeof(sk[i]));
	}
	check(MANY);
}

static void all_of(void (*how)(const struct xy_x25519_op *, unsigned))
{
	run = how;
	vectors();
	random_ones();
	edges();
}

static void test_bursts(void)
{
	all_of(bursts);
}

static void test_kernel(void)
{
	if (xy_x25519_ifma.can())
		all_of(kernel);
	else
		printf("(this CPU lacks %s) ", xy_x25519_ifma.name);
}

static void test_base(void)
{
	for (unsigned n = 1; n <= MANY; n++) {
		ops_make();
		for (unsigned i = 0; i < n; i += 2)
			op[i].pk = NULL;
		xy_x25519_burst(op, n);
		for (unsigned i = 0; i < n; i++) {
			CU_ASSERT_EQUAL(op[i].pk ? crypto_scalarmult(right, sk[i], pk[i])
						 : crypto_scalarmult_base(right, sk[i]),
					0);
			CU_ASSERT_EQUAL(memcmp(out[i], right, sizeof(right)), 0);
		}
	}
	unsigned from = xy_x25519_side_by_side();
	CU_ASSERT(from <= XY_X25519_LANES);
	CU_ASSERT(xy_x25519_ifma.can() || from == 0);
}

XY_UNIT_MAIN("x25519", {"side by side, or not", test_bursts}, {"the kernel", test_kernel},
	     {"the base point", test_base})
