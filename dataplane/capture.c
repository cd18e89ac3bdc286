// SPDX-License-Identifier: BSD-3-Clause
// A worker's buffer is a ring of bytes: records one after another, each whole, so that one which
// does not fit before the end begins anew at the start. head and tail only grow.
#include "capture.h"

#include "base/bytes.h"
#include "blame.h"
#include "noise/wg.h"
#include "pages.h"
#include "peer.h"
#include "retire.h"
#include "session.h"

#include <stdlib.h>

enum { ALIGN = 16, SKIP = UINT32_MAX };

struct record {
	uint32_t size;	 // of all of it; behind it stands the data
	uint32_t caplen; // SKIP: the rest up to the end is empty
	uint32_t len, peer;
	xy_nsec at;
	struct xy_endpoint remote;
	struct xy_addr local;
	uint8_t point, drop, port;
	bool datagram, ours;
};

// --- workers: which packets

// The datagrams of a link: those of its sessions, and what goes to and comes from where it is.
static bool is_at(const struct xy_worker *w, uint32_t peer, const struct xy_packet *p)
{
	if (peer >= w->dp->cfg.max_peers)
		return false;
	const struct xy_adjacency *a = xy_adjacency_rcu(w->dp, peer);
	return a && xy_endpoint_eq(&a->remote, &p->remote);
}

static uint32_t peer_of_datagram(const struct xy_worker *w, struct rte_mbuf *m)
{
	const struct xy_wg_data *d = rte_pktmbuf_mtod(m, const struct xy_wg_data *);
	if (m->data_len < sizeof(*d) || d->type != XY_WG_DATA)
		return XY_DP_NO_PEER;
	const struct xy_session *s = xy_session_find_rcu(w->dp, d->receiver);
	return s ? s->end : XY_DP_NO_PEER;
}

// What is dropped may be as it was on the wire, or is to be there, or an overlay packet.
static void kind_put(struct record *r, const struct rte_mbuf *m)
{
	enum xy_blame_holds holds = r->point == XY_DP_CAPTURE_TX   ? XY_BLAME_OURS
				    : r->point == XY_DP_CAPTURE_RX ? XY_BLAME_CAME
								   : XY_BLAME_OVERLAY;
	if (r->point == XY_DP_CAPTURE_DROP)
		holds = xy_blame_holds((enum xy_drop)r->drop, m);
	r->datagram = holds != XY_BLAME_OVERLAY;
	r->ours = holds == XY_BLAME_OURS;
}

// Whose the account of drops says; what was not looked into yet is, as when it came, his whose
// session it names.
static uint32_t peer_of_drop(const struct xy_worker *w, const struct record *r, struct rte_mbuf *m)
{
	uint32_t end = xy_blame_end(w->dp, (enum xy_drop)r->drop, xy_packet(m));
	return end == XY_DP_NO_PEER && r->datagram && !r->ours ? peer_of_datagram(w, m) : end;
}

static uint32_t known(uint32_t end)
{
	return end < XY_PEER_SEALED ? end : XY_DP_NO_PEER;
}

static uint32_t peer_of(const struct xy_worker *w, const struct record *r, struct rte_mbuf *m)
{
	const struct xy_packet *p = xy_packet(m);
	switch ((enum xy_dp_capture_point)r->point) {
	case XY_DP_CAPTURE_RX:
		return peer_of_datagram(w, m);
	case XY_DP_CAPTURE_TX:
	case XY_DP_CAPTURE_OUT:
		return known(p->next);
	case XY_DP_CAPTURE_IN:
	case XY_DP_CAPTURE_TO_HOST:
		return known(p->from);
	case XY_DP_CAPTURE_DROP:
		return peer_of_drop(w, r, m);
	case XY_DP_CAPTURE_FROM_HOST:
	case XY_DP_CAPTURE_POINTS:
		break;
	}
	return XY_DP_NO_PEER;
}

static bool matches(const struct xy_worker *w, const struct xy_dp_capture *what, struct record *r,
		    struct rte_mbuf *m)
{
	const struct xy_packet *p = xy_packet(m);
	kind_put(r, m);
	r->peer = peer_of(w, r, m);
	if (what->drop >= 0 && r->point == XY_DP_CAPTURE_DROP && r->drop != what->drop)
		return false;
	if (what->port >= 0 && (!r->datagram || p->port != what->port))
		return false;
	if (what->peer == XY_DP_NO_PEER || r->peer == what->peer)
		return true;
	if (!r->datagram || r->peer != XY_DP_NO_PEER || !is_at(w, what->peer, p))
		return false;
	r->peer = what->peer;
	return true;
}

// --- workers: into the ring

// A place for size bytes in one piece, or NULL; *head: where it begins.
static uint8_t *room(struct xy_capture_ring *r, uint32_t size, uint64_t *head)
{
	uint64_t used = r->head - __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE);
	uint32_t at = r->head % XY_CAPTURE_ROOM, left = XY_CAPTURE_ROOM - at;
	uint32_t skip = left < size ? left : 0;
	if (used + skip + size > XY_CAPTURE_ROOM)
		return NULL;
	if (skip) // ALIGN bytes at least, for all is a multiple of it
		memcpy(r->data + at, &(uint32_t[2]){skip, SKIP}, 2 * sizeof(uint32_t));
	*head = r->head + skip;
	return r->data + *head % XY_CAPTURE_ROOM;
}

static void put(struct xy_capture_ring *ring, const struct record *r, struct rte_mbuf *m)
{
	uint64_t head;
	uint8_t *to = room(ring, r->size, &head);
	if (!to) {
		XY_SET(ring->lost, ring->lost + 1);
		return;
	}
	memcpy(to, r, sizeof(*r));
	memcpy(to + sizeof(*r), rte_pktmbuf_mtod(m, const uint8_t *), r->caplen);
	__atomic_store_n(&ring->head, head + r->size, __ATOMIC_RELEASE);
}

void xy_capture_put(struct xy_worker *w, struct xy_capture *c, enum xy_dp_capture_point point,
		    unsigned drop, void **objs, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *m = objs[i];
		const struct xy_packet *p = xy_packet(m);
		struct record r = {.len = m->data_len,
				   .caplen = RTE_MIN(m->data_len, c->what.snap),
				   .at = w->now,
				   .point = (uint8_t)point,
				   .drop = (uint8_t)drop,
				   .port = p->port};
		if (!matches(w, &c->what, &r, m))
			continue;
		r.size = RTE_ALIGN_CEIL((uint32_t)sizeof(r) + r.caplen, (uint32_t)ALIGN);
		if (r.datagram) {
			r.remote = p->remote;
			r.local = p->local;
		}
		put(&c->ring[w->id], &r, m);
	}
}

// --- control thread

static void rings_release(struct xy_capture *c)
{
	for (unsigned i = 0; i < c->workers; i++)
		xy_pages_release(c->ring[i].data, XY_CAPTURE_ROOM);
	free(c);
}

static void release(struct xy_dp *dp, void *ptr)
{
	(void)dp;
	rings_release(ptr);
}

int xy_dp_capture_start(struct xy_dp *dp, const struct xy_dp_capture *what)
{
	if (dp->capture)
		return -EBUSY;
	size_t size = sizeof(struct xy_capture) + dp->workers * sizeof(struct xy_capture_ring);
	struct xy_capture *c = aligned_alloc(RTE_CACHE_LINE_SIZE,
					     RTE_ALIGN_CEIL(size, (size_t)RTE_CACHE_LINE_SIZE));
	if (!c)
		return -ENOMEM;
	memset(c, 0, size);
	c->what = *what;
	for (; c->workers < dp->workers; c->workers++) {
		c->ring[c->workers].data = xy_pages_reserve(XY_CAPTURE_ROOM);
		if (!c->ring[c->workers].data) {
			rings_release(c);
			return -ENOMEM;
		}
	}
	__atomic_store_n(&dp->capture, c, __ATOMIC_RELEASE);
	return 0;
}

void xy_dp_capture_stop(struct xy_dp *dp)
{
	struct xy_capture *c = dp->capture;
	if (!c)
		return;
	__atomic_store_n(&dp->capture, NULL, __ATOMIC_RELEASE);
	xy_dp_retire(dp, c, release);
}

// The oldest record, or NULL. Space that was skipped goes on the way.
static const struct record *first(struct xy_capture_ring *r)
{
	for (;;) {
		uint64_t head = __atomic_load_n(&r->head, __ATOMIC_ACQUIRE);
		const struct record *rec = (const void *)(r->data + r->tail % XY_CAPTURE_ROOM);
		if (head == r->tail)
			return NULL;
		if (rec->caplen != SKIP)
			return rec;
		__atomic_store_n(&r->tail, r->tail + rec->size, __ATOMIC_RELEASE);
	}
}

static struct xy_capture_ring *oldest(struct xy_capture *c, const struct record **out)
{
	struct xy_capture_ring *best = NULL;
	for (unsigned i = 0; i < c->workers; i++) {
		const struct record *r = first(&c->ring[i]);
		if (!r || (best && r->at >= (*out)->at))
			continue;
		best = &c->ring[i];
		*out = r;
	}
	return best;
}

unsigned xy_dp_capture_take(struct xy_dp *dp, bool (*fn)(void *arg, const struct xy_dp_captured *c),
			    void *arg)
{
	const struct record *r;
	struct xy_capture_ring *ring;
	unsigned n = 0;
	for (; dp->capture && (ring = oldest(dp->capture, &r)); n++) {
		const struct xy_dp_captured c = {.point = r->point,
						 .drop = (enum xy_drop)r->drop,
						 .port = r->port,
						 .peer = r->peer,
						 .at = r->at,
						 .datagram = r->datagram,
						 .ours = r->ours,
						 .remote = r->remote,
						 .local = r->local,
						 .len = r->len,
						 .caplen = r->caplen,
						 .data = (const uint8_t *)(r + 1)};
		if (!fn(arg, &c))
			break;
		__atomic_store_n(&ring->tail, ring->tail + r->size, __ATOMIC_RELEASE);
	}
	return n;
}

uint64_t xy_dp_capture_lost(const struct xy_dp *dp)
{
	uint64_t lost = 0;
	for (unsigned i = 0; dp->capture && i < dp->capture->workers; i++)
		lost += __atomic_load_n(&dp->capture->ring[i].lost, __ATOMIC_RELAXED);
	return lost;
}
