// SPDX-License-Identifier: BSD-3-Clause
// What sealing and opening cost: each kernel that this CPU can run (lib/aead) beside ipsec-mb's
// burst of jobs, in one run and by turns, for each size and number of packets at once, each with a
// key of its own.
//   bench_aead [--short] [--json]
// Told is the least of many tries, for others may have the machine in between, and how far the 90th
// of 100 is above it. The buffers are in a near cache. `used` is what the daemon would choose here.
#include "aead_ceiling.h"
#include "aead_choice.h"
#include "cpu.h"

#include <rte_cycles.h>
#include <stdio.h>
#include <stdlib.h>

enum { TRIES = 2000, TRIES_SHORT = 200, STRIDE = 1472 };
enum { MB, OWN, WHO };

static const unsigned bursts[] = {1, 2, 4, 8, 16, 64};
static uint8_t data[XY_BURST][STRIDE] __attribute__((aligned(64)));
static struct xy_aead_schedule key[XY_BURST];
static uint64_t spent[WHO][2][TRIES]; // to open, to seal

static int order(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static void measure(const struct xy_batch_kernel *k, void *mb, uint32_t size, unsigned n,
		    unsigned tries)
{
	struct xy_aead_op op[XY_BURST];
	for (unsigned i = 0; i < n; i++)
		op[i] = (struct xy_aead_op){.key = &key[i],
					    .counter = i,
					    .data = data[i],
					    .len = size,
					    .tag = data[i] + size};
	for (unsigned t = 0; t < tries; t++)
		for (unsigned which = 0; which < 4; which++) {
			bool own = which & 1, seal = which < 2;
			uint64_t start = rte_rdtsc();
			if (own)
				xy_aead_batch(k, op, n, seal);
			else if (seal)
				xy_aead_chacha_mb.seal_burst(mb, op, n);
			else
				xy_aead_chacha_mb.open_burst(mb, op, n);
			spent[own][seal][t] = rte_rdtsc() - start;
		}
	for (unsigned who = 0; who < WHO; who++)
		for (unsigned seal = 0; seal < 2; seal++)
			qsort(spent[who][seal], tries, sizeof(uint64_t), order);
}

static const char *used(const struct xy_aead_choice *c, unsigned size, unsigned n)
{
	unsigned who = xy_aead_burst_class(n) < 0 ? 0 : c->use[size][xy_aead_burst_class(n)];
	return who ? xy_batch_name(c->kernel[who - 1]) : "ipsec-mb";
}

static void row_print(const struct xy_aead_choice *c, const struct xy_batch_kernel *k,
		      unsigned size, unsigned n, unsigned tries, bool json, bool first)
{
	double least[WHO][2], spread[WHO][2];
	for (unsigned who = 0; who < WHO; who++)
		for (unsigned seal = 0; seal < 2; seal++) {
			const uint64_t *s = spent[who][seal];
			least[who][seal] = (double)s[0] / n;
			spread[who][seal] = 100.0 * (double)s[tries * 9 / 10] / (double)s[0] - 100;
		}
	if (json) {
		printf("%s{\"kernel\": \"%s\", \"bytes\": %u, \"burst\": %u, \"seal\": %.1f, "
		       "\"seal_mb\": %.1f, "
		       "\"open\": %.1f, \"open_mb\": %.1f, \"used\": \"%s\"}",
		       first ? "" : ", ", xy_batch_name(k), xy_aead_size[size], n, least[OWN][1],
		       least[MB][1], least[OWN][0], least[MB][0], used(c, size, n));
		return;
	}
	printf("%6u %6u %8.0f +%-4.0f %8.0f +%-4.0f %6.2f %8.0f +%-4.0f %8.0f +%-4.0f %6.2f  %s\n",
	       n, xy_aead_size[size], least[OWN][1], spread[OWN][1], least[MB][1], spread[MB][1],
	       least[MB][1] / least[OWN][1], least[OWN][0], spread[OWN][0], least[MB][0],
	       spread[MB][0], least[MB][0] / least[OWN][0], used(c, size, n));
}

static bool has_ceiling(const struct xy_aead_choice *c)
{
	return strncmp(xy_batch_name(c->kernel[0]), "avx512", 6) == 0;
}

static void head_print(const struct xy_aead_choice *c, bool json)
{
	char cpu[192];
	cpu_name(cpu, sizeof(cpu));
	if (json) {
		printf("{\"bench\": \"aead\", \"cpu\": \"%s\", \"chosen\": \"%s\", \"rows\": [",
		       cpu, c->text);
		return;
	}
	printf("CPU: %s\nchosen: %s\n", cpu, c->text);
	printf("TSC cycles for a packet, the least and how many %% the 90th of 100 is above it; "
	       "ratio: ipsec-mb / kernel\n");
}

// Of packets in full vectors, and how many times ipsec-mb's cycles that is, in the largest burst.
static void ceiling_print(const struct ceiling *c, const double mb[XY_AEAD_SIZES], bool json)
{
	if (json)
		return;
	printf("bound: rounds in registers %.1f for 64 bytes, products %.2f for 16, nothing else\n",
	       c->block, c->product);
	for (unsigned size = 0; size < XY_AEAD_SIZES; size++) {
		double least = xy_ceiling_packet(c, xy_aead_size[size]);
		printf("bound: %4u bytes %4.0f, ipsec-mb's seal by that %.2f\n", xy_aead_size[size],
		       least, mb[size] / least);
	}
}

static void kernel_print(const struct xy_batch_kernel *k, bool json)
{
	if (json)
		return;
	printf("kernel: %s\n", xy_batch_name(k));
	printf("%6s %6s %14s %14s %6s %14s %14s %6s  used\n", "burst", "bytes", "seal", "ipsec-mb",
	       "ratio", "open", "ipsec-mb", "ratio");
}

int main(int argc, char **argv)
{
	bool brief = false, json = false;
	for (int i = 1; i < argc; i++) {
		brief |= strcmp(argv[i], "--short") == 0;
		json |= strcmp(argv[i], "--json") == 0;
		if (strcmp(argv[i], "--short") && strcmp(argv[i], "--json")) {
			fprintf(stderr,
				"bench aead: unknown argument '%s'; use [--short] [--json]\n",
				argv[i]);
			return 2;
		}
	}
	void *mb = xy_aead_chacha_mb.create();
	struct xy_aead_choice c;
	if (!mb) {
		fprintf(stderr, "bench aead: ipsec-mb does not start\n");
		return 1;
	}
	xy_aead_choice_make(&c, mb);
	if (!c.kernel[0]) {
		fprintf(stderr, "bench aead: there is no kernel for this CPU, ipsec-mb is used\n");
		xy_aead_chacha_mb.destroy(mb);
		return 0;
	}
	head_print(&c, json);
	unsigned tries = brief ? TRIES_SHORT : TRIES;
	double mb_seal[XY_AEAD_SIZES];
	for (unsigned i = 0; i < XY_BATCH_KERNELS && c.kernel[i]; i++) {
		kernel_print(c.kernel[i], json);
		for (unsigned b = 0; b < RTE_DIM(bursts); b++)
			for (unsigned size = 0; size < XY_AEAD_SIZES; size++) {
				measure(c.kernel[i], mb, xy_aead_size[size], bursts[b], tries);
				row_print(&c, c.kernel[i], size, bursts[b], tries, json,
					  !i && !b && !size);
				mb_seal[size] = (double)spent[MB][1][0] / bursts[b];
			}
	}
	if (has_ceiling(&c)) {
		struct ceiling least = xy_ceiling_measure(tries);
		ceiling_print(&least, mb_seal, json);
	}
	if (json)
		printf("]}\n");
	xy_aead_chacha_mb.destroy(mb);
	return 0;
}
