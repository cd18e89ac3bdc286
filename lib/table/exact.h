// SPDX-License-Identifier: BSD-3-Clause
// The exact table of /64s: the first 64 bits of an address -> a 32-bit value. One writer, any
// number of lock-free readers inside RCU read sections. Extendible hashing, so one change touches
// one bucket group, never the whole table.
#pragma once

#include "table/reclaim.h"

#include <stdbool.h>
#include <stdint.h>

#define XY_TABLE_MISS UINT32_MAX // not a value; what a lookup gives when nothing matches

struct xy_exact;

// limit: most entries; more are refused with -ENOSPC. seed: secret, so nobody can aim collisions.
struct xy_exact *xy_exact_create(uint32_t limit, uint64_t seed, struct xy_reclaim *reclaim);
void xy_exact_destroy(struct xy_exact *t); // no reader may be left

// Writer. set adds or replaces; 0, -ENOSPC or -ENOMEM. del: 0 or -ENOENT. key: the 64 bits as
// loaded big-endian (xy_be64_load). value must not be XY_TABLE_MISS.
int xy_exact_set(struct xy_exact *t, uint64_t key, uint32_t value);
int xy_exact_del(struct xy_exact *t, uint64_t key);
// A set or del of this key follows soon: whoever says so ahead, or of several keys first, does
// not wait for the cache miss that is the least that a change of a large table costs.
void xy_exact_prefetch(const struct xy_exact *t, uint64_t key);
uint32_t xy_exact_get(const struct xy_exact *t, uint64_t key); // writer's view, or XY_TABLE_MISS
uint32_t xy_exact_count(const struct xy_exact *t);
size_t xy_exact_bytes(const struct xy_exact *t);

// Readers: n keys at once, prefetched in stages; out[i] is the value or XY_TABLE_MISS.
void xy_exact_lookup_burst_rcu(const struct xy_exact *t, const uint64_t *keys, uint32_t *out,
			       unsigned n);

// Writer: calls fn for every entry, in no order.
void xy_exact_walk(const struct xy_exact *t, void (*fn)(void *arg, uint64_t key, uint32_t value),
		   void *arg);
