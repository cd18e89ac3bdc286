// SPDX-License-Identifier: BSD-3-Clause
// Is the head of a request one that any two programs read alike? What is not (RFC 9112
// sections 2.2, 3, 5 and 11.2) is refused, for a proxy before us could see another request in it
// than we do. Pure; one thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct xy_head {
	const char *begin,
		*at; // of the head, and of what comes next; NULL: bytes are not looked at
	unsigned lengths, encodings, hosts;
	unsigned status; // that it is refused with; 0: it is not
	const char *why;
};

// The parts of the request line. in_place: all texts, those below, too, stand where they were
// received, each with a NUL, or two, in place of what ended it, and so do those of the fields: then
// every byte between them is known, what was cut off behind a NUL among them.
void xy_head_begin(struct xy_head *h, const char *method, const char *target, const char *version,
		   bool in_place);
// A field, in the order in which they came.
void xy_head_field(struct xy_head *h, const char *name, const char *value);
// All have come; size: of the head in bytes.
void xy_head_end(struct xy_head *h, const char *version, size_t size);
