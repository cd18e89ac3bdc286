// SPDX-License-Identifier: BSD-3-Clause
// The last lines of the log, as they were said, for those who ask a running daemon. Any thread: a
// line is put and taken under a lock that is held for its copy alone. At most XY_LOGRING_LINES are
// kept, half a megabyte in all; what a line says is bytes, and may be anybody's.
#pragma once

#include "logline.h"

#include <stdbool.h>
#include <stdint.h>

enum { XY_LOGRING_LINES = 512 };

// Numbers are in order, from one start of the daemon to the next as well: they begin at this time,
// in microseconds, and stay below 2^53. Before the first line; not called: at 1.
void xy_logring_begin(const struct timespec *now);
void xy_logring_put(const struct xy_logline *l);

struct xy_logring_line {
	uint64_t seq;
	struct xy_logline line; // its text is bytes
	char bytes[XY_LOGLINE_TEXT];
};
// The oldest that is kept behind the line of that number, 0 or what is kept no longer: of all. A
// number that was not given yet is of another start, and all are behind it. False: there is none.
bool xy_logring_after(uint64_t seq, struct xy_logring_line *out);
// Of those behind the line of that number, how many are kept no longer; of another start: 0.
uint64_t xy_logring_missed(uint64_t seq);
uint64_t xy_logring_newest(void); // its number; 0: there is none
