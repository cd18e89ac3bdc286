// SPDX-License-Identifier: BSD-3-Clause
// A place where a fleet's records stand (a folder, a bucket of NATS), as the agent sees it: what
// stands there is told entry by entry, by name and bytes; what it means, whether it is signed and
// who is believed is the agent's to say. The loop's thread alone, in both directions: a source with
// a thread of its own hands over by a bounded queue and uv_async. It keeps trying by itself for as
// long as it lives; the agent never asks again.
#pragma once

#include "base/err.h"
#include "base/ip.h"
#include "identity/identity.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct xy_config_fleet;
struct xy_fleet_source;

enum {
	XY_FLEET_NODE_NAME = 33,     // with its NUL
	XY_FLEET_ENTRY_NAME = 255,   // longest name of an entry: a file's, a key's
	XY_FLEET_ENTRY_BYTES = 4096, // largest value; what is larger is told without its bytes
};

// Who we are, as the daemon says. The address is what the mesh knows us by.
struct xy_fleet_self {
	char name[XY_FLEET_NODE_NAME];
	struct xy_addr address;
	struct xy_key key, link_key; // Ed25519, X25519
};

// A plain WireGuard device (ikto's), which signs nothing.
struct xy_fleet_device {
	char name[XY_FLEET_NODE_NAME];
	struct xy_key link_key;
	char endpoint[64]; // "ADDRESS:PORT"
	struct xy_prefix allowed[8];
	unsigned allowed_count;
};

// The text of a claim that the node signed; NULL: not, and why.
typedef void xy_fleet_source_signed(void *arg, const char *text, size_t len, const char *why);

// What a source tells its agent, and asks of it. None is called before start has returned, nor
// after close.
struct xy_fleet_source_ops {
	// An entry is there, or is another than it was. text may be any bytes and is the source's;
	// NULL: it cannot be read, or is larger than XY_FLEET_ENTRY_BYTES: why says so, in words
	// for people. revision: whatever tells two states of it apart, for people alone.
	void (*put)(void *arg, struct xy_fleet_source *s, const char *name, const char *text,
		    size_t len, uint64_t revision, const char *why);
	// The same of an entry that is a plain device.
	void (*device)(void *arg, struct xy_fleet_source *s, const char *name,
		       const struct xy_fleet_device *d);
	void (*gone)(void *arg, struct xy_fleet_source *s, const char *name);
	// A claim stands at the key of this address, as its node signed it; text NULL: none does.
	// NULL as a function: nobody asks.
	void (*claim)(void *arg, struct xy_fleet_source *s, const struct xy_addr *address,
		      const char *text, size_t len);
	// Since when the claim of that node (Ed25519) counts, which says `since` of itself: Unix
	// seconds. NULL as a function: as it says.
	uint64_t (*dated)(void *arg, struct xy_fleet_source *s, const struct xy_key *key,
			  const struct xy_prefix *claim, uint64_t since);
	// Does another's record name p as its claim? who: its node. NULL as a function: not known.
	bool (*named)(void *arg, struct xy_fleet_source *s, const struct xy_prefix *p, char *who,
		      size_t size);
	// Up: what it tells is whole and new; said after the first look at all entries. Down: what
	// it told stays until records end. Called at each change, and with another why.
	void (*state)(void *arg, struct xy_fleet_source *s, bool up, const char *why);
	// Has the node sign that it claims this since then (Unix seconds), for as long as its
	// record is good. done is called once, now or later, but never after the source was closed.
	void (*sign)(void *arg, struct xy_fleet_source *s, const struct xy_prefix *claim,
		     uint64_t since, xy_fleet_source_signed *done, void *done_arg);
	// What this node has of the mesh's addresses: claimed, NULL: nothing (yet), and why.
	void (*claimed)(void *arg, struct xy_fleet_source *s, const struct xy_prefix *claim,
			const char *why);
};

// code: 0 or -errno; why: NULL, or words for people.
typedef void xy_fleet_source_done(void *arg, int code, const char *why);

// What this node wants of the mesh's addresses: a network of `bits` in `cidr`; `drawn` is tried
// first.
struct xy_fleet_wish {
	struct xy_prefix cidr, drawn;
	unsigned bits;
	bool retry; // draw another where that one is taken
};

// The face of one kind. Whoever makes a source embeds it at the beginning of his own.
struct xy_fleet_source {
	const char *kind; // "folder", "nats", "ikto"
	char place[256];  // for people: "/etc/xylem/fleet.d", "tls://a:4222, bucket xylem"
	// Begins to look. 0, or -errno and err: what no later try would mend.
	int (*start)(struct xy_fleet_source *s, struct xy_err *err);
	// This node's record as the daemon signed it, in place of the one before; it goes on to be
	// put there until it is, or another is given. done is called once, now or later
	// (-ECANCELED: another came, or it ends). The bytes are the caller's. A source of plain
	// devices takes self alone.
	void (*publish)(struct xy_fleet_source *s, const struct xy_fleet_self *self,
			const char *text, size_t len, xy_fleet_source_done *done, void *arg);
	// The same for the last time: the record says that it ended (text; a source whose records
	// cannot say so removes its entry), and the claim is given back.
	void (*leave)(struct xy_fleet_source *s, const struct xy_fleet_self *self, const char *text,
		      size_t len, xy_fleet_source_done *done, void *arg);
	// From now on this is wanted; NULL: nothing more. claimed() tells what came of it, and each
	// change. NULL as a function: this kind gives no addresses.
	void (*claim)(struct xy_fleet_source *s, const struct xy_fleet_self *self,
		      const struct xy_fleet_wish *wish);
	// The fleet's CA revoked a key, as another source or the cache says: it is put there where
	// it is missing, so that a bucket's age or writer takes none back. NULL as a function: it
	// is not.
	void (*revoked)(struct xy_fleet_source *s, const char *text, size_t len);
	// All that stands there is told again, also what is as it was: what was refused for a while
	// alone (a clock that was wrong, no room) may count now.
	void (*tell_again)(struct xy_fleet_source *s);
	// Ends it; memory goes when the loop has closed its handles. NULL is none.
	void (*close)(struct xy_fleet_source *s);

	const struct xy_fleet_source_ops *ops; // set by who makes it, with arg
	void *arg;
};

// nats.c: kinds "nats" and "ikto", by the config; it must stay. state: folder of this instance, for
// what has to outlive a restart.
int xy_fleet_nats_create(uv_loop_t *loop, const struct xy_config_fleet *config, const char *state,
			 const struct xy_fleet_source_ops *ops, void *arg,
			 struct xy_fleet_source **out, struct xy_err *err);
