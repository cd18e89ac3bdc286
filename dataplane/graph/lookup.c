// SPDX-License-Identifier: BSD-3-Clause
#include "lookup.h"

#include "base/bytes.h"

struct part { // some of a lookup's addresses, and where they stand in it
	unsigned n;
	unsigned at[XY_BURST];
};

// Packets of a flow come behind each other: each run of one /64 is looked up once.
static void mesh_runs(const struct xy_tables *t, struct xy_lookup *l, const struct part *p,
		      const uint64_t *key)
{
	uint64_t run[XY_BURST];
	uint32_t value[XY_BURST];
	unsigned of[XY_BURST], runs = 0;
	for (unsigned i = 0; i < p->n; i++) {
		if (!i || key[i] != key[i - 1])
			run[runs++] = key[i];
		of[i] = runs - 1;
	}
	xy_exact_lookup_burst_rcu(t->mesh, run, value, runs);
	for (unsigned i = 0; i < p->n; i++)
		l->value[p->at[i]] = value[of[i]];
}

// Where all are such, as on a relay, nothing is gathered and nothing put back.
static void mesh(const struct xy_tables *t, struct xy_lookup *l, const struct part *p,
		 const uint64_t *key, unsigned repeated)
{
	uint32_t value[XY_BURST];
	if (repeated > p->n / 2) {
		mesh_runs(t, l, p, key);
		return;
	}
	if (p->n == l->n) {
		xy_exact_lookup_burst_rcu(t->mesh, key, l->value, l->n);
		return;
	}
	xy_exact_lookup_burst_rcu(t->mesh, key, value, p->n);
	for (unsigned i = 0; i < p->n; i++)
		l->value[p->at[i]] = value[i];
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

void xy_lookup_run_rcu(const struct xy_tables *t, struct xy_lookup *l)
{
	struct part exact, v6, v4;
	uint64_t key[XY_BURST];
	uint64_t before = 0; // of no mesh address
	unsigned repeated = 0;
	exact.n = v6.n = v4.n = 0;

	for (unsigned i = 0; i < l->n; i++) {
		l->value[i] = XY_TABLE_MISS;
		if (l->v4[i]) {
			v4.at[v4.n++] = i;
		} else if ((l->addr[i][0] & XY_MESH_MASK) == XY_MESH_BYTE) {
			key[exact.n] = xy_be64_load(l->addr[i]);
			repeated += key[exact.n] == before;
			before = key[exact.n];
			exact.at[exact.n++] = i;
		} else {
			v6.at[v6.n++] = i;
		}
	}
	if (exact.n)
		mesh(t, l, &exact, key, repeated);
	for (unsigned i = 0; i < exact.n; i++)
		if (l->value[exact.at[i]] == XY_TABLE_MISS)
			v6.at[v6.n++] = exact.at[i];
	if (v6.n)
		longest(t->v6, l, &v6);
	if (v4.n)
		longest(t->v4, l, &v4);
}
