// SPDX-License-Identifier: BSD-3-Clause
// Silent links. Hellos come every 4 s and three have to be missed, so a dead neighbour would hold
// its routes for 13 s and more. Where traffic goes out and nothing at all comes back, the neighbour
// is asked with Acknowledgment Requests (RFC 8966 section 4.6.3), which every router answers. An
// answer, or anything else from it, is the proof that it is there: a flow in one direction costs at
// most two probes a second, and a link without traffic none. All in all it takes less than 3 s: TCP
// sends again 3.0 s after the break, and then not before 6.2 s.
#include "babel/state.h"

enum {
	SLOW_PROBES = 3, // so many for a link that lives, at a distance that costs nothing;
	// then close together: a link that loses 30 % each way answers one of so many all the same
	// (0.51^23 = 2e-7).
	LEAST_PROBES = 10, // however late the timers were
	MOST_PROBES = 40,
	HELLOS_AGAIN = 2, // of a neighbour that was silent, before it is used
	HELLOS_SOON = 4, // when it falls silent again soon; where it is the only way, waiting costs
};
static const xy_nsec QUIET = 500 * XY_MSEC; // sent, and nothing came: the first probe
static const xy_nsec SLOW_PACE = 500 * XY_MSEC;
static const xy_nsec FAST_PACE = 50 * XY_MSEC;
static const xy_nsec PATIENCE = 2 * XY_SEC; // from the first probe: a loaded neighbour is slow
static const xy_nsec LATE = XY_SEC;	    // between two looks: it was us who stood still
static const xy_nsec SOON = 60 * XY_SEC;

void silence_stop(struct neigh *n)
{
	n->quiet = false;
	n->probe_at = 0;
	n->probes = 0;
}

void silence_heard(struct neigh *n, xy_nsec at)
{
	if (at <= n->received)
		return;
	n->received = at;
	silence_stop(n);
}

static void begin(struct neigh *n, xy_nsec now)
{
	silence_stop(n);
	n->quiet = true;
	n->probe_at = now + QUIET;
}

static void fall_silent(struct xy_babel *b, struct neigh *n)
{
	bool soon = n->silent_at && b->now - n->silent_at < SOON;
	n->hellos_again = soon ? HELLOS_SOON : HELLOS_AGAIN;
	n->hellos_left = n->hellos_again;
	n->silent = n->silence_told = true;
	n->silent_at = b->now;
	n->info.silences++;
	silence_stop(n);
	notice(b, XY_BABEL_NOTICE_SILENT, n, NULL, NULL);
	neigh_cost(b, n);
}

// Only here, with what the workers know now, is a neighbour found silent; and not where the looks
// themselves came late, as after the machine slept, nor one that never acknowledged anything.
static void look(struct xy_babel *b, struct neigh *n, xy_nsec received, xy_nsec carried)
{
	bool late = b->now - n->looked > LATE;
	n->looked = b->now;
	silence_heard(n, received);
	if (!n->usable || carried <= n->received)
		silence_stop(n);
	else if (!n->quiet || late)
		begin(n, b->now);
	else if (n->acknowledges && n->probes >= LEAST_PROBES &&
		 b->now - n->probed_first >= PATIENCE)
		fall_silent(b, n);
}

void xy_babel_link_traffic(struct xy_babel *b, uint16_t link, xy_nsec received, xy_nsec carried,
			   xy_nsec now)
{
	xy_babel_enter(b, now);
	struct neigh *n = link_of(b, link);
	if (!n || !n->up)
		return;
	look(b, n, received, carried);
	neigh_arm(b, n);
	xy_babel_leave(b);
}

void silence_timer(struct xy_babel *b, struct neigh *n)
{
	if (!n->probe_at || n->probe_at > b->now)
		return;
	if (!n->probes)
		n->probed_first = b->now;
	n->probes++;
	n->info.probes++;
	n->probe_at = b->now + (n->probes < SLOW_PROBES ? SLOW_PACE : FAST_PACE);
	if (n->probes == MOST_PROBES)
		n->probe_at = 0;
	send_probe(b, n);
}

// Used again. "Soon" counts from here: sixteen Hellos alone take more than a minute.
void silence_over(struct xy_babel *b, struct neigh *n)
{
	if (!n->silence_told)
		return;
	n->silence_told = false;
	n->silent_at = b->now;
	notice(b, XY_BABEL_NOTICE_HEARD, n, NULL, NULL);
}

// It must be heard again before it is used. Our own Hellos follow quickly, so that two who found
// each other silent need not wait for each other's.
void silence_hello(struct xy_babel *b, struct neigh *n)
{
	if (!n->silent)
		return;
	bool first = n->hellos_left == n->hellos_again;
	n->silent = --n->hellos_left > 0;
	if (!first && n->silent)
		return;
	n->hellos_sent = 0;
	n->hello_at = b->now;
}
