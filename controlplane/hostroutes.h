// SPDX-License-Identifier: BSD-3-Clause
// The kernel's routes by the host interface: 200::/7 and our /64, and for what lies outside those
// in force in the table of routes, change by change. Control thread only.
#pragma once

#include "base/err.h"
#include "base/ip.h"
#include "base/time.h"

struct xy_daemon;
struct xy_hostroutes;

int xy_hostroutes_own_add(struct xy_daemon *d, struct xy_err *err); // the interface is there
// All others, now and as they change, until _close.
int xy_hostroutes_follow(struct xy_daemon *d, struct xy_err *err);
void xy_hostroutes_close(struct xy_daemon *d);

void xy_hostroutes_again(struct xy_daemon *d);	  // those that are missing, in slices
void xy_hostroutes_reloaded(struct xy_daemon *d); // what no config named may be named now
void xy_hostroutes_rest(struct xy_daemon *d);	  // not, since the interface is gone
// Changes are brought to the kernel, about 1 ms at a time. Returns how many it had lost and has
// again, once all are told.
xy_nsec xy_hostroutes_deadline(const struct xy_daemon *d);
unsigned xy_hostroutes_run(struct xy_daemon *d);

// Is a route for the prefix among those that the kernel is to have?
bool xy_hostroutes_wants(const struct xy_daemon *d, const struct xy_prefix *p);
// There is a default route, which the kernel was not told of.
bool xy_hostroutes_default_left(const struct xy_daemon *d);
// The kernel would send datagrams for an underlay address into our own interface: the route that
// has it do so is taken back. False: it is none of ours.
bool xy_hostroutes_withhold(struct xy_daemon *d, const struct xy_addr *underlay);
bool xy_hostroutes_withholds(const struct xy_daemon *d); // some route, now
