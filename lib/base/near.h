// SPDX-License-Identifier: BSD-3-Clause
// How far two words are from each other: for "did you mean". Any thread.
#pragma once

#include <limits.h>
#include <stdio.h>
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

// Of the words that it is shown, the nearest to `text`; of equally near ones the first. NULL: none
// is nearer than the limit it began with.
struct xy_nearest {
	const char *text, *best;
	size_t len; // of text
	unsigned limit;
};

// A word may differ in less than half of its letters, and in less than `most`.
static inline struct xy_nearest xy_nearest_to(const char *text, unsigned most)
{
	size_t len = strlen(text), half = (len + 2) / 2;
	return (struct xy_nearest){text, NULL, len, half < most ? (unsigned)half : most};
}

// A word of which the length alone says that it is far costs no more than that: there may be
// thousands. NULL is none.
static inline void xy_nearest_see(struct xy_nearest *n, const char *word)
{
	size_t len = word ? strlen(word) : 0;
	if (!len || (len > n->len ? len - n->len : n->len - len) >= n->limit)
		return;
	unsigned far = xy_near_within(n->text, word, n->limit);
	n->best = far < n->limit ? word : n->best;
	n->limit = far < n->limit ? far : n->limit;
}

enum { XY_NEAR_SAYS = XY_NEAR_MAX + 20 };

// "; did you mean WORD?", or "" where there is none. Returns buf.
static inline const char *xy_near_says(const char *word, char buf[static XY_NEAR_SAYS])
{
	buf[0] = 0;
	if (word)
		snprintf(buf, XY_NEAR_SAYS, "; did you mean %s?", word);
	return buf;
}
