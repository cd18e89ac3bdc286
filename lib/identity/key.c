// SPDX-License-Identifier: BSD-3-Clause
#include "identity/identity.h"

#include <sodium.h>

enum { ADDR_HASH_LEN = 16, BASE64_LEN = XY_KEY_STRLEN - 1, HEX_LEN = 2 * XY_KEY_LEN };

static void hash_key(const struct xy_key *x25519, uint8_t h[static ADDR_HASH_LEN])
{
	crypto_generichash(h, ADDR_HASH_LEN, x25519->b, sizeof(x25519->b), NULL, 0);
}

struct xy_addr xy_key_addr(const struct xy_key *x25519)
{
	struct xy_addr a;
	hash_key(x25519, a.b);
	a.b[0] = 0x02 | (a.b[0] & 1);
	return a;
}

struct xy_prefix xy_key_prefix(const struct xy_key *x25519)
{
	struct xy_prefix p = {.addr = xy_key_addr(x25519), .len = 64};
	xy_prefix_mask(&p);
	return p;
}

struct xy_addr xy_key_link_local(const struct xy_key *x25519)
{
	struct xy_addr a;
	hash_key(x25519, a.b);
	memset(a.b, 0, 8);
	a.b[0] = 0xfe;
	a.b[1] = 0x80;
	return a;
}

int xy_key_from_ed25519(const struct xy_key *ed25519, struct xy_key *x25519)
{
	return crypto_sign_ed25519_pk_to_curve25519(x25519->b, ed25519->b) == 0 ? 0 : -EINVAL;
}

int xy_identity_from_seed(const uint8_t seed[static 32], struct xy_identity *out)
{
	memcpy(out->seed, seed, sizeof(out->seed));
	crypto_sign_seed_keypair(out->ed25519.b, out->ed25519_sk, out->seed);
	if (crypto_sign_ed25519_sk_to_curve25519(out->x25519_sk, out->ed25519_sk) < 0 ||
	    xy_key_from_ed25519(&out->ed25519, &out->x25519) < 0) {
		xy_identity_wipe(out);
		return -EINVAL;
	}
	out->addr = xy_key_addr(&out->x25519);
	return 0;
}

void xy_identity_wipe(struct xy_identity *id)
{
	sodium_memzero(id, sizeof(*id));
}

bool xy_key_is_zero(const struct xy_key *k)
{
	return sodium_is_zero(k->b, sizeof(k->b)) == 1;
}

// libsodium 1.0.18 takes some bytes above 0x7f for base64, so a changed character could pass as
// another key: only the text that prints the same is the key's.
static int decode_base64(const char *s, struct xy_key *k)
{
	size_t n = 0;
	char again[XY_KEY_STRLEN];
	if (sodium_base642bin(k->b, sizeof(k->b), s, BASE64_LEN, NULL, &n, NULL,
			      sodium_base64_VARIANT_ORIGINAL) < 0 ||
	    n != sizeof(k->b))
		return -EINVAL;
	int rc = sodium_memcmp(xy_key_str(k, again), s, BASE64_LEN) == 0 ? 0 : -EINVAL;
	sodium_memzero(again, sizeof(again));
	return rc;
}

static int decode_hex(const char *s, struct xy_key *k)
{
	size_t n = 0;
	if (sodium_hex2bin(k->b, sizeof(k->b), s, HEX_LEN, NULL, &n, NULL) < 0)
		return -EINVAL;
	return n == sizeof(k->b) ? 0 : -EINVAL;
}

// The text is not repeated in the error: it may be a private key in the wrong place.
int xy_key_parse(const char *s, struct xy_key *out, struct xy_err *err)
{
	struct xy_key k;
	size_t len = strlen(s);
	bool hex = len == HEX_LEN;
	if (strncmp(s, "xylem-key-v", 11) == 0)
		return xy_err_set(err, EINVAL,
				  "this is the text of a key file, which is secret: show it to "
				  "nobody. Write what `xylem pubkey` prints on that node");
	if (strpbrk(s, " \t\r\n"))
		return xy_err_set(err, EINVAL, "the key has blanks in it; remove them");
	if (!hex && len != BASE64_LEN)
		return xy_err_set(err, EINVAL,
				  "the key has %zu characters; a key is 44 characters of base64 "
				  "(as wg prints it) or 64 hex digits",
				  len);
	int rc = hex ? decode_hex(s, &k) : decode_base64(s, &k);
	if (rc == 0)
		*out = k;
	sodium_memzero(&k, sizeof(k));
	if (rc == 0)
		return 0;
	return xy_err_set(err, EINVAL,
			  "the key is not %s; check it for missing or changed characters",
			  hex ? "64 hex digits" : "base64 of 32 bytes");
}

const char *xy_key_str(const struct xy_key *k, char buf[static XY_KEY_STRLEN])
{
	return sodium_bin2base64(buf, XY_KEY_STRLEN, k->b, sizeof(k->b),
				 sodium_base64_VARIANT_ORIGINAL);
}
