// SPDX-License-Identifier: BSD-3-Clause
// What tests of several nodes on virtual time share: random bytes from a seed, and a queue of
// packets that are on their way. The type of a packet is the test's; it begins with the time
// (xy_nsec) at which the packet arrives. One thread; the memory is the test's.
#pragma once

#include "base/time.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// xorshift: seeded (never with 0), so that a failure comes again.
static inline void fake_random(uint64_t *state, void *buf, size_t len)
{
	uint8_t *b = buf;
	for (size_t i = 0; i < len; i++) {
		*state ^= *state << 13;
		*state ^= *state >> 7;
		*state ^= *state << 17;
		b[i] = (uint8_t)(*state >> 24);
	}
}

static inline xy_nsec fake_net_at(const void *queue, unsigned i, size_t size)
{
	xy_nsec at;
	memcpy(&at, (const uint8_t *)queue + i * size, sizeof(at));
	return at;
}

// The oldest packet that has arrived by now, out of the queue; false when none has.
static inline bool fake_net_take(void *queue, unsigned *queued, size_t size, xy_nsec now, void *out)
{
	for (unsigned i = 0; i < *queued; i++) {
		uint8_t *p = (uint8_t *)queue + i * size;
		if (fake_net_at(queue, i, size) > now)
			continue;
		memcpy(out, p, size);
		memmove(p, p + size, (--*queued - i) * size);
		return true;
	}
	return false;
}

// When the next one arrives, or XY_NEVER.
static inline xy_nsec fake_net_next(const void *queue, unsigned queued, size_t size)
{
	xy_nsec next = XY_NEVER;
	for (unsigned i = 0; i < queued; i++) {
		xy_nsec at = fake_net_at(queue, i, size);
		next = at < next ? at : next;
	}
	return next;
}
