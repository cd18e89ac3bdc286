// SPDX-License-Identifier: BSD-3-Clause
// Lanes' place in the daemon: between node info, which asks and tells them, and exchanges, which
// choose by them. Control thread.
#pragma once

#include "exchange/exchange.h"
#include "nodeinfo/nodeinfo.h"

struct xy_daemon;

uint8_t xy_lanes_most(const struct xy_daemon *d); // of a session, by the config in force
// Of exchanges (xy_exchanges_config), and of node info (xy_nodeinfo_ops).
bool xy_lanes_ask(void *daemon, const struct xy_exchange *x, const struct xy_nodeinfo_lanes *q);
bool xy_lanes_asked(void *daemon, const struct xy_addr *from, const struct xy_nodeinfo_lanes *q,
		    struct xy_nodeinfo_lanes *out);
void xy_lanes_told(void *daemon, const struct xy_addr *from, const struct xy_nodeinfo_lanes *its,
		   xy_nsec now);
