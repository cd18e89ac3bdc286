// SPDX-License-Identifier: BSD-3-Clause
// mac1, mac2 and cookie replies (paper, section 5.4.4 and 5.4.7): what a stranger must get right
// before we spend an X25519 on it. Control thread; time is given.
#pragma once

#include "base/ip.h"
#include "noise/wg.h"

// The side that checks: one per node.
struct xy_cookie_checker {
	uint8_t mac1_key[XY_WG_KEY_LEN];   // BLAKE2s("mac1----" || our pk)
	uint8_t cookie_key[XY_WG_KEY_LEN]; // BLAKE2s("cookie--" || our pk)
	uint8_t secret[XY_WG_HASH_LEN];	   // changed every two minutes
	xy_nsec secret_birth;
};

// The side that is asked: one per peer.
struct xy_cookie_jar {
	uint8_t mac1_key[XY_WG_KEY_LEN]; // from the peer's pk
	uint8_t cookie_key[XY_WG_KEY_LEN];
	uint8_t cookie[XY_WG_COOKIE_LEN];
	xy_nsec cookie_birth; // 0 = none
	uint8_t last_mac1[XY_WG_MAC_LEN];
	bool have_last_mac1;
};

enum xy_mac_verdict {
	XY_MAC_INVALID,		  // mac1 wrong: drop without a word
	XY_MAC_VALID_NO_COOKIE,	  // mac1 right, mac2 absent or stale
	XY_MAC_VALID_WITH_COOKIE, // both right: the source address is real
};

void xy_cookie_checker_init(struct xy_cookie_checker *c, const uint8_t pk[static XY_WG_KEY_LEN]);
void xy_cookie_jar_init(struct xy_cookie_jar *j, const uint8_t pk[static XY_WG_KEY_LEN]);

// msg is a whole message 1 or 2 (its last 32 bytes are the macs); src is where it came from.
enum xy_mac_verdict xy_cookie_check(struct xy_cookie_checker *c, const uint8_t *msg, size_t len,
				    const struct xy_endpoint *src, xy_nsec now);
// The cookie reply to such a message. nonce: 24 random bytes.
void xy_cookie_reply_create(struct xy_cookie_checker *c, const uint8_t *msg, size_t len,
			    uint32_t receiver, const struct xy_endpoint *src,
			    const uint8_t nonce[static XY_WG_COOKIE_NONCE_LEN], xy_nsec now,
			    struct xy_wg_cookie_reply *out);
// Takes a cookie reply to the last message that this jar added macs to. -EBADMSG otherwise.
int xy_cookie_reply_consume(struct xy_cookie_jar *j, const struct xy_wg_cookie_reply *msg,
			    xy_nsec now);
// Writes mac1 and, with a fresh cookie, mac2 at the end of a message.
void xy_cookie_macs_add(struct xy_cookie_jar *j, uint8_t *msg, size_t len, xy_nsec now);
