// SPDX-License-Identifier: BSD-3-Clause
// Cycles of bursts, and what half of them, or so many in a hundred, stayed below. What is more than
// there is room for is not looked at: of bursts of one packet, the first rounds' are.
#pragma once

#include <stdint.h>

enum { SAMPLES = 1 << 15 };

struct samples { // TSC cycles per burst
	unsigned n;
	uint32_t cycles[SAMPLES];
};

void sample_add(struct samples *s, uint64_t cycles);
double percentile(struct samples *s, unsigned percent, unsigned burst); // a packet's; sorts
