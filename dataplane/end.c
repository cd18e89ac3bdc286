// SPDX-License-Identifier: BSD-3-Clause
#include "end.h"

#include "accepts.h"
#include "pages.h"

#include <stdlib.h>

int xy_ends_init(struct xy_dp *dp, struct xy_err *err)
{
	dp->ends = dp->cfg.max_peers + dp->cfg.max_far;
	dp->end = xy_pages_reserve_large(dp->ends * sizeof(*dp->end));
	return dp->end ? 0
		       : xy_err_set(err, ENOMEM,
				    "no memory for %u peers: lower max_peers or max_sessions in "
				    "the config",
				    dp->cfg.max_peers);
}

void xy_ends_fini(struct xy_dp *dp)
{
	for (uint32_t i = 0; dp->end && i < dp->ends; i++)
		free(dp->end[i].accepts);
	free(dp->taken);
	xy_pages_release(dp->end, dp->ends * sizeof(*dp->end));
}

bool xy_end_is_there(const struct xy_dp *dp, uint32_t end)
{
	return end < dp->ends && (dp->end[end].link.adjacency || dp->end[end].far);
}

void xy_end_release_held(struct xy_dp *dp, uint32_t end)
{
	__atomic_add_fetch(&dp->end[end].hold_generation, 1, __ATOMIC_RELEASE);
	xy_dp_epoch_raise(dp, &dp->session_epoch);
}

void xy_end_incarnate(struct xy_end *e)
{
	__atomic_store_n(&e->incarnation, e->incarnation + 1, __ATOMIC_RELAXED);
}

void xy_end_forget(struct xy_dp *dp, uint32_t end)
{
	struct xy_end *e = &dp->end[end];
	xy_sessions_del_end(dp, end);
	xy_accepts_set(dp, end, NULL, 0);
	__atomic_store_n(&e->exits, false, __ATOMIC_RELAXED);
	__atomic_store_n(&e->link.patient, false, __ATOMIC_RELAXED);
	memset(&e->gone, 0, sizeof(e->gone));
	e->dying = 0; // they are of the one that was
	xy_end_incarnate(e);
	xy_end_release_held(dp, end);
}

int xy_dp_peer_stats(const struct xy_dp *dp, uint32_t end, struct xy_dp_peer_stats *out)
{
	if (!xy_end_is_there(dp, end))
		return -ENOENT;
	xy_sessions_sum(dp, end, out);
	return 0;
}

int xy_dp_session_reserve(struct xy_dp *dp, uint32_t end, uint32_t *index)
{
	return xy_end_is_there(dp, end) ? xy_session_reserve(dp, end, index) : -ENOENT;
}

int xy_dp_accepts_set(struct xy_dp *dp, uint32_t end, const struct xy_prefix *prefix, unsigned n)
{
	return xy_end_is_there(dp, end) ? xy_accepts_set(dp, end, prefix, n) : -ENOENT;
}

int xy_dp_exit_allow(struct xy_dp *dp, uint32_t end, bool allowed)
{
	if (!xy_end_is_there(dp, end))
		return -ENOENT;
	__atomic_store_n(&dp->end[end].exits, allowed, __ATOMIC_RELAXED);
	return 0;
}
