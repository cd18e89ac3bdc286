// SPDX-License-Identifier: BSD-3-Clause
// What readers of a longest prefix match table walk through (lpm.c says how it is made and when it
// may change), and what looks keys up in it with one instruction set. lib/table alone.
#pragma once

#include "table/blocks.h"
#include "table/lpm.h"

#include <assert.h>
#include <stdint.h>

enum {
	STRIDE = 6,
	FAN = 1 << STRIDE,
	ROOT_BITS = 7,
	ROOT_FAN = 1 << ROOT_BITS,
	LANES = 64, // keys at once; a million IPv4, Zen 3: 16, 32, 64 do 12, 19, 27 M lookups/s
	UNIT = XY_BLOCK_ALIGN,
	INLINE = 1 << 6,
};

struct node {
	uint64_t prefixes; // bit 64 - (2 << len) + bits: prefixes of len 0..5 bits, longest first
	uint64_t skip;	   // bits 63..16: bits that all keys here share, from the left; 13..7: the
			   // depth at which they begin; 6: INLINE; 5..0: how many
	uint64_t children; // bit i: there is a child for the six bits i
	struct node *at;   // the children; before them the values, backwards
	// INLINE: values instead of these two, backwards from the node's end, and no children.
};
static_assert(sizeof(struct node) == 32, "two nodes in a cache line");
static_assert(UNIT == sizeof(struct node), "children begin where a node may");

// Below seven bits that many keys share: the nodes of the next level, and the longest prefix above
// each. All of it can be had from the writer's node; it saves readers that one.
struct page {
	struct node node[FAN];
	uint32_t best[FAN];
};
enum { PAGED = 1 };

struct root {
	uint64_t start[ROOT_FAN]; // a node, or PAGED and a page
	uint32_t best[ROOT_FAN];  // longest of the prefixes below, for each seven bits
};

// Entry i: the prefixes of a node, as bits of its map, that cover the six bits i.
#define COVER1(i)                                                              \
	(UINT64_C(1) << ((i) >> 1) | UINT64_C(1) << (32 + ((i) >> 2)) |        \
	 UINT64_C(1) << (48 + ((i) >> 3)) | UINT64_C(1) << (56 + ((i) >> 4)) | \
	 UINT64_C(1) << (60 + ((i) >> 5)) | UINT64_C(1) << 62)
#define COVER4(i)  COVER1(i), COVER1((i) + 1), COVER1((i) + 2), COVER1((i) + 3)
#define COVER16(i) COVER4(i), COVER4((i) + 4), COVER4((i) + 8), COVER4((i) + 12)
static const uint64_t covering[FAN] = {COVER16(0), COVER16(16), COVER16(32), COVER16(48)};

struct xy_lpm_kernel {
	const char *name; // of its instruction set
	// 1 to LANES keys of `bits` bits; reads no byte that is not a key's.
	void (*lookup)(const struct root *r, const uint8_t *const *keys, uint32_t *out, unsigned n,
		       unsigned bits);
};

extern const struct xy_lpm_kernel xy_lpm_avx512; // F, BW, DQ, VL and VPOPCNTDQ
