// SPDX-License-Identifier: BSD-3-Clause
// What was changed at run time: peers that came, settings of peers that are others than the
// config's, the log's level, whether the node is drained. It is a source of the book of peers of
// its own (XY_BOOK_RUNTIME, behind the config: what the file says of a key counts), and lies over
// the config's peers with what was set of them. What the config says itself, sooner or later, is
// not run time any more. Control thread only; no file and no loop in it: text in and out (config.h
// has the syntax).
#pragma once

#include "base/err.h"
#include "config/config.h"
#include "peers/book.h"

enum { XY_RUNTIME_PEERS = 1024, XY_RUNTIME_CHANGES = 1024 };

struct xy_runtime_peer {
	struct xy_config_peer says;
	struct xy_hs_remote remote;
};

struct xy_runtime_change {
	struct xy_config_change set;
	bool lies; // over a peer of the config in force, which says:
	bool was_shut;
	uint16_t was_cost; // 0: nothing
};

struct xy_runtime {
	struct xy_book *book;
	const struct xy_identity *identity;
	unsigned peers, gone, changes;
	struct xy_runtime_peer **peer;	   // [peers], as they came
	struct xy_runtime_peer **leaving;  // [gone] that links may still look at
	struct xy_runtime_change *change;  // [changes]
	int level;			   // enum xy_log_level, or XY_LOG_AS_IT_IS
	uint8_t levels[XY_LOG_PART_COUNT]; // likewise
	bool drained;
};

// What is in force for a part: what was said of it last, here or in the config, counts before what
// was said of all.
enum xy_log_level xy_runtime_level(const struct xy_runtime *r, const struct xy_config *c,
				   enum xy_log_part part);
bool xy_runtime_has_levels(const struct xy_runtime *r); // any was set

void xy_runtime_init(struct xy_runtime *r, struct xy_book *book, const struct xy_identity *id);
void xy_runtime_fini(struct xy_runtime *r); // links look at none of it any more

// Takes over what a file holds, beside what is there: what came since stands. c: the config in
// force, over which it lies from here on (xy_runtime_lay). name: for texts. -EINVAL: it is none.
int xy_runtime_load(struct xy_runtime *r, const char *name, const char *text, size_t len,
		    struct xy_config *c, struct xy_err *err);
// malloc'd, holds secrets: xy_config_text_wipe. NULL: no memory.
char *xy_runtime_text(const struct xy_runtime *r);

// A config that comes into force: its peers are told what was set of them. Before the book has it.
// True: something of it is not run time any more, since the config says so itself.
bool xy_runtime_lay(struct xy_runtime *r, struct xy_config *c);
// What was set of a peer that is neither the config's nor one of ours, and is told anew.
void xy_runtime_lay_on(const struct xy_runtime *r, struct xy_config_peer *p);
// The same config is in force: peers of ours that it has are not, and secrets may be others.
bool xy_runtime_settle(struct xy_runtime *r, const struct xy_config *c);
// A peer that was added and one of the config have one name or one address: *err says which.
bool xy_runtime_twice(const struct xy_runtime *r, const struct xy_config *c, struct xy_err *err);

// Sets a peer of the config, or one of ours; XY_TRAFFIC_AS_IT_IS and cost 0 leave it. to_config:
// the cost is the config's again. p: what is in force for the key, in the config or here. -errno:
// nothing has changed. The book has it as news.
struct xy_runtime_want {
	enum xy_config_traffic traffic;
	uint16_t cost;
	bool to_config;
};
int xy_runtime_set(struct xy_runtime *r, const struct xy_book_peer *p,
		   const struct xy_runtime_want *want, struct xy_err *err);

// text: "{ name = ...; }". c: the config in force. Its key comes back in *out.
int xy_runtime_peer_add(struct xy_runtime *r, const char *text, const struct xy_config *c,
			struct xy_key *out, struct xy_err *err);
// -ENOENT: it is none of ours.
int xy_runtime_peer_remove(struct xy_runtime *r, const struct xy_key *key);
const struct xy_config_peer *xy_runtime_peer(const struct xy_runtime *r, const struct xy_key *key);
const struct xy_runtime_change *xy_runtime_change_of(const struct xy_runtime *r,
						     const struct xy_config_peer *p);
// What was set of a peer that is not there now, by its name or key, is forgotten. -ENOENT: nothing
// was.
int xy_runtime_forget(struct xy_runtime *r, const char *peer);
// Nobody looks at those that went any more: links have none of their keys.
void xy_runtime_sweep(struct xy_runtime *r, bool (*is_there)(void *arg, const struct xy_key *key),
		      void *arg);
// An address of our /64 that no leaf and no interface has. -ENOSPC.
int xy_runtime_address(const struct xy_runtime *r, const struct xy_config *c, struct xy_addr *out);
