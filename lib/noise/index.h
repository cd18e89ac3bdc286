// SPDX-License-Identifier: BSD-3-Clause
// Receiver indices: slot and generation behind a per-boot secret permutation of 32 bits (a balanced
// Feistel network of four rounds), so one array access finds a session and a stranger cannot aim.
// Any thread; inline: it is on the packet path.
#pragma once

#include <stdint.h>

struct xy_index_key {
	uint32_t round[4]; // random, per boot
};

static inline uint32_t xy_index_round(uint32_t half, uint32_t key)
{
	uint32_t x = (half ^ key) * UINT32_C(0x9e3779b1);
	x ^= x >> 15;
	x *= UINT32_C(0x85ebca77);
	return (x >> 16) & 0xffff;
}

static inline uint32_t xy_index_hide(const struct xy_index_key *k, uint32_t plain)
{
	uint32_t l = plain >> 16, r = plain & 0xffff;
	for (int i = 0; i < 4; i++) {
		uint32_t t = l ^ xy_index_round(r, k->round[i]);
		l = r;
		r = t;
	}
	return l << 16 | r;
}

static inline uint32_t xy_index_show(const struct xy_index_key *k, uint32_t hidden)
{
	uint32_t l = hidden >> 16, r = hidden & 0xffff;
	for (int i = 3; i >= 0; i--) {
		uint32_t t = r ^ xy_index_round(l, k->round[i]);
		r = l;
		l = t;
	}
	return l << 16 | r;
}
