// SPDX-License-Identifier: BSD-3-Clause
// What computes a suite. One file each, aead_*.c, which may be a library of its own with its own
// instruction set (meson.build); aead.c calls it. dataplane/aead*.c only.
#pragma once

#include "aead.h"

struct xy_aead_suite_ops {
	void *(*create)(void); // a worker's; NULL: no memory, or this machine cannot
	void (*destroy)(void *state);
	bool (*able)(const void *state); // this machine can; NULL: each
	int (*key_set)(struct xy_aead_schedule *key, const uint8_t secret[static XY_AEAD_KEY_LEN]);
	void (*key_clear)(struct xy_aead_schedule *key);
	void (*look)(const struct xy_aead_schedule *key, uint64_t counter, uint8_t *data,
		     size_t len);
	const char *(*tell)(const void *state); // what computes, for operators
	// All of this suite; n at most XY_BURST.
	void (*seal_burst)(void *state, struct xy_aead_op *op, unsigned n);
	void (*open_burst)(void *state, struct xy_aead_op *op, unsigned n);
};

extern const struct xy_aead_suite_ops xy_aead_chacha;	 // the faster of our kernel and the next
extern const struct xy_aead_suite_ops xy_aead_chacha_mb; // through ipsec-mb
extern const struct xy_aead_suite_ops xy_aead_gcm;
