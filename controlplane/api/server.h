// SPDX-License-Identifier: BSD-3-Clause
// A socket of the daemon's, on the control thread's loop, in DPDK telemetry's protocol
// (SOCK_SEQPACKET; a greeting, then one JSON answer for each request "/command,params"). One
// instance for each socket: what it knows is registered, who asks is the kernel's word, and an
// answer may come at once or later. A client has one request under way; its next ones wait in the
// socket. Control thread alone; what create gives is freed by close.
#pragma once

#include "api/listen.h"
#include "api/request.h"

#include <jansson.h>
#include <stdint.h>
#include <uv.h>

struct xy_server;

enum {
	XY_SERVER_CLIENTS = 32,	     // when more come, the one idle for longest is told and goes
	XY_SERVER_OUTPUT = 1 << 20,  // largest answer; less where the kernel gives less
	XY_SERVER_ANSWER_MS = 30000, // a handler has so long; then the client is told
	XY_SERVER_TAKE_MS = 60000,   // a client has so long to take its answer; then it goes
};

struct xy_server_config {
	struct xy_listen_config listen; // its backlog is the server's
	unsigned answer_ms, take_ms;	// 0: as above
};

// Whose process it was that connected.
struct xy_caller {
	pid_t pid;
	uid_t uid;
	gid_t gid;
};

struct xy_request {
	const char *command, *params; // params: what stands behind the first comma, or NULL
	struct xy_caller from;
	uint64_t ticket; // names it, for xy_server_answer; 0: nobody could take an answer later
	bool later;	 // set by the handler: the answer comes by xy_server_answer
};

// The answer, which the server takes; what was wrong as xy_server_error. NULL means no memory, or,
// with `later`, that it comes. The request is the handler's during the call alone.
typedef json_t *xy_server_handler(void *arg, struct xy_request *request);

// Answers nobody before it listens.
int xy_server_create(uv_loop_t *loop, struct xy_server **out, struct xy_err *err);
// A socket that a killed daemon left is replaced. -EADDRINUSE: the instance runs already. Called
// again it listens there in place of where it did; who is connected stays.
int xy_server_listen(struct xy_server *s, const struct xy_server_config *cfg, struct xy_err *err);
// Does the path still lead to its socket?
bool xy_server_is_there(const struct xy_server *s);
// As xy_listen_change, xy_listen_give and xy_listen_lacks, of its socket.
void xy_server_change(struct xy_server *s, unsigned mode, const char *group);
bool xy_server_give(struct xy_server *s);
const char *xy_server_lacks(const struct xy_server *s);
// command begins with "/"; it and help must stay. -EEXIST, -ENOMEM.
int xy_server_register(struct xy_server *s, const char *command, const char *help,
		       xy_server_handler *handler, void *arg);
struct xy_server_command {
	const char *command, *help;
	xy_server_handler *handler;
};
// Several; v itself need not stay.
int xy_server_register_all(struct xy_server *s, const struct xy_server_command *v, unsigned count,
			   void *arg);
// around(arg, true) is called before each look at a client, and around(arg, false) after it.
void xy_server_around(struct xy_server *s, void (*around)(void *arg, bool begins), void *arg);
// From now on, what this process may not is done by another.
void xy_server_by(struct xy_server *s, const struct xy_listen_by *by);
// Gives the answer that was to come, and takes it. False: nobody waits for it, since the client has
// left, was told that it takes too long, or was answered.
bool xy_server_answer(struct xy_server *s, uint64_t ticket, json_t *answer);
bool xy_server_waits(const struct xy_server *s, uint64_t ticket); // does the client?
// How many are connected, and how many had to go since the start because others came.
void xy_server_clients(const struct xy_server *s, unsigned *open, uint64_t *ended);
// What the command answers without params; NULL: no such command, not at once, no memory. The
// caller's.
json_t *xy_server_ask(const struct xy_server *s, const char *command);
// Removes the socket, closes all clients; memory goes when the loop has closed its handles. What
// was to be answered later goes with it.
void xy_server_close(struct xy_server *s);

__attribute__((format(printf, 1, 2))) json_t *xy_server_error(const char *fmt, ...);
// The same of what xy_err says, with "unknown": true where why is -ENOENT: nobody is meant.
json_t *xy_server_refused(int why, const struct xy_err *err);
