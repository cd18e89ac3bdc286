// SPDX-License-Identifier: BSD-3-Clause
// Cycles of bursts, and what half of them, or so many in a hundred, stayed below.
#pragma once

#include <stdint.h>

enum { SAMPLES = 24 * 128 };

struct samples { // TSC cycles per burst
	unsigned n;
	uint32_t cycles[SAMPLES];
};

void sample_add(struct samples *s, uint64_t cycles);
double percentile(struct samples *s, unsigned percent); // a packet's; sorts
