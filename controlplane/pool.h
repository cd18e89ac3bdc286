// SPDX-License-Identifier: BSD-3-Clause
// What runs beside the loop, on libuv's pool of threads: handshake steps (as many as there are
// jobs), names, and whatever takes long. Results come back on the control thread. Control thread.
#pragma once

#include "base/err.h"
#include "base/time.h"
#include "env.h"
#include "exchange/job.h"

#include <stdbool.h>

struct xy_daemon;
struct xy_pool;

#define XY_POOL_SIZE "UV_THREADPOOL_SIZE" // in the environment, as libuv reads it
unsigned xy_pool_threads(void);

int xy_pool_open(struct xy_daemon *d, struct xy_err *err);
void xy_pool_close(struct xy_daemon *d); // the loop has run out
// As xy_exchanges_config run. Steps that are done: up to max of them are told to the exchanges.
void xy_pool_job(void *arg, struct xy_job *job);
bool xy_pool_has_results(const struct xy_daemon *d);
void xy_pool_results(struct xy_daemon *d, unsigned max, xy_nsec now);
// As xy_env run: done(what) also while the loop closes. arg is the daemon.
void xy_pool_run(void *arg, void (*work)(void *what), void (*done)(void *what), void *what);
bool xy_pool_busy(const struct xy_daemon *d); // with what xy_pool_run gave them
void xy_pool_trim(struct xy_daemon *d);	      // what a config took while it was read goes back
void xy_pool_second(
	struct xy_daemon *d); // once a tick: and what a table of routes took while it came
// As xy_env resolve.
int xy_pool_resolve(void *arg, const struct xy_env_asker *by, const char *host, uint16_t port);
bool xy_pool_idle(const struct xy_daemon *d); // no name is being resolved
