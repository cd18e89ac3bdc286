// SPDX-License-Identifier: BSD-3-Clause
#include "babel/babel.h"

#include "base/list.h"

#include <sodium.h>

static const char claim_domain[] = "xylem-route-v1", rid_domain[] = "xylem-rid-v1";

const struct xy_addr xy_babel_group = {.b = {0xff, 0x02, [13] = 0x01, [15] = 0x06}};

static const char *const refusal_names[] = {XY_BABEL_REFUSALS(XY_LIST_NAME)};
static const char *const refusal_texts[] = {XY_BABEL_REFUSALS(XY_LIST_TEXT)};

const char *xy_babel_refusal_name(enum xy_babel_refusal r)
{
	return refusal_names[r];
}

const char *xy_babel_refusal_text(enum xy_babel_refusal r)
{
	return refusal_texts[r];
}

uint64_t xy_babel_router_id(const struct xy_key *x25519, uint32_t epoch)
{
	uint8_t in[sizeof(rid_domain) - 1 + 32 + 4], out[8];
	memcpy(in, rid_domain, sizeof(rid_domain) - 1);
	memcpy(in + sizeof(rid_domain) - 1, x25519->b, 32);
	xy_be32_store(in + sizeof(rid_domain) - 1 + 32, epoch);
	// Any length from 1 to 64 is a BLAKE2b of its own; libsodium's minimum of 16 is advice.
	crypto_generichash_blake2b(out, sizeof(out), in, sizeof(in), NULL, 0);
	return xy_be64_load(out);
}

size_t xy_babel_claim_bytes(const struct xy_babel_claim *c,
			    uint8_t out[static XY_BABEL_CLAIM_BYTES])
{
	uint8_t *at = out;
	memcpy(at, claim_domain, sizeof(claim_domain) - 1);
	at += sizeof(claim_domain) - 1;
	*at++ = XY_BABEL_ORIGIN_VERSION;
	*at++ = c->origin.flags;
	xy_be32_store(at, c->origin.epoch);
	memcpy(at + 4, c->origin.key, 32);
	at += 36;
	if (c->origin.flags & XY_BABEL_ORIGIN_EXTERNAL) {
		xy_be32_store(at, c->origin.tag);
		at += 4;
	}
	*at++ = c->prefix.len;
	memcpy(at, c->prefix.addr.b, 16);
	xy_be64_store(at + 16, c->rid);
	xy_be16_store(at + 24, c->seqno);
	return (size_t)(at + 26 - out);
}

void xy_babel_claim_sign(struct xy_babel_claim *c, const uint8_t ed25519_sk[static 64])
{
	uint8_t bytes[XY_BABEL_CLAIM_BYTES];
	size_t len = xy_babel_claim_bytes(c, bytes);
	crypto_sign_detached(c->origin.signature, NULL, bytes, len, ed25519_sk);
}

int xy_babel_claim_verify(const struct xy_babel_claim *c, struct xy_key *x25519)
{
	uint8_t bytes[XY_BABEL_CLAIM_BYTES];
	struct xy_key ed25519;
	memcpy(ed25519.b, c->origin.key, 32);
	if (xy_key_from_ed25519(&ed25519, x25519) < 0)
		return -EINVAL;
	if (xy_addr_is_mesh(&c->prefix.addr)) {
		struct xy_prefix own = xy_key_prefix(x25519);
		if (!xy_prefix_eq(&own, &c->prefix))
			return -EPERM;
	}
	if (xy_babel_router_id(x25519, c->origin.epoch) != c->rid)
		return -ESTALE;
	size_t len = xy_babel_claim_bytes(c, bytes);
	if (crypto_sign_verify_detached(c->origin.signature, bytes, len, ed25519.b) != 0)
		return -EBADMSG;
	return 0;
}

uint32_t xy_babel_epoch_first(uint32_t saved, uint64_t unix_seconds)
{
	uint64_t epoch = unix_seconds > (uint64_t)saved + 1 ? unix_seconds : (uint64_t)saved + 1;
	return epoch < UINT32_MAX ? (uint32_t)epoch : UINT32_MAX - 1;
}
