// SPDX-License-Identifier: BSD-3-Clause
// A line of the log in each of its forms, as bytes. Pure, any thread. What a line says may hold
// anything, a stranger's bytes too: no form lets it begin another line, or another field.
#pragma once

#include "config/config.h"

#include <stddef.h>
#include <time.h>

struct xy_logline {
	struct timespec at; // wall clock
	enum xy_log_part part;
	enum xy_log_level level;
	const char *text;
	size_t len;
	const char *word; // in the part's place; NULL: the part's own
};

enum {
	XY_LOGLINE_TEXT = 1024, // longest that is said
	XY_LOGLINE_SIZE = 6 * XY_LOGLINE_TEXT + 512,
};

// The peer that it is about, in its text; NULL: none.
const char *xy_logline_peer(const struct xy_logline *l, size_t *len);

// Its parts as the text form has them, each ended by a zero.
enum { XY_LOGLINE_TIME = 40 };
void xy_logline_time(const struct timespec *t, char to[static XY_LOGLINE_TIME]);
size_t xy_logline_plain(const struct xy_logline *l, char to[static XY_LOGLINE_SIZE]);

// Each fits XY_LOGLINE_SIZE, and ends with a newline where it is a line. Returns its length.
size_t xy_logline_text(const struct xy_logline *l, bool colour, char to[static XY_LOGLINE_SIZE]);
// For a stderr that is the journal: syslog's priority in front, and no time.
size_t xy_logline_prefixed(const struct xy_logline *l, char to[static XY_LOGLINE_SIZE]);
size_t xy_logline_json(const struct xy_logline *l, char to[static XY_LOGLINE_SIZE]);
// A datagram of the journal's native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL).
size_t xy_logline_journal(const struct xy_logline *l, char to[static XY_LOGLINE_SIZE]);
