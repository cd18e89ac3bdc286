// SPDX-License-Identifier: BSD-3-Clause
// Both tables against slow models: arrays that are searched from end to end. Linked with
// --wrap=malloc,aligned_alloc,xy_blocks_alloc, so that an allocation can be made to fail.
#include "table/blocks.h"
#include "table/exact.h"
#include "table/exact_hash.h"
#include "table/lpm.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

// --- what the tests share

static int fail_after = -1; // so many more allocations work; -1: all

static bool may_allocate(void)
{
	if (fail_after < 0)
		return true;
	if (fail_after == 0)
		return false;
	fail_after--;
	return true;
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
	return may_allocate() ? __real_malloc(size) : NULL;
}

void *__real_aligned_alloc(size_t align, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size)
{
	return may_allocate() ? __real_aligned_alloc(align, size) : NULL;
}

void *__real_xy_blocks_alloc(struct xy_blocks *b, size_t size);
void *__wrap_xy_blocks_alloc(struct xy_blocks *b, size_t size);
void *__wrap_xy_blocks_alloc(struct xy_blocks *b, size_t size)
{
	return may_allocate() ? __real_xy_blocks_alloc(b, size) : NULL;
}

static uint64_t state;

static uint64_t rnd(void)
{
	return xy_exact_splitmix(&state);
}

// Keeps what is retired until told otherwise: nothing may be retired while it can be reached, and
// ASan sees whoever uses it after `let_go`.
struct keeper {
	struct xy_reclaim reclaim;
	struct {
		void *ptr;
		void (*free_fn)(void *);
	} * kept;
	size_t n, room, bytes;
};

static void keep(struct xy_reclaim *r, void *ptr, size_t size, void (*free_fn)(void *))
{
	struct keeper *k = (struct keeper *)r;
	if (k->n == k->room) {
		k->room = k->room ? 2 * k->room : 64;
		k->kept = realloc(k->kept, k->room * sizeof(*k->kept));
		if (!k->kept)
			abort();
	}
	k->kept[k->n].ptr = ptr;
	k->kept[k->n++].free_fn = free_fn;
	k->bytes += size;
}

static void let_go(struct keeper *k)
{
	for (size_t i = 0; i < k->n; i++)
		k->kept[i].free_fn(k->kept[i].ptr);
	free(k->kept);
	*k = (struct keeper){.reclaim = {.retire = keep}};
}

static struct keeper keeper = {.reclaim = {.retire = keep}};

// CU_ASSERT keeps a record of each: in loops of millions only failures are told.
#define CHECK(what)                           \
	do {                                  \
		if (!(what))                  \
			CU_FAIL_FATAL(#what); \
	} while (0)

// --- the exact table

enum { KEYS = 30000 };

struct exact_model {
	struct xy_exact *t;
	uint64_t key[KEYS];
	uint32_t value[KEYS]; // XY_TABLE_MISS: not there
	uint32_t count;
};

static struct exact_model em;

static void exact_start(uint32_t limit, uint64_t seed)
{
	state = seed;
	em.t = xy_exact_create(limit, seed, &keeper.reclaim);
	CU_ASSERT_PTR_NOT_NULL_FATAL(em.t);
	em.count = 0;
	for (unsigned i = 0; i < KEYS; i++) {
		em.key[i] = i < 4 ? i * UINT64_C(0x5555555555555555) : rnd();
		em.value[i] = XY_TABLE_MISS;
	}
}

static void exact_check_walk_entry(void *arg, uint64_t key, uint32_t value)
{
	unsigned *seen = arg;
	CHECK(value < 2 * KEYS);
	CHECK(em.key[value % KEYS] == key && em.value[value % KEYS] == value);
	++*seen;
}

static void exact_check(void)
{
	static uint32_t out[KEYS];
	unsigned seen = 0;
	xy_exact_lookup_burst_rcu(em.t, em.key, out, KEYS);
	CHECK(memcmp(out, em.value, sizeof(out)) == 0);
	CHECK(xy_exact_count(em.t) == em.count);
	xy_exact_walk(em.t, exact_check_walk_entry, &seen);
	CHECK(seen == em.count);
}

static int exact_model_set(unsigned i)
{
	uint32_t value = i + (rnd() & 1) * KEYS;
	int r = xy_exact_set(em.t, em.key[i], value);
	if (r < 0)
		return r;
	em.count += em.value[i] == XY_TABLE_MISS;
	em.value[i] = value;
	return 0;
}

static void exact_model_del(unsigned i)
{
	bool there = em.value[i] != XY_TABLE_MISS;
	CHECK(xy_exact_del(em.t, em.key[i]) == (there ? 0 : -ENOENT));
	em.count -= there;
	em.value[i] = XY_TABLE_MISS;
}

// Random changes, of which `sets` of 8 add or replace.
static void exact_churn(unsigned changes, unsigned keys, unsigned sets)
{
	for (unsigned n = 0; n < changes; n++) {
		unsigned i = rnd() % keys;
		if (rnd() % 8 < sets)
			CHECK(exact_model_set(i) == 0);
		else
			exact_model_del(i);
		CHECK(xy_exact_get(em.t, em.key[i]) == em.value[i]);
		if (n % 8192 == 0)
			exact_check();
	}
	exact_check();
}

static void test_exact_model(void)
{
	for (unsigned round = 0; round < 2; round++) {
		exact_start(KEYS, round);
		size_t empty = xy_exact_bytes(em.t);
		CU_ASSERT(empty < 4096);
		exact_churn(2000, 40, 5);
		exact_churn(60000, KEYS, 7);
		exact_churn(60000, KEYS, 4);
		exact_churn(60000, KEYS, 1);
		let_go(&keeper);
		exact_check();
		for (unsigned i = 0; i < KEYS; i++)
			if (em.value[i] != XY_TABLE_MISS)
				exact_model_del(i);
		exact_check();
		CU_ASSERT_EQUAL(xy_exact_bytes(em.t), empty);
		xy_exact_destroy(em.t);
		let_go(&keeper);
	}
}

static void test_exact_bursts(void)
{
	uint32_t out[200];
	exact_start(KEYS, 5);
	for (unsigned i = 0; i < 150; i++)
		CHECK(exact_model_set(i) == 0);
	for (unsigned n = 0; n < 200; n++) {
		memset(out, 0xaa, sizeof(out));
		xy_exact_lookup_burst_rcu(em.t, em.key, out, n);
		CHECK(memcmp(out, em.value, n * sizeof(out[0])) == 0);
		CHECK(out[n] == 0xaaaaaaaa);
	}
	xy_exact_destroy(em.t);
	let_go(&keeper);
}

static void test_exact_limit(void)
{
	exact_start(1000, 6);
	for (unsigned i = 0; i < 1000; i++)
		CHECK(exact_model_set(i) == 0);
	CU_ASSERT_EQUAL(xy_exact_set(em.t, em.key[1000], 7), -ENOSPC);
	CU_ASSERT_EQUAL(exact_model_set(999), 0); // a new value for a key that is there
	exact_check();
	exact_model_del(3);
	CU_ASSERT_EQUAL(exact_model_set(1000), 0);
	CU_ASSERT_EQUAL(xy_exact_set(em.t, em.key[3], 7), -ENOSPC);
	CU_ASSERT_EQUAL(xy_exact_set(em.t, em.key[1], XY_TABLE_MISS), -EINVAL);
	exact_check();
	xy_exact_destroy(em.t);
	xy_exact_destroy(NULL);
	let_go(&keeper);
}

// Every small limit can be filled to the last entry.
static void test_exact_every_limit(void)
{
	for (unsigned limit = 0; limit < 400; limit++) {
		struct xy_exact *t = xy_exact_create(limit, limit, &keeper.reclaim);
		for (unsigned i = 0; i < limit; i++)
			CHECK(xy_exact_set(t, rnd(), i) == 0);
		CHECK(xy_exact_set(t, rnd(), 1) == -ENOSPC);
		xy_exact_destroy(t);
		let_go(&keeper);
	}
}

// Keys in steps, as a registry or a lazy user gives them, are as good as random ones.
static void test_exact_steps(void)
{
	for (unsigned shift = 0; shift < 46; shift += 5) {
		struct xy_exact *t = xy_exact_create(200000, shift, &keeper.reclaim);
		for (uint64_t i = 0; i < 200000; i++)
			CHECK(xy_exact_set(t, (UINT64_C(2) << 56) + (i << shift), (uint32_t)i) ==
			      0);
		CHECK(xy_exact_bytes(t) < 200000 * 24);
		xy_exact_destroy(t);
		let_go(&keeper);
	}
}

// Somebody who knew the seed: his keys are refused when their place is full, memory stays small,
// and what was there is still found.
static void test_exact_aimed(void)
{
	exact_start(1000000, 7);
	struct xy_exact_secret secret = xy_exact_secret(7);
	for (unsigned i = 0; i < 2000; i++)
		CHECK(exact_model_set(i) == 0);
	unsigned taken = 0, refused = 0;
	uint64_t first = 0;
	for (uint64_t key = 0; taken + refused < 600; key++) {
		if (xy_exact_hash(&secret, key) >> 48 != 0xabcd)
			continue;
		int r = xy_exact_set(em.t, key, 9);
		CHECK(r == 0 || r == -ENOSPC);
		first = taken ? first : key;
		taken += r == 0;
		refused += r < 0;
	}
	CU_ASSERT(taken > 200 && refused > 200);
	CU_ASSERT(xy_exact_bytes(em.t) < 1000000);
	CU_ASSERT_EQUAL(xy_exact_get(em.t, first), 9);
	static uint32_t out[KEYS];
	xy_exact_lookup_burst_rcu(em.t, em.key, out, KEYS);
	CU_ASSERT(memcmp(out, em.value, sizeof(out)) == 0);
	xy_exact_destroy(em.t);
	let_go(&keeper);
}

// With enough keys on each branch beside the aimed ones every split parts something: only the bound
// on the depth keeps the directory from growing to the depth at which they differ.
static void test_exact_aimed_deep(void)
{
	enum { LIMIT = 2000, SAME = 16 };
	struct xy_exact *t = xy_exact_create(LIMIT, 7, &keeper.reclaim);
	struct xy_exact_secret secret = xy_exact_secret(7);
	unsigned beside[SAME] = {0}, aimed = 0;
	for (uint64_t key = 0; aimed < 400; key++) {
		uint64_t h = xy_exact_hash(&secret, key);
		unsigned same = h ? (unsigned)__builtin_clzll(h) : 64;
		if (same < SAME && beside[same]++ >= 40)
			continue;
		int r = xy_exact_set(t, key, 9);
		CHECK(r == 0 || r == -ENOSPC);
		aimed += same >= SAME;
	}
	CU_ASSERT(xy_exact_count(t) > 250);
	CU_ASSERT(xy_exact_bytes(t) < 100000);
	xy_exact_destroy(t);
	let_go(&keeper);
}

// One key after the other whose two lines are the same: nothing can part them.
static void test_exact_same_lines(void)
{
	struct xy_exact *t = xy_exact_create(1000000, 8, &keeper.reclaim);
	struct xy_exact_secret secret = xy_exact_secret(8);
	unsigned taken = 0, refused = 0;
	for (uint64_t key = 0; taken + refused < 12; key++) {
		uint64_t h = xy_exact_hash(&secret, key);
		if ((h >> 49 | (h >> 27 & 31) << 20) != 0)
			continue;
		int r = xy_exact_set(t, key, 9);
		CHECK(r == 0 || r == -ENOSPC);
		taken += r == 0;
		refused += r < 0;
	}
	CU_ASSERT(taken >= 10);
	CU_ASSERT(xy_exact_bytes(t) < 1000000);
	xy_exact_destroy(t);
	let_go(&keeper);
}

static void test_exact_no_memory(void)
{
	fail_after = -1;
	for (int n = 0; n < 3; n++) {
		fail_after = n;
		CU_ASSERT_PTR_NULL(xy_exact_create(10, 1, &keeper.reclaim));
	}
	fail_after = -1;
	exact_start(KEYS, 9);
	unsigned refused = 0;
	for (unsigned i = 0; i < 12000; i++) {
		fail_after = (int)(rnd() % 3);
		int r = exact_model_set(i);
		fail_after = -1;
		CHECK(r == 0 || r == -ENOMEM);
		if (r < 0) {
			if (refused++ % 16 == 0)
				exact_check();
			CHECK(exact_model_set(i) == 0);
		}
	}
	CU_ASSERT(refused > 10);
	for (unsigned i = 0; i < 12000; i++) { // always works: memory stays a little longer
		fail_after = (int)(rnd() % 3);
		exact_model_del(i);
		fail_after = -1;
		if (i % 1024 == 0)
			exact_check();
	}
	exact_check();
	CU_ASSERT_EQUAL(exact_model_set(0), 0);
	exact_check();
	xy_exact_destroy(em.t);
	let_go(&keeper);
}

// --- longest prefix match

enum { PREFIXES = 700 };

struct lpm_model {
	struct xy_lpm *t;
	unsigned bits, n;
	struct {
		uint8_t key[16], len;
		uint32_t value;
	} prefix[PREFIXES];
};

static struct lpm_model lm;

static void lpm_start(unsigned bits, uint32_t limit, uint64_t seed)
{
	state = seed;
	lm.bits = bits;
	lm.n = 0;
	lm.t = xy_lpm_create(bits, limit, &keeper.reclaim);
	CU_ASSERT_PTR_NOT_NULL_FATAL(lm.t);
}

static void lpm_finish(void)
{
	xy_lpm_destroy(lm.t);
	let_go(&keeper);
}

// All that can look up give the same answers.
static void lpm_lookup(const uint8_t *const *keys, uint32_t *out, unsigned n)
{
	enum { MOST = 1000 };
	uint32_t other[MOST];
	CHECK(n <= MOST);
	for (unsigned k = 0; xy_lpm_kernel(k); k++) {
		xy_lpm_use(lm.t, xy_lpm_kernel(k));
		xy_lpm_lookup_burst_rcu(lm.t, keys, k ? other : out, n);
		CHECK(!k || memcmp(other, out, n * sizeof(*out)) == 0);
	}
}

static bool covers(const uint8_t *key, unsigned len, const uint8_t *address)
{
	for (unsigned i = 0; i < len; i++)
		if ((key[i / 8] ^ address[i / 8]) >> (7 - i % 8) & 1)
			return false;
	return true;
}

static uint32_t lpm_model_lookup(const uint8_t *address)
{
	int best = -1;
	for (unsigned i = 0; i < lm.n; i++)
		if (covers(lm.prefix[i].key, lm.prefix[i].len, address) &&
		    (best < 0 || lm.prefix[i].len > lm.prefix[best].len))
			best = (int)i;
	return best < 0 ? XY_TABLE_MISS : lm.prefix[best].value;
}

static int lpm_model_find(const uint8_t *key, unsigned len)
{
	for (unsigned i = 0; i < lm.n; i++)
		if (lm.prefix[i].len == len && covers(key, len, lm.prefix[i].key))
			return (int)i;
	return -1;
}

// Addresses that share a lot: each 16 bits are one of a few, and now and then random.
static void lpm_address(uint8_t *key)
{
	static const uint16_t few[] = {0x0000, 0xffff, 0x2001, 0x2002,
				       0x2a00, 0xaaaa, 0x8000, 0x0001};
	for (unsigned i = 0; i < 16; i += 2) {
		uint16_t w = few[rnd() % (i < 4 ? 8 : 3)] ^ (rnd() % 8 ? 0 : 1U << rnd() % 16);
		key[i] = (uint8_t)(w >> 8);
		key[i + 1] = (uint8_t)w;
	}
}

// Near one of the prefixes, so that all borders are met.
static void lpm_near(uint8_t *key)
{
	if (lm.n == 0 || rnd() % 4 == 0) {
		lpm_address(key);
		return;
	}
	unsigned i = rnd() % lm.n, at = rnd() % lm.bits;
	memcpy(key, lm.prefix[i].key, 16);
	for (unsigned j = lm.prefix[i].len; j < lm.bits; j++)
		key[j / 8] ^= (rnd() & 1) << (7 - j % 8);
	if (rnd() & 1)
		key[at / 8] ^= 128 >> at % 8;
}

static void lpm_check_lookups(unsigned n)
{
	uint8_t key[100][16];
	const uint8_t *keys[100];
	uint32_t out[100];
	for (unsigned i = 0; i < n; i++) {
		lpm_near(key[i]);
		keys[i] = key[i];
	}
	lpm_lookup(keys, out, n);
	for (unsigned i = 0; i < n; i++)
		CHECK(out[i] == lpm_model_lookup(keys[i]));
}

struct lpm_seen {
	unsigned n, len;
	uint8_t key[16];
};

static void lpm_check_walk_entry(void *arg, const uint8_t *key, uint8_t len, uint32_t value)
{
	struct lpm_seen *s = arg;
	int i = lpm_model_find(key, len);
	CHECK(i >= 0 && lm.prefix[i].value == value);
	for (unsigned j = len; j < 128; j++)
		CHECK(!(key[j / 8] >> (7 - j % 8) & 1));
	if (s->n++) {
		int order = memcmp(s->key, key, 16);
		CHECK(order < 0 || (order == 0 && s->len < len));
	}
	memcpy(s->key, key, 16);
	s->len = len;
}

static void lpm_check(void)
{
	struct lpm_seen seen = {0};
	xy_lpm_commit(lm.t);
	lpm_check_lookups(50);
	CHECK(xy_lpm_count(lm.t) == lm.n);
	if (lm.n > 20 && rnd() % 8)
		return; // the walk is checked in steps of the number of prefixes squared
	xy_lpm_walk(lm.t, lpm_check_walk_entry, &seen);
	CHECK(seen.n == lm.n);
}

static int lpm_model_set(const uint8_t *key, unsigned len)
{
	uint32_t value = (uint32_t)rnd() >> 1;
	int r = xy_lpm_set(lm.t, key, (uint8_t)len, value);
	if (r < 0)
		return r;
	int i = lpm_model_find(key, len);
	if (i < 0) {
		i = (int)lm.n++;
		memcpy(lm.prefix[i].key, key, 16);
		lm.prefix[i].len = (uint8_t)len;
	}
	lm.prefix[i].value = value;
	return 0;
}

static int lpm_model_del(const uint8_t *key, unsigned len)
{
	int i = lpm_model_find(key, len), r = xy_lpm_del(lm.t, key, (uint8_t)len);
	if (i < 0)
		CHECK(r == -ENOENT);
	if (r == 0)
		lm.prefix[i] = lm.prefix[--lm.n];
	return r;
}

static unsigned lpm_length(void)
{
	static const uint8_t usual[] = {0, 7, 8, 13, 16, 19, 24, 29, 32, 48, 64, 127, 128};
	unsigned len = rnd() % 2 ? usual[rnd() % sizeof(usual)] : rnd() % (lm.bits + 1);
	return len <= lm.bits ? len : lm.bits;
}

static void lpm_change(unsigned sets)
{
	uint8_t key[16];
	lpm_near(key);
	unsigned len = lpm_length();
	if (rnd() % 8 < sets && lm.n < PREFIXES) {
		CHECK(lpm_model_set(key, len) == 0);
	} else if (lm.n && rnd() % 4) {
		unsigned i = rnd() % lm.n;
		memcpy(key, lm.prefix[i].key, 16);
		len = lm.prefix[i].len;
		CHECK(lpm_model_del(key, len) == 0);
	} else {
		lpm_model_del(key, len);
	}
	int i = lpm_model_find(key, len);
	CHECK(xy_lpm_get(lm.t, key, (uint8_t)len) == (i < 0 ? XY_TABLE_MISS : lm.prefix[i].value));
}

static void lpm_clear(void)
{
	while (lm.n) {
		unsigned i = rnd() % lm.n;
		CHECK(xy_lpm_del(lm.t, lm.prefix[i].key, lm.prefix[i].len) == 0);
		lm.prefix[i] = lm.prefix[--lm.n];
		if (rnd() % 8 == 0)
			lpm_check();
	}
	lpm_check();
}

static void lpm_against_model(unsigned bits)
{
	for (unsigned round = 0; round < 4; round++) {
		lpm_start(bits, PREFIXES, 100 + round);
		size_t empty = xy_lpm_bytes(lm.t);
		CU_ASSERT(empty < 16384);
		unsigned batch = 1 + (unsigned)rnd() % 8;
		for (unsigned n = 0; n < 6000; n++) {
			lpm_change(n < 2000 ? 7 : n < 4000 ? 4 : 2);
			if (rnd() % batch == 0)
				lpm_check();
			if (n % 1000 == 0)
				let_go(&keeper);
		}
		lpm_clear();
		CU_ASSERT_EQUAL(xy_lpm_bytes(lm.t), empty);
		lpm_finish();
	}
}

static void test_lpm_model_v6(void)
{
	lpm_against_model(128);
}

static void test_lpm_model_v4(void)
{
	lpm_against_model(32);
}

// The prefixes of all lengths of one address: flipping bit i leaves the one of length i.
// In so many lanes that all that can look up are asked.
static uint32_t lpm_lookup_one(const uint8_t *key)
{
	enum { LANES = 9 };
	const uint8_t *keys[LANES];
	uint32_t out[LANES];
	for (unsigned i = 0; i < LANES; i++)
		keys[i] = key;
	lpm_lookup(keys, out, LANES);
	for (unsigned i = 1; i < LANES; i++)
		CHECK(out[i] == out[0]);
	return out[0];
}

static void lpm_every_length(unsigned bits, bool backwards)
{
	uint8_t key[16];
	lpm_start(bits, 129, bits);
	for (unsigned i = 0; i < 16; i++)
		key[i] = (uint8_t)rnd();
	for (unsigned i = 0; i <= bits; i++) {
		unsigned len = backwards ? bits - i : i;
		CHECK(xy_lpm_set(lm.t, key, (uint8_t)len, len) == 0);
	}
	xy_lpm_commit(lm.t);
	for (unsigned len = 0; len <= bits; len++) {
		if (len < bits)
			key[len / 8] ^= 128 >> len % 8;
		CHECK(lpm_lookup_one(key) == len);
		if (len < bits)
			key[len / 8] ^= 128 >> len % 8;
	}
	for (unsigned len = bits + 1; len-- > 0;) {
		CHECK(xy_lpm_del(lm.t, key, (uint8_t)len) == 0);
		xy_lpm_commit(lm.t);
		CHECK(lpm_lookup_one(key) == (len ? len - 1 : XY_TABLE_MISS));
	}
	lpm_finish();
}

static void test_lpm_every_length(void)
{
	for (unsigned backwards = 0; backwards < 2; backwards++) {
		lpm_every_length(128, backwards);
		lpm_every_length(32, backwards);
	}
}

// Memory that ends, and begins, where nothing may be read.
struct fenced {
	uint8_t *begin, *end;
};

static struct fenced fence(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *p = mmap(NULL, 3 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CU_ASSERT_FATAL(p != MAP_FAILED && !mprotect(p + page, page, PROT_READ | PROT_WRITE));
	return (struct fenced){.begin = p + page, .end = p + 2 * page};
}

static void unfence(const struct fenced *f)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	munmap(f->begin - page, 3 * page);
}

// Keys, pointers to them and answers side by side at the border; each key is a prefix.
static void lpm_at_border(unsigned bits, unsigned n, const struct fenced f[3], bool at_end)
{
	size_t len = bits / 8;
	uint8_t *key = at_end ? f[0].end - n * len : f[0].begin;
	const uint8_t **keys = (void *)(at_end ? f[1].end - n * sizeof(*keys) : f[1].begin);
	uint32_t *out = (void *)(at_end ? f[2].end - n * sizeof(*out) : f[2].begin);
	for (unsigned i = 0; i < n; i++) {
		uint8_t random[16] = {0};
		lpm_address(random);
		memcpy(key + i * len, random, len);
		keys[i] = key + i * len;
		CHECK(xy_lpm_set(lm.t, random, (uint8_t)bits, i) == 0);
	}
	xy_lpm_commit(lm.t);
	for (unsigned k = 0; xy_lpm_kernel(k); k++) {
		xy_lpm_use(lm.t, xy_lpm_kernel(k));
		memset(out, 0xff, n * sizeof(*out));
		xy_lpm_lookup_burst_rcu(lm.t, keys, out, n);
		for (unsigned i = 0; i < n; i++)
			CHECK(out[i] == xy_lpm_get(lm.t, keys[i], (uint8_t)bits));
	}
}

static void test_lpm_borders(void)
{
	struct fenced f[3] = {fence(), fence(), fence()};
	for (unsigned bits = 32; bits <= 128; bits += 96) {
		lpm_start(bits, 100000, bits);
		for (unsigned n = 1; n <= 130; n++) {
			lpm_at_border(bits, n, f, true);
			lpm_at_border(bits, n, f, false);
		}
		lpm_finish();
	}
	for (unsigned i = 0; i < 3; i++)
		unfence(&f[i]);
}

// Each number of values on either side of where they fit into a node, with a child and without.
static void test_lpm_inline(void)
{
	for (unsigned with_child = 0; with_child < 2; with_child++) {
		lpm_start(128, 100, 3);
		size_t empty = xy_lpm_bytes(lm.t);
		uint8_t key[16] = {0x20, 0x01}, child[16] = {0x20, 0x01, 0, 1};
		for (unsigned n = 0; n < 12; n++) {
			bool up = n < 6;
			uint8_t len =
				(uint8_t)(19 + (up ? n : 11 - n)); // all in the node at bit 19
			if (with_child && n == 3)
				CHECK(xy_lpm_set(lm.t, child, 64, 99) == 0);
			CHECK((up ? xy_lpm_set(lm.t, key, len, len) : xy_lpm_del(lm.t, key, len)) ==
			      0);
			xy_lpm_commit(lm.t);
			uint32_t best = up ? len : len > 19 ? len - 1U : XY_TABLE_MISS;
			CHECK(lpm_lookup_one(key) == best);
			CHECK(lpm_lookup_one(child) == (with_child && n >= 3 ? 99 : best));
		}
		CHECK(!with_child || xy_lpm_del(lm.t, child, 64) == 0);
		xy_lpm_commit(lm.t);
		CU_ASSERT_EQUAL(xy_lpm_bytes(lm.t), empty);
		lpm_finish();
	}
}

// A prefix that came and went leaves the table as it was: nodes that it parted are joined again.
static void test_lpm_no_trace(void)
{
	lpm_start(128, 100, 11);
	uint8_t far[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 1};
	CU_ASSERT_EQUAL(xy_lpm_set(lm.t, far, 64, 1), 0);
	xy_lpm_commit(lm.t);
	size_t before = xy_lpm_bytes(lm.t);
	for (unsigned len = 17; len < 128; len++) {
		uint8_t key[16];
		memcpy(key, far, sizeof(key));
		if (len <= 64) // beside it; longer ones lie below
			key[(len - 1) / 8] ^= (uint8_t)(0x80 >> (len - 1) % 8);
		CHECK(xy_lpm_set(lm.t, key, (uint8_t)len, 2) == 0);
		xy_lpm_commit(lm.t);
		CHECK(xy_lpm_del(lm.t, key, (uint8_t)len) == 0);
		xy_lpm_commit(lm.t);
		CHECK(xy_lpm_bytes(lm.t) == before);
	}
	lpm_finish();
}

static void test_lpm_limit(void)
{
	uint8_t key[16] = {0x20};
	lpm_start(128, 10, 1);
	for (unsigned i = 0; i < 10; i++)
		CU_ASSERT_EQUAL(xy_lpm_set(lm.t, key, (uint8_t)(8 * i), i), 0);
	CU_ASSERT_EQUAL(xy_lpm_set(lm.t, key, 128, 1), -ENOSPC);
	CU_ASSERT_EQUAL(xy_lpm_set(lm.t, key, 8, 42), 0);
	CU_ASSERT_EQUAL(xy_lpm_get(lm.t, key, 8), 42);
	CU_ASSERT_EQUAL(xy_lpm_del(lm.t, key, 9), -ENOENT);
	CU_ASSERT_EQUAL(xy_lpm_del(lm.t, key, 8), 0);
	CU_ASSERT_EQUAL(xy_lpm_set(lm.t, key, 128, 1), 0);
	CU_ASSERT_EQUAL(xy_lpm_set(lm.t, key, 129, 1), -EINVAL);
	CU_ASSERT_EQUAL(xy_lpm_del(lm.t, key, 129), -ENOENT);
	CU_ASSERT_EQUAL(xy_lpm_set(lm.t, key, 128, XY_TABLE_MISS), -EINVAL);
	lpm_finish();
	xy_lpm_destroy(NULL);
}

// Whatever is done before the commit, readers' answers and what they stand on stay as they were.
static void test_lpm_commit(void)
{
	enum { PROBES = 500 };
	static uint8_t key[PROBES][16];
	static const uint8_t *keys[PROBES];
	static uint32_t before[PROBES], after[PROBES];
	for (unsigned bits = 32; bits <= 128; bits += 96) {
		lpm_start(bits, PREFIXES, 300 + bits);
		for (unsigned round = 0; round < 60; round++) {
			for (unsigned i = 0; i < PROBES; i++) {
				lpm_near(key[i]);
				keys[i] = key[i];
			}
			lpm_lookup(keys, before, PROBES);
			size_t retired = keeper.n;
			for (unsigned n = 1 << rnd() % 8; n > 0; n--)
				lpm_change(round < 40 ? 6 : 2);
			CHECK(keeper.n == retired); // an old root still leads there
			lpm_lookup(keys, after, PROBES);
			CHECK(memcmp(before, after, sizeof(after)) == 0);
			xy_lpm_commit(lm.t);
			lpm_lookup(keys, after, PROBES);
			for (unsigned i = 0; i < PROBES; i++)
				CHECK(after[i] == lpm_model_lookup(keys[i]));
			let_go(&keeper);
		}
		lpm_change(8); // left without commit
		lpm_finish();
	}
}

static void test_lpm_no_memory(void)
{
	uint8_t key[16];
	unsigned refused = 0;
	for (int n = 0; n < 2; n++) {
		fail_after = n;
		CU_ASSERT_PTR_NULL(xy_lpm_create(128, 10, &keeper.reclaim));
	}
	fail_after = -1;
	lpm_start(128, PREFIXES, 11);
	size_t empty = xy_lpm_bytes(lm.t);
	for (unsigned n = 0; n < 6000; n++) {
		lpm_near(key);
		unsigned len = lpm_length();
		bool del = lm.n == PREFIXES || (lm.n && rnd() % 3 == 0);
		if (del) {
			unsigned i = rnd() % lm.n;
			memcpy(key, lm.prefix[i].key, 16);
			len = lm.prefix[i].len;
		}
		fail_after = (int)(rnd() % 8);
		int r = del ? lpm_model_del(key, len) : lpm_model_set(key, len);
		fail_after = -1;
		CHECK(r == 0 || r == -ENOMEM);
		refused += r < 0;
		if (r < 0 || n % 16 == 0)
			lpm_check();
	}
	CU_ASSERT(refused > 100);
	lpm_clear();
	CU_ASSERT_EQUAL(xy_lpm_bytes(lm.t), empty);
	lpm_finish();
}

// --- a million changes of a large table, against every length in turn

enum { // of both
	POOL = 40000,
	POOL_INDEX = 1 << 17,
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	MILLION = 150000, // there it takes half a minute
#else
	MILLION = 1000000,
#endif
};

struct pool_prefix {
	uint8_t key[16], len;
	uint32_t value; // XY_TABLE_MISS: not in the table
};

static struct pool_prefix pool[POOL];
static uint32_t pool_index[POOL_INDEX]; // number of the prefix, from 1
static uint32_t pool_count;

static void cut(uint8_t *key, unsigned len)
{
	for (unsigned i = len; i < 128; i++)
		key[i / 8] &= (uint8_t) ~(128 >> i % 8);
}

// Where the prefix stands in the index, or where it would.
static uint32_t *pool_find(const uint8_t *key, unsigned len)
{
	uint64_t half[2];
	memcpy(half, key, sizeof(half));
	uint64_t at = xy_exact_fold(half[0] ^ UINT64_C(0x9e3779b97f4a7c15),
				    half[1] + len * UINT64_C(0xbf58476d1ce4e5b9) + 1);
	for (;; at++) {
		uint32_t *i = &pool_index[at % POOL_INDEX];
		if (!*i || (pool[*i - 1].len == len && memcmp(pool[*i - 1].key, key, 16) == 0))
			return i;
	}
}

// Half of them below one another, all lengths, in few blocks of seven bits, so that nodes are full.
static void pool_pick(struct pool_prefix *p, unsigned known, unsigned bits)
{
	for (unsigned i = 0; i < 16; i++)
		p->key[i] = (uint8_t)rnd();
	p->key[0] = (uint8_t)(0x20 | (rnd() % 4 ? rnd() & 5 : rnd()));
	p->len = (uint8_t)(rnd() % (bits + 1));
	if (known && rnd() % 2) {
		const struct pool_prefix *above = &pool[rnd() % known];
		memcpy(p->key, above->key, above->len / 8);
		p->len = (uint8_t)(above->len + rnd() % (bits + 1U - above->len));
	}
	cut(p->key, p->len);
}

static void pool_make(unsigned bits)
{
	memset(pool_index, 0, sizeof(pool_index));
	pool_count = 0;
	for (unsigned i = 0; i < POOL; i++) {
		uint32_t *at;
		do {
			pool_pick(&pool[i], i, bits);
			at = pool_find(pool[i].key, pool[i].len);
		} while (*at);
		*at = i + 1;
		pool[i].value = XY_TABLE_MISS;
	}
}

static uint32_t pool_lookup(const uint8_t *address, unsigned bits)
{
	uint8_t key[16];
	memcpy(key, address, sizeof(key));
	for (unsigned len = bits + 1; len-- > 0;) {
		cut(key, len);
		uint32_t i = *pool_find(key, len);
		if (i && pool[i - 1].value != XY_TABLE_MISS)
			return pool[i - 1].value;
	}
	return XY_TABLE_MISS;
}

static void pool_check(unsigned bits, unsigned n)
{
	uint8_t address[64][16];
	const uint8_t *keys[64] = {NULL};
	uint32_t out[64];
	for (unsigned i = 0; i < n; i++) {
		const struct pool_prefix *p = &pool[rnd() % POOL];
		for (unsigned j = 0; j < 16; j++)
			address[i][j] = (uint8_t)rnd();
		memcpy(address[i], p->key, (p->len + 7U) / 8);
		address[i][p->len / 8 % 16] ^= (uint8_t)(rnd() & (0xff >> p->len % 8));
		memset(address[i] + bits / 8, 0, 16 - bits / 8);
		keys[i] = address[i];
	}
	lpm_lookup(keys, out, n);
	for (unsigned i = 0; i < n; i++)
		CHECK(out[i] == pool_lookup(address[i], bits));
}

static void pool_change(struct pool_prefix *p, bool set)
{
	bool there = p->value != XY_TABLE_MISS;
	if (set) {
		p->value = (uint32_t)rnd() >> 1;
		CHECK(xy_lpm_set(lm.t, p->key, p->len, p->value) == 0);
		pool_count += !there;
		return;
	}
	CHECK(xy_lpm_del(lm.t, p->key, p->len) == (there ? 0 : -ENOENT));
	p->value = XY_TABLE_MISS;
	pool_count -= there;
}

static void lpm_million(unsigned bits)
{
	lpm_start(bits, POOL, 900 + bits);
	size_t empty = xy_lpm_bytes(lm.t);
	pool_make(bits);
	// The table fills, shrinks, fills again and stays half full.
	for (unsigned n = 0; n < MILLION / 2; n++) {
		unsigned sets = n / (MILLION / 16) % 4;
		pool_change(&pool[rnd() % POOL], rnd() % 8 < 1 + 2 * sets);
		if (rnd() % 64)
			continue;
		xy_lpm_commit(lm.t);
		CHECK(xy_lpm_count(lm.t) == pool_count);
		pool_check(bits, 1 + (unsigned)rnd() % 32);
		let_go(&keeper);
	}
	printf("[%.1f bytes for each of %u prefixes] ", (double)xy_lpm_bytes(lm.t) / pool_count,
	       pool_count);
	for (unsigned i = 0; i < POOL; i++)
		pool_change(&pool[i], false);
	xy_lpm_commit(lm.t);
	pool_check(bits, 64);
	CU_ASSERT_EQUAL(xy_lpm_bytes(lm.t), empty);
	lpm_finish();
}

static void test_lpm_million(void)
{
	lpm_million(128);
	lpm_million(32);
}

// --- the blocks

struct held {
	uint8_t *at;
	size_t size;
	uint8_t fill;
};

static bool is_filled(const struct held *h)
{
	for (size_t i = 0; i < h->size; i++)
		if (h->at[i] != h->fill)
			return false;
	return true;
}

// No two share a byte, each begins where it must, and nothing is held in the end.
static void test_blocks(void)
{
	enum { BLOCKS = 6000 };
	static struct held held[BLOCKS];
	struct xy_blocks *b = xy_blocks_create();
	CU_ASSERT_PTR_NOT_NULL_FATAL(b);
	size_t empty = xy_blocks_held(b);
	state = 5;
	for (unsigned n = 0; n < 200000; n++) {
		struct held *h = &held[rnd() % BLOCKS];
		if (h->at) {
			CHECK(is_filled(h));
			xy_blocks_free(h->at);
			h->at = NULL;
		} else {
			h->size = 1 + rnd() % XY_BLOCK_MOST;
			if (rnd() % 2)
				h->size = (h->size + 63) / 64 * 64;
			h->fill = (uint8_t)n;
			h->at = xy_blocks_alloc(b, h->size);
			CHECK(h->at && (uintptr_t)h->at % XY_BLOCK_ALIGN == 0);
			CHECK(h->size % 64 || (uintptr_t)h->at % 64 == 0);
			memset(h->at, h->fill, h->size);
		}
	}
	for (unsigned i = 1; i < BLOCKS; i++)
		if (held[i].at)
			xy_blocks_free(held[i].at);
	if (!held[0].at)
		held[0].at = xy_blocks_alloc(b, 1);
	CU_ASSERT(xy_blocks_held(b) <= empty + 16384);
	xy_blocks_destroy(b);
	xy_blocks_free(held[0].at); // and with it the rest
}

XY_UNIT_MAIN("table", {"exact: random changes against a model", test_exact_model},
	     {"exact: bursts of every size", test_exact_bursts},
	     {"exact: the limit", test_exact_limit},
	     {"exact: every small limit can be filled", test_exact_every_limit},
	     {"exact: keys in steps", test_exact_steps},
	     {"exact: keys aimed with the seed known", test_exact_aimed},
	     {"exact: aimed keys beside others", test_exact_aimed_deep},
	     {"exact: keys that nothing can part", test_exact_same_lines},
	     {"exact: no memory changes nothing", test_exact_no_memory},
	     {"lpm: random changes against a model, IPv6", test_lpm_model_v6},
	     {"lpm: random changes against a model, IPv4", test_lpm_model_v4},
	     {"lpm: a million changes, all lengths", test_lpm_million},
	     {"lpm: every length on one path", test_lpm_every_length},
	     {"lpm: nothing beyond keys and answers is touched", test_lpm_borders},
	     {"lpm: values in a node and beside it", test_lpm_inline},
	     {"lpm: the limit", test_lpm_limit},
	     {"lpm: a prefix that went leaves no trace", test_lpm_no_trace},
	     {"lpm: nothing is seen before the commit", test_lpm_commit},
	     {"lpm: no memory changes nothing", test_lpm_no_memory},
	     {"blocks: of all sizes, kept apart and given back", test_blocks})
