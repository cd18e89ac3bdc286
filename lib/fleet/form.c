// SPDX-License-Identifier: BSD-3-Clause
#include "fleet/form.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

// --- what is allowed

static bool is_printable(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] < ' ' || text[i] > '~')
			return false;
	return true;
}

static bool is_text(const uint8_t *p, size_t len) // bytes of JSON: blanks and printable ASCII
{
	for (size_t i = 0; i < len; i++)
		if ((p[i] < ' ' && p[i] != '\n' && p[i] != '\t' && p[i] != '\r') || p[i] > '~')
			return false;
	return true;
}

static const char *wrong_in(const json_t *v, unsigned depth); // NULL: nothing

static const char *wrong_in_members(const json_t *v, unsigned depth)
{
	const char *key, *wrong = NULL;
	json_t *in;
	json_object_foreach((json_t *)(uintptr_t)v, key, in)
	{
		wrong = wrong ? wrong : wrong_in(in, depth);
		if (!wrong && !is_printable(key, strlen(key)))
			wrong = "a member's name is not printable ASCII";
	}
	return wrong;
}

static const char *wrong_in_list(const json_t *v, unsigned depth)
{
	const char *wrong = NULL;
	for (size_t i = 0; !wrong && i < json_array_size(v); i++)
		wrong = wrong_in(json_array_get(v, i), depth);
	return wrong;
}

static const char *wrong_in(const json_t *v, unsigned depth)
{
	json_int_t n = json_integer_value(v);
	switch (json_typeof(v)) {
	case JSON_OBJECT:
	case JSON_ARRAY:
		if (!depth)
			return "it is nested too deep";
		return json_is_object(v) ? wrong_in_members(v, depth - 1)
					 : wrong_in_list(v, depth - 1);
	case JSON_STRING:
		return is_printable(json_string_value(v), json_string_length(v))
			       ? NULL
			       : "a string in it is not printable ASCII";
	case JSON_INTEGER:
		return n <= (json_int_t)XY_FLEET_NUMBER_MAX && n >= -(json_int_t)XY_FLEET_NUMBER_MAX
			       ? NULL
			       : "a number in it is above 2^53 - 1";
	case JSON_REAL:
		return "a number in it is not whole";
	case JSON_NULL:
		return "there is a null in it";
	case JSON_TRUE:
	case JSON_FALSE:
		return NULL;
	}
	return "it has a kind of value that is not known";
}

static json_t *parse(const char *what, const void *text, size_t len, int *r, struct xy_err *err)
{
	json_error_t e;
	if (len > XY_FLEET_TEXT) {
		*r = xy_err_set(err, EMSGSIZE, "%s: has %zu bytes, and may have %d", what, len,
				XY_FLEET_TEXT);
		return NULL;
	}
	if (!is_text(text, len)) {
		*r = xy_err_set(err, EINVAL, "%s: is not ASCII", what);
		return NULL;
	}
	json_t *o = json_loadb(text, len, JSON_REJECT_DUPLICATES, &e);
	const char *wrong = o ? wrong_in(o, XY_FLEET_DEPTH) : NULL;
	if (!o)
		*r = xy_err_set(err, EINVAL, "%s: line %d: is no JSON: %s", what, e.line, e.text);
	else if (!json_is_object(o))
		*r = xy_err_set(err, EINVAL, "%s: is no JSON object", what);
	else if (wrong)
		*r = xy_err_set(err, EINVAL, "%s: %s", what, wrong);
	else
		return o;
	json_decref(o);
	return NULL;
}

json_t *xy_fleet_form_read(const char *what, const void *text, size_t len, int *r,
			   struct xy_err *err)
{
	json_t *o = parse(what, text, len, r, err), *v = o ? json_object_get(o, "v") : NULL;
	*r = o ? 0 : *r;
	if (!o || (json_is_integer(v) && json_integer_value(v) == XY_FLEET_VERSION))
		return o;
	if (!v)
		*r = xy_err_set(err, EINVAL, "%s: v: is missing; it is no record of a fleet", what);
	else
		*r = xy_err_set(err, EPROTONOSUPPORT,
				"%s: v: is not %d; it is of another version of Xylem", what,
				XY_FLEET_VERSION);
	json_decref(o);
	return NULL;
}

char *xy_fleet_form_text(const json_t *o)
{
	// Of what is allowed this is RFC 8785: names of ASCII sort alike by bytes and by UTF-16,
	// quotes and backslashes are all that is escaped, and whole numbers have one form.
	return json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
}

char *xy_fleet_form_signed(const char *domain, const json_t *o, size_t *len)
{
	json_t *bare = json_copy((json_t *)(uintptr_t)o);
	size_t head = strlen(domain);
	if (!bare)
		return NULL;
	json_object_del(bare, "signature");
	char *body = xy_fleet_form_text(bare), *out = NULL;
	json_decref(bare);
	if (body && (out = malloc(head + strlen(body) + 1))) {
		*len = head + strlen(body);
		memcpy(out, domain, head);
		memcpy(out + head, body, *len - head + 1);
	}
	free(body);
	return out;
}

char *xy_fleet_canonical(const char *domain, const void *text, size_t len, size_t *out_len,
			 struct xy_err *err)
{
	int r;
	json_t *o = parse("text", text, len, &r, err);
	char *out = o ? xy_fleet_form_signed(domain, o, out_len) : NULL;
	if (o && !out)
		xy_err_set(err, ENOMEM, "not enough memory");
	json_decref(o);
	return out;
}

// --- signatures

int xy_fleet_form_signature_put(json_t *o, const uint8_t s[static XY_FLEET_SIGNATURE])
{
	char text[XY_FLEET_SIGNATURE_STRLEN];
	sodium_bin2base64(text, sizeof(text), s, XY_FLEET_SIGNATURE,
			  sodium_base64_VARIANT_ORIGINAL);
	return json_object_set_new(o, "signature", json_string(text));
}

int xy_fleet_form_sign(const char *what, const char *domain, json_t *o,
		       const struct xy_identity *id, uint8_t signature[static XY_FLEET_SIGNATURE],
		       char **text, struct xy_err *err)
{
	size_t len;
	char *tbs = xy_fleet_form_signed(domain, o, &len);
	*text = NULL;
	if (tbs) {
		crypto_sign_detached(signature, NULL, (const uint8_t *)tbs, len, id->ed25519_sk);
		*text = xy_fleet_form_signature_put(o, signature) ? NULL : xy_fleet_form_text(o);
		free(tbs);
	}
	if (!*text)
		return xy_err_set(err, ENOMEM, "%s: not enough memory", what);
	len = strlen(*text);
	if (len <= XY_FLEET_TEXT)
		return 0;
	free(*text);
	*text = NULL;
	return xy_err_set(err, EMSGSIZE, "%s: would have %zu bytes, and may have %d", what, len,
			  XY_FLEET_TEXT);
}

int xy_fleet_form_verify(const char *what, const char *domain, const json_t *o,
			 const struct xy_key *key, uint8_t signature[static XY_FLEET_SIGNATURE],
			 struct xy_err *err)
{
	size_t len;
	int r = xy_fleet_form_signature(o, signature, err);
	if (r)
		return r;
	char *tbs = xy_fleet_form_signed(domain, o, &len);
	if (!tbs)
		return xy_err_set(err, ENOMEM, "%s: not enough memory", what);
	r = crypto_sign_verify_detached(signature, (const uint8_t *)tbs, len, key->b);
	free(tbs);
	return r ? xy_err_set(err, EBADMSG,
			      "%s: its signature does not hold: it was changed, or another signed "
			      "it",
			      what)
		 : 0;
}

// --- fields

int xy_fleet_form_number(const json_t *o, const char *key, uint64_t *out, struct xy_err *err)
{
	const json_t *v = json_object_get(o, key);
	if (!json_is_integer(v) || json_integer_value(v) < 0)
		return xy_err_set(err, EINVAL, "%s: %s", key,
				  v ? "is no whole number" : "is missing");
	*out = (uint64_t)json_integer_value(v);
	return 0;
}

int xy_fleet_form_flag(const json_t *o, const char *key, bool *out, struct xy_err *err)
{
	const json_t *v = json_object_get(o, key);
	*out = json_is_true(v);
	return !v || json_is_boolean(v) ? 0
					: xy_err_set(err, EINVAL, "%s: is not true or false", key);
}

int xy_fleet_form_name(const json_t *o, const char *key, char out[static XY_FLEET_NAME + 1],
		       struct xy_err *err)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	const json_t *v = json_object_get(o, key);
	const char *text = json_string_value(v);
	out[0] = 0;
	if (!v)
		return 0;
	if (!text || !text[0] || strlen(text) > XY_FLEET_NAME || text[strspn(text, letters)])
		return xy_err_set(err, EINVAL, "%s: is not 1 to %d of A-Z a-z 0-9 . _ -", key,
				  XY_FLEET_NAME);
	memcpy(out, text, strlen(text) + 1);
	return 0;
}

int xy_fleet_form_key(const json_t *o, const char *key, struct xy_key *out, struct xy_err *err)
{
	const json_t *v = json_object_get(o, key);
	const char *text = json_string_value(v);
	if (!text || strlen(text) != XY_KEY_STRLEN - 1 || xy_key_parse(text, out, NULL))
		return xy_err_set(err, EINVAL, "%s: %s", key,
				  v ? "is no key in base64" : "is missing");
	return 0;
}

int xy_fleet_form_signature(const json_t *o, uint8_t out[static XY_FLEET_SIGNATURE],
			    struct xy_err *err)
{
	const json_t *v = json_object_get(o, "signature");
	const char *text = json_string_value(v);
	size_t len = 0;
	if (!text || strlen(text) != XY_FLEET_SIGNATURE_STRLEN - 1 ||
	    sodium_base642bin(out, XY_FLEET_SIGNATURE, text, strlen(text), NULL, &len, NULL,
			      sodium_base64_VARIANT_ORIGINAL) ||
	    len != XY_FLEET_SIGNATURE)
		return xy_err_set(err, EINVAL, "signature: %s",
				  v ? "is no signature in base64" : "is missing");
	return 0;
}

int xy_fleet_form_prefix(const char *key, const json_t *v, struct xy_prefix *out,
			 struct xy_err *err)
{
	const struct xy_prefix mesh = XY_MESH_PREFIX;
	const char *text = json_string_value(v);
	if (!text || strlen(text) >= XY_PREFIX_STRLEN || xy_prefix_parse(text, out))
		return xy_err_set(err, EINVAL, "%s: \"%.60s\" is no prefix", key, text ? text : "");
	if (xy_prefix_covers(&mesh, out) || xy_prefix_is_martian(out))
		return xy_err_set(err, EINVAL, "%s: %s can be nobody's to announce", key, text);
	return 0;
}

int xy_fleet_form_membership(const json_t *o, struct xy_fleet_membership *out, struct xy_err *err)
{
	const json_t *v = json_object_get(o, "membership");
	*out = (struct xy_fleet_membership){0};
	if (!v)
		return 0;
	if (!json_is_object(v))
		return xy_err_set(err, EINVAL, "membership: is no object");
	int r = xy_fleet_form_number(v, "until", &out->until, err);
	r = r ? r : xy_fleet_form_signature(v, out->signature, err);
	if (!r && !out->until)
		r = xy_err_set(err, EINVAL, "until: is 0");
	return r;
}

int xy_fleet_form_key_put(json_t *o, const char *key, const struct xy_key *k)
{
	char text[XY_KEY_STRLEN];
	return json_object_set_new(o, key, json_string(xy_key_str(k, text)));
}

int xy_fleet_form_prefix_put(json_t *o, const char *key, const struct xy_prefix *p)
{
	char text[XY_PREFIX_STRLEN];
	return json_object_set_new(o, key, json_string(xy_prefix_str(p, text)));
}

int xy_fleet_form_membership_put(json_t *o, const struct xy_fleet_membership *m)
{
	json_t *v;
	if (!m->until)
		return 0;
	v = json_pack("{s:I}", "until", (json_int_t)m->until);
	return !v || xy_fleet_form_signature_put(v, m->signature)
		       ? (json_decref(v), -1)
		       : json_object_set_new(o, "membership", v);
}
