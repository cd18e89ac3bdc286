// SPDX-License-Identifier: BSD-3-Clause
// What a registry holds of a node, and what it is believed for: a record that the node signed
// itself, so that who may write the registry can still not speak for another node. Also a claim
// of a prefix, which the node signs likewise, and what a fleet's CA signs: that a key is a member,
// and that it is none any more. docs/wire-format.md has them byte by byte. Pure: no clock, no
// socket; any thread; nothing is owned but what is said to be malloc'd.
#pragma once

#include "base/err.h"
#include "base/ip.h"
#include "identity/identity.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	XY_FLEET_VERSION = 1,
	XY_FLEET_TEXT = 4096, // bytes of any of these as JSON, without a NUL
	XY_FLEET_NAME = 32,   // [A-Za-z0-9._-]{1,32}, as names of peers
	XY_FLEET_ENDPOINTS = 8,
	XY_FLEET_PREFIXES = 16,
	XY_FLEET_SIGNATURE = 64,
	XY_FLEET_SIGNATURE_STRLEN = 89, // base64 and its NUL
	XY_FLEET_KEY_STRLEN = 33,	// xy_fleet_key_hex and its NUL
};
#define XY_FLEET_NUMBER_MAX \
	((UINT64_C(1) << 53) - 1) // of an epoch, of a time: as RFC 8785 has them

// How the node came to know an endpoint of its own. X(NAME, name, text)
#define XY_FLEET_FROMS(X)                             \
	X(OWN, own, "an address of its host")         \
	X(SEEN, seen, "what peers saw it send from")  \
	X(NAT, nat, "a mapping that its router told") \
	X(CONFIG, config, "written by its operator")
enum xy_fleet_from {
#define X(NAME, name, text) XY_FLEET_FROM_##NAME,
	XY_FLEET_FROMS(X)
#undef X
		XY_FLEET_FROM_COUNT
};
extern const char *const xy_fleet_from_names[]; // NULL ends them

struct xy_fleet_endpoint {
	struct xy_endpoint at; // an address, never a name; not of link scope, not of the mesh
	enum xy_fleet_from from;
};

// A fleet CA's word that a key is a member. Without one, `until` is 0.
struct xy_fleet_membership {
	uint64_t until; // Unix seconds
	uint8_t signature[XY_FLEET_SIGNATURE];
};

struct xy_fleet_record {
	char name[XY_FLEET_NAME +
		  1]; // as the node calls itself: no proof of anything; "": not told
	char version[XY_FLEET_NAME + 1]; // "": not told
	struct xy_key key;		 // Ed25519: what signs, and names the record
	struct xy_key link_key;		 // X25519 of it: WireGuard's
	struct xy_addr address;		 // hash of link_key
	struct xy_prefix net;		 // the /64 around it
	unsigned endpoint_count, prefix_count;
	struct xy_fleet_endpoint endpoint[XY_FLEET_ENDPOINTS];
	struct xy_prefix prefix[XY_FLEET_PREFIXES]; // that it announces, outside of 200::/7
	struct xy_prefix claim;			    // of the registry's addresses
	bool relay, ended,
		has_claim; // ended: it left; `expires` is then that of all before at least
	uint64_t epoch;	   // a higher one wins
	uint64_t expires;  // Unix seconds
	struct xy_fleet_membership membership;
	uint8_t signature[XY_FLEET_SIGNATURE];
};

// Reads and checks a record: form, bounds, that link_key, address and net follow from the key, the
// signature. Not who may be in (trust.h), not the time (book.h). -EINVAL: form, or what does not
// follow; -EMSGSIZE; -EPROTONOSUPPORT: of another version; -EBADMSG: the signature. err says what,
// where, and names the node where it could be read.
int xy_fleet_record_parse(const void *text, size_t len, struct xy_fleet_record *out,
			  struct xy_err *err);
// Signs what stands there, filling in key, link_key, address, net and signature of the identity,
// and makes its text, malloc'd. -EINVAL: what stands there is none (err); -EMSGSIZE; -ENOMEM.
int xy_fleet_record_sign(struct xy_fleet_record *r, const struct xy_identity *id, char **text,
			 struct xy_err *err);

// --- a claim of a prefix: the value of a registry's key for it
struct xy_fleet_claim {
	struct xy_key key, link_key; // link_key: follows, and is not in the text
	struct xy_prefix prefix;
	uint64_t epoch, expires;
	uint64_t since; // Unix seconds, when it was claimed first
	struct xy_fleet_membership membership;
	uint8_t signature[XY_FLEET_SIGNATURE];
};
int xy_fleet_claim_parse(const void *text, size_t len, struct xy_fleet_claim *out,
			 struct xy_err *err);
int xy_fleet_claim_sign(struct xy_fleet_claim *c, const struct xy_identity *id, char **text,
			struct xy_err *err);
// Of two that hold one prefix: true: a stays, b draws anew. By `since`, then by key.
bool xy_fleet_claim_before(const struct xy_fleet_claim *a, const struct xy_fleet_claim *b);

// --- what a CA signs
// "{"v":1,"member":KEY,"until":N,"signature":..}": what an operator hands to a node as a file.
struct xy_fleet_member {
	struct xy_key key; // Ed25519
	struct xy_fleet_membership membership;
};
int xy_fleet_member_sign(struct xy_fleet_member *m, const struct xy_identity *ca, char **text,
			 struct xy_err *err);
// Its form alone: whose signature it is, xy_fleet_membership_holds says.
int xy_fleet_member_parse(const void *text, size_t len, struct xy_fleet_member *out,
			  struct xy_err *err);
bool xy_fleet_membership_holds(const struct xy_fleet_membership *m, const struct xy_key *key,
			       const struct xy_key *ca); // its signature; not the time

// "{"v":1,"revokes":KEY,"epoch":N,"signature":..}": the key is no member any more, for good.
struct xy_fleet_revocation {
	struct xy_key key;
	uint64_t epoch; // Unix seconds when it was made
	uint8_t signature[XY_FLEET_SIGNATURE];
};
int xy_fleet_revocation_sign(struct xy_fleet_revocation *r, const struct xy_identity *ca,
			     char **text, struct xy_err *err);
// With its signature: -EBADMSG: another's than this CA's.
int xy_fleet_revocation_parse(const void *text, size_t len, const struct xy_key *ca,
			      struct xy_fleet_revocation *out, struct xy_err *err);

// As it was signed: for a cache. malloc'd; NULL: no memory.
char *xy_fleet_revocation_text(const struct xy_fleet_revocation *r);

// What a text is by its members, without a check of it: a source may hold several kinds.
enum xy_fleet_kind {
	XY_FLEET_IS_NOTHING,
	XY_FLEET_IS_RECORD,
	XY_FLEET_IS_CLAIM,
	XY_FLEET_IS_MEMBER,
	XY_FLEET_IS_REVOCATION,
};
enum xy_fleet_kind xy_fleet_kind_of(const void *text, size_t len);

// The 16 bytes of an address as hex: what a registry's key for a record is made of.
const char *xy_fleet_key_hex(const struct xy_addr *a, char buf[static XY_FLEET_KEY_STRLEN]);
// Canonical form (RFC 8785, of what is allowed here) of a JSON object without the member
// "signature", with `domain` in front: the bytes that are signed. malloc'd; NULL: it is none (err).
char *xy_fleet_canonical(const char *domain, const void *text, size_t len, size_t *out_len,
			 struct xy_err *err);
