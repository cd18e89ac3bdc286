// SPDX-License-Identifier: BSD-3-Clause
// From where peers say that they see us send: behind a NAT nobody else knows. One alone may lie,
// and two may; so what comes of it is somewhere to try, and never anything more. Pure, one thread;
// the caller's memory, zeroed at first; time is given.
#pragma once

#include "base/ip.h"
#include "base/time.h"

enum {
	XY_SEEN_PEERS = 32, // whose words are kept; then the oldest goes
	XY_SEEN_VOTES = 2,  // that must say the same
	XY_SEEN_PLACES = 2, // one of each family, at most
};
#define XY_SEEN_LIFE (600 * XY_SEC) // of a word that nobody said again

struct xy_seen_word {
	struct xy_addr from;   // a peer's, in 200::/7
	struct xy_endpoint at; // port 0: nothing
	xy_nsec when;
};

struct xy_seen {
	struct xy_seen_word word[XY_SEEN_PEERS];
};

// How a NAT between us and them makes ports (RFC 4787, 4.1).
enum xy_seen_mapping {
	XY_SEEN_UNKNOWN, // too few said something
	XY_SEEN_ALIKE,	 // the same for all: endpoint independent
	XY_SEEN_APART,	 // the same address, and another port for each: nobody else's is of use
};

// What a peer said last; port 0: nothing. What is no address of the open Internet (private, shared,
// link-local, of the mesh) counts as nothing: behind two NATs it would be another's.
void xy_seen_told(struct xy_seen *s, const struct xy_addr *from, const struct xy_endpoint *at,
		  xy_nsec now);
// Of each family where most say that we are, and at least XY_SEEN_VOTES do. How many.
unsigned xy_seen_places(const struct xy_seen *s, xy_nsec now,
			struct xy_endpoint out[static XY_SEEN_PLACES]);
enum xy_seen_mapping xy_seen_mapping(const struct xy_seen *s, xy_nsec now);
