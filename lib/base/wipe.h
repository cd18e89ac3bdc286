// SPDX-License-Identifier: BSD-3-Clause
// What computes on secrets leaves them in vector registers: a signal's frame, or the loader's,
// would have them; and the C library's copies use them as well. Any thread.
#pragma once

// Written by 128 bits, a register is zero above.
static __attribute__((noinline, unused, target("avx512vl"))) void xy_upper_registers_wipe(void)
{
#define ZERO(i) "vpxord %%xmm" #i ", %%xmm" #i ", %%xmm" #i "\n\t"
	__asm__ volatile(ZERO(16) ZERO(17) ZERO(18) ZERO(19) ZERO(20) ZERO(21) ZERO(22) ZERO(23)
				 ZERO(24) ZERO(25) ZERO(26) ZERO(27) ZERO(28) ZERO(29) ZERO(30)
					 ZERO(31)
			 :
			 :
			 : "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23",
			   "xmm24", "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31");
#undef ZERO
}

static inline void xy_registers_wipe(void)
{
	if (__builtin_cpu_supports("avx"))
		__asm__ volatile("vzeroall"
				 :
				 :
				 : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
				   "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
				   "xmm15");
	if (__builtin_cpu_supports("avx512vl"))
		xy_upper_registers_wipe();
}
