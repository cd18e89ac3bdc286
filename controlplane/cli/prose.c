// SPDX-License-Identifier: BSD-3-Clause
// Sentences on a terminal: broken at words, and harmless whatever is in them.
#include "cli/cli.h"
#include "cli/text.h"

#include <stdlib.h>
#include <string.h>

enum { WIDTH = 78, LEAST = 20 };

void xy_cli_prose(unsigned indent, const char *head, unsigned column, const char *text)
{
	char *clean = xy_text_clean(text);
	const char *p = clean;
	size_t left = indent + column, columns, skip, n;
	size_t width = left + LEAST < WIDTH ? WIDTH - left : LEAST;
	printf("%*s%-*s", (int)indent, "", (int)column, head);
	while (*p) {
		n = xy_text_line(p, width, &columns, &skip);
		printf("%*s%.*s\n", p == clean ? 0 : (int)left, "", (int)n, p);
		p += n + skip;
	}
	if (p == clean)
		putchar('\n');
	free(clean);
}
