// SPDX-License-Identifier: BSD-3-Clause
// Two threads wake each other in turn. Counted is the CPU time of one of them, which is what
// spinning is to save; the best of several batches, for what disturbs only adds.
#include "wake.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { BATCHES = 8, ROUNDS = 16, LOST_MS = 20 };
#define TIME_MOST (5 * XY_MSEC)

struct pair {
	int ping, pong; // eventfds
};

static xy_nsec clock_read(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (xy_nsec)t.tv_sec * XY_SEC + (xy_nsec)t.tv_nsec;
}

static void *echo(void *arg)
{
	const struct pair *p = arg;
	uint64_t n;
	while (read(p->ping, &n, sizeof(n)) == sizeof(n) && n == 1)
		if (write(p->pong, &n, sizeof(n)) != sizeof(n))
			break;
	return NULL;
}

static bool round_trip(const struct pair *p, int epoll)
{
	struct epoll_event ev;
	uint64_t n = 1;
	return write(p->ping, &n, sizeof(n)) == sizeof(n) &&
	       epoll_wait(epoll, &ev, 1, LOST_MS) == 1 && read(p->pong, &n, sizeof(n)) == sizeof(n);
}

static xy_nsec measure(const struct pair *p, int epoll)
{
	xy_nsec end = clock_read(CLOCK_MONOTONIC) + TIME_MOST, best = XY_WAKE_COST_MOST;
	for (unsigned b = 0; b < BATCHES && clock_read(CLOCK_MONOTONIC) < end; b++) {
		xy_nsec began = clock_read(CLOCK_THREAD_CPUTIME_ID);
		for (unsigned i = 0; i < ROUNDS; i++)
			if (!round_trip(p, epoll))
				return XY_WAKE_COST_LEAST;
		xy_nsec one = (clock_read(CLOCK_THREAD_CPUTIME_ID) - began) / ROUNDS;
		best = one < best ? one : best;
	}
	return best < XY_WAKE_COST_LEAST ? XY_WAKE_COST_LEAST : best;
}

xy_nsec xy_wake_cost(void)
{
	struct pair p = {.ping = eventfd(0, EFD_CLOEXEC), .pong = eventfd(0, EFD_CLOEXEC)};
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event ev = {.events = EPOLLIN};
	xy_nsec cost = XY_WAKE_COST_LEAST;
	uint64_t end = 2;
	pthread_t thread;

	if (p.ping >= 0 && p.pong >= 0 && epoll >= 0 &&
	    !epoll_ctl(epoll, EPOLL_CTL_ADD, p.pong, &ev) &&
	    !pthread_create(&thread, NULL, echo, &p)) {
		cost = measure(&p, epoll);
		if (write(p.ping, &end, sizeof(end)) == sizeof(end))
			pthread_join(thread, NULL);
	}
	close(epoll);
	close(p.ping);
	close(p.pong);
	return cost;
}
