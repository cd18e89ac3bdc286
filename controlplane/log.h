// SPDX-License-Identifier: BSD-3-Clause
// The daemon's log: one line per event, with a level and the part of the daemon whose it is
// (XY_LOG_PARTS in config.h): a file says `#define XY_LOG_PART XY_PART_LINKS` before its first
// #include, else it is the daemon's own. A line about a peer begins with "peer NAME", or has that
// behind ": ", and those who read the fields find the name there. Any thread may log, at levels and
// in the format that the control thread sets.
#pragma once

#include "base/time.h"
#include "config/config.h"

#include <stdbool.h>

#ifndef XY_LOG_PART
#define XY_LOG_PART XY_PART_DAEMON
#endif

void xy_log_init(enum xy_log_level level); // as text on stderr
// Of another program than the daemon: its word, which stays, in place of "daemon".
void xy_log_word_set(const char *word);
void xy_log_level_set(enum xy_log_level level);
void xy_log_part_level_set(enum xy_log_part part, enum xy_log_level level);
// journal: the socket of journald; NULL: where it is. Without one that listens lines go to stderr.
void xy_log_format_set(enum xy_log_format format, const char *journal);

__attribute__((format(printf, 3, 4))) void xy_log_write(enum xy_log_part part,
							enum xy_log_level level, const char *fmt,
							...);

#define xy_log(level, ...) xy_log_write(XY_LOG_PART, level, __VA_ARGS__)
#define xy_log_error(...)  xy_log(XY_LOG_ERROR, __VA_ARGS__)
#define xy_log_warn(...)   xy_log(XY_LOG_WARN, __VA_ARGS__)
#define xy_log_info(...)   xy_log(XY_LOG_INFO, __VA_ARGS__)
#define xy_log_debug(...)  xy_log(XY_LOG_DEBUG, __VA_ARGS__)

// What becomes of a peer or a neighbour, `who`: each change is a line, but of one of them no more
// than XY_LOG_CHANGES in an interval, and at once of all no more than XY_LOG_CHANGES_ALL; of the
// open ones, whom nobody configured, as many beside. Of those beyond, the last of each is said at
// the interval's end, with how many there were: so what was said last is what is. Where too many
// change for that (some two thousand), the rest is counted, and that is said. Control thread only.
enum { XY_LOG_CHANGES = 4, XY_LOG_CHANGES_ALL = 512 };
__attribute__((format(printf, 6, 7))) void xy_log_change_write(enum xy_log_part part,
							       enum xy_log_level level, xy_nsec now,
							       bool open, const char *who,
							       const char *fmt, ...);
#define xy_log_change(level, now, open, who, ...) \
	xy_log_change_write(XY_LOG_PART, level, now, open, who, __VA_ARGS__)
// It is removed, or has another name: what is held of it is said now, and not behind that.
void xy_log_changes_end(const char *who);
// Once a second, and at the end with XY_NEVER.
void xy_log_changes_settle(xy_nsec now);

// What strangers can cause is said at most once in ten seconds per place; what was not said is
// counted and told with the next line.
struct xy_log_limit {
	xy_nsec next;
	unsigned long suppressed;
};
#define XY_LOG_LIMIT_INTERVAL (10 * XY_SEC)

// True when a line may be written now; *suppressed is how many were not since the last.
bool xy_log_limit_pass(struct xy_log_limit *limit, xy_nsec now, unsigned long *suppressed);
