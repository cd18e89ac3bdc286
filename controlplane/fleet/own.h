// SPDX-License-Identifier: BSD-3-Clause
// Our own record: what the daemon says of this node, signed by it, published again after half of
// its life, when anything in it changes, and when another of our key stands in the registry. Its
// epoch is kept before it leaves this process. The loop's thread.
#pragma once

#include "fleet/fleet.h"

struct xy_fleet_own_state {
	uint64_t epoch, expires; // of the last one that was given to the source; 0: none
	uint64_t published;	 // uv_now when it was there; 0: not yet
	uint64_t count;		 // published so far
	bool ended;		 // it said that we left
	const char *why;	 // it is not there, or will not be believed; NULL: all is well
	const char *text;	 // NULL: none
	const struct xy_fleet_record *record;
};

int xy_fleet_own_create(struct xy_fleet *f, struct xy_fleet_own **out);
// Looks at once: something changed.
void xy_fleet_own_look(struct xy_fleet_own *o);
// A record of ours came from the source.
void xy_fleet_own_seen(struct xy_fleet_own *o, const char *text, size_t len);
// As the source's op says.
void xy_fleet_own_sign(struct xy_fleet_own *o, const struct xy_prefix *claim, uint64_t since,
		       xy_fleet_source_signed *done, void *arg);
// Publishes that we left; done once that is there, or cannot be.
void xy_fleet_own_leave(struct xy_fleet_own *o, xy_fleet_source_done *done, void *arg);
void xy_fleet_own_tell(const struct xy_fleet_own *o, struct xy_fleet_own_state *out);
// Before the daemon and the source are closed: what they still say is let go.
void xy_fleet_own_close(struct xy_fleet_own *o);
