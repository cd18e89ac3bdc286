// SPDX-License-Identifier: BSD-3-Clause
// What every part of the dataplane may ask of a worker. It knows none of the parts: run.c puts them
// together.
#include "worker.h"

#include <errno.h>
#include <rte_cycles.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

int xy_buffers_alloc(struct xy_worker *w, struct rte_mbuf **out, unsigned n)
{
	if (rte_pktmbuf_alloc_bulk(w->pool, out, n))
		return -ENOBUFS;
	for (unsigned i = 0; i < n; i++) {
		out[i]->data_off = XY_HEADROOM;
		xy_packet(out[i])->from = XY_PEER_NONE;
		xy_packet(out[i])->mesh = XY_MESH_PLAIN;
	}
	return 0;
}

// What the TSC says may be a little ahead of what is looked up behind it: time does not go back.
void xy_worker_clock(struct xy_worker *w, uint64_t tsc)
{
	xy_nsec now;
	if (!xy_clock_tells(&w->clock, tsc, &now)) {
		struct timespec t;
		clock_gettime(XY_DP_CLOCK, &t); // vDSO: no system call
		now = (xy_nsec)t.tv_sec * XY_SEC + (xy_nsec)t.tv_nsec;
		xy_clock_look(&w->clock, rte_rdtsc(), now);
	}
	if (now > w->now)
		w->now = now;
}

int xy_worker_watch(struct xy_worker *w, int fd)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};
	return epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

void xy_worker_unwatch(struct xy_worker *w, int fd)
{
	epoll_ctl(w->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

void xy_worker_wake(struct xy_worker *w)
{
	// Pairs with the fence in fall_asleep (run.c): either we see `sleeping`, or it sees what we
	// put.
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(&w->sleeping, __ATOMIC_RELAXED) &&
	    __atomic_exchange_n(&w->sleeping, 0, __ATOMIC_SEQ_CST)) {
		uint64_t one = 1;
		ssize_t r = write(w->wake_fd, &one, sizeof(one));
		(void)r; // fails only when it would overflow, and then it is readable anyway
	}
}
