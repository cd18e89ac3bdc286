// SPDX-License-Identifier: BSD-3-Clause
// A host interface in memory, as port/ring.h is a port: overlay packets come from one array of
// buffers and go to another, without a system call or a copy.
#pragma once

#include "host/host.h"

struct host_memory {
	struct xy_host host;  // first
	struct rte_mbuf **in; // taken from the front
	uint32_t in_count;
	struct rte_mbuf **out; // put to the end
	uint32_t out_count, out_max;
};

int host_memory_open(struct xy_dp *dp, unsigned id, struct host_memory *h); // 0 or -errno
