// SPDX-License-Identifier: BSD-3-Clause
// The config read anew, on a helper, and how a plan comes into force: links first, then what is
// spoken over them, in slices of the loop's turns. Control thread.
#pragma once

#include "base/err.h"
#include "peers/plan.h"

#include <stdbool.h>
#include <stdint.h>

struct xy_daemon;

enum xy_enforcing { XY_ENFORCING_NONE, XY_ENFORCING_LINKS, XY_ENFORCING_ROUTING };

struct xy_reloads {
	uint32_t taken, refused, begun;
	char at[32];	   // when the last one was refused, or came into force in part
	struct xy_err why; // empty: what the file said last is in force
	bool going, again; // one is being read; another was asked for meanwhile
	enum xy_enforcing enforcing;
	struct xy_plan old; // until nobody points into it any more
};

// Which one it is that reads the file from now on, as reloads.begun counts them; 0: no memory.
uint32_t xy_reload_begin(struct xy_daemon *d);
void xy_enforce_look(struct xy_daemon *d); // is it done?
