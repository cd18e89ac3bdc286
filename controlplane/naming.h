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

enum xy_named_kind { XY_NAMED_US, XY_NAMED_PEER, XY_NAMED_NODE, XY_NAMED_ADDRESS };

struct xy_named {
	enum xy_named_kind kind; // ADDRESS: nobody is known there
	bool by_itself;		 // found by nothing but what it calls itself
	uint32_t slot;		 // of PEER
	bool has_key, has_addr;	 // no address: a leaf to which only networks are allowed
	struct xy_key key;
	struct xy_addr addr;	  // where packets to it go
	char name[XY_NAMING_LEN]; // as people know it; "": nobody does, or several bear it
};

// Address, key, name of a peer in our config, and at last what nodes call themselves, in this
// order. err says what there is. -ENOENT: nobody, as far as nodes were asked; -EEXIST: several;
// -EAGAIN: a peer whose key is not known yet; -EINVAL: nothing is asked.
int xy_naming_find(const struct xy_daemon *d, const char *text, struct xy_named *out,
		   struct xy_err *err);
// Likewise, if it is a peer.
int xy_naming_peer(const struct xy_daemon *d, const char *text, uint32_t *slot, struct xy_err *err);
// Where packets to it go: an address as it is, and that of a peer or node.
int xy_naming_address(const struct xy_daemon *d, const char *text, struct xy_addr *out,
		      struct xy_err *err);

// As people know the node with that key, or NULL; never by a name that a peer has in our config.
// By its address alone: what the node there calls itself, unless a peer of ours has that name;
// NULL.
const char *xy_naming_at(const struct xy_daemon *d, const struct xy_addr *addr);
const char *xy_naming_known(const struct xy_daemon *d, const struct xy_key *key);
// Likewise, else the beginning of the key.
const char *xy_naming_key(const struct xy_daemon *d, const struct xy_key *key,
			  char to[static XY_NAMING_LEN]);
// The peer whose node has that address.
bool xy_naming_neighbour(const struct xy_daemon *d, const struct xy_addr *addr, uint32_t *slot);
// Is the address that peer's own: its node's, or a leaf's?
bool xy_naming_has_address(const struct xy_daemon *d, uint32_t slot, const struct xy_addr *a);
