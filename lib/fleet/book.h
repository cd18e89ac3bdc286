// SPDX-License-Identifier: BSD-3-Clause
// The book of records: one of each node, the newest that is let in, whichever source brought it.
// A higher epoch wins, never a later arrival or a registry's revision, so neither replicas that
// disagree nor who replays an old record brings one back: an epoch is remembered as long as a
// record of before could still be valid. One thread; time is given, in Unix seconds; bounded.
#pragma once

#include "fleet/record.h"
#include "fleet/trust.h"

enum {
	XY_FLEET_RECORDS = 16384,
	XY_FLEET_PLACES =
		XY_FLEET_RECORDS + XY_FLEET_RECORDS / 2, // with those kept for their epoch
	XY_FLEET_HOLDS = 2 * XY_FLEET_RECORDS,		 // names of all sources
	XY_FLEET_RESERVED = 256,			 // records that only pinned keys may take
	XY_FLEET_REFUSED = 256,				 // kept to be shown
	XY_FLEET_SOURCES = 4,
	XY_FLEET_HOLD = 255, // longest name that a source has for a record
	// Seconds ahead that a record may be valid: the longest lifetime is a day less, for clocks
	// that differ. Not looked at before the clock is set.
	XY_FLEET_VALID_MOST = 8 * 86400,
	XY_FLEET_CLOCK_SET = 1767225600, // 2026-01-01: before this there was no such program
};

// What became of what a source brought. X(NAME, name, text); those from MALFORMED on are refusals.
#define XY_FLEET_OUTCOMES(X)                                                                   \
	X(NEW, new, "a node that was not known")                                               \
	X(CHANGED, changed, "a newer record of a node that is known")                          \
	X(SAME, same, "it is known")                                                           \
	X(LEFT, left, "its node left")                                                         \
	X(OURS, ours, "our own")                                                               \
	X(REVOKES, revokes, "the CA revoked a key")                                            \
	X(MALFORMED, malformed, "it is no record")                                             \
	X(FORGED, forged, "its signature does not hold")                                       \
	X(OLDER, older, "a newer record of the node is known")                                 \
	X(CONFLICT, conflict,                                                                  \
	  "another record of the same epoch is known: two nodes with one key, "                \
	  "or a state folder that was copied or lost")                                         \
	X(EXPIRED, expired, "it has expired, or would for too long not, or the clocks differ") \
	X(UNTRUSTED, untrusted, "its node is not let in")                                      \
	X(FULL, full, "there is no room for one more record")
enum xy_fleet_outcome {
#define X(NAME, name, text) XY_FLEET_##NAME,
	XY_FLEET_OUTCOMES(X)
#undef X
		XY_FLEET_OUTCOME_COUNT
};
extern const char *const xy_fleet_outcome_names[], *const xy_fleet_outcome_texts[];

// What is known of a node's claim. Its date is fixed when it is heard first, and is another only
// once the node has let go of that network.
struct xy_fleet_claimed {
	uint64_t seen;	// since when its records were seen to name it
	uint64_t dated; // since when it counts, Unix seconds: xy_fleet_claim_dated; 0: not heard
	bool given;	// it was its own here
};

enum { XY_FLEET_SLACK_S = 300 }; // clocks differ by less; what servers lost is back by then

// A claim's own date, as it is believed: its node may write there what it likes.
static inline uint64_t xy_fleet_claim_dated(uint64_t since, uint64_t seen)
{
	uint64_t least = seen > XY_FLEET_SLACK_S ? seen - XY_FLEET_SLACK_S : 0;
	return since < least ? least : since < seen ? since : seen;
}

// The same of who claims it now; k NULL: no record of its node names it.
static inline uint64_t xy_fleet_claim_since(const struct xy_fleet_claimed *k, uint64_t since,
					    uint64_t now)
{
	if (k && k->dated)
		return k->dated;
	if (k && now > k->seen + XY_FLEET_SLACK_S)
		return k->seen;
	return xy_fleet_claim_dated(since, k ? k->seen : now);
}

struct xy_fleet_entry {
	struct xy_fleet_record record;
	char *text; // as it came, NUL-terminated: for a cache
	size_t len;
	bool live;	  // let in and not ended; else it is here for its epoch alone
	unsigned sources; // that have it now, a bit each
	uint64_t taken;	  // when this record came
	uint64_t first;	  // when the node became known
	struct xy_fleet_claimed claimed; // of its record's claim
	bool awaited;	// not live, but nobody listened when it ended: its claim is its own still
	uint64_t until; // it counts: `expires`, or the end of its membership before
	uint64_t epoch_until; // older records could be valid
};

struct xy_fleet_refusal {
	enum xy_fleet_outcome outcome;
	enum xy_fleet_verdict verdict; // of UNTRUSTED
	bool has_key;		       // it could be read so far (of FORGED: as it says)
	struct xy_key key;
	char node[XY_FLEET_NAME + 1]; // as it calls itself
	char hold[XY_FLEET_HOLD + 1]; // the source's name for it
	unsigned source;
	uint64_t first, last;
	unsigned count;
	char why[256];
};

struct xy_fleet_book_config {
	struct xy_key self; // Ed25519: records of our own are none of others'
	unsigned deletes;   // sources, a bit each: what they have no more has ended (a folder); a
			    // bucket's writers may not end a record by deleting it
	struct xy_fleet_trust *trust; // the caller's; REVOKES changes it
	// May take reserved places; NULL: none may. What the record calls itself proves nothing.
	bool (*is_pinned)(void *arg, const struct xy_fleet_record *r);
	// What a book before this one knew of a record's claim, or what was heard of it before the
	// record came; seen 0: nothing before. Asked of each claim that becomes known. NULL: none.
	struct xy_fleet_claimed (*claimed)(void *arg, const struct xy_fleet_record *r);
	void *arg;
};

struct xy_fleet_book;

int xy_fleet_book_create(const struct xy_fleet_book_config *cfg, struct xy_fleet_book **out);
void xy_fleet_book_destroy(struct xy_fleet_book *b);

// A source has this text under that name: a record, or a revocation. why: of what is refused, in
// words that name the node. Of a record of our own: xy_fleet_book_own_epoch.
enum xy_fleet_outcome xy_fleet_book_put(struct xy_fleet_book *b, unsigned source, const char *hold,
					const void *text, size_t len, uint64_t now,
					struct xy_err *why);
// It has something there that is no text of a node's, or cannot be read: shown as refused.
void xy_fleet_book_unread(struct xy_fleet_book *b, unsigned source, const char *hold, uint64_t now,
			  const char *why);
// It has nothing under that name any more. True: a record ended by it.
bool xy_fleet_book_gone(struct xy_fleet_book *b, unsigned source, const char *hold);
// Names that the source has now are put between begin and end; what it has no more is gone at end.
void xy_fleet_book_resync_begin(struct xy_fleet_book *b, unsigned source);
void xy_fleet_book_resync_end(struct xy_fleet_book *b, unsigned source);
// Ends what has expired; how many. Call at xy_fleet_book_next_end at the latest. listened: what
// their nodes said meanwhile would have been heard, so they let go of what they claimed.
unsigned xy_fleet_book_expire(struct xy_fleet_book *b, uint64_t now, bool listened);
// A claim of the node's own date was heard; it counts if it is the first, and came soon after its
// record.
void xy_fleet_book_claim_heard(struct xy_fleet_book *b, const struct xy_key *key,
			       const struct xy_prefix *claim, uint64_t since, uint64_t now);
// Whose record names that network; NULL: nobody's.
const struct xy_fleet_entry *xy_fleet_book_claimer(const struct xy_fleet_book *b,
						   const struct xy_prefix *claim);
void xy_fleet_book_claim_given(struct xy_fleet_book *b, uint32_t at, bool given);
// When what is signed may end at most, so that it is believed now.
uint64_t xy_fleet_valid_most(uint64_t now);
uint64_t xy_fleet_book_next_end(const struct xy_fleet_book *b); // UINT64_MAX: nothing ends
// Trust is another, or the clock was set: who is not let in any more goes. How many. Who would be
// let in now comes when it is put again.
unsigned xy_fleet_book_review(struct xy_fleet_book *b, uint64_t now);

// Changes with each change of what is live.
uint64_t xy_fleet_book_generation(const struct xy_fleet_book *b);
unsigned xy_fleet_book_count(const struct xy_fleet_book *b); // that are live
// Of a record of ours that a source holds, with a good signature: our own is to be above. 0: none.
uint64_t xy_fleet_book_own_epoch(const struct xy_fleet_book *b);
uint64_t xy_fleet_book_outcomes(const struct xy_fleet_book *b, enum xy_fleet_outcome o); // so far
size_t xy_fleet_book_memory(const struct xy_fleet_book *b); // bytes, about
// Places are numbered below XY_FLEET_PLACES, and a node keeps its own while it is here: a cursor
// of a page, and the index of what the caller keeps beside. The next entry in use from *at on, also
// those that are not live; NULL: there are no more.
const struct xy_fleet_entry *xy_fleet_book_next(const struct xy_fleet_book *b, uint32_t *at);
const struct xy_fleet_entry *xy_fleet_book_find(const struct xy_fleet_book *b,
						const struct xy_key *link_key, uint32_t *at);
// Names of sources that stand there now and are refused so, how many; of FULL no more than are
// shown.
unsigned xy_fleet_book_refused(const struct xy_fleet_book *b, enum xy_fleet_outcome o);
// What was refused and still stands in a source, or came last: nth, NULL: there are no more.
const struct xy_fleet_refusal *xy_fleet_book_refusal(const struct xy_fleet_book *b, unsigned nth);
