// SPDX-License-Identifier: BSD-3-Clause
// Where an instance's sockets lie: /run/xylem/NAME, or for those who may not write there
// $XDG_RUNTIME_DIR/xylem/NAME, or /tmp/xylem-UID/NAME. The daemon makes the first that it may, the
// command line looks at all of them in the same order. Another program of the instance, which is
// another user, has folders of its own: `program` in place of xylem. Any thread.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

enum { XY_RUNDIR_MAX = 3, XY_RUNDIR_LEN = 96 }; // with a file's name it fits sun_path (108)

#define XY_RUNDIR_TELEMETRY "telemetry" // the sockets in it: what is asked,
#define XY_RUNDIR_CONTROL   "control"	// and what changes something

struct xy_rundir {
	char path[XY_RUNDIR_LEN];
};

#define XY_RUNDIR_DAEMON "xylem" // programs
#define XY_RUNDIR_AGENT	 "xylem-fleet"
#define XY_RUNDIR_FLEET	 "fleet" // its socket

// Why it is no instance's name, in words that stand behind it: one is [A-Za-z0-9._-]{1,32}, not "."
// or "..", and none whose config file is another program's. NULL: it is one.
const char *xy_instance_name_wrong(const char *name);
// The folders to try, best first. Returns how many.
unsigned xy_rundir_list(const char *program, const char *name,
			struct xy_rundir out[static XY_RUNDIR_MAX]);
// Makes the first folder that we may (mode 0755). err names the last that failed.
int xy_rundir_make(const char *program, const char *name, struct xy_rundir *out,
		   struct xy_err *err);
// Removes it, unless something is in it. The folder above stays: other instances share it.
void xy_rundir_remove(const struct xy_rundir *dir);
// Is the folder one that we trust: ours or root's, and no link?
bool xy_rundir_trusted(const struct xy_rundir *dir);
