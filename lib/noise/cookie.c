// SPDX-License-Identifier: BSD-3-Clause
#include "noise/cookie.h"

#include "base/bytes.h"
#include "noise/blake2s.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#define SECRET_AGE (120 * XY_SEC)
// A cookie is kept shorter than its secret by the time that it may have travelled, so that we do
// not send one that has just died.
#define COOKIE_AGE (SECRET_AGE - 5 * XY_SEC)

enum {
	LABEL_LEN = 8,
	MACS_LEN = sizeof(struct xy_wg_macs),
};

static void mac_keys_init(const uint8_t pk[static XY_WG_KEY_LEN], uint8_t *mac1_key,
			  uint8_t *cookie_key)
{
	xy_blake2s("mac1----", LABEL_LEN, pk, XY_WG_KEY_LEN, mac1_key);
	xy_blake2s("cookie--", LABEL_LEN, pk, XY_WG_KEY_LEN, cookie_key);
}

void xy_cookie_checker_init(struct xy_cookie_checker *c, const uint8_t pk[static XY_WG_KEY_LEN])
{
	memset(c, 0, sizeof(*c));
	mac_keys_init(pk, c->mac1_key, c->cookie_key);
}

void xy_cookie_jar_init(struct xy_cookie_jar *j, const uint8_t pk[static XY_WG_KEY_LEN])
{
	memset(j, 0, sizeof(*j));
	mac_keys_init(pk, j->mac1_key, j->cookie_key);
}

// 0 means "none" in a birth.
static xy_nsec birth(xy_nsec now)
{
	return now ? now : 1;
}

static void secret_renew(struct xy_cookie_checker *c, xy_nsec now)
{
	if (c->secret_birth && now - c->secret_birth < SECRET_AGE)
		return;
	randombytes_buf(c->secret, sizeof(c->secret));
	c->secret_birth = birth(now);
}

// The cookie of a source, under the secret of the moment. Only we read it: its layout is ours.
static void cookie_make(struct xy_cookie_checker *c, const struct xy_endpoint *src, xy_nsec now,
			uint8_t cookie[static XY_WG_COOKIE_LEN])
{
	uint8_t id[sizeof(src->addr.b) + 4 + 2];
	memcpy(id, src->addr.b, sizeof(src->addr.b));
	xy_be32_store(id + 16, src->scope);
	xy_be16_store(id + 20, src->port);
	secret_renew(c, now);
	xy_blake2s_mac(c->secret, sizeof(c->secret), id, sizeof(id), cookie);
}

enum xy_mac_verdict xy_cookie_check(struct xy_cookie_checker *c, const uint8_t *msg, size_t len,
				    const struct xy_endpoint *src, xy_nsec now)
{
	if (len < MACS_LEN)
		return XY_MAC_INVALID;
	const uint8_t *mac1 = msg + len - MACS_LEN, *mac2 = mac1 + XY_WG_MAC_LEN;
	uint8_t mac[XY_WG_MAC_LEN], cookie[XY_WG_COOKIE_LEN];
	xy_blake2s_mac(c->mac1_key, sizeof(c->mac1_key), msg, len - MACS_LEN, mac);
	if (sodium_memcmp(mac, mac1, sizeof(mac)) != 0)
		return XY_MAC_INVALID;
	if (sodium_is_zero(mac2, XY_WG_MAC_LEN)) // the usual case: no cookie was asked for
		return XY_MAC_VALID_NO_COOKIE;
	cookie_make(c, src, now, cookie);
	xy_blake2s_mac(cookie, sizeof(cookie), msg, len - XY_WG_MAC_LEN, mac);
	bool right = sodium_memcmp(mac, mac2, sizeof(mac)) == 0;
	sodium_memzero(mac, sizeof(mac));
	sodium_memzero(cookie, sizeof(cookie));
	return right ? XY_MAC_VALID_WITH_COOKIE : XY_MAC_VALID_NO_COOKIE;
}

void xy_cookie_reply_create(struct xy_cookie_checker *c, const uint8_t *msg, size_t len,
			    uint32_t receiver, const struct xy_endpoint *src,
			    const uint8_t nonce[static XY_WG_COOKIE_NONCE_LEN], xy_nsec now,
			    struct xy_wg_cookie_reply *out)
{
	uint8_t cookie[XY_WG_COOKIE_LEN];
	memset(out, 0, sizeof(*out));
	out->type = XY_WG_COOKIE_REPLY;
	out->receiver = receiver;
	memcpy(out->nonce, nonce, sizeof(out->nonce));
	cookie_make(c, src, now, cookie);
	crypto_aead_xchacha20poly1305_ietf_encrypt(out->cookie_box, NULL, cookie, sizeof(cookie),
						   msg + len - MACS_LEN, XY_WG_MAC_LEN, NULL, nonce,
						   c->cookie_key);
	sodium_memzero(cookie, sizeof(cookie));
}

int xy_cookie_reply_consume(struct xy_cookie_jar *j, const struct xy_wg_cookie_reply *msg,
			    xy_nsec now)
{
	uint8_t cookie[XY_WG_COOKIE_LEN];
	if (!j->have_last_mac1)
		return -EBADMSG;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(
		    cookie, NULL, NULL, msg->cookie_box, sizeof(msg->cookie_box), j->last_mac1,
		    sizeof(j->last_mac1), msg->nonce, j->cookie_key) != 0)
		return -EBADMSG;
	memcpy(j->cookie, cookie, sizeof(j->cookie));
	j->cookie_birth = birth(now);
	j->have_last_mac1 = false; // one reply per message: a replayed one is refused
	sodium_memzero(cookie, sizeof(cookie));
	return 0;
}

void xy_cookie_macs_add(struct xy_cookie_jar *j, uint8_t *msg, size_t len, xy_nsec now)
{
	uint8_t *mac1 = msg + len - MACS_LEN, *mac2 = mac1 + XY_WG_MAC_LEN;
	xy_blake2s_mac(j->mac1_key, sizeof(j->mac1_key), msg, len - MACS_LEN, mac1);
	memcpy(j->last_mac1, mac1, sizeof(j->last_mac1));
	j->have_last_mac1 = true;
	if (j->cookie_birth && now - j->cookie_birth >= COOKIE_AGE) {
		sodium_memzero(j->cookie, sizeof(j->cookie));
		j->cookie_birth = 0;
	}
	if (j->cookie_birth)
		xy_blake2s_mac(j->cookie, sizeof(j->cookie), msg, len - XY_WG_MAC_LEN, mac2);
	else
		memset(mac2, 0, XY_WG_MAC_LEN);
}
