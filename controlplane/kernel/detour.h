// SPDX-License-Identifier: BSD-3-Clause
// All traffic of this host that no route of its main table but a default one would take goes by a
// table of ours, but for what bears a mark: rules of policy routing in each family, and the table's
// default route, as wg-quick(8) has them. A rule that refuses stands behind, so that nothing goes
// past the interface when that goes. Rules outlive their maker: they are known by their protocol
// and table, and are taken away by the next start of their instance. The first one is the same for
// all instances, and goes with the last one's. Control thread only.
#pragma once

#include "kernel/netlink.h"

enum {
	XY_DETOUR_MAIN = 31790, // priority of: the main table, but not its default routes
	XY_DETOUR_OURS,		// and behind it of: our table, for what bears no mark
	XY_DETOUR_REFUSED,	// and of: nothing, where that is empty
};

struct xy_detour {
	uint32_t mark;	  // of what goes on as without us: the datagrams of links
	unsigned ifindex; // where all else goes
	bool v4, v6;	  // else all of the family is refused
};

// Table of an instance: the same at each start, and hardly another's. As a mark it has none of the
// bits that others are known to use.
uint32_t xy_detour_table(const char *instance);
// Makes what is there what is wanted; NULL: nothing. Returns how much was missing, or was there and
// should not be; -errno: not all could be done, and what could is.
int xy_detour_make(struct xy_netlink *n, uint32_t table, const struct xy_detour *want);
// Makes the refusal alone, where it is missing. Returns as xy_detour_make.
int xy_detour_refuse(struct xy_netlink *n, uint32_t table, uint32_t mark);
// Are there rules of that table, of whenever?
bool xy_detour_is_there(struct xy_netlink *n, uint32_t table);
// Has another instance rules here, or was it killed? Its table; 0: none has, or nobody can tell.
uint32_t xy_detour_other(struct xy_netlink *n, uint32_t table);
// Is this change (xy_netlink see) one of a rule, or of a route in that table?
bool xy_detour_is_about(const struct nlmsghdr *h, uint32_t table);
