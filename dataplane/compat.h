// SPDX-License-Identifier: BSD-3-Clause
// Releases of DPDK that differ. Xylem is built and tested with those of Debian 12 (22.11) and
// Debian 13 (24.11): scripts/test, and with --full test/smoke/91_trixie_test.sh.
#pragma once

#include <rte_version.h>

#if RTE_VERSION < RTE_VERSION_NUM(22, 11, 0, 0)
#error "DPDK 22.11 or newer is needed"
#endif

// rte_graph's worker header: the walking inlines moved behind it in 23.07, under the same name.
#include <rte_graph.h>
#include <rte_graph_worker.h>

#if RTE_VERSION >= RTE_VERSION_NUM(23, 3, 0, 0) // the old name is deprecated
#define xy_tel_add_uint rte_tel_data_add_dict_uint
#else
#define xy_tel_add_uint rte_tel_data_add_dict_u64
#endif
