// SPDX-License-Identifier: BSD-3-Clause
// How nodes that do not know each other's key meet: the probe, which asks an endpoint for its key,
// the reply, and the beacon on a LAN. Bytes: docs/wire-format.md. Reading is form alone; a
// signature is checked by the _verify functions, which belong on a helper (about 0.1 ms each). Any
// thread; values, nothing is owned.
#pragma once

#include "identity/identity.h"

#include <stddef.h>

enum {
	XY_JOIN_PROBE = 0x80, // first bytes; WireGuard has 1 to 4
	XY_JOIN_REPLY = 0x81,
	XY_JOIN_BEACON = 0x82,
	XY_JOIN_NONCE_LEN = 32,
	XY_JOIN_SIGNATURE_LEN = 64,
	XY_JOIN_LEN = 4 + 32 + 32 + 64, // of probe and reply alike: nobody can be made to send more
	XY_JOIN_BEACON_LEN = 4 + 32 + 2 + 64,
};

struct xy_join_reply {
	uint8_t nonce[XY_JOIN_NONCE_LEN];
	struct xy_key ed25519;
	uint8_t signature[XY_JOIN_SIGNATURE_LEN];
};

struct xy_join_beacon {
	struct xy_key ed25519;
	uint16_t port; // UDP, of the node; never 0
	uint8_t signature[XY_JOIN_SIGNATURE_LEN];
};

void xy_join_probe_write(const uint8_t nonce[static XY_JOIN_NONCE_LEN],
			 uint8_t out[static XY_JOIN_LEN]);
// Signs: for a helper.
void xy_join_reply_write(const struct xy_identity *id,
			 const uint8_t nonce[static XY_JOIN_NONCE_LEN],
			 uint8_t out[static XY_JOIN_LEN]);
void xy_join_beacon_write(const struct xy_identity *id, uint16_t port,
			  uint8_t out[static XY_JOIN_BEACON_LEN]);

// 0, or -EBADMSG when it is no such message.
int xy_join_probe_read(const void *data, size_t len, uint8_t nonce[static XY_JOIN_NONCE_LEN]);
int xy_join_reply_read(const void *data, size_t len, struct xy_join_reply *out);
int xy_join_beacon_read(const void *data, size_t len, struct xy_join_beacon *out);

// 0 with the node's X25519 key, or -EBADMSG: not signed by that key, or a key that no node has.
int xy_join_reply_verify(const struct xy_join_reply *r, struct xy_key *x25519);
int xy_join_beacon_verify(const struct xy_join_beacon *b, struct xy_key *x25519);
