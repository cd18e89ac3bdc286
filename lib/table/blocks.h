// SPDX-License-Identifier: BSD-3-Clause
// Memory for the many small blocks of a table that readers walk through: kept together in regions
// of 2 MB, which the kernel is asked to map as huge pages from the second on, as a lookup in a
// large table else waits for address translation as long as for memory. Blocks of one size share a
// page or four; an empty region goes back to the system. One thread; freeing included.
#pragma once

#include <stddef.h>

enum { XY_BLOCK_MOST = 3840, XY_BLOCK_ALIGN = 32 };

struct xy_blocks;

struct xy_blocks *xy_blocks_create(void);
// What was not freed yet stays: the last block freed takes the rest with it.
void xy_blocks_destroy(struct xy_blocks *b);

// 1..XY_BLOCK_MOST bytes, or NULL. Where the size is a multiple of 64, so is the address.
void *xy_blocks_alloc(struct xy_blocks *b, size_t size);
void xy_blocks_free(void *block);
size_t xy_blocks_size(size_t size);		  // what a block of that size takes
size_t xy_blocks_held(const struct xy_blocks *b); // from the system: pages that are in use
