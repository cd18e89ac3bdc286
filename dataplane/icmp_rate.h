// SPDX-License-Identifier: BSD-3-Clause
// How many ICMP errors may be made (RFC 4443 section 2.4 (f)): a bucket for each peer that packets
// come from and each kind of error, so that nobody's scan silences what another must hear. "Too
// big" has several buckets a peer, by the packet's source, for one peer may bring many sources, and
// a path MTU that one of them never hears is a connection that stands still. One line of memory a
// peer, reserved for all of them, and some for far nodes together. A worker's own.
#pragma once

#include "worker.h"

#include "wire/icmp.h"

struct xy_icmp_rate;

struct xy_icmp_rate *xy_icmp_rate_create(const struct xy_dp *dp); // control thread, as destroy
void xy_icmp_rate_destroy(const struct xy_dp *dp, struct xy_icmp_rate *rate);
// May an error of this kind go to a packet from this end (or XY_PEER_NONE) and source?
bool xy_icmp_rate_take(struct xy_worker *w, uint32_t end, enum xy_icmp_error error,
		       const struct xy_addr *src);
