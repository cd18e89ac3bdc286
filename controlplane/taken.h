// SPDX-License-Identifier: BSD-3-Clause
// What no default holds that is accepted of somebody (an exit, most of all): what the config says
// is another's, and the networks that this host is on by other interfaces, as they are now. Without
// these an exit could send as a neighbour on the LAN, and get what a rule gives that one. Control
// thread only.
#pragma once

struct nlmsghdr;
struct xy_daemon;
struct xy_taken;

void xy_taken_tell(struct xy_daemon *d); // d->accepts is another
// The kernel tells of a change (xy_netlink see); NULL: some were lost.
void xy_taken_heard(struct xy_daemon *d, const struct nlmsghdr *h);
void xy_taken_second(struct xy_daemon *d); // at each tick
void xy_taken_free(struct xy_daemon *d);
