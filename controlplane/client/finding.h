// SPDX-License-Identifier: BSD-3-Clause
// What the files of causes share: a finding, and how answers are read. Any thread; a finding is its
// maker's until it is put.
#pragma once

#include "client/causes.h"

#include <stdbool.h>

enum { XY_FINDING_TEXT = 600 };

struct xy_finding {
	bool fault;
	const char *about;
	char cause[XY_FINDING_TEXT], command[200], remedy[XY_FINDING_TEXT];
	json_t *evidence;
};

// Into cause or remedy.
__attribute__((format(printf, 2, 3))) void xy_finding_say(char to[static XY_FINDING_TEXT],
							  const char *fmt, ...);
__attribute__((format(printf, 2, 3))) void xy_finding_evidence(struct xy_finding *f,
							       const char *fmt, ...);
__attribute__((format(printf, 2, 3))) void xy_finding_command(struct xy_finding *f, const char *fmt,
							      ...);
void xy_finding_put(json_t *to, struct xy_finding *f);

const char *xy_answer_text(const json_t *o, const char *key); // "": none
json_int_t xy_answer_count(const json_t *o, const char *key);
bool xy_answer_has(const json_t *o, const char *key); // and it is not null
bool xy_answer_is(const char *a, const char *b);
// The row of a list whose member `key` is `text`; NULL.
const json_t *xy_answer_row(const json_t *list, const char *key, const char *text);

// A peer's row: it came by itself, and the config does not name it.
bool xy_answer_is_stranger(const json_t *peer);

void xy_causes_peers(const struct xy_answers *a, json_t *to); // causes_peers.c
void xy_causes_node(const struct xy_answers *a, json_t *to);  // causes_node.c
void xy_causes_way(const struct xy_answers *a, json_t *to);   // causes_way.c
