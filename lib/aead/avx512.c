// SPDX-License-Identifier: BSD-3-Clause
#include "aead/avx512.h"

#include <immintrin.h>

// As large as the largest frame of the parts, with what they call, and a little more.
enum { STACK = 8192 };

static __attribute__((noinline)) void wipe(void)
{
	__m512i stack[STACK / sizeof(__m512i)];
	for (unsigned i = 0; i < sizeof(stack) / sizeof(*stack); i++)
		stack[i] = _mm512_setzero_si512();
	__asm__ volatile("" : : "r"(stack) : "memory"); // it is read, for all the compiler knows
}

const struct xy_batch_kernel xy_batch_avx512 = {
	.name = "avx512-ifma",
	.lanes = 16,
	.blocks = xy_batch_avx512_blocks,
	.stretch = xy_batch_avx512_stretch,
	.tags = xy_batch_avx512_tags,
	.wipe = wipe,
};
