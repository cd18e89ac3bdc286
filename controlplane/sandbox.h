// SPDX-License-Identifier: BSD-3-Clause
// --sandbox: which files, system calls and capabilities this daemon needs, by its config, and when
// the rest goes (confine/). What could not be taken away is told, and never claimed. Control
// thread.
#pragma once

#include "confine/confine.h"

struct json_t;
struct xy_daemon;
struct xy_dp_privileges;
struct xy_warden;

struct xy_sandbox {
	bool wanted;
	uint64_t told; // refusals
	struct xy_confine confine;
	struct xy_warden *warden; // the privileged helper; NULL: this config needs none
};

// The config is known, and nothing else was begun: a config that needs privileges later has a
// privileged helper from here on.
int xy_sandbox_fork(struct xy_daemon *d, struct xy_err *err);
void xy_sandbox_close(struct xy_daemon *d); // when all else is down
// Nothing that is executed from here on gets more privileges; what needs some goes by the helper.
int xy_sandbox_begin(struct xy_daemon *d, struct xy_err *err);
// Of what the dataplane does; NULL: it has the privileges itself.
const struct xy_dp_privileges *xy_sandbox_privileges(const struct xy_daemon *d);
bool xy_sandbox_gives(const struct xy_daemon *d); // a socket to a group that a reload brings
void xy_sandbox_files(
	struct xy_daemon *d); // before there are threads; the sockets' folder is known
void xy_sandbox_threads(
	struct xy_daemon *d); // those that there are; before helpers and workers work
void xy_sandbox_worker(void *arg, unsigned worker); // of a worker, before its first walk
void xy_sandbox_second(struct xy_daemon *d);	    // tells what was refused
// "off", "on", or "in part: " and what is lacking.
const char *xy_sandbox_word(const struct xy_daemon *d, char *text, size_t size);
struct json_t *xy_sandbox_threads_tell(const struct xy_daemon *d); // what is in force, by kind
void xy_sandbox_warnings(const struct xy_daemon *d, struct json_t *list);
