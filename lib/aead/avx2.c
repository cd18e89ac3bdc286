// SPDX-License-Identifier: BSD-3-Clause
#include "aead/avx2.h"

#include <immintrin.h>

// What lies below batch.c's frame: the largest of the parts' frames, with what they call, and a
// little more. batch_wiped_test.c sees where it is too small.
#ifdef __OPTIMIZE__
enum { STACK = 9216 };
#else
enum { STACK = 65536 }; // each of what is inlined has its own room
#endif

static __attribute__((noinline)) void wipe(void)
{
	__m256i stack[STACK / sizeof(__m256i)];
	for (unsigned i = 0; i < sizeof(stack) / sizeof(*stack); i++)
		stack[i] = _mm256_setzero_si256();
	__asm__ volatile("" : : "r"(stack) : "memory"); // it is read, for all the compiler knows
}

const struct xy_batch_kernel xy_batch_avx2 = {
	.name = "avx2",
	.lanes = 8,
	.blocks = xy_batch_avx2_blocks,
	.stretch = xy_batch_avx2_stretch,
	.tags = xy_batch_avx2_tags,
	.wipe = wipe,
};
