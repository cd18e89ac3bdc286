// SPDX-License-Identifier: BSD-3-Clause
// All exchanges: what they share, and whose is whose; and one: what its timers ask for.
#include "exchange/exchanges.h"

#include "base/list.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>

#define RETRY_BURST (100 * XY_MSEC) // so far behind the turns of who does not answer may be

const char *const xy_hs_drop_name[XY_HS_DROP_COUNT] = {XY_HS_DROPS(XY_LIST_NAME)};
const char *const xy_hs_drop_text[XY_HS_DROP_COUNT] = {XY_HS_DROPS(XY_LIST_TEXT)};

// --- all of them

int xy_exchanges_create(const struct xy_exchanges_config *cfg, struct xy_exchanges **out,
			struct xy_err *err)
{
	struct xy_exchanges *e = calloc(1, sizeof(*e));
	if (!e || xy_offenders_init(&e->drops) || xy_map_init(&e->by_index) ||
	    xy_map_reserve(&e->by_index, cfg->room)) {
		xy_exchanges_destroy(e);
		return xy_err_set(err, ENOMEM, "no memory for handshakes: lower max_peers");
	}
	e->cfg = *cfg;
	e->dp = cfg->dp;
	xy_exchanges_suites_set(e, &cfg->suites);
	xy_jobs_init(&e->jobs);
	xy_cookie_checker_init(&e->checker, e->cfg.identity->x25519.b);
	*out = e;
	return 0;
}

void xy_exchanges_destroy(struct xy_exchanges *e)
{
	if (!e)
		return;
	xy_offenders_fini(&e->drops);
	xy_map_fini(&e->by_index);
	sodium_memzero(e, sizeof(*e));
	free(e);
}

static void local_init(const struct xy_exchanges *e, const char *label, struct xy_hs_local *out)
{
	memcpy(out->sk, e->cfg.identity->x25519_sk, sizeof(out->sk));
	memcpy(out->pk, e->cfg.identity->x25519.b, sizeof(out->pk));
	out->label = label;
}

void xy_exchanges_own(struct xy_exchanges *e, struct xy_exchange_owner *o)
{
	unsigned i = 0;
	while (i < XY_EXCHANGE_OWNERS && e->owner[i])
		i++;
	assert(i < XY_EXCHANGE_OWNERS); // there is a place for each that the daemon has
	e->owner[i] = o;
	local_init(e, o->label, &e->ours[i]);
	o->ours = &e->ours[i];
	xy_admission_init(&o->admission);
}

void xy_exchanges_disown(struct xy_exchanges *e, struct xy_exchange_owner *o)
{
	for (unsigned i = 0; i < XY_EXCHANGE_OWNERS; i++)
		if (e->owner[i] == o)
			e->owner[i] = NULL;
}

struct xy_exchange_owner *xy_exchange_owner_of(const struct xy_exchanges *e, uint32_t number)
{
	for (unsigned i = 0; i < XY_EXCHANGE_OWNERS; i++)
		if (e->owner[i] && number - e->owner[i]->first < e->owner[i]->count)
			return e->owner[i];
	return NULL;
}

const char *xy_exchange_kind(const struct xy_exchanges *e, const struct xy_exchange *x)
{
	return xy_exchange_owner_of(e, x->number)->ops->kind;
}

const char *xy_exchange_name(const struct xy_exchanges *e, const struct xy_exchange *x)
{
	return xy_exchange_owner_of(e, x->number)->ops->name(x);
}

struct xy_exchange *xy_exchanges_by_index(const struct xy_exchanges *e,
					  const struct xy_exchange_owner *o, uint32_t index)
{
	uint32_t number;
	if (!xy_map_get(&e->by_index, index, &number) || number - o->first >= o->count)
		return NULL;
	return o->ops->find(o->arg, number);
}

void xy_exchanges_renew(struct xy_exchanges *e)
{
	e->jobs.era++; // what helpers have drawn at random may be known in a copy
	xy_cookie_checker_init(&e->checker,
			       e->cfg.identity->x25519.b); // and what was told to others
	for (unsigned i = 0; i < XY_EXCHANGE_OWNERS; i++) {
		if (!e->owner[i])
			continue;
		xy_admission_init(&e->owner[i]->admission);
		e->owner[i]->ops->renew(e->owner[i]->arg);
	}
}

unsigned xy_exchanges_jobs(const struct xy_exchanges *e)
{
	return e->jobs.used;
}

uint32_t xy_exchanges_indices(const struct xy_exchanges *e)
{
	return e->by_index.count;
}

const struct xy_wg_limits *xy_exchanges_limits(const struct xy_exchanges *e)
{
	return &e->cfg.limits;
}

void xy_exchanges_stamp(const struct xy_exchanges *e, uint8_t out[static XY_WG_TAI64N_LEN])
{
	memcpy(out, e->stamped, sizeof(e->stamped));
}

_Static_assert((int)XY_HS_DROP_COUNT <= (int)XY_OFFENDERS_REASONS, "a place for each");

static uint32_t offender(const struct xy_exchange *x, const struct xy_exchange_place *at)
{
	if (x)
		return x->number;
	if (!at)
		return XY_DP_OF_NODE;
	return at->inside ? (uint32_t)at->heard.port : XY_DP_OF_STRANGER;
}

void xy_exchanges_drop(struct xy_exchanges *e, enum xy_hs_drop why, const struct xy_exchange *x,
		       const struct xy_exchange_place *at)
{
	const struct xy_offence offence = {.of = offender(x, at),
					   .at = at ? &at->remote : NULL,
					   .inside = at && at->inside,
					   .unsent = why == XY_HS_DROP_UNSENT,
					   .when = xy_env_now(e->cfg.env)};
	xy_offenders_add(&e->drops, why, &offence);
}

uint64_t xy_exchanges_drops(const struct xy_exchanges *e, enum xy_hs_drop which)
{
	return xy_offenders_packets(&e->drops, which);
}

const struct xy_offenders *xy_exchanges_offenders(const struct xy_exchanges *e)
{
	return &e->drops;
}

void xy_exchanges_forget(struct xy_exchanges *e, uint32_t number)
{
	xy_offenders_forget(&e->drops, number);
}

// --- one, from its beginning

// They share wake-ups: so many one, and the rest 10 ms later each, so that no turn has them all.
static void timers_init(const struct xy_exchanges *e, struct xy_exchange *x, xy_nsec keepalive)
{
	enum { TOGETHER = 64 };
	xy_wg_timers_init(&x->timers, &e->cfg.limits, keepalive);
	x->timers.phase = x->number / TOGETHER * 10 * XY_MSEC % XY_WG_POLL;
}

void xy_exchange_init(struct xy_exchanges *e, struct xy_exchange *x, uint32_t number,
		      const struct xy_hs_remote *theirs, xy_nsec keepalive)
{
	xy_exchanges_forget(e, number);
	x->number = number;
	x->serial = ++e->serial;
	x->theirs = *theirs;
	// It may have been here before: nothing that it was sent then is newer than the newest.
	bool later = memcmp(e->stamped, e->cfg.stamp_floor, sizeof(e->stamped)) > 0;
	memcpy(x->stamped, later ? e->stamped : e->cfg.stamp_floor, sizeof(x->stamped));
	xy_cookie_jar_init(&x->jar, theirs->pk);
	timers_init(e, x, keepalive);
}

void xy_exchange_clear(struct xy_exchanges *e, struct xy_exchange *x)
{
	xy_exchange_handshake_end(e, x);
	xy_exchange_sessions_clear(e, x);
}

void xy_exchange_restart(struct xy_exchanges *e, struct xy_exchange *x)
{
	xy_exchange_clear(e, x);
	x->restarts++;
	x->unanswered = false; // it is as new, and waits for no turn
	x->retry_due = 0;
	x->suite.tried = 0;
	x->suite.due = 0;
	timers_init(e, x, x->timers.persistent_keepalive);
}

void xy_exchange_keepalive_set(struct xy_exchange *x, xy_nsec keepalive, xy_nsec now)
{
	x->timers.persistent_keepalive = keepalive;
	x->timers.persistent_at = keepalive ? now : XY_NEVER;
}

void xy_exchange_tell(struct xy_exchanges *e, struct xy_exchange *x, enum xy_exchange_change what,
		      xy_nsec now)
{
	const struct xy_exchange_owner *o = xy_exchange_owner_of(e, x->number);
	o->ops->changed(o->arg, x, what, now);
}

// --- what its timers ask for

static void give_up(struct xy_exchanges *e, struct xy_exchange *x, xy_nsec now)
{
	const struct xy_exchange_owner *o = xy_exchange_owner_of(e, x->number);
	o->ops->held_release(o->arg, x);
	x->unanswered = true;
	xy_exchange_handshake_end(e, x);
	xy_exchange_tell(e, x, XY_EXCHANGE_GIVEN_UP, now);
}

// There is nowhere to send to: what waits is dropped, and nothing is tried until that changes.
void xy_exchange_stop(struct xy_exchanges *e, struct xy_exchange *x)
{
	const struct xy_exchange_owner *o = xy_exchange_owner_of(e, x->number);
	xy_wg_timers_stop(&x->timers);
	o->ops->held_release(o->arg, x);
}

// Nobody answered the last one. False: it is put off until its turn, which is its own then.
static bool may_retry(struct xy_exchange_owner *o, struct xy_exchange *x, xy_nsec now)
{
	if (!o->retry_every)
		return true;
	if (!x->retry_due) {
		xy_nsec at = o->retry_last + o->retry_every;
		x->retry_due = at + RETRY_BURST < now ? now - RETRY_BURST : at;
		o->retry_last = x->retry_due;
	}
	if (x->retry_due > now) {
		xy_wg_timers_put_off(&x->timers, x->retry_due);
		return false;
	}
	x->retry_due = 0;
	return true;
}

static void initiate(struct xy_exchanges *e, struct xy_exchange *x, bool again, xy_nsec now)
{
	struct xy_exchange_owner *o = xy_exchange_owner_of(e, x->number);
	struct xy_exchange_place to = {0};
	if ((again || x->unanswered) && !xy_exchange_is_up(e, x, now) && !may_retry(o, x, now))
		return;
	x->failed += again;
	if (o->ops->place(o->arg, x, again, &to, now))
		xy_exchange_initiate(e, x, &to, now);
	else
		xy_exchange_stop(e, x);
}

void xy_exchange_keepalive(struct xy_exchanges *e, const struct xy_exchange *x)
{
	const struct xy_keypair *current = xy_keypairs_current(&x->keypairs);
	if (current)
		xy_dp_session_keepalive(e->dp, current->index);
}

void xy_exchange_act(struct xy_exchanges *e, struct xy_exchange *x, uint32_t actions, xy_nsec now)
{
	if (actions & XY_WG_DO_EXPIRE) {
		xy_exchange_clear(e, x);
		xy_exchange_tell(e, x, XY_EXCHANGE_ENDED, now);
	}
	if (actions & XY_WG_DO_GIVE_UP)
		give_up(e, x, now);
	if (actions & XY_WG_DO_INITIATE)
		initiate(e, x, actions & XY_WG_DO_NEXT_ENDPOINT, now);
	if (actions & XY_WG_DO_KEEPALIVE)
		xy_exchange_keepalive(e, x);
}

void xy_exchange_want(struct xy_exchanges *e, struct xy_exchange *x, xy_nsec now)
{
	xy_exchange_act(e, x, xy_wg_timers_want(&x->timers, now), now);
}

void xy_exchange_run(struct xy_exchanges *e, struct xy_exchange *x, xy_nsec now)
{
	struct xy_wg_activity activity;
	if (now >= xy_exchange_handshake_ends(x))
		xy_exchange_handshake_end(e, x);
	xy_exchange_suite_run(e, x, now);
	xy_exchange_lanes_run(e, x, now);
	xy_exchange_activity(e, x, &activity);
	xy_exchange_act(e, x, xy_wg_timers_run(&x->timers, &activity, now), now);
	xy_exchange_sessions_expire(e, x, now);
	xy_exchange_session_place(e, x);
}

xy_nsec xy_exchange_deadline(const struct xy_exchanges *e, const struct xy_exchange *x, xy_nsec now)
{
	const xy_nsec due[] = {xy_wg_timers_deadline(&x->timers, now),
			       xy_exchange_sessions_deadline(e, x), xy_exchange_handshake_ends(x),
			       x->suite.due ? x->suite.due : XY_NEVER,
			       x->lanes.due ? x->lanes.due : XY_NEVER};
	xy_nsec at = XY_NEVER;
	for (unsigned i = 0; i < sizeof(due) / sizeof(due[0]); i++)
		at = due[i] < at ? due[i] : at;
	return at;
}

// --- how it is

bool xy_exchange_is_up(const struct xy_exchanges *e, const struct xy_exchange *x, xy_nsec now)
{
	const struct xy_keypair *current = xy_keypairs_current(&x->keypairs);
	return current && now - current->born < e->cfg.limits.reject_after_time;
}

// A session outlives the peer by minutes; a handshake that waits tells sooner.
bool xy_exchange_is_well(const struct xy_exchanges *e, const struct xy_exchange *x, xy_nsec now)
{
	return xy_exchange_is_up(e, x, now) && !x->timers.attempt_start;
}

// Nothing for so long, and what we send may as well be lost: a peer that is there answers data with
// a keepalive within KEEPALIVE_TIMEOUT.
bool xy_exchange_is_heard(const struct xy_exchanges *e, const struct xy_exchange *x, xy_nsec now)
{
	const struct xy_wg_limits *w = &e->cfg.limits;
	struct xy_dp_peer_stats s;
	return xy_dp_peer_stats(e->dp, x->number, &s) == 0 && s.rx_any &&
	       xy_since(s.rx_any, now) < w->keepalive_timeout + w->rekey_timeout;
}
