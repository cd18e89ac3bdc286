// SPDX-License-Identifier: BSD-3-Clause
// Browsers that logged in here before, by a cookie of their own: a password that comes with one is
// looked at before all others, whoever else sends them and from wherever. It opens nothing by
// itself, and one with which too many wrong ones came is nobody's again. Bounded, and gone with the
// process. The loop's thread alone.
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
	XY_DEVICES = 64, // a new one takes the place of the one unused for longest
	XY_DEVICES_TRIES = 6,
	XY_DEVICES_AGE_S = 90 * 24 * 3600, // that its browser keeps it
};

struct xy_device {
	char id[48];   // "": free
	uint64_t used; // ms
	unsigned wrong;
	bool trying; // it stays until that is over
};

struct xy_devices {
	struct xy_device v[XY_DEVICES];
};

struct xy_device *xy_devices_find(struct xy_devices *d, const char *id); // NULL: it is none
// Of an id that nobody can guess. NULL: all are trying.
struct xy_device *xy_devices_make(struct xy_devices *d, const char *id, uint64_t now);
// False: it was the last, and it is none any more.
bool xy_devices_wrong(struct xy_device *one);
