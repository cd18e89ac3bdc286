// SPDX-License-Identifier: BSD-3-Clause
// An attachment of this host to the overlay: where workers take packets from that it sends, and put
// those that are for it. One queue per worker. Drivers fill in the operations; the nodes host_rx
// and host_tx walk the list that the control thread publishes, and routes name a place in it.
#pragma once

#include "worker.h"

struct xy_host;

struct xy_host_ops {
	const char *driver;
	// Takes up to n overlay packets: data = IP packet, xy_packet version is set, from =
	// XY_PEER_NONE, host = its id. Counts host_rx (as the driver reads them), split (packets
	// more) and drops (host_bad, no_buffer). Worker w only.
	uint16_t (*rx_burst_rcu)(struct xy_host *host, struct xy_worker *w, struct rte_mbuf **out,
				 uint16_t n);
	// Puts n overlay packets, in each flow's order; frees them all. Counts host_tx (as the
	// driver writes them), merged (packets fewer) and drops (host_full).
	void (*tx_burst_rcu)(struct xy_host *host, struct xy_worker *w, struct rte_mbuf **pkts,
			     uint16_t n);
	void (*close)(struct xy_host *host); // no worker can see it any more
};

struct xy_host {
	const struct xy_host_ops *ops;
	unsigned id;
	char name[16];
};

struct xy_host_list { // published by RCU; NULL where a number is free
	struct xy_host *host[XY_DP_HOSTS];
	unsigned end; // numbers from here on are free: no worker looks at them
};

// A TUN `name` ("" = the kernel chooses) with a queue per worker and virtio_net headers, so that
// TCP and UDP segments of up to 64 KB pass as one: IFF_NO_PI, IFF_VNET_HDR, multi-queue,
// non-blocking, offloads CSUM, TSO4, TSO6 and, where the kernel has it, USO4 and USO6; each queue
// is in its worker's wake-up set. Control thread. The host is not yet in the list. -EPERM, -EBUSY,
// -ENOENT (no /dev/net/tun) with a text.
int xy_host_tun_open(struct xy_dp *dp, unsigned id, const char *name, struct xy_host **out,
		     struct xy_err *err);

int xy_host_worker_init(struct xy_worker *w); // scratch memory; control thread, before start
void xy_host_worker_fini(struct xy_worker *w);
