// SPDX-License-Identifier: BSD-3-Clause
// What a plain WireGuard device behind this node gets: keys made for it, and its config in
// wg-quick's form. A secret key that is made here is printed once, and kept nowhere: the daemon is
// told the public one. Any thread; the struct has secrets, and is its maker's to wipe.
#pragma once

#include "identity/identity.h"

#include <jansson.h>
#include <stdbool.h>

enum { XY_LEAF_HOST = 48 };

struct xy_leaf {
	char secret[XY_KEY_STRLEN], psk[XY_KEY_STRLEN]; // "": not known here
	char host[XY_LEAF_HOST];			// of the endpoint, where none is given
	bool behind;					// that is an address of a private network
	const char *endpoint;				// as it was given; NULL: `host`
};

// A key pair and a preshared key; `key` and `psk` go into params, for /xylem/leaf_add.
void xy_leaf_keys_make(struct xy_leaf *l, json_t *params);
// Where others reach this host: from which address it would send to the world. Nothing is sent.
bool xy_leaf_host_guess(struct xy_leaf *l);
// reply: of /xylem/leaf_add. malloc'd, xy_config_text_wipe frees it; NULL: no memory.
char *xy_leaf_config_text(const struct xy_leaf *l, const json_t *reply);
