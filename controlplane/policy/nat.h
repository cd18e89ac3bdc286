// SPDX-License-Identifier: BSD-3-Clause
// The NAT that an offered exit needs: what comes out of the mesh goes on under this host's own
// address, since no router of the world leads back to 200::/7, nor to a private IPv4 address. The
// rules are the user's to make: here they are written, and looked for in what the kernel has. Pure,
// but for the list. Any thread.
#pragma once

#include "base/err.h"
#include "config/config.h"

#include <stdio.h>

// The IPv4 prefixes that users of the exit send from, by the config: accepted of them, or allowed
// to leaves. malloc'd, or NULL: no memory. At least one place, with *count 0.
struct xy_prefix *xy_nat_sources(const struct xy_config *c, unsigned *count);
// Commands of a shell, a line each, with `before` in front.
void xy_nat_print(FILE *to, const char *before, const char *interface, const struct xy_prefix *v4,
		  unsigned count);

struct xy_nat_found {
	bool v6, v4; // all of it
};
// Looks in a list of rules (JSON as of nft -j list ruleset) for such as would do: that change the
// source of what comes by the interface out of 200::/7, or out of each of v4. What it cannot
// understand of a rule is taken for well meant. -EINVAL: it is no such list.
int xy_nat_find(const char *json, const char *interface, const struct xy_prefix *v4, unsigned count,
		struct xy_nat_found *out);
// All rules of the kernel, malloc'd. For a helper.
int xy_nat_list(char **json, struct xy_err *err);
