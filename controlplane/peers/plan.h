// SPDX-License-Identifier: BSD-3-Clause
// A checked config with what takes time to make of it: what handshakes need of every peer, and whom
// to find by what. Made at start, and at a reload on a helper thread; taken over by the control
// thread whole. The maker owns it until xy_plan_free, which wipes it.
#pragma once

#include "config/config.h"
#include "noise/handshake.h"

struct xy_plan {
	struct xy_config config;
	struct xy_hs_remote *remote; // [config.peer_count] zeros: of a key that is not known
	uint32_t *keyless;	     // [keyless_count] peers that were given no key, in order
	uint32_t *by_endpoint; // [endpoint_count] of the others: peer * XY_CONFIG_ENDPOINTS + which
	unsigned keyless_count, endpoint_count;
};

// Checks what only this node can: our own key as a peer, addresses of our own /64 and of others'.
// Adds to the config's errors and warnings, also to those of one that could not be read whole.
void xy_plan_look(const char *path, struct xy_config *c, const struct xy_identity *id);
// Takes a config over, also on failure, and looks at it so; keys that no handshake can be done with
// are errors as well. -EINVAL and the like, with the first error's text, which names path; out then
// holds the config with all of them, to be freed.
int xy_plan_make(const char *path, struct xy_config *config, const struct xy_identity *id,
		 struct xy_plan *out, struct xy_err *err);
// Fills in what handshakes need with a peer that was given no key, and has this one.
int xy_plan_key_known(struct xy_plan *p, unsigned peer, const struct xy_key *key,
		      const struct xy_identity *id, struct xy_err *err);
// Without a walk over all peers, of which there may be many: who is given both a key and this
// endpoint; NULL: nobody.
const struct xy_config_peer *xy_plan_at(const struct xy_plan *p, const char *endpoint);
// Logs what has no effect, with `before` in front of each.
void xy_plan_warn(const struct xy_plan *p, const char *before);
// Logs what is refused, and says how much that is.
unsigned xy_plan_refused(const struct xy_plan *p, const char *before);
void xy_plan_free(struct xy_plan *p);
