// SPDX-License-Identifier: BSD-3-Clause
// The client of the daemon's sockets against a daemon that does as each case says, also a lying, a
// silent and a slow one; and the folders that it looks for sockets in.
#include "base/bytes.h"
#include "client/client.h"
#include "client/rundir.h"
#include "unit.h"

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

// --- a daemon: sends the next of its words at each request; NULL ends it

#define GREETING "{\"version\":\"x\",\"pid\":1,\"max_output_len\":4096}"
#define NAME	 "client-test"

enum { WORDS = 16 };

struct daemon {
	int listener;
	pthread_t thread;
	const char *greeting; // NULL: says nothing
	const char *words[WORDS];
	bool hangs; // behind its last word it stays, and says nothing
	bool early; // its first word comes before it is asked
	char asked[WORDS][256];
	unsigned count;
};

static char dir[32], sock_path[108];
static int stop_pipe[2];

// False: it is to end.
static bool next_request(struct daemon *d, int fd)
{
	struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.fd = stop_pipe[0], .events = POLLIN}};
	if (poll(p, 2, 20000) <= 0 || p[1].revents)
		return false;
	char *to = d->asked[d->count < WORDS ? d->count++ : WORDS - 1];
	ssize_t n = recv(fd, to, 255, 0);
	return n > 0;
}

static void *serve(void *arg)
{
	struct daemon *d = arg;
	unsigned at = 0;
	int fd = accept(d->listener, NULL, NULL);
	if (d->greeting)
		send(fd, d->greeting, strlen(d->greeting), MSG_NOSIGNAL);
	if (d->early)
		send(fd, d->words[at], strlen(d->words[at]), MSG_NOSIGNAL), at++;
	while (!d->early && next_request(d, fd) && d->words[at]) {
		send(fd, d->words[at], strlen(d->words[at]), MSG_NOSIGNAL);
		at++;
	}
	struct pollfd p = {.fd = stop_pipe[0], .events = POLLIN};
	if (d->hangs)
		poll(&p, 1, 20000);
	close(fd);
	return NULL;
}

static void start(struct daemon *d)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	strcpy(dir, "/tmp/xylem-cl-XXXXXX");
	CU_ASSERT_FATAL(mkdtemp(dir) != NULL && pipe(stop_pipe) == 0);
	setenv("XDG_RUNTIME_DIR", dir, 1);
	snprintf(sock_path, sizeof(sock_path), "%s/xylem", dir);
	CU_ASSERT_FATAL(mkdir(sock_path, 0755) == 0);
	strcat(sock_path, "/" NAME);
	CU_ASSERT_FATAL(mkdir(sock_path, 0755) == 0);
	strcat(sock_path, "/" XY_RUNDIR_TELEMETRY);
	strcpy(sun.sun_path, sock_path);
	d->listener = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	CU_ASSERT_FATAL(bind(d->listener, (struct sockaddr *)&sun, sizeof(sun)) == 0 &&
			listen(d->listener, 4) == 0 &&
			pthread_create(&d->thread, NULL, serve, d) == 0);
}

static void stop(struct daemon *d)
{
	CU_ASSERT(write(stop_pipe[1], "", 1) == 1);
	pthread_join(d->thread, NULL);
	close(d->listener);
	close(stop_pipe[0]);
	close(stop_pipe[1]);
	CU_ASSERT(unlink(sock_path) == 0);
	for (int i = 0; i < 3; i++) {
		*strrchr(sock_path, '/') = 0;
		CU_ASSERT(rmdir(sock_path) == 0);
	}
	unsetenv("XDG_RUNTIME_DIR");
}

static int open_client(struct xy_client **c, unsigned timeout_ms, size_t most, struct xy_err *err)
{
	struct xy_client_config cfg = {.instance = NAME,
				       .socket = XY_RUNDIR_TELEMETRY,
				       .timeout_ms = timeout_ms,
				       .most = most};
	return xy_client_open(&cfg, c, err);
}

// What the client makes of one word: the code, and a part of the error.
static void expect(const char *word, int code, const char *part, bool names_socket)
{
	struct daemon d = {.greeting = GREETING, .words = {word}};
	struct xy_client *c = NULL;
	struct xy_err err = {""};
	json_t *o = NULL;
	start(&d);
	CU_ASSERT_EQUAL_FATAL(open_client(&c, 0, 0, &err), 0);
	CU_ASSERT_EQUAL(xy_client_ask(c, "/x", NULL, &o, &err), code);
	if (!strstr(err.text, part))
		printf("\n  %s\n", err.text);
	CU_ASSERT(strstr(err.text, part) != NULL);
	CU_ASSERT(!code || (strstr(err.text, sock_path) != NULL) == names_socket);
	json_decref(o);
	xy_client_close(c);
	stop(&d);
}

static void test_answers(void)
{
	char *large = calloc(1, 9000);
	memset(large, ' ', 8999);
	expect("{\"/x\":{\"a\":1}}", 0, "", false);
	expect("{\"/x\":{\"error\":\"no such\"}}", -EREMOTE, "the daemon says: no such", false);
	expect("{\"\":{\"error\":\"too long\"}}", -EREMOTE, "the daemon says: too long", false);
	expect("{\"error\":\"full\"}", -EREMOTE, "the daemon says: full", false);
	expect("{\"/y\":{\"a\":1}}", -EPROTO, "answers what was not asked", true);
	expect("{\"/x\":[1]}", -EPROTO, "holds no object", true);
	expect("{}", -EPROTO, "holds no object", true);
	expect("[]", -EPROTO, "holds no object", true);
	expect("\xff{", -EPROTO, "is no JSON", true);
	expect(NULL, -ECONNRESET, "ended the connection and did not say why", true);
	expect(large, -EPROTO, "longer than it said", true);
	free(large);
}

static void test_greetings(void)
{
	static const struct {
		const char *greeting;
		int code;
		const char *part;
	} table[] = {
		{"{}", -EPROTO, "no telemetry socket"},
		{"{\"max_output_len\":0}", -EPROTO, "no telemetry socket"},
		{"{\"max_output_len\":1000000000000}", -EPROTO, "no telemetry socket"},
		{"hello", -EPROTO, "is no JSON"},
		{NULL, -EAGAIN, "timed out"},
	};
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct daemon d = {.greeting = table[i].greeting, .hangs = true};
		struct xy_client *c = NULL;
		struct xy_err err = {""};
		start(&d);
		CU_ASSERT_EQUAL(open_client(&c, table[i].greeting ? 0 : 100, 0, &err),
				table[i].code);
		CU_ASSERT(strstr(err.text, table[i].part) && strstr(err.text, sock_path));
		stop(&d);
	}
}

// What comes after all is never taken for the answer to the next question.
static void test_silent(void)
{
	struct daemon d = {.greeting = GREETING, .words = {"{\"/x\":{\"n\":1}}"}, .hangs = true};
	struct xy_client *c = NULL;
	struct xy_err err = {""};
	json_t *o = NULL;
	start(&d);
	CU_ASSERT_EQUAL_FATAL(open_client(&c, 1000, 0, &err), 0);
	CU_ASSERT_EQUAL(xy_client_ask(c, "/x", "p,q", &o, &err), 0);
	json_decref(o);
	CU_ASSERT_EQUAL(xy_client_ask(c, "/x", NULL, &o, &err), -EAGAIN);
	CU_ASSERT(strstr(err.text, "does not answer: timed out") && strstr(err.text, sock_path));
	CU_ASSERT_EQUAL(xy_client_ask(c, "/x", NULL, &o, &err), -ENOTCONN);
	xy_client_close(c);
	stop(&d);
	CU_ASSERT_STRING_EQUAL(d.asked[0], "/x,p,q");
}

// Its last word before it ends the connection is told, though the question cannot be sent any more.
static void test_last_word(void)
{
	struct daemon d = {
		.greeting = GREETING, .words = {"{\"error\":\"more than 32\"}"}, .early = true};
	struct xy_client *c = NULL;
	struct xy_err err = {""};
	json_t *o = NULL;
	start(&d);
	CU_ASSERT_EQUAL_FATAL(open_client(&c, 0, 0, &err), 0);
	pthread_join(d.thread, NULL);
	CU_ASSERT_EQUAL(xy_client_ask(c, "/x", NULL, &o, &err), -EREMOTE);
	CU_ASSERT_STRING_EQUAL(err.text, "the daemon says: more than 32");
	xy_client_close(c);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&d.thread, NULL, serve, &d), 0);
	close(socket(AF_UNIX, SOCK_SEQPACKET, 0));
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	strcpy(sun.sun_path, sock_path);
	CU_ASSERT(connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0);
	close(fd);
	stop(&d);
}

static int ask_all(struct daemon *d, size_t most, json_t **o, struct xy_err *err)
{
	struct xy_client *c = NULL;
	start(d);
	CU_ASSERT_EQUAL_FATAL(open_client(&c, 0, most, err), 0);
	int ret = xy_client_ask_all(c, "/x", NULL, o, err);
	xy_client_close(c);
	stop(d);
	return ret;
}

static void test_pages(void)
{
	struct daemon good = {.greeting = GREETING,
			      .words = {"{\"/x\":{\"v\":[1,2],\"w\":[],\"next\":\"2\"}}",
					"{\"/x\":{\"v\":[3],\"w\":[9],\"next\":\"3\"}}",
					"{\"/x\":{\"v\":[4],\"next\":null}}"}};
	struct daemon circle = {.greeting = GREETING,
				.words = {"{\"/x\":{\"v\":[1],\"next\":\"2\"}}",
					  "{\"/x\":{\"v\":[2],\"next\":\"2\"}}"}};
	struct daemon endless = {.greeting = GREETING,
				 .words = {"{\"/x\":{\"v\":[1],\"next\":\"a\"}}",
					   "{\"/x\":{\"v\":[1],\"next\":\"b\"}}",
					   "{\"/x\":{\"v\":[1],\"next\":\"a\"}}",
					   "{\"/x\":{\"v\":[1],\"next\":\"b\"}}"}};
	struct daemon refuses = {
		.greeting = GREETING,
		.words = {"{\"/x\":{\"v\":[1],\"next\":\"a\"}}", "{\"/x\":{\"error\":\"gone\"}}"}};
	struct xy_err err = {""};
	json_t *o = NULL;
	CU_ASSERT_EQUAL_FATAL(ask_all(&good, 0, &o, &err), 0);
	char *text = json_dumps(o, JSON_COMPACT);
	CU_ASSERT_STRING_EQUAL(text, "{\"v\":[1,2,3,4],\"w\":[9],\"next\":null}");
	free(text);
	json_decref(o);
	CU_ASSERT_STRING_EQUAL(good.asked[2], "/x,3");
	CU_ASSERT_EQUAL(ask_all(&circle, 0, &o, &err), -EPROTO);
	CU_ASSERT(strstr(err.text, "do not end") != NULL);
	CU_ASSERT_EQUAL(ask_all(&endless, 100, &o, &err), -EFBIG);
	CU_ASSERT_EQUAL(ask_all(&refuses, 0, &o, &err), -EREMOTE);
}

static bool is_enough(void *arg)
{
	return ++*(unsigned *)arg > 4;
}

static int ask_until(struct daemon *d, json_t **o, struct xy_err *err)
{
	struct xy_client *c = NULL;
	unsigned looks = 0;
	struct xy_client_config cfg = {.instance = NAME,
				       .socket = XY_RUNDIR_TELEMETRY,
				       .is_over = is_enough,
				       .arg = &looks};
	start(d);
	CU_ASSERT_EQUAL_FATAL(xy_client_open(&cfg, &c, err), 0);
	int ret = xy_client_ask_all(c, "/x", NULL, o, err);
	CU_ASSERT(xy_client_is_broken(c));
	xy_client_close(c);
	stop(d);
	return ret;
}

// Neither the next page nor a daemon that hangs keeps who wants no more.
static void test_unwanted(void)
{
	struct daemon endless = {.greeting = GREETING},
		      silent = {.greeting = GREETING, .hangs = true};
	struct xy_err err = {""};
	json_t *o = NULL;
	for (unsigned i = 0; i < 7; i++)
		endless.words[i] = i % 2 ? "{\"/x\":{\"v\":[1],\"next\":\"a\"}}"
					 : "{\"/x\":{\"v\":[1],\"next\":\"b\"}}";
	CU_ASSERT_EQUAL(ask_until(&endless, &o, &err), -ECANCELED);
	CU_ASSERT_STRING_EQUAL(err.text, "it is no longer wanted");
	CU_ASSERT_EQUAL(ask_until(&silent, &o, &err), -ECANCELED);
	CU_ASSERT_PTR_NULL(o);
}

static void test_requests(void)
{
	struct daemon d = {.greeting = GREETING, .hangs = true};
	struct xy_client *c = NULL;
	struct xy_err err = {""};
	json_t *o = NULL;
	char large[8000];
	memset(large, 'x', sizeof(large) - 1);
	large[sizeof(large) - 1] = 0;
	start(&d);
	CU_ASSERT_EQUAL_FATAL(open_client(&c, 0, 0, &err), 0);
	CU_ASSERT_EQUAL(xy_client_ask(c, "/x", large, &o, &err), -EMSGSIZE);
	CU_ASSERT(strstr(err.text, "longer than a request may be (4096 bytes)") != NULL);
	CU_ASSERT_EQUAL(xy_client_ask(c, "/x", "a\n/y", &o, &err), -EINVAL);
	CU_ASSERT_EQUAL(xy_client_take(c, &o, &err), -EAGAIN); // nothing was sent
	xy_client_close(c);
	stop(&d);
	CU_ASSERT_EQUAL(d.asked[0][0], 0);
}

// For those with a loop of their own.
static void test_steps(void)
{
	struct daemon d = {.greeting = GREETING, .words = {"{\"/x\":{\"n\":1}}"}};
	struct xy_client *c = NULL;
	struct xy_err err = {""};
	json_t *o = NULL;
	start(&d);
	CU_ASSERT_EQUAL_FATAL(open_client(&c, 0, 0, &err), 0);
	CU_ASSERT_EQUAL(xy_client_take(c, &o, &err), -EAGAIN);
	CU_ASSERT_EQUAL(xy_client_send(c, "/x", NULL, &err), 0);
	struct pollfd p = {.fd = xy_client_fd(c), .events = POLLIN};
	CU_ASSERT_EQUAL(poll(&p, 1, 20000), 1);
	CU_ASSERT_EQUAL_FATAL(xy_client_take(c, &o, &err), 0);
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(o, "n")), 1);
	json_decref(o);
	xy_client_close(c);
	stop(&d);
}

static void test_nobody(void)
{
	struct xy_client *c = NULL;
	struct xy_err err = {""};
	unsetenv("XDG_RUNTIME_DIR");
	CU_ASSERT_EQUAL(open_client(&c, 0, 0, &err), -ENOENT);
	CU_ASSERT(strstr(err.text, "no daemon answers as instance client-test (/run/xylem/") !=
		  NULL);
	CU_ASSERT(strstr(err.text, "start xylemd, or name the instance with -n") != NULL);
	// a folder that others may write to is no daemon's
	struct daemon d = {.greeting = GREETING, .hangs = true};
	start(&d);
	*strrchr(sock_path, '/') = 0;
	CU_ASSERT(chmod(sock_path, 0777) == 0);
	CU_ASSERT_EQUAL(open_client(&c, 0, 0, &err), -EPERM);
	CU_ASSERT(strstr(err.text, sock_path) != NULL);
	strcat(sock_path, "/" XY_RUNDIR_TELEMETRY);
	stop(&d);
	CU_ASSERT_PTR_NULL(c);
}

// --- folders

static void test_rundir(void)
{
	struct xy_rundir dirs[XY_RUNDIR_MAX];
	char tmp[64];
	setenv("XDG_RUNTIME_DIR", "/x/y", 1);
	CU_ASSERT(xy_rundir_list(XY_RUNDIR_DAEMON, "n", dirs) == 3);
	CU_ASSERT_STRING_EQUAL(dirs[0].path, "/run/xylem/n");
	CU_ASSERT_STRING_EQUAL(dirs[1].path, "/x/y/xylem/n");
	snprintf(tmp, sizeof(tmp), "/tmp/xylem-%u/n", (unsigned)geteuid());
	CU_ASSERT_STRING_EQUAL(dirs[2].path, tmp);
	unsetenv("XDG_RUNTIME_DIR");
	CU_ASSERT(xy_rundir_list(XY_RUNDIR_DAEMON, "n", dirs) == 2);
	setenv("XDG_RUNTIME_DIR", "x/y", 1); // not absolute: as if there were none
	CU_ASSERT(xy_rundir_list(XY_RUNDIR_DAEMON, "n", dirs) == 2);
	unsetenv("XDG_RUNTIME_DIR");
	static const char *const good[] = {"xylem",  "a.B-9_", "webs", "a-web",
					   "cobweb", "fleet1", "web.a"};
	static const char *const bad[] = {
		".",   "",	"..",	 "a/b",	   "123456789012345678901234567890123",
		"web", "fleet", "a.web", "a.fleet"};
	for (unsigned i = 0; i < XY_ARRAY_SIZE(good); i++)
		CU_ASSERT_PTR_NULL(xy_instance_name_wrong(good[i]));
	for (unsigned i = 0; i < XY_ARRAY_SIZE(bad); i++)
		CU_ASSERT_PTR_NOT_NULL(xy_instance_name_wrong(bad[i]));
}

// A folder that others may write to, or another name for one, could be anyone's trap.
static void test_rundir_trusted(void)
{
	char base[] = "/tmp/xylem-rundir-XXXXXX", link_of[sizeof(base) + 2];
	struct xy_rundir run = {""};
	CU_ASSERT_FATAL(mkdtemp(base) != NULL);
	snprintf(run.path, sizeof(run.path), "%s/n", base);
	snprintf(link_of, sizeof(link_of), "%s/l", base);
	CU_ASSERT_FALSE(xy_rundir_trusted(&run)); // not there
	CU_ASSERT(mkdir(run.path, 0755) == 0);
	CU_ASSERT(xy_rundir_trusted(&run));
	CU_ASSERT(chmod(run.path, 0757) == 0);
	CU_ASSERT_FALSE(xy_rundir_trusted(&run));
	CU_ASSERT(chmod(run.path, 0775) == 0); // a group's
	CU_ASSERT_FALSE(xy_rundir_trusted(&run));
	CU_ASSERT(chmod(run.path, 0755) == 0 && chmod(base, 0757) == 0);
	CU_ASSERT_FALSE(xy_rundir_trusted(&run));
	CU_ASSERT(chmod(base, 0755) == 0 && symlink(run.path, link_of) == 0);
	snprintf(run.path, sizeof(run.path), "%s", link_of);
	CU_ASSERT_FALSE(xy_rundir_trusted(&run));
	CU_ASSERT(unlink(link_of) == 0);
	run.path[strlen(base) + 1] = 'n';
	CU_ASSERT(rmdir(run.path) == 0 && rmdir(base) == 0);
}

// What a service manager put into root's folder may be the daemon's user's; into another's it may
// not.
static void test_rundir_given(void)
{
	char base[] = "/tmp/xylem-rundir-XXXXXX";
	struct xy_rundir run = {""};
	if (geteuid() != 0)
		return;
	CU_ASSERT_FATAL(mkdtemp(base) != NULL);
	snprintf(run.path, sizeof(run.path), "%s/n", base);
	CU_ASSERT(chmod(base, 0755) == 0 && mkdir(run.path, 0755) == 0);
	if (chown(run.path, 12345, 12345) == 0) { // a user namespace has none but us
		CU_ASSERT(xy_rundir_trusted(&run));
		CU_ASSERT(chmod(run.path, 0775) == 0);
		CU_ASSERT_FALSE(xy_rundir_trusted(&run));
		CU_ASSERT(chmod(run.path, 0755) == 0 && chown(base, 12345, 12345) == 0);
		CU_ASSERT_FALSE(xy_rundir_trusted(&run));
		CU_ASSERT(chown(base, 0, 0) == 0 && chmod(base, 0777) == 0);
		CU_ASSERT_FALSE(xy_rundir_trusted(&run));
	}
	CU_ASSERT(rmdir(run.path) == 0 && rmdir(base) == 0);
}

// A daemon that ended leaves no folder; what others put there stays.
static void test_rundir_remove(void)
{
	char base[] = "/tmp/xylem-rundir-XXXXXX";
	struct xy_rundir run = {""};
	xy_rundir_remove(&run);
	CU_ASSERT_FATAL(mkdtemp(base) != NULL);
	snprintf(run.path, sizeof(run.path), "%s/n", base);
	CU_ASSERT(mkdir(run.path, 0755) == 0);
	CU_ASSERT(rmdir(base) != 0);
	xy_rundir_remove(&run);
	CU_ASSERT(access(run.path, F_OK) != 0);
	CU_ASSERT(access(base, F_OK) == 0 && rmdir(base) == 0);
}

XY_UNIT_MAIN("client", {"answers", test_answers}, {"greetings", test_greetings},
	     {"a daemon that falls silent", test_silent}, {"its last word", test_last_word},
	     {"pages", test_pages}, {"no longer wanted", test_unwanted},
	     {"requests", test_requests}, {"in two steps", test_steps},
	     {"nobody there", test_nobody}, {"folders", test_rundir},
	     {"folders of others", test_rundir_trusted},
	     {"a folder that root gave", test_rundir_given},
	     {"a folder that goes", test_rundir_remove})
