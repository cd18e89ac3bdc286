// SPDX-License-Identifier: BSD-3-Clause
// How a kernel lays messages out for Poly1305: a vector has LANES numbers, and two vectors go side
// by side, for while one waits for its products the other may have its own. A row is what one
// vector works on: each lane has a message, or a message has some lanes, of which each takes every
// 2nd, 4th or 8th of its blocks and counts by that power of r (Goll and Gueron, "Vectorization of
// Poly1305 message authentication code", 2015).
//
// All end together: a lane with fewer blocks begins later, and is zero until then.
//
// Included by a kernel's file that has said LANES (of 64 bits in a vector) and BIT (2^128 of a
// block, in the limb that it is in), and compiled with that kernel's instructions.
#pragma once

#include "aead/kernel.h"

#include <stdbool.h>
#include <string.h>

enum {
	PAIR = 2, // vectors side by side
	POLY_BLOCK = 16,
	MESSAGES = 64, // XY_BATCH_MAX
	// What it costs, in steps of a vector, for each time that a message's lanes are doubled.
	DOUBLE_COST = 2,
};

struct row {
	uint32_t steps;
	unsigned per, messages; // lanes of a message, messages
	uint8_t message[LANES];
};

struct lane {
	const uint8_t *next; // block
	uint32_t first;	     // the step that is its first
	const uint8_t *last[2];
};

struct lanes {
	const uint8_t *from[PAIR * LANES]; // of those that have begun
	uint32_t begun[PAIR];		   // a bit for each lane
	uint32_t stride[PAIR];		   // from a block to the next one of a lane
	uint32_t latest;		   // the last step at which a lane begins
	struct lane lane[PAIR * LANES];
	uint8_t tail[PAIR * LANES][POLY_BLOCK], length[PAIR * LANES][POLY_BLOCK];
};

static const uint8_t poly_zeros[POLY_BLOCK];

static inline uint32_t blocks_of(const struct xy_batch_text *t) // and the one of its length
{
	return t->len / POLY_BLOCK + (t->len % POLY_BLOCK != 0) + 1;
}

// --- rows

// Of at most MESSAGES, the longest first, so that what is in a vector is about as long.
static void sort(const struct xy_batch_text *t, unsigned n, uint8_t order[MESSAGES])
{
	for (unsigned i = 0; i < n; i++) {
		unsigned at = i;
		for (; at && t[order[at - 1]].len < t[i].len; at--)
			order[at] = order[at - 1];
		order[at] = (uint8_t)i;
	}
}

static uint32_t steps_of(uint32_t blocks, unsigned per)
{
	return (blocks + per - 1) >> __builtin_ctz(per); // a power of 2
}

// How many lanes each of the first messages is to have, so that all of them (at most LANES) take
// the fewest steps. From the last one on, for what is best for those behind does not depend on
// more.
static unsigned per_of(const struct xy_batch_text *t, const uint8_t *order, unsigned n)
{
	uint32_t least[LANES + 1] = {0};
	unsigned best = 1;
	for (unsigned at = n; at-- > 0;) {
		uint32_t blocks = blocks_of(&t[order[at]]), cost = 0;
		least[at] = blocks;
		best = 1;
		for (unsigned per = 2; per <= LANES && blocks >= 4 * per; per *= 2) {
			unsigned end = at + LANES / per < n ? at + LANES / per : n;
			// Each has to have blocks for all of its lanes' ends.
			if (blocks_of(&t[order[end - 1]]) < 2 * per)
				continue;
			cost = steps_of(blocks, per) + least[end];
			for (unsigned k = 1; k < per; k *= 2)
				cost += DOUBLE_COST;
			if (cost < least[at]) {
				least[at] = cost;
				best = per;
			}
		}
	}
	return best;
}

// The next row of those that are left.
static struct row row_of(const struct xy_batch_text *t, const uint8_t *order, unsigned n)
{
	struct row r = {.per = 1};
	uint32_t blocks = blocks_of(&t[order[0]]);
	if (n < LANES || blocks > 2 * blocks_of(&t[order[LANES - 1]]))
		r.per = per_of(t, order, n < LANES ? n : LANES);
	r.steps = steps_of(blocks, r.per);
	r.messages = n < LANES / r.per ? n : LANES / r.per;
	memcpy(r.message, order, r.messages);
	return r;
}

// Whose key each lane has; those that have no message, any.
static inline void row_keys(const struct row *r, const struct xy_batch_text *t, size_t from,
			    const uint8_t *key[LANES])
{
	unsigned at = 0;
	for (unsigned i = 0; i < r->messages; i++)
		for (unsigned k = 0; k < r->per; k++)
			key[at++] = t[r->message[i]].key + from;
	while (at < LANES)
		key[at++] = t[r->message[0]].key + from;
}

// --- lanes

// The last block but one of a message, filled with zeros; then its length.
static void ends_make(const struct xy_batch_text *t, uint8_t tail[POLY_BLOCK],
		      uint8_t length[POLY_BLOCK])
{
	uint32_t rest = t->len % POLY_BLOCK, at = 0;
	const uint8_t *from = t->data + t->len - rest;
	uint64_t len = t->len;
	memset(tail, 0, POLY_BLOCK);
	for (uint32_t size = 8; size; size /= 2)
		if (rest & size) {
			memcpy(tail + at, from + at, size);
			at += size;
		}
	memset(length, 0, 8);
	memcpy(length + 8, &len, 8);
}

// Where block i of all `count` is.
static const uint8_t *block_at(const struct xy_batch_text *t, uint32_t i, uint32_t count,
			       const uint8_t *tail, const uint8_t *length)
{
	if (i + 1 == count)
		return length;
	return i + 2 == count && t->len % POLY_BLOCK ? tail : t->data + (size_t)POLY_BLOCK * i;
}

// A message's lanes, the last of which has the length: so the first ones may begin a step later.
static void lanes_set(struct lanes *l, unsigned at, const struct xy_batch_text *t, uint32_t steps,
		      unsigned per)
{
	uint32_t count = blocks_of(t), own = steps_of(count, per), lack = own * per - count;
	uint8_t *tail = l->tail[at], *length = l->length[at];
	ends_make(t, tail, length);
	if (steps - own + (lack != 0) > l->latest)
		l->latest = steps - own + (lack != 0);
	for (uint32_t i = 0; i < per; i++) {
		uint32_t first = i < lack ? i + per - lack : i - lack, end = count - per + i;
		l->lane[at + i] = (struct lane){
			.next = t->data + (size_t)POLY_BLOCK * first,
			.first = steps - own + (i < lack),
			.last = {count > 1 ? block_at(t, end - per, count, tail, length)
					   : poly_zeros,
				 block_at(t, end, count, tail, length)}};
	}
}

static void lanes_begin(struct lanes *l, unsigned v, const struct row *r,
			const struct xy_batch_text *t, uint32_t steps)
{
	const unsigned at = LANES * v;
	l->stride[v] = POLY_BLOCK * r->per;
	for (unsigned i = 0; i < r->messages; i++)
		lanes_set(l, at + i * r->per, &t[r->message[i]], steps, r->per);
	for (unsigned i = r->messages * r->per; i < LANES; i++)
		l->lane[at + i] = (struct lane){.first = steps, .last = {poly_zeros, poly_zeros}};
	for (unsigned i = at; i < at + LANES; i++)
		l->from[i] = poly_zeros;
	l->begun[v] = 0;
}

// Lanes whose first step this is begin; returns the next step at which one does, or `end`.
static uint32_t lanes_step(struct lanes *l, uint32_t step, uint32_t end, unsigned vectors)
{
	uint32_t next = end;
	if (step > l->latest)
		return end;
	for (unsigned i = 0; i < LANES * vectors; i++) {
		const struct lane *lane = &l->lane[i];
		if (lane->first == step) {
			l->from[i] = lane->next;
			l->begun[i / LANES] |= 1u << i % LANES;
		} else if (lane->first > step && lane->first < next) {
			next = lane->first;
		}
	}
	return next;
}
