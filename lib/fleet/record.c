// SPDX-License-Identifier: BSD-3-Clause
#include "fleet/record.h"

#include "base/list.h"
#include "fleet/form.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static const char domain[] = "xylem fleet record 1\n";

const char *const xy_fleet_from_names[] = {XY_FLEET_FROMS(XY_LIST_NAME) NULL};

const char *xy_fleet_key_hex(const struct xy_addr *a, char buf[static XY_FLEET_KEY_STRLEN])
{
	return sodium_bin2hex(buf, XY_FLEET_KEY_STRLEN, a->b, sizeof(a->b));
}

// --- reading

// An address that a datagram may be sent to: not of this host alone, and not inside the mesh.
static bool is_underlay(const struct xy_endpoint *e)
{
	const struct xy_prefix host = {.addr = e->addr, .len = 128};
	return !xy_prefix_is_martian(&host) && !xy_addr_is_mesh(&e->addr) &&
	       !xy_addr_is_multicast(&e->addr) && !xy_addr_is_unspecified(&e->addr);
}

static int endpoint_read(const json_t *v, struct xy_fleet_endpoint *out, struct xy_err *err)
{
	const char *at = json_string_value(json_object_get(v, "at"));
	const char *from = json_string_value(json_object_get(v, "from"));
	unsigned f = 0;
	if (!at || strlen(at) >= XY_ENDPOINT_STRLEN || xy_endpoint_parse(at, &out->at))
		return xy_err_set(err, EINVAL,
				  "endpoints: \"%.80s\" is no address with a port, as "
				  "192.0.2.1:51820 or [2001:db8::1]:51820 is",
				  at ? at : "");
	if (!is_underlay(&out->at))
		return xy_err_set(err, EINVAL, "endpoints: nobody else can send to %s", at);
	while (from && f < XY_FLEET_FROM_COUNT && strcmp(from, xy_fleet_from_names[f]) != 0)
		f++;
	if (!from || f == XY_FLEET_FROM_COUNT)
		return xy_err_set(err, EINVAL,
				  "endpoints: from: is none of own, seen, nat, config");
	out->from = f;
	return 0;
}

static int list_of(const json_t *o, const char *key, unsigned most, const json_t **out,
		   struct xy_err *err)
{
	*out = json_object_get(o, key);
	if (*out && (!json_is_array(*out) || json_array_size(*out) > most))
		return xy_err_set(err, EINVAL, "%s: is no list of at most %u", key, most);
	return 0;
}

static int endpoints_read(const json_t *o, struct xy_fleet_record *r, struct xy_err *err)
{
	const json_t *v;
	int e = list_of(o, "endpoints", XY_FLEET_ENDPOINTS, &v, err);
	for (size_t i = 0; !e && i < json_array_size(v); i++)
		e = endpoint_read(json_array_get(v, i), &r->endpoint[r->endpoint_count++], err);
	return e;
}

static int prefixes_read(const json_t *o, struct xy_fleet_record *r, struct xy_err *err)
{
	const json_t *v, *claim = json_object_get(o, "claim");
	int e = list_of(o, "prefixes", XY_FLEET_PREFIXES, &v, err);
	for (size_t i = 0; !e && i < json_array_size(v); i++)
		e = xy_fleet_form_prefix("prefixes", json_array_get(v, i),
					 &r->prefix[r->prefix_count++], err);
	if (e || !claim)
		return e;
	r->has_claim = true;
	e = xy_fleet_form_prefix("claim", claim, &r->claim, err);
	if (!e && xy_prefix_is_default(&r->claim))
		e = xy_err_set(err, EINVAL, "claim: is a default route");
	return e;
}

// All of it is a hash of the key, so another's address can stand in no record.
static int identity_read(const json_t *o, struct xy_fleet_record *r, struct xy_err *err)
{
	const char *address = json_string_value(json_object_get(o, "address"));
	const char *net = json_string_value(json_object_get(o, "net"));
	struct xy_key link_key;
	struct xy_addr a;
	struct xy_prefix p;
	int e = xy_fleet_form_key(o, "key", &r->key, err);
	e = e ? e : xy_fleet_form_key(o, "link_key", &link_key, err);
	if (e)
		return e;
	if (xy_key_from_ed25519(&r->key, &r->link_key))
		return xy_err_set(err, EINVAL, "key: is no Ed25519 key");
	r->address = xy_key_addr(&r->link_key);
	r->net = xy_key_prefix(&r->link_key);
	if (memcmp(&link_key, &r->link_key, sizeof(link_key)) != 0)
		return xy_err_set(err, EINVAL, "link_key: is not of key");
	if (!address || xy_addr_parse(address, &a) || !xy_addr_eq(&a, &r->address))
		return xy_err_set(err, EINVAL, "address: is not of key");
	if (!net || xy_prefix_parse(net, &p) || !xy_prefix_eq(&p, &r->net))
		return xy_err_set(err, EINVAL, "net: is not of key");
	return 0;
}

static int fields_read(const json_t *o, struct xy_fleet_record *r, struct xy_err *err)
{
	int e = xy_fleet_form_name(o, "name", r->name, err);
	e = e ? e : identity_read(o, r, err);
	e = e ? e : endpoints_read(o, r, err);
	e = e ? e : prefixes_read(o, r, err);
	e = e ? e : xy_fleet_form_name(o, "version", r->version, err);
	e = e ? e : xy_fleet_form_flag(o, "relay", &r->relay, err);
	e = e ? e : xy_fleet_form_flag(o, "ended", &r->ended, err);
	e = e ? e : xy_fleet_form_number(o, "epoch", &r->epoch, err);
	e = e ? e : xy_fleet_form_number(o, "expires", &r->expires, err);
	return e ? e : xy_fleet_form_membership(o, &r->membership, err);
}

// "record" or "record of NAME": for texts.
static void what_it_is(const struct xy_fleet_record *r, char out[static 64])
{
	snprintf(out, 64, "record%s%s", r->name[0] ? " of " : "", r->name);
}

int xy_fleet_record_parse(const void *text, size_t len, struct xy_fleet_record *out,
			  struct xy_err *err)
{
	struct xy_err why;
	char what[64];
	int r;
	*out = (struct xy_fleet_record){0};
	json_t *o = xy_fleet_form_read("record", text, len, &r, err);
	if (!o)
		return r;
	r = fields_read(o, out, &why);
	what_it_is(out, what);
	if (r)
		xy_err_set(err, EINVAL, "%s: %.400s", what, why.text);
	else
		r = xy_fleet_form_verify(what, domain, o, &out->key, out->signature, err);
	json_decref(o);
	return r;
}

enum xy_fleet_kind xy_fleet_kind_of(const void *text, size_t len)
{
	static const struct {
		const char *member;
		enum xy_fleet_kind kind;
	} marks[] = {{"revokes", XY_FLEET_IS_REVOCATION},
		     {"member", XY_FLEET_IS_MEMBER},
		     {"claims", XY_FLEET_IS_CLAIM},
		     {"address", XY_FLEET_IS_RECORD}};
	enum xy_fleet_kind kind = XY_FLEET_IS_NOTHING;
	int r;
	json_t *o = xy_fleet_form_read("text", text, len, &r, NULL);
	for (unsigned i = 0; !kind && i < sizeof(marks) / sizeof(marks[0]); i++)
		if (json_object_get(o, marks[i].member))
			kind = marks[i].kind;
	json_decref(o);
	return kind;
}

// --- making

static int endpoints_put(json_t *o, const struct xy_fleet_record *r)
{
	char text[XY_ENDPOINT_STRLEN];
	json_t *v = json_array();
	int e = v ? 0 : -1;
	for (unsigned i = 0; !e && i < r->endpoint_count; i++)
		e = json_array_append_new(
			v, json_pack("{s:s, s:s}", "at", xy_endpoint_str(&r->endpoint[i].at, text),
				     "from", xy_fleet_from_names[r->endpoint[i].from]));
	return e ? (json_decref(v), e) : json_object_set_new(o, "endpoints", v);
}

static int prefixes_put(json_t *o, const struct xy_fleet_record *r)
{
	char text[XY_PREFIX_STRLEN];
	json_t *v = json_array();
	int e = v ? 0 : -1;
	for (unsigned i = 0; !e && i < r->prefix_count; i++)
		e = json_array_append_new(v, json_string(xy_prefix_str(&r->prefix[i], text)));
	return e ? (json_decref(v), e) : json_object_set_new(o, "prefixes", v);
}

static int words_put(json_t *o, const struct xy_fleet_record *r)
{
	char address[XY_ADDR_STRLEN];
	int e = json_object_set_new(o, "address", json_string(xy_addr_str(&r->address, address)));
	if (!e && r->name[0])
		e = json_object_set_new(o, "name", json_string(r->name));
	if (!e && r->version[0])
		e = json_object_set_new(o, "version", json_string(r->version));
	if (!e && r->ended)
		e = json_object_set_new(o, "ended", json_true());
	if (!e && r->has_claim)
		e = xy_fleet_form_prefix_put(o, "claim", &r->claim);
	return e;
}

static json_t *made(const struct xy_fleet_record *r)
{
	json_t *o = json_pack("{s:i, s:b, s:I, s:I}", "v", XY_FLEET_VERSION, "relay", r->relay,
			      "epoch", (json_int_t)r->epoch, "expires", (json_int_t)r->expires);
	if (!o)
		return NULL;
	int e = words_put(o, r);
	e = e ? e : xy_fleet_form_key_put(o, "key", &r->key);
	e = e ? e : xy_fleet_form_key_put(o, "link_key", &r->link_key);
	e = e ? e : xy_fleet_form_prefix_put(o, "net", &r->net);
	e = e ? e : endpoints_put(o, r);
	e = e ? e : prefixes_put(o, r);
	e = e ? e : xy_fleet_form_membership_put(o, &r->membership);
	if (!e)
		return o;
	json_decref(o);
	return NULL;
}

int xy_fleet_record_sign(struct xy_fleet_record *r, const struct xy_identity *id, char **text,
			 struct xy_err *err)
{
	struct xy_fleet_record read;
	r->key = id->ed25519;
	r->link_key = id->x25519;
	r->address = id->addr;
	r->net = xy_key_prefix(&id->x25519);
	*text = NULL;
	if (r->endpoint_count > XY_FLEET_ENDPOINTS || r->prefix_count > XY_FLEET_PREFIXES ||
	    r->epoch > XY_FLEET_NUMBER_MAX || r->expires > XY_FLEET_NUMBER_MAX)
		return xy_err_set(err, EINVAL, "record: has more than it may have");
	json_t *o = made(r);
	int e = o ? xy_fleet_form_sign("record", domain, o, id, r->signature, text, err)
		  : xy_err_set(err, ENOMEM, "record: not enough memory");
	json_decref(o);
	if (!e) // nothing is signed that others would refuse
		e = xy_fleet_record_parse(*text, strlen(*text), &read, err);
	if (e) {
		free(*text);
		*text = NULL;
	}
	return e;
}
