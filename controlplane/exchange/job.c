// SPDX-License-Identifier: BSD-3-Clause
#include "exchange/job.h"

#include <sodium.h>

void xy_jobs_init(struct xy_jobs *jobs)
{
	memset(jobs, 0, sizeof(*jobs));
	for (unsigned i = XY_JOBS; i-- > 0;) {
		jobs->job[i].next_free = jobs->free;
		jobs->free = &jobs->job[i];
	}
}

struct xy_job *xy_job_take(struct xy_jobs *jobs, bool stranger)
{
	struct xy_job *job = jobs->free;
	if (!job || (stranger && jobs->strangers >= XY_JOBS_STRANGERS))
		return NULL;
	jobs->free = job->next_free;
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
	job->next_free = jobs->free;
	jobs->free = job;
}

static int meet(struct xy_job *j)
{
	uint8_t psk[XY_WG_KEY_LEN];
	memcpy(psk, j->theirs.psk, sizeof(psk));
	int r = xy_hs_remote_init(j->pk, psk, &j->theirs);
	sodium_memzero(psk, sizeof(psk));
	r = r ? r : xy_hs_remote_meet(j->ours, &j->theirs);
	if (r || !j->asked)
		return r;
	return xy_hs_initiation_verify(&j->theirs, &j->initiation, &j->state, j->timestamp);
}

static int initiate(struct xy_job *j)
{
	int r = xy_hs_remote_meet(j->ours, &j->theirs);
	return r ? r
		 : xy_hs_initiation_create(j->ours, &j->theirs, j->ephemeral, j->timestamp,
					   j->index, &j->state, &j->initiation);
}

void xy_job_run(struct xy_job *j)
{
	switch (j->type) {
	case XY_JOB_INITIATE:
		j->result = initiate(j);
		break;
	case XY_JOB_OPEN:
		j->result = xy_hs_initiation_open(j->ours, &j->initiation, &j->state, j->pk);
		break;
	case XY_JOB_RESPOND:
		j->result = xy_hs_response_create(&j->theirs, &j->state, j->ephemeral, j->index,
						  &j->response, &j->keys);
		break;
	case XY_JOB_CONSUME:
		j->result = xy_hs_response_consume(j->ours, &j->theirs, &j->state, &j->response,
						   &j->keys);
		break;
	case XY_JOB_MEET:
		j->result = meet(j);
		break;
	}
}
