// SPDX-License-Identifier: BSD-3-Clause
// The machine goes on where it had stopped. After a suspend sessions are older than timers, which
// stood still, have noticed; from a snapshot of a virtual machine a copy may go on elsewhere, with
// the same keys and counters. Control thread.
#pragma once

#include "base/time.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct xy_daemon;

struct xy_resume {
	xy_nsec slept; // in suspends since the machine's start
	bool known;
	int uevents; // the kernel's; < 0: none
	uv_poll_t poll;
	const void *vmclock; // the device's page; NULL: there is none
	bool generation_known;
	uint64_t generation;
};

void xy_resume_start(struct xy_daemon *d); // what there is none of is not watched
void xy_resume_stop(struct xy_daemon *d);
void xy_resume_look(struct xy_daemon *d); // in each turn of the loop: at rest each other second
