// SPDX-License-Identifier: BSD-3-Clause
#include "far_end.h"

#include "base/bytes.h"
#include "retire.h"

#include <sodium.h>
#include <stdlib.h>

int xy_far_ends_init(struct xy_dp *dp, struct xy_err *err)
{
	uint64_t seed;
	randombytes_buf(&seed, sizeof(seed));
	dp->far = xy_exact_create(RTE_MAX(dp->cfg.max_far, 1u), seed, &dp->reclaim);
	return dp->far ? 0 : xy_err_set(err, ENOMEM, "no memory for the table of nodes");
}

void xy_far_ends_fini(struct xy_dp *dp)
{
	for (uint32_t i = 0; dp->end && i < dp->ends; i++)
		free(dp->end[i].far);
	if (dp->far)
		xy_exact_destroy(dp->far);
}

static uint32_t payload_max(const struct xy_dp *dp, const struct xy_dp_far *cfg)
{
	uint32_t mtu = cfg->mtu ? RTE_MIN(cfg->mtu, dp->cfg.max_packet) : dp->cfg.max_packet;
	return mtu - XY_E2E_OVERHEAD;
}

int xy_dp_far_set(struct xy_dp *dp, uint32_t end, const struct xy_dp_far *cfg)
{
	if (!xy_end_is_far(dp, end))
		return -ENOSPC;
	uint64_t net = xy_be64_load(cfg->addr.b);
	uint32_t has = xy_exact_get(dp->far, net);
	if (has != XY_TABLE_MISS && has != end)
		return -EEXIST;
	struct xy_end *e = &dp->end[end];
	// A worker may have taken the number from a table for whom it named before.
	if (!e->far && e->left && rte_rcu_qsbr_check(dp->rcu, e->left, false) != 1)
		return -EBUSY;
	struct xy_far_end *far = malloc(sizeof(*far)), *old = e->far;
	if (!far)
		return -ENOMEM;
	*far = (struct xy_far_end){
		.addr = cfg->addr, .net = net, .payload_max = payload_max(dp, cfg)};
	int r = has == end ? 0 : xy_exact_set(dp->far, net, end);
	if (r) {
		free(far);
		return r;
	}
	if (!old)
		xy_end_incarnate(e);
	else if (old->net != net)
		xy_exact_del(dp->far, old->net);
	__atomic_store_n(&e->net, net, __ATOMIC_RELAXED);
	__atomic_store_n(&e->far, far, __ATOMIC_RELEASE);
	xy_dp_retire_free(dp, old);
	return 0;
}

void xy_dp_far_del(struct xy_dp *dp, uint32_t end)
{
	if (!xy_end_is_far(dp, end) || !dp->end[end].far)
		return;
	struct xy_far_end *old = dp->end[end].far;
	xy_exact_del(dp->far, old->net);
	__atomic_store_n(&dp->end[end].far, NULL, __ATOMIC_RELEASE);
	xy_dp_retire_free(dp, old);
	xy_end_forget(dp, end);
	dp->end[end].left = rte_rcu_qsbr_start(dp->rcu);
}
