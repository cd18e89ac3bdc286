// SPDX-License-Identifier: BSD-3-Clause
// Nodes and records to test a fleet with: node n's seed is n, n + 1, ..., so all of it is the same
// each time.
#pragma once

#include "fleet/record.h"
#include "unit.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>

#define NOW UINT64_C(1796000000)

// --- makers

static inline struct xy_identity identity(unsigned n)
{
	struct xy_identity id;
	uint8_t seed[32];
	for (unsigned i = 0; i < sizeof(seed); i++)
		seed[i] = (uint8_t)(i + n);
	seed[31] ^= (uint8_t)(n >> 8);
	CU_ASSERT_FATAL(xy_identity_from_seed(seed, &id) == 0);
	return id;
}

static inline struct xy_fleet_record plain(uint64_t epoch, uint64_t expires)
{
	struct xy_fleet_record r = {.name = "berlin-1",
				    .version = "0.1.0",
				    .epoch = epoch,
				    .expires = expires,
				    .endpoint_count = 2,
				    .prefix_count = 2,
				    .has_claim = true};
	xy_endpoint_parse("192.0.2.1:51820", &r.endpoint[0].at);
	xy_endpoint_parse("[2001:db8::1]:51820", &r.endpoint[1].at);
	r.endpoint[1].from = XY_FLEET_FROM_SEEN;
	xy_prefix_parse("10.1.0.0/16", &r.prefix[0]);
	xy_prefix_parse("fd00:1::/64", &r.prefix[1]);
	xy_prefix_parse("fd10:1::/48", &r.claim);
	return r;
}

static inline char *text_of(unsigned n, uint64_t epoch, uint64_t expires)
{
	struct xy_identity id = identity(n);
	struct xy_fleet_record r = plain(epoch, expires);
	struct xy_err err;
	char *text;
	CU_ASSERT_FATAL(xy_fleet_record_sign(&r, &id, &text, &err) == 0);
	return text;
}

static inline char *replaced(const char *text, const char *what, const char *by)
{
	size_t head = 0, len = strlen(text), gone = strlen(what);
	while (head < len && strncmp(text + head, what, gone) != 0)
		head++;
	char *out = malloc(len + strlen(by) + 1);
	CU_ASSERT_FATAL(head < len && out);
	memcpy(out, text, head);
	strcpy(out + head, by);
	strcat(out, text + head + gone);
	return out;
}

// A text that its owner signed as it is: what a node of another version, or a hostile one, makes.
static inline char *signed_as(unsigned n, const char *domain, const char *body)
{
	struct xy_identity id = identity(n);
	uint8_t s[64];
	char sig[XY_FLEET_SIGNATURE_STRLEN], *out = NULL;
	size_t len;
	struct xy_err err;
	char *tbs = xy_fleet_canonical(domain, body, strlen(body), &len, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(tbs);
	crypto_sign_detached(s, NULL, (const uint8_t *)tbs, len, id.ed25519_sk);
	free(tbs);
	sodium_bin2base64(sig, sizeof(sig), s, sizeof(s), sodium_base64_VARIANT_ORIGINAL);
	CU_ASSERT_FATAL(
		asprintf(&out, "%.*s,\"signature\":\"%s\"}", (int)strlen(body) - 1, body, sig) > 0);
	return out;
}

#define RECORD "xylem fleet record 1\n"

// Members of a record of that node, without what is the same in all; more: "" or ",...".
static inline char *body_of(unsigned n, const char *more)
{
	struct xy_identity id = identity(n);
	struct xy_prefix net = xy_key_prefix(&id.x25519);
	char key[XY_KEY_STRLEN], link[XY_KEY_STRLEN], a[XY_ADDR_STRLEN], p[XY_PREFIX_STRLEN];
	char *out = NULL;
	CU_ASSERT_FATAL(asprintf(&out,
				 "{\"v\":1,\"key\":\"%s\",\"link_key\":\"%s\",\"address\":\"%s\","
				 "\"net\":\"%s\",\"epoch\":7,\"expires\":1796003600%s}",
				 xy_key_str(&id.ed25519, key), xy_key_str(&id.x25519, link),
				 xy_addr_str(&id.addr, a), xy_prefix_str(&net, p), more) > 0);
	return out;
}

static inline int parse_of(unsigned n, const char *more, struct xy_fleet_record *r,
			   struct xy_err *err)
{
	char *body = body_of(n, more), *text = signed_as(n, RECORD, body);
	int e = xy_fleet_record_parse(text, strlen(text), r, err);
	free(body);
	free(text);
	return e;
}
