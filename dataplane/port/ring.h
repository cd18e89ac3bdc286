// SPDX-License-Identifier: BSD-3-Clause
// A port in memory: datagrams come from one array of buffers and go to another. It has no driver,
// no system call and no copy, so what is measured or tested through it is the graph itself. Not
// offered in the config.
#pragma once

#include "port.h"

struct xy_port_ring {
	struct rte_mbuf **in __rte_cache_aligned; // taken from the front
	uint32_t in_count;
	struct rte_mbuf **out;	     // put to the end
	uint32_t out_count, out_max; // beyond: dropped as tx_full
	bool frames;		     // what is put is in frames, as on a card
};

// ring: of `rings`, the caller's for as long as the port is there; worker w has ring[w % rings].
// Workers that are threads of their own need one each.
int xy_port_ring_open(struct xy_dp *dp, unsigned id, struct xy_port_ring *ring, unsigned rings,
		      struct xy_port **out, struct xy_err *err);
