// SPDX-License-Identifier: BSD-3-Clause
// Who is meant: nodes and devices by the name that our config gives them, by the one that they give
// themselves (node info), by key or by address; and the name of an address. One thread; what load
// gives is freed by free.
#pragma once

#include "base/err.h"
#include "base/ip.h"

#include <jansson.h>
#include <stdbool.h>

enum { XY_WHO_LEN = 80 };

struct xy_who {
	json_t *node, *peers; // replies of the daemon
	json_t *tree;	      // NULL: nobody asked for a name that is no peer's
};

int xy_who_load(const char *instance, struct xy_who *out, struct xy_err *err);
void xy_who_free(struct xy_who *w);
// -EINVAL: nobody is called that; err says who is near. name: as people know it, or "".
int xy_who_find(struct xy_who *w, const char *instance, const char *text, struct xy_addr *out,
		char name[static XY_WHO_LEN], struct xy_err *err);
// "this node", a peer's name, what a node calls itself; NULL: nobody knows.
const char *xy_who_is(const struct xy_who *w, const struct xy_addr *addr);
// Is it this node's, or behind it in its /64?
bool xy_who_is_us(const struct xy_who *w, const struct xy_addr *addr);
// The first whole address of a peer: a node's, or of what a leaf may have. False: it has none.
bool xy_who_addr(const json_t *peer, struct xy_addr *out);
// A peer's row by its name, key or address; NULL.
const json_t *xy_who_peer(const struct xy_who *w, const char *text);
// Fails: nobody is called that; says who is near.
int xy_who_nobody(const struct xy_who *w, const char *text);
