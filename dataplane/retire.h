// SPDX-License-Identifier: BSD-3-Clause
// Freeing after a grace period (see xy_dp_retire in dp.h). Control thread.
#pragma once

#include "dp.h"

void xy_retire_init(struct xy_dp *dp);
void xy_dp_retire_free(struct xy_dp *dp, void *ptr); // by free()
// Frees what is due, a bounded lot of it; true: there is more. wait: all of it.
bool xy_retire_run(struct xy_dp *dp, bool wait);
