// SPDX-License-Identifier: BSD-3-Clause
// Memory of the routing table: objects numbered from 1 in chunks that never move, hash chains and
// a timer heap over those numbers (half the size of pointers). One thread; nothing is shared.
#pragma once

#include "base/time.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { POOL_CHUNK = 16 }; // objects: most pools of most nodes hold a few

struct pool {
	uint8_t **chunks;
	size_t object; // bytes, at least 4
	uint32_t chunk_count, top, free, used, limit;
};

void babel_pool_init(struct pool *p, size_t object, uint32_t limit);
void babel_pool_clear(struct pool *p);
uint32_t babel_pool_take(struct pool *p); // a zeroed object; 0 at the limit or without memory
void babel_pool_give(struct pool *p, uint32_t i); // with the last one chunks go, a bounded lot
// Whether there is memory behind a number that may be out of date: of an object that was given
// back, or is another one now.
static inline bool babel_pool_has(const struct pool *p, uint32_t i)
{
	return i && i <= p->top;
}
size_t babel_pool_bytes(const struct pool *p);

static inline void *babel_pool_at(const struct pool *p, uint32_t i)
{
	return p->chunks[(i - 1) / POOL_CHUNK] + (i - 1) % POOL_CHUNK * p->object;
}

// An array that grows without moving or copying: each part is as large as all before it.
struct seq {
	uint8_t *parts[24];
	size_t object;
	uint32_t size;
};

enum { SEQ_FIRST = 16 };

bool babel_seq_grow(struct seq *s); // twice the size; false: no memory
void babel_seq_clear(struct seq *s);

static inline void *babel_seq_at(const struct seq *s, uint32_t i)
{
	uint32_t k = 27 - (uint32_t)__builtin_clz(i + SEQ_FIRST);
	return s->parts[k] + (i + SEQ_FIRST - ((uint32_t)SEQ_FIRST << k)) * s->object;
}

// Chained hashing: each object holds the number of the next one at offset `next`. It grows by one
// bucket at a time (linear hashing), so no insertion ever moves the whole table.
struct map {
	struct pool *pool;
	size_t next;
	uint32_t (*hash)(const void *owner, const void *object);
	const void *owner;
	struct seq buckets;
	uint32_t bucket_count, count; // buckets in use; objects
};

void babel_map_init(struct map *m, struct pool *p, size_t next,
		    uint32_t (*hash)(const void *owner, const void *object), const void *owner);
void babel_map_clear(struct map *m);
bool babel_map_insert(struct map *m, uint32_t i); // false: no memory
void babel_map_remove(struct map *m, uint32_t i);

static inline uint32_t babel_map_bucket(const struct map *m, uint32_t hash)
{
	uint32_t mask = UINT32_MAX >> __builtin_clz(m->bucket_count);
	uint32_t at = hash & mask;
	return at < m->bucket_count ? at : at & mask >> 1;
}

static inline uint32_t babel_map_first(const struct map *m, uint32_t hash)
{
	return m->bucket_count ? *(uint32_t *)babel_seq_at(&m->buckets, babel_map_bucket(m, hash))
			       : 0;
}

static inline uint32_t babel_map_next(const struct map *m, uint32_t i)
{
	return *(uint32_t *)((uint8_t *)babel_pool_at(m->pool, i) + m->next);
}

struct heap_entry { // 12 bytes: every route has two
	xy_nsec at;
	uint32_t ref;
} __attribute__((packed, aligned(4)));

// A binary heap of deadlines; `place` gives where the owner of a reference keeps its position.
struct heap {
	struct seq entries; // of struct heap_entry
	uint32_t count;
	uint32_t *(*place)(void *owner, uint32_t ref);
	void *owner;
};

static inline struct heap_entry *babel_heap_at(const struct heap *h, uint32_t i)
{
	return babel_seq_at(&h->entries, i);
}

void babel_heap_clear(struct heap *h);
void babel_heap_set(struct heap *h, uint32_t ref, xy_nsec at); // adds or moves
void babel_heap_stop(struct heap *h, uint32_t ref);
