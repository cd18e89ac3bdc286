// SPDX-License-Identifier: BSD-3-Clause
// Packet buffers: one pool per NUMA node that has workers or DPDK devices, so that a worker's
// buffers are in its own memory. On one node, or without hugepages (EAL's heap is in one place
// then), one pool for all. Where they are too long for AF_XDP, its ordinary cards have another one,
// on any node. Control thread; workers have theirs in xy_worker.
#pragma once

#include "dataplane.h"

#include <rte_mempool.h>

enum { XY_POOLS = 8 };

struct xy_pools {
	unsigned count;
	struct xy_pool {
		int node; // or SOCKET_ID_ANY
		uint32_t buffers;
		struct rte_mempool *mp;
	} pool[XY_POOLS];
	struct rte_mempool *plain; // of the queues of ordinary AF_XDP cards beside a jumbo one
};

// Nodes by number; SOCKET_ID_ANY: a worker that is not pinned, a device that is nowhere.
struct xy_pools_places {
	unsigned workers, devices;
	const int *worker, *device;
};

// How many pools there will be, where and how large. The first is worker 0's; workers that are not
// pinned share it, and so do nodes beyond XY_POOLS.
void xy_pools_plan(const struct xy_dp_config *cfg, const struct xy_pools_places *at,
		   struct xy_pools *out);
uint32_t xy_pools_buffers(const struct xy_dp_config *cfg); // in all, on one node
uint32_t xy_pools_room(const struct xy_dp_config *cfg);	   // bytes of data in each
uint32_t xy_pools_plain(const struct xy_dp_config *cfg);   // buffers in the plain pool, 0: none
uint32_t xy_pools_plain_room(const struct xy_dp_config *cfg);

// Makes them and gives each worker its own; after EAL and before the workers' parts.
int xy_pools_create(struct xy_dp *dp, struct xy_err *err);
void xy_pools_destroy(struct xy_dp *dp);

// The pool of a node, or NULL.
static inline struct rte_mempool *xy_pools_at(const struct xy_pools *p, int node)
{
	for (unsigned i = 0; i < p->count; i++)
		if (p->pool[i].node == node)
			return p->pool[i].mp;
	return NULL;
}
