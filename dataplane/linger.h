// SPDX-License-Identifier: BSD-3-Clause
// Packets that come often and few at a time are cheaper in a train: one wake-up, one system call
// and one turn of the cipher for many. So a worker that would sleep, and be woken by the next one
// at once, lingers: for a moment it does not look, whatever comes, as cards moderate their
// interrupts. Only at rates at which a train comes of it, and while trains are not long already:
// what comes seldom does not wait. How long goes by what the work takes: where a packet costs
// little, little is to be saved, and it waits little. A worker's own; on given time.
#pragma once

#include "base/time.h"

#include <stdbool.h>

#define XY_LINGER_RATE	 40000 // packets a second, from which on it is worth it
#define XY_LINGER_MOST	 (200 * XY_USEC)
#define XY_LINGER_WINDOW XY_MSEC // over which all is counted

enum {
	XY_LINGER_TIMES = 3,   // what the work between two pauses takes
	XY_LINGER_TRAIN = 32,  // packets in one pause: nothing to be had by more
	XY_LINGER_BURST = 128, // between two pauses: they come by themselves
};

struct xy_linger {
	xy_nsec since;	  // the window's begin
	uint64_t packets; // until then
	xy_nsec busy;	  // likewise
	uint32_t pauses;  // since
	xy_nsec time;	  // 0: not now
};

static inline xy_nsec xy_linger_time(const struct xy_linger *l, uint64_t packets, xy_nsec busy,
				     xy_nsec took)
{
	uint64_t rate = packets * XY_SEC / took;
	uint64_t least = l->time ? XY_LINGER_RATE * 3 / 4 : XY_LINGER_RATE;
	uint64_t most = l->time ? XY_LINGER_BURST : XY_LINGER_TRAIN;
	if (rate < least || packets >= most * l->pauses)
		return 0;
	xy_nsec time = XY_LINGER_TIMES * busy / l->pauses, train = XY_LINGER_TRAIN * XY_SEC / rate;
	time = time < train ? time : train;
	return time < XY_LINGER_MOST ? time : XY_LINGER_MOST;
}

// At the begin of a pause: how long to linger, or 0. packets: that came, ever; busy: time in which
// there was work, ever.
static inline xy_nsec xy_linger_wanted(struct xy_linger *l, uint64_t packets, xy_nsec busy,
				       xy_nsec now)
{
	xy_nsec took = now - l->since;
	l->pauses++;
	if (took >= XY_LINGER_WINDOW)
		*l = (struct xy_linger){
			.since = now,
			.packets = packets,
			.busy = busy,
			.time = xy_linger_time(l, packets - l->packets, busy - l->busy, took)};
	return l->time;
}
