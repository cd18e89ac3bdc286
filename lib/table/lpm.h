// SPDX-License-Identifier: BSD-3-Clause
// Longest prefix match for IPv6 and IPv4 -> a 32-bit value. One writer, lock-free readers inside
// RCU read sections. A multibit trie of immutable nodes: a change copies the nodes on its path,
// shares the rest, and is seen at once by one pointer swap at _commit; what was replaced goes to
// reclaim.
#pragma once

#include "base/ip.h"
#include "table/exact.h"
#include "table/reclaim.h"

struct xy_lpm;

// bits: 128 (IPv6) or 32 (IPv4). limit: most prefixes.
struct xy_lpm *xy_lpm_create(unsigned bits, uint32_t limit, struct xy_reclaim *reclaim);
void xy_lpm_destroy(struct xy_lpm *t); // no reader may be left

// Writer. key: 16 or 4 bytes, network order; len: 0..bits. Changes are not seen by readers before
// _commit, which publishes all of them at once. set: 0, -ENOSPC, -ENOMEM (nothing changed then);
// del: 0, -ENOENT or -ENOMEM.
int xy_lpm_set(struct xy_lpm *t, const uint8_t *key, uint8_t len, uint32_t value);
int xy_lpm_del(struct xy_lpm *t, const uint8_t *key, uint8_t len);
void xy_lpm_commit(struct xy_lpm *t);
uint32_t xy_lpm_get(const struct xy_lpm *t, const uint8_t *key, uint8_t len); // exact prefix
uint32_t xy_lpm_count(const struct xy_lpm *t);
size_t xy_lpm_bytes(const struct xy_lpm *t);

// Readers: n keys (each points to 16 or 4 bytes), interleaved with prefetch; out[i] or
// XY_TABLE_MISS.
void xy_lpm_lookup_burst_rcu(const struct xy_lpm *t, const uint8_t *const *keys, uint32_t *out,
			     unsigned n);

// What looks up: those that this machine can run, the fastest first; NULL: no more. A table takes
// the first. _use: before there are readers.
struct xy_lpm_kernel;
const struct xy_lpm_kernel *xy_lpm_kernel(unsigned i);
const char *xy_lpm_kernel_name(const struct xy_lpm_kernel *k); // of its instruction set
void xy_lpm_use(struct xy_lpm *t, const struct xy_lpm_kernel *k);

// Writer: calls fn for every prefix in address order, shorter first.
void xy_lpm_walk(const struct xy_lpm *t,
		 void (*fn)(void *arg, const uint8_t *key, uint8_t len, uint32_t value), void *arg);
