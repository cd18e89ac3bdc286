// SPDX-License-Identifier: BSD-3-Clause
#include "watchdog.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void xy_watchdog_init(struct xy_watchdog *w, const char *usec, const char *pid, xy_nsec now)
{
	char *end;
	*w = (struct xy_watchdog){.pinged = now};
	for (unsigned i = 0; i < XY_DP_WORKERS; i++)
		w->worker[i].walked = w->worker[i].moved = now;
	if (pid && strtol(pid, NULL, 10) != getpid())
		return;
	unsigned long long n = usec ? strtoull(usec, &end, 10) : 0;
	if (usec && *usec && !*end)
		w->interval = n * XY_USEC / 2; // half of it, as sd_watchdog_enabled(3) advises
}

enum xy_watchdog_news xy_watchdog_see(struct xy_watchdog *w, unsigned worker, uint64_t walks,
				      bool asleep, xy_nsec now)
{
	bool was = w->worker[worker].stuck;
	if (walks != w->worker[worker].walks)
		w->worker[worker].walked = w->worker[worker].moved = now;
	w->worker[worker].walks = walks;
	if (asleep)
		w->worker[worker].moved = now;
	bool is = now - w->worker[worker].moved >= XY_WATCHDOG_STUCK ||
		  now - w->worker[worker].walked >= XY_DP_NAP + XY_WATCHDOG_STUCK;
	w->worker[worker].stuck = is;
	if (is == was)
		return XY_WATCHDOG_SAME;
	return is ? XY_WATCHDOG_GOT_STUCK : XY_WATCHDOG_GOT_FREE;
}

unsigned xy_watchdog_stuck(const struct xy_watchdog *w, unsigned workers)
{
	unsigned n = 0;
	for (unsigned i = 0; i < workers; i++)
		n += w->worker[i].stuck;
	return n;
}

bool xy_watchdog_ping_due(struct xy_watchdog *w, unsigned workers, xy_nsec now)
{
	if (!w->interval || xy_watchdog_stuck(w, workers) || now - w->pinged < w->interval)
		return false;
	w->pinged = now;
	return true;
}
