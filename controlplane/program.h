// SPDX-License-Identifier: BSD-3-Clause
// What the programs beside the daemon (xylem-web, xylem-fleet) have alike: their options, where
// their config is, and how they say what is wrong with it. Before there are threads.
#pragma once

#include "config/config.h"

#include <getopt.h>

struct xy_program {
	const char *name, *usage; // "xylem-web"; all of --help
	const char *kind; // "web": its config is /etc/xylem/web.conf, an instance's NAME.web.conf
	char *(*example)(void); // of the config, malloc'd; NULL: out of memory
	// Options of its own, ended by {0}, whose `val` is XY_PROGRAM_OWN or more; rest: the
	// arguments behind it. 0: on; else as xy_program_options.
	const struct option *own;
	int (*take)(void *arg, int val, const char *value, char **rest, int count);
	void *arg;
};

enum { XY_PROGRAM_OWN = 512, XY_PROGRAM_DONE = -1 };

struct xy_program_options {
	const char *config, *instance, *user; // user: NULL where --user is not given
	bool check, given;		      // given: config is what -c says
	char path[128];			      // of the config, else
};

// Reads all arguments. 0: on; XY_PROGRAM_DONE: it did what was asked for, and all is well; else
// what to exit with, and it is said on stderr why.
int xy_program_options(const struct xy_program *p, int argc, char **argv,
		       struct xy_program_options *o);
// Says the warnings of a config that was read with `ret`, and its errors: all of them, or err where
// it could not be read at all.
void xy_program_notes(const struct xy_program *p, int ret, const struct xy_config *notes,
		      const struct xy_err *err);
