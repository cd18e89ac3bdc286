// SPDX-License-Identifier: BSD-3-Clause
// The addresses of this host, and the interfaces that they are on, as the kernel tells them.
// Control thread; what is read is freed by _free.
#pragma once

#include "kernel/netlink.h"

struct xy_host_address {
	struct xy_addr addr; // v4-mapped for IPv4
	unsigned ifindex;
	uint8_t len; // of the network that is on that link
	bool usable; // the kernel sends from it: not tentative, and no duplicate
};

struct xy_host_addresses {
	struct xy_host_address *v; // by address, then by interface
	unsigned count, room;
};

// Reads them anew; *a begins as zeros. On failure what was read before stays: -EINTR when
// they changed meanwhile (the next change is told of), -ENOMEM, or as the kernel says.
int xy_host_addresses_read(struct xy_netlink *n, struct xy_host_addresses *a);
// The first entry of this address, which may be on several interfaces; count when there is none.
unsigned xy_host_addresses_find(const struct xy_host_addresses *a, const struct xy_addr *addr);
// Those whose packets may come by an interface, for at most max: its own first, then, with others,
// those of other interfaces but link-local ones. None of the overlay, of loopback's own, or that is
// not usable.
unsigned xy_host_addresses_at(const struct xy_host_addresses *a, unsigned ifindex, bool others,
			      struct xy_addr *out, unsigned max);
void xy_host_addresses_free(struct xy_host_addresses *a);
