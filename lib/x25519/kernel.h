// SPDX-License-Identifier: BSD-3-Clause
// What a kernel of x25519.c is: so many at once, with instructions that not every machine has.
#pragma once

#include "x25519/x25519.h"

#include <stdbool.h>

enum { XY_X25519_LANES = 8 };

struct xy_x25519_kernel {
	const char *name;
	bool (*can)(void); // has this machine the instructions?
	// n is 1 to XY_X25519_LANES. Any thread; it leaves secrets on the stack and in registers.
	void (*run)(const struct xy_x25519_op *op, unsigned n);
};

extern const struct xy_x25519_kernel xy_x25519_ifma;
