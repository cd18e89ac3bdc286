// SPDX-License-Identifier: BSD-3-Clause
// Inside of a TUN: a queue per worker. host/ only.
#pragma once

#include "host.h"

#include "wire/gso.h"

enum { XY_TUN_FRAME = 65536 + 256 }; // no frame is longer: 64 KB and its headers

struct xy_tun_queue {	       // worker rw
	struct xy_gso_cut cut; // of the frame that was read
	unsigned next;	       // packets of it that are cut already; cut.count = nothing left
	bool watched;	       // in the wake-up set: until the device is deleted
	int fd;		       // control rw
	uint8_t *memory;       // XY_TUN_FRAME bytes; pages come with use
} __rte_cache_aligned;

struct xy_tun {
	struct xy_host host;
	struct xy_dp *dp;
	bool uso; // the kernel knows UDP segments (Linux 6.2): cuts them and takes them joined
	unsigned workers;
	struct xy_tun_queue *queue; // [workers]
};

static inline struct xy_tun *xy_tun(struct xy_host *host)
{
	return (struct xy_tun *)((uint8_t *)host - offsetof(struct xy_tun, host));
}

uint16_t xy_tun_rx_burst_rcu(struct xy_host *host, struct xy_worker *w, struct rte_mbuf **out,
			     uint16_t n);
void xy_tun_tx_burst_rcu(struct xy_host *host, struct xy_worker *w, struct rte_mbuf **pkts,
			 uint16_t n);
