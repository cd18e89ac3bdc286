// SPDX-License-Identifier: BSD-3-Clause
// Has lib/pmtu find the path MTU of each link on which Babel is spoken, by padded Babel packets
// that ask to be acknowledged, which any Babel router answers; and tells the links. Part of
// routing, which looks at each link several times a second anyway. Control thread only.
#pragma once

#include "babel/babel.h"
#include "dataplane.h"
#include "linkview.h"

struct xy_probing;

struct xy_probing *xy_probing_create(struct xy_dp *dp, const struct xy_linkview *links,
				     const struct xy_addr *local, uint32_t max_peers); // or NULL
void xy_probing_destroy(struct xy_probing *p);
// A link that is up, as the workers and Babel see it now. True: it is being probed, so look again
// soon.
bool xy_probing_look(struct xy_probing *p, struct xy_babel *b, uint32_t slot,
		     const struct xy_dp_peer_stats *s, xy_nsec now);
void xy_probing_down(struct xy_probing *p, uint32_t slot); // its session ended
void xy_probing_gone(struct xy_probing *p, uint32_t slot); // Babel is not spoken there any more
