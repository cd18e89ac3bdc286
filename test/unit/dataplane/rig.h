// SPDX-License-Identifier: BSD-3-Clause
// A worker without a graph, for tests of ports and of the host interface: EAL without hugepages, a
// small pool, the accounts, a network namespace of the test's own. One thread.
#pragma once

#include "dp.h"
#include "event.h"
#include "unit.h"

#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <rte_eal.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#ifndef RIG_BUFFERS
#define RIG_BUFFERS 2047
#endif
#define RIG_ROOM (XY_HEADROOM + 2048)

// Of what is sealed, or of an overlay packet: a line for each 64 bytes and none more.
#define RIG_BEGINS_LINE(at) ((uintptr_t)(at) % 64 == 0)

struct rig {
	struct xy_dp dp;
	struct xy_worker worker[2];
	void (*fini)(struct xy_worker *w);
};

static struct rte_mempool *rig_pool;
static bool rig_own_net; // in a network namespace of our own

// --- what the rest of the dataplane gives

static int rig_watched;

int xy_buffers_alloc(struct xy_worker *w, struct rte_mbuf **out, unsigned n)
{
	if (rte_pktmbuf_alloc_bulk(w->pool, out, n))
		return -ENOBUFS;
	for (unsigned i = 0; i < n; i++) {
		out[i]->data_off = XY_HEADROOM;
		memset(xy_packet(out[i]), 0xa5, sizeof(struct xy_packet));
		xy_packet(out[i])->from = XY_PEER_NONE;
	}
	return 0;
}

int xy_worker_watch(struct xy_worker *w, int fd)
{
	(void)w;
	(void)fd;
	rig_watched++;
	return 0;
}

void xy_worker_unwatch(struct xy_worker *w, int fd)
{
	(void)w;
	(void)fd;
	rig_watched--;
}

static unsigned rig_too_big; // ICMP errors about a datagram's size, and where the last was to go
static struct xy_endpoint rig_too_big_at;

void xy_event_mtu_at(struct xy_worker *w, uint8_t port, const struct xy_endpoint *remote)
{
	(void)w;
	(void)port;
	rig_too_big++;
	rig_too_big_at = *remote;
}

static int rig_refused; // errno of the last ICMP error that said so
static struct xy_endpoint rig_refused_at;

void xy_event_refused_at(struct xy_worker *w, uint8_t port, const struct xy_endpoint *remote,
			 int error)
{
	(void)w;
	(void)port;
	rig_refused = error;
	rig_refused_at = *remote;
}

// --- the machine

static inline bool rig_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	if (fd >= 0)
		close(fd);
	return ok;
}

// A network namespace of our own; as an ordinary user inside a user namespace of our own.
static inline bool rig_net_enter(void)
{
	char map[64];
	unsigned uid = getuid(), gid = getgid();
	if (unshare(CLONE_NEWNET) == 0)
		return true;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return false;
	snprintf(map, sizeof(map), "0 %u 1", uid);
	bool ok = rig_write("/proc/self/setgroups", "deny") && rig_write("/proc/self/uid_map", map);
	snprintf(map, sizeof(map), "0 %u 1", gid);
	return ok && rig_write("/proc/self/gid_map", map);
}

static inline bool rig_link_up(const char *name, int mtu)
{
	struct ifreq r = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	r.ifr_mtu = mtu;
	bool ok = fd >= 0 && ioctl(fd, SIOCSIFMTU, &r) == 0 && ioctl(fd, SIOCGIFFLAGS, &r) == 0;
	r.ifr_flags |= IFF_UP;
	ok = ok && ioctl(fd, SIOCSIFFLAGS, &r) == 0;
	if (fd >= 0)
		close(fd);
	return ok;
}

static inline void rig_net(const char *name)
{
	rig_own_net = rig_net_enter() && rig_link_up("lo", 1500);
	if (!rig_own_net)
		fprintf(stderr, "%s: no network namespace of our own: some cases are skipped\n",
			name);
}

static inline int rig_eal(const char *name, const char *const *vdevs, unsigned count)
{
	char *argv[32] = {
		(char *)(uintptr_t)name, "--no-huge",	     "--no-pci", "--no-shconf", "-m", "64",
		"--no-telemetry",	 "--log-level=error"};
	int argc = 8;
	for (unsigned i = 0; i < count; i++) {
		argv[argc++] = "--vdev";
		argv[argc++] = (char *)(uintptr_t)vdevs[i];
	}
	if (rte_eal_init(argc, argv) < 0)
		return 2;
	rig_pool = rte_pktmbuf_pool_create("rig", RIG_BUFFERS, 0, sizeof(struct xy_packet),
					   RIG_ROOM, SOCKET_ID_ANY);
	return rig_pool ? 0 : 2;
}

static inline int rig_start(const char *name)
{
	rig_net(name);
	return rig_eal(name, NULL, 0);
}

// --- a dataplane of bare workers

static inline void rig_init(struct rig *r, unsigned workers, int (*init)(struct xy_worker *w),
			    void (*fini)(struct xy_worker *w))
{
	memset(r, 0, sizeof(*r));
	r->dp.workers = workers;
	r->fini = fini;
	for (unsigned i = 0; i < workers; i++) {
		struct xy_worker *w = &r->worker[i];
		w->dp = &r->dp;
		w->id = i;
		w->pool = rig_pool;
		r->dp.worker[i] = w;
		CU_ASSERT_EQUAL_FATAL(init(w), 0);
	}
}

static inline void rig_fini(struct rig *r)
{
	for (unsigned i = 0; i < r->dp.workers; i++)
		r->fini(&r->worker[i]);
	CU_ASSERT_EQUAL(rig_watched, 0);
	CU_ASSERT_EQUAL(rte_mempool_avail_count(rig_pool), RIG_BUFFERS);
}

// The accounting identity of a worker whose graph is the test: packets that the test made count as
// generated, those that it looked at and freed as consumed.
static inline int64_t rig_balance(const struct xy_worker *w)
{
	const struct xy_dp_worker_stats *s = &w->stats;
	int64_t balance = 0;
#define X(name, sign, help) balance = balance sign(int64_t) s->name;
	XY_DP_ACCOUNTS(X)
#undef X
	return balance;
}

static inline void rig_consume(struct xy_worker *w, struct rte_mbuf **m, unsigned n)
{
	rte_pktmbuf_free_bulk(m, n);
	XY_COUNT(w, consumed, n);
}

// What a graph does with the packets that a port refused.
static inline void rig_drop(struct xy_worker *w, struct rte_mbuf **m, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		xy_count_drop(w, (enum xy_drop)xy_packet(m[i])->drop, 1);
	rte_pktmbuf_free_bulk(m, n);
}

static inline void rig_pause(void) // between two looks at the kernel
{
	nanosleep(&(struct timespec){.tv_nsec = 200 * 1000}, NULL);
}
