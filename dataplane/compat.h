// SPDX-License-Identifier: BSD-3-Clause
// Releases of DPDK and ipsec-mb that differ. Xylem is built and tested with those of Debian 12
// (22.11, 1.3) and Debian 13 (24.11, 2.0): scripts/test, and with --full
// test/smoke/91_trixie_test.sh.
#pragma once

#include <intel-ipsec-mb.h>
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

// From ipsec-mb 1.4 on a burst goes by an id in each job, made once for what the jobs have in
// common. Without it submit_burst_nocheck calls by a pointer that is none.
struct xy_aead_suite {
#if IMB_VERSION_NUM >= IMB_VERSION(1, 4, 0)
	uint32_t suite_id[2], session_id;
#else
	char none; // C has no empty struct
#endif
};

static inline struct xy_aead_suite xy_aead_suite(IMB_MGR *mb, IMB_JOB *job)
{
	struct xy_aead_suite s = {0};
#if IMB_VERSION_NUM >= IMB_VERSION(1, 4, 0)
	s.session_id = imb_set_session(mb, job);
	s.suite_id[0] = job->suite_id[0];
	s.suite_id[1] = job->suite_id[1];
#endif
	return s;
}

static inline void xy_aead_suite_put(const struct xy_aead_suite *s, IMB_JOB *job)
{
#if IMB_VERSION_NUM >= IMB_VERSION(1, 4, 0)
	job->suite_id[0] = s->suite_id[0];
	job->suite_id[1] = s->suite_id[1];
	job->session_id = s->session_id;
#endif
}
