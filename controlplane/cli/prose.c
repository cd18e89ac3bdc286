// SPDX-License-Identifier: BSD-3-Clause
// Sentences on a terminal: broken at words, and harmless whatever is in them.
#include "cli/cli.h"
#include "cli/text.h"

#include <stdlib.h>
#include <string.h>

enum { WIDTH = 78 };

char *xy_cli_plain(const char *text)
{
	return xy_text_clean(text);
}

void xy_cli_prose(unsigned indent, const char *head, unsigned column, const char *text)
{
	char *copy = xy_cli_plain(text);
	size_t left = indent + column, at = left;
	printf("%*s%-*s", (int)indent, "", (int)column, head);
	for (const char *p = copy; *p;) {
		size_t word = strcspn(p, " ");
		char *part = xy_cli_must(strndup(p, word));
		size_t width = xy_text_width(part);
		free(part);
		if (at > left && at + width + 1 > WIDTH) {
			printf("\n%*s", (int)left, "");
			at = left;
		}
		printf("%s%.*s", at > left ? " " : "", (int)word, p);
		at += width + (at > left);
		p += word;
		p += strspn(p, " ");
	}
	putchar('\n');
	free(copy);
}
