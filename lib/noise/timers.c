// SPDX-License-Identifier: BSD-3-Clause
#include "noise/timers.h"

#include <string.h>

// What changed between two looks.
struct news {
	bool rx_any, rx_data, tx_any, tx_data;
	xy_nsec since; // no change is older than this
	bool few;      // messages, counted
};

static xy_nsec later(xy_nsec a, xy_nsec b)
{
	return a > b ? a : b;
}

static bool is_due(xy_nsec at, xy_nsec now)
{
	return at != 0 && now >= at;
}

static bool in_attempt(const struct xy_wg_timers *t)
{
	return t->attempt_start != 0;
}

// Any authenticated traffic, handshakes too, puts a persistent keepalive off.
static void persistent_arm(struct xy_wg_timers *t, xy_nsec from)
{
	t->persistent_at = t->persistent_keepalive ? from + t->persistent_keepalive : XY_NEVER;
}

// Begins an attempt, unless one is under way. Section 6.1: at most one initiation in REKEY_TIMEOUT;
// one that comes too early is put off, not forgotten. retry_at is set before the message exists, so
// that one that cannot be made or sent is tried again like one that was lost.
static uint32_t attempt(struct xy_wg_timers *t, xy_nsec now)
{
	if (in_attempt(t))
		return 0;
	t->attempt_start = now;
	t->attempts = 0;
	if (t->sent_at && now - t->sent_at < t->limits->rekey_timeout) {
		t->retry_at = t->sent_at + t->limits->rekey_timeout;
		return 0;
	}
	t->retry_at = now + t->limits->rekey_timeout;
	return XY_WG_DO_INITIATE;
}

static void attempt_end(struct xy_wg_timers *t)
{
	t->attempt_start = t->retry_at = 0;
	t->attempts = 0;
}

void xy_wg_timers_init(struct xy_wg_timers *t, const struct xy_wg_limits *limits,
		       xy_nsec persistent_keepalive)
{
	memset(t, 0, sizeof(*t));
	t->limits = limits;
	t->persistent_keepalive = persistent_keepalive;
	t->persistent_at = persistent_keepalive ? 0 : XY_NEVER;
}

uint32_t xy_wg_timers_want(struct xy_wg_timers *t, xy_nsec now)
{
	return attempt(t, now);
}

void xy_wg_timers_initiation_sent(struct xy_wg_timers *t, xy_nsec now, xy_nsec jitter)
{
	if (!in_attempt(t))
		t->attempt_start = now;
	t->attempts++;
	t->sent_at = now;
	t->jitter = jitter;
	t->retry_at = now + t->limits->rekey_timeout + jitter;
	t->keepalive_at = 0; // the initiation tells the peer that we are there
	persistent_arm(t, now);
}

void xy_wg_timers_session(struct xy_wg_timers *t, xy_nsec now, bool initiator)
{
	attempt_end(t);
	t->born = now;
	t->initiator = initiator;
	t->late_rekey = false;
	t->new_handshake_at = 0; // it was heard
	t->seen.tx_counter = 0;
	t->expire_at = now + 3 * t->limits->reject_after_time;
	persistent_arm(t, now);
}

void xy_wg_timers_put_off(struct xy_wg_timers *t, xy_nsec until)
{
	xy_nsec end = t->attempt_start + t->limits->rekey_attempt_time;
	t->retry_at = until < end ? until : end;
}

void xy_wg_timers_stop(struct xy_wg_timers *t)
{
	xy_nsec phase = t->phase;
	xy_wg_timers_init(t, t->limits, t->persistent_keepalive);
	t->phase = phase;
	t->persistent_at = XY_NEVER;
}

// Stamps only grow here: when a session goes, the latest over the rest may be older than one seen.
static struct news observe(struct xy_wg_timers *t, const struct xy_wg_activity *a, xy_nsec now)
{
	struct xy_wg_activity *s = &t->seen;
	struct news n = {
		.rx_any = a->rx_any > s->rx_any,
		.rx_data = a->rx_data > s->rx_data,
		.tx_any = a->tx_any > s->tx_any,
		.tx_data = a->tx_data > s->tx_data,
		.since = later(t->ran_at, t->born),
		.few = a->messages > s->messages && a->messages - s->messages <= XY_WG_POLL_FEW,
	};
	s->rx_any = later(s->rx_any, a->rx_any);
	s->rx_data = later(s->rx_data, a->rx_data);
	s->tx_any = later(s->tx_any, a->tx_any);
	s->tx_data = later(s->tx_data, a->tx_data);
	s->tx_counter = a->tx_counter;
	s->messages = a->messages;
	t->ran_at = now;
	return n;
}

// The first packet since the last look: of those that a poll finds the last one's time is known,
// and many within a poll are taken to have come within XY_WG_POLL.
static xy_nsec first_at(const struct news *n, xy_nsec last)
{
	return last > XY_WG_POLL ? later(n->since, last - XY_WG_POLL) : n->since;
}

// Section 6.5: data came, and for KEEPALIVE_TIMEOUT we had nothing to send. A worker receives
// before it sends, so of two equal stamps the sending came after.
static void passive_arm(struct xy_wg_timers *t, const struct news *n)
{
	const struct xy_wg_activity *s = &t->seen;
	if (n->tx_any)
		t->keepalive_at = 0;
	if (n->rx_data && s->rx_data > s->tx_any && !t->keepalive_at)
		t->keepalive_at =
			later(first_at(n, s->rx_data), s->tx_any) + t->limits->keepalive_timeout;
}

// Section 6.5: we sent data, and nothing at all came back, not even a passive keepalive.
static void silence_arm(struct xy_wg_timers *t, const struct news *n)
{
	const struct xy_wg_activity *s = &t->seen;
	const struct xy_wg_limits *l = t->limits;
	if (n->rx_any)
		t->new_handshake_at = 0;
	if (n->tx_data && s->tx_data >= s->rx_any && !t->new_handshake_at)
		t->new_handshake_at = later(first_at(n, s->tx_data), s->rx_any) +
				      l->keepalive_timeout + l->rekey_timeout + t->jitter;
}

static void traffic_note(struct xy_wg_timers *t, const struct news *n)
{
	passive_arm(t, n);
	silence_arm(t, n);
	if (n->rx_any || n->tx_any) {
		xy_nsec at = t->persistent_at;
		persistent_arm(t, later(t->seen.rx_any, t->seen.tx_any));
		if (at != XY_NEVER) // a handshake may be younger than the traffic
			t->persistent_at = later(t->persistent_at, at);
	}
}

// Section 6.2. By time only the initiator rekeys, so that not both do: at REKEY_AFTER_TIME when it
// sends, and, once, shortly before the end when it only receives. By count each side counts its
// own. Where keepalives are all that is sent, they keep the session open: so they count as data.
static uint32_t rekey_check(struct xy_wg_timers *t, const struct news *n, xy_nsec now)
{
	const struct xy_wg_limits *l = t->limits;
	bool sent = n->tx_data || (n->tx_any && t->persistent_keepalive);
	if (!t->born)
		return 0;
	xy_nsec age = now - t->born;
	if (sent && (t->seen.tx_counter >= l->rekey_after_messages ||
		     (t->initiator && age >= l->rekey_after_time)))
		return attempt(t, now);
	if (n->rx_data && t->initiator && !t->late_rekey &&
	    age + l->keepalive_timeout + l->rekey_timeout >= l->reject_after_time) {
		t->late_rekey = true;
		return attempt(t, now);
	}
	return 0;
}

// Told once: afterwards there is no current session.
static uint32_t reject_check(struct xy_wg_timers *t, xy_nsec now)
{
	const struct xy_wg_limits *l = t->limits;
	if (!t->born ||
	    (now - t->born < l->reject_after_time && t->seen.tx_counter < l->reject_after_messages))
		return 0;
	t->born = 0;
	t->keepalive_at = 0;
	return XY_WG_DO_REJECT;
}

static uint32_t retry_check(struct xy_wg_timers *t, xy_nsec now)
{
	if (!is_due(t->retry_at, now))
		return 0;
	if (now - t->attempt_start >= t->limits->rekey_attempt_time) {
		attempt_end(t);
		t->keepalive_at = t->new_handshake_at = 0;
		if (!t->expire_at)
			t->expire_at = now + 3 * t->limits->reject_after_time;
		return XY_WG_DO_GIVE_UP;
	}
	t->retry_at = now + t->limits->rekey_timeout;
	return XY_WG_DO_INITIATE | (t->attempts ? XY_WG_DO_NEXT_ENDPOINT : 0);
}

static uint32_t keepalive_check(struct xy_wg_timers *t, xy_nsec now)
{
	uint32_t actions = 0;
	if (is_due(t->keepalive_at, now)) {
		t->keepalive_at = 0;
		actions |= t->born ? XY_WG_DO_KEEPALIVE : 0;
	}
	if (t->persistent_at != XY_NEVER && now >= t->persistent_at) {
		persistent_arm(t, now);
		actions |= t->born ? XY_WG_DO_KEEPALIVE : attempt(t, now);
	}
	return actions;
}

static uint32_t silence_check(struct xy_wg_timers *t, xy_nsec now)
{
	if (!is_due(t->new_handshake_at, now))
		return 0;
	t->new_handshake_at = 0;
	return attempt(t, now);
}

static uint32_t expire_check(struct xy_wg_timers *t, xy_nsec now)
{
	if (!is_due(t->expire_at, now))
		return 0;
	t->expire_at = t->born = 0;
	t->keepalive_at = t->new_handshake_at = 0;
	return XY_WG_DO_EXPIRE;
}

uint32_t xy_wg_timers_run(struct xy_wg_timers *t, const struct xy_wg_activity *activity,
			  xy_nsec now)
{
	struct news n = observe(t, activity, now);
	traffic_note(t, &n);
	t->quiet = (!n.rx_any && !n.tx_any) || n.few;
	uint32_t actions = rekey_check(t, &n, now);
	actions |= reject_check(t, now);
	actions |= retry_check(t, now);
	actions |= silence_check(t, now);
	actions |= expire_check(t, now);
	return actions | keepalive_check(t, now);
}

static xy_nsec sooner(xy_nsec best, xy_nsec at)
{
	return at && at < best ? at : best;
}

static xy_nsec poll_at(const struct xy_wg_timers *t, xy_nsec now)
{
	xy_nsec every = t->quiet ? XY_WG_POLL_QUIET : XY_WG_POLL;
	return now - (now + every - t->phase) % every + every;
}

xy_nsec xy_wg_timers_deadline(const struct xy_wg_timers *t, xy_nsec now)
{
	xy_nsec at = t->persistent_at ? t->persistent_at : now;
	at = sooner(at, t->retry_at);
	at = sooner(at, t->keepalive_at);
	at = sooner(at, t->new_handshake_at);
	at = sooner(at, t->expire_at);
	if (t->born) {
		at = sooner(at, poll_at(t, now));
		at = sooner(at, t->born + t->limits->reject_after_time);
	}
	return at;
}
