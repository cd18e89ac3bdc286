// SPDX-License-Identifier: BSD-3-Clause
// Notices a worker that no longer walks its graph, says so, and lets the service manager's watchdog
// (sd_watchdog_enabled(3): WATCHDOG_USEC) run out while one is stuck. Control thread only; never
// waits for a worker.
#pragma once

#include "base/time.h"
#include "dataplane.h"

// This long without a walk, and not asleep: that is no load, it is stuck. One that sleeps wakes
// once in XY_DP_NAP at the latest, unless nobody lets it run.
#define XY_WATCHDOG_STUCK (5 * XY_SEC)

struct xy_watchdog {
	xy_nsec interval; // between pings to the service manager, 0 = it wants none
	xy_nsec pinged;
	struct {
		uint64_t walks;
		xy_nsec walked; // when walks last rose
		xy_nsec moved;	// likewise, or it slept
		bool stuck;
	} worker[XY_DP_WORKERS];
};

// usec: WATCHDOG_USEC as given, or NULL; pid: WATCHDOG_PID or NULL (then it is for us).
void xy_watchdog_init(struct xy_watchdog *w, const char *usec, const char *pid, xy_nsec now);

enum xy_watchdog_news { XY_WATCHDOG_SAME, XY_WATCHDOG_GOT_STUCK, XY_WATCHDOG_GOT_FREE };

// At each tick, for each worker: how many walks it has made, and whether it sleeps with nothing to
// do and nobody has woken it.
enum xy_watchdog_news xy_watchdog_see(struct xy_watchdog *w, unsigned worker, uint64_t walks,
				      bool asleep, xy_nsec now);
unsigned xy_watchdog_stuck(const struct xy_watchdog *w, unsigned workers); // how many
// Is it time to tell the service manager that all is well? Never while a worker is stuck.
bool xy_watchdog_ping_due(struct xy_watchdog *w, unsigned workers, xy_nsec now);
