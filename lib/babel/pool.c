// SPDX-License-Identifier: BSD-3-Clause
#include "babel/pool.h"

#include <stdlib.h>
#include <string.h>

enum { GIVEN_BACK = 64 }; // chunks in one call

void babel_pool_init(struct pool *p, size_t object, uint32_t limit)
{
	*p = (struct pool){.object = (object + 7) & ~(size_t)7, .limit = limit};
}

void babel_pool_clear(struct pool *p)
{
	for (uint32_t i = 0; i < p->chunk_count; i++)
		free(p->chunks[i]);
	free(p->chunks);
	p->chunks = NULL;
	p->chunk_count = p->top = p->free = p->used = 0;
}

static bool grow(struct pool *p)
{
	uint32_t n = p->chunk_count;
	if ((n & (n - 1)) == 0) { // the list of chunks doubles
		void *list = realloc(p->chunks, (n ? 2 * (size_t)n : 1) * sizeof(*p->chunks));
		if (!list)
			return false;
		p->chunks = list;
	}
	p->chunks[n] = malloc(POOL_CHUNK * p->object);
	if (!p->chunks[n])
		return false;
	p->chunk_count++;
	return true;
}

uint32_t babel_pool_take(struct pool *p)
{
	if (p->used >= p->limit)
		return 0;
	uint32_t i = p->free;
	if (i) {
		p->free = *(uint32_t *)babel_pool_at(p, i);
	} else {
		if (p->top == p->chunk_count * POOL_CHUNK && !grow(p))
			return 0;
		i = ++p->top;
	}
	p->used++;
	memset(babel_pool_at(p, i), 0, p->object);
	return i;
}

void babel_pool_give(struct pool *p, uint32_t i)
{
	*(uint32_t *)babel_pool_at(p, i) = p->free;
	p->free = i;
	if (--p->used)
		return;
	p->top = p->free = 0;
	for (int left = GIVEN_BACK; left && p->chunk_count > 1; left--)
		free(p->chunks[--p->chunk_count]);
}

size_t babel_pool_bytes(const struct pool *p)
{
	return (size_t)p->chunk_count * POOL_CHUNK * p->object;
}

bool babel_seq_grow(struct seq *s)
{
	uint32_t more = s->size ? s->size + SEQ_FIRST : SEQ_FIRST;
	uint32_t k = 27 - (uint32_t)__builtin_clz(s->size + SEQ_FIRST);
	if (k >= sizeof(s->parts) / sizeof(s->parts[0]))
		return false;
	s->parts[k] = malloc(more * s->object);
	if (!s->parts[k])
		return false;
	s->size += more;
	return true;
}

void babel_seq_clear(struct seq *s)
{
	for (size_t k = 0; k < sizeof(s->parts) / sizeof(s->parts[0]); k++)
		free(s->parts[k]);
	*s = (struct seq){.object = s->object};
}

void babel_map_init(struct map *m, struct pool *p, size_t next,
		    uint32_t (*hash)(const void *owner, const void *object), const void *owner)
{
	*m = (struct map){.pool = p,
			  .next = next,
			  .hash = hash,
			  .owner = owner,
			  .buckets = {.object = sizeof(uint32_t)}};
}

void babel_map_clear(struct map *m)
{
	babel_seq_clear(&m->buckets);
	m->bucket_count = m->count = 0;
}

static uint32_t *next_of(const struct map *m, uint32_t i)
{
	return (uint32_t *)((uint8_t *)babel_pool_at(m->pool, i) + m->next);
}

static uint32_t *bucket_at(const struct map *m, uint32_t at)
{
	return babel_seq_at(&m->buckets, at);
}

static uint32_t *bucket_of(const struct map *m, uint32_t i)
{
	return bucket_at(m, babel_map_bucket(m, m->hash(m->owner, babel_pool_at(m->pool, i))));
}

// One bucket more: what belongs there was in the bucket half the table below.
static bool grow_by_one(struct map *m)
{
	if (m->bucket_count == m->buckets.size && !babel_seq_grow(&m->buckets))
		return m->bucket_count != 0; // longer chains, no harm
	uint32_t new = m->bucket_count++;
	*bucket_at(m, new) = 0;
	if (!new)
		return true;
	uint32_t *from = bucket_at(m, new ^ 1u << (31 - __builtin_clz(new)));
	uint32_t i = *from, next;
	*from = 0;
	for (; i; i = next) {
		uint32_t *to = bucket_of(m, i);
		next = *next_of(m, i);
		*next_of(m, i) = *to;
		*to = i;
	}
	return true;
}

bool babel_map_insert(struct map *m, uint32_t i)
{
	if (m->count >= m->bucket_count && !grow_by_one(m))
		return false;
	uint32_t *to = bucket_of(m, i);
	*next_of(m, i) = *to;
	*to = i;
	m->count++;
	return true;
}

void babel_map_remove(struct map *m, uint32_t i)
{
	for (uint32_t *at = bucket_of(m, i); *at; at = next_of(m, *at))
		if (*at == i) {
			*at = *next_of(m, i);
			m->count--;
			return;
		}
}

void babel_heap_clear(struct heap *h)
{
	babel_seq_clear(&h->entries);
	h->count = 0;
}

// Positions are kept plus one: 0 means not in the heap.
static void put(struct heap *h, uint32_t at, struct heap_entry e)
{
	*babel_heap_at(h, at) = e;
	*h->place(h->owner, e.ref) = at + 1;
}

static void sift_up(struct heap *h, uint32_t at, struct heap_entry e)
{
	for (; at > 0 && babel_heap_at(h, (at - 1) / 2)->at > e.at; at = (at - 1) / 2)
		put(h, at, *babel_heap_at(h, (at - 1) / 2));
	put(h, at, e);
}

static void sift_down(struct heap *h, uint32_t at, struct heap_entry e)
{
	for (uint32_t child; (child = 2 * at + 1) < h->count; at = child) {
		if (child + 1 < h->count &&
		    babel_heap_at(h, child + 1)->at < babel_heap_at(h, child)->at)
			child++;
		if (babel_heap_at(h, child)->at >= e.at)
			break;
		put(h, at, *babel_heap_at(h, child));
	}
	put(h, at, e);
}

void babel_heap_set(struct heap *h, uint32_t ref, xy_nsec at)
{
	struct heap_entry e = {at, ref};
	uint32_t pos = *h->place(h->owner, ref);
	if (pos) {
		if (at < babel_heap_at(h, pos - 1)->at)
			sift_up(h, pos - 1, e);
		else
			sift_down(h, pos - 1, e);
		return;
	}
	if (h->count == h->entries.size && !babel_seq_grow(&h->entries))
		return; // no timer for it: the object stays until something else ends it
	sift_up(h, h->count++, e);
}

void babel_heap_stop(struct heap *h, uint32_t ref)
{
	uint32_t *place = h->place(h->owner, ref), pos = *place;
	if (!pos)
		return;
	*place = 0;
	struct heap_entry last = *babel_heap_at(h, --h->count);
	if (pos - 1 == h->count)
		return;
	if (pos - 1 > 0 && babel_heap_at(h, (pos - 2) / 2)->at > last.at)
		sift_up(h, pos - 1, last);
	else
		sift_down(h, pos - 1, last);
}
