// SPDX-License-Identifier: BSD-3-Clause
// A binary heap of deadlines: the earliest is found at once, a change costs log n. One thread; the
// nodes live in their owners, the heap holds pointers to them.
#pragma once

#include "base/time.h"

#include <stdint.h>

struct xy_heap_node {
	xy_nsec at;
	uint32_t pos; // 1 + place in the heap; 0 = not in it
};

struct xy_heap {
	struct xy_heap_node **node;
	uint32_t count, room;
};

int xy_heap_init(struct xy_heap *h, uint32_t room); // -ENOMEM
void xy_heap_fini(struct xy_heap *h);
// Puts the node in, or moves it; XY_NEVER takes it out. There is room for all nodes of the owner.
void xy_heap_set(struct xy_heap *h, struct xy_heap_node *n, xy_nsec at);
struct xy_heap_node *xy_heap_first(const struct xy_heap *h); // NULL when empty
