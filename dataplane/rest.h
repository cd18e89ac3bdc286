// SPDX-License-Identifier: BSD-3-Clause
// Between two walks: a worker looks on, lingers until packets have become a train, or sleeps until
// a descriptor or a ring wakes it; and what the next walk looks at. A watched descriptor is read
// only when the kernel says that it has something, or when it gave something just before: a read
// that finds nothing costs as much as a short walk. For run.c alone.
#pragma once

#include "linger.h"
#include "spin.h"

struct xy_worker;

struct xy_rest {
	struct xy_spin spin;
	struct xy_linger linger;
	double cycle;	// ns in one of the TSC
	xy_nsec active; // when something last came
	xy_nsec asked;	// the kernel, which descriptors have something
	bool slept;	// since something came
	bool told;	// by the kernel, as it ended a sleep
	bool moved;	// something came since the last pause
};

void xy_rest_begin(struct xy_worker *w, xy_nsec now);
void xy_rest(struct xy_worker *w); // after each walk, online in dp->rcu before and after
