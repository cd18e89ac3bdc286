// SPDX-License-Identifier: BSD-3-Clause
// What is said of a file: bounded, and sorted by line, since a reader goes through it from above.
#include "config/config.h"

#include <stdlib.h>

void xy_config_note(struct xy_config_notes *n, unsigned line, const char *text)
{
	unsigned at = n->count;
	if (!n->v)
		n->v = calloc(XY_CONFIG_NOTES, sizeof(*n->v));
	char *copy = n->v && at < XY_CONFIG_NOTES ? strdup(text) : NULL;
	if (!copy) {
		n->more++;
		return;
	}
	for (; at && n->v[at - 1].line > line; at--)
		n->v[at] = n->v[at - 1];
	n->v[at] = (struct xy_config_note){line, copy};
	n->count++;
}
