// SPDX-License-Identifier: BSD-3-Clause
// The machine goes on where it had stopped: after a suspend sessions are older than timers, which
// stood still, have noticed. Control thread.
#pragma once

#include "base/time.h"

#include <stdbool.h>

struct xy_daemon;

struct xy_resume {
	xy_nsec slept; // in suspends since the machine's start
	bool known;
};

void xy_resume_look(struct xy_daemon *d); // a few times a second
