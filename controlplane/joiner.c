// SPDX-License-Identifier: BSD-3-Clause
// Joining's place in the daemon: what it asks of the outside.
#include "daemon.h"
#include "discovery.h"

// A peer's key is known now, and what hangs on it beside the book of peers.
static void found(void *arg)
{
	struct xy_accepts none = {0};
	xy_sealing_accepts(arg, &none);
}

static bool is_here(void *arg, const struct xy_endpoint *at)
{
	return xy_discovery_is_here(arg, at);
}

int xy_joiner_up(struct xy_daemon *d, struct xy_err *err)
{
	struct xy_join_config cfg = {.dp = d->dp,
				     .links = d->links,
				     .book = &d->book,
				     .identity = &d->id,
				     .state = d->state,
				     .env = &d->env,
				     .ops = {.arg = d, .is_here = is_here, .found = found}};
	return xy_join_create(&cfg, &d->join, err);
}

void xy_joiner_down(struct xy_daemon *d)
{
	if (d->join && !xy_join_jobs(d->join)) // else a helper still writes into it
		xy_join_destroy(d->join);
	d->join = NULL;
}

void xy_joiner_apply(struct xy_daemon *d)
{
	xy_join_apply(d->join, &d->plan, xy_now());
	if (xy_join_count(d->join)) // some keys are known that the config does not say
		found(d);
}
