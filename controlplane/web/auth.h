// SPDX-License-Identifier: BSD-3-Clause
// Who may what: by a session's cookie, by a token, or, where the config has neither password nor
// tokens, everybody who reaches the address (which is this host alone then) may read. Guessing is
// slow: one try at a time for each source, each wrong one is answered later than the one before,
// and at last none is looked at for a while; who has a whole /48 is one source more. A token is too
// long to be guessed: a wrong one is refused at once, and counts for nothing. A password is looked
// at on a helper, one at a time: first of browsers that logged in before (devices.h), then of those
// from where the fewest wrong ones came, and the fewest for which there was no room, and now and
// then of who waits for longest; where too many wait, who was wrong most often goes. What is known
// of sessions and sources is bounded, and gone with the process. The loop's thread alone.
#pragma once

#include "web/web.h"

enum {
	XY_AUTH_SESSIONS = 64,		 // a new one takes the place of the one unused for longest
	XY_AUTH_IDLE_S = 12 * 3600,	 // a session ends when nobody used it for so long,
	XY_AUTH_WHOLE_S = 7 * 24 * 3600, // and after that in any case
	XY_AUTH_SOURCES = 4096,		 // that are remembered
	XY_AUTH_DELAY_MS = 250,		 // of the first wrong try; each doubles it, up to
	XY_AUTH_DELAY_MOST_MS = 4000,
	XY_AUTH_TRIES = 6,	 // then the source is locked
	XY_AUTH_TRIES_WIDE = 60, // then its /48 is: others may live there, too
	XY_AUTH_LOCK_S = 600,
	XY_AUTH_FORGIVEN_S = 900, // after the last one
	XY_AUTH_WAITING = 32,	  // tries that were not looked at, of all sources
	XY_AUTH_WAITING_WIDE = 8, // of a /48
	XY_AUTH_PRESSED = 1000,	  // refused for want of room: each puts a source behind others,
	XY_AUTH_PRESSED_S = 60,	  // for so long
	XY_AUTH_OLDEST = 4,	  // every so many looks are at who waits for longest
};

struct xy_auth;

struct xy_auth_who {
	unsigned scopes; // enum xy_web_scope
	bool cookie;	 // it came by itself, so what changes something must say the session's csrf
	char csrf[48];	 // "": no session
	bool by_token;
	uint8_t token[sizeof(((struct xy_config_web_token *)NULL)->hash)];
	char name[XY_NAME_LEN + 16]; // for the log: "session", "token NAME", "nobody"
};

int xy_auth_create(struct xy_web *w, struct xy_auth **out);
void xy_auth_close(
	struct xy_auth *a); // behind xy_http_end, before xy_http_close: who waits is answered

// False: it was answered, or will be, and is done with.
bool xy_auth_who(struct xy_auth *a, struct xy_http_request *q, struct xy_auth_who *out);
// What changes something comes as JSON, and from no page elsewhere. False: it was answered.
bool xy_auth_may_send(struct xy_http_request *q);
// May it change something, and that as well? False: it was answered why not.
bool xy_auth_may_act(struct xy_auth *a, struct xy_http_request *q, const struct xy_auth_who *who);
// Looks at a password, and answers: by `then` with a new session, whose cookie the answer sets.
typedef void xy_auth_then(struct xy_web *w, struct xy_http_request *q,
			  const struct xy_auth_who *who);
void xy_auth_login(struct xy_auth *a, struct xy_http_request *q, const char *password,
		   xy_auth_then *then);
// Does the session of this csrf still hold? It is in use, then: a stream goes on.
bool xy_auth_is_alive(struct xy_auth *a, const char *csrf);
// Who was let in: would he be so now, and with as much? As above.
bool xy_auth_holds(struct xy_auth *a, const struct xy_auth_who *who);
void xy_auth_sessions_end(struct xy_auth *a);			   // all of them
void xy_auth_logout(struct xy_auth *a, struct xy_http_request *q); // adds the header; no answer
