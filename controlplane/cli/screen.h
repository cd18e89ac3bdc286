// SPDX-License-Identifier: BSD-3-Clause
// Pictures that follow each other: on a terminal each takes the place of the one before, elsewhere
// it stands below it. One thread.
#pragma once

#include <stddef.h>
#include <stdio.h>

enum { XY_SCREEN_CLOCK_LEN = 32 };

struct xy_screen { // begins as zero
	FILE *to;  // between begin and show
	char *text;
	size_t len;
	unsigned shown;
};

void xy_screen_begin(struct xy_screen *s);
void xy_screen_show(struct xy_screen *s);		// what was written since begin
void xy_screen_size(unsigned *rows, unsigned *columns); // 0: it is no terminal
const char *xy_screen_clock(char to[static XY_SCREEN_CLOCK_LEN]);
double xy_screen_now(void); // seconds of a clock that only goes on
