// SPDX-License-Identifier: BSD-3-Clause
// A bounds-checked reader over bytes that a stranger wrote. A read past the end sets `bad`, returns
// zeros or NULL, and every later read fails too: a parser reads its fields, then asks once whether
// all of it was there. Any thread; the bytes belong to the caller.
#pragma once

#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>

struct xy_cursor {
	const uint8_t *p, *end;
	bool bad;
};

static inline struct xy_cursor xy_cursor(const void *data, size_t len)
{
	return (struct xy_cursor){.p = data, .end = (const uint8_t *)data + len};
}

static inline size_t xy_cursor_left(const struct xy_cursor *c)
{
	return (size_t)(c->end - c->p);
}

// n bytes in place, or NULL.
static inline const uint8_t *xy_cursor_take(struct xy_cursor *c, size_t n)
{
	if (c->bad || xy_cursor_left(c) < n) {
		c->bad = true;
		return NULL;
	}
	const uint8_t *at = c->p;
	c->p += n;
	return at;
}

static inline void xy_cursor_copy(struct xy_cursor *c, void *to, size_t n)
{
	const uint8_t *at = xy_cursor_take(c, n);
	if (at)
		memcpy(to, at, n);
	else
		memset(to, 0, n);
}

static inline uint8_t xy_cursor_u8(struct xy_cursor *c)
{
	const uint8_t *at = xy_cursor_take(c, 1);
	return at ? *at : 0;
}

static inline uint16_t xy_cursor_be16(struct xy_cursor *c)
{
	const uint8_t *at = xy_cursor_take(c, 2);
	return at ? xy_be16_load(at) : 0;
}

static inline uint32_t xy_cursor_be32(struct xy_cursor *c)
{
	const uint8_t *at = xy_cursor_take(c, 4);
	return at ? xy_be32_load(at) : 0;
}

static inline uint64_t xy_cursor_be64(struct xy_cursor *c)
{
	const uint8_t *at = xy_cursor_take(c, 8);
	return at ? xy_be64_load(at) : 0;
}

// A cursor over the next n bytes; empty and bad when they are not there.
static inline struct xy_cursor xy_cursor_sub(struct xy_cursor *c, size_t n)
{
	const uint8_t *at = xy_cursor_take(c, n);
	if (at)
		return xy_cursor(at, n);
	return (struct xy_cursor){.p = c->end, .end = c->end, .bad = true};
}
