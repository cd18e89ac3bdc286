// SPDX-License-Identifier: BSD-3-Clause
// Where our initiations go. Data goes where the last authenticated message came from; while there
// is a session, an initiation alone may look elsewhere, and what answers it moves the data. Without
// a session there is no data to lose, and the peer is taken to be where it is asked.
#include "links/link.h"

static void add(const struct xy_link *k, const struct xy_endpoint *at, struct xy_endpoint *out,
		unsigned *n)
{
	bool known = !at->port || xy_endpoint_eq(at, &k->remote);
	for (unsigned i = 0; !known && i < *n; i++)
		known = xy_endpoint_eq(at, &out[i]);
	if (!known)
		out[(*n)++] = *at;
}

// Where else it may be than where it is in use.
static unsigned others(const struct xy_link *k, struct xy_endpoint out[XY_CANDIDATES + 1])
{
	unsigned n = 0;
	for (unsigned i = 0; i < k->endpoints.candidates; i++)
		add(k, &k->endpoints.candidate[i].at, out, &n);
	add(k, &k->endpoints.learned, out, &n);
	return n;
}

// The n-th retry of an attempt. One lost initiation says little about a place from which packets
// come: only every other one goes elsewhere then.
static struct xy_endpoint elsewhere(const struct xy_links *l, const struct xy_link *k, xy_nsec now)
{
	struct xy_endpoint other[XY_CANDIDATES + 1];
	unsigned count = others(k, other), nth = k->exchange.timers.attempts, at;
	nth -= k->exchange.suite.tried < nth ? k->exchange.suite.tried : nth; // not for its place
	at = nth % (count + 1);
	if (count && nth && xy_exchange_is_heard(l->exchanges, &k->exchange, now))
		at = nth % 2 ? 0 : (nth / 2 - 1) % count + 1;
	return at ? other[at - 1] : k->remote;
}

void xy_link_ask_place(struct xy_links *l, struct xy_link *k, bool again, xy_nsec now)
{
	static const struct xy_endpoint none;
	bool up = xy_link_is_up(l, k, now);
	struct xy_endpoint hint = k->hint;

	k->asked = k->hint = none;
	if (again) {
		xy_link_endpoints_ask(l, k, now);
		if (!xy_exchange_is_heard(l->exchanges, &k->exchange, now))
			xy_link_heard_forget(l, k);
	}
	if (hint.port && up)
		k->asked = hint;
	else if (hint.port)
		xy_link_endpoint_try(l, k, &hint);
	else if (again && up)
		k->asked = elsewhere(l, k, now);
	else if (again)
		xy_link_endpoint_next(l, k);
}

bool xy_link_is_asked_at(const struct xy_link *k, const struct xy_endpoint *at)
{
	return xy_endpoint_eq(k->asked.port ? &k->asked : &k->remote, at);
}

void xy_link_ask_there(struct xy_links *l, struct xy_link *k, const struct xy_endpoint *at,
		       xy_nsec now)
{
	k->hint = *at;
	xy_exchange_want(l->exchanges, &k->exchange, now);
	xy_link_schedule(l, k, now);
}

// A peer whose clock went back, and whose own memory of its time stamps is lost, cannot reach us;
// we can reach it, and are not refused: so we ask it where this came from. It may be an old message
// said again, so data does not move by it, who is heard is not asked, and only one of an attempt's
// initiations goes there: the others go where it is known to be, however often it is said.
void xy_link_ask_back(struct xy_links *l, struct xy_link *k, const struct xy_endpoint *at,
		      xy_nsec now)
{
	const struct xy_wg_timers *t = &k->exchange.timers;
	bool again = t->attempt_start && t->attempt_start == k->hinted;
	if (!xy_link_usable(at) || k->provisional || again)
		return;
	xy_link_ask_there(l, k, at, now);
	k->hinted = t->attempt_start;
}
