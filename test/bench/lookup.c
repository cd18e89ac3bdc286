// SPDX-License-Identifier: BSD-3-Clause
// What a lookup and a change cost against the size of the table, and beside what there is: rte_hash
// (lock-free) for the exact table, rte_fib (DIR-24-8) for IPv4, rte_fib6 (its trie, which a reader
// may not use while it changes) and rte_lpm6 for IPv6. All in one run, on one core, in bursts of
// 64, uniformly random destinations in all entries of the table. Fails when the largest size costs
// more than 3 times the smallest: per lookup, or per change after other work while a worker reads
// the table. Changes in a row are told beside it: there a thousand entries never leave the nearest
// caches, and one cache miss, the least that a change of a large table costs, is several times
// that.
//   bench_lookup [--short] [--json]
#include "base/bytes.h"
#include "cpu.h"
#include "table/exact.h"
#include "table/exact_hash.h"
#include "table/lpm.h"

#include <pthread.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_fib.h>
#include <rte_fib6.h>
#include <rte_hash.h>
#include <rte_hash_crc.h>
#include <rte_lpm6.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { OTHER_WORK = 4 << 20, BURST = 64, BATCH = 256, ROUNDS = 7, SIZES = 5, MOST_RATIO = 3 };

static bool is_json, failed;
static cpu_set_t others; // CPUs that the measuring thread leaves free
static unsigned probes = 1 << 20, changes = 200 * BATCH;
static uint64_t state = 1;

static uint64_t rnd(void)
{
	return xy_exact_splitmix(&state);
}

static void *must(void *p, const char *what)
{
	if (!p) {
		fprintf(stderr, "bench lookup: no memory for %s\n", what);
		exit(2);
	}
	return p;
}

// --- one table under test, whatever it is

struct route {
	uint8_t key[16], len;
};

// One entry out, another in.
struct swap {
	uint64_t old_key, new_key;
	struct route old_route, new_route;
};

enum { RIVALS = 2, RIVALS_V6_MOST = 200000 }; // more take gigabytes

struct table;
typedef void look_fn(const struct table *t, unsigned at, uint32_t *out);

struct rival {
	const char *name;
	void *table;
	look_fn *look;
	double ns;
};

struct table {
	const char *name;
	unsigned bits, n, rivals;
	void *ours;
	struct rival rival[RIVALS];
	uint64_t *keys;	     // exact: what is in it
	struct route *route; // lpm: what is in it
	const void *probe;   // destinations: keys, or pointers to addresses
	look_fn *look_ours;
	void (*probes)(struct table *t, unsigned n);		      // in the first n entries
	void (*prepare)(struct table *t, unsigned i, struct swap *s); // of entry i
	void (*change)(struct table *t, const struct swap *s);	      // made and published
	size_t bytes;
	double ours_ns, line_ns, change_ns, warm_ns, worst_ns, busy_changes, busy_mlookups;
};

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double ns(uint64_t cycles)
{
	return (double)cycles * 1e9 / (double)rte_get_tsc_hz();
}

// --- what was retired: freed outside of what is timed, after the reader has passed

static struct retired {
	struct xy_reclaim reclaim;
	struct {
		void *ptr;
		void (*free_fn)(void *);
	} * kept;
	size_t n, room;
} retired;

static _Atomic uint64_t passes;
static _Atomic bool reading;

static void retire(struct xy_reclaim *r, void *ptr, size_t size, void (*free_fn)(void *))
{
	struct retired *k = (struct retired *)r;
	if (k->n == k->room) {
		k->room = k->room ? 2 * k->room : 4096;
		k->kept = must(realloc(k->kept, k->room * sizeof(*k->kept)), "what was replaced");
	}
	k->kept[k->n].ptr = ptr;
	k->kept[k->n++].free_fn = free_fn;
}

static void free_retired(void)
{
	uint64_t seen = atomic_load(&passes);
	while (atomic_load(&reading) && atomic_load(&passes) - seen < 2)
		sched_yield();
	while (retired.n) {
		retired.n--;
		retired.kept[retired.n].free_fn(retired.kept[retired.n].ptr);
	}
}

// --- exact

static void exact_ours(const struct table *t, unsigned at, uint32_t *out)
{
	xy_exact_lookup_burst_rcu(t->ours, (const uint64_t *)t->probe + at, out, BURST);
}

static void exact_theirs(const struct table *t, unsigned at, uint32_t *out)
{
	const void *key[BURST];
	int32_t place[BURST];
	for (unsigned i = 0; i < BURST; i++)
		key[i] = (const uint64_t *)t->probe + at + i;
	rte_hash_lookup_bulk(t->rival[0].table, key, BURST, place);
	memcpy(out, place, sizeof(place));
}

static void exact_prepare(struct table *t, unsigned i, struct swap *s)
{
	s->old_key = t->keys[i];
	s->new_key = t->keys[i] = rnd();
}

// As the control plane changes routes: it says which one before it looks in its own table.
static void exact_change(struct table *t, const struct swap *s)
{
	xy_exact_prefetch(t->ours, s->old_key);
	xy_exact_prefetch(t->ours, s->new_key);
	if (xy_exact_del(t->ours, s->old_key) || xy_exact_set(t->ours, s->new_key, 1))
		abort();
}

static struct rte_hash *hash_rival(const struct table *t)
{
	struct rte_hash_parameters p = {
		.name = "bench",
		.entries = t->n * 5 / 4,
		.key_len = sizeof(uint64_t),
		.hash_func = rte_hash_crc,
		.extra_flag = RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF,
	};
	struct rte_hash *h = must(rte_hash_create(&p), "rte_hash");
	for (unsigned i = 0; i < t->n; i++)
		if (rte_hash_add_key(h, &t->keys[i]) < 0)
			abort();
	return h;
}

static void exact_probes(struct table *t, unsigned n)
{
	uint64_t *probe = must(realloc((void *)t->probe, probes * sizeof(*probe)), "probes");
	for (unsigned i = 0; i < probes; i++)
		probe[i] = t->keys[rnd() % n];
	t->probe = probe;
}

static void exact_make(struct table *t)
{
	t->keys = must(malloc(t->n * sizeof(*t->keys)), "keys");
	t->ours = must(xy_exact_create(t->n, 42, &retired.reclaim), "the table");
	for (unsigned i = 0; i < t->n; i++) {
		t->keys[i] = rnd();
		if (xy_exact_set(t->ours, t->keys[i], i))
			abort();
	}
	free_retired();
	t->probes = exact_probes;
	t->bytes = xy_exact_bytes(t->ours);
	t->rival[t->rivals++] =
		(struct rival){.name = "rte_hash", .table = hash_rival(t), .look = exact_theirs};
	t->look_ours = exact_ours;
	t->prepare = exact_prepare;
	t->change = exact_change;
}

static void exact_free(struct table *t)
{
	xy_exact_destroy(t->ours);
	rte_hash_free(t->rival[0].table);
	free(t->keys);
	free((void *)t->probe);
}

// --- prefixes of realistic lengths and neighbourhoods

struct share {
	uint8_t len;
	unsigned percent;
};

static uint8_t pick_length(unsigned bits)
{
	static const struct share v4[] = {{24, 60}, {22, 11}, {23, 10}, {21, 5}, {20, 5},
					  {19, 3},  {18, 2},  {16, 2},	{17, 1}, {15, 1}};
	static const struct share v6[] = {{48, 46}, {32, 12}, {44, 11}, {40, 9}, {36, 5},
					  {29, 4},  {46, 4},  {47, 3},	{33, 3}, {64, 3}};
	const struct share *s = bits == 32 ? v4 : v6;
	unsigned at = (unsigned)(rnd() % 100);
	while (at >= s->percent)
		at -= s++->percent;
	return s->len;
}

// Two of three lie in the block of one that is there already, as an origin's prefixes do.
static struct route pick_route(unsigned bits, const struct route *known, unsigned n)
{
	static const uint8_t registry[] = {0x20, 0x24, 0x26, 0x28, 0x2a, 0x2c};
	struct route r = {.len = pick_length(bits)};
	xy_be64_store(r.key, rnd());
	xy_be64_store(r.key + 8, rnd());
	r.key[0] = (uint8_t)(bits == 32 ? 1 + rnd() % 223 : registry[rnd() % sizeof(registry)]);
	if (n && rnd() % 3)
		memcpy(r.key, known[rnd() % n].key, bits == 32 ? 2 : 4);
	for (unsigned i = r.len; i < 128; i++)
		r.key[i / 8] &= (uint8_t) ~(128 >> i % 8);
	return r;
}

static struct route new_route(const struct table *t, unsigned n)
{
	struct route r;
	do
		r = pick_route(t->bits, t->route, n);
	while (xy_lpm_get(t->ours, r.key, r.len) != XY_TABLE_MISS);
	return r;
}

static void lpm_ours(const struct table *t, unsigned at, uint32_t *out)
{
	xy_lpm_lookup_burst_rcu(t->ours, (const uint8_t *const *)t->probe + at, out, BURST);
}

static void lpm_prepare(struct table *t, unsigned i, struct swap *s)
{
	s->old_route = t->route[i];
	s->new_route = t->route[i] = new_route(t, t->n);
}

// Two of one batch may name the same new prefix, of which then one is there to delete.
static void lpm_change(struct table *t, const struct swap *s)
{
	int r = xy_lpm_del(t->ours, s->old_route.key, s->old_route.len);
	if ((r && r != -ENOENT) || xy_lpm_set(t->ours, s->new_route.key, s->new_route.len, 1))
		abort();
	xy_lpm_commit(t->ours);
}

static void fib_theirs(const struct table *t, unsigned at, uint32_t *out)
{
	const uint8_t *const *key = (const uint8_t *const *)t->probe + at;
	uint32_t address[BURST];
	uint64_t hop[BURST];
	for (unsigned i = 0; i < BURST; i++)
		address[i] = xy_be32_load(key[i]);
	rte_fib_lookup_bulk(t->rival[0].table, address, hop, BURST);
	for (unsigned i = 0; i < BURST; i++)
		out[i] = (uint32_t)hop[i];
}

static struct rte_fib *fib_rival(const struct table *t)
{
	struct rte_fib_conf c = {
		.type = RTE_FIB_DIR24_8,
		.default_nh = 0xffffff,
		.max_routes = (int)t->n + 1,
		.dir24_8 = {.nh_sz = RTE_FIB_DIR24_8_4B, .num_tbl8 = 256},
	};
	struct rte_fib *f = must(rte_fib_create("bench", SOCKET_ID_ANY, &c), "rte_fib");
	for (unsigned i = 0; i < t->n; i++)
		if (rte_fib_add(f, xy_be32_load(t->route[i].key), t->route[i].len, i & 0xffff))
			abort();
	return f;
}

// Both rivals take addresses that lie side by side, as lpm_probes has them.
static uint8_t (*addresses(const struct table *t, unsigned at))[16]
{
	return (uint8_t(*)[16])(uintptr_t)((const uint8_t *const *)t->probe)[at];
}

static void fib6_theirs(const struct table *t, unsigned at, uint32_t *out)
{
	uint64_t hop[BURST];
	rte_fib6_lookup_bulk(t->rival[0].table, addresses(t, at), hop, BURST);
	for (unsigned i = 0; i < BURST; i++)
		out[i] = (uint32_t)hop[i];
}

static void lpm6_theirs(const struct table *t, unsigned at, uint32_t *out)
{
	int32_t hop[BURST];
	rte_lpm6_lookup_bulk_func(t->rival[1].table, addresses(t, at), hop, BURST);
	memcpy(out, hop, sizeof(hop));
}

// Of 256 entries each, one for a prefix at each byte of its length behind the third.
static uint32_t tbl8s(const struct table *t)
{
	return t->n * 3 + 1024;
}

static struct rte_fib6 *fib6_rival(const struct table *t)
{
	struct rte_fib6_conf c = {
		.type = RTE_FIB6_TRIE,
		.default_nh = 0xffffff,
		.max_routes = (int)t->n + 1,
		.trie = {.nh_sz = RTE_FIB6_TRIE_4B, .num_tbl8 = tbl8s(t)},
	};
	struct rte_fib6 *f = must(rte_fib6_create("bench", SOCKET_ID_ANY, &c), "rte_fib6");
	for (unsigned i = 0; i < t->n; i++)
		if (rte_fib6_add(f, t->route[i].key, t->route[i].len, i & 0xffff))
			abort();
	return f;
}

static struct rte_lpm6 *lpm6_rival(const struct table *t)
{
	struct rte_lpm6_config c = {.max_rules = t->n + 1, .number_tbl8s = tbl8s(t)};
	struct rte_lpm6 *l = must(rte_lpm6_create("bench", SOCKET_ID_ANY, &c), "rte_lpm6");
	for (unsigned i = 0; i < t->n; i++)
		if (rte_lpm6_add(l, t->route[i].key, t->route[i].len, i & 0xffff))
			abort();
	return l;
}

static void lpm_fill(struct table *t)
{
	t->route = must(calloc(t->n, sizeof(*t->route)), "prefixes");
	t->ours = must(xy_lpm_create(t->bits, t->n, &retired.reclaim), "the table");
	for (unsigned i = 0; i < t->n; i++) {
		t->route[i] = new_route(t, i);
		if (xy_lpm_set(t->ours, t->route[i].key, t->route[i].len, i & 0xffff))
			abort();
	}
	xy_lpm_commit(t->ours);
	free_retired();
	t->bytes = xy_lpm_bytes(t->ours);
}

// A random host in a random prefix.
static void fill_address(const struct route *r, uint8_t *address)
{
	xy_be64_store(address, rnd());
	xy_be64_store(address + 8, rnd());
	memcpy(address, r->key, r->len / 8);
	if (r->len % 8) {
		uint8_t host = (uint8_t)(0xff >> r->len % 8);
		uint8_t *a = &address[r->len / 8];
		*a = (uint8_t)((*a & host) | r->key[r->len / 8]);
	}
}

static void lpm_probes(struct table *t, unsigned n)
{
	const uint8_t **probe = (void *)t->probe;
	uint8_t(*address)[16] = probe ? addresses(t, 0) : NULL;
	address = must(realloc(address, (size_t)probes * 16), "probes");
	probe = must(realloc(probe, probes * sizeof(*probe)), "probes");
	for (unsigned i = 0; i < probes; i++) {
		fill_address(&t->route[rnd() % n], address[i]);
		probe[i] = address[i];
	}
	t->probe = probe;
}

static void lpm_make(struct table *t)
{
	lpm_fill(t);
	t->probes = lpm_probes;
	t->look_ours = lpm_ours;
	t->prepare = lpm_prepare;
	t->change = lpm_change;
	if (t->bits == 32) {
		t->rival[t->rivals++] = (struct rival){
			.name = "rte_fib", .table = fib_rival(t), .look = fib_theirs};
		return;
	}
	if (t->n > RIVALS_V6_MOST)
		return;
	t->rival[t->rivals++] =
		(struct rival){.name = "rte_fib6", .table = fib6_rival(t), .look = fib6_theirs};
	t->rival[t->rivals++] =
		(struct rival){.name = "rte_lpm6", .table = lpm6_rival(t), .look = lpm6_theirs};
}

static void lpm_free(struct table *t)
{
	xy_lpm_destroy(t->ours);
	if (t->bits == 32) {
		rte_fib_free(t->rival[0].table);
	} else {
		rte_fib6_free(t->rival[0].table);
		rte_lpm6_free(t->rival[1].table);
	}
	free(addresses(t, 0));
	free((void *)t->probe);
	free(t->route);
}

// --- measuring

// CPU time, so that what else runs on the machine counts little.
static double cpu_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

// Once before it is timed, as the others' tables drove it out of the caches.
static double pass(const struct table *t, look_fn *look)
{
	uint32_t out[BURST];
	double begin = 0;
	for (unsigned timed = 0; timed < 2; timed++) {
		begin = cpu_ns();
		for (unsigned at = 0; at < probes; at += BURST)
			look(t, at, out);
	}
	return (cpu_ns() - begin) / probes;
}

// How long a cache line takes, at random in as much memory as the table has, when 64 are asked for
// before the first is looked at: what no lookup of a line each can be faster than.
static double line_ns(const char *memory, size_t lines)
{
	uint64_t at = 1;
	const volatile char *line[BURST];
	double begin = 0;
	for (unsigned timed = 0; timed < 2; timed++) {
		begin = cpu_ns();
		for (unsigned n = 0; n < probes; n += BURST) {
			for (unsigned i = 0; i < BURST; i++) {
				at = at * UINT64_C(6364136223846793005) + 1442695040888963407;
				line[i] = memory + ((at >> 32) * lines >> 32) * 64;
				__builtin_prefetch((const char *)line[i]);
			}
			for (unsigned i = 0; i < BURST; i++)
				(void)*line[i];
		}
	}
	return (cpu_ns() - begin) / probes;
}

static double measure_lines(size_t bytes)
{
	const size_t huge = 2 << 20, size = (bytes + huge - 1) / huge * huge;
	double cost[ROUNDS];
	char *memory = must(aligned_alloc(huge, size), "as much memory");
	madvise(memory, size, MADV_HUGEPAGE);
	memset(memory, 1, size);
	for (unsigned i = 0; i < ROUNDS; i++)
		cost[i] = line_ns(memory, bytes / 64);
	qsort(cost, ROUNDS, sizeof(*cost), by_value);
	free(memory);
	return cost[ROUNDS / 2];
}

static bool same_answer(const struct table *t, uint32_t ours, uint32_t theirs)
{
	if (t->bits)
		return ours == theirs;
	return ours != XY_TABLE_MISS && (int32_t)theirs >= 0; // rte_hash tells a place of its own
}

static void same_answers(const struct table *t, const struct rival *r)
{
	uint32_t ours[BURST], theirs[BURST];
	for (unsigned at = 0; at < probes; at += BURST) {
		t->look_ours(t, at, ours);
		r->look(t, at, theirs);
		for (unsigned i = 0; i < BURST; i++)
			if (!same_answer(t, ours[i], theirs[i])) {
				fprintf(stderr, "bench lookup: %s at %u entries: not %s's answer\n",
					t->name, t->n, r->name);
				exit(1);
			}
	}
}

// Ours and theirs in turn, so that all see the same noise; medians.
static void measure_lookups(struct table *t)
{
	double ours[ROUNDS], theirs[RIVALS][ROUNDS];
	t->probes(t, t->n);
	for (unsigned i = 0; i < t->rivals; i++)
		same_answers(t, &t->rival[i]);
	for (unsigned i = 0; i < ROUNDS; i++) {
		ours[i] = pass(t, t->look_ours);
		for (unsigned j = 0; j < t->rivals; j++)
			theirs[j][i] = pass(t, t->rival[j].look);
	}
	qsort(ours, ROUNDS, sizeof(*ours), by_value);
	t->ours_ns = ours[ROUNDS / 2];
	t->line_ns = measure_lines(t->bytes);
	for (unsigned i = 0; i < t->rivals; i++) {
		qsort(theirs[i], ROUNDS, sizeof(*theirs[i]), by_value);
		t->rival[i].ns = theirs[i][ROUNDS / 2];
	}
}

// Changes fall on the half of the entries that the reader looks nothing up in. They are chosen
// ahead, so that what is timed is the table's work alone.
static void prepare_batch(struct table *t, struct swap *s)
{
	for (unsigned i = 0; i < BATCH; i++)
		t->prepare(t, (unsigned)(t->n / 2 + rnd() % (t->n / 2)), &s[i]);
}

// Drives the table out of the caches of one core, as what the control thread does between two
// changes would.
static void other_work(void)
{
	static uint64_t memory[OTHER_WORK / sizeof(uint64_t)];
	for (unsigned i = 0; i < XY_ARRAY_SIZE(memory); i += 8)
		memory[i]++;
}

// Single changes, one after the other or each after other work: the median; the worst may be an
// interrupt's.
static double measure_changes(struct table *t, bool after_work, double *worst)
{
	struct swap s[BATCH];
	unsigned n = after_work ? changes / 8 : changes;
	double *cost = must(malloc(n * sizeof(*cost)), "samples"), median;
	for (unsigned i = 0; i < n; i++) {
		if (i % BATCH == 0)
			prepare_batch(t, s);
		if (after_work)
			other_work();
		uint64_t begin = rte_rdtsc_precise();
		t->change(t, &s[i % BATCH]);
		cost[i] = ns(rte_rdtsc_precise() - begin);
		if (i % BATCH == BATCH - 1)
			free_retired();
	}
	free_retired();
	qsort(cost, n, sizeof(*cost), by_value);
	median = cost[n / 2];
	*worst = cost[n - 1];
	free(cost);
	return median;
}

static void *reader(void *arg)
{
	const struct table *t = arg;
	uint32_t out[BURST];
	sched_setaffinity(0, sizeof(others), &others); // EAL bound the thread that made us
	while (atomic_load_explicit(&reading, memory_order_relaxed)) {
		uint64_t n = atomic_load_explicit(&passes, memory_order_relaxed);
		t->look_ours(t, (unsigned)(n * BURST % probes), out);
		atomic_store_explicit(&passes, n + 1, memory_order_release);
	}
	return NULL;
}

static void start_reader(struct table *t, pthread_t *thread)
{
	atomic_store(&passes, 0);
	atomic_store(&reading, true);
	if (pthread_create(thread, NULL, reader, t))
		abort();
	while (atomic_load(&passes) == 0)
		sched_yield();
}

static void stop_reader(pthread_t thread)
{
	atomic_store(&reading, false);
	pthread_join(thread, NULL);
	free_retired();
}

// Changes per second, freeing included, and the reader's lookups beside them.
static void measure_rate(struct table *t)
{
	struct swap s[BATCH];
	uint64_t cycles = 0, first = atomic_load(&passes), begin = rte_rdtsc_precise();
	for (unsigned i = 0; i < changes; i += BATCH) {
		prepare_batch(t, s);
		uint64_t at = rte_rdtsc_precise();
		for (unsigned j = 0; j < BATCH; j++)
			t->change(t, &s[j]);
		if (retired.n > 4096)
			free_retired();
		cycles += rte_rdtsc_precise() - at;
	}
	double all = ns(rte_rdtsc_precise() - begin);
	t->busy_changes = changes / ns(cycles) * 1e9;
	t->busy_mlookups = (double)(atomic_load(&passes) - first) * BURST / all * 1e3;
}

// As a node changes its tables: a worker reads them on another CPU all the while.
static void measure_changes_with_reader(struct table *t)
{
	pthread_t thread;
	double unused;
	t->probes(t, t->n / 2);
	start_reader(t, &thread);
	t->change_ns = measure_changes(t, true, &unused);
	measure_rate(t);
	stop_reader(thread);
}

// --- telling

static const char *cpu(void)
{
	static char name[192];
	cpu_name(name, sizeof(name));
	return name;
}

static void tell_head(void)
{
	if (is_json) {
		printf("{\"bench\": \"lookup\", \"cpu\": \"%s\", \"rows\": [", cpu());
		return;
	}
	printf("CPU: %s; one core, bursts of %u\n"
	       "a change is one entry out and one in: the median after other work, the median and "
	       "the worst of %u in a row; prefixes are looked up by %s\n"
	       "%-6s %8s %10s %8s  %-36s %9s %9s %9s %10s   with a reader: %10s %10s\n",
	       cpu(), BURST, changes, xy_lpm_kernel_name(xy_lpm_kernel(0)), "table", "entries",
	       "Mlookup/s", "Mline/s", "rivals'", "bytes/ent", "change ns", "in a row", "worst ns",
	       "changes/s", "Mlookup/s");
}

static void tell_json(const struct table *t)
{
	printf("\n  {\"table\": \"%s\", \"entries\": %u, \"mlookups\": %.2f, \"mlines\": %.2f, "
	       "\"rivals\": {",
	       t->name, t->n, 1e3 / t->ours_ns, 1e3 / t->line_ns);
	for (unsigned i = 0; i < t->rivals; i++)
		printf("%s\"%s\": %.2f", i ? ", " : "", t->rival[i].name, 1e3 / t->rival[i].ns);
	printf("}, \"bytes_per_entry\": %.1f, \"change_ns\": %.0f, \"change_in_a_row_ns\": %.0f, "
	       "\"worst_change_ns\": %.0f, \"changes_with_reader\": %.0f, "
	       "\"mlookups_with_writer\": %.2f}",
	       (double)t->bytes / t->n, t->change_ns, t->warm_ns, t->worst_ns, t->busy_changes,
	       t->busy_mlookups);
}

static void tell(const struct table *t)
{
	char rivals[64] = "";
	for (unsigned i = 0; i < t->rivals; i++)
		snprintf(rivals + strlen(rivals), sizeof(rivals) - strlen(rivals), "%7.1f %-10s",
			 1e3 / t->rival[i].ns, t->rival[i].name);
	printf("%-6s %8u %10.1f %8.1f  %-36s %9.1f %9.0f %9.0f %10.0f %28.0f %10.1f\n", t->name,
	       t->n, 1e3 / t->ours_ns, 1e3 / t->line_ns, rivals, (double)t->bytes / t->n,
	       t->change_ns, t->warm_ns, t->worst_ns, t->busy_changes, t->busy_mlookups);
}

static void row(const struct table *t)
{
	static bool after;
	if (is_json && after)
		printf(",");
	(is_json ? tell_json : tell)(t);
	fflush(stdout);
	after = true;
}

static void check(const char *table, const char *what, double small, double large)
{
	bool good = large <= MOST_RATIO * small;
	failed |= !good;
	fprintf(is_json ? stderr : stdout,
		"%s - %s: a %s at the largest size costs %.2f times one at the smallest (at most "
		"%u)\n",
		good ? "ok" : "not ok", table, what, large / small, MOST_RATIO);
}

static void run(const char *name, unsigned bits, const unsigned size[SIZES])
{
	struct table t[SIZES];
	for (unsigned i = 0; i < SIZES; i++) {
		t[i] = (struct table){.name = name, .bits = bits, .n = size[i]};
		(bits ? lpm_make : exact_make)(&t[i]);
		measure_lookups(&t[i]);
		t[i].warm_ns = measure_changes(&t[i], false, &t[i].worst_ns);
		measure_changes_with_reader(&t[i]);
		(bits ? lpm_free : exact_free)(&t[i]);
		row(&t[i]);
	}
	check(name, "lookup", t[0].ours_ns, t[SIZES - 1].ours_ns);
	check(name, "change", t[0].change_ns, t[SIZES - 1].change_ns);
	fprintf(is_json ? stderr : stdout,
		"     %s: in a row, with the small table in the cache: %.2f\n", name,
		t[SIZES - 1].warm_ns / t[0].warm_ns);
}

static void options(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--short") == 0) {
			probes = 1 << 18;
			changes = 40 * BATCH;
		} else if (strcmp(argv[i], "--json") == 0) {
			is_json = true;
		} else {
			fprintf(stderr,
				"bench lookup: unknown argument '%s'; use [--short] [--json]\n",
				argv[i]);
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	static const unsigned size[SIZES] = {1000, 10000, 100000, 200000, 1000000};
	static char *eal[] = {"bench", "--no-huge", "--no-shconf", "--no-pci",	   "--no-telemetry",
			      "-m",    "2048",	    "--log-level", "lib.eal:error"};
	options(argc, argv);
	sched_getaffinity(0, sizeof(others), &others);
	if (rte_eal_init(XY_ARRAY_SIZE(eal), eal) < 0) {
		fprintf(stderr, "bench lookup: DPDK does not start: %s\n", rte_strerror(rte_errno));
		return 2;
	}
	if (CPU_COUNT(&others) > 1)
		CPU_CLR(sched_getcpu(), &others);
	retired.reclaim.retire = retire;
	tell_head();
	run("exact", 0, size);
	run("lpm6", 128, size);
	run("lpm4", 32, size);
	if (is_json)
		printf("\n], \"passed\": %s}\n", failed ? "false" : "true");
	free(retired.kept);
	rte_eal_cleanup();
	return failed;
}
