// SPDX-License-Identifier: BSD-3-Clause
// The JSON that a fleet signs, and its fields: what lib/fleet's own files share. Only what has one
// canonical form by RFC 8785 that every implementation agrees on is allowed: objects, lists,
// whole numbers below 2^53, true and false, and strings of printable ASCII.
#pragma once

#include "fleet/record.h"

#include <jansson.h>

enum { XY_FLEET_DEPTH = 6 };

// A whole text: an object of version 1, of what is allowed. what: in words. NULL: *r and err say
// why; -EMSGSIZE, -EINVAL, -EPROTONOSUPPORT.
json_t *xy_fleet_form_read(const char *what, const void *text, size_t len, int *r,
			   struct xy_err *err);
char *xy_fleet_form_text(const json_t *o); // canonical, malloc'd; NULL: no memory
// domain and the canonical form of o without "signature": malloc'd; NULL: no memory.
char *xy_fleet_form_signed(const char *domain, const json_t *o, size_t *len);

int xy_fleet_form_signature_put(json_t *o, const uint8_t s[static XY_FLEET_SIGNATURE]);
// Sets "signature", and makes the text. -ENOMEM, -EMSGSIZE.
int xy_fleet_form_sign(const char *what, const char *domain, json_t *o,
		       const struct xy_identity *id, uint8_t signature[static XY_FLEET_SIGNATURE],
		       char **text, struct xy_err *err);
// The signature there, and whether it is the key's: -EBADMSG.
int xy_fleet_form_verify(const char *what, const char *domain, const json_t *o,
			 const struct xy_key *key, uint8_t signature[static XY_FLEET_SIGNATURE],
			 struct xy_err *err);

// Fields of an object; what is missing or of another form: -EINVAL, and err names it. Those with
// `has` may be missing.
int xy_fleet_form_number(const json_t *o, const char *key, uint64_t *out, struct xy_err *err);
int xy_fleet_form_flag(const json_t *o, const char *key, bool *out, struct xy_err *err); // false
int xy_fleet_form_name(const json_t *o, const char *key, char out[static XY_FLEET_NAME + 1],
		       struct xy_err *err); // ""
int xy_fleet_form_key(const json_t *o, const char *key, struct xy_key *out, struct xy_err *err);
int xy_fleet_form_signature(const json_t *o, uint8_t out[static XY_FLEET_SIGNATURE],
			    struct xy_err *err);
int xy_fleet_form_prefix(const char *key, const json_t *v, struct xy_prefix *out,
			 struct xy_err *err); // one that may be announced
int xy_fleet_form_membership(const json_t *o, struct xy_fleet_membership *out, struct xy_err *err);

int xy_fleet_form_key_put(json_t *o, const char *key, const struct xy_key *k);
int xy_fleet_form_prefix_put(json_t *o, const char *key, const struct xy_prefix *p);
int xy_fleet_form_membership_put(json_t *o, const struct xy_fleet_membership *m);
