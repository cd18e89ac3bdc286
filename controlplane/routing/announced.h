// SPDX-License-Identifier: BSD-3-Clause
// What the config announces (routing.announce), and whether it may be: a network behind a leaf that
// is known not to answer is withdrawn meanwhile, so that others take another gateway to it. Control
// thread only, on given time; owned by routing.
#pragma once

#include "babel/babel.h"
#include "config/config.h"
#include "linkview.h"
#include "routes/rib.h"

struct xy_announced_net {
	struct xy_prefix prefix;
	bool told;	   // announced in Babel
	bool lost;	   // withdrawn for its leaf's sake, or never told
	bool claimed;	   // not by the config: xy_announced_claim
	uint32_t leaf;	   // slot; XY_DP_NO_PEER: this host has it
	xy_nsec well;	   // since when the leaf answers again; 0: it does not
	xy_nsec told_at;   // 0: never
	xy_nsec hold_down; // how long it is to answer before others hear of it again
	xy_nsec asked;
};

struct xy_announced {
	struct xy_babel *babel;
	const struct xy_linkview *links;
	const struct xy_rib *rib;
	struct xy_announced_net *v; // by prefix
	unsigned count;
};

void xy_announced_fini(struct xy_announced *a);
// The list of a new config: what stands in both goes on as it was, what is new is announced by the
// next look. -ENOMEM: nothing changed.
int xy_announced_set(struct xy_announced *a, const struct xy_config_prefixes *want, xy_nsec now);
// One more, beside the config's, in place of what was claimed before; NULL: none. Announced by the
// next look. -EEXIST: the config's; -ENOMEM.
int xy_announced_claim(struct xy_announced *a, const struct xy_prefix *p, xy_nsec now);
// Looks at those from `from` on, and at their leaves; at all of them once a second. *told: Babel
// has something to send for it. An error is Babel's, of the last that failed.
int xy_announced_look(struct xy_announced *a, unsigned from, unsigned max, xy_nsec now, bool *told);
// The nth that is withheld, and the name of its leaf; NULL: there are no more.
const char *xy_announced_withheld(const struct xy_announced *a, unsigned nth, struct xy_prefix *p);
