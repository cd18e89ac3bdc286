// SPDX-License-Identifier: BSD-3-Clause
// What a start is told: the config file, and what the command line adds to it. Read at start, and
// again at each reload on a helper thread: constant once the options are read.
#pragma once

#include "base/err.h"
#include "config/config.h"

enum { XY_SETUP_PEERS = 16 };

struct xy_setup {
	const char *path, *name; // of the config, of the instance
	bool path_given;	 // by -c: it must be there
	bool autoconf;
	unsigned threads;     // --threads: workers; 0: as the config says
	unsigned max_threads; // --max-threads: workers and helpers; 0: as many as there are
	unsigned peer_count;
	const char *peer[XY_SETUP_PEERS]; // --peer: [KEY@]HOST:PORT
};

// One more --peer; a text that is none is refused, whatever the config says. It is kept as it is.
int xy_setup_peer_add(struct xy_setup *s, const char *text, struct xy_err *err);
// --threads, or with most --max-threads: a number of it.
int xy_setup_threads(struct xy_setup *s, bool most, const char *text, struct xy_err *err);
// How many helpers there may be beside the config's workers.
unsigned xy_setup_helpers(const struct xy_setup *s, const struct xy_config *c, unsigned usual);
// Is there a config file, or need there be one? Without one, --peer or --autoconf is config enough.
bool xy_setup_has_file(const struct xy_setup *s);
// The config whole, for the caller to free, also on failure: then it holds what is refused, as
// xy_config_parse leaves it. Without a file its key is in the state folder.
int xy_setup_config(const struct xy_setup *s, struct xy_config *out, struct xy_err *err);
// The state folder that this config means, and whether the key in it is ours to make.
void xy_setup_folder(const struct xy_setup *s, const struct xy_config *c, char *to, size_t size);
bool xy_setup_makes_key(const struct xy_setup *s);
// Reads the key file; makes it where it is missing and ours to make. When it cannot be made: a key
// for this run alone, and *why_lost says so (its text is empty otherwise).
int xy_setup_identity(const struct xy_setup *s, const struct xy_config *c, bool touch,
		      struct xy_identity *out, struct xy_err *why_lost, struct xy_err *err);
