// SPDX-License-Identifier: BSD-3-Clause
// Memory that workers may still see, freed after a grace period. Tokens rise, so the list is in
// order and a look at its head is enough. Control thread.
#include "retire.h"

#include <stdlib.h>

struct xy_retired {
	struct xy_retired *next;
	uint64_t token;
	void *ptr;
	void (*fn)(struct xy_dp *dp, void *ptr);
	void (*free_fn)(void *ptr);
};

static void finish(struct xy_dp *dp, const struct xy_retired *r)
{
	if (r->fn)
		r->fn(dp, r->ptr);
	else
		r->free_fn(r->ptr);
}

static void retire(struct xy_dp *dp, struct xy_retired what)
{
	what.token = rte_rcu_qsbr_start(dp->rcu);
	struct xy_retired *r = malloc(sizeof(*r));
	if (!r) { // no memory to remember it: wait here, workers pass in microseconds
		xy_retire_run(dp, true); // in order: a move ends before its session is freed
		rte_rcu_qsbr_check(dp->rcu, what.token, true);
		finish(dp, &what);
		return;
	}
	*r = what;
	r->next = NULL;
	if (dp->retired_tail)
		dp->retired_tail->next = r;
	else
		dp->retired_head = r;
	dp->retired_tail = r;
}

void xy_dp_retire(struct xy_dp *dp, void *ptr, void (*fn)(struct xy_dp *dp, void *ptr))
{
	if (ptr)
		retire(dp, (struct xy_retired){.ptr = ptr, .fn = fn});
}

static void table_retire(struct xy_reclaim *reclaim, void *ptr, size_t size,
			 void (*free_fn)(void *ptr))
{
	(void)size;
	struct xy_dp *dp = (struct xy_dp *)((char *)reclaim - offsetof(struct xy_dp, reclaim));
	retire(dp, (struct xy_retired){.ptr = ptr, .free_fn = free_fn});
}

void xy_retire_init(struct xy_dp *dp)
{
	dp->reclaim.retire = table_retire;
}

static void free_plain(struct xy_dp *dp, void *ptr)
{
	(void)dp;
	free(ptr);
}

void xy_dp_retire_free(struct xy_dp *dp, void *ptr)
{
	xy_dp_retire(dp, ptr, free_plain);
}

bool xy_retire_run(struct xy_dp *dp, bool wait)
{
	enum { MOST = 256 }; // after a reload there may be a hundred thousand
	unsigned done = 0;
	while (dp->retired_head && rte_rcu_qsbr_check(dp->rcu, dp->retired_head->token, wait)) {
		struct xy_retired *r = dp->retired_head;
		if (!wait && done++ == MOST)
			return true;
		dp->retired_head = r->next;
		if (!r->next)
			dp->retired_tail = NULL;
		finish(dp, r);
		free(r);
	}
	return false;
}
