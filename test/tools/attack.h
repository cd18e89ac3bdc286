// SPDX-License-Identifier: BSD-3-Clause
// What a neighbour with a valid link may say to do harm. Each attack is a round of packets past the
// honest machine, which meanwhile keeps the link alive. One thread; nothing is owned.
#pragma once

#include "speaker.h"

struct attack_options {
	struct xy_prefix victim; // whose route is attacked
	uint16_t metric, seqno;
	uint64_t rid;
	uint32_t epoch;		     // of our own claims
	const struct claims *claims; // recorded (replay), or of others (prefixes)
	unsigned burst;		     // packets or claims in a round
	uint64_t seed;		     // of what is random
};

struct attacker {
	struct attack_options o;
	struct speaker *s;
	uint64_t random, packets, tlvs;
	unsigned at; // where the last round ended
};

struct attack {
	const char *name, *text;
	void (*round)(struct attacker *a);
};

extern const struct attack attacks[];
const struct attack *attack_find(const char *name); // NULL: there is none
void attack_init(struct attacker *a, struct speaker *s, const struct attack_options *o);
