// SPDX-License-Identifier: BSD-3-Clause
// Claims of a registry of Xylem's, for ipam.h: whose one is, by what its node signed, and who uses
// parts of what is given out otherwise. Pure.
#pragma once

#include "base/map.h"
#include "fleet/book.h"
#include "fleet/ipam.h"
#include "fleet/trust.h"

enum { XY_CLAIMS_FOREIGN = 4096 };

struct xy_claims_foreign {
	uint8_t name[16]; // hash of the entry's
	char node[XY_FLEET_NAME + 1];
	struct xy_prefix prefix;
	uint64_t expires;
};

struct xy_claims {
	struct xy_fleet_trust trust;
	struct xy_key self; // Ed25519
	struct xy_fleet_wish wish;
	uint64_t wall;
	unsigned count;
	struct xy_claims_foreign *foreign; // [XY_CLAIMS_FOREIGN]
};

int xy_claims_init(struct xy_claims *c); // -ENOMEM
void xy_claims_fini(struct xy_claims *c);
// An entry "node.." or "claim.." as it is now; text NULL: gone. What it uses in the cidr of what is
// wished for, but for whole networks as they are given out, is nobody else's.
void xy_claims_note(struct xy_claims *c, const char *name, const void *text, size_t len,
		    uint64_t wall);

// As the functions of xy_ipam_kind; c is theirs.
void xy_claims_key(const struct xy_prefix *p, char out[static XY_IPAM_KEY]);
void xy_claims_judge(const struct xy_claims *c, const struct xy_prefix *p, const void *value,
		     size_t len, uint64_t wall, struct xy_ipam_holder *out);
bool xy_claims_let_go(const struct xy_prefix *p, const struct xy_ipam_holder *h, const void *value,
		      size_t len);
bool xy_claims_overlap(const struct xy_claims *c, const struct xy_prefix *p, char *why,
		       size_t size);

// A network of those that are given out: in the cidr, of so many bits, as prefixes have them.
static inline bool xy_claims_is_given_out(const struct xy_prefix *cidr, unsigned bits,
					  const struct xy_prefix *p)
{
	return p->len == bits && xy_prefix_covers(cidr, p);
}

// Claims of networks that are no part of one another are given; of others the first as here: what
// was given before, by its date, as it was seen, by key.
struct xy_claims_weighed {
	struct xy_prefix prefix;
	struct xy_key key; // Ed25519
	bool stood;
	uint64_t dated, seen; // as xy_fleet_claimed
	uint32_t at;	      // the caller's
	bool given;	      // what came of it
	unsigned within;      // used meanwhile,
	bool below;	      // likewise
};
int xy_claims_weigh(struct xy_claims_weighed *v, unsigned count); // in another order; -ENOMEM

// Since when who claims what, as claims in a registry say that are let in.
struct xy_claims_stood {
	struct xy_prefix prefix;
	struct xy_key key; // Ed25519
	uint64_t since, expires;
};
struct xy_claims_table {
	struct xy_claims_stood *v;
	uint32_t count, room;
	struct xy_map by_address; // of a hash
	uint8_t secret[16];
};
int xy_claims_table_init(struct xy_claims_table *t); // -ENOMEM
void xy_claims_table_fini(struct xy_claims_table *t);
// Of each address the last; since 0: it is gone. More than a book has nodes are not kept.
void xy_claims_table_set(struct xy_claims_table *t, const struct xy_claims_stood *c);
// As that claim says; 0: none stands, or its time is over.
uint64_t xy_claims_table_since(const struct xy_claims_table *t, const struct xy_prefix *p,
			       const struct xy_key *key, uint64_t wall);

// "node." and the address in hex.
void xy_claims_record_key(const struct xy_addr *a, char out[static XY_IPAM_KEY]);
