// SPDX-License-Identifier: BSD-3-Clause
// A Babel speaker over a carrier: the honest machine of lib/babel, a second, made-up link of it
// from which a table of claims is fed, and a way to say things that the machine would not. One
// thread; owns the machine, and what it heard.
#pragma once

#include "carrier.h"
#include "claims.h"

enum { SPEAKER_LINK = 0 }; // the machine's link to the neighbour

struct speaker_options {
	bool plain;		     // the neighbour is a stock router, or takes us for one
	unsigned announce;	     // so many unsigned /64s of our own (plain)
	struct claims table;	     // to be passed on, as if each origin were behind us
	bool open;		     // the neighbour is a stranger, and brings what one may
	bool silent;		     // says Hello and nothing of its own
	bool log;		     // a line for each Update heard
	bool record;		     // keeps the newest claim of each prefix heard
	const struct xy_prefix *own; // one more prefix to announce, or NULL
};

struct speaker {
	struct speaker_options o;
	struct carrier *c;
	const struct xy_identity *id;
	struct xy_babel *b;
	struct claims heard;
	xy_nsec began, first_update; // of ours on the wire; 0 = none yet
	uint64_t packets_sent, bytes_sent, packets_received, bytes_received; // Babel payloads
	bool linked;
};

int speaker_open(struct speaker *s, struct carrier *c, const struct xy_identity *id, uint32_t epoch,
		 const struct speaker_options *o, struct xy_err *err);
void speaker_close(struct speaker *s);
// Waits at most ms for something to happen and deals with it.
void speaker_step(struct speaker *s, int ms);
// Takes back all that the table and `announce` brought.
void speaker_withdraw(struct speaker *s);
// A packet past the machine, to the neighbour alone.
void speaker_raw(struct speaker *s, const void *data, size_t len);
// Both hear each other.
bool speaker_usable(const struct speaker *s);
// The newest claim heard for a prefix (record), or NULL.
const struct xy_babel_claim *speaker_heard(const struct speaker *s, const struct xy_prefix *p);

xy_nsec clock_now(void);
// One line of JSON on stdout: {"at": seconds, "event": "...", and the rest as given}.
__attribute__((format(printf, 3, 4))) void tell(const struct speaker *s, const char *event,
						const char *fmt, ...);
