// SPDX-License-Identifier: BSD-3-Clause
// What the mesh may reach of this host, as the text of a table of nftables: chains, rules, and a
// counter for each entry of host.allow. Pure: config in, text out. All that comes from a config or
// a peer is numbers here, or a name of characters that mean nothing to nftables. Any thread.
#pragma once

#include "base/err.h"
#include "config/config.h"

// The counters of a table, in the order of its rules.
enum {
	XY_POLICY_OWN,	   // answers to flows that this host began
	XY_POLICY_ERRORS,  // ICMP errors about what it sent
	XY_POLICY_PING,	   // echo requests
	XY_POLICY_REFUSED, // all else
	XY_POLICY_ALLOWED, // the first entry of host.allow, and the others behind it
	XY_POLICY_COUNTERS = XY_POLICY_ALLOWED + XY_CONFIG_ALLOW,
	XY_POLICY_NAME_LEN = 48, // of a table or a counter
	XY_POLICY_PORT_LEN = 20, // "udp/10000-20000"
	XY_POLICY_FROM_LEN = 64, // a peer's name, or a prefix
};

struct xy_policy_of {
	const char *instance, *interface;
	const struct xy_config *config;
	// The key of a peer without one in the config, which may have been found; false: it was
	// not. NULL: none was.
	bool (*key)(void *arg, const struct xy_config_peer *p, struct xy_key *out);
	void *arg;
};

// "xylem_INSTANCE", family inet. Returns to.
const char *xy_policy_table(const char *instance, char to[static XY_POLICY_NAME_LEN]);
const char *xy_policy_counter(unsigned at, char to[static XY_POLICY_NAME_LEN]);
int xy_policy_counter_find(const char *name); // which it is; -1: none

// One transaction that makes the table, in place of one that may be there. *out is malloc'd, or
// NULL: everything is allowed, and there is no table. -EINVAL: no rule can hold a name.
int xy_policy_text(const struct xy_policy_of *of, char **out, struct xy_err *err);
// One transaction after which there is no table of ours.
void xy_policy_text_none(const char *instance, char *to, size_t size);

// Entry i of host.allow, for people. Return to.
const char *xy_policy_port_str(const struct xy_config *c, unsigned i,
			       char to[static XY_POLICY_PORT_LEN]);
const char *xy_policy_from_str(const struct xy_config *c, unsigned i,
			       char to[static XY_POLICY_FROM_LEN]);
// Has it no rule yet, since its peer's key is not known?
bool xy_policy_waits(const struct xy_policy_of *of, unsigned i);
