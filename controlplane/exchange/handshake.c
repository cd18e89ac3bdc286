// SPDX-License-Identifier: BSD-3-Clause
// Handshakes (paper, section 5.4): what comes in is checked in the order of its price: form, mac1,
// load and cookie, then X25519 on a helper; a result is believed only if the exchange has not moved
// on meanwhile.
#include "exchange/exchanges.h"

#include "base/bytes.h"
#include "base/cursor.h"

#include <sodium.h>

// WireGuard's INITIATIONS_PER_SECOND = 50
#define INITIATION_INTERVAL (XY_SEC / 50)

// Responses to one initiation that are looked at side by side: a forged one, which whoever sees the
// initiation can make, must not keep the right one out.
enum { RESPONSES_AT_ONCE = 4 };

void xy_exchange_handshake_end(struct xy_exchanges *e, struct xy_exchange *x)
{
	if (x->hs == XY_EXCHANGE_HS_NONE)
		return;
	xy_exchange_session_free(e, x->hs_index);
	sodium_memzero(&x->hs_state, sizeof(x->hs_state));
	x->hs = XY_EXCHANGE_HS_NONE;
}

xy_nsec xy_exchange_handshake_ends(const struct xy_exchange *x)
{
	return x->hs == XY_EXCHANGE_HS_SENT ? x->hs_until : XY_NEVER;
}

// The peer has begun a handshake itself, and so, as WireGuard does it, is none of ours under way;
// but where two initiations crossed both are answered. An answer that comes later was kept back,
// and the peer may know nothing of its session any more.
static void gives_way(struct xy_exchanges *e, struct xy_exchange *x, xy_nsec now)
{
	xy_nsec until = x->hs_sent + e->cfg.limits.rekey_timeout;
	if (x->hs != XY_EXCHANGE_HS_SENT || x->hs_until <= until)
		return;
	x->hs_until = until;
	if (now >= until)
		xy_exchange_handshake_end(e, x);
}

// at: of the message that asks for it, or NULL.
static struct xy_job *job_of(struct xy_exchanges *e, struct xy_exchange_owner *o,
			     enum xy_job_type type, bool stranger, const struct xy_exchange *x,
			     const struct xy_exchange_place *at)
{
	struct xy_job *job = xy_job_take(&e->jobs, stranger);
	if (!job) {
		xy_exchanges_drop(e, XY_HS_DROP_BUSY, x, at);
		return NULL;
	}
	job->type = type;
	job->owner = o;
	job->ours = o->ours;
	return job;
}

// A job for exchange x, with all that a helper needs of it.
static struct xy_job *job_for(struct xy_exchanges *e, const struct xy_exchange *x,
			      enum xy_job_type type, const struct xy_exchange_place *at)
{
	struct xy_job *job = job_of(e, xy_exchange_owner_of(e, x->number), type, false, x, at);
	if (!job)
		return NULL;
	job->number = x->number;
	job->serial = x->serial;
	job->restarts = x->restarts;
	job->theirs = x->theirs;
	return job;
}

static void submit(struct xy_exchanges *e, struct xy_job *job)
{
	e->cfg.run(e->cfg.arg, job);
}

// The next time stamp that is newer as peers see it: they are cut to 2^24 ns.
static void stamp_after(const uint8_t last[XY_WG_TAI64N_LEN], uint8_t out[XY_WG_TAI64N_LEN])
{
	uint64_t sec = xy_be64_load(last);
	uint32_t nsec = xy_be32_load(last + 8) + (UINT32_C(1) << 24);
	xy_be64_store(out, nsec < XY_SEC ? sec : sec + 1);
	xy_be32_store(out + 8, nsec < XY_SEC ? nsec : 0);
}

// A peer refuses what is not newer than the last: a clock that is set back must not cut us off
// until it has caught up.
static void stamp(struct xy_exchanges *e, struct xy_exchange *x, uint8_t out[XY_WG_TAI64N_LEN])
{
	uint64_t sec;
	uint32_t nsec;
	xy_env_wall(e->cfg.env, &sec, &nsec);
	xy_tai64n(sec, nsec, out);
	if (memcmp(out, x->stamped, sizeof(x->stamped)) <= 0)
		stamp_after(x->stamped, out);
	memcpy(x->stamped, out, sizeof(x->stamped));
	if (memcmp(out, e->stamped, sizeof(e->stamped)) > 0)
		memcpy(e->stamped, out, sizeof(e->stamped));
}

static void note(struct xy_exchange *x, enum xy_exchange_note what, const struct xy_job *job,
		 xy_nsec now)
{
	const struct xy_exchange_noted n = {.what = what, .at = &job->at, .stamp = job->timestamp};
	job->owner->ops->noted(job->owner->arg, x, &n, now);
}

static void refuse(struct xy_exchanges *e, struct xy_exchange *x, enum xy_hs_drop why,
		   const struct xy_job *job, xy_nsec now)
{
	const struct xy_exchange_noted n = {.what = XY_NOTE_REFUSED, .at = &job->at, .why = why};
	xy_exchanges_drop(e, why, x, &job->at);
	job->owner->ops->noted(job->owner->arg, x, &n, now);
}

static void schedule(const struct xy_exchanges *e, struct xy_exchange *x, xy_nsec now)
{
	const struct xy_exchange_owner *o = xy_exchange_owner_of(e, x->number);
	o->ops->schedule(o->arg, x, now);
}

static void came_from(struct xy_exchange *x, const struct xy_job *job, xy_nsec now)
{
	job->owner->ops->came_from(job->owner->arg, x, &job->at, now);
}

static void send_message(struct xy_exchanges *e, struct xy_exchange *x, const struct xy_job *job,
			 void *msg, size_t len, xy_nsec now)
{
	xy_cookie_macs_add(&x->jar, msg, len, now);
	if (job->owner->ops->send(job->owner->arg, x, &job->at, msg, len))
		xy_exchanges_drop(e, XY_HS_DROP_UNSENT, x, &job->at);
}

// --- initiator

void xy_exchange_initiate(struct xy_exchanges *e, struct xy_exchange *x,
			  const struct xy_exchange_place *to, xy_nsec now)
{
	uint32_t jitter = 0, index;
	uint64_t most = e->cfg.limits.rekey_timeout_jitter;

	xy_env_random(e->cfg.env, &jitter, sizeof(jitter));
	// An attempt that fails here is one all the same: its retry is the timers'.
	xy_wg_timers_initiation_sent(&x->timers, now, most ? jitter % most : 0);
	if (x->hs == XY_EXCHANGE_HS_CREATING)
		return;
	xy_exchange_handshake_end(e, x);
	if (xy_exchange_session_reserve(e, x, &index, NULL, now))
		return;
	struct xy_job *job = job_for(e, x, XY_JOB_INITIATE, NULL);
	if (!job) {
		xy_exchange_session_free(e, index);
		return;
	}
	x->hs = XY_EXCHANGE_HS_CREATING;
	x->hs_index = job->index = index;
	job->at = *to;
	job->theirs.suite = xy_exchange_suite_next(e, x, now);
	xy_env_random(e->cfg.env, job->ephemeral, sizeof(job->ephemeral));
	stamp(e, x, job->timestamp);
	submit(e, job);
}

static bool is_ours(const struct xy_exchange *x, const struct xy_job *job, enum xy_exchange_hs hs)
{
	return x->hs == hs && x->hs_index == job->index; // each initiation has an index of its own
}

static void initiation_made(struct xy_exchanges *e, struct xy_exchange *x, struct xy_job *job,
			    xy_nsec now)
{
	if (!x->theirs.has_ss && job->theirs.has_ss) {
		memcpy(x->theirs.ss, job->theirs.ss, sizeof(x->theirs.ss));
		x->theirs.has_ss = true;
	}
	if (!is_ours(x, job, XY_EXCHANGE_HS_CREATING))
		return;
	if (job->result) {
		xy_exchange_handshake_end(e, x);
		return;
	}
	x->hs = XY_EXCHANGE_HS_SENT;
	x->hs_state = job->state;
	x->hs_sent = now;
	x->hs_until = now + e->cfg.limits.rekey_attempt_time;
	x->sent++;
	send_message(e, x, job, &job->initiation, sizeof(job->initiation), now);
}

static void response_opened(struct xy_exchanges *e, struct xy_exchange *x, struct xy_job *job,
			    xy_nsec now)
{
	x->consuming--;
	if (!is_ours(x, job, XY_EXCHANGE_HS_SENT))
		return;
	if (job->result) { // forged or of another secret: the right one may still come
		xy_exchanges_drop(e, XY_HS_DROP_BAD, x, &job->at);
		if (job->result != -ESTALE)
			note(x, XY_NOTE_SECRET, job, now);
		return;
	}
	x->hs = XY_EXCHANGE_HS_NONE; // its index is the session's from here on
	sodium_memzero(&x->hs_state, sizeof(x->hs_state));
	came_from(x, job, now);
	xy_exchange_session_begun(e, x, job, true, now);
}

// --- responder

static void refuse_stamp(struct xy_exchanges *e, struct xy_exchange *x, const struct xy_job *job,
			 bool older, xy_nsec now)
{
	if (!older || xy_exchange_is_heard(e, x, now)) { // twice on its way
		refuse(e, x, XY_HS_DROP_REPLAY, job, now);
		return;
	}
	xy_exchanges_drop(e, XY_HS_DROP_REPLAY, x, &job->at);
	note(x, XY_NOTE_OLD_STAMP, job, now);
}

static bool is_newer(struct xy_exchanges *e, struct xy_exchange *x, const struct xy_job *job,
		     xy_nsec now)
{
	int newer = memcmp(job->timestamp, x->timestamp, sizeof(x->timestamp));
	if (newer <= 0) {
		refuse_stamp(e, x, job, newer < 0, now);
		return false;
	}
	if (x->initiation_seen && now - x->initiation_seen < INITIATION_INTERVAL) {
		refuse(e, x, XY_HS_DROP_FLOOD, job, now);
		return false;
	}
	return true;
}

static bool is_allowed(struct xy_exchanges *e, struct xy_exchange *x, const struct xy_job *job,
		       xy_nsec now)
{
	if (xy_exchange_suite_allowed(e, x, job->state.suite))
		return true;
	refuse(e, x, XY_HS_DROP_SUITE, job, now);
	return false;
}

static void respond(struct xy_exchanges *e, struct xy_exchange *x, const struct xy_job *opened,
		    xy_nsec now)
{
	uint32_t index;
	if (x->responding) { // the initiator asks again
		refuse(e, x, XY_HS_DROP_BUSY, opened, now);
		return;
	}
	if (xy_exchange_session_reserve(e, x, &index, &opened->at, now))
		return;
	struct xy_job *job = job_for(e, x, XY_JOB_RESPOND, &opened->at);
	if (!job) {
		xy_exchange_session_free(e, index);
		return;
	}
	x->responding = true;
	job->index = index;
	job->at = opened->at;
	job->state = opened->state;
	xy_env_random(e->cfg.env, job->ephemeral, sizeof(job->ephemeral));
	submit(e, job);
}

static void initiation_opened(struct xy_exchanges *e, struct xy_job *job, xy_nsec now)
{
	if (job->result) {
		xy_exchanges_drop(e, XY_HS_DROP_BAD, NULL, &job->at);
		return;
	}
	struct xy_exchange *x = job->owner->ops->opened(job->owner->arg, job, now);
	if (!x)
		return;
	// Its secret is made here where it is missing, one X25519 in the life of an exchange.
	if (xy_hs_remote_meet(job->ours, &x->theirs) ||
	    xy_hs_initiation_verify(&x->theirs, &job->initiation, &job->state, job->timestamp)) {
		refuse(e, x, XY_HS_DROP_BAD, job, now);
		return;
	}
	xy_exchange_answer(e, x, job, now);
}

void xy_exchange_answer(struct xy_exchanges *e, struct xy_exchange *x, const struct xy_job *job,
			xy_nsec now)
{
	if (!is_newer(e, x, job, now) || !is_allowed(e, x, job, now))
		return;
	memcpy(x->timestamp, job->timestamp, sizeof(x->timestamp));
	x->initiation_seen = now;
	note(x, XY_NOTE_STAMP, job, now);
	came_from(x, job, now);
	gives_way(e, x, now);
	respond(e, x, job, now);
	schedule(e, x, now);
}

static void response_made(struct xy_exchanges *e, struct xy_exchange *x, struct xy_job *job,
			  xy_nsec now)
{
	x->responding = false;
	if (job->result) {
		xy_exchange_session_free(e, job->index);
		return;
	}
	if (!xy_exchange_session_begun(e, x, job, false, now))
		return;
	x->answers_unused++;
	note(x, XY_NOTE_ANSWERED, job, now);
	send_message(e, x, job, &job->response, sizeof(job->response), now);
}

// --- results of helpers

// It may have gone meanwhile, and its number be another's.
static struct xy_exchange *find(const struct xy_job *job)
{
	struct xy_exchange *x =
		job->serial ? job->owner->ops->find(job->owner->arg, job->number) : NULL;
	return x && x->serial == job->serial ? x : NULL;
}

static void met(struct xy_exchanges *e, struct xy_job *job, xy_nsec now)
{
	if (job->result)
		xy_exchanges_drop(e, XY_HS_DROP_BAD, NULL, job->stranger ? &job->at : NULL);
	job->owner->ops->met(job->owner->arg, job, now);
}

void xy_exchanges_job_done(struct xy_exchanges *e, struct xy_job *job, xy_nsec now)
{
	struct xy_exchange *x = find(job);
	if (job->era != e->jobs.era || (x && job->restarts != x->restarts))
		job->result = -ESTALE;
	if (job->type == XY_JOB_OPEN)
		initiation_opened(e, job, now);
	else if (job->type == XY_JOB_MEET)
		met(e, job, now);
	else if (x && job->type == XY_JOB_INITIATE)
		initiation_made(e, x, job, now);
	else if (x && job->type == XY_JOB_RESPOND)
		response_made(e, x, job, now);
	else if (x)
		response_opened(e, x, job, now);
	if (x)
		schedule(e, x, now);
	else if (job->type == XY_JOB_RESPOND) // the dataplane forgot it with the peer
		xy_map_del(&e->by_index, job->index);
	xy_job_give(&e->jobs, job);
}

static bool meet(struct xy_exchanges *e, struct xy_exchange_owner *o, bool stranger,
		 const uint8_t pk[static XY_WG_KEY_LEN], const uint8_t psk[static XY_WG_KEY_LEN],
		 const struct xy_endpoint *remote, const struct xy_job *opened)
{
	const struct xy_exchange_place at =
		opened ? opened->at : (struct xy_exchange_place){.remote = *remote};
	struct xy_job *job = job_of(e, o, XY_JOB_MEET, stranger, NULL, stranger ? &at : NULL);
	if (!job)
		return false;
	memcpy(job->pk, pk, sizeof(job->pk));
	memcpy(job->theirs.psk, psk, sizeof(job->theirs.psk));
	job->at = at;
	if (opened) {
		job->asked = true;
		job->state = opened->state;
		job->initiation = opened->initiation;
	}
	submit(e, job);
	return true;
}

bool xy_exchanges_meet(struct xy_exchanges *e, struct xy_exchange_owner *o,
		       const uint8_t pk[static XY_WG_KEY_LEN],
		       const uint8_t psk[static XY_WG_KEY_LEN], const struct xy_endpoint *remote,
		       const struct xy_job *opened)
{
	return meet(e, o, true, pk, psk, remote, opened);
}

bool xy_exchanges_meet_wanted(struct xy_exchanges *e, struct xy_exchange_owner *o,
			      const uint8_t pk[static XY_WG_KEY_LEN],
			      const uint8_t psk[static XY_WG_KEY_LEN],
			      const struct xy_endpoint *remote)
{
	return meet(e, o, false, pk, psk, remote, NULL);
}

// --- messages that come in

static void take_initiation(struct xy_exchanges *e, struct xy_exchange_owner *o,
			    const struct xy_exchange_message *m, xy_nsec now)
{
	bool stranger = !o->ops->knows(o->arg, NULL, &m->at);
	if (!xy_exchange_admit(e, o, m, &stranger, now))
		return;
	struct xy_job *job = job_of(e, o, XY_JOB_OPEN, stranger, NULL, &m->at);
	if (!job)
		return;
	job->at = m->at;
	memcpy(&job->initiation, m->data, sizeof(job->initiation));
	submit(e, job);
}

static bool is_awaited(const struct xy_exchange *x, uint32_t index, xy_nsec now)
{
	return x && x->hs == XY_EXCHANGE_HS_SENT && x->hs_index == index && now < x->hs_until;
}

static void take_response(struct xy_exchanges *e, struct xy_exchange_owner *o,
			  const struct xy_exchange_message *m, xy_nsec now)
{
	uint32_t index = xy_le32_load(m->data + offsetof(struct xy_wg_response, receiver));
	struct xy_exchange *x = xy_exchanges_by_index(e, o, index);

	if (!is_awaited(x, index, now)) {
		xy_exchanges_drop(e, XY_HS_DROP_UNASKED, x, &m->at);
		return;
	}
	bool stranger = !o->ops->knows(o->arg, x, &m->at);
	if (!xy_exchange_admit(e, o, m, &stranger, now))
		return;
	if (x->consuming >= RESPONSES_AT_ONCE) {
		xy_exchanges_drop(e, XY_HS_DROP_BUSY, x, &m->at);
		return;
	}
	struct xy_job *job = job_for(e, x, XY_JOB_CONSUME, &m->at);
	if (!job)
		return;
	job->index = index;
	job->state = x->hs_state;
	job->at = m->at;
	memcpy(&job->response, m->data, sizeof(job->response));
	x->consuming++;
	submit(e, job);
}

static void take_cookie(struct xy_exchanges *e, const struct xy_exchange_owner *o,
			const struct xy_exchange_message *m, xy_nsec now)
{
	const struct xy_exchange_noted n = {.what = XY_NOTE_BUSY, .at = &m->at};
	struct xy_wg_cookie_reply msg;
	memcpy(&msg, m->data, sizeof(msg));
	struct xy_exchange *x = xy_exchanges_by_index(e, o, msg.receiver);
	if (!x || xy_cookie_reply_consume(&x->jar, &msg, now))
		xy_exchanges_drop(e, XY_HS_DROP_UNASKED, x, &m->at);
	else if (x->hs == XY_EXCHANGE_HS_SENT)
		o->ops->noted(o->arg, x, &n, now);
}

void xy_exchanges_take(struct xy_exchanges *e, struct xy_exchange_owner *o,
		       const struct xy_exchange_message *m, xy_nsec now)
{
	switch (xy_wg_classify(m->data, m->len)) {
	case XY_WG_INITIATION:
		take_initiation(e, o, m, now);
		break;
	case XY_WG_RESPONSE:
		take_response(e, o, m, now);
		break;
	case XY_WG_COOKIE_REPLY:
		take_cookie(e, o, m, now);
		break;
	default:
		xy_exchanges_drop(e, XY_HS_DROP_MALFORMED, NULL, &m->at);
	}
}
