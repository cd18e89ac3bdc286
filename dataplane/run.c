// SPDX-License-Identifier: BSD-3-Clause
// A worker put together of its parts, and its thread: walk the graph, report quiescence, rest.
#include "run.h"

#include "aead.h"
#include "ask.h"
#include "blame.h"
#include "graph/graph.h"
#include "hold.h"
#include "icmp_rate.h"
#include "pages.h"
#include "rest.h"
#include "session.h"
#include "used.h"

#include <rte_cycles.h>
#include <rte_malloc.h>
#include <rte_ring_elem.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

// --- rings, descriptors

static struct rte_ring *messages_create(const char *what, unsigned id)
{
	char name[RTE_RING_NAMESIZE];
	snprintf(name, sizeof(name), "%s%u", what, id);
	return rte_ring_create_elem(name, 16, XY_RING_SIZE, SOCKET_ID_ANY,
				    RING_F_SP_ENQ | RING_F_SC_DEQ);
}

// In plain memory: rte_ring_create takes one of EAL's 2,560 memzones for each, and there are as
// many as workers squared.
static struct rte_ring *handover_create(unsigned from, unsigned to)
{
	char name[RTE_RING_NAMESIZE];
	struct rte_ring *r = rte_zmalloc("handover", (size_t)rte_ring_get_memsize(XY_RING_SIZE),
					 RTE_CACHE_LINE_SIZE);
	snprintf(name, sizeof(name), "hand%u_%u", from, to);
	if (r && rte_ring_init(r, name, XY_RING_SIZE, RING_F_SP_ENQ | RING_F_SC_DEQ)) {
		rte_free(r);
		return NULL;
	}
	return r;
}

static int rings_create(struct xy_worker *w)
{
	w->from_control = messages_create("order", w->id);
	w->to_control = messages_create("event", w->id);
	w->handshakes = messages_create("handshake", w->id);
	w->strangers = messages_create("stranger", w->id);
	xy_event_rates_init(w);
	if (!w->from_control || !w->to_control || !w->handshakes || !w->strangers)
		return -ENOMEM;
	for (unsigned from = 0; from < w->dp->workers; from++) {
		w->handover[from] = handover_create(from, w->id);
		if (!w->handover[from])
			return -ENOMEM;
	}
	return 0;
}

static void ring_drain(struct rte_ring *r)
{
	void *m;
	while (r && rte_ring_sc_dequeue(r, &m) == 0)
		rte_pktmbuf_free(m);
}

static void messages_drain(struct rte_ring *r)
{
	struct xy_msg msg;
	while (r && rte_ring_sc_dequeue_elem(r, &msg, sizeof(msg)) == 0)
		xy_msg_free(&msg);
}

static void rings_destroy(struct xy_worker *w)
{
	messages_drain(w->from_control);
	messages_drain(w->to_control);
	messages_drain(w->handshakes);
	messages_drain(w->strangers);
	rte_ring_free(w->from_control);
	rte_ring_free(w->to_control);
	rte_ring_free(w->handshakes);
	rte_ring_free(w->strangers);
	for (unsigned from = 0; from < w->dp->workers; from++) {
		ring_drain(w->handover[from]);
		rte_free(w->handover[from]);
	}
}

static int descriptors_create(struct xy_worker *w)
{
	w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	w->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (w->epoll_fd < 0 || w->wake_fd < 0)
		return -errno;
	return xy_worker_watch(w, w->wake_fd);
}

// --- create, destroy

static int parts_create(struct xy_worker *w)
{
	struct xy_dp *dp = w->dp;
	xy_clock_begin(&w->clock, rte_get_tsc_hz());
	w->aead = xy_aead_create();
	w->handed = xy_pages_reserve((dp->session_mask + 1) * sizeof(*w->handed));
	w->hold = xy_hold_create(dp, w->pool);
	w->ask = xy_ask_create(dp);
	w->used = xy_used_create();
	w->icmp = xy_icmp_rate_create(dp);
	w->blames = xy_blames_create();
	if (!w->aead || !w->handed || !w->hold || !w->ask || !w->used || !w->icmp || !w->blames ||
	    rings_create(w))
		return -ENOMEM;
	int r = descriptors_create(w);
	r = r ? r : xy_port_worker_init(w);
	return r ? r : xy_host_worker_init(w);
}

int xy_worker_init(struct xy_worker *w, struct xy_err *err)
{
	int r = parts_create(w);
	if (r)
		return xy_err_set(err, -r, "worker %u: %s%s", w->id, strerror(-r),
				  r == -ENOMEM ? "; lower workers.count or max_sessions" : "");
	return xy_graph_create(w, err);
}

void xy_worker_fini(struct xy_worker *w)
{
	xy_graph_destroy(w);
	xy_host_worker_fini(w);
	xy_port_worker_fini(w);
	if (w->epoll_fd >= 0)
		close(w->epoll_fd);
	if (w->wake_fd >= 0)
		close(w->wake_fd);
	rings_destroy(w);
	xy_icmp_rate_destroy(w->dp, w->icmp);
	xy_used_destroy(w->used);
	xy_ask_destroy(w->ask);
	xy_hold_destroy(w->hold);
	xy_blames_destroy(w->blames);
	w->blames = NULL;
	xy_pages_release(w->handed, (w->dp->session_mask + 1) * sizeof(*w->handed));
	xy_aead_destroy(w->aead);
}

// --- the loop

static void walk(struct xy_worker *w)
{
	uint64_t start = rte_rdtsc();
	xy_worker_clock(w, start);
	w->busy = w->more = w->dry = false;
	w->gave_count = 0;
	xy_graph_walk(w);
	uint64_t end = rte_rdtsc();
	XY_COUNT(w, walks, 1);
	if (end > w->walked) // else the counter began anew: after a suspend it may
		XY_COUNT(w, total_cycles, end - w->walked);
	w->walked = end;
	if (w->busy) {
		XY_COUNT(w, busy_walks, 1);
		XY_COUNT(w, busy_cycles, end - start);
	}
}

int xy_worker_main(void *arg)
{
	struct xy_worker *w = arg;
	struct rte_rcu_qsbr *rcu = w->dp->rcu;

	if (w->dp->cfg.worker_begin)
		w->dp->cfg.worker_begin(w->dp->cfg.worker_arg, w->id);

	w->walked = rte_rdtsc();
	xy_worker_clock(w, w->walked);
	xy_rest_begin(w, w->now);
	rte_rcu_qsbr_thread_register(rcu, w->id);
	rte_rcu_qsbr_thread_online(rcu, w->id);
	while (!__atomic_load_n(&w->dp->stop, __ATOMIC_RELAXED)) {
		walk(w);
		rte_rcu_qsbr_quiescent(rcu, w->id);
		xy_rest(w);
	}
	rte_rcu_qsbr_thread_offline(rcu, w->id);
	rte_rcu_qsbr_thread_unregister(rcu, w->id);
	return 0;
}
