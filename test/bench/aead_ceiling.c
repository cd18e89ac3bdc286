// SPDX-License-Identifier: BSD-3-Clause
#include "aead_ceiling.h"

#include "aead/avx512_number.h"
#include "aead/avx512_states.h"

#include <string.h>
#include <x86intrin.h>

enum { TIMES = 16, SUMS = 2, TOGETHER = 4 };

static __attribute__((noinline)) void blocks(v16 kept[STATES])
{
	v16 x[STATES];
#pragma GCC unroll 16
	for (int i = 0; i < STATES; i++)
		x[i] = kept[i];
	for (int t = 0; t < TIMES; t++)
		rounds(x);
#pragma GCC unroll 16
	for (int i = 0; i < STATES; i++)
		kept[i] = x[i];
}

// Two sums of eight messages, which is what fills the units; four blocks of each, and what limbs
// have too much goes on.
static __attribute__((noinline)) void products(struct number sum[SUMS], const struct number *text,
					       const struct factor *by)
{
	struct number s[SUMS] = {sum[0], sum[1]};
	struct number m = *text;
	for (int t = 0; t < TIMES; t++)
#pragma GCC unroll 2
		for (int i = 0; i < SUMS; i++) {
			for (int l = 0; l < LIMBS; l++) // for all the compiler knows, another
				__asm__ volatile("" : "+v"(m.limb[l]));
			struct wide w = nothing();
			add(&s[i], &m);
#pragma GCC unroll 4
			for (int k = 0; k < TOGETHER; k++)
				multiply(&w, k ? &m : &s[i], by + k);
			s[i] = carried(&w);
		}
	memcpy(sum, s, sizeof(s));
}

struct ceiling xy_ceiling_measure(unsigned tries)
{
	static v16 x[STATES];
	static struct number sum[SUMS], text;
	static struct factor by[TOGETHER];
	uint64_t least[2] = {UINT64_MAX, UINT64_MAX};
	__asm__ volatile(""
			 :
			 : "r"(x), "r"(sum), "r"(&text), "r"(by)
			 : "memory"); // they are anything
	for (unsigned i = 0; i < tries * 2; i++) {
		uint64_t start = __rdtsc();
		if (i & 1)
			products(sum, &text, by);
		else
			blocks(x);
		uint64_t spent = __rdtsc() - start;
		if (spent < least[i & 1])
			least[i & 1] = spent;
	}
	return (struct ceiling){.block = (double)least[0] / (TIMES * STATES),
				.product = (double)least[1] / (TIMES * SUMS * TOGETHER * NUMBERS)};
}

double xy_ceiling_packet(const struct ceiling *c, uint32_t len)
{
	return c->block * (1 + (len + 63) / 64) + c->product * ((len + 15) / 16 + 1);
}
