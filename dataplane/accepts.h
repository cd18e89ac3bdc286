// SPDX-License-Identifier: BSD-3-Clause
// What an end may bring from outside 200::/7, beside its own /64, and what a default among that
// does not hold, for it is somebody else's (xy_dp_taken_set): replaced whole (RCU). Control rw,
// workers ro.
#pragma once

#include "dp.h"

// Of an end that there is. n 0: nothing, which never fails. -ENOMEM: what held before holds.
int xy_accepts_set(struct xy_dp *dp, uint32_t end, const struct xy_prefix *prefix, unsigned n);
// May this end send from there, which is outside 200::/7?
bool xy_accepts_rcu(const struct xy_dp *dp, uint32_t end, const struct xy_addr *src);
