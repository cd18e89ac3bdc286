// SPDX-License-Identifier: BSD-3-Clause
// What we set on the host interface in the kernel. Control thread only. All of it hangs on the
// interface and is gone with it. Functions return 0 or -errno of the kernel.
#pragma once

#include "kernel/netlink.h"

// No link-local address of the kernel's making, so no router solicitations. Before it is up.
int xy_hostlink_quiet(struct xy_netlink *n, unsigned ifindex);
int xy_hostlink_set(struct xy_netlink *n, unsigned ifindex, uint32_t mtu, bool up);
// host bits are kept: the address is one, its length is of the network it is in.
int xy_hostlink_address_add(struct xy_netlink *n, unsigned ifindex,
			    const struct xy_prefix *address);

struct xy_hostlink_route {
	struct xy_prefix prefix;
	bool add;   // else it is taken away
	int result; // out: -EEXIST where another has one, which is never replaced: the underlay
		    // may run on it
};
enum { XY_HOSTLINK_BATCH = 64 }; // at about 10 us each: below 1 ms
// Tells the kernel of at most XY_HOSTLINK_BATCH routes in one go.
void xy_hostlink_routes(struct xy_netlink *n, unsigned ifindex, struct xy_hostlink_route *routes,
			unsigned count);
