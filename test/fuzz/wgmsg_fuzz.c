// SPDX-License-Identifier: BSD-3-Clause
// WireGuard messages. The first byte picks the way in: even, the rest is a message as it stands;
// odd, it is a list of edits (place, value) to a message that is right, so that the fuzzer gets
// behind the macs. A message that differs from the right one in its first 116 (60, 64) bytes must
// not open.
#include "noise/cookie.h"
#include "noise/handshake.h"

#include "base/cursor.h"

#include <sodium.h>
#include <stdlib.h>

enum { LOCAL_INDEX = 7, REMOTE_INDEX = 9 };

static struct xy_hs_local initiator, responder;
static struct xy_hs_remote at_initiator, at_responder;
static struct xy_cookie_checker check_initiator, check_responder;
static struct xy_cookie_jar jar_initiator, jar_responder;
static struct xy_hs_state waiting; // the initiator's, after message 1
static struct xy_wg_initiation msg1;
static struct xy_wg_response msg2;
static struct xy_wg_cookie_reply msg3;
static const struct xy_endpoint src = {.port = 51820};
static const uint8_t stamp[XY_WG_TAI64N_LEN] = {0x40, 1};

static void need(bool ok)
{
	if (!ok)
		abort();
}

static void local_init(struct xy_hs_local *l, uint8_t fill)
{
	memset(l->sk, fill, sizeof(l->sk));
	need(crypto_scalarmult_base(l->pk, l->sk) == 0);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const uint8_t psk[XY_WG_KEY_LEN] = {5}, e1[XY_WG_KEY_LEN] = {3},
			     e2[XY_WG_KEY_LEN] = {4}, nonce[XY_WG_COOKIE_NONCE_LEN] = {6};
	struct xy_hs_state s;
	struct xy_hs_keys keys;
	uint8_t pk[XY_WG_KEY_LEN], t[XY_WG_TAI64N_LEN];
	(void)argc;
	(void)argv;
	need(sodium_init() >= 0);
	local_init(&initiator, 1);
	local_init(&responder, 2);
	need(xy_hs_remote_init(responder.pk, psk, &at_initiator) == 0);
	need(xy_hs_remote_init(initiator.pk, psk, &at_responder) == 0);
	need(xy_hs_remote_meet(&initiator, &at_initiator) == 0);
	need(xy_hs_remote_meet(&responder, &at_responder) == 0);
	xy_cookie_checker_init(&check_initiator, initiator.pk);
	xy_cookie_checker_init(&check_responder, responder.pk);
	// a secret that stays, so that an input means the same every time
	check_initiator.secret_birth = check_responder.secret_birth = XY_SEC;
	xy_cookie_jar_init(&jar_initiator, responder.pk);
	xy_cookie_jar_init(&jar_responder, initiator.pk);
	need(xy_hs_initiation_create(&initiator, &at_initiator, e1, stamp, LOCAL_INDEX, &waiting,
				     &msg1) == 0);
	xy_cookie_macs_add(&jar_initiator, (uint8_t *)&msg1, sizeof(msg1), XY_SEC);
	need(xy_hs_initiation_open(&responder, &msg1, &s, pk) == 0);
	need(xy_hs_initiation_verify(&at_responder, &msg1, &s, t) == 0);
	need(xy_hs_response_create(&at_responder, &s, e2, REMOTE_INDEX, &msg2, &keys) == 0);
	xy_cookie_macs_add(&jar_responder, (uint8_t *)&msg2, sizeof(msg2), XY_SEC);
	xy_cookie_reply_create(&check_responder, (uint8_t *)&msg1, sizeof(msg1), LOCAL_INDEX, &src,
			       nonce, XY_SEC, &msg3);
	return 0;
}

static void initiation(const uint8_t *data, size_t len)
{
	struct xy_wg_initiation m;
	struct xy_hs_state s;
	uint8_t pk[XY_WG_KEY_LEN], t[XY_WG_TAI64N_LEN];
	memcpy(&m, data, len);
	xy_cookie_check(&check_responder, data, len, &src, XY_SEC);
	bool right = m.suite == msg1.suite && // it is in the hash
		     memcmp(m.ephemeral, msg1.ephemeral,
			    offsetof(struct xy_wg_initiation, macs) -
				    offsetof(struct xy_wg_initiation, ephemeral)) == 0;
	bool opened = xy_hs_initiation_open(&responder, &m, &s, pk) == 0 &&
		      xy_hs_initiation_verify(&at_responder, &m, &s, t) == 0;
	need(opened == right);
	if (opened)
		need(memcmp(t, stamp, sizeof(t)) == 0 && s.remote_index == m.sender);
}

static void response(const uint8_t *data, size_t len)
{
	struct xy_wg_response m;
	struct xy_hs_state s = waiting;
	struct xy_hs_keys keys;
	memcpy(&m, data, len);
	xy_cookie_check(&check_initiator, data, len, &src, XY_SEC);
	bool right = m.suite == msg2.suite &&
		     memcmp(&m.receiver, &msg2.receiver,
			    offsetof(struct xy_wg_response, macs) -
				    offsetof(struct xy_wg_response, receiver)) == 0;
	bool opened = xy_hs_response_consume(&initiator, &at_initiator, &s, &m, &keys) == 0;
	need(opened == right);
	need(opened || memcmp(&s, &waiting, sizeof(s)) == 0);
}

static void cookie(const uint8_t *data, size_t len)
{
	struct xy_wg_cookie_reply m;
	struct xy_cookie_jar jar = jar_initiator;
	memcpy(&m, data, len);
	bool right = memcmp(m.nonce, msg3.nonce, sizeof(m.nonce) + sizeof(m.cookie_box)) == 0;
	need((xy_cookie_reply_consume(&jar, &m, XY_SEC) == 0) == right);
}

// Behind any message of a kind whose length is known, and behind data for the same receiver,
// another makes a train.
static void train(const uint8_t *data, size_t len)
{
	enum xy_wg_type type = xy_wg_classify(data, len);
	if (type && type != XY_WG_DATA)
		need(!xy_wg_is_train(data, len));
	if (!type || len > 4096)
		return;
	uint8_t *twice = malloc(2 * len);
	need(twice);
	memcpy(twice, data, len);
	memcpy(twice + len, data, len);
	need(xy_wg_is_train(twice, 2 * len));
	free(twice);
}

static void message(const uint8_t *data, size_t len)
{
	train(data, len);
	xy_wg_is_train(data, len);
	switch (xy_wg_classify(data, len)) {
	case XY_WG_INITIATION:
		initiation(data, len);
		break;
	case XY_WG_RESPONSE:
		response(data, len);
		break;
	case XY_WG_COOKIE_REPLY:
		cookie(data, len);
		break;
	case XY_WG_DATA:
		need(len >= XY_WG_DATA_OVERHEAD);
		break;
	}
}

// Edits to a right message; bit 2 of the way in: with a mac1 that fits again, as anyone can make.
static void edited(uint8_t way, struct xy_cursor *c)
{
	uint8_t m[sizeof(msg1)];
	size_t len;
	switch (way >> 3 & 3) {
	case 0:
		memcpy(m, &msg1, len = sizeof(msg1));
		break;
	case 1:
		memcpy(m, &msg2, len = sizeof(msg2));
		break;
	default:
		memcpy(m, &msg3, len = sizeof(msg3));
		break;
	}
	while (xy_cursor_left(c) >= 2) {
		uint8_t at = xy_cursor_u8(c), value = xy_cursor_u8(c);
		m[at % len] ^= value;
	}
	if ((way & 4) && len != sizeof(msg3)) {
		struct xy_cookie_jar jar = len == sizeof(msg1) ? jar_initiator : jar_responder;
		xy_cookie_macs_add(&jar, m, len, XY_SEC);
	}
	message(m, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xy_cursor c = xy_cursor(data, size);
	uint8_t way = xy_cursor_u8(&c);
	if (c.bad)
		return 0;
	if (way & 1) {
		edited(way, &c);
		return 0;
	}
	size_t len = xy_cursor_left(&c);
	uint8_t *copy = malloc(len ? len : 1); // its own block: a read past the end is seen
	need(copy);
	memcpy(copy, xy_cursor_take(&c, len), len);
	message(copy, len);
	free(copy);
	return 0;
}
