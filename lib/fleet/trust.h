// SPDX-License-Identifier: BSD-3-Clause
// Who is let into a fleet: whoever signs for himself, keys that are listed, or whom the fleet's CA
// made a member and has not revoked. What is signed was checked before (record.h); here is whether
// it counts. One thread; the time is given.
#pragma once

#include "fleet/record.h"

enum xy_fleet_trust_kind {
	XY_FLEET_TRUST_SIGNED, // each whose signature holds
	XY_FLEET_TRUST_KEYS,
	XY_FLEET_TRUST_CA,
};

// X(NAME, name, text): ADMITTED is first, and 0
#define XY_FLEET_VERDICTS(X)                                                                 \
	X(ADMITTED, admitted, "it is let in")                                                \
	X(NOT_LISTED, not_listed, "its key is none of those that trust.keys lists")          \
	X(NO_MEMBERSHIP, no_membership,                                                      \
	  "it has no membership, and trust.ca asks for one: xylem fleet ca sign, on the CA") \
	X(WRONG_CA, wrong_ca, "its membership is not signed by the CA that trust.ca names")  \
	X(MEMBERSHIP_ENDED, membership_ended,                                                \
	  "its membership has ended: xylem fleet ca sign anew, on the CA")                   \
	X(REVOKED, revoked, "the CA revoked its key")
enum xy_fleet_verdict {
#define X(NAME, name, text) XY_FLEET_##NAME,
	XY_FLEET_VERDICTS(X)
#undef X
		XY_FLEET_VERDICT_COUNT
};
extern const char *const xy_fleet_verdict_names[], *const xy_fleet_verdict_texts[];

enum { XY_FLEET_REVOCATIONS = 16384, XY_FLEET_TRUSTED_KEYS = 16384 };

struct xy_fleet_trust {
	enum xy_fleet_trust_kind kind;
	struct xy_key ca; // Ed25519
	unsigned count;
	struct xy_key *key; // [count] that are listed, sorted
	unsigned revoked_count, revoked_room;
	struct xy_fleet_revocation *revoked; // [revoked_count] sorted by key
};

void xy_fleet_trust_init(struct xy_fleet_trust *t); // signed
void xy_fleet_trust_fini(struct xy_fleet_trust *t);
// Ed25519 keys, or the X25519 ones that peers are named by; revocations that were read stay.
// -ENOMEM, -ENOSPC.
int xy_fleet_trust_keys(struct xy_fleet_trust *t, const struct xy_key *key, unsigned count);
void xy_fleet_trust_ca(struct xy_fleet_trust *t, const struct xy_key *ca); // another: none revoked
// Takes a revocation that was parsed with our CA. 1: it is new; 0: it was known; -ENOMEM, -ENOSPC.
int xy_fleet_trust_revoke(struct xy_fleet_trust *t, const struct xy_fleet_revocation *r);
bool xy_fleet_trust_is_revoked(const struct xy_fleet_trust *t, const struct xy_key *key);
// May who has this key be in? m: its membership, until 0 or NULL: none.
enum xy_fleet_verdict xy_fleet_trust_admit(const struct xy_fleet_trust *t, const struct xy_key *key,
					   const struct xy_fleet_membership *m, uint64_t now);
// Until when what was admitted stays so without another look: the membership's end, or UINT64_MAX.
uint64_t xy_fleet_trust_until(const struct xy_fleet_trust *t, const struct xy_fleet_membership *m);
