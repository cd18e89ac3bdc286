// SPDX-License-Identifier: BSD-3-Clause
#include "aead_suite.h"

#include <stdlib.h>

struct xy_aead {
	void *state[XY_AEAD_SUITES];
};

static const struct xy_aead_suite_ops *const ops_of[XY_AEAD_SUITES] = {
	[XY_AEAD_CHACHA20_POLY1305] = &xy_aead_chacha,
};

struct xy_aead *xy_aead_create(void)
{
	struct xy_aead *a = calloc(1, sizeof(*a));
	for (unsigned i = 0; a && i < XY_AEAD_SUITES; i++) {
		a->state[i] = ops_of[i]->create();
		if (!a->state[i]) {
			xy_aead_destroy(a);
			return NULL;
		}
	}
	return a;
}

void xy_aead_destroy(struct xy_aead *a)
{
	for (unsigned i = 0; a && i < XY_AEAD_SUITES; i++)
		if (a->state[i])
			ops_of[i]->destroy(a->state[i]);
	free(a);
}

const char *xy_aead_tell(const struct xy_aead *a, enum xy_aead_suite suite)
{
	return ops_of[suite]->tell(a->state[suite]);
}

int xy_aead_key_set(enum xy_aead_suite suite, struct xy_aead_schedule *key,
		    const uint8_t secret[static XY_AEAD_KEY_LEN])
{
	return ops_of[suite]->key_set(key, secret);
}

void xy_aead_key_clear(enum xy_aead_suite suite, struct xy_aead_schedule *key)
{
	ops_of[suite]->key_clear(key);
}

void xy_aead_look(enum xy_aead_suite suite, const struct xy_aead_schedule *key, uint64_t counter,
		  uint8_t *data, size_t len)
{
	ops_of[suite]->look(key, counter, data, len);
}

// How many from the first on are of its suite.
static unsigned run_of(const struct xy_aead_op *op, unsigned n)
{
	unsigned run = 1;
	if (XY_AEAD_SUITES == 1)
		return n;
	while (run < n && op[run].suite == op[0].suite)
		run++;
	return run;
}

void xy_aead_seal_burst(const struct xy_aead *a, struct xy_aead_op *op, unsigned n)
{
	for (unsigned at = 0, run; at < n; at += run) {
		run = run_of(op + at, n - at);
		ops_of[op[at].suite]->seal_burst(a->state[op[at].suite], op + at, run);
	}
}

void xy_aead_open_burst(const struct xy_aead *a, struct xy_aead_op *op, unsigned n)
{
	for (unsigned at = 0, run; at < n; at += run) {
		run = run_of(op + at, n - at);
		ops_of[op[at].suite]->open_burst(a->state[op[at].suite], op + at, run);
	}
}
