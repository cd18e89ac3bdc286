// SPDX-License-Identifier: BSD-3-Clause
// Signed claims by the thousand, for feeding: the I-th identity is derived from I, so that each run
// makes the same ones and a file can keep them (signing takes 0.1 ms with its key). One thread; the
// list is the caller's to free.
#pragma once

#include "babel/babel.h"

struct claims {
	struct xy_babel_claim *at;
	unsigned count, room;
};

// The first n identities' /64s, each announced by its owner in this epoch with seqno 0. cache: a
// file with claims of earlier runs, or NULL; one of another epoch is replaced.
int claims_make(struct claims *c, unsigned n, uint32_t epoch, const char *cache,
		struct xy_err *err);
// Any claims, as recorded; _save replaces the file.
int claims_load(struct claims *c, const char *path, struct xy_err *err);
int claims_save(const struct claims *c, const char *path, struct xy_err *err);
int claims_add(struct claims *c, const struct xy_babel_claim *claim); // -ENOMEM
void claims_free(struct claims *c);

// fdfe:ed00::/32 holds 2^32 /64s that no one owns: the I-th.
struct xy_prefix claims_plain(unsigned i);
