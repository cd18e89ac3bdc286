// SPDX-License-Identifier: BSD-3-Clause
// show: what a running daemon says, once or again and again.
#include "base/bytes.h"
#include "base/ip.h"
#include "cli/cli.h"
#include "cli/logview.h"
#include "cli/screen.h"
#include "client/rundir.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PART_ROWS = 1024 }; // of a long list are laid out together
enum { RETRIES = 3 };	   // without a page
#define RETRY_PAUSE 0.1

struct show {
	const char *what, *about;    // about: what the view asks for, or the address of path
	const struct xy_reply *view; // NULL: tree or path
	const char *instance, *peer, *within, *sort_by, *level;
	bool json, dot, all, count, verbose;
	double wait; // seconds between two; 0: once
	struct xy_sort sort;
	char *params; // malloc'd, or NULL
};

// --- arguments

static int parse_seconds(const char *text, double *out)
{
	char *end;
	*out = strtod(text, &end);
	if (end == text || *end || !(*out >= 0.1 && *out <= 86400))
		return xy_cli_misuse("-w %s: write seconds, 0.1 to 86400, or nothing behind it",
				     text);
	return 0;
}

// The seconds may be left out at the end or before another option.
static int parse_wait(struct show *s, int argc, char **argv, int *i)
{
	s->wait = 1;
	if (*i + 1 == argc || argv[*i + 1][0] == '-')
		return 0;
	return parse_seconds(argv[++*i], &s->wait);
}

static bool *flag_of(struct show *s, const char *o)
{
	const struct {
		const char *name;
		bool *at;
	} all[] = {{"--json", &s->json},      {"--dot", &s->dot},     {"--all", &s->all},
		   {"-a", &s->all},	      {"--count", &s->count}, {"-v", &s->verbose},
		   {"--verbose", &s->verbose}};
	for (size_t i = 0; i < XY_ARRAY_SIZE(all); i++)
		if (strcmp(all[i].name, o) == 0)
			return all[i].at;
	return NULL;
}

static const char **value_of(struct show *s, const char *o)
{
	const struct {
		const char *name;
		const char **at;
	} all[] = {{"-n", &s->instance},
		   {"--peer", &s->peer},
		   {"--within", &s->within},
		   {"--sort", &s->sort_by},
		   {"--level", &s->level}};
	for (size_t i = 0; i < XY_ARRAY_SIZE(all); i++)
		if (strcmp(all[i].name, o) == 0)
			return all[i].at;
	return NULL;
}

static int parse_option(struct show *s, int argc, char **argv, int *i)
{
	const char *o = argv[*i], *is = strchr(o, '=');
	char name[40];
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(o, "="), o);
	bool *flag = flag_of(s, o);
	const char **value = value_of(s, o[1] == '-' ? name : o);
	if (flag)
		*flag = true;
	else if (strcmp(o, "-w") == 0)
		return parse_wait(s, argc, argv, i);
	else if (!value)
		return xy_cli_misuse("show does not know \"%s\"", o);
	else if (is)
		*value = is + 1;
	else if (*i + 1 == argc)
		return xy_cli_misuse("%s needs a value", o);
	else
		*value = argv[++*i];
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
	for (unsigned i = 0; (r = xy_agent_reply_at(i)) && n < XY_ARRAY_SIZE(names) - 3; i++)
		names[n++] = r->name;
	names[n++] = "tree";
	names[n++] = "path";
	names[n] = NULL;
	return names;
}

// Those that the daemon filters, since they can be long.
static bool is_filtered(const struct show *s)
{
	return is(s, "peers") || is(s, "routes") || is(s, "sessions") || is(s, "neighbours") ||
	       is(s, "gateways");
}

static int check_filters(struct show *s)
{
	struct xy_prefix p;
	const char *given = s->peer ? "--peer" : s->within ? "--within" : NULL;
	if (given && !is_filtered(s))
		return xy_cli_misuse("%s is for show peers, routes, sessions, neighbours and "
				     "gateways",
				     given);
	if (s->within && s->about)
		return xy_cli_misuse("write the prefix once: behind gateways, or behind --within");
	int bad = s->within ? xy_prefix_parse(s->within, &p) : 0;
	if (bad == -EDOM) {
		char text[XY_PREFIX_STRLEN];
		xy_prefix_mask(&p);
		return xy_cli_misuse("--within %s has host bits set; write %s", s->within,
				     xy_prefix_str(&p, text));
	}
	if (bad)
		return xy_cli_misuse("--within %s: write a prefix or an address", s->within);
	if (s->count && (!s->view || !xy_view_list(s->view)))
		return xy_cli_misuse("--count is for lists, not for show %s", s->what);
	if (s->sort_by && (s->count || !s->view))
		return xy_cli_misuse("--sort is not for %s", s->count ? "--count" : s->what);
	return s->sort_by ? xy_sort_parse(s->view, s->sort_by, &s->sort) : 0;
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
	if (is(s, "drops") && s->about) // of one reason: another view
		s->view = xy_view_find("drop");
	const char *about = s->view ? s->view->about : path ? "ADDRESS" : NULL;
	if (s->about && !about)
		return xy_cli_misuse("show takes one list at a time, not \"%s\" as well", s->about);
	if (!s->about && about && about[0] != '[')
		return xy_cli_misuse("show %s: write %s behind it", s->what, about);
	if (!s->view && s->wait > 0)
		return xy_cli_misuse("-w is not for show %s, which takes a while by itself",
				     s->what);
	if (s->level && !is(s, "log"))
		return xy_cli_misuse("--level is for show log");
	if (s->level && xy_logview_level(s->level, &s->level))
		return CLI_USAGE;
	if (is(s, "log") && s->wait > 0 && (s->sort_by || s->count))
		return xy_cli_misuse("show log -w prints lines as they come: no %s with it",
				     s->count ? "--count" : "--sort");
	if (s->dot && !is(s, "graph"))
		return xy_cli_misuse("--dot is for show graph");
	if (xy_cli_instance(s->instance) != CLI_OK)
		return CLI_USAGE;
	return check_filters(s);
}

// What the daemon is asked: as JSON where it is to filter.
static char *params_of(const struct show *s)
{
	bool count = s->count && is_filtered(s);
	const char *plain = s->dot ? "dot" : s->about;
	if (!s->peer && !s->within && !count)
		return plain ? xy_cli_must(strdup(plain)) : NULL;
	json_t *o = xy_cli_must(json_object());
	if (s->peer)
		json_object_set_new(o, "peer", json_string(s->peer));
	if (s->within || s->about)
		json_object_set_new(o, "within", json_string(s->within ? s->within : s->about));
	if (count)
		json_object_set_new(o, "count", json_true());
	char *text = xy_cli_must(json_dumps(o, JSON_COMPACT));
	json_decref(o);
	return text;
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
	ret = ret ? ret : check(s);
	if (!ret)
		s->params = params_of(s);
	return ret;
}

// --- show route of what is nowhere: an empty table would say as much, but nobody reads that.

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
	const char *known = json_array_size(json_object_get(now, XY_KEY(route_reply, unused)))
				    ? "; what is known of it is not used: see why not"
				    : "";
	prefix = prefix ? prefix : "it";
	if (match)
		return xy_cli_fail("there is no route to %s itself; packets there follow that to "
				   "%s: xylem show route %s%s",
				   prefix, match, match, known);
	if (inside)
		return xy_cli_fail("there is no route to %s itself, but to what lies in it, as %s: "
				   "xylem show routes --within %s%s",
				   prefix, inside, prefix, known);
	return xy_cli_fail("there is no route to %s, and none that holds it: packets there are "
			   "dropped as no_route%s",
			   prefix, known);
}

// --- printing

static size_t json_flags(const struct show *s)
{
	size_t ascii = xy_cli_terminal(STDOUT_FILENO) ? JSON_ENSURE_ASCII : 0;
	return ascii | (s->wait > 0 ? JSON_COMPACT : JSON_INDENT(2));
}

static struct xy_out out_of(const struct show *s, FILE *to)
{
	return (struct xy_out){.to = to,
			       .colour = xy_cli_colour(STDOUT_FILENO),
			       .limit = s->verbose ? 0 : XY_OUT_COLUMNS};
}

static struct xy_view view_of(const struct show *s, const struct xy_out *out)
{
	return (struct xy_view){.reply = s->view, .out = out, .verbose = s->verbose, .all = s->all};
}

static long long count_of(const struct show *s, const struct xy_view *v, const json_t *now)
{
	const json_t *count = is_filtered(s) ? json_object_get(now, "count") : NULL;
	return json_is_integer(count) ? json_integer_value(count)
				      : (long long)xy_view_count(v, now);
}

static void print(const struct show *s, const json_t *now, const json_t *before, double seconds,
		  FILE *to)
{
	struct xy_out out = out_of(s, to);
	struct xy_view v = view_of(s, &out);
	v.before = before;
	v.seconds = seconds;
	if (s->count && s->json)
		fprintf(to, "{\"count\": %lld}\n", count_of(s, &v, now));
	else if (s->count)
		fprintf(to, "%lld\n", count_of(s, &v, now));
	else if (s->json) {
		json_dumpf(now, to, json_flags(s));
		fputc('\n', to);
	} else if (is_absent(s, now)) {
		xy_view_rows(&v, XY_KEY(route_reply, unused), now);
	} else {
		xy_view_print(&v, now);
	}
}

static void arrange(const struct show *s, json_t *now)
{
	const struct xy_field *list = xy_view_list(s->view);
	if (s->level)
		xy_logview_keep(json_object_get(now, XY_KEY(log, lines)), s->level);
	xy_view_sort(s->view, now);
	if (s->sort_by && list)
		xy_sort_rows(json_object_get(now, list->key), &s->sort);
}

int xy_cli_connect(const char *instance, struct xy_client **out, struct xy_err *err)
{
	struct xy_client_config cfg = {.instance = instance, .socket = XY_RUNDIR_TELEMETRY};
	return xy_client_open(&cfg, out, err);
}

static int connect_to(const struct show *s, struct xy_client **out, struct xy_err *err)
{
	struct xy_client_config agent = {
		.instance = s->instance, .program = XY_RUNDIR_AGENT, .socket = XY_RUNDIR_FLEET};
	return xy_view_is_agents(s->view) ? xy_client_open(&agent, out, err)
					  : xy_cli_connect(s->instance, out, err);
}

static int ask(const struct show *s, json_t **out, struct xy_err *err)
{
	struct xy_client *c;
	int ret = connect_to(s, &c, err);
	if (ret)
		return ret;
	ret = xy_client_ask_all(c, s->view->command, s->params, out, err);
	xy_client_close(c);
	if (!ret)
		arrange(s, *out);
	return ret;
}

// --- long lists: part by part, so that a million rows are never in memory

static void pause_for(double seconds)
{
	struct timespec t = {.tv_sec = (time_t)seconds};
	t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
	nanosleep(&t, NULL);
}

struct parts {
	const struct show *s;
	struct xy_out out;
	struct xy_table_last last;
	const struct xy_field *list;
	json_t *held; // a reply with the rows that are not printed yet
	char *next;   // malloc'd: where it goes on
	bool begun;
};

enum { ENOUGH = 1 }; // nobody reads any more

static void json_part(struct parts *p, bool end)
{
	json_t *rows = json_object_get(p->held, p->list->key), *row, *other;
	const char *key;
	size_t i;
	if (end && !p->begun) {
		print(p->s, p->held, NULL, 0, stdout);
		return;
	}
	if (!p->begun)
		printf("{\n\"%s\": [\n", p->list->key);
	json_array_foreach(rows, i, row)
	{
		fputs(i || p->begun ? ",\n" : "", stdout);
		json_dumpf(row, stdout, json_flags(p->s));
	}
	p->begun = true;
	if (!end)
		return;
	putchar(']');
	json_object_foreach(p->held, key, other)
	{
		if (strcmp(key, p->list->key) == 0)
			continue;
		printf(",\n\"%s\": ", key);
		json_dumpf(other, stdout, json_flags(p->s) | JSON_ENCODE_ANY);
	}
	puts("\n}");
}

static void print_part(struct parts *p, bool end)
{
	json_t *rows = json_object_get(p->held, p->list->key);
	struct xy_view v = view_of(p->s, &p->out);
	v.last = &p->last;
	if (p->s->json)
		json_part(p, end);
	else if (json_array_size(rows) || !p->begun)
		xy_view_print(&v, p->held);
	p->begun = true;
	json_array_clear(rows);
}

static int take_part(void *arg, json_t *page, size_t bytes, struct xy_err *err)
{
	struct parts *p = arg;
	json_t *rows = json_object_get(page, p->list->key);
	const char *next = json_string_value(json_object_get(page, "next"));
	bool end = !next;
	free(p->next);
	p->next = next ? xy_cli_must(strdup(next)) : NULL;
	if (p->held) { // with the rest of the newest page
		json_array_extend(json_object_get(p->held, p->list->key), rows);
		json_object_set(page, p->list->key, json_object_get(p->held, p->list->key));
		json_decref(p->held);
	}
	p->held = page;
	if (end || json_array_size(json_object_get(p->held, p->list->key)) >= PART_ROWS)
		print_part(p, end);
	return xy_cli_pager_gone() ? ENOUGH : 0;
}

// Who reads slowly has to go when there are many clients: it comes again, and goes on.
static int ask_parts(struct parts *p, struct xy_err *err)
{
	const struct show *s = p->s;
	struct xy_client *c = NULL;
	int ret = 0;
	for (unsigned idle = 0; idle < RETRIES; idle++) {
		char *from = p->next ? xy_cli_must(strdup(p->next)) : NULL;
		ret = xy_cli_connect(s->instance, &c, err);
		if (!ret && !p->held)
			xy_cli_pager_begin();
		ret = ret ? ret
			  : xy_client_ask_each(c, s->view->command, from ? from : s->params,
					       take_part, p, err);
		xy_client_close(c);
		c = NULL;
		bool further = p->next && (!from || strcmp(from, p->next) != 0);
		free(from);
		if ((ret != -EREMOTE && ret != -ECONNRESET) || !p->next)
			break;
		idle = further ? 0 : idle;
		pause_for(RETRY_PAUSE);
	}
	return ret;
}

static int show_parts(const struct show *s)
{
	struct parts p = {.s = s, .out = out_of(s, stdout), .list = xy_view_list(s->view)};
	struct xy_err err = {""};
	int ret = ask_parts(&p, &err);
	free(p.next);
	json_decref(p.held);
	int code = xy_cli_pager_end(CLI_OK);
	return ret < 0 ? xy_cli_fail("%s", err.text) : code;
}

static bool comes_in_parts(const struct show *s)
{
	bool paged = is(s, "peers") || is(s, "routes") || is(s, "sessions");
	return paged && !s->sort_by && !s->count && s->wait <= 0;
}

// --- again and again

// JSON is a line each, for programs; errors are said where they come.
static void picture(struct xy_screen *screen, const struct show *s, const json_t *now,
		    const json_t *before, double seconds, const struct xy_err *err)
{
	char clock[XY_SCREEN_CLOCK_LEN];
	if (s->json && now) {
		print(s, now, before, seconds, stdout);
		fflush(stdout);
		return;
	}
	if (s->json) {
		xy_cli_fail("%s", err->text);
		return;
	}
	xy_screen_begin(screen);
	fprintf(screen->to, "%s  %s of %s, every %g s\n\n", xy_screen_clock(clock), s->what,
		s->instance, s->wait);
	if (now)
		print(s, now, before, seconds, screen->to);
	else
		fprintf(screen->to, "%s\nIt is asked again.\n", err->text);
	xy_screen_show(screen);
}

// What answered once may be restarted, and is waited for.
static int watch(const struct show *s)
{
	struct xy_screen screen = {0};
	struct xy_err err = {""};
	json_t *now = NULL, *before = NULL;
	double then = 0, at;
	bool answered = false;
	int ret = CLI_OK;
	for (;; pause_for(s->wait), then = at) {
		at = xy_screen_now();
		if (ask(s, &now, &err))
			now = NULL;
		if (!now && !answered) {
			ret = xy_cli_fail("%s", err.text);
			break;
		}
		answered = true;
		picture(&screen, s, now, before, at - then, &err);
		json_decref(before);
		before = now;
		if (ferror(stdout))
			break;
	}
	json_decref(before);
	return ret;
}

static int follow(const struct show *s)
{
	struct xy_out out = out_of(s, stdout);
	struct xy_view v = view_of(s, &out);
	return xy_logview_follow(&(struct xy_logview){.instance = s->instance,
						      .level = s->level,
						      .view = &v,
						      .json = s->json,
						      .wait = s->wait});
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

static int once(const struct show *s)
{
	struct xy_err err = {""};
	json_t *now;
	if (ask(s, &now, &err))
		return xy_cli_fail("%s", err.text);
	int ret = CLI_OK;
	if (s->dot) {
		ret = print_dot(now);
	} else {
		xy_cli_pager_begin();
		print(s, now, NULL, 0, stdout);
		ret = xy_cli_pager_end(CLI_OK);
		ret = is_absent(s, now) && !s->count ? say_absent(now) : ret;
	}
	json_decref(now);
	return ret;
}

int xy_cli_show(int argc, char **argv)
{
	struct show s = {.instance = "xylem"};
	int ret = parse(&s, argc, argv);
	if (ret)
		return ret;
	if (!s.view)
		ret = s.about ? xy_cli_path(s.instance, s.about, s.json, s.verbose)
			      : xy_cli_tree(s.instance, s.json, s.verbose);
	else if (s.wait > 0)
		ret = is(&s, "log") ? follow(&s) : watch(&s);
	else
		ret = comes_in_parts(&s) ? show_parts(&s) : once(&s);
	free(s.params);
	return ret;
}
