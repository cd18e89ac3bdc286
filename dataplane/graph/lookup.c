// SPDX-License-Identifier: BSD-3-Clause
#include "lookup.h"

#include "base/bytes.h"

struct part { // some of a lookup's addresses, and where they stand in it
	unsigned n;
	unsigned at[XY_BURST];
};

// Packets of a flow come behind each other: each run of one /64 is looked up once.
static void exact_runs(const struct xy_exact *t, const uint64_t *key, uint32_t *value, unsigned n)
{
	uint64_t run[XY_BURST];
	uint32_t found[XY_BURST];
	unsigned of[XY_BURST], runs = 1;
	run[0] = key[0];
	of[0] = 0;
	for (unsigned i = 1; i < n; i++) {
		if (key[i] != key[i - 1])
			run[runs++] = key[i];
		of[i] = runs - 1;
	}
	xy_exact_lookup_burst_rcu(t, run, found, runs);
	for (unsigned i = 0; i < n; i++)
		value[i] = found[of[i]];
}

// repeated: of how many keys is it said that they are the one before?
static void exact(const struct xy_exact *t, const uint64_t *key, unsigned repeated, uint32_t *value,
		  unsigned n)
{
	if (repeated + 1 == n) {
		uint32_t one;
		xy_exact_lookup_burst_rcu(t, key, &one, 1);
		for (unsigned i = 0; i < n; i++)
			value[i] = one;
	} else if (repeated > n / 2) {
		exact_runs(t, key, value, n);
	} else {
		xy_exact_lookup_burst_rcu(t, key, value, n);
	}
}

static void longest(const struct xy_lpm *t, struct xy_lookup *l, const struct part *p)
{
	const uint8_t *key[XY_BURST];
	uint32_t value[XY_BURST];
	for (unsigned i = 0; i < p->n; i++)
		key[i] = l->addr[p->at[i]];
	xy_lpm_lookup_burst_rcu(t, key, value, p->n);
	for (unsigned i = 0; i < p->n; i++)
		l->value[p->at[i]] = value[i];
}

static bool is_mesh(const struct xy_lookup *l, unsigned i)
{
	return !l->v4[i] && (l->addr[i][0] & XY_MESH_MASK) == XY_MESH_BYTE;
}

// Adds the /64 of a mesh address, and counts whether it is the one before.
static void key_add(uint64_t *key, unsigned n, const uint8_t *addr, unsigned *repeated)
{
	key[n] = xy_be64_load(addr);
	*repeated += n && key[n] == key[n - 1];
}

// Where all are of the mesh, as on a relay, nothing is gathered and nothing put back. False: they
// are not.
static bool run_mesh(const struct xy_tables *t, struct xy_lookup *l)
{
	uint64_t key[XY_BURST];
	unsigned repeated = 0;
	struct part v6 = {.n = 0};
	key[0] = 0; // there is one: gcc 12 does not see it with sanitizers

	for (unsigned i = 0; i < l->n; i++) {
		if (!is_mesh(l, i))
			return false;
		key_add(key, i, l->addr[i], &repeated);
	}
	exact(t->mesh, key, repeated, l->value, l->n);
	for (unsigned i = 0; i < l->n; i++)
		if (unlikely(l->value[i] == XY_TABLE_MISS))
			v6.at[v6.n++] = i;
	if (v6.n)
		longest(t->v6, l, &v6);
	return true;
}

static void run_parts(const struct xy_tables *t, struct xy_lookup *l)
{
	struct part mesh, v6, v4;
	uint64_t key[XY_BURST];
	uint32_t value[XY_BURST];
	unsigned repeated = 0;
	mesh.n = v6.n = v4.n = 0;

	for (unsigned i = 0; i < l->n; i++) {
		l->value[i] = XY_TABLE_MISS;
		if (is_mesh(l, i)) {
			key_add(key, mesh.n, l->addr[i], &repeated);
			mesh.at[mesh.n++] = i;
		} else if (l->v4[i]) {
			v4.at[v4.n++] = i;
		} else {
			v6.at[v6.n++] = i;
		}
	}
	if (mesh.n)
		exact(t->mesh, key, repeated, value, mesh.n);
	for (unsigned i = 0; i < mesh.n; i++) {
		l->value[mesh.at[i]] = value[i];
		if (value[i] == XY_TABLE_MISS)
			v6.at[v6.n++] = mesh.at[i];
	}
	if (v6.n)
		longest(t->v6, l, &v6);
	if (v4.n)
		longest(t->v4, l, &v4);
}

void xy_lookup_run_rcu(const struct xy_tables *t, struct xy_lookup *l)
{
	if (l->n && !run_mesh(t, l))
		run_parts(t, l);
}
