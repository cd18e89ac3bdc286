// SPDX-License-Identifier: BSD-3-Clause
// What we ask of the kernel about its interfaces and routes. Control thread only. Everything that
// is set here hangs on the host interface and is gone with it.
#pragma once

#include "base/err.h"
#include "base/ip.h"

#include <stdbool.h>
#include <stdint.h>

struct mnl_socket;

struct xy_netlink {
	struct mnl_socket *ask;	   // requests, answered at once
	struct mnl_socket *listen; // changes of links, addresses and routes
	uint32_t seq;
};

int xy_netlink_open(struct xy_netlink *n, struct xy_err *err);
void xy_netlink_close(struct xy_netlink *n);
int xy_netlink_fd(const struct xy_netlink *n); // readable: something changed
// Reads what there is. True when something changed that may touch a path MTU.
bool xy_netlink_drain(struct xy_netlink *n);

// 0 or -errno of the kernel.
// No link-local address of the kernel's making, so no router solicitations. Before it is up.
int xy_netlink_link_quiet(struct xy_netlink *n, unsigned ifindex);
int xy_netlink_link_set(struct xy_netlink *n, unsigned ifindex, uint32_t mtu, bool up);
// host bits are kept: the address is one, its length is of the network it is in.
int xy_netlink_address_add(struct xy_netlink *n, unsigned ifindex, const struct xy_prefix *address);
// -EEXIST where another has one: it may be what the underlay runs on, and is never replaced.
int xy_netlink_route_add(struct xy_netlink *n, unsigned ifindex, const struct xy_prefix *prefix);
int xy_netlink_route_del(struct xy_netlink *n, unsigned ifindex, const struct xy_prefix *prefix);
