// SPDX-License-Identifier: BSD-3-Clause
#include "rest.h"

#include "ask.h"
#include "dp.h"
#include "hold.h"

#include <rte_cycles.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define BLIND_SPIN (50 * XY_USEC) // before a nap, which the kernel makes 50 us longer
#define NAP_ASK	   XY_SEC	  // while packets wait for an answer that may not come
#define NAP_DRY	   (20 * XY_MSEC) // while a queue has no buffers: nothing comes to wake us

// Between two questions to the kernel which descriptors have something, by one who does not sleep:
// where it is all that may end the looking on (which lasts no longer than a wake-up costs: few
// microseconds); where each walk brings something; and where those that gave something are looked
// at anyway.
#define ASK_IDLE   XY_USEC
#define ASK_AWAKE  (5 * XY_USEC)
#define ASK_LINGER (500 * XY_USEC)

static long switched_out(void)
{
	struct rusage u = {0};
	getrusage(RUSAGE_THREAD, &u);
	return u.ru_nivcsw;
}

void xy_rest_begin(struct xy_worker *w, xy_nsec now)
{
	w->rest = (struct xy_rest){.spin = {.most = w->dp->wake_cost, .switched = switched_out()},
				   .cycle = 1e9 / (double)rte_get_tsc_hz(),
				   .active = now};
}

// --- what the next walk looks at

// What the kernel says. Descriptors are level triggered: what the walk does not look at, and what
// it leaves, is told of again.
static void note_ready(struct xy_worker *w, const struct epoll_event *ev, int n)
{
	uint64_t wakes;
	w->listed = n >= 0 && n < XY_WORKER_READY;
	w->ready_count = 0;
	for (int i = 0; i < n; i++) {
		if (ev[i].data.fd != w->wake_fd)
			w->ready[w->ready_count++] = ev[i].data.fd;
		else if (read(w->wake_fd, &wakes, sizeof(wakes)) < 0)
			continue; // it cannot fail
	}
}

// What gave something in the last walk: all of it, or what has more.
static void note_gave(struct xy_worker *w, bool all)
{
	w->listed = w->gave_count <= XY_WORKER_READY;
	w->ready_count = 0;
	for (unsigned i = 0; w->listed && i < w->gave_count; i++)
		if (all || w->gave[i].more)
			w->ready[w->ready_count++] = w->gave[i].fd;
}

// Without sleeping.
static void look(struct xy_worker *w, xy_nsec every, bool all)
{
	struct epoll_event ev[XY_WORKER_READY];
	if (w->now - w->rest.asked < every) {
		note_gave(w, all);
		return;
	}
	w->rest.asked = w->now;
	note_ready(w, ev, epoll_wait(w->epoll_fd, ev, RTE_DIM(ev), 0));
}

// --- pauses

static bool rings_empty(const struct xy_worker *w)
{
	if (rte_ring_count(w->from_control))
		return false;
	for (unsigned i = 0; i < w->dp->workers; i++)
		if (rte_ring_count(w->handover[i]))
			return false;
	return !xy_hold_due(w->hold) && !xy_ask_due(w->ask, w->now);
}

static struct timespec nap(const struct xy_worker *w, bool blind)
{
	xy_nsec most = XY_DP_NAP; // should the kernel forget to wake
	if (xy_ask_count(w->ask))
		most = NAP_ASK;
	if (w->dry)
		most = NAP_DRY;
	if (blind)
		most = XY_WORKER_NAP;
	return (struct timespec){.tv_sec = (time_t)(most / XY_SEC),
				 .tv_nsec = (long)(most % XY_SEC)};
}

static void fall_asleep(struct xy_worker *w, bool blind)
{
	struct epoll_event ev[XY_WORKER_READY];

	__atomic_store_n(&w->sleeping, 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (rings_empty(w) && !__atomic_load_n(&w->dp->stop, __ATOMIC_RELAXED)) {
		XY_COUNT(w, sleeps, 1);
		struct timespec most = nap(w, blind);
		note_ready(w, ev, epoll_pwait2(w->epoll_fd, ev, RTE_DIM(ev), &most, NULL));
	} else {
		note_gave(w, true);
	}
	// Who found `sleeping` set has cleared it, and writes: the next sleep ends at once.
	__atomic_store_n(&w->sleeping, 0, __ATOMIC_RELAXED);
	w->rest.slept = w->rest.told = true;
}

static void linger(struct xy_worker *w, xy_nsec time)
{
	struct timespec pause = {.tv_nsec = (long)time};
	XY_COUNT(w, sleeps, 1);
	clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
	look(w, w->gave_count ? ASK_LINGER : 0, true);
}

// --- which of them

static void learn(struct xy_worker *w)
{
	struct xy_rest *r = &w->rest;
	if (r->told) // before this walk
		r->asked = w->now;
	r->told = false;
	if (!w->busy)
		return;
	if (r->slept)
		xy_spin_slept(&r->spin, w->now - r->active, w->now);
	r->active = w->now;
	r->slept = false;
	r->moved = true;
}

static xy_nsec lingers(struct xy_worker *w, bool blind)
{
	struct xy_rest *r = &w->rest;
	if (!r->moved || blind || w->dry)
		return 0;
	xy_nsec busy = (xy_nsec)((double)w->stats.busy_cycles * r->cycle);
	return xy_linger_wanted(&r->linger, w->came, busy, w->now);
}

// Is there something to wait for awake?
static bool looks_on(struct xy_worker *w, bool blind)
{
	struct xy_rest *r = &w->rest;
	if (xy_spin_look_due(&r->spin, w->now))
		xy_spin_look(&r->spin, switched_out(), w->now);
	return w->now - r->active < (blind ? BLIND_SPIN : r->spin.now);
}

void xy_rest(struct xy_worker *w)
{
	bool blind = __atomic_load_n(&w->blind, __ATOMIC_RELAXED);
	learn(w);
	if (w->dp->cfg.poll || w->more) {
		look(w, w->more ? ASK_AWAKE : ASK_IDLE, false);
		return;
	}
	xy_nsec time = lingers(w, blind);
	if (!time && looks_on(w, blind)) {
		look(w, ASK_IDLE, false);
		return;
	}
	rte_rcu_qsbr_thread_offline(w->dp->rcu, w->id);
	xy_clock_forget(&w->clock);
	if (time)
		linger(w, time);
	else
		fall_asleep(w, blind);
	rte_rcu_qsbr_thread_online(w->dp->rcu, w->id);
	w->rest.moved = false;
}
