// SPDX-License-Identifier: BSD-3-Clause
#include "show/tally.h"

#include "daemon.h"
#include "show/show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AT_ONCE = 256 };	    // links; each some cache lines: about 100 us
enum { CLOCK_APART = 600 }; // seconds, as for `xylem diagnose`

static void fault(struct xy_tally_count *c, const struct xy_link_info *k, const char *text)
{
	if (c->lost < XY_TALLY_LOST)
		snprintf(c->text[c->lost], sizeof(c->text[0]), "peer %s %s", k->name, text);
	c->lost++;
}

// Its path drops what it should fragment, or carries less than all say that it does.
static bool is_narrow(const struct xy_link_info *k, char *to, size_t size)
{
	if (k->fragments_lost)
		snprintf(to, size, "loses fragments: packets of more than %u bytes do not arrive",
			 k->whole);
	else if (k->whence == XY_WHENCE_PROBED && k->whole < k->limit)
		snprintf(to, size,
			 "has a path that carries %u bytes whole and not the %u of its interface, "
			 "and nobody tells (an MTU black hole); it is worked round",
			 k->whole, k->limit);
	else
		return false;
	return true;
}

static bool is_off(const struct xy_link_info *k, char *to, size_t size)
{
	long long apart = k->clock_known ? (long long)k->clock_apart : 0;
	if (llabs(apart) < CLOCK_APART)
		return false;
	snprintf(to, size, "has a clock %lld s %s of ours: one of the two is wrong", llabs(apart),
		 apart < 0 ? "behind" : "ahead");
	return true;
}

// What stands against a peer that was met: one thing, the gravest.
static void count_met(const struct xy_daemon *d, unsigned at, xy_nsec now, struct xy_tally_count *c)
{
	char text[160];
	struct xy_link_info k;
	xy_links_met_info(d->links, at, now, &k);
	const char *lost = xy_show_lost(d, &k);
	c->up += strcmp(xy_show_peer_word(d, &k), "up") == 0; // none of the others is
	c->sessions += k.sessions;
	if (lost)
		fault(c, &k, lost);
	else if (!k.open && (is_narrow(&k, text, sizeof(text)) || is_off(&k, text, sizeof(text))))
		fault(c, &k, text);
}

// One that never was there, and is asked for it.
static void count_unmet(const struct xy_daemon *d, unsigned at, xy_nsec now,
			struct xy_tally_count *c)
{
	char text[160];
	struct xy_link_info k;
	xy_links_info(d->links, at, now, &k);
	bool tried = k.handshakes_failed || k.trouble;
	if (k.last_handshake || k.open || (!tried && !k.unresolved))
		return;
	if (k.unresolved)
		snprintf(text, sizeof(text), "has the endpoint %.60s, a name without an address",
			 k.unresolved);
	else
		snprintf(text, sizeof(text), "was never up: %s",
			 k.trouble ? k.trouble : "no answer");
	fault(c, &k, text);
}

static bool slice(struct xy_daemon *d)
{
	struct xy_tally *t = &d->tally;
	xy_nsec now = xy_now();
	unsigned met = xy_links_met(d->links); // some may have come or gone since
	unsigned all = met + xy_links_count(d->links);
	for (unsigned n = 0; n < AT_ONCE && t->at < all; n++, t->at++)
		if (t->at < met)
			count_met(d, t->at, now, &t->going);
		else
			count_unmet(d, t->at - met, now, &t->going);
	if (t->at < all)
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
