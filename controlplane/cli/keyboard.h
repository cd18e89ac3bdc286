// SPDX-License-Identifier: BSD-3-Clause
// Keys of a terminal as they are pressed, and its signals: between begin and end it shows a screen
// of its own, which is left however the program ends but by SIGKILL. Without a terminal begin does
// nothing, and wait waits. One thread.
#pragma once

enum { XY_KEYBOARD_TIME = 0, XY_KEYBOARD_END = -1, XY_KEYBOARD_SIZE = -2 };

void xy_keyboard_begin(void);
void xy_keyboard_end(void);
// A key (its byte), or: the time is over, the program is to end, the screen has another size.
int xy_keyboard_wait(double seconds);
