// SPDX-License-Identifier: BSD-3-Clause
// Sets of next hops of equal cost, named by number in the route tables. The control thread makes,
// shares and retires them; workers read them under RCU: what stands at a number does not change
// until no worker can have it from a table.
#pragma once

#include "dp.h"

#define XY_GROUPS 4096 // sets that differ; a route beyond takes the first of its hops alone

struct xy_group {
	uint32_t count;
	uint32_t hop[XY_DP_HOPS]; // peers, ascending, no two alike
};

int xy_groups_init(struct xy_dp *dp, struct xy_err *err);
void xy_groups_fini(struct xy_dp *dp);

// One more reference to the set of these hops, made when it is new: its number, or -ENOSPC.
int xy_group_take(struct xy_dp *dp, const struct xy_group *g);
void xy_group_give(struct xy_dp *dp, uint32_t number);
// The tables are published: sets that no route names any more may go.
void xy_groups_commit(struct xy_dp *dp);

// Workers, under RCU.
const struct xy_group *xy_group_rcu(const struct xy_dp *dp, uint32_t number);
