// SPDX-License-Identifier: BSD-3-Clause
#include "exchange/job.h"

#include <errno.h>
#include <sodium.h>

void xy_jobs_init(struct xy_jobs *jobs)
{
	memset(jobs, 0, sizeof(*jobs));
	for (unsigned i = XY_JOBS; i-- > 0;) {
		jobs->job[i].next = jobs->free;
		jobs->free = &jobs->job[i];
	}
}

struct xy_job *xy_job_take(struct xy_jobs *jobs, bool stranger)
{
	struct xy_job *job = jobs->free;
	if (!job || (stranger && jobs->strangers >= XY_JOBS_STRANGERS))
		return NULL;
	jobs->free = job->next;
	jobs->used++;
	jobs->strangers += stranger;
	job->stranger = stranger;
	job->era = jobs->era;
	return job;
}

void xy_job_give(struct xy_jobs *jobs, struct xy_job *job)
{
	jobs->used--;
	jobs->strangers -= job->stranger;
	sodium_memzero(job, sizeof(*job));
	job->next = jobs->free;
	jobs->free = job;
}

// What a job needs of X25519: of its step, and of who has no static-static secret yet.
struct needs {
	struct xy_hs_dh ss, step;
};

// The key of a MEET becomes one that can be spoken with.
static int met_by(struct xy_job *j)
{
	uint8_t psk[XY_WG_KEY_LEN];
	memcpy(psk, j->theirs.psk, sizeof(psk));
	int r = xy_hs_remote_init(j->pk, psk, &j->theirs);
	sodium_memzero(psk, sizeof(psk));
	return r;
}

static void prepare(struct xy_job *j, struct needs *n)
{
	*n = (struct needs){0};
	j->result = 0;
	switch (j->type) {
	case XY_JOB_INITIATE:
		xy_hs_remote_meet_dh(j->ours, &j->theirs, &n->ss);
		xy_hs_initiation_create_dh(&j->theirs, j->ephemeral, &n->step);
		break;
	case XY_JOB_OPEN:
		xy_hs_initiation_open_dh(j->ours, &j->initiation, &n->step);
		break;
	case XY_JOB_RESPOND:
		xy_hs_response_create_dh(&j->theirs, &j->state, j->ephemeral, &n->step);
		break;
	case XY_JOB_CONSUME:
		xy_hs_response_consume_dh(j->ours, &j->state, &j->response, &n->step);
		break;
	case XY_JOB_MEET:
		j->result = met_by(j);
		if (j->result == 0)
			xy_hs_remote_meet_dh(j->ours, &j->theirs, &n->ss);
		break;
	}
}

static int meet(struct xy_job *j, const struct needs *n)
{
	int r = j->result ? j->result : xy_hs_remote_met(&j->theirs, &n->ss);
	if (r || !j->asked)
		return r;
	return xy_hs_initiation_verify(&j->theirs, &j->initiation, &j->state, j->timestamp);
}

static int initiate(struct xy_job *j, const struct needs *n)
{
	int r = xy_hs_remote_met(&j->theirs, &n->ss);
	return r ? r
		 : xy_hs_initiation_create_with(j->ours, &j->theirs, &n->step, j->timestamp,
						j->index, &j->state, &j->initiation);
}

static int finish(struct xy_job *j, const struct needs *n)
{
	switch (j->type) {
	case XY_JOB_INITIATE:
		return initiate(j, n);
	case XY_JOB_OPEN:
		return xy_hs_initiation_open_with(j->ours, &j->initiation, &n->step, &j->state,
						  j->pk);
	case XY_JOB_RESPOND:
		return xy_hs_response_create_with(&j->theirs, &n->step, &j->state, j->index,
						  &j->response, &j->keys);
	case XY_JOB_CONSUME:
		return xy_hs_response_consume_with(&j->theirs, &n->step, &j->state, &j->response,
						   &j->keys);
	case XY_JOB_MEET:
		return meet(j, n);
	}
	return -EINVAL;
}

static unsigned add(struct xy_x25519_op *all, unsigned n, const struct xy_hs_dh *dh)
{
	memcpy(all + n, dh->op, dh->n * sizeof(*all));
	return n + dh->n;
}

void xy_job_run_burst(struct xy_job *const *job, unsigned n)
{
	struct needs needs[XY_JOB_BURST];
	struct xy_x25519_op all[XY_JOB_BURST * 2 * XY_HS_DH] = {{0}};
	unsigned ops = 0;
	for (unsigned i = 0; i < n; i++) {
		prepare(job[i], &needs[i]);
		ops = add(all, ops, &needs[i].ss);
		ops = add(all, ops, &needs[i].step);
	}
	xy_x25519_burst(all, ops);
	for (unsigned i = 0; i < n; i++)
		job[i]->result = finish(job[i], &needs[i]);
	sodium_memzero(needs, n * sizeof(needs[0]));
}

void xy_job_run(struct xy_job *job)
{
	xy_job_run_burst(&job, 1);
}
