// SPDX-License-Identifier: BSD-3-Clause
// The server of a socket, with handlers of our own, over real sockets in a folder of its own;
// client and loop take turns in one thread.
#include "api/server.h"
#include "unit.h"

#include <grp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char dir[32], path[64];
static uv_loop_t loop;
static struct xy_server *server;
static unsigned answer_ms, take_ms; // 0: the server's own
static uint64_t tickets[512];	    // of requests that are answered later
static unsigned asked;
static struct xy_caller caller;

static json_t *handle_echo(void *arg, struct xy_request *q)
{
	return json_pack("{s:s, s:s?}", "arg", arg, "params", q->params);
}

static json_t *handle_large(void *arg, struct xy_request *q)
{
	size_t len = q->params ? (size_t)atol(q->params) : XY_SERVER_OUTPUT;
	char *text = malloc(len + 1);
	memset(text, 'x', len);
	text[len] = 0;
	json_t *o = json_pack("{s:s}", "text", text);
	free(text);
	return o;
}

static json_t *handle_nothing(void *arg, struct xy_request *q)
{
	return NULL;
}

// The answer is the test's to give.
static json_t *handle_later(void *arg, struct xy_request *q)
{
	tickets[asked++] = q->ticket;
	caller = q->from;
	q->later = true;
	return NULL;
}

// Answers by the ticket while it is still called, and then again.
static json_t *handle_inside(void *arg, struct xy_request *q)
{
	q->later = true;
	CU_ASSERT(xy_server_answer(server, q->ticket, json_pack("{s:i}", "first", 1)));
	return json_pack("{s:i}", "second", 2);
}

static int create_at(const struct xy_server_config *cfg, struct xy_server **t, struct xy_err *err)
{
	int r = xy_server_create(&loop, t, err);
	if (r)
		return r;
	r = xy_server_listen(*t, cfg, err);
	if (r)
		xy_server_close(*t);
	return r;
}

static int create(struct xy_server **t, struct xy_err *err)
{
	struct xy_server_config cfg = {
		.listen = {.instance = "test", .setting = "telemetry", .path = path, .mode = 0640},
		.answer_ms = answer_ms,
		.take_ms = take_ms};
	return create_at(&cfg, t, err);
}

static void start(void)
{
	struct xy_err err = {""};
	strcpy(dir, "/tmp/xylem-tm-XXXXXX");
	CU_ASSERT_FATAL(mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/telemetry", dir);
	uv_loop_init(&loop);
	int ret = create(&server, &err);
	if (ret)
		printf("\n  %s\n", err.text);
	CU_ASSERT_FATAL(ret == 0);
	xy_server_register(server, "/echo", "says it again", handle_echo, "me");
	xy_server_register(server, "/large", "a large answer", handle_large, NULL);
	xy_server_register(server, "/nothing", "no memory", handle_nothing, NULL);
	xy_server_register(server, "/later", "takes a while", handle_later, NULL);
	xy_server_register(server, "/inside", "answers twice", handle_inside, NULL);
	asked = 0;
}

static void stop(void)
{
	xy_server_close(server);
	uv_run(&loop, UV_RUN_DEFAULT);
	CU_ASSERT(uv_loop_close(&loop) == 0);
	CU_ASSERT(access(path, F_OK) != 0);
	CU_ASSERT(rmdir(dir) == 0);
}

static int dial(void)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
	strcpy(sun.sun_path, path);
	CU_ASSERT_FATAL(connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0);
	return fd;
}

// Turns the loop until there is a packet (or the end: 0).
static ssize_t take(int fd, char **text)
{
	static char buf[2 * XY_SERVER_OUTPUT];
	for (int i = 0; i < 1000; i++) {
		uv_run(&loop, UV_RUN_NOWAIT);
		ssize_t n = recv(fd, buf, sizeof(buf) - 1, 0);
		if (n >= 0) {
			buf[n] = 0;
			*text = buf;
			return n;
		}
	}
	buf[0] = 0;
	*text = buf;
	return -1;
}

static json_t *take_json(int fd)
{
	char *text;
	CU_ASSERT_FATAL(take(fd, &text) > 0);
	json_t *o = json_loads(text, 0, NULL);
	CU_ASSERT_FATAL(o != NULL);
	return o;
}

static int dial_greeted(void)
{
	int fd = dial();
	json_decref(take_json(fd));
	return fd;
}

static void ask(int fd, const char *request, const char *want)
{
	char *text;
	CU_ASSERT(send(fd, request, strlen(request), 0) == (ssize_t)strlen(request));
	CU_ASSERT(take(fd, &text) > 0);
	if (!strstr(text, want))
		printf("\n  %.40s gave %.200s\n", request, text);
	CU_ASSERT(strstr(text, want) != NULL);
}

static void test_greeting(void)
{
	start();
	int fd = dial();
	json_t *o = take_json(fd);
	CU_ASSERT(json_integer_value(json_object_get(o, "pid")) == getpid());
	CU_ASSERT(json_integer_value(json_object_get(o, "max_output_len")) >= 4096);
	CU_ASSERT(strncmp(json_string_value(json_object_get(o, "version")), "Xylem ", 6) == 0);
	json_decref(o);
	close(fd);
	stop();
}

static void test_requests(void)
{
	static const struct {
		const char *request, *want;
	} table[] = {
		{"/echo", "{\"/echo\":{\"arg\":\"me\",\"params\":null}}"},
		{"/echo,a,b", "{\"/echo\":{\"arg\":\"me\",\"params\":\"a,b\"}}"},
		{"/echo,", "\"params\":\"\""},
		{"/echo\n", "{\"/echo\":{"},
		{"/", "{\"/\":[\"/\",\"/help\",\"/info\",\"/echo\""},
		{"/help,/echo", "{\"/help\":{\"/echo\":\"says it again\"}}"},
		{"/help,/x", "{\"/help\":{\"error\":\"no such command"},
		{"/info", "{\"/info\":{\"version\":\"Xylem "},
		{"/x", "{\"/x\":{\"error\":\"no such command"},
		{"\xff\xfe", "{\"\":{\"error\":"},
		{"/nothing", "{\"/nothing\":{\"error\":\"not enough memory"},
	};
	start();
	int fd = dial_greeted();
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		ask(fd, table[i].request, table[i].want);
	CU_ASSERT(xy_server_register(server, "/echo", "", handle_echo, NULL) == -EEXIST);
	close(fd);
	stop();
}

static void test_sizes(void)
{
	char request[XY_REQUEST_MAX + 2], *text;
	start();
	int fd = dial_greeted();
	memset(request, 'x', sizeof(request));
	request[0] = '/';
	request[XY_REQUEST_MAX + 1] = 0;
	ask(fd, request, "request longer than 4096 bytes");
	request[XY_REQUEST_MAX] = 0;
	ask(fd, request, "no such command");
	ask(fd, "/large", "{\"/large\":{\"error\":\"the answer has ");
	CU_ASSERT(send(fd, "/large,100000", 13, 0) == 13);
	CU_ASSERT(take(fd, &text) > 100000);
	close(fd);
	stop();
}

// A client that does not read holds up itself alone.
static void test_slow_client(void)
{
	char *text;
	start();
	int slow = dial_greeted(), other = dial_greeted();
	unsigned sent = 0;
	for (; sent < 200; sent++) {
		if (send(slow, "/large,100000", 13, MSG_DONTWAIT) < 0)
			break;
		uv_run(&loop, UV_RUN_NOWAIT);
	}
	ask(other, "/echo", "\"arg\":\"me\"");
	for (unsigned i = 0; i < sent; i++) // each, also those that had to wait
		CU_ASSERT_FATAL(take(slow, &text) > 100000);
	close(slow);
	close(other);
	stop();
}

static void test_too_many(void)
{
	int fd[XY_SERVER_CLIENTS + 1];
	unsigned open;
	uint64_t ended;
	char *text;
	start();
	for (int i = 0; i < XY_SERVER_CLIENTS; i++)
		fd[i] = dial_greeted();
	ask(fd[0], "/echo", "me"); // now the second is idle for longest
	fd[XY_SERVER_CLIENTS] = dial_greeted();
	CU_ASSERT(take(fd[1], &text) > 0); // told why
	CU_ASSERT(strncmp(text, "{\"error\":\"more than 32 clients", 30) == 0);
	CU_ASSERT(take(fd[1], &text) == 0);
	xy_server_clients(server, &open, &ended);
	CU_ASSERT(open == XY_SERVER_CLIENTS && ended == 1);
	ask(fd[0], "/echo", "me");
	ask(fd[2], "/echo", "me");
	ask(fd[XY_SERVER_CLIENTS], "/echo", "me");
	for (int i = 0; i <= XY_SERVER_CLIENTS; i++)
		close(fd[i]);
	stop();
}

// Clients that go at any moment: before the greeting, with a request under way.
static void test_gone_clients(void)
{
	start();
	for (int i = 0; i < 100; i++) {
		int fd = dial();
		if (i % 3)
			uv_run(&loop, UV_RUN_NOWAIT);
		if (i % 2)
			send(fd, "/large,100000", 13, MSG_DONTWAIT);
		close(fd);
		uv_run(&loop, UV_RUN_NOWAIT);
	}
	int fd = dial_greeted();
	ask(fd, "/echo", "me");
	close(fd);
	stop();
}

static void test_path(void)
{
	struct xy_err err = {""};
	struct xy_server *second = NULL;
	struct stat st;
	start();
	CU_ASSERT(stat(path, &st) == 0 && (st.st_mode & 07777) == 0640);
	CU_ASSERT(create(&second, &err) == -EADDRINUSE);
	CU_ASSERT(strstr(err.text, "instance test is already running") != NULL);
	int fd = dial_greeted();
	ask(fd, "/echo", "me");
	close(fd);
	stop();

	// what a killed daemon leaves, and what is no socket
	start();
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	char other[64];
	snprintf(other, sizeof(other), "%s/stale", dir);
	strcpy(sun.sun_path, other);
	int stale = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	CU_ASSERT(bind(stale, (struct sockaddr *)&sun, sizeof(sun)) == 0);
	close(stale);
	struct xy_server_config cfg = {
		.listen = {
			.instance = "test", .setting = "telemetry", .path = other, .mode = 0600}};
	CU_ASSERT_FATAL(create_at(&cfg, &second, &err) == 0);
	xy_server_close(second);
	fclose(fopen(other, "w"));
	CU_ASSERT(create_at(&cfg, &second, &err) == -EEXIST);
	CU_ASSERT(unlink(other) == 0);
	stop();
}

static unsigned mode_of(const char *file)
{
	struct stat st;
	return stat(file, &st) ? 0 : st.st_mode & 0777;
}

static gid_t group_of(const char *file)
{
	struct stat st;
	return stat(file, &st) ? (gid_t)-1 : st.st_gid;
}

// What is only for looking does not end a node: the socket is its owner's until the group is there.
static void test_group_lacks(void)
{
	struct xy_server *second;
	struct xy_err err = {""};
	char other[64];
	start();
	snprintf(other, sizeof(other), "%s/other", dir);
	struct xy_server_config cfg = {.listen = {.instance = "test",
						  .setting = "control",
						  .path = other,
						  .mode = 0660,
						  .group = "no-such-group"}};
	CU_ASSERT_FATAL(create_at(&cfg, &second, &err) == 0);
	CU_ASSERT(xy_server_is_there(second) && mode_of(other) == 0600);
	CU_ASSERT(xy_server_lacks(second) &&
		  strstr(xy_server_lacks(second), "control.group: there is no group") &&
		  strstr(xy_server_lacks(second), "groupadd no-such-group"));
	CU_ASSERT(!xy_server_give(second) && mode_of(other) == 0600);
	xy_server_change(second, 0640, ""); // the config changes
	CU_ASSERT(!xy_server_lacks(second) && mode_of(other) == 0640);
	xy_server_change(second, 0666, "no-such-group");
	CU_ASSERT(xy_server_lacks(second) && mode_of(other) == 0606);
	CU_ASSERT(!xy_server_give(second) && mode_of(other) == 0606);
	if (geteuid() == 0) { // who had it by the group has it no more
		xy_server_change(second, 0660, "nogroup");
		CU_ASSERT(!xy_server_lacks(second) && group_of(other) != getegid());
		xy_server_change(second, 0660, "");
		CU_ASSERT(!xy_server_lacks(second) && group_of(other) == getegid());
		CU_ASSERT_EQUAL(mode_of(other), 0660);
	}
	xy_server_close(second);
	const struct group *own = getgrgid(getegid());
	if (own) { // what can be given is
		cfg.listen.group = own->gr_name;
		CU_ASSERT_FATAL(create_at(&cfg, &second, &err) == 0);
		CU_ASSERT(!xy_server_lacks(second) && xy_server_give(second));
		CU_ASSERT(mode_of(other) == 0660);
		xy_server_close(second);
		CU_ASSERT(xy_listen_may_give("control", own->gr_name, &err));
	}
	CU_ASSERT(xy_listen_may_give("control", "", &err));
	CU_ASSERT(!xy_listen_may_give("control", "no-such-group", &err));
	CU_ASSERT(strstr(err.text, "groupadd no-such-group") != NULL);
	stop();
}

// Somebody removes the file, or puts another there: it is noticed, and made anew; who is connected
// stays, and the other's is left alone.
static void test_file_gone(void)
{
	struct xy_server_config cfg = {
		.listen = {.instance = "test", .setting = "telemetry", .path = path, .mode = 0640},
		.answer_ms = answer_ms,
		.take_ms = take_ms};
	struct xy_err err;
	start();
	int old = dial_greeted();
	CU_ASSERT(xy_server_is_there(server));
	CU_ASSERT(unlink(path) == 0);
	CU_ASSERT(!xy_server_is_there(server));
	CU_ASSERT(xy_server_listen(server, &cfg, &err) == 0);
	CU_ASSERT(xy_server_is_there(server));
	int fresh = dial_greeted();
	ask(fresh, "/echo", "me");
	ask(old, "/echo", "me");
	close(fresh);
	close(old);
	CU_ASSERT(unlink(path) == 0);
	FILE *f = fopen(path, "we");
	CU_ASSERT_FATAL(f != NULL);
	fclose(f);
	CU_ASSERT(!xy_server_is_there(server));
	CU_ASSERT(xy_server_listen(server, &cfg, &err) == -EEXIST);
	CU_ASSERT(unlink(path) == 0);
	stop();
}

static void count_turn(uv_check_t *check)
{
	++*(unsigned *)check->data;
}

static void time_over(uv_timer_t *timer)
{
	uv_stop(timer->loop);
}

// A client that cannot be accepted for want of a descriptor: the loop rests meanwhile, and greets
// him when there is one.
static void test_no_files(void)
{
	struct rlimit was, none;
	unsigned turns = 0;
	char *text;
	start();
	int fd = dial();
	uv_check_t check;
	uv_timer_t over;
	uv_check_init(&loop, &check);
	uv_timer_init(&loop, &over);
	check.data = &turns;
	uv_check_start(&check, count_turn);
	uv_run(&loop, UV_RUN_NOWAIT); // the loop has its own descriptors
	ssize_t n = take(fd, &text);
	CU_ASSERT(n > 0);
	int second = dial();
	CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &was), 0);
	none = was;
	none.rlim_cur = 3;
	CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_NOFILE, &none), 0);
	turns = 0;
	uv_timer_start(&over, time_over, 500, 0);
	uv_run(&loop, UV_RUN_DEFAULT);
	CU_ASSERT(turns < 50); // it was every few microseconds
	CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &was), 0);
	n = -1;
	for (unsigned i = 0; n < 0 && i < 100; i++) {
		uv_timer_start(&over, time_over, 50, 0);
		uv_run(&loop, UV_RUN_DEFAULT);
		n = recv(second, text, 10, MSG_DONTWAIT);
	}
	CU_ASSERT(n > 0);
	close(fd);
	close(second);
	uv_close((uv_handle_t *)&check, NULL);
	uv_close((uv_handle_t *)&over, NULL);
	stop();
}

// --- answers that come later

// Turns the loop until so many requests wait for their answers.
static void take_asked(unsigned count)
{
	for (int i = 0; i < 1000 && asked < count; i++)
		uv_run(&loop, UV_RUN_NOWAIT);
	CU_ASSERT_EQUAL_FATAL(asked, count);
}

// As take, with time passing: up to 20 s.
static ssize_t take_slowly(int fd, char **text)
{
	ssize_t n = take(fd, text);
	for (int i = 0; n < 0 && i < 20000; i++) {
		usleep(1000);
		n = take(fd, text);
	}
	return n;
}

static void expect_text(int fd, const char *want)
{
	char *text;
	CU_ASSERT(take(fd, &text) > 0);
	CU_ASSERT_STRING_EQUAL(text, want);
}

static void expect_nothing(int fd)
{
	char *text;
	CU_ASSERT(take(fd, &text) < 0);
}

static int dial_later(void)
{
	int fd = dial_greeted();
	unsigned before = asked;
	CU_ASSERT(send(fd, "/later,x", 8, 0) == 8);
	take_asked(before + 1);
	return fd;
}

static bool answer(uint64_t ticket, int value)
{
	return xy_server_answer(server, ticket, json_pack("{s:i}", "n", value));
}

static void test_later(void)
{
	start();
	int a = dial_later(), b = dial_later(), now = dial_greeted();
	ask(now, "/echo", "me"); // nobody waits for those who wait
	expect_nothing(a);
	CU_ASSERT(xy_server_waits(server, tickets[0]) && xy_server_waits(server, tickets[1]));
	CU_ASSERT(answer(tickets[1], 2)); // in any order
	expect_text(b, "{\"/later\":{\"n\":2}}");
	expect_nothing(a);
	CU_ASSERT(answer(tickets[0], 1));
	expect_text(a, "{\"/later\":{\"n\":1}}");
	ask(a, "/echo", "me");
	CU_ASSERT(send(b, "/later", 6, 0) == 6);
	take_asked(3);
	CU_ASSERT(xy_server_answer(server, tickets[2], NULL));
	expect_text(b, "{\"/later\":{\"error\":\"not enough memory to answer\"}}");
	CU_ASSERT(xy_server_ask(server, "/later") == NULL); // nobody to answer to
	CU_ASSERT_FALSE(xy_server_waits(server, 0));
	close(a);
	close(b);
	close(now);
	stop();
}

// The client is told, and is not held up; an answer that comes after all is nobody's.
static void test_never(void)
{
	char *text;
	answer_ms = 1000;
	start();
	int fd = dial_later();
	CU_ASSERT(take_slowly(fd, &text) > 0);
	CU_ASSERT(strstr(text, "{\"/later\":{\"error\":\"no answer within 1000 ms") == text);
	CU_ASSERT_FALSE(answer(tickets[0], 1));
	ask(fd, "/echo", "me");
	CU_ASSERT(send(fd, "/later", 6, 0) == 6); // and in time
	take_asked(2);
	CU_ASSERT(answer(tickets[1], 1));
	expect_text(fd, "{\"/later\":{\"n\":1}}");
	usleep(1200000); // its deadline is no more
	expect_nothing(fd);
	close(fd);
	stop();
	answer_ms = 0;
}

static void test_gone_before(void)
{
	unsigned open;
	uint64_t ended;
	start();
	int fd = dial_later(), other = dial_later();
	close(fd);
	for (int i = 0; i < 100 && xy_server_waits(server, tickets[0]); i++)
		uv_run(&loop, UV_RUN_NOWAIT);
	CU_ASSERT_FALSE(xy_server_waits(server, tickets[0]));
	CU_ASSERT_FALSE(answer(tickets[0], 1));
	xy_server_clients(server, &open, &ended);
	CU_ASSERT(open == 1 && ended == 0);
	CU_ASSERT(answer(tickets[1], 2));
	expect_text(other, "{\"/later\":{\"n\":2}}");
	fd = dial_later(); // goes, and the loop has not seen it yet
	close(fd);
	answer(tickets[2], 3);
	ask(other, "/echo", "me");
	close(other);
	stop();
}

static void test_answered_inside(void)
{
	start();
	int fd = dial_greeted();
	ask(fd, "/inside", "{\"/inside\":{\"first\":1}}");
	expect_nothing(fd);
	ask(fd, "/echo", "me");
	close(fd);
	stop();
}

static void test_twice(void)
{
	start();
	int fd = dial_later();
	CU_ASSERT(answer(tickets[0], 1));
	CU_ASSERT_FALSE(answer(tickets[0], 2));
	expect_text(fd, "{\"/later\":{\"n\":1}}");
	expect_nothing(fd);
	CU_ASSERT_FALSE(answer(tickets[0], 3));
	CU_ASSERT_FALSE(answer(tickets[0] + 100, 3)); // never given
	ask(fd, "/echo", "me");
	close(fd);
	stop();
}

static void test_later_large(void)
{
	char *text, *x = calloc(1, 2 * XY_SERVER_OUTPUT);
	memset(x, 'x', 2 * XY_SERVER_OUTPUT - 1);
	start();
	int fd = dial_later();
	CU_ASSERT(xy_server_answer(server, tickets[0], json_pack("{s:s}", "t", x)));
	CU_ASSERT(take(fd, &text) > 0);
	CU_ASSERT(strstr(text, "{\"/later\":{\"error\":\"the answer has ") == text);
	ask(fd, "/echo", "me");
	close(fd);
	stop();
	free(x);
}

// What is asked meanwhile waits, in order, and is not looked at.
static void test_pipelined(void)
{
	char *text;
	start();
	int fd = dial_later();
	for (int i = 0; i < 5; i++)
		CU_ASSERT(send(fd, i % 2 ? "/echo,p" : "/later,y", 7 + !(i % 2), 0) > 0);
	expect_nothing(fd);
	CU_ASSERT_EQUAL(asked, 1);
	CU_ASSERT(answer(tickets[0], 0));
	expect_text(fd, "{\"/later\":{\"n\":0}}");
	take_asked(2);
	expect_nothing(fd);
	CU_ASSERT(answer(tickets[1], 1));
	expect_text(fd, "{\"/later\":{\"n\":1}}");
	CU_ASSERT(take(fd, &text) > 0 && strstr(text, "/echo"));
	take_asked(3);
	CU_ASSERT(answer(tickets[2], 2));
	expect_text(fd, "{\"/later\":{\"n\":2}}");
	CU_ASSERT(take(fd, &text) > 0 && strstr(text, "/echo"));
	take_asked(4);
	close(fd); // with one under way
	stop();
}

static void test_caller(void)
{
	start();
	int fd = dial_later();
	CU_ASSERT(caller.pid == getpid() && caller.uid == geteuid() && caller.gid == getegid());
	CU_ASSERT(tickets[0] != 0);
	close(fd);
	stop();
}

// shutdown(SHUT_WR): it has said all, and waits for its answer.
static void test_half_closed(void)
{
	char *text;
	start();
	int fd = dial_later();
	CU_ASSERT(shutdown(fd, SHUT_WR) == 0);
	expect_nothing(fd);
	CU_ASSERT(answer(tickets[0], 7));
	expect_text(fd, "{\"/later\":{\"n\":7}}");
	CU_ASSERT(take(fd, &text) == 0); // and that was all
	close(fd);
	stop();
}

static void test_take_deadline(void)
{
	unsigned open = 2;
	uint64_t ended;
	char *text;
	take_ms = 50;
	start();
	int slow = dial_greeted(), other = dial_greeted();
	for (unsigned i = 0; i < 200 && send(slow, "/large,100000", 13, MSG_DONTWAIT) > 0; i++)
		uv_run(&loop, UV_RUN_NOWAIT);
	for (int i = 0; i < 10000 && open > 1; i++) {
		usleep(1000);
		uv_run(&loop, UV_RUN_NOWAIT);
		xy_server_clients(server, &open, &ended);
	}
	CU_ASSERT(open == 1 && ended == 0);
	ask(other, "/echo", "me");
	while (take(slow, &text) > 0) // what was sent is there, then the end
		CU_ASSERT(strstr(text, "/large") != NULL);
	CU_ASSERT(take(slow, &text) <= 0);
	close(slow);
	close(other);
	stop();
	take_ms = 0;
}

// Those who wait for an answer stay while there are idle ones; when all wait, the oldest goes.
static void test_crowd(void)
{
	enum { CROWD = 300 };
	int fd[CROWD];
	unsigned open;
	uint64_t ended;
	char *text;
	start();
	int waits = dial_later();
	for (int i = 0; i < CROWD; i++)
		fd[i] = dial_greeted();
	xy_server_clients(server, &open, &ended);
	CU_ASSERT(open == XY_SERVER_CLIENTS && ended == CROWD + 1 - XY_SERVER_CLIENTS);
	ask(fd[CROWD - 1], "/echo", "me");
	CU_ASSERT(take(fd[0], &text) > 0 && strstr(text, "more than 32 clients"));
	CU_ASSERT(answer(tickets[0], 1));
	expect_text(waits, "{\"/later\":{\"n\":1}}");
	for (int i = 0; i < CROWD; i++)
		close(fd[i]);
	close(waits);
	asked = 0;
	for (int i = 0; i < CROWD; i++)
		fd[i] = dial_later();
	CU_ASSERT_FALSE(answer(tickets[0], 1));
	CU_ASSERT(answer(tickets[CROWD - 1], 2));
	expect_text(fd[CROWD - 1], "{\"/later\":{\"n\":2}}");
	for (int i = 0; i < CROWD; i++)
		close(fd[i]);
	stop();
}

static void test_closed_pending(void)
{
	start();
	int fd = dial_later();
	stop();
	close(fd);
}

XY_UNIT_MAIN("server", {"greeting", test_greeting}, {"requests", test_requests},
	     {"sizes", test_sizes}, {"a client that does not read", test_slow_client},
	     {"too many clients", test_too_many}, {"no descriptor left", test_no_files},
	     {"clients that go", test_gone_clients}, {"the socket's file", test_path},
	     {"the file goes", test_file_gone}, {"a group that cannot be given", test_group_lacks},
	     {"now and later", test_later}, {"never", test_never},
	     {"gone before the answer", test_gone_before},
	     {"answered in the call", test_answered_inside}, {"two answers", test_twice},
	     {"a later one too large", test_later_large}, {"one at a time", test_pipelined},
	     {"who asks", test_caller}, {"writes no more", test_half_closed},
	     {"does not take its answer", test_take_deadline}, {"300 clients", test_crowd},
	     {"closed while one waits", test_closed_pending})
