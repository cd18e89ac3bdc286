// SPDX-License-Identifier: BSD-3-Clause
// What the kernel does with packets between it and the host interface, above all those that it
// drops because the interface's queue is full: no worker sees them. Control thread only.
#pragma once

#include "base/time.h"
#include "kernel/hostlink.h"

struct xy_daemon;

struct xy_hostqueue {
	uint64_t taken;	       // from the host, when it was looked at last
	uint64_t missed, told; // dropped, and how many of these were said
	xy_nsec looked, grew, said;
};

void xy_hostqueue_begin(struct xy_daemon *d); // the interface is there: what it counted is past
void xy_hostqueue_look(struct xy_daemon *d, xy_nsec now); // once a second; seldom asks the kernel
// As the kernel counts now; -ENODEV without an interface.
int xy_hostqueue_counters(struct xy_daemon *d, struct xy_hostlink_counters *out);
// They were dropped within the last minute.
bool xy_hostqueue_is_full(const struct xy_daemon *d, xy_nsec now);
