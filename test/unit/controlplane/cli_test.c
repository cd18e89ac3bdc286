// SPDX-License-Identifier: BSD-3-Clause
// The command line as its user has it: the program is run ($XYLEM), against a telemetry server with
// fixed answers in a child process. Words, exit codes, tables, pages, files.
#include "api/server.h"
#include "client/rundir.h"
#include "fields/fields.h"
#include "unit.h"

#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wchar.h>

#define NODE "xylem-cli-test"

static char dir[] = "/tmp/xylem-cli-XXXXXX", out[1 << 16];

// --- the server

#define KEY_A "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE="

static json_t *answer_peers(void *arg, struct xy_request *q)
{
	static const char *const pages[] = {
		"{\"peers\":[{\"name\":\"a\",\"key\":\"" KEY_A
		"\",\"kind\":\"mesh\",\"peering\":\"open\",\"state\":"
		"\"up\",\"endpoint\":"
		"\"192.0.2.1:51820\",\"last_handshake\":75,\"last_received\":2,\"rx_bytes\":2048,"
		"\"tx_bytes\":5,"
		"\"mtu\":1420,\"mtu_from\":\"probed\",\"fragments\":\"no\","
		"\"handshakes_failed\":0}],\"next\":\"a\"}",
		"{\"peers\":[{\"name\":\"b\\u001b[2J\",\"kind\":\"leaf\",\"peering\":"
		"\"configured\",\"state\":\"no endpoint\","
		"\"endpoint\":null,\"last_handshake\":null,\"rx_bytes\":0,\"tx_bytes\":1073741824,"
		"\"mtu\":1420,\"mtu_from\":null,\"fragments\":null,"
		"\"handshakes_failed\":3,\"trouble\":\"no answer\"}],\"next\":null}",
	};
	return json_loads(pages[q->params != NULL], 0, NULL);
}

// The first time one is not known, nodes are asked.
static json_t *answer_name(void *arg, struct xy_request *q)
{
	static unsigned asked;
	if (strcmp(q->params, "200::1") == 0)
		return json_pack("{s:n,s:s,s:s,s:b}", "name", "kind", "address", "address",
				 "200::1", "done", 1);
	if (strcmp(q->params, "a") == 0)
		return json_pack("{s:s,s:s,s:n,s:s,s:b}", "name", "a", "kind", "peer", "address",
				 "key", KEY_A, "done", 1);
	if (asked++ == 0)
		return json_pack("{s:n,s:b,s:i,s:i}", "kind", "done", 0, "found", 2, "answered", 1);
	return xy_server_error("\"%s\" is no address, no key; did you mean a?", q->params);
}

static json_t *answer_workers(void *arg, struct xy_request *q)
{
	static int rx;
	rx += 1000;
	return json_pack("{s:[{s:i,s:i,s:b,s:f,s:i,s:i}]}", "workers", "worker", 0, "cpu", 1,
			 "alive", 1, "busy", 0.25, "rx", rx, "balance", 0);
}

static json_t *answer_graph(void *arg, struct xy_request *q)
{
	if (q->params)
		return json_pack("{s:s}", "dot", "digraph xylem {}");
	return json_pack("{s:i,s:[{s:i,s:s,s:i}{s:i,s:s,s:i}]}", "tsc_hz", 1, "nodes", "worker", 0,
			 "node", "drop_replay", "calls", 0, "worker", 0, "node", "drop_stale",
			 "calls", 1);
}

static json_t *answer_node(void *arg, struct xy_request *q)
{
	return json_pack("{s:i,s:i,s:[{s:s,s:s,s:s,s:i,s:n}]}", "rss_bytes", 2048,
			 "loop_lag_p99_us", 7, "joining", "peer", "p", "endpoint", "h:1", "state",
			 "asking", "probes", 4, "key");
}

static json_t *answer_drops(void *arg, struct xy_request *q)
{
	return xy_server_error("out of order");
}

static json_t *answer_route(void *arg, struct xy_request *q)
{
	if (strcmp(q->params, "10.1.0.0/16") == 0)
		return json_pack("{s:s,s:s,s:[{s:s,s:s,s:[s],s:s,s:b}],s:[]}", "prefix", q->params,
				 "match", q->params, "routes", "prefix", q->params, "kind", "peer",
				 "peers", "r", "source", "static", "in_force", 1, "babel");
	if (strcmp(q->params, "10.3.0.1") == 0)
		return json_pack("{s:s,s:n,s:n,s:[],s:[],s:[{s:s,s:s,s:s,s:s}]}", "prefix",
				 "10.3.0.1/32", "match", "inside", "routes", "babel", "unused",
				 "prefix", "10.3.0.0/16", "peer", "r", "node", "g", "why_not",
				 "not accepted: routing.accept does not name it");
	return json_pack("{s:s,s:s?,s:s?,s:[],s:[]}", "prefix", q->params, "match",
			 q->params[3] == '1' ? "10.1.0.0/16" : NULL, "inside",
			 q->params[3] == '0' ? "10.1.0.0/16" : NULL, "routes", "babel");
}

// Of which the first page is empty.
static json_t *answer_gateways(void *arg, struct xy_request *q)
{
	static const char *const pages[] = {
		"{\"gateways\":[],\"next\":\"9@\"}",
		"{\"gateways\":["
		"{\"prefix\":\"fd00::/8\",\"gateway\":\"b\",\"metric\":1,\"used\":true},"
		"{\"prefix\":\"10.2.0.0/24\",\"gateway\":\"h\",\"metric\":400,\"used\":false,"
		"\"why_not\":\"further than g\"},"
		"{\"prefix\":\"10.2.0.0/24\",\"gateway\":\"s\",\"metric\":null,\"used\":false},"
		"{\"prefix\":\"10.2.0.0/24\",\"gateway\":\"g\",\"metric\":500,\"used\":true},"
		"{\"prefix\":\"10.0.0.0/8\",\"gateway\":\"s\",\"metric\":9,\"used\":false}],"
		"\"next\":null}"};
	if (q->params && !strchr(q->params, '@'))
		return json_pack("{s:[{s:s,s:s}],s:n}", "gateways", "prefix", q->params, "gateway",
				 "x", "next");
	return json_loads(pages[q->params != NULL], 0, NULL);
}

// Done at the third ask, in two pages.
static json_t *answer_tree(void *arg, struct xy_request *q)
{
	static int asked;
	static const char *const pages[] = {
		"{\"done\":true,\"cut\":true,\"nodes\":["
		"{\"address\":\"200::1\",\"name\":null,\"state\":\"answered\",\"parent\":null,"
		"\"neighbours\":2},"
		"{\"address\":\"200::2\",\"peer\":\"x\",\"name\":\"b\\u001b[2J\",\"state\":"
		"\"answered\","
		"\"parent\":\"200::1\",\"cost\":96,\"rtt_us\":1234,\"version\":\"1\","
		"\"neighbours\":null},"
		"{\"address\":\"200::3\",\"name\":null,\"peer\":\"p\",\"state\":\"answered\","
		"\"parent\":\"200::1\","
		"\"neighbours\":1}],\"next\":\"1.3\"}",
		"{\"done\":true,\"cut\":true,\"nodes\":["
		"{\"address\":\"200::4\",\"state\":\"silent\",\"parent\":\"200::2\"},"
		"{\"address\":\"200::5\",\"state\":\"not asked\",\"parent\":\"200::4\"},"
		"{\"address\":\"200::6\",\"state\":\"silent\",\"parent\":\"200::6\"}],"
		"\"next\":null}"};
	if (!q->params && ++asked < 3)
		return json_pack("{s:b,s:i,s:i,s:[],s:n}", "done", 0, "found", 3, "answered", 1,
				 "nodes", "next");
	return json_loads(pages[q->params != NULL], 0, NULL);
}

static json_t *answer_walk(void *arg, struct xy_request *q)
{
	static const char reply[] =
		"{\"address\":\"200::9\",\"done\":true,\"end\":\"%s\",\"hops\":["
		"{\"hop\":1,\"address\":\"200::2\",\"name\":\"b\",\"state\":\"answered\","
		"\"after_gap\":false,\"rtt_us\":270,\"route\":\"via\",\"metric\":96},"
		"{\"hop\":2,\"address\":\"200::9\",\"name\":null,\"state\":\"silent\","
		"\"after_gap\":true,\"rtt_us\":null,\"route\":null,\"metric\":null}],"
		"\"route\":{\"prefix\":\"200::/7\",\"source\":\"static\",\"peer\":\"p\","
		"\"next_hop\":\"200::2\",\"metric\":null,\"origin\":null,\"epoch\":7}}";
	char text[1024];
	if (q->params && strcmp(q->params, "nobody") == 0)
		return xy_server_error("there is no address, peer or node \"%s\"", q->params);
	if (!q->params || strcmp(q->params, "200::1") == 0)
		return json_pack("{s:s,s:b,s:s,s:[],s:n}", "address", "200::1", "done", 1, "end",
				 q->params ? "reached" : "no route", "hops", "route");
	snprintf(text, sizeof(text), reply,
		 strcmp(q->params, "200::9") == 0 ? "no answer" : "reached");
	return json_loads(text, 0, NULL);
}

static json_t *answer_neighbours(void *arg, struct xy_request *q)
{
	return json_pack("{s:[{s:s,s:i,s:i}],s:[],s:n}", "neighbours", "peer", "a", "losses", 5,
			 "losses_lately", 4, "refusals", "next");
}

// Two lines that are kept, in pages; from the second time on one more each time, and once many that
// were not asked for in time.
static json_t *answer_log(void *arg, struct xy_request *q)
{
	static int newest = 8;
	int seq = q->params ? atoi(q->params) + 1 : 1;
	json_t *list = json_array();
	if (seq < 7)
		seq = 7;
	newest = seq > newest + 1 ? seq : newest;
	if (seq == 9)
		seq = 20;
	json_array_append_new(list,
			      json_pack("{s:i,s:s,s:s,s:s,s:s}", "seq", seq, "time",
					"2026-11-30T16:31:50.123Z", "level",
					seq == 7 ? "warn" : "info", "subsystem", "links", "text",
					seq == 7 ? "peer b\\x1b: is \x1b[2J and \xe2\x80\xae of so "
						   "many words that they "
						   "do not go into a line of eighty"
						 : "peer a: up"));
	return json_pack("{s:o,s:s?,s:i}", "lines", list, "next", seq == 7 ? "7" : NULL, "newest",
			 seq);
}

static json_t *answer_nothing(void *arg, struct xy_request *q)
{
	return json_object();
}

// From the second time on: one has another state, one has gone, one has come.
static json_t *answer_sessions(void *arg, struct xy_request *q)
{
	static unsigned asked;
	bool later = asked++;
	return json_pack("{s:[{s:s,s:s,s:s},{s:s,s:s,s:s}],s:n}", "sessions", "index", "1", "peer",
			 "a", "state", later ? "silent" : "up", "index", later ? "3" : "2", "peer",
			 later ? "c" : "b", "state", "up", "next");
}

// 2500 routes in pages of 64; a filter is said back.
static json_t *answer_routes(void *arg, struct xy_request *q)
{
	enum { ALL = 2500, PAGE = 64 };
	json_t *list = json_array();
	char text[64];
	if (q->params && q->params[0] == '{') {
		json_t *o = json_loads(q->params, 0, NULL);
		bool count = json_object_get(o, "count"), more = !json_object_get(o, "after");
		json_decref(o);
		if (!count)
			json_array_append_new(list, json_pack("{s:s,s:s}", "prefix", "10.0.0.0/8",
							      "source", q->params));
		return json_pack("{s:o,s:o,s:o}", "routes", list, "next",
				 count && more ? json_string("{\"count\":true,\"after\":\"1\"}")
					       : json_null(),
				 "count", count ? json_integer(40) : json_null());
	}
	int first = q->params ? atoi(q->params) : 0, at = first;
	for (; at < ALL && at < first + PAGE; at++) {
		snprintf(text, sizeof(text), "10.%d.%d.0/24", at / 250, at % 250);
		json_array_append_new(list, json_pack("{s:s,s:s,s:i,s:i}", "prefix", text, "source",
						      at == 2000 ? "a long word of many" : "own",
						      "metric", (at * 7) % ALL, "age", at));
	}
	snprintf(text, sizeof(text), "%d", at);
	return json_pack("{s:o,s:o,s:n}", "routes", list, "next",
			 at < ALL ? json_string(text) : json_null(), "count");
}

// --- rows that are as bad as they can be, of every field there is

static const char *const hard_texts[] = {
	"\x1b[2J\x1b]0;owned\x07\r\n\t\x7f", // speaks to the terminal
	"\xc2\x9b"
	"2J\xe2\x80\xae"
	"drow\xe2\x81\xa6\xef\xbb\xbf", // by C1, turned round, without a width
	"\xe6\xbc\xa2\xe5\xad\x97\xe4\xba\xa4\xe6\x8d\xa2\xe8\x8a\x82\xe7\x82\xb9\xe7\x9a\x84\xe5"
	"\x90\x8d\xe5\xad\x97\xe5\xbe\x88\xe9\x95\xbf\xe5\xbe\x88\xe9\x95\xbf", // two columns each
	"e\xcc\x81\xcc\x82\xcc\x83\xcc\x84\xcc\x85\xcc\x86 "
	"Z\xcc\xb8\xf0\x9f\x98\x80\xf0\x9f\x91\xa8\xe2\x80\x8d\xf0\x9f\x91\xa9",
	"a-name-of-thirty-two-characters.",
	"what is wrong in very many words, which nobody would read if they were not of help to "
	"them",
};

static json_t *hard_text(unsigned n)
{
	return json_string(hard_texts[n % (sizeof(hard_texts) / sizeof(hard_texts[0]))]);
}

static json_t *hard_object(const struct xy_object *o, unsigned row);

static json_t *hard_list(const struct xy_object *o)
{
	json_t *list = json_array();
	for (unsigned i = 0; i < 7; i++)
		json_array_append_new(list, hard_object(o, i));
	return list;
}

static json_t *hard_value(const struct xy_field *f, unsigned row)
{
	if (strcmp(f->key, "done") == 0)
		return json_true();
	if (f->kind == XY_KIND_NONE && f->form == XY_FORM_TEXT)
		return json_null(); // a cursor
	switch (f->form) {
	case XY_FORM_TEXT:
	case XY_FORM_STATE:
	case XY_FORM_LEVEL:
	case XY_FORM_TIME:
		return hard_text(row + f->column);
	case XY_FORM_ADDRESS:
		return json_string("2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff");
	case XY_FORM_PREFIX:
		return json_string("2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff/128");
	case XY_FORM_KEY:
	case XY_FORM_SHORT_KEY:
		return json_string("uiQkJ2WxyXAlTW8HpHIEJ2nuSZQiCrtHQAq4Q8XY4FM=");
	case XY_FORM_HEX16:
	case XY_FORM_HEX32:
	case XY_FORM_HEX64:
		return json_string("ffffffffffffffff");
	case XY_FORM_TEXTS:
	case XY_FORM_JOIN:
		return json_pack("[o,o,o,o,s]", hard_text(0), hard_text(1), hard_text(2),
				 hard_text(5), "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff/128");
	case XY_FORM_LIST:
		return hard_list(f->of());
	case XY_FORM_OBJECT:
		return hard_object(f->of(), row);
	case XY_FORM_MAP:
		return json_object();
	case XY_FORM_SHARE:
	case XY_FORM_DECIMAL:
		return json_real(row ? 0.999 : 1e15);
	case XY_FORM_YES_NO:
	case XY_FORM_NOTE:
		return json_boolean(row & 1);
	default:
		return json_integer(row ? INT64_MAX : 1);
	}
}

static json_t *hard_object(const struct xy_object *o, unsigned row)
{
	json_t *all = json_object();
	for (; o; o = o->more ? o->more() : NULL)
		for (unsigned i = 0; i < o->count; i++)
			json_object_set_new(all, o->fields[i].key, hard_value(&o->fields[i], row));
	return all;
}

static json_t *answer_hard(void *arg, struct xy_request *q)
{
	const struct xy_reply *r = arg;
	return hard_object(r->object(), 1);
}

static void serve_hard(struct xy_server *t)
{
	const struct xy_reply *r;
	for (unsigned i = 0; (r = xy_reply_at(i)); i++)
		xy_server_register(t, r->command, "", answer_hard, (void *)(uintptr_t)r);
	for (unsigned i = 0; (r = xy_agent_reply_at(i)); i++)
		xy_server_register(t, r->command, "", answer_hard, (void *)(uintptr_t)r);
}

static void serve_fixed(struct xy_server *t);

static void serve(int ready, bool hard)
{
	uv_loop_t loop;
	struct xy_rundir run;
	struct xy_server *t;
	struct xy_err err;
	char path[128];
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(run.path, sizeof(run.path), "%s/xylem", dir);
	mkdir(run.path, 0755);
	snprintf(run.path, sizeof(run.path), "%s/xylem/" NODE, dir);
	mkdir(run.path, 0755);
	snprintf(path, sizeof(path), "%s/xylem/" NODE "/" XY_RUNDIR_TELEMETRY, dir);
	struct xy_server_config cfg = {.listen = {.instance = NODE, .path = path, .mode = 0600}};
	uv_loop_init(&loop);
	if (xy_server_create(&loop, &t, &err) || xy_server_listen(t, &cfg, &err))
		_exit(1);
	snprintf(run.path, sizeof(run.path), "%s/" XY_RUNDIR_AGENT, dir);
	mkdir(run.path, 0755);
	snprintf(run.path, sizeof(run.path), "%s/" XY_RUNDIR_AGENT "/" NODE, dir);
	mkdir(run.path, 0755);
	snprintf(run.path, sizeof(run.path), "%s/" XY_RUNDIR_AGENT "/" NODE "/" XY_RUNDIR_FLEET,
		 dir);
	if (symlink(path, run.path) && errno != EEXIST) // the agent's socket leads to the same
		_exit(1);
	if (hard)
		serve_hard(t);
	else
		serve_fixed(t);
	if (write(ready, "", 1) != 1)
		_exit(1);
	uv_run(&loop, UV_RUN_DEFAULT);
}

static void serve_fixed(struct xy_server *t)
{
	xy_server_register(t, "/xylem/routes", "", answer_routes, NULL);
	xy_server_register(t, "/xylem/sessions", "", answer_sessions, NULL);
	xy_server_register(t, "/xylem/peers", "", answer_peers, NULL);
	xy_server_register(t, "/xylem/node", "", answer_node, NULL);
	xy_server_register(t, "/xylem/name", "", answer_name, NULL);
	xy_server_register(t, "/xylem/workers", "", answer_workers, NULL);
	xy_server_register(t, "/xylem/graph", "", answer_graph, NULL);
	xy_server_register(t, "/xylem/drops", "", answer_drops, NULL);
	xy_server_register(t, "/xylem/route", "", answer_route, NULL);
	xy_server_register(t, "/xylem/neighbours", "", answer_neighbours, NULL);
	xy_server_register(t, "/xylem/routing", "", answer_nothing, NULL);
	xy_server_register(t, "/xylem/log", "", answer_log, NULL);
	xy_server_register(t, "/xylem/gateways", "", answer_gateways, NULL);
	xy_server_register(t, "/xylem/tree", "", answer_tree, NULL);
	xy_server_register(t, "/xylem/path", "", answer_walk, NULL);
	xy_server_register(t, "/xylem/trace", "", answer_walk, NULL);
}

static pid_t start_server(bool hard)
{
	int fd[2];
	char byte;
	CU_ASSERT_FATAL(pipe(fd) == 0);
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		serve(fd[1], hard);
		_exit(0);
	}
	close(fd[1]);
	CU_ASSERT_FATAL(read(fd[0], &byte, 1) == 1);
	close(fd[0]);
	return pid;
}

// --- the program

// Runs "xylem ARGUMENTS" through the shell; what it says on either channel is in `out`.
__attribute__((format(printf, 1, 2))) static int run(const char *fmt, ...)
{
	char args[512], command[1024];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(args, sizeof(args), fmt, ap);
	va_end(ap);
	snprintf(command, sizeof(command), "'%s' 2>&1 %s", getenv("XYLEM"), args);
	FILE *p = popen(command, "r");
	CU_ASSERT_FATAL(p != NULL);
	size_t n = fread(out, 1, sizeof(out) - 1, p);
	out[n] = 0;
	int status = pclose(p);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void expect(int line, int code, int want, const char *part)
{
	bool right = code == want && strstr(out, part);
	if (!right)
		printf("\n  line %d: exit %d, expected %d and \"%s\" in:\n%s\n", line, code, want,
		       part, out);
	CU_ASSERT(right);
}

#define EXPECT(want, part, ...) expect(__LINE__, run(__VA_ARGS__), want, part)

static void test_words(void)
{
	EXPECT(2, "usage: xylem COMMAND", " ");
	EXPECT(0, "usage: xylem COMMAND", "help");
	run("help");
	for (const char *at = out, *end; (end = strchr(at, '\n')); at = end + 1)
		CU_ASSERT(end - at <= 80);
	EXPECT(0, "  genkey [FILE] [--stdout]", "genkey --help");
	EXPECT(0, "  show WHAT", "show peers -h");
	EXPECT(2, "genkey takes one FILE", "genkey -");
	EXPECT(2, "genkey takes one FILE", "genkey ''");
	EXPECT(1, "standard input: is empty", "pubkey - </dev/null");
	EXPECT(0, "xylem " XY_VERSION, "--version");
	EXPECT(2, "there is no command \"shwo\"; did you mean show?", "shwo");
	EXPECT(2, "did you mean genkey or genconf?", "gen");
	EXPECT(2, "there is no command \"\"", "''");
	EXPECT(2, "did you mean peers?", "show paers");
	EXPECT(2, "did you mean routes or routing or route?", "sh rou");
	EXPECT(1, "no daemon answers as instance nobody-is-here", "sh nod -n nobody-is-here");
	EXPECT(1, "no daemon answers as instance nobody-is-here", "pe rem x -n nobody-is-here");
	EXPECT(2, "write on or off", "set peer x tr no -n nobody-is-here");
	EXPECT(0, "xylem " XY_VERSION, "-V");
	EXPECT(2, "there is node, config, peers, workers", "show");
	EXPECT(2, "show paers: there is node, config, peers", "show paers");
	EXPECT(2, "one list at a time", "show node peers");
	EXPECT(2, "-n needs a value", "show node -n");
	EXPECT(2, "a config of xylem-web", "show node -n web");
	EXPECT(2, "a config of xylem-fleet", "reload -n a.fleet");
	EXPECT(2, "write seconds", "show node -w soon");
	EXPECT(2, "-n ../x: it is no instance name; use", "show node -n ../x");
	EXPECT(2, "--dot is for show graph", "show node --dot");
	EXPECT(2, "does not know \"--jason\"", "show node --jason");
	EXPECT(2, "show path: write ADDRESS behind it", "show path");
	EXPECT(2, "one list at a time", "show tree peers");
	EXPECT(2, "does not know \"x\"", "show path 200::1 x");
	EXPECT(2, "-w is not for show tree", "show tree -w 1");
	EXPECT(2, "no daemon answers", "ping relay -n nobody-is-here");
	EXPECT(1, "no daemon answers", "netcheck -n nobody-is-here");
	EXPECT(1, "no daemon answers", "diagnose -n nobody-is-here");
	EXPECT(2, "write: xylem ping ADDRESS", "ping");
	EXPECT(2, "-s needs a value", "ping x -s");
	EXPECT(2, "write a number, 1 to 1e+09", "ping x -c 0");
	EXPECT(2, "write a whole number", "ping x -c 1.5");
	EXPECT(2, "takes one peer", "netcheck a b");
	EXPECT(2, "doctor takes no argument", "doctor all");
	EXPECT(1, "WRONG   config              /nowhere/at-all", "doctor -c /nowhere/at-all");
	EXPECT(2, "takes a peer or an address", "diagnose a b");
	EXPECT(2, "an address or a name is not empty", "show path ''");
	EXPECT(2, "trace needs an address or a name", "trace --json");
	EXPECT(2, "does not know \"200::2\"", "trace 200::1 200::2");
	EXPECT(2, "-n ../x: it is no instance name; use", "trace 200::1 -n ../x");
	EXPECT(2, "-n 0: write how many pictures", "top -n 0");
	EXPECT(2, "-b x: write how many pictures", "top -b x");
	EXPECT(2, "-d 0: write seconds", "top -d 0");
	EXPECT(2, "--sort speed: there is bits", "top --sort speed");
	EXPECT(2, "did you mean packets?", "top --sort pakets");
	EXPECT(2, "top does not know \"--json\"", "top --json");
	EXPECT(2, "-n needs a value", "top -n");
	EXPECT(1, "no daemon answers as instance 3", "top -n 3 -b 1");
	EXPECT(1, "no daemon answers as instance nobody-is-here", "show node -n nobody-is-here");
	EXPECT(1, "start xylemd", "show node -n nobody-is-here");
	EXPECT(1, "cannot write the output", "genconf >/dev/full");
}

// As a shell asks: the last word is the one that is being written.
static void test_complete(void)
{
	EXPECT(0, "\nshow\ntop\ntrace\n", "complete");
	EXPECT(0, "genkey\ngenconf\n", "complete gen");
	EXPECT(0, "routes\nrouting\nroute\n", "complete show rout");
	EXPECT(0, "add\nremove\nreset\n", "complete peer ''");
	EXPECT(0, "--key\n--keepalive\n", "complete peer add x --ke");
	EXPECT(0, "traffic\ncost\n", "complete set peer x ''");
	EXPECT(0, "on\noff\ndefault\n", "complete set peer x traffic ''");
	EXPECT(0, "off\n", "complete drain ''");
	EXPECT(0, "level\n", "complete log --json ''");
	run("complete peer add x --key ''");
	CU_ASSERT_STRING_EQUAL(out, "");
	run("complete nothing ''");
	CU_ASSERT_STRING_EQUAL(out, "");
}

static void test_keys(void)
{
	struct stat st;
	char key[128], path[128], path2[128];
	snprintf(path, sizeof(path), "%s/keys/key", dir);
	EXPECT(0, path, "genkey %s", path); // it says where
	CU_ASSERT(strncmp(out, "key file    ", 12) == 0 && strstr(out, "public key  "));
	snprintf(key, sizeof(key), "%.44s\n", strstr(out, "public key  ") + 12);
	CU_ASSERT(stat(path, &st) == 0 && (st.st_mode & 07777) == 0600);
	EXPECT(0, key, "pubkey %s", path);
	EXPECT(0, key, "pubkey - <%s", path);
	EXPECT(1, path, "genkey %s", path);
	EXPECT(0, "xylem-key-v1:", "genkey --stdout");
	CU_ASSERT(strlen(out) == 58 && out[57] == '\n'); // and nothing else
	snprintf(path2, sizeof(path2), "%s/keys/two", dir);
	EXPECT(0, "others may read", "genkey --stdout 2>&1 >%s", path2);
	CU_ASSERT(chmod(path2, 0600) == 0);
	EXPECT(0, "=\n", "pubkey %s", path2);
	unlink(path2);
	EXPECT(2, "or --stdout", "genkey --stdout x");
	EXPECT(0, key, "pubkey %s", path); // it is the first one still
	EXPECT(1, "genkey", "pubkey %s.none", path);
	unlink(path);
	*strrchr(path, '/') = 0;
	CU_ASSERT(stat(path, &st) == 0 && (st.st_mode & 07777) == 0700);
	rmdir(path);
}

// The design's vector.
static void test_inspect(void)
{
#define HEX "a47c1d6f2a15b2c670d3a88fbe0aeb301ced12f7bcb4c8e3aa877b20f8559c02"
	EXPECT(0, "\"address\": \"27f:b2c5:a944:4dad:9cb1:da4:8bf7:7e65\"",
	       "inspect " HEX " --json");
	EXPECT(0, "\"prefix\": \"27f:b2c5:a944:4dad::/64\"", "inspect --json " HEX);
	EXPECT(0, "\"link_local\": \"fe80::9cb1:da4:8bf7:7e65\"", "inspect --json " HEX);
	EXPECT(0, "address     27f:b2c5:a944:4dad:9cb1:da4:8bf7:7e65\n", "inspect " HEX);
	EXPECT(1, "64 hex digits", "inspect abc");
	EXPECT(2, "does not know", "inspect --hex");
}

static void test_show(void)
{
	EXPECT(0, "a\n", "complete peer reset -n " NODE " ''");
	CU_ASSERT_STRING_EQUAL(out, "a\n");
	EXPECT(0, "a\n", "complete show routes -n " NODE " --peer ''");
	CU_ASSERT_STRING_EQUAL(out, "a\n"); // and no name that would speak to the terminal
	EXPECT(0,
	       "NAME   STATE        ENDPOINT         LAST RECEIVED       RX       TX  TROUBLE\n"
	       "a      up           192.0.2.1:51820            2 s  2.0 KiB      5 B  -\n"
	       "b?[2J  no endpoint  -                        never      0 B  1.0 GiB  no answer\n",
	       "show peers -n " NODE);
	EXPECT(0, "0    1  yes    25 %", "show workers -n " NODE);
	EXPECT(0, "rss             2.0 KiB\n", "show node -n " NODE);
	CU_ASSERT(strstr(out, "loop lag p99    7 us\n") != NULL);
	CU_ASSERT(strstr(out, "route memory") == NULL && strstr(out, "\nreloads") == NULL);
	CU_ASSERT(strstr(out, "\n\nPEER  ENDPOINT  STATE   PROBES\n"
			      "p     h:1       asking       4\n") != NULL);
	EXPECT(0, "\nroute memory             -\n", "show node -v --all -n " NODE);
	CU_ASSERT(strstr(out, "reloads                  -\n") != NULL);
	CU_ASSERT(strstr(out, "PROBES  KEY\n") != NULL);
	EXPECT(0, "digraph xylem {}\n", "show graph --dot -n " NODE);
	EXPECT(0, "drop_stale", "show graph -n " NODE);
	CU_ASSERT(strstr(out, "drop_replay") == NULL); // never called
	EXPECT(1, "the daemon says: out of order", "show drops -n " NODE);
	EXPECT(1, "the daemon says: no such command", "show ports -n " NODE);
	CU_ASSERT(strstr(out, "\033") == NULL); // no terminal, no colour
}

static void test_route(void)
{
	EXPECT(0, "10.1.0.0/16  peer  r      static  yes\n", "show route 10.1.0.0/16 -n " NODE);
	EXPECT(1, "there is no route to 10.2.0.0/16, and none that holds it",
	       "show route 10.2.0.0/16 -n " NODE);
	CU_ASSERT(strstr(out, "PREFIX") == NULL);
	EXPECT(1, "packets there follow that to 10.1.0.0/16: xylem show route 10.1.0.0/16",
	       "show route 10.1.2.0/24 -n " NODE);
	EXPECT(1, "no route to 10.0.0.0/8 itself, but to what lies in it, as 10.1.0.0/16",
	       "show route 10.0.0.0/8 -n " NODE);
	EXPECT(1,
	       "PREFIX       PEER  NODE  WHY NOT\n"
	       "10.3.0.0/16  r     g     not accepted: routing.accept does not name it\n",
	       "show route 10.3.0.1 -n " NODE);
	CU_ASSERT(strstr(out, "no_route; what is known of it is not used") != NULL);
	EXPECT(1, "\"match\": null", "show route 10.2.0.0/16 --json -n " NODE);
}

static void test_gateways(void)
{
	EXPECT(0,
	       "PREFIX       GATEWAY  METRIC  USED  WHY NOT         AGE\n"
	       "10.0.0.0/8   s             9  no    -                 -\n"
	       "10.2.0.0/24  g           500  yes   -                 -\n"
	       "10.2.0.0/24  h           400  no    further than g    -\n"
	       "10.2.0.0/24  s             -  no    -                 -\n"
	       "fd00::/8     b             1  yes   -                 -\n",
	       "show gateways -n " NODE);
	EXPECT(0, "192.0.2.0/24  x", "show gateways 192.0.2.0/24 -n " NODE);
	EXPECT(2, "one list at a time", "show routes 192.0.2.0/24 -n " NODE);
}

// Of a daemon that has no interface: nothing can be sent.
static void test_netcheck(void)
{
	EXPECT(1, "PEER   REACHED   MTU  PROVEN  RTT  LOSS  CLOCK  NAT", "netcheck -n " NODE);
	CU_ASSERT(strstr(out, "\nb?[2J  no") != NULL && strstr(out, "\nb?[2J\n  not reached: no "
								    "endpoint, no answer") != NULL);
	CU_ASSERT(strstr(out, "\033") == NULL);
	EXPECT(0, "only who begins one tells its", "netcheck a -n " NODE);
	CU_ASSERT(strstr(out, "b?") == NULL);
	EXPECT(1, "\"reached\": false", "netcheck --json -n " NODE);
	EXPECT(1, "did you mean a?", "netcheck ax -n " NODE);
	EXPECT(2, "this node has no host interface", "ping 200::1 -n " NODE);
	EXPECT(2, "is no address, no key", "ping nobody -n " NODE);
	EXPECT(1, "the daemon says: no such command", "diagnose -n " NODE); // ports
}

// Greets, and ends the connection: with or without a word, before or behind the request.
static void serve_rudely(int listener, const char *last, bool wait)
{
	static const char greeting[] = "{\"version\":\"x\",\"pid\":1,\"max_output_len\":65536}";
	struct pollfd p = {.events = POLLIN};
	p.fd = accept(listener, NULL, NULL);
	send(p.fd, greeting, sizeof(greeting) - 1, 0);
	if (wait)
		poll(&p, 1, 10000);
	if (last)
		send(p.fd, last, strlen(last), 0);
	close(p.fd);
}

static void test_ended(void)
{
	static const char last[] = "{\"error\":\"more than 32\"}";
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/xylem/rude", dir);
	CU_ASSERT(mkdir(sun.sun_path, 0755) == 0);
	strcat(sun.sun_path, "/" XY_RUNDIR_TELEMETRY);
	CU_ASSERT_FATAL(bind(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0 && listen(fd, 8) == 0);
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (int i = 0; i < 4; i++)
			serve_rudely(fd, i < 2 ? last : NULL, i % 2);
		_exit(0);
	}
	EXPECT(1, "the daemon says: more than 32", "show peers -n rude");
	EXPECT(1, "the daemon says: more than 32", "show peers -n rude");
	EXPECT(1, "ended the connection and did not say why", "show peers -n rude");
	EXPECT(1, "ended the connection and did not say why", "show peers -n rude");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(fd);
	unlink(sun.sun_path);
	*strrchr(sun.sun_path, '/') = 0;
	rmdir(sun.sun_path);
}

static void test_tree(void)
{
	EXPECT(0,
	       "ADDRESS             NAME   COST      RTT  STATE\n"
	       "200::1              -         -        -  this node\n"
	       "|-- 200::2          b?[2J    96  1.23 ms  tells no more\n"
	       "|   `-- 200::4      -         -        -  no answer\n"
	       "|       `-- 200::5  -         -        -  not asked\n"
	       "`-- 200::3          (p)       -        -  answers\n"
	       "There is more",
	       "show tree -n " NODE);
	CU_ASSERT(strstr(out, "200::6") == NULL);
	CU_ASSERT(run("show tree --json -n " NODE) == 0);
	json_t *o = json_loads(out, 0, NULL);
	CU_ASSERT(json_array_size(json_object_get(o, "nodes")) == 6); // both pages
	json_decref(o);
}

static void test_trace(void)
{
	EXPECT(1,
	       "HOP  ADDRESS  NAME     RTT  METRIC  STATE\n"
	       "  1  200::2   b     270 us      96  answers\n"
	       "     ?        -          -       -  perhaps others between\n"
	       "  2  200::9   -          -       -  no answer\n"
	       "200::9 not reached: the last node does not answer",
	       "trace 200:0::9 -n " NODE);
	EXPECT(0, "200::9 reached\n", "trace 200::8 -n " NODE);
	EXPECT(0, "it is this node, or behind it\n", "trace 200::1 -n " NODE);
	EXPECT(0, "200::9 reached\n", "trace r1 -n " NODE);
	EXPECT(1, "there is no address, peer or node \"nobody\"", "trace nobody -n " NODE);
	EXPECT(1, "\"end\": \"no answer\"", "trace --json 200::9 -n " NODE);
	EXPECT(0,
	       "prefix    200::/7\nsource    static\npeer      p\nmetric    -\n"
	       "next hop  200::2\nepoch     7\n\nHOP  ADDRESS",
	       "show path 200::9 -n " NODE);
	EXPECT(0, "this node has no route to it\n", "show path 200::1 -n " NODE);
	EXPECT(0, "\"route\": null", "show path 200::1 --json -n " NODE);
}

static void test_json(void)
{
	CU_ASSERT(run("show peers --json -n " NODE) == 0);
	json_t *o = json_loads(out, 0, NULL);
	CU_ASSERT_FATAL(o != NULL);
	CU_ASSERT(json_array_size(json_object_get(o, "peers")) == 2); // both pages
	CU_ASSERT(json_is_null(json_object_get(o, "next")));
	json_decref(o);
}

// The second table has rates; head ends the repetition after it.
static void test_repeat(void)
{
	run("show workers -w 0.1 -n " NODE " | head -n 12");
	CU_ASSERT(strstr(out, "/s") != NULL);
	run("show sessions -w 0.1 -n " NODE " | head -n 12");
	CU_ASSERT(strstr(out, "  sessions of " NODE ", every 0.1 s\n\n"
			      "PEER  STATE  AGE\na     up       -\nb     up       -\n") != NULL);
	CU_ASSERT(strstr(out, "\n\nPEER  STATE    AGE\n"
			      "a     silent*    -\nc*    up         -\ngone  2\n") != NULL);
	run("show workers -w 0.1 --json -n " NODE " | head -n 2");
	CU_ASSERT(strchr(out, '\n') != NULL && strchr(out, '\n')[1] == '{');
}

// Columns of a line, up to its end; what is no letter is told.
static unsigned width_of(const char *line, const char *end)
{
	unsigned width = 0;
	wchar_t c;
	while (line < end) {
		int n = mbtowc(&c, line, (size_t)(end - line)), w = n > 0 ? wcwidth(c) : -1;
		bool fine = n > 0 && w >= 0 && (uint32_t)c >= ' ' && c != 0x202e && c != 0x2066 &&
			    c != 0x200d && c != 0xfeff;
		if (!fine)
			printf("\n  it speaks to the terminal: %.*s\n", (int)(end - line), line);
		CU_ASSERT_FATAL(fine);
		line += n;
		width += (unsigned)w;
	}
	return width;
}

static unsigned widest_line(void)
{
	unsigned most = 0;
	const char *at = out, *end;
	for (; (end = strchr(at, '\n')); at = end + 1) {
		unsigned w = width_of(at, end);
		most = w > most ? w : most;
	}
	CU_ASSERT(*at == 0);
	return most;
}

static void hard_view(const char *view, const char *about)
{
	int code = run("show %s %s -n " NODE, view, about);
	CU_ASSERT(code == 0);
	unsigned width = widest_line();
	if (width > 80 || code)
		printf("\n  show %s: %u columns, exit %d:\n%s\n", view, width, code, out);
	CU_ASSERT(width <= 80);
	CU_ASSERT(run("show %s %s --all -n " NODE, view, about) == 0);
	CU_ASSERT(widest_line() <= 80);
	CU_ASSERT(run("show %s %s --all -v -n " NODE, view, about) == 0);
	widest_line();
}

static void test_hard(void)
{
	const struct xy_reply *r;
	CU_ASSERT_FATAL(setlocale(LC_CTYPE, "C.UTF-8") != NULL);
	for (unsigned i = 0; (r = xy_reply_at(i)); i++) {
		const char *about = r->about && r->about[0] != '[' ? "200::1" : "";
		if (strcmp(r->name, "trace") == 0 || strcmp(r->name, "name") == 0) // no views
			continue;
		hard_view(r->name, about);
		CU_ASSERT(run("show %s %s --json -n " NODE, r->name, about) == 0);
		json_t *o = json_loads(out, 0, NULL);
		CU_ASSERT(o != NULL);
		json_decref(o);
	}
	for (unsigned i = 0; (r = xy_agent_reply_at(i)); i++)
		hard_view(r->name, "");
	run("fleet info -n " NODE);
	CU_ASSERT(widest_line() <= 80);
	run("fleet list -n " NODE);
	CU_ASSERT(widest_line() <= 80);
	run("trace 200::1 -n " NODE);
	CU_ASSERT(widest_line() <= 80);
	EXPECT(0, "DROPPED", "top -n 2 -d 0.1 -n " NODE " --all");
	CU_ASSERT(widest_line() <= 80);
	run("leaf list -n " NODE);
	CU_ASSERT(widest_line() <= 80);
	EXPECT(0, "9223372036854775807", "show workers -v -n " NODE); // all of it
	EXPECT(0, "9.2 E", "show workers -n " NODE);
}

// A long list comes in parts, and is one table.
static void test_parts(void)
{
	CU_ASSERT(run("show routes -n " NODE " >%s/table; wc -l <%s/table; grep -c PREFIX %s/table",
		      dir, dir, dir) == 0);
	CU_ASSERT_STRING_EQUAL(out, "2503\n2\n"); // titles again where a column grew
	CU_ASSERT(run("show routes --json -n " NODE " >%s/table; jq -c '(.routes | length), .next, "
		      ".routes[2499].prefix' %s/table; rm %s/table",
		      dir, dir, dir) == 0);
	CU_ASSERT_STRING_EQUAL(out, "2500\nnull\n\"10.9.249.0/24\"\n");
	EXPECT(0, "80\n", "show routes --count -n " NODE);
	EXPECT(0, "{\"count\": 80}\n", "show routes --count --json -n " NODE);
	EXPECT(0, "{\"peer\":\"a b\",\"within\":\"10.0.0.0/8\"}",
	       "show routes -v --peer 'a b' --within 10.0.0.0/8 -n " NODE);
	EXPECT(0, "1\n", "show gateways --count -n " NODE);
	EXPECT(0, "1\n", "show graph --count -n " NODE);
	EXPECT(0, "2\n", "show graph --count --all -n " NODE);
	EXPECT(0, "drop_replay", "show graph --all -n " NODE);
}

static void test_log(void)
{
	EXPECT(0,
	       "TIME             LEVEL  SUBSYSTEM  TEXT\n"
	       "Nov 30 16:31:50  warn   links      peer b\\x1b: is ?[2J and ? of so many words\n"
	       "                                   that they do not go into a line of eighty\n"
	       "Nov 30 16:31:50  info   links      peer a: up\n",
	       "show log -n " NODE);
	EXPECT(0, "2026-11-30T16:31:50.123Z", "show log -v -n " NODE);
	EXPECT(0, "peer b", "show log --level warn -n " NODE);
	CU_ASSERT(strstr(out, "peer a") == NULL);
	EXPECT(0, "1\n", "show log --level=warn --count -n " NODE);
	EXPECT(0, "2\n", "show log --count -n " NODE);
	EXPECT(0, "\"seq\": 7,", "show log --json -n " NODE);
	EXPECT(2, "--level loud: write error, warn, info or debug", "show log --level loud");
	EXPECT(2, "--level is for show log", "show peers --level warn");
	EXPECT(2, "no --count with it", "show log -w --count");
	EXPECT(0, "warn\ninfo\n", "show log -w 0.1 --json -n " NODE " | head -n 2 | jq -r .level");
	EXPECT(0, "11 lines came faster than", "show log -w 0.1 -n " NODE " | head -n 7");
	CU_ASSERT(widest_line() <= 80);
	CU_ASSERT(strstr(out, "TEXT") && !strstr(strstr(out, "TEXT") + 1, "TEXT"));
	EXPECT(0, "debug\n", "complete show log --level d");
}

static void first_is(int line, const char *row, const char *args)
{
	run("show routes -n " NODE " %s | sed -n '2s/ .*//p;$s/ .*//p' | paste -sd' '", args);
	if (strcmp(out, row) != 0)
		printf("\n  line %d: %s", line, out);
	CU_ASSERT_STRING_EQUAL(out, row);
}

static void test_sort(void)
{
	first_is(__LINE__, "10.0.0.0/24 10.1.107.0/24\n", "--sort metric"); // 7 * 357 is 2499
	first_is(__LINE__, "10.1.107.0/24 10.0.0.0/24\n", "--sort -metric");
	first_is(__LINE__, "10.9.249.0/24 10.0.0.0/24\n", "--sort=-prefix");
	EXPECT(2, "--sort metrik: show routes has prefix, kind",
	       "show routes --sort metrik -n " NODE);
	CU_ASSERT(strstr(out, "did you mean metric?") != NULL);
	EXPECT(2, "--sort is for lists", "show node --sort uptime -n " NODE);
	EXPECT(2, "--sort needs a value", "show routes --sort");
	EXPECT(2, "--count is for lists", "show node --count");
	EXPECT(2, "--peer is for show peers, routes", "show drops --peer a");
	EXPECT(2, "--within 10.0.0.1/8 has host bits set; write 10.0.0.0/8",
	       "show routes --within 10.0.0.1/8");
	EXPECT(2, "--within ten: write a prefix", "show routes --within ten");
	EXPECT(2, "write the prefix once", "show gateways 10.0.0.0/8 --within 10.0.0.0/8");
	EXPECT(0, "a    ", "show peers --sort last_received -n " NODE); // who never was is last
	EXPECT(0, "NAME", "show peers --sort RX -n " NODE);
}

static void all(bool hard, void (*const fn[])(void))
{
	pid_t pid = start_server(hard);
	for (; *fn; fn++)
		(*fn)();
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void test_server(void)
{
	all(false, (void (*const[])(void)){test_show, test_route, test_gateways, test_netcheck,
					   test_ended, test_tree, test_trace, test_json,
					   test_repeat, test_parts, test_sort, test_log, NULL});
	all(true, (void (*const[])(void)){test_hard, NULL});
	// what a killed one leaves: nobody answers
	EXPECT(1, "Connection refused", "show peers -n " NODE);
}

static void tidy_of(const char *program, const char *socket)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/%s/" NODE "/%s", dir, program, socket);
	unlink(path);
	*strrchr(path, '/') = 0;
	rmdir(path);
	*strrchr(path, '/') = 0;
	rmdir(path);
}

static void tidy(void)
{
	tidy_of(XY_RUNDIR_DAEMON, XY_RUNDIR_TELEMETRY);
	tidy_of(XY_RUNDIR_AGENT, XY_RUNDIR_FLEET);
	CU_ASSERT(rmdir(dir) == 0);
}

static void prepare(void)
{
	CU_ASSERT_FATAL(getenv("XYLEM") != NULL && mkdtemp(dir) != NULL);
	setenv("XDG_RUNTIME_DIR", dir, 1);
}

XY_UNIT_MAIN("cli", {"a folder", prepare}, {"words and exit codes", test_words},
	     {"completion", test_complete}, {"genkey, pubkey", test_keys},
	     {"inspect", test_inspect}, {"show, against a server", test_server},
	     {"nothing stays", tidy})
