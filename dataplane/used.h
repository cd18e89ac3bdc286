// SPDX-License-Identifier: BSD-3-Clause
// Which mesh /64s this node's traffic goes to, told to the control thread now and then
// (XY_DP_USED): a node without a full table keeps the routes that it uses. One worker's own.
#pragma once

#include "worker.h"

struct xy_used;

struct xy_used *xy_used_create(void); // memory comes with use
void xy_used_destroy(struct xy_used *u);
// A packet goes to this /64.
void xy_used_note(struct xy_worker *w, uint64_t net);
