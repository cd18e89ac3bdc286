// SPDX-License-Identifier: BSD-3-Clause
// A burst of addresses through a pair of tables: /64s of 200::/7 exactly first, then longest prefix
// for what is left. Workers, under RCU.
#pragma once

#include "dp.h"

struct xy_lookup { // not cleared before use: n alone
	unsigned n;
	const uint8_t *addr[XY_BURST]; // 16 or 4 bytes inside the packets
	bool v4[XY_BURST];
	uint32_t value[XY_BURST]; // or XY_TABLE_MISS
};

enum xy_lookup_field { XY_LOOKUP_SRC, XY_LOOKUP_DST };

// Adds a packet whose version is known.
static inline void xy_lookup_add(struct xy_lookup *l, struct rte_mbuf *m,
				 enum xy_lookup_field field)
{
	const uint8_t *pkt = rte_pktmbuf_mtod(m, const uint8_t *);
	bool v4 = xy_packet(m)->version == 4;
	l->v4[l->n] = v4;
	l->addr[l->n++] =
		pkt + (v4 ? (field == XY_LOOKUP_SRC ? 12 : 16) : (field == XY_LOOKUP_SRC ? 8 : 24));
}

void xy_lookup_run_rcu(const struct xy_tables *t, struct xy_lookup *l);
