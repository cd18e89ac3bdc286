// SPDX-License-Identifier: BSD-3-Clause
// What is wrong with a node, as far as its answers tell: a pure function over them, which asks
// nobody. Each finding has the likely cause in words, what speaks for it, the command that shows
// it, and what to do. Where two causes look the same it says both. Any thread; nothing is kept.
#pragma once

#include <jansson.h>

struct xy_answers {
	// Replies of the daemon as they came; NULL: not asked, and nothing is said of it.
	const json_t *node, *peers, *neighbours, *gateways, *workers, *ports, *drops;
	// The same, so many seconds before: what rises counts more than what once was.
	const json_t *workers_before, *ports_before, *drops_before, *neighbours_before;
	// By reason: whose dropped packets were (/xylem/drop), where that is known.
	const json_t *owners;
	double seconds;
	// {"load": N of a minute, "cpus": N, "pressure": percent of the last ten seconds in which
	// something waited for a CPU, or null}; NULL: not known.
	const json_t *host;
	// By peer: true: the host at its endpoint answers ping; false: it does not.
	const json_t *underlay;
	// By peer: {"small": answered, "large": likewise, "size": of the large one}.
	const json_t *overlay;
	// Who is asked about alone, by name; NULL: all.
	const char *peer;
	// {"address", "way": as kind in routes, or "none", "own"; "by": [names], "end": of trace or
	// null, "last": who answered it last, or null; "answers": bool, "said": an error or null};
	// NULL: no address is asked about.
	const json_t *target;
};

// [{"level": "fault" or "note", "about", "cause", "evidence": [...], "command", "remedy"}], faults
// first. The caller's.
json_t *xy_causes(const struct xy_answers *a);
