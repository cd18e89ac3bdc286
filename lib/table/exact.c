// SPDX-License-Identifier: BSD-3-Clause
// Extendible hashing. The top bits of a key's hash pick a slot of the directory; the slot names a
// group of 2..60 cache lines; other bits of the hash pick two lines of the group. A key lies in its
// first line, or, when that was full, in its second; a line that ever sent a key on says so, so
// most lookups touch the directory and one line. A group that is full is replaced by a larger one
// or by two of the next depth: a change copies one group (under 4 KB), at worst the directory as
// well (8 bytes for some 150 entries), never the table.
//
// Why readers need no lock, no version and no retry. Within a group,
//  (1) a slot's key is written once, before its first value (release), and never again: deleting
//      writes XY_TABLE_MISS over the value and leaves the key, and only the same key takes that
//      slot again. Slots of deleted keys come back when the group is replaced;
//  (2) a key has at most one slot, as adding looks for it in both lines first, deleted or not.
// A reader loads the value (acquire), then the key. If the value is not XY_TABLE_MISS, the key it
// then sees is the slot's one key, by (1); so a value is never taken for another key's. Empty slots
// may seem to hold key 0, but give XY_TABLE_MISS, which changes nothing in the sum over the slots.
// Changing a value is one store. A group or directory is complete before a pointer to it is stored
// (release), and is not changed any more once it is replaced; readers that still hold it see the
// table as it was at that moment, and it goes to reclaim. So a key that stays is found at every
// moment, in the old group or in the new one.
#include "table/exact.h"

#include "table/blocks.h"
#include "table/exact_hash.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
	LINE = 64,
	SLOTS = 5,
	MIN_LINES = 2,
	MAX_LINES = 60, // below LINE: the count rides in the low bits of the group's address
	MAX_ENTRIES = MAX_LINES * SLOTS,
	GROW_AT = 4,	     // entries a line, on average
	MERGE_ENTRIES = 100, // in two groups that become one; a split leaves over 200
	MAX_DEPTH = 27,	     // enough for 2^32 entries
	DEPTH_UNIT = 512,    // in a note: above MAX_ENTRIES
	LANES = 64, // a million entries, Zen 5: 8, 16, 32, 64 lanes do 36, 52, 84, 106 M lookups/s
};

struct line {
	_Atomic uint64_t key[SLOTS];
	_Atomic uint32_t value[SLOTS];
	_Atomic uint8_t spilled; // a key of this line lies in its second one
	uint8_t used;		 // writer's: slots that have a key
	uint16_t note; // writer's, in a group's first line: live entries, and its depth above
};
static_assert(sizeof(struct line) == LINE, "a line is a cache line");
static_assert(MAX_LINES * LINE <= XY_BLOCK_MOST, "a group is a block");
static_assert(MAX_ENTRIES < DEPTH_UNIT && (MAX_DEPTH + 1) * DEPTH_UNIT <= UINT16_MAX, "a note");

struct dir {
	unsigned depth; // 2^depth slots
	_Atomic uint64_t slot[];
};

struct xy_exact {
	// workers: ro
	_Atomic(struct dir *) dir;
	struct xy_exact_secret secret;
	// writer's alone
	alignas(LINE) struct xy_reclaim *reclaim;
	struct xy_blocks *blocks; // of the groups
	uint32_t limit, count;
	unsigned max_depth;
	uint32_t groups[MAX_DEPTH + 1]; // by depth
	size_t bytes;
};

struct entry {
	uint64_t hash, key;
	uint32_t value;
};

static inline uint64_t hash(const struct xy_exact *t, uint64_t key)
{
	return xy_exact_hash(&t->secret, key);
}

// --- where a key may lie; ref: a group's address and its number of lines

static inline size_t dir_index(unsigned depth, uint64_t h)
{
	return (h >> 1) >> (63 - depth);
}

static inline unsigned group_lines(uint64_t ref)
{
	return ref & (LINE - 1);
}

static inline struct line *group_at(uint64_t ref)
{
	return (struct line *)(uintptr_t)(ref & ~(uint64_t)(LINE - 1)); // NOLINT
}

static inline unsigned first_line(uint64_t ref, uint64_t h)
{
	return ((h & UINT32_MAX) * group_lines(ref)) >> 32;
}

static inline unsigned second_line(uint64_t ref, uint64_t h)
{
	unsigned lines = group_lines(ref);
	unsigned away = 1 + ((((h << 16) & UINT32_MAX) * (lines - 1)) >> 32);
	unsigned at = first_line(ref, h) + away;
	return at < lines ? at : at - lines;
}

static inline uint64_t group_of(const struct dir *d, uint64_t h)
{
	return atomic_load_explicit(&d->slot[dir_index(d->depth, h)], memory_order_acquire);
}

// Both in one line: a change then touches two lines of its group, and they are fetched together.
static uint32_t live(uint64_t ref)
{
	return group_at(ref)[0].note & (DEPTH_UNIT - 1);
}

static unsigned depth_of(uint64_t ref)
{
	return group_at(ref)[0].note / DEPTH_UNIT;
}

static struct dir *dir_of(const struct xy_exact *t)
{
	return atomic_load_explicit(&t->dir, memory_order_acquire);
}

// --- readers

// The value of the key's slot. All others give ones, so the sum is the value or XY_TABLE_MISS.
static inline uint32_t probe(const struct line *l, uint64_t key)
{
	uint32_t found = XY_TABLE_MISS;
	for (unsigned i = 0; i < SLOTS; i++) {
		uint32_t v = atomic_load_explicit(&l->value[i], memory_order_acquire);
		uint64_t k = atomic_load_explicit(&l->key[i], memory_order_relaxed);
		found &= k == key ? v : XY_TABLE_MISS;
	}
	return found;
}

static inline void lookup_lanes(const struct xy_exact *t, const struct dir *d, const uint64_t *keys,
				uint32_t *out, unsigned n)
{
	uint64_t h[LANES], ref[LANES];
	const struct line *at[LANES];
	unsigned again[LANES], more = 0;

	for (unsigned i = 0; i < n; i++) {
		h[i] = hash(t, keys[i]);
		__builtin_prefetch((const void *)&d->slot[dir_index(d->depth, h[i])]);
	}
	for (unsigned i = 0; i < n; i++) {
		ref[i] = group_of(d, h[i]);
		at[i] = &group_at(ref[i])[first_line(ref[i], h[i])];
		__builtin_prefetch(at[i]);
	}
	for (unsigned i = 0; i < n; i++) {
		out[i] = probe(at[i], keys[i]);
		if (out[i] == XY_TABLE_MISS &&
		    atomic_load_explicit(&at[i]->spilled, memory_order_acquire)) {
			at[i] = &group_at(ref[i])[second_line(ref[i], h[i])];
			__builtin_prefetch(at[i]);
			again[more++] = i;
		}
	}
	for (unsigned j = 0; j < more; j++)
		out[again[j]] = probe(at[again[j]], keys[again[j]]);
}

void xy_exact_lookup_burst_rcu(const struct xy_exact *t, const uint64_t *keys, uint32_t *out,
			       unsigned n)
{
	const struct dir *d = dir_of(t);
	for (; n > LANES; n -= LANES, keys += LANES, out += LANES)
		lookup_lanes(t, d, keys, out, LANES);
	lookup_lanes(t, d, keys, out, n);
}

// --- groups

static size_t group_size(uint64_t ref)
{
	return (size_t)group_lines(ref) * LINE;
}

// Lines for so many entries: 70 % full. More than MAX_LINES: too many for one group.
static unsigned lines_for(unsigned entries)
{
	unsigned lines = (2 * entries + 6) / 7;
	return lines < MIN_LINES ? MIN_LINES : lines;
}

static uint64_t group_new(const struct xy_exact *t, unsigned lines, unsigned depth)
{
	struct line *g = xy_blocks_alloc(t->blocks, (size_t)lines * LINE);
	if (!g)
		return 0;
	memset(g, 0, (size_t)lines * LINE);
	for (unsigned i = 0; i < lines; i++)
		for (unsigned j = 0; j < SLOTS; j++)
			atomic_init(&g[i].value[j], XY_TABLE_MISS);
	g[0].note = (uint16_t)(depth * DEPTH_UNIT);
	return (uintptr_t)g | lines;
}

// Adds a key that is not there; false: both of its lines are full.
static bool group_add(uint64_t ref, const struct entry *e)
{
	struct line *g = group_at(ref), *l = &g[first_line(ref, e->hash)];
	if (l->used == SLOTS) {
		struct line *second = &g[second_line(ref, e->hash)];
		if (second->used == SLOTS)
			return false;
		atomic_store_explicit(&l->spilled, 1, memory_order_release);
		l = second;
	}
	unsigned i = l->used++;
	atomic_store_explicit(&l->key[i], e->key, memory_order_relaxed);
	atomic_store_explicit(&l->value[i], e->value, memory_order_release);
	g[0].note++;
	return true;
}

// Puts e where an entry x lies in one of e's lines, if x's other line has room.
static bool group_swap(const struct xy_exact *t, uint64_t ref, unsigned line, unsigned slot,
		       const struct entry *e)
{
	struct line *g = group_at(ref), *l = &g[line];
	uint64_t x = atomic_load_explicit(&l->key[slot], memory_order_relaxed), h = hash(t, x);
	bool was_first = first_line(ref, h) == line;
	struct line *to = &g[was_first ? second_line(ref, h) : first_line(ref, h)];
	if (to->used == SLOTS)
		return false;
	uint32_t value = atomic_load_explicit(&l->value[slot], memory_order_relaxed);
	atomic_init(&to->key[to->used], x);
	atomic_init(&to->value[to->used++], value);
	atomic_init(&l->key[slot], e->key);
	atomic_init(&l->value[slot], e->value);
	if (was_first)
		atomic_init(&l->spilled, 1);
	atomic_init(&g[first_line(ref, e->hash)].spilled, 1);
	g[0].note++;
	return true;
}

// As group_add, in a group that no reader has: moves another entry where it takes that. Without
// this, groups far from full find no place for an entry whose two lines are taken.
static bool group_push(const struct xy_exact *t, uint64_t ref, const struct entry *e)
{
	if (group_add(ref, e))
		return true;
	for (unsigned slot = 0; slot < SLOTS; slot++)
		if (group_swap(t, ref, first_line(ref, e->hash), slot, e) ||
		    group_swap(t, ref, second_line(ref, e->hash), slot, e))
			return true;
	return false;
}

static bool group_fill(const struct xy_exact *t, uint64_t ref, const struct entry *e, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!group_push(t, ref, &e[i]))
			return false;
	return true;
}

// A group with these entries, of `lines` or as many more as it takes. -ENOMEM, -ENOSPC.
static int group_build(const struct xy_exact *t, const struct entry *e, unsigned n, unsigned lines,
		       unsigned depth, uint64_t *out)
{
	for (; lines <= MAX_LINES; lines += lines / 8 + 1) {
		uint64_t ref = group_new(t, lines, depth);
		if (!ref)
			return -ENOMEM;
		if (group_fill(t, ref, e, n)) {
			*out = ref;
			return 0;
		}
		xy_blocks_free(group_at(ref));
	}
	return -ENOSPC;
}

static unsigned line_entries(const struct xy_exact *t, const struct line *l, struct entry *out)
{
	unsigned n = 0;
	for (unsigned i = 0; i < l->used; i++) {
		uint32_t value = atomic_load_explicit(&l->value[i], memory_order_relaxed);
		if (value == XY_TABLE_MISS)
			continue;
		uint64_t key = atomic_load_explicit(&l->key[i], memory_order_relaxed);
		out[n++] = (struct entry){.hash = hash(t, key), .key = key, .value = value};
	}
	return n;
}

static unsigned group_entries(const struct xy_exact *t, uint64_t ref, struct entry *out)
{
	unsigned n = 0;
	for (unsigned i = 0; i < group_lines(ref); i++)
		n += line_entries(t, &group_at(ref)[i], out + n);
	return n;
}

// --- the directory

static size_t dir_size(unsigned depth)
{
	size_t size = sizeof(struct dir) + (sizeof(uint64_t) << depth);
	return (size + LINE - 1) / LINE * LINE;
}

static struct dir *dir_new(unsigned depth)
{
	struct dir *d = aligned_alloc(LINE, dir_size(depth));
	if (d)
		d->depth = depth;
	return d;
}

static void dir_publish(struct xy_exact *t, struct dir *d)
{
	struct dir *old = dir_of(t);
	t->bytes += dir_size(d->depth) - dir_size(old->depth);
	atomic_store_explicit(&t->dir, d, memory_order_release);
	t->reclaim->retire(t->reclaim, old, dir_size(old->depth), free);
}

static int dir_resize(struct xy_exact *t, unsigned depth)
{
	const struct dir *old = dir_of(t);
	struct dir *d = dir_new(depth);
	if (!d)
		return -ENOMEM;
	for (size_t i = 0; i < (size_t)1 << depth; i++) {
		size_t from = depth > old->depth ? i >> 1 : i << 1;
		atomic_init(&d->slot[i],
			    atomic_load_explicit(&old->slot[from], memory_order_relaxed));
	}
	dir_publish(t, d);
	return 0;
}

// Makes the hashes that begin like h, to the group's depth, lead to this group.
static void dir_point(struct xy_exact *t, uint64_t h, uint64_t ref)
{
	struct dir *d = dir_of(t);
	unsigned below = d->depth - depth_of(ref);
	size_t first = dir_index(depth_of(ref), h) << below;
	for (size_t i = 0; i < (size_t)1 << below; i++)
		atomic_store_explicit(&d->slot[first + i], ref, memory_order_release);
	t->groups[depth_of(ref)]++;
	t->bytes += xy_blocks_size(group_size(ref));
}

static void group_retire(struct xy_exact *t, uint64_t ref)
{
	t->groups[depth_of(ref)]--;
	t->bytes -= xy_blocks_size(group_size(ref));
	t->reclaim->retire(t->reclaim, group_at(ref), group_size(ref), xy_blocks_free);
}

// --- the writer

// Replaces h's group by one with these entries.
static int replace(struct xy_exact *t, uint64_t h, const struct entry *e, unsigned n,
		   unsigned lines)
{
	uint64_t old = group_of(dir_of(t), h), ref;
	int r = group_build(t, e, n, lines, depth_of(old), &ref);
	if (r < 0)
		return r;
	dir_point(t, h, ref);
	group_retire(t, old);
	return 0;
}

// Moves the entries whose hash has the bit below `depth` set to the end; returns how many have not.
static unsigned partition(struct entry *e, unsigned n, unsigned depth)
{
	unsigned zeros = 0;
	for (unsigned i = 0; i < n; i++) {
		if (e[i].hash >> (63 - depth) & 1)
			continue;
		struct entry swap = e[zeros];
		e[zeros++] = e[i];
		e[i] = swap;
	}
	return zeros;
}

// Replaces h's group by two of the next depth with these entries.
static int split(struct xy_exact *t, uint64_t h, struct entry *e, unsigned n)
{
	uint64_t old = group_of(dir_of(t), h), low, high;
	unsigned depth = depth_of(old), zeros = partition(e, n, depth), ones = n - zeros;
	int r = group_build(t, e, zeros, lines_for(zeros), depth + 1, &low);
	if (r < 0)
		return r;
	r = group_build(t, e + zeros, ones, lines_for(ones), depth + 1, &high);
	if (r < 0)
		goto no_high;
	if (depth == dir_of(t)->depth) {
		r = dir_resize(t, depth + 1);
		if (r < 0)
			goto no_dir;
	}
	uint64_t bit = UINT64_C(1) << (63 - depth);
	dir_point(t, h & ~bit, low);
	dir_point(t, h | bit, high);
	group_retire(t, old);
	return 0;
no_dir:
	xy_blocks_free(group_at(high));
no_high:
	xy_blocks_free(group_at(low));
	return r;
}

// Replaces the group in which the new entry finds no slot: without its deleted entries, larger, or
// in halves. The depth has a bound, so keys that collide on purpose are refused and cannot blow up
// the directory.
static int add_in_new_group(struct xy_exact *t, const struct entry *new)
{
	struct entry e[MAX_ENTRIES + 1];
	uint64_t h = new->hash, ref = group_of(dir_of(t), h);
	unsigned n = group_entries(t, ref, e), lines = group_lines(ref);
	e[n++] = *new;
	if (n > GROW_AT * lines)
		lines = lines_for(n);
	int r = replace(t, h, e, n, lines);
	if (r == -ENOSPC && depth_of(ref) < t->max_depth)
		return split(t, h, e, n);
	if (r == -ENOSPC)
		return replace(t, h, e, n, MAX_LINES);
	return r;
}

static _Atomic uint32_t *line_find(struct line *l, uint64_t key)
{
	for (unsigned i = 0; i < l->used; i++)
		if (atomic_load_explicit(&l->key[i], memory_order_relaxed) == key)
			return &l->value[i];
	return NULL;
}

// The key's slot, deleted or not.
static _Atomic uint32_t *find(const struct xy_exact *t, uint64_t h, uint64_t key)
{
	uint64_t ref = group_of(dir_of(t), h);
	struct line *l = &group_at(ref)[first_line(ref, h)];
	__builtin_prefetch(group_at(ref), 1); // the count of the group, which a change needs next
	_Atomic uint32_t *slot = line_find(l, key);
	if (!slot && atomic_load_explicit(&l->spilled, memory_order_relaxed))
		slot = line_find(&group_at(ref)[second_line(ref, h)], key);
	return slot;
}

// The loads of one key wait for each other, those of several keys do not. Both lines, as about
// every third key asks for its second one: at a million entries a change costs 280 ns so, else 320.
void xy_exact_prefetch(const struct xy_exact *t, uint64_t key)
{
	uint64_t h = hash(t, key), ref = group_of(dir_of(t), h);
	__builtin_prefetch(group_at(ref), 1);
	__builtin_prefetch(&group_at(ref)[first_line(ref, h)], 1);
	__builtin_prefetch(&group_at(ref)[second_line(ref, h)], 1);
}

static int add(struct xy_exact *t, const struct entry *e)
{
	int r = group_add(group_of(dir_of(t), e->hash), e) ? 0 : add_in_new_group(t, e);
	if (r == 0)
		t->count++;
	return r;
}

int xy_exact_set(struct xy_exact *t, uint64_t key, uint32_t value)
{
	if (value == XY_TABLE_MISS)
		return -EINVAL;
	struct entry e = {.hash = hash(t, key), .key = key, .value = value};
	_Atomic uint32_t *slot = find(t, e.hash, key);
	bool there = slot && atomic_load_explicit(slot, memory_order_relaxed) != XY_TABLE_MISS;
	if (!there && t->count >= t->limit)
		return -ENOSPC;
	if (!slot)
		return add(t, &e);
	if (!there) {
		group_at(group_of(dir_of(t), e.hash))[0].note++;
		t->count++;
	}
	atomic_store_explicit(slot, value, memory_order_release);
	return 0;
}

// Joins h's group with its other half when both have become small. Without memory they stay.
static bool merge(struct xy_exact *t, uint64_t h)
{
	uint64_t ref = group_of(dir_of(t), h);
	unsigned depth = depth_of(ref);
	if (depth == 0 || live(ref) > MERGE_ENTRIES)
		return false;
	uint64_t half = group_of(dir_of(t), h ^ UINT64_C(1) << (64 - depth));
	if (depth_of(half) != depth || live(ref) + live(half) > MERGE_ENTRIES)
		return false;
	struct entry e[MERGE_ENTRIES];
	uint64_t joined;
	unsigned n = group_entries(t, ref, e);
	n += group_entries(t, half, e + n);
	if (group_build(t, e, n, lines_for(n), depth - 1, &joined) < 0)
		return false;
	dir_point(t, h, joined);
	group_retire(t, ref);
	group_retire(t, half);
	return true;
}

static void shrink(struct xy_exact *t, uint64_t h)
{
	while (merge(t, h))
		;
	uint64_t ref = group_of(dir_of(t), h);
	unsigned want = lines_for(live(ref)), lines = group_lines(ref);
	if (2 * want <= lines || (live(ref) == 0 && want < lines)) {
		struct entry e[MAX_ENTRIES];
		unsigned n = group_entries(t, ref, e);
		replace(t, h, e, n, want); // without memory the group stays as it is
	}
	while (dir_of(t)->depth > 0 && t->groups[dir_of(t)->depth] == 0)
		if (dir_resize(t, dir_of(t)->depth - 1) < 0)
			break;
}

int xy_exact_del(struct xy_exact *t, uint64_t key)
{
	uint64_t h = hash(t, key);
	_Atomic uint32_t *slot = find(t, h, key);
	if (!slot || atomic_load_explicit(slot, memory_order_relaxed) == XY_TABLE_MISS)
		return -ENOENT;
	atomic_store_explicit(slot, XY_TABLE_MISS, memory_order_release);
	group_at(group_of(dir_of(t), h))[0].note--;
	t->count--;
	shrink(t, h);
	return 0;
}

uint32_t xy_exact_get(const struct xy_exact *t, uint64_t key)
{
	const _Atomic uint32_t *slot = find(t, hash(t, key), key);
	return slot ? atomic_load_explicit(slot, memory_order_relaxed) : XY_TABLE_MISS;
}

uint32_t xy_exact_count(const struct xy_exact *t)
{
	return t->count;
}

size_t xy_exact_bytes(const struct xy_exact *t)
{
	return t->bytes;
}

// Calls fn for each group once: at its first slot.
static void each_group(const struct xy_exact *t, void (*fn)(void *arg, uint64_t ref), void *arg)
{
	const struct dir *d = dir_of(t);
	for (size_t i = 0; i < (size_t)1 << d->depth;) {
		uint64_t ref = atomic_load_explicit(&d->slot[i], memory_order_relaxed);
		i += (size_t)1 << (d->depth - depth_of(ref));
		fn(arg, ref);
	}
}

struct walk {
	const struct xy_exact *t;
	void (*fn)(void *arg, uint64_t key, uint32_t value);
	void *arg;
};

static void walk_group(void *arg, uint64_t ref)
{
	const struct walk *w = arg;
	struct entry e[MAX_ENTRIES];
	unsigned n = group_entries(w->t, ref, e);
	for (unsigned i = 0; i < n; i++)
		w->fn(w->arg, e[i].key, e[i].value);
}

void xy_exact_walk(const struct xy_exact *t, void (*fn)(void *arg, uint64_t key, uint32_t value),
		   void *arg)
{
	struct walk w = {.t = t, .fn = fn, .arg = arg};
	each_group(t, walk_group, &w);
}

// At 32 entries a slot a full table's groups have three depths to spare.
static unsigned depth_limit(uint32_t limit)
{
	unsigned depth = 0;
	while (depth < MAX_DEPTH && (uint64_t)32 << depth < limit)
		depth++;
	return depth;
}

struct xy_exact *xy_exact_create(uint32_t limit, uint64_t seed, struct xy_reclaim *reclaim)
{
	struct xy_exact *t = aligned_alloc(LINE, sizeof(*t));
	struct xy_blocks *blocks = t ? xy_blocks_create() : NULL;
	struct dir *d = blocks ? dir_new(0) : NULL;
	if (!d)
		goto no_memory;
	*t = (struct xy_exact){.reclaim = reclaim,
			       .blocks = blocks,
			       .limit = limit,
			       .max_depth = depth_limit(limit)};
	uint64_t ref = group_new(t, MIN_LINES, 0);
	if (!ref)
		goto no_memory;
	t->secret = xy_exact_secret(seed);
	t->bytes = sizeof(*t) + dir_size(0);
	atomic_init(&t->dir, d);
	dir_point(t, 0, ref);
	return t;
no_memory:
	free(d);
	if (blocks)
		xy_blocks_destroy(blocks);
	free(t);
	return NULL;
}

static void free_group(void *arg, uint64_t ref)
{
	xy_blocks_free(group_at(ref));
}

void xy_exact_destroy(struct xy_exact *t)
{
	if (!t)
		return;
	each_group(t, free_group, NULL);
	xy_blocks_destroy(t->blocks);
	free(dir_of(t));
	sodium_memzero(&t->secret, sizeof(t->secret));
	free(t);
}
