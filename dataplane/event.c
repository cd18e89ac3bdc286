// SPDX-License-Identifier: BSD-3-Clause
#include "event.h"

#include "end.h"

#include "babel/wire.h"
#include "wire/inet.h"

#include <rte_ring_elem.h>
#include <unistd.h>

// Every datagram of a burst may be refused, and each telling costs the control thread some system
// calls and the ring a place that handshakes want.
#define MTU_INTERVAL	  XY_MSEC
#define MTU_INTERVAL_SAME (100 * XY_MSEC) // about one peer

#define RING_NEIGHBOUR	  (XY_RING_SIZE / 8) // packets of one neighbour, over all workers

// Hellos that wait until the control thread has a turn: those that come again no sooner than in
// this time, in centiseconds: twice what it sleeps at most. One with its IHU and stamps takes half
// of this length; more is not looked at for what it says.
#define PATIENT_INTERVAL (2 * XY_DP_PATIENCE / (10 * XY_MSEC))
#define PATIENT_LEN	 128

// What strangers may bring in a second, over all workers: 5 us each, so a twentieth of the control
// thread, and ten times what it answers before it asks for cookies.
#define STRANGER_RATE  10000
#define STRANGER_BURST 256

// What strangers among the far nodes may bring by one link (more than XY_FAR_RATES share): an
// eighth of that.
#define FAR_RATE  1250
#define FAR_BURST 64

// And what bears the address of a node that we know, or answers an index of ours: as many as a node
// with 100,000 sessions has, twice; answers to many questions come at once.
#define FAR_KNOWN_RATE	2000
#define FAR_KNOWN_BURST 512

// Who sends in sessions that we do not have, by one link: each may have a handshake of ours begun.
// A relay that many nodes write to by one link finds a thousand of them again in 20 s, which is
// what they wait for by themselves.
#define LOST_RATE     50
#define LOST_BURST    100
#define LOST_INTERVAL XY_SEC // about one /64

// So many wait, and no more of that kind are taken.
static const unsigned ring_share[XY_PUNT_KINDS] = {
	[XY_PUNT_ROUTING] = XY_RING_SIZE / 2,
	[XY_PUNT_ROUTING_OPEN] = XY_RING_SIZE * 3 / 8,
	[XY_PUNT_SERVICE] = XY_RING_SIZE / 4,
};

// Wakes the control thread when it said that it waits; one system call per wake-up, none while it
// is busy.
static void control_wake(struct xy_dp *dp)
{
	if (__atomic_load_n(&dp->control_waiting, __ATOMIC_SEQ_CST) &&
	    __atomic_exchange_n(&dp->control_waiting, 0, __ATOMIC_SEQ_CST)) {
		uint64_t one = 1;
		ssize_t r = write(dp->event_fd, &one, sizeof(one));
		(void)r; // cannot fail but by overflow, and then it is readable anyway
	}
}

static bool put_silently(struct rte_ring *ring, struct xy_msg *msg)
{
	return rte_ring_sp_enqueue_elem(ring, msg, sizeof(*msg)) == 0;
}

static bool put(struct xy_worker *w, struct rte_ring *ring, struct xy_msg *msg)
{
	if (!put_silently(ring, msg))
		return false;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	control_wake(w->dp);
	return true;
}

bool xy_event_put(struct xy_worker *w, enum xy_dp_event_type type, uint8_t port, uint32_t arg,
		  struct rte_mbuf *m)
{
	return put(w, w->to_control,
		   &(struct xy_msg){.type = type, .port = port, .arg = arg, .m = m});
}

bool xy_event_net(struct xy_worker *w, enum xy_dp_event_type type, uint64_t net, uint32_t source)
{
	return put(w, w->to_control, &(struct xy_msg){.type = type, .arg = source, .net = net});
}

bool xy_msg_has_buffer(const struct xy_msg *msg)
{
	return msg->type != XY_DP_ASK && msg->type != XY_DP_USED && msg->type != XY_DP_MEET &&
	       msg->type != XY_DP_LOST && msg->type != XY_DP_FAR_MTU;
}

void xy_msg_free(const struct xy_msg *msg)
{
	if (xy_msg_has_buffer(msg))
		rte_pktmbuf_free(msg->m);
}

void xy_event_rates_init(struct xy_worker *w)
{
	xy_bucket_init(&w->stranger_rate, XY_SEC * w->dp->workers / STRANGER_RATE, STRANGER_BURST);
	for (unsigned i = 0; i < XY_FAR_RATES; i++) {
		xy_bucket_init(&w->far_rate[i], XY_SEC * w->dp->workers / FAR_RATE, FAR_BURST);
		xy_bucket_init(&w->lost_rate[i], XY_SEC * w->dp->workers / LOST_RATE, LOST_BURST);
		xy_bucket_init(&w->far_rate[XY_FAR_RATES + i],
			       XY_SEC * w->dp->workers / FAR_KNOWN_RATE, FAR_KNOWN_BURST);
	}
}

static enum xy_drop punt_stranger(struct xy_worker *w, struct xy_msg *msg)
{
	if (!xy_bucket_take(&w->stranger_rate, w->now))
		return XY_DROP_STRANGER_RATE;
	return put(w, w->strangers, msg) ? XY_DROP_COUNT : XY_DROP_STRANGER_FULL;
}

// Who writes in the name of a node that we know may be anybody, and those of peers share the ring.
static enum xy_drop punt_far(struct xy_worker *w, struct xy_msg *msg)
{
	struct xy_bucket *b = &w->far_rate[XY_FAR_RATES + xy_packet(msg->m)->from % XY_FAR_RATES];
	if (!xy_bucket_take(b, w->now))
		return XY_DROP_STRANGER_RATE;
	if (rte_ring_count(w->handshakes) >= XY_RING_SIZE / 2)
		return XY_DROP_HANDSHAKE_FULL;
	return put(w, w->handshakes, msg) ? XY_DROP_COUNT : XY_DROP_HANDSHAKE_FULL;
}

// Of nodes that we do not know, by the link that brings them: one that is flooded through leaves
// the others their share.
static enum xy_drop punt_far_stranger(struct xy_worker *w, struct xy_msg *msg)
{
	struct xy_bucket *b = &w->far_rate[xy_packet(msg->m)->from % XY_FAR_RATES];
	if (!xy_bucket_take(b, w->now))
		return XY_DROP_STRANGER_RATE;
	if (rte_ring_count(w->strangers) >= XY_RING_SIZE / 2) // those on the wire have the rest
		return XY_DROP_STRANGER_FULL;
	return put(w, w->strangers, msg) ? XY_DROP_COUNT : XY_DROP_STRANGER_FULL;
}

_Static_assert(XY_DP_PATIENT_MOST >= XY_DP_WORKERS, "one of each at least");

unsigned xy_event_patient_most(const struct xy_dp *dp)
{
	return RTE_MIN(XY_DP_PATIENT_MOST / dp->workers, XY_DP_PATIENT_MOST / 2u);
}

// A Hello of a link that is well, with nothing else, is read in the control thread's next turn,
// whatever that is for: the thread is not woken. Where many have come it is, so that they are taken
// piece by piece, and so that what waits lies where that turn's first look comes (xy_dp_poll).
static bool may_wait(const struct xy_worker *w, struct rte_mbuf *m)
{
	const struct xy_end *e = &w->dp->end[xy_packet(m)->from];
	const size_t headers = XY_IPV6_LEN + XY_UDP_LEN;
	return __atomic_load_n(&e->link.patient, __ATOMIC_RELAXED) && m->data_len >= headers &&
	       m->data_len <= headers + PATIENT_LEN &&
	       rte_ring_count(w->to_control) < xy_event_patient_most(w->dp) &&
	       xy_babel_keeps_alive(rte_pktmbuf_mtod_offset(m, const uint8_t *, headers),
				    m->data_len - headers, PATIENT_INTERVAL);
}

static enum xy_drop punt_routing(struct xy_worker *w, struct xy_msg *msg)
{
	uint32_t *waiting = &w->dp->end[xy_packet(msg->m)->from].link.overlay_waiting;
	if (__atomic_load_n(waiting, __ATOMIC_RELAXED) >= RING_NEIGHBOUR)
		return XY_DROP_PUNT_FULL;
	bool waits = may_wait(w, msg->m);
	__atomic_add_fetch(waiting, 1, __ATOMIC_RELAXED); // before the control thread can take it
	if (waits ? put_silently(w->to_control, msg) : put(w, w->to_control, msg))
		return XY_DROP_COUNT;
	__atomic_sub_fetch(waiting, 1, __ATOMIC_RELAXED);
	return XY_DROP_PUNT_FULL;
}

// Packets that others send must leave room for what workers tell (WANT, FIRST, ROAM), the service's
// for Babel's, one neighbour's for the others', and strangers', of whom there may be any number
// with one mind, for those of the config. Handshakes have rings of their own: one for peers', which
// who forges a peer's address or has seen an index of ours can fill, and one for all others.
enum xy_drop xy_event_punt(struct xy_worker *w, enum xy_punt kind, struct rte_mbuf *m)
{
	bool far = kind == XY_PUNT_FAR || kind == XY_PUNT_FAR_STRANGER;
	bool message = far || kind == XY_PUNT_STRANGER || kind == XY_PUNT_HANDSHAKE;
	struct xy_msg msg = {.type = message ? XY_DP_PUNT : XY_DP_OVERLAY,
			     .port = xy_packet(m)->port,
			     .punt = (uint16_t)kind,
			     .m = m};
	if (kind == XY_PUNT_STRANGER)
		return punt_stranger(w, &msg);
	if (kind == XY_PUNT_FAR_STRANGER)
		return punt_far_stranger(w, &msg);
	if (kind == XY_PUNT_FAR)
		return punt_far(w, &msg);
	if (kind == XY_PUNT_HANDSHAKE)
		return put(w, w->handshakes, &msg) ? XY_DROP_COUNT : XY_DROP_HANDSHAKE_FULL;
	if (rte_ring_count(w->to_control) >= ring_share[kind])
		return XY_DROP_PUNT_FULL;
	if (kind == XY_PUNT_SERVICE)
		return put(w, w->to_control, &msg) ? XY_DROP_COUNT : XY_DROP_PUNT_FULL;
	return punt_routing(w, &msg);
}

void xy_event_punt_taken(struct xy_dp *dp, const struct xy_msg *msg)
{
	if (msg->type == XY_DP_OVERLAY && msg->punt != XY_PUNT_SERVICE)
		__atomic_sub_fetch(&dp->end[xy_packet(msg->m)->from].link.overlay_waiting, 1,
				   __ATOMIC_RELAXED);
}

void xy_event_far_mtu(struct xy_worker *w, uint32_t end, uint32_t mtu)
{
	if (w->far_mtu_told && w->now - w->far_mtu_told < MTU_INTERVAL)
		return;
	struct xy_msg msg = {.type = XY_DP_FAR_MTU, .arg = end, .mtu = mtu};
	if (put(w, w->to_control, &msg))
		w->far_mtu_told = w->now;
}

void xy_event_lost(struct xy_worker *w, uint32_t link, uint64_t net)
{
	struct xy_lost *told = &w->lost[net * UINT64_C(0x9e3779b97f4a7c15) >> 58];
	_Static_assert(sizeof(w->lost) / sizeof(w->lost[0]) == 1 << (64 - 58), "its places");
	if (told->net == net && w->now - told->at < LOST_INTERVAL)
		return;
	if (!xy_bucket_take(&w->lost_rate[link % XY_FAR_RATES], w->now))
		return;
	if (xy_event_net(w, XY_DP_LOST, net, link))
		*told = (struct xy_lost){net, w->now};
}

void xy_event_mtu(struct xy_worker *w, uint32_t peer)
{
	xy_nsec pause = peer == w->mtu_peer ? MTU_INTERVAL_SAME : MTU_INTERVAL;
	if (w->mtu_told && w->now - w->mtu_told < pause)
		return;
	if (!xy_event_put(w, XY_DP_MTU, 0, peer, NULL))
		return; // a full ring: the next refused datagram tells again
	w->mtu_told = w->now;
	w->mtu_peer = peer;
}

// Anybody can forge ICMP errors: one of a kind in MTU_INTERVAL costs the control thread a tenth of
// its time.
static void about_remote(struct xy_worker *w, xy_nsec *told, enum xy_dp_event_type type,
			 uint8_t port, uint32_t arg, const struct xy_endpoint *remote)
{
	struct rte_mbuf *m;
	if (*told && w->now - *told < MTU_INTERVAL)
		return;
	if (xy_buffers_alloc(w, &m, 1))
		return; // the next error tells again
	xy_packet(m)->remote = *remote;
	xy_packet(m)->local = (struct xy_addr){0};
	if (!xy_event_put(w, type, port, arg, m))
		rte_pktmbuf_free(m);
	else
		*told = w->now;
}

void xy_event_mtu_at(struct xy_worker *w, uint8_t port, const struct xy_endpoint *remote)
{
	about_remote(w, &w->mtu_heard, XY_DP_MTU, port, XY_DP_NO_PEER, remote);
}

void xy_event_refused_at(struct xy_worker *w, uint8_t port, const struct xy_endpoint *remote,
			 int error)
{
	about_remote(w, &w->refused_heard, XY_DP_REFUSED, port, (uint32_t)error, remote);
}

int xy_order_put(struct xy_worker *w, enum xy_order type, uint8_t port, uint32_t arg,
		 struct rte_mbuf *m)
{
	struct xy_msg msg = {.type = type, .port = port, .arg = arg, .m = m};
	if (rte_ring_sp_enqueue_elem(w->from_control, &msg, sizeof(msg))) {
		rte_pktmbuf_free(m);
		return -ENOBUFS;
	}
	if (w->dp->gathers)
		w->dp->given |= UINT64_C(1) << w->id;
	else
		xy_worker_wake(w);
	return 0;
}

_Static_assert(XY_DP_WORKERS <= 64, "a bit each");

void xy_dp_orders_gather(struct xy_dp *dp)
{
	dp->gathers = true;
}

void xy_dp_orders_give(struct xy_dp *dp)
{
	for (; dp->given; dp->given &= dp->given - 1)
		xy_worker_wake(dp->worker[__builtin_ctzll(dp->given)]);
	dp->gathers = false;
}
