// SPDX-License-Identifier: BSD-3-Clause
// Being asked: strangers' probes and beacons. What they may cost is checked in the order of its
// price: form, whether we care at all, rates, and only then a signature on a helper.
#define XY_LOG_PART XY_PART_JOINING

#include "joining/joining.h"

// --- helpers

struct xy_join_job *xy_join_job_take(struct xy_join *j, enum xy_join_work work,
				     const struct xy_endpoint *remote)
{
	struct xy_join_job *job = j->free;
	if (!job) {
		xy_join_dropped(j, XY_JOIN_DROP_JOIN_BUSY, remote);
		return NULL;
	}
	j->free = job->next_free;
	j->jobs++;
	*job = (struct xy_join_job){
		.j = j, .work = work, .identity = j->cfg.identity, .remote = *remote};
	return job;
}

// Any thread: touches the job and our constant identity.
static void work(void *what)
{
	struct xy_join_job *job = what;
	switch (job->work) {
	case XY_JOIN_SIGN:
		xy_join_reply_write(job->identity, job->nonce, job->out);
		break;
	case XY_JOIN_CHECK_REPLY:
		job->result = xy_join_reply_verify(&job->reply, &job->key);
		break;
	case XY_JOIN_CHECK_BEACON:
		job->result = xy_join_beacon_verify(&job->beacon, &job->key);
		break;
	}
}

static void reply_send(struct xy_join *j, const struct xy_join_job *job)
{
	if (xy_dp_send(j->cfg.dp, job->port, &job->remote, &job->local, job->out, sizeof(job->out)))
		xy_join_dropped(j, XY_JOIN_DROP_JOIN_UNSENT, &job->remote);
}

// A copied key file. A stranger on the LAN may as well repeat a beacon of ours: it is only said.
static void twin_noted(struct xy_join *j, const struct xy_endpoint *at)
{
	enum { LASTS = 60 }; // seconds; several beacons' time
	char text[XY_ENDPOINT_STRLEN];
	xy_nsec now = xy_env_now(j->cfg.env);
	bool told = now < j->twin_until;
	xy_err_set(&j->twin, EEXIST,
		   "the node at %s tells that it has our key: give each node one of its own (xylem "
		   "genkey)",
		   xy_endpoint_str(at, text));
	j->twin_until = now + LASTS * XY_SEC;
	if (!told)
		xy_log_error("discovery: %s", j->twin.text);
}

const char *xy_join_twin(const struct xy_join *j, xy_nsec now)
{
	return now < j->twin_until ? j->twin.text : NULL;
}

static void done(void *what)
{
	struct xy_join_job *job = what;
	struct xy_join *j = job->j;
	if (job->result)
		xy_join_dropped(j, XY_JOIN_DROP_JOIN_BAD, &job->remote);
	else if (job->work == XY_JOIN_SIGN)
		reply_send(j, job);
	else if (job->work == XY_JOIN_CHECK_REPLY)
		xy_join_learned(j, job);
	else if (memcmp(&job->key, &j->cfg.identity->x25519, sizeof(job->key)) == 0)
		twin_noted(j, &job->remote);
	else if (!xy_links_meet(j->cfg.links, &job->key, &job->remote, xy_env_now(j->cfg.env)))
		xy_join_dropped(j, XY_JOIN_DROP_BEACON_NOBODY, &job->remote);
	j->jobs--;
	job->next_free = j->free;
	j->free = job;
}

void xy_join_job_begin(struct xy_join_job *job)
{
	xy_env_run(job->j->cfg.env, work, done, job);
}

// --- probes

void xy_join_probed(struct xy_join *j, const struct xy_dp_event *ev, xy_nsec now)
{
	uint8_t nonce[XY_JOIN_NONCE_LEN];
	if (xy_join_probe_read(ev->data, ev->len, nonce)) {
		xy_join_dropped(j, XY_JOIN_DROP_JOIN_BAD, &ev->remote);
		return;
	}
	if (!xy_links_open_to(j->cfg.links, &ev->remote)) {
		xy_join_dropped(j, XY_JOIN_DROP_JOIN_CLOSED, &ev->remote);
		return;
	}
	if (!xy_limiter_take(&j->probes, &ev->remote.addr, now) ||
	    !xy_bucket_take(&j->all_probes, now)) {
		xy_join_dropped(j, XY_JOIN_DROP_JOIN_LIMITED, &ev->remote);
		return;
	}
	struct xy_join_job *job = xy_join_job_take(j, XY_JOIN_SIGN, &ev->remote);
	if (!job)
		return;
	job->port = ev->port;
	job->local = ev->local;
	memcpy(job->nonce, nonce, sizeof(nonce));
	xy_join_job_begin(job);
}

// --- beacons

// A forger on the LAN has any number of sources, and with them all that strangers share. Who
// beacons from where a peer is has a share of his own, that others can use up but by forging his
// address.
static bool admit(struct xy_join *j, const struct xy_endpoint *at, xy_nsec now)
{
	if (xy_links_is_at(j->cfg.links, at))
		return xy_limiter_take(&j->known_beacons, &at->addr, now);
	return xy_limiter_take(&j->beacons, &at->addr, now) && xy_bucket_take(&j->all_beacons, now);
}

void xy_join_beacon(struct xy_join *j, const struct xy_endpoint *from, const void *data, size_t len,
		    xy_nsec now)
{
	struct xy_endpoint at = *from;
	struct xy_join_beacon b;
	if (xy_join_beacon_read(data, len, &b) || !xy_link_usable(from)) {
		xy_join_dropped(j, XY_JOIN_DROP_JOIN_BAD, from);
		return;
	}
	at.port = b.port;
	bool our_key = memcmp(&b.ed25519, &j->cfg.identity->ed25519, sizeof(b.ed25519)) == 0;
	if (our_key ? j->cfg.ops.is_here(j->cfg.ops.arg, from)
		    : xy_links_up_at(j->cfg.links, &at, now)) // ours, or nothing new
		return;
	if (!admit(j, &at, now)) {
		xy_join_dropped(j, XY_JOIN_DROP_BEACON_LIMITED, from);
		return;
	}
	struct xy_join_job *job = xy_join_job_take(j, XY_JOIN_CHECK_BEACON, &at);
	if (!job)
		return;
	job->beacon = b;
	xy_join_job_begin(job);
}
