// SPDX-License-Identifier: BSD-3-Clause
#include "x25519/x25519.h"

#include "base/wipe.h"
#include "x25519/kernel.h"

#include <sodium.h>
#include <stdatomic.h>
#include <string.h>
#include <x86intrin.h>

enum {
	LANES = XY_X25519_LANES,
	TRIES = 4,
	NEVER = LANES + 1,
	DEPTH = 16 << 10, // a kernel's frames take less than half of it
};

static const uint8_t base_point[XY_X25519_LEN] = {9};

// --- one by one

static void one(const struct xy_x25519_op *op)
{
	int r = op->pk ? crypto_scalarmult(op->out, op->sk, op->pk)
		       : crypto_scalarmult_base(op->out, op->sk);
	if (r) // of small order: it wrote nothing that is told of
		memset(op->out, 0, XY_X25519_LEN);
}

// --- eight at once

// Where the kernel's frames were: both are called from the same depth.
static __attribute__((noinline)) void frames_wipe(void)
{
	uint8_t frames[DEPTH];
	memset(frames, 0, sizeof(frames));
	__asm__ volatile("" : : "r"(frames) : "memory"); // it is read, for all the compiler knows
}

static __attribute__((noinline)) void eight(const struct xy_x25519_op *op, unsigned n)
{
	struct xy_x25519_op all[LANES];
	for (unsigned i = 0; i < n; i++) {
		all[i] = op[i];
		if (!all[i].pk)
			all[i].pk = base_point;
	}
	xy_x25519_ifma.run(all, n);
	frames_wipe();
	xy_registers_wipe();
}

// --- which

static uint64_t least(void (*run)(const struct xy_x25519_op *op), const struct xy_x25519_op *op)
{
	uint64_t out = UINT64_MAX;
	for (unsigned i = 0; i < TRIES; i++) {
		uint64_t start = __rdtsc();
		run(op);
		uint64_t spent = __rdtsc() - start;
		out = spent < out ? spent : out;
	}
	return out;
}

static void all(const struct xy_x25519_op *op)
{
	eight(op, LANES);
}

// The kernel is used from so many on. It costs the same for each number up to its lanes; and one
// that does not say what the library says is not used at all.
static unsigned measure(void)
{
	uint8_t sk[LANES][XY_X25519_LEN], pk[LANES][XY_X25519_LEN], out[LANES][XY_X25519_LEN];
	uint8_t right[sizeof(out)];
	struct xy_x25519_op op[LANES];
	if (!xy_x25519_ifma.can())
		return NEVER;
	for (unsigned i = 0; i < LANES; i++) {
		memset(sk[i], (int)(1 + i), sizeof(sk[i]));
		memset(pk[i], (int)(64 + i), sizeof(pk[i]));
		op[i] = (struct xy_x25519_op){.sk = sk[i], .pk = pk[i], .out = out[i]};
		one(&op[i]);
	}
	memcpy(right, out, sizeof(right));
	uint64_t single = least(one, op), kernel = least(all, op);
	uint64_t from = kernel / single + 1;
	return memcmp(right, out, sizeof(right)) || from > LANES ? NEVER : (unsigned)from;
}

// 0: not yet known. Who finds it so measures, and all of them find about the same.
static atomic_uint chosen;

static unsigned kernel_from(void)
{
	unsigned from = atomic_load_explicit(&chosen, memory_order_relaxed);
	if (!from) {
		from = measure();
		atomic_store_explicit(&chosen, from, memory_order_relaxed);
	}
	return from;
}

void xy_x25519_burst(const struct xy_x25519_op *op, unsigned n)
{
	unsigned from = n > 1 ? kernel_from() : NEVER;
	while (n) {
		unsigned now = n < LANES ? n : LANES;
		if (now >= from)
			eight(op, now);
		else
			for (unsigned i = 0; i < now; i++)
				one(&op[i]);
		op += now;
		n -= now;
	}
}

unsigned xy_x25519_side_by_side(void)
{
	unsigned from = kernel_from();
	return from < NEVER ? from : 0;
}
