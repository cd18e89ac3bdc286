// SPDX-License-Identifier: BSD-3-Clause
// Finding nodes on a LAN: a signed beacon by link-local multicast on each interface that the config
// lists, or on all that can, and what is heard there goes to joining. Interfaces are followed while
// they come and go. Control thread only.
#pragma once

#include "base/err.h"
#include "base/ip.h"

struct xy_daemon;
struct xy_discovery;

int xy_discovery_start(struct xy_daemon *d, struct xy_err *err); // handles on d->loop
void xy_discovery_second(struct xy_daemon *d);			 // once a second
void xy_discovery_stop(struct xy_daemon *d);			 // before the loop closes
void xy_discovery_close(struct xy_daemon *d);			 // after
// The interfaces' prefixes, for peering that is open to the LAN: is from on one of them?
bool xy_discovery_is_near(const struct xy_daemon *d, const struct xy_endpoint *from);
// Is it a link-local address of this host? In doubt it is.
bool xy_discovery_is_here(const struct xy_daemon *d, const struct xy_endpoint *at);
// The interfaces that it is on now. NULL behind the last.
const char *xy_discovery_interface(const struct xy_daemon *d, unsigned at);
