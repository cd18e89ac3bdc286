// SPDX-License-Identifier: BSD-3-Clause
// Far nodes as workers see them: ends (end.h) that are reached over links, and found by their /64.
// Replaced whole (RCU). Control rw, workers ro.
#pragma once

#include "end.h"

struct xy_far { // immutable once published
	struct xy_addr addr;
	uint64_t net;	      // its /64, as xy_be64_load gives it
	uint32_t payload_max; // largest overlay packet to seal for it, bytes
};

static inline bool xy_end_is_far(const struct xy_dp *dp, uint32_t end)
{
	return end - dp->cfg.max_peers < dp->cfg.max_far;
}

static inline const struct xy_far *xy_far_rcu(const struct xy_dp *dp, uint32_t end)
{
	return __atomic_load_n(&dp->end[end].far, __ATOMIC_ACQUIRE);
}

// The far node that has this /64; XY_TABLE_MISS: none that is known. For a burst of packets ask for
// all of them at once (xy_exact_lookup_burst_rcu).
static inline uint32_t xy_far_find_rcu(const struct xy_dp *dp, uint64_t net)
{
	uint32_t end;
	xy_exact_lookup_burst_rcu(dp->far, &net, &end, 1);
	return end;
}

int xy_fars_init(struct xy_dp *dp, struct xy_err *err);
void xy_fars_fini(struct xy_dp *dp);
