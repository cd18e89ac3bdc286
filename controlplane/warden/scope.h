// SPDX-License-Identifier: BSD-3-Clause
// What a config may have of the kernel: whose interface, which addresses, routes, rules, marks and
// ports. The privileged helper makes it of the config that it read itself, and holds every request
// against it. What a reload does not change (fixed at start) is kept from the first one. Pure; any
// thread; freed by _free.
#pragma once

#include "config/config.h"

struct xy_scope_port {
	struct xy_addr address;
	uint16_t port;
	char interface[16]; // "": it is for none alone
	char card[16];	    // driver = "af_xdp": its interface; "": another
	uint16_t taken;	    // where port is 0: the one that the card's first program had; 0: none
};

struct xy_scope {
	// fixed at start
	bool host;		// there is a host interface
	char name[16];		// as it is made
	struct xy_addr node;	// ours
	uint32_t fwmark, table; // the table is also the mark, where none is set
	bool cards;		// of ports with driver = "af_xdp"
	unsigned address_count; // of the host interface, host bits kept
	struct xy_prefix address[17];
	unsigned port_count;
	struct xy_scope_port port[XY_CONFIG_PORTS];
	// a reload may change it
	bool exit;     // one is used
	bool exit_was; // one is, or was by an earlier config, or left its rules behind
	unsigned prefix_count;
	struct xy_prefix *prefix; // what routes may lead to, and what is inside it; sorted
	bool has_len[129];
	// In which the interface may have single addresses; and those of the config before, of
	// which one may still be there.
	struct xy_scope_claims {
		unsigned count;
		struct xy_prefix *v;
	} claims, claims_were;
};

// table: of the instance (kernel/detour.h). -ENOMEM.
int xy_scope_make(const struct xy_config *c, const struct xy_addr *node, uint32_t table,
		  bool no_tun, struct xy_scope *out);
// What a reload changes, out of next, which is taken over and emptied.
void xy_scope_follow(struct xy_scope *s, struct xy_scope *next);
void xy_scope_free(struct xy_scope *s);

bool xy_scope_has_address(const struct xy_scope *s, const struct xy_prefix *a);
// A single address inside of routing.claims, which comes and goes; no other is ever taken away.
bool xy_scope_has_claim(const struct xy_scope *s, const struct xy_prefix *a);
bool xy_scope_had_claim(const struct xy_scope *s,
			const struct xy_prefix *a); // or by the one before
// 200::/7 and our own /64; inside of that, and outside of 200::/7, what the config names. Never a
// default route.
bool xy_scope_has_route(const struct xy_scope *s, const struct xy_prefix *p);
bool xy_scope_has_mark(const struct xy_scope *s, uint32_t mark);
bool xy_scope_has_port(const struct xy_scope *s, const struct xy_addr *a, uint16_t port);
// A card of the config, by AF_XDP; has_program: with this UDP port.
bool xy_scope_has_card(const struct xy_scope *s, const char *interface);
bool xy_scope_has_program(const struct xy_scope *s, const char *interface, uint16_t port);
// Its program has that UDP port; where the config names none, no other one from here on.
void xy_scope_card_takes(struct xy_scope *s, const char *interface, uint16_t port);
// Of packets that the program of that card may take.
bool xy_scope_has_card_address(const struct xy_scope *s, const char *interface,
			       const struct xy_addr *a);
bool xy_scope_has_device(const struct xy_scope *s, const char *interface);
