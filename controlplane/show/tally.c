// SPDX-License-Identifier: BSD-3-Clause
#include "show/tally.h"

#include "daemon.h"
#include "show/show.h"

#include <stdio.h>
#include <string.h>

enum { AT_ONCE = 256 }; // links; each some cache lines: about 100 us

static void count_one(const struct xy_daemon *d, unsigned at, xy_nsec now, struct xy_tally_count *c)
{
	struct xy_link_info k;
	xy_links_met_info(d->links, at, now, &k);
	const char *lost = xy_show_lost(d, &k);
	c->up += strcmp(xy_show_peer_word(d, &k), "up") == 0; // none of the others is
	c->sessions += k.sessions;
	if (!lost)
		return;
	if (c->lost < XY_TALLY_LOST)
		snprintf(c->text[c->lost], sizeof(c->text[0]), "peer %s %s", k.name, lost);
	c->lost++;
}

static bool slice(struct xy_daemon *d)
{
	struct xy_tally *t = &d->tally;
	xy_nsec now = xy_now();
	unsigned count = xy_links_met(d->links); // some may have come or gone since
	for (unsigned n = 0; n < AT_ONCE && t->at < count; n++)
		count_one(d, t->at++, now, &t->going);
	if (t->at < count)
		return false;
	t->last = t->going;
	t->is_going = false;
	return true;
}

// Who has left makes room: no more than the server's clients wait at a time.
static void remember(struct xy_daemon *d, uint64_t ticket)
{
	struct xy_tally *t = &d->tally;
	unsigned still = 0;
	for (unsigned i = 0; i < t->tickets; i++)
		if (xy_server_waits(d->telemetry, t->ticket[i]))
			t->ticket[still++] = t->ticket[i];
	t->tickets = still;
	if (t->tickets < XY_SERVER_CLIENTS)
		t->ticket[t->tickets++] = ticket;
}

bool xy_tally_ask(struct xy_daemon *d, uint64_t ticket)
{
	struct xy_tally *t = &d->tally;
	if (!t->is_going) {
		memset(&t->going, 0, sizeof(t->going));
		t->at = 0;
		t->is_going = true;
		if (slice(d))
			return true;
	}
	if (ticket)
		remember(d, ticket);
	return false;
}

xy_nsec xy_tally_deadline(const struct xy_daemon *d)
{
	return d->tally.is_going ? 0 : XY_NEVER;
}

void xy_tally_run(struct xy_daemon *d)
{
	struct xy_tally *t = &d->tally;
	if (!t->is_going || !slice(d))
		return;
	for (unsigned i = 0; i < t->tickets; i++)
		if (xy_server_waits(d->telemetry, t->ticket[i]))
			xy_server_answer(d->telemetry, t->ticket[i], t->answer(d));
	t->tickets = 0;
}
