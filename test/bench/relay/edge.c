// SPDX-License-Identifier: BSD-3-Clause
// A round of an edge: what this host sends leaves by a port, sealed for the neighbour, or for a
// node beyond and then for the link there; or such datagrams come by the port and are opened for
// the host. Each that came out is looked at before the bare library works on the same buffers: once
// or twice, as the way wants, in bursts of the same size.
#include "bench.h"

#include "wire/e2e.h"

#include <rte_cycles.h>

// Who sealed or opens the packet in that place of b->out.
static struct {
	uint32_t link, end; // end: the far node, or the link again
} whose[BUFFERS];

static bool is_outward(const struct bench *b)
{
	return b->load.path == TO_LINK || b->load.path == TO_FAR;
}

// --- packets in the clear

static void plain_write(const struct bench *b, uint32_t end, uint8_t *pkt)
{
	struct xy_addr theirs = node_address(b, end), ours = b->dp->cfg.node_addr;
	const struct xy_addr *src = is_outward(b) ? &ours : &theirs;
	const struct xy_addr *dst = is_outward(b) ? &theirs : &ours;
	uint32_t len = b->load.size - XY_IPV6_LEN;
	memset(pkt, (uint8_t)end, b->load.size);
	xy_be32_store(pkt, 0x60000000);
	xy_be16_store(pkt + 4, (uint16_t)len);
	pkt[6] = XY_PROTO_UDP;
	pkt[7] = 64;
	memcpy(pkt + 8, src->b, sizeof(src->b));
	memcpy(pkt + 24, dst->b, sizeof(dst->b));
	xy_be16_store(pkt + 44, (uint16_t)len);
}

static void plain_check(struct bench *b, uint32_t end, const uint8_t *pkt, uint32_t len)
{
	uint8_t right[2048];
	plain_write(b, end, right);
	b->errors += len < b->load.size || memcmp(pkt, right, b->load.size) != 0;
}

static void plain_make(struct bench *b, struct rte_mbuf *m, uint32_t end, uint32_t at)
{
	rte_pktmbuf_reset(m);
	m->data_off = (uint16_t)at;
	plain_write(b, end, (uint8_t *)rte_pktmbuf_append(m, (uint16_t)b->load.size));
}

static uint32_t any_end(struct bench *b)
{
	uint32_t i = (uint32_t)(next_random(b) % b->load.sessions);
	return b->fars ? b->links + i : i;
}

static uint32_t link_of(const struct bench *b, uint32_t end)
{
	return end < b->links ? end : b->route_link[end - b->links];
}

// --- the bare library's jobs: the datagram's, and of what is inside it

static struct xy_wg_data *message(struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod(m, struct xy_wg_data *);
}

static struct xy_wg_data *message_inside(struct rte_mbuf *m)
{
	return (struct xy_wg_data *)(message(m)->box + XY_IPV6_LEN);
}

static uint32_t box_inside(struct rte_mbuf *m)
{
	return xy_be16_load(message(m)->box + 4) - XY_WG_DATA_OVERHEAD;
}

static void link_ops(struct bench *b, unsigned first, const struct xy_aead_schedule *key,
		     struct xy_aead_op op[XY_BURST])
{
	for (unsigned i = 0; i < XY_BURST; i++) {
		struct rte_mbuf *m = b->out[first + i];
		op[i] = op_of(b, message(m), m->data_len - XY_WG_DATA_OVERHEAD,
			      &key[whose[first + i].link]);
	}
}

static void far_ops(struct bench *b, unsigned first, const struct xy_aead_schedule *key,
		    struct xy_aead_op op[XY_BURST])
{
	for (unsigned i = 0; i < XY_BURST; i++) {
		struct rte_mbuf *m = b->out[first + i];
		op[i] = op_of(b, message_inside(m), box_inside(m), &key[whose[first + i].end]);
	}
}

static void opened_check(struct bench *b, const struct xy_aead_op op[XY_BURST])
{
	for (unsigned i = 0; i < XY_BURST; i++)
		b->errors += !op[i].ok;
}

static uint64_t timed(struct bench *b,
		      void (*burst)(const struct xy_aead *, struct xy_aead_op *, unsigned),
		      struct xy_aead_op op[XY_BURST])
{
	uint64_t start = rte_rdtsc();
	burst(b->cipher, op, XY_BURST);
	return rte_rdtsc() - start;
}

// --- outward

// Is it sealed for the node that has its destination, and says no more outside?
static void outside_check(struct bench *b, struct rte_mbuf *m, uint32_t end)
{
	const uint8_t *pkt = message(m)->box;
	struct xy_addr src = xy_inner_src(pkt, 6), dst = xy_inner_dst(pkt, 6);
	struct xy_addr theirs = node_address(b, end);
	b->errors += !xy_e2e_is_sealed(pkt) || !xy_addr_eq(&dst, &theirs) || pkt[7] != 64 ||
		     !xy_addr_eq(&src, &b->dp->cfg.node_addr);
}

static uint32_t receiver(const struct bench *b, const struct xy_wg_data *msg)
{
	if (msg->receiver >= b->links + b->fars)
		die("a packet for nobody came out", NULL);
	return msg->receiver;
}

// Opens what came out as its receivers do.
static void sent_open(struct bench *b, unsigned first)
{
	struct xy_aead_op op[XY_BURST];
	for (unsigned i = first; i < first + XY_BURST; i++)
		whose[i].link = whose[i].end = receiver(b, message(b->out[i]));
	link_ops(b, first, b->tx_key, op);
	xy_aead_open_burst(b->cipher, op, XY_BURST);
	opened_check(b, op);
	if (b->errors || !b->fars)
		return;
	for (unsigned i = first; i < first + XY_BURST; i++) {
		whose[i].end = receiver(b, message_inside(b->out[i]));
		outside_check(b, b->out[i], whose[i].end);
	}
	far_ops(b, first, b->tx_key, op);
	xy_aead_open_burst(b->cipher, op, XY_BURST);
	opened_check(b, op);
}

static void sent_check(struct bench *b, unsigned first)
{
	sent_open(b, first);
	for (unsigned i = first; i < first + XY_BURST && !b->errors; i++) {
		struct rte_mbuf *m = b->out[i];
		const uint8_t *pkt = b->fars ? message_inside(m)->box : message(m)->box;
		uint32_t box = m->data_len - (uint32_t)XY_WG_DATA_OVERHEAD;
		uint32_t len = b->fars ? box_inside(m) : box;
		b->errors += link_of(b, whose[i].end) != whose[i].link;
		plain_check(b, whose[i].end, pkt, len);
	}
}

static void bare_seal(struct bench *b, unsigned first)
{
	struct xy_aead_op op[XY_BURST];
	uint64_t spent = 0;
	if (b->fars) {
		far_ops(b, first, b->tx_key, op);
		spent = timed(b, xy_aead_seal_burst, op);
	}
	link_ops(b, first, b->tx_key, op);
	sample_add(b->aead, spent + timed(b, xy_aead_seal_burst, op));
}

static void send_round(struct bench *b)
{
	for (unsigned i = 0; i < BUFFERS; i++)
		plain_make(b, b->in[i], any_end(b), XY_HEADROOM);
	b->host.in = b->in;
	b->host.in_count = BUFFERS;
	walk(b);
	b->errors += b->ring->out_count != BUFFERS;
	for (unsigned i = 0; i < BUFFERS && !b->errors; i += XY_BURST)
		sent_check(b, i);
	for (unsigned i = 0; i < BUFFERS && !b->errors; i += XY_BURST)
		bare_seal(b, i);
}

// --- inward

static void wrap(const struct bench *b, struct rte_mbuf *m, uint32_t end)
{
	const struct xy_e2e_header h = {.src = node_address(b, end),
					.dst = b->dp->cfg.node_addr,
					.len = m->data_len,
					.hops = 64};
	xy_e2e_header_write(&h, (uint8_t *)rte_pktmbuf_prepend(m, XY_IPV6_LEN));
}

// Packets in the clear become what a port receives.
static void seal_chunk(struct bench *b, struct rte_mbuf **m, unsigned first)
{
	struct xy_aead_op op[XY_BURST];
	for (unsigned i = 0; b->fars && i < XY_BURST; i++)
		op[i] = seal_begin(b, m[i], whose[first + i].end);
	if (b->fars)
		xy_aead_seal_burst(b->cipher, op, XY_BURST);
	for (unsigned i = 0; i < XY_BURST; i++) {
		if (b->fars)
			wrap(b, m[i], whose[first + i].end);
		op[i] = seal_begin(b, m[i], whose[first + i].link);
	}
	xy_aead_seal_burst(b->cipher, op, XY_BURST);
	for (unsigned i = 0; i < XY_BURST; i++)
		received_by(m[i], whose[first + i].link);
}

static void whose_set(const struct bench *b, unsigned i, uint32_t end)
{
	whose[i].end = end;
	whose[i].link = link_of(b, end);
}

static uint32_t sender(const struct bench *b, struct rte_mbuf *m)
{
	const uint8_t *pkt = rte_pktmbuf_mtod(m, const uint8_t *);
	uint32_t end = xy_be32_load(pkt + 12) - 1; // node_address
	if (end >= b->links + b->fars)
		die("a packet of nobody came out", NULL);
	return end;
}

static void bare_open(struct bench *b, unsigned first)
{
	struct xy_aead_op op[XY_BURST];
	link_ops(b, first, b->rx_key, op);
	uint64_t spent = timed(b, xy_aead_open_burst, op);
	opened_check(b, op);
	if (b->fars) {
		far_ops(b, first, b->rx_key, op);
		spent += timed(b, xy_aead_open_burst, op);
		opened_check(b, op);
	}
	sample_add(b->aead, spent);
}

static void receive_round(struct bench *b)
{
	uint32_t before =
		XY_WG_DATA_HEADER_LEN + (b->fars ? XY_IPV6_LEN + XY_WG_DATA_HEADER_LEN : 0);
	for (unsigned i = 0; i < BUFFERS; i++) {
		whose_set(b, i, any_end(b));
		plain_make(b, b->in[i], whose[i].end, XY_DATAGRAM_AT + before);
	}
	for (unsigned i = 0; i < BUFFERS; i += XY_BURST)
		seal_chunk(b, &b->in[i], i);
	b->ring->in = b->in;
	b->ring->in_count = BUFFERS;
	walk(b);
	b->errors += b->host.out_count != BUFFERS;
	for (unsigned i = 0; i < BUFFERS && !b->errors; i++) {
		whose_set(b, i, sender(b, b->out[i]));
		plain_check(b, whose[i].end, rte_pktmbuf_mtod(b->out[i], const uint8_t *),
			    b->out[i]->data_len);
	}
	for (unsigned i = 0; i < BUFFERS; i += XY_BURST)
		seal_chunk(b, &b->out[i], i);
	for (unsigned i = 0; i < BUFFERS; i += XY_BURST)
		bare_open(b, i);
}

void edge_round(struct bench *b)
{
	if (is_outward(b))
		send_round(b);
	else
		receive_round(b);
	if (b->errors)
		die("a packet came out wrong", NULL);
	memcpy(b->in, b->out, sizeof(b->in));
}
