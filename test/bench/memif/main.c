// SPDX-License-Identifier: BSD-3-Clause
// A relay as a card's frames have it, without a card: the dataplane's DPDK port on a memif, whose
// other end is a generator in another process on another CPU. With that come what ports in memory
// leave out: buffers are allocated and freed, frames are copied (memif does), Ethernet, IP and UDP
// headers are read and written, and the UDP checksum is made. Beside it in the same run stand the
// same load on ports in memory (bench relay's), and the same frames passed on by a loop that does
// nothing with them, which is what memif and the generator can do at most.
//   bench_memif [--short] [--json]
// One session of each host, one route. Figures are medians over rounds of 16,384 packets (in
// memory: over bursts of 64); 10th and 90th of 100 beside. Each packet that came is opened and its
// checksums looked at. Exit code 1: one came out wrong, or not at all.
#include "../cpu.h"
#include "memif.h"

#include <sched.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

const uint16_t memif_size[MEMIF_SIZES] = {64, 512, 1420};
const char *const memif_way_text[MEMIF_WAYS] = {
	[IN_MEMORY] = "relay, ports in memory",
	[RELAYED] = "relay, memif",
	[PASSED_ON] = "passed on, memif",
};

static char dir[] = "/tmp/xylem-memif.XXXXXX";

_Noreturn void fail(const char *what, const char *why)
{
	fprintf(stderr, "bench memif: %s: %s\n", what, why);
	_exit(1);
}

static pid_t begin(struct memif_shared *s, void (*run)(struct memif_shared *s))
{
	pid_t parent = getpid(), pid = fork();
	if (pid < 0)
		fail("process", "cannot be started");
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	run(s);
	_exit(0);
}

static int end_of(pid_t pid)
{
	int status;
	return waitpid(pid, &status, 0) < 0 || status;
}

static unsigned memory_size;
static enum memif_way generator_way;

static void memory_process(struct memif_shared *s)
{
	memory_run(s, memory_size);
}

static void generator_process(struct memif_shared *s)
{
	generator_run(s, generator_way);
}

static bool gone(pid_t pid)
{
	siginfo_t info = {0};
	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) || info.si_pid == pid;
}

// One behind the memif, and the generator before it.
static int pair_run(struct memif_shared *s, enum memif_way way,
		    void (*behind)(struct memif_shared *s))
{
	snprintf(s->socket, sizeof(s->socket), "%s/%d", dir, (int)way);
	atomic_store(&s->ready, false);
	pid_t pid = begin(s, behind);
	while (!atomic_load(&s->ready) && !gone(pid))
		usleep(1000);
	generator_way = way;
	int r = gone(pid) ? 1 : end_of(begin(s, generator_process));
	kill(pid, SIGKILL);
	end_of(pid);
	unlink(s->socket);
	return r;
}

static int all_run(struct memif_shared *s)
{
	for (memory_size = 0; memory_size < MEMIF_SIZES; memory_size++)
		if (end_of(begin(s, memory_process)))
			return 1;
	int r = pair_run(s, RELAYED, relay_run);
	return r ? r : pair_run(s, PASSED_ON, pass_on_run);
}

// The port has a TAP beside it: in a network of its own nobody sees that, and the host says nothing
// by it, which B would have to tell from what A sent.
static void net_make(void)
{
	static const char quiet[] = "/proc/sys/net/ipv6/conf/default/disable_ipv6";
	if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET))
		fail("network namespace", "not allowed here; run it as root");
	FILE *f = fopen(quiet, "we");
	bool done = f && fputs("1", f) >= 0;
	if (f && (fclose(f) || !done))
		fail(quiet, "cannot be written");
}

static void cpus_choose(struct memif_shared *s)
{
	cpu_set_t allowed;
	sched_getaffinity(0, sizeof(allowed), &allowed);
	if (CPU_COUNT(&allowed) < 2)
		fail("CPUs", "two are needed, one for the relay and one for who feeds it");
	s->generator_cpu = -1;
	for (int i = 0; i < CPU_SETSIZE; i++) {
		if (!CPU_ISSET(i, &allowed))
			continue;
		s->generator_cpu = s->generator_cpu < 0 ? i : s->generator_cpu;
		s->relay_cpu = i;
	}
}

static void tell_json(const struct memif_shared *s, const char *cpu)
{
	printf("{\"bench\": \"memif\", \"cpu\": \"%s\", \"tsc_mhz\": %.0f, \"memory\": \"%s\", "
	       "\"rounds\": %u, \"rows\": [",
	       cpu, s->tsc_hz / 1e6, s->memory, s->rounds);
	for (unsigned i = 0; i < MEMIF_SIZES * MEMIF_WAYS; i++) {
		const struct memif_row *r = &s->row[i % MEMIF_WAYS][i / MEMIF_WAYS];
		printf("%s\n  {\"size\": %u, \"way\": \"%s\", \"mpps\": %.4f, \"mpps_p10\": %.4f, "
		       "\"mpps_p90\": %.4f, \"gbit_s\": %.3f, \"cycles\": %.1f, \"of_memory\": "
		       "%.3f}",
		       i ? "," : "", memif_size[i / MEMIF_WAYS], memif_way_text[i % MEMIF_WAYS],
		       r->mpps, r->mpps_p10, r->mpps_p90,
		       r->mpps * memif_size[i / MEMIF_WAYS] * 8 / 1e3, r->cycles,
		       r->mpps / s->row[IN_MEMORY][i / MEMIF_WAYS].mpps);
	}
	printf("\n], \"passed\": true}\n");
}

static void tell(const struct memif_shared *s, const char *cpu)
{
	printf("CPU: %s, TSC %.0f MHz; relay on CPU %d, generator on CPU %d; %s; medians of %u "
	       "rounds\n",
	       cpu, s->tsc_hz / 1e6, s->relay_cpu, s->generator_cpu, s->memory, s->rounds);
	printf("%5s  %-24s  %7s  %15s  %7s  %7s  %9s\n", "bytes", "way", "Mpps", "10th to 90th",
	       "Gbit/s", "cycles", "of memory");
	for (unsigned i = 0; i < MEMIF_SIZES * MEMIF_WAYS; i++) {
		const struct memif_row *r = &s->row[i % MEMIF_WAYS][i / MEMIF_WAYS];
		char spread[32];
		snprintf(spread, sizeof(spread), "%.3f to %.3f", r->mpps_p10, r->mpps_p90);
		printf("%5u  %-24s  %7.3f  %15s  %7.2f  %7.0f  %9.2f\n", memif_size[i / MEMIF_WAYS],
		       memif_way_text[i % MEMIF_WAYS], r->mpps, spread,
		       r->mpps * memif_size[i / MEMIF_WAYS] * 8 / 1e3, r->cycles,
		       r->mpps / s->row[IN_MEMORY][i / MEMIF_WAYS].mpps);
	}
}

int main(int argc, char **argv)
{
	bool brief = false, json = false;
	char cpu[192];
	for (int i = 1; i < argc; i++) {
		brief |= strcmp(argv[i], "--short") == 0;
		json |= strcmp(argv[i], "--json") == 0;
		if (strcmp(argv[i], "--short") && strcmp(argv[i], "--json")) {
			fprintf(stderr,
				"bench memif: unknown argument '%s'; use [--short] [--json]\n",
				argv[i]);
			return 2;
		}
	}
	struct memif_shared *s =
		mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s == MAP_FAILED || sodium_init() < 0)
		fail("memory", "none");
	s->rounds = brief ? MEMIF_ROUNDS_SHORT : MEMIF_ROUNDS;
	randombytes_buf(s->to_relay, sizeof(s->to_relay));
	randombytes_buf(s->from_relay, sizeof(s->from_relay));
	cpus_choose(s);
	net_make();
	if (!mkdtemp(dir))
		fail(dir, "cannot be made");
	int r = all_run(s);
	rmdir(dir);
	cpu_name(cpu, sizeof(cpu));
	if (!r)
		(json ? tell_json : tell)(s, cpu);
	return r;
}
