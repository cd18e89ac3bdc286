// SPDX-License-Identifier: BSD-3-Clause
// The WireGuard exchange with one static key: handshakes in both roles, cookies, timers, sessions.
// It decides when a message is due, what is in it, and which session is sent in. Where it goes,
// whom a key belongs to, and what people are told is its owner's, whom it asks and tells by ops:
//
//        helper's result, timer, message, event of a session
//                              |
//     links ----------> xy_exchange_* ----- ops -----> links
//     (far nodes) --'        |    |               `--> (far nodes)
//                   struct xy_job dataplane.h: sessions, by the number of whom they are with
//
// An owner has a range of those numbers, and holds its exchanges itself, each a part of what it
// knows of the other side; all owners share one static key, one space of session indices and one
// pool of jobs; by its label no message of one owner's handshakes opens at another. No loop, no
// socket, no clock in it: time comes with each call, but that of drops by env. Control thread only,
// but for xy_job_run.
#pragma once

#include "base/err.h"
#include "env.h"
#include "exchange/job.h"
#include "identity/identity.h"
#include "nodeinfo/nodeinfo.h"
#include "noise/cookie.h"
#include "noise/keypairs.h"
#include "noise/limiter.h"
#include "noise/timers.h"

// What is dropped or refused of handshakes, here or by an owner, in the order of the checks: name
// and text for `show drops`.
#define XY_HS_DROPS(X)                                                                        \
	X(MALFORMED, hs_malformed, "handshake message of wrong type or length")               \
	X(BAD_MAC, hs_bad_mac, "handshake message with a wrong mac1: meant for another key")  \
	X(COOKIE, hs_cookie, "handshake answered with a cookie: under load")                  \
	X(LIMITED, hs_limited, "handshakes from one source above its rate")                   \
	X(BUSY, hs_busy, "handshake dropped: helper queue full")                              \
	X(BAD, hs_bad, "handshake message that does not open: wrong key or secret")           \
	X(UNKNOWN_KEY, hs_unknown_key, "handshake from a key that is no peer")                \
	X(PROVISIONAL, hs_provisional, "stranger's link ended to make room for another")      \
	X(OPEN_FULL, hs_open_full, "no room for one more open peer: raise max_open_peers")    \
	X(OPEN_SHARE, hs_open_share, "open peer made room for one of another network")        \
	X(SOURCE, hs_source, "handshake end to end from an address that is not its key's")    \
	X(OWN_KEY, hs_own_key, "handshake end to end with our own key: has another node it?") \
	X(FAR_FULL, hs_far_full, "no room for one more node end to end: raise max_sessions")  \
	X(COLLISION, hs_collision, "stranger's key with the /64 of another peer, or ours")    \
	X(REPLAY, hs_replay, "initiation seen before (time stamp not newer)")                 \
	X(FLOOD, hs_flood, "initiations of one peer above 50 a second")                       \
	X(SUITE, hs_suite, "handshake in a cipher suite that this node has not, or refuses")  \
	X(UNASKED, hs_unasked, "response or cookie to nothing that we asked")                 \
	X(OVERLAY, hs_overlay, "handshake or packet from an underlay address in the overlay") \
	X(NO_INDEX, hs_no_index, "no free session: raise max_sessions")                       \
	X(UNSENT, hs_unsent, "handshake message that could not be queued for sending")

enum xy_hs_drop {
#define X(NAME, name, text) XY_HS_DROP_##NAME,
	XY_HS_DROPS(X)
#undef X
		XY_HS_DROP_COUNT
};
extern const char *const xy_hs_drop_name[XY_HS_DROP_COUNT];
extern const char *const xy_hs_drop_text[XY_HS_DROP_COUNT];

// Our own handshake as initiator. Its index is reserved in the dataplane in all states but NONE.
enum xy_exchange_hs {
	XY_EXCHANGE_HS_NONE,
	XY_EXCHANGE_HS_CREATING, // message 1 is being made
	XY_EXCHANGE_HS_SENT,	 // message 1 is out; responses may be with helpers
};

// In which suite its next handshakes are (suite.c): in WireGuard's own until it told, inside a
// session, that another is its choice, too.
struct xy_exchange_suite {
	bool plain;	    // a device that has WireGuard's alone
	bool whole;	    // what it seals is nobody else's to vouch for: no light suite
	bool asked;	    // the last initiation asked for another than WireGuard's
	uint8_t tried;	    // initiations that did, and were not answered though packets come
	unsigned edition;   // of ours, that this is by
	uint8_t can, best;  // of the other side: suites, a bit each; the one that it would have
	bool told;	    // can, best
	xy_nsec due;	    // when we begin again, for another suite; 0: not
	xy_nsec ask_after;  // what it says unasked has us ask no sooner
	xy_nsec not_before; // it did not answer to another than WireGuard's: none until then
	uint64_t fallbacks; // sessions in WireGuard's since another was not answered
};

// The lanes that its current session is sent in (lanes.c).
struct xy_exchange_lanes {
	uint32_t index; // of that session: ours
	uint8_t count;	// that both take; 0: not told yet
	uint8_t step;	// what is done when it is due
	uint8_t looks;	// at whether it is worth it
	uint8_t missed; // answers in a row that some lane is not heard by
	uint64_t used;	// a bit each, the first always
	xy_nsec checked;
	xy_nsec due; // 0: nothing is
};

struct xy_exchange {
	uint32_t number;	    // the dataplane's; by it its owner is known
	uint32_t hs_index;	    // our initiation's
	uint64_t serial;	    // no other has, or had it
	uint32_t restarts;	    // what helpers work on from before is void
	struct xy_hs_remote theirs; // key and secrets
	struct xy_cookie_jar jar;
	struct xy_wg_timers timers;
	struct xy_keypairs keypairs;

	struct xy_hs_state hs_state;
	xy_nsec hs_sent, hs_until; // SENT: when, and until when it may be answered
	xy_nsec retry_due;	   // its turn among those that do not answer; 0: it has none
	uint8_t timestamp[XY_WG_TAI64N_LEN]; // newest that was accepted
	uint8_t stamped[XY_WG_TAI64N_LEN];   // newest that was sent
	xy_nsec initiation_seen;
	xy_nsec last_handshake;

	uint64_t moved_rx; // packets of the current session when its owner was last judged
	uint64_t moved_handed;
	uint32_t moved_index;
	enum xy_exchange_hs hs;
	uint64_t sent, failed;	 // initiations; those that were not answered
	unsigned answers_unused; // of ours, since a session of its was used
	uint8_t consuming;	 // responses with helpers, of earlier initiations, too
	bool responding;	 // a RESPOND job is under way
	bool unanswered;	 // the last attempt was given up
	struct xy_exchange_suite suite;
	struct xy_exchange_lanes lanes;
};

// --- owners

enum xy_exchange_change {
	XY_EXCHANGE_BEGUN,    // it has a session, which the other side may not have used yet
	XY_EXCHANGE_CURRENT,  // one became current: it is sent in
	XY_EXCHANGE_AGED,     // the sessions were too old, and none is left to send in
	XY_EXCHANGE_ENDED,    // so long ago that all was forgotten
	XY_EXCHANGE_GIVEN_UP, // nobody answered for REKEY_ATTEMPT_TIME
};

// What it learns on the way that decides nothing here. Most can be forged by whoever sees the
// handshakes.
enum xy_exchange_note {
	XY_NOTE_REFUSED,   // its message, for the reason `why`, which is counted
	XY_NOTE_STAMP,	   // its initiation bears `stamp`, and is accepted
	XY_NOTE_OLD_STAMP, // or refused: one of before was newer, and it is not heard
	XY_NOTE_ANSWERED,  // it is: answers_unused counts
	XY_NOTE_SECRET,	   // a response does not open
	XY_NOTE_BUSY,	   // it asks for a cookie
	XY_NOTE_OTHER_KEY, // an initiation is for another key than ours; from nobody known
};

struct xy_exchange_noted {
	enum xy_exchange_note what;
	const struct xy_exchange_place *at; // where its message came from
	const uint8_t *stamp;		    // [XY_WG_TAI64N_LEN]
	enum xy_hs_drop why;
};

// Each is called with the owner's arg. An exchange may be taken out by _opened and _met alone.
struct xy_exchange_ops {
	const char *kind; // what it is with, before its name: "peer"
	const char *(*name)(const struct xy_exchange *x);
	struct xy_exchange *(*find)(void *arg, uint32_t number); // NULL: there is none
	// Does a message from there come from one that is known (x: or asked there)? Else it is a
	// stranger's.
	bool (*knows)(void *arg, const struct xy_exchange *x, const struct xy_exchange_place *at);
	bool (*crowded)(void *arg); // so many strangers that cookies are asked
	// An initiation was opened, and is job->pk's: its exchange, which then answers if the rest
	// holds; NULL: none, and the owner has counted why, or has the key met (xy_exchanges_meet).
	struct xy_exchange *(*opened)(void *arg, const struct xy_job *job, xy_nsec now);
	// It can be done; job->result: it cannot, or (-ESTALE) is void, and is counted.
	void (*met)(void *arg, const struct xy_job *job, xy_nsec now);
	// Where the next initiation goes, again: the one before was not answered. False: nowhere.
	bool (*place)(void *arg, struct xy_exchange *x, bool again, struct xy_exchange_place *to,
		      xy_nsec now);
	// x NULL: a cookie, to whoever that message came from. -errno.
	int (*send)(void *arg, struct xy_exchange *x, const struct xy_exchange_place *to,
		    const void *msg, size_t len);
	void (*came_from)(void *arg, struct xy_exchange *x, const struct xy_exchange_place *at,
			  xy_nsec now); // an authenticated message
	void (*changed)(void *arg, struct xy_exchange *x, enum xy_exchange_change what,
			xy_nsec now);
	void (*held_release)(void *arg, struct xy_exchange *x); // packets that wait are dropped
	void (*noted)(void *arg, struct xy_exchange *x, const struct xy_exchange_noted *n,
		      xy_nsec now);
	void (*schedule)(void *arg, struct xy_exchange *x, xy_nsec now); // by its _deadline
	void (*renew)(void *arg); // each is to begin anew, soon (xy_exchange_restart)
};

// What strangers of one owner may cost (noise/limiter.h); admit.c.
struct xy_admission {
	unsigned rate, burst; // handshakes before cookies are asked
	// With a cookie, of one payer, a second and at once; 0: as WireGuard's, for one host.
	unsigned cookied_rate, cookied_burst;
	struct xy_limiter known, cookied;
	struct xy_load load;
};

struct xy_exchange_owner {
	const struct xy_exchange_ops *ops;
	void *arg;
	uint32_t first, count;		// its numbers
	const char *label;		// of its handshakes (noise/handshake.h); NULL: WireGuard's
	const struct xy_hs_local *ours; // set by _own
	struct xy_admission admission;
	// Those that do not answer share the initiations to them, one in so long: an X25519 each,
	// which as many as there are would be for ever. 0: each by its timers alone.
	xy_nsec retry_every;
	xy_nsec retry_last; // the last turn that was given
};

// --- all of them

// Which suites a node computes, a bit each (enum xy_wg_suite), and which of them it would have.
struct xy_suites {
	uint8_t can, best;
	bool only; // `best` alone, but with what is plain
};

struct xy_exchanges_config {
	struct xy_dp *dp;
	const struct xy_identity *identity;
	struct xy_wg_limits limits;
	uint32_t room; // exchanges that have a session each without a call that moves them all
	// No handshake of ours carries an older time stamp than this; zeros: none was sent yet.
	uint8_t stamp_floor[XY_WG_TAI64N_LEN];
	const struct xy_env *env;
	struct xy_suites suites; // ours
	// To be asked, inside the session that it has now, which suites it has
	// (xy_exchange_suites).
	void (*suites_ask)(void *arg, const struct xy_exchange *x);
	// Most lanes of a session, either way, up to XY_DP_LANES; below 2: as WireGuard.
	uint8_t lanes;
	// To be asked, inside the session that it has now, how many it takes, for
	// xy_exchange_lanes_told. False: later.
	bool (*lanes_ask)(void *arg, const struct xy_exchange *x,
			  const struct xy_nodeinfo_lanes *q);
	// Has xy_job_run called on a helper and, on the control thread, xy_exchanges_job_done
	// after. Takes the job in any case, and needs no memory for it: there are XY_JOBS.
	void (*run)(void *arg, struct xy_job *job);
	void *arg;
};

struct xy_exchanges;
struct xy_offenders;

int xy_exchanges_create(const struct xy_exchanges_config *cfg, struct xy_exchanges **out,
			struct xy_err *err);
void xy_exchanges_destroy(struct xy_exchanges *e); // no owner is left, and no job under way
// The owner's memory, with ops, arg, numbers, label, and its admission's rates set; good until
// _disown.
void xy_exchanges_own(struct xy_exchanges *e, struct xy_exchange_owner *o);
void xy_exchanges_disown(struct xy_exchanges *e, struct xy_exchange_owner *o);

// A handshake message that came for one of this owner's. payer: whose allowance it uses up.
struct xy_exchange_message {
	const uint8_t *data;
	size_t len;
	struct xy_exchange_place at;
	struct xy_addr payer;
};
void xy_exchanges_take(struct xy_exchanges *e, struct xy_exchange_owner *o,
		       const struct xy_exchange_message *m, xy_nsec now);
// Is it an initiation or a response, and meant for our key? That costs a hash.
bool xy_exchanges_is_meant(struct xy_exchanges *e, const struct xy_exchange_message *m,
			   xy_nsec now);
void xy_exchanges_job_done(struct xy_exchanges *e, struct xy_job *job, xy_nsec now);
unsigned xy_exchanges_jobs(const struct xy_exchanges *e); // under way
// Has a helper make what a handshake with this key needs, for ops.met. opened: its initiation,
// which is checked as well; or NULL. False: too many are under way, counted.
bool xy_exchanges_meet(struct xy_exchanges *e, struct xy_exchange_owner *o,
		       const uint8_t pk[static XY_WG_KEY_LEN],
		       const uint8_t psk[static XY_WG_KEY_LEN], const struct xy_endpoint *remote,
		       const struct xy_job *opened);
// The same for a key that is wanted here: it need not come after what strangers ask for.
bool xy_exchanges_meet_wanted(struct xy_exchanges *e, struct xy_exchange_owner *o,
			      const uint8_t pk[static XY_WG_KEY_LEN],
			      const uint8_t psk[static XY_WG_KEY_LEN],
			      const struct xy_endpoint *remote);
// All handshakes under way are void, and owners are told to begin anew: their keys may be in use in
// a copy of this machine, or are older than its clocks could tell.
void xy_exchanges_renew(struct xy_exchanges *e);
// Ours, from the next handshakes on; what was not answered before is tried again.
void xy_exchanges_suites_set(struct xy_exchanges *e, const struct xy_suites *ours);
const struct xy_suites *xy_exchanges_suites(const struct xy_exchanges *e);
// The exchange of a session, or of a handshake under way, if it is this owner's; else NULL.
struct xy_exchange *xy_exchanges_by_index(const struct xy_exchanges *e,
					  const struct xy_exchange_owner *o, uint32_t index);
uint32_t xy_exchanges_indices(const struct xy_exchanges *e); // taken, by all owners
const struct xy_wg_limits *xy_exchanges_limits(const struct xy_exchanges *e);
// The newest time stamp that was sent; zeros: none.
void xy_exchanges_stamp(const struct xy_exchanges *e, uint8_t out[static XY_WG_TAI64N_LEN]);
// x: whose it was, or in whose name; NULL: who brought it, if anybody known did, else a stranger.
// at: where it came from, or (UNSENT) was to go; NULL: it is not of a message that came.
void xy_exchanges_drop(struct xy_exchanges *e, enum xy_hs_drop why, const struct xy_exchange *x,
		       const struct xy_exchange_place *at);
uint64_t xy_exchanges_drops(const struct xy_exchanges *e, enum xy_hs_drop which);
const struct xy_offenders *xy_exchanges_offenders(const struct xy_exchanges *e); // by xy_hs_drop
// The number is nobody's from now on: nothing of before is told of it. (_init does it, too.)
void xy_exchanges_forget(struct xy_exchanges *e, uint32_t number);

// --- one. Look at _deadline after each call with time in it.

// x is zeroed. keepalive: persistent, 0 = off.
void xy_exchange_init(struct xy_exchanges *e, struct xy_exchange *x, uint32_t number,
		      const struct xy_hs_remote *theirs, xy_nsec keepalive);
void xy_exchange_clear(struct xy_exchanges *e, struct xy_exchange *x); // handshake and sessions go
// And the timers begin anew; what helpers work on for it is void, since its secret may be another.
void xy_exchange_restart(struct xy_exchanges *e, struct xy_exchange *x);
void xy_exchange_keepalive_set(struct xy_exchange *x, xy_nsec keepalive, xy_nsec now);
void xy_exchange_want(struct xy_exchanges *e, struct xy_exchange *x, xy_nsec now); // packets wait
void xy_exchange_stop(struct xy_exchanges *e, struct xy_exchange *x); // it is nowhere: none waits
void xy_exchange_act(struct xy_exchanges *e, struct xy_exchange *x, uint32_t actions, xy_nsec now);
void xy_exchange_run(struct xy_exchanges *e, struct xy_exchange *x, xy_nsec now);
xy_nsec xy_exchange_deadline(const struct xy_exchanges *e, const struct xy_exchange *x,
			     xy_nsec now);
// The first authenticated packet came in this session (XY_DP_FIRST).
void xy_exchange_first(struct xy_exchanges *e, struct xy_exchange *x, uint32_t index, xy_nsec now);
void xy_exchange_keepalive(struct xy_exchanges *e, const struct xy_exchange *x); // if it has one
// Message 1, checked: if it is newer than the last, it is answered.
void xy_exchange_answer(struct xy_exchanges *e, struct xy_exchange *x, const struct xy_job *job,
			xy_nsec now);

// It told, inside a session, which suites it has; asked: by us. Else it has us ask. Whoever began
// the session begins again where both would have another.
void xy_exchange_suites(struct xy_exchanges *e, struct xy_exchange *x, uint8_t can, uint8_t best,
			bool asked, xy_nsec now);

// It asked, inside a session, for lanes of one of ours with it; the answer. False: that is none.
bool xy_exchange_lanes_asked(struct xy_exchanges *e, struct xy_exchange *x,
			     const struct xy_nodeinfo_lanes *q, struct xy_nodeinfo_lanes *out);
// What it answered us.
void xy_exchange_lanes_told(struct xy_exchanges *e, struct xy_exchange *x,
			    const struct xy_nodeinfo_lanes *its, xy_nsec now);
unsigned xy_exchange_lanes(const struct xy_exchange *x); // that its current session is sent in
// Why so many, for people; static text.
const char *xy_exchange_lanes_why(const struct xy_exchanges *e, const struct xy_exchange *x);

// There is a session to send in.
bool xy_exchange_is_up(const struct xy_exchanges *e, const struct xy_exchange *x, xy_nsec now);
// And no handshake waits for an answer: a session outlives the other side by minutes.
bool xy_exchange_is_well(const struct xy_exchanges *e, const struct xy_exchange *x, xy_nsec now);
// Not silent for longer than who answers data can be.
bool xy_exchange_is_heard(const struct xy_exchanges *e, const struct xy_exchange *x, xy_nsec now);
unsigned xy_exchange_sessions(const struct xy_exchange *x);
