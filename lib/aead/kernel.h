// SPDX-License-Identifier: BSD-3-Clause
// What computes for batch.c with one instruction set: a library by itself with flags of its own
// (meson.build), and a line in batch.c that says what of the machine it wants. lib/aead alone.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { XY_BATCH_LANES_MAX = 16 }; // of any kernel

// One block of ChaCha20: `len` bytes (1 to 64) of its keystream on src, to dst.
struct xy_batch_block {
	uint32_t number, zero; // RFC 8439's counter of blocks, and the nonce: a state's last row
	uint64_t counter;
	const uint8_t *key, *src;
	uint8_t *dst;
	uint32_t len;
};
_Static_assert(offsetof(struct xy_batch_block, zero) ==
			       offsetof(struct xy_batch_block, number) + 4 &&
		       offsetof(struct xy_batch_block, counter) ==
			       offsetof(struct xy_batch_block, number) + 8,
	       "number and nonce are the last row of a state");

// What Poly1305 is made over: a message, padded to whole blocks, and its length (RFC 8439, 2.8).
struct xy_batch_text {
	const uint8_t *data;
	const uint8_t *key; // 32 bytes: r and s
	uint8_t *tag;	    // the result
	uint32_t len;
};

struct xy_batch_op;

struct xy_batch_kernel {
	const char *name;
	unsigned lanes; // blocks at once
	// Blocks of any packets, at most `lanes`: costs the same for one as for all.
	void (*blocks)(const struct xy_batch_block *b, unsigned n);
	// `lanes` whole blocks of one packet, one after the other, so many times; b: the first.
	void (*stretch)(const struct xy_batch_block *b, unsigned times);
	void (*tags)(const struct xy_batch_text *t, unsigned n); // at most XY_BATCH_MAX
	// At most `lanes` packets, op[which[i]], which have as many blocks each, from beginning to
	// end. Sealed, with their tags where those belong; or opened, and what their tags are to be
	// is in tags[which[i]]. NULL: there is no such way.
	void (*packets)(const struct xy_batch_op *op, const uint8_t *which, unsigned n,
			uint8_t (*tags)[16]);
	// After a burst: what the above left on the stack below, where registers were kept as well.
	void (*wipe)(void);
};

extern const struct xy_batch_kernel xy_batch_avx2, xy_batch_avx512;
