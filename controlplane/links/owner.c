// SPDX-License-Identifier: BSD-3-Clause
// A link as the owner of an exchange: where its messages go, whose key it is, and what becomes of
// the link by what becomes of the exchange.
#define XY_LOG_PART XY_PART_LINKS

#include "links/link.h"

static const char *name(const struct xy_exchange *x)
{
	return xy_link_of((struct xy_exchange *)x)->name;
}

static struct xy_exchange *find(void *arg, uint32_t number)
{
	const struct xy_links *l = arg;
	struct xy_link *k = l->link[number];
	return k ? &k->exchange : NULL;
}

static bool knows(void *arg, const struct xy_exchange *x, const struct xy_exchange_place *at)
{
	return (x && xy_link_is_asked_at(xy_link_of((struct xy_exchange *)x), &at->remote)) ||
	       xy_link_by_remote(arg, &at->remote);
}

static bool crowded(void *arg)
{
	return xy_links_crowded(arg);
}

static struct xy_exchange *opened(void *arg, const struct xy_job *job, xy_nsec now)
{
	struct xy_links *l = arg;
	struct xy_link *k = xy_link_by_key(l, job->pk);
	if (k)
		return &k->exchange;
	if (xy_links_lets_in(l, job->pk, &job->at.remote)) {
		xy_link_meet(l, job);
		return NULL;
	}
	xy_links_drop(l, XY_HS_DROP_UNKNOWN_KEY, NULL, &job->at.remote);
	xy_links_trouble_unknown(l, job, now);
	return NULL;
}

static void met(void *arg, const struct xy_job *job, xy_nsec now)
{
	if (!job->result)
		xy_link_met(arg, job, now);
}

// --- where messages go

static bool place(void *arg, struct xy_exchange *x, bool again, struct xy_exchange_place *to,
		  xy_nsec now)
{
	struct xy_links *l = arg;
	struct xy_link *k = xy_link_of(x);
	xy_link_ask_place(l, k, again, now);
	if (!k->remote.port) {
		xy_link_endpoints_ask(l, k, now);
		return false;
	}
	// An initiation may look for the peer elsewhere than where its data goes.
	to->remote = k->asked.port ? k->asked : k->remote;
	return true;
}

static int send_message(void *arg, struct xy_exchange *x, const struct xy_exchange_place *to,
			const void *msg, size_t len)
{
	struct xy_links *l = arg;
	if (!x)
		return xy_dp_send(l->dp, to->heard.port, &to->remote, &to->heard.local, msg, len);
	const struct xy_link *k = xy_link_of(x);
	// What goes to where its data goes takes the same way.
	return xy_endpoint_eq(&k->told.remote, &to->remote)
		       ? xy_dp_peer_send(l->dp, k->slot, msg, len)
		       : xy_links_send(l, &to->remote, &to->heard, msg, len);
}

static void came_from(void *arg, struct xy_exchange *x, const struct xy_exchange_place *at,
		      xy_nsec now)
{
	xy_link_endpoint_learn(arg, xy_link_of(x), &at->remote, &at->heard, now);
}

// --- what becomes of it

static void meet(struct xy_links *l, struct xy_link *k)
{
	if (k->met)
		return;
	k->met = true;
	k->met_at = l->met_count;
	l->met[l->met_count++] = k;
}

void xy_link_unmeet(struct xy_links *l, struct xy_link *k)
{
	if (!k->met)
		return;
	k->met = false;
	l->met[k->met_at] = l->met[--l->met_count];
	l->met[k->met_at]->met_at = k->met_at;
}

static void current(struct xy_links *l, struct xy_link *k, xy_nsec now)
{
	xy_link_trouble_over(k);
	k->start_at = XY_NEVER;
	if (!k->told_up && !k->provisional)
		xy_link_tell_up(l, k, now);
}

static void changed(void *arg, struct xy_exchange *x, enum xy_exchange_change what, xy_nsec now)
{
	struct xy_links *l = arg;
	struct xy_link *k = xy_link_of(x);
	switch (what) {
	case XY_EXCHANGE_BEGUN:
		meet(l, k);
		break;
	case XY_EXCHANGE_CURRENT:
		current(l, k, now);
		break;
	case XY_EXCHANGE_AGED:
		if (!k->told_up)
			break;
		xy_log_change(XY_LOG_INFO, now, k->open, k->name,
			      "peer %s: down, its session ended", k->name);
		xy_link_down(l, k, now);
		break;
	case XY_EXCHANGE_ENDED:
		xy_link_down(l, k, now);
		break;
	case XY_EXCHANGE_GIVEN_UP:
		xy_link_given_up(l, k, now);
		break;
	}
}

static void held_release(void *arg, struct xy_exchange *x)
{
	const struct xy_links *l = arg;
	xy_dp_peer_release_held(l->dp, x->number);
}

static void noted(void *arg, struct xy_exchange *x, const struct xy_exchange_noted *n, xy_nsec now)
{
	struct xy_links *l = arg;
	const struct xy_endpoint *from = &n->at->remote;
	struct xy_link *k = x ? xy_link_of(x) : NULL;
	switch (n->what) {
	case XY_NOTE_REFUSED:
		xy_link_refused(k, n->why, from, now);
		break;
	case XY_NOTE_STAMP:
		xy_link_clock_compare(l, k, n->stamp, now);
		break;
	case XY_NOTE_OLD_STAMP:
		xy_link_trouble_stamp(l, k, n->stamp, from, now);
		xy_link_ask_back(l, k, from, now);
		break;
	case XY_NOTE_ANSWERED:
		xy_link_trouble_answered(k, from, now);
		break;
	case XY_NOTE_SECRET:
		xy_link_trouble_secret(k, from, now);
		break;
	case XY_NOTE_BUSY:
		xy_link_trouble_busy(k, from, now);
		break;
	case XY_NOTE_OTHER_KEY:
		xy_links_trouble_other_key(l, from, now);
		break;
	}
}

static void schedule(void *arg, struct xy_exchange *x, xy_nsec now)
{
	xy_link_schedule(arg, xy_link_of(x), now);
}

static void renew(void *arg)
{
	struct xy_links *l = arg;
	l->renewing = l->cfg.max_peers; // in slices
}

const struct xy_exchange_ops xy_link_exchange_ops = {
	.kind = "peer",
	.name = name,
	.find = find,
	.knows = knows,
	.crowded = crowded,
	.opened = opened,
	.met = met,
	.place = place,
	.send = send_message,
	.came_from = came_from,
	.changed = changed,
	.held_release = held_release,
	.noted = noted,
	.schedule = schedule,
	.renew = renew,
};
