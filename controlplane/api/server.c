// SPDX-License-Identifier: BSD-3-Clause
#include "api/server.h"

#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPT_AGAIN_MS 200

struct command {
	const char *name, *help;
	xy_server_handler *handler;
	void *arg;
};

struct client {
	struct xy_server *s;
	uv_poll_t poll;
	int fd;
	bool open;
	struct xy_caller from;
	uint64_t last;	   // number of its last request or of its arrival
	uint64_t ticket;   // not 0: its request waits for an answer, and no other is read before
	uint64_t deadline; // for that answer, or for it to be taken; as uv_now
	char *reply;	   // waits until the socket takes it; likewise
	size_t reply_len;
	char request[XY_REQUEST_MAX + 1];
	struct xy_request_text asked; // in it
};

struct xy_server {
	uv_loop_t *loop;
	uv_poll_t poll;
	uv_timer_t again; // to accept, when there was no descriptor left
	uv_timer_t due;	  // the first deadline of a client
	int fd;		  // -1: does not listen
	struct xy_listen at;
	unsigned answer_ms, take_ms;
	struct command *commands;
	size_t command_count;
	size_t max_output;
	struct client *clients[XY_SERVER_CLIENTS];
	void (*around)(void *arg, bool begins);
	void *around_arg;
	uint64_t turns;	  // counts arrivals and requests
	uint64_t tickets; // counts requests
	uint64_t ended;	  // clients that made room for others
	unsigned handles; // that the loop has not closed yet
};

static void handle_closed(struct xy_server *s)
{
	if (--s->handles)
		return;
	free(s->commands);
	free(s);
}

// --- clients

static void client_closed(uv_handle_t *h)
{
	struct client *c = h->data;
	struct xy_server *s = c->s;
	close(c->fd);
	free(c->reply);
	free(c);
	handle_closed(s);
}

static void client_drop(struct client *c)
{
	if (!c->open)
		return;
	c->open = false;
	c->ticket = 0;
	for (unsigned i = 0; i < XY_SERVER_CLIENTS; i++)
		if (c->s->clients[i] == c)
			c->s->clients[i] = NULL;
	uv_close((uv_handle_t *)&c->poll, client_closed);
}

static void client_ready(uv_poll_t *poll, int status, int events);

static void client_watch(struct client *c, int events)
{
	uv_poll_start(&c->poll, events | UV_DISCONNECT, client_ready);
}

static void look_at_deadlines(uv_timer_t *timer);

static void deadline_set(struct client *c, unsigned ms)
{
	struct xy_server *s = c->s;
	uint64_t now = uv_now(s->loop);
	c->deadline = now + ms;
	if (!uv_is_active((uv_handle_t *)&s->due) || uv_timer_get_due_in(&s->due) > ms)
		uv_timer_start(&s->due, look_at_deadlines, ms, 0);
}

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
		c->deadline = 0;
	} else if (!c->deadline) {
		deadline_set(c, c->s->take_ms);
	}
	client_watch(c, later ? UV_WRITABLE : UV_READABLE);
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

json_t *xy_server_error(const char *fmt, ...)
{
	char text[400];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return json_pack("{s:s}", "error", text);
}

json_t *xy_server_refused(int why, const struct xy_err *err)
{
	json_t *o = xy_server_error("%s", err->text);
	if (why == -ENOENT)
		json_object_set_new(o, "unknown", json_true());
	return o;
}

static const struct command *find(const struct xy_server *s, const char *name)
{
	for (size_t i = 0; i < s->command_count; i++)
		if (strcmp(s->commands[i].name, name) == 0)
			return &s->commands[i];
	return NULL;
}

json_t *xy_server_ask(const struct xy_server *s, const char *command)
{
	const struct command *c = find(s, command);
	struct xy_request r = {.command = command};
	return c ? c->handler(c->arg, &r) : NULL;
}

static json_t *answer_list(void *arg, struct xy_request *r)
{
	const struct xy_server *s = arg;
	json_t *all = json_array();
	for (size_t i = 0; i < s->command_count; i++)
		json_array_append_new(all, json_string(s->commands[i].name));
	return all;
}

static json_t *answer_help(void *arg, struct xy_request *r)
{
	const struct command *c = find(arg, r->params ? r->params : "/help");
	if (!c)
		return xy_server_error("no such command; / lists them");
	return json_pack("{s:s}", c->name, c->help);
}

static json_t *answer_info(void *arg, struct xy_request *r)
{
	const struct xy_server *s = arg;
	return json_pack("{s:s, s:i, s:I}", "version", "Xylem " XY_VERSION, "pid", (int)getpid(),
			 "max_output_len", (json_int_t)s->max_output);
}

// {"<command>": answer} as text; takes the answer.
static char *wrap(const char *command, json_t *answer)
{
	json_t *o = json_object();
	json_t *given = answer ? answer : xy_server_error("not enough memory to answer");
	// a request that is no UTF-8 cannot be a key
	if (json_object_set(o, command, given))
		json_object_set(o, "", given);
	json_decref(given);
	char *text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	return text;
}

// Its request is answered with this, which is taken.
static void client_answer(struct client *c, json_t *answer)
{
	char *text = wrap(c->asked.command, answer);
	size_t len = text ? strlen(text) : 0;
	c->ticket = c->deadline = 0;
	if (len > c->s->max_output) {
		free(text);
		text = wrap(c->asked.command,
			    xy_server_error("the answer has %zu bytes, more than the socket "
					    "carries (%zu); ask for a page: %s,CURSOR",
					    len, c->s->max_output, c->asked.command));
	}
	client_send(c, text);
}

static struct client *find_ticket(const struct xy_server *s, uint64_t ticket)
{
	for (unsigned i = 0; ticket && i < XY_SERVER_CLIENTS; i++)
		if (s->clients[i] && s->clients[i]->ticket == ticket)
			return s->clients[i];
	return NULL;
}

void xy_server_around(struct xy_server *s, void (*around)(void *arg, bool begins), void *arg)
{
	s->around = around;
	s->around_arg = arg;
}

void xy_server_by(struct xy_server *s, const struct xy_listen_by *by)
{
	s->at.by = *by;
}

bool xy_server_waits(const struct xy_server *s, uint64_t ticket)
{
	return find_ticket(s, ticket) != NULL;
}

bool xy_server_answer(struct xy_server *s, uint64_t ticket, json_t *answer)
{
	struct client *c = find_ticket(s, ticket);
	if (c)
		client_answer(c, answer);
	else
		json_decref(answer);
	return c != NULL;
}

static void client_ask(struct client *c)
{
	struct xy_server *s = c->s;
	const struct command *to = find(s, c->asked.command);
	struct xy_request r = {.command = c->asked.command,
			       .params = c->asked.params,
			       .from = c->from,
			       .ticket = ++s->tickets};
	if (!to) {
		client_answer(c, xy_server_error("no such command; / lists them"));
		return;
	}
	c->ticket = r.ticket;
	json_t *answer = to->handler(to->arg, &r);
	if (c->ticket != r.ticket) { // answered, or gone, while it was asked
		json_decref(answer);
	} else if (answer || !r.later) {
		client_answer(c, answer);
	} else {
		deadline_set(c, s->answer_ms);
		client_watch(c, 0);
	}
}

static void client_read(struct client *c)
{
	ssize_t n = recv(c->fd, c->request, sizeof(c->request), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client_drop(c);
		return;
	}
	c->last = ++c->s->turns;
	if (xy_request_read(c->request, (size_t)n, &c->asked) == 0)
		client_ask(c);
	else
		client_send(c, wrap("", xy_server_error("request longer than %d bytes",
							XY_REQUEST_MAX)));
}

// One that only writes no more still waits for its answer.
static void client_left(struct client *c)
{
	struct pollfd p = {.fd = c->fd};
	if (c->ticket && poll(&p, 1, 0) >= 0 && !(p.revents & (POLLHUP | POLLERR)))
		uv_poll_stop(&c->poll); // until there is one, or its deadline
	else
		client_drop(c);
}

static void client_ready(uv_poll_t *poll, int status, int events)
{
	struct client *c = poll->data;
	struct xy_server *s = c->s;
	if (s->around)
		s->around(s->around_arg, true);
	if (status < 0)
		client_drop(c);
	else if (c->reply && (events & UV_WRITABLE))
		client_flush(c);
	else if (!c->reply && (events & UV_READABLE)) // also what came before a disconnect
		client_read(c);
	else if (events & UV_DISCONNECT)
		client_left(c);
	if (s->around)
		s->around(s->around_arg, false);
}

static void deadline_over(struct client *c)
{
	if (c->ticket)
		client_answer(c, xy_server_error("no answer within %u ms; what was asked for may "
						 "still come to pass: look at the log",
						 c->s->answer_ms));
	else
		client_drop(c); // it does not take its answer
}

static void look_at_deadlines(uv_timer_t *timer)
{
	struct xy_server *s = timer->data;
	uint64_t now = uv_now(s->loop), next = UINT64_MAX;
	for (unsigned i = 0; i < XY_SERVER_CLIENTS; i++)
		if (s->clients[i] && s->clients[i]->deadline && s->clients[i]->deadline <= now)
			deadline_over(s->clients[i]);
	for (unsigned i = 0; i < XY_SERVER_CLIENTS; i++)
		if (s->clients[i] && s->clients[i]->deadline && s->clients[i]->deadline < next)
			next = s->clients[i]->deadline;
	if (next != UINT64_MAX)
		uv_timer_start(timer, look_at_deadlines, next - now, 0);
}

// --- the listening socket

// It is told why, as its last message; a socket that does not take that is full of others.
static void client_turn_away(struct client *c)
{
	char text[200];
	int n = snprintf(text, sizeof(text),
			 "{\"error\":\"more than %d clients are connected, and this one was idle "
			 "for longest; try again, or end some (ss -xp shows whose they are)\"}",
			 XY_SERVER_CLIENTS);
	c->s->ended++;
	send(c->fd, text, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	client_drop(c);
}

// One that waits for an answer is not idle, as long as there are others.
static bool goes_before(const struct client *a, const struct client *b)
{
	if (!a->ticket != !b->ticket)
		return !a->ticket;
	return a->last < b->last;
}

static unsigned free_slot(struct xy_server *s)
{
	unsigned oldest = 0;
	for (unsigned i = 0; i < XY_SERVER_CLIENTS; i++) {
		if (!s->clients[i])
			return i;
		if (goes_before(s->clients[i], s->clients[oldest]))
			oldest = i;
	}
	client_turn_away(s->clients[oldest]);
	return oldest;
}

// Without the kernel's word it is nobody who may do anything.
static struct xy_caller caller_of(int fd)
{
	struct ucred u;
	socklen_t len = sizeof(u);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &u, &len) || len != sizeof(u))
		return (struct xy_caller){.pid = 0, .uid = (uid_t)-1, .gid = (gid_t)-1};
	return (struct xy_caller){.pid = u.pid, .uid = u.uid, .gid = u.gid};
}

static struct client *client_add(struct xy_server *s, int fd)
{
	struct client *c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->s = s;
	c->fd = fd;
	c->open = true;
	c->from = caller_of(fd);
	c->last = ++s->turns;
	if (uv_poll_init(s->loop, &c->poll, fd)) {
		free(c);
		return NULL;
	}
	c->poll.data = c;
	s->clients[free_slot(s)] = c;
	s->handles++;
	return c;
}

// A reply is one message, and the kernel takes none that is larger than the send buffer. With
// CAP_NET_ADMIN it may exceed wmem_max.
static size_t grow_send_buffer(const struct xy_server *s, int fd)
{
	int want = XY_SERVER_OUTPUT, got = 0;
	socklen_t len = sizeof(got);
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &want, sizeof(want)) &&
	    (!s->at.by.widen || s->at.by.widen(s->at.by.arg, fd)))
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &want, sizeof(want));
	if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &got, &len) || got < 8192)
		got = 8192;
	size_t fits = (size_t)got / 2; // the kernel doubles it for its own overhead
	return fits < XY_SERVER_OUTPUT ? fits : XY_SERVER_OUTPUT;
}

static void accept_client(uv_poll_t *poll, int status, int events);

static void accept_again(uv_timer_t *timer)
{
	struct xy_server *s = timer->data;
	uv_poll_start(&s->poll, UV_READABLE, accept_client);
}

static bool is_want(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void accept_client(uv_poll_t *poll, int status, int events)
{
	struct xy_server *s = poll->data;
	int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0 && is_want(errno)) { // the client waits on, and the loop would spin
		uv_poll_stop(poll);
		uv_timer_start(&s->again, accept_again, ACCEPT_AGAIN_MS, 0);
	}
	if (fd < 0)
		return;
	s->max_output = grow_send_buffer(s, fd);
	struct client *c = client_add(s, fd);
	if (!c) {
		close(fd);
		return;
	}
	json_t *greeting = answer_info(s, NULL);
	char *text = greeting ? json_dumps(greeting, 0) : NULL;
	json_decref(greeting);
	client_send(c, text);
}

static int watch(struct xy_server *s, int fd, struct xy_err *err)
{
	int ret = uv_poll_init(s->loop, &s->poll, fd);
	if (ret)
		return xy_err_set(err, -ret, "%s: %s", s->at.path, uv_strerror(ret));
	uv_timer_init(s->loop, &s->again);
	uv_timer_init(s->loop, &s->due);
	s->poll.data = s->again.data = s->due.data = s;
	s->handles += 3;
	s->fd = fd;
	uv_poll_start(&s->poll, UV_READABLE, accept_client);
	return 0;
}

// The number stays, so that the loop's handle does; what it led to is closed.
static void watch_in_place(struct xy_server *s, int fd)
{
	uv_poll_stop(&s->poll);
	uv_timer_stop(&s->again);
	dup3(fd, s->fd, O_CLOEXEC);
	close(fd);
	uv_poll_start(&s->poll, UV_READABLE, accept_client);
}

static int register_own(struct xy_server *s)
{
	static const struct xy_server_command own[] = {
		{"/", "lists all commands", answer_list},
		{"/help", "what a command does: /help,COMMAND", answer_help},
		{"/info", "version, process and largest reply", answer_info},
	};
	return xy_server_register_all(s, own, sizeof(own) / sizeof(own[0]), s);
}

int xy_server_create(uv_loop_t *loop, struct xy_server **out, struct xy_err *err)
{
	struct xy_server *s = calloc(1, sizeof(*s));
	if (!s || register_own(s)) {
		if (s)
			free(s->commands);
		free(s);
		return xy_err_set(err, ENOMEM, "telemetry: not enough memory");
	}
	s->loop = loop;
	s->fd = -1;
	*out = s;
	return 0;
}

int xy_server_listen(struct xy_server *s, const struct xy_server_config *cfg, struct xy_err *err)
{
	struct xy_listen_config listen = cfg->listen;
	listen.backlog = XY_SERVER_CLIENTS;
	s->answer_ms = cfg->answer_ms ? cfg->answer_ms : XY_SERVER_ANSWER_MS;
	s->take_ms = cfg->take_ms ? cfg->take_ms : XY_SERVER_TAKE_MS;
	int fd = xy_listen_open(&s->at, &listen, err);
	if (fd < 0)
		return fd;
	if (s->fd >= 0) {
		watch_in_place(s, fd);
		return 0;
	}
	int ret = watch(s, fd, err);
	if (ret) {
		xy_listen_remove(&s->at);
		close(fd);
	}
	return ret;
}

bool xy_server_is_there(const struct xy_server *s)
{
	return s->fd >= 0 && xy_listen_is_there(&s->at);
}

void xy_server_change(struct xy_server *s, unsigned mode, const char *group)
{
	xy_listen_change(&s->at, mode, group);
}

bool xy_server_give(struct xy_server *s)
{
	return xy_listen_give(&s->at);
}

const char *xy_server_lacks(const struct xy_server *s)
{
	return xy_listen_lacks(&s->at);
}

int xy_server_register(struct xy_server *s, const char *command, const char *help,
		       xy_server_handler *handler, void *arg)
{
	if (find(s, command))
		return -EEXIST;
	struct command *more = realloc(s->commands, (s->command_count + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	s->commands = more;
	more[s->command_count++] = (struct command){command, help, handler, arg};
	return 0;
}

void xy_server_clients(const struct xy_server *s, unsigned *open, uint64_t *ended)
{
	*open = 0;
	for (unsigned i = 0; i < XY_SERVER_CLIENTS; i++)
		*open += s->clients[i] != NULL;
	*ended = s->ended;
}

int xy_server_register_all(struct xy_server *s, const struct xy_server_command *v, unsigned count,
			   void *arg)
{
	int r = 0;
	for (unsigned i = 0; !r && i < count; i++)
		r = xy_server_register(s, v[i].command, v[i].help, v[i].handler, arg);
	return r;
}

static void timer_closed(uv_handle_t *h)
{
	handle_closed(h->data);
}

static void listener_closed(uv_handle_t *h)
{
	struct xy_server *s = h->data;
	close(s->fd);
	handle_closed(s);
}

void xy_server_close(struct xy_server *s)
{
	if (!s)
		return;
	if (s->fd < 0) {
		free(s->commands);
		free(s);
		return;
	}
	xy_listen_remove(&s->at);
	for (unsigned i = 0; i < XY_SERVER_CLIENTS; i++)
		if (s->clients[i])
			client_drop(s->clients[i]);
	uv_close((uv_handle_t *)&s->due, timer_closed);
	uv_close((uv_handle_t *)&s->again, timer_closed);
	uv_close((uv_handle_t *)&s->poll, listener_closed);
}
