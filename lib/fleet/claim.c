// SPDX-License-Identifier: BSD-3-Clause
// Claims, memberships and revocations.
#include "fleet/form.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static const char claim_domain[] = "xylem fleet claim 1\n";
static const char member_domain[] = "xylem fleet member 1\n";
static const char revocation_domain[] = "xylem fleet revocation 1\n";

static int said_of(const char *what, int r, const struct xy_err *why, struct xy_err *err)
{
	return r ? xy_err_set(err, -r, "%s: %.400s", what, why->text) : 0;
}

// What was signed is read as others will read it.
static int sign(const char *what, const char *domain, json_t *o, const struct xy_identity *id,
		uint8_t signature[static XY_FLEET_SIGNATURE], char **text, struct xy_err *err)
{
	*text = NULL;
	int r = o ? xy_fleet_form_sign(what, domain, o, id, signature, text, err)
		  : xy_err_set(err, ENOMEM, "%s: not enough memory", what);
	json_decref(o);
	return r;
}

static int refused(int r, char **text)
{
	if (r) {
		free(*text);
		*text = NULL;
	}
	return r;
}

// --- claims

static int claim_read(const json_t *o, struct xy_fleet_claim *c, struct xy_err *err)
{
	int r = xy_fleet_form_key(o, "key", &c->key, err);
	if (!r && xy_key_from_ed25519(&c->key, &c->link_key))
		r = xy_err_set(err, EINVAL, "key: is no Ed25519 key");
	r = r ? r : xy_fleet_form_prefix("claims", json_object_get(o, "claims"), &c->prefix, err);
	if (!r && xy_prefix_is_default(&c->prefix))
		r = xy_err_set(err, EINVAL, "claims: is a default route");
	r = r ? r : xy_fleet_form_number(o, "epoch", &c->epoch, err);
	r = r ? r : xy_fleet_form_number(o, "expires", &c->expires, err);
	r = r ? r : xy_fleet_form_number(o, "since", &c->since, err);
	return r ? r : xy_fleet_form_membership(o, &c->membership, err);
}

int xy_fleet_claim_parse(const void *text, size_t len, struct xy_fleet_claim *out,
			 struct xy_err *err)
{
	struct xy_err why;
	int r;
	*out = (struct xy_fleet_claim){0};
	json_t *o = xy_fleet_form_read("claim", text, len, &r, err);
	if (!o)
		return r;
	r = said_of("claim", claim_read(o, out, &why), &why, err);
	r = r ? r : xy_fleet_form_verify("claim", claim_domain, o, &out->key, out->signature, err);
	json_decref(o);
	return r;
}

static json_t *claim_made(const struct xy_fleet_claim *c)
{
	json_t *o = json_pack("{s:i, s:I, s:I, s:I}", "v", XY_FLEET_VERSION, "epoch",
			      (json_int_t)c->epoch, "expires", (json_int_t)c->expires, "since",
			      (json_int_t)c->since);
	int r = o ? xy_fleet_form_key_put(o, "key", &c->key) : -1;
	r = r ? r : xy_fleet_form_prefix_put(o, "claims", &c->prefix);
	r = r ? r : xy_fleet_form_membership_put(o, &c->membership);
	if (!r)
		return o;
	json_decref(o);
	return NULL;
}

int xy_fleet_claim_sign(struct xy_fleet_claim *c, const struct xy_identity *id, char **text,
			struct xy_err *err)
{
	struct xy_fleet_claim read;
	c->key = id->ed25519;
	c->link_key = id->x25519;
	int r = sign("claim", claim_domain, claim_made(c), id, c->signature, text, err);
	return refused(r ? r : xy_fleet_claim_parse(*text, strlen(*text), &read, err), text);
}

bool xy_fleet_claim_before(const struct xy_fleet_claim *a, const struct xy_fleet_claim *b)
{
	if (a->since != b->since)
		return a->since < b->since;
	return memcmp(&a->key, &b->key, sizeof(a->key)) < 0;
}

// --- members

static json_t *member_made(const struct xy_key *key, uint64_t until)
{
	json_t *o = json_pack("{s:I}", "until", (json_int_t)until);
	if (o && !xy_fleet_form_key_put(o, "key", key))
		return o;
	json_decref(o);
	return NULL;
}

bool xy_fleet_membership_holds(const struct xy_fleet_membership *m, const struct xy_key *key,
			       const struct xy_key *ca)
{
	json_t *o = member_made(key, m->until);
	size_t len;
	char *tbs = o ? xy_fleet_form_signed(member_domain, o, &len) : NULL;
	bool holds = tbs && crypto_sign_verify_detached(m->signature, (const uint8_t *)tbs, len,
							ca->b) == 0;
	free(tbs);
	json_decref(o);
	return holds;
}

int xy_fleet_member_parse(const void *text, size_t len, struct xy_fleet_member *out,
			  struct xy_err *err)
{
	struct xy_err why;
	int r;
	*out = (struct xy_fleet_member){0};
	json_t *o = xy_fleet_form_read("membership", text, len, &r, err);
	if (!o)
		return r;
	r = xy_fleet_form_key(o, "member", &out->key, &why);
	r = r ? r : xy_fleet_form_number(o, "until", &out->membership.until, &why);
	r = r ? r : xy_fleet_form_signature(o, out->membership.signature, &why);
	if (!r && !out->membership.until)
		r = xy_err_set(&why, EINVAL, "until: is 0");
	json_decref(o);
	return said_of("membership", r, &why, err);
}

int xy_fleet_member_sign(struct xy_fleet_member *m, const struct xy_identity *ca, char **text,
			 struct xy_err *err)
{
	struct xy_fleet_member read;
	json_t *signs = member_made(&m->key, m->membership.until), *o = NULL;
	size_t len;
	char *tbs = signs ? xy_fleet_form_signed(member_domain, signs, &len) : NULL;
	json_decref(signs);
	*text = NULL;
	if (tbs) {
		char key[XY_KEY_STRLEN];
		crypto_sign_detached(m->membership.signature, NULL, (const uint8_t *)tbs, len,
				     ca->ed25519_sk);
		o = json_pack("{s:i, s:s, s:I}", "v", XY_FLEET_VERSION, "member",
			      xy_key_str(&m->key, key), "until", (json_int_t)m->membership.until);
		if (o && !xy_fleet_form_signature_put(o, m->membership.signature))
			*text = xy_fleet_form_text(o);
	}
	json_decref(o);
	free(tbs);
	if (!*text)
		return xy_err_set(err, ENOMEM, "membership: not enough memory");
	return refused(xy_fleet_member_parse(*text, strlen(*text), &read, err), text);
}

// --- revocations

int xy_fleet_revocation_parse(const void *text, size_t len, const struct xy_key *ca,
			      struct xy_fleet_revocation *out, struct xy_err *err)
{
	struct xy_err why;
	int r;
	*out = (struct xy_fleet_revocation){0};
	json_t *o = xy_fleet_form_read("revocation", text, len, &r, err);
	if (!o)
		return r;
	r = xy_fleet_form_key(o, "revokes", &out->key, &why);
	r = r ? r : xy_fleet_form_number(o, "epoch", &out->epoch, &why);
	r = said_of("revocation", r, &why, err);
	r = r ? r
	      : xy_fleet_form_verify("revocation", revocation_domain, o, ca, out->signature, err);
	json_decref(o);
	return r;
}

static json_t *revocation_made(const struct xy_fleet_revocation *r)
{
	json_t *o = json_pack("{s:i, s:I}", "v", XY_FLEET_VERSION, "epoch", (json_int_t)r->epoch);
	if (o && !xy_fleet_form_key_put(o, "revokes", &r->key))
		return o;
	json_decref(o);
	return NULL;
}

char *xy_fleet_revocation_text(const struct xy_fleet_revocation *r)
{
	json_t *o = revocation_made(r);
	char *text =
		o && !xy_fleet_form_signature_put(o, r->signature) ? xy_fleet_form_text(o) : NULL;
	json_decref(o);
	return text;
}

int xy_fleet_revocation_sign(struct xy_fleet_revocation *r, const struct xy_identity *ca,
			     char **text, struct xy_err *err)
{
	struct xy_fleet_revocation read;
	int e = sign("revocation", revocation_domain, revocation_made(r), ca, r->signature, text,
		     err);
	return refused(
		e ? e : xy_fleet_revocation_parse(*text, strlen(*text), &ca->ed25519, &read, err),
		text);
}
