// SPDX-License-Identifier: BSD-3-Clause
#include "overload.h"

#include "base/bytes.h"
#include "daemon.h"

#include <jansson.h>

enum { NO_REST = 10, LATE_MS = 250 }; // seconds; of 99 in 100 turns within a minute

// A share of a second that is as good as all of it.
#define ALL_OF_IT 0.98

static const enum xy_drop queues[] = {XY_DROP_TX_FULL,	 XY_DROP_HOST_FULL, XY_DROP_RING_FULL,
				      XY_DROP_NO_BUFFER, XY_DROP_PUNT_FULL, XY_DROP_HANDSHAKE_FULL};
_Static_assert(XY_ARRAY_SIZE(queues) == XY_OVERLOAD_QUEUES, "a place each");

static void look_at_ports(struct xy_overload *o, const struct xy_daemon *d, xy_nsec now)
{
	struct xy_dp_port_info port;
	for (unsigned i = 0; i < XY_DP_PORTS; i++) {
		bool there = xy_dp_port_info(d->dp, i, &port) == 0;
		bool same = there && port.rx_missed >= o->port[i].seen; // else another's
		xy_overload_see(&o->port[i], there ? port.rx_missed : 0, o->begun && same, now);
	}
}

void xy_overload_look(struct xy_daemon *d, xy_nsec now)
{
	struct xy_overload *o = &d->overload;
	struct xy_dp_worker_stats s;
	uint64_t sum[XY_OVERLOAD_QUEUES] = {0};
	for (unsigned i = 0; i < xy_dp_workers(d->dp); i++) {
		bool full = d->worker[i].busy >= ALL_OF_IT;
		o->busy[i] = full ? o->busy[i] + d->tick.passed : 0;
		if (xy_dp_worker_stats(d->dp, i, &s))
			continue;
		for (unsigned k = 0; k < XY_OVERLOAD_QUEUES; k++)
			sum[k] += s.drop[queues[k]];
	}
	for (unsigned k = 0; k < XY_OVERLOAD_QUEUES; k++)
		xy_overload_see(&o->queue[k], sum[k], o->begun, now);
	look_at_ports(o, d, now);
	o->begun = true;
}

void xy_overload_warnings(const struct xy_daemon *d, xy_nsec now, json_t *list)
{
	const struct xy_overload *o = &d->overload;
	unsigned long long lost;
	xy_nsec p99, max;
	for (unsigned k = 0; k < XY_OVERLOAD_QUEUES; k++)
		if ((lost = xy_overload_lost(&o->queue[k], now)))
			json_array_append_new(
				list, json_sprintf("a queue is full: %llu packets were dropped as "
						   "%s, the last within a minute (xylem show drops "
						   "%s)",
						   lost, xy_drop_name[queues[k]],
						   xy_drop_name[queues[k]]));
	for (unsigned i = 0; i < XY_DP_PORTS; i++)
		if ((lost = xy_overload_lost(&o->port[i], now)))
			json_array_append_new(
				list, json_sprintf("port %u: the kernel dropped %llu datagrams, "
						   "the last within a minute, before a worker saw "
						   "them: more workers, or a faster CPU",
						   i, lost));
	for (unsigned i = 0; i < xy_dp_workers(d->dp); i++)
		if (o->busy[i] >= NO_REST)
			json_array_append_new(
				list, json_sprintf("worker %u has had no rest for %u s: it carries "
						   "as much as it can (xylem show workers)",
						   i, o->busy[i]));
	xy_lag_get(&d->loop.lag, xy_awake(), &p99, &max);
	if (p99 >= LATE_MS * XY_MSEC)
		json_array_append_new(
			list, json_sprintf("the control thread is %llu ms late: this host has more "
					   "to do than it can (xylem diagnose)",
					   (unsigned long long)(p99 / XY_MSEC)));
}
