// SPDX-License-Identifier: BSD-3-Clause
// Who may send from which prefixes outside 200::/7: by the config, the key that routing.accept
// names for a prefix, and whoever a static route leads to, since what is sent there is answered
// from there. Asked for links, and for nodes that are reached over them. The maker owns it until
// xy_accepts_free; any thread may make one.
#pragma once

#include "config/config.h"
#include "noise/handshake.h"

struct xy_accepts {
	unsigned count;
	struct xy_key *key;	  // [count] in order
	struct xy_prefix *prefix; // [count] theirs
	unsigned taken_count;
	struct xy_prefix *taken; // [taken_count] somebody's, or ours: no default holds these
	bool whole;		 // somebody's are a default
	bool exit_all;		 // our exit is for everybody, or
	unsigned exit_count;
	struct xy_key *exit_key; // [exit_count] in order: for these
};

// remote: of the config's peers, [peer_count]. One whose key is not known yet (zeros) brings
// nothing: made again when it is. -ENOMEM.
int xy_accepts_make(const struct xy_config *c, const struct xy_hs_remote *remote,
		    struct xy_accepts *out);
void xy_accepts_free(struct xy_accepts *a);
bool xy_accepts_exits(const struct xy_accepts *a, const struct xy_key *key); // may it use our exit?
// How many prefixes of a key, from *prefix on; they are a's.
unsigned xy_accepts_of(const struct xy_accepts *a, const struct xy_key *key,
		       const struct xy_prefix **prefix);
