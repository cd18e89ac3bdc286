// SPDX-License-Identifier: BSD-3-Clause
// What the parts of this benchmark share: one dataplane with several workers, each of which a
// thread of its own walks by hand, on its own CPU, with packets and a port of its own.
#pragma once

#include "../relay/bench.h"

enum { WORKERS_MAX = XY_DP_WORKERS, KINDS_MAX = 12 };

// How many workers turn at once: alone (each of them by turns), 2, 4 ... all.
struct kinds {
	unsigned n;
	unsigned workers[KINDS_MAX];
};

struct measured {	 // of all that turn at once
	double cycles;	 // a packet's, on each of them: the mean of the workers' medians
	double p90;	 // likewise
	double aead;	 // the bare cipher's over the same buffers, on as many at once
	double mpps;	 // of all of them
	double aead_all; // likewise
};

struct row { // a child leaves it in shared memory
	struct load load;
	double tsc_hz;
	double line; // TSC cycles in which a line goes to another worker and back; 0: one worker
	struct measured of[KINDS_MAX];
	char memory[64], cipher[128];
};

// Makes the dataplane and its threads, measures by turns, and ends with them. Dies of what came out
// wrong.
void row_measure(struct load load, const struct kinds *kinds, unsigned rounds, struct row *r);

void scale_head_print(const struct row *first, const struct kinds *kinds, unsigned rounds,
		      bool json);
void row_print(const struct row *r, const struct kinds *kinds, bool json);
void scale_foot_print(const struct row *r, unsigned n, const struct kinds *kinds, bool json);
