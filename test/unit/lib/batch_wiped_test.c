// SPDX-License-Identifier: BSD-3-Clause
// Nothing that was made of secrets is left on the stack, or in registers, after a burst: it runs on
// a stack of its own with two sets of keys and texts, of the same lengths, and after both that
// stack has the same bytes, and so have vector registers. Made twice: with the tree's flags and
// with the package's.
#include "aead/batch.h"
#include "unit.h"

#include <sodium.h>
#include <ucontext.h>

#ifndef __has_feature // clang has
#define __has_feature(what) 0
#endif

enum {
	ROOM = 2200,
	STACK = 256 << 10,
	REGISTERS = 32 * 64,
#ifdef __OPTIMIZE__
	OPTIMIZED = 1,
#else
	OPTIMIZED = 0, // small copies are calls, and the C library's has registers of its own
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
	__has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
	SANITIZED = 1, // frames of others' making
#else
	SANITIZED = 0,
#endif
};

static uint8_t stack[STACK] __attribute__((aligned(4096)));
static uint8_t registers[REGISTERS] __attribute__((aligned(64)));
static struct {
	uint8_t stack[STACK], registers[REGISTERS];
} other;

static uint8_t key[XY_BATCH_MAX][32], data[XY_BATCH_MAX][ROOM], tag[XY_BATCH_MAX][16];
static struct xy_batch_op op[XY_BATCH_MAX];
static const struct xy_batch_kernel *kernel;
static unsigned n;
static bool sealing;
static ucontext_t here, there;

// Four registers: %zmm0 to 3, 4 to 7, ...
#define KEEP(of, at, a, b, c, d)                                                        \
	__asm__ volatile("vmovups %%" of #a ", (%0)\n\tvmovups %%" of #b ", 64(%0)\n\t" \
			 "vmovups %%" of #c ", 128(%0)\n\tvmovups %%" of #d ", 192(%0)" \
			 :                                                              \
			 : "r"(registers + 64 * (at))                                   \
			 : "memory")

__attribute__((target("avx512f"), noinline)) static void registers_keep_512(void)
{
	KEEP("zmm", 0, 0, 1, 2, 3);
	KEEP("zmm", 4, 4, 5, 6, 7);
	KEEP("zmm", 8, 8, 9, 10, 11);
	KEEP("zmm", 12, 12, 13, 14, 15);
	KEEP("zmm", 16, 16, 17, 18, 19);
	KEEP("zmm", 20, 20, 21, 22, 23);
	KEEP("zmm", 24, 24, 25, 26, 27);
	KEEP("zmm", 28, 28, 29, 30, 31);
}

__attribute__((target("avx"), noinline)) static void registers_keep_256(void)
{
	KEEP("ymm", 0, 0, 1, 2, 3);
	KEEP("ymm", 4, 4, 5, 6, 7);
	KEEP("ymm", 8, 8, 9, 10, 11);
	KEEP("ymm", 12, 12, 13, 14, 15);
}

static void burst_there(void)
{
	(sealing ? xy_batch_seal : xy_batch_open)(kernel, op, n);
	if (__builtin_cpu_supports("avx512f"))
		registers_keep_512();
	else
		registers_keep_256();
}

static __attribute__((noinline)) void run_there(void)
{
	memset(stack, 0, sizeof(stack));
	memset(registers, 0, sizeof(registers));
	getcontext(&there);
	there.uc_stack.ss_sp = stack;
	there.uc_stack.ss_size = sizeof(stack);
	there.uc_link = &here;
	makecontext(&there, burst_there, 0);
	swapcontext(&here, &there);
}

static uint32_t length(unsigned kind, unsigned i)
{
	static const uint32_t alike[] = {64, 512, 1420};
	return kind < 3 ? alike[kind] : kind == 3 ? i * 61 % 1500 : kind == 4 ? 2048 + i : i;
}

// What came does not depend on the set, nor whether it is right: that is no secret.
static void with_secrets(unsigned set, unsigned kind)
{
	uint8_t seed[randombytes_SEEDBYTES] = {(uint8_t)set, (uint8_t)kind};
	randombytes_buf_deterministic(key, sizeof(key), seed);
	seed[2] = 1;
	randombytes_buf_deterministic(data, sizeof(data), seed);
	memset(tag, 0, sizeof(tag));
	for (unsigned i = 0; i < n; i++)
		op[i] = (struct xy_batch_op){.key = key[i],
					     .counter = 5 + i,
					     .src = data[i],
					     .dst = data[i],
					     .tag = tag[i],
					     .len = length(kind, i)};
	run_there();
}

static void same_with_others(unsigned kind)
{
	unsigned differ = 0, first = STACK, in_registers = 0;
	with_secrets(0, kind);
	memcpy(other.stack, stack, sizeof(stack));
	memcpy(other.registers, registers, sizeof(registers));
	with_secrets(1, kind);
	for (unsigned i = 0; i < STACK; i++)
		if (stack[i] != other.stack[i]) {
			first = i < first ? i : first;
			differ++;
		}
	for (unsigned i = 0; i < REGISTERS; i++)
		in_registers += OPTIMIZED && registers[i] != other.registers[i];
	if (differ + in_registers)
		printf("\n%s %s, lengths %u, %u packets: %u bytes of the stack, the deepest %u "
		       "below its top, and %u of registers",
		       xy_batch_name(kernel), sealing ? "seal" : "open", kind, n, differ,
		       STACK - first, in_registers);
	CU_ASSERT_EQUAL(differ, 0);
	CU_ASSERT_EQUAL(in_registers, 0);
}

static void test_wiped(void)
{
	CU_ASSERT_FATAL(sodium_init() >= 0);
	kernel = xy_batch_kernel(0);
	n = 1;
	for (unsigned way = 0; kernel && way < 2; way++) { // the loader binds what is called first
		sealing = way;
		with_secrets(0, 2);
	}
	for (unsigned k = 0; !SANITIZED && (kernel = xy_batch_kernel(k)) != NULL; k++)
		for (unsigned kind = 0; kind < 6; kind++)
			for (n = 1; n <= XY_BATCH_MAX; n += n < 18 ? 1 : 23)
				for (unsigned way = 0; way < 2; way++) {
					sealing = way;
					same_with_others(kind);
				}
}

XY_UNIT_MAIN("batch_wiped", {"nothing of secrets is left", test_wiped})
