// SPDX-License-Identifier: BSD-3-Clause
// A checked config with what takes time to compute from it: the static-static secret of every peer.
// Made at start, and at a reload on a helper thread; taken over by the control thread whole. The
// maker owns it until xy_plan_free, which wipes it.
#pragma once

#include "config/config.h"
#include "noise/handshake.h"

struct xy_plan {
	struct xy_config config;
	struct xy_hs_remote *remote; // [config.peer_count]
};

// Takes a config over, also on failure, and checks what only this node can: our own key as a peer,
// keys that no handshake can be done with, endpoints inside the overlay, addresses of our own /64
// and of others'. -EINVAL and the like, with
// a text, which names path.
int xy_plan_make(const char *path, struct xy_config *config, const struct xy_identity *id,
		 struct xy_plan *out, struct xy_err *err);
// Sets the key of a peer that had none: an X25519 operation.
int xy_plan_key_set(struct xy_plan *p, unsigned peer, const struct xy_key *key,
		    const struct xy_identity *id, struct xy_err *err);
// Logs what has no effect, with `before` in front of each.
void xy_plan_warn(const struct xy_plan *p, const char *before);
void xy_plan_free(struct xy_plan *p);
