// SPDX-License-Identifier: BSD-3-Clause
#define XY_LOG_PART XY_PART_INTERFACE

#include "hostqueue.h"

#include "daemon.h"
#include "interface.h"

#define RARELY (30 * XY_SEC) // when nothing comes from the host
#define RECENT (60 * XY_SEC)

int xy_hostqueue_counters(struct xy_daemon *d, struct xy_hostlink_counters *out)
{
	return xy_interface_is_open(d)
		       ? xy_hostlink_counters(&d->netlink, xy_interface_index(d), out)
		       : -ENODEV;
}

void xy_hostqueue_begin(struct xy_daemon *d)
{
	struct xy_hostlink_counters c;
	d->hostqueue = (struct xy_hostqueue){0};
	if (xy_hostqueue_counters(d, &c) == 0)
		d->hostqueue.missed = d->hostqueue.told = c.rx_missed;
}

static uint64_t taken_from_host(const struct xy_daemon *d)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < xy_dp_workers(d->dp); i++) {
		struct xy_dp_worker_stats s;
		if (xy_dp_worker_stats(d->dp, i, &s) == 0)
			sum += s.host_rx;
	}
	return sum;
}

static void say(struct xy_daemon *d, xy_nsec now)
{
	struct xy_hostqueue *q = &d->hostqueue;
	if (q->said && now - q->said < RECENT)
		return;
	xy_log_warn(
		"%s: the kernel dropped %llu packets of this host, for the queue of the interface "
		"was full: more comes than the workers take. More of them, or: ip link set %s "
		"txqueuelen 2000",
		xy_interface_name(d), (unsigned long long)(q->missed - q->told),
		xy_interface_name(d));
	q->told = q->missed;
	q->said = now;
}

// A queue overflows while something comes out of it; it is long until it fills otherwise.
void xy_hostqueue_look(struct xy_daemon *d, xy_nsec now)
{
	struct xy_hostqueue *q = &d->hostqueue;
	struct xy_hostlink_counters c;
	uint64_t taken = taken_from_host(d);
	if (!xy_interface_is_open(d) || (taken == q->taken && now - q->looked < RARELY))
		return;
	q->taken = taken;
	q->looked = now;
	if (xy_hostlink_counters(&d->netlink, xy_interface_index(d), &c))
		return;
	if (c.rx_missed > q->missed)
		q->grew = now;
	q->missed = c.rx_missed;
	if (q->missed > q->told)
		say(d, now);
}

bool xy_hostqueue_is_full(const struct xy_daemon *d, xy_nsec now)
{
	return d->hostqueue.grew && now - d->hostqueue.grew < RECENT;
}
