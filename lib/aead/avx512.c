// SPDX-License-Identifier: BSD-3-Clause
#include "aead/avx512.h"

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
	.packets = xy_batch_avx512_packets,
	.wipe = wipe,
};
