// SPDX-License-Identifier: BSD-3-Clause
// One plan after the other into the book, in slices: what the plan has is set under a mark of its
// own, and then what bears an older one is taken back. Peers that it has no key of are left to
// joining. Control thread only.
#pragma once

#include "base/err.h"
#include "peers/book.h"
#include "peers/plan.h"

struct xy_feed {
	struct xy_book *book;
	const struct xy_plan *plan;
	uint32_t mark;
	uint32_t at;
	bool sweeping;
};

// The plan lives until the next one is in the book whole. Another may begin before.
void xy_feed_begin(struct xy_feed *f, const struct xy_plan *plan);
// 1: max steps are done, and there is more; 0: that was all; -errno: a peer could not be set, as
// err says, and there is more.
int xy_feed_run(struct xy_feed *f, unsigned *max, struct xy_err *err);
