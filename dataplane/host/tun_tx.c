// SPDX-License-Identifier: BSD-3-Clause
// Writing: the packets of a burst that continue each other go as one frame, headers of the first
// and payloads of all, straight from the buffers. A packet may only join the newest frame of its
// flow, and frames are written in the order in which they were begun, so no packet overtakes one of
// its own flow.
#include "tun.h"

#include "blame.h"

#include <rte_hash_crc.h>
#include <stdlib.h>
#include <sys/uio.h>

#define FRAME_MAX 65535

struct flow {
	struct xy_addr src, dst;
	uint32_t ports;
	uint8_t protocol;
	uint8_t version;
	uint8_t unsure; // a fragment or behind extension headers: may be of any flow of the two
	uint8_t spare;
};
_Static_assert(sizeof(struct flow) == 40, "no padding: compared as bytes");

struct frame {
	struct xy_gro_item item;
	struct flow flow;
	uint32_t hash;
	uint8_t first, last; // its packets, a list over tx.next
};

struct tx { // scratch of one worker
	unsigned frames;
	struct frame frame[XY_BURST];
	uint8_t next[XY_BURST];
	struct xy_vnet vnet;
	struct iovec iov[XY_BURST + 1];
};

int xy_host_worker_init(struct xy_worker *w)
{
	w->host_scratch = calloc(1, sizeof(struct tx));
	return w->host_scratch ? 0 : -ENOMEM;
}

void xy_host_worker_fini(struct xy_worker *w)
{
	free(w->host_scratch);
	w->host_scratch = NULL;
}

// --- flows

static bool is_fragment(const uint8_t *pkt, uint8_t version) // IPv4: MF or an offset (RFC 791)
{
	return version == 4 && (pkt[6] & 0x3f || pkt[7]);
}

static bool is_opaque(const struct xy_inner *in) // IPv6: what lies behind is not looked for
{
	switch (in->protocol) {
	case 0:	  // hop-by-hop options
	case 43:  // routing
	case 44:  // fragment
	case 60:  // destination options
	case 135: // mobility
		return in->version == 6;
	}
	return false;
}

// Padding behind the packet goes, too: it must not come between joined payloads.
static void flow_read(struct flow *f, struct rte_mbuf *m)
{
	const uint8_t *pkt = rte_pktmbuf_mtod(m, const uint8_t *);
	struct xy_inner in;

	*f = (struct flow){.unsure = 1};
	if (xy_inner_parse(pkt, m->data_len, &in))
		return;
	m->data_len = in.total_len;
	m->pkt_len = in.total_len;
	f->src = xy_inner_src(pkt, in.version);
	f->dst = xy_inner_dst(pkt, in.version);
	f->version = in.version;
	if (is_fragment(pkt, in.version) || is_opaque(&in))
		return;
	f->unsure = 0;
	f->protocol = in.protocol;
	if ((in.protocol == XY_PROTO_TCP || in.protocol == XY_PROTO_UDP) &&
	    in.total_len >= in.header_len + sizeof(f->ports))
		memcpy(&f->ports, pkt + in.header_len, sizeof(f->ports));
}

static bool same_pair(const struct flow *a, const struct flow *b)
{
	return xy_addr_eq(&a->src, &b->src) && xy_addr_eq(&a->dst, &b->dst);
}

// --- joining

// The newest frame of the flow, or NULL.
static struct frame *newest(struct tx *tx, const struct frame *f)
{
	for (unsigned i = tx->frames; i-- > 0;)
		if (tx->frame[i].hash == f->hash &&
		    memcmp(&tx->frame[i].flow, &f->flow, sizeof(f->flow)) == 0)
			return &tx->frame[i];
	return NULL;
}

// Nothing may join the frames before one whose flow we cannot tell.
static void bar(struct tx *tx, const struct flow *unsure)
{
	for (unsigned i = 0; i < tx->frames; i++)
		if (same_pair(&tx->frame[i].flow, unsure))
			tx->frame[i].item.closed = true;
}

static void add(struct tx *tx, struct rte_mbuf *m, unsigned i, bool uso)
{
	struct frame *f = &tx->frame[tx->frames], *to = NULL;

	flow_read(&f->flow, m);
	f->hash = rte_hash_crc(&f->flow, sizeof(f->flow), 0);
	f->first = f->last = (uint8_t)i;
	if (f->flow.unsure)
		bar(tx, &f->flow);
	else
		to = newest(tx, f);
	bool joins = xy_gro_begin(&f->item, rte_pktmbuf_mtod(m, uint8_t *), m->data_len) &&
		     (uso || f->item.protocol != XY_PROTO_UDP);
	if (!joins) {
		f->item.closed = true;
		f->item.count = 1;
	} else if (to && !to->item.closed && xy_gro_continues(&to->item, &f->item, FRAME_MAX)) {
		xy_gro_join(&to->item, &f->item);
		tx->next[to->last] = (uint8_t)i;
		to->last = (uint8_t)i;
		return;
	}
	tx->frames++;
}

// --- writing

static int gather(struct tx *tx, const struct frame *f, struct rte_mbuf *const *pkts)
{
	int n = 0;
	tx->iov[n++] = (struct iovec){.iov_base = &tx->vnet, .iov_len = sizeof(tx->vnet)};
	for (unsigned i = f->first;; i = tx->next[i]) {
		uint16_t skip = i == f->first ? 0 : f->item.hdr_len;
		tx->iov[n++] =
			(struct iovec){.iov_base = rte_pktmbuf_mtod_offset(pkts[i], void *, skip),
				       .iov_len = pkts[i]->data_len - skip};
		if (i == f->last)
			return n;
	}
}

static void put(struct tx *tx, struct frame *f, struct xy_worker *w, int fd,
		struct rte_mbuf *const *pkts)
{
	unsigned packets = f->item.count;

	memset(&tx->vnet, 0, sizeof(tx->vnet));
	if (packets > 1)
		xy_gro_finish(&f->item, &tx->vnet);
	// An interface that is down says EIO, one that is gone EBADFD: the packets are lost.
	if (writev(fd, tx->iov, gather(tx, f, pkts)) < 0) {
		xy_blame(w, XY_DROP_HOST_FULL, pkts[f->first], packets); // of one flow
		xy_count_drop(w, XY_DROP_HOST_FULL, packets);
		return;
	}
	XY_COUNT(w, host_tx, 1);
	XY_COUNT(w, merged, packets - 1);
}

void xy_tun_tx_burst_rcu(struct xy_host *host, struct xy_worker *w, struct rte_mbuf **pkts,
			 uint16_t n)
{
	struct tx *tx = w->host_scratch;
	bool uso = xy_tun(host)->uso;
	int fd = xy_tun(host)->queue[w->id].fd;

	for (unsigned at = 0; at < n; at += XY_BURST) {
		unsigned k = RTE_MIN(n - at, (unsigned)XY_BURST);
		tx->frames = 0;
		for (unsigned i = 0; i < k; i++)
			add(tx, pkts[at + i], i, uso);
		for (unsigned i = 0; i < tx->frames; i++)
			put(tx, &tx->frame[i], w, fd, pkts + at);
	}
	rte_pktmbuf_free_bulk(pkts, n);
}
