// SPDX-License-Identifier: BSD-3-Clause
// A round of a relay: packets sealed under many sessions come by links, and go by others.
#include "bench.h"

#include <rte_cycles.h>

// An overlay packet of the load's size to a random route, from a peer that the route does not go
// back to; xy_packet from remembers the peer for sealing.
static void packet_make(struct bench *b, struct rte_mbuf *m)
{
	uint32_t route, from;
	do
		route = (uint32_t)(next_random(b) % b->load.routes);
	while (!mesh_may_send(b, b->route_link[route]));
	do
		from = mesh_source(b);
	while (from == b->route_link[route]);
	rte_pktmbuf_reset(m);
	m->data_off = XY_HEADROOM; // where sources put it: what is sealed begins a line
	uint8_t *pkt = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)b->load.size);
	memset(pkt, 0, b->load.size);
	pkt[0] = 0x60;
	xy_be16_store(pkt + 4, (uint16_t)(b->load.size - XY_IPV6_LEN));
	pkt[6] = XY_PROTO_E2E;
	pkt[7] = 64;
	pkt[XY_IPV6_LEN] = XY_WG_DATA;
	memcpy(pkt + 8, node_address(b, from).b, sizeof(struct xy_addr));
	xy_be64_store(pkt + 24, b->route[route]);
	xy_packet(m)->from = from;
}

static void seal_chunk(struct bench *b, struct rte_mbuf **m, unsigned n)
{
	struct xy_aead_op op[XY_BURST];
	for (unsigned i = 0; i < n; i++) {
		uint32_t from = xy_packet(m[i])->from;
		op[i] = seal_begin(b, m[i], from);
		received_by(m[i], from);
	}
	xy_aead_seal_burst(b->cipher, op, n);
}

// The bare library over what came out: opens (and checks) each with its receiver's key, then seals
// it again. Both together are what any forwarder must spend.
static void bare_chunk(struct bench *b, struct rte_mbuf **m, unsigned n)
{
	struct xy_aead_op op[XY_BURST];
	for (unsigned i = 0; i < n; i++) {
		struct xy_wg_data *msg = rte_pktmbuf_mtod(m[i], struct xy_wg_data *);
		uint32_t len = m[i]->data_len - XY_WG_DATA_OVERHEAD;
		if (msg->receiver >= b->links)
			die("a packet for nobody came out", NULL);
		if ((uintptr_t)msg->box % RTE_CACHE_LINE_SIZE)
			die("a packet came out that does not begin a line", NULL);
		op[i] = op_of(b, msg, len, &b->tx_key[msg->receiver]);
	}
	uint64_t start = rte_rdtsc();
	xy_aead_open_burst(b->cipher, op, n);
	uint64_t spent = rte_rdtsc() - start;
	for (unsigned i = 0; i < n; i++)
		b->errors += !op[i].ok || op[i].data[7] != 63; // opened, and one hop less
	start = rte_rdtsc();
	xy_aead_seal_burst(b->cipher, op, n);
	timed_add(b, b->aead, spent + rte_rdtsc() - start);
}

// Takes the frame off again, after a look at its checksums.
static void frame_check(struct bench *b, struct rte_mbuf *m, bool summed)
{
	const uint8_t *ip = rte_pktmbuf_mtod(m, const uint8_t *) + 14, *udp = ip + XY_IPV4_MIN_LEN;
	struct xy_addr src = xy_inner_src(ip, 4), dst = xy_inner_dst(ip, 4);
	uint16_t len = xy_be16_load(udp + 4);
	uint32_t sum = xy_csum_pseudo(&src, &dst, XY_PROTO_UDP, len);
	bool right =
		summed ? xy_csum_fold(xy_csum_add(sum, udp, len)) == 0 : xy_be16_load(udp + 6) == 0;
	b->errors += !right || xy_csum_fold(xy_csum_add(0, ip, XY_IPV4_MIN_LEN));
	rte_pktmbuf_adj(m, 14 + XY_IPV4_MIN_LEN + XY_UDP_LEN);
}

// One round by one way; its bursts are that way's samples.
static void way_begin(struct bench *b, enum way way)
{
	b->ring->frames = way != BARE;
	b->dp->ports->port[0]->sums = way == UNSUMMED ? XY_FRAME_SUM_NONE_V4 : 0;
	for (uint32_t i = 0; i < b->links; i++)
		link_place(b, i);
	rte_rcu_qsbr_quiescent(b->dp->rcu, 0);
	xy_dp_housekeep(b->dp);
}

void relay_begin(struct bench *b)
{
	for (unsigned i = 0; i < BUFFERS; i++)
		packet_make(b, b->in[i]);
	for (unsigned i = 0; i < BUFFERS; i += XY_BURST)
		seal_chunk(b, &b->in[i], XY_BURST);
	b->ring->in = b->in;
	b->ring->in_count = BUFFERS;
}

void relay_end(struct bench *b)
{
	b->errors += b->ring->out_count != BUFFERS;
	for (unsigned i = 0; b->ring->frames && i < BUFFERS; i++)
		frame_check(b, b->out[i], !b->dp->ports->port[0]->sums);
	for (unsigned i = 0; i < BUFFERS; i += b->load.burst)
		bare_chunk(b, &b->out[i], b->load.burst);
	if (b->errors)
		die("a packet came out wrong", NULL);
	memcpy(b->in, b->out, sizeof(b->in));
}

void relay_round(struct bench *b)
{
	relay_begin(b);
	walk(b);
	relay_end(b);
}

void relay_ways(struct bench *b, unsigned rounds, struct result *r)
{
	for (unsigned i = 0; i < rounds * WAYS; i++) {
		struct samples *s = &b->way[i % WAYS];
		unsigned n = b->forward->n = 0;
		way_begin(b, (enum way)(i % WAYS));
		relay_round(b);
		for (; n < b->forward->n; n++)
			sample_add(s, b->forward->cycles[n]);
	}
	for (unsigned i = 0; i < WAYS; i++)
		r->way[i] = percentile(&b->way[i], 10,
				       b->load.burst); // differences are small: the undisturbed
}
