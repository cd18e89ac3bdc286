// SPDX-License-Identifier: BSD-3-Clause
#include "resume.h"

#include "daemon.h"
#include "wire/vmgen.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define NOTED	(1 * XY_SEC)   // shorter ones are noticed by nobody
#define AT_ONCE (XY_SEC / 100) // clocks read in a longer time say nothing about each other

// How long the machine has been suspended in all; false: we were not let run for a moment.
static bool slept(xy_nsec *out)
{
	xy_nsec before = xy_awake(), now = xy_now();
	*out = now > before ? now - before : 0;
	return xy_awake() - before < AT_ONCE;
}

static void suspend_look(struct xy_daemon *d)
{
	struct xy_resume *r = &d->resume;
	xy_nsec all;
	if (!slept(&all))
		return;
	if (!r->known)
		r->slept = all;
	r->known = true;
	if (all < r->slept + NOTED)
		return;
	xy_nsec pause = all - r->slept;
	bool long_one = pause >= d->limits.reject_after_time;
	r->slept = all;
	xy_log_info("resumed after %llu s of suspend%s",
		    (unsigned long long)((pause + XY_SEC / 2) / XY_SEC),
		    long_one ? ": links begin anew" : "");
	if (long_one)
		xy_exchanges_renew(d->exchanges);
}

// --- another generation of this virtual machine

static void generation_new(struct xy_daemon *d)
{
	xy_log_warn(
		"this virtual machine goes on from a snapshot: links begin anew, since a copy may "
		"have their keys. Two nodes must not run with one key (xylem genkey)");
	xy_exchanges_renew(d->exchanges);
}

static void vmclock_look(struct xy_daemon *d)
{
	struct xy_resume *r = &d->resume;
	uint64_t generation;
	if (!r->vmclock || !xy_vmclock_read(r->vmclock, XY_VMCLOCK_LEN, &generation))
		return;
	bool is_new = r->generation_known && generation != r->generation;
	r->generation = generation;
	r->generation_known = true;
	if (is_new)
		generation_new(d);
}

// Any process may send to such a socket; the kernel's address alone is 0.
static void on_uevent(uv_poll_t *poll, int status, int events)
{
	struct xy_daemon *d = poll->data;
	char text[4096];
	for (;;) {
		struct sockaddr_nl from = {0};
		socklen_t size = sizeof(from);
		ssize_t n = recvfrom(d->resume.uevents, text, sizeof(text), MSG_DONTWAIT,
				     (struct sockaddr *)&from, &size);
		if (n < 0 && errno != ENOBUFS) // some were lost: those that follow are not
			return;
		if (n > 0 && from.nl_pid == 0 && xy_vmgen_is_new(text, (size_t)n))
			generation_new(d);
	}
}

static int uevents_open(void)
{
	const struct sockaddr_nl all = {.nl_family = AF_NETLINK, .nl_groups = 1};
	int fd =
		socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
	if (fd >= 0 && bind(fd, (const struct sockaddr *)&all, sizeof(all))) {
		close(fd);
		return -1;
	}
	return fd;
}

static const void *vmclock_open(void)
{
	int fd = open("/dev/vmclock0", O_RDONLY | O_CLOEXEC);
	void *page = MAP_FAILED;
	if (fd >= 0) {
		page = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ, MAP_SHARED, fd, 0);
		close(fd);
	}
	return page == MAP_FAILED ? NULL : page;
}

void xy_resume_look(struct xy_daemon *d)
{
	suspend_look(d);
	vmclock_look(d);
}

void xy_resume_start(struct xy_daemon *d)
{
	struct xy_resume *r = &d->resume;
	r->vmclock = vmclock_open();
	r->uevents = uevents_open();
	if (r->uevents < 0)
		return;
	r->poll.data = d;
	if (uv_poll_init(&d->loop.uv, &r->poll, r->uevents) == 0 &&
	    uv_poll_start(&r->poll, UV_READABLE, on_uevent) == 0)
		return;
	close(r->uevents);
	r->uevents = -1;
}

void xy_resume_stop(struct xy_daemon *d)
{
	struct xy_resume *r = &d->resume;
	if (r->uevents > 0) {
		uv_poll_stop(&r->poll);
		close(r->uevents);
	}
	if (r->vmclock)
		munmap((void *)(uintptr_t)r->vmclock, (size_t)sysconf(_SC_PAGESIZE));
	r->uevents = -1;
	r->vmclock = NULL;
}
