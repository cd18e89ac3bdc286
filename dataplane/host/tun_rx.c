// SPDX-License-Identifier: BSD-3-Clause
// Reading: one frame per system call, of up to 64 KB, cut into packets straight into buffers. What
// does not fit the burst stays in the queue's frame, and is counted when it is cut.
#include "tun.h"

#include "train.h"

#include <unistd.h>

#define VNET_AT 6 // so that the packet behind the header is aligned to 16

static unsigned left(const struct xy_tun_queue *q)
{
	return q->cut.count - q->next;
}

static void bad_frame(struct xy_worker *w)
{
	XY_COUNT(w, host_rx, 1);
	xy_count_drop(w, XY_DROP_HOST_BAD, 1);
}

// An interface that was deleted makes its descriptor readable for ever; taken out of the wake-up
// set, so that the worker can sleep. epoll_ctl may be called by any thread.
static void let_go(struct xy_tun_queue *q, struct xy_worker *w, int fd)
{
	q->watched = false;
	xy_worker_unwatch(w, fd);
}

// Reads the next frame. False when there is none now. A bad one is counted and leaves no packets.
static bool take(struct xy_tun_queue *q, struct xy_worker *w, int fd)
{
	uint8_t *frame = q->memory + VNET_AT;
	struct xy_vnet vnet;
	ssize_t len = read(fd, frame, XY_TUN_FRAME - VNET_AT);

	if (len < 0) {
		if (errno == EBADFD || errno == EFAULT)
			let_go(q, w, fd);
		return false;
	}
	w->busy = true;
	q->next = q->cut.count = 0;
	if ((size_t)len < sizeof(vnet)) {
		bad_frame(w);
		return true;
	}
	memcpy(&vnet, frame, sizeof(vnet));
	int r = xy_gso_cut_begin(&q->cut, &vnet, frame + sizeof(vnet),
				 (uint32_t)len - (uint32_t)sizeof(vnet));
	if (r <= 0) {
		q->cut.count = 0;
		bad_frame(w);
	}
	return true;
}

// Packet i of the frame into m. False when it is none that can travel.
static bool cut_one(const struct xy_gso_cut *cut, unsigned i, struct rte_mbuf *m, unsigned id)
{
	struct xy_inner inner;
	uint8_t *data = rte_pktmbuf_mtod(m, uint8_t *);
	int len = xy_gso_cut_next(cut, i, data, rte_pktmbuf_tailroom(m) - XY_TAILROOM);
	if (len < 0 || xy_inner_parse(data, (size_t)len, &inner))
		return false;
	m->data_len = inner.total_len;
	m->pkt_len = inner.total_len;
	xy_packet(m)->version = inner.version;
	xy_packet(m)->host = id;
	return true;
}

// n packets have left the frame.
static void count(struct xy_worker *w, const struct xy_tun_queue *q, unsigned n)
{
	bool first = q->next == 0;
	XY_COUNT(w, host_rx, first);
	XY_COUNT(w, split, n - first);
}

static void discard(struct xy_tun_queue *q, struct xy_worker *w)
{
	unsigned n = left(q);
	count(w, q, n);
	xy_count_drop(w, XY_DROP_NO_BUFFER, n);
	q->next = q->cut.count;
}

// Cuts up to n packets of the frame; returns how many came out.
static uint16_t cut_some(struct xy_tun_queue *q, struct xy_worker *w, struct rte_mbuf **out,
			 unsigned n, unsigned id)
{
	unsigned want = RTE_MIN(n, left(q)), done = 0;
	if (want == 0)
		return 0;
	while (want && xy_buffers_alloc(w, out, want))
		want /= 2;
	if (!want) {
		discard(q, w);
		return 0;
	}
	count(w, q, want);
	for (unsigned i = 0; i < want; i++)
		done += cut_one(&q->cut, q->next++, out[done], id);
	if (done < want) {
		xy_count_drop(w, XY_DROP_HOST_BAD, want - done);
		rte_pktmbuf_free_bulk(out + done, want - done);
	}
	return (uint16_t)done;
}

// How many packets of the frame, sealed end to end and for the link, go in one train: a burst takes
// no more of them, or there would be a long train and a short one of each.
static unsigned train(const struct xy_gso_cut *cut)
{
	uint32_t inner = RTE_ALIGN_CEIL(cut->hdr_len + (uint32_t)cut->size, (uint32_t)XY_WG_PAD);
	uint32_t outer = RTE_ALIGN_CEIL(inner + XY_E2E_OVERHEAD, (uint32_t)XY_WG_PAD);
	return RTE_MAX(XY_TRAIN_BYTES / (outer + XY_WG_DATA_OVERHEAD), 1u);
}

uint16_t xy_tun_rx_burst_rcu(struct xy_host *host, struct xy_worker *w, struct rte_mbuf **out,
			     uint16_t n)
{
	struct xy_tun_queue *q = &xy_tun(host)->queue[w->id];
	unsigned got = 0, most = n;

	if (!left(q) && !xy_worker_ready(w, q->fd))
		return 0;
	// A frame that gives nothing counts as one: bad ones must not keep us here.
	for (unsigned frames = 0; frames < n && q->watched; frames++) {
		if (left(q) == 0 && !take(q, w, q->fd))
			break;
		if (q->cut.count > 1)
			most = RTE_MIN(most, train(&q->cut));
		if (got < most)
			got += cut_some(q, w, out + got, most - got, host->id);
		if (got >= most)
			break;
	}
	if (got || left(q))
		xy_worker_gave(w, q->fd, left(q) > 0 || got >= most);
	return (uint16_t)got;
}
