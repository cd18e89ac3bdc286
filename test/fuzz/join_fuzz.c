// SPDX-License-Identifier: BSD-3-Clause
// Probe, reply and beacon: what is taken is of the one length and type, is written again as it was
// read, and no signature but ours holds.
#include "join/join.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

static void one_probe(const uint8_t *data, size_t size)
{
	uint8_t nonce[XY_JOIN_NONCE_LEN], again[XY_JOIN_LEN];
	if (xy_join_probe_read(data, size, nonce))
		return;
	xy_join_probe_write(nonce, again);
	check(size == sizeof(again) && memcmp(data, again, 4 + sizeof(nonce)) == 0);
}

static void one_reply(const uint8_t *data, size_t size)
{
	struct xy_join_reply r;
	struct xy_key x25519;
	if (xy_join_reply_read(data, size, &r))
		return;
	check(size == XY_JOIN_LEN && memcmp(data + 4, &r, sizeof(r)) == 0);
	check(xy_join_reply_verify(&r, &x25519) <= 0);
}

static void one_beacon(const uint8_t *data, size_t size)
{
	struct xy_join_beacon b;
	struct xy_key x25519;
	if (xy_join_beacon_read(data, size, &b))
		return;
	check(size == XY_JOIN_BEACON_LEN && b.port == data[36] << 8 | data[37]);
	check(xy_join_beacon_verify(&b, &x25519) <= 0);
}

// A message of ours with the input laid over it: only where that changes nothing it holds.
static void over_ours(const uint8_t *data, size_t size)
{
	static const uint8_t seed[32] = {1};
	struct xy_identity id;
	struct xy_join_beacon b;
	struct xy_key x25519;
	uint8_t good[XY_JOIN_BEACON_LEN], bad[XY_JOIN_BEACON_LEN];
	check(xy_identity_from_seed(seed, &id) == 0);
	xy_join_beacon_write(&id, 51820, good);
	memcpy(bad, good, sizeof(bad));
	for (size_t i = 0; i < size && i < sizeof(bad); i++)
		bad[i] ^= data[i];
	bool same = memcmp(good, bad, sizeof(bad)) == 0;
	if (xy_join_beacon_read(bad, sizeof(bad), &b))
		check(!same);
	else
		check((xy_join_beacon_verify(&b, &x25519) == 0) == same);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	one_probe(data, size);
	one_reply(data, size);
	one_beacon(data, size);
	over_ours(data, size);
	return 0;
}
