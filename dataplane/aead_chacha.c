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

// Which of them the kernel does faster, when they are as many as `burst` says.
static uint64_t mark(const struct xy_aead_choice *c, const struct xy_aead_op *op, unsigned n,
		     int burst)
{
	uint64_t own = 0;
	for (unsigned i = 0; i < n; i++) {
		uint64_t faster = c->use[xy_aead_size_class(op[i].len)] >> burst & 1;
		own |= faster << i;
	}
	return own;
}

// The rest may be so few that less is faster with them.
static uint64_t choose(const struct xy_aead_choice *c, const struct xy_aead_op *op, unsigned n)
{
	uint64_t own = 0;
	for (int burst = xy_aead_burst_class(n), now; burst >= 0; burst = RTE_MIN(now, burst - 1)) {
		own = mark(c, op, n, burst);
		now = xy_aead_burst_class((unsigned)__builtin_popcountll(own));
		if (now >= burst)
			return own;
	}
	return 0;
}

static void by_mb(const struct chacha *c, struct xy_aead_op *op, unsigned n, bool seal)
{
	if (seal)
		xy_aead_chacha_mb.seal_burst(c->mb, op, n);
	else
		xy_aead_chacha_mb.open_burst(c->mb, op, n);
}

static void both(const struct chacha *c, struct xy_aead_op *op, unsigned n, uint64_t own, bool seal)
{
	struct xy_aead_op part[2][XY_BURST];
	unsigned count[2] = {0, 0};
	for (unsigned i = 0; i < n; i++) {
		unsigned to = own >> i & 1;
		part[to][count[to]++] = op[i];
	}
	by_mb(c, part[0], count[0], seal);
	xy_aead_batch(c->choice->kernel, part[1], count[1], seal);
	count[0] = count[1] = 0;
	for (unsigned i = 0; i < n; i++) {
		unsigned from = own >> i & 1;
		op[i].ok = part[from][count[from]++].ok;
	}
}

static void run(const struct chacha *c, struct xy_aead_op *op, unsigned n, bool seal)
{
	uint64_t own = choose(c->choice, op, n);
	if (!own)
		by_mb(c, op, n, seal);
	else if ((unsigned)__builtin_popcountll(own) == n)
		xy_aead_batch(c->choice->kernel, op, n, seal);
	else
		both(c, op, n, own, seal);
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
