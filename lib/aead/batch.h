// SPDX-License-Identifier: BSD-3-Clause
// ChaCha20-Poly1305 (RFC 8439) over a burst of packets at once, each with a key, a counter and a
// length of its own. The nonce is WireGuard's: four zero bytes and the counter, little-endian; no
// associated data.
//
// Packets of as many blocks go side by side; of others a block may lie in any lane of a vector
// (kernel.h), so lengths mix. Nothing keeps state, any thread may call. No branch and no index
// depends on a key or on data; lengths, addresses and the number of packets are no secrets. What
// was made of keys is wiped from memory.
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { XY_BATCH_MAX = 64, XY_BATCH_KEY_LEN = 32, XY_BATCH_TAG_LEN = 16, XY_BATCH_KERNELS = 2 };

struct xy_batch_op {
	const uint8_t *key; // 32 bytes
	uint64_t counter;
	const uint8_t *src; // may be dst; must not else overlap with it
	uint8_t *dst;
	uint8_t *tag; // seal: written here (16 bytes); open: compared with this, not in any dst
	uint32_t len; // bytes, without the tag; below 2^32 - 64
	bool ok;      // open: the tag was right (what is in dst is garbage otherwise)
};

struct xy_batch_kernel;

// Those that this machine can run, at most XY_BATCH_KERNELS, the widest first; NULL: no more.
const struct xy_batch_kernel *xy_batch_kernel(unsigned i);
const char *xy_batch_name(const struct xy_batch_kernel *k); // of its instruction set

// n at most XY_BATCH_MAX.
void xy_batch_seal(const struct xy_batch_kernel *k, struct xy_batch_op *op, unsigned n);
void xy_batch_open(const struct xy_batch_kernel *k, struct xy_batch_op *op, unsigned n);
