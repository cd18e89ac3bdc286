// SPDX-License-Identifier: BSD-3-Clause
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static enum xy_log_level log_level = XY_LOG_INFO;
static bool log_colour, log_journal;

static const struct {
	const char *name, *colour;
	int priority; // syslog's, which the journal reads as "<n>"
} level_of[] = {
	[XY_LOG_ERROR] = {"error", "\033[31m", 3},
	[XY_LOG_WARN] = {"warn", "\033[33m", 4},
	[XY_LOG_INFO] = {"info", "\033[32m", 6},
	[XY_LOG_DEBUG] = {"debug", "\033[90m", 7},
};

// systemd says in JOURNAL_STREAM which device and inode the journal is; stderr may be another.
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;
	return stream && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 &&
	       fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

void xy_log_init(enum xy_log_level level)
{
	const char *no_colour = getenv("NO_COLOR");
	log_level = level;
	log_colour = isatty(STDERR_FILENO) && !(no_colour && *no_colour);
	log_journal = stderr_is_journal();
}

void xy_log_level_set(enum xy_log_level level)
{
	log_level = level;
}

static size_t stamp(char *buf, size_t size)
{
	struct timespec t;
	struct tm tm;
	clock_gettime(CLOCK_REALTIME, &t);
	gmtime_r(&t.tv_sec, &tm);
	size_t n = strftime(buf, size, "%Y-%m-%dT%H:%M:%S", &tm);
	return n + (size_t)snprintf(buf + n, size - n, ".%03ldZ ", t.tv_nsec / 1000000);
}

void xy_log(enum xy_log_level level, const char *fmt, ...)
{
	char line[1024];
	size_t n = 0, room = sizeof(line) - 1; // the newline always fits
	va_list ap;

	if (level > log_level)
		return;
	if (log_journal)
		n = (size_t)snprintf(line, room, "<%d>", level_of[level].priority);
	else
		n = stamp(line, room);
	if (log_colour)
		n += (size_t)snprintf(line + n, room - n, "%s%s\033[0m: ", level_of[level].colour,
				      level_of[level].name);
	else
		n += (size_t)snprintf(line + n, room - n, "%s: ", level_of[level].name);
	va_start(ap, fmt);
	int text = vsnprintf(line + n, room - n, fmt, ap);
	va_end(ap);
	n += text < 0 ? 0 : (size_t)text < room - n ? (size_t)text : room - n - 1;
	line[n++] = '\n';
	ssize_t r = write(STDERR_FILENO, line, n); // one call: lines of two threads do not mix
	(void)r;
}

bool xy_log_limit_pass(struct xy_log_limit *limit, xy_nsec now, unsigned long *suppressed)
{
	if (now < limit->next) {
		limit->suppressed++;
		return false;
	}
	*suppressed = limit->suppressed;
	limit->suppressed = 0;
	limit->next = now + XY_LOG_LIMIT_INTERVAL;
	return true;
}
