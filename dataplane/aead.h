// SPDX-License-Identifier: BSD-3-Clause
// Sealing and opening bursts with the ciphers that sessions use. Whoever holds a key holds its
// suite and its schedule, and sees of neither what is inside; which library or kernel computes is
// aead.c's choice (aead_suite.h). A worker's own; keys are made and cleared by the control thread.
//
// The nonce is WireGuard's: four zero bytes and the counter, little-endian; no associated data.
#pragma once

#include "noise/wg.h"
#include "packet.h"

enum { XY_AEAD_KEY_LEN = 32, XY_AEAD_TAG_LEN = 16 };

enum xy_aead_suite { // as handshakes name them
	XY_AEAD_CHACHA20_POLY1305 = XY_WG_CHACHA20_POLY1305,
	XY_AEAD_AES_256_GCM = XY_WG_AES_256_GCM,
	XY_AEAD_SUITES = XY_WG_CIPHERS
};

// What a suite computes with, in half a cache line: ChaCha's is the key itself. A suite with a
// longer one keeps that elsewhere, and here where.
struct xy_aead_schedule {
	uint8_t b[XY_AEAD_KEY_LEN];
} __attribute__((aligned(8)));

struct xy_aead_op {
	const struct xy_aead_schedule *key;
	uint64_t counter;
	uint8_t *data; // in place
	uint8_t *tag;  // seal: written here (16 bytes); open: compared with this
	uint32_t len;  // bytes, without the tag
	uint8_t suite; // enum xy_aead_suite
	bool ok;       // open: the tag was right (the data is garbage otherwise)
};

struct xy_aead;

struct xy_aead *xy_aead_create(void); // NULL: no memory, or a library's self test failed
void xy_aead_destroy(struct xy_aead *a);
// What computes a suite on this machine, for operators.
const char *xy_aead_tell(const struct xy_aead *a, enum xy_aead_suite suite);

// Which suites this machine computes, a bit each.
unsigned xy_aead_able(const struct xy_aead *a);
// The one that it opens and seals packets of middling bursts and sizes faster in. Measured at each
// call, in less than a millisecond.
enum xy_aead_suite xy_aead_fastest(const struct xy_aead *a);

// 0, -ENOMEM, or -ENOTSUP where this machine does not compute the suite; then all zeros.
int xy_aead_key_set(enum xy_aead_suite suite, struct xy_aead_schedule *key,
		    const uint8_t secret[static XY_AEAD_KEY_LEN]);
// Wipes it; also one of zeros, that was never set.
void xy_aead_key_clear(enum xy_aead_suite suite, struct xy_aead_schedule *key);

// Decrypts the beginning of a sealed message, whose tag nobody has: nothing says that it is right.
void xy_aead_look(enum xy_aead_suite suite, const struct xy_aead_schedule *key, uint64_t counter,
		  uint8_t *data, size_t len);
// n at most XY_BURST, of any suites.
void xy_aead_seal_burst(const struct xy_aead *a, struct xy_aead_op *op, unsigned n);
void xy_aead_open_burst(const struct xy_aead *a, struct xy_aead_op *op, unsigned n);
