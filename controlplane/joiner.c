// SPDX-License-Identifier: BSD-3-Clause
// Joining's place in the daemon: what it asks of the outside, and a plan put in force when a key
// was found.
#include "daemon.h"
#include "discovery.h"

static void found(void *arg)
{
	struct xy_daemon *d = arg;
	if (d->loop.stopping)
		return;
	xy_join_fill(d->join, &d->plan);
	xy_enforce_begin(d);
}

static bool is_here(void *arg, const struct xy_endpoint *at)
{
	return xy_discovery_is_here(arg, at);
}

int xy_joiner_up(struct xy_daemon *d, struct xy_err *err)
{
	struct xy_join_config cfg = {.dp = d->dp,
				     .links = d->links,
				     .identity = &d->id,
				     .state = d->state,
				     .env = &d->env,
				     .ops = {.arg = d, .found = found, .is_here = is_here}};
	int r = xy_join_create(&cfg, &d->join, err);
	if (!r)
		xy_joiner_apply(d, &d->plan);
	return r;
}

void xy_joiner_apply(struct xy_daemon *d, struct xy_plan *plan)
{
	xy_join_apply(d->join, plan, xy_now());
	xy_join_fill(d->join, plan);
}

void xy_joiner_down(struct xy_daemon *d)
{
	if (d->join && !xy_join_jobs(d->join)) // else a helper still writes into it
		xy_join_destroy(d->join);
	d->join = NULL;
}
