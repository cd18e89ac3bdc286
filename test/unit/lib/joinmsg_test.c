// SPDX-License-Identifier: BSD-3-Clause
// Probe, reply and beacon, byte by byte, against vectors that another implementation of Ed25519
// made, and every bit flip.
#include "unit.h"

#include "base/bytes.h"
#include "join/join.h"

#include <sodium.h>
#include <string.h>

static const uint8_t seed[32] = {0,  1,	 2,  3,	 4,  5,	 6,  7,	 8,  9,	 10, 11, 12, 13, 14, 15,
				 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};

static struct xy_identity id;
static uint8_t nonce[XY_JOIN_NONCE_LEN];

static void check_hex(const uint8_t *got, const char *want)
{
	char hex[2 * XY_JOIN_LEN + 1];
	sodium_bin2hex(hex, sizeof(hex), got, strlen(want) / 2);
	CU_ASSERT_STRING_EQUAL(hex, want);
}

#define KEY   "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8"
#define NONCE "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf"

static void test_vectors(void)
{
	uint8_t probe[XY_JOIN_LEN], reply[XY_JOIN_LEN], beacon[XY_JOIN_BEACON_LEN];
	xy_join_probe_write(nonce, probe);
	check_hex(probe, "80000000" NONCE
			 "0000000000000000000000000000000000000000000000000000000000000000"
			 "0000000000000000000000000000000000000000000000000000000000000000"
			 "0000000000000000000000000000000000000000000000000000000000000000");
	xy_join_reply_write(&id, nonce, reply);
	check_hex(reply, "81000000" NONCE KEY
			 "99adaf2eff743b86801add208306a595f66a8be167e7b0ea0560def43850f27a"
			 "0b66a5b66249100692ede2eec46379c5434d820e3086f8b9cb7fdee2e0164c0f");
	xy_join_beacon_write(&id, 51820, beacon);
	check_hex(beacon, "82000000" KEY "ca6c"
			  "5a4342a647bd0b039178702006f52b3c12acfbe71d334b250af81321492e9965"
			  "24c9e71e59416c23281fbd1e030963fc793e5947aac8c196d77be28516d92e05");
}

static void test_round_trip(void)
{
	uint8_t probe[XY_JOIN_LEN], reply[XY_JOIN_LEN], beacon[XY_JOIN_BEACON_LEN];
	uint8_t got[XY_JOIN_NONCE_LEN];
	struct xy_join_reply r;
	struct xy_join_beacon b;
	struct xy_key key;
	xy_join_probe_write(nonce, probe);
	CU_ASSERT_EQUAL(xy_join_probe_read(probe, sizeof(probe), got), 0);
	CU_ASSERT_EQUAL(memcmp(got, nonce, sizeof(nonce)), 0);
	xy_join_reply_write(&id, nonce, reply);
	CU_ASSERT_EQUAL(xy_join_reply_read(reply, sizeof(reply), &r), 0);
	CU_ASSERT_EQUAL(memcmp(r.nonce, nonce, sizeof(nonce)), 0);
	CU_ASSERT_EQUAL(xy_join_reply_verify(&r, &key), 0);
	CU_ASSERT_EQUAL(memcmp(&key, &id.x25519, sizeof(key)), 0);
	xy_join_beacon_write(&id, 65535, beacon);
	CU_ASSERT_EQUAL(xy_join_beacon_read(beacon, sizeof(beacon), &b), 0);
	CU_ASSERT_EQUAL(b.port, 65535);
	CU_ASSERT_EQUAL(xy_join_beacon_verify(&b, &key), 0);
	CU_ASSERT_EQUAL(memcmp(&key, &id.x25519, sizeof(key)), 0);
}

// No bit of a reply or beacon can be changed, and none of either passes for the other.
static void test_bit_flips(void)
{
	uint8_t reply[XY_JOIN_LEN], beacon[XY_JOIN_BEACON_LEN];
	struct xy_join_reply r;
	struct xy_join_beacon b;
	struct xy_key key;
	xy_join_reply_write(&id, nonce, reply);
	xy_join_beacon_write(&id, 51820, beacon);
	for (size_t i = 0; i < 8 * sizeof(reply); i++) {
		reply[i / 8] ^= (uint8_t)(1 << i % 8);
		CU_ASSERT(xy_join_reply_read(reply, sizeof(reply), &r) ||
			  xy_join_reply_verify(&r, &key));
		reply[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	for (size_t i = 0; i < 8 * sizeof(beacon); i++) {
		beacon[i / 8] ^= (uint8_t)(1 << i % 8);
		CU_ASSERT(xy_join_beacon_read(beacon, sizeof(beacon), &b) ||
			  xy_join_beacon_verify(&b, &key));
		beacon[i / 8] ^= (uint8_t)(1 << i % 8);
	}
}

static void test_lengths(void)
{
	uint8_t probe[XY_JOIN_LEN + 1] = {XY_JOIN_PROBE}, reply[XY_JOIN_LEN + 1],
				    beacon[XY_JOIN_BEACON_LEN + 1], got[XY_JOIN_NONCE_LEN];
	struct xy_join_reply r;
	struct xy_join_beacon b;
	xy_join_reply_write(&id, nonce, reply);
	xy_join_beacon_write(&id, 51820, beacon);
	for (size_t len = 0; len <= XY_JOIN_LEN + 1; len++) {
		CU_ASSERT_EQUAL(xy_join_probe_read(probe, len, got) == 0, len == XY_JOIN_LEN);
		CU_ASSERT_EQUAL(xy_join_reply_read(reply, len, &r) == 0, len == XY_JOIN_LEN);
		if (len <= XY_JOIN_BEACON_LEN + 1)
			CU_ASSERT_EQUAL(xy_join_beacon_read(beacon, len, &b) == 0,
					len == XY_JOIN_BEACON_LEN);
	}
	xy_join_beacon_write(&id, 0, beacon);
	CU_ASSERT_EQUAL(xy_join_beacon_read(beacon, XY_JOIN_BEACON_LEN, &b), -EBADMSG);
	CU_ASSERT_EQUAL(xy_join_probe_read(reply, XY_JOIN_LEN, got), -EBADMSG);
	CU_ASSERT_EQUAL(xy_join_reply_read(probe, XY_JOIN_LEN, &r), -EBADMSG);
}

// A key of small order signs anything: libsodium refuses it, and so do we.
static void test_small_order(void)
{
	struct xy_join_reply r = {.ed25519.b = {1}, .signature = {1}};
	struct xy_key key;
	CU_ASSERT_EQUAL(xy_join_reply_verify(&r, &key), -EBADMSG);
	memset(r.ed25519.b, 0, sizeof(r.ed25519.b));
	CU_ASSERT_EQUAL(xy_join_reply_verify(&r, &key), -EBADMSG);
}

int main(int argc, char **argv)
{
	static const struct xy_unit_case cases[] = {
		{"vectors", test_vectors},
		{"what is written is read", test_round_trip},
		{"every bit flip", test_bit_flips},
		{"lengths and types", test_lengths},
		{"keys of small order", test_small_order},
	};
	if (sodium_init() < 0 || xy_identity_from_seed(seed, &id))
		return 1;
	for (unsigned i = 0; i < sizeof(nonce); i++)
		nonce[i] = (uint8_t)(0xa0 + i);
	return xy_unit_run("joinmsg", cases, XY_ARRAY_SIZE(cases), argc, argv);
}
