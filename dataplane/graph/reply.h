// SPDX-License-Identifier: BSD-3-Clause
// ICMP errors as packets of ours, which are to be routed. Workers.
#pragma once

#include "node.h"

#include "wire/icmp.h"

// What an IPv4 error comes from where there is no address to say: 192.0.0.8 (RFC 7600,
// section 4.8).
struct xy_addr xy_reply_dummy(void);

// An error about a packet (its xy_packet version is set), counted as generated; NULL: there is no
// buffer, or it would be none. limit: the MTU of a TOO_BIG.
struct rte_mbuf *xy_reply_make(struct xy_worker *w, enum xy_icmp_error kind, uint32_t limit,
			       const struct xy_addr *from, struct rte_mbuf *about);
