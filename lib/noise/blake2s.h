// SPDX-License-Identifier: BSD-3-Clause
// BLAKE2s in the four shapes that WireGuard uses (paper, section 5.4): hash, keyed 16-byte mac,
// HMAC and the HKDF over it. Any thread; nothing is owned, and what of the inputs was on the stack
// is wiped.
#pragma once

#include "noise/wg.h"

// out = BLAKE2s-256(a || b); either part may be empty. out may be one of the parts.
void xy_blake2s(const void *a, size_t a_len, const void *b, size_t b_len,
		uint8_t out[static XY_WG_HASH_LEN]);
// The keyed mode with a digest of 16 bytes (not a truncated one: the length is part of the
// parameter block). key_len is 1 to 32.
void xy_blake2s_mac(const uint8_t *key, size_t key_len, const void *data, size_t len,
		    uint8_t out[static XY_WG_MAC_LEN]);
// RFC 2104 over BLAKE2s-256 (block 64). The key is 32 bytes, as a chaining key always is.
void xy_blake2s_hmac(const uint8_t key[static XY_WG_HASH_LEN], const void *a, size_t a_len,
		     const void *b, size_t b_len, uint8_t out[static XY_WG_HASH_LEN]);
// KDF_n(key, input) for n = 1, 2, 3 outputs of 32 bytes. An output may be the key.
void xy_blake2s_kdf(const uint8_t key[static XY_WG_HASH_LEN], const void *input, size_t len,
		    unsigned n, uint8_t *const out[]);
