// SPDX-License-Identifier: BSD-3-Clause
#include "lanes.h"

#include "daemon.h"
#include "naming.h"

uint8_t xy_lanes_most(const struct xy_daemon *d)
{
	unsigned workers = xy_dp_workers(d->dp), most = d->plan.config.workers.lanes;
	return (uint8_t)(workers < most ? workers : most);
}

bool xy_lanes_ask(void *daemon, const struct xy_exchange *x, const struct xy_nodeinfo_lanes *q)
{
	struct xy_daemon *d = daemon;
	struct xy_key key;
	memcpy(key.b, x->theirs.pk, sizeof(key.b));
	const struct xy_addr addr = xy_key_addr(&key);
	return xy_nodeinfo_lanes_ask(d->nodeinfo, &addr, q, xy_now());
}

bool xy_lanes_asked(void *daemon, const struct xy_addr *from, const struct xy_nodeinfo_lanes *q,
		    struct xy_nodeinfo_lanes *out)
{
	struct xy_daemon *d = daemon;
	uint32_t slot;
	return (xy_naming_neighbour(d, from, &slot) &&
		xy_links_lanes_asked(d->links, slot, q, out)) ||
	       xy_fars_lanes_asked(d->fars, from, q, out);
}

void xy_lanes_told(void *daemon, const struct xy_addr *from, const struct xy_nodeinfo_lanes *its,
		   xy_nsec now)
{
	struct xy_daemon *d = daemon;
	uint32_t slot;
	if (xy_naming_neighbour(d, from, &slot))
		xy_links_lanes_told(d->links, slot, its, now);
	xy_fars_lanes_told(d->fars, from, its, now);
}
