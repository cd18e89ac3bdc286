// SPDX-License-Identifier: BSD-3-Clause
// Pictures that follow each other: each takes the place of the one before on a terminal, and stands
// below it elsewhere.
#include "cli/screen.h"

#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

double xy_screen_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

const char *xy_screen_clock(char to[static XY_SCREEN_CLOCK_LEN])
{
	time_t now = time(NULL);
	struct tm tm;
	localtime_r(&now, &tm);
	strftime(to, XY_SCREEN_CLOCK_LEN, "%Y-%m-%d %H:%M:%S", &tm);
	return to;
}

void xy_screen_size(unsigned *rows, unsigned *columns)
{
	struct winsize w = {0};
	*rows = *columns = 0;
	if (!xy_cli_terminal(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &w))
		return;
	*rows = w.ws_row;
	*columns = w.ws_col;
}

void xy_screen_begin(struct xy_screen *s)
{
	s->text = NULL;
	s->to = xy_cli_must(open_memstream(&s->text, &s->len));
}

// So many lines of it, and how many more there are.
static void write_lines(const char *text, unsigned lines)
{
	unsigned left = 0;
	const char *at = text, *end;
	for (; (end = strchr(at, '\n')) && lines > 1; lines--, at = end + 1)
		printf("%.*s\033[K\n", (int)(end - at), at);
	for (const char *more = at; (more = strchr(more, '\n')); more++)
		left++;
	if (left > 1)
		printf("... %u more lines\033[K", left);
	else if (end)
		printf("%.*s\033[K", (int)(end - at), at);
	fputs("\033[J", stdout);
}

void xy_screen_show(struct xy_screen *s)
{
	unsigned rows, columns;
	fclose(s->to);
	xy_screen_size(&rows, &columns);
	if (xy_cli_terminal(STDOUT_FILENO)) {
		fputs(s->shown++ ? "\033[H" : "\033[H\033[J", stdout);
		write_lines(s->text, rows ? rows : UINT32_MAX);
	} else {
		printf("%s%s", s->shown++ ? "\n" : "", s->text);
	}
	fflush(stdout);
	free(s->text);
}
