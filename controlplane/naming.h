// SPDX-License-Identifier: BSD-3-Clause
// Whom people mean: a peer or a node by its name in our config, its key or its address, or as it
// calls itself (node info, once `show tree` or a trace has asked it). What stands in the config
// goes before what others say of themselves, and a name that several bear is nobody's. Control
// thread; what is given out is links' and node info's own, good until the next turn.
#pragma once

#include "base/err.h"
#include "base/ip.h"
#include "identity/identity.h"

struct xy_daemon;

enum { XY_NAMING_LEN = 80 };

// -ENOENT, -EEXIST: err says what there is.
int xy_naming_peer(const struct xy_daemon *d, const char *text, uint32_t *slot, struct xy_err *err);
// Where packets to it go: an address as it is, and that of a peer or node.
int xy_naming_address(const struct xy_daemon *d, const char *text, struct xy_addr *out,
		      struct xy_err *err);

// As people know the node with that key, or NULL; never by a name that a peer has in our config.
const char *xy_naming_known(const struct xy_daemon *d, const struct xy_key *key);
// Likewise, else the beginning of the key.
const char *xy_naming_key(const struct xy_daemon *d, const struct xy_key *key,
			  char to[static XY_NAMING_LEN]);
// Is the address that peer's own: its node's, or a leaf's?
bool xy_naming_has_address(const struct xy_daemon *d, uint32_t slot, const struct xy_addr *a);
