// SPDX-License-Identifier: BSD-3-Clause
#include "bench.h"

#include <rte_cycles.h>

enum { TIMES = 64, ROOM = 2048 };

// Hot, for the same few are used again and again.
static uint8_t buffer[XY_BURST * ROOM] __rte_cache_aligned;
static struct xy_aead_schedule key[2][XY_BURST] __rte_cache_aligned;

static uint32_t box_len(const struct bench *b, bool inside)
{
	bool far = b->load.path == TO_FAR || b->load.path == FROM_FAR;
	uint32_t len = RTE_ALIGN_CEIL(b->load.size, 16u);
	return far && !inside ? RTE_ALIGN_CEIL(len + XY_WG_DATA_OVERHEAD + XY_IPV6_LEN, 16u) : len;
}

// The same of a link's, as far as it is covered: a far node's packets go in one, whole within.
static uint32_t link_len(const struct bench *b)
{
	uint32_t len = box_len(b, false);
	bool sealed = b->load.path != TO_LINK && b->load.path != FROM_LINK;
	bool data = b->load.path != RELAY || b->load.size >= XY_IPV6_LEN + XY_WG_DATA_OVERHEAD;
	bool light = b->load.light && sealed && data && len > XY_WG_LIGHT_LEN;
	return light ? (uint32_t)XY_WG_LIGHT_LEN : len;
}

static void ops_make(const struct bench *b, const struct xy_aead_schedule *keys, uint32_t len,
		     struct xy_aead_op *op)
{
	// Without unused lines between them: the nearest cache has few ways.
	uint32_t step = RTE_ALIGN_CEIL(len + XY_WG_TAG_LEN, (uint32_t)RTE_CACHE_LINE_SIZE);
	for (unsigned i = 0; i < b->load.burst; i++) {
		uint8_t *data = buffer + (size_t)i * step;
		op[i] = (struct xy_aead_op){.key = &keys[i],
					    .suite = b->load.suite,
					    .counter = i,
					    .data = data,
					    .len = len,
					    .tag = data + len};
	}
}

// What is sealed is opened again, so each pass finds what it must; only those that the way has
// count.
static uint64_t pass(const struct bench *b, const struct xy_aead_schedule *keys, uint32_t len)
{
	struct xy_aead_op op[XY_BURST];
	enum path path = b->load.path;
	ops_make(b, keys, len, op);
	uint64_t start = rte_rdtsc();
	xy_aead_seal_burst(b->cipher, op, b->load.burst);
	uint64_t between = rte_rdtsc();
	xy_aead_open_burst(b->cipher, op, b->load.burst);
	uint64_t end = rte_rdtsc();
	for (unsigned i = 0; i < b->load.burst; i++)
		if (!op[i].ok)
			die("the bare cipher", NULL);
	bool seals = path == RELAY || path == TO_LINK || path == TO_FAR;
	bool opens = path == RELAY || path == FROM_LINK || path == FROM_FAR;
	return (seals ? between - start : 0) + (opens ? end - between : 0);
}

static void keys_make(const struct bench *b)
{
	static bool made;
	uint8_t secret[XY_AEAD_KEY_LEN] = {1};
	for (unsigned i = 0; !made && i < 2 * XY_BURST; i++) {
		secret[0] = (uint8_t)i;
		if (xy_aead_key_set(b->load.suite, &key[0][0] + i, secret))
			die("key", NULL);
	}
	made = true;
}

void best_measure(const struct bench *b, unsigned rounds, struct samples *best)
{
	keys_make(b);
	for (unsigned i = 0; i < rounds * TIMES; i++) {
		uint64_t spent = pass(b, key[0], link_len(b));
		if (b->fars)
			spent += pass(b, key[1], box_len(b, true));
		sample_add(best, spent);
	}
}
