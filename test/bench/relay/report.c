// SPDX-License-Identifier: BSD-3-Clause
// What is told: tables for people, JSON for programs.
#include "../cpu.h"
#include "bench.h"

#include <rte_version.h>

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
	double beyond = r->forward - r->aead, beyond_best = r->forward - r->best;
	double ratio = r->forward / r->best;
	if (json) {
		printf("\n  {\"path\": \"%s\", \"sessions\": %u, \"routes\": %u, \"size\": %u, "
		       "\"burst\": %u, \"mpps\": %.3f, "
		       "\"gbit_s\": %.3f, \"cycles\": %.1f, \"cycles_p10\": %.1f, "
		       "\"cycles_p90\": %.1f, \"aead_cycles\": %.1f, \"beyond\": %.1f, "
		       "\"aead_best\": %.1f, \"beyond_best\": %.1f, "
		       "\"ratio\": %.3f, \"nodes\": {",
		       path_text[r->load.path], r->load.sessions, r->load.routes, r->load.size,
		       r->load.burst, mpps, gbit, r->forward, r->forward_p10, r->forward_p90,
		       r->aead, beyond, r->best, beyond_best, ratio);
		nodes_print(r, true);
		printf("}");
		if (r->floor > 0)
			printf(", \"floor\": %.1f", r->floor);
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
	printf(" %6u %6u %8.3f %8.2f %8.0f %8.0f %8.0f %8.0f %8.0f %8.0f %7.2f\n", r->load.size,
	       r->load.burst, mpps, gbit, r->forward, r->forward_p90, r->aead, r->best, beyond,
	       beyond_best, ratio);
	nodes_print(r, false);
	if (r->floor > 0)
		printf("    %-16s %7.1f\n", "floor", r->floor);
	if (r->way[BARE] > 0)
		printf("    frames: %.0f without, %.0f around them without a checksum (+%.0f), "
		       "%.0f "
		       "with one (+%.0f)\n",
		       r->way[BARE], r->way[UNSUMMED], r->way[UNSUMMED] - r->way[BARE],
		       r->way[SUMMED], r->way[SUMMED] - r->way[UNSUMMED]);
}

struct budget {
	uint32_t sessions, routes, burst;
	double beyond;
};

static bool budget_of(const struct budget *b, const struct load *l)
{
	return l->path == RELAY && l->sessions == b->sessions && l->routes == b->routes &&
	       l->burst == b->burst;
}

static double worst(const struct budget *b, const struct result *r, unsigned n, bool best)
{
	double beyond = 0;
	for (unsigned i = 0; i < n; i++)
		if (budget_of(b, &r[i].load))
			beyond = RTE_MAX(beyond, r[i].forward - (best ? r[i].best : r[i].aead));
	return beyond;
}

static void budget_print(const struct budget *b, const struct result *r, unsigned n, bool json)
{
	double same = worst(b, r, n, false), best = worst(b, r, n, true);
	const char *says = best < b->beyond ? "pass" : "over";
	if (json)
		printf("{\"sessions\": %u, \"routes\": %u, \"burst\": %u, \"budget\": %.0f, "
		       "\"beyond\": %.1f, \"beyond_best\": %.1f, \"result\": \"%s\"}",
		       b->sessions, b->routes, b->burst, b->beyond, same, best, says);
	else
		printf("%s: %u session(s), %u route(s), bursts of %u: %.0f cycles beyond the "
		       "cipher at its best at the worst size, %.0f beyond the same buffers', "
		       "under %.0f wanted\n",
		       says, b->sessions, b->routes, b->burst, best, same, b->beyond);
}

void budgets_print(const struct result *r, unsigned n, bool json)
{
	static const struct budget budgets[] = {{1, 1, 1, 500},
						{1, 1, 4, 250},
						{1, 1, 16, 150},
						{1, 1, 64, 120},
						{10000, 1000000, 64, 250}};
	if (json)
		printf("\n], \"budgets\": [");
	for (size_t i = 0; i < XY_ARRAY_SIZE(budgets); i++) {
		if (json && i)
			printf(", ");
		budget_print(&budgets[i], r, n, json);
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
	printf(" %6s %6s %8s %8s %8s %8s %8s %8s %8s %8s %7s\n", "bytes", "burst", "Mpps", "Gbit/s",
	       "cycles", "p90", "aead", "best", "beyond", "of-best", "ratio");
}

static const char *suite_name(const struct load *l)
{
	return xy_wg_suite_name[l->light ? xy_wg_light_of(l->suite) : l->suite];
}

void head_print(const struct result *first, unsigned rounds, bool json)
{
	char cpu[192];
	cpu_name(cpu, sizeof(cpu));
	if (json) {
		printf("{\"bench\": \"relay\", \"cpu\": \"%s\", \"tsc_mhz\": %.0f, \"memory\": "
		       "\"%s\", \"suite\": \"%s\", \"cipher\": \"%s\", \"dpdk\": \"%s\", "
		       "\"packets\": %u, \"rows\": [",
		       cpu, first->tsc_hz / 1e6, first->memory, suite_name(&first->load),
		       first->cipher, rte_version(), rounds * BUFFERS);
		return;
	}
	printf("CPU: %s, TSC %.0f MHz, one core; %s; %s\n", cpu, first->tsc_hz / 1e6, first->memory,
	       rte_version());
	printf("sealed with %s: %s\n", suite_name(&first->load), first->cipher);
	printf("TSC cycles for a packet, medians of the bursts of %u packets. From memory to "
	       "memory: no headers of frames, nothing allocated, nothing parsed before WireGuard's "
	       "header, no driver, which a card has\n",
	       rounds * BUFFERS);
	columns_print(false);
}

void edge_head_print(void)
{
	printf("\n");
	columns_print(true);
}
