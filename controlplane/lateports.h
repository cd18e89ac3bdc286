// SPDX-License-Identifier: BSD-3-Clause
// Socket ports with an address of their own, which may come late: it is still under duplicate
// address detection, or DHCP or VRRP bring it. Such a port waits, and opens when its address is
// there. One whose address goes keeps its sockets, which work again when it is back; that is said.
// Control thread only.
#pragma once

#include "config/config.h"
#include "dataplane.h"

struct xy_daemon;

struct xy_late_ports {
	unsigned count;
	struct xy_late_port {
		struct xy_dp_port_config cfg;
		bool open;
		bool away; // open, but its address has gone
		bool told; // that it does not open, although its address is there
		unsigned id;
	} port[XY_CONFIG_PORTS];
};

// Opens a socket port, or notes that it waits for its address.
int xy_late_port_open(struct xy_daemon *d, const struct xy_dp_port_config *cfg, struct xy_err *err);
// Addresses may have changed. True: a port has opened.
bool xy_late_ports_look(struct xy_daemon *d);
bool xy_late_ports_wait(const struct xy_daemon *d); // is any not open?
// What is waited for, for people: the i-th; false: there are no more.
bool xy_late_ports_text(const struct xy_daemon *d, unsigned i, char *to, size_t size);
