// SPDX-License-Identifier: BSD-3-Clause
// The tags of a burst, for a kernel's file that has included poly_rows.h and said `struct work` and
//   row_begin(work, vector, row, texts, steps)   the key, and the sum that is 0
//   row_last(work, vector)                       the step that comes is the row's last
//   row_end(work, vector, row, texts)            the tags, of the sum
//   sum(work, steps, vectors)                    a block for each lane that has begun, so many
//   times
#pragma once

static void pair_sum(struct work *w, const struct row *r, unsigned vectors,
		     const struct xy_batch_text *t)
{
	struct lanes *l = &w->lanes;
	uint32_t steps = r[0].steps;
	if (vectors > 1 && r[1].steps > steps)
		steps = r[1].steps;
	l->latest = 0;
	for (unsigned v = 0; v < vectors; v++)
		row_begin(w, v, &r[v], t, steps);
	uint32_t body = steps > 2 ? steps - 2 : 0;
	for (uint32_t step = 0, next; step < body; step = next) {
		next = lanes_step(l, step, body, vectors);
		sum(w, next - step, vectors);
	}
	for (uint32_t step = body; step < steps; step++) {
		lanes_step(l, step, steps, vectors);
		for (unsigned i = 0; i < LANES * vectors; i++)
			l->from[i] = l->lane[i].last[step + 2 - steps];
		for (unsigned v = 0; v < vectors && step + 1 == steps; v++)
			if (r[v].per > 1)
				row_last(w, v);
		sum(w, 1, vectors);
	}
	for (unsigned v = 0; v < vectors; v++)
		row_end(w, v, &r[v], t);
}

static inline void burst_tags(const struct xy_batch_text *t, unsigned n)
{
	struct work w;
	uint8_t order[MESSAGES];
	sort(t, n, order);
	for (unsigned at = 0; at < n;) {
		struct row r[PAIR] = {{0}};
		unsigned vectors = 0;
		for (; vectors < PAIR && at < n; vectors++) {
			r[vectors] = row_of(t, order + at, n - at);
			at += r[vectors].messages;
		}
		pair_sum(&w, r, vectors, t);
	}
}
