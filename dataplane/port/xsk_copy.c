// SPDX-License-Identifier: BSD-3-Clause
#include "xsk_copy.h"

#include <rte_memcpy.h>
#include <sys/mman.h>

#ifndef XDP_PKT_CONTD // headers before Linux 6.6
#define XDP_PKT_CONTD (1 << 0)
#endif

// As many as each ring has room for: none can be full for long.
enum { FRAMES = 2 * XY_XSK_RING };
#define AREA ((size_t)FRAMES * XY_XSK_CHUNK)

static uint64_t frame_at(uint32_t number)
{
	return (uint64_t)number * XY_XSK_CHUNK;
}

int xy_xsk_copy_make(struct xy_xsk *x, struct xdp_umem_reg *out, struct xy_err *err)
{
	void *area = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED)
		return xy_err_set(err, ENOMEM, "no memory for %d AF_XDP frames", FRAMES);
	x->base = area;
	x->copy = true;
	x->gather.pool = x->pool;
	for (uint32_t i = XY_XSK_RING; i < FRAMES; i++)
		x->free[x->free_count++] = i;
	*out = (struct xdp_umem_reg){
		.addr = (uintptr_t)area, .len = AREA, .chunk_size = XY_XSK_CHUNK};
	return 0;
}

void xy_xsk_copy_fill(struct xy_xsk *x)
{
	uint32_t at = 0;
	xy_xsk_ring_reserve(&x->fill, XY_XSK_RING, &at);
	for (uint32_t i = 0; i < XY_XSK_RING; i++)
		*xy_xsk_ring_addr(&x->fill, at + i) = frame_at(i);
	xy_xsk_ring_submit(&x->fill);
}

void xy_xsk_copy_close(struct xy_xsk *x)
{
	xy_gather_end(&x->gather);
	munmap(x->base, AREA);
}

// As many pieces as frames are wanted, each frame's memory back to the kernel at once.
static uint32_t take_pieces(struct xy_xsk *x, struct rte_mbuf **out, uint16_t n, uint16_t *kept)
{
	uint32_t at = 0, to = 0, got = xy_xsk_ring_peek(&x->rx, n, &at);
	if (!got)
		return 0;
	// The kernel shows received frames before it shows that it took them from the fill ring.
	if (!xy_xsk_ring_reserve(&x->fill, got, &to)) {
		xy_xsk_ring_cancel(&x->rx, got);
		return 0;
	}
	for (uint32_t i = 0; i < got; i++) {
		const struct xdp_desc *d = xy_xsk_ring_desc(&x->rx, at + i);
		struct rte_mbuf *m = xy_gather_add(&x->gather, x->base + d->addr, d->len,
						   d->options & XDP_PKT_CONTD);
		if (m)
			out[(*kept)++] = m;
		*xy_xsk_ring_addr(&x->fill, to + i) = d->addr & ~(XY_XSK_CHUNK - 1ULL);
	}
	xy_xsk_ring_release(&x->rx);
	xy_xsk_ring_submit(&x->fill);
	return got;
}

uint16_t xy_xsk_copy_take(struct xy_xsk *x, struct rte_mbuf **out, uint16_t n)
{
	uint16_t kept = 0;
	uint32_t pieces = 0, got = 1;
	while (got && kept < n && pieces < 4u * n) { // lost frames bring none: an end to those, too
		got = take_pieces(x, out, (uint16_t)(n - kept), &kept);
		pieces += got;
	}
	return kept;
}

static void scatter(struct xy_xsk *x, const struct rte_mbuf *m, uint32_t at, uint32_t pieces)
{
	const uint8_t *data = rte_pktmbuf_mtod(m, const uint8_t *);
	uint32_t left = m->data_len;
	for (uint32_t i = 0; i < pieces; i++) {
		uint32_t len = RTE_MIN(left, (uint32_t)XY_XSK_CHUNK);
		uint64_t frame = frame_at(x->free[--x->free_count]);
		rte_memcpy(x->base + frame, data, len);
		data += len;
		left -= len;
		*xy_xsk_ring_desc(&x->tx, at + i) = (struct xdp_desc){
			.addr = frame, .len = len, .options = left ? XDP_PKT_CONTD : 0};
	}
}

uint16_t xy_xsk_copy_put(struct xy_xsk *x, struct rte_mbuf **pkts, uint16_t n)
{
	uint32_t at = 0, total = 0;
	uint16_t sent = 0;
	xy_xsk_copy_reclaim(x);
	while (sent < n) {
		uint32_t pieces = (pkts[sent]->data_len + XY_XSK_CHUNK - 1u) / XY_XSK_CHUNK;
		if (pieces > x->free_count || !xy_xsk_ring_reserve(&x->tx, pieces, &at))
			break;
		scatter(x, pkts[sent++], at, pieces);
		total += pieces;
	}
	if (total)
		xy_xsk_ring_submit(&x->tx);
	x->outstanding += total;
	rte_pktmbuf_free_bulk(pkts, sent);
	return sent;
}

void xy_xsk_copy_reclaim(struct xy_xsk *x)
{
	uint32_t at = 0, got;
	if (!x->outstanding || !(got = xy_xsk_ring_peek(&x->done, XY_XSK_RING, &at)))
		return;
	for (uint32_t i = 0; i < got; i++)
		x->free[x->free_count++] =
			(uint32_t)(*xy_xsk_ring_addr(&x->done, at + i) / XY_XSK_CHUNK);
	xy_xsk_ring_release(&x->done);
	x->outstanding -= got;
}
