// SPDX-License-Identifier: BSD-3-Clause
// Asks a running instance over its telemetry socket.
#include "cli/cli.h"
#include "rundir.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { GREETING_MAX = 4096, OUTPUT_MAX = 16 << 20, TIMEOUT_SEC = 10, PAGES_MAX = 1 << 20 };

static int dial(const char *path)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	struct timeval limit = {.tv_sec = TIMEOUT_SEC};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	static_assert(XY_RUNDIR_LEN + sizeof(XY_RUNDIR_TELEMETRY) <= sizeof(sun.sun_path), "");
	memcpy(sun.sun_path, path, strlen(path) + 1);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0)
		return fd;
	int ret = -errno;
	close(fd);
	return ret;
}

#define PATH_LEN (XY_RUNDIR_LEN + sizeof(XY_RUNDIR_TELEMETRY))

static int no_daemon(const char *instance, const char *path, int code, struct xy_err *err)
{
	if (code == EACCES)
		return xy_err_set(err, code,
				  "%s: permission denied; run as root, or as a member of the group "
				  "that telemetry.group in the config names",
				  path);
	if (code == EAGAIN) // it listens, but takes nobody
		return xy_err_set(err, code,
				  "the daemon of instance %s does not answer: timed out; look at "
				  "its log, or restart it",
				  instance);
	return xy_err_set(
		err, code,
		"no daemon answers as instance %s (%.110s: %s); start xylemd, or name the "
		"instance with -n",
		instance, path, strerror(code));
}

// The error of the folder that came nearest to an answer is the one to tell.
static int dial_any(const char *instance, struct xy_err *err)
{
	struct xy_rundir dirs[XY_RUNDIR_MAX];
	char path[PATH_LEN], told[PATH_LEN] = "";
	int code = ENOENT;
	unsigned n = xy_rundir_list(instance, dirs);
	for (unsigned i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%.*s/" XY_RUNDIR_TELEMETRY, XY_RUNDIR_LEN - 1,
			 dirs[i].path);
		int fd = dial(path);
		if (fd >= 0 && xy_rundir_trusted(&dirs[i]))
			return fd;
		if (fd >= 0)
			close(fd);
		int got = fd >= 0 ? EPERM : -fd;
		if (i == 0 || (code == ENOENT && got != ENOENT)) {
			code = got;
			memcpy(told, path, sizeof(told));
		}
	}
	return no_daemon(instance, told, code, err);
}

static bool is_ended(int error)
{
	return error == EPIPE || error == ECONNRESET;
}

static int receive(struct xy_client *c, json_t **out, struct xy_err *err)
{
	json_error_t where;
	ssize_t n = recv(c->fd, c->buf, c->max, 0);
	if (n < 0 && is_ended(errno)) // told once; what was sent before the end comes after it
		n = recv(c->fd, c->buf, c->max, 0);
	if (n < 0)
		return xy_err_set(err, errno, "the daemon does not answer: %s; look at its log",
				  errno == EAGAIN ? "timed out" : strerror(errno));
	if (n == 0)
		return xy_err_set(err, ECONNRESET,
				  "the daemon ended the connection and did not say why; try again, "
				  "and look at its log");
	*out = json_loadb(c->buf, (size_t)n, 0, &where);
	if (!*out)
		return xy_err_set(err, EPROTO, "the daemon's answer is no JSON: %s", where.text);
	return 0;
}

static int greet(struct xy_client *c, struct xy_err *err)
{
	json_t *greeting;
	c->max = GREETING_MAX;
	c->buf = malloc(c->max);
	if (!c->buf)
		return xy_err_set(err, ENOMEM, "not enough memory");
	int ret = receive(c, &greeting, err);
	if (ret)
		return ret;
	json_int_t max = json_integer_value(json_object_get(greeting, "max_output_len"));
	json_decref(greeting);
	if (max < 1 || max > OUTPUT_MAX)
		return xy_err_set(err, EPROTO, "what answers is no telemetry socket");
	free(c->buf);
	c->max = (size_t)max + 1;
	c->buf = malloc(c->max);
	return c->buf ? 0 : xy_err_set(err, ENOMEM, "not enough memory");
}

int xy_client_open(struct xy_client *c, const char *instance, struct xy_err *err)
{
	*c = (struct xy_client){.fd = dial_any(instance, err)};
	if (c->fd < 0)
		return c->fd;
	int ret = greet(c, err);
	if (ret)
		xy_client_close(c);
	return ret;
}

void xy_client_close(struct xy_client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	free(c->buf);
	*c = (struct xy_client){.fd = -1};
}

// {"COMMAND": X} -> X; {"error": TEXT} is the last word of a connection that the daemon ends.
static int unwrap(json_t *reply, json_t **out, struct xy_err *err)
{
	const char *last = json_string_value(json_object_get(reply, "error"));
	if (last) {
		xy_err_set(err, EREMOTE, "the daemon says: %s", last);
		json_decref(reply);
		return -EREMOTE;
	}
	void *first = json_object_iter(reply);
	json_t *inner = first ? json_incref(json_object_iter_value(first)) : NULL;
	json_decref(reply);
	if (!json_is_object(inner)) {
		json_decref(inner);
		return xy_err_set(err, EPROTO,
				  "the daemon's answer holds no object; is it of the "
				  "same version as this program?");
	}
	const char *text = json_string_value(json_object_get(inner, "error"));
	int ret = text ? xy_err_set(err, EREMOTE, "the daemon says: %s", text) : 0;
	if (ret)
		json_decref(inner);
	else
		*out = inner;
	return ret;
}

int xy_client_ask(struct xy_client *c, const char *request, json_t **out, struct xy_err *err)
{
	json_t *reply;
	if (send(c->fd, request, strlen(request), MSG_NOSIGNAL) < 0 && !is_ended(errno))
		return xy_err_set(err, errno, "cannot ask the daemon: %s", strerror(errno));
	int ret = receive(c, &reply, err);
	return ret ? ret : unwrap(reply, out, err);
}

// Appends the lists of a page to those of the whole, takes over its `next`.
static void join(json_t *whole, json_t *page)
{
	const char *key;
	json_t *value;
	json_object_foreach(page, key, value)
	{
		json_t *list = json_object_get(whole, key);
		if (json_is_array(list) && json_is_array(value))
			json_array_extend(list, value);
	}
	json_t *next = json_object_get(page, "next");
	json_object_set(whole, "next", next ? next : json_null());
	json_decref(page);
}

int xy_client_ask_all(struct xy_client *c, const char *command, json_t **out, struct xy_err *err)
{
	char request[512];
	int ret = xy_client_ask(c, command, out, err);
	for (unsigned pages = 0; !ret && pages < PAGES_MAX; pages++) {
		const char *next = json_string_value(json_object_get(*out, "next"));
		json_t *page;
		if (!next)
			return 0;
		snprintf(request, sizeof(request), "%s,%s", command, next);
		ret = xy_client_ask(c, request, &page, err);
		if (ret)
			json_decref(*out);
		else
			join(*out, page);
	}
	return ret;
}
