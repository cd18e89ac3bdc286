// SPDX-License-Identifier: BSD-3-Clause
// A tree bitmap (Eatherton, Varghese, Dittia: "Tree Bitmap", 2004) of six bits a node, with its
// children in one array (an index is a popcount, a step is one cache line) and single paths
// skipped. The first seven bits index the root directly, so that nodes begin at bits 7, 13, 19, ...
// and /24, /48 and the /29 to /36 of allocations end inside a node, beside others, and not in one
// of their own. Prefixes are not pushed down to leaves: a change touches the nodes on its path
// only.
//
// Who may write what: what readers can reach is never changed. A block (a node's values and child
// nodes) carries the number of the batch that made it: the writer changes a block of this batch in
// place and copies any other first, from the root down, so a fresh block is below fresh blocks only
// and no reader has seen it. _commit publishes the root by one store and then retires what was
// replaced, as before that store readers may still come to it by the old root.
#include "table/lpm.h"

#include "base/bytes.h"

#include <assert.h>
#include <errno.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
	STRIDE = 6,
	FAN = 1 << STRIDE,
	ROOT_BITS = 7,
	ROOT_FAN = 1 << ROOT_BITS,
	SKIP_MAX = 9, // strides: 54 bits beside the 4 of the count
	MAX_NODES = (128 - ROOT_BITS) / STRIDE + 1,
	LANES = 64, // a million IPv4, Zen 5: 8, 16, 32, 64 lanes do 20, 30, 41, 48 M lookups/s
	UNIT = 8,
	MAX_UNITS = 300, // the largest block: 64 children and 63 values, 2336 bytes
};

struct node {
	uint64_t children; // bit i: there is a child for the six bits i
	uint64_t prefixes; // bit (1 << len) - 1 + bits: prefixes of len 0..5 bits within the node
	uint64_t skip;	   // bits 3..0: strides that all keys here share; above: these bits
	struct node *at;   // the children; before them the values, backwards
};
static_assert(sizeof(struct node) == 32, "two nodes in a cache line");

// What a block begins with. Readers do not look here.
struct head {
	union {
		uint64_t batch;	   // that made the block
		struct head *next; // once it is replaced
	};
};

struct root {
	struct node node[ROOT_FAN];
	uint32_t best[ROOT_FAN];   // longest of the prefixes below, for each seven bits
	uint32_t prefix[ROOT_FAN]; // by (1 << len) + bits: lengths 0..6
};

struct xy_lpm {
	// workers: ro
	_Atomic(struct root *) root;
	unsigned bits;
	// writer's alone
	alignas(64) struct xy_reclaim *reclaim;
	struct root *next; // the root with changes not published yet, else the published one
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

static inline unsigned skip_strides(const struct node *n)
{
	return n->skip & 15;
}

static inline uint64_t skip_bits(const struct node *n)
{
	return n->skip >> 4;
}

static inline uint64_t make_skip(unsigned strides, uint64_t bits)
{
	return bits << 4 | strides;
}

static inline uint32_t *value_at(const struct node *at, unsigned i)
{
	return (uint32_t *)at - 1 - i;
}

static bool is_empty(const struct node *n)
{
	return !n->children && !n->prefixes;
}

// Bytes before the child array: head and values, so that each child keeps within a cache line.
static size_t front(unsigned children, unsigned values)
{
	size_t align = children ? sizeof(struct node) : UNIT;
	return (sizeof(struct head) + values * sizeof(uint32_t) + align - 1) / align * align;
}

static size_t block_size(const struct node *n)
{
	unsigned children = count(n->children);
	return front(children, count(n->prefixes)) + children * sizeof(struct node);
}

static struct head *head_of(const struct node *n)
{
	return (struct head *)((char *)n->at - front(count(n->children), count(n->prefixes)));
}

// The prefix of a node that is the longest among those of `map`.
static inline unsigned longest(uint64_t map)
{
	return 63 - (unsigned)__builtin_clzll(map);
}

// --- readers

// Entry i: the prefixes of a node, as bits of its map, that cover the six bits i.
#define COVER1(i)                                                              \
	(UINT64_C(1) | UINT64_C(2) << ((i) >> 5) | UINT64_C(8) << ((i) >> 4) | \
	 UINT64_C(128) << ((i) >> 3) | UINT64_C(1) << (15 + ((i) >> 2)) |      \
	 UINT64_C(1) << (31 + ((i) >> 1)))
#define COVER4(i)  COVER1(i), COVER1((i) + 1), COVER1((i) + 2), COVER1((i) + 3)
#define COVER16(i) COVER4(i), COVER4((i) + 4), COVER4((i) + 8), COVER4((i) + 12)
static const uint64_t covering[FAN] = {COVER16(0), COVER16(16), COVER16(32), COVER16(48)};

struct lane {
	struct bits key;
	const struct node *node;
	// the best match so far: its node's maps and values, and the fallback of the root
	uint64_t match, prefixes;
	const struct node *at;
	uint32_t best;
};

static inline void lane_start(struct lane *l, const struct root *r, struct bits key)
{
	unsigned slot = (unsigned)top(key, ROOT_BITS);
	*l = (struct lane){
		.key = shifted(key, ROOT_BITS), .node = &r->node[slot], .best = r->best[slot]};
	__builtin_prefetch(l->node);
}

// One node. false: the lane has its answer.
static inline bool lane_step(struct lane *l)
{
	const struct node *n = l->node;
	unsigned skipped = skip_strides(n) * STRIDE;
	if (top(l->key, skipped) != skip_bits(n))
		return false;
	struct bits key = shifted(l->key, skipped);
	unsigned i = (unsigned)top(key, STRIDE);
	uint64_t match = n->prefixes & covering[i];
	l->match = match ? match : l->match;
	l->prefixes = match ? n->prefixes : l->prefixes;
	l->at = match ? n->at : l->at;
	if (!(n->children >> i & 1))
		return false;
	l->key = shifted(key, STRIDE);
	l->node = n->at + rank(n->children, i);
	__builtin_prefetch(l->node);
	return true;
}

static inline const uint32_t *lane_answer(const struct lane *l)
{
	if (!l->match)
		return &l->best;
	return value_at(l->at, rank(l->prefixes, longest(l->match)));
}

static inline void lookup_lanes(const struct xy_lpm *t, const struct root *r,
				const uint8_t *const *keys, uint32_t *out, unsigned n)
{
	struct lane lane[LANES];
	const uint32_t *answer[LANES];
	unsigned busy[LANES], left = n;

	for (unsigned i = 0; i < n; i++) {
		lane_start(&lane[i], r, load(t, keys[i]));
		busy[i] = i;
	}
	while (left) {
		unsigned more = 0;
		for (unsigned j = 0; j < left; j++) {
			unsigned i = busy[j];
			busy[more] = i;
			more += lane_step(&lane[i]);
		}
		left = more;
	}
	for (unsigned i = 0; i < n; i++) {
		answer[i] = lane_answer(&lane[i]);
		__builtin_prefetch(answer[i]);
	}
	for (unsigned i = 0; i < n; i++)
		out[i] = *answer[i];
}

void xy_lpm_lookup_burst_rcu(const struct xy_lpm *t, const uint8_t *const *keys, uint32_t *out,
			     unsigned n)
{
	const struct root *r = atomic_load_explicit(&t->root, memory_order_acquire);
	for (; n > LANES; n -= LANES, keys += LANES, out += LANES)
		lookup_lanes(t, r, keys, out, LANES);
	lookup_lanes(t, r, keys, out, n);
}

// --- blocks

// Gives n a block of this batch for its maps; nothing is filled in. -ENOMEM changes nothing.
static int block_new(struct xy_lpm *t, struct node *n)
{
	unsigned children = count(n->children);
	size_t size = block_size(n);
	char *block = children ? aligned_alloc(sizeof(struct node), size) : malloc(size);
	if (!block)
		return -ENOMEM;
	n->at = (struct node *)(block + front(children, count(n->prefixes)));
	head_of(n)->batch = t->batch;
	t->bytes += size;
	return 0;
}

// Frees the node's block, or keeps it for the commit if readers can reach it.
static void block_drop(struct xy_lpm *t, const struct node *n)
{
	size_t size = block_size(n);
	t->bytes -= size;
	if (head_of(n)->batch == t->batch) {
		free(head_of(n));
		return;
	}
	head_of(n)->next = t->replaced[size / UNIT];
	t->replaced[size / UNIT] = head_of(n);
}

static void copy_children(struct node *to, const struct node *from)
{
	for (uint64_t both = to->children & from->children; both; both &= both - 1) {
		unsigned i = (unsigned)__builtin_ctzll(both);
		to->at[rank(to->children, i)] = from->at[rank(from->children, i)];
	}
}

static void copy_values(struct node *to, const struct node *from)
{
	for (uint64_t both = to->prefixes & from->prefixes; both; both &= both - 1) {
		unsigned i = (unsigned)__builtin_ctzll(both);
		*value_at(to->at, rank(to->prefixes, i)) =
			*value_at(from->at, rank(from->prefixes, i));
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
	if (is_empty(n) || head_of(n)->batch == t->batch)
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
	struct root *r = aligned_alloc(64, sizeof(*r));
	if (!r)
		return -ENOMEM;
	memcpy(r, t->next, sizeof(*r));
	t->next = r;
	return 0;
}

// Drops the blocks of the node and of all below it.
static void drop_below(struct xy_lpm *t, const struct node *n)
{
	if (is_empty(n))
		return;
	for (unsigned i = 0; i < count(n->children); i++)
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
	return (1U << len) - 1 + (unsigned)top(key, len);
}

// A node for one prefix, and nodes below it where the skip is too short for all of its bits.
static int lone(struct xy_lpm *t, struct node *out, struct bits key, unsigned len, uint32_t value)
{
	unsigned strides = len / STRIDE < SKIP_MAX ? len / STRIDE : SKIP_MAX;
	struct node n = {.skip = make_skip(strides, top(key, strides * STRIDE))}, below = {0};
	key = shifted(key, strides * STRIDE);
	len -= strides * STRIDE;
	if (len < STRIDE) {
		n.prefixes = bit(position(key, len));
	} else {
		n.children = bit((unsigned)top(key, STRIDE));
		if (lone(t, &below, shifted(key, STRIDE), len - STRIDE, value) < 0)
			return -ENOMEM;
	}
	if (block_new(t, &n) < 0) {
		drop_below(t, &below);
		return -ENOMEM;
	}
	if (n.prefixes)
		*value_at(n.at, 0) = value;
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
	below.skip = make_skip(rest, skip_bits(n) & (bit(rest * STRIDE) - 1));
	struct node above = {.children = bit(bits & (FAN - 1)),
			     .skip = make_skip(strides, bits >> STRIDE)};
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
				      : reshape(t, n, n->children, n->prefixes | bit(at));
	if (r == 0)
		*value_at(n->at, rank(n->prefixes, at)) = value;
	return r;
}

static int add_child(struct xy_lpm *t, struct node *n, unsigned at, struct bits key, unsigned len,
		     uint32_t value)
{
	struct node below;
	int r = lone(t, &below, key, len, value);
	if (r < 0)
		return r;
	r = reshape(t, n, n->children | bit(at), n->prefixes);
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
		return lone(t, n, key, len, value);
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
		if (!(n->children & bit(i)))
			return add_child(t, n, i, key, len, value);
		r = own(t, n);
		if (r < 0)
			return r;
		n = child(n, i);
	}
}

static uint32_t longest_short(const struct root *r, unsigned slot)
{
	for (unsigned len = ROOT_BITS; len-- > 0;) {
		uint32_t value = r->prefix[1U << len | slot >> (ROOT_BITS - len)];
		if (value != XY_TABLE_MISS)
			return value;
	}
	return XY_TABLE_MISS;
}

static void set_short(struct root *r, struct bits key, unsigned len, uint32_t value)
{
	unsigned bits = (unsigned)top(key, len), below = ROOT_BITS - len;
	r->prefix[1U << len | bits] = value;
	for (unsigned slot = bits << below; slot < (bits + 1) << below; slot++)
		r->best[slot] = longest_short(r, slot);
}

static struct node *root_node(struct xy_lpm *t, struct bits key)
{
	return &t->next->node[top(key, ROOT_BITS)];
}

int xy_lpm_set(struct xy_lpm *t, const uint8_t *key, uint8_t len, uint32_t value)
{
	if (len > t->bits || value == XY_TABLE_MISS)
		return -EINVAL;
	bool there = xy_lpm_get(t, key, len) != XY_TABLE_MISS;
	if (!there && t->count >= t->limit)
		return -ENOSPC;
	struct bits k = load(t, key);
	int r = own_root(t);
	if (r == 0 && len < ROOT_BITS)
		set_short(t->next, k, len, value);
	else if (r == 0)
		r = set_below(t, root_node(t, k), shifted(k, ROOT_BITS), len - ROOT_BITS, value);
	if (r == 0 && !there)
		t->count++;
	return r;
}

// --- deleting

// Takes in the only child of a node that has no prefix of its own, when one skip can hold both.
static void join(struct xy_lpm *t, struct node *n)
{
	if (n->prefixes || count(n->children) != 1)
		return;
	struct node below = n->at[0];
	unsigned strides = skip_strides(n) + 1 + skip_strides(&below);
	if (strides > SKIP_MAX)
		return;
	uint64_t bits = skip_bits(n) << STRIDE | (unsigned)__builtin_ctzll(n->children);
	bits = bits << skip_strides(&below) * STRIDE | skip_bits(&below);
	below.skip = make_skip(strides, bits);
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
	while (k > 0 && !p->node[k - 1]->prefixes && count(p->node[k - 1]->children) == 1)
		k--;
	struct node gone = *p->node[k];
	if (k == 0) {
		*p->node[0] = (struct node){0};
	} else {
		struct node *n = p->node[k - 1];
		int r = reshape(t, n, n->children & ~bit(p->index[k - 1]), n->prefixes);
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
	if (!prefixes && !n->children)
		return del_node(t, &p);
	r = reshape(t, n, n->children, prefixes);
	if (r == 0)
		join(t, n);
	return r;
}

int xy_lpm_del(struct xy_lpm *t, const uint8_t *key, uint8_t len)
{
	if (xy_lpm_get(t, key, len) == XY_TABLE_MISS)
		return -ENOENT;
	struct bits k = load(t, key);
	int r = own_root(t);
	if (r == 0 && len < ROOT_BITS)
		set_short(t->next, k, len, XY_TABLE_MISS);
	else if (r == 0)
		r = del_below(t, root_node(t, k), shifted(k, ROOT_BITS), len - ROOT_BITS);
	if (r == 0)
		t->count--;
	return r;
}

// --- the rest of the writer's part

static void retire_replaced(struct xy_lpm *t)
{
	for (unsigned units = 0; units < MAX_UNITS; units++) {
		struct head *h = t->replaced[units];
		t->replaced[units] = NULL;
		while (h) {
			struct head *next = h->next;
			t->reclaim->retire(t->reclaim, h, (size_t)units * UNIT, free);
			h = next;
		}
	}
}

void xy_lpm_commit(struct xy_lpm *t)
{
	struct root *old = atomic_load_explicit(&t->root, memory_order_relaxed);
	if (t->next == old)
		return;
	atomic_store_explicit(&t->root, t->next, memory_order_release);
	t->batch++;
	retire_replaced(t);
	t->reclaim->retire(t->reclaim, old, sizeof(*old), free);
}

uint32_t xy_lpm_get(const struct xy_lpm *t, const uint8_t *key, uint8_t len)
{
	if (len > t->bits)
		return XY_TABLE_MISS;
	struct bits k = load(t, key);
	if (len < ROOT_BITS)
		return t->next->prefix[1U << len | (unsigned)top(k, len)];
	const struct node *n = &t->next->node[top(k, ROOT_BITS)];
	unsigned left = len - ROOT_BITS;
	for (k = shifted(k, ROOT_BITS);; k = shifted(k, STRIDE), left -= STRIDE) {
		unsigned skipped = skip_strides(n) * STRIDE;
		if (skipped > left || top(k, skipped) != skip_bits(n))
			return XY_TABLE_MISS;
		k = shifted(k, skipped);
		left -= skipped;
		if (left < STRIDE)
			break;
		unsigned i = (unsigned)top(k, STRIDE);
		if (!(n->children & bit(i)))
			return XY_TABLE_MISS;
		n = child(n, i);
	}
	unsigned at = position(k, left);
	return n->prefixes & bit(at) ? *value_at(n->at, rank(n->prefixes, at)) : XY_TABLE_MISS;
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
		if (n->children & bit(bits))
			walk_node(w, child(n, bits), deeper(key, len, bits, STRIDE), len + STRIDE);
		return;
	}
	unsigned at = (1U << depth) - 1 + bits;
	if (n->prefixes & bit(at))
		walk_found(w, deeper(key, len, bits, depth), len + depth,
			   *value_at(n->at, rank(n->prefixes, at)));
	walk_part(w, n, key, len, depth + 1, bits << 1);
	walk_part(w, n, key, len, depth + 1, bits << 1 | 1);
}

static void walk_node(const struct walk *w, const struct node *n, unsigned __int128 key,
		      unsigned len)
{
	unsigned skipped = skip_strides(n) * STRIDE;
	walk_part(w, n, deeper(key, len, skip_bits(n), skipped), len + skipped, 0, 0);
}

static void walk_root(const struct walk *w, unsigned depth, unsigned bits)
{
	unsigned __int128 key = deeper(0, 0, bits, depth);
	if (depth == ROOT_BITS) {
		if (!is_empty(&w->t->next->node[bits]))
			walk_node(w, &w->t->next->node[bits], key, ROOT_BITS);
		return;
	}
	walk_found(w, key, depth, w->t->next->prefix[1U << depth | bits]);
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
	struct root *r = aligned_alloc(64, sizeof(*r));
	if (!t || !r) {
		free(r);
		free(t);
		return NULL;
	}
	memset(r, 0, sizeof(*r));
	memset(r->best, 0xff, sizeof(r->best)); // XY_TABLE_MISS
	memset(r->prefix, 0xff, sizeof(r->prefix));
	*t = (struct xy_lpm){.bits = bits, .limit = limit, .reclaim = reclaim, .next = r};
	t->bytes = sizeof(*t) + sizeof(*r);
	atomic_init(&t->root, r);
	return t;
}

static void free_below(const struct node *n)
{
	if (is_empty(n))
		return;
	for (unsigned i = 0; i < count(n->children); i++)
		free_below(&n->at[i]);
	free(head_of(n));
}

void xy_lpm_destroy(struct xy_lpm *t)
{
	if (!t)
		return;
	xy_lpm_commit(t); // what was replaced goes the usual way
	for (unsigned i = 0; i < ROOT_FAN; i++)
		free_below(&t->next->node[i]);
	free(t->next);
	free(t);
}
