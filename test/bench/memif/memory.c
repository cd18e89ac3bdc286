// SPDX-License-Identifier: BSD-3-Clause
// The row beside: as `bench relay` has it, from memory to memory, one session and one route.
#include "../relay/bench.h"
#include "memif.h"

_Noreturn void die(const char *what, const struct xy_err *err)
{
	fail(what, err ? err->text : "failed");
}

static struct memif_row row_of(struct samples *s, double tsc_hz)
{
	return (struct memif_row){.mpps = tsc_hz / percentile(s, 50, XY_BURST) / 1e6,
				  .mpps_p10 = tsc_hz / percentile(s, 90, XY_BURST) / 1e6,
				  .mpps_p90 = tsc_hz / percentile(s, 10, XY_BURST) / 1e6,
				  .cycles = percentile(s, 50, XY_BURST)};
}

void memory_run(struct memif_shared *s, unsigned size)
{
	static struct bench b;
	b.load = (struct load){.path = RELAY,
			       .sessions = 1,
			       .routes = 1,
			       .size = memif_size[size],
			       .burst = XY_BURST,
			       .suite = XY_AEAD_CHACHA20_POLY1305};
	b.forward = need(1, sizeof(*b.forward));
	b.aead = need(1, sizeof(*b.aead));
	b.turn = turn_timed;
	mesh_make(&b);
	relay_round(&b); // warms up
	b.forward->n = b.aead->n = 0;
	for (unsigned i = 0; i < s->rounds && b.forward->n < SAMPLES; i++)
		relay_round(&b);
	s->tsc_hz = (double)xy_dp_tsc_hz(b.dp);
	s->row[IN_MEMORY][size] = row_of(b.forward, s->tsc_hz);
}
