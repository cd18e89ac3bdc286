// SPDX-License-Identifier: BSD-3-Clause
// The telemetry server over real sockets in a folder of its own; client and loop take turns in one
// thread.
#include "rundir.h"
#include "show/telemetry.h"
#include "unit.h"

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
static struct xy_telemetry *server;

static json_t *handle_echo(void *arg, const char *params)
{
	return json_pack("{s:s, s:s?}", "arg", arg, "params", params);
}

static json_t *handle_large(void *arg, const char *params)
{
	size_t len = params ? (size_t)atol(params) : XY_TELEMETRY_OUTPUT;
	char *text = malloc(len + 1);
	memset(text, 'x', len);
	text[len] = 0;
	json_t *o = json_pack("{s:s}", "text", text);
	free(text);
	return o;
}

static json_t *handle_nothing(void *arg, const char *params)
{
	return NULL;
}

static int create_at(const struct xy_telemetry_config *cfg, struct xy_telemetry **t,
		     struct xy_err *err)
{
	int r = xy_telemetry_create(&loop, t, err);
	if (r)
		return r;
	r = xy_telemetry_listen(*t, cfg, err);
	if (r)
		xy_telemetry_close(*t);
	return r;
}

static int create(struct xy_telemetry **t, struct xy_err *err)
{
	struct xy_telemetry_config cfg = {.instance = "test", .path = path, .mode = 0640};
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
	xy_telemetry_register(server, "/echo", "says it again", handle_echo, "me");
	xy_telemetry_register(server, "/large", "a large answer", handle_large, NULL);
	xy_telemetry_register(server, "/nothing", "no memory", handle_nothing, NULL);
}

static void stop(void)
{
	xy_telemetry_close(server);
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
	static char buf[2 * XY_TELEMETRY_OUTPUT];
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
	CU_ASSERT(xy_telemetry_register(server, "/echo", "", handle_echo, NULL) == -EEXIST);
	close(fd);
	stop();
}

static void test_sizes(void)
{
	char request[XY_TELEMETRY_REQUEST + 2], *text;
	start();
	int fd = dial_greeted();
	memset(request, 'x', sizeof(request));
	request[0] = '/';
	request[XY_TELEMETRY_REQUEST + 1] = 0;
	ask(fd, request, "request longer than 1024 bytes");
	request[XY_TELEMETRY_REQUEST] = 0;
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
	int fd[XY_TELEMETRY_CLIENTS + 1];
	unsigned open;
	uint64_t ended;
	char *text;
	start();
	for (int i = 0; i < XY_TELEMETRY_CLIENTS; i++)
		fd[i] = dial_greeted();
	ask(fd[0], "/echo", "me"); // now the second is idle for longest
	fd[XY_TELEMETRY_CLIENTS] = dial_greeted();
	CU_ASSERT(take(fd[1], &text) > 0); // told why
	CU_ASSERT(strncmp(text, "{\"error\":\"more than 32 clients", 30) == 0);
	CU_ASSERT(take(fd[1], &text) == 0);
	xy_telemetry_clients(server, &open, &ended);
	CU_ASSERT(open == XY_TELEMETRY_CLIENTS && ended == 1);
	ask(fd[0], "/echo", "me");
	ask(fd[2], "/echo", "me");
	ask(fd[XY_TELEMETRY_CLIENTS], "/echo", "me");
	for (int i = 0; i <= XY_TELEMETRY_CLIENTS; i++)
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
	struct xy_telemetry *second = NULL;
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
	struct xy_telemetry_config cfg = {.instance = "test", .path = other, .mode = 0600};
	CU_ASSERT_FATAL(create_at(&cfg, &second, &err) == 0);
	xy_telemetry_close(second);
	fclose(fopen(other, "w"));
	CU_ASSERT(create_at(&cfg, &second, &err) == -EEXIST);
	CU_ASSERT(unlink(other) == 0);
	cfg.group = "no-such-group";
	CU_ASSERT(create_at(&cfg, &second, &err) == -ENOENT);
	CU_ASSERT(strstr(err.text, "groupadd no-such-group") && access(other, F_OK) != 0);
	stop();
}

// Somebody removes the file, or puts another there: it is noticed, and made anew; who is connected
// stays, and the other's is left alone.
static void test_file_gone(void)
{
	struct xy_telemetry_config cfg = {.instance = "test", .path = path, .mode = 0640};
	struct xy_err err;
	start();
	int old = dial_greeted();
	CU_ASSERT(xy_telemetry_is_there(server));
	CU_ASSERT(unlink(path) == 0);
	CU_ASSERT(!xy_telemetry_is_there(server));
	CU_ASSERT(xy_telemetry_listen(server, &cfg, &err) == 0);
	CU_ASSERT(xy_telemetry_is_there(server));
	int fresh = dial_greeted();
	ask(fresh, "/echo", "me");
	ask(old, "/echo", "me");
	close(fresh);
	close(old);
	CU_ASSERT(unlink(path) == 0);
	FILE *f = fopen(path, "we");
	CU_ASSERT_FATAL(f != NULL);
	fclose(f);
	CU_ASSERT(!xy_telemetry_is_there(server));
	CU_ASSERT(xy_telemetry_listen(server, &cfg, &err) == -EEXIST);
	CU_ASSERT(unlink(path) == 0);
	stop();
}

static void test_rundir(void)
{
	struct xy_rundir dirs[XY_RUNDIR_MAX];
	char tmp[64];
	setenv("XDG_RUNTIME_DIR", "/x/y", 1);
	CU_ASSERT(xy_rundir_list("n", dirs) == 3);
	CU_ASSERT_STRING_EQUAL(dirs[0].path, "/run/xylem/n");
	CU_ASSERT_STRING_EQUAL(dirs[1].path, "/x/y/xylem/n");
	snprintf(tmp, sizeof(tmp), "/tmp/xylem-%u/n", (unsigned)geteuid());
	CU_ASSERT_STRING_EQUAL(dirs[2].path, tmp);
	unsetenv("XDG_RUNTIME_DIR");
	CU_ASSERT(xy_rundir_list("n", dirs) == 2);
	setenv("XDG_RUNTIME_DIR", "x/y", 1); // not absolute: as if there were none
	CU_ASSERT(xy_rundir_list("n", dirs) == 2);
	unsetenv("XDG_RUNTIME_DIR");
	CU_ASSERT(!xy_instance_name_ok("."));
	CU_ASSERT(xy_instance_name_ok("a.B-9_") && !xy_instance_name_ok("") &&
		  !xy_instance_name_ok("..") && !xy_instance_name_ok("a/b") &&
		  !xy_instance_name_ok("123456789012345678901234567890123"));
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

XY_UNIT_MAIN("telemetry", {"greeting", test_greeting}, {"requests", test_requests},
	     {"sizes", test_sizes}, {"a client that does not read", test_slow_client},
	     {"too many clients", test_too_many}, {"no descriptor left", test_no_files},
	     {"clients that go", test_gone_clients}, {"the socket's file", test_path},
	     {"the file goes", test_file_gone}, {"folders", test_rundir},
	     {"folders of others", test_rundir_trusted}, {"a folder that goes", test_rundir_remove})
