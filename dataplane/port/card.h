// SPDX-License-Identifier: BSD-3-Clause
// A port on frames: what af_xdp and dpdk ports have in common. Queues give and take Ethernet
// frames; beside them a kernel UDP socket on the same address and port reserves it, takes what does
// not come by a queue (fragments, tags) and sends what has no resolved next hop yet (handshakes
// among it, so that the kernel resolves neighbours for us). A queue is one worker's; all else is
// the control thread's. The driver owns the card, and frees it, its port and its buffers in close.
#pragma once

#include "port.h"
#include "wire/steer.h"

struct xy_card;

struct xy_card_ops {
	const char *driver;
	// Frames of one queue, as they came. Its worker only.
	uint16_t (*rx)(struct xy_card *card, unsigned queue, struct rte_mbuf **out, uint16_t n);
	// Returns how many were taken, from the front; the others stay the caller's.
	uint16_t (*tx)(struct xy_card *card, unsigned queue, struct rte_mbuf **frames, uint16_t n);
	// Is a received frame our UDP? NULL: all are, a program has seen to it.
	bool (*is_ours)(const struct xy_card *card, const struct rte_mbuf *m);
	// A received frame that is_ours says is not: the driver's to deal with (consumes it and
	// counts it).
	void (*exception)(struct xy_card *card, struct xy_worker *w, struct rte_mbuf *m);
	// Work between bursts of a queue: buffers that were sent, exceptions from the host. May be
	// NULL.
	void (*tend)(struct xy_card *card, struct xy_worker *w, unsigned queue);
	uint64_t (*missed)(const struct xy_card *card);
	// The UDP that is ours from now on.
	int (*addresses)(struct xy_card *card, const struct xy_addr *addr, unsigned count);
	// The kernel changed something of the interface: its MTU perhaps. May be NULL.
	void (*follow)(struct xy_card *card);
	// A frame was a train: what is ours goes by the kernel's socket from now on. Any worker,
	// once. May be NULL: then none is looked for.
	void (*train)(struct xy_card *card);
	bool (*trained)(const struct xy_card *card); // has one come?
	void (*steered)(const struct xy_card *card, uint64_t out[static XY_STEER_COUNT]);
	void (*close)(struct xy_card *card); // also of one that was opened in part
};

struct xy_card { // drivers embed it first
	const struct xy_card_ops *ops;
	struct xy_dp *dp;
	struct xy_port *port, *kernel;
	unsigned queues;    // queue q is worker (q % workers)'s
	char interface[16]; // in the kernel: the card, or its TAP twin
	char mode[48];
	uint32_t frame_max; // bytes that the driver sends at most
	bool blind;	    // queues have no descriptor: their workers only nap
	bool may_train;	    // a frame may hold several datagrams: wire/steer.h
	bool train_told;    // workers: one of them has said so
	uint32_t ifindex;   // of interface
	struct {
		unsigned calls; // of rx: turns between queues and the kernel's socket
	} __rte_cache_aligned turn[XY_DP_WORKERS];
};

// Makes the port around a card whose ops, queues and interface are set, with the kernel's socket
// beside; queues are the driver's to open after. On failure the caller closes the card.
int xy_card_port_make(struct xy_dp *dp, struct xy_card *card, const struct xy_dp_port_config *cfg,
		      unsigned id, struct xy_err *err);
void xy_card_port_free(struct xy_card *card); // for a driver's close

static inline struct xy_card *xy_card(const struct xy_port *port)
{
	return port->driver_data;
}

int xy_port_af_xdp_open(struct xy_dp *dp, const struct xy_dp_port_config *cfg, unsigned id,
			struct xy_port **out, struct xy_err *err);
int xy_port_dpdk_open(struct xy_dp *dp, const struct xy_dp_port_config *cfg, unsigned id,
		      struct xy_port **out, struct xy_err *err);
