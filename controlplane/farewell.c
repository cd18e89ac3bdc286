// SPDX-License-Identifier: BSD-3-Clause
// How a node stops: at the first SIGTERM or SIGINT routing says goodbye to every neighbour, so that
// they go other ways, and what they sent before they did is forwarded for a little longer. At the
// second it stops at once.
//
// WireGuard has no word for the end of a session, and none is made up: whatever came from us last,
// a keepalive, too, would say that we are there. A peer that starts again asks for a new session,
// as we do when we start again.
#include "daemon.h"
#include "notify.h"

#include <signal.h>

#define FORWARD_MS 200	  // a neighbour has turned away long before, and those behind it
#define AGAIN_MS   50	  // where not all were told yet
#define MOST	   XY_SEC // for telling them

static void end(struct xy_daemon *d)
{
	xy_loop_stop(&d->loop);
}

static void on_forwarded(uv_timer_t *timer)
{
	struct xy_daemon *d = timer->data;
	if (xy_routing_goodbye_due(d->routing) && xy_now() - d->farewell_began < MOST)
		uv_timer_start(timer, on_forwarded, AGAIN_MS, 0);
	else
		end(d);
}

void xy_farewell(struct xy_daemon *d, int number)
{
	const char *name = number == SIGINT ? "SIGINT" : "SIGTERM";
	if (d->farewell_began) {
		xy_log_info("%s again: stopping at once", name);
		end(d);
		return;
	}
	xy_notify("STOPPING=1");
	d->farewell_began = xy_now();
	unsigned told = xy_routing_goodbye(d->routing, d->farewell_began);
	xy_log_info("%s: stopping; neighbours that are told: %u", name, told);
	if (!told || uv_timer_init(&d->loop.uv, &d->farewell)) {
		end(d);
		return;
	}
	d->farewell.data = d;
	uv_timer_start(&d->farewell, on_forwarded, FORWARD_MS, 0);
}
