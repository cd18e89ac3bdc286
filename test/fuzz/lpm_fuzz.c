// SPDX-License-Identifier: BSD-3-Clause
// Changes of a longest prefix match table, as the bytes say, against an array that is searched from
// end to end: the same answers after every commit, and nothing left when all prefixes have gone.
// The first byte picks IPv4 or IPv6; then ten bytes a change: what, length, value, seven of the
// key.
#include "table/lpm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST = 200, CHANGE = 10, BURST = 9 };

struct prefix {
	uint8_t key[16], len, value;
};

static struct {
	struct xy_lpm *t;
	unsigned bits, n;
	struct prefix prefix[MOST];
} table;

static void let_go(struct xy_reclaim *r, void *ptr, size_t size, void (*free_fn)(void *))
{
	(void)r;
	(void)size;
	free_fn(ptr);
}

static void must(bool right)
{
	if (!right)
		abort();
}

static bool covers(const struct prefix *p, const uint8_t *address)
{
	for (unsigned i = 0; i < p->len; i++)
		if ((p->key[i / 8] ^ address[i / 8]) >> (7 - i % 8) & 1)
			return false;
	return true;
}

static struct prefix *find(const struct prefix *p)
{
	for (unsigned i = 0; i < table.n; i++)
		if (table.prefix[i].len == p->len && covers(p, table.prefix[i].key))
			return &table.prefix[i];
	return NULL;
}

static void lookup(const uint8_t *address)
{
	const struct prefix *best = NULL;
	const uint8_t *addresses[BURST];
	uint32_t out[BURST];
	for (unsigned i = 0; i < table.n; i++)
		if (covers(&table.prefix[i], address) && (!best || table.prefix[i].len > best->len))
			best = &table.prefix[i];
	for (unsigned i = 0; i < BURST; i++)
		addresses[i] = address;
	for (unsigned k = 0; xy_lpm_kernel(k); k++) {
		xy_lpm_use(table.t, xy_lpm_kernel(k));
		xy_lpm_lookup_burst_rcu(table.t, addresses, out, BURST);
		for (unsigned i = 0; i < BURST; i++)
			must(out[i] == (best ? best->value : XY_TABLE_MISS));
	}
}

// IPv6: three of the seven lie anywhere beyond the first four, so that few bytes reach all depths.
static struct prefix read_prefix(const uint8_t *d)
{
	struct prefix p = {.len = (uint8_t)(d[1] % (table.bits + 1)), .value = d[2]};
	memcpy(p.key, d + 3, 4);
	if (table.bits == 128)
		memcpy(p.key + 4 + d[0] / 4 % 10, d + 7, 3);
	return p;
}

static void change(const uint8_t *d)
{
	struct prefix p = read_prefix(d), *there = find(&p);
	if (d[0] & 1) {
		must(xy_lpm_del(table.t, p.key, p.len) == (there ? 0 : -ENOENT));
		if (there)
			*there = table.prefix[--table.n];
	} else if (there || table.n < MOST) {
		must(xy_lpm_set(table.t, p.key, p.len, p.value) == 0);
		if (there)
			there->value = p.value;
		else
			table.prefix[table.n++] = p;
	}
	if (d[0] & 2)
		return;
	xy_lpm_commit(table.t);
	lookup(p.key);
	p.key[p.len / 8 % 16] ^= d[2];
	lookup(p.key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct xy_reclaim reclaim = {.retire = let_go};
	if (!size)
		return 0;
	table.bits = data[0] & 1 ? 32 : 128;
	table.n = 0;
	table.t = xy_lpm_create(table.bits, MOST, &reclaim);
	must(table.t);
	size_t empty = xy_lpm_bytes(table.t);
	for (size_t at = 1; at + CHANGE <= size; at += CHANGE)
		change(data + at);
	while (table.n) {
		const struct prefix *p = &table.prefix[--table.n];
		must(xy_lpm_del(table.t, p->key, p->len) == 0);
	}
	xy_lpm_commit(table.t);
	must(xy_lpm_bytes(table.t) == empty);
	xy_lpm_destroy(table.t);
	return 0;
}
