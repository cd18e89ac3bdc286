// SPDX-License-Identifier: BSD-3-Clause
// What a registry holds: records, claims, memberships, revocations. A text is read as each of them;
// what was taken holds what its readers rely on, and its canonical form is the same of itself. Then
// two books of records are told it, under names of its own, and stay bounded. The texts that a
// signature is asked of are signed by a key that is known, behind a first byte of 1.
#include "fleet/book.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NOW = 1000 };

static void need(bool ok)
{
	if (!ok)
		abort();
}

static struct xy_identity identity(uint8_t n)
{
	struct xy_identity id;
	uint8_t seed[32] = {n};
	need(xy_identity_from_seed(seed, &id) == 0);
	return id;
}

static void record(const void *text, size_t len)
{
	struct xy_fleet_record r;
	struct xy_err err;
	if (xy_fleet_record_parse(text, len, &r, &err))
		return;
	struct xy_addr a = xy_key_addr(&r.link_key);
	need(r.endpoint_count <= XY_FLEET_ENDPOINTS && r.prefix_count <= XY_FLEET_PREFIXES);
	need(memchr(r.name, 0, sizeof(r.name)) && memchr(r.version, 0, sizeof(r.version)));
	need(xy_addr_eq(&a, &r.address) && r.epoch <= XY_FLEET_NUMBER_MAX);
	for (unsigned i = 0; i < r.endpoint_count; i++)
		need(r.endpoint[i].at.port && r.endpoint[i].from < XY_FLEET_FROM_COUNT);
	need(xy_fleet_kind_of(text, len) != XY_FLEET_IS_NOTHING);
}

static void others(const void *text, size_t len)
{
	struct xy_fleet_claim c;
	struct xy_fleet_member m;
	struct xy_fleet_revocation v;
	struct xy_identity ca = identity(2);
	struct xy_err err;
	if (xy_fleet_claim_parse(text, len, &c, &err) == 0)
		need(!xy_prefix_is_default(&c.prefix));
	if (xy_fleet_member_parse(text, len, &m, &err) == 0)
		need(m.membership.until);
	if (xy_fleet_revocation_parse(text, len, &ca.ed25519, &v, &err) == 0) {
		char *again = xy_fleet_revocation_text(&v);
		need(again &&
		     xy_fleet_revocation_parse(again, strlen(again), &ca.ed25519, &v, &err) == 0);
		free(again);
	}
}

static void canonical(const void *text, size_t len)
{
	struct xy_err err;
	size_t n, m;
	char *once = xy_fleet_canonical("", text, len, &n, &err);
	if (!once)
		return;
	char *twice = xy_fleet_canonical("", once, n, &m, &err);
	need(twice && n == m && memcmp(once, twice, n) == 0);
	free(twice);
	free(once);
}

// Signed by its node, so that what stands behind the signature is reached.
static char *signed_text(const char *text, size_t len, size_t *out_len)
{
	struct xy_identity id = identity(1);
	struct xy_err err;
	uint8_t s[64];
	char sig[XY_FLEET_SIGNATURE_STRLEN], *out;
	size_t n;
	char *tbs = xy_fleet_canonical("xylem fleet record 1\n", text, len, &n, &err);
	if (!tbs)
		return NULL;
	crypto_sign_detached(s, NULL, (const uint8_t *)tbs, n, id.ed25519_sk);
	sodium_bin2base64(sig, sizeof(sig), s, sizeof(s), sodium_base64_VARIANT_ORIGINAL);
	const char *body = strchr(tbs, '{');
	need(body && asprintf(&out, "{\"signature\":\"%s\"%s%s", sig, body[1] == '}' ? "" : ",",
			      body + 1) > 0);
	*out_len = strlen(out);
	free(tbs);
	return out;
}

static void book(const void *text, size_t len, unsigned how)
{
	struct xy_fleet_trust t;
	struct xy_fleet_book *b;
	struct xy_err why;
	struct xy_identity ca = identity(2);
	xy_fleet_trust_init(&t);
	if (how & 1)
		xy_fleet_trust_ca(&t, &ca.ed25519);
	const struct xy_fleet_book_config cfg = {
		.self = identity(3).ed25519, .deletes = 1, .trust = &t};
	need(xy_fleet_book_create(&cfg, &b) == 0);
	enum xy_fleet_outcome one = xy_fleet_book_put(b, 0, "a", text, len, NOW, &why);
	enum xy_fleet_outcome two = xy_fleet_book_put(b, 0, "a", text, len, NOW, &why);
	need(one < XY_FLEET_OUTCOME_COUNT && (one != XY_FLEET_NEW || two == XY_FLEET_SAME));
	need(xy_fleet_book_count(b) == (one == XY_FLEET_NEW));
	xy_fleet_book_expire(b, NOW + 1, true);
	xy_fleet_book_gone(b, 0, "a");
	need(xy_fleet_book_count(b) == 0);
	xy_fleet_book_destroy(b);
	xy_fleet_trust_fini(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	size_t len = size - 1;
	char *copy = malloc(len + 1), *text = copy; // its own block: a read past the end is seen
	need(copy);
	memcpy(copy, data + 1, len);
	if (data[0] & 1)
		text = signed_text(copy, len, &len);
	if (text) {
		record(text, len);
		others(text, len);
		canonical(text, len);
		book(text, len, data[0] >> 1);
	}
	if (text != copy)
		free(text);
	free(copy);
	return 0;
}
