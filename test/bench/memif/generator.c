// SPDX-License-Identifier: BSD-3-Clause
// Host A, who sends, and host B, who receives, on one memif. A round's packets are sealed before
// the clock starts and opened after it has stopped, so that the one who is measured is behind the
// memif: what is timed here is handing frames over and taking them, and no more of them are under
// way than its rings hold, so that none is lost.
#include "memif.h"

#include "aead.h"
#include "base/ip.h"
#include "packet.h"
#include "wire/inet.h"

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	BATCH = 64,
	PACKETS = 256 * BATCH,
	UNDER_WAY = 512,
	FRAME = 14 + 20 + 8,
	PATIENCE_MS = 2000,
};

struct generator {
	struct memif_shared *s;
	enum memif_way way;
	struct rte_mempool *pool;
	struct rte_mbuf *out[PACKETS], *in[PACKETS];
	struct xy_aead *cipher;
	struct xy_aead_schedule seal, open;
	uint64_t counter;
};

static void memif_start(struct generator *g)
{
	g->pool = memif_open(g->s, &(struct memif_end){.who = "generator",
						       .role = "client",
						       .megabytes = "256",
						       .cpu = g->s->generator_cpu,
						       .buffers = 3 * PACKETS - 1});
	struct rte_eth_link link = {0};
	for (unsigned ms = 0; !link.link_status; ms++, usleep(1000))
		if (rte_eth_link_get_nowait(0, &link) || ms > 10000)
			fail("generator", "its memif found nobody");
}

// --- A

static void frame_make(uint8_t *frame, uint16_t len)
{
	static const struct rte_ether_hdr eth = {.dst_addr = {{2, 0, 0, 0, 0, 1}},
						 .src_addr = {{2, 0, 0, 0, 0, 2}},
						 .ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4)};
	struct rte_ipv4_hdr ip = {.version_ihl = RTE_IPV4_VHL_DEF,
				  .total_length = rte_cpu_to_be_16((uint16_t)(len - 14)),
				  .time_to_live = 64,
				  .next_proto_id = XY_PROTO_UDP,
				  .src_addr = RTE_BE32(0x0a000000),
				  .dst_addr = RTE_BE32(0xc0000201)};
	struct rte_udp_hdr udp = {.src_port = RTE_BE16(PORT),
				  .dst_port = RTE_BE16(PORT),
				  .dgram_len = rte_cpu_to_be_16((uint16_t)(len - 34))};
	ip.hdr_checksum = rte_ipv4_cksum(&ip);
	memcpy(frame, &eth, sizeof(eth));
	memcpy(frame + 14, &ip, sizeof(ip));
	memcpy(frame + 34, &udp, sizeof(udp));
}

// An overlay packet that A has sealed for B, so that the relay does not look into it.
static void overlay_make(uint8_t *pkt, uint16_t size)
{
	memset(pkt, 0, size);
	pkt[0] = 0x60;
	xy_be16_store(pkt + 4, (uint16_t)(size - XY_IPV6_LEN));
	pkt[6] = XY_PROTO_E2E;
	pkt[7] = 64;
	pkt[8] = pkt[24] = XY_MESH_BYTE;
	pkt[15] = HOST_A + 1;
	pkt[31] = HOST_B + 1;
	pkt[23] = pkt[39] = 1;
}

static struct xy_aead_op packet_make(struct generator *g, struct rte_mbuf *m, uint16_t size)
{
	uint16_t padded = RTE_ALIGN_CEIL(size, 16u);
	uint16_t len = (uint16_t)(FRAME + XY_WG_DATA_OVERHEAD + padded);
	uint8_t *frame = (uint8_t *)rte_pktmbuf_append(m, len);
	if (!frame)
		fail("generator", "a frame has no room");
	struct xy_wg_data *msg = (struct xy_wg_data *)(frame + FRAME);
	frame_make(frame, len);
	*msg = (struct xy_wg_data){
		.type = XY_WG_DATA, .receiver = g->s->index[HOST_A], .counter = g->counter++};
	memset(msg->box, 0, padded);
	overlay_make(msg->box, size);
	return (struct xy_aead_op){.key = &g->seal,
				   .suite = XY_AEAD_CHACHA20_POLY1305,
				   .counter = msg->counter,
				   .data = msg->box,
				   .len = padded,
				   .tag = msg->box + padded};
}

static void round_make(struct generator *g, uint16_t size)
{
	struct xy_aead_op op[BATCH];
	if (rte_pktmbuf_alloc_bulk(g->pool, g->out, PACKETS))
		fail("generator", "no buffers");
	for (unsigned i = 0; i < PACKETS; i++) {
		op[i % BATCH] = packet_make(g, g->out[i], size);
		if (i % BATCH == BATCH - 1)
			xy_aead_seal_burst(g->cipher, op, BATCH);
	}
}

// --- B

static bool frame_right(const struct generator *g, struct rte_mbuf *m, uint16_t len)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, 14);
	const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)(ip + 1);
	const struct xy_wg_data *msg = (const struct xy_wg_data *)(udp + 1);
	if (m->data_len != len || rte_ipv4_cksum(ip) || msg->type != XY_WG_DATA)
		return false;
	if (g->way == PASSED_ON)
		return msg->receiver == g->s->index[HOST_A];
	return msg->receiver == HOST_B && udp->dgram_cksum &&
	       rte_ipv4_udptcp_cksum_verify(ip, udp) == 0;
}

// Opens and checks each that came, after the clock has stopped.
static void round_check(struct generator *g, uint16_t size)
{
	uint16_t padded = RTE_ALIGN_CEIL(size, 16u);
	struct xy_aead_op op[BATCH];
	for (unsigned i = 0; i < PACKETS; i++) {
		struct rte_mbuf *m = g->in[i];
		struct xy_wg_data *msg = rte_pktmbuf_mtod_offset(m, struct xy_wg_data *, FRAME);
		if (!frame_right(g, m, (uint16_t)(FRAME + XY_WG_DATA_OVERHEAD + padded)))
			fail("generator", "a frame came out wrong");
		op[i % BATCH] = (struct xy_aead_op){.key = &g->open,
						    .suite = XY_AEAD_CHACHA20_POLY1305,
						    .counter = msg->counter,
						    .data = msg->box,
						    .len = padded,
						    .tag = msg->box + padded};
		if (i % BATCH != BATCH - 1)
			continue;
		xy_aead_open_burst(g->cipher, op, BATCH);
		for (unsigned k = 0; k < BATCH; k++)
			if (!op[k].ok || op[k].data[7] != (g->way == PASSED_ON ? 64 : 63))
				fail("generator", "a packet came out wrong");
	}
	rte_pktmbuf_free_bulk(g->in, PACKETS);
}

// --- both

// Seconds from the first that was sent to the last that came.
static double round_run(struct generator *g)
{
	unsigned sent = 0, got = 0;
	uint64_t hz = rte_get_tsc_hz(), start = rte_rdtsc(), last = start;
	while (got < PACKETS) {
		unsigned may =
			RTE_MIN(RTE_MIN(PACKETS - sent, UNDER_WAY - (sent - got)), (unsigned)BATCH);
		if (may)
			sent += rte_eth_tx_burst(0, 0, g->out + sent, (uint16_t)may);
		uint16_t n = rte_eth_rx_burst(0, 0, g->in + got,
					      (uint16_t)RTE_MIN((unsigned)BATCH, PACKETS - got));
		got += n;
		last = n ? rte_rdtsc() : last;
		if (rte_rdtsc() - last > hz / 1000 * PATIENCE_MS)
			fail("generator", "packets were lost on the way");
	}
	return (double)(last - start) / (double)hz;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void size_run(struct generator *g, unsigned size)
{
	double mpps[MEMIF_ROUNDS];
	unsigned n = g->s->rounds;
	for (unsigned i = 0; i < n + 1; i++) { // the first warms up
		round_make(g, memif_size[size]);
		mpps[i ? i - 1 : 0] = PACKETS / round_run(g) / 1e6;
		round_check(g, memif_size[size]);
	}
	qsort(mpps, n, sizeof(*mpps), by_value);
	g->s->row[g->way][size] =
		(struct memif_row){.mpps = mpps[n / 2],
				   .mpps_p10 = mpps[(n - 1) / 10],
				   .mpps_p90 = mpps[(n - 1) * 9 / 10],
				   .cycles = (double)rte_get_tsc_hz() / mpps[n / 2] / 1e6};
}

void generator_run(struct memif_shared *s, enum memif_way way)
{
	static struct generator g;
	g.s = s;
	g.way = way;
	g.cipher = xy_aead_create();
	if (!g.cipher)
		fail("generator", "no cipher");
	xy_aead_key_set(XY_AEAD_CHACHA20_POLY1305, &g.seal, s->to_relay[HOST_A]);
	xy_aead_key_set(XY_AEAD_CHACHA20_POLY1305, &g.open,
			way == PASSED_ON ? s->to_relay[HOST_A] : s->from_relay[HOST_B]);
	memif_start(&g);
	for (unsigned i = 0; i < MEMIF_SIZES; i++)
		size_run(&g, i);
}
