// SPDX-License-Identifier: BSD-3-Clause
// Which of several next hops of equal cost a packet takes: always the same one for a flow, so that
// its packets stay in order. Workers, under RCU.
#pragma once

#include "group.h"

// Which flow a packet is of, as far as its headers tell. Keyed: the relays of a path each choose by
// themselves, and nobody can aim.
uint64_t xy_flow_hash(const struct xy_dp *dp, struct rte_mbuf *m);
// Never the peer that it came from, unless there is no other.
uint32_t xy_spread(const struct xy_dp *dp, struct rte_mbuf *m, const struct xy_group *g);
