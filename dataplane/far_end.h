// SPDX-License-Identifier: BSD-3-Clause
// Far ends: ends (end.h) that are reached over links, and found by their /64, as a link's end has
// its adjacency (peer.h). Which nodes become one is the control plane's (xy_fars_*, its far/),
// which tells by xy_dp_far_*. Replaced whole (RCU). Control rw, workers ro.
#pragma once

#include "end.h"

struct xy_far_end { // immutable once published
	struct xy_addr addr;
	uint64_t net;	      // its /64, as xy_be64_load gives it
	uint32_t payload_max; // largest overlay packet to seal for it, bytes
};

static inline bool xy_end_is_far(const struct xy_dp *dp, uint32_t end)
{
	return end - dp->cfg.max_peers < dp->cfg.max_far;
}

static inline const struct xy_far_end *xy_far_end_rcu(const struct xy_dp *dp, uint32_t end)
{
	return __atomic_load_n(&dp->end[end].far, __ATOMIC_ACQUIRE);
}

// The far node that has this /64; XY_TABLE_MISS: none that is known. For a burst of packets ask for
// all of them at once (xy_exact_lookup_burst_rcu).
static inline uint32_t xy_far_end_find_rcu(const struct xy_dp *dp, uint64_t net)
{
	uint32_t end;
	xy_exact_lookup_burst_rcu(dp->far, &net, &end, 1);
	return end;
}

int xy_far_ends_init(struct xy_dp *dp, struct xy_err *err);
void xy_far_ends_fini(struct xy_dp *dp);
