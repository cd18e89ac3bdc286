// SPDX-License-Identifier: BSD-3-Clause
// --sandbox: which files, system calls and capabilities this daemon needs, by its config, and when
// the rest goes (confine/). What could not be taken away is told, and never claimed. Control
// thread.
#pragma once

#include "confine/confine.h"

struct json_t;
struct xy_daemon;

struct xy_sandbox {
	bool wanted;
	uint64_t told; // refusals
	struct xy_confine confine;
};

// The config is known: nothing that is executed from here on gets more privileges.
int xy_sandbox_begin(struct xy_daemon *d, struct xy_err *err);
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
