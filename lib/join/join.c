// SPDX-License-Identifier: BSD-3-Clause
#include "join/join.h"

#include "base/cursor.h"

#include <sodium.h>

// Each signed thing has its own beginning, so that none can be passed off as another.
static const char probe_domain[] = "xylem-probe-v1", beacon_domain[] = "xylem-beacon-v1";

enum {
	PROBE_DOMAIN_LEN = sizeof(probe_domain) - 1,
	BEACON_DOMAIN_LEN = sizeof(beacon_domain) - 1,
	PROBE_SIGNED = PROBE_DOMAIN_LEN + XY_JOIN_NONCE_LEN + XY_KEY_LEN,
	BEACON_SIGNED = BEACON_DOMAIN_LEN + XY_KEY_LEN + 2,
};

static void head_write(uint8_t *out, size_t len, uint8_t type)
{
	memset(out, 0, len);
	out[0] = type;
}

static struct xy_cursor head_read(const void *data, size_t len, size_t want, uint8_t type)
{
	struct xy_cursor c = xy_cursor(data, len);
	if (len != want || xy_cursor_be32(&c) != (uint32_t)type << 24)
		c.bad = true;
	return c;
}

// --- what is signed

static void probe_signed(const uint8_t nonce[static XY_JOIN_NONCE_LEN],
			 const struct xy_key *ed25519, uint8_t out[static PROBE_SIGNED])
{
	memcpy(out, probe_domain, PROBE_DOMAIN_LEN);
	memcpy(out + PROBE_DOMAIN_LEN, nonce, XY_JOIN_NONCE_LEN);
	memcpy(out + PROBE_DOMAIN_LEN + XY_JOIN_NONCE_LEN, ed25519->b, XY_KEY_LEN);
}

static void beacon_signed(const struct xy_key *ed25519, uint16_t port,
			  uint8_t out[static BEACON_SIGNED])
{
	memcpy(out, beacon_domain, BEACON_DOMAIN_LEN);
	memcpy(out + BEACON_DOMAIN_LEN, ed25519->b, XY_KEY_LEN);
	xy_be16_store(out + BEACON_DOMAIN_LEN + XY_KEY_LEN, port);
}

static int verify(const uint8_t *text, size_t len, const struct xy_key *ed25519,
		  const uint8_t signature[static XY_JOIN_SIGNATURE_LEN], struct xy_key *x25519)
{
	if (xy_key_from_ed25519(ed25519, x25519) ||
	    crypto_sign_verify_detached(signature, text, len, ed25519->b))
		return -EBADMSG;
	return 0;
}

// --- probe and reply

void xy_join_probe_write(const uint8_t nonce[static XY_JOIN_NONCE_LEN],
			 uint8_t out[static XY_JOIN_LEN])
{
	head_write(out, XY_JOIN_LEN, XY_JOIN_PROBE);
	memcpy(out + 4, nonce, XY_JOIN_NONCE_LEN);
}

int xy_join_probe_read(const void *data, size_t len, uint8_t nonce[static XY_JOIN_NONCE_LEN])
{
	struct xy_cursor c = head_read(data, len, XY_JOIN_LEN, XY_JOIN_PROBE);
	xy_cursor_copy(&c, nonce, XY_JOIN_NONCE_LEN); // the padding behind it says nothing
	return c.bad ? -EBADMSG : 0;
}

void xy_join_reply_write(const struct xy_identity *id,
			 const uint8_t nonce[static XY_JOIN_NONCE_LEN],
			 uint8_t out[static XY_JOIN_LEN])
{
	uint8_t text[PROBE_SIGNED];
	probe_signed(nonce, &id->ed25519, text);
	head_write(out, XY_JOIN_LEN, XY_JOIN_REPLY);
	memcpy(out + 4, nonce, XY_JOIN_NONCE_LEN);
	memcpy(out + 4 + XY_JOIN_NONCE_LEN, id->ed25519.b, XY_KEY_LEN);
	crypto_sign_detached(out + XY_JOIN_LEN - XY_JOIN_SIGNATURE_LEN, NULL, text, sizeof(text),
			     id->ed25519_sk);
}

int xy_join_reply_read(const void *data, size_t len, struct xy_join_reply *out)
{
	struct xy_cursor c = head_read(data, len, XY_JOIN_LEN, XY_JOIN_REPLY);
	xy_cursor_copy(&c, out->nonce, sizeof(out->nonce));
	xy_cursor_copy(&c, out->ed25519.b, sizeof(out->ed25519.b));
	xy_cursor_copy(&c, out->signature, sizeof(out->signature));
	return c.bad ? -EBADMSG : 0;
}

int xy_join_reply_verify(const struct xy_join_reply *r, struct xy_key *x25519)
{
	uint8_t text[PROBE_SIGNED];
	probe_signed(r->nonce, &r->ed25519, text);
	return verify(text, sizeof(text), &r->ed25519, r->signature, x25519);
}

// --- beacon

void xy_join_beacon_write(const struct xy_identity *id, uint16_t port,
			  uint8_t out[static XY_JOIN_BEACON_LEN])
{
	uint8_t text[BEACON_SIGNED];
	beacon_signed(&id->ed25519, port, text);
	head_write(out, XY_JOIN_BEACON_LEN, XY_JOIN_BEACON);
	memcpy(out + 4, id->ed25519.b, XY_KEY_LEN);
	xy_be16_store(out + 4 + XY_KEY_LEN, port);
	crypto_sign_detached(out + XY_JOIN_BEACON_LEN - XY_JOIN_SIGNATURE_LEN, NULL, text,
			     sizeof(text), id->ed25519_sk);
}

int xy_join_beacon_read(const void *data, size_t len, struct xy_join_beacon *out)
{
	struct xy_cursor c = head_read(data, len, XY_JOIN_BEACON_LEN, XY_JOIN_BEACON);
	xy_cursor_copy(&c, out->ed25519.b, sizeof(out->ed25519.b));
	out->port = xy_cursor_be16(&c);
	xy_cursor_copy(&c, out->signature, sizeof(out->signature));
	return c.bad || !out->port ? -EBADMSG : 0;
}

int xy_join_beacon_verify(const struct xy_join_beacon *b, struct xy_key *x25519)
{
	uint8_t text[BEACON_SIGNED];
	beacon_signed(&b->ed25519, b->port, text);
	return verify(text, sizeof(text), &b->ed25519, b->signature, x25519);
}
