// SPDX-License-Identifier: BSD-3-Clause
// Who is meant, and whose an address is: the daemon says it (/xylem/name), and asks nodes for their
// names where nobody is known by that one. One thread; what load gives is freed by free.
#pragma once

#include "base/err.h"
#include "base/ip.h"
#include "client/client.h"
#include "identity/identity.h"

#include <jansson.h>
#include <stdbool.h>

enum { XY_WHO_LEN = 80 };

// How the daemon is asked. is_over is looked at now and then, and ends it: -ECANCELED.
struct xy_who_config {
	const char *instance;
	unsigned timeout_ms;	    // as xy_client_config has it
	bool (*is_over)(void *arg); // NULL: never
	void *arg;
};

struct xy_who {
	struct xy_who_config cfg;
	json_t *node, *peers; // replies of the daemon
	json_t *names;	      // by address, as it said
};

struct xy_who_one {
	bool peer, has_addr; // no address: a leaf to which only networks are allowed
	struct xy_addr addr;
	char name[XY_WHO_LEN]; // as people know it; "": nobody does
	char key[XY_KEY_STRLEN];
};

int xy_who_load(const struct xy_who_config *cfg, struct xy_who *out, struct xy_err *err);
int xy_who_connect(const struct xy_who *w, struct xy_client **out, struct xy_err *err);
void xy_who_free(struct xy_who *w);
// By address, key or name. Fails, too, where several or nobody is called that; err says who is.
int xy_who_find(const struct xy_who *w, const char *text, struct xy_who_one *out,
		struct xy_err *err);
int xy_who_address(const struct xy_who_one *one, struct xy_addr *out, struct xy_err *err);
// "this node", a peer's name, what a node calls itself; NULL: nobody knows. Good until the next
// call.
const char *xy_who_is(struct xy_who *w, const struct xy_addr *addr);
// A peer's row; NULL: it is none.
const json_t *xy_who_row(const struct xy_who *w, const struct xy_who_one *one);
// Where packets to the peer of a row go. False: it has no address.
bool xy_who_addr(const struct xy_who *w, const json_t *row, struct xy_addr *out);
