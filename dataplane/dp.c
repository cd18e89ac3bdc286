// SPDX-License-Identifier: BSD-3-Clause
// The dataplane's life, its ports and host interface, and packets between it and the control plane.
#include "dp.h"

#include "base/bytes.h"
#include "eal.h"
#include "event.h"
#include "far_end.h"
#include "fib.h"
#include "group.h"
#include "peer.h"
#include "retire.h"
#include "run.h"
#include "session.h"
#include "wake.h"
#include "wire/inet.h"

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_malloc.h>
#include <rte_ring_elem.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#define STOP_MAX 1000 // ms that a worker may take to end

static int config_check(const struct xy_dp_config *c, struct xy_err *err)
{
	if (c->workers < 1 || c->workers > XY_DP_WORKERS)
		return xy_err_set(err, EINVAL, "workers: %u is not in 1..%d", c->workers,
				  XY_DP_WORKERS);
	if (c->max_packet < 1280 || c->max_packet > 9216)
		return xy_err_set(err, EINVAL, "largest packet: %u is not in 1280..9216",
				  c->max_packet);
	if (c->max_peers < 1 || c->max_peers > UINT16_MAX + 1)
		return xy_err_set(err, EINVAL, "max_peers: %u is not in 1..65536", c->max_peers);
	if (c->max_sessions < 4 || c->max_sessions > (1u << 20))
		return xy_err_set(err, EINVAL, "max_sessions: %u is not in 4..1048576",
				  c->max_sessions);
	if (c->device_count > XY_DP_PORTS)
		return xy_err_set(err, EINVAL, "no more than %d DPDK devices", XY_DP_PORTS);
	return 0;
}

static int rcu_create(struct xy_dp *dp, struct xy_err *err)
{
	size_t size = rte_rcu_qsbr_get_memsize(dp->workers);
	dp->rcu = rte_zmalloc("rcu", size, RTE_CACHE_LINE_SIZE);
	if (!dp->rcu || rte_rcu_qsbr_init(dp->rcu, dp->workers))
		return xy_err_set(err, ENOMEM, "no memory for RCU");
	return 0;
}

static int workers_alloc(struct xy_dp *dp, struct xy_err *err)
{
	for (unsigned i = 0; i < dp->workers; i++) {
		struct xy_worker *w = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*w));
		if (!w)
			return xy_err_set(err, ENOMEM, "no memory for worker %u", i);
		memset(w, 0, sizeof(*w));
		w->dp = dp;
		w->id = i;
		w->epoll_fd = w->wake_fd = -1;
		dp->worker[i] = w;
	}
	return 0;
}

static int name_self(void *arg)
{
	const struct xy_worker *w = arg;
	char name[16];
	snprintf(name, sizeof(name), "rte-worker-%u", w->lcore);
	return prctl(PR_SET_NAME, name);
}

// EAL names its threads from outside, by a file in /proc, which only root may write to in a process
// that others may not look into.
static void workers_name(struct xy_dp *dp)
{
	for (unsigned i = 0; i < dp->workers; i++)
		if (rte_eal_remote_launch(name_self, dp->worker[i], dp->worker[i]->lcore) == 0)
			rte_eal_wait_lcore(dp->worker[i]->lcore);
}

static int parts_create(struct xy_dp *dp, struct xy_err *err)
{
	int r = workers_alloc(dp, err);
	size_t need = xy_eal_memory_need(&dp->cfg);
	r = r ? r : xy_eal_start(dp, need, err);
	if (!r)
		workers_name(dp);
	r = r ? r : xy_pools_create(dp, err);
	r = r ? r : rcu_create(dp, err);
	r = r ? r : xy_sessions_init(dp, err);
	r = r ? r : xy_ends_init(dp, err);
	r = r ? r : xy_peers_init(dp, err);
	r = r ? r : xy_far_ends_init(dp, err);
	r = r ? r : xy_groups_init(dp, err);
	r = r ? r : xy_fib_init(dp, err);
	for (unsigned i = 0; !r && i < dp->workers; i++)
		r = xy_worker_init(dp->worker[i], err);
	return r;
}

int xy_dp_create(const struct xy_dp_config *cfg, struct xy_dp **out, struct xy_err *err)
{
	int r = config_check(cfg, err);
	if (r)
		return r;
	struct xy_dp *dp = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*dp));
	if (!dp)
		return xy_err_set(err, ENOMEM, "no memory for the dataplane");
	memset(dp, 0, sizeof(*dp));
	dp->cfg = *cfg;
	dp->workers = cfg->workers;
	dp->control_waiting = 1;
	xy_retire_init(dp);
	dp->ports = calloc(1, sizeof(*dp->ports));
	dp->hosts = calloc(1, sizeof(*dp->hosts));
	dp->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (!dp->ports || !dp->hosts || dp->event_fd < 0)
		r = xy_err_set(err, ENOMEM, "no memory or descriptors for the dataplane");
	r = r ? r : parts_create(dp, err);
	if (r) {
		xy_dp_destroy(dp);
		return r;
	}
	*out = dp;
	return 0;
}

int xy_dp_start(struct xy_dp *dp, struct xy_err *err)
{
	dp->wake_cost = xy_wake_cost();
	for (unsigned i = 0; i < dp->workers; i++) {
		int r = rte_eal_remote_launch(xy_worker_main, dp->worker[i], dp->worker[i]->lcore);
		if (r)
			return xy_err_set(err, -r, "worker %u does not start: %s", i, strerror(-r));
	}
	return 0;
}

// False: one is stuck, and nothing that it may look at can be freed.
static bool workers_stop(struct xy_dp *dp)
{
	__atomic_store_n(&dp->stop, 1, __ATOMIC_SEQ_CST);
	for (unsigned i = 0; i < dp->workers; i++)
		if (dp->worker[i] && dp->worker[i]->wake_fd >= 0)
			xy_worker_wake(dp->worker[i]);
	if (!dp->rcu)
		return true;
	for (unsigned i = 0; i < dp->workers; i++)
		for (unsigned ms = 0; rte_eal_get_lcore_state(dp->worker[i]->lcore) == RUNNING;
		     ms++) {
			if (ms == STOP_MAX)
				return false;
			nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
		}
	return true;
}

void xy_dp_destroy(struct xy_dp *dp)
{
	if (!dp)
		return;
	if (!workers_stop(dp))
		// The process ends now, and the kernel frees all of it. Nothing is wiped: a worker
		// that comes back in the middle of a burst must not seal with a key of zeros.
		return;
	for (unsigned i = 0; dp->ports && i < XY_DP_PORTS; i++)
		xy_dp_port_del(dp, i);
	for (unsigned i = 0; dp->hosts && i < XY_DP_HOSTS; i++)
		xy_dp_host_close(dp, i);
	xy_dp_capture_stop(dp);
	if (dp->rcu)
		xy_retire_run(dp, true);
	for (unsigned i = 0; i < dp->workers; i++)
		if (dp->worker[i] && dp->worker[i]->pool)
			xy_worker_fini(dp->worker[i]);
	xy_fib_fini(dp);
	if (dp->rcu)
		xy_retire_run(dp, true); // what the tables gave back
	xy_groups_fini(dp);
	xy_peers_fini(dp);
	xy_far_ends_fini(dp);
	xy_ends_fini(dp);
	xy_sessions_fini(dp);
	rte_free(dp->rcu);
	xy_pools_destroy(dp);
	for (unsigned i = 0; i < dp->workers; i++)
		free(dp->worker[i]);
	if (dp->event_fd >= 0)
		close(dp->event_fd);
	if (dp->memory[0])
		xy_eal_stop();
	free(dp->ports);
	free(dp->hosts);
	free(dp);
}

int xy_dp_event_fd(const struct xy_dp *dp)
{
	return dp->event_fd;
}

bool xy_dp_housekeep(struct xy_dp *dp)
{
	return xy_retire_run(dp, false);
}

bool xy_dp_housekeep_wanted(const struct xy_dp *dp)
{
	return dp->retired_head;
}

// --- host interfaces

int xy_dp_host_publish(struct xy_dp *dp, unsigned id, struct xy_host *host)
{
	struct xy_host_list *list = malloc(sizeof(*list)), *old = dp->hosts;
	if (!list)
		return -ENOMEM;
	*list = *old;
	list->host[id] = host;
	for (list->end = XY_DP_HOSTS; list->end && !list->host[list->end - 1];)
		list->end--;
	__atomic_store_n(&dp->hosts, list, __ATOMIC_RELEASE);
	xy_dp_retire_free(dp, old);
	return 0;
}

int xy_dp_host_open(struct xy_dp *dp, unsigned id, char name[static 16], struct xy_err *err)
{
	struct xy_host *host;
	if (id >= XY_DP_HOSTS)
		return xy_err_set(err, EINVAL, "no more than %d host interfaces", XY_DP_HOSTS);
	if (dp->hosts->host[id])
		return xy_err_set(err, EEXIST, "the host interface is open already");
	int r = xy_host_tun_open(dp, id, name, &host, err);
	if (r)
		return r;
	memcpy(name, host->name, sizeof(host->name));
	r = xy_dp_host_publish(dp, id, host);
	if (r) {
		host->ops->close(host);
		return xy_err_set(err, -r, "no memory for a host interface");
	}
	return 0;
}

static void host_close(struct xy_dp *dp, void *ptr)
{
	(void)dp;
	struct xy_host *host = ptr;
	host->ops->close(host);
}

void xy_dp_host_close(struct xy_dp *dp, unsigned id)
{
	struct xy_host *host = id < XY_DP_HOSTS ? dp->hosts->host[id] : NULL;
	if (host && xy_dp_host_publish(dp, id, NULL) == 0)
		xy_dp_retire(dp, host, host_close);
}

// --- packets between the control plane and the workers

static bool is_far_punt(const struct xy_msg *msg)
{
	return msg->punt == XY_PUNT_FAR || msg->punt == XY_PUNT_FAR_STRANGER;
}

static void event_of(const struct xy_dp *dp, unsigned worker, const struct xy_msg *msg,
		     struct xy_dp_event *ev)
{
	*ev = (struct xy_dp_event){
		.type = (enum xy_dp_event_type)msg->type, .worker = worker, .port = msg->port};
	if (xy_msg_has_buffer(msg) && msg->m) {
		ev->remote = xy_packet(msg->m)->remote;
		ev->local = xy_packet(msg->m)->local;
		ev->interface = xy_packet(msg->m)->interface;
		if (ev->type == XY_DP_OVERLAY || is_far_punt(msg))
			ev->remote.scope = 0; // the sender's incarnation was in its place
	}
	switch (ev->type) {
	case XY_DP_OVERLAY:
		ev->peer = xy_packet(msg->m)->from;
		if (ev->peer >= dp->cfg.max_peers)
			ev->peer = XY_DP_NO_PEER;
		ev->at = xy_packet(msg->m)->taken;
		/* fall through */
	case XY_DP_PUNT:
		if (ev->type == XY_DP_PUNT)
			ev->peer = is_far_punt(msg) ? xy_packet(msg->m)->from : XY_DP_NO_PEER;
		ev->data = rte_pktmbuf_mtod(msg->m, const uint8_t *);
		ev->len = msg->m->data_len;
		break;
	case XY_DP_FAR_MTU:
		ev->mtu = (uint32_t)msg->mtu;
		/* fall through */
	case XY_DP_WANT:
	case XY_DP_MTU:
		ev->peer = msg->arg;
		break;
	case XY_DP_REFUSED:
		ev->error = (int)msg->arg;
		break;
	case XY_DP_ROAM:
	case XY_DP_FIRST:
	case XY_DP_NUDGE:
		ev->index = msg->arg;
		break;
	case XY_DP_ASK:
	case XY_DP_MEET:
	case XY_DP_LOST:
	case XY_DP_USED:
		ev->source = msg->arg;
		xy_be64_store(ev->addr.b, msg->net);
		break;
	}
	const struct xy_session *s = ev->index ? xy_session_find_rcu(dp, ev->index) : NULL;
	if (s)
		ev->peer = s->end;
}

// Does what the event is about still exist? A peer's number may be another's by now, its session's
// index may not.
static bool is_current(const struct xy_dp *dp, const struct xy_msg *msg,
		       const struct xy_dp_event *ev)
{
	switch (ev->type) {
	case XY_DP_ROAM:
	case XY_DP_FIRST:
	case XY_DP_NUDGE:
		return xy_session_find_rcu(dp, ev->index);
	case XY_DP_OVERLAY:
		return ev->peer == XY_DP_NO_PEER ||
		       xy_session_find_rcu(dp, xy_packet(msg->m)->index);
	default:
		return true;
	}
}

struct reader { // of events
	struct xy_dp *dp;
	unsigned first; // worker
	void (*fn)(void *arg, const struct xy_dp_event *ev);
	void *arg;
};

static unsigned ring_read(const struct reader *r, unsigned worker, struct rte_ring *ring,
			  unsigned max)
{
	struct xy_msg msg;
	unsigned n = 0;
	while (n < max && rte_ring_sc_dequeue_elem(ring, &msg, sizeof(msg)) == 0) {
		struct xy_dp_event ev;
		event_of(r->dp, worker, &msg, &ev);
		if (is_current(r->dp, &msg, &ev))
			r->fn(r->arg, &ev);
		xy_event_punt_taken(r->dp, &msg);
		xy_msg_free(&msg);
		n++;
	}
	return n;
}

enum rings { TOLD, HANDSHAKES, STRANGERS };

// Another worker first each time, so that a flood on one does not silence the others. So many of
// each, and of all.
static unsigned rings_read(const struct reader *r, enum rings which, unsigned each, unsigned max)
{
	unsigned n = 0;
	for (unsigned i = 0; i < r->dp->workers && n < max; i++) {
		unsigned id = (r->first + i) % r->dp->workers;
		const struct xy_worker *w = r->dp->worker[id];
		struct rte_ring *ring[] = {[TOLD] = w->to_control,
					   [HANDSHAKES] = w->handshakes,
					   [STRANGERS] = w->strangers};
		n += ring_read(r, id, ring[which], RTE_MIN(each, max - n));
	}
	return n;
}

unsigned xy_dp_poll(struct xy_dp *dp, unsigned max,
		    void (*fn)(void *arg, const struct xy_dp_event *ev), void *arg)
{
	uint64_t wakes;
	unsigned n = 0;
	ssize_t r = read(dp->event_fd, &wakes, sizeof(wakes)); // all of it, if there is any
	(void)r;
	// Said before the look, so that what comes after it wakes us.
	__atomic_store_n(&dp->control_waiting, 1, __ATOMIC_SEQ_CST);
	struct reader reader = {
		.dp = dp, .first = dp->poll_first++ % dp->workers, .fn = fn, .arg = arg};
	// Whatever waited is among the first of each ring.
	n += rings_read(&reader, TOLD, xy_event_patient_most(dp), max - max / 4);
	n += rings_read(&reader, TOLD, max, max - max / 4 - n);
	n += rings_read(&reader, HANDSHAKES, max, max - max / 16 - n);
	n += rings_read(&reader, STRANGERS, max, max - n);
	n += rings_read(&reader, TOLD, max, max - n);
	n += rings_read(&reader, HANDSHAKES, max, max - n);
	if (n == max) { // more may wait: be called again
		uint64_t one = 1;
		r = write(dp->event_fd, &one, sizeof(one));
		(void)r;
	}
	return n;
}

bool xy_dp_waits(const struct xy_dp *dp)
{
	unsigned waiting = 0;
	for (unsigned i = 0; i < dp->workers && !waiting; i++)
		waiting = rte_ring_count(dp->worker[i]->to_control);
	return waiting;
}

static int send_datagram(struct xy_dp *dp, const struct xy_packet *how, const void *data,
			 size_t len)
{
	if (len > dp->cfg.max_packet || how->port >= XY_DP_PORTS)
		return -EINVAL;
	struct rte_mbuf *m = rte_pktmbuf_alloc(dp->worker[0]->pool);
	if (!m)
		return -ENOBUFS;
	m->data_off = XY_HEADROOM;
	memcpy(rte_pktmbuf_append(m, (uint16_t)len), data, len);
	*xy_packet(m) = *how;
	return xy_order_put(dp->worker[0], XY_ORDER_SEND, how->port, 0, m);
}

int xy_dp_send(struct xy_dp *dp, unsigned port, const struct xy_endpoint *remote,
	       const struct xy_addr *local, const void *data, size_t len)
{
	struct xy_packet how = {.remote = *remote,
				.from = XY_PEER_SELF,
				.next = XY_PEER_NONE,
				.port = (uint8_t)RTE_MIN(port, (unsigned)UINT8_MAX)};
	if (local)
		how.local = *local;
	return send_datagram(dp, &how, data, len);
}

int xy_dp_peer_send(struct xy_dp *dp, uint32_t peer, const void *data, size_t len)
{
	const struct xy_adjacency *a = peer < dp->cfg.max_peers ? xy_adjacency_rcu(dp, peer) : NULL;
	if (!a || !a->remote.port)
		return -ENOENT;
	struct xy_packet how = {.remote = a->remote,
				.local = a->local,
				.from = XY_PEER_SELF,
				.next = peer,
				.port = (uint8_t)a->port};
	return send_datagram(dp, &how, data, len);
}

static int overlay_send(struct xy_dp *dp, enum xy_order order, bool pieces, uint32_t peer,
			const void *packet, size_t len)
{
	struct xy_inner inner;
	if (len > dp->cfg.max_packet || (peer != XY_DP_NO_PEER && peer >= dp->cfg.max_peers))
		return -EINVAL;
	if (xy_inner_parse(packet, len, &inner) || inner.version != 6 || inner.total_len != len)
		return -EINVAL;
	struct rte_mbuf *m = rte_pktmbuf_alloc(dp->worker[0]->pool);
	if (!m)
		return -ENOBUFS;
	m->data_off = XY_HEADROOM;
	memcpy(rte_pktmbuf_append(m, (uint16_t)len), packet, len);
	return xy_order_put(dp->worker[0], order, pieces,
			    peer == XY_DP_NO_PEER ? XY_PEER_NONE : peer, m);
}

int xy_dp_overlay_send(struct xy_dp *dp, uint32_t peer, const void *packet, size_t len)
{
	return overlay_send(dp, XY_ORDER_OVERLAY, false, peer, packet, len);
}

int xy_dp_overlay_probe(struct xy_dp *dp, uint32_t peer, bool pieces, const void *packet,
			size_t len)
{
	return overlay_send(dp, XY_ORDER_PROBE, pieces, peer, packet, len);
}
