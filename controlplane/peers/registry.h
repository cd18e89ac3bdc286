// SPDX-License-Identifier: BSD-3-Clause
// Peers that a registry named (xylem-fleet, by the control socket): a source of the book of peers
// behind all that people and the config said of a key, and before who came by himself. Each ends by
// itself when nobody said it again in time, so an agent that was killed leaves nothing behind; and
// who agrees to be met, though he is no peer: admitted keys. Control thread only; time is given, of
// a clock that goes on in a suspend. Bounded.
#pragma once

#include "base/err.h"
#include "base/map.h"
#include "base/time.h"
#include "config/config.h"
#include "peers/book.h"

enum {
	XY_REGISTRY_PEERS = 4096,
	XY_REGISTRY_ADMITTED = 16384,
	XY_REGISTRY_LIFETIME = 7 * 86400, // seconds, at most
	// What is claimed comes into force so long after the last change, and no longer than that
	// after the first: each time all of routing is gone through.
	XY_REGISTRY_CALM_MS = 2000,
	XY_REGISTRY_CALM_MOST_MS = 10000,
};

struct xy_registry_want {
	struct xy_key key; // X25519
	const char *name;  // "": none is known
	bool leaf;	   // a plain WireGuard device
	const char *const *endpoints;
	unsigned endpoint_count;
	struct xy_config_prefixes allowed; // of a leaf; copied
	unsigned keepalive, mtu;
};

struct xy_registry_peer {
	struct xy_config_peer says;
	struct xy_hs_remote remote;
	xy_nsec until;
	uint64_t session;
};

struct xy_registry_admitted {
	struct xy_key key;
	bool has_claim;
	struct xy_prefix claim; // what it may announce besides its /64
	xy_nsec until;
	uint64_t session;
};

struct xy_registry {
	struct xy_book *book;
	const struct xy_identity *identity;
	bool (*is_taken)(void *arg, const char *name);	     // by a peer that is none of ours
	void (*lay)(void *arg, struct xy_config_peer *says); // what was set of it at run time
	void *arg;
	unsigned count, gone;
	struct xy_registry_peer **peer;	       // [count]
	struct xy_registry_peer **leaving;     // [gone] links may look at them still
	struct xy_registry_admitted *admitted; // [admitted_count], in no order
	unsigned admitted_count, admitted_room;
	struct xy_map by_key; // of those
	uint8_t hash_key[16];
	uint64_t session;	    // who says what is set and let in from now on; the caller's
	uint64_t claims;	    // changes with what the admitted ones claim
	uint64_t laid, claims_seen; // those in force; at the last look
	xy_nsec claims_changed, claims_last; // first and last change since; XY_NEVER: none
	uint64_t left_out;		     // how many were let in no more
	xy_nsec next;			     // when the first of them ends; XY_NEVER
};

int xy_registry_init(struct xy_registry *r, struct xy_book *book, const struct xy_identity *id);
void xy_registry_fini(struct xy_registry *r); // links look at none of it any more

// Adds, changes, or keeps until then. c: the config in force. *changed: it was not known so.
// -EINVAL, -ENOSPC, -ENOMEM: nothing has changed; err says what to do.
int xy_registry_set(struct xy_registry *r, const struct xy_registry_want *want,
		    const struct xy_config *c, xy_nsec until, bool *changed, struct xy_err *err);
int xy_registry_forget(struct xy_registry *r, const struct xy_key *key); // -ENOENT
const struct xy_config_peer *xy_registry_peer(const struct xy_registry *r,
					      const struct xy_key *key); // NULL: none of ours

// Whoever has the key may come as a stranger does where peering is open. claim: NULL for none.
int xy_registry_admit(struct xy_registry *r, const struct xy_key *key,
		      const struct xy_prefix *claim, xy_nsec until); // -ENOSPC, -ENOMEM
void xy_registry_unadmit(struct xy_registry *r, const struct xy_key *key);
bool xy_registry_admits(const struct xy_registry *r, const struct xy_key *key, xy_nsec now);

// Is what they claim to come into force now? To be asked about each second.
bool xy_registry_claims_due(struct xy_registry *r, xy_nsec now);
void xy_registry_claims_laid(struct xy_registry *r); // it is

// Lets in no more, and names no more, what was not said in this session; a peer who was let in in
// it may stay until it ends. How many peers.
unsigned xy_registry_only(struct xy_registry *r, uint64_t session);
// Ends what nobody said again: how many peers, and the name of one.
unsigned xy_registry_run(struct xy_registry *r, xy_nsec now, char name[static XY_NAME_LEN + 1]);
static inline xy_nsec xy_registry_deadline(const struct xy_registry *r)
{
	return r->next;
}
// Another config is in force: its secret may be another, and its peers may have names of ours.
void xy_registry_settle(struct xy_registry *r, const struct xy_config *c);
void xy_registry_sweep(struct xy_registry *r); // once links have followed: what went is freed
