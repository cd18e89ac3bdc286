// SPDX-License-Identifier: BSD-3-Clause
#include "end.h"

#include "pages.h"

int xy_ends_init(struct xy_dp *dp, struct xy_err *err)
{
	dp->ends = dp->cfg.max_peers;
	dp->end = xy_pages_reserve(dp->ends * sizeof(*dp->end));
	return dp->end ? 0
		       : xy_err_set(err, ENOMEM,
				    "no memory for %u peers: lower max_peers in the config",
				    dp->cfg.max_peers);
}

void xy_ends_fini(struct xy_dp *dp)
{
	xy_pages_release(dp->end, dp->ends * sizeof(*dp->end));
}

void xy_end_release_held(struct xy_dp *dp, uint32_t end)
{
	__atomic_add_fetch(&dp->end[end].hold_generation, 1, __ATOMIC_RELEASE);
	xy_dp_epoch_raise(dp);
}

void xy_end_forget(struct xy_dp *dp, uint32_t end)
{
	struct xy_end *e = &dp->end[end];
	xy_sessions_del_end(dp, end);
	memset(&e->gone, 0, sizeof(e->gone));
	e->incarnation++;
	xy_end_release_held(dp, end);
}
