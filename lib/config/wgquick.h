// SPDX-License-Identifier: BSD-3-Clause
// A wg-quick file (wg0.conf) as a config of ours: its peers become leaves, for their keys are plain
// WireGuard's, or nodes, where what is routed to them says so. What cannot be carried over is said
// with its line. Secrets are in the result alone, never in a text about it. Pure, any thread.
#pragma once

#include "config/config.h"

struct xy_wgquick {
	char *config; // secret; NULL: there are errors
	unsigned leaves, nodes;
	struct xy_config_notes notes;  // what is not carried over, or is otherwise now
	struct xy_config_notes errors; // what is refused
};

// own: this node's public key, NULL: not known; it decides which addresses of 200::/7 a leaf may
// have. key_file: where that key is, which the config is to name; NULL: where it is looked for
// anyhow. -EINVAL: errors say why; -ENOMEM.
int xy_wgquick_import(const char *text, size_t len, const struct xy_key *own, const char *key_file,
		      struct xy_wgquick *out);
void xy_wgquick_free(struct xy_wgquick *w); // wipes secrets
