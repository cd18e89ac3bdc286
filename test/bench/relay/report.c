// SPDX-License-Identifier: BSD-3-Clause
// What is told: tables for people, JSON for programs.
#include "../cpu.h"
#include "bench.h"

const char *const path_text[PATHS] = {
	[RELAY] = "relay",
	[TO_LINK] = "host to neighbour",
	[FROM_LINK] = "neighbour to host",
	[TO_FAR] = "host to far node",
	[FROM_FAR] = "far node to host",
};

static void nodes_print(const struct result *r, bool json)
{
	for (unsigned i = 0; i < r->nodes; i++)
		printf(json ? "%s\"%s\": %.1f" : "%s    %-16s %7.1f\n", json && i ? ", " : "",
		       r->node[i].name, r->node[i].cycles);
}

void result_print(const struct result *r, bool json)
{
	double mpps = r->tsc_hz / r->forward / 1e6, gbit = mpps * r->load.size * 8 / 1e3;
	double beyond = r->forward - r->aead, ratio = r->forward / r->aead;
	if (json) {
		printf("\n  {\"path\": \"%s\", \"sessions\": %u, \"routes\": %u, \"size\": %u, "
		       "\"mpps\": %.3f, "
		       "\"gbit_s\": %.3f, \"cycles\": %.1f, \"cycles_p10\": %.1f, "
		       "\"cycles_p90\": %.1f, \"aead_cycles\": %.1f, \"beyond\": %.1f, "
		       "\"ratio\": %.3f, \"nodes\": {",
		       path_text[r->load.path], r->load.sessions, r->load.routes, r->load.size,
		       mpps, gbit, r->forward, r->forward_p10, r->forward_p90, r->aead, beyond,
		       ratio);
		nodes_print(r, true);
		printf("}");
		if (r->way[BARE] > 0)
			printf(", \"frames\": {\"without\": %.1f, \"unsummed\": %.1f, \"summed\": "
			       "%.1f}",
			       r->way[BARE], r->way[UNSUMMED], r->way[SUMMED]);
		printf("}");
		return;
	}
	if (r->load.path == RELAY)
		printf("%8u %9u", r->load.sessions, r->load.routes);
	else
		printf("%-18s %8u", path_text[r->load.path], r->load.sessions);
	printf(" %6u %8.3f %8.2f %8.0f %8.0f %8.0f %8.0f %7.2f\n", r->load.size, mpps, gbit,
	       r->forward, r->forward_p90, r->aead, beyond, ratio);
	nodes_print(r, false);
	if (r->way[BARE] > 0)
		printf("    frames: %.0f without, %.0f around them without a checksum (+%.0f), "
		       "%.0f "
		       "with one (+%.0f)\n",
		       r->way[BARE], r->way[UNSUMMED], r->way[UNSUMMED] - r->way[BARE],
		       r->way[SUMMED], r->way[SUMMED] - r->way[UNSUMMED]);
}

struct budget {
	uint32_t sessions, routes;
	double beyond;
};

static bool budget_of(const struct budget *b, const struct load *l)
{
	return l->sessions == b->sessions && l->routes == b->routes;
}

static double worst(const struct budget *b, const struct result *r, unsigned n)
{
	double beyond = 0;
	for (unsigned i = 0; i < n; i++)
		if (r[i].load.path == RELAY && budget_of(b, &r[i].load))
			beyond = RTE_MAX(beyond, r[i].forward - r[i].aead);
	return beyond;
}

void budgets_print(const struct result *r, unsigned n, bool json)
{
	static const struct budget budgets[] = {{1, 1, 250}, {10000, 1000000, 450}};
	if (json)
		printf("\n], \"budgets\": [");
	for (size_t i = 0; i < XY_ARRAY_SIZE(budgets); i++) {
		const struct budget *b = &budgets[i];
		double beyond = worst(b, r, n);
		const char *says = beyond < b->beyond ? "pass" : "over";
		if (json)
			printf("%s{\"sessions\": %u, \"routes\": %u, \"budget\": %.0f, "
			       "\"beyond\": %.1f, \"result\": \"%s\"}",
			       i ? ", " : "", b->sessions, b->routes, b->beyond, beyond, says);
		else
			printf("%s: %.0f cycles beyond AEAD at the worst size, under %.0f wanted, "
			       "with %u session(s) and %u route(s)\n",
			       says, beyond, b->beyond, b->sessions, b->routes);
	}
	if (json)
		printf("]}\n");
}

static void columns_print(bool edge)
{
	if (edge)
		printf("%-18s %8s", "edge", "sessions");
	else
		printf("%8s %9s", "sessions", "routes");
	printf(" %6s %8s %8s %8s %8s %8s %8s %7s\n", "bytes", "Mpps", "Gbit/s", "cycles", "p90",
	       "aead", "beyond", "ratio");
}

void head_print(const struct result *first, unsigned rounds, bool json)
{
	char cpu[192];
	cpu_name(cpu, sizeof(cpu));
	if (json) {
		printf("{\"bench\": \"relay\", \"cpu\": \"%s\", \"tsc_mhz\": %.0f, \"memory\": "
		       "\"%s\", \"suite\": \"%s\", \"bursts\": %u, \"rows\": [",
		       cpu, first->tsc_hz / 1e6, first->memory, xy_wg_suite_name[first->load.suite],
		       rounds * BUFFERS / XY_BURST);
		return;
	}
	printf("CPU: %s, TSC %.0f MHz, one core; %s; medians of %u bursts of %d\n", cpu,
	       first->tsc_hz / 1e6, first->memory, rounds * BUFFERS / XY_BURST, XY_BURST);
	printf("sealed with %s; ", xy_wg_suite_name[first->load.suite]);
	printf("from memory to memory: no frame's headers, no allocation and no driver are in "
	       "these, which "
	       "a card has\n");
	columns_print(false);
}

void edge_head_print(void)
{
	printf("\n");
	columns_print(true);
}
