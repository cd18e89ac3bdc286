// SPDX-License-Identifier: BSD-3-Clause
// What we set on the host interface in the kernel. Control thread only. All of it hangs on the
// interface and is gone with it. Functions return 0 or -errno of the kernel.
#pragma once

#include "kernel/netlink.h"

// No link-local address of the kernel's making, so no router solicitations. Before it is up.
int xy_hostlink_quiet(struct xy_netlink *n, unsigned ifindex);
int xy_hostlink_set(struct xy_netlink *n, unsigned ifindex, uint32_t mtu, bool up);
struct xy_hostlink_address {
	struct xy_prefix at; // host bits are kept: the address, and how long its network is
	bool alone; // the network is not on this link: no route to it comes with the address
	bool again; // it was there: -EEXIST where it still is
};
int xy_hostlink_address_add(struct xy_netlink *n, unsigned ifindex,
			    const struct xy_hostlink_address *address);
int xy_hostlink_address_del(struct xy_netlink *n, unsigned ifindex,
			    const struct xy_hostlink_address *address); // -EADDRNOTAVAIL

// Who made a route stands in it, as a number: none of those that others are known by (`ip route`:
// proto 120), so that what is ours is told from what people and other daemons put there.
enum { XY_HOSTLINK_PROTOCOL = 120 };

struct xy_hostlink_route {
	struct xy_prefix prefix;
	bool add;	 // else it is taken away, if it is ours
	bool again;	 // it was there, and may still be
	uint32_t metric; // 0: as the kernel has it for routes without
	int result;	 // out: -EEXIST where there is one of this metric, which is never replaced:
			 // the underlay may run on it
};
enum { XY_HOSTLINK_BATCH = 64 }; // at about 10 us each: below 1 ms
// Tells the kernel of at most XY_HOSTLINK_BATCH routes in one go.
void xy_hostlink_routes(struct xy_netlink *n, unsigned ifindex, struct xy_hostlink_route *routes,
			unsigned count);
// Takes away what an earlier run left on an interface that outlives us.
void xy_hostlink_routes_flush(struct xy_netlink *n, unsigned ifindex);

enum xy_hostlink_what {
	XY_HOSTLINK_OTHER,	// nothing that concerns us
	XY_HOSTLINK_LINK,	// how the interface is now: name, mtu, up
	XY_HOSTLINK_GONE,	// the interface was deleted
	XY_HOSTLINK_NO_ADDRESS, // it lost an address
	XY_HOSTLINK_NO_ROUTE,	// somebody's route for the prefix is gone from the main table
	XY_HOSTLINK_REPLACED,	// a route by another interface took the place of one for the prefix
};
struct xy_hostlink_event {
	enum xy_hostlink_what what;
	char name[16];
	uint32_t mtu;
	bool up;
	struct xy_prefix prefix;
};
// How the interface is now; -ENODEV where it is no more.
int xy_hostlink_get(struct xy_netlink *n, unsigned ifindex, struct xy_hostlink_event *out);
// Reads a change that the kernel tells of (xy_netlink see).
void xy_hostlink_event_read(const struct nlmsghdr *h, unsigned ifindex,
			    struct xy_hostlink_event *out);

// As seen from us: received is what the host sends into the overlay. Missed: for want of room in
// the interface's queue; errors: the kernel did not take what we gave it.
struct xy_hostlink_counters {
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes, rx_missed, tx_errors;
};
int xy_hostlink_counters(struct xy_netlink *n, unsigned ifindex, struct xy_hostlink_counters *out);
