// SPDX-License-Identifier: BSD-3-Clause
// show log: its lines from a level on, and those that come, as long as somebody looks.
#include "cli/logview.h"

#include "config/config.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int xy_logview_level(const char *name, const char **level)
{
	*level = xy_cli_word(name, xy_config_level_names);
	return *level ? CLI_OK
		      : xy_cli_misuse("--level %s: write error, warn, info or debug", name);
}

// Its place among the levels; behind all: of a daemon that has others.
static unsigned rank(const char *level)
{
	unsigned i = 0;
	while (xy_config_level_names[i] && strcmp(xy_config_level_names[i], level) != 0)
		i++;
	return i;
}

void xy_logview_keep(json_t *lines, const char *level)
{
	for (size_t i = json_array_size(lines); i-- > 0;) {
		const char *of = json_string_value(
			json_object_get(json_array_get(lines, i), XY_KEY(log_line, level)));
		if (of && rank(of) > rank(level))
			json_array_remove(lines, i);
	}
}

// --- those that come

struct follow {
	const struct xy_logview *v;
	struct xy_client *client; // NULL: nobody answers
	struct xy_table_last last;
	long long seq; // of the last line that was seen; 0: none
	bool answered; // ever
	bool away;     // and that was said
};

static long long seq_at(const json_t *lines, size_t i)
{
	return json_integer_value(json_object_get(json_array_get(lines, i), XY_KEY(log_line, seq)));
}

static void print_json(const json_t *lines)
{
	size_t ascii = xy_cli_terminal(STDOUT_FILENO) ? JSON_ENSURE_ASCII : 0;
	for (size_t i = 0; i < json_array_size(lines); i++) {
		json_dumpf(json_array_get(lines, i), stdout, JSON_COMPACT | ascii);
		putchar('\n');
	}
}

// What was said faster than it was asked for is not kept; what a daemon said that was restarted
// since is no gap.
static void say_gap(const struct follow *f, const json_t *lines, bool same)
{
	long long lost = seq_at(lines, 0) - f->seq - 1;
	if (same && f->seq && lost > 0)
		xy_cli_fail("%lld lines came faster than they were asked for, and are not "
			    "kept",
			    lost);
}

static void take(struct follow *f, json_t *page, bool same)
{
	json_t *lines = json_object_get(page, XY_KEY(log, lines));
	size_t n = json_array_size(lines);
	if (!n)
		return;
	say_gap(f, lines, same);
	f->seq = seq_at(lines, n - 1);
	if (f->v->level)
		xy_logview_keep(lines, f->v->level);
	struct xy_view view = *f->v->view;
	view.last = &f->last;
	if (f->v->json)
		print_json(lines);
	else if (json_array_size(lines))
		xy_view_print(&view, page);
	fflush(stdout);
}

static int ask(struct follow *f, struct xy_err *err)
{
	char after[32];
	json_t *page;
	bool same = f->client;
	snprintf(after, sizeof(after), "%lld", f->seq);
	int ret = same ? 0 : xy_cli_connect(f->v->instance, &f->client, err);
	ret = ret ? ret
		  : xy_client_ask_all(f->client, f->v->view->reply->command, after, &page, err);
	if (ret) {
		xy_client_close(f->client);
		f->client = NULL;
		return ret;
	}
	take(f, page, same);
	json_decref(page);
	return 0;
}

// What answered once may be restarted, and is waited for.
int xy_logview_follow(const struct xy_logview *v)
{
	struct timespec pause = {.tv_sec = (time_t)v->wait};
	pause.tv_nsec = (long)((v->wait - (double)pause.tv_sec) * 1e9);
	struct follow f = {.v = v};
	struct xy_err err = {""};
	int code = CLI_OK;
	while (!ferror(stdout)) {
		if (ask(&f, &err) == 0) {
			f.answered = true;
			f.away = false;
		} else if (!f.answered) {
			code = xy_cli_fail("%s", err.text);
			break;
		} else if (!f.away) {
			f.away = true;
			xy_cli_fail("%s; it is asked again", err.text);
		}
		nanosleep(&pause, NULL);
	}
	xy_client_close(f.client);
	return code;
}
