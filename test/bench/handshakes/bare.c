// SPDX-License-Identifier: BSD-3-Clause
// What a responder computes for one handshake, in memory: who asks (mac1, message 1 up to the
// static key), is it right (static-static, made before), message 2 and keys, its macs; and the
// first data that confirms it. Beside it the bare X25519 of libsodium that Noise IKpsk2 asks of a
// responder whose static-static secret is kept: es, ee, se, and the ephemeral's public key.
#include "handshakes.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { TRIES = 4000, TRIES_SHORT = 800, AT_ONCE = 8 };
enum step { MAC, OPEN, VERIFY, RESPOND, MACS, DATA, WHOLE, EIGHT, MULT, BASE, BARE, STEPS };

static const char *const text[STEPS] = {
	[MAC] = "mac1 of message 1",
	[OPEN] = "message 1: who is it (es)",
	[VERIFY] = "message 1: is it new and right (kept ss)",
	[RESPOND] = "message 2 and keys (ephemeral, ee, se)",
	[MACS] = "macs of message 2",
	[DATA] = "first data",
	[WHOLE] = "a handshake answered",
	[EIGHT] = "the same, each of eight at once",
	[MULT] = "bare X25519 of two keys, libsodium",
	[BASE] = "bare X25519 of the base point, libsodium",
	[BARE] = "bare X25519 of a handshake: three and one",
};
static double spent[STEPS][TRIES]; // us

struct side {
	struct xy_hs_local local;
	struct xy_hs_remote other;
	struct xy_hs_state state;
	struct xy_hs_keys keys;
	struct xy_cookie_jar jar; // for what goes to the other
};

static void side_make(struct side *me, unsigned self, unsigned other)
{
	uint8_t sk[XY_WG_KEY_LEN], pk[XY_WG_KEY_LEN];
	const uint8_t psk[XY_WG_KEY_LEN] = {0};
	secret_of(self, me->local.sk);
	secret_of(other, sk);
	if (crypto_scalarmult_base(me->local.pk, me->local.sk) || crypto_scalarmult_base(pk, sk) ||
	    xy_hs_remote_init(pk, psk, &me->other) || xy_hs_remote_meet(&me->local, &me->other))
		die("a key");
	xy_cookie_jar_init(&me->jar, pk);
}

static double mark(enum step what, unsigned n, double since) // and now
{
	double now = seconds_now();
	spent[what][n] = (now - since) * 1e6;
	return now;
}

static void bare(const uint8_t *sk, const uint8_t *pk, unsigned n)
{
	uint8_t out[XY_WG_KEY_LEN];
	double t = seconds_now();
	if (crypto_scalarmult(out, sk, pk))
		die("X25519");
	t = mark(MULT, n, t);
	if (crypto_scalarmult_base(out, sk))
		die("X25519");
	mark(BASE, n, t);
	spent[BARE][n] = 3 * spent[MULT][n] + spent[BASE][n];
}

static void answer(struct side *me, struct xy_cookie_checker *c, struct xy_wg_initiation *one,
		   struct xy_wg_response *two, unsigned n)
{
	uint8_t pk[XY_WG_KEY_LEN], stamp[XY_WG_TAI64N_LEN], ephemeral[XY_WG_KEY_LEN];
	const struct xy_endpoint from = {.addr = xy_addr_from_v4(0x0a140001), .port = 40000};
	double start = seconds_now(), t = start;
	enum xy_mac_verdict mac =
		xy_cookie_check(c, (const uint8_t *)one, sizeof(*one), &from, XY_SEC);
	t = mark(MAC, n, t);
	int r = xy_hs_initiation_open(&me->local, one, &me->state, pk);
	t = mark(OPEN, n, t);
	r = r ? r : xy_hs_initiation_verify(&me->other, one, &me->state, stamp);
	t = mark(VERIFY, n, t);
	randombytes_buf(ephemeral, sizeof(ephemeral));
	r = r ? r : xy_hs_response_create(&me->other, &me->state, ephemeral, 7, two, &me->keys);
	t = mark(RESPOND, n, t);
	xy_cookie_macs_add(&me->jar, (uint8_t *)two, sizeof(*two), XY_SEC);
	mark(MACS, n, t);
	mark(WHOLE, n, start);
	if (r || mac != XY_MAC_VALID_NO_COOKIE)
		die("a handshake was refused");
}

// As a helper does when eight wait: X25519 of all of them side by side, step by step.
static void eight(const struct side *me, struct xy_cookie_checker *c,
		  const struct xy_wg_initiation *one, unsigned n)
{
	struct xy_hs_dh dh[AT_ONCE];
	struct xy_x25519_op all[AT_ONCE * XY_HS_DH];
	struct side s[AT_ONCE];
	struct xy_wg_response two;
	uint8_t pk[XY_WG_KEY_LEN], stamp[XY_WG_TAI64N_LEN], ephemeral[AT_ONCE][XY_WG_KEY_LEN];
	const struct xy_endpoint from = {.addr = xy_addr_from_v4(0x0a140001), .port = 40000};
	int r = 0;
	for (unsigned i = 0; i < AT_ONCE; i++)
		s[i] = *me;
	randombytes_buf(ephemeral, sizeof(ephemeral));
	double start = seconds_now();
	for (unsigned i = 0; i < AT_ONCE; i++) {
		r |= xy_cookie_check(c, (const uint8_t *)one, sizeof(*one), &from, XY_SEC) ==
		     XY_MAC_INVALID;
		xy_hs_initiation_open_dh(&s[i].local, one, &dh[i]);
		all[i] = dh[i].op[0];
	}
	xy_x25519_burst(all, AT_ONCE);
	for (unsigned i = 0; i < AT_ONCE; i++) {
		r |= xy_hs_initiation_open_with(&s[i].local, one, &dh[i], &s[i].state, pk);
		r |= xy_hs_initiation_verify(&s[i].other, one, &s[i].state, stamp);
		xy_hs_response_create_dh(&s[i].other, &s[i].state, ephemeral[i], &dh[i]);
		memcpy(all + i * XY_HS_DH, dh[i].op, sizeof(dh[i].op));
	}
	xy_x25519_burst(all, AT_ONCE * XY_HS_DH);
	for (unsigned i = 0; i < AT_ONCE; i++) {
		r |= xy_hs_response_create_with(&s[i].other, &dh[i], &s[i].state, 7, &two,
						&s[i].keys);
		xy_cookie_macs_add(&s[i].jar, (uint8_t *)&two, sizeof(two), XY_SEC);
	}
	spent[EIGHT][n] = (seconds_now() - start) * 1e6 / AT_ONCE;
	if (r)
		die("eight handshakes were refused");
}

static void first_data(const struct side *from, const struct side *to, unsigned n)
{
	uint8_t box[XY_WG_TAG_LEN], nonce[12] = {0};
	crypto_aead_chacha20poly1305_ietf_encrypt(box, NULL, NULL, 0, NULL, 0, NULL, nonce,
						  from->keys.send);
	double t = seconds_now();
	int r = crypto_aead_chacha20poly1305_ietf_decrypt(NULL, NULL, NULL, box, sizeof(box), NULL,
							  0, nonce, to->keys.recv);
	mark(DATA, n, t);
	spent[WHOLE][n] += spent[DATA][n];
	if (r)
		die("the two have other keys");
}

static void once(struct side *ask, struct side *told, struct xy_cookie_checker *c, unsigned n)
{
	struct xy_wg_initiation one;
	struct xy_wg_response two;
	uint8_t stamp[XY_WG_TAI64N_LEN], ephemeral[XY_WG_KEY_LEN];
	stamp_now(stamp);
	randombytes_buf(ephemeral, sizeof(ephemeral));
	if (xy_hs_initiation_create(&ask->local, &ask->other, ephemeral, stamp, 5, &ask->state,
				    &one))
		die("message 1");
	xy_cookie_macs_add(&ask->jar, (uint8_t *)&one, sizeof(one), XY_SEC);
	answer(told, c, &one, &two, n);
	if (xy_hs_response_consume(&ask->local, &ask->other, &ask->state, &two, &ask->keys))
		die("message 2");
	first_data(ask, told, n);
	eight(told, c, &one, n);
	spent[EIGHT][n] += spent[DATA][n];
	bare(told->local.sk, ask->local.pk, n);
}

static int order(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

int bare_run(const struct options *o)
{
	static struct side ask, told;
	struct xy_cookie_checker c;
	unsigned tries = o->brief ? TRIES_SHORT : TRIES;
	side_make(&ask, 1, 0);
	side_make(&told, 0, 1);
	xy_cookie_checker_init(&c, told.local.pk);
	for (unsigned i = 0; i < tries; i++)
		once(&ask, &told, &c, i);
	for (enum step s = 0; s < STEPS; s++)
		qsort(spent[s], tries, sizeof(double), order);
	double share = spent[BARE][tries / 2] / spent[WHOLE][tries / 2];
	if (o->json)
		printf("{\"us\": %.2f, \"of_eight_us\": %.2f, \"bare_us\": %.2f, \"mult_us\": "
		       "%.2f, "
		       "\"base_us\": %.2f, \"side_by_side_from\": %u}\n",
		       spent[WHOLE][tries / 2], spent[EIGHT][tries / 2], spent[BARE][tries / 2],
		       spent[MULT][tries / 2], spent[BASE][tries / 2], xy_x25519_side_by_side());
	else
		printf("%-44s %8s %8s\n", "in memory, us", "median", "p90");
	for (enum step s = 0; s < STEPS && !o->json; s++)
		printf("%-44s %8.2f %8.2f\n", text[s], spent[s][tries / 2],
		       spent[s][tries * 9 / 10]);
	if (!o->json)
		printf("side by side from %u at once (0: this CPU lacks it, or it is slower)\n"
		       "%s: bare X25519 is %.2f of a handshake answered, 0.6 wanted\n",
		       xy_x25519_side_by_side(), share >= 0.6 ? "pass" : "over", share);
	return 0;
}
