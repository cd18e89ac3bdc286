// SPDX-License-Identifier: BSD-3-Clause
// ChaCha20-Poly1305: each burst, or each part of one, by whichever is faster at that
// (aead_choice.h).
#include "aead_choice.h"

#include <stdlib.h>

_Static_assert((int)XY_BURST <= (int)XY_BATCH_MAX, "a burst is one batch");

struct chacha {
	void *mb; // of xy_aead_chacha_mb
	const struct xy_aead_choice *choice;
};

static void *create(void)
{
	struct chacha *c = calloc(1, sizeof(*c));
	void *mb = c ? xy_aead_chacha_mb.create() : NULL;
	if (!mb) {
		free(c);
		return NULL;
	}
	*c = (struct chacha){.mb = mb, .choice = xy_aead_choice(mb)};
	return c;
}

static void destroy(void *state)
{
	struct chacha *c = state;
	xy_aead_chacha_mb.destroy(c->mb);
	free(c);
}

static int key_set(struct xy_aead_schedule *key, const uint8_t secret[static XY_AEAD_KEY_LEN])
{
	return xy_aead_chacha_mb.key_set(key, secret);
}

static void key_clear(struct xy_aead_schedule *key)
{
	xy_aead_chacha_mb.key_clear(key);
}

static void look(const struct xy_aead_schedule *key, uint64_t counter, uint8_t *data, size_t len)
{
	xy_aead_chacha_mb.look(key, counter, data, len);
}

static const char *tell(const void *state)
{
	return ((const struct chacha *)state)->choice->text;
}

static void run_by(const struct chacha *c, unsigned who, struct xy_aead_op *op, unsigned n,
		   bool seal)
{
	if (who)
		xy_aead_batch(c->choice->kernel[who - 1], op, n, seal);
	else if (seal)
		xy_aead_chacha_mb.seal_burst(c->mb, op, n);
	else
		xy_aead_chacha_mb.open_burst(c->mb, op, n);
}

static void run_part(const struct chacha *c, unsigned by, struct xy_aead_op *op, unsigned n,
		     const struct xy_aead_parts *p, bool seal)
{
	struct xy_aead_op part[XY_BURST];
	uint8_t from[XY_BURST];
	unsigned count = 0;
	for (unsigned i = 0; i < n; i++)
		if (p->who[xy_aead_size_class(op[i].len)] == by) {
			from[count] = (uint8_t)i;
			part[count++] = op[i];
		}
	run_by(c, by, part, count, seal);
	for (unsigned i = 0; i < count; i++)
		op[from[i]].ok = part[i].ok;
}

static __attribute__((noinline)) void run_divided(const struct chacha *c, struct xy_aead_op *op,
						  unsigned n, bool seal)
{
	struct xy_aead_parts p;
	xy_aead_divide(c->choice, op, n, &p);
	for (unsigned by = 0; by < XY_AEAD_WHO; by++) {
		if (p.count[by] == n)
			run_by(c, by, op, n, seal);
		else if (p.count[by])
			run_part(c, by, op, n, &p, seal);
	}
}

static void run(const struct chacha *c, struct xy_aead_op *op, unsigned n, bool seal)
{
	if (xy_aead_burst_class(n) < 0)
		run_by(c, 0, op, n, seal);
	else
		run_divided(c, op, n, seal);
}

static void seal_burst(void *state, struct xy_aead_op *op, unsigned n)
{
	run(state, op, n, true);
}

static void open_burst(void *state, struct xy_aead_op *op, unsigned n)
{
	run(state, op, n, false);
}

const struct xy_aead_suite_ops xy_aead_chacha = {
	.create = create,
	.destroy = destroy,
	.key_set = key_set,
	.key_clear = key_clear,
	.look = look,
	.tell = tell,
	.seal_burst = seal_burst,
	.open_burst = open_burst,
};
