// SPDX-License-Identifier: BSD-3-Clause
// What is told, and what would be with more workers: a model, by what was measured with these.
#include "../cpu.h"
#include "scale.h"

#include <rte_version.h>

#define WANTED 1.8 // times one worker, of two

enum { MODEL = 32 };

void scale_head_print(const struct row *first, const struct kinds *kinds, unsigned rounds,
		      bool json)
{
	char cpu[192];
	unsigned workers = kinds->workers[kinds->n - 1];
	cpu_name(cpu, sizeof(cpu));
	if (json) {
		printf("{\"bench\": \"scale\", \"cpu\": \"%s\", \"tsc_mhz\": %.0f, \"memory\": "
		       "\"%s\", "
		       "\"cipher\": \"%s\", \"dpdk\": \"%s\", \"workers\": %u, \"rounds\": %u, "
		       "\"rows\": [",
		       cpu, first->tsc_hz / 1e6, first->memory, first->cipher, rte_version(),
		       workers, rounds);
		return;
	}
	printf("CPU: %s, TSC %.0f MHz, %u workers, each on a CPU; %s; %s\n", cpu,
	       first->tsc_hz / 1e6, workers, first->memory, rte_version());
	printf("sealed with ChaCha20-Poly1305: %s\n", first->cipher);
	printf("TSC cycles for a packet on each worker, medians of bursts of %d, from memory to "
	       "memory; one alone and several at once by turns\n",
	       XY_BURST);
	printf("%8s %9s %7s %6s %8s %8s %8s %8s %8s %7s %7s %7s %8s\n", "sessions", "routes",
	       "seal-in", "bytes", "workers", "cycles", "p90", "aead", "Mpps", "times", "cipher",
	       "share", "model-32");
}

static double times(const struct row *r, unsigned kind)
{
	return r->of[kind].mpps / r->of[0].mpps;
}

static double cipher_times(const struct row *r, unsigned kind)
{
	return r->of[kind].aead_all / r->of[0].aead_all;
}

// What n workers forward, Mpps. Of the cycles that a packet takes more where others turn, as much
// is assumed as the chance that what it needs was last had by another worker: 1 - 1/n.
static double model(const struct row *r, const struct kinds *kinds, unsigned n)
{
	unsigned last = kinds->n - 1, workers = kinds->workers[last];
	double more = (r->of[last].cycles - r->of[0].cycles) / (1 - 1.0 / workers);
	double cycles = r->of[0].cycles + RTE_MAX(more, 0.0) * (1 - 1.0 / n);
	return n * r->tsc_hz / cycles / 1e6;
}

static void kind_print(const struct row *r, const struct kinds *kinds, unsigned kind, bool json)
{
	const struct measured *m = &r->of[kind];
	double t = times(r, kind), c = cipher_times(r, kind);
	bool last = kind == kinds->n - 1;
	if (json) {
		printf("%s{\"workers\": %u, \"cycles\": %.1f, \"p90\": %.1f, \"aead\": %.1f, "
		       "\"mpps\": %.3f, \"times\": %.3f, \"cipher_times\": %.3f}",
		       kind ? ", " : "", kinds->workers[kind], m->cycles, m->p90, m->aead, m->mpps,
		       t, c);
		return;
	}
	printf("%8u %9u %7s %6u %8u %8.0f %8.0f %8.0f %8.3f %7.2f %7.2f %7.2f", r->load.sessions,
	       r->load.routes, r->load.shared ? "shared" : "own", r->load.size,
	       kinds->workers[kind], m->cycles, m->p90, m->aead, m->mpps, t, c, t / c);
	if (last)
		printf(" %8.1f\n", model(r, kinds, MODEL));
	else
		printf(" %8s\n", "-");
}

void row_print(const struct row *r, const struct kinds *kinds, bool json)
{
	if (json)
		printf("\n  {\"sessions\": %u, \"routes\": %u, \"seal_in\": \"%s\", \"size\": %u, "
		       "\"line\": %.1f, \"model_%d_mpps\": %.1f, \"of\": [",
		       r->load.sessions, r->load.routes, r->load.shared ? "shared" : "own",
		       r->load.size, r->line, MODEL, model(r, kinds, MODEL));
	for (unsigned i = 0; i < kinds->n; i++)
		kind_print(r, kinds, i, json);
	if (json)
		printf("]}");
}

void scale_foot_print(const struct row *r, unsigned n, const struct kinds *kinds, bool json)
{
	double worst = 1e9, cipher = 0;
	for (unsigned i = 0; i < n; i++)
		if (times(&r[i], 1) < worst) {
			worst = times(&r[i], 1);
			cipher = cipher_times(&r[i], 1);
		}
	const char *says = worst >= WANTED ? "pass" : "under";
	// A run of one session's packets takes its line once.
	double line = r[0].line / 2, most = r[0].tsc_hz / line * XY_BURST / 1e6;
	if (json) {
		printf("\n], \"two\": {\"times\": %.3f, \"cipher_times\": %.3f, \"wanted\": %.1f, "
		       "\"result\": \"%s\"}, \"line_cycles\": %.1f}\n",
		       worst, cipher, WANTED, says, line);
		return;
	}
	printf("%s: two workers forward %.2f times what one does in the worst of these rows, %.2f "
	       "times by the bare cipher there, %.1f wanted\n",
	       says, worst, cipher, WANTED);
	printf("a line goes to the other worker in %.0f cycles: all that seal in one session, in "
	       "bursts of %d, pass at most %.0f Mpps by its counter\n",
	       line, XY_BURST, most);
}
