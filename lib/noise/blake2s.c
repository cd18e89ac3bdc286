// SPDX-License-Identifier: BSD-3-Clause
#include "noise/blake2s.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	BLOCK = 64,
};

struct contexts {
	EVP_MD_CTX *md;
	EVP_MAC_CTX *mac;
};

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static CRYPTO_THREAD_LOCAL thread_end; // its destructor frees a thread's contexts
static EVP_MD *hash_type;	       // fetched once: a fetch costs more than the hash
static EVP_MAC *mac_type;
static _Thread_local struct contexts *own;

static void need(bool ok)
{
	if (ok)
		return;
	fputs("BLAKE2s failed in OpenSSL (no memory, or a provider without it): stopping\n",
	      stderr);
	abort();
}

static void contexts_free(void *p)
{
	struct contexts *c = p;
	EVP_MD_CTX_free(c->md);
	EVP_MAC_CTX_free(c->mac); // wipes the key
	free(c);
	own = NULL;
}

static void types_fetch(void)
{
	hash_type = EVP_MD_fetch(NULL, "BLAKE2s256", NULL);
	mac_type = EVP_MAC_fetch(NULL, "BLAKE2SMAC", NULL);
	need(hash_type && mac_type && CRYPTO_THREAD_init_local(&thread_end, contexts_free));
}

static struct contexts *contexts_make(void)
{
	need(CRYPTO_THREAD_run_once(&once, types_fetch));
	struct contexts *c = calloc(1, sizeof(*c));
	need(c);
	c->md = EVP_MD_CTX_new();
	c->mac = EVP_MAC_CTX_new(mac_type);
	need(c->md && c->mac);
	size_t size = XY_WG_MAC_LEN;
	OSSL_PARAM params[] = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
			       OSSL_PARAM_construct_end()};
	need(EVP_MAC_CTX_set_params(c->mac, params));
	need(CRYPTO_THREAD_set_local(&thread_end, c));
	return c;
}

static struct contexts *contexts(void)
{
	if (__builtin_expect(!own, 0))
		own = contexts_make();
	return own;
}

// A digest over up to three parts. OpenSSL wipes the state when it ends.
static void digest(const void *a, size_t a_len, const void *b, size_t b_len, const void *c,
		   size_t c_len, uint8_t *out)
{
	EVP_MD_CTX *md = contexts()->md;
	need(EVP_DigestInit_ex2(md, hash_type, NULL));
	if (a_len)
		need(EVP_DigestUpdate(md, a, a_len));
	if (b_len)
		need(EVP_DigestUpdate(md, b, b_len));
	if (c_len)
		need(EVP_DigestUpdate(md, c, c_len));
	need(EVP_DigestFinal_ex(md, out, NULL));
}

void xy_blake2s(const void *a, size_t a_len, const void *b, size_t b_len,
		uint8_t out[static XY_WG_HASH_LEN])
{
	digest(a, a_len, b, b_len, NULL, 0, out);
}

void xy_blake2s_mac(const uint8_t *key, size_t key_len, const void *data, size_t len,
		    uint8_t out[static XY_WG_MAC_LEN])
{
	EVP_MAC_CTX *mac = contexts()->mac;
	size_t got = 0;
	need(EVP_MAC_init(mac, key, key_len, NULL));
	need(EVP_MAC_update(mac, data, len));
	need(EVP_MAC_final(mac, out, &got, XY_WG_MAC_LEN) && got == XY_WG_MAC_LEN);
}

void xy_blake2s_hmac(const uint8_t key[static XY_WG_HASH_LEN], const void *a, size_t a_len,
		     const void *b, size_t b_len, uint8_t out[static XY_WG_HASH_LEN])
{
	uint8_t pad[BLOCK], inner[XY_WG_HASH_LEN];
	memset(pad, 0x36, sizeof(pad));
	for (size_t i = 0; i < XY_WG_HASH_LEN; i++)
		pad[i] ^= key[i];
	digest(pad, sizeof(pad), a, a_len, b, b_len, inner);
	for (size_t i = 0; i < BLOCK; i++)
		pad[i] ^= 0x36 ^ 0x5c;
	digest(pad, sizeof(pad), inner, sizeof(inner), NULL, 0, out);
	sodium_memzero(pad, sizeof(pad));
	sodium_memzero(inner, sizeof(inner));
}

void xy_blake2s_kdf(const uint8_t key[static XY_WG_HASH_LEN], const void *input, size_t len,
		    unsigned n, uint8_t *const out[])
{
	uint8_t secret[XY_WG_HASH_LEN], t[XY_WG_HASH_LEN];
	xy_blake2s_hmac(key, input, len, NULL, 0, secret);
	for (uint8_t i = 1; i <= n; i++) {
		xy_blake2s_hmac(secret, t, i > 1 ? sizeof(t) : 0, &i, 1, t);
		memcpy(out[i - 1], t, sizeof(t));
	}
	sodium_memzero(secret, sizeof(secret));
	sodium_memzero(t, sizeof(t));
}
