// SPDX-License-Identifier: BSD-3-Clause
// The daemon's log: one line per event on stderr, with a level. Colour on a terminal (unless
// NO_COLOR is set), a time stamp unless the journal writes its own. Any thread may log; level and
// format are set by the control thread before others run.
#pragma once

#include "base/time.h"
#include "config/config.h"

#include <stdbool.h>

void xy_log_init(enum xy_log_level level);
void xy_log_level_set(enum xy_log_level level);

__attribute__((format(printf, 2, 3))) void xy_log(enum xy_log_level level, const char *fmt, ...);

#define xy_log_error(...) xy_log(XY_LOG_ERROR, __VA_ARGS__)
#define xy_log_warn(...)  xy_log(XY_LOG_WARN, __VA_ARGS__)
#define xy_log_info(...)  xy_log(XY_LOG_INFO, __VA_ARGS__)
#define xy_log_debug(...) xy_log(XY_LOG_DEBUG, __VA_ARGS__)

// What strangers can cause is said at most once in ten seconds per place; what was not said is
// counted and told with the next line.
struct xy_log_limit {
	xy_nsec next;
	unsigned long suppressed;
};
#define XY_LOG_LIMIT_INTERVAL (10 * XY_SEC)

// True when a line may be written now; *suppressed is how many were not since the last.
bool xy_log_limit_pass(struct xy_log_limit *limit, xy_nsec now, unsigned long *suppressed);
