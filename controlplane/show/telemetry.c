// SPDX-License-Identifier: BSD-3-Clause
#include "show/telemetry.h"
#include "base/bytes.h"

#include <fcntl.h>
#include <grp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define ACCEPT_AGAIN_MS 200

struct command {
	const char *name, *help;
	xy_telemetry_handler *handler;
	void *arg;
};

struct client {
	struct xy_telemetry *t;
	uv_poll_t poll;
	int fd;
	bool open;
	uint64_t last; // number of its last request or of its arrival
	char *reply;   // waits until the socket takes it; no further request is read before
	size_t reply_len;
};

struct xy_telemetry {
	uv_loop_t *loop;
	uv_poll_t poll;
	uv_timer_t again; // to accept, when there was no descriptor left
	int fd;		  // -1: does not listen
	dev_t device;	  // of the socket's file
	ino_t inode;
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	struct command *commands;
	size_t command_count;
	size_t max_output;
	struct client *clients[XY_TELEMETRY_CLIENTS];
	uint64_t turns;	  // counts arrivals and requests
	uint64_t ended;	  // clients that made room for others
	unsigned handles; // that the loop has not closed yet
};

static void handle_closed(struct xy_telemetry *t)
{
	if (--t->handles)
		return;
	free(t->commands);
	free(t);
}

// --- clients

static void client_closed(uv_handle_t *h)
{
	struct client *c = h->data;
	struct xy_telemetry *t = c->t;
	close(c->fd);
	free(c->reply);
	free(c);
	handle_closed(t);
}

static void client_drop(struct client *c)
{
	if (!c->open)
		return;
	c->open = false;
	for (unsigned i = 0; i < XY_TELEMETRY_CLIENTS; i++)
		if (c->t->clients[i] == c)
			c->t->clients[i] = NULL;
	uv_close((uv_handle_t *)&c->poll, client_closed);
}

static void client_ready(uv_poll_t *poll, int status, int events);

static void client_flush(struct client *c)
{
	ssize_t n = send(c->fd, c->reply, c->reply_len, MSG_DONTWAIT | MSG_NOSIGNAL);
	bool later = n < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOBUFS);
	if (n < 0 && !later) {
		client_drop(c);
		return;
	}
	if (!later) {
		free(c->reply);
		c->reply = NULL;
	}
	uv_poll_start(&c->poll, later ? UV_WRITABLE | UV_DISCONNECT : UV_READABLE | UV_DISCONNECT,
		      client_ready);
}

// Takes text, which is malloc'd; NULL (no memory) ends the client.
static void client_send(struct client *c, char *text)
{
	c->reply = text;
	if (!text) {
		client_drop(c);
		return;
	}
	c->reply_len = strlen(text);
	client_flush(c);
}

// --- requests

json_t *xy_telemetry_error(const char *fmt, ...)
{
	char text[400];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return json_pack("{s:s}", "error", text);
}

static const struct command *find(const struct xy_telemetry *t, const char *name)
{
	for (size_t i = 0; i < t->command_count; i++)
		if (strcmp(t->commands[i].name, name) == 0)
			return &t->commands[i];
	return NULL;
}

json_t *xy_telemetry_answer(const struct xy_telemetry *t, const char *command)
{
	const struct command *c = find(t, command);
	return c ? c->handler(c->arg, NULL) : NULL;
}

static json_t *answer_list(void *arg, const char *params)
{
	const struct xy_telemetry *t = arg;
	json_t *all = json_array();
	for (size_t i = 0; i < t->command_count; i++)
		json_array_append_new(all, json_string(t->commands[i].name));
	return all;
}

static json_t *answer_help(void *arg, const char *params)
{
	const struct command *c = find(arg, params ? params : "/help");
	if (!c)
		return xy_telemetry_error("no such command; / lists them");
	return json_pack("{s:s}", c->name, c->help);
}

static json_t *answer_info(void *arg, const char *params)
{
	const struct xy_telemetry *t = arg;
	return json_pack("{s:s, s:i, s:I}", "version", "Xylem " XY_VERSION, "pid", (int)getpid(),
			 "max_output_len", (json_int_t)t->max_output);
}

// {"<command>": answer} as text; takes the answer.
static char *wrap(const char *command, json_t *answer)
{
	json_t *o = json_object();
	json_t *given = answer ? answer : xy_telemetry_error("not enough memory to answer");
	// a request that is no UTF-8 cannot be a key
	if (json_object_set(o, command, given))
		json_object_set(o, "", given);
	json_decref(given);
	char *text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	return text;
}

static char *answer(struct xy_telemetry *t, char *request)
{
	char *params = strchr(request, ',');
	if (params)
		*params++ = 0;
	const struct command *c = find(t, request);
	char *text = wrap(request, c ? c->handler(c->arg, params)
				     : xy_telemetry_error("no such command; / lists them"));
	if (!text || strlen(text) <= t->max_output)
		return text;
	size_t len = strlen(text);
	free(text);
	return wrap(request,
		    xy_telemetry_error("the answer has %zu bytes, more than the socket carries "
				       "(%zu); ask for a page: %s,CURSOR",
				       len, t->max_output, request));
}

static void client_read(struct client *c)
{
	char request[XY_TELEMETRY_REQUEST + 1];
	ssize_t n = recv(c->fd, request, sizeof(request), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client_drop(c);
		return;
	}
	c->last = ++c->t->turns;
	if ((size_t)n == sizeof(request)) {
		client_send(c, wrap("", xy_telemetry_error("request longer than %d bytes",
							   XY_TELEMETRY_REQUEST)));
		return;
	}
	request[n] = 0;
	request[strcspn(request, "\r\n")] = 0;
	client_send(c, answer(c->t, request));
}

static void client_ready(uv_poll_t *poll, int status, int events)
{
	struct client *c = poll->data;
	if (status < 0)
		client_drop(c);
	else if (c->reply && (events & UV_WRITABLE))
		client_flush(c);
	else if (!c->reply && (events & UV_READABLE)) // also what came before a disconnect
		client_read(c);
	else if (events & UV_DISCONNECT)
		client_drop(c);
}

// --- the listening socket

// It is told why, as its last message; a socket that does not take that is full of others.
static void client_turn_away(struct client *c)
{
	char text[200];
	int n = snprintf(text, sizeof(text),
			 "{\"error\":\"more than %d clients are connected, and this one was idle "
			 "for longest; try again, or end some (ss -xp shows whose they are)\"}",
			 XY_TELEMETRY_CLIENTS);
	c->t->ended++;
	send(c->fd, text, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	client_drop(c);
}

static unsigned free_slot(struct xy_telemetry *t)
{
	unsigned oldest = 0;
	for (unsigned i = 0; i < XY_TELEMETRY_CLIENTS; i++) {
		if (!t->clients[i])
			return i;
		if (t->clients[i]->last < t->clients[oldest]->last)
			oldest = i;
	}
	client_turn_away(t->clients[oldest]);
	return oldest;
}

static struct client *client_add(struct xy_telemetry *t, int fd)
{
	struct client *c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	*c = (struct client){.t = t, .fd = fd, .open = true, .last = ++t->turns};
	if (uv_poll_init(t->loop, &c->poll, fd)) {
		free(c);
		return NULL;
	}
	c->poll.data = c;
	t->clients[free_slot(t)] = c;
	t->handles++;
	return c;
}

// A reply is one message, and the kernel takes none that is larger than the send buffer. With
// CAP_NET_ADMIN it may exceed wmem_max.
static size_t grow_send_buffer(int fd)
{
	int want = XY_TELEMETRY_OUTPUT, got = 0;
	socklen_t len = sizeof(got);
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &want, sizeof(want)))
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &want, sizeof(want));
	if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &got, &len) || got < 8192)
		got = 8192;
	size_t fits = (size_t)got / 2; // the kernel doubles it for its own overhead
	return fits < XY_TELEMETRY_OUTPUT ? fits : XY_TELEMETRY_OUTPUT;
}

static void accept_client(uv_poll_t *poll, int status, int events);

static void accept_again(uv_timer_t *timer)
{
	struct xy_telemetry *t = timer->data;
	uv_poll_start(&t->poll, UV_READABLE, accept_client);
}

static bool is_want(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void accept_client(uv_poll_t *poll, int status, int events)
{
	struct xy_telemetry *t = poll->data;
	int fd = accept4(t->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0 && is_want(errno)) { // the client waits on, and the loop would spin
		uv_poll_stop(poll);
		uv_timer_start(&t->again, accept_again, ACCEPT_AGAIN_MS, 0);
	}
	if (fd < 0)
		return;
	t->max_output = grow_send_buffer(fd);
	struct client *c = client_add(t, fd);
	if (!c) {
		close(fd);
		return;
	}
	json_t *greeting = answer_info(t, NULL);
	char *text = greeting ? json_dumps(greeting, 0) : NULL;
	json_decref(greeting);
	client_send(c, text);
}

static int refuse(const struct xy_telemetry *t, int code, const char *what, struct xy_err *err)
{
	return xy_err_set(err, code, "%s: %s: %s", t->path, what, strerror(code));
}

// Only a socket that nobody listens on is removed.
static int remove_stale(const struct xy_telemetry *t, const struct sockaddr_un *sun,
			const char *instance, struct xy_err *err)
{
	struct stat st;
	if (lstat(t->path, &st))
		return errno == ENOENT ? 0 : refuse(t, errno, "cannot be looked at", err);
	if (!S_ISSOCK(st.st_mode))
		return xy_err_set(err, EEXIST, "%s: there is a file that is no socket; remove it",
				  t->path);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return refuse(t, errno, "no socket", err);
	int code = connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) ? errno : 0;
	close(fd);
	if (code != ECONNREFUSED)
		return xy_err_set(err, EADDRINUSE,
				  "instance %s is already running (%s answers); stop it, or start "
				  "this one under another name with -n",
				  instance, t->path);
	return unlink(t->path) ? refuse(t, errno, "stale and cannot be removed", err) : 0;
}

static int set_group(const struct xy_telemetry *t, const char *name, struct xy_err *err)
{
	if (!name || !name[0])
		return 0;
	const struct group *g = getgrnam(name);
	if (!g)
		return xy_err_set(err, ENOENT,
				  "telemetry.group: there is no group \"%s\"; run: groupadd %s",
				  name, name);
	if (chown(t->path, (uid_t)-1, g->gr_gid))
		return xy_err_set(err, errno,
				  "%s: cannot be given to group %s: %s; start as root or as a "
				  "member of it",
				  t->path, name, strerror(errno));
	return 0;
}

static int bind_and_listen(struct xy_telemetry *t, int fd, const struct xy_telemetry_config *cfg,
			   struct xy_err *err)
{
	struct stat st;
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	memcpy(sun.sun_path, t->path, sizeof(sun.sun_path));
	int ret = remove_stale(t, &sun, cfg->instance, err);
	if (ret)
		return ret;
	mode_t old = umask(0177); // nobody else before its mode is set
	ret = bind(fd, (const struct sockaddr *)&sun, sizeof(sun)) ? errno : 0;
	umask(old);
	if (ret)
		return refuse(t, ret, "cannot be bound", err);
	ret = set_group(t, cfg->group, err);
	if (!ret && chmod(t->path, cfg->mode))
		ret = refuse(t, errno, "its mode cannot be set", err);
	if (!ret && listen(fd, XY_TELEMETRY_CLIENTS))
		ret = refuse(t, errno, "cannot listen", err);
	if (!ret && lstat(t->path, &st))
		ret = refuse(t, errno, "cannot be looked at", err);
	if (ret) {
		unlink(t->path);
		return ret;
	}
	t->device = st.st_dev;
	t->inode = st.st_ino;
	return 0;
}

static int watch(struct xy_telemetry *t, int fd, struct xy_err *err)
{
	int ret = uv_poll_init(t->loop, &t->poll, fd);
	if (ret)
		return xy_err_set(err, -ret, "%s: %s", t->path, uv_strerror(ret));
	uv_timer_init(t->loop, &t->again);
	t->poll.data = t->again.data = t;
	t->handles += 2;
	t->fd = fd;
	uv_poll_start(&t->poll, UV_READABLE, accept_client);
	return 0;
}

// The number stays, so that the loop's handle does; what it led to is closed.
static void watch_in_place(struct xy_telemetry *t, int fd)
{
	uv_poll_stop(&t->poll);
	uv_timer_stop(&t->again);
	dup3(fd, t->fd, O_CLOEXEC);
	close(fd);
	uv_poll_start(&t->poll, UV_READABLE, accept_client);
}

static int register_own(struct xy_telemetry *t)
{
	int ret = xy_telemetry_register(t, "/", "lists all commands", answer_list, t);
	if (!ret)
		ret = xy_telemetry_register(t, "/help", "what a command does: /help,COMMAND",
					    answer_help, t);
	if (!ret)
		ret = xy_telemetry_register(t, "/info", "version, process and largest reply",
					    answer_info, t);
	return ret;
}

int xy_telemetry_create(uv_loop_t *loop, struct xy_telemetry **out, struct xy_err *err)
{
	struct xy_telemetry *t = calloc(1, sizeof(*t));
	if (!t || register_own(t)) {
		if (t)
			free(t->commands);
		free(t);
		return xy_err_set(err, ENOMEM, "telemetry: not enough memory");
	}
	t->loop = loop;
	t->fd = -1;
	*out = t;
	return 0;
}

int xy_telemetry_listen(struct xy_telemetry *t, const struct xy_telemetry_config *cfg,
			struct xy_err *err)
{
	if (strlen(cfg->path) >= sizeof(t->path))
		return xy_err_set(err, ENAMETOOLONG, "%s: path too long for a socket", cfg->path);
	memcpy(t->path, cfg->path, strlen(cfg->path) + 1);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return refuse(t, errno, "no socket", err);
	int ret = bind_and_listen(t, fd, cfg, err);
	if (ret) {
		close(fd);
		return ret;
	}
	if (t->fd >= 0) {
		watch_in_place(t, fd);
		return 0;
	}
	ret = watch(t, fd, err);
	if (ret) {
		unlink(t->path);
		close(fd);
	}
	return ret;
}

bool xy_telemetry_is_there(const struct xy_telemetry *t)
{
	struct stat st;
	return t->fd >= 0 && lstat(t->path, &st) == 0 && st.st_ino == t->inode &&
	       st.st_dev == t->device;
}

int xy_telemetry_register(struct xy_telemetry *t, const char *command, const char *help,
			  xy_telemetry_handler *handler, void *arg)
{
	if (find(t, command))
		return -EEXIST;
	struct command *more = realloc(t->commands, (t->command_count + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	t->commands = more;
	more[t->command_count++] = (struct command){command, help, handler, arg};
	return 0;
}

void xy_telemetry_clients(const struct xy_telemetry *t, unsigned *open, uint64_t *ended)
{
	*open = 0;
	for (unsigned i = 0; i < XY_TELEMETRY_CLIENTS; i++)
		*open += t->clients[i] != NULL;
	*ended = t->ended;
}

int xy_telemetry_register_all(struct xy_telemetry *t, const struct xy_telemetry_command *v,
			      unsigned count, void *arg)
{
	int r = 0;
	for (unsigned i = 0; !r && i < count; i++)
		r = xy_telemetry_register(t, v[i].command, v[i].help, v[i].handler, arg);
	return r;
}

static void timer_closed(uv_handle_t *h)
{
	handle_closed(h->data);
}

static void listener_closed(uv_handle_t *h)
{
	struct xy_telemetry *t = h->data;
	close(t->fd);
	handle_closed(t);
}

void xy_telemetry_close(struct xy_telemetry *t)
{
	if (!t)
		return;
	if (xy_telemetry_is_there(t)) // else it is another's
		unlink(t->path);
	if (t->fd < 0) {
		free(t->commands);
		free(t);
		return;
	}
	for (unsigned i = 0; i < XY_TELEMETRY_CLIENTS; i++)
		if (t->clients[i])
			client_drop(t->clients[i]);
	uv_close((uv_handle_t *)&t->again, timer_closed);
	uv_close((uv_handle_t *)&t->poll, listener_closed);
}
