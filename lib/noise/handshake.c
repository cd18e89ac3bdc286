// SPDX-License-Identifier: BSD-3-Clause
#include "noise/handshake.h"

#include "base/bytes.h"
#include "noise/blake2s.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

static const char construction[] = "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s";
static const char identifier[] = "WireGuard v1 zx2c4 Jason@zx2c4.com";
// Each key of a handshake seals one message, so its counter is always 0.
static const uint8_t zero_nonce[crypto_aead_chacha20poly1305_IETF_NPUBBYTES];

static void mix_hash(struct xy_hs_state *s, const void *data, size_t len)
{
	xy_blake2s(s->hash, sizeof(s->hash), data, len, s->hash);
}

// chain = KDF1(chain, input)
static void mix_chain(struct xy_hs_state *s, const uint8_t input[static XY_WG_KEY_LEN])
{
	xy_blake2s_kdf(s->chain, input, XY_WG_KEY_LEN, 1, (uint8_t *[]){s->chain});
}

// (chain, key) = KDF2(chain, input)
static void mix_key(struct xy_hs_state *s, const uint8_t input[static XY_WG_KEY_LEN],
		    uint8_t key[static XY_WG_KEY_LEN])
{
	xy_blake2s_kdf(s->chain, input, XY_WG_KEY_LEN, 2, (uint8_t *[]){s->chain, key});
}

// (chain, tau, key) = KDF3(chain, psk); hash takes tau
static void mix_psk(struct xy_hs_state *s, const uint8_t psk[static XY_WG_KEY_LEN],
		    uint8_t key[static XY_WG_KEY_LEN])
{
	uint8_t tau[XY_WG_HASH_LEN];
	xy_blake2s_kdf(s->chain, psk, XY_WG_KEY_LEN, 3, (uint8_t *[]){s->chain, tau, key});
	mix_hash(s, tau, sizeof(tau));
	sodium_memzero(tau, sizeof(tau));
}

// Below 2^255 - 19 with the high bit clear, as every X25519 result is. RFC 7748 would have us mask
// and reduce; but then one key has several names, and a node is its key.
static bool is_canonical(const uint8_t pk[static XY_WG_KEY_LEN])
{
	if (pk[31] != 0x7f)
		return pk[31] < 0x7f;
	for (int i = 30; i > 0; i--)
		if (pk[i] != 0xff)
			return true;
	return pk[0] < 0xed;
}

// pk NULL: sk's public key.
static void dh_add(struct xy_hs_dh *dh, const uint8_t sk[static XY_WG_KEY_LEN], const uint8_t *pk)
{
	if (pk && !is_canonical(pk))
		dh->bad = true;
	dh->op[dh->n] = (struct xy_x25519_op){.sk = sk, .pk = pk, .out = dh->out[dh->n]};
	dh->n++;
}

// A zero result is what points of small order give.
static int dh_check(const struct xy_hs_dh *dh)
{
	int r = dh->bad ? -EBADMSG : 0;
	for (unsigned i = 0; i < dh->n; i++)
		r = sodium_is_zero(dh->out[i], sizeof(dh->out[i])) ? -EBADMSG : r;
	return r;
}

// Both sides mix the ephemeral the same way: into the hash, and as KDF1 (5.4.2: the psk variant).
static void mix_ephemeral(struct xy_hs_state *s, const uint8_t pk[static XY_WG_KEY_LEN])
{
	mix_hash(s, pk, XY_WG_KEY_LEN);
	mix_chain(s, pk);
}

static void seal(struct xy_hs_state *s, const uint8_t key[static XY_WG_KEY_LEN],
		 const uint8_t *plain, size_t len, uint8_t *box)
{
	crypto_aead_chacha20poly1305_ietf_encrypt(box, NULL, plain, len, s->hash, sizeof(s->hash),
						  NULL, zero_nonce, key);
	mix_hash(s, box, len + XY_WG_TAG_LEN);
}

static int open_box(struct xy_hs_state *s, const uint8_t key[static XY_WG_KEY_LEN],
		    const uint8_t *box, size_t box_len, uint8_t *plain)
{
	if (crypto_aead_chacha20poly1305_ietf_decrypt(plain, NULL, NULL, box, box_len, s->hash,
						      sizeof(s->hash), zero_nonce, key) != 0)
		return -EBADMSG;
	mix_hash(s, box, box_len);
	return 0;
}

// Who names another suite means it: without this somebody between could name it for him.
static const char *const suite_label[XY_WG_SUITES] = {
	[XY_WG_AES_256_GCM] = "xylem-aes-256-gcm-v1",
	[XY_WG_CHACHA20_POLY1305_LIGHT] = "xylem-chacha20-poly1305-light-v1",
	[XY_WG_AES_256_GCM_LIGHT] = "xylem-aes-256-gcm-light-v1",
};

static void state_init(struct xy_hs_state *s, const char *label, uint8_t suite,
		       const uint8_t responder_pk[static XY_WG_KEY_LEN])
{
	memset(s, 0, sizeof(*s));
	xy_blake2s(construction, sizeof(construction) - 1, NULL, 0, s->chain);
	xy_blake2s(s->chain, sizeof(s->chain), identifier, sizeof(identifier) - 1, s->hash);
	if (label)
		mix_hash(s, label, strlen(label));
	if (suite_label[suite])
		mix_hash(s, suite_label[suite], strlen(suite_label[suite]));
	s->suite = suite;
	mix_hash(s, responder_pk, XY_WG_KEY_LEN);
}

// What a finished handshake leaves: the indices. The zero ephemeral marks it as finished.
static void state_finish(struct xy_hs_state *s)
{
	sodium_memzero(s->hash, sizeof(s->hash));
	sodium_memzero(s->chain, sizeof(s->chain));
	sodium_memzero(s->e_sk, sizeof(s->e_sk));
	sodium_memzero(s->re, sizeof(s->re));
}

// The u of small order that are canonical, on the curve and its twist: 0, 1, -1, and the two of
// order 8 (Bernstein, https://cr.yp.to/ecdh.html).
static const uint8_t small_order[][XY_WG_KEY_LEN] = {
	{0},
	{1},
	{0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
	{0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3,
	 0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32,
	 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00},
	{0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1,
	 0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c,
	 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57},
};

int xy_hs_remote_init(const uint8_t pk[static XY_WG_KEY_LEN],
		      const uint8_t psk[static XY_WG_KEY_LEN], struct xy_hs_remote *out)
{
	if (!is_canonical(pk))
		return -EBADMSG;
	for (unsigned i = 0; i < sizeof(small_order) / sizeof(small_order[0]); i++)
		if (memcmp(pk, small_order[i], XY_WG_KEY_LEN) == 0)
			return -EBADMSG;
	memset(out, 0, sizeof(*out));
	memcpy(out->pk, pk, sizeof(out->pk));
	memcpy(out->psk, psk, sizeof(out->psk));
	return 0;
}

void xy_hs_remote_meet_dh(const struct xy_hs_local *local, const struct xy_hs_remote *remote,
			  struct xy_hs_dh *dh)
{
	*dh = (struct xy_hs_dh){0};
	if (!remote->has_ss)
		dh_add(dh, local->sk, remote->pk);
}

int xy_hs_remote_met(struct xy_hs_remote *remote, const struct xy_hs_dh *dh)
{
	if (remote->has_ss)
		return 0;
	if (dh_check(dh))
		return -EBADMSG;
	memcpy(remote->ss, dh->out[0], sizeof(remote->ss));
	remote->has_ss = true;
	return 0;
}

int xy_hs_remote_meet(const struct xy_hs_local *local, struct xy_hs_remote *remote)
{
	struct xy_hs_dh dh;
	xy_hs_remote_meet_dh(local, remote, &dh);
	xy_x25519_burst(dh.op, dh.n);
	int r = xy_hs_remote_met(remote, &dh);
	sodium_memzero(&dh, sizeof(dh));
	return r;
}

bool xy_hs_remote_same(const struct xy_hs_remote *a, const struct xy_hs_remote *b)
{
	return memcmp(a->pk, b->pk, sizeof(a->pk)) == 0 &&
	       sodium_memcmp(a->psk, b->psk, sizeof(a->psk)) == 0;
}

// --- message 1

void xy_hs_initiation_create_dh(const struct xy_hs_remote *remote,
				const uint8_t ephemeral_sk[static XY_WG_KEY_LEN],
				struct xy_hs_dh *dh)
{
	*dh = (struct xy_hs_dh){0};
	dh_add(dh, ephemeral_sk, NULL);
	dh_add(dh, ephemeral_sk, remote->pk); // es
}

int xy_hs_initiation_create_with(const struct xy_hs_local *local, const struct xy_hs_remote *remote,
				 const struct xy_hs_dh *dh,
				 const uint8_t timestamp[static XY_WG_TAI64N_LEN],
				 uint32_t local_index, struct xy_hs_state *state,
				 struct xy_wg_initiation *msg)
{
	uint8_t key[XY_WG_KEY_LEN];
	if (dh_check(dh)) {
		sodium_memzero(state, sizeof(*state));
		return -EBADMSG;
	}
	memset(msg, 0, sizeof(*msg));
	msg->type = XY_WG_INITIATION;
	msg->suite = remote->suite;
	msg->sender = local_index;
	state_init(state, local->label, remote->suite, remote->pk);
	state->local_index = local_index;
	memcpy(state->e_sk, dh->op[0].sk, sizeof(state->e_sk));
	memcpy(msg->ephemeral, dh->out[0], sizeof(msg->ephemeral));
	mix_ephemeral(state, msg->ephemeral);
	mix_key(state, dh->out[1], key); // es
	seal(state, key, local->pk, sizeof(local->pk), msg->static_box);
	mix_key(state, remote->ss, key); // ss
	seal(state, key, timestamp, XY_WG_TAI64N_LEN, msg->timestamp_box);
	sodium_memzero(key, sizeof(key));
	return 0;
}

int xy_hs_initiation_create(const struct xy_hs_local *local, const struct xy_hs_remote *remote,
			    const uint8_t ephemeral_sk[static XY_WG_KEY_LEN],
			    const uint8_t timestamp[static XY_WG_TAI64N_LEN], uint32_t local_index,
			    struct xy_hs_state *state, struct xy_wg_initiation *msg)
{
	struct xy_hs_dh dh;
	xy_hs_initiation_create_dh(remote, ephemeral_sk, &dh);
	xy_x25519_burst(dh.op, dh.n);
	int r = xy_hs_initiation_create_with(local, remote, &dh, timestamp, local_index, state,
					     msg);
	sodium_memzero(&dh, sizeof(dh));
	return r;
}

void xy_hs_initiation_open_dh(const struct xy_hs_local *local, const struct xy_wg_initiation *msg,
			      struct xy_hs_dh *dh)
{
	*dh = (struct xy_hs_dh){0};
	dh_add(dh, local->sk, msg->ephemeral); // es
}

int xy_hs_initiation_open_with(const struct xy_hs_local *local, const struct xy_wg_initiation *msg,
			       const struct xy_hs_dh *dh, struct xy_hs_state *state,
			       uint8_t remote_pk[static XY_WG_KEY_LEN])
{
	uint8_t key[XY_WG_KEY_LEN];
	if (msg->suite >= XY_WG_SUITES)
		return -EBADMSG;
	state_init(state, local->label, msg->suite, local->pk);
	state->remote_index = msg->sender;
	memcpy(state->re, msg->ephemeral, sizeof(state->re));
	mix_ephemeral(state, state->re);
	int rc = dh_check(dh);
	if (rc == 0) {
		mix_key(state, dh->out[0], key); // es
		rc = open_box(state, key, msg->static_box, sizeof(msg->static_box), remote_pk);
	}
	if (rc == 0 && !is_canonical(remote_pk))
		rc = -EBADMSG;
	if (rc != 0)
		sodium_memzero(state, sizeof(*state));
	sodium_memzero(key, sizeof(key));
	return rc;
}

int xy_hs_initiation_open(const struct xy_hs_local *local, const struct xy_wg_initiation *msg,
			  struct xy_hs_state *state, uint8_t remote_pk[static XY_WG_KEY_LEN])
{
	struct xy_hs_dh dh;
	xy_hs_initiation_open_dh(local, msg, &dh);
	xy_x25519_burst(dh.op, dh.n);
	int r = xy_hs_initiation_open_with(local, msg, &dh, state, remote_pk);
	sodium_memzero(&dh, sizeof(dh));
	return r;
}

int xy_hs_initiation_verify(const struct xy_hs_remote *remote, const struct xy_wg_initiation *msg,
			    struct xy_hs_state *state, uint8_t timestamp[static XY_WG_TAI64N_LEN])
{
	uint8_t key[XY_WG_KEY_LEN];
	mix_key(state, remote->ss, key); // ss
	int rc = open_box(state, key, msg->timestamp_box, sizeof(msg->timestamp_box), timestamp);
	if (rc != 0)
		sodium_memzero(state, sizeof(*state));
	sodium_memzero(key, sizeof(key));
	return rc;
}

// Section 5.4.5: the initiator sends with the first key and receives with the second.
static void keys_derive(const struct xy_hs_state *s, bool initiator, struct xy_hs_keys *keys)
{
	uint8_t *first = initiator ? keys->send : keys->recv;
	uint8_t *second = initiator ? keys->recv : keys->send;
	xy_blake2s_kdf(s->chain, NULL, 0, 2, (uint8_t *[]){first, second});
}

// --- message 2

void xy_hs_response_create_dh(const struct xy_hs_remote *remote, const struct xy_hs_state *state,
			      const uint8_t ephemeral_sk[static XY_WG_KEY_LEN], struct xy_hs_dh *dh)
{
	*dh = (struct xy_hs_dh){0};
	dh_add(dh, ephemeral_sk, NULL);
	dh_add(dh, ephemeral_sk, state->re);  // ee
	dh_add(dh, ephemeral_sk, remote->pk); // se
}

int xy_hs_response_create_with(const struct xy_hs_remote *remote, const struct xy_hs_dh *dh,
			       struct xy_hs_state *state, uint32_t local_index,
			       struct xy_wg_response *msg, struct xy_hs_keys *keys)
{
	uint8_t key[XY_WG_KEY_LEN];
	memset(msg, 0, sizeof(*msg));
	msg->type = XY_WG_RESPONSE;
	msg->suite = state->suite;
	msg->sender = local_index;
	msg->receiver = state->remote_index;
	state->local_index = local_index;
	int rc = dh_check(dh);
	if (rc == 0) {
		memcpy(msg->ephemeral, dh->out[0], sizeof(msg->ephemeral));
		mix_ephemeral(state, msg->ephemeral);
		mix_chain(state, dh->out[1]); // ee
		mix_chain(state, dh->out[2]); // se
		mix_psk(state, remote->psk, key);
		seal(state, key, NULL, 0, msg->empty_box);
		keys_derive(state, false, keys);
	}
	state_finish(state);
	sodium_memzero(key, sizeof(key));
	return rc;
}

int xy_hs_response_create(const struct xy_hs_remote *remote, struct xy_hs_state *state,
			  const uint8_t ephemeral_sk[static XY_WG_KEY_LEN], uint32_t local_index,
			  struct xy_wg_response *msg, struct xy_hs_keys *keys)
{
	struct xy_hs_dh dh;
	xy_hs_response_create_dh(remote, state, ephemeral_sk, &dh);
	xy_x25519_burst(dh.op, dh.n);
	int r = xy_hs_response_create_with(remote, &dh, state, local_index, msg, keys);
	sodium_memzero(&dh, sizeof(dh));
	return r;
}

// A state that was finished or wiped has chain and ephemeral that anybody knows: whoever picks
// msg->ephemeral could answer it. So it takes nothing.
static bool is_answer(const struct xy_hs_state *state, const struct xy_wg_response *msg)
{
	return !sodium_is_zero(state->e_sk, sizeof(state->e_sk)) &&
	       msg->receiver == state->local_index && msg->suite == state->suite;
}

void xy_hs_response_consume_dh(const struct xy_hs_local *local, const struct xy_hs_state *state,
			       const struct xy_wg_response *msg, struct xy_hs_dh *dh)
{
	*dh = (struct xy_hs_dh){0};
	if (!is_answer(state, msg))
		return;
	dh_add(dh, state->e_sk, msg->ephemeral); // ee
	dh_add(dh, local->sk, msg->ephemeral);	 // se
}

static int response_open(const struct xy_hs_remote *remote, const struct xy_hs_dh *dh,
			 struct xy_hs_state *s, const struct xy_wg_response *msg)
{
	uint8_t key[XY_WG_KEY_LEN];
	mix_ephemeral(s, msg->ephemeral);
	mix_chain(s, dh->out[0]); // ee
	mix_chain(s, dh->out[1]); // se
	mix_psk(s, remote->psk, key);
	int rc = open_box(s, key, msg->empty_box, sizeof(msg->empty_box), NULL);
	sodium_memzero(key, sizeof(key));
	return rc;
}

int xy_hs_response_consume_with(const struct xy_hs_remote *remote, const struct xy_hs_dh *dh,
				struct xy_hs_state *state, const struct xy_wg_response *msg,
				struct xy_hs_keys *keys)
{
	if (!is_answer(state, msg) || dh_check(dh))
		return -EBADMSG;
	struct xy_hs_state s = *state;
	int rc = response_open(remote, dh, &s, msg);
	if (rc == 0) {
		keys_derive(&s, true, keys);
		state->remote_index = msg->sender;
		state_finish(state);
	}
	sodium_memzero(&s, sizeof(s));
	return rc;
}

int xy_hs_response_consume(const struct xy_hs_local *local, const struct xy_hs_remote *remote,
			   struct xy_hs_state *state, const struct xy_wg_response *msg,
			   struct xy_hs_keys *keys)
{
	struct xy_hs_dh dh;
	xy_hs_response_consume_dh(local, state, msg, &dh);
	xy_x25519_burst(dh.op, dh.n);
	int r = xy_hs_response_consume_with(remote, &dh, state, msg, keys);
	sodium_memzero(&dh, sizeof(dh));
	return r;
}

void xy_tai64n(uint64_t unix_sec, uint32_t nsec, uint8_t out[static XY_WG_TAI64N_LEN])
{
	// 2^62 is TAI64's origin; 10 s is TAI - UTC in 1970, which WireGuard keeps for ever
	xy_be64_store(out, (UINT64_C(1) << 62) + 10 + unix_sec);
	xy_be32_store(out + 8, nsec & ~UINT32_C(0xffffff));
}
