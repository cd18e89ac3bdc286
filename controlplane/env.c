// SPDX-License-Identifier: BSD-3-Clause
// What the daemon gives its parts: the outside, and each other.
#include "daemon.h"
#include "discovery.h"
#include "fleetside.h"
#include "memory.h"
#include "pool.h"
#include "ports.h"

#include <sodium.h>
#include <time.h>

static xy_nsec now(void *arg)
{
	return xy_now();
}

static void random_bytes(void *arg, void *buf, size_t len)
{
	randombytes_buf(buf, len);
}

static void wall(void *arg, uint64_t *unix_sec, uint32_t *nsec)
{
	const struct xy_daemon *d = arg;
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	*unix_sec = (uint64_t)(t.tv_sec + d->clock_offset);
	*nsec = (uint32_t)t.tv_nsec;
}

static void routing(void *arg, uint32_t slot, enum xy_link_change what)
{
	const struct xy_daemon *d = arg;
	if (d->routing) // else it begins after the links, or has ended before them
		xy_routing_link(d->routing, slot, what, xy_now());
}

void xy_env_routing_ops(struct xy_daemon *d, struct xy_routing_ops *ops)
{
	*ops = (struct xy_routing_ops){.arg = d, .epoch_save = xy_memory_epoch_save};
}

static bool open_to(void *arg, const struct xy_endpoint *from)
{
	const struct xy_daemon *d = arg;
	enum xy_config_peering peering = d->plan.config.peering;
	return peering == XY_PEERING_OPEN ||
	       (peering == XY_PEERING_LAN && xy_discovery_is_near(d, from));
}

static bool admits(void *arg, const struct xy_key *key)
{
	return xy_fleetside_admits(arg, key);
}

void xy_env_links_ops(struct xy_daemon *d, struct xy_links_ops *ops)
{
	*ops = (struct xy_links_ops){.arg = d,
				     .routing = routing,
				     .open_to = open_to,
				     .admits = admits,
				     .path = xy_ports_path};
}

void xy_env_make(struct xy_daemon *d)
{
	d->env = (struct xy_env){.arg = d,
				 .now = now,
				 .wall = wall,
				 .random = random_bytes,
				 .run = xy_pool_run,
				 .resolve = xy_pool_resolve};
}
