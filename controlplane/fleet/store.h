// SPDX-License-Identifier: BSD-3-Clause
// What the agent remembers from one start to the next, in a folder of its own: the epoch of our
// record, which never goes back, whatever the clock does; what we claimed; the records of others,
// and since when they were seen to claim what, so that both may be started while the registry is
// away and say the same of whose a network is. No loss of it is an error. The
// loop's thread; records are written by a helper.
#pragma once

#include "fleet/fleet.h"

struct xy_fleet_kept {
	struct xy_key key;	// Ed25519 of the node whose it is
	uint64_t epoch;		// highest that was used
	uint64_t expires;	// latest of all our records, Unix seconds
	struct xy_prefix claim; // len 0: none
	uint64_t since;		// of the claim
};

// folder is made where it is missing. why: what was lost, or cannot be kept; "" else. -ENOMEM.
int xy_fleet_store_open(uv_loop_t *loop, const char *folder, struct xy_fleet_store **out,
			struct xy_err *why);
const char *xy_fleet_store_folder(const struct xy_fleet_store *s);
// Of this node; of another, or none, it is zeros with its key.
struct xy_fleet_kept xy_fleet_store_kept(const struct xy_fleet_store *s, const struct xy_key *key);
// Waits for the disk. -errno, and err says what to do.
int xy_fleet_store_keep(struct xy_fleet_store *s, const struct xy_fleet_kept *k,
			struct xy_err *err);
// Each text that was kept, in slices; more: true while there are more.
bool xy_fleet_store_read(struct xy_fleet_store *s, unsigned most,
			 void (*each)(void *arg, const char *text, size_t len), void *arg);
// What the run before knew of the claim that this record names; seen 0: nothing. Once of each node,
// at its first record that is no older than the one of then.
struct xy_fleet_claimed xy_fleet_store_claimed(struct xy_fleet_store *s,
					       const struct xy_fleet_record *r);
// Whoever says nothing of it until now has let go of it. Till then it is kept as it was.
void xy_fleet_store_claims_end(struct xy_fleet_store *s);
// Begins to write what is live in the book, what the CA revoked, and who claims what since when,
// unless it is what was written last.
void xy_fleet_store_save(struct xy_fleet_store *s, const struct xy_fleet_book *b,
			 const struct xy_fleet_trust *t);
const char *xy_fleet_store_why(const struct xy_fleet_store *s); // the last write failed; NULL: not
// Waits for what is being written. Memory goes when the loop is through.
void xy_fleet_store_close(struct xy_fleet_store *s);
