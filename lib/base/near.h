// SPDX-License-Identifier: BSD-3-Clause
// How far two words are from each other: for "did you mean". Any thread.
#pragma once

#include <limits.h>
#include <string.h>

enum { XY_NEAR_MAX = 63 };

// Levenshtein's distance; UINT_MAX: it is `limit` or more, or one is longer than XY_NEAR_MAX.
static inline unsigned xy_near_within(const char *a, const char *b, unsigned limit)
{
	unsigned row[XY_NEAR_MAX + 1], n = 0;
	if (strlen(a) > XY_NEAR_MAX || strlen(b) > XY_NEAR_MAX)
		return UINT_MAX;
	for (n = 0; b[n]; n++)
		row[n] = n;
	row[n] = n;
	for (unsigned i = 0; a[i]; i++) {
		unsigned corner = row[0], least = row[0] = i + 1;
		for (unsigned k = 0; k < n; k++) {
			unsigned change = corner + (a[i] != b[k]);
			corner = row[k + 1];
			unsigned less = row[k] < corner ? row[k] + 1 : corner + 1;
			row[k + 1] = change < less ? change : less;
			least = row[k + 1] < least ? row[k + 1] : least;
		}
		if (least >= limit) // no later row is nearer
			return UINT_MAX;
	}
	return row[n] < limit ? row[n] : UINT_MAX;
}

static inline unsigned xy_near(const char *a, const char *b)
{
	return xy_near_within(a, b, UINT_MAX);
}
