// SPDX-License-Identifier: BSD-3-Clause
// A step of a handshake that costs X25519 operations, as a job for a helper thread. The helper
// calls run and touches nothing but the job and the constant local key; everything else about it
// belongs to the control thread. Jobs live in a fixed pool and are wiped when they go back.
#pragma once

#include "dataplane.h"
#include "noise/handshake.h"

enum xy_job_type {
	XY_JOB_INITIATE, // make message 1
	XY_JOB_OPEN,	 // message 1: who is it?
	XY_JOB_RESPOND,	 // make message 2 and keys
	XY_JOB_CONSUME,	 // message 2: keys
	XY_JOB_MEET,	 // a key that has no exchange yet: what a handshake with it needs
};

struct xy_exchange_owner;

// Where a message came from, and what it came to; or where one is to go.
struct xy_exchange_place {
	struct xy_endpoint remote;
	struct xy_dp_heard heard;
	unsigned worker; // where it came in
	bool inside;	 // in a link: heard.port is its number, and remote an address of the mesh
};

struct xy_job {
	enum xy_job_type type;
	bool asked;	     // MEET: by its message 1, which is checked; else by its beacon
	bool stranger;	     // not known to come from a peer: the first to be refused
	int result;	     // of run
	unsigned era;	     // of the jobs' when it was taken
	struct xy_job *next; // free; or whoever runs it has it

	struct xy_exchange_owner *owner;
	uint32_t number;   // of the exchange it is for, but for OPEN and MEET
	uint64_t serial;   // the exchange's: a later one of the same number is another
	uint32_t restarts; // and it was begun anew so often
	struct xy_exchange_place at;

	const struct xy_hs_local *ours;
	struct xy_hs_remote theirs;
	struct xy_hs_state state;
	struct xy_hs_keys keys;
	uint8_t ephemeral[XY_WG_KEY_LEN];
	uint8_t timestamp[XY_WG_TAI64N_LEN];
	uint8_t pk[XY_WG_KEY_LEN]; // OPEN: the initiator; MEET
	uint32_t index;		   // our receiver index
	struct xy_wg_initiation initiation;
	struct xy_wg_response response;
};

enum {
	XY_JOBS = 256,		// under way at once
	XY_JOB_BURST = 8,	// of them that a helper takes at once
	XY_JOBS_STRANGERS = 32, // of these for strangers: about 2 ms of waiting for a known peer
};

struct xy_jobs {
	struct xy_job job[XY_JOBS];
	struct xy_job *free;
	unsigned used, strangers;
	unsigned era; // rises when all that is under way is void
};

void xy_jobs_init(struct xy_jobs *jobs);
struct xy_job *xy_job_take(struct xy_jobs *jobs, bool stranger); // NULL when there is none left
void xy_job_give(struct xy_jobs *jobs, struct xy_job *job);	 // wipes it
// Any thread. Jobs of a burst have their X25519 done side by side; n is 1 to XY_JOB_BURST.
void xy_job_run(struct xy_job *job);
void xy_job_run_burst(struct xy_job *const *job, unsigned n);
