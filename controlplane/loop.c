// SPDX-License-Identifier: BSD-3-Clause
// The event loop: what wakes the control thread, and how long each turn of it took.
#include "daemon.h"
#include "discovery.h"
#include "notify.h"
#include "ports.h"
#include "restore.h"
#include "runsocket.h"

#include <stdlib.h>
#include <time.h>

#define EVENTS_PER_TURN	 128	      // of the dataplane; at about 5 us each far below 2 ms
#define LINKS_PER_TURN	 32	      // up to 50 us where each has a handshake to begin
#define ROUTING_PER_TURN 256	      // actions, at most 4 us each
#define GRACE_MS	 100	      // between two looks at whether workers have passed
#define DISK_WAIT	 (5 * XY_SEC) // at the end, for a write that is under way

static xy_nsec clock_read(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (xy_nsec)t.tv_sec * XY_SEC + (xy_nsec)t.tv_nsec;
}

xy_nsec xy_now(void)
{
	return clock_read(XY_DP_CLOCK);
}

xy_nsec xy_awake(void)
{
	return clock_read(CLOCK_MONOTONIC);
}

static void links_turn(struct xy_daemon *d)
{
	xy_nsec began = xy_work_begin();
	xy_links_run(d->links, LINKS_PER_TURN, xy_now());
	xy_enforce_look(d);
	xy_work_end(&d->works, XY_WORK_LINKS, began);
	xy_loop_rearm(d);
}

static void on_links(uv_timer_t *timer)
{
	links_turn(timer->data);
}

static void on_links_left(uv_idle_t *idle)
{
	links_turn(idle->data);
}

static void on_join(uv_timer_t *timer)
{
	struct xy_daemon *d = timer->data;
	xy_nsec began = xy_work_begin();
	xy_join_run(d->join, xy_now());
	xy_work_end(&d->works, XY_WORK_JOINING, began);
	xy_loop_rearm(d);
}

static void on_nodeinfo(uv_timer_t *timer)
{
	struct xy_daemon *d = timer->data;
	xy_nsec began = xy_work_begin();
	xy_nodeinfo_run(d->nodeinfo, xy_now());
	xy_work_end(&d->works, XY_WORK_NODEINFO, began);
	xy_loop_rearm(d);
}

static void routing_turn(struct xy_daemon *d)
{
	xy_nsec began = xy_work_begin();
	xy_routing_run(d->routing, ROUTING_PER_TURN, xy_now());
	xy_enforce_look(d);
	xy_work_end(&d->works, XY_WORK_ROUTING, began);
	xy_loop_rearm(d);
}

static void on_routing(uv_timer_t *timer)
{
	routing_turn(timer->data);
}

static void on_routing_left(uv_idle_t *idle)
{
	routing_turn(idle->data);
}

static void timer_arm(uv_timer_t *timer, uv_timer_cb fn, xy_nsec at, xy_nsec now)
{
	if (at == XY_NEVER) {
		uv_timer_stop(timer);
		return;
	}
	// Rounded up: a timer that fires early would find nothing to do and spin.
	uint64_t ms = at > now ? (at - now + XY_MSEC - 1) / XY_MSEC : 0;
	uv_timer_start(timer, fn, ms, 0);
}

// What is left of a slice comes in the next turn: the rest of the loop is before it.
static void arm(uv_timer_t *timer, uv_timer_cb fn, uv_idle_t *idle, uv_idle_cb left, xy_nsec at,
		xy_nsec now)
{
	if (at <= now)
		uv_idle_start(idle, left);
	else
		uv_idle_stop(idle);
	timer_arm(timer, fn, at <= now ? XY_NEVER : at, now);
}

void xy_loop_rearm(struct xy_daemon *d)
{
	xy_nsec now = xy_now();
	if (d->stopping)
		return;
	uv_update_time(&d->loop);
	arm(&d->links_timer, on_links, &d->links_idle, on_links_left, xy_links_deadline(d->links),
	    now);
	arm(&d->routing_timer, on_routing, &d->routing_idle, on_routing_left,
	    xy_routing_deadline(d->routing), now);
	timer_arm(&d->join_timer, on_join, xy_join_deadline(d->join), now);
	timer_arm(&d->nodeinfo_timer, on_nodeinfo, xy_nodeinfo_deadline(d->nodeinfo), now);
}

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
	else if (ev->type == XY_DP_PUNT && ev->len && ev->data[0] & 0x80)
		xy_join_punt(d->join, ev, now);
	else if (ev->type == XY_DP_OVERLAY || ev->type == XY_DP_ASK || ev->type == XY_DP_USED)
		xy_routing_event(d->routing, ev, now);
	else
		xy_links_event(d->links, ev, now);
	if (ev->type == XY_DP_MTU)
		xy_ports_mtu_told(d);
}

static void on_dp(uv_poll_t *poll, int status, int events)
{
	struct xy_daemon *d = poll->data;
	xy_nsec began = xy_work_begin();
	xy_dp_poll(d->dp, EVENTS_PER_TURN, on_event, d);
	xy_work_end(&d->works, XY_WORK_EVENTS, began);
	xy_loop_rearm(d);
}

// An idle handle gives the rest of the loop its turn between two slices; a timer of 0 ms would not.
static void on_kernel(uv_idle_t *idle)
{
	struct xy_daemon *d = idle->data;
	xy_nsec began = xy_work_begin();
	if (!xy_interface_routes_run(d))
		uv_idle_stop(idle);
	xy_work_end(&d->works, XY_WORK_KERNEL, began);
}

void xy_loop_kernel_later(struct xy_daemon *d)
{
	if (!d->stopping)
		uv_idle_start(&d->kernel_idle, on_kernel);
}

static void look_at_workers(struct xy_daemon *d, xy_nsec now)
{
	unsigned workers = xy_dp_workers(d->dp);
	for (unsigned i = 0; i < workers; i++) {
		switch (xy_watchdog_see(&d->watchdog, i, d->worker[i].walks, now)) {
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

static void on_grace(uv_timer_t *timer)
{
	struct xy_daemon *d = timer->data;
	xy_nsec began = xy_work_begin();
	bool more = xy_dp_housekeep(d->dp);
	xy_work_end(&d->works, XY_WORK_HOUSEKEEPING, began);
	if (more)
		uv_timer_start(timer, on_grace, 1, 0);
}

static void on_second(uv_timer_t *timer);

// At the whole second, when links and routing look around as well: one wake-up does for all.
static void second_arm(struct xy_daemon *d)
{
	xy_nsec now = xy_now(), wait = XY_SEC - now % XY_SEC;
	d->second_due = xy_awake() + wait;
	timer_arm(&d->second_timer, on_second, now + wait, now);
}

// All that is done by the second, by one timer: an idle daemon wakes for it once.
static void on_second(uv_timer_t *timer)
{
	struct xy_daemon *d = timer->data;
	xy_nsec now = xy_awake(), began = xy_work_begin();
	if (now > d->second_due)
		xy_lag_note(&d->lag, now - d->second_due, now);
	xy_show_sample(d);
	look_at_workers(d, now);
	xy_routing_check(d->routing, xy_now());
	xy_hostqueue_look(d, xy_now());
	xy_runsocket_tend(d);
	xy_publish(d);
	xy_memory_note(d);
	xy_ports_second(d);
	xy_discovery_second(d);
	xy_work_end(&d->works, XY_WORK_TICK, began);
	xy_loop_rearm(d);
	second_arm(d);
}

static void on_check(uv_check_t *check)
{
	struct xy_daemon *d = check->data;
	d->turn_began = xy_awake();
	xy_resume_look(d);
}

static void on_prepare(uv_prepare_t *prepare)
{
	struct xy_daemon *d = prepare->data;
	xy_nsec now = xy_awake();
	if (d->turn_began)
		xy_lag_note(&d->lag, now - d->turn_began, now);
	xy_work_turn(&d->works);
	if (xy_dp_housekeep_wanted(d->dp) && !uv_is_active((uv_handle_t *)&d->grace_timer))
		uv_timer_start(&d->grace_timer, on_grace, GRACE_MS, 0);
}

static void close_handle(uv_handle_t *handle, void *arg)
{
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

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

void xy_loop_reload_hold(void)
{
	hangup_mask(SIG_BLOCK);
}

int xy_loop_open(struct xy_daemon *d, struct xy_err *err)
{
	int r = uv_loop_init(&d->loop);
	if (r)
		return xy_err_set(err, -r, "event loop: %s", uv_strerror(r));
	d->loop_open = true;
	return 0;
}

static int watch(struct xy_daemon *d)
{
	int r = uv_poll_init(&d->loop, &d->dp_poll, xy_dp_event_fd(d->dp));
	d->dp_poll.data = d;
	return r ? r : uv_poll_start(&d->dp_poll, UV_READABLE, on_dp);
}

static int catch (struct xy_daemon *d)
{
	int r = uv_signal_init(&d->loop, &d->sigterm);
	r = r ? r : uv_signal_init(&d->loop, &d->sigint);
	r = r ? r : uv_signal_init(&d->loop, &d->sighup);
	d->sigterm.data = d->sigint.data = d->sighup.data = d;
	r = r ? r : uv_signal_start(&d->sigterm, on_stop, SIGTERM);
	r = r ? r : uv_signal_start(&d->sigint, on_stop, SIGINT);
	r = r ? r : uv_signal_start(&d->sighup, on_reload, SIGHUP);
	if (!r)
		hangup_mask(SIG_UNBLOCK);
	return r;
}

static int measure(struct xy_daemon *d)
{
	int r = uv_prepare_init(&d->loop, &d->prepare);
	r = r ? r : uv_check_init(&d->loop, &d->check);
	d->prepare.data = d->check.data = d;
	r = r ? r : uv_prepare_start(&d->prepare, on_prepare);
	return r ? r : uv_check_start(&d->check, on_check);
}

static int tick(struct xy_daemon *d)
{
	int r = uv_timer_init(&d->loop, &d->links_timer);
	r = r ? r : uv_timer_init(&d->loop, &d->nodeinfo_timer);
	r = r ? r : uv_timer_init(&d->loop, &d->join_timer);
	r = r ? r : uv_timer_init(&d->loop, &d->grace_timer);
	r = r ? r : uv_timer_init(&d->loop, &d->second_timer);
	r = r ? r : uv_timer_init(&d->loop, &d->routing_timer);
	r = r ? r : uv_idle_init(&d->loop, &d->links_idle);
	r = r ? r : uv_idle_init(&d->loop, &d->routing_idle);
	r = r ? r : uv_idle_init(&d->loop, &d->kernel_idle);
	d->links_timer.data = d->join_timer.data = d->nodeinfo_timer.data = d;
	d->grace_timer.data = d->second_timer.data = d;
	d->routing_timer.data = d->routing_idle.data = d->kernel_idle.data = d;
	d->links_idle.data = d;
	d->second_due = XY_NEVER; // the first comes with the first turn
	xy_watchdog_init(&d->watchdog, getenv("WATCHDOG_USEC"), getenv("WATCHDOG_PID"), xy_awake());
	return r ? r : uv_timer_start(&d->second_timer, on_second, 0, 0);
}

int xy_loop_start(struct xy_daemon *d, struct xy_err *err)
{
	int r = watch(d);
	r = r ? r : catch (d);
	r = r ? r : measure(d);
	r = r ? r : tick(d);
	if (!r && (r = xy_ports_start(d, err)))
		return r;
	if (!r && (r = xy_restore_start(d, err)))
		return r;
	if (!r && (r = xy_discovery_start(d, err)))
		return r;
	if (r)
		return xy_err_set(err, -r, "event loop: %s", uv_strerror(r));
	xy_resume_start(d);
	xy_loop_rearm(d);
	return 0;
}

void xy_loop_run(struct xy_daemon *d)
{
	uv_run(&d->loop, UV_RUN_DEFAULT);
}

// What helpers still work on comes back first (a handshake: microseconds; a write: the disk's
// time); a name that is being resolved is not waited for.
void xy_loop_close(struct xy_daemon *d)
{
	if (!d->loop_open)
		return;
	d->stopping = true;
	if (d->routing)
		xy_routing_quit(d->routing);
	xy_discovery_stop(d);
	xy_resume_stop(d);
	uv_walk(&d->loop, close_handle, NULL);
	xy_nsec end = xy_now() + XY_SEC / 2, disk_end = xy_now() + DISK_WAIT;
	do {
		uv_run(&d->loop, UV_RUN_NOWAIT);
	} while (uv_loop_alive(&d->loop) &&
		 ((d->links && xy_links_jobs(d->links) && xy_now() < end) ||
		  (xy_helpers_busy(d) && xy_now() < disk_end)));
	while (uv_run(&d->loop, UV_RUN_NOWAIT) && xy_helpers_idle(d) && xy_now() < end)
		;
	uv_loop_close(&d->loop);
	d->loop_open = false;
}
