// SPDX-License-Identifier: BSD-3-Clause
// DPDK's own telemetry socket: answers are outlines that the control thread published, turned into
// DPDK's structures on the thread of whoever asks.
#include "dataplane.h"

#include "compat.h"

#include <errno.h>
#include <pthread.h>
#include <rte_telemetry.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { COMMANDS = 16 };

struct answer {
	char *command, *outline;
};

// DPDK calls back on a thread per client, and never forgets a command: one table for the process.
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct answer table[COMMANDS];
static pthread_cond_t newer;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static unsigned published; // times
static void (*ask_fn)(void *arg);
static void *ask_arg;

enum { ASK_MS = 300 }; // for newer ones: then the last do

static void newer_init(void)
{
	pthread_condattr_t by;
	pthread_condattr_init(&by);
	pthread_condattr_setclock(&by, CLOCK_MONOTONIC);
	pthread_cond_init(&newer, &by);
	pthread_condattr_destroy(&by);
}

// With the lock held.
static void newer_await(void)
{
	struct timespec end;
	unsigned before = published;
	int r = 0;
	if (!ask_fn)
		return;
	ask_fn(ask_arg);
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_nsec += ASK_MS * 1000000L;
	end.tv_sec += end.tv_nsec / 1000000000L;
	end.tv_nsec %= 1000000000L;
	while (!r && published == before)
		r = pthread_cond_timedwait(&newer, &lock, &end);
}

static struct answer *find(const char *command)
{
	for (unsigned i = 0; i < COMMANDS; i++)
		if (table[i].command && strcmp(table[i].command, command) == 0)
			return &table[i];
	return NULL;
}

static char *copy_of(const char *command)
{
	pthread_once(&once, newer_init);
	pthread_mutex_lock(&lock);
	newer_await();
	const struct answer *a = find(command);
	char *copy = a && a->outline ? strdup(a->outline) : NULL;
	pthread_mutex_unlock(&lock);
	return copy;
}

// --- an outline becomes a dictionary

static char *word(char **at, char end)
{
	char *w = *at, *e = strchr(w, end);
	*at = e ? e + 1 : w + strlen(w);
	if (e)
		*e = 0;
	return w;
}

static void members(struct rte_tel_data *d, char **at)
{
	while (**at) {
		char *line = word(at, '\n'), *rest = line + 1;
		const char *name;
		struct rte_tel_data *inner;
		switch (*line) {
		case '}':
			return;
		case '=':
			name = word(&rest, ' ');
			xy_tel_add_uint(d, name, strtoull(rest, NULL, 10));
			break;
		case '-':
			name = word(&rest, ' ');
			rte_tel_data_add_dict_int(d, name, -(int)strtol(rest, NULL, 10));
			break;
		case '"':
			name = word(&rest, ' ');
			rte_tel_data_add_dict_string(d, name, rest);
			break;
		case '{':
			inner = rte_tel_data_alloc();
			if (!inner)
				return;
			rte_tel_data_start_dict(inner);
			members(inner, at);
			if (rte_tel_data_add_dict_container(d, rest, inner, 0))
				rte_tel_data_free(inner);
			break;
		}
	}
}

static int on_command(const char *command, const char *params, struct rte_tel_data *d)
{
	char *copy = copy_of(command), *at = copy;
	(void)params;
	rte_tel_data_start_dict(d);
	if (copy)
		members(d, &at);
	free(copy);
	return 0;
}

// --- the control thread's side

int xy_dp_telemetry_publish(const char *command, const char *help, const char *outline)
{
	char *copy = strdup(outline);
	if (!copy)
		return -ENOMEM;
	pthread_mutex_lock(&lock);
	struct answer *a = find(command);
	bool new = !a;
	for (unsigned i = 0; !a && i < COMMANDS; i++)
		if (!table[i].command && (table[i].command = strdup(command)))
			a = &table[i];
	char *old = a ? a->outline : copy;
	if (a)
		a->outline = copy;
	pthread_mutex_unlock(&lock);
	free(old);
	if (!a)
		return -ENOSPC;
	return new ? rte_telemetry_register_cmd(command, on_command, help) : 0;
}

void xy_dp_telemetry_on_ask(void (*ask)(void *arg), void *arg)
{
	pthread_mutex_lock(&lock);
	ask_fn = ask;
	ask_arg = arg;
	pthread_mutex_unlock(&lock);
}

void xy_dp_telemetry_published(void)
{
	pthread_once(&once, newer_init);
	pthread_mutex_lock(&lock);
	published++;
	pthread_cond_broadcast(&newer);
	pthread_mutex_unlock(&lock);
}
