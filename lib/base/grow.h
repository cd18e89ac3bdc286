// SPDX-License-Identifier: BSD-3-Clause
// A list in one piece that grows by doubling. Whose it is decides which thread; free() ends it.
#pragma once

#include <stdint.h>
#include <stdlib.h>

enum { XY_GROW_LEAST = 16 };

// v with room for one more behind the `count` that are used, of `size` bytes each; it may have
// moved. NULL: no memory, and v and *room are as they were.
static inline void *xy_grow(void *v, uint32_t *room, uint32_t count, size_t size)
{
	uint32_t more = *room ? 2 * *room : XY_GROW_LEAST;
	if (count < *room)
		return v;
	v = reallocarray(v, more, size);
	*room = v ? more : *room;
	return v;
}
