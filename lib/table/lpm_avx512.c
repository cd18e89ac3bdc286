// SPDX-License-Identifier: BSD-3-Clause
// Longest prefix match with eight keys to a vector: each step takes a node of each. Eight such
// groups go down in turn, as the lanes of lpm.c do, so that what memory is slow to give to one is
// there when its turn comes again. The highest nodes are few and in the near caches: what is asked
// for ahead is the nodes below them (without that, a million IPv6 prefixes go at half the speed;
// with it for all, a thousand at 0.9 of it).
#include "table/lpm_kernel.h"

#include <immintrin.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>

enum { GROUP = 8, GROUPS = LANES / GROUP };

struct group {
	alignas(64) uint64_t node[GROUP];
	uint64_t hi[GROUP], lo[GROUP]; // the key
	uint64_t best[GROUP];	       // address of the longest match's value so far
};

static const uint32_t miss = XY_TABLE_MISS;

static inline __m512i all(uint64_t x)
{
	return _mm512_set1_epi64((long long)x);
}

static inline __m512i load(const uint64_t *from)
{
	return _mm512_load_si512(from);
}

static inline void store(uint64_t *to, __m512i x)
{
	_mm512_store_si512(to, x);
}

// The word at each of these addresses; 0 where it is not asked for, and nothing is read there.
static inline __m512i words_at(__mmask8 of, __m512i address, unsigned offset)
{
	const void *base = (const void *)(uintptr_t)offset; // NOLINT
	return _mm512_mask_i64gather_epi64(_mm512_setzero_si512(), of, address, base, 1);
}

static inline __m256i halves_at(__mmask8 of, __m512i address)
{
	return _mm512_mask_i64gather_epi32(_mm256_setzero_si256(), of, address, NULL, 1);
}

static inline __m512i big_endian(__m512i x)
{
	const __m128i reversed = _mm_set_epi64x(0x08090a0b0c0d0e0f, 0x0001020304050607);
	return _mm512_shuffle_epi8(x, _mm512_broadcast_i32x4(reversed));
}

static inline void prefetch(const uint64_t *address)
{
	for (unsigned i = 0; i < GROUP; i++)
		__builtin_prefetch((const void *)(uintptr_t)address[i]); // NOLINT
}

static inline void start(struct group *g, const struct root *r, const uint8_t *const *keys,
			 __mmask8 of, unsigned bits)
{
	__m512i key = _mm512_maskz_loadu_epi64(of, keys), hi, lo = _mm512_setzero_si512();
	if (bits == 32) {
		hi = big_endian(_mm512_cvtepu32_epi64(halves_at(of, key)));
	} else {
		hi = big_endian(words_at(of, key, 0));
		lo = big_endian(words_at(of, key, 8));
	}
	__m512i slot = _mm512_srli_epi64(hi, 64 - ROOT_BITS);
	__m512i below =
		_mm512_and_si512(_mm512_srli_epi64(hi, 64 - ROOT_BITS - STRIDE), all(FAN - 1));
	__m512i at = _mm512_i64gather_epi64(slot, r->start, sizeof(*r->start));
	__mmask8 paged = _mm512_test_epi64_mask(at, all(PAGED));
	__m512i node = _mm512_andnot_si512(all(PAGED), at);
	__m512i best = _mm512_add_epi64(node, all(offsetof(struct page, best)));
	best = _mm512_add_epi64(best, _mm512_slli_epi64(below, 2));
	best = _mm512_mask_mov_epi64(all((uintptr_t)&miss), paged, best);
	node = _mm512_mask_add_epi64(node, paged, node, _mm512_slli_epi64(below, 5));
	store(g->node, node);
	store(g->hi, hi);
	store(g->lo, lo);
	store(g->best, best);
}

// The key from its bit `depth` on: shifts by 64 and more, and by less than none, give zero.
static inline __m512i key_at(const struct group *g, __m512i depth, unsigned bits)
{
	__m512i key = _mm512_sllv_epi64(load(g->hi), depth);
	if (bits == 32)
		return key;
	__m512i lo = load(g->lo), whole = all(64);
	key = _mm512_or_si512(key, _mm512_srlv_epi64(lo, _mm512_sub_epi64(whole, depth)));
	return _mm512_or_si512(key, _mm512_sllv_epi64(lo, _mm512_sub_epi64(depth, whole)));
}

static inline __m512i two_nodes(const uint64_t *node)
{
	const void *low = (const void *)(uintptr_t)node[0],
		   *high = (const void *)(uintptr_t)node[GROUP / 2]; // NOLINT
	return _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_load_si256(low)),
				  _mm256_load_si256(high), 1);
}

// A load of each and eight shuffles: half of what four gathers cost.
static inline void nodes(const uint64_t *node, __m512i *children, __m512i *prefixes, __m512i *skip,
			 __m512i *at)
{
	const __m512i first = _mm512_set_epi64(13, 12, 5, 4, 9, 8, 1, 0),
		      last = _mm512_set_epi64(15, 14, 7, 6, 11, 10, 3, 2);
	__m512i a = two_nodes(node), b = two_nodes(node + 1), c = two_nodes(node + 2),
		d = two_nodes(node + 3);
	__m512i ab = _mm512_unpacklo_epi64(a, b), cd = _mm512_unpacklo_epi64(c, d);
	*prefixes = _mm512_permutex2var_epi64(ab, first, cd);
	*children = _mm512_permutex2var_epi64(ab, last, cd);
	ab = _mm512_unpackhi_epi64(a, b), cd = _mm512_unpackhi_epi64(c, d);
	*skip = _mm512_permutex2var_epi64(ab, first, cd);
	*at = _mm512_permutex2var_epi64(ab, last, cd);
}

// One node of each; returns for which there is a next one.
static inline __mmask8 step(struct group *g, __mmask8 of, unsigned bits, bool ahead)
{
	const __m512i one = all(1);
	__m512i n = load(g->node);
	__m512i children, prefixes, skip, block;
	nodes(g->node, &children, &prefixes, &skip, &block);
	__m512i depth = _mm512_and_si512(_mm512_srli_epi64(skip, 7), all(127));
	__m512i skipped = _mm512_and_si512(skip, all(63));
	__m512i key = key_at(g, depth, bits);
	__m512i other =
		_mm512_srlv_epi64(_mm512_xor_si512(key, skip), _mm512_sub_epi64(all(64), skipped));
	__m512i at = _mm512_srli_epi64(_mm512_sllv_epi64(key, skipped), 64 - STRIDE);
	of = _mm512_mask_testn_epi64_mask(of, other, other);

	__m512i match =
		_mm512_and_si512(prefixes, _mm512_i64gather_epi64(at, covering, sizeof(*covering)));
	__mmask8 found = _mm512_mask_test_epi64_mask(of, match, match);
	__m512i before = _mm512_andnot_si512(match, _mm512_sub_epi64(match, one));
	before = _mm512_popcnt_epi64(_mm512_and_si512(prefixes, before));
	__mmask8 own = _mm512_test_epi64_mask(skip, all(INLINE));
	__m512i values = _mm512_mask_add_epi64(block, own, n, all(sizeof(struct node)));
	values = _mm512_sub_epi64(
		values, _mm512_slli_epi64(_mm512_add_epi64(before, one), 2)); // of four bytes
	_mm512_mask_store_epi64(g->best, found, values);

	__m512i upto = _mm512_sllv_epi64(children, _mm512_sub_epi64(all(63), at));
	__mmask8 more = _mm512_mask_cmplt_epi64_mask(of & ~own, upto, _mm512_setzero_si512());
	__m512i before_child = _mm512_sub_epi64(_mm512_popcnt_epi64(upto), one);
	n = _mm512_mask_add_epi64(n, more, block, _mm512_slli_epi64(before_child, 5));
	store(g->node, n);
	if (ahead)
		prefetch(g->node);
	return more;
}

static inline void answer(const struct group *g, const struct root *r, uint32_t *out, __mmask8 of)
{
	__m512i slot = _mm512_srli_epi64(load(g->hi), 64 - ROOT_BITS);
	__m256i value = halves_at(of, load(g->best));
	__mmask8 none = _mm256_cmpeq_epi32_mask(value, _mm256_set1_epi32(-1));
	value = _mm512_mask_i64gather_epi32(value, none, slot, r->best, sizeof(*r->best));
	// Of all 16, as gcc 12 makes a masked store of 8 one that faults beyond its mask.
	_mm512_mask_storeu_epi32(out, of, _mm512_castsi256_si512(value));
}

static inline __mmask8 lanes_of(unsigned group, unsigned n)
{
	unsigned rest = n - group * GROUP;
	return rest < GROUP ? (__mmask8)((1U << rest) - 1) : 0xff;
}

static inline __attribute__((always_inline)) void lookup_lanes(const struct root *r,
							       const uint8_t *const *keys,
							       uint32_t *out, unsigned n,
							       unsigned bits)
{
	struct group g[GROUPS];
	__mmask8 busy[GROUPS];
	unsigned groups = (n + GROUP - 1) / GROUP, left = groups;
	const unsigned far = bits == 32 ? 0 : 1;

	for (unsigned i = 0; i < groups; i++) {
		busy[i] = lanes_of(i, n);
		start(&g[i], r, keys + i * GROUP, busy[i], bits);
	}
	for (unsigned level = 0; left; level++) {
		left = 0;
		for (unsigned i = 0; i < groups; i++) {
			if (!busy[i])
				continue;
			busy[i] = step(&g[i], busy[i], bits, level >= far);
			left += busy[i] != 0;
		}
	}
	for (unsigned i = 0; i < groups; i++)
		answer(&g[i], r, out + i * GROUP, lanes_of(i, n));
}

static void lookup(const struct root *r, const uint8_t *const *keys, uint32_t *out, unsigned n,
		   unsigned bits)
{
	if (bits == 32)
		lookup_lanes(r, keys, out, n, 32);
	else
		lookup_lanes(r, keys, out, n, 128);
}

const struct xy_lpm_kernel xy_lpm_avx512 = {.name = "avx512", .lookup = lookup};
