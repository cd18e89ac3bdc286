// SPDX-License-Identifier: BSD-3-Clause
// What the files of the exchange share. Control thread only.
#pragma once

#include "base/map.h"
#include "exchange/exchange.h"
#include "log.h"
#include "offenders.h"

enum { XY_EXCHANGE_OWNERS = 2 };

struct xy_exchanges {
	struct xy_exchanges_config cfg;
	struct xy_dp *dp;
	struct xy_cookie_checker checker;
	struct xy_exchange_owner *owner[XY_EXCHANGE_OWNERS]; // NULL: none
	struct xy_hs_local ours[XY_EXCHANGE_OWNERS];	     // with the label of each
	struct xy_map by_index;				     // to numbers
	struct xy_jobs jobs;
	uint64_t serial;
	uint8_t stamped[XY_WG_TAI64N_LEN]; // newest that was sent, to anyone
	struct xy_offenders drops;	   // by enum xy_hs_drop
	struct xy_log_limit log_no_index, log_fallback;
	unsigned suites_edition; // rises with ours
};

// --- exchange.c
struct xy_exchange_owner *xy_exchange_owner_of(const struct xy_exchanges *e, uint32_t number);
// For the log: what it is ("peer"), and its name.
const char *xy_exchange_kind(const struct xy_exchanges *e, const struct xy_exchange *x);
const char *xy_exchange_name(const struct xy_exchanges *e, const struct xy_exchange *x);
void xy_exchange_tell(struct xy_exchanges *e, struct xy_exchange *x, enum xy_exchange_change what,
		      xy_nsec now);

// --- admit.c
void xy_admission_init(struct xy_admission *a);
// May this message cost us an X25519? *stranger may become true.
bool xy_exchange_admit(struct xy_exchanges *e, struct xy_exchange_owner *o,
		       const struct xy_exchange_message *m, bool *stranger, xy_nsec now);

// --- handshake.c
void xy_exchange_initiate(struct xy_exchanges *e, struct xy_exchange *x,
			  const struct xy_exchange_place *to, xy_nsec now);
void xy_exchange_handshake_end(struct xy_exchanges *e,
			       struct xy_exchange *x);		 // its index goes back
xy_nsec xy_exchange_handshake_ends(const struct xy_exchange *x); // unanswered; XY_NEVER

// --- suite.c
uint8_t xy_exchange_suite_next(struct xy_exchanges *e, struct xy_exchange *x, xy_nsec now);
void xy_exchange_suite_run(struct xy_exchanges *e, struct xy_exchange *x, xy_nsec now);
// May a session with it be in that one?
bool xy_exchange_suite_allowed(const struct xy_exchanges *e, const struct xy_exchange *x,
			       uint8_t suite);
void xy_exchange_suite_begun(struct xy_exchanges *e, struct xy_exchange *x, uint8_t suite,
			     bool initiator, xy_nsec now);

// --- lanes.c
// A session became current.
void xy_exchange_lanes_begun(const struct xy_exchanges *e, struct xy_exchange *x, uint32_t index,
			     xy_nsec now);
void xy_exchange_lanes_run(struct xy_exchanges *e, struct xy_exchange *x, xy_nsec now);

// --- sessions.c
// asked_from NULL: it is for a handshake of our own.
int xy_exchange_session_reserve(struct xy_exchanges *e, struct xy_exchange *x, uint32_t *index,
				const struct xy_exchange_place *asked_from, xy_nsec now);
void xy_exchange_session_free(struct xy_exchanges *e, uint32_t index);
bool xy_exchange_session_begun(struct xy_exchanges *e, struct xy_exchange *x,
			       const struct xy_job *job, bool initiator, xy_nsec now);
void xy_exchange_sessions_clear(struct xy_exchanges *e, struct xy_exchange *x);
void xy_exchange_sessions_expire(struct xy_exchanges *e, struct xy_exchange *x, xy_nsec now);
xy_nsec xy_exchange_sessions_deadline(const struct xy_exchanges *e, const struct xy_exchange *x);
void xy_exchange_session_place(struct xy_exchanges *e, struct xy_exchange *x); // its replay window
void xy_exchange_activity(const struct xy_exchanges *e, const struct xy_exchange *x,
			  struct xy_wg_activity *out);
