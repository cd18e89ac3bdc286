// SPDX-License-Identifier: BSD-3-Clause
// The keyed hash of the exact table, apart so that a test can grind keys that collide. Any thread.
#pragma once

#include <stdint.h>

struct xy_exact_secret {
	uint64_t word[3];
};

static inline uint64_t xy_exact_splitmix(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static inline struct xy_exact_secret xy_exact_secret(uint64_t seed)
{
	struct xy_exact_secret s;
	for (unsigned i = 0; i < 3; i++)
		s.word[i] = xy_exact_splitmix(&seed) | 1; // factors must not be 0
	return s;
}

static inline uint64_t xy_exact_fold(uint64_t a, uint64_t b)
{
	unsigned __int128 p = (unsigned __int128)a * b;
	return (uint64_t)p ^ (uint64_t)(p >> 64);
}

// Two folded products with secret factors: one alone maps keys in steps to hashes in steps.
static inline uint64_t xy_exact_hash(const struct xy_exact_secret *s, uint64_t key)
{
	return xy_exact_fold(xy_exact_fold(key + s->word[0], s->word[1]), s->word[2]);
}
