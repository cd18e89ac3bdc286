// SPDX-License-Identifier: BSD-3-Clause
// What the parts of this benchmark share: peers that are made up from their number, so that who
// asks and whoever writes the config of who is asked have the same keys.
#pragma once

#include "base/bytes.h"
#include "noise/cookie.h"
#include "noise/handshake.h"

#include <stdio.h>

struct options {
	unsigned peers, rate; // rate: handshakes a second; 0: as fast as they are answered
	unsigned data;	      // packets a second from the first peer to the second
	double seconds;
	const char *key, *to; // flood: public key and ADDRESS:PORT of who is asked
	bool brief, json;
};

_Noreturn void die(const char *what);
double seconds_now(void);
void secret_of(unsigned peer, uint8_t sk[static XY_WG_KEY_LEN]);
void stamp_now(uint8_t out[static XY_WG_TAI64N_LEN]);

int bare_run(const struct options *o);	// bare.c
int flood_run(const struct options *o); // flood.c
