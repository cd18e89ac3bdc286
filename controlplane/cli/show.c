// SPDX-License-Identifier: BSD-3-Clause
// show: what a running daemon says, once or again and again.
#include "base/bytes.h"
#include "cli/cli.h"
#include "client/rundir.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct show {
	const char *what, *about;    // about: what the view asks for, or the address of path
	const struct xy_reply *view; // NULL: tree or path
	const char *instance;
	bool json, dot;
	double wait; // seconds between two; 0: once
};

static int parse_wait(const char *text, double *out)
{
	char *end;
	*out = strtod(text, &end);
	if (end == text || *end || !(*out >= 0.1 && *out <= 86400))
		return xy_cli_misuse("-w %s: write seconds, 0.1 to 86400", text);
	return 0;
}

static int parse_option(struct show *s, int argc, char **argv, int *i)
{
	const char *o = argv[*i];
	if (strcmp(o, "--json") == 0)
		s->json = true;
	else if (strcmp(o, "--dot") == 0)
		s->dot = true;
	else if (strcmp(o, "-n") != 0 && strcmp(o, "-w") != 0)
		return xy_cli_misuse("show does not know \"%s\"", o);
	else if (*i + 1 == argc)
		return xy_cli_misuse("%s needs a value", o);
	else if (strcmp(o, "-w") == 0)
		return parse_wait(argv[++*i], &s->wait);
	else
		s->instance = argv[++*i];
	return 0;
}

static bool is(const struct show *s, const char *what)
{
	return s->what && strcmp(s->what, what) == 0;
}

const char *const *xy_cli_views(void)
{
	static const char *names[64];
	const struct xy_reply *r;
	unsigned n = 0;
	for (unsigned i = 0; (r = xy_reply_at(i)) && n < XY_ARRAY_SIZE(names) - 3; i++)
		if (xy_view_find(r->name))
			names[n++] = r->name;
	names[n++] = "tree";
	names[n++] = "path";
	names[n] = NULL;
	return names;
}

static int check(struct show *s)
{
	char names[200], meant[200] = "";
	const char *whole = s->what ? xy_cli_word(s->what, xy_cli_views()) : NULL;
	if (s->what && !whole)
		xy_cli_meant(s->what, xy_cli_views(), meant, sizeof(meant));
	s->what = whole ? whole : s->what;
	bool path = is(s, "path");
	s->view = s->what ? xy_view_find(s->what) : NULL;
	if (!s->view && !path && !is(s, "tree"))
		return xy_cli_misuse("show %s: there is %s, tree, path%s",
				     s->what ? s->what : "what?",
				     xy_view_names(names, sizeof(names)), meant);
	const char *about = s->view ? s->view->about : path ? "ADDRESS" : NULL;
	if (s->about && !about)
		return xy_cli_misuse("show takes one list at a time, not \"%s\" as well", s->about);
	if (!s->about && about && about[0] != '[')
		return xy_cli_misuse("show %s: write %s behind it", s->what, about);
	if (!s->view && s->wait > 0)
		return xy_cli_misuse("-w is not for show %s, which takes a while by itself",
				     s->what);
	if (s->dot && !is(s, "graph"))
		return xy_cli_misuse("--dot is for show graph");
	if (!xy_instance_name_ok(s->instance))
		return xy_cli_misuse("-n %s: use 1 to 32 of A-Z a-z 0-9 . _ -", s->instance);
	return 0;
}

static int parse(struct show *s, int argc, char **argv)
{
	int ret = 0;
	for (int i = 1; !ret && i < argc; i++) {
		if (argv[i][0] == '-')
			ret = parse_option(s, argc, argv, &i);
		else if (!s->what)
			s->what = argv[i];
		else if (!s->about)
			s->about = argv[i];
		else
			ret = xy_cli_misuse("show does not know \"%s\"", argv[i]);
	}
	return ret ? ret : check(s);
}

// show route of what is nowhere: an empty table would say as much, but nobody reads that.
static bool is_absent(const struct show *s, const json_t *now)
{
	return is(s, "route") &&
	       !json_array_size(json_object_get(now, XY_KEY(route_reply, routes))) &&
	       !json_array_size(json_object_get(now, XY_KEY(route_reply, babel)));
}

static int say_absent(const json_t *now)
{
	const char *prefix = json_string_value(json_object_get(now, XY_KEY(route_reply, prefix)));
	const char *match = json_string_value(json_object_get(now, XY_KEY(route_reply, match)));
	const char *inside = json_string_value(json_object_get(now, XY_KEY(route_reply, inside)));
	prefix = prefix ? prefix : "it";
	if (match)
		return xy_cli_fail("there is no route to %s itself; packets there follow that to "
				   "%s: xylem show route %s",
				   prefix, match, match);
	if (inside)
		return xy_cli_fail("there is no route to %s itself, but to what lies in it, as %s: "
				   "xylem show routes",
				   prefix, inside);
	return xy_cli_fail("there is no route to %s, and none that holds it: packets there are "
			   "dropped as no_route",
			   prefix);
}

static void print(const struct show *s, const json_t *now, const json_t *before, double seconds)
{
	if (s->json) {
		json_dumpf(now, stdout, s->wait > 0 ? JSON_COMPACT : JSON_INDENT(2));
		putchar('\n');
	} else if (!is_absent(s, now)) {
		if (before)
			fputs(isatty(STDOUT_FILENO) ? "\033[H\033[J" : "\n", stdout);
		xy_view_print(s->view, now, before, seconds, stdout, xy_cli_colour(STDOUT_FILENO));
	}
	fflush(stdout);
}

int xy_cli_connect(const char *instance, struct xy_client **out, struct xy_err *err)
{
	struct xy_client_config cfg = {.instance = instance, .socket = XY_RUNDIR_TELEMETRY};
	return xy_client_open(&cfg, out, err);
}

static int ask(const struct show *s, json_t **out, struct xy_err *err)
{
	struct xy_client *c;
	int ret = xy_cli_connect(s->instance, &c, err);
	if (ret)
		return ret;
	ret = xy_client_ask_all(c, s->view->command, s->dot ? "dot" : s->about, out, err);
	xy_client_close(c);
	if (!ret)
		xy_view_sort(s->view, *out);
	return ret;
}

static double clock_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void pause_for(double seconds)
{
	struct timespec t = {.tv_sec = (time_t)seconds};
	t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
	nanosleep(&t, NULL);
}

static int print_dot(const json_t *reply)
{
	const char *text = json_string_value(json_object_get(reply, XY_KEY(graph_dot, dot)));
	if (!text)
		return xy_cli_fail("the daemon gave no graph");
	fputs(text, stdout);
	if (text[0] && text[strlen(text) - 1] != '\n')
		putchar('\n');
	return CLI_OK;
}

int xy_cli_show(int argc, char **argv)
{
	struct show s = {.instance = "xylem"};
	struct xy_err err = {""};
	json_t *now = NULL, *before = NULL;
	double then = 0;
	int ret = parse(&s, argc, argv);
	if (!ret && !s.view)
		return s.about ? xy_cli_path(s.instance, s.about, s.json)
			       : xy_cli_tree(s.instance, s.json);
	while (!ret) {
		double at = clock_now();
		if (ask(&s, &now, &err)) {
			ret = xy_cli_fail("%s", err.text);
			break;
		}
		if (s.dot)
			ret = print_dot(now);
		else
			print(&s, now, before, at - then);
		int absent = is_absent(&s, now) ? say_absent(now) : 0;
		json_decref(before);
		before = now;
		then = at;
		if (s.wait <= 0 || ferror(stdout)) {
			ret = ret ? ret : absent;
			break;
		}
		pause_for(s.wait);
	}
	json_decref(before);
	return ret;
}
