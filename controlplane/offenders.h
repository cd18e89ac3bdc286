// SPDX-License-Identifier: BSD-3-Clause
// Whose was what the control plane dropped, as the dataplane has it of what workers drop: of each
// reason how many of each peer, and where the last one came from. All that may be anybody's is one
// record of each reason, so that no flood fills anything. Only who had nothing dropped for ten
// minutes gives way to another: who finds no place is counted with the reason alone, and his goes
// with his number. Memory grows by those who have a record, to XY_OFFENDERS of a reason. Control
// thread only.
#pragma once

#include "base/map.h"
#include "dataplane.h"

enum { XY_OFFENDERS = 1024, XY_OFFENDERS_REASONS = 32 };

struct xy_offenders_reason {
	uint64_t packets, no_room;	   // no_room: of these, that found none
	struct xy_dp_blame strangers, *of; // strangers: packets 0: none
	uint32_t count, room;		   // of `of`
	uint32_t hand;			   // where one that gives way was looked for last
};

struct xy_offenders {
	struct xy_offenders_reason reason[XY_OFFENDERS_REASONS];
	struct xy_map place; // by number and reason
};

int xy_offenders_init(struct xy_offenders *o); // zeroed; -ENOMEM
void xy_offenders_fini(struct xy_offenders *o);

// One that came, or one that could not be sent. `of` as in struct xy_dp_blame. at NULL: its address
// is not known. inside: that is the overlay's.
struct xy_offence {
	uint32_t of;
	const struct xy_endpoint *at;
	bool inside, unsent;
	xy_nsec when;
};
void xy_offenders_add(struct xy_offenders *o, unsigned reason, const struct xy_offence *x);
void xy_offenders_forget(struct xy_offenders *o, uint32_t of); // the number is another's from now

uint64_t xy_offenders_packets(const struct xy_offenders *o, unsigned reason);
uint64_t xy_offenders_no_room(const struct xy_offenders *o, unsigned reason);
// Those of a reason, in any order, for the caller to free. -ENOMEM.
int xy_offenders_list(const struct xy_offenders *o, unsigned reason, struct xy_dp_blame **out,
		      unsigned *count);
