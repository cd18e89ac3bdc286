// SPDX-License-Identifier: BSD-3-Clause
// Keys, addresses and key files. Identity is an Ed25519 seed; its X25519 form is the WireGuard
// static key; the address is a hash of the X25519 public key. Any thread; structs with secrets are
// the caller's to wipe (xy_identity_wipe).
#pragma once

#include "base/err.h"
#include "base/ip.h"

#include <stdbool.h>
#include <stdint.h>

#define XY_KEY_LEN	   32
#define XY_KEY_STRLEN	   45 // base64 of 32 bytes and the NUL

#define XY_KEY_FILE_PREFIX "xylem-key-v1:" // then base64 of the seed and a newline, mode 0600

struct xy_key {
	uint8_t b[XY_KEY_LEN];
};

struct xy_identity {
	uint8_t seed[32];	// secret
	uint8_t ed25519_sk[64]; // secret (libsodium's layout: seed || public)
	struct xy_key ed25519;	// public
	uint8_t x25519_sk[32];	// secret, clamped
	struct xy_key x25519;	// public: the WireGuard static key, the node's name
	struct xy_addr addr;	// in 200::/7
};

// Derives everything from the seed. -EINVAL never happens for a random seed.
int xy_identity_from_seed(const uint8_t seed[static 32], struct xy_identity *out);
void xy_identity_wipe(struct xy_identity *id);

// h = BLAKE2b-128 over the key; h[0] = 0x02 | (h[0] & 1).
struct xy_addr xy_key_addr(const struct xy_key *x25519);
// The /64 around the address.
struct xy_prefix xy_key_prefix(const struct xy_key *x25519);
// fe80:: with the low 64 bits of h.
struct xy_addr xy_key_link_local(const struct xy_key *x25519);
// Ed25519 -> X25519; -EINVAL when libsodium refuses the point (small order, not on the curve).
int xy_key_from_ed25519(const struct xy_key *ed25519, struct xy_key *x25519);

bool xy_key_is_zero(const struct xy_key *k);
// base64 (44 characters, as wg prints) or 64 hex digits; -EINVAL with a text that says which.
int xy_key_parse(const char *s, struct xy_key *out, struct xy_err *err);
const char *xy_key_str(const struct xy_key *k, char buf[static XY_KEY_STRLEN]);

// The text of a key file (bytes, as read); a byte order mark, blanks and empty lines around the
// line count for nothing. Errors name the remedy: too short, wrong version, a bare WireGuard key
// ("it cannot sign; make one with: xylem genkey").
int xy_keyfile_parse(const char *text, size_t len, uint8_t seed[static 32], struct xy_err *err);
// Reads PATH: missing, a directory, not owned by us, readable by others (mode must have no group
// and other bits), too long, then xy_keyfile_parse. err names the path.
int xy_keyfile_load(const char *path, struct xy_identity *out, struct xy_err *err);
// Makes a fresh random seed: the text of a key file, with its newline, which is secret.
#define XY_KEYFILE_STRLEN (sizeof(XY_KEY_FILE_PREFIX) - 1 + XY_KEY_STRLEN + 1)
int xy_keyfile_make(char text[static XY_KEYFILE_STRLEN], struct xy_identity *out);
// Creates PATH with mode 0600 and a fresh random seed; -EEXIST, never overwrites, never leaves half
// a file (writes, fsyncs and links).
int xy_keyfile_create(const char *path, struct xy_identity *out, struct xy_err *err);
