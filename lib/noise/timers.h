// SPDX-License-Identifier: BSD-3-Clause
// A peer's WireGuard timers (paper, section 6) as a pure state machine on given time. The workers
// move data and publish when they last did; the control thread calls _run at _deadline, or when an
// event below happens, and carries the returned actions out. Control thread only.
//
// A worker's stamps tell the last time, not the first, so a rule that starts "at the first packet
// after ..." is timed from the poll before, or from an interval before that stamp: early by at most
// XY_WG_POLL, and late by no more where little goes on. Polls come at whole multiples of their
// interval, so that many peers share a wake-up.
#pragma once

#include "noise/wg.h"

// How often a peer with a live session is looked at, and one with which hardly anything was
// exchanged since the look before: what keeps routing's links alive.
#define XY_WG_POLL	 XY_SEC
#define XY_WG_POLL_QUIET (2 * XY_SEC)
#define XY_WG_POLL_FEW	 4 // messages

// What the workers have published, the latest over a peer's sessions (0 = never).
struct xy_wg_activity {
	xy_nsec rx_any, rx_data; // authenticated, any (keepalives too) and with a payload
	xy_nsec tx_any, tx_data;
	uint64_t tx_counter; // messages sent in the current session
	uint64_t messages;   // both ways, ever
};

enum xy_wg_action {		     // bits
	XY_WG_DO_INITIATE = 1 << 0,  // make and send an initiation (retries too)
	XY_WG_DO_KEEPALIVE = 1 << 1, // send an empty transport message in the current session
	XY_WG_DO_GIVE_UP = 1 << 2,   // REKEY_ATTEMPT_TIME is over: drop what is held
	XY_WG_DO_EXPIRE = 1 << 3,    // 3 x REJECT_AFTER_TIME: forget all sessions and the handshake
	XY_WG_DO_NEXT_ENDPOINT =
		1 << 4,		  // this attempt was not answered: try the peer's next endpoint
	XY_WG_DO_REJECT = 1 << 5, // the current session is too old or too used to send in; once
};

struct xy_wg_timers {
	const struct xy_wg_limits *limits;
	xy_nsec persistent_keepalive; // interval, 0 = off
	// handshake
	xy_nsec attempt_start; // first initiation of this attempt, 0 = none under way
	xy_nsec sent_at;       // last initiation sent, 0 = never
	xy_nsec retry_at;      // when to send it again, 0 = no retry
	unsigned attempts;
	// session
	xy_nsec born;	 // the current session's, 0 = no session
	bool initiator;	 // we began it
	bool late_rekey; // the one initiation for receiving in an old session was sent
	// data
	struct xy_wg_activity seen; // at the last run
	xy_nsec keepalive_at;	    // passive keepalive, 0 = off
	xy_nsec new_handshake_at;   // sent data and heard nothing, 0 = off
	xy_nsec persistent_at;	    // 0 = at the first run, XY_NEVER = off
	xy_nsec expire_at;	    // 0 = off
	xy_nsec ran_at;		    // the last run
	bool quiet;		    // it saw little new
	xy_nsec jitter;		    // as last given
	xy_nsec phase; // of polls: their distance from whole multiples, 0 after _init; the caller's
};

void xy_wg_timers_init(struct xy_wg_timers *t, const struct xy_wg_limits *limits,
		       xy_nsec persistent_keepalive);

// Events. want: a packet waits and there is no session to send it in (at most one initiation per
// REKEY_TIMEOUT comes of it; one that is too early is made by a later _run). initiation_sent: each
// one that went out, retries too. jitter: random, in [0, rekey_timeout_jitter]. session: a session
// became current, by the response (initiator: send in it at once, held packets or an empty one, so
// that the peer may use it) or by its first packet (responder). Look at _deadline after each.
uint32_t xy_wg_timers_want(struct xy_wg_timers *t, xy_nsec now);
void xy_wg_timers_initiation_sent(struct xy_wg_timers *t, xy_nsec now, xy_nsec jitter);
void xy_wg_timers_session(struct xy_wg_timers *t, xy_nsec now, bool initiator);
// The initiation that was asked for is not sent now: it is asked for again then, if the attempt
// lasts so long.
void xy_wg_timers_put_off(struct xy_wg_timers *t, xy_nsec until);
void xy_wg_timers_stop(struct xy_wg_timers *t); // the peer is gone or has no way to be reached

// Looks at the clock and at what the workers did; returns actions (XY_WG_DO_ bits).
uint32_t xy_wg_timers_run(struct xy_wg_timers *t, const struct xy_wg_activity *activity,
			  xy_nsec now);
// When _run must be called next; XY_NEVER when nothing is pending.
xy_nsec xy_wg_timers_deadline(const struct xy_wg_timers *t, xy_nsec now);
