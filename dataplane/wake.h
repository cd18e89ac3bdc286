// SPDX-License-Identifier: BSD-3-Clause
// What it costs a thread of this machine to sleep on a descriptor and be woken. Control thread,
// before the workers run.
#pragma once

#include "base/time.h"

#define XY_WAKE_COST_LEAST (2 * XY_USEC)
#define XY_WAKE_COST_MOST  (50 * XY_USEC)

// CPU time of one, between the bounds above; takes some milliseconds at most. Where it cannot be
// measured: the least.
xy_nsec xy_wake_cost(void);
