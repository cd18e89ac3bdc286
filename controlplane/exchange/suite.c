// SPDX-License-Identifier: BSD-3-Clause
// In which cipher suite the next handshake with somebody is. WireGuard's own is what each has; of
// another it is known by what the other side says inside a session, whose key vouches for it, so
// nobody between can have two nodes speak one that they did not both want. What is not answered is
// tried again in WireGuard's, which is no weaker, and said.
#define XY_LOG_PART XY_PART_LINKS

#include "exchange/exchanges.h"

// Initiations in another suite that are not answered, though packets come.
enum { ASKED_MOST = 2 };
#define AGAIN_AFTER (3600 * XY_SEC)
#define ASK_AGAIN   (10 * XY_SEC)

static bool has(uint8_t suites, uint8_t suite)
{
	return suites >> suite & 1;
}

// Which cipher both would have.
static uint8_t cipher_wanted(const struct xy_exchanges *e, const struct xy_exchange *x)
{
	const struct xy_suites *ours = &e->cfg.suites;
	const struct xy_exchange_suite *s = &x->suite;
	uint8_t best = (uint8_t)xy_wg_cipher_of(s->best);
	if (ours->only)
		return (uint8_t)xy_wg_cipher_of(ours->best);
	bool both = best == xy_wg_cipher_of(ours->best) && has(s->can, best);
	bool only = !has(s->can, XY_WG_CHACHA20_POLY1305) && has(ours->can, best);
	return s->told && (both || only) ? best : (uint8_t)XY_WG_CHACHA20_POLY1305;
}

// And how much it covers: light only where both say so.
static uint8_t wanted(const struct xy_exchanges *e, const struct xy_exchange *x)
{
	const struct xy_exchange_suite *s = &x->suite;
	if (s->plain)
		return XY_WG_CHACHA20_POLY1305;
	uint8_t cipher = cipher_wanted(e, x);
	bool light = s->told && !s->whole && xy_wg_is_light(s->best) &&
		     xy_wg_is_light(e->cfg.suites.best) && has(s->can, xy_wg_light_of(cipher));
	return light ? xy_wg_light_of(cipher) : cipher;
}

// Who does not answer at all says nothing of suites: then they take turns. Where packets come and
// another suite is not answered, that is the reason.
uint8_t xy_exchange_suite_next(struct xy_exchanges *e, struct xy_exchange *x, xy_nsec now)
{
	struct xy_exchange_suite *s = &x->suite;
	unsigned nth = x->timers.attempts; // 1: the first of an attempt
	uint8_t suite = wanted(e, x);
	if (s->edition != e->suites_edition) {
		s->edition = e->suites_edition;
		s->not_before = 0;
		s->tried = 0;
	}
	bool turn = nth <= ASKED_MOST || nth % 2 == 0;
	if (!e->cfg.suites.only && (now < s->not_before || s->tried >= ASKED_MOST || !turn))
		suite = XY_WG_CHACHA20_POLY1305;
	s->asked = suite != XY_WG_CHACHA20_POLY1305;
	if (s->asked && s->tried < ASKED_MOST && xy_exchange_is_up(e, x, now) &&
	    xy_exchange_is_heard(e, x, now))
		s->tried++;
	return suite;
}

bool xy_exchange_suite_allowed(const struct xy_exchanges *e, const struct xy_exchange *x,
			       uint8_t suite)
{
	const struct xy_suites *ours = &e->cfg.suites;
	if (x->suite.plain)
		return suite == XY_WG_CHACHA20_POLY1305;
	if (x->suite.whole && xy_wg_is_light(suite))
		return false;
	if (ours->only && xy_wg_cipher_of(suite) != xy_wg_cipher_of(ours->best))
		return false;
	return has(ours->can, suite);
}

static void fell_back(struct xy_exchanges *e, struct xy_exchange *x, xy_nsec now)
{
	unsigned long missed;
	x->suite.fallbacks++;
	x->suite.not_before = now + AGAIN_AFTER;
	if (xy_log_limit_pass(&e->log_fallback, now, &missed))
		xy_log_warn("%s %s: did not answer a handshake with %s, and answers "
			    "WireGuard's own: its sessions are with ChaCha20-Poly1305 for an hour "
			    "(%lu more like this)",
			    xy_exchange_kind(e, x), xy_exchange_name(e, x),
			    xy_wg_suite_name[wanted(e, x)], missed);
}

void xy_exchange_suite_begun(struct xy_exchanges *e, struct xy_exchange *x, uint8_t suite,
			     bool initiator, xy_nsec now)
{
	struct xy_exchange_suite *s = &x->suite;
	bool other = suite != XY_WG_CHACHA20_POLY1305;
	uint8_t ours = e->cfg.suites.best;
	if (s->whole)
		ours = (uint8_t)xy_wg_cipher_of(ours);
	if (initiator && !other && s->tried >= ASKED_MOST)
		fell_back(e, x, now);
	s->tried = 0;
	s->due = 0;
	if (initiator && other)
		s->not_before = 0;
	// Whoever began it asks, and tells, where it is not what it would have. It may be another
	// machine by now than the one that told, or another config.
	if (initiator && !(suite == ours && s->told) && !s->plain && e->cfg.suites_ask &&
	    ours != XY_WG_CHACHA20_POLY1305)
		e->cfg.suites_ask(e->cfg.arg, x);
}

// What comes unasked may be of anybody on that node's host: it is a reason to ask, no more.
static void said_unasked(struct xy_exchanges *e, struct xy_exchange *x, uint8_t can, uint8_t best,
			 xy_nsec now)
{
	struct xy_exchange_suite *s = &x->suite;
	bool news = !s->told || s->can != can || s->best != best;
	if (!news || now < s->ask_after || !e->cfg.suites_ask)
		return;
	s->ask_after = now + ASK_AGAIN;
	e->cfg.suites_ask(e->cfg.arg, x);
}

void xy_exchange_suites(struct xy_exchanges *e, struct xy_exchange *x, uint8_t can, uint8_t best,
			bool asked, xy_nsec now)
{
	struct xy_exchange_suite *s = &x->suite;
	const struct xy_keypair *current = xy_keypairs_current(&x->keypairs);
	struct xy_dp_session_stats stats;
	if (s->plain)
		return;
	if (!asked) {
		said_unasked(e, x, can, best, now);
		return;
	}
	if (s->can != can || s->best != best) // that is why it did not answer
		s->not_before = 0;
	s->can = can;
	s->best = best;
	s->told = true;
	// Whoever began the session begins again.
	if (now >= s->not_before && current && current->initiator &&
	    xy_dp_session_stats(e->dp, current->index, &stats) == 0 && stats.suite != wanted(e, x))
		s->due = x->timers.sent_at + e->cfg.limits.rekey_timeout;
}

void xy_exchange_suite_run(struct xy_exchanges *e, struct xy_exchange *x, xy_nsec now)
{
	if (!x->suite.due || now < x->suite.due)
		return;
	x->suite.due = 0;
	xy_exchange_want(e, x, now);
}

void xy_exchanges_suites_set(struct xy_exchanges *e, const struct xy_suites *ours)
{
	e->cfg.suites = *ours;
	e->suites_edition++;
	e->cfg.suites.can |= 1 << XY_WG_CHACHA20_POLY1305; // each has WireGuard's
}

const struct xy_suites *xy_exchanges_suites(const struct xy_exchanges *e)
{
	return &e->cfg.suites;
}
