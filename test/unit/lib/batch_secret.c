// SPDX-License-Identifier: BSD-3-Clause
// Sealing and opening with keys and text of which valgrind, or clang's MemorySanitizer, is told
// that they are undefined: it complains where a branch or an address depends on them. What may
// depend on them, the tag's comparison, is told to be known only after. batch_secret_test.sh runs
// it.
//   unit_batch_secret          exit code as the tool's
//   unit_batch_secret leak N   with a branch on what kernel N makes of secrets, which must be
//   found;
//                              77: there is no such kernel
// Kernels are those that this CPU has the instructions of. Valgrind has none of AVX-512; for it,
// last, the kernel with those in plain C (emulated/immintrin.h). MemorySanitizer knows the real
// ones, but what it makes of a product is coarse.
#include "aead/batch.h"
#include "aead/kernel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef MEMORY_SANITIZER
#include <sanitizer/msan_interface.h>
#define SECRET __msan_poison
#define KNOWN  __msan_unpoison
static const struct xy_batch_kernel *const emulated = NULL;
#else
#include <valgrind/memcheck.h>
#define SECRET VALGRIND_MAKE_MEM_UNDEFINED
#define KNOWN  VALGRIND_MAKE_MEM_DEFINED
extern const struct xy_batch_kernel xy_batch_emulated;
static const struct xy_batch_kernel *const emulated = &xy_batch_emulated;
#endif

enum { ROOM = 2112 };

static uint8_t key[XY_BATCH_MAX][32], data[XY_BATCH_MAX][ROOM], tag[XY_BATCH_MAX][16];
static struct xy_batch_op op[XY_BATCH_MAX];

static void secret(unsigned n, uint32_t (*len)(unsigned))
{
	for (unsigned i = 0; i < n; i++) {
		op[i] = (struct xy_batch_op){.key = key[i],
					     .counter = i,
					     .src = data[i],
					     .dst = data[i],
					     .tag = tag[i],
					     .len = len(i)};
		SECRET(key[i], sizeof(key[i]));
		SECRET(data[i], sizeof(data[i]));
	}
}

static uint32_t alike(unsigned i)
{
	(void)i;
	return 1420;
}

static uint32_t small(unsigned i)
{
	return i % 70;
}

static uint32_t mixed(unsigned i)
{
	return i % 7 == 0 ? 2000 : 64 + i;
}

// The tag, too, is of secrets, until it is sent.
static int round_trip(const struct xy_batch_kernel *k, unsigned n, uint32_t (*len)(unsigned))
{
	int bad = 0;
	secret(n, len);
	xy_batch_seal(k, op, n);
	xy_batch_open(k, op, n);
	KNOWN(op, sizeof(op));
	for (unsigned i = 0; i < n; i++)
		bad |= !op[i].ok;
	return bad;
}

static const struct xy_batch_kernel *kernel(unsigned which)
{
	unsigned n = 0;
	while (xy_batch_kernel(n))
		n++;
	return which < n ? xy_batch_kernel(which) : which == n ? emulated : NULL;
}

// What leaves a kernel is still secret.
static int leak(const struct xy_batch_kernel *k)
{
	if (!k)
		return 77;
	secret(9, mixed);
	xy_batch_seal(k, op, 9);
	if (tag[8][15] & 0x80)
		puts("one");
	return 0;
}

int main(int argc, char **argv)
{
	static uint32_t (*const lengths[])(unsigned) = {alike, small, mixed};
	const struct xy_batch_kernel *k;
	int bad = 0;
	if (argc > 2 && strcmp(argv[1], "leak") == 0)
		return leak(kernel((unsigned)atoi(argv[2])));
	for (unsigned which = 0; (k = kernel(which)) != NULL; which++)
		for (unsigned i = 0; i < 3; i++)
			for (unsigned n = 1; n <= XY_BATCH_MAX; n += n < 13 ? 1 : 17)
				bad |= round_trip(k, n, lengths[i]);
	return bad;
}
