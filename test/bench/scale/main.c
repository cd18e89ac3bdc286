// SPDX-License-Identifier: BSD-3-Clause
// What several workers forward beside one: the relay of bench_relay, with a worker on each CPU.
//   bench_scale [--short] [--json]
// Each worker has packets of its own, which come in sessions that it owns; it seals them in
// sessions of its own, or in those that all workers seal in (whose counter is a shared line). What
// is put in is made, and what came out is opened by the bare cipher, while no worker is timed; then
// the bare cipher's passes of all workers are at once as well: how much faster they are than one is
// what the machine gives, whose CPUs share memory, clock, and perhaps cores. One worker alone, each
// in turn, and several of them at once take turns in one run. A burst counts only if every other
// worker that is to turn has just ended one, too: where another program has taken a CPU, those on
// the others go on alone, and would look better than they are.
#include "scale.h"

#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROWS_MAX = 16, SCALE_ROUNDS = 16, SCALE_ROUNDS_SHORT = 5 };

_Noreturn void die(const char *what, const struct xy_err *err)
{
	fprintf(stderr, "bench scale: %s: %s\n", what, err ? err->text : "failed");
	exit(1);
}

// The CPUs that this process may use, as many as there can be workers.
static unsigned cpus_read(int cpu[WORKERS_MAX])
{
	cpu_set_t set;
	unsigned n = 0;
	if (sched_getaffinity(0, sizeof(set), &set))
		die("CPUs", NULL);
	for (int i = 0; i < CPU_SETSIZE && n < WORKERS_MAX; i++)
		if (CPU_ISSET(i, &set))
			cpu[n++] = i;
	return n;
}

static void kinds_make(struct kinds *k, unsigned workers)
{
	k->n = 0;
	for (unsigned n = 1; n < workers && k->n < KINDS_MAX - 1; n *= 2)
		k->workers[k->n++] = n;
	k->workers[k->n++] = workers;
}

static unsigned loads_make(struct load *out, unsigned workers, const int *cpus)
{
	static const uint32_t sizes[] = {64, 512, 1420};
	static const struct load grid[] = {
		{.sessions = 1, .routes = 1},
		{.sessions = 1, .routes = 1, .shared = true},
		{.sessions = 10000, .routes = 1000000},
		{.sessions = 10000, .routes = 1000000, .shared = true},
	};
	unsigned n = 0;
	for (unsigned i = 0; i < XY_ARRAY_SIZE(grid); i++)
		for (unsigned k = 0; k < XY_ARRAY_SIZE(sizes); k++) {
			struct load *l = &out[n++];
			*l = grid[i];
			l->path = RELAY;
			l->size = sizes[k];
			l->burst = XY_BURST;
			l->suite = XY_AEAD_CHACHA20_POLY1305;
			l->workers = workers;
			l->cpus = cpus;
			if (l->routes == 1 && !l->shared)
				l->routes = workers;
		}
	return n;
}

// In a process of its own: EAL starts once per process.
static int row_run(struct load load, const struct kinds *kinds, unsigned rounds, struct row *r)
{
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		row_measure(load, kinds, rounds, r);
		_exit(0);
	}
	int status;
	return pid < 0 || waitpid(pid, &status, 0) < 0 || status ? 1 : 0;
}

int main(int argc, char **argv)
{
	bool brief = false, json = false;
	for (int i = 1; i < argc; i++) {
		bool is_short = strcmp(argv[i], "--short") == 0,
		     is_json = strcmp(argv[i], "--json") == 0;
		if (!is_short && !is_json) {
			fprintf(stderr,
				"bench scale: unknown argument '%s'; use [--short] [--json]\n",
				argv[i]);
			return 2;
		}
		brief |= is_short;
		json |= is_json;
	}
	int cpu[WORKERS_MAX];
	struct kinds kinds;
	struct load load[ROWS_MAX];
	unsigned workers = cpus_read(cpu), rounds = brief ? SCALE_ROUNDS_SHORT : SCALE_ROUNDS;
	if (workers < 2)
		die("two CPUs are needed, and this process may use one", NULL);
	kinds_make(&kinds, workers);
	unsigned rows = loads_make(load, workers, cpu);
	struct row *r = mmap(NULL, ROWS_MAX * sizeof(*r), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (r == MAP_FAILED)
		die("memory", NULL);
	for (unsigned i = 0; i < rows; i++) {
		if (row_run(load[i], &kinds, rounds, &r[i]))
			return 1;
		if (i == 0)
			scale_head_print(r, &kinds, rounds, json);
		else if (json)
			printf(",");
		row_print(&r[i], &kinds, json);
	}
	scale_foot_print(r, rows, &kinds, json);
	return 0;
}
