// SPDX-License-Identifier: BSD-3-Clause
// capture: packets on their way through a running daemon, as lines or into a pcapng file. The
// daemon is asked again and again; what it could not keep meanwhile is told at the end.
#include "cli/cli.h"
#include "client/pcapng.h"
#include "client/rundir.h"
#include "client/sight.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PAUSE_MS = 20, ALIVE_MS = 1000, WAIT_MS = 40000 };

struct capture {
	struct xy_client *client;
	struct xy_pcapng *file;
	FILE *to;
	const char *path;	// NULL: lines on stdout
	long long number, most; // most: packets, 0 = all
	long long packets, lost;
	struct xy_sight sight;
};

static volatile sig_atomic_t interrupted;

static void interrupt(int signal)
{
	interrupted = 1;
}

// --- what is asked for

static const char *const places[] = {"--sealed", "--opened", "--host", "--drops", NULL};

static void place_put(json_t *params, const char *name)
{
	json_array_append_new(json_object_get(params, "places"), json_string(name));
}

// Takes options without a value out of argv.
static int places_take(int argc, char **argv, json_t *params)
{
	int left = 0;
	for (int i = 0; i < argc; i++) {
		unsigned k = 0;
		while (places[k] && strcmp(argv[i], places[k]) != 0)
			k++;
		if (places[k])
			place_put(params, places[k] + 2);
		else
			argv[left++] = argv[i];
	}
	return left;
}

static int word_put(const struct xy_cli_args *a, unsigned *at, json_t *params)
{
	const char *word = a->word[*at], *key = "peer";
	if (strcmp(word, "drop") == 0 && *at + 1 == a->count) {
		place_put(params, "drops");
		return CLI_OK;
	}
	if (strcmp(word, "peer") == 0 || strcmp(word, "port") == 0 || strcmp(word, "drop") == 0) {
		key = word;
		if (++*at == a->count)
			return xy_cli_misuse("capture %s: which one?", word);
	}
	if (json_object_get(params, key))
		return xy_cli_misuse("capture knows one %s at a time", key);
	if (strcmp(key, "port") == 0)
		return xy_cli_number("port", a->word[*at], 255, params);
	if (strcmp(key, "drop") == 0)
		place_put(params, "drops");
	json_object_set_new(params, key, json_string(a->word[*at]));
	return CLI_OK;
}

static void places_default(json_t *params)
{
	if (json_array_size(json_object_get(params, "places")))
		return;
	if (json_object_get(params, "port")) {
		place_put(params, "sealed");
		return;
	}
	place_put(params, "opened");
	place_put(params, "drops");
}

static int count_of(const struct xy_cli_args *a, long long *out)
{
	const char *text = xy_cli_option(a, "-c");
	json_t *o = json_object();
	int ret = text ? xy_cli_number("-c", text, INT32_MAX, o) : CLI_OK;
	*out = json_integer_value(json_object_get(o, "c"));
	json_decref(o);
	if (ret == CLI_OK && text && *out < 1)
		ret = xy_cli_misuse("-c %s: write a number of packets, 1 or more", text);
	return ret;
}

// --- where it goes

static int ask(struct capture *c, const char *command, bool keep, json_t **out)
{
	char params[64];
	struct xy_err err;
	snprintf(params, sizeof(params), "{\"capture\":%lld%s}", c->number,
		 keep ? ",\"keep\":true" : "");
	return xy_client_ask(c->client, command, params, out, &err) ? xy_cli_fail("%s", err.text)
								    : CLI_OK;
}

// Who reads our output may rest for long: the capture goes on meanwhile, and what its memory has no
// room for is lost there, and counted.
static bool may_write(struct capture *c)
{
	struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};
	for (;;) {
		json_t *reply = NULL;
		int n = poll(&p, 1, ALIVE_MS);
		if (n > 0)
			return true;
		if (n < 0)
			return false; // interrupted
		int ret = ask(c, "/xylem/capture_next", true, &reply);
		json_decref(reply);
		if (ret != CLI_OK)
			return false;
	}
}

// A pipe that has room has it for so much.
static ssize_t write_out(void *cookie, const char *data, size_t n)
{
	size_t done = 0;
	while (done < n && may_write(cookie)) {
		ssize_t r = write(STDOUT_FILENO, data + done,
				  n - done < PIPE_BUF ? n - done : PIPE_BUF);
		if (r < 0)
			break;
		done += (size_t)r;
	}
	return (ssize_t)done;
}

// Others may not read what is in it: the file is its owner's alone, and where its name leads, too.
static FILE *file_of(const char *path, struct xy_err *err)
{
	struct stat st;
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		xy_err_set(err, errno, "%s",
			   errno == ELOOP ? "is a symbolic link; name the file itself"
					  : strerror(errno));
		return NULL;
	}
	int r = fstat(fd, &st) ? -errno : 0;
	if (!r && S_ISREG(st.st_mode) && st.st_uid != geteuid())
		r = xy_err_set(err, EPERM, "is another user's; name a file of yours, or a new one");
	else if (!r && S_ISREG(st.st_mode) && (fchmod(fd, 0600) || ftruncate(fd, 0)))
		r = xy_err_set(err, errno, "%s", strerror(errno));
	FILE *f = r ? NULL : fdopen(fd, "w");
	if (!f)
		close(fd);
	return f;
}

static int file_open(struct capture *c)
{
	static const cookie_io_functions_t out = {.write = write_out};
	bool piped = !c->path || strcmp(c->path, "-") == 0;
	struct xy_err err = {""};
	if (piped && c->path && isatty(STDOUT_FILENO))
		return xy_cli_fail("-w -: stdout is a terminal; write it into a file or a pipe: "
				   "xylem capture -w - | tshark -r -");
	c->to = piped ? fopencookie(c, "w", out) : file_of(c->path, &err);
	if (!c->to || (c->path && xy_pcapng_begin(c->to, &c->file, &err)))
		return xy_cli_fail("%s: %s", c->path ? c->path : "stdout", err.text);
	return CLI_OK;
}

static int file_close(struct capture *c, int ret)
{
	if (c->file)
		xy_pcapng_lost(c->file, (uint64_t)c->lost, NULL);
	xy_pcapng_end(c->file);
	if (c->to && fclose(c->to) && ret == CLI_OK && !interrupted)
		return xy_cli_fail("%s: %s", c->path ? c->path : "stdout", strerror(errno));
	return ret;
}

static int show(struct capture *c)
{
	struct xy_sight *s = &c->sight;
	char line[XY_SIGHT_LINE];
	struct xy_err err;
	if (!c->file) {
		xy_sight_line(s, line);
		fprintf(c->to, "%s\n", line);
		return CLI_OK;
	}
	return xy_sight_put(s, c->file, &err) ? xy_cli_fail("%s: %s", c->path, err.text) : CLI_OK;
}

// --- the daemon

static bool enough(const struct capture *c)
{
	return interrupted || (c->most && c->packets >= c->most);
}

static int show_all(struct capture *c, const json_t *reply)
{
	const json_t *packet;
	size_t i;
	int ret = CLI_OK;
	c->lost = json_integer_value(json_object_get(reply, "lost"));
	json_array_foreach(json_object_get(reply, "packets"), i, packet)
	{
		if (ret != CLI_OK || enough(c))
			break;
		if (xy_sight_take(packet, &c->sight))
			return xy_cli_fail(
				"the daemon's answer is not understood: xylem and xylemd "
				"are of different versions");
		ret = show(c);
		c->packets++;
	}
	if (ret == CLI_OK && fflush(c->to) && !interrupted)
		ret = xy_cli_fail("%s: %s", c->path ? c->path : "stdout", strerror(errno));
	return ret;
}

static int follow(struct capture *c)
{
	const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
	int ret = CLI_OK;
	while (ret == CLI_OK && !enough(c)) {
		json_t *reply = NULL;
		ret = ask(c, "/xylem/capture_next", false, &reply);
		ret = ret == CLI_OK ? show_all(c, reply) : ret;
		bool none = !json_array_size(json_object_get(reply, "packets"));
		json_decref(reply);
		if (none && ret == CLI_OK && !enough(c))
			nanosleep(&pause, NULL);
	}
	return ret;
}

static int begin(struct capture *c, const char *instance, json_t *params)
{
	const struct xy_client_config cfg = {
		.instance = instance, .socket = XY_RUNDIR_CONTROL, .timeout_ms = WAIT_MS};
	struct xy_err err = {""};
	json_t *reply = NULL;
	char *text = json_dumps(params, JSON_COMPACT);
	int r = xy_client_open(&cfg, &c->client, &err);
	r = r ? r : xy_client_ask(c->client, "/xylem/capture", text, &reply, &err);
	free(text);
	c->number = json_integer_value(json_object_get(reply, "capture"));
	json_decref(reply);
	return r ? xy_cli_fail("%s", err.text) : CLI_OK;
}

static void finish(struct capture *c)
{
	json_t *reply = NULL;
	struct xy_err err;
	char params[64];
	snprintf(params, sizeof(params), "{\"capture\":%lld}", c->number);
	if (c->number && xy_client_ask(c->client, "/xylem/capture_end", params, &reply, &err) == 0)
		c->lost = json_integer_value(json_object_get(reply, "lost"));
	json_decref(reply);
}

static int run(struct capture *c, const char *instance, json_t *params)
{
	struct sigaction act = {.sa_handler = interrupt};
	int ret = begin(c, instance, params);
	ret = ret == CLI_OK ? file_open(c) : ret; // of one that is refused no file is left empty
	if (ret == CLI_OK) {
		sigaction(SIGINT, &act, NULL);
		sigaction(SIGTERM, &act, NULL);
		if (c->path)
			fprintf(stderr, "xylem: capturing into %s, Ctrl-C ends it\n", c->path);
		ret = follow(c);
	}
	finish(c);
	ret = file_close(c, ret);
	if (c->to)
		fprintf(stderr, "xylem: %lld packets, %lld lost for want of room\n", c->packets,
			c->lost);
	return ret;
}

int xy_cli_capture(int argc, char **argv)
{
	static const char *const options[] = {"-c", "-w", NULL};
	static struct capture c; // large
	struct xy_cli_args a = {0};
	json_t *params = json_pack("{s:[]}", "places");
	argc = places_take(argc, argv, params);
	int ret = xy_cli_args(&a, argc, argv, options);
	if (ret == CLI_OK && a.json)
		ret = xy_cli_misuse("capture has no --json: -w FILE writes pcapng");
	for (unsigned i = 0; ret == CLI_OK && i < a.count; i++)
		ret = word_put(&a, &i, params);
	ret = ret == CLI_OK ? count_of(&a, &c.most) : ret;
	if (ret == CLI_OK) {
		places_default(params);
		c.path = xy_cli_option(&a, "-w");
		ret = run(&c, a.instance, params);
	}
	xy_client_close(c.client);
	json_decref(params);
	return ret;
}
