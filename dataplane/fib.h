// SPDX-License-Identifier: BSD-3-Clause
// How a route is packed into a table's 32-bit value: kind in the top three bits, below it the
// peer, the set of next hops or the attachment. Packing: any thread; the tables' begin and end: the
// control thread, without workers.
#pragma once

#include "dp.h"

#define XY_FIB_KIND_SHIFT 29
#define XY_FIB_ARG_MASK	  ((UINT32_C(1) << XY_FIB_KIND_SHIFT) - 1)

enum { XY_FIB_GROUP = XY_DP_ROUTE_EXIT + 1 }; // a kind more: to one peer of a set

static inline uint32_t xy_fib_pack(unsigned kind, uint32_t arg)
{
	return (kind - 1) << XY_FIB_KIND_SHIFT | arg;
}

// XY_TABLE_MISS has kind 8 by this rule, which is no kind: a miss.
static inline unsigned xy_fib_kind(uint32_t value)
{
	return (value >> XY_FIB_KIND_SHIFT) + 1;
}

static inline uint32_t xy_fib_arg(uint32_t value)
{
	return value & XY_FIB_ARG_MASK;
}

// What `sources` says of a source that no peer has: below XY_TABLE_MISS, above every peer.
enum xy_source { XY_SOURCE_NOBODYS = 0x7ffffffe, XY_SOURCE_OURS = 0x7fffffff };

int xy_fib_init(struct xy_dp *dp, struct xy_err *err);
void xy_fib_fini(struct xy_dp *dp);
