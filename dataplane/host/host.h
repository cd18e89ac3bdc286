// SPDX-License-Identifier: BSD-3-Clause
// The host interface: a TUN with a queue per worker, with virtio_net headers so that TCP and UDP
// segments of up to 64 KB pass as one.
#pragma once

#include "worker.h"

struct xy_host { // published by RCU; NULL when there is none
	char name[16];
	unsigned workers;
	int fd[XY_DP_WORKERS];
};

// Opens TUN `name` ("" = the kernel chooses), IFF_NO_PI, IFF_VNET_HDR, multi-queue, non-blocking,
// offloads CSUM, TSO4, TSO6 and, where the kernel has it, USO4 and USO6; registers each queue with
// its worker's wake-up set. Control thread. -EPERM, -EBUSY, -ENOENT (no /dev/net/tun) with a text.
int xy_host_open(struct xy_dp *dp, const char *name, struct xy_host **out, struct xy_err *err);
void xy_host_close(struct xy_host *host); // no worker can see it any more

int xy_host_worker_init(struct xy_worker *w); // scratch memory; control thread, before start
void xy_host_worker_fini(struct xy_worker *w);

// Reads up to n overlay packets, cut from segments; data = IP packet, xy_packet version set, from =
// XY_PEER_NONE. Counts host_rx (frames read), split (packets more), and drops (host_bad,
// no_buffer).
uint16_t xy_host_rx_burst_rcu(struct xy_host *host, struct xy_worker *w, struct rte_mbuf **out,
			      uint16_t n);
// Writes n overlay packets, joining what belongs together; frees them all. Counts host_tx (frames
// written), merged (packets fewer), and drops (host_full).
void xy_host_tx_burst_rcu(struct xy_host *host, struct xy_worker *w, struct rte_mbuf **pkts,
			  uint16_t n);
