// SPDX-License-Identifier: BSD-3-Clause
#include "client/client.h"

#include "api/request.h"
#include "client/rundir.h"
#include "fields/fields.h"

#include <assert.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { GREETING_MAX = 4096, SOCKET_NAME_MAX = 11, LOOK_MS = 200 };
#define PATH_LEN (XY_RUNDIR_LEN + 1 + SOCKET_NAME_MAX)

struct xy_client {
	int fd;
	unsigned timeout_ms;
	size_t most;
	size_t max; // bytes of the next message, and one more: a longer one is seen
	char *buf;
	bool (*is_over)(void *arg); // NULL: never
	void *arg;
	size_t got;			// bytes of the last answer
	bool unknown;			// the daemon knows nobody of that name
	bool broken;			// an answer may come that is another question's
	char asked[XY_REQUEST_MAX + 1]; // the command of the request under way
	char path[PATH_LEN];		// for texts
};

// --- to the socket

static int dial(const char *path, unsigned timeout_ms)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	struct timeval limit = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	static_assert(PATH_LEN <= sizeof(sun.sun_path), "");
	memcpy(sun.sun_path, path, strlen(path) + 1);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)); // of connect
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0)
		return fd;
	int ret = -errno;
	close(fd);
	return ret;
}

static int no_daemon(const struct xy_client_config *cfg, const char *path, int code,
		     struct xy_err *err)
{
	const char *instance = cfg->instance;
	if (cfg->program && code == EACCES)
		return xy_err_set(err, code,
				  "%s: permission denied; run as root, or as a member of the group "
				  "that `group` in fleet.conf names",
				  path);
	if (cfg->program && code != EAGAIN)
		return xy_err_set(err, code,
				  "no %s answers for instance %s (%.110s: %s); start it (systemctl "
				  "start %s), "
				  "or name the instance with -n",
				  cfg->program, instance, path, strerror(code), cfg->program);
	if (code == EACCES)
		return xy_err_set(err, code,
				  "%s: permission denied; run as root, or as a member of the group "
				  "that %s.group in the config names",
				  path, cfg->socket);
	if (code == EAGAIN) // it listens, but takes nobody
		return xy_err_set(err, code,
				  "the daemon of instance %s does not answer (%.110s): timed out; "
				  "look at its log, or restart it",
				  instance, path);
	return xy_err_set(
		err, code,
		"no daemon answers as instance %s (%.110s: %s); start xylemd, or name the "
		"instance with -n",
		instance, path, strerror(code));
}

// The error of the folder that came nearest to an answer is the one to tell.
static int dial_any(struct xy_client *c, const struct xy_client_config *cfg, struct xy_err *err)
{
	struct xy_rundir dirs[XY_RUNDIR_MAX];
	char told[PATH_LEN] = "";
	int code = ENOENT;
	unsigned n =
		xy_rundir_list(cfg->program ? cfg->program : XY_RUNDIR_DAEMON, cfg->instance, dirs);
	for (unsigned i = 0; i < n; i++) {
		snprintf(c->path, sizeof(c->path), "%.*s/%.*s", XY_RUNDIR_LEN - 1, dirs[i].path,
			 SOCKET_NAME_MAX, cfg->socket);
		int fd = dial(c->path, c->timeout_ms);
		if (fd >= 0 && xy_rundir_trusted(&dirs[i]))
			return fd;
		if (fd >= 0)
			close(fd);
		int got = fd >= 0 ? EPERM : -fd;
		if (i == 0 || (code == ENOENT && got != ENOENT)) {
			code = got;
			memcpy(told, c->path, sizeof(told));
		}
	}
	return no_daemon(cfg, told, code, err);
}

// --- messages

static uint64_t clock_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static bool is_ended(int error)
{
	return error == EPIPE || error == ECONNRESET;
}

static int out_of_step(struct xy_client *c, int code, const char *what, struct xy_err *err)
{
	c->broken = true;
	return xy_err_set(err, code, "%s: %s", c->path, what);
}

static int not_wanted(struct xy_client *c, struct xy_err *err)
{
	c->broken = true;
	return xy_err_set(err, ECANCELED, "it is no longer wanted");
}

static bool is_over(const struct xy_client *c)
{
	return c->is_over && c->is_over(c->arg);
}

static int failed(struct xy_client *c, int code, struct xy_err *err)
{
	if (code == ECANCELED)
		return not_wanted(c, err);
	c->broken = true;
	return xy_err_set(err, code, "%s: the daemon does not answer: %s; look at its log", c->path,
			  code == EAGAIN ? "timed out" : strerror(code));
}

// One message as JSON; -EAGAIN without a text: there is none yet.
static int receive(struct xy_client *c, json_t **out, struct xy_err *err)
{
	json_error_t where;
	ssize_t n = recv(c->fd, c->buf, c->max, MSG_DONTWAIT | MSG_TRUNC);
	if (n < 0 && is_ended(errno)) // told once; what was sent before the end comes after it
		n = recv(c->fd, c->buf, c->max, MSG_DONTWAIT | MSG_TRUNC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return -EAGAIN;
	if (n < 0)
		return failed(c, errno, err);
	if (n == 0)
		return out_of_step(c, ECONNRESET,
				   "the daemon ended the connection and did not say why; try "
				   "again, and look at its log",
				   err);
	if ((size_t)n >= c->max)
		return out_of_step(c, EPROTO,
				   "the daemon's answer is longer than it said answers are", err);
	c->got = (size_t)n;
	*out = json_loadb(c->buf, (size_t)n, 0, &where);
	if (*out)
		return 0;
	c->broken = true;
	return xy_err_set(err, EPROTO, "%s: the daemon's answer is no JSON: %s", c->path,
			  where.text);
}

// Until the descriptor is ready, it is time (-EAGAIN), or nobody wants it any more (-ECANCELED).
static int wait_for(const struct xy_client *c, short events, uint64_t until)
{
	struct pollfd p = {.fd = c->fd, .events = events};
	for (;;) {
		uint64_t now = clock_ms();
		if (now >= until)
			return -EAGAIN;
		if (is_over(c))
			return -ECANCELED;
		uint64_t left = until - now;
		int n = poll(&p, 1, c->is_over && left > LOOK_MS ? LOOK_MS : (int)left);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

static int receive_in_time(struct xy_client *c, uint64_t until,
			   int (*take)(struct xy_client *c, json_t **out, struct xy_err *err),
			   json_t **out, struct xy_err *err)
{
	for (;;) {
		int ret = take(c, out, err);
		if (ret != -EAGAIN)
			return ret;
		ret = wait_for(c, POLLIN, until);
		if (ret)
			return failed(c, -ret, err);
	}
}

static int no_memory(struct xy_err *err)
{
	return xy_err_set(err, ENOMEM, "not enough memory");
}

// Room for messages of so many bytes.
static int grow(struct xy_client *c, size_t most, struct xy_err *err)
{
	free(c->buf);
	c->max = most + 1;
	c->buf = malloc(c->max);
	return c->buf ? 0 : no_memory(err);
}

static int greet(struct xy_client *c, struct xy_err *err)
{
	json_t *greeting;
	int ret = grow(c, GREETING_MAX, err);
	ret = ret ? ret : receive_in_time(c, clock_ms() + c->timeout_ms, receive, &greeting, err);
	if (ret)
		return ret;
	json_int_t max = json_integer_value(json_object_get(greeting, "max_output_len"));
	json_decref(greeting);
	if (max < 1 || max > XY_CLIENT_OUTPUT)
		return out_of_step(c, EPROTO, "what answers is no telemetry socket", err);
	return grow(c, (size_t)max, err);
}

int xy_client_open(const struct xy_client_config *cfg, struct xy_client **out, struct xy_err *err)
{
	struct xy_client *c = calloc(1, sizeof(*c));
	if (!c)
		return no_memory(err);
	c->timeout_ms = cfg->timeout_ms ? cfg->timeout_ms : XY_CLIENT_TIMEOUT_MS;
	c->most = cfg->most ? cfg->most : XY_CLIENT_MOST;
	c->is_over = cfg->is_over;
	c->arg = cfg->arg;
	c->fd = dial_any(c, cfg, err);
	int ret = c->fd < 0 ? c->fd : greet(c, err);
	if (ret)
		xy_client_close(c);
	else
		*out = c;
	return ret;
}

void xy_client_close(struct xy_client *c)
{
	if (!c)
		return;
	if (c->fd >= 0)
		close(c->fd);
	free(c->buf);
	free(c);
}

// --- questions

// {"COMMAND": X} -> X; {"error": TEXT} is the last word of a connection that the daemon ends.
static int unwrap(struct xy_client *c, json_t *reply, json_t **out, struct xy_err *err)
{
	const char *last = json_string_value(json_object_get(reply, "error"));
	if (last) {
		xy_err_set(err, EREMOTE, "the daemon says: %s", last);
		json_decref(reply);
		c->broken = true;
		return -EREMOTE;
	}
	void *first = json_object_iter(reply);
	const char *to = first ? json_object_iter_key(first) : "";
	bool ours = !*to || strcmp(to, c->asked) == 0; // "": the question was no UTF-8
	json_t *inner = first ? json_incref(json_object_iter_value(first)) : NULL;
	json_decref(reply);
	if (!json_is_object(inner) || !ours) {
		json_decref(inner);
		return out_of_step(c, EPROTO,
				   ours ? "the daemon's answer holds no object; is it of the same "
					  "version as this program?"
					: "the daemon answers what was not asked; is it one?",
				   err);
	}
	const char *text = json_string_value(json_object_get(inner, "error"));
	c->unknown = json_is_true(json_object_get(inner, "unknown"));
	int ret = text ? xy_err_set(err, EREMOTE, "the daemon says: %s", text) : 0;
	if (ret)
		json_decref(inner);
	else
		*out = inner;
	return ret;
}

int xy_client_fd(const struct xy_client *c)
{
	return c->fd;
}

bool xy_client_is_unknown(const struct xy_client *c)
{
	return c->unknown;
}

bool xy_client_is_broken(const struct xy_client *c)
{
	return c->broken;
}

int xy_client_take(struct xy_client *c, json_t **out, struct xy_err *err)
{
	json_t *reply;
	int ret = receive(c, &reply, err);
	return ret ? ret : unwrap(c, reply, out, err);
}

// What the daemon said before it ended the connection is told when it is taken.
static int send_until(struct xy_client *c, const char *request, uint64_t until, struct xy_err *err)
{
	size_t len = strlen(request);
	while (send(c->fd, request, len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && !is_ended(errno)) {
		int ret = errno == EAGAIN || errno == EINTR ? wait_for(c, POLLOUT, until) : -errno;
		if (!ret)
			continue;
		if (ret == -ECANCELED)
			return not_wanted(c, err);
		c->broken = true;
		return xy_err_set(err, -ret, "%s: cannot ask the daemon: %s", c->path,
				  ret == -EAGAIN ? "timed out" : strerror(-ret));
	}
	return 0;
}

static int ask_by(struct xy_client *c, const char *command, const char *params, uint64_t until,
		  struct xy_err *err)
{
	char request[XY_REQUEST_MAX + 1] = "";
	if (c->broken)
		return xy_err_set(err, ENOTCONN, "%s: this connection has failed; make another",
				  c->path);
	if (is_over(c)) // between pages, too
		return not_wanted(c, err);
	int ret = xy_request_write(request, command, params);
	if (ret == -EMSGSIZE)
		return xy_err_set(err, EMSGSIZE,
				  "\"%.60s...\" is longer than a request may be (%d bytes)",
				  params ? params : command, XY_REQUEST_MAX);
	if (ret)
		return xy_err_set(err, EINVAL, "\"%.60s\" cannot be asked for: it has a line's end",
				  params ? params : command);
	snprintf(c->asked, sizeof(c->asked), "%s", command);
	ret = send_until(c, request, until, err);
	explicit_bzero(request, sizeof(request)); // a key may be in it
	return ret;
}

int xy_client_send(struct xy_client *c, const char *command, const char *params, struct xy_err *err)
{
	return ask_by(c, command, params, clock_ms() + c->timeout_ms, err);
}

int xy_client_ask(struct xy_client *c, const char *command, const char *params, json_t **out,
		  struct xy_err *err)
{
	uint64_t until = clock_ms() + c->timeout_ms;
	int ret = ask_by(c, command, params, until, err);
	return ret ? ret : receive_in_time(c, until, xy_client_take, out, err);
}

// Appends the lists of a page to those of the whole, adds its count, takes over its `next`.
static void join(json_t *whole, json_t *page)
{
	const char *key;
	json_t *value;
	json_object_foreach(page, key, value)
	{
		json_t *list = json_object_get(whole, key);
		if (json_is_array(list) && json_is_array(value))
			json_array_extend(list, value);
		else if (strcmp(key, "count") == 0 && json_is_integer(list))
			json_integer_set(list,
					 json_integer_value(list) + json_integer_value(value));
	}
	json_t *next = json_object_get(page, "next");
	json_object_set(whole, "next", next ? next : json_null());
	json_decref(page);
}

int xy_client_ask_each(struct xy_client *c, const char *command, const char *params,
		       xy_client_each *each, void *arg, struct xy_err *err)
{
	char *from = NULL;
	int ret = 0;
	do {
		json_t *page;
		ret = xy_client_ask(c, command, from ? from : params, &page, err);
		if (ret)
			break;
		const char *after = json_string_value(json_object_get(page, "next"));
		if (after && from && strcmp(after, from) == 0) {
			json_decref(page);
			ret = out_of_step(c, EPROTO,
					  "the daemon's pages do not end: one leads to itself",
					  err);
			break;
		}
		free(from); // what it stands in is the page's
		from = after ? strdup(after) : NULL;
		bool lost = after && !from;
		ret = each(arg, page, c->got, err);
		ret = ret || !lost ? ret : no_memory(err);
	} while (!ret && from);
	free(from);
	return ret;
}

struct whole {
	json_t *is;
	size_t bytes;
	struct xy_client *c;
};

static int take_page(void *arg, json_t *page, size_t bytes, struct xy_err *err)
{
	struct whole *w = arg;
	w->bytes += bytes;
	if (w->is && w->bytes > w->c->most) {
		json_decref(page);
		return out_of_step(w->c, EFBIG,
				   "the daemon's answer is larger than this program takes", err);
	}
	if (w->is)
		join(w->is, page);
	else
		w->is = page;
	return 0;
}

int xy_client_ask_all(struct xy_client *c, const char *command, const char *params, json_t **out,
		      struct xy_err *err)
{
	struct whole w = {.c = c};
	int ret = xy_client_ask_each(c, command, params, take_page, &w, err);
	if (ret)
		json_decref(w.is);
	else
		*out = w.is;
	return ret;
}

// --- until it is done

static int ask_again(struct xy_client *c, const char *command, const char *params,
		     xy_client_wanted *each, void *arg, json_t **out, struct xy_err *err)
{
	enum { FIRST_WAIT_MS = 20, MOST_WAIT_MS = 250 };
	int ret;
	for (long wait = FIRST_WAIT_MS;; wait = wait * 2 < MOST_WAIT_MS ? wait * 2 : MOST_WAIT_MS) {
		ret = xy_client_ask_all(c, command, params, out, err);
		bool over = !ret && json_is_true(json_object_get(*out, XY_KEY(tree, done)));
		if (ret)
			return ret;
		if (each && !each(arg, *out, over) && !over)
			break;
		if (over)
			return 0;
		json_decref(*out);
		const struct timespec t = {.tv_nsec = wait * 1000000};
		nanosleep(&t, NULL);
	}
	json_decref(*out);
	*out = NULL;
	return xy_err_set(err, ECANCELED, "it is no longer wanted");
}

int xy_client_ask_done(const struct xy_client_config *cfg, const char *command, const char *params,
		       xy_client_wanted *each, void *arg, json_t **out, struct xy_err *err)
{
	struct xy_client *c;
	int ret = xy_client_open(cfg, &c, err);
	if (ret)
		return ret;
	ret = ask_again(c, command, params, each, arg, out, err);
	if (ret == -EREMOTE && xy_client_is_unknown(c))
		ret = -ENOENT;
	xy_client_close(c);
	return ret;
}
