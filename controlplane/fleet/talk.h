// SPDX-License-Identifier: BSD-3-Clause
// The agent's conversation with its daemon: by the control socket what is changed, by the telemetry
// socket what is looked at. It is met when it said who it is; one that was started anew is met
// anew, and knows nothing of what was told to the one before. The loop's thread.
#pragma once

#include "ask/ask.h"
#include "fleet/fleet.h"

struct xy_fleet_daemon_ops {
	// anew: another process than before.
	void (*met)(void *arg, const struct xy_fleet_self *self, bool anew);
	void (*away)(void *arg, const char *why);
};

int xy_fleet_daemon_create(uv_loop_t *loop, const char *instance,
			   const struct xy_fleet_daemon_ops *ops, void *arg,
			   struct xy_fleet_daemon **out);
// Has it do something; takes params. done is called once, now or later.
void xy_fleet_daemon_tell(struct xy_fleet_daemon *d, const char *command, json_t *params,
			  xy_ask_done *done, void *arg);
void xy_fleet_daemon_look(struct xy_fleet_daemon *d, const char *command, const char *params,
			  xy_ask_done *done, void *arg);
// NULL: it is met; else why not.
const char *xy_fleet_daemon_why(const struct xy_fleet_daemon *d);
// Who waits is told; no call back comes after it. Memory goes when the loop has closed its handles.
void xy_fleet_daemon_close(struct xy_fleet_daemon *d);
