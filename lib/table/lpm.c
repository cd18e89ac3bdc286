// SPDX-License-Identifier: BSD-3-Clause
// A tree bitmap (Eatherton, Varghese, Dittia: "Tree Bitmap", 2004) of six bits a node, with its
// children in one array (an index is a popcount, a step is one cache line, as in Poptrie: Asai and
// Ohara, SIGCOMM 2015) and single paths skipped. The first seven bits index the root directly, and
// where many keys share them thirteen do, so that nodes begin at bits 7, 13, 19, ... and /24, /48
// and the /29 to /36 of allocations end inside a node, beside others, and not in one of their own.
// Prefixes are not pushed down to leaves: a change touches the nodes on its path only.
//
// Readers go down with a burst of keys at once, a node of each in turn, so that what memory is slow
// to give to one is there when its turn comes again. A step has no branch: where a key ends and
// what covers it are random, and a wrong guess costs as much as the step.
//
// Who may write what: what readers can reach is never changed. A block (a node's values and child
// nodes) carries the number of the batch that made it: the writer changes a block of this batch in
// place and copies any other first, from the root down, so a fresh block is below fresh blocks only
// and no reader has seen it. _commit publishes the root by one store and then retires what was
// replaced, as before that store readers may still come to it by the old root.
#include "table/lpm.h"

#include "base/bytes.h"
#include "table/lpm_kernel.h"

#include <assert.h>
#include <errno.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
	SKIP_MAX = 8, // strides: a step sees 57 bits of the key, the six that it takes included
	MAX_NODES = (128 - ROOT_BITS) / STRIDE + 1,
	PAGE_FROM = 144, // prefixes that share seven bits: a page is at most 16 bytes for each
	MAX_UNITS = 74,	 // the largest block: 64 children and 63 values, 2336 bytes
	INLINE_MOST = 4,
	FEW = 4, // keys: what steps through one by one is as fast
};

// What a block begins with. Readers do not look here.
struct head {
	union {
		uint64_t batch;	   // that made the block
		struct head *next; // once it is replaced
	};
};

struct xy_lpm {
	// workers: ro
	_Atomic(struct root *) root;
	const struct xy_lpm_kernel *kernel;
	unsigned bits;
	// writer's alone
	alignas(64) struct xy_reclaim *reclaim;
	struct xy_blocks *blocks;
	struct root *next; // the root with changes not published yet, else the published one
	struct node node[ROOT_FAN];
	struct node *fresh[ROOT_FAN]; // where this batch's are for readers
	uint32_t below[ROOT_FAN];     // prefixes of seven bits and more
	uint32_t prefix[ROOT_FAN];    // by (1 << len) + bits: lengths 0..6
	uint64_t batch;
	uint32_t limit, count;
	size_t bytes;
	struct head *replaced[MAX_UNITS]; // by size: blocks to retire at the next commit
};

// --- keys, shifted so that the bits to look at come first

struct bits {
	uint64_t hi, lo;
};

static inline struct bits shifted(struct bits k, unsigned n) // n: 0..63
{
	return (struct bits){.hi = k.hi << n | (k.lo >> 1) >> (63 - n), .lo = k.lo << n};
}

static inline uint64_t top(struct bits k, unsigned n) // n: 0..63
{
	return (k.hi >> 1) >> (63 - n);
}

static inline struct bits load(const struct xy_lpm *t, const uint8_t *key)
{
	if (t->bits == 32)
		return (struct bits){.hi = (uint64_t)xy_be32_load(key) << 32};
	return (struct bits){.hi = xy_be64_load(key), .lo = xy_be64_load(key + 8)};
}

// --- nodes

static inline uint64_t bit(unsigned i)
{
	return UINT64_C(1) << i;
}

static inline unsigned rank(uint64_t map, unsigned i) // how many bits stand before bit i
{
	return (unsigned)__builtin_popcountll(map & (bit(i) - 1));
}

static inline unsigned count(uint64_t map)
{
	return (unsigned)__builtin_popcountll(map);
}

static inline unsigned skipped(const struct node *n) // bits
{
	return n->skip & 63;
}

static inline unsigned depth_of(const struct node *n)
{
	return n->skip >> 7 & 127;
}

static inline unsigned skip_strides(const struct node *n)
{
	return skipped(n) / STRIDE;
}

static inline uint64_t skip_bits(const struct node *n)
{
	return (n->skip >> 1) >> (63 - skipped(n));
}

static void set_skip(struct node *to, unsigned depth, unsigned strides, uint64_t bits)
{
	unsigned n = strides * STRIDE;
	to->skip = (n ? bits << (64 - n) : 0) | depth << 7 | (to->skip & INLINE) | n;
}

static inline uint64_t children_of(const struct node *n)
{
	return n->skip & INLINE ? 0 : n->children;
}

// A node without children that has at most four values needs no block. n: not inline yet.
static bool fits_inline(const struct node *n)
{
	return !n->children && count(n->prefixes) <= INLINE_MOST;
}

static uint32_t *value_at(const struct node *n, unsigned i)
{
	return (uint32_t *)(n->skip & INLINE ? n + 1 : n->at) - 1 - i;
}

static bool is_empty(const struct node *n)
{
	return !n->children && !n->prefixes;
}

// Bytes before the child array: head and values, so that each child keeps within a cache line.
static size_t front(unsigned values)
{
	return (sizeof(struct head) + values * sizeof(uint32_t) + UNIT - 1) / UNIT * UNIT;
}

static size_t block_size(const struct node *n)
{
	return front(count(n->prefixes)) + count(n->children) * sizeof(struct node);
}

static struct head *head_of(const struct node *n)
{
	return (struct head *)((char *)n->at - front(count(n->prefixes)));
}

// --- readers

// Bits below the lowest of `map`, among those of `of`: how many values stand before the longest.
static inline unsigned before_longest(uint64_t of, uint64_t map)
{
	return count(of & ~map & (map - 1));
}

// What a lane without a match points to, and an empty slot; kernels load a node at once.
static alignas(UNIT) const struct node nothing;

// test ? yes : no, without a branch, which compilers make of it.
static inline uint64_t pick(uint64_t test, uint64_t yes, uint64_t no)
{
	__asm__("test %1, %1\n\tcmovne %2, %0" : "+r"(no) : "r"(test), "r"(yes) : "cc");
	return no;
}

struct lanes {
	const struct node *node[LANES];
	uint64_t best[LANES]; // node of the longest match so far; above: the six bits there
	const uint32_t *none[LANES];
	union {
		uint64_t word[LANES][3]; // IPv6: 0, the low and the high half
		uint64_t v4[LANES];
	} key;
	unsigned busy[LANES];
};

enum { BEST_SHIFT = 58 };

static const uint32_t miss = XY_TABLE_MISS;

// The key from the node's depth on.
static inline uint64_t key_at(const struct lanes *l, unsigned i, uint64_t skip, unsigned bits)
{
	uint64_t x;
	unsigned depth = skip >> 7 & 127;
	if (bits == 32)
		return l->key.v4[i] << depth;
	memcpy(&x, (const char *)l->key.word[i] + 16 - depth / 8, sizeof(x));
	return x << depth % 8;
}

// One node, without a branch: which way a key goes cannot be predicted. true: there is a next one.
static inline bool lane_step(struct lanes *l, unsigned i, unsigned bits)
{
	const struct node *n = l->node[i];
	uint64_t skip = n->skip, key = key_at(l, i, skip, bits);
	uint64_t other = ((key ^ skip) >> 1) >> (~skip & 63);
	uint64_t rest = key << (skip & 63), at = rest >> (64 - STRIDE);
	uint64_t match = pick(other, 0, n->prefixes & covering[at]);
	uint64_t upto = pick(other | (skip & INLINE), 0, n->children << (~at & 63));
	uint64_t next = (uintptr_t)n->at + (count(upto) - 1) * sizeof(*n);
	next = pick(upto >> 63, next, (uintptr_t)n);
	l->best[i] = pick(match, at << BEST_SHIFT | (uintptr_t)n, l->best[i]);
	l->node[i] = (const struct node *)next; // NOLINT
	__builtin_prefetch(l->node[i]);
	return upto >> 63;
}

static inline uint64_t lane_key(const struct lanes *l, unsigned i, unsigned bits)
{
	return bits == 32 ? l->key.v4[i] : l->key.word[i][2];
}

static inline void lane_start(struct lanes *l, unsigned i, const struct root *r, const uint8_t *key,
			      unsigned bits)
{
	if (bits == 32) {
		l->key.v4[i] = (uint64_t)xy_be32_load(key) << 32;
	} else {
		l->key.word[i][0] = 0;
		l->key.word[i][1] = xy_be64_load(key + 8);
		l->key.word[i][2] = xy_be64_load(key);
	}
	uint64_t hi = lane_key(l, i, bits);
	unsigned slot = hi >> (64 - ROOT_BITS), below = hi >> (64 - ROOT_BITS - STRIDE) & (FAN - 1);
	uint64_t start = r->start[slot], node = start & ~(uint64_t)PAGED;
	uint64_t best = node + offsetof(struct page, best) + below * sizeof(uint32_t);
	below &= 0U - (unsigned)(start & PAGED);
	l->node[i] = (const struct node *)(node + below * sizeof(struct node));	    // NOLINT
	l->none[i] = (const uint32_t *)pick(start & PAGED, best, (uintptr_t)&miss); // NOLINT
	__builtin_prefetch(l->node[i]);
	l->best[i] = (uintptr_t)&nothing;
	l->busy[i] = i;
}

static inline const uint32_t *lane_answer(const struct lanes *l, unsigned i)
{
	uint64_t best = l->best[i];
	const struct node *n = (const struct node *)(uintptr_t)(best << 6 >> 6); // NOLINT
	uint64_t at = pick(n->skip & INLINE, (uintptr_t)(n + 1), (uintptr_t)n->at);
	at -= sizeof(uint32_t) *
	      (1 + before_longest(n->prefixes, n->prefixes & covering[best >> BEST_SHIFT]));
	return (const uint32_t *)pick(n->prefixes, at, (uintptr_t)l->none[i]); // NOLINT
}

static inline __attribute__((always_inline)) void lookup_lanes(const struct root *r,
							       const uint8_t *const *keys,
							       uint32_t *out, unsigned n,
							       unsigned bits)
{
	struct lanes l;
	const uint32_t *answer[LANES];
	unsigned left = n;

	for (unsigned i = 0; i < n; i++)
		lane_start(&l, i, r, keys[i], bits);
	while (left) {
		unsigned more = 0;
		for (unsigned j = 0; j < left; j++) {
			unsigned i = l.busy[j];
			l.busy[more] = i;
			more += lane_step(&l, i, bits);
		}
		left = more;
	}
	for (unsigned i = 0; i < n; i++) {
		answer[i] = lane_answer(&l, i);
		__builtin_prefetch(answer[i]);
	}
	for (unsigned i = 0; i < n; i++) {
		uint32_t value = *answer[i],
			 best = r->best[lane_key(&l, i, bits) >> (64 - ROOT_BITS)];
		out[i] = value == XY_TABLE_MISS ? best : value;
	}
}

static void lookup_scalar(const struct root *r, const uint8_t *const *keys, uint32_t *out,
			  unsigned n, unsigned bits)
{
	if (bits == 32)
		lookup_lanes(r, keys, out, n, 32);
	else
		lookup_lanes(r, keys, out, n, 128);
}

static const struct xy_lpm_kernel scalar = {.name = "scalar", .lookup = lookup_scalar};

void xy_lpm_lookup_burst_rcu(const struct xy_lpm *t, const uint8_t *const *keys, uint32_t *out,
			     unsigned n)
{
	const struct root *r = atomic_load_explicit(&t->root, memory_order_acquire);
	for (; n > LANES; n -= LANES, keys += LANES, out += LANES)
		t->kernel->lookup(r, keys, out, LANES, t->bits);
	(n < FEW ? &scalar : t->kernel)->lookup(r, keys, out, n, t->bits);
}

static bool has_avx512(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
	       __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
	       __builtin_cpu_supports("avx512vpopcntdq");
}

const struct xy_lpm_kernel *xy_lpm_kernel(unsigned i)
{
	if (!has_avx512())
		i++;
	return i == 0 ? &xy_lpm_avx512 : i == 1 ? &scalar : NULL;
}

const char *xy_lpm_kernel_name(const struct xy_lpm_kernel *k)
{
	return k->name;
}

void xy_lpm_use(struct xy_lpm *t, const struct xy_lpm_kernel *k)
{
	t->kernel = k;
}

// --- blocks

// Gives n a block of this batch for its maps; nothing is filled in. -ENOMEM changes nothing.
static int block_new(struct xy_lpm *t, struct node *n)
{
	if (fits_inline(n)) {
		n->skip |= INLINE;
		return 0;
	}
	n->skip &= ~(uint64_t)INLINE;
	size_t size = block_size(n);
	char *block = xy_blocks_alloc(t->blocks, size);
	if (!block)
		return -ENOMEM;
	n->at = (struct node *)(block + front(count(n->prefixes)));
	head_of(n)->batch = t->batch;
	t->bytes += xy_blocks_size(size);
	return 0;
}

// Frees the node's block, or keeps it for the commit if readers can reach it.
static void block_drop(struct xy_lpm *t, const struct node *n)
{
	if (n->skip & INLINE)
		return;
	size_t size = block_size(n);
	t->bytes -= xy_blocks_size(size);
	if (head_of(n)->batch == t->batch) {
		xy_blocks_free(head_of(n));
		return;
	}
	head_of(n)->next = t->replaced[size / UNIT];
	t->replaced[size / UNIT] = head_of(n);
}

static void copy_children(struct node *to, const struct node *from)
{
	for (uint64_t both = to->children & children_of(from); both; both &= both - 1) {
		unsigned i = (unsigned)__builtin_ctzll(both);
		to->at[rank(to->children, i)] = from->at[rank(from->children, i)];
	}
}

static void copy_values(struct node *to, const struct node *from)
{
	for (uint64_t both = to->prefixes & from->prefixes; both; both &= both - 1) {
		unsigned i = (unsigned)__builtin_ctzll(both);
		*value_at(to, rank(to->prefixes, i)) = *value_at(from, rank(from->prefixes, i));
	}
}

// Gives the node these children and prefixes, in a block of this batch; what is new in the maps is
// not filled in. -ENOMEM changes nothing.
static int reshape(struct xy_lpm *t, struct node *n, uint64_t children, uint64_t prefixes)
{
	struct node to = {.children = children, .prefixes = prefixes, .skip = n->skip};
	if (!is_empty(&to)) {
		int r = block_new(t, &to);
		if (r < 0)
			return r;
		copy_children(&to, n);
		copy_values(&to, n);
	}
	if (!is_empty(n))
		block_drop(t, n);
	*n = to;
	return 0;
}

// Makes the node's block one of this batch.
static int own(struct xy_lpm *t, struct node *n)
{
	if (is_empty(n) || n->skip & INLINE || head_of(n)->batch == t->batch)
		return 0;
	struct node to = *n;
	int r = block_new(t, &to);
	if (r < 0)
		return r;
	memcpy(head_of(&to), head_of(n), block_size(n));
	head_of(&to)->batch = t->batch;
	block_drop(t, n);
	*n = to;
	return 0;
}

static int own_root(struct xy_lpm *t)
{
	if (t->next != atomic_load_explicit(&t->root, memory_order_relaxed))
		return 0;
	struct root *r = xy_blocks_alloc(t->blocks, sizeof(*r));
	if (!r)
		return -ENOMEM;
	memcpy(r, t->next, sizeof(*r));
	t->next = r;
	return 0;
}

static int own_slot(struct xy_lpm *t, unsigned slot)
{
	if (!t->fresh[slot])
		t->fresh[slot] = xy_blocks_alloc(t->blocks, sizeof(struct node));
	return t->fresh[slot] ? 0 : -ENOMEM;
}

// Drops the blocks of the node and of all below it.
static void drop_below(struct xy_lpm *t, const struct node *n)
{
	if (is_empty(n))
		return;
	for (unsigned i = 0; i < count(children_of(n)); i++)
		drop_below(t, &n->at[i]);
	block_drop(t, n);
}

// --- setting

static struct node *child(const struct node *n, unsigned i)
{
	return &n->at[rank(n->children, i)];
}

// Bit of the map for the first len bits (0..5) of the key.
static unsigned position(struct bits key, unsigned len)
{
	return 64 - (2U << len) + (unsigned)top(key, len);
}

// A node for one prefix, and nodes below it where the skip is too short for all of its bits.
static int lone(struct xy_lpm *t, struct node *out, unsigned depth, struct bits key, unsigned len,
		uint32_t value)
{
	unsigned strides = len / STRIDE < SKIP_MAX ? len / STRIDE : SKIP_MAX;
	struct node n = {0}, below = {0};
	set_skip(&n, depth, strides, top(key, strides * STRIDE));
	key = shifted(key, strides * STRIDE);
	len -= strides * STRIDE;
	if (len < STRIDE) {
		n.prefixes = bit(position(key, len));
	} else {
		n.children = bit((unsigned)top(key, STRIDE));
		if (lone(t, &below, depth + (strides + 1) * STRIDE, shifted(key, STRIDE),
			 len - STRIDE, value) < 0)
			return -ENOMEM;
	}
	if (block_new(t, &n) < 0) {
		drop_below(t, &below);
		return -ENOMEM;
	}
	if (n.prefixes)
		*value_at(&n, 0) = value;
	else
		n.at[0] = below;
	*out = n;
	return 0;
}

// How many of the node's skipped strides the key shares, as far as its length goes.
static unsigned agreeing(const struct node *n, struct bits key, unsigned len)
{
	unsigned strides = skip_strides(n), most = len / STRIDE < strides ? len / STRIDE : strides;
	uint64_t ours = top(key, most * STRIDE);
	uint64_t theirs = skip_bits(n) >> (strides - most) * STRIDE;
	while (ours != theirs) {
		ours >>= STRIDE;
		theirs >>= STRIDE;
		most--;
	}
	return most;
}

// Cuts the skip after so many strides: the rest becomes a child's.
static int split(struct xy_lpm *t, struct node *n, unsigned strides)
{
	unsigned rest = skip_strides(n) - strides - 1;
	uint64_t bits = skip_bits(n) >> rest * STRIDE;
	struct node below = *n;
	set_skip(&below, depth_of(n) + (strides + 1) * STRIDE, rest,
		 skip_bits(n) & (bit(rest * STRIDE) - 1));
	struct node above = {.children = bit(bits & (FAN - 1))};
	set_skip(&above, depth_of(n), strides, bits >> STRIDE);
	int r = block_new(t, &above);
	if (r < 0)
		return r;
	above.at[0] = below;
	*n = above;
	return 0;
}

static int set_value(struct xy_lpm *t, struct node *n, unsigned at, uint32_t value)
{
	int r = n->prefixes & bit(at) ? own(t, n)
				      : reshape(t, n, children_of(n), n->prefixes | bit(at));
	if (r == 0)
		*value_at(n, rank(n->prefixes, at)) = value;
	return r;
}

static int add_child(struct xy_lpm *t, struct node *n, unsigned at, struct bits key, unsigned len,
		     uint32_t value)
{
	struct node below;
	unsigned depth = depth_of(n) + skipped(n) + STRIDE;
	int r = lone(t, &below, depth, key, len, value);
	if (r < 0)
		return r;
	r = reshape(t, n, children_of(n) | bit(at), n->prefixes);
	if (r < 0) {
		drop_below(t, &below);
		return r;
	}
	*child(n, at) = below;
	return 0;
}

// n lies in a block of this batch (or in the next root). -ENOMEM: the same prefixes as before.
static int set_below(struct xy_lpm *t, struct node *n, struct bits key, unsigned len,
		     uint32_t value)
{
	if (is_empty(n))
		return lone(t, n, ROOT_BITS, key, len, value);
	for (;;) {
		unsigned strides = agreeing(n, key, len);
		int r = strides < skip_strides(n) ? split(t, n, strides) : 0;
		if (r < 0)
			return r;
		key = shifted(key, strides * STRIDE);
		len -= strides * STRIDE;
		if (len < STRIDE)
			return set_value(t, n, position(key, len), value);
		unsigned i = (unsigned)top(key, STRIDE);
		key = shifted(key, STRIDE);
		len -= STRIDE;
		if (!(children_of(n) & bit(i)))
			return add_child(t, n, i, key, len, value);
		r = own(t, n);
		if (r < 0)
			return r;
		n = child(n, i);
	}
}

static uint32_t longest_short(const struct xy_lpm *t, unsigned slot)
{
	for (unsigned len = ROOT_BITS; len-- > 0;) {
		uint32_t value = t->prefix[1U << len | slot >> (ROOT_BITS - len)];
		if (value != XY_TABLE_MISS)
			return value;
	}
	return XY_TABLE_MISS;
}

static void set_short(struct xy_lpm *t, struct bits key, unsigned len, uint32_t value)
{
	unsigned bits = (unsigned)top(key, len), below = ROOT_BITS - len;
	t->prefix[1U << len | bits] = value;
	for (unsigned slot = bits << below; slot < (bits + 1) << below; slot++)
		t->next->best[slot] = longest_short(t, slot);
}

int xy_lpm_set(struct xy_lpm *t, const uint8_t *key, uint8_t len, uint32_t value)
{
	if (len > t->bits || value == XY_TABLE_MISS)
		return -EINVAL;
	bool there = xy_lpm_get(t, key, len) != XY_TABLE_MISS;
	if (!there && t->count >= t->limit)
		return -ENOSPC;
	struct bits k = load(t, key);
	unsigned slot = (unsigned)top(k, ROOT_BITS);
	if (own_root(t))
		return -ENOMEM;
	if (len < ROOT_BITS)
		set_short(t, k, len, value);
	else if (own_slot(t, slot) ||
		 set_below(t, &t->node[slot], shifted(k, ROOT_BITS), len - ROOT_BITS, value))
		return -ENOMEM;
	t->count += !there;
	t->below[slot] += !there && len >= ROOT_BITS;
	return 0;
}

// --- deleting

// Takes in the only child of a node that has no prefix of its own, when one skip can hold both.
static void join(struct xy_lpm *t, struct node *n)
{
	if (n->prefixes || count(children_of(n)) != 1)
		return;
	struct node below = n->at[0];
	unsigned strides = skip_strides(n) + 1 + skip_strides(&below);
	if (strides > SKIP_MAX)
		return;
	uint64_t bits = skip_bits(n) << STRIDE | (unsigned)__builtin_ctzll(n->children);
	bits = bits << skip_strides(&below) * STRIDE | skip_bits(&below);
	set_skip(&below, depth_of(n), strides, bits);
	block_drop(t, n);
	*n = below;
}

struct path {
	struct node *node[MAX_NODES];
	unsigned index[MAX_NODES]; // of the child taken
	unsigned depth;		   // of the last node
	unsigned position;	   // of the prefix there
};

// Walks down to a prefix that is there, and makes all above its node ours to change.
static int descend(struct xy_lpm *t, struct node *n, struct bits key, unsigned len, struct path *p)
{
	for (p->depth = 0;; p->depth++) {
		p->node[p->depth] = n;
		key = shifted(key, skip_strides(n) * STRIDE);
		len -= skip_strides(n) * STRIDE;
		if (len < STRIDE) {
			p->position = position(key, len);
			return 0;
		}
		int r = own(t, n);
		if (r < 0)
			return r;
		p->index[p->depth] = (unsigned)top(key, STRIDE);
		n = child(n, p->index[p->depth]);
		key = shifted(key, STRIDE);
		len -= STRIDE;
	}
}

// Removes the path's last node, which would be empty, with those above that lead to it alone.
static int del_node(struct xy_lpm *t, const struct path *p)
{
	unsigned k = p->depth;
	while (k > 0 && !p->node[k - 1]->prefixes && count(children_of(p->node[k - 1])) == 1)
		k--;
	struct node gone = *p->node[k];
	if (k == 0) {
		*p->node[0] = (struct node){0};
	} else {
		struct node *n = p->node[k - 1];
		int r = reshape(t, n, children_of(n) & ~bit(p->index[k - 1]), n->prefixes);
		if (r < 0)
			return r;
		join(t, n);
	}
	drop_below(t, &gone);
	return 0;
}

static int del_below(struct xy_lpm *t, struct node *n, struct bits key, unsigned len)
{
	struct path p;
	int r = descend(t, n, key, len, &p);
	if (r < 0)
		return r;
	n = p.node[p.depth];
	uint64_t prefixes = n->prefixes & ~bit(p.position);
	if (!prefixes && !children_of(n))
		return del_node(t, &p);
	r = reshape(t, n, children_of(n), prefixes);
	if (r == 0)
		join(t, n);
	return r;
}

int xy_lpm_del(struct xy_lpm *t, const uint8_t *key, uint8_t len)
{
	if (xy_lpm_get(t, key, len) == XY_TABLE_MISS)
		return -ENOENT;
	struct bits k = load(t, key);
	unsigned slot = (unsigned)top(k, ROOT_BITS);
	if (own_root(t))
		return -ENOMEM;
	if (len < ROOT_BITS)
		set_short(t, k, len, XY_TABLE_MISS);
	else if (own_slot(t, slot) ||
		 del_below(t, &t->node[slot], shifted(k, ROOT_BITS), len - ROOT_BITS))
		return -ENOMEM;
	t->count--;
	t->below[slot] -= len >= ROOT_BITS;
	return 0;
}

// --- the rest of the writer's part

static void retire_replaced(struct xy_lpm *t)
{
	for (unsigned units = 0; units < MAX_UNITS; units++) {
		struct head *h = t->replaced[units];
		t->replaced[units] = NULL;
		while (h) {
			struct head *next = h->next;
			t->reclaim->retire(t->reclaim, h, (size_t)units * UNIT, xy_blocks_free);
			h = next;
		}
	}
}

static void page_fill(struct page *p, const struct node *n)
{
	if (children_of(n) != UINT64_MAX || skipped(n))
		memset(p->node, 0, sizeof(p->node));
	memset(p->best, 0xff, sizeof(p->best)); // XY_TABLE_MISS
	if (skipped(n)) {
		p->node[skip_bits(n) >> (skipped(n) - STRIDE)] = *n;
		return;
	}
	const struct node *from = n->at;
	for (uint64_t left = children_of(n); left; left &= left - 1)
		p->node[__builtin_ctzll(left)] = *from++;
	if (!n->prefixes)
		return;
	for (unsigned i = 0; i < FAN; i++) {
		uint64_t match = n->prefixes & covering[i];
		if (match)
			p->best[i] = *value_at(n, before_longest(n->prefixes, match));
	}
}

static size_t start_size(uint64_t start)
{
	return start & PAGED ? sizeof(struct page) : sizeof(struct node);
}

static void *start_block(uint64_t start)
{
	return (void *)(uintptr_t)(start & ~(uint64_t)PAGED); // NOLINT
}

static bool is_start_block(uint64_t start)
{
	return start != (uintptr_t)&nothing;
}

// Where readers begin in a slot that the batch changed. Without memory for a page there is the
// node.
static uint64_t start_new(struct xy_lpm *t, unsigned slot, bool had)
{
	struct node *n = &t->node[slot], *fresh = t->fresh[slot];
	struct page *p = NULL;
	t->fresh[slot] = NULL;
	if (t->below[slot] >= (had ? PAGE_FROM / 2 : PAGE_FROM))
		p = xy_blocks_alloc(t->blocks, sizeof(*p));
	if (p)
		page_fill(p, n);
	if (!p && !is_empty(n)) {
		*fresh = *n;
		return (uintptr_t)fresh;
	}
	xy_blocks_free(fresh);
	return p ? (uintptr_t)p | PAGED : (uintptr_t)&nothing;
}

static void starts_renew(struct xy_lpm *t)
{
	for (unsigned i = 0; i < ROOT_FAN; i++) {
		if (!t->fresh[i])
			continue;
		uint64_t *start = &t->next->start[i];
		if (is_start_block(*start))
			t->bytes -= xy_blocks_size(start_size(*start));
		*start = start_new(t, i, *start & PAGED);
		if (is_start_block(*start))
			t->bytes += xy_blocks_size(start_size(*start));
	}
}

static void starts_retire(struct xy_lpm *t, const struct root *old)
{
	for (unsigned i = 0; i < ROOT_FAN; i++)
		if (old->start[i] != t->next->start[i] && is_start_block(old->start[i]))
			t->reclaim->retire(t->reclaim, start_block(old->start[i]),
					   start_size(old->start[i]), xy_blocks_free);
}

void xy_lpm_commit(struct xy_lpm *t)
{
	struct root *old = atomic_load_explicit(&t->root, memory_order_relaxed);
	if (t->next == old)
		return;
	starts_renew(t);
	atomic_store_explicit(&t->root, t->next, memory_order_release);
	t->batch++;
	retire_replaced(t);
	starts_retire(t, old);
	t->reclaim->retire(t->reclaim, old, sizeof(*old), xy_blocks_free);
}

uint32_t xy_lpm_get(const struct xy_lpm *t, const uint8_t *key, uint8_t len)
{
	if (len > t->bits)
		return XY_TABLE_MISS;
	struct bits k = load(t, key);
	if (len < ROOT_BITS)
		return t->prefix[1U << len | (unsigned)top(k, len)];
	const struct node *n = &t->node[top(k, ROOT_BITS)];
	unsigned left = len - ROOT_BITS;
	for (k = shifted(k, ROOT_BITS);; k = shifted(k, STRIDE), left -= STRIDE) {
		unsigned skip = skipped(n);
		if (skip > left || top(k, skip) != skip_bits(n))
			return XY_TABLE_MISS;
		k = shifted(k, skip);
		left -= skip;
		if (left < STRIDE)
			break;
		unsigned i = (unsigned)top(k, STRIDE);
		if (!(children_of(n) & bit(i)))
			return XY_TABLE_MISS;
		n = child(n, i);
	}
	unsigned at = position(k, left);
	return n->prefixes & bit(at) ? *value_at(n, rank(n->prefixes, at)) : XY_TABLE_MISS;
}

uint32_t xy_lpm_count(const struct xy_lpm *t)
{
	return t->count;
}

size_t xy_lpm_bytes(const struct xy_lpm *t)
{
	return t->bytes;
}

// A walk keeps the bits of its place in the tree, from the left.
struct walk {
	const struct xy_lpm *t;
	void (*fn)(void *arg, const uint8_t *key, uint8_t len, uint32_t value);
	void *arg;
};

static unsigned __int128 deeper(unsigned __int128 key, unsigned len, uint64_t more, unsigned bits)
{
	return bits ? key | (unsigned __int128)more << (128 - len - bits) : key;
}

static void walk_found(const struct walk *w, unsigned __int128 key, unsigned len, uint32_t value)
{
	uint8_t bytes[16];
	if (value == XY_TABLE_MISS)
		return;
	xy_be64_store(bytes, (uint64_t)(key >> 64));
	xy_be64_store(bytes + 8, (uint64_t)key);
	w->fn(w->arg, bytes, (uint8_t)len, value);
}

static void walk_node(const struct walk *w, const struct node *n, unsigned __int128 key,
		      unsigned len);

// The part of a node below its first `depth` bits, which are `bits`.
static void walk_part(const struct walk *w, const struct node *n, unsigned __int128 key,
		      unsigned len, unsigned depth, unsigned bits)
{
	if (depth == STRIDE) {
		if (children_of(n) & bit(bits))
			walk_node(w, child(n, bits), deeper(key, len, bits, STRIDE), len + STRIDE);
		return;
	}
	unsigned at = 64 - (2U << depth) + bits;
	if (n->prefixes & bit(at))
		walk_found(w, deeper(key, len, bits, depth), len + depth,
			   *value_at(n, rank(n->prefixes, at)));
	walk_part(w, n, key, len, depth + 1, bits << 1);
	walk_part(w, n, key, len, depth + 1, bits << 1 | 1);
}

static void walk_node(const struct walk *w, const struct node *n, unsigned __int128 key,
		      unsigned len)
{
	unsigned skip = skipped(n);
	walk_part(w, n, deeper(key, len, skip_bits(n), skip), len + skip, 0, 0);
}

static void walk_root(const struct walk *w, unsigned depth, unsigned bits)
{
	unsigned __int128 key = deeper(0, 0, bits, depth);
	if (depth == ROOT_BITS) {
		if (!is_empty(&w->t->node[bits]))
			walk_node(w, &w->t->node[bits], key, ROOT_BITS);
		return;
	}
	walk_found(w, key, depth, w->t->prefix[1U << depth | bits]);
	walk_root(w, depth + 1, bits << 1);
	walk_root(w, depth + 1, bits << 1 | 1);
}

void xy_lpm_walk(const struct xy_lpm *t,
		 void (*fn)(void *arg, const uint8_t *key, uint8_t len, uint32_t value), void *arg)
{
	walk_root(&(struct walk){.t = t, .fn = fn, .arg = arg}, 0, 0);
}

struct xy_lpm *xy_lpm_create(unsigned bits, uint32_t limit, struct xy_reclaim *reclaim)
{
	struct xy_lpm *t = aligned_alloc(64, sizeof(*t));
	struct xy_blocks *blocks = t ? xy_blocks_create() : NULL;
	struct root *r = blocks ? xy_blocks_alloc(blocks, sizeof(*r)) : NULL;
	if (!r)
		goto no_memory;
	for (unsigned i = 0; i < ROOT_FAN; i++)
		r->start[i] = (uintptr_t)&nothing;
	memset(r->best, 0xff, sizeof(r->best)); // XY_TABLE_MISS
	*t = (struct xy_lpm){.bits = bits,
			     .kernel = xy_lpm_kernel(0),
			     .limit = limit,
			     .reclaim = reclaim,
			     .blocks = blocks,
			     .next = r};
	memset(t->prefix, 0xff, sizeof(t->prefix));
	t->bytes = sizeof(*t) + xy_blocks_size(sizeof(*r));
	atomic_init(&t->root, r);
	return t;
no_memory:
	if (blocks)
		xy_blocks_destroy(blocks);
	free(t);
	return NULL;
}

static void free_below(const struct node *n)
{
	if (is_empty(n))
		return;
	for (unsigned i = 0; i < count(children_of(n)); i++)
		free_below(&n->at[i]);
	if (!(n->skip & INLINE))
		xy_blocks_free(head_of(n));
}

void xy_lpm_destroy(struct xy_lpm *t)
{
	if (!t)
		return;
	xy_lpm_commit(t); // what was replaced goes the usual way
	for (unsigned i = 0; i < ROOT_FAN; i++) {
		free_below(&t->node[i]);
		if (is_start_block(t->next->start[i]))
			xy_blocks_free(start_block(t->next->start[i]));
	}
	xy_blocks_free(t->next);
	xy_blocks_destroy(t->blocks);
	free(t);
}
