// SPDX-License-Identifier: BSD-3-Clause
// What is known of peers only by asking each: how many are up, and who is lost. With thousands of
// them that is milliseconds, so it is counted in slices, and who asks for the node is answered when
// it is done. Control thread only.
#pragma once

#include "api/server.h"
#include "base/time.h"

enum { XY_TALLY_LOST = 16 }; // that are named; of the others how many

struct xy_daemon;

struct xy_tally_count {
	unsigned up, sessions;
	unsigned lost;		       // something stands against them
	char text[XY_TALLY_LOST][200]; // of the first of them
};

struct xy_tally {
	struct xy_tally_count last; // whole
	struct xy_tally_count going;
	bool is_going;
	unsigned at;
	struct json_t *(*answer)(const struct xy_daemon *d);
	uint64_t ticket[XY_SERVER_CLIENTS]; // of requests that wait for its end
	unsigned tickets;
};

// Counts anew. True: it is done, with few peers at once. False: ticket is answered later with what
// t->answer says; 0 is nobody's.
bool xy_tally_ask(struct xy_daemon *d, uint64_t ticket);
// A slice, as a seat's.
xy_nsec xy_tally_deadline(const struct xy_daemon *d);
void xy_tally_run(struct xy_daemon *d);
