// SPDX-License-Identifier: BSD-3-Clause
// Who works at the loop: a line for each part, and what wakes it beside deadlines.
#include "capturing.h"
#include "daemon.h"
#include "discovery.h"
#include "exits.h"
#include "fleetside.h"
#include "hostroutes.h"
#include "inbound.h"
#include "join/join.h"
#include "memory.h"
#include "notify.h"
#include "pool.h"
#include "ports.h"
#include "restore.h"
#include "runsocket.h"
#include "steering.h"

#include <stdlib.h>

enum {
	EVENTS_PER_TURN = 128, // of the dataplane; at about 5 us each far below 2 ms
	LINKS_AT_ONCE = 8,     // up to 50 us where each has a handshake to begin
	RESULTS_PER_TURN = 64, // of handshakes; at about 10 us each
	FARS_AT_ONCE = 16,     // likewise
	ROUTING_AT_ONCE = 64,  // actions, at most 4 us each
	SORTING = 65536,       // bytes: no bin has one, and it is not mapped
	REST_PACKETS = 32,     // a second, of all workers: what keeps links alive
};
#define SLICE	  (XY_MSEC / 2)	  // of one part, and what is at once; by the clock
#define GRACE	  (100 * XY_MSEC) // between two looks at whether workers have passed
#define DISK_WAIT (5 * XY_SEC)	  // at the end, for a write that is under way

// What was freed is sorted into malloc's bins by the next call that finds nothing of its size
// there, all of it at once: milliseconds, when ten thousand peers went. So by this one, after each
// slice.
static void freed_sort(void)
{
	void *volatile large = malloc(SORTING);
	free(large);
}

// --- parts with deadlines of their own

static xy_nsec links_deadline(void *arg, xy_nsec now)
{
	const struct xy_daemon *d = arg;
	return xy_links_deadline(d->links);
}

static void links_run(void *arg, xy_nsec now)
{
	struct xy_daemon *d = arg;
	xy_nsec end = now + SLICE;
	do
		xy_links_run(d->links, LINKS_AT_ONCE, now);
	while ((now = xy_now()) < end && xy_links_deadline(d->links) <= now);
	xy_enforce_look(d);
	freed_sort();
}

static xy_nsec fars_deadline(void *arg, xy_nsec now)
{
	const struct xy_daemon *d = arg;
	return xy_fars_deadline(d->fars);
}

static void fars_run(void *arg, xy_nsec now)
{
	const struct xy_daemon *d = arg;
	xy_nsec end = now + SLICE;
	do
		xy_fars_run(d->fars, FARS_AT_ONCE, now);
	while ((now = xy_now()) < end && xy_fars_deadline(d->fars) <= now);
	freed_sort();
}

static xy_nsec routing_deadline(void *arg, xy_nsec now)
{
	const struct xy_daemon *d = arg;
	return xy_routing_deadline(d->routing);
}

static void routing_run(void *arg, xy_nsec now)
{
	struct xy_daemon *d = arg;
	xy_nsec end = now + SLICE;
	do
		xy_routing_run(d->routing, ROUTING_AT_ONCE, now);
	while ((now = xy_now()) < end && xy_routing_deadline(d->routing) <= now);
	xy_enforce_look(d);
	freed_sort();
}

static xy_nsec joining_deadline(void *arg, xy_nsec now)
{
	const struct xy_daemon *d = arg;
	return xy_join_deadline(d->join);
}

static void joining_run(void *arg, xy_nsec now)
{
	const struct xy_daemon *d = arg;
	xy_join_run(d->join, now);
}

static xy_nsec nodeinfo_deadline(void *arg, xy_nsec now)
{
	const struct xy_daemon *d = arg;
	return xy_nodeinfo_deadline(d->nodeinfo);
}

static void nodeinfo_run(void *arg, xy_nsec now)
{
	const struct xy_daemon *d = arg;
	xy_nodeinfo_run(d->nodeinfo, now);
}

static xy_nsec kernel_deadline(void *arg, xy_nsec now)
{
	const struct xy_daemon *d = arg;
	xy_nsec at = xy_restore_deadline(d);
	at = xy_inbound_deadline(d) < at ? xy_inbound_deadline(d) : at;
	at = xy_exits_deadline(d) < at ? xy_exits_deadline(d) : at;
	at = xy_ports_deadline(d) < at ? xy_ports_deadline(d) : at;
	return xy_hostroutes_deadline(d) < at ? xy_hostroutes_deadline(d) : at;
}

static void kernel_run(void *arg, xy_nsec now)
{
	struct xy_daemon *d = arg;
	if (xy_restore_deadline(d) <= now)
		xy_restore_run(d);
	if (xy_inbound_deadline(d) <= now)
		xy_inbound_run(d);
	if (xy_exits_deadline(d) <= now)
		xy_exits_run(d);
	if (xy_ports_deadline(d) <= now) // it leaves a pause, in which routes have their turn
		xy_ports_run(d, now);
	else if (xy_hostroutes_deadline(d) <= now)
		xy_restore_routes_back(d, xy_hostroutes_run(d));
}

static xy_nsec shows_deadline(void *arg, xy_nsec now)
{
	return xy_tally_deadline(arg);
}

static xy_nsec fleet_deadline(void *arg, xy_nsec now)
{
	return xy_fleetside_deadline(arg);
}

static void fleet_run(void *arg, xy_nsec now)
{
	xy_fleetside_run(arg, now);
}

static void shows_run(void *arg, xy_nsec now)
{
	xy_tally_run(arg);
}

static xy_nsec results_deadline(void *arg, xy_nsec now)
{
	return xy_pool_has_results(arg) ? 0 : XY_NEVER;
}

static void results_run(void *arg, xy_nsec now)
{
	xy_pool_results(arg, RESULTS_PER_TURN, now);
}

static xy_nsec housekeeping_deadline(void *arg, xy_nsec now)
{
	struct xy_daemon *d = arg;
	if (!d->grace_at && xy_dp_housekeep_wanted(d->dp))
		d->grace_at = now + GRACE;
	return d->grace_at ? d->grace_at : XY_NEVER;
}

static void housekeeping_run(void *arg, xy_nsec now)
{
	struct xy_daemon *d = arg;
	d->grace_at = xy_dp_housekeep(d->dp) ? now + XY_MSEC : 0;
	freed_sort();
}

// --- what is done by the second

static void look_at_workers(struct xy_daemon *d, xy_nsec now)
{
	unsigned workers = xy_dp_workers(d->dp);
	for (unsigned i = 0; i < workers; i++) {
		const struct xy_worker_view *v = &d->worker[i];
		switch (xy_watchdog_see(&d->watchdog, i, v->walks, v->asleep, now)) {
		case XY_WATCHDOG_GOT_STUCK:
			xy_log_error(
				"worker %u is stuck: no walk for %u s, so its queues stand still; "
				"see what its thread rte-worker-%u waits for, or restart",
				i, (unsigned)(XY_WATCHDOG_STUCK / XY_SEC), i + 1);
			break;
		case XY_WATCHDOG_GOT_FREE:
			xy_log_warn("worker %u walks again", i);
			break;
		case XY_WATCHDOG_SAME:
			break;
		}
	}
	if (xy_watchdog_ping_due(&d->watchdog, workers, now))
		xy_notify("WATCHDOG=1");
}

// Where hardly anything is carried, unless a service manager waits for more.
static bool may_rest(const struct xy_daemon *d, uint64_t packets)
{
	xy_nsec interval = d->watchdog.interval;
	return packets < (uint64_t)REST_PACKETS * d->tick.passed &&
	       (!interval || interval >= 2 * XY_TICK_REST);
}

static xy_nsec tick_deadline(void *arg, xy_nsec now)
{
	const struct xy_daemon *d = arg;
	return d->tick.at;
}

static void tick_run(void *arg, xy_nsec now)
{
	struct xy_daemon *d = arg;
	struct xy_tick *t = &d->tick;
	xy_nsec awake = xy_awake();
	if (t->due && awake > t->due)
		xy_lag_note(&d->loop.lag, awake - t->due, awake);
	xy_tick_begin(t, now);
	uint64_t packets = xy_show_sample(d);
	look_at_workers(d, awake);
	xy_routing_check(d->routing, t, now);
	xy_hostqueue_look(d, now);
	xy_overload_look(d, now);
	xy_log_changes_settle(now);
	xy_sealing_second(d);
	xy_runsocket_tend(d);
	if (xy_steering_second(d))
		xy_reload_begin(d);
	xy_fleetside_second(d);
	xy_memory_note(d);
	xy_ports_second(d);
	xy_inbound_second(d);
	xy_exits_second(d);
	xy_discovery_second(d);
	xy_capturing_second(d);
	xy_sandbox_second(d);
	xy_pool_second(d);
	xy_tick_arm(t, may_rest(d, packets), xy_now(), xy_awake());
}

static const struct xy_seat seats[XY_SEATS] = {
	[XY_SEAT_EVENTS] = {.name = "events"}, // of workers
	[XY_SEAT_LINKS] = {"links", links_deadline, links_run},
	[XY_SEAT_FAR] = {"far", fars_deadline, fars_run},
	[XY_SEAT_ROUTING] = {"routing", routing_deadline, routing_run},
	[XY_SEAT_JOINING] = {"joining", joining_deadline, joining_run},
	[XY_SEAT_NODEINFO] = {"nodeinfo", nodeinfo_deadline, nodeinfo_run},
	[XY_SEAT_KERNEL] = {"kernel", kernel_deadline, kernel_run}, // its word, our routes
	[XY_SEAT_FLEET] = {"fleet", fleet_deadline, fleet_run},	    // what ends by itself
	[XY_SEAT_TICK] = {"tick", tick_deadline, tick_run},
	[XY_SEAT_HOUSEKEEPING] = {"housekeeping", housekeeping_deadline, housekeeping_run},
	[XY_SEAT_RESULTS] = {"results", results_deadline, results_run}, // of helpers
	[XY_SEAT_SHOWS] = {"shows", shows_deadline, shows_run},		// of what takes longer
};

// --- what workers tell

// To our own address: node info. Of link scope: routing.
static bool is_for_node(const struct xy_daemon *d, const struct xy_dp_event *ev)
{
	struct xy_addr to = xy_inner_dst(ev->data, 6);
	return xy_addr_eq(&to, &d->id.addr);
}

static void on_event(void *arg, const struct xy_dp_event *ev)
{
	struct xy_daemon *d = arg;
	xy_nsec now = xy_now();
	if (ev->type == XY_DP_OVERLAY && is_for_node(d, ev))
		xy_nodeinfo_event(d->nodeinfo, ev->data, ev->len, now);
	else if (xy_fars_is_theirs(d->fars, ev))
		xy_fars_event(d->fars, ev, now);
	else if (ev->type == XY_DP_PUNT && ev->len && ev->data[0] & XY_JOIN_PROBE) // or its reply
		xy_join_punt(d->join, ev, now);
	else if (ev->type == XY_DP_OVERLAY || ev->type == XY_DP_ASK || ev->type == XY_DP_USED)
		xy_routing_event(d->routing, ev, now);
	else
		xy_links_event(d->links, ev, now);
	if (ev->type == XY_DP_MTU)
		xy_ports_mtu_told(d);
}

static void events_take(struct xy_daemon *d)
{
	xy_loop_begin(&d->loop);
	xy_dp_poll(d->dp, EVENTS_PER_TURN, on_event, d);
	xy_loop_end(&d->loop, &d->seat[XY_SEAT_EVENTS]);
	d->events_taken = true;
}

static void on_dp(uv_poll_t *poll, int status, int events)
{
	events_take(poll->data);
}

static int dp_watch(struct xy_daemon *d)
{
	int r = uv_poll_init(&d->loop.uv, &d->dp_poll, xy_dp_event_fd(d->dp));
	d->dp_poll.data = d;
	return r ? r : uv_poll_start(&d->dp_poll, UV_READABLE, on_dp);
}

// --- signals

static void on_stop(uv_signal_t *signal, int number)
{
	xy_farewell(signal->data, number);
}

static void on_reload(uv_signal_t *signal, int number)
{
	xy_reload_begin(signal->data);
}

static void hangup_mask(int how)
{
	sigset_t hangup;
	sigemptyset(&hangup);
	sigaddset(&hangup, SIGHUP);
	pthread_sigmask(how, &hangup, NULL);
}

void xy_seats_hold_reload(void)
{
	hangup_mask(SIG_BLOCK);
}

static int signals_catch(struct xy_daemon *d)
{
	int r = uv_signal_init(&d->loop.uv, &d->sigterm);
	r = r ? r : uv_signal_init(&d->loop.uv, &d->sigint);
	r = r ? r : uv_signal_init(&d->loop.uv, &d->sighup);
	d->sigterm.data = d->sigint.data = d->sighup.data = d;
	r = r ? r : uv_signal_start(&d->sigterm, on_stop, SIGTERM);
	r = r ? r : uv_signal_start(&d->sigint, on_stop, SIGINT);
	r = r ? r : uv_signal_start(&d->sighup, on_reload, SIGHUP);
	if (!r)
		hangup_mask(SIG_UNBLOCK);
	return r;
}

// --- life

_Static_assert(XY_TICK_REST <= XY_DP_PATIENCE, "a turn at least so often");
_Static_assert(EVENTS_PER_TURN >= 2 * XY_DP_PATIENT_MOST, "all that waited, in each turn");

// What workers told, and did not wake us for, comes before whatever is due.
static void woken(void *arg)
{
	struct xy_daemon *d = arg;
	xy_resume_look(d);
	if (!d->events_taken && xy_dp_waits(d->dp))
		events_take(d);
	d->events_taken = false; // in the next turn
}

static void take(struct xy_daemon *d)
{
	for (unsigned i = 0; i < XY_SEATS; i++) {
		d->seat[i] = seats[i];
		d->seat[i].arg = d;
		xy_loop_seat(&d->loop, &d->seat[i]);
	}
	xy_watchdog_init(&d->watchdog, getenv("WATCHDOG_USEC"), getenv("WATCHDOG_PID"), xy_awake());
}

int xy_seats_take(struct xy_daemon *d, struct xy_err *err)
{
	take(d);
	int r = dp_watch(d);
	r = r ? r : signals_catch(d);
	r = r ? r : xy_loop_start(&d->loop, woken, d);
	if (r)
		return xy_err_set(err, -r, "event loop: %s", uv_strerror(r));
	r = xy_publish_start(d, err);
	r = r ? r : xy_ports_start(d, err);
	r = r ? r : xy_restore_start(d, err);
	r = r ? r : xy_inbound_start(d, err);
	r = r ? r : xy_discovery_start(d, err);
	if (!r)
		xy_resume_start(d);
	return r;
}

// What helpers still work on comes back first (a handshake: microseconds; a write: the disk's
// time); a name that is being resolved is not waited for.
struct leaving {
	struct xy_daemon *d;
	xy_nsec end, disk_end;
};

static bool wait_on(void *arg)
{
	const struct leaving *l = arg;
	const struct xy_daemon *d = l->d;
	xy_nsec now = xy_now();
	if (xy_pool_busy(d) && now < l->disk_end)
		return true;
	return now < l->end &&
	       ((d->exchanges && xy_exchanges_jobs(d->exchanges)) || xy_pool_idle(d));
}

void xy_seats_leave(struct xy_daemon *d)
{
	struct leaving l = {d, xy_now() + XY_SEC / 2, xy_now() + DISK_WAIT};
	if (!d->loop.open)
		return;
	d->loop.stopping = true;
	if (d->pool)
		xy_pool_results(d, UINT_MAX, xy_now());
	if (d->routing)
		xy_routing_quit(d->routing);
	xy_publish_stop();
	xy_discovery_stop(d);
	xy_inbound_stop(d);
	xy_resume_stop(d);
	xy_loop_close(&d->loop, wait_on, &l);
}
