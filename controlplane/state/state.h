// SPDX-License-Identifier: BSD-3-Clause
// What a node remembers from one start to the next: its epoch, the last time stamp that it sent in
// a handshake, the keys that it pinned to endpoints, and where its peers were last. One versioned
// file, `state`, in a folder of the instance's own; written beside, synced and renamed, so that it
// is the old one or the new one whole. No loss of it is an error: the node runs, and says what it
// lost.
//
// Control thread only. Writing is a helper's, and takes copies. What is handed out
// stays the state's own and is good until the next call.
#pragma once

#include "base/err.h"
#include "base/ip.h"
#include "env.h"
#include "identity/identity.h"
#include "noise/wg.h"

#include <stdbool.h>
#include <stdint.h>

struct xy_state;

enum {
	XY_STATE_PINS = 256,
	XY_STATE_ENDPOINT_LEN = 272, // of a pin's endpoint, as the user wrote it, with the NUL
	XY_STATE_FOLDER_LEN = 3800,  // with a file's name it fits PATH_MAX
};

#define XY_STATE_BASE "/var/lib/xylem" // the folders of instances stand in it

// Reads the folder's state, and makes the folder (mode 0700) where it is missing. 0 also when
// nothing could be read or nothing can be kept: then *why_lost says so (its text is empty
// otherwise). -ENOMEM.
int xy_state_open(struct xy_state **out, const char *folder, struct xy_err *why_lost);
// Writes what has changed and waits for the disk, unless a helper still writes: then the state
// stays with it, and is not freed.
void xy_state_close(struct xy_state *s);

// From here on saving is a helper's. Before, it waits for the disk.
void xy_state_helped(struct xy_state *s, const struct xy_env *env);
// Begins to write what has changed, if anything did. A folder that could not be used is tried
// again; what an earlier start left in it is taken over.
void xy_state_save(struct xy_state *s);

const char *xy_state_folder(const struct xy_state *s);
const char *xy_state_lost(const struct xy_state *s); // at the start, or still; NULL: nothing
const char *xy_state_unsaved(
	const struct xy_state *s); // why the last save failed; NULL: it did not

// --- the epoch of our announcements
uint32_t xy_state_epoch(const struct xy_state *s); // 0: none saved
int xy_state_epoch_save_now(struct xy_state *s, uint32_t epoch,
			    struct xy_err *err); // waits for the disk
void xy_state_epoch_save(struct xy_state *s, uint32_t epoch, void (*done)(void *arg, int result),
			 void *arg); // on a helper; done on the control thread

// --- the newest time stamp in a handshake of ours; zeros: none
void xy_state_stamp(const struct xy_state *s, uint8_t out[static XY_WG_TAI64N_LEN]);
void xy_state_stamp_set(struct xy_state *s, const uint8_t stamp[static XY_WG_TAI64N_LEN]);

// --- which key answered at an endpoint, as it is written in the config; the oldest makes room
const struct xy_key *xy_state_pin(const struct xy_state *s, const char *endpoint); // NULL: none
int xy_state_pin_set(struct xy_state *s, const char *endpoint, const struct xy_key *key);
unsigned xy_state_pins(const struct xy_state *s);
// The endpoint of one of them; good until one is set.
const char *xy_state_pin_at(const struct xy_state *s, unsigned at, struct xy_key *key);

// --- where a peer was last. Link-local endpoints are not kept: interfaces are numbered anew.
bool xy_state_place(const struct xy_state *s, const struct xy_key *key, struct xy_endpoint *out);
int xy_state_place_set(struct xy_state *s, const struct xy_key *key, const struct xy_endpoint *at);
// Of at most max, from *from (0 at first) on, forgets those that keep does not want; true: there
// are more.
bool xy_state_places_keep(struct xy_state *s, unsigned *from, unsigned max,
			  bool (*keep)(void *arg, const struct xy_key *key), void *arg);
unsigned xy_state_places(const struct xy_state *s);
