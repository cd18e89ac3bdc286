// SPDX-License-Identifier: BSD-3-Clause
// DPDK releases that differ. Xylem is built and tested with 22.11, Debian 12's; newer ones are
// meant to build by what stands here, but are untested.
#pragma once

#include <rte_version.h>

#if RTE_VERSION < RTE_VERSION_NUM(22, 11, 0, 0)
#error "DPDK 22.11 or newer is needed"
#endif

// rte_graph's worker header: the walking inlines moved behind it in 23.07, under the same name.
#include <rte_graph.h>
#include <rte_graph_worker.h>
