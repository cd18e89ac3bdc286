// SPDX-License-Identifier: BSD-3-Clause
// The four rings of an AF_XDP socket, shared with the kernel: one side puts, the other takes, each
// with a counter of its own that the other only reads. What is kept of the other's here is as it
// was seen last. One thread.
#pragma once

#include <linux/if_xdp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct xy_xsk_ring {
	uint32_t put, taken; // ours ahead of what is shown; the other's as seen last
	uint32_t mask;	     // entries - 1
	uint32_t *producer, *consumer, *flags; // the kernel's, too
	void *entries;
	void *map; // all of it
	size_t map_len;
};

static inline uint64_t *xy_xsk_ring_addr(const struct xy_xsk_ring *r, uint32_t i)
{
	return (uint64_t *)r->entries + (i & r->mask);
}

static inline struct xdp_desc *xy_xsk_ring_desc(const struct xy_xsk_ring *r, uint32_t i)
{
	return (struct xdp_desc *)r->entries + (i & r->mask);
}

static inline bool xy_xsk_ring_wants_wakeup(const struct xy_xsk_ring *r)
{
	return *(volatile uint32_t *)r->flags & XDP_RING_NEED_WAKEUP;
}

// --- fill and tx: we put

// Looks at what the kernel took only when fewer than n seem free.
static inline uint32_t xy_xsk_ring_free(struct xy_xsk_ring *r, uint32_t n)
{
	uint32_t free = r->mask + 1 - (r->put - r->taken);
	if (free >= n)
		return free;
	r->taken = __atomic_load_n(r->consumer, __ATOMIC_ACQUIRE);
	return r->mask + 1 - (r->put - r->taken);
}

// All n or none: false.
static inline bool xy_xsk_ring_reserve(struct xy_xsk_ring *r, uint32_t n, uint32_t *at)
{
	if (xy_xsk_ring_free(r, n) < n)
		return false;
	*at = r->put;
	r->put += n;
	return true;
}

// Shows the kernel all that was reserved.
static inline void xy_xsk_ring_submit(struct xy_xsk_ring *r)
{
	__atomic_store_n(r->producer, r->put, __ATOMIC_RELEASE);
}

// --- rx and completion: we take

// Up to n. Looks at what the kernel put only when nothing is left of what was seen.
static inline uint32_t xy_xsk_ring_peek(struct xy_xsk_ring *r, uint32_t n, uint32_t *at)
{
	uint32_t left = r->put - r->taken;
	if (!left) {
		r->put = __atomic_load_n(r->producer, __ATOMIC_ACQUIRE);
		left = r->put - r->taken;
	}
	left = left < n ? left : n;
	*at = r->taken;
	r->taken += left;
	return left;
}

static inline void xy_xsk_ring_cancel(struct xy_xsk_ring *r, uint32_t n)
{
	r->taken -= n;
}

// Gives the kernel the room of all that was peeked at.
static inline void xy_xsk_ring_release(struct xy_xsk_ring *r)
{
	__atomic_store_n(r->consumer, r->taken, __ATOMIC_RELEASE);
}
