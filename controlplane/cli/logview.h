// SPDX-License-Identifier: BSD-3-Clause
// show log: its lines from a level on, and those that come, as long as somebody looks. One thread.
#pragma once

#include "cli/cli.h"

struct xy_logview {
	const char *instance, *level; // level: or NULL
	const struct xy_view *view;
	bool json;
	double wait; // seconds between two questions
};

// The level that is meant; CLI_USAGE: it is said that there is none.
int xy_logview_level(const char *name, const char **level);
// Of the lines those of that level and of worse ones.
void xy_logview_keep(json_t *lines, const char *level);
// Those that are kept, then each that comes. JSON: one object a line.
int xy_logview_follow(const struct xy_logview *v);
