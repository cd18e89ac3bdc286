// SPDX-License-Identifier: BSD-3-Clause
// Where an endpoint lies in the underlay, as the kernel sees it: route (with our mark), source
// address, next hop and its hardware address, path MTU. Answers come from netlink at once. Control
// thread.
#pragma once

#include "kernel/netlink.h"

#include <net/if.h>

struct xy_underlay {
	struct xy_netlink *netlink;
	uint32_t fwmark; // that our ports send with (routes may depend on it); 0 = none
	// Of what is to be sent, which rules may ask for; unspecified, 0: not chosen yet.
	struct xy_addr source;
	uint16_t port;
};

struct xy_underlay_hop {
	unsigned ifindex;
	struct xy_addr addr; // the endpoint itself when it is on the link
};

struct xy_underlay_path {
	struct xy_underlay_hop next;
	// Where a route has several next hops: the one that the kernel would take, and that was
	// left because it does not answer while another does. ifindex 0: none was left.
	struct xy_underlay_hop left;
	struct xy_addr source;
	uint32_t mtu;	// of the interface and the route, bytes
	bool route_mtu; // the route's is less than the interface's
	// What ICMP told the kernel within its sysctl mtu_expires (10 minutes); 0: nothing. Anybody
	// can forge it.
	uint32_t icmp_mtu;
	bool ethernet; // the link has hardware addresses
	bool carried;  // the interface is up and has a carrier
	bool resolved; // next_mac is known and thought to be good
	bool fixed;    // it was set by hand and needs no keeping
	uint8_t next_mac[6], own_mac[6];
};

// -ENETUNREACH and the like as the kernel says. hardware: the next hop's is wanted, too; where a
// route has several and none is known, the kernel is asked to resolve the others.
int xy_underlay_path(const struct xy_underlay *u, const struct xy_endpoint *to, bool hardware,
		     struct xy_underlay_path *out);
// Asks the kernel to resolve the next hop, or to keep it resolved: it does not see our traffic
// (NTF_USE). One that was left is tried again.
void xy_underlay_use(const struct xy_underlay *u, const struct xy_underlay_path *path);
// What an interface is a part of (a bridge, a bond) that takes its packets and has the addresses;
// "": nothing. A VRF leaves both to it. -errno of the kernel.
int xy_underlay_master(const struct xy_underlay *u, unsigned ifindex, char out[static IF_NAMESIZE]);
// The largest MTU of an interface that is up, loopback aside; 0 when there is none.
uint32_t xy_underlay_mtu_largest(const struct xy_underlay *u);
