// SPDX-License-Identifier: BSD-3-Clause
#include "peers/feed.h"

#include <string.h>

void xy_feed_begin(struct xy_feed *f, const struct xy_plan *plan)
{
	*f = (struct xy_feed){.book = f->book, .plan = plan, .mark = f->mark + 1};
}

static int set(const struct xy_feed *f, uint32_t at)
{
	const struct xy_config_peer *p = &f->plan->config.peers[at];
	const struct xy_book_peer e = {.key = p->key,
				       .source = p->line ? XY_BOOK_CONFIG : XY_BOOK_COMMAND_LINE,
				       .mark = f->mark,
				       .says = p,
				       .remote = &f->plan->remote[at]};
	return xy_key_is_zero(&p->key) ? 0 : xy_book_set(f->book, &e);
}

static int set_run(struct xy_feed *f, unsigned *max, struct xy_err *err)
{
	const struct xy_config *c = &f->plan->config;
	for (; f->at < c->peer_count && *max; --*max) {
		int r = set(f, f->at++);
		if (r)
			return xy_err_set(err, -r, "peer %s: cannot be added: %s",
					  c->peers[f->at - 1].name, strerror(-r));
	}
	return f->at < c->peer_count;
}

int xy_feed_run(struct xy_feed *f, unsigned *max, struct xy_err *err)
{
	unsigned sources = 1u << XY_BOOK_COMMAND_LINE | 1u << XY_BOOK_CONFIG;
	int r = f->sweeping ? 0 : set_run(f, max, err);
	if (r)
		return r;
	if (!f->sweeping)
		f->at = 0;
	f->sweeping = true;
	if (f->plan->config.peering == XY_PEERING_CLOSED) // else strangers stay from plan to plan
		sources |= 1u << XY_BOOK_OPEN;
	return xy_book_sweep(f->book, sources, f->mark, &f->at, max);
}
