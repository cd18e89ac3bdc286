// SPDX-License-Identifier: BSD-3-Clause
// What the mesh may reach of this host (host.allow), kept in force: rules of ours in the kernel's
// packet filter, for what comes by the host interface (policy/). They are there before it is, are
// replaced at a reload or not at all, follow the interface's name, and are put back when somebody
// takes them away, ever later when that goes on. Where they cannot be made the daemon goes on and
// says so. Control thread only; what waits for the kernel is done on a helper.
#pragma once

#include "base/err.h"
#include "base/time.h"
#include "policy/nft.h"

#include <stdbool.h>
#include <stddef.h>

struct xy_config;
struct xy_daemon;
struct xy_inbound;

int xy_inbound_up(struct xy_daemon *d, struct xy_err *err); // before the interface, if there is one
int xy_inbound_start(struct xy_daemon *d, struct xy_err *err); // the loop is there
void xy_inbound_stop(struct xy_daemon *d);		       // before it closes
void xy_inbound_down(struct xy_daemon *d); // the rules go, after the interface went

xy_nsec xy_inbound_deadline(const struct xy_daemon *d); // as of a seat
void xy_inbound_run(struct xy_daemon *d);
void xy_inbound_second(struct xy_daemon *d); // at each tick
// The plan, a key or the interface's name may be another.
void xy_inbound_update(struct xy_daemon *d);
// A config that is to come into force has other rules. True: then(arg, why) follows, not from
// within; why is NULL, or says why the old ones stay. False: there is nothing to do.
bool xy_inbound_change(struct xy_daemon *d, const struct xy_config *c,
		       void (*then)(void *arg, const struct xy_err *why), void *arg);

// --- for people
bool xy_inbound_is_enforced(const struct xy_daemon *d);
const char *xy_inbound_word(const struct xy_daemon *d, char *to, size_t size);
// What is wrong, and what to do; NULL: nothing.
const char *xy_inbound_trouble(const struct xy_daemon *d);
// False: there are none.
bool xy_inbound_counts(const struct xy_daemon *d, struct xy_nft_count v[static XY_POLICY_COUNTERS]);
void xy_inbound_policy_of(const struct xy_daemon *d, struct xy_policy_of *out);
