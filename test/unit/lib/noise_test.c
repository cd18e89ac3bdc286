// SPDX-License-Identifier: BSD-3-Clause
// WireGuard's handshake, cookies, key slots, limits, replay window and indices. The oracle of the
// handshake is a second one, written straight down from the paper's text (model_ below).
#include "noise/blake2s.h"
#include "noise/cookie.h"
#include "noise/handshake.h"
#include "noise/index.h"
#include "noise/keypairs.h"
#include "noise/limiter.h"
#include "noise/replay.h"
#include "unit.h"

#include "base/bytes.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static uint64_t seed = 1;

static uint64_t rnd(void) // splitmix64
{
	uint64_t z = (seed += UINT64_C(0x9e3779b97f4a7c15));
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static void rnd_bytes(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)rnd();
}

static void hex(const char *s, uint8_t *out, size_t n)
{
	size_t got = 0;
	CU_ASSERT_FATAL(sodium_hex2bin(out, n, s, strlen(s), " ", &got, NULL) == 0 && got == n);
}

#define SAME(a, b, n) CU_ASSERT(memcmp(a, b, n) == 0)

// ---- published vectors ----

// RFC 7693's self-test, appendix E: keyed and unkeyed, over digests of 16 and 32 bytes and inputs
// of several lengths. Its grand hash covers 20 and 28 too, so those come from a model of BLAKE2s
// itself.
static void model_blake2s(const uint8_t *key, size_t key_len, const uint8_t *in, size_t len,
			  uint8_t *out, size_t out_len)
{
	static const uint32_t iv[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
				       0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
	static const uint8_t sigma[10][16] = {
		{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
		{14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
		{11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
		{7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
		{9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
		{2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
		{12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
		{13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
		{6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
		{10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0}};
	static const uint8_t lane[8][4] = {{0, 4, 8, 12},  {1, 5, 9, 13},  {2, 6, 10, 14},
					   {3, 7, 11, 15}, {0, 5, 10, 15}, {1, 6, 11, 12},
					   {2, 7, 8, 13},  {3, 4, 9, 14}};
	uint8_t data[64 + 2400] = {0};
	CU_ASSERT_FATAL(len <= 2400);
	size_t head = key_len ? 64 : 0, total = head + len, at = 0;
	if (key_len)
		memcpy(data, key, key_len);
	if (len)
		memcpy(data + head, in, len);
	uint32_t h[8];
	memcpy(h, iv, sizeof(h));
	h[0] ^= 0x01010000 ^ (uint32_t)key_len << 8 ^ (uint32_t)out_len;
	do {
		size_t n = total - at < 64 ? total - at : 64;
		uint8_t block[64] = {0};
		uint32_t v[16], m[16];
		memcpy(block, data + at, n);
		memcpy(m, block, sizeof(m));
		at += n;
		memcpy(v, h, 32);
		memcpy(v + 8, iv, 32);
		v[12] ^= (uint32_t)at;
		if (at == total)
			v[14] = ~v[14];
		for (int r = 0; r < 10; r++)
			for (int i = 0; i < 8; i++) {
				uint32_t *a = &v[lane[i][0]], *b = &v[lane[i][1]];
				uint32_t *c = &v[lane[i][2]], *d = &v[lane[i][3]];
#define ROT(x, n) ((x) >> (n) | (x) << (32 - (n)))
				*a += *b + m[sigma[r][2 * i]], *d = ROT(*d ^ *a, 16);
				*c += *d, *b = ROT(*b ^ *c, 12);
				*a += *b + m[sigma[r][2 * i + 1]], *d = ROT(*d ^ *a, 8);
				*c += *d, *b = ROT(*b ^ *c, 7);
			}
		for (int i = 0; i < 8; i++)
			h[i] ^= v[i] ^ v[i + 8];
	} while (at < total);
	memcpy(out, h, out_len);
}

// RFC 2104, over the model.
static void model_hmac(const uint8_t key[32], const uint8_t *in, size_t len, uint8_t out[32])
{
	uint8_t text[64 + 1024] = {0};
	for (int i = 0; i < 64; i++)
		text[i] = 0x36 ^ (i < 32 ? key[i] : 0);
	memcpy(text + 64, in, len);
	model_blake2s(NULL, 0, text, 64 + len, out, 32);
	for (int i = 0; i < 64; i++)
		text[i] ^= 0x36 ^ 0x5c;
	memcpy(text + 64, out, 32);
	model_blake2s(NULL, 0, text, 64 + 32, out, 32);
}

static void test_blake2s(void)
{
	uint8_t want[32], got[32], key[32], in[255], out16[16];
	hex("508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982", want, 32);
	xy_blake2s("ab", 2, "c", 1, got); // RFC 7693, appendix B
	SAME(got, want, 32);
	hex("69217a3079908094e11121d042354a7c1f55b6482ca1a51e1b250dfd1ed0eef9", want, 32);
	xy_blake2s(NULL, 0, NULL, 0, got); // the reference's unkeyed vector of length 0
	SAME(got, want, 32);

	// HMAC in two parts against RFC 2104 over the model
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)i;
	for (size_t len = 0; len < sizeof(in); len++) {
		rnd_bytes(key, sizeof(key));
		model_hmac(key, in, len, want);
		xy_blake2s_hmac(key, in, len / 2, in + len / 2, len - len / 2, got);
		SAME(got, want, 32);
	}
	// the digest's length is part of the state: no truncation of the 32-byte one
	xy_blake2s_mac(key, 32, in, 10, out16);
	xy_blake2s_hmac(key, in, 10, NULL, 0, got);
	CU_ASSERT(memcmp(out16, got, 16) != 0);
}

static void selftest_seq(uint8_t *out, size_t len, uint32_t s)
{
	uint32_t a = 0xdead4bad * s, b = 1;
	for (size_t i = 0; i < len; i++) {
		uint32_t t = a + b;
		a = b;
		b = t;
		out[i] = (uint8_t)(t >> 24);
	}
}

static void test_blake2s_rfc7693(void)
{
	static const size_t md_len[4] = {16, 20, 28, 32}, in_len[6] = {0, 3, 64, 65, 255, 1024};
	uint8_t in[1024], md[32], got[32], key[32], all[4 * 6 * 2 * 32], want[32];
	size_t n = 0;
	for (int i = 0; i < 4; i++)
		for (int j = 0; j < 6; j++)
			for (int keyed = 0; keyed < 2; keyed++) {
				size_t out = md_len[i], len = in_len[j];
				selftest_seq(in, len, (uint32_t)len);
				selftest_seq(key, out, (uint32_t)out);
				model_blake2s(key, keyed ? out : 0, in, len, md, out);
				if (keyed && out == 16) {
					xy_blake2s_mac(key, 16, in, len, got);
					SAME(got, md, 16);
				} else if (!keyed && out == 32) {
					xy_blake2s(in, len, NULL, 0, got);
					SAME(got, md, 32);
				}
				memcpy(all + n, md, out);
				n += out;
			}
	model_blake2s(NULL, 0, NULL, 0, md, 32);
	// what the RFC gives: the hash over all of them
	hex("6a411f08ce25adcdfb02aba641451cec53c598b24f4fc787fbdc88797f4c1dfe", want, 32);
	uint8_t grand[32];
	CU_ASSERT_FATAL(n == 12 * (16 + 20 + 28 + 32));
	model_blake2s(NULL, 0, all, n, grand, 32);
	SAME(grand, want, 32);
	xy_blake2s(all, n / 3, all + n / 3, n - n / 3, grand);
	SAME(grand, want, 32);
	// keys of 32 bytes and a digest of 16: mac1 and the cookie
	selftest_seq(key, 32, 7);
	selftest_seq(in, 300, 8);
	for (size_t len = 0; len < 300; len++) {
		model_blake2s(key, 32, in, len, md, 16);
		xy_blake2s_mac(key, 32, in, len, got);
		SAME(got, md, 16);
	}
}

static void test_primitives(void)
{
	// RFC 7748, section 5.2: u = X25519(k, u), k = old u, from 9 and 9; after 1 and 1000 times
	struct xy_hs_local local = {.sk = {9}};
	struct xy_hs_remote remote = {.pk = {9}};
	uint8_t none[32] = {0}, k[32] = {9}, want[32];
	for (int i = 1; i <= 1000; i++) {
		CU_ASSERT(xy_hs_remote_init(k, none, &remote) == 0);
		CU_ASSERT(xy_hs_remote_meet(&local, &remote) == 0);
		memcpy(k, local.sk, 32);
		memcpy(local.sk, remote.ss, 32);
		if (i == 1) {
			hex("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079",
			    want, 32);
			SAME(remote.ss, want, 32);
		}
	}
	hex("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51", want, 32);
	SAME(remote.ss, want, 32);

	// RFC 8439, section 2.8.2, and draft-irtf-cfrg-xchacha, A.3.1
	static const char text[] = "Ladies and Gentlemen of the class of '99: If I could offer you "
				   "only one tip for the future, sunscreen would be it.";
	uint8_t key[32], nonce[24], ad[12], box[sizeof(text) + 16], tag[16];
	size_t len = sizeof(text) - 1;
	for (int i = 0; i < 32; i++)
		key[i] = (uint8_t)(0x80 + i);
	hex("50515253c0c1c2c3c4c5c6c7", ad, 12);
	hex("070000004041424344454647", nonce, 12);
	crypto_aead_chacha20poly1305_ietf_encrypt(box, NULL, (const uint8_t *)text, len, ad, 12,
						  NULL, nonce, key);
	hex("1ae10b594f09e26a7e902ecbd0600691", tag, 16);
	SAME(box + len, tag, 16);
	for (int i = 0; i < 24; i++)
		nonce[i] = (uint8_t)(0x40 + i);
	crypto_aead_xchacha20poly1305_ietf_encrypt(box, NULL, (const uint8_t *)text, len, ad, 12,
						   NULL, nonce, key);
	hex("c0875924c1c7987947deafd8780acf49", tag, 16);
	SAME(box + len, tag, 16);
}

// ---- the model: section 5.4.2 to 5.4.5, a line of it per line ----

static void m_hash(const void *a, size_t an, const void *b, size_t bn, uint8_t *out)
{
	uint8_t in[256];
	memcpy(in, a, an);
	memcpy(in + an, b, bn);
	model_blake2s(NULL, 0, in, an + bn, out, 32);
}

static void m_kdf(const uint8_t *ck, const void *in, size_t len, int n, uint8_t (*t)[32])
{
	uint8_t t0[32], buf[33];
	model_hmac(ck, in, len, t0);
	for (int i = 1; i <= n; i++) {
		size_t at = i > 1 ? 32 : 0;
		if (at)
			memcpy(buf, t[i - 2], 32);
		buf[at] = (uint8_t)i;
		model_hmac(t0, buf, at + 1, t[i - 1]);
	}
}

struct model {
	uint8_t msg1[148], msg2[92]; // without macs
	uint8_t initiator_send[32], initiator_recv[32];
};

static void model_run(const char *label, uint8_t suite, const uint8_t *si, const uint8_t *sr,
		      const uint8_t *ei, const uint8_t *er, const uint8_t *psk,
		      const uint8_t *stamp, uint32_t ii, uint32_t ir, struct model *m)
{
	uint8_t SI[32], SR[32], EI[32], ER[32], ck[32], h[32], t[3][32], d[32], nonce[12] = {0};
	uint8_t *p = m->msg1;
	memset(m, 0, sizeof(*m));
	crypto_scalarmult_base(SI, si);
	crypto_scalarmult_base(SR, sr);
	crypto_scalarmult_base(EI, ei);
	crypto_scalarmult_base(ER, er);
	m_hash("Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s", 37, "", 0, ck);
	m_hash(ck, 32, "WireGuard v1 zx2c4 Jason@zx2c4.com", 34, h);
	if (label)
		m_hash(h, 32, label, strlen(label), h);
	static const char *const suites[] = {NULL, "xylem-aes-256-gcm-v1",
					     "xylem-chacha20-poly1305-light-v1",
					     "xylem-aes-256-gcm-light-v1"};
	if (suite)
		m_hash(h, 32, suites[suite], strlen(suites[suite]), h);
	m_hash(h, 32, SR, 32, h);

	p[0] = 1;
	p[1] = suite;
	memcpy(p + 4, &ii, 4);
	m_kdf(ck, EI, 32, 1, t), memcpy(ck, t[0], 32);
	memcpy(p + 8, EI, 32);
	m_hash(h, 32, EI, 32, h);
	CU_ASSERT(crypto_scalarmult(d, ei, SR) == 0);
	m_kdf(ck, d, 32, 2, t), memcpy(ck, t[0], 32);
	crypto_aead_chacha20poly1305_ietf_encrypt(p + 40, NULL, SI, 32, h, 32, NULL, nonce, t[1]);
	m_hash(h, 32, p + 40, 48, h);
	CU_ASSERT(crypto_scalarmult(d, si, SR) == 0);
	m_kdf(ck, d, 32, 2, t), memcpy(ck, t[0], 32);
	crypto_aead_chacha20poly1305_ietf_encrypt(p + 88, NULL, stamp, 12, h, 32, NULL, nonce,
						  t[1]);
	m_hash(h, 32, p + 88, 28, h);

	p = m->msg2;
	p[0] = 2;
	p[1] = suite;
	memcpy(p + 4, &ir, 4);
	memcpy(p + 8, &ii, 4);
	m_kdf(ck, ER, 32, 1, t), memcpy(ck, t[0], 32);
	memcpy(p + 12, ER, 32);
	m_hash(h, 32, ER, 32, h);
	CU_ASSERT(crypto_scalarmult(d, er, EI) == 0);
	m_kdf(ck, d, 32, 1, t), memcpy(ck, t[0], 32);
	CU_ASSERT(crypto_scalarmult(d, er, SI) == 0);
	m_kdf(ck, d, 32, 1, t), memcpy(ck, t[0], 32);
	m_kdf(ck, psk, 32, 3, t), memcpy(ck, t[0], 32);
	m_hash(h, 32, t[1], 32, h);
	crypto_aead_chacha20poly1305_ietf_encrypt(p + 44, NULL, NULL, 0, h, 32, NULL, nonce, t[2]);
	m_hash(h, 32, p + 44, 16, h);

	m_kdf(ck, "", 0, 2, t);
	memcpy(m->initiator_send, t[0], 32);
	memcpy(m->initiator_recv, t[1], 32);
}

// ---- handshake ----

struct pair {
	struct xy_hs_local i, r;
	struct xy_hs_remote ir, ri; // the responder at the initiator, and the other way round
	uint8_t ei[32], er[32], stamp[12];
	struct xy_cookie_checker check_i, check_r;
	struct xy_cookie_jar jar_i, jar_r;
	struct xy_endpoint from_i;
};

static void pair_init(struct pair *p, bool with_psk)
{
	uint8_t psk[32] = {0};
	memset(p, 0, sizeof(*p));
	rnd_bytes(p->i.sk, 32);
	rnd_bytes(p->r.sk, 32);
	rnd_bytes(p->ei, 32);
	rnd_bytes(p->er, 32);
	rnd_bytes(p->stamp, 12);
	if (with_psk)
		rnd_bytes(psk, 32);
	crypto_scalarmult_base(p->i.pk, p->i.sk);
	crypto_scalarmult_base(p->r.pk, p->r.sk);
	CU_ASSERT(xy_hs_remote_init(p->r.pk, psk, &p->ir) == 0);
	CU_ASSERT(xy_hs_remote_init(p->i.pk, psk, &p->ri) == 0);
	CU_ASSERT(!p->ir.has_ss && xy_hs_remote_meet(&p->i, &p->ir) == 0 && p->ir.has_ss);
	CU_ASSERT(xy_hs_remote_meet(&p->r, &p->ri) == 0);
	SAME(p->ir.ss, p->ri.ss, 32);
	xy_cookie_checker_init(&p->check_i, p->i.pk);
	xy_cookie_checker_init(&p->check_r, p->r.pk);
	xy_cookie_jar_init(&p->jar_i, p->r.pk);
	xy_cookie_jar_init(&p->jar_r, p->i.pk);
	p->from_i.addr.b[15] = 1;
	p->from_i.port = 51820;
}

// What a responder does with bytes: 0 when they are the pair's initiation.
static int initiation_take(struct pair *p, const uint8_t *msg, size_t len, struct xy_hs_state *s)
{
	uint8_t pk[32], stamp[12];
	if (xy_wg_classify(msg, len) != XY_WG_INITIATION)
		return -EPROTO;
	if (xy_cookie_check(&p->check_r, msg, len, &p->from_i, XY_SEC) == XY_MAC_INVALID)
		return -EACCES;
	int rc = xy_hs_initiation_open(&p->r, (const void *)msg, s, pk);
	if (rc == 0 && memcmp(pk, p->i.pk, 32) != 0)
		rc = -ENOENT;
	if (rc == 0)
		rc = xy_hs_initiation_verify(&p->ri, (const void *)msg, s, stamp);
	if (rc == 0 && memcmp(stamp, p->stamp, 12) != 0)
		rc = -EPROTO;
	return rc;
}

static int response_take(struct pair *p, const uint8_t *msg, size_t len, struct xy_hs_state *s,
			 struct xy_hs_keys *keys)
{
	if (xy_wg_classify(msg, len) != XY_WG_RESPONSE)
		return -EPROTO;
	if (xy_cookie_check(&p->check_i, msg, len, &p->from_i, XY_SEC) == XY_MAC_INVALID)
		return -EACCES;
	return xy_hs_response_consume(&p->i, &p->ir, s, (const void *)msg, keys);
}

static void test_handshake(void)
{
	for (int round = 0; round < 20; round++) {
		struct pair p;
		struct model m;
		struct xy_hs_state si, sr;
		struct xy_wg_initiation m1;
		struct xy_wg_response m2;
		struct xy_hs_keys ki, kr, none;
		uint32_t ii = (uint32_t)rnd(), ir = (uint32_t)rnd();
		pair_init(&p, round % 2);
		p.i.label = p.r.label = round % 4 / 2 ? "xylem-e2e-v1" : NULL;
		p.ir.suite = (uint8_t)(round % 5 % XY_WG_SUITES); // WireGuard's more often
		model_run(p.i.label, p.ir.suite, p.i.sk, p.r.sk, p.ei, p.er, p.ri.psk, p.stamp, ii,
			  ir, &m);

		CU_ASSERT(xy_hs_initiation_create(&p.i, &p.ir, p.ei, p.stamp, ii, &si, &m1) == 0);
		SAME(&m1, m.msg1, sizeof(m1));
		xy_cookie_macs_add(&p.jar_i, (uint8_t *)&m1, sizeof(m1), XY_SEC);
		CU_ASSERT(initiation_take(&p, (uint8_t *)&m1, sizeof(m1), &sr) == 0);
		CU_ASSERT(sr.remote_index == ii && sr.suite == p.ir.suite);
		CU_ASSERT(xy_hs_response_create(&p.ri, &sr, p.er, ir, &m2, &kr) == 0);
		SAME(&m2, m.msg2, sizeof(m2));
		xy_cookie_macs_add(&p.jar_r, (uint8_t *)&m2, sizeof(m2), XY_SEC);
		CU_ASSERT(response_take(&p, (uint8_t *)&m2, sizeof(m2), &si, &ki) == 0);
		CU_ASSERT(si.local_index == ii && si.remote_index == ir && sr.local_index == ir);
		SAME(ki.send, m.initiator_send, 32);
		SAME(ki.recv, m.initiator_recv, 32);
		SAME(kr.recv, m.initiator_send, 32);
		SAME(kr.send, m.initiator_recv, 32);
		// nothing secret stays, and a replayed response finds nothing to answer
		CU_ASSERT(sodium_is_zero(si.e_sk, 32) && sodium_is_zero(si.chain, 32));
		CU_ASSERT(sodium_is_zero(sr.e_sk, 32) && sodium_is_zero(sr.chain, 32));
		CU_ASSERT(response_take(&p, (uint8_t *)&m2, sizeof(m2), &si, &none) == -EBADMSG);
	}
}

static void test_handshake_flips(void)
{
	struct pair p;
	struct xy_hs_state si, sr, before;
	struct xy_wg_initiation m1;
	struct xy_wg_response m2;
	struct xy_hs_keys keys;
	pair_init(&p, true);
	CU_ASSERT(xy_hs_initiation_create(&p.i, &p.ir, p.ei, p.stamp, 7, &si, &m1) == 0);
	xy_cookie_macs_add(&p.jar_i, (uint8_t *)&m1, sizeof(m1), XY_SEC);
	for (size_t bit = 0; bit < 8 * (sizeof(m1) - 16); bit++) {
		struct xy_wg_initiation bad = m1;
		((uint8_t *)&bad)[bit / 8] ^= (uint8_t)(1 << bit % 8);
		CU_ASSERT(initiation_take(&p, (uint8_t *)&bad, sizeof(bad), &sr) != 0);
		// and behind a right mac1, as anyone can make one: sender alone is bound by nothing
		if (bit < 64)
			continue;
		struct xy_cookie_jar jar = p.jar_i;
		xy_cookie_macs_add(&jar, (uint8_t *)&bad, sizeof(bad), XY_SEC);
		if (bit < 8 * (sizeof(m1) - 32))
			CU_ASSERT(initiation_take(&p, (uint8_t *)&bad, sizeof(bad), &sr) ==
				  -EBADMSG);
	}
	CU_ASSERT(initiation_take(&p, (uint8_t *)&m1, sizeof(m1), &sr) == 0);
	CU_ASSERT(xy_hs_response_create(&p.ri, &sr, p.er, 8, &m2, &keys) == 0);
	xy_cookie_macs_add(&p.jar_r, (uint8_t *)&m2, sizeof(m2), XY_SEC);
	before = si;
	for (size_t bit = 0; bit < 8 * (sizeof(m2) - 16); bit++) {
		struct xy_wg_response bad = m2;
		((uint8_t *)&bad)[bit / 8] ^= (uint8_t)(1 << bit % 8);
		CU_ASSERT(response_take(&p, (uint8_t *)&bad, sizeof(bad), &si, &keys) != 0);
		struct xy_cookie_jar jar = p.jar_r;
		xy_cookie_macs_add(&jar, (uint8_t *)&bad, sizeof(bad), XY_SEC);
		if (bit >= 64 && bit < 8 * (sizeof(m2) - 32))
			CU_ASSERT(response_take(&p, (uint8_t *)&bad, sizeof(bad), &si, &keys) ==
				  -EBADMSG);
		SAME(&si, &before, sizeof(si)); // a forged response ends nothing
	}
	CU_ASSERT(response_take(&p, (uint8_t *)&m2, sizeof(m2), &si, &keys) == 0);
}

static void test_handshake_wrong_peer(void)
{
	struct pair p, q;
	struct xy_hs_state si, sr;
	struct xy_wg_initiation m1;
	struct xy_wg_response m2;
	struct xy_hs_keys keys;
	uint8_t stamp[12], pk[32];
	pair_init(&p, true);
	pair_init(&q, true);
	CU_ASSERT(xy_hs_initiation_create(&p.i, &p.ir, p.ei, p.stamp, 7, &si, &m1) == 0);
	CU_ASSERT(xy_hs_initiation_open(&q.r, &m1, &sr, pk) == -EBADMSG); // not meant for q
	CU_ASSERT(sodium_is_zero((uint8_t *)&sr, sizeof(sr)));
	CU_ASSERT(xy_hs_initiation_open(&p.r, &m1, &sr, pk) == 0);
	CU_ASSERT(xy_hs_initiation_verify(&q.ri, &m1, &sr, stamp) == -EBADMSG); // claims to be q
	CU_ASSERT(xy_hs_initiation_open(&p.r, &m1, &sr, pk) == 0);
	CU_ASSERT(xy_hs_initiation_verify(&p.ri, &m1, &sr, stamp) == 0);
	memcpy(p.ri.psk, q.ri.psk, 32); // another pre-shared key
	CU_ASSERT(xy_hs_response_create(&p.ri, &sr, p.er, 8, &m2, &keys) == 0);
	CU_ASSERT(xy_hs_response_consume(&p.i, &p.ir, &si, &m2, &keys) == -EBADMSG);
}

// What one label's handshake begins is none of another's, of either message.
static void test_handshake_label(void)
{
	static const char *const label[][2] = {{NULL, "xylem-e2e-v1"}, {"xylem-e2e-v1", NULL}};
	for (unsigned i = 0; i < XY_ARRAY_SIZE(label); i++) {
		struct pair p;
		struct xy_hs_state si, other, sr;
		struct xy_wg_initiation m1, m;
		struct xy_wg_response m2;
		struct xy_hs_keys keys;
		uint8_t stamp[12], pk[32];
		pair_init(&p, true);
		p.i.label = label[i][0];
		p.r.label = label[i][1];
		CU_ASSERT(xy_hs_initiation_create(&p.i, &p.ir, p.ei, p.stamp, 7, &si, &m1) == 0);
		CU_ASSERT(xy_hs_initiation_open(&p.r, &m1, &sr, pk) == -EBADMSG);
		// its answer to one of its own, of the same ephemeral and index
		p.i.label = label[i][1];
		CU_ASSERT(xy_hs_initiation_create(&p.i, &p.ir, p.ei, p.stamp, 7, &other, &m) == 0);
		CU_ASSERT(xy_hs_initiation_open(&p.r, &m, &sr, pk) == 0);
		CU_ASSERT(xy_hs_initiation_verify(&p.ri, &m, &sr, stamp) == 0);
		CU_ASSERT(xy_hs_response_create(&p.ri, &sr, p.er, 8, &m2, &keys) == 0);
		CU_ASSERT(xy_hs_response_consume(&p.i, &p.ir, &si, &m2, &keys) == -EBADMSG);
		CU_ASSERT(xy_hs_response_consume(&p.i, &p.ir, &other, &m2, &keys) == 0);
	}
}

// A state that was wiped is known to everybody: with it anybody could make a response that opens.
static void test_response_to_nothing(void)
{
	struct pair p;
	struct xy_hs_state wiped = {.local_index = 7}, forger = {.remote_index = 7};
	struct xy_wg_response m2;
	struct xy_hs_keys keys;
	uint8_t zero[32] = {0};
	pair_init(&p, false);
	crypto_scalarmult_base(forger.re, zero);
	CU_ASSERT(xy_hs_response_create(&p.ri, &forger, p.er, 8, &m2, &keys) == 0);
	CU_ASSERT(xy_hs_response_consume(&p.i, &p.ir, &wiped, &m2, &keys) == -EBADMSG);
}

static void test_bad_public_keys(void)
{
	static const char *const bad[] = {
		// small order: 0, 1, the two of order 8, -1
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		// p, p + 1, p + 9 (another name of the base point), all ones, 9 with the high bit
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"f6ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"0900000000000000000000000000000000000000000000000000000000000080",
	};
	static const char *const good[] = {
		"0900000000000000000000000000000000000000000000000000000000000000",
		"ebffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe7f",
	};
	struct pair p;
	struct xy_hs_remote out;
	struct xy_hs_state s;
	struct xy_wg_initiation m1;
	struct xy_hs_keys keys;
	uint8_t pk[32], who[32];
	pair_init(&p, false);
	for (size_t i = 0; i < XY_ARRAY_SIZE(good); i++) {
		hex(good[i], pk, 32);
		CU_ASSERT(xy_hs_remote_init(pk, p.ir.psk, &out) == 0);
		CU_ASSERT(xy_hs_remote_meet(&p.i, &out) == 0);
	}
	for (size_t i = 0; i < XY_ARRAY_SIZE(bad); i++) {
		hex(bad[i], pk, 32);
		CU_ASSERT(xy_hs_remote_init(pk, p.ir.psk, &out) == -EBADMSG);
		// what is not asked of it before cannot be done after
		out = (struct xy_hs_remote){0};
		memcpy(out.pk, pk, 32);
		CU_ASSERT(xy_hs_remote_meet(&p.i, &out) == -EBADMSG && !out.has_ss);
		// as an ephemeral, in each message
		CU_ASSERT(xy_hs_initiation_create(&p.i, &p.ir, p.ei, p.stamp, 7, &s, &m1) == 0);
		struct xy_wg_response m2 = {.type = 2, .receiver = 7};
		memcpy(m2.ephemeral, pk, 32);
		CU_ASSERT(xy_hs_response_consume(&p.i, &p.ir, &s, &m2, &keys) == -EBADMSG);
		memcpy(m1.ephemeral, pk, 32);
		CU_ASSERT(xy_hs_initiation_open(&p.r, &m1, &s, who) == -EBADMSG);
	}
}

static void test_tai64n(void)
{
	uint8_t out[12], want[12];
	hex("400000000000000a00000000", want, 12);
	xy_tai64n(0, 0xffffff, out);
	SAME(out, want, 12);
	hex("4000000065920088 3b000000", want, 12);
	xy_tai64n(0x6592007e, 999999999, out);
	SAME(out, want, 12);
}

static void test_overhead(void)
{
	const struct xy_endpoint v6 = {.addr.b = {0x20, 1}, .port = 1},
				 v4 = {.addr = xy_addr_from_v4(1), .port = 1};
	CU_ASSERT_EQUAL(xy_wg_link_overhead(&v4), 60);
	CU_ASSERT_EQUAL(xy_wg_link_overhead(&v6), 80);
}

static void test_classify(void)
{
	static const struct {
		uint8_t head[4];
		size_t len;
		int want;
	} rows[] = {
		{{1, 0, 0, 0}, 148, 1}, {{1, 0, 0, 0}, 147, 0}, {{1, 0, 0, 0}, 149, 0},
		{{1, 3, 0, 0}, 148, 1}, {{1, 4, 0, 0}, 148, 0}, {{1, 255, 0, 0}, 148, 0},
		{{2, 3, 0, 0}, 92, 2},	{{2, 4, 0, 0}, 92, 0},	{{1, 1, 1, 0}, 148, 0},
		{{3, 1, 0, 0}, 64, 0},	{{4, 1, 0, 0}, 48, 0},	{{2, 1, 0, 1}, 92, 0},
		{{0, 1, 0, 0}, 148, 0}, {{1, 0, 1, 0}, 148, 0}, {{1, 0, 0, 1}, 148, 0},
		{{2, 0, 0, 0}, 92, 2},	{{2, 0, 0, 0}, 91, 0},	{{2, 0, 0, 0}, 93, 0},
		{{3, 0, 0, 0}, 64, 3},	{{3, 0, 0, 0}, 63, 0},	{{3, 0, 0, 0}, 65, 0},
		{{4, 0, 0, 0}, 32, 4},	{{4, 0, 0, 0}, 31, 0},	{{4, 0, 0, 0}, 33, 4},
		{{4, 0, 0, 9}, 48, 0},	{{4, 0, 0, 0}, 200, 4}, {{0, 0, 0, 0}, 148, 0},
		{{5, 0, 0, 0}, 148, 0}, {{1, 0, 0, 0}, 0, 0},	{{4, 0, 0, 0}, 3, 0},
	};
	uint8_t msg[200] = {0};
	for (size_t i = 0; i < XY_ARRAY_SIZE(rows); i++) {
		memcpy(msg, rows[i].head, 4);
		CU_ASSERT((int)xy_wg_classify(msg, rows[i].len) == rows[i].want);
	}
	CU_ASSERT(xy_wg_limits_default.reject_after_messages == 0xffffffffffffdfff);
	CU_ASSERT(xy_wg_limits_default.rekey_after_messages == UINT64_C(1) << 60);
}

// Several messages in one datagram, put together from lengths and types; data has the receiver
// given.
static void test_train(void)
{
	static const struct {
		struct {
			uint8_t type, receiver;
			size_t len;
		} part[3];
		bool train;
	} rows[] = {
		{{{4, 7, 32}}, false},
		{{{4, 7, 1452}}, false},
		{{{4, 7, 32}, {4, 7, 32}}, true},
		{{{4, 7, 96}, {4, 7, 96}, {4, 7, 40}}, true},
		{{{4, 7, 113}, {4, 7, 113}}, true}, // who does not pad
		{{{4, 7, 700}, {4, 7, 8}}, true},
		{{{4, 7, 700}, {4, 7, 7}}, false},
		{{{4, 7, 96}, {4, 8, 96}}, false}, // another's: not to be told from random bytes
		{{{4, 7, 31}, {4, 7, 96}}, false}, // no message is that short
		{{{1, 0, 148}}, false},
		{{{1, 0, 148}, {1, 0, 148}}, true},
		{{{1, 0, 148}, {4, 7, 32}}, true},
		{{{1, 0, 147}, {4, 7, 32}}, false},
		{{{2, 0, 92}, {4, 7, 32}}, true},
		{{{2, 0, 92}, {5, 0, 32}}, false},
		{{{3, 0, 64}, {1, 0, 4}}, true},
		{{{3, 0, 64}, {1, 0, 3}}, false},
		{{{0, 0, 148}, {1, 0, 148}}, false},
		{{{5, 0, 148}, {4, 7, 148}}, false},
	};
	for (size_t i = 0; i < XY_ARRAY_SIZE(rows); i++) {
		size_t len = 0;
		for (unsigned k = 0; k < 3; k++)
			len += rows[i].part[k].len;
		uint8_t *msg = malloc(len), *p = msg; // its own block: a read past the end is seen
		CU_ASSERT_PTR_NOT_NULL_FATAL(msg);
		memset(msg, 0xa5, len);
		for (unsigned k = 0; k < 3; k++) {
			const uint8_t head[8] = {rows[i].part[k].type,	   0, 0, 0,
						 rows[i].part[k].receiver, 1, 2, 3};
			memcpy(p, head, rows[i].part[k].len < 8 ? rows[i].part[k].len : 8);
			p += rows[i].part[k].len;
		}
		if (xy_wg_is_train(msg, len) != rows[i].train)
			fprintf(stderr, "row %zu\n", i);
		CU_ASSERT_EQUAL(xy_wg_is_train(msg, len), rows[i].train);
		free(msg);
	}
	CU_ASSERT_FALSE(xy_wg_is_train(NULL, 0));
}

// The contexts are per thread: helpers hash at the same time, and leave nothing behind.
static void *handshakes_run(void *arg)
{
	const struct pair *p = arg;
	struct model m;
	model_run(p->i.label, 0, p->i.sk, p->r.sk, p->ei, p->er, p->ri.psk, p->stamp, 1, 2, &m);
	for (int i = 0; i < 50; i++) {
		struct xy_hs_state s;
		struct xy_wg_initiation m1;
		if (xy_hs_initiation_create(&p->i, &p->ir, p->ei, p->stamp, 1, &s, &m1) != 0 ||
		    memcmp(&m1, m.msg1, sizeof(m1)) != 0)
			return arg;
	}
	return NULL;
}

static void test_threads(void)
{
	struct pair p[4];
	pthread_t t[4];
	void *rc;
	for (int i = 0; i < 4; i++) {
		pair_init(&p[i], true);
		CU_ASSERT_FATAL(pthread_create(&t[i], NULL, handshakes_run, &p[i]) == 0);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(t[i], &rc);
		CU_ASSERT(rc == NULL);
	}
}

// ---- cookies ----

static void test_cookie_flow(void)
{
	struct pair p;
	struct xy_hs_state s;
	struct xy_wg_initiation m1;
	struct xy_wg_cookie_reply m3, again;
	uint8_t nonce[24], *b = (uint8_t *)&m1;
	const size_t n = sizeof(m1);
	xy_nsec now = 1000 * XY_SEC;
	struct xy_endpoint from, elsewhere, other_port;
	pair_init(&p, false);
	from = elsewhere = other_port = p.from_i;
	elsewhere.addr.b[0] ^= 1;
	other_port.port++;
	rnd_bytes(nonce, sizeof(nonce));
	CU_ASSERT(xy_hs_initiation_create(&p.i, &p.ir, p.ei, p.stamp, 7, &s, &m1) == 0);
	CU_ASSERT(xy_cookie_check(&p.check_r, b, n, &from, now) == XY_MAC_INVALID);
	CU_ASSERT(xy_cookie_check(&p.check_r, b, 31, &from, now) == XY_MAC_INVALID);
	xy_cookie_macs_add(&p.jar_i, b, n, now);
	CU_ASSERT(xy_cookie_check(&p.check_r, b, n, &from, now) == XY_MAC_VALID_NO_COOKIE);
	CU_ASSERT(xy_cookie_check(&p.check_i, b, n, &from, now) == XY_MAC_INVALID);

	xy_cookie_reply_create(&p.check_r, b, n, m1.sender, &from, nonce, now, &m3);
	CU_ASSERT(xy_wg_classify((uint8_t *)&m3, sizeof(m3)) == XY_WG_COOKIE_REPLY);
	CU_ASSERT(m3.receiver == 7);
	for (size_t bit = 64; bit < 8 * sizeof(m3); bit++) {
		struct xy_wg_cookie_reply bad = m3;
		((uint8_t *)&bad)[bit / 8] ^= (uint8_t)(1 << bit % 8);
		CU_ASSERT(xy_cookie_reply_consume(&p.jar_i, &bad, now) == -EBADMSG);
	}
	again = m3;
	CU_ASSERT(xy_cookie_reply_consume(&p.jar_r, &m3, now) == -EBADMSG); // sent nothing
	CU_ASSERT(xy_cookie_reply_consume(&p.jar_i, &m3, now) == 0);
	CU_ASSERT(xy_cookie_reply_consume(&p.jar_i, &again, now) == -EBADMSG); // replayed

	xy_cookie_macs_add(&p.jar_i, b, n, now + XY_SEC);
	now += 2 * XY_SEC;
	CU_ASSERT(xy_cookie_check(&p.check_r, b, n, &from, now) == XY_MAC_VALID_WITH_COOKIE);
	CU_ASSERT(xy_cookie_check(&p.check_r, b, n, &elsewhere, now) == XY_MAC_VALID_NO_COOKIE);
	CU_ASSERT(xy_cookie_check(&p.check_r, b, n, &other_port, now) == XY_MAC_VALID_NO_COOKIE);
	for (size_t bit = 8 * (n - 16); bit < 8 * n; bit++) { // mac2
		b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		CU_ASSERT(xy_cookie_check(&p.check_r, b, n, &from, now) == XY_MAC_VALID_NO_COOKIE);
		b[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	CU_ASSERT(xy_cookie_check(&p.check_r, b, n, &from, now) == XY_MAC_VALID_WITH_COOKIE);
	// a reply to the message before the last one
	xy_cookie_reply_create(&p.check_r, b, n, 7, &from, nonce, now, &m3);
	m1.ephemeral[0] ^= 1;
	xy_cookie_macs_add(&p.jar_i, b, n, now);
	CU_ASSERT(xy_cookie_reply_consume(&p.jar_i, &m3, now) == -EBADMSG);
}

static void test_cookie_age(void)
{
	struct pair p;
	uint8_t msg[148], nonce[24] = {0};
	struct xy_wg_cookie_reply m3;
	const xy_nsec start = 1000 * XY_SEC;
	pair_init(&p, false);
	rnd_bytes(msg, sizeof(msg));
	xy_cookie_macs_add(&p.jar_i, msg, sizeof(msg), start);
	xy_cookie_reply_create(&p.check_r, msg, sizeof(msg), 7, &p.from_i, nonce, start, &m3);
	CU_ASSERT(xy_cookie_reply_consume(&p.jar_i, &m3, start) == 0);
	xy_cookie_macs_add(&p.jar_i, msg, sizeof(msg), start + 115 * XY_SEC - 1);
	CU_ASSERT(!sodium_is_zero(msg + 132, 16));
	CU_ASSERT(xy_cookie_check(&p.check_r, msg, sizeof(msg), &p.from_i,
				  start + 120 * XY_SEC - 1) == XY_MAC_VALID_WITH_COOKIE);
	CU_ASSERT(xy_cookie_check(&p.check_r, msg, sizeof(msg), &p.from_i, start + 120 * XY_SEC) ==
		  XY_MAC_VALID_NO_COOKIE);
	xy_cookie_macs_add(&p.jar_i, msg, sizeof(msg), start + 115 * XY_SEC);
	CU_ASSERT(sodium_is_zero(msg + 132, 16)); // and the jar has thrown it away
	CU_ASSERT(sodium_is_zero(p.jar_i.cookie, 16));
}

// ---- key slots ----

#define DROPPED(d, ...)                                        \
	do {                                                   \
		const uint32_t want_[] = {0, __VA_ARGS__};     \
		CU_ASSERT((d).n == XY_ARRAY_SIZE(want_) - 1);  \
		SAME((d).index, want_ + 1, sizeof(want_) - 4); \
	} while (0)

static void slots(const struct xy_keypairs *k, uint32_t previous, uint32_t current, uint32_t next)
{
	const uint32_t want[] = {previous, current, next};
	for (unsigned i = 0; i < XY_KEYPAIR_SLOTS; i++) {
		CU_ASSERT(k->slot[i].live == (want[i] != 0));
		CU_ASSERT(k->slot[i].index == want[i]);
		if (want[i])
			CU_ASSERT(xy_keypairs_find(k, want[i]) == i);
	}
	CU_ASSERT((xy_keypairs_current(k) != NULL) == (current != 0));
}

static void test_keypairs(void)
{
	struct xy_keypairs k = {0};
	struct xy_keypair_drops d;
	CU_ASSERT(xy_keypairs_find(&k, 0) == XY_KEYPAIR_SLOTS);
	xy_keypairs_initiated(&k, 10, 1, &d);
	DROPPED(d);
	slots(&k, 0, 10, 0);
	xy_keypairs_initiated(&k, 11, 2, &d);
	DROPPED(d);
	slots(&k, 10, 11, 0);
	xy_keypairs_initiated(&k, 12, 3, &d);
	DROPPED(d, 10);
	slots(&k, 11, 12, 0);
	// as responder: nothing of the old ones goes before the new one is seen in use
	xy_keypairs_responded(&k, 20, 4, &d);
	DROPPED(d);
	slots(&k, 11, 12, 20);
	xy_keypairs_responded(&k, 21, 5, &d); // the initiator tried again
	DROPPED(d, 20);
	slots(&k, 11, 12, 21);
	CU_ASSERT(!xy_keypairs_received(&k, 20, &d));
	CU_ASSERT(!xy_keypairs_received(&k, 12, &d));
	DROPPED(d);
	slots(&k, 11, 12, 21);
	CU_ASSERT(xy_keypairs_received(&k, 21, &d));
	DROPPED(d, 11);
	slots(&k, 12, 21, 0);
	CU_ASSERT(!xy_keypairs_current(&k)->initiator && xy_keypairs_current(&k)->born == 5);
	CU_ASSERT(!xy_keypairs_received(&k, 21, &d));
	DROPPED(d);
	slots(&k, 12, 21, 0);
	xy_keypairs_expire(&k, 182, 180, &d);
	DROPPED(d);
	slots(&k, 12, 21, 0);
	xy_keypairs_expire(&k, 183, 180, &d);
	DROPPED(d, 12);
	slots(&k, 0, 21, 0);
	xy_keypairs_responded(&k, 22, 190, &d);
	xy_keypairs_clear(&k, &d);
	DROPPED(d, 21, 22);
	slots(&k, 0, 0, 0);
	// the very first session of a responder
	xy_keypairs_responded(&k, 30, 200, &d);
	DROPPED(d);
	slots(&k, 0, 0, 30);
	CU_ASSERT(xy_keypairs_received(&k, 30, &d));
	DROPPED(d);
	slots(&k, 0, 30, 0);
}

static void test_keypairs_crossing(void)
{
	struct xy_keypairs k = {0};
	struct xy_keypair_drops d;
	xy_keypairs_initiated(&k, 1, 1, &d);
	xy_keypairs_responded(&k, 2, 2, &d); // they began too
	xy_keypairs_initiated(&k, 3, 3, &d); // and our response arrives
	DROPPED(d);
	slots(&k, 1, 3, 2); // packets in 1 and 2 are under way
	CU_ASSERT(!xy_keypairs_received(&k, 2, &d));
	DROPPED(d, 1);
	slots(&k, 2, 3, 0);
	CU_ASSERT(xy_keypairs_current(&k)->initiator);
	// crossing again: the peer still sends in 2, and nobody in 3
	xy_keypairs_responded(&k, 4, 4, &d);
	xy_keypairs_initiated(&k, 5, 5, &d);
	DROPPED(d, 3);
	slots(&k, 2, 5, 4);
	// an overtaken one that never is used makes room for the next
	xy_keypairs_responded(&k, 6, 6, &d);
	DROPPED(d, 4);
	slots(&k, 2, 5, 6);
	CU_ASSERT(xy_keypairs_received(&k, 6, &d));
	DROPPED(d, 2);
	slots(&k, 5, 6, 0);
}

// ---- limiter ----

static void test_limiter(void)
{
	struct xy_limiter *l = malloc(sizeof(*l));
	struct xy_addr a = xy_addr_from_v4(0x0a000001), b = xy_addr_from_v4(0x0a000002);
	struct xy_addr v6 = {{0x20, 1, 0xd, 0xb8}}, same = v6, other = v6;
	uint8_t key[16] = {1};
	// ms since the start, what is to come of it: 5 at once, then one each 50 ms
	static const struct {
		unsigned ms;
		bool want;
	} rows[] = {{0, 1},   {0, 1},	{0, 1},	  {0, 1},   {0, 1},   {0, 0},	{49, 0},
		    {50, 1},  {50, 0},	{99, 0},  {100, 1}, {210, 1}, {210, 1}, {210, 0},
		    {999, 1}, {999, 1}, {999, 1}, {999, 1}, {999, 1}, {999, 0}, {1048, 0}};
	same.b[15] = 1;
	other.b[7] = 1;
	CU_ASSERT_FATAL(l != NULL);
	xy_limiter_init(l, key);
	for (size_t i = 0; i < XY_ARRAY_SIZE(rows); i++)
		CU_ASSERT(xy_limiter_take(l, &a, XY_SEC + rows[i].ms * XY_MSEC) == rows[i].want);
	CU_ASSERT(xy_limiter_take(l, &b, 2 * XY_SEC)); // another address has its own
	for (int i = 0; i < 5; i++)
		CU_ASSERT(xy_limiter_take(l, i % 2 ? &v6 : &same, 2 * XY_SEC));
	CU_ASSERT(!xy_limiter_take(l, &same, 2 * XY_SEC)); // one /64, one bucket
	CU_ASSERT(xy_limiter_take(l, &other, 2 * XY_SEC));
	// many sources: what passes stays bounded, and a second later all is free again
	unsigned passed = 0;
	for (uint32_t i = 0; i < 100000; i++) {
		struct xy_addr s = xy_addr_from_v4(0x0b000000 + i);
		passed += xy_limiter_take(l, &s, 10 * XY_SEC);
	}
	CU_ASSERT(passed > 4000 && passed <= XY_LIMITER_SETS * XY_LIMITER_WAYS);
	CU_ASSERT(xy_limiter_take(l, &a, 11 * XY_SEC));
	free(l);
}

// On a LAN all sources share fe80::/64, and are apart all the same.
static void test_limiter_rate(void)
{
	static const uint8_t key[16] = {5};
	struct xy_limiter *l = malloc(sizeof(*l));
	struct xy_bucket b;
	struct xy_addr one, two;
	CU_ASSERT_FATAL(l && !xy_addr_parse("fe80::1", &one) && !xy_addr_parse("fe80::2", &two));
	xy_limiter_init_rate(l, key, 4 * XY_SEC, 1);
	CU_ASSERT(xy_limiter_take(l, &one, 10 * XY_SEC) && xy_limiter_take(l, &two, 10 * XY_SEC));
	CU_ASSERT(!xy_limiter_take(l, &one, 14 * XY_SEC - 1));
	CU_ASSERT(xy_limiter_take(l, &one, 14 * XY_SEC));
	free(l);
	xy_bucket_init(&b, XY_SEC / 10, 2);
	CU_ASSERT(xy_bucket_take(&b, XY_SEC) && xy_bucket_take(&b, XY_SEC));
	CU_ASSERT(!xy_bucket_take(&b, XY_SEC));
	CU_ASSERT(xy_bucket_take(&b, XY_SEC + XY_SEC / 10));
}

static void test_load(void)
{
	struct xy_load l;
	xy_load_init(&l, 100, 10); // 10 ms each
	xy_nsec t = 5 * XY_SEC;
	for (int i = 0; i < 10; i++)
		CU_ASSERT(!xy_load_take(&l, t));
	CU_ASSERT(xy_load_take(&l, t)); // the eleventh
	CU_ASSERT(xy_load_is(&l, t + XY_SEC - 1));
	CU_ASSERT(!xy_load_is(&l, t + XY_SEC));
	CU_ASSERT(xy_load_take(&l, t + 500 * XY_MSEC)); // within the rate, but held
	CU_ASSERT(!xy_load_take(&l, t + XY_SEC));	// over
	t += 10 *
	     XY_SEC; // twice the rate for 3 s: stays on, until a second after the last overflow
	for (int i = 0; i < 600; i++)
		CU_ASSERT(xy_load_take(&l, t + (xy_nsec)i * 5 * XY_MSEC) == (i > 18));
	CU_ASSERT(xy_load_is(&l, t + 3900 * XY_MSEC) && !xy_load_is(&l, t + 4 * XY_SEC));
}

// ---- replay window ----

static void test_replay_table(void)
{
	enum { W = XY_REPLAY_WINDOW };
	const uint64_t R = xy_wg_limits_default.reject_after_messages;
	const struct {
		uint64_t counter;
		bool want;
	} rows[] = {
		/*  1 */ {0, true},
		{1, true},
		{1, false},
		{9, true},
		/*  5 */ {8, true},
		{7, true},
		{7, false},
		{W, true},
		/*  9 */ {W - 1, true},
		{W - 1, false},
		{W - 2, true},
		{2, true},
		/* 13 */ {2, false},
		{W + 16, true},
		{3, false},
		{W + 16, false},
		/* 17 */ {W * 4, true},
		{W * 4 - (W - 1), true},
		/* 19 */ {10, false},
		{W * 4 - W, false},
		{W * 4 - (W + 1), false},
		/* 22 */ {W * 4 - (W - 2), true},
		{W * 4 + 1 - W, false},
		{0, false},
		/* 25 */ {R, false},
		{R - 1, true},
		{R, false},
		{R - 1, false},
		/* 29 */ {R - 2, true},
		{R + 1, false},
		{R + 2, false},
		{R - 2, false},
		/* 33 */ {R - 3, true},
		{0, false},
		{UINT64_MAX, false},
	};
	struct xy_replay r = {0};
	for (size_t i = 0; i < XY_ARRAY_SIZE(rows); i++) {
		bool got = xy_replay_accept(&r, rows[i].counter, R);
		if (got != rows[i].want)
			printf("replay row %zu\n", i + 1);
		CU_ASSERT(got == rows[i].want);
	}
	// whole windows, upwards, downwards, and with a hole
	for (int pass = 0; pass < 3; pass++) {
		memset(&r, 0, sizeof(r));
		for (uint64_t i = 1; i <= W; i++)
			CU_ASSERT(xy_replay_accept(&r, pass ? W + 1 - i : i, R));
		CU_ASSERT(!xy_replay_accept(&r, 0, R));
		for (uint64_t i = 1; i <= W; i++)
			CU_ASSERT(!xy_replay_accept(&r, i, R));
		CU_ASSERT(xy_replay_accept(&r, W + 1 + (uint64_t)pass, R));
	}
}

static void test_replay_random(void)
{
	enum { SPAN = 1 << 16 };
	static bool seen[SPAN * 4];
	const uint64_t R = UINT64_MAX;
	for (int round = 0; round < 40; round++) {
		struct xy_replay r = {0};
		uint64_t top = 0, base = rnd() % 3 ? 0 : 1 + rnd() % (UINT64_MAX / 2);
		bool any = false;
		memset(seen, 0, sizeof(seen));
		uint64_t at = 0;
		for (int i = 0; i < 20000; i++) {
			uint64_t jump = rnd() % 100, c;
			at += jump == 0 ? rnd() % 9000 : jump < 60 ? 1 : 0;
			c = at - rnd() % (jump < 90 ? 300 : 9000);
			if (c >= SPAN * 4) // below zero, or beyond the model
				continue;
			bool want = !seen[c] && (!any || c > top || top - c < XY_REPLAY_WINDOW);
			if (want) {
				seen[c] = true;
				top = !any || c > top ? c : top;
				any = true;
			}
			CU_ASSERT(xy_replay_accept(&r, base + c, R) == want);
		}
	}
}

// ---- indices ----

static void test_index(void)
{
	struct xy_index_key k = {{1, 2, 3, 4}}, other = {{1, 2, 3, 5}};
	unsigned same = 0;
	for (uint32_t i = 0; i < 2000000; i++) {
		uint32_t x = (uint32_t)rnd(), h = xy_index_hide(&k, x);
		CU_ASSERT(xy_index_show(&k, h) == x);
		CU_ASSERT(xy_index_hide(&k, xy_index_show(&k, x)) == x);
		same += h == xy_index_hide(&other, x);
	}
	CU_ASSERT(same < 1000);
	// a few slots in all their generations, whichever half of the index these are in
	for (uint32_t slot = 0; slot < 32; slot++)
		for (uint32_t gen = 0; gen < 1 << 16; gen++) {
			uint32_t a = gen << 16 | slot, b = slot << 16 | gen;
			CU_ASSERT(xy_index_show(&k, xy_index_hide(&k, a)) == a);
			CU_ASSERT(xy_index_show(&k, xy_index_hide(&k, b)) == b);
		}
}

XY_UNIT_MAIN("noise", {"BLAKE2s, HMAC", test_blake2s}, {"BLAKE2s, RFC 7693", test_blake2s_rfc7693},
	     {"X25519, ChaCha20-Poly1305", test_primitives},
	     {"handshake and model", test_handshake},
	     {"handshake, each bit flipped", test_handshake_flips},
	     {"handshake, wrong peer", test_handshake_wrong_peer},
	     {"handshake, another label", test_handshake_label},
	     {"response to nothing", test_response_to_nothing},
	     {"public keys that are none", test_bad_public_keys}, {"TAI64N", test_tai64n},
	     {"classify", test_classify}, {"overhead of a link", test_overhead},
	     {"trains of messages", test_train}, {"handshakes on threads", test_threads},
	     {"cookie flow", test_cookie_flow}, {"cookie age", test_cookie_age},
	     {"key slots", test_keypairs}, {"key slots, crossing", test_keypairs_crossing},
	     {"limiter", test_limiter}, {"limiter on a LAN", test_limiter_rate},
	     {"load", test_load}, {"replay table", test_replay_table},
	     {"replay against a set", test_replay_random}, {"index permutation", test_index})
