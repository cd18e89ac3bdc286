// SPDX-License-Identifier: BSD-3-Clause
// A network of the mesh's addresses for this node alone, of those that a registry gives out by
// optimistic locking: draw one, look whether it is somebody's, write that it is ours bound to what
// was read, and read again after a while. A registry's servers may disagree, or lose what they
// said they have, so what is held is looked at again and again, and of two who hold one the one
// who claimed it first stays: the other draws anew. That somebody was first is believed of a claim
// (which anybody may date as he likes) for no longer before it was seen than servers need to lose
// one and be given it again; so who has held one for longer than that yields to no claim that was
// not seen before his. A pure machine: it says what is to be asked, one thing at a time, and is
// given answers and the time.
#pragma once

#include "base/time.h"
#include "fleet/kv.h"
#include "fleet/source.h"

enum {
	XY_IPAM_KEY = XY_KV_KEY + 1,
	XY_IPAM_CHECK_S = 60,	  // what is held is read again
	XY_IPAM_SETTLE_MS = 2000, // and what was written
};

struct xy_ipam_now {
	xy_nsec mono;
	uint64_t wall; // Unix seconds
};

// Whose a key is, by its value.
struct xy_ipam_holder {
	enum { XY_IPAM_NOBODY, XY_IPAM_MINE, XY_IPAM_OTHERS } who;
	uint64_t since, expires; // Unix seconds
	uint64_t epoch;
	struct xy_key key;	 // of two who hold it since one second the lower stays
	char name[64];		 // of another, in words
	char owner[XY_IPAM_KEY]; // OTHERS: a key whose value may say that it let it go; "": none
};

// What differs between registries.
struct xy_ipam_kind {
	const char
		*grid; // key that holds how networks are cut, made by who comes first; NULL: none
	void (*key)(const struct xy_prefix *p, char out[static XY_IPAM_KEY]);
	// A value at the key of p.
	void (*judge)(void *arg, const struct xy_prefix *p, const void *value, size_t len,
		      uint64_t wall, struct xy_ipam_holder *out);
	// Has who claimed p let it go, by the value of `owner`? NULL: there is none of these.
	bool (*let_go)(void *arg, const struct xy_prefix *p, const struct xy_ipam_holder *h,
		       const void *value, size_t len);
	// Since when h's claim of p counts, Unix seconds. NULL: `since` of a claim is as it is.
	uint64_t (*dated)(void *arg, const struct xy_prefix *p, const struct xy_ipam_holder *h);
	// Does anybody else use a part of p, as far as is known? why: who, in words.
	bool (*overlaps)(void *arg, const struct xy_prefix *p, char *why, size_t size);
	// It holds it now, or (NULL) nothing, and why.
	void (*claimed)(void *arg, const struct xy_prefix *p, const char *why);
};

enum xy_ipam_do { XY_IPAM_WAIT, XY_IPAM_GET, XY_IPAM_PUT, XY_IPAM_DELETE, XY_IPAM_SIGN };

struct xy_ipam_step {
	enum xy_ipam_do what;
	char key[XY_IPAM_KEY];
	const void *value; // of PUT; the machine's
	size_t len;
	uint64_t bound;
	struct xy_prefix prefix; // of SIGN
	uint64_t since;
};

enum xy_ipam_state {
	XY_IPAM_IDLE,
	XY_IPAM_GRID,	   // is to be read
	XY_IPAM_GRID_MAKE, // written
	XY_IPAM_LOOK,	   // at the key that was drawn
	XY_IPAM_OWNER,	   // of the claim that stands there
	XY_IPAM_SIGNING,
	XY_IPAM_TAKE,
	XY_IPAM_SETTLE,	   // written: read it again after a while
	XY_IPAM_HELD,	   // likewise
	XY_IPAM_GIVE_BACK, // is it ours still?
	XY_IPAM_DELETE_IT,
};

struct xy_ipam {
	const struct xy_ipam_kind *kind;
	void *arg;
	struct xy_fleet_wish wish;
	bool wanted;
	enum xy_ipam_state state;
	bool asked, stale;	 // a step is under way; of what was wanted before
	bool held;		 // claimed() said so
	xy_nsec at;		 // nothing is to be done before
	struct xy_prefix prefix; // drawn, or held
	struct xy_ipam_holder mine, other;
	uint64_t bound;		   // what the next write is bound to
	uint64_t since, signed_at; // of our claim
	unsigned losses;	   // draws that were somebody's, in a row
	char text[XY_KV_VALUE];
	size_t len;	   // of text: our claim as it is signed
	bool renew;	   // it is to be signed anew
	bool stood;	   // it was written, or seen in the registry: who is later yields to it
	xy_nsec stood_at;  // when that was last so,
	uint64_t made;	   // in the bucket that was made then
	xy_nsec contested; // another's stood there last, in a bucket that never had ours; 0: none
	char why[300];	   // what was said last
};

void xy_ipam_init(struct xy_ipam *m, const struct xy_ipam_kind *kind, void *arg);
// From now on this is wanted; NULL: nothing, and what is held is given back. -EINVAL: err.
int xy_ipam_want(struct xy_ipam *m, const struct xy_fleet_wish *wish, struct xy_ipam_now now,
		 struct xy_err *err);
// What is to be done now. It is to be answered before there is another; WAIT is not, and tells when
// to ask again (XY_NEVER: not before something else).
xy_nsec xy_ipam_step(struct xy_ipam *m, struct xy_ipam_now now, struct xy_ipam_step *out);
// code and e as of xy_kv_get; of PUT and DELETE e is NULL; a code of -EEXIST: bound to another.
void xy_ipam_answer(struct xy_ipam *m, struct xy_ipam_now now, int code,
		    const struct xy_kv_entry *e);
void xy_ipam_signed(struct xy_ipam *m, struct xy_ipam_now now, const char *text, size_t len,
		    const char *why); // text NULL: not, and why
// What is signed is to be so anew.
void xy_ipam_renew(struct xy_ipam *m, struct xy_ipam_now now);
// Something was heard of this key, or of who uses what: what is held is looked at soon.
void xy_ipam_heard(struct xy_ipam *m, struct xy_ipam_now now, const char *key);
// Is all given back, or nothing wanted and nothing held?
static inline bool xy_ipam_is_idle(const struct xy_ipam *m)
{
	return m->state == XY_IPAM_IDLE;
}

// "{"v":1,"cidr":"fd10::/16","prefix":48}", and whether another's says the same. -EINVAL: err.
int xy_ipam_grid_text(const struct xy_fleet_wish *w, char *out, size_t size);
int xy_ipam_grid_check(const struct xy_fleet_wish *w, const void *text, size_t len,
		       struct xy_err *err);
// A network of so many bits in the cidr, at random.
struct xy_prefix xy_ipam_draw(const struct xy_fleet_wish *w);
