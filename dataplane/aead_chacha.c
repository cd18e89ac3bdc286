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

enum { WHO = 1 + XY_BATCH_KERNELS }; // ipsec-mb, and the kernels

// Who does each of them fastest, when they are as many as `burst` says.
static void mark(const struct xy_aead_choice *c, const struct xy_aead_op *op, unsigned n, int burst,
		 uint8_t who[XY_BURST], unsigned count[WHO])
{
	memset(count, 0, WHO * sizeof(*count));
	for (unsigned i = 0; i < n; i++) {
		who[i] = c->use[xy_aead_size_class(op[i].len)][burst];
		count[who[i]]++;
	}
}

// A kernel's part may be so few that another is faster with them: the class of the smallest part.
static int least_class(const unsigned count[WHO])
{
	int least = XY_AEAD_BURSTS;
	for (unsigned k = 1; k < WHO; k++)
		if (count[k])
			least = RTE_MIN(least, xy_aead_burst_class(count[k]));
	return least;
}

static void choose(const struct xy_aead_choice *c, const struct xy_aead_op *op, unsigned n,
		   uint8_t who[XY_BURST], unsigned count[WHO])
{
	for (int burst = xy_aead_burst_class(n), now; burst >= 0; burst = RTE_MIN(now, burst - 1)) {
		mark(c, op, n, burst, who, count);
		now = least_class(count);
		if (now >= burst)
			return;
	}
	memset(count, 0, WHO * sizeof(*count));
	count[0] = n; // `who` is not asked then
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
		     const uint8_t who[XY_BURST], bool seal)
{
	struct xy_aead_op part[XY_BURST];
	unsigned count = 0;
	for (unsigned i = 0; i < n; i++)
		if (who[i] == by)
			part[count++] = op[i];
	run_by(c, by, part, count, seal);
	count = 0;
	for (unsigned i = 0; i < n; i++)
		if (who[i] == by)
			op[i].ok = part[count++].ok;
}

static void run(const struct chacha *c, struct xy_aead_op *op, unsigned n, bool seal)
{
	uint8_t who[XY_BURST];
	unsigned count[WHO];
	if (xy_aead_burst_class(n) < 0) {
		run_by(c, 0, op, n, seal);
		return;
	}
	choose(c->choice, op, n, who, count);
	for (unsigned by = 0; by < WHO; by++) {
		if (count[by] == n)
			run_by(c, by, op, n, seal);
		else if (count[by])
			run_part(c, by, op, n, who, seal);
	}
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
