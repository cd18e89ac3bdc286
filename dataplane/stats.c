// SPDX-License-Identifier: BSD-3-Clause
// What the control plane may read of the workers. Values may be a burst old. Control thread.
#include "aead.h"
#include "dp.h"
#include "worker.h"

#include <rte_cycles.h>

int xy_dp_worker_stats(const struct xy_dp *dp, unsigned worker, struct xy_dp_worker_stats *out)
{
	if (worker >= dp->workers)
		return -ENOENT;
	struct xy_worker *w = dp->worker[worker];
	const uint64_t *from = (const uint64_t *)&w->stats;
	uint64_t *to = (uint64_t *)out;
	// All counters are uint64_t up to cpu: copied one by one, each whole.
	for (size_t i = 0; i < offsetof(struct xy_dp_worker_stats, cpu) / sizeof(uint64_t); i++)
		to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
	out->cpu = w->cpu;
	out->asleep = __atomic_load_n(&w->sleeping, __ATOMIC_RELAXED);
	return 0;
}

int64_t xy_dp_accounts_balance(const struct xy_dp_worker_stats *s)
{
	int64_t sum = 0;
#define X(name, sign, help) sum = sum sign(int64_t) s->name;
	XY_DP_ACCOUNTS(X)
#undef X
	return sum;
}

unsigned xy_dp_workers(const struct xy_dp *dp)
{
	return dp->workers;
}

uint64_t xy_dp_tsc_hz(const struct xy_dp *dp)
{
	(void)dp;
	return rte_get_tsc_hz();
}

const char *xy_dp_cipher(const struct xy_dp *dp, enum xy_wg_suite suite)
{
	return xy_aead_tell(dp->worker[0]->aead, (enum xy_aead_suite)suite);
}

unsigned xy_dp_suites(const struct xy_dp *dp)
{
	return xy_aead_able(dp->worker[0]->aead);
}

enum xy_wg_suite xy_dp_suite_fastest(const struct xy_dp *dp)
{
	return (enum xy_wg_suite)xy_aead_fastest(dp->worker[0]->aead);
}

const char *xy_dp_memory(const struct xy_dp *dp)
{
	return dp->memory;
}
