// SPDX-License-Identifier: BSD-3-Clause
// Silent links. Hellos come every 4 s and three have to be missed, so a dead neighbour would hold
// its routes for 13 s and more. Where traffic goes out and nothing at all comes back, the neighbour
// is asked with Acknowledgment Requests (RFC 8966 section 4.6.3), which every router answers. An
// answer, or traffic of it, is the proof that it is there and hears us: a flow in one direction
// costs at most two probes a second, and a link without traffic none. All in all it takes less than
// 3 s: TCP sends again 3.0 s after the break, and then not before 6.2 s.
//
// What a neighbour says of itself (Hellos, Updates, questions) it goes on saying when it does not
// hear us any more, so that is no answer. Its traffic is, though it might be deaf as well: who has
// traffic for us that nothing answers asks us itself, and says so in its IHU.
//
// Where something says that it may be gone (doubt), it is asked at once and quickly: a Hello that
// did not come, so that links without traffic are watched, too; an ICMP error, a way that changed.
// Anybody can forge some of these, so they do that and nothing else, and not again for a while.
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
// In doubt: so many probes close together, the others up to the end of its time.
enum { DOUBT_CLOSE = 10, DOUBT_PROBES = 20 };
static const xy_nsec DOUBT_PACE = 25 * XY_MSEC, DOUBT_SLOW = 75 * XY_MSEC;
static const xy_nsec DOUBT_PATIENCE = 800 * XY_MSEC; // and four times its acknowledgments' time
static const xy_nsec DOUBT_AGAIN = 500 * XY_MSEC;    // from one to the next
static const xy_nsec ONE_WAY_WORD = 500 * XY_MSEC;   // it may be the beginning of a goodbye
static const xy_nsec LATE = XY_SEC;		     // between two looks: it was us who stood still
static const xy_nsec SOON = 60 * XY_SEC;

// A node acknowledges always; who else may stand there is known to when it has done it once.
static bool owes_answers(const struct neigh *n)
{
	return n->acknowledges || !n->c.plain;
}

void babel_silence_stop(struct neigh *n)
{
	n->quiet = false;
	n->probe_at = n->asked = 0;
	n->probes = 0;
}

static void answered(struct neigh *n, xy_nsec at)
{
	if (at <= n->answered)
		return;
	n->answered = at;
	if (!n->asked || at > n->asked) // what came before the doubt is no answer to it
		babel_silence_stop(n);
}

void babel_silence_heard(struct neigh *n, xy_nsec at)
{
	n->received = at > n->received ? at : n->received;
	if (!owes_answers(n))
		answered(n, at);
}

static void tell(struct xy_babel *b, struct neigh *n, enum xy_babel_notice why)
{
	if (n->told)
		return;
	n->told = why;
	n->word_at = 0;
	n->info.silences += why == XY_BABEL_NOTICE_SILENT;
	babel_notice(b, why, n, NULL, NULL);
}

static void begin(struct neigh *n, xy_nsec now, bool doubt)
{
	babel_silence_stop(n);
	n->quiet = true;
	n->asked = doubt ? now : 0;
	n->probe_at = doubt ? now : now + QUIET;
}

static void fall_silent(struct xy_babel *b, struct neigh *n)
{
	bool soon = n->silent_at && b->now - n->silent_at < SOON;
	n->hellos_again = soon ? HELLOS_SOON : HELLOS_AGAIN;
	n->hellos_left = n->hellos_again;
	n->silent = true;
	n->acked_again = false;
	n->silent_at = b->now;
	n->hello_at = b->now; // in case that it hears us: it must not use this link either
	tell(b, n, XY_BABEL_NOTICE_SILENT);
	babel_neigh_cost(b, n);
}

void babel_silence_ask(struct xy_babel *b, struct neigh *n)
{
	bool soon = n->asked_last && b->now - n->asked_last < DOUBT_AGAIN;
	if (!n->usable || !owes_answers(n) || n->asked || soon)
		return;
	if (n->probes) // it is being asked, and no answer came
		n->asked = n->probed_first;
	else
		begin(n, b->now, true);
	n->probe_at = n->asked_last = b->now;
	b->doubts = true;
}

void xy_babel_link_doubt(struct xy_babel *b, uint16_t link, xy_nsec now)
{
	xy_babel_enter(b, now);
	struct neigh *n = babel_link_of(b, link);
	if (!n || !n->up)
		return;
	babel_silence_ask(b, n);
	babel_neigh_arm(b, n);
}

bool xy_babel_look_soon(struct xy_babel *b)
{
	bool doubts = b->doubts;
	b->doubts = false;
	return doubts;
}

void xy_babel_link_way(struct xy_babel *b, uint16_t link, bool there, xy_nsec now)
{
	xy_babel_enter(b, now);
	struct neigh *n = babel_link_of(b, link);
	if (!n || n->no_way == !there)
		return;
	n->no_way = !there;
	if (n->up) {
		babel_neigh_cost(b, n);
		babel_silence_ask(b, n);
		n->hello_at = b->now; // it may have missed some
		babel_neigh_arm(b, n);
	}
	xy_babel_leave(b);
}

static xy_nsec patience(const struct neigh *n)
{
	xy_nsec time = n->asked ? DOUBT_PATIENCE + 4 * (xy_nsec)n->ack_rtt * XY_USEC : PATIENCE;
	return time < PATIENCE ? time : PATIENCE;
}

// Only here, with what the workers know now, is a neighbour found silent; and not where the looks
// themselves came late, as after the machine slept, nor one that owes no answers.
static void look(struct xy_babel *b, struct neigh *n, xy_nsec received, xy_nsec carried)
{
	bool late = b->now - (n->asked > n->looked ? n->asked : n->looked) > LATE;
	n->looked = b->now;
	if (received > n->received) { // and no packet for us
		n->received = received;
		answered(n, received);
	}
	if (!n->usable || (!n->asked && carried <= n->answered))
		babel_silence_stop(n);
	else if (!n->quiet || late)
		begin(n, b->now, n->asked);
	else if (owes_answers(n) && n->probes >= LEAST_PROBES &&
		 b->now - n->probed_first >= patience(n))
		fall_silent(b, n);
}

void xy_babel_link_traffic(struct xy_babel *b, uint16_t link, xy_nsec received, xy_nsec carried,
			   xy_nsec now)
{
	xy_babel_enter(b, now);
	struct neigh *n = babel_link_of(b, link);
	if (!n || !n->up)
		return;
	look(b, n, received, carried);
	b->doubts |= n->asked != 0;
	babel_neigh_arm(b, n);
	xy_babel_leave(b);
}

static xy_nsec pace(const struct neigh *n)
{
	if (n->asked)
		return n->probes < DOUBT_CLOSE ? DOUBT_PACE : DOUBT_SLOW;
	return n->probes < SLOW_PROBES ? SLOW_PACE : FAST_PACE;
}

void babel_silence_timer(struct xy_babel *b, struct neigh *n)
{
	if (n->word_at && n->word_at <= b->now) {
		n->word_at = 0;
		tell(b, n, XY_BABEL_NOTICE_ONE_WAY);
	}
	if (!n->probe_at || n->probe_at > b->now)
		return;
	if (!n->probes)
		n->probed_first = b->now;
	n->probes++;
	n->probe_at = b->now + pace(n);
	if (n->probes >= (n->asked ? DOUBT_PROBES : MOST_PROBES))
		n->probe_at = 0;
	babel_send_probe(b, n);
}

// Used again. "Soon" counts from here: sixteen Hellos alone take more than a minute.
void babel_silence_over(struct xy_babel *b, struct neigh *n)
{
	bool again = n->met || n->told;
	n->word_at = 0;
	n->met = true;
	if (!again)
		babel_notice(b, XY_BABEL_NOTICE_MET, n, NULL, NULL);
	if (!n->told)
		return;
	if (n->told == XY_BABEL_NOTICE_SILENT)
		n->silent_at = b->now;
	n->told = 0;
	babel_notice(b, XY_BABEL_NOTICE_HEARD, n, NULL, NULL);
}

// Hellos of it are missing, and not the last two, or other things of it come.
static bool is_lossy(const struct xy_babel *b, const struct neigh *n)
{
	xy_nsec hello = n->hello_interval[0] > n->hello_interval[1] ? n->hello_interval[0]
								    : n->hello_interval[1];
	return (n->hist[0] | n->hist[1]) & 0x4000 || b->now - n->received < hello * 3 / 2;
}

// Whatever it was: one word of why, the same for whoever asks.
void babel_silence_lost(struct xy_babel *b, struct neigh *n)
{
	n->usable = false;
	babel_silence_stop(n);
	if (n->shut)
		return;
	if (n->no_way)
		tell(b, n, XY_BABEL_NOTICE_NO_WAY);
	else if (n->rxcost == XY_BABEL_INFINITY)
		tell(b, n, is_lossy(b, n) ? XY_BABEL_NOTICE_LOSSY : XY_BABEL_NOTICE_SILENT);
	else {
		n->word_at = b->now + ONE_WAY_WORD;
		b->doubts = true;
	}
}

static void greet(struct xy_babel *b, struct neigh *n)
{
	n->hellos_sent = 0;
	n->hello_at = b->now;
}

// It must be heard again before it is used, and hear us: each Hello is asked whether it does. Our
// own Hellos follow quickly, so that two who found each other silent need not wait for each
// other's.
void babel_silence_hello(struct xy_babel *b, struct neigh *n)
{
	if (!n->silent)
		return;
	bool first = n->hellos_left == n->hellos_again;
	bool last = n->hellos_left == 1;
	n->hellos_left -= n->hellos_left > 0;
	n->silent = n->hellos_left || (owes_answers(n) && !n->acked_again);
	if (first || last)
		greet(b, n);
	if (n->silent && owes_answers(n) && !n->acked_again)
		babel_send_probe(b, n);
}

void babel_silence_acked(struct xy_babel *b, struct neigh *n)
{
	n->acknowledges = true;
	answered(n, b->arrived);
	if (!n->silent || n->acked_again)
		return;
	n->acked_again = true;
	if (n->hellos_left)
		return;
	n->silent = false;
	greet(b, n);
	babel_neigh_cost(b, n);
}
