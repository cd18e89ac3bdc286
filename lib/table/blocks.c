// SPDX-License-Identifier: BSD-3-Clause
// A slab is a page, or four for larger blocks, of blocks of one size. What a region has in its
// slabs stands in the region's first pages, found from a block by its address.
#include "table/blocks.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

enum {
	REGION = 2 << 20,
	PAGE = 4096,
	PAGES = REGION / PAGE,
	FINE = 512, // up to here sizes rise by XY_BLOCK_ALIGN and a slab is a page
	COARSE = 128,
	SMALL_SIZES = FINE / XY_BLOCK_ALIGN,
	SIZES = SMALL_SIZES + (XY_BLOCK_MOST - FINE) / COARSE,
	LARGE = 4, // pages
};

struct free_block {
	struct free_block *next;
};

struct slab {
	struct slab *next, *prev; // of its size, with room
	struct free_block *free;
	uint16_t used, carved, room; // blocks
	uint8_t size, pages;
};

struct region {
	struct xy_blocks *owner;
	struct region *next, *prev;
	unsigned free_pages;
	uint64_t free[PAGES / 64];
	struct slab slab[PAGES]; // by first page
	uint16_t first[PAGES];	 // of the slab that a page is in
};

enum { HEAD_PAGES = (sizeof(struct region) + PAGE - 1) / PAGE };

struct xy_blocks {
	struct slab with_room[SIZES]; // list heads
	struct region *regions;
	size_t blocks, pages;
	bool is_left;
};

// Sanitizers see what is done to a block of malloc's only.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_PLAIN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_PLAIN 1
#endif
#endif
#ifndef IS_PLAIN
#define IS_PLAIN 0
#endif

static unsigned size_number(size_t size)
{
	if (size <= FINE)
		return (unsigned)((size + XY_BLOCK_ALIGN - 1) / XY_BLOCK_ALIGN) - 1;
	return SMALL_SIZES + (unsigned)((size - FINE + COARSE - 1) / COARSE) - 1;
}

static size_t size_of(unsigned number)
{
	return number < SMALL_SIZES ? (number + 1) * (size_t)XY_BLOCK_ALIGN
				    : FINE + (number - SMALL_SIZES + 1) * (size_t)COARSE;
}

size_t xy_blocks_size(size_t size)
{
	return size_of(size_number(size));
}

// --- regions

static struct region *region_map(void)
{
	char *all =
		mmap(NULL, 2 * REGION, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (all == MAP_FAILED)
		return NULL;
	size_t before = -(uintptr_t)all & (REGION - 1);
	if (before)
		munmap(all, before);
	munmap(all + before + REGION, REGION - before);
	return (struct region *)(all + before);
}

static struct region *region_new(struct xy_blocks *b)
{
	struct region *r = region_map();
	if (!r)
		return NULL;
	if (b->regions) // a small table keeps to as few pages as it needs
		madvise(r, REGION, MADV_HUGEPAGE);
	r->owner = b;
	r->free_pages = PAGES - HEAD_PAGES;
	for (unsigned i = HEAD_PAGES; i < PAGES; i++)
		r->free[i / 64] |= UINT64_C(1) << i % 64;
	r->next = b->regions;
	if (r->next)
		r->next->prev = r;
	b->regions = r;
	return r;
}

static void region_end(struct xy_blocks *b, struct region *r)
{
	*(r->prev ? &r->prev->next : &b->regions) = r->next;
	if (r->next)
		r->next->prev = r->prev;
	munmap(r, REGION);
}

static struct region *region_of(const void *block)
{
	return (struct region *)((uintptr_t)block & ~(uintptr_t)(REGION - 1)); // NOLINT
}

// Single pages from the front, four from the back, so that neither breaks up the other's room.
static int pages_find(const struct region *r, unsigned pages)
{
	for (unsigned i = 0; i < PAGES / 64; i++) {
		unsigned word = pages == 1 ? i : PAGES / 64 - 1 - i;
		uint64_t map = r->free[word];
		if (pages == 1 && map)
			return (int)(word * 64) + __builtin_ctzll(map);
		map &= map >> 1;
		map &= map >> 2;
		map &= UINT64_C(0x1111111111111111);
		if (pages != 1 && map)
			return (int)(word * 64) + 63 - __builtin_clzll(map);
	}
	return -1;
}

static struct region *region_with(struct xy_blocks *b, unsigned pages, int *first)
{
	for (struct region *r = b->regions; r; r = r->next) {
		*first = r->free_pages < pages ? -1 : pages_find(r, pages);
		if (*first >= 0)
			return r;
	}
	struct region *r = region_new(b);
	if (r)
		*first = pages_find(r, pages);
	return r;
}

static uint64_t pages_mask(const struct slab *s, unsigned first)
{
	return ((UINT64_C(1) << s->pages) - 1) << first % 64;
}

// --- slabs

static void list_put(struct xy_blocks *b, struct slab *s)
{
	struct slab *head = &b->with_room[s->size];
	s->prev = head;
	s->next = head->next;
	if (s->next)
		s->next->prev = s;
	head->next = s;
}

static void list_take(struct slab *s)
{
	s->prev->next = s->next;
	if (s->next)
		s->next->prev = s->prev;
}

static struct slab *slab_new(struct xy_blocks *b, unsigned size)
{
	int first;
	unsigned pages = size < SMALL_SIZES ? 1 : LARGE;
	struct region *r = region_with(b, pages, &first);
	if (!r)
		return NULL;
	struct slab *s = &r->slab[first];
	*s = (struct slab){.size = (uint8_t)size,
			   .pages = (uint8_t)pages,
			   .room = (uint16_t)(pages * PAGE / size_of(size))};
	r->free[first / 64] &= ~pages_mask(s, (unsigned)first);
	r->free_pages -= pages;
	for (unsigned i = 0; i < pages; i++)
		r->first[(unsigned)first + i] = (uint16_t)first;
	b->pages += pages;
	list_put(b, s);
	return s;
}

static void slab_end(struct xy_blocks *b, struct region *r, struct slab *s)
{
	unsigned first = (unsigned)(s - r->slab);
	list_take(s);
	r->free[first / 64] |= pages_mask(s, first);
	r->free_pages += s->pages;
	b->pages -= s->pages;
	if (r->free_pages == PAGES - HEAD_PAGES)
		region_end(b, r);
}

static char *slab_base(struct slab *s)
{
	struct region *r = region_of(s);
	return (char *)r + (s - r->slab) * (ptrdiff_t)PAGE;
}

// --- blocks

void *xy_blocks_alloc(struct xy_blocks *b, size_t size)
{
	if (IS_PLAIN)
		return aligned_alloc(xy_blocks_size(size) % 64 ? XY_BLOCK_ALIGN : 64,
				     xy_blocks_size(size));
	unsigned number = size_number(size);
	struct slab *s = b->with_room[number].next;
	if (!s && !(s = slab_new(b, number)))
		return NULL;
	void *block = s->free;
	if (block)
		s->free = s->free->next;
	else
		block = slab_base(s) + s->carved++ * size_of(number);
	if (++s->used == s->room)
		list_take(s);
	b->blocks++;
	return block;
}

void xy_blocks_free(void *block)
{
	if (IS_PLAIN) {
		free(block);
		return;
	}
	struct region *r = region_of(block);
	struct xy_blocks *b = r->owner;
	unsigned page = (unsigned)((uintptr_t)block & (REGION - 1)) / PAGE;
	struct slab *s = &r->slab[r->first[page]];
	struct free_block *f = block;
	f->next = s->free;
	s->free = f;
	if (s->used-- == s->room)
		list_put(b, s);
	if (s->used == 0)
		slab_end(b, r, s);
	if (--b->blocks == 0 && b->is_left)
		free(b);
}

struct xy_blocks *xy_blocks_create(void)
{
	struct xy_blocks *b = malloc(sizeof(*b));
	if (b)
		*b = (struct xy_blocks){0};
	return b;
}

void xy_blocks_destroy(struct xy_blocks *b)
{
	b->is_left = true;
	if (b->blocks == 0)
		free(b);
}

size_t xy_blocks_held(const struct xy_blocks *b)
{
	return sizeof(*b) + b->pages * PAGE;
}
