// SPDX-License-Identifier: BSD-3-Clause
#include "aead_choice.h"

#include <rte_cycles.h>
#include <stdlib.h>

enum {
	STRIDE = 1472, // whole lines, and what has the same place in each buffer is in other sets
	TRIES = 7,     // the least of them counts: others may have the machine in between
	LONGEST = 1420,
};

const uint16_t xy_aead_size[XY_AEAD_SIZES] = {64, 256, 512, 1024, LONGEST};
const uint16_t xy_aead_burst[XY_AEAD_BURSTS] = {4, 8, 64};

struct trial {
	struct xy_aead_schedule key[XY_BURST];
	uint8_t data[XY_BURST][STRIDE], other[XY_BURST][STRIDE];
	struct xy_aead_op op[XY_BURST];
};

static void ops_make(struct trial *t, uint8_t (*data)[STRIDE], uint32_t size)
{
	for (unsigned i = 0; i < XY_BURST; i++) {
		uint32_t len = size ? size : i * LONGEST / (XY_BURST - 1); // 0: of all lengths
		t->op[i] = (struct xy_aead_op){.key = &t->key[i],
					       .counter = UINT64_C(0xfffffff0) + i,
					       .data = data[i],
					       .len = len,
					       .tag = data[i] + len};
	}
}

static void by_mb(void *mb, struct xy_aead_op *op, unsigned n, bool seal)
{
	(seal ? xy_aead_chacha_mb.seal_burst : xy_aead_chacha_mb.open_burst)(mb, op, n);
}

// Does the kernel make of packets of all lengths what the library makes, and open that?
static bool agree(struct trial *t, const struct xy_batch_kernel *k, void *mb)
{
	ops_make(t, t->other, 0);
	by_mb(mb, t->op, XY_BURST, true);
	ops_make(t, t->data, 0);
	xy_aead_batch(k, t->op, XY_BURST, true);
	bool same = memcmp(t->data, t->other, sizeof(t->data)) == 0;
	xy_aead_batch(k, t->op, XY_BURST, false);
	for (unsigned i = 0; i < XY_BURST; i++)
		same &= t->op[i].ok;
	return same;
}

// The cycles to seal and to open a burst, of either, at best.
static void time_both(struct trial *t, const struct xy_batch_kernel *k, void *mb, unsigned n,
		      uint64_t best[2])
{
	uint64_t least[2][2] = {{UINT64_MAX, UINT64_MAX}, {UINT64_MAX, UINT64_MAX}};
	for (unsigned i = 0; i < TRIES * 4; i++) { // by turns
		bool own = i & 1, seal = i & 2;
		uint64_t start = rte_rdtsc();
		if (own)
			xy_aead_batch(k, t->op, n, seal);
		else
			by_mb(mb, t->op, n, seal);
		uint64_t spent = rte_rdtsc() - start;
		least[own][seal] = RTE_MIN(least[own][seal], spent);
	}
	for (unsigned own = 0; own < 2; own++)
		best[own] = least[own][0] + least[own][1];
}

static void measure(struct xy_aead_choice *c, struct trial *t, void *mb)
{
	for (unsigned size = 0; size < XY_AEAD_SIZES; size++) {
		ops_make(t, t->data, xy_aead_size[size]);
		for (unsigned burst = 0; burst < XY_AEAD_BURSTS; burst++) {
			uint64_t best[2];
			time_both(t, c->kernel, mb, xy_aead_burst[burst], best);
			if (best[1] + best[0] / 64 < best[0]) // level: the library
				c->use[size] |= (uint8_t)(1 << burst);
		}
	}
}

void xy_aead_choice_tell(struct xy_aead_choice *c)
{
	size_t at = 0;
	bool any = false;
	for (int burst = XY_AEAD_BURSTS - 1; c->kernel && burst >= 0; burst--) {
		char sizes[40] = "";
		size_t end = 0;
		unsigned n = 0;
		for (unsigned size = 0; size < XY_AEAD_SIZES; size++) {
			if (!(c->use[size] & 1 << burst))
				continue;
			end += (size_t)snprintf(sizes + end, sizeof(sizes) - end, "%s%u",
						n ? "/" : "", xy_aead_size[size]);
			n++;
		}
		if (!n)
			continue;
		at += (size_t)snprintf(c->text + at, sizeof(c->text) - at, "%s%u of %s",
				       any ? ", " : "", xy_aead_burst[burst],
				       n == XY_AEAD_SIZES ? "any size" : sizes);
		any = true;
	}
	if (!any) {
		snprintf(c->text, sizeof(c->text), "ipsec-mb");
		return;
	}
	char bursts[sizeof(c->text)];
	memcpy(bursts, c->text, sizeof(bursts));
	snprintf(c->text, sizeof(c->text), "%s in bursts from %.*s; else ipsec-mb",
		 xy_batch_name(c->kernel), (int)at, bursts);
}

void xy_aead_choice_make(struct xy_aead_choice *c, void *mb)
{
	*c = (struct xy_aead_choice){.kernel = xy_batch_kernel()};
	bool wrong = false;
	struct trial *t = c->kernel ? aligned_alloc(64, RTE_ALIGN_CEIL(sizeof(*t), 64)) : NULL;
	if (t) {
		for (size_t i = 0; i < sizeof(*t); i++)
			((uint8_t *)t)[i] = (uint8_t)(i * 7);
		wrong = !agree(t, c->kernel, mb);
		if (!wrong)
			measure(c, t, mb);
	}
	free(t);
	xy_aead_choice_tell(c);
	if (wrong)
		snprintf(c->text, sizeof(c->text), "ipsec-mb (%s gives wrong results here)",
			 xy_batch_name(c->kernel));
}

struct xy_aead_choice *xy_aead_choice(void *mb)
{
	static struct xy_aead_choice choice;
	static bool made;
	if (!made)
		xy_aead_choice_make(&choice, mb);
	made = true;
	return &choice;
}

void xy_aead_batch(const struct xy_batch_kernel *k, struct xy_aead_op *op, unsigned n, bool seal)
{
	struct xy_batch_op b[XY_BURST];
	for (unsigned i = 0; i < n; i++)
		b[i] = (struct xy_batch_op){.key = op[i].key->b,
					    .counter = op[i].counter,
					    .src = op[i].data,
					    .dst = op[i].data,
					    .tag = op[i].tag,
					    .len = op[i].len};
	if (seal) {
		xy_batch_seal(k, b, n);
		return;
	}
	xy_batch_open(k, b, n);
	for (unsigned i = 0; i < n; i++)
		op[i].ok = b[i].ok;
}
