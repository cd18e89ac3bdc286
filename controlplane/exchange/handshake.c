// SPDX-License-Identifier: BSD-3-Clause
// Handshakes (paper, section 5.4): what comes in is checked in the order of its price: form, mac1,
// load and cookie, then X25519 on a helper; a result is believed only if the link has not moved on
// meanwhile.
#include "links/link.h"

#include "base/bytes.h"
#include "base/cursor.h"

#include <sodium.h>

// WireGuard's INITIATIONS_PER_SECOND = 50
#define INITIATION_INTERVAL (XY_SEC / 50)

// Responses to one initiation that are looked at side by side: a forged one, which whoever sees the
// initiation can make, must not keep the right one out.
enum { RESPONSES_AT_ONCE = 4 };

void xy_link_handshake_end(struct xy_links *l, struct xy_link *k)
{
	if (k->hs == XY_LINK_HS_NONE)
		return;
	xy_link_session_free(l, k->hs_index);
	sodium_memzero(&k->hs_state, sizeof(k->hs_state));
	k->hs = XY_LINK_HS_NONE;
}

xy_nsec xy_link_handshake_ends(const struct xy_link *k)
{
	return k->hs == XY_LINK_HS_SENT ? k->hs_until : XY_NEVER;
}

// The peer has begun a handshake itself, and so, as WireGuard does it, is none of ours under way;
// but where two initiations crossed both are answered. An answer that comes later was kept back,
// and the peer may know nothing of its session any more.
static void gives_way(struct xy_links *l, struct xy_link *k, xy_nsec now)
{
	xy_nsec until = k->hs_sent + l->cfg.limits.rekey_timeout;
	if (k->hs != XY_LINK_HS_SENT || k->hs_until <= until)
		return;
	k->hs_until = until;
	if (now >= until)
		xy_link_handshake_end(l, k);
}

// A job for link k, with all that a helper needs of it.
static struct xy_job *job_for(struct xy_links *l, struct xy_link *k, enum xy_job_type type)
{
	struct xy_job *job = xy_job_take(&l->jobs, false);
	if (!job) {
		xy_links_drop(l, XY_LINK_DROP_HS_BUSY);
		return NULL;
	}
	job->type = type;
	job->slot = k->slot;
	job->serial = k->serial;
	job->ours = &l->ours;
	job->theirs = k->hs_remote;
	job->remote = k->remote;
	job->heard = (struct xy_dp_heard){0};
	return job;
}

// An initiation may look for the peer elsewhere than where its data goes.
static void goes_where_asked(const struct xy_link *k, struct xy_job *job)
{
	if (k->asked.port)
		job->remote = k->asked;
}

static void submit(struct xy_links *l, struct xy_job *job)
{
	l->cfg.ops.run(l->cfg.ops.arg, job);
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
static void stamp(struct xy_links *l, struct xy_link *k, uint8_t out[XY_WG_TAI64N_LEN])
{
	uint64_t sec;
	uint32_t nsec;
	l->cfg.ops.wall(l->cfg.ops.arg, &sec, &nsec);
	xy_tai64n(sec, nsec, out);
	if (memcmp(out, k->stamped, sizeof(k->stamped)) <= 0)
		stamp_after(k->stamped, out);
	memcpy(k->stamped, out, sizeof(k->stamped));
	if (memcmp(out, l->stamped, sizeof(l->stamped)) > 0)
		memcpy(l->stamped, out, sizeof(l->stamped));
}

static void send_message(struct xy_links *l, const struct xy_job *job, struct xy_cookie_jar *jar,
			 void *msg, size_t len, xy_nsec now)
{
	xy_cookie_macs_add(jar, msg, len, now);
	const struct xy_link *k = xy_link_find(l, job->slot, job->serial);
	// What goes to where its data goes takes the same way.
	int r = k && xy_endpoint_eq(&k->told.remote, &job->remote)
			? xy_dp_peer_send(l->dp, k->slot, msg, len)
			: xy_links_send(l, &job->remote, &job->heard, msg, len);
	if (r)
		xy_links_drop(l, XY_LINK_DROP_HS_UNSENT);
}

// --- initiator

void xy_link_initiate(struct xy_links *l, struct xy_link *k, xy_nsec now)
{
	uint32_t jitter = 0, index;
	uint64_t most = l->cfg.limits.rekey_timeout_jitter;

	l->cfg.ops.random(l->cfg.ops.arg, &jitter, sizeof(jitter));
	// An attempt that fails here is one all the same: its retry is the timers'.
	xy_wg_timers_initiation_sent(&k->timers, now, most ? jitter % most : 0);
	if (k->hs == XY_LINK_HS_CREATING)
		return;
	xy_link_handshake_end(l, k);
	if (xy_link_session_reserve(l, k, &index, now))
		return;
	struct xy_job *job = job_for(l, k, XY_JOB_INITIATE);
	if (!job) {
		xy_link_session_free(l, index);
		return;
	}
	k->hs = XY_LINK_HS_CREATING;
	k->hs_index = job->index = index;
	goes_where_asked(k, job);
	l->cfg.ops.random(l->cfg.ops.arg, job->ephemeral, sizeof(job->ephemeral));
	stamp(l, k, job->timestamp);
	submit(l, job);
}

static bool is_ours(const struct xy_link *k, const struct xy_job *job, enum xy_link_hs hs)
{
	return k->hs == hs && k->hs_index == job->index; // each initiation has an index of its own
}

static void initiation_made(struct xy_links *l, struct xy_link *k, struct xy_job *job, xy_nsec now)
{
	if (!is_ours(k, job, XY_LINK_HS_CREATING))
		return;
	if (job->result) {
		xy_link_handshake_end(l, k);
		return;
	}
	k->hs = XY_LINK_HS_SENT;
	k->hs_state = job->state;
	k->hs_sent = now;
	k->worded = false;
	k->hs_until = now + l->cfg.limits.rekey_attempt_time;
	k->sent++;
	send_message(l, job, &k->jar, &job->initiation, sizeof(job->initiation), now);
}

static void response_opened(struct xy_links *l, struct xy_link *k, struct xy_job *job, xy_nsec now)
{
	k->consuming--;
	if (!is_ours(k, job, XY_LINK_HS_SENT))
		return;
	if (job->result) { // forged or of another secret: the right one may still come
		xy_links_drop(l, XY_LINK_DROP_HS_BAD);
		if (job->era == l->jobs.era)
			xy_link_trouble_secret(k, &job->remote, now);
		return;
	}
	k->hs = XY_LINK_HS_NONE; // its index is the session's from here on
	sodium_memzero(&k->hs_state, sizeof(k->hs_state));
	xy_link_endpoint_learn(l, k, &job->remote, &job->heard, now);
	xy_link_session_begun(l, k, job, true, now);
}

// --- responder

// A peer whose clock went back, and whose own memory of its time stamps is lost, cannot reach us;
// we can reach it, and are not refused: so we ask it where this came from. It may be an old message
// said again, so data does not move by it, who is heard is not asked, and only one of an attempt's
// initiations goes there: the others go where it is known to be, however often it is said.
static void refuse_stamp(struct xy_links *l, struct xy_link *k, const struct xy_job *job, int older,
			 xy_nsec now)
{
	if (!older || xy_link_is_heard(l, k, now)) { // twice on its way
		xy_link_refused(l, k, XY_LINK_DROP_HS_REPLAY, &job->remote, now);
		return;
	}
	xy_links_drop(l, XY_LINK_DROP_HS_REPLAY);
	xy_link_trouble_stamp(l, k, job, now);
	bool again = k->timers.attempt_start && k->timers.attempt_start == k->hinted;
	if (!xy_link_usable(&job->remote) || k->provisional || again)
		return;
	xy_link_ask_there(l, k, &job->remote, now);
	k->hinted = k->timers.attempt_start;
}

static bool is_newer(struct xy_links *l, struct xy_link *k, const struct xy_job *job, xy_nsec now)
{
	int newer = memcmp(job->timestamp, k->timestamp, sizeof(k->timestamp));
	if (newer <= 0) {
		refuse_stamp(l, k, job, newer < 0, now);
		return false;
	}
	if (k->initiation_seen && now - k->initiation_seen < INITIATION_INTERVAL) {
		xy_link_refused(l, k, XY_LINK_DROP_HS_FLOOD, &job->remote, now);
		return false;
	}
	return true;
}

static void respond(struct xy_links *l, struct xy_link *k, const struct xy_job *opened, xy_nsec now)
{
	uint32_t index;
	if (k->responding) { // the initiator asks again
		xy_link_refused(l, k, XY_LINK_DROP_HS_BUSY, &opened->remote, now);
		return;
	}
	if (xy_link_session_reserve(l, k, &index, now))
		return;
	struct xy_job *job = job_for(l, k, XY_JOB_RESPOND);
	if (!job) {
		xy_link_session_free(l, index);
		return;
	}
	k->responding = true;
	job->index = index;
	job->worker = opened->worker;
	job->remote = opened->remote;
	job->heard = opened->heard;
	job->state = opened->state;
	l->cfg.ops.random(l->cfg.ops.arg, job->ephemeral, sizeof(job->ephemeral));
	submit(l, job);
}

static void initiation_opened(struct xy_links *l, struct xy_job *job, xy_nsec now)
{
	if (job->result) {
		xy_links_drop(l, XY_LINK_DROP_HS_BAD);
		return;
	}
	struct xy_link *k = xy_link_by_key(l, job->pk);
	if (!k && xy_links_open_to(l, &job->remote)) {
		xy_link_meet(l, job);
		return;
	}
	if (!k) {
		xy_links_drop(l, XY_LINK_DROP_HS_UNKNOWN_KEY);
		xy_links_trouble_unknown(l, job, now);
		return;
	}
	if (xy_hs_initiation_verify(&k->hs_remote, &job->initiation, &job->state, job->timestamp)) {
		xy_link_refused(l, k, XY_LINK_DROP_HS_BAD, &job->remote, now);
		return;
	}
	xy_link_answer(l, k, job, now);
}

void xy_link_answer(struct xy_links *l, struct xy_link *k, const struct xy_job *job, xy_nsec now)
{
	if (!is_newer(l, k, job, now))
		return;
	memcpy(k->timestamp, job->timestamp, sizeof(k->timestamp));
	k->initiation_seen = now;
	xy_link_clock_compare(l, k, job);
	xy_link_endpoint_learn(l, k, &job->remote, &job->heard, now);
	gives_way(l, k, now);
	respond(l, k, job, now);
	xy_link_schedule(l, k, now);
}

static void response_made(struct xy_links *l, struct xy_link *k, struct xy_job *job, xy_nsec now)
{
	k->responding = false;
	if (job->result) {
		xy_link_session_free(l, job->index);
		return;
	}
	xy_link_trouble_answered(k, &job->remote, now);
	xy_link_session_begun(l, k, job, false, now);
	send_message(l, job, &k->jar, &job->response, sizeof(job->response), now);
}

// --- results of helpers

void xy_links_job_done(struct xy_links *l, struct xy_job *job, xy_nsec now)
{
	struct xy_link *k = xy_link_find(l, job->slot, job->serial);
	if (job->era != l->jobs.era)
		job->result = -ESTALE;
	if (job->type == XY_JOB_OPEN)
		initiation_opened(l, job, now);
	else if (job->type == XY_JOB_MEET)
		xy_link_met(l, job, now);
	else if (k && job->type == XY_JOB_INITIATE)
		initiation_made(l, k, job, now);
	else if (k && job->type == XY_JOB_RESPOND)
		response_made(l, k, job, now);
	else if (k)
		response_opened(l, k, job, now);
	if (k)
		xy_link_schedule(l, k, now);
	else if (job->type == XY_JOB_RESPOND) // the dataplane forgot it with the peer
		xy_map_del(&l->by_index, job->index);
	xy_job_give(&l->jobs, job);
}

// --- messages that come in

static void send_cookie(struct xy_links *l, const struct xy_dp_event *ev, xy_nsec now)
{
	struct xy_wg_cookie_reply reply;
	uint8_t nonce[XY_WG_COOKIE_NONCE_LEN];
	uint32_t sender = xy_le32_load(ev->data + offsetof(struct xy_wg_initiation, sender));

	l->cfg.ops.random(l->cfg.ops.arg, nonce, sizeof(nonce));
	xy_cookie_reply_create(&l->checker, ev->data, ev->len, sender, &ev->remote, nonce, now,
			       &reply);
	xy_links_drop(l, XY_LINK_DROP_HS_COOKIE);
	if (xy_dp_send(l->dp, ev->port, &ev->remote, &ev->local, &reply, sizeof(reply)))
		xy_links_drop(l, XY_LINK_DROP_HS_UNSENT);
}

// May this message cost us an X25519? Who writes from a peer's known address has an allowance that
// others cannot use up but by forging that very address, and then still the way of strangers: one
// bucket for all of them, and a cookie when it is dry. Cookies have their own limiter, so that
// forged sources do not eat the share of the real one.
static bool admit(struct xy_links *l, const struct xy_dp_event *ev, bool *stranger, xy_nsec now)
{
	enum xy_mac_verdict mac = xy_cookie_check(&l->checker, ev->data, ev->len, &ev->remote, now);
	if (mac == XY_MAC_INVALID) {
		xy_links_drop(l, XY_LINK_DROP_HS_BAD_MAC);
		if (ev->data[0] == XY_WG_INITIATION)
			xy_links_trouble_other_key(l, &ev->remote, now);
		return false;
	}
	*stranger = *stranger || !xy_limiter_take(&l->known, &ev->remote.addr, now);
	if (!*stranger || (!xy_load_take(&l->load, now) && !xy_links_crowded(l)))
		return true;
	if (mac != XY_MAC_VALID_WITH_COOKIE) {
		send_cookie(l, ev, now);
		return false;
	}
	if (xy_limiter_take(&l->cookied, &ev->remote.addr, now))
		return true;
	xy_links_drop(l, XY_LINK_DROP_HS_LIMITED);
	return false;
}

static void came_from(struct xy_job *job, const struct xy_dp_event *ev)
{
	job->worker = ev->worker;
	job->remote = ev->remote;
	job->heard = (struct xy_dp_heard){ev->local, ev->interface, ev->port};
}

static void take_initiation(struct xy_links *l, const struct xy_dp_event *ev, xy_nsec now)
{
	bool stranger = !xy_link_by_remote(l, &ev->remote);
	if (!admit(l, ev, &stranger, now))
		return;
	struct xy_job *job = xy_job_take(&l->jobs, stranger);
	if (!job) {
		xy_links_drop(l, XY_LINK_DROP_HS_BUSY);
		return;
	}
	job->type = XY_JOB_OPEN;
	job->ours = &l->ours;
	came_from(job, ev);
	memcpy(&job->initiation, ev->data, sizeof(job->initiation));
	submit(l, job);
}

static bool is_awaited(const struct xy_link *k, uint32_t index, xy_nsec now)
{
	return k && k->hs == XY_LINK_HS_SENT && k->hs_index == index && now < k->hs_until;
}

static void take_response(struct xy_links *l, const struct xy_dp_event *ev, xy_nsec now)
{
	uint32_t index = xy_le32_load(ev->data + offsetof(struct xy_wg_response, receiver));
	struct xy_link *k = xy_link_by_index(l, index);

	if (!is_awaited(k, index, now)) {
		xy_links_drop(l, XY_LINK_DROP_HS_UNASKED);
		return;
	}
	bool stranger = !xy_link_is_asked_at(k, &ev->remote) && !xy_link_by_remote(l, &ev->remote);
	if (!admit(l, ev, &stranger, now))
		return;
	if (k->consuming >= RESPONSES_AT_ONCE) {
		xy_links_drop(l, XY_LINK_DROP_HS_BUSY);
		return;
	}
	struct xy_job *job = job_for(l, k, XY_JOB_CONSUME);
	if (!job)
		return;
	job->index = index;
	job->state = k->hs_state;
	came_from(job, ev);
	memcpy(&job->response, ev->data, sizeof(job->response));
	k->consuming++;
	submit(l, job);
}

static void take_cookie(struct xy_links *l, const struct xy_dp_event *ev, xy_nsec now)
{
	struct xy_wg_cookie_reply msg;
	memcpy(&msg, ev->data, sizeof(msg));
	struct xy_link *k = xy_link_by_index(l, msg.receiver);
	if (!k || xy_cookie_reply_consume(&k->jar, &msg, now))
		xy_links_drop(l, XY_LINK_DROP_HS_UNASKED);
	else if (k->hs == XY_LINK_HS_SENT)
		xy_link_trouble_busy(k, &ev->remote, now);
}

void xy_links_punt(struct xy_links *l, const struct xy_dp_event *ev, xy_nsec now)
{
	if (xy_addr_is_mesh(&ev->remote.addr)) {
		xy_links_drop(l, XY_LINK_DROP_HS_OVERLAY);
		return;
	}
	switch (xy_wg_classify(ev->data, ev->len)) {
	case XY_WG_INITIATION:
		take_initiation(l, ev, now);
		break;
	case XY_WG_RESPONSE:
		take_response(l, ev, now);
		break;
	case XY_WG_COOKIE_REPLY:
		take_cookie(l, ev, now);
		break;
	default:
		xy_links_drop(l, XY_LINK_DROP_HS_MALFORMED);
	}
}
