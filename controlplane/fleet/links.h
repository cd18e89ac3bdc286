// SPDX-License-Identifier: BSD-3-Clause
// To whom links are held: of the nodes in the book those that lib/fleet/choose names, by round
// trips that the daemon measured, and all plain devices. The daemon is told of each for as long as
// its record is good, so that it needs no agent meanwhile; and of all nodes that they may link to
// us. The loop's thread.
#pragma once

#include "fleet/choose.h"
#include "fleet/fleet.h"

enum { XY_FLEET_DEVICES = 4096 };

struct xy_fleet_link {
	enum xy_fleet_why why;
	uint64_t since;	      // uv_now, of why
	bool told;	      // the daemon has it of us
	bool up;	      // the link is
	uint32_t rtt_us;      // 0: not known
	const char *peer;     // as the daemon calls it; "": not told
	const char *in_force; // another source of the daemon's that has it; "": none
	const char *trouble;  // why the daemon does not take it; "": it does
};

struct xy_fleet_links_sum {
	unsigned wanted, told, up, devices;
	uint64_t added, changed, forgotten, refused; // so far
};

int xy_fleet_links_create(struct xy_fleet *f, struct xy_fleet_links **out);
// Something in the book is another than it was; the daemon knows nothing any more.
void xy_fleet_links_look(struct xy_fleet_links *l);
void xy_fleet_links_untold(struct xy_fleet_links *l);
void xy_fleet_links_device(struct xy_fleet_links *l, const char *entry,
			   const struct xy_fleet_device *d);
void xy_fleet_links_device_gone(struct xy_fleet_links *l, const char *entry);
const struct xy_fleet_device *xy_fleet_links_device_at(const struct xy_fleet_links *l, unsigned nth,
						       struct xy_fleet_link *out); // NULL: no more
// Of the node at that place of the book.
void xy_fleet_links_tell(const struct xy_fleet_links *l, uint32_t at, struct xy_fleet_link *out);
void xy_fleet_links_sum(const struct xy_fleet_links *l, struct xy_fleet_links_sum *out);
// Takes back all that the daemon was told; done once it was.
void xy_fleet_links_leave(struct xy_fleet_links *l, void (*done)(void *arg), void *arg);
// Before the daemon is closed: what it still says is let go.
void xy_fleet_links_close(struct xy_fleet_links *l);
