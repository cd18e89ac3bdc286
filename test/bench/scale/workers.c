// SPDX-License-Identifier: BSD-3-Clause
// The workers' threads. They go through the same steps, in which some of them work and the others
// sleep at the next barrier: what is put in, the walk, the bare cipher.
#include "scale.h"

#include <pthread.h>
#include <rte_cycles.h>
#include <rte_launch.h>
#include <semaphore.h>
#include <stdlib.h>

enum {
	LAG_PER_S = 2500, // another's last burst ended 400 us ago: it does not run
	PASSES = 200,	  // of the line between two workers, for one sample
	LINE_SAMPLES = 16,
};

struct lane {
	struct bench b; // first: a bench leads to its lane
	const struct kinds *kinds;
	unsigned rounds, now; // now: how many turn, from `first` on
	unsigned first;
	struct samples *forward[KINDS_MAX], *aead[KINDS_MAX];
	uint64_t stamp __rte_cache_aligned; // the last burst's end; 0: not now. Others: ro
} __rte_cache_aligned;

static struct {
	struct bench mesh;
	unsigned workers;
	struct lane *lane; // [workers]
	pthread_barrier_t barrier;
	sem_t ended;
	struct samples line;
	uint64_t turn __rte_cache_aligned; // the line that two of them pass on
	char after[RTE_CACHE_LINE_SIZE];
} all;

// --- does a burst count?

static void stamp(struct lane *l, uint64_t at)
{
	__atomic_store_n(&l->stamp, at, __ATOMIC_RELAXED);
}

static bool others_run(struct bench *b)
{
	struct lane *l = (struct lane *)b;
	uint64_t now = rte_rdtsc(), lag = rte_get_tsc_hz() / LAG_PER_S;
	stamp(l, now);
	for (unsigned i = l->first; i < l->first + l->now; i++) {
		uint64_t at = __atomic_load_n(&all.lane[i].stamp, __ATOMIC_RELAXED);
		if (&all.lane[i] != l && (at + lag < now))
			return false;
	}
	return true;
}

// --- steps

static void together(void)
{
	pthread_barrier_wait(&all.barrier);
}

static void turn(struct bench *b)
{
	turn_timed(b);
}

// Round `kind` of the workers from `first` on: the others only come to the barriers.
static void step(struct lane *l, unsigned kind, unsigned first)
{
	l->first = first;
	l->now = l->kinds->workers[kind];
	bool mine = l->b.worker >= first && l->b.worker < first + l->now;
	l->b.forward = l->forward[kind];
	l->b.aead = l->aead[kind];
	if (mine)
		relay_begin(&l->b);
	together();
	if (mine)
		walk(&l->b);
	stamp(l, 0);
	together();
	if (mine)
		relay_end(&l->b);
	stamp(l, 0);
	together();
}

// How long the line takes to the other worker and back, the first two alone.
static void line_pass(struct lane *l)
{
	uint64_t me = l->b.worker, *line = &all.turn;
	together();
	for (unsigned i = 0; me < 2 && i < LINE_SAMPLES; i++) {
		uint64_t start = rte_rdtsc();
		for (unsigned k = 0; k < PASSES; k++) {
			while (__atomic_load_n(line, __ATOMIC_RELAXED) % 2 != me)
				; // without a pause, which is as long as what is measured
			__atomic_fetch_add(line, 1, __ATOMIC_RELAXED);
		}
		if (me == 0)
			sample_add(&all.line, rte_rdtsc() - start);
	}
	together();
}

static void round_of(struct lane *l)
{
	for (unsigned i = 0; i < all.workers; i++) // one, each in turn
		step(l, 0, i);
	for (unsigned kind = 1; kind < l->kinds->n; kind++)
		step(l, kind, 0);
}

static void lane_open(struct lane *l, unsigned worker)
{
	if (worker)
		mesh_worker(&all.mesh, worker, &l->b);
	else
		l->b = all.mesh; // its ring and buffers are worker 0's
	l->b.turn = turn;
	l->b.counts = others_run;
	for (unsigned i = 0; i < l->kinds->n; i++) {
		l->forward[i] = need(1, sizeof(struct samples));
		l->aead[i] = need(1, sizeof(struct samples));
	}
}

static int lane_run(void *arg)
{
	struct lane *l = arg;
	lane_open(l, (unsigned)(l - all.lane));
	together();
	round_of(l); // warms up, and is not counted
	for (unsigned i = 0; i < l->kinds->n; i++)
		l->forward[i]->n = l->aead[i]->n = 0;
	for (unsigned i = 0; i < l->rounds; i++) {
		round_of(l);
		line_pass(l);
	}
	sem_post(&all.ended);
	return 0;
}

// --- a row

static void sum(const struct kinds *kinds, unsigned kind, double hz, struct measured *out)
{
	unsigned n = kind ? kinds->workers[kind] : all.workers; // alone: each was once
	*out = (struct measured){0};
	for (unsigned i = 0; i < n; i++) {
		struct lane *l = &all.lane[i];
		if (!l->forward[kind]->n || !l->aead[kind]->n)
			die("the workers never ran at once: the machine is too busy", NULL);
		double cycles = percentile(l->forward[kind], 50, l->b.load.burst);
		double aead = percentile(l->aead[kind], 50, l->b.load.burst);
		out->cycles += cycles / n;
		out->p90 += percentile(l->forward[kind], 90, l->b.load.burst) / n;
		out->aead += aead / n;
		out->mpps += hz / cycles / 1e6;
		out->aead_all += hz / aead / 1e6;
	}
	if (!kind) { // the mean of them
		out->mpps /= n;
		out->aead_all /= n;
	}
}

void row_measure(struct load load, const struct kinds *kinds, unsigned rounds, struct row *r)
{
	all.workers = load.workers;
	all.mesh.load = load;
	mesh_make(&all.mesh);
	size_t size = all.workers * sizeof(*all.lane);
	all.lane = aligned_alloc(RTE_CACHE_LINE_SIZE, size);
	if (!all.lane || pthread_barrier_init(&all.barrier, NULL, all.workers) ||
	    sem_init(&all.ended, 0, 0))
		die("memory", NULL);
	memset(all.lane, 0, size);
	for (unsigned i = 0; i < all.workers; i++) {
		all.lane[i].kinds = kinds;
		all.lane[i].rounds = rounds;
		if (rte_eal_remote_launch(lane_run, &all.lane[i], all.mesh.dp->worker[i]->lcore))
			die("a worker's thread", NULL);
	}
	for (unsigned i = 0; i < all.workers; i++) // rte_eal_wait_lcore would spin meanwhile
		sem_wait(&all.ended);
	r->load = load;
	r->tsc_hz = (double)xy_dp_tsc_hz(all.mesh.dp);
	r->line = percentile(&all.line, 50, PASSES);
	for (unsigned i = 0; i < kinds->n; i++)
		sum(kinds, i, r->tsc_hz, &r->of[i]);
	snprintf(r->cipher, sizeof(r->cipher), "%s", xy_aead_tell(all.mesh.cipher, load.suite));
	snprintf(r->memory, sizeof(r->memory), "%s", xy_dp_memory(all.mesh.dp));
}
