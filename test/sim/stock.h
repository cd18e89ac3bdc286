// SPDX-License-Identifier: BSD-3-Clause
// A stock Babel router (RFC 8966) for simulations: small, slow and written apart from lib/babel, so
// that the two check each other. A handful of prefixes and links, all of cost 96, in arrays. It
// knows nothing of signatures and keeps the router-ids that it hears.
#pragma once

#include "babel/wire.h"
#include "base/time.h"

enum { STOCK_PREFIXES = 8, STOCK_LINKS = 4, STOCK_SOURCES = 8, STOCK_COST = 96 };

struct stock_route {
	bool valid;
	uint64_t rid;
	uint16_t seqno, refmetric;
	xy_nsec until;
};

struct stock_entry {
	struct xy_prefix prefix;
	bool own;
	uint16_t own_seqno;
	struct stock_route routes[STOCK_LINKS];
	int selected; // link; -1: none
	struct {
		uint64_t rid;
		uint16_t seqno, metric;
	} sources[STOCK_SOURCES];
	unsigned source_count;
	uint16_t told; // metric last announced
};

struct stock {
	uint64_t rid;
	unsigned link_count;
	struct xy_addr local[STOCK_LINKS], peer[STOCK_LINKS];
	xy_nsec heard[STOCK_LINKS]; // last Hello; 0: gone
	uint16_t hello;
	struct stock_entry entries[STOCK_PREFIXES];
	unsigned entry_count;
	xy_nsec now, next;
	void (*send)(void *to, struct stock *from, unsigned link, const void *data, size_t len);
	void *to;
};

void stock_own(struct stock *s, const struct xy_prefix *p);
void stock_receive(struct stock *s, unsigned link, const void *data, size_t len, xy_nsec now);
void stock_tick(struct stock *s, xy_nsec now); // every second
const struct stock_entry *stock_find(const struct stock *s, const struct xy_prefix *p);
