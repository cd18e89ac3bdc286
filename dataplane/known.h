// SPDX-License-Identifier: BSD-3-Clause
// Where peers are now: which handshakes a worker takes for theirs. Fingerprints by a secret hash in
// buckets of a line, at most a quarter full; where a bucket is, a peer's handshakes come with the
// strangers'. Control rw, workers ro: they see each word whole, an old or a new one.
#pragma once

#include "dp.h"

int xy_known_init(struct xy_dp *dp); // -ENOMEM
void xy_known_fini(struct xy_dp *dp);
// *place is the owner's word, 0 at first: e takes the place of what it stands for; e NULL: nothing
// does.
void xy_known_set(struct xy_dp *dp, uint64_t *place, const struct xy_endpoint *e);
bool xy_known_has(const struct xy_dp *dp, const struct xy_endpoint *e);
