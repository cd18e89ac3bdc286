// SPDX-License-Identifier: BSD-3-Clause
// A port: where workers take datagrams from and put them to. One queue per worker. Drivers fill in
// the operations, and each has a row in portlist.c that opens one; the nodes port_rx and port_tx
// walk the list that the control thread publishes.
#pragma once

#include "worker.h"

struct xy_port;

struct xy_port_ops {
	const char *driver;
	// Takes up to n datagrams: data = UDP payload, xy_packet remote, local, interface, port
	// and ecn are set. Datagrams that do not fit a buffer are dropped and counted here. Worker
	// w only.
	uint16_t (*rx_burst_rcu)(struct xy_port *port, struct xy_worker *w, struct rte_mbuf **out,
				 uint16_t n);
	// Sends to xy_packet remote from local with ecn, in fragments where it must and xy_packet
	// pieces allows it. Sent packets are the port's to free. Returns how many were sent; the
	// others come to the front of pkts, each remote's in order, with xy_packet drop = the
	// reason.
	uint16_t (*tx_burst_rcu)(struct xy_port *port, struct xy_worker *w, struct rte_mbuf **pkts,
				 uint16_t n);
	// The control thread's, and each may be NULL. info: what the driver alone knows, into or
	// onto what every port tells, its counters among it.
	void (*info)(const struct xy_port *port, struct xy_dp_port_info *out);
	int (*addresses)(struct xy_port *port, const struct xy_addr *addr, unsigned count);
	void (*follow)(struct xy_port *port);
	int (*mark)(struct xy_port *port, uint32_t mark); // of what it sends, from now on
	void (*close)(struct xy_port *port);		  // no worker can see it any more
};

struct xy_port_counters { // per worker, one line: workers rw (own), control ro
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes, tx_errors;
	uint64_t rx_fragmented, tx_fragmented; // among them, as in xy_dp_port_info
} __rte_cache_aligned;

struct xy_port {
	const struct xy_port_ops *ops;
	unsigned id;
	struct xy_addr address;
	uint16_t udp_port;
	unsigned workers;
	bool steered;			   // packets come to workers by xy_port_worker_of
	unsigned sums;			   // cards: XY_FRAME_SUM_ of frames that are sent
	struct xy_port_counters *counters; // [workers]
	void *driver_data;
};

struct xy_port_list { // published by RCU; NULL where a number is free
	struct xy_port *port[XY_DP_PORTS];
	unsigned end; // numbers from here on are free: no worker looks at them
};

// To which worker a steered port brings data of a session of ours, by its receiver index as on the
// wire and its lane: all lanes to others, from wherever it comes. By the kernel (socket.c).
static inline unsigned xy_port_worker_of(unsigned workers, uint32_t index, unsigned lane)
{
	return (rte_be_to_cpu_32(index) % workers + lane) % workers;
}

// Drivers count by these: datagrams taken (those dropped for want of a buffer too), put and
// refused. Worker w only.
static inline void xy_port_count_rx(struct xy_port *port, struct xy_worker *w, uint64_t packets,
				    uint64_t bytes)
{
	struct xy_port_counters *c = &port->counters[w->id];
	XY_SET(c->rx_packets, c->rx_packets + packets);
	XY_SET(c->rx_bytes, c->rx_bytes + bytes);
	XY_COUNT(w, rx, packets);
}

static inline void xy_port_count_tx(struct xy_port *port, struct xy_worker *w, uint64_t packets,
				    uint64_t bytes, uint64_t errors)
{
	struct xy_port_counters *c = &port->counters[w->id];
	XY_SET(c->tx_packets, c->tx_packets + packets);
	XY_SET(c->tx_bytes, c->tx_bytes + bytes);
	XY_SET(c->tx_errors, c->tx_errors + errors);
	XY_COUNT(w, tx, packets);
}

void xy_port_counters_add(const struct xy_port *port, struct xy_dp_port_info *out);

// Opens a socket port with one SO_REUSEPORT socket per worker, registered with each worker's
// wake-up set. Control thread. The port is not yet in the list.
int xy_port_socket_open(struct xy_dp *dp, const struct xy_dp_port_config *cfg, unsigned id,
			struct xy_port **out, struct xy_err *err);
// Datagrams that the kernel dropped for want of room, over all queues (SO_RXQ_OVFL or
// SO_MEMINFO). Control thread.
uint64_t xy_port_socket_missed(const struct xy_port *port);

int xy_port_worker_init(struct xy_worker *w); // scratch memory; control thread, before start
void xy_port_worker_fini(struct xy_worker *w);
