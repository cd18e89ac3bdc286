// SPDX-License-Identifier: BSD-3-Clause
// The places of the telemetry and the control socket in /run: made at start, or as soon as it can
// be, and anew when one is gone (another's clean-up, a file system mounted over it): without it a
// node runs, but nobody sees it. Control thread only.
#pragma once

#include "base/err.h"

struct xy_daemon;

int xy_runsocket_up(struct xy_daemon *d, struct xy_err *err); // -EADDRINUSE: the instance runs
void xy_runsocket_tend(struct xy_daemon *d);		      // once a second
void xy_runsocket_change(struct xy_daemon *d);		      // to what the config says now
// Why there is none now; NULL: there is.
const char *xy_runsocket_missing(const struct xy_daemon *d);
