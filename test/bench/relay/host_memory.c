// SPDX-License-Identifier: BSD-3-Clause
#include "host_memory.h"

#include "dp.h"

static uint16_t rx_burst(struct xy_host *host, struct xy_worker *w, struct rte_mbuf **out,
			 uint16_t n)
{
	struct host_memory *h = (struct host_memory *)host;
	uint16_t take = (uint16_t)RTE_MIN((uint32_t)n, h->in_count);
	for (uint16_t i = 0; i < take; i++) {
		struct xy_packet *p = xy_packet(h->in[i]);
		out[i] = h->in[i];
		p->from = XY_PEER_NONE;
		p->host = host->id;
		p->version = 6;
		p->mesh = XY_MESH_PLAIN;
	}
	h->in += take;
	h->in_count -= take;
	XY_COUNT(w, host_rx, take);
	return take;
}

static void tx_burst(struct xy_host *host, struct xy_worker *w, struct rte_mbuf **pkts, uint16_t n)
{
	struct host_memory *h = (struct host_memory *)host;
	uint16_t put = (uint16_t)RTE_MIN((uint32_t)n, h->out_max - h->out_count);
	memcpy(h->out + h->out_count, pkts, put * sizeof(*pkts));
	h->out_count += put;
	XY_COUNT(w, host_tx, put);
	xy_count_drop(w, XY_DROP_HOST_FULL, n - put);
	rte_pktmbuf_free_bulk(pkts + put, n - put);
}

static void close_host(struct xy_host *host) // the caller's memory
{
}

static const struct xy_host_ops ops = {.driver = "memory",
				       .rx_burst_rcu = rx_burst,
				       .tx_burst_rcu = tx_burst,
				       .close = close_host};

int host_memory_open(struct xy_dp *dp, unsigned id, struct host_memory *h)
{
	h->host = (struct xy_host){.ops = &ops, .id = id, .name = "memory"};
	return xy_dp_host_publish(dp, id, &h->host);
}
