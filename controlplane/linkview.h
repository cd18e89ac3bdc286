// SPDX-License-Identifier: BSD-3-Clause
// A link as those see it who run over it: what becomes of it, whether it answers, what it carries.
// Links give the view (xy_links_view), routing is given it, and neither knows the other. Control
// thread only; strings and keys are good until the next call.
#pragma once

#include "base/time.h"
#include "config/config.h"
#include "identity/identity.h"

enum xy_link_change {
	XY_LINK_SET, // it is there, or is to be treated otherwise: says()
	XY_LINK_CAME_UP,
	XY_LINK_WENT_DOWN,
	XY_LINK_REMOVED,
	XY_LINK_NO_WAY, // this host knows none to the peer: it cannot be reached
	XY_LINK_WAY,	// and now it does, or another one than before
	XY_LINK_DOUBT,	// a sign that anybody can forge says that nothing reaches it
};

// Does it answer? UNSURE: it was not asked, or not for long enough. LOST, too: no such peer.
enum xy_link_health { XY_LINK_WELL, XY_LINK_UNSURE, XY_LINK_LOST };

// What a link's path is probed with; sizes are of IP datagrams, bytes.
struct xy_link_path {
	struct xy_endpoint remote;
	uint32_t limit;	   // by interface and route
	uint32_t icmp;	   // as ICMP told; 0: nothing
	uint32_t floor;	   // that must pass, in fragments or not
	uint32_t overhead; // of it
	bool probed;	   // what was said to be found is in force: not since it is somewhere else
};

// What probing found.
struct xy_link_probed {
	uint32_t size;	// goes whole; 0: nothing is known to
	bool confirmed; // by an answer to a probe
	bool lost;	// fragments are needed, and do not arrive
};

// As the functions of links.h whose names they bear.
struct xy_linkview {
	void *arg;
	const char *(*name)(void *arg, uint32_t slot);
	const struct xy_key *(*key)(void *arg, uint32_t slot);
	bool (*is_open)(void *arg, uint32_t slot);
	const struct xy_config_peer *(*says)(void *arg, uint32_t slot);
	enum xy_link_health (*health)(void *arg, uint32_t slot, xy_nsec now);
	void (*ask)(void *arg, uint32_t slot, xy_nsec now);
	bool (*path)(void *arg, uint32_t slot, struct xy_link_path *out);
	void (*probed)(void *arg, uint32_t slot, const struct xy_link_probed *found);
};
