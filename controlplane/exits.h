// SPDX-License-Identifier: BSD-3-Clause
// Exits. Of the one that is used: this host's traffic goes by the host interface, by rules and a
// table of our own (kernel/detour.h), which are put back when somebody takes them away and never
// let anything past, and the datagrams of links are marked so that they go as before. Of the one
// that is offered: what this host needs for it (forwarding, NAT) is the user's to make; it is
// looked for, and said when it is missing. Control thread only; what is read of the kernel's packet
// filter is read on a helper.
#pragma once

#include "base/err.h"
#include "base/time.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct json_t;
struct nlmsghdr;
struct xy_config;
struct xy_daemon;
struct xy_exits;

// Ports are open, and nothing was sent: what a killed daemon left goes, or they are marked.
int xy_exits_up(struct xy_daemon *d, struct xy_err *err);
void xy_exits_begin(struct xy_daemon *d); // all is up, so the interface, too
// Before it goes. ordered: somebody said stop; else what keeps traffic in stays for the next start.
void xy_exits_down(struct xy_daemon *d, bool ordered);
// d->plan is another, in the place of old.
void xy_exits_apply(struct xy_daemon *d, const struct xy_config *old);

xy_nsec xy_exits_deadline(const struct xy_daemon *d); // as of a seat
void xy_exits_run(struct xy_daemon *d);
void xy_exits_second(struct xy_daemon *d); // at each tick
// The kernel tells of a change (xy_netlink see); NULL: some were lost.
void xy_exits_heard(struct xy_daemon *d, const struct nlmsghdr *h);
void xy_exits_look_soon(struct xy_daemon *d); // the interface was changed, or made anew

// --- for people
// "offered to 2", "by NAME"; NULL: none.
const char *xy_exits_word(const struct xy_daemon *d, char *to, size_t size);
void xy_exits_warnings(const struct xy_daemon *d, struct json_t *list);
// What has to be typed for an exit that is offered, for --check.
void xy_exits_print(FILE *to, const struct xy_config *c, const char *interface);
