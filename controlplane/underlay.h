// SPDX-License-Identifier: BSD-3-Clause
// Where an endpoint lies in the underlay, as the kernel sees it: route (with our mark), source
// address, next hop and its hardware address, MTU. Answers come from netlink at once; changes of
// routes, rules, neighbours, links and addresses are told by a descriptor. Control thread; owns its
// sockets.
#pragma once

#include "base/err.h"
#include "base/ip.h"

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

struct xy_underlay;

struct xy_underlay_path {
	unsigned ifindex;
	struct xy_addr next_hop; // the endpoint itself when it is on the link
	struct xy_addr source;
	uint32_t mtu;  // of the route, else of the link, bytes
	bool ethernet; // the link has hardware addresses
	bool resolved; // next_mac is known and thought to be good
	uint8_t next_mac[6], own_mac[6];
};

int xy_underlay_open(uint32_t fwmark, struct xy_underlay **out, struct xy_err *err);
void xy_underlay_close(struct xy_underlay *u);

// -ENETUNREACH and the like as the kernel says.
int xy_underlay_path(struct xy_underlay *u, const struct xy_endpoint *to,
		     struct xy_underlay_path *out);
// Asks the kernel to resolve the next hop, or to keep it resolved: it does not see our traffic
// (NTF_USE).
void xy_underlay_use(struct xy_underlay *u, const struct xy_underlay_path *path);
// Addresses of an interface, v4-mapped for IPv4; at most max. Returns how many there are.
int xy_underlay_addresses(struct xy_underlay *u, unsigned ifindex, struct xy_addr *out,
			  unsigned max);

int xy_underlay_fd(const struct xy_underlay *u); // readable: something changed
// Reads what changed; true when paths or addresses may be others now.
bool xy_underlay_changed(struct xy_underlay *u);
