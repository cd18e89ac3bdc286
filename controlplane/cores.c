// SPDX-License-Identifier: BSD-3-Clause
#include "cores.h"

#include <sys/prctl.h>
#include <sys/resource.h>

void xy_cores_set(bool wanted)
{
	static struct rlimit started;
	static bool known;
	struct rlimit now;
	if (getrlimit(RLIMIT_CORE, &now))
		now = (struct rlimit){0};
	if (!known)
		started = now;
	known = true;
	now.rlim_cur = wanted ? started.rlim_cur : 0;
	setrlimit(RLIMIT_CORE, &now);
	// A pattern that names a program is no file, and heeds no limit.
	prctl(PR_SET_DUMPABLE, wanted);
}
