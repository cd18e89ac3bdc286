// SPDX-License-Identifier: BSD-3-Clause
// A nats-server of the test's own, in a network namespace of its own, and a loop that waits for
// what is to come of it.
#pragma once

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

enum { RIG_SKIPPED = 77, RIG_WAIT_S = 60 };

static char rig_folder[64];
static uv_loop_t rig_loop;

// False: there are no namespaces, or no nats-server here.
static inline bool rig_begin(void)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	if (system("command -v nats-server >/dev/null") ||
	    (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET)))
		return false;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool up = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &lo) == 0;
	close(fd);
	snprintf(rig_folder, sizeof(rig_folder), "/tmp/xylem-nats-XXXXXX");
	return up && mkdtemp(rig_folder) && uv_loop_init(&rig_loop) == 0;
}

static inline void rig_end(void)
{
	char command[120];
	uv_run(&rig_loop, UV_RUN_NOWAIT);
	uv_loop_close(&rig_loop);
	snprintf(command, sizeof(command), "rm -rf %s", rig_folder);
	if (system(command))
		printf("  %s is left\n", rig_folder);
}

__attribute__((format(printf, 1, 2))) static inline int rig_shell(const char *fmt, ...)
{
	char text[2048];
	int n = snprintf(text, sizeof(text), "cd %s && ", rig_folder);
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
	va_end(ap);
	return system(text);
}

// A file in the folder; its path in `path`.
static inline const char *rig_file(const char *name, const char *text, char path[static 128])
{
	snprintf(path, 128, "%s/%s", rig_folder, name);
	FILE *f = fopen(path, "w");
	CU_ASSERT_FATAL(f && fputs(text, f) >= 0);
	fclose(f);
	return path;
}

// A server with this configuration beside JetStream's folder NAME (NULL: no JetStream).
static inline pid_t rig_server(unsigned port, const char *name, const char *more)
{
	char config[4096], path[128], file[64];
	int n = snprintf(config, sizeof(config), "listen: \"127.0.0.1:%u\"\n", port);
	if (name)
		n += snprintf(config + n, sizeof(config) - (size_t)n,
			      "jetstream { store_dir: \"%s/%s\" }\n", rig_folder, name);
	snprintf(config + n, sizeof(config) - (size_t)n, "%s\n", more);
	snprintf(file, sizeof(file), "%u.conf", port);
	rig_file(file, config, path);
	pid_t pid = fork();
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	char log[128];
	snprintf(log, sizeof(log), "%s/%u.log", rig_folder, port);
	int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	dup2(fd, 1);
	dup2(fd, 2);
	execlp("nats-server", "nats-server", "-c", path, NULL);
	_exit(127);
}

static inline void rig_kill(pid_t pid, int signal)
{
	kill(pid, signal);
	waitpid(pid, NULL, 0);
}

static inline double rig_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline void rig_beat(uv_timer_t *t)
{
	(void)t;
}

// The loop runs until is(arg), or the deadline: false.
static inline bool rig_until(bool (*is)(void *arg), void *arg, double seconds)
{
	uv_timer_t beat;
	double end = rig_now() + seconds;
	uv_timer_init(&rig_loop, &beat);
	uv_timer_start(&beat, rig_beat, 20, 20);
	while (!is(arg) && rig_now() < end)
		uv_run(&rig_loop, UV_RUN_ONCE);
	uv_timer_stop(&beat);
	uv_close((uv_handle_t *)&beat, NULL);
	uv_run(&rig_loop, UV_RUN_NOWAIT);
	return is(arg);
}
