// SPDX-License-Identifier: BSD-3-Clause
// The book of peers: who is one, as each source has it. The first source in order of precedence is
// in force for a key, and whoever follows takes what is new from a list, as much at a time as he
// can: first whom nobody wants any more, then who came or is to be treated otherwise. So a source
// says what it wants and knows nobody else, and a new one is a line in this list. No part has the
// book: the daemon gives it to each that has peers. A change costs the same whatever the size.
// Control thread only; what entries point to is their source's, and lives until it has said
// something else, or took it back.
#pragma once

#include "base/map.h"
#include "config/config.h"
#include "noise/handshake.h"

// By precedence: what this start was told, what the file says, who was added at run time (so that
// who is written into the file later is the file's), who answered where a peer without a key should
// be, whom a registry named, and last who came by himself.
enum xy_book_source {
	XY_BOOK_COMMAND_LINE, // --peer
	XY_BOOK_CONFIG,	      // the file
	XY_BOOK_RUNTIME,      // steer/runtime.c: xylem peer add
	XY_BOOK_PIN,	      // joining/join.c
	XY_BOOK_REGISTRY,     // peers/registry.c: xylem-fleet
	XY_BOOK_OPEN,	      // links/strangers.c: comes and goes with the link
	XY_BOOK_SOURCES
};

extern const char *const xy_book_source_names[]; // for people

struct xy_book_peer {
	struct xy_key key;
	enum xy_book_source source;
	uint32_t mark;			   // its source's own, kept as it was given
	const struct xy_config_peer *says; // how it is to be treated; the key there does not count
	const struct xy_hs_remote *remote; // what handshakes with it need
};

struct xy_book_list {
	uint32_t head, tail;
};

struct xy_book {
	struct xy_book_node *node; // [used], by number; some are free
	uint32_t used, room, free; // free: the first
	struct xy_map by_key;
	uint8_t hash_key[16]; // secret: strangers choose keys
	struct xy_book_list gone, come, waiting;
};

int xy_book_init(struct xy_book *b, uint32_t peers); // for so many in place; -ENOMEM
void xy_book_fini(struct xy_book *b);

// Adds or changes what p->source has on the key; where that is in force, it is news. -ENOMEM: it
// stands as before.
int xy_book_set(struct xy_book *b, const struct xy_book_peer *p);
void xy_book_del(struct xy_book *b, const struct xy_key *key, enum xy_book_source source);
// Takes back what the sources (a bit each) said under another mark, from *at (0 at first) on, *max
// steps at most; true: there is more.
bool xy_book_sweep(struct xy_book *b, unsigned sources, uint32_t mark, uint32_t *at, unsigned *max);

// What one source has on a key; what is in force for it. False: nothing.
bool xy_book_get(const struct xy_book *b, const struct xy_key *key, enum xy_book_source source,
		 struct xy_book_peer *out);
bool xy_book_in_force(const struct xy_book *b, const struct xy_key *key, struct xy_book_peer *out);

// What is in force now for the next key where that changed since this last gave it; says is NULL:
// nothing. False: no news.
bool xy_book_news(struct xy_book *b, struct xy_book_peer *out);
bool xy_book_has_news(const struct xy_book *b);
// Who follows has no room for it: it is news again when he wakes those that wait.
void xy_book_wait(struct xy_book *b, const struct xy_key *key);
void xy_book_wake(struct xy_book *b);
