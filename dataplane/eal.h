// SPDX-License-Identifier: BSD-3-Clause
// Starting DPDK's EAL as a library of ours: memory that the machine has, threads where we want
// them, nothing of the user's command line. Once per process. Control thread.
#pragma once

#include "dp.h"

#include <sched.h>

// Bytes of hugepages or heap that the pools, graphs and rings will need.
size_t xy_eal_memory_need(const struct xy_dp_config *cfg);

// EAL's argument for where the control thread and the workers (their lcore and cpu) may run; the
// caller frees it. NULL: no memory.
char *xy_eal_lcores(const struct xy_dp *dp, const cpu_set_t *allowed);

// Fills dp->memory and each worker's lcore and cpu. -EINVAL for a CPU that we may not run on.
int xy_eal_start(struct xy_dp *dp, size_t need, struct xy_err *err);
void xy_eal_stop(void);
