// SPDX-License-Identifier: BSD-3-Clause
#include "aead_suite.h"

#include <rte_cycles.h>
#include <stdlib.h>

struct xy_aead {
	void *state[XY_AEAD_SUITES];
};

static const struct xy_aead_suite_ops *const ops_of[XY_AEAD_SUITES] = {
	[XY_AEAD_CHACHA20_POLY1305] = &xy_aead_chacha,
	[XY_AEAD_AES_256_GCM] = &xy_aead_gcm,
};

struct xy_aead *xy_aead_create(void)
{
	struct xy_aead *a = calloc(1, sizeof(*a));
	for (unsigned i = 0; a && i < XY_AEAD_SUITES; i++) {
		a->state[i] = ops_of[i]->create();
		if (!a->state[i]) {
			xy_aead_destroy(a);
			return NULL;
		}
	}
	return a;
}

void xy_aead_destroy(struct xy_aead *a)
{
	for (unsigned i = 0; a && i < XY_AEAD_SUITES; i++)
		if (a->state[i])
			ops_of[i]->destroy(a->state[i]);
	free(a);
}

const char *xy_aead_tell(const struct xy_aead *a, enum xy_aead_suite suite)
{
	return ops_of[suite]->tell(a->state[suite]);
}

unsigned xy_aead_able(const struct xy_aead *a)
{
	unsigned able = 0;
	for (unsigned i = 0; i < XY_AEAD_SUITES; i++)
		able |= (unsigned)(!ops_of[i]->able || ops_of[i]->able(a->state[i])) << i;
	return able;
}

// --- which is faster

enum {
	TRIED = 8,     // packets to a burst
	TRIALS = 9,    // the least of them counts: others may have the machine in between
	STRIDE = 1472, // whole lines
	LONG = 1420,   // every other packet
	SHORT = 256,
};

static uint64_t cycles(const struct xy_aead *a, enum xy_aead_suite suite, uint8_t (*data)[STRIDE])
{
	static const uint8_t secret[XY_AEAD_KEY_LEN] = {1};
	struct xy_aead_schedule key = {{0}};
	struct xy_aead_op op[TRIED];
	uint64_t least = UINT64_MAX;
	if (xy_aead_key_set(suite, &key, secret))
		return UINT64_MAX;
	for (unsigned i = 0; i < TRIED; i++)
		op[i] = (struct xy_aead_op){.key = &key,
					    .suite = (uint8_t)suite,
					    .counter = i,
					    .data = data[i],
					    .len = i & 1 ? LONG : SHORT,
					    .tag = data[i] + (i & 1 ? LONG : SHORT)};
	for (unsigned i = 0; i < TRIALS; i++) {
		uint64_t start = rte_rdtsc();
		xy_aead_open_burst(a, op, TRIED);
		xy_aead_seal_burst(a, op, TRIED);
		least = RTE_MIN(least, rte_rdtsc() - start);
	}
	xy_aead_key_clear(suite, &key);
	return least;
}

enum xy_aead_suite xy_aead_fastest(const struct xy_aead *a)
{
	enum xy_aead_suite best = XY_AEAD_CHACHA20_POLY1305;
	uint64_t least = UINT64_MAX;
	uint8_t(*data)[STRIDE] = aligned_alloc(64, sizeof(*data) * TRIED);
	for (unsigned i = 0; data && i < XY_AEAD_SUITES; i++) {
		memset(data, 0, sizeof(*data) * TRIED);
		uint64_t spent = xy_aead_able(a) >> i & 1 ? cycles(a, (enum xy_aead_suite)i, data)
							  : UINT64_MAX;
		if (spent < least - least / 8) { // level: WireGuard's own
			best = (enum xy_aead_suite)i;
			least = spent;
		}
	}
	free(data);
	return best;
}

int xy_aead_key_set(enum xy_aead_suite suite, struct xy_aead_schedule *key,
		    const uint8_t secret[static XY_AEAD_KEY_LEN])
{
	return ops_of[suite]->key_set(key, secret);
}

void xy_aead_key_clear(enum xy_aead_suite suite, struct xy_aead_schedule *key)
{
	ops_of[suite]->key_clear(key);
}

void xy_aead_look(enum xy_aead_suite suite, const struct xy_aead_schedule *key, uint64_t counter,
		  uint8_t *data, size_t len)
{
	ops_of[suite]->look(key, counter, data, len);
}

static bool are_wireguards(const struct xy_aead_op *op, unsigned n)
{
	uint8_t any = 0;
	for (unsigned i = 0; i < n; i++)
		any |= op[i].suite;
	return any == XY_AEAD_CHACHA20_POLY1305;
}

// How many from the first on are of its suite.
static unsigned run_of(const struct xy_aead_op *op, unsigned n)
{
	if (are_wireguards(op, n))
		return n;
	unsigned run = 1;
	while (run < n && op[run].suite == op[0].suite)
		run++;
	return run;
}

void xy_aead_seal_burst(const struct xy_aead *a, struct xy_aead_op *op, unsigned n)
{
	for (unsigned at = 0, run; at < n; at += run) {
		run = run_of(op + at, n - at);
		ops_of[op[at].suite]->seal_burst(a->state[op[at].suite], op + at, run);
	}
}

void xy_aead_open_burst(const struct xy_aead *a, struct xy_aead_op *op, unsigned n)
{
	for (unsigned at = 0, run; at < n; at += run) {
		run = run_of(op + at, n - at);
		ops_of[op[at].suite]->open_burst(a->state[op[at].suite], op + at, run);
	}
}
