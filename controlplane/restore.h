// SPDX-License-Identifier: BSD-3-Clause
// What is ours on the host interface stays there: the kernel is listened to, and what somebody took
// away (addresses, routes, the MTU, the interface itself) is put back, ever later when that happens
// again and again. An interface that was set down stays down: that is somebody's will, and is said.
// Control thread only.
#pragma once

#include "base/err.h"
#include "base/time.h"

struct xy_daemon;
struct xy_restore;

int xy_restore_start(struct xy_daemon *d, struct xy_err *err); // needs the interface
void xy_restore_close(struct xy_daemon *d);		       // the loop is closed
// When to look at the interface; XY_NEVER: not before the kernel says something.
xy_nsec xy_restore_deadline(const struct xy_daemon *d);
void xy_restore_run(struct xy_daemon *d);
// What is wrong with the host interface now, for people; NULL: nothing.
const char *xy_restore_trouble(const struct xy_daemon *d);
// n routes of ours that the kernel had lost are in it again, perhaps none.
void xy_restore_routes_back(struct xy_daemon *d, unsigned n);
