// SPDX-License-Identifier: BSD-3-Clause
#include "ring.h"

#include "dp.h"
#include "peer.h"

#include <stdlib.h>

struct ring_port {
	struct xy_port port;
	struct xy_port_ring *ring;
	unsigned rings;
};

static struct xy_port_ring *ring_of(const struct xy_port *port, const struct xy_worker *w)
{
	const struct ring_port *p = port->driver_data;
	return &p->ring[w->id % p->rings];
}

static uint16_t rx_burst(struct xy_port *port, struct xy_worker *w, struct rte_mbuf **out,
			 uint16_t n)
{
	struct xy_port_ring *r = ring_of(port, w);
	uint16_t take = (uint16_t)RTE_MIN((uint32_t)n, r->in_count);
	memcpy(out, r->in, take * sizeof(*out));
	r->in += take;
	r->in_count -= take;
	XY_COUNT(w, rx, take);
	for (uint16_t i = 0; i < take; i++)
		xy_packet(out[i])->port = (uint8_t)port->id;
	return take;
}

static void put_on(const struct xy_worker *w, struct rte_mbuf **pkts, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++)
		xy_frame_put_on(pkts[i], &xy_adjacency_rcu(w->dp, xy_packet(pkts[i])->next)->frame);
}

static uint16_t tx_burst(struct xy_port *port, struct xy_worker *w, struct rte_mbuf **pkts,
			 uint16_t n)
{
	struct xy_port_ring *r = ring_of(port, w);
	uint16_t put = (uint16_t)RTE_MIN((uint32_t)n, r->out_max - r->out_count);
	if (r->frames)
		put_on(w, pkts, put);
	memcpy(r->out + r->out_count, pkts, put * sizeof(*pkts));
	r->out_count += put;
	XY_COUNT(w, tx, put);
	for (uint16_t i = put; i < n; i++) {
		xy_packet(pkts[i])->drop = XY_DROP_TX_FULL;
		pkts[i - put] = pkts[i];
	}
	return put;
}

static void close_port(struct xy_port *port)
{
	free(port->counters);
	free(port->driver_data);
}

static const struct xy_port_ops ops = {
	.driver = "ring", .rx_burst_rcu = rx_burst, .tx_burst_rcu = tx_burst, .close = close_port};

int xy_port_ring_open(struct xy_dp *dp, unsigned id, struct xy_port_ring *ring, unsigned rings,
		      struct xy_port **out, struct xy_err *err)
{
	struct ring_port *p = calloc(1, sizeof(*p));
	struct xy_port_counters *c = aligned_alloc(RTE_CACHE_LINE_SIZE, dp->workers * sizeof(*c));
	if (!p || !c) {
		free(p);
		free(c);
		return xy_err_set(err, ENOMEM, "no memory for a ring port");
	}
	memset(c, 0, dp->workers * sizeof(*c));
	*p = (struct ring_port){.ring = ring, .rings = rings};
	p->port = (struct xy_port){
		.ops = &ops, .id = id, .workers = dp->workers, .counters = c, .driver_data = p};
	*out = &p->port;
	return 0;
}
