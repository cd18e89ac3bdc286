// SPDX-License-Identifier: BSD-3-Clause
// A socket's file: made with a mode and a group, in place of one that a killed daemon left, and
// never in place of another's. A group that it cannot be given to does not end the node: until it
// can the socket is its owner's alone. Control thread alone, but xy_listen_may_give.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

// Whoever may do what this process may not any more: 0 or -errno.
struct xy_listen_by {
	int (*widen)(void *arg, int fd); // a client's send buffer, to the longest answer
	int (*give)(void *arg, int fd, unsigned gid); // the socket's file (O_PATH), to a group
	void *arg;
};

struct xy_listen_config {
	const char *instance; // for texts
	const char *setting;  // of the config, for texts: "telemetry"
	const char *path;     // its folder exists
	unsigned mode;
	const char *group; // NULL or "": as it is
	int backlog;
};

struct xy_listen {
	char path[108]; // as sun_path
	dev_t device;	// of the file that was made
	ino_t inode;
	unsigned mode;
	char group[64], setting[16];
	struct xy_listen_by by; // NULL: nobody
	struct xy_err lacks;	// why it is not the group's; empty: it is
};

// The descriptor, which does not block; the caller's. -EADDRINUSE: the instance runs already.
int xy_listen_open(struct xy_listen *l, const struct xy_listen_config *cfg, struct xy_err *err);
bool xy_listen_is_there(const struct xy_listen *l); // does the path still lead to it?
void xy_listen_remove(const struct xy_listen *l);   // where it does
// From now on of that mode and group ("": none, which is this process's own). Who is connected
// stays.
void xy_listen_change(struct xy_listen *l, unsigned mode, const char *group);
// Gives it to its group where it is not yet; true: it has what the config wants.
bool xy_listen_give(struct xy_listen *l);
const char *xy_listen_lacks(const struct xy_listen *l); // NULL: nothing
// Could this process give setting's socket to group ("": none)? As far as can be known beforehand.
bool xy_listen_may_give(const char *setting, const char *group, struct xy_err *err);
