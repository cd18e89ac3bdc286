// SPDX-License-Identifier: BSD-3-Clause
// Both tables under readers: one writer adds, deletes and replaces, two readers look up. What stays
// is found at every moment, no answer is another key's, and a batch is seen whole or not at all.
// Meant for -Dsanitize=thread and =address (memory that a reader still holds); runs plain as well.
#include "base/bytes.h"
#include "table/exact.h"
#include "table/exact_hash.h"
#include "table/lpm.h"
#include "unit.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { READERS = 2, BURST = 48, KEPT = 20000 };

// --- a small grace period: a reader counts up at each quiescent point

static _Atomic uint64_t quiescent[READERS];
static _Atomic bool stop = true; // no readers: nothing to wait for
static _Atomic unsigned wrong;

struct epoch {
	struct xy_reclaim reclaim;
	struct {
		void *ptr;
		void (*free_fn)(void *);
	} kept[KEPT];
	size_t n;
};

static void grace_period(void)
{
	for (unsigned i = 0; i < READERS; i++) {
		uint64_t seen = atomic_load(&quiescent[i]);
		while (atomic_load(&quiescent[i]) - seen < 2 && !atomic_load(&stop))
			sched_yield();
	}
}

static void let_go(struct epoch *e)
{
	grace_period();
	while (e->n) {
		e->n--;
		e->kept[e->n].free_fn(e->kept[e->n].ptr);
	}
}

static void keep(struct xy_reclaim *r, void *ptr, size_t size, void (*free_fn)(void *))
{
	struct epoch *e = (struct epoch *)r;
	if (e->n == KEPT)
		abort(); // the writers below let go often enough
	e->kept[e->n].ptr = ptr;
	e->kept[e->n++].free_fn = free_fn;
}

static struct epoch epoch = {.reclaim = {.retire = keep}};

static void run(void *(*reader)(void *), void (*writer)(void))
{
	pthread_t thread[READERS];
	atomic_store(&stop, false);
	atomic_store(&wrong, 0);
	for (uintptr_t i = 0; i < READERS; i++)
		if (pthread_create(&thread[i], NULL, reader, (void *)i)) // NOLINT
			abort();
	writer();
	atomic_store(&stop, true);
	for (unsigned i = 0; i < READERS; i++)
		pthread_join(thread[i], NULL);
	let_go(&epoch);
	CU_ASSERT_EQUAL(atomic_load(&wrong), 0);
	for (unsigned i = 0; i < READERS; i++)
		CU_ASSERT(atomic_load(&quiescent[i]) > 0);
}

static void expect(bool right)
{
	if (!right)
		atomic_fetch_add(&wrong, 1);
}

// --- exact: even keys stay, odd ones come and go; a value's low half tells its key

enum { EXACT_KEYS = 8192, EXACT_ROUNDS = 20 };

static struct xy_exact *exact;

static uint64_t exact_key(unsigned i)
{
	uint64_t state = i;
	return i == 1 ? 0 : xy_exact_splitmix(&state);
}

static void *exact_reader(void *arg)
{
	uint64_t key[BURST], state = 77 + (uintptr_t)arg;
	unsigned index[BURST];
	uint32_t out[BURST];
	while (!atomic_load(&stop)) {
		for (unsigned i = 0; i < BURST; i++) {
			index[i] = xy_exact_splitmix(&state) % EXACT_KEYS;
			key[i] = exact_key(index[i]);
		}
		xy_exact_lookup_burst_rcu(exact, key, out, BURST);
		for (unsigned i = 0; i < BURST; i++)
			expect(out[i] == XY_TABLE_MISS ? index[i] & 1
						       : (out[i] & 0xffff) == index[i]);
		atomic_fetch_add(&quiescent[(uintptr_t)arg], 1);
	}
	return NULL;
}

static void exact_change(unsigned i, bool add, unsigned round)
{
	if (add || !(i & 1))
		expect(xy_exact_set(exact, exact_key(i), i | round << 16) == 0);
	else
		xy_exact_del(exact, exact_key(i));
	if (epoch.n > 100)
		let_go(&epoch);
}

// Waves, so that groups split and merge and the directory doubles and halves; then small changes in
// place, so that slots are given up and taken again.
static void exact_writer(void)
{
	uint64_t state = 5;
	for (unsigned round = 1; round <= EXACT_ROUNDS; round++) {
		for (unsigned i = 1; i < EXACT_KEYS; i += 2)
			exact_change(i, true, round);
		for (unsigned i = 1; i < EXACT_KEYS; i += 2)
			exact_change(i, false, round);
		for (unsigned n = 0; n < 2 * EXACT_KEYS; n++) {
			unsigned i = xy_exact_splitmix(&state) % (n & 1 ? EXACT_KEYS : 64);
			exact_change(i, xy_exact_splitmix(&state) & 1, round);
		}
	}
}

static void test_exact(void)
{
	exact = xy_exact_create(EXACT_KEYS, 3, &epoch.reclaim);
	for (unsigned i = 0; i < EXACT_KEYS; i += 64) // few that stay: groups merge in each wave
		exact_change(i, true, 0);
	for (unsigned i = 0; i < EXACT_KEYS; i += 2)
		exact_change(i, true, 0);
	run(exact_reader, exact_writer);
	xy_exact_destroy(exact);
}

// --- lpm: a commit gives all prefixes of one batch the same generation

enum { LPM_PREFIXES = 24, LPM_BATCHES = 6000 };

static struct xy_lpm *lpm;

static unsigned lpm_prefix(unsigned i, uint8_t key[16])
{
	static const uint8_t length[] = {0, 3, 8, 16, 29, 32, 48, 64, 128};
	uint64_t state = i / 3;
	for (unsigned j = 0; j < 16; j++)
		key[j] = (uint8_t)xy_exact_splitmix(&state);
	return i == 0 ? 0 : length[i % sizeof(length)];
}

static void *lpm_reader(void *arg)
{
	uint8_t key[LPM_PREFIXES][16];
	const uint8_t *keys[LPM_PREFIXES];
	uint32_t out[LPM_PREFIXES], last = 0;
	for (unsigned i = 0; i < LPM_PREFIXES; i++) {
		lpm_prefix(i, key[i]);
		keys[i] = key[i];
	}
	// a burst is answered by one batch
	while (!atomic_load(&stop)) {
		xy_lpm_lookup_burst_rcu(lpm, keys, out, LPM_PREFIXES);
		for (unsigned i = 0; i < LPM_PREFIXES; i++)
			expect(out[i] == out[0]);
		expect(out[0] >= last && out[0] != XY_TABLE_MISS);
		last = out[0];
		atomic_fetch_add(&quiescent[(uintptr_t)arg], 1);
	}
	return NULL;
}

// The default route and half of the others get the new generation; the rest is deleted, so that
// its addresses fall back on prefixes that have it.
static void lpm_batch(uint32_t generation)
{
	uint8_t key[16];
	for (unsigned i = 0; i < LPM_PREFIXES; i++) {
		uint8_t len = (uint8_t)lpm_prefix(i, key);
		if (i == 0 || (i * 7 + generation) % 3)
			expect(xy_lpm_set(lpm, key, len, generation) == 0);
		else
			xy_lpm_del(lpm, key, len);
	}
	xy_lpm_commit(lpm);
}

static void lpm_writer(void)
{
	for (uint32_t generation = 2; generation < LPM_BATCHES; generation++) {
		lpm_batch(generation);
		if (epoch.n > 1000)
			let_go(&epoch);
	}
}

// So many beside each that readers begin at the page of its seven bits.
static void lpm_crowd(void)
{
	uint64_t state = 77;
	for (unsigned i = 0; i < LPM_PREFIXES * 150; i++) {
		uint8_t key[16], random[8];
		lpm_prefix(i / 150, key);
		xy_be64_store(random, xy_exact_splitmix(&state));
		key[0] ^= random[0] & 1;
		memcpy(key + 1, random + 1, 7);
		expect(xy_lpm_set(lpm, key, (uint8_t)(40 + i % 24), 1) == 0);
	}
}

// With each that can look up: what loads through vectors the sanitizers do not see, but its answers
// are asked for all the same.
static void test_lpm(void)
{
	for (unsigned k = 0; xy_lpm_kernel(k); k++) {
		printf("(%s) ", xy_lpm_kernel_name(xy_lpm_kernel(k)));
		lpm = xy_lpm_create(128, 5000, &epoch.reclaim);
		xy_lpm_use(lpm, xy_lpm_kernel(k));
		lpm_crowd();
		lpm_batch(1);
		run(lpm_reader, lpm_writer);
		xy_lpm_destroy(lpm);
	}
}

XY_UNIT_MAIN("table_tsan", {"exact: readers while keys come and go", test_exact},
	     {"lpm: readers see a batch whole or not at all", test_lpm})
