// SPDX-License-Identifier: BSD-3-Clause
// Sealing and opening with keys and text that valgrind is told are undefined: it complains where a
// branch or an address depends on them. What may depend on them, the tag's comparison, is told to
// be known only after. batch_secret_test.sh runs it.
//   unit_batch_secret          exit code as valgrind's; 77: this machine has no kernel
//   unit_batch_secret leak     with a branch on a key, which must be found
#include "aead/batch.h"

#include <stdio.h>
#include <string.h>
#include <valgrind/memcheck.h>

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
		VALGRIND_MAKE_MEM_UNDEFINED(key[i], sizeof(key[i]));
		VALGRIND_MAKE_MEM_UNDEFINED(data[i], sizeof(data[i]));
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
	VALGRIND_MAKE_MEM_DEFINED(op, sizeof(op));
	for (unsigned i = 0; i < n; i++)
		bad |= !op[i].ok;
	return bad;
}

int main(int argc, char **argv)
{
	static uint32_t (*const lengths[])(unsigned) = {alike, small, mixed};
	const struct xy_batch_kernel *k = xy_batch_kernel();
	int bad = 0;
	if (!k)
		return 77;
	for (unsigned i = 0; i < 3; i++)
		for (unsigned n = 1; n <= XY_BATCH_MAX; n += n < 13 ? 1 : 17)
			bad |= round_trip(k, n, lengths[i]);
	if (argc > 1 && strcmp(argv[1], "leak") == 0 && key[0][0] == 1)
		puts("one");
	return bad;
}
