// SPDX-License-Identifier: BSD-3-Clause
// The short read commands for DPDK's own telemetry socket (dpdk-telemetry.py), as snapshots: its
// clients are served by threads that must not look at what is the control thread's.
#include "daemon.h"
#include "show/outline.h"
#include "show/show.h"

#include <stdio.h>

enum { NODES = 128, TOGETHER_MS = 100, AGAIN_MS = 10 };

static void put_drop(void *to, const struct xy_fields_drop *drop)
{
	json_object_set_new(to, drop->reason, json_integer(drop->packets));
}

// Reason: packets, in place of a list with explanations.
static json_t *drops(const struct xy_daemon *d)
{
	json_t *o = json_object();
	xy_show_drops_each(d, put_drop, o);
	return o;
}

// Worker: node: counts. Nodes that never worked are not there, and no worker is asked for whom
// there is no room anyhow.
static json_t *graph(const struct xy_daemon *d)
{
	struct xy_dp_node_stats s[NODES];
	json_t *o = json_object();
	char name[16];
	for (unsigned w = 0, all = 0; w < xy_dp_workers(d->dp) && all < XY_OUTLINE_MEMBERS; w++) {
		json_t *nodes = json_object();
		unsigned n = xy_dp_graph_stats(d->dp, w, s, NODES);
		for (unsigned i = 0; i < n && i < NODES; i++)
			if (s[i].packets && ++all)
				json_object_set_new(
					nodes, s[i].name,
					xy_tell_graph_counts(&(struct xy_fields_graph_counts){
						.calls = (int64_t)s[i].calls,
						.packets = (int64_t)s[i].packets,
						.cycles = (int64_t)s[i].cycles}));
		snprintf(name, sizeof(name), "%u", w);
		json_object_set_new(o, name, nodes);
	}
	return o;
}

static json_t *node(const struct xy_daemon *d)
{
	return xy_server_ask(d->telemetry, "/xylem/node");
}

static json_t *workers(const struct xy_daemon *d)
{
	return xy_server_ask(d->telemetry, "/xylem/workers");
}

static json_t *ports(const struct xy_daemon *d)
{
	return xy_server_ask(d->telemetry, "/xylem/ports");
}

static void publish(const struct xy_daemon *d, const char *command, const char *help,
		    json_t *(*make)(const struct xy_daemon *d))
{
	struct xy_outline o;
	json_t *answer = make(d);
	xy_outline_init(&o, command);
	xy_outline_members(&o, answer, 2);
	json_decref(answer);
	xy_dp_telemetry_publish(command, help, o.text); // no memory: the last one stays
}

static void all(struct xy_daemon *d)
{
	publish(d, "/xylem/node", "This node: identity, interface, memory, counts.", node);
	publish(d, "/xylem/workers", "Workers: load and the terms of the accounting identity.",
		workers);
	publish(d, "/xylem/drops", "Drops by reason.", drops);
	publish(d, "/xylem/ports", "Ports and the host interface, and their counters.", ports);
	publish(d, "/xylem/graph", "Graph nodes that worked, by worker.", graph);
	xy_dp_telemetry_published();
}

// However many ask, and however often: a few times a second.
static void on_timer(uv_timer_t *timer)
{
	struct xy_daemon *d = timer->data;
	if (d->tally.is_going) { // peers are being counted: soon
		uv_timer_start(timer, on_timer, AGAIN_MS, 0);
		return;
	}
	xy_loop_begin(&d->loop);
	all(d);
	xy_loop_end(&d->loop, &d->seat[XY_SEAT_SHOWS]);
}

static void on_asked(uv_async_t *asked)
{
	struct xy_daemon *d = asked->data;
	if (uv_is_active((uv_handle_t *)&d->publish_timer))
		return;
	xy_tally_ask(d, 0);
	uv_timer_start(&d->publish_timer, on_timer, TOGETHER_MS, 0);
}

// On a thread of whoever asks.
static void ask(void *arg)
{
	struct xy_daemon *d = arg;
	uv_async_send(&d->asked);
}

int xy_publish_start(struct xy_daemon *d, struct xy_err *err)
{
	int r = uv_async_init(&d->loop.uv, &d->asked, on_asked);
	r = r ? r : uv_timer_init(&d->loop.uv, &d->publish_timer);
	if (r)
		return xy_err_set(err, -r, "event loop: %s", uv_strerror(r));
	d->asked.data = d->publish_timer.data = d;
	all(d);
	xy_dp_telemetry_on_ask(ask, d);
	return 0;
}

void xy_publish_stop(void)
{
	xy_dp_telemetry_on_ask(NULL, NULL);
}
