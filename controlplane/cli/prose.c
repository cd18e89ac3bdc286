// SPDX-License-Identifier: BSD-3-Clause
// Sentences on a terminal: broken at words, and harmless whatever is in them.
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

enum { WIDTH = 78 };

char *xy_cli_plain(const char *text)
{
	char *copy = xy_cli_must(strdup(text));
	for (char *p = copy; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 127)
			*p = '?';
	return copy;
}

void xy_cli_prose(unsigned indent, const char *head, unsigned column, const char *text)
{
	char *copy = xy_cli_plain(text);
	size_t left = indent + column, at = left;
	printf("%*s%-*s", (int)indent, "", (int)column, head);
	for (const char *p = copy; *p;) {
		size_t word = strcspn(p, " ");
		if (at > left && at + word + 1 > WIDTH) {
			printf("\n%*s", (int)left, "");
			at = left;
		}
		at += (size_t)printf("%s%.*s", at > left ? " " : "", (int)word, p);
		p += word;
		p += strspn(p, " ");
	}
	putchar('\n');
	free(copy);
}
