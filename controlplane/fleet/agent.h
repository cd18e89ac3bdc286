// SPDX-License-Identifier: BSD-3-Clause
// xylem-fleet on a loop: what stands in a source is put into the book, what the book holds becomes
// links, our own record is kept there. The loop's thread alone.
#pragma once

#include "fleet/fleet.h"

enum xy_fleet_end { XY_FLEET_END_LEFT, XY_FLEET_END_AGAIN, XY_FLEET_END_FAILED };

struct xy_fleet_setup {
	const char *instance;
	const struct xy_config_fleet *config;		 // it must stay
	const char *state;				 // folder
	void (*ended)(void *arg, enum xy_fleet_end how); // no more is to be done
	void *arg;
};

int xy_fleet_agent_create(uv_loop_t *loop, const struct xy_fleet_setup *s, struct xy_fleet **out,
			  struct xy_err *err);
// Publishes that we left, takes back all that the daemon was told, and ends. done: as a source
// says.
void xy_fleet_agent_leave(struct xy_fleet *f, xy_fleet_source_done *done, void *arg);
// The loop is to run until it is through.
void xy_fleet_agent_close(struct xy_fleet *f);
