// SPDX-License-Identifier: BSD-3-Clause
// What the host is like for a node: each thing ok, such that it could be better, or wrong, with
// what that means and what to type. It reads /sys and /proc below a root, so that a test can make
// one up; what only a system call tells is asked where the root is the real one. One thread.
#pragma once

#include "config/config.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct xy_doctor {
	const char *root;		// "": the machine's own
	const struct xy_config *config; // what could be read of it, or the defaults
	const json_t *node, *ports;	// the daemon's replies; NULL: it does not run
	json_t *rows; // [{"state", "what", "found", "means", "type"}], as they were looked at
};

enum xy_doctor_state { XY_DOCTOR_OK, XY_DOCTOR_BETTER, XY_DOCTOR_WRONG };

void xy_doctor_kernel(struct xy_doctor *d); // kernel, clock, memory, CPUs: doctor_host.c
void xy_doctor_net(struct xy_doctor *d);    // conntrack, rp_filter, forwarding: doctor_net.c
void xy_doctor_cards(struct xy_doctor *d);  // each card: doctor_card.c

// doctor_host.c: what the files share. means, type: "" where there is nothing to say.
void xy_doctor_row(struct xy_doctor *d, enum xy_doctor_state state, const char *what,
		   const char *found, const char *means, const char *type);
// The first line of a file below the root. False: it is not there, or empty.
__attribute__((format(printf, 4, 5))) bool xy_doctor_read(const struct xy_doctor *d, char *to,
							  size_t size, const char *fmt, ...);
// Its number; below 0: there is none.
__attribute__((format(printf, 2, 3))) long xy_doctor_number(const struct xy_doctor *d,
							    const char *fmt, ...);
// Names in a folder that begin so, sorted; a call for each.
void xy_doctor_each(struct xy_doctor *d, const char *folder, const char *begin,
		    void (*see)(struct xy_doctor *d, const char *name, void *arg), void *arg);
