// SPDX-License-Identifier: BSD-3-Clause
// Preloaded, it lets a program live through a suspend: CLOCK_BOOTTIME is ahead of the true one by
// the seconds that the file named in SUSPEND_FILE says in text, from the moment it says so.
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *t);

static int file = -2;

static long ahead(void)
{
	char text[32] = "";
	if (file == -2) {
		const char *name = getenv("SUSPEND_FILE");
		file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
	}
	return file >= 0 && pread(file, text, sizeof(text) - 1, 0) > 0 ? atol(text) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *t)
{
	static int (*real)(clockid_t clock, struct timespec * t);
	if (!real)
		real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
	int r = real(clock, t);
	if (!r && clock == CLOCK_BOOTTIME)
		t->tv_sec += ahead();
	return r;
}
