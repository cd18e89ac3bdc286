// SPDX-License-Identifier: BSD-3-Clause
// X25519 (RFC 7748), several at once: by a kernel that takes eight for little more than the price
// of one, where this machine has its instructions and it is measured to be faster, else by
// libsodium. Any thread; nothing is owned, and what of the secrets was on the stack or in registers
// is wiped.
#pragma once

#include <stdint.h>

enum { XY_X25519_LEN = 32 };

struct xy_x25519_op {
	const uint8_t *sk; // secret, 32 random bytes: clamped here
	const uint8_t *pk; // the other's, canonical; NULL: the base point, so that `out` is sk's
			   // public key
	uint8_t *out;	   // may be none of the others; all zero where pk is of small order
};

void xy_x25519_burst(const struct xy_x25519_op *op, unsigned n);
// From how many on this machine does them side by side; 0: never.
unsigned xy_x25519_side_by_side(void);
