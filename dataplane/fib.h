// SPDX-License-Identifier: BSD-3-Clause
// How a route is packed into a table's 32-bit value: kind in the top two bits, peer below. Packing:
// any thread; the tables' begin and end: the control thread, without workers.
#pragma once

#include "dp.h"

#define XY_FIB_KIND_SHIFT 30
#define XY_FIB_PEER_MASK  ((UINT32_C(1) << XY_FIB_KIND_SHIFT) - 1)

static inline uint32_t xy_fib_pack(const struct xy_dp_route *r)
{
	uint32_t peer = r->kind == XY_DP_ROUTE_PEER ? r->peer : 0;
	return ((uint32_t)r->kind - 1) << XY_FIB_KIND_SHIFT | peer;
}

// XY_TABLE_MISS has kind 4 by this rule, which is no kind: a miss.
static inline unsigned xy_fib_kind(uint32_t value)
{
	return (value >> XY_FIB_KIND_SHIFT) + 1;
}

int xy_fib_init(struct xy_dp *dp, struct xy_err *err);
void xy_fib_fini(struct xy_dp *dp);
