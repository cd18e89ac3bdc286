// SPDX-License-Identifier: BSD-3-Clause
#include "spread.h"

#include "table/exact_hash.h"
#include "wire/inet.h"

#include "base/bytes.h"

static uint64_t mix(const struct xy_dp *dp, uint64_t hash, uint64_t more)
{
	return xy_exact_fold(hash ^ dp->flow_key[0], more ^ dp->flow_key[1]);
}

// Ports, else what IPv6 has in their place (RFC 6437); a fragment has no ports, and all of a
// datagram's fragments the same label.
static uint64_t detail(const struct rte_mbuf *m, uint8_t version)
{
	const uint8_t *pkt = rte_pktmbuf_mtod(m, const uint8_t *);
	struct xy_inner_ports ports;
	if (xy_inner_ports(pkt, m->data_len, &ports))
		return (uint64_t)ports.protocol << 32 | (uint32_t)ports.src << 16 | ports.dst;
	return version == 6 ? xy_be32_load(pkt) & XY_FLOW_LABEL : 0;
}

uint64_t xy_flow_hash(const struct xy_dp *dp, struct rte_mbuf *m)
{
	uint8_t version = xy_packet(m)->version;
	const uint8_t *pkt = rte_pktmbuf_mtod(m, const uint8_t *);
	struct xy_addr addr[2] = {xy_inner_src(pkt, version), xy_inner_dst(pkt, version)};
	uint64_t word[4], hash = detail(m, version);
	memcpy(word, addr, sizeof(word));
	for (unsigned i = 0; i < RTE_DIM(word); i++)
		hash = mix(dp, hash, word[i]);
	return hash;
}

// The hop whose name hashes highest together with the flow's: when one goes, only its own flows
// move, and a new one takes an equal share of each ("highest random weight", RFC 2991).
uint32_t xy_spread(const struct xy_dp *dp, struct rte_mbuf *m, const struct xy_group *g)
{
	uint32_t from = xy_packet(m)->from, best = from;
	uint64_t flow = xy_flow_hash(dp, m), weight = 0;
	for (uint32_t i = 0; i < g->count; i++) {
		uint64_t w = mix(dp, flow, g->hop[i]);
		if (g->hop[i] == from || (best != from && w <= weight))
			continue;
		best = g->hop[i];
		weight = w;
	}
	return best;
}
