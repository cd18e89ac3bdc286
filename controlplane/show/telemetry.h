// SPDX-License-Identifier: BSD-3-Clause
// The telemetry socket: DPDK telemetry's protocol (SOCK_SEQPACKET; a greeting, then one JSON reply
// for each request "/command,params") on the control thread's loop. Reads only. Control thread
// alone; what create gives is freed by close.
#pragma once

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <uv.h>

struct xy_telemetry;

enum {
	XY_TELEMETRY_CLIENTS = 32,     // when more come, the one idle for longest is told and goes
	XY_TELEMETRY_REQUEST = 1024,   // bytes; longer requests get an error
	XY_TELEMETRY_OUTPUT = 1 << 20, // largest reply; less where the kernel gives less
};

// The object that answers; what was wrong as xy_telemetry_error. params: what stands behind the
// first comma, or NULL. NULL means no memory.
typedef json_t *xy_telemetry_handler(void *arg, const char *params);

struct xy_telemetry_config {
	const char *instance; // for texts
	const char *path;     // of the socket; its folder exists
	unsigned mode;
	const char *group; // NULL or "": as it is
};

// Answers nobody before it listens.
int xy_telemetry_create(uv_loop_t *loop, struct xy_telemetry **out, struct xy_err *err);
// A socket that a killed daemon left is replaced. -EADDRINUSE: the instance runs already. Called
// again it listens there in place of where it did; who is connected stays.
int xy_telemetry_listen(struct xy_telemetry *t, const struct xy_telemetry_config *cfg,
			struct xy_err *err);
// Does the path still lead to its socket?
bool xy_telemetry_is_there(const struct xy_telemetry *t);
// command begins with "/"; it and help must stay. -EEXIST, -ENOMEM.
int xy_telemetry_register(struct xy_telemetry *t, const char *command, const char *help,
			  xy_telemetry_handler *handler, void *arg);
struct xy_telemetry_command {
	const char *command, *help;
	xy_telemetry_handler *handler;
};
// Several; v itself need not stay.
int xy_telemetry_register_all(struct xy_telemetry *t, const struct xy_telemetry_command *v,
			      unsigned count, void *arg);
// How many are connected, and how many had to go since the start because others came.
void xy_telemetry_clients(const struct xy_telemetry *t, unsigned *open, uint64_t *ended);
// What the command answers without params; NULL: no such command, no memory. The caller's.
json_t *xy_telemetry_answer(const struct xy_telemetry *t, const char *command);
// Removes the socket, closes all clients; memory goes when the loop has closed its handles.
void xy_telemetry_close(struct xy_telemetry *t);

__attribute__((format(printf, 1, 2))) json_t *xy_telemetry_error(const char *fmt, ...);
