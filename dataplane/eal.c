// SPDX-License-Identifier: BSD-3-Clause
#include "eal.h"

#include <dlfcn.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#define HUGEPAGE	 (UINT64_C(2) << 20)
#define ARGS		 (24 + 2 * XY_DP_PORTS)
#define CPUS_LEN	 4096 // bytes of a list: every second of CPU_SETSIZE takes 2,500
#define LCORES_LEN	 ((XY_DP_WORKERS + 1) * (CPUS_LEN + 16))
#define TELEMETRY_SOCKET "/dpdk_telemetry.v2"

// With fewer CPUs than this, automatic placement pins nobody: a polling thread that shares its only
// CPU with another daemon's is slower than one that the scheduler may move.
#define PIN_FROM_CPUS 4

// mbuf, private area, mempool object header and trailer; ring and per-lcore caches.
static size_t pool_need(uint32_t buffers, uint32_t room)
{
	return (size_t)buffers * (sizeof(struct rte_mbuf) + 64 + 128 + room + 64 + 8);
}

size_t xy_eal_memory_need(const struct xy_dp_config *cfg)
{
	size_t pool = pool_need(xy_pools_buffers(cfg), xy_pools_room(cfg)) +
		      pool_need(xy_pools_plain(cfg), xy_pools_plain_room(cfg));
	size_t worker = (size_t)3 << 20; // graph, streams, rings
	size_t rings = (size_t)cfg->workers * cfg->workers * (32 << 10);
	return pool + cfg->workers * worker + rings + ((size_t)8 << 20);
}

static unsigned long read_number(const char *path)
{
	unsigned long n = 0;
	FILE *f = fopen(path, "re");
	if (f) {
		if (fscanf(f, "%lu", &n) != 1)
			n = 0;
		fclose(f);
	}
	return n;
}

// Enough free 2 MB pages, and the right to use them.
static bool hugepages_fit(size_t need)
{
	unsigned long pages =
		read_number("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");
	return pages * HUGEPAGE >= need + 4 * HUGEPAGE;
}

static int place(struct xy_dp *dp, struct xy_err *err)
{
	cpu_set_t allowed;
	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		return xy_err_set(err, errno, "sched_getaffinity: %s", strerror(errno));
	bool pin = CPU_COUNT(&allowed) >= PIN_FROM_CPUS || dp->cfg.poll;
	int cpu = CPU_SETSIZE;
	for (unsigned i = dp->workers; i-- > 0;) {
		struct xy_worker *w = dp->worker[i];
		w->lcore = i + 1;
		w->cpu = -1;
		if (dp->cfg.cpus) {
			w->cpu = dp->cfg.cpus[i];
			if (w->cpu < 0 || w->cpu >= CPU_SETSIZE || !CPU_ISSET(w->cpu, &allowed))
				return xy_err_set(
					err, EINVAL,
					"worker %u: CPU %d is not one that this process may "
					"run on; change workers.cpus in the config",
					i, w->cpu);
		} else if (pin && CPU_COUNT(&allowed) > (int)dp->workers) {
			while (--cpu >= 0 && !CPU_ISSET(cpu, &allowed))
				;
			w->cpu = cpu;
		}
	}
	return 0;
}

// "0-3,8", as few bytes as it takes.
static void cpu_list(const cpu_set_t *set, char out[static CPUS_LEN])
{
	int len = 0;
	out[0] = '\0';
	for (int i = 0; i < CPU_SETSIZE && len < CPUS_LEN; i++) {
		int last = i;
		if (!CPU_ISSET(i, set))
			continue;
		while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, set))
			last++;
		len += snprintf(out + len, (size_t)(CPUS_LEN - len), "%s%d", len ? "," : "", i);
		if (last > i && len < CPUS_LEN)
			len += snprintf(out + len, (size_t)(CPUS_LEN - len), "-%d", last);
		i = last;
	}
}

// lcore 0 is the control thread, not pinned; lcore i + 1 is worker i.
char *xy_eal_lcores(const struct xy_dp *dp, const cpu_set_t *allowed)
{
	char any[CPUS_LEN], *out = malloc(LCORES_LEN);
	if (!out)
		return NULL;
	cpu_list(allowed, any);
	int len = snprintf(out, LCORES_LEN, "--lcores=0@(%s)", any);
	for (unsigned i = 0; i < dp->workers; i++) {
		const struct xy_worker *w = dp->worker[i];
		size_t room = (size_t)(LCORES_LEN - len);
		if (w->cpu >= 0)
			len += snprintf(out + len, room, ",%u@%d", w->lcore, w->cpu);
		else
			len += snprintf(out + len, room, ",%u@(%s)", w->lcore, any);
	}
	return out;
}

static bool is_pci(const char *device) // 0000:3b:00.0 or 3b:00.0
{
	return strspn(device, "0123456789abcdefABCDEF:.") == strlen(device) && strchr(device, ':');
}

// Only what the config names: no card is probed that another program may hold.
static int devices(const struct xy_dp *dp, char **argv, int argc)
{
	bool pci = false;
	for (unsigned i = 0; i < dp->cfg.device_count; i++) {
		bool p = is_pci(dp->cfg.devices[i]);
		argv[argc++] = (char *)(uintptr_t)(p ? "-a" : "--vdev");
		argv[argc++] = (char *)(uintptr_t)dp->cfg.devices[i];
		pci |= p;
	}
	if (!pci)
		argv[argc++] = (char *)"--no-pci";
	return argc;
}

// EAL of shared libraries loads every driver that is installed, card or not: 130 libraries, 16 MB
// that a node without such a port has no use for. It takes itself for one of shared libraries by
// finding its own, and no argument says otherwise; so without a device it is told, and only while
// it starts, that there is none. What buffers need (rte_mempool_ring) we are linked with.
static bool drivers_hidden;

void *dlopen(const char *file, int mode)
{
	static void *(*real)(const char *file, int mode);
	if (drivers_hidden && mode & RTLD_NOLOAD && file && strncmp(file, "librte_eal.so", 13) == 0)
		return NULL;
	if (!real) // each thread that is first finds the same
		*(void **)&real = dlsym(RTLD_NEXT, "dlopen");
	return real(file, mode);
}

static int eal_init(struct xy_dp *dp, bool huge, size_t need)
{
	static char *cores, prefix[80], memory[32]; // EAL keeps pointers into its arguments
	cpu_set_t allowed;
	char *argv[ARGS];
	int argc = 0;

	CPU_ZERO(&allowed);
	sched_getaffinity(0, sizeof(allowed), &allowed);
	free(cores);
	cores = xy_eal_lcores(dp, &allowed);
	if (!cores) {
		rte_errno = ENOMEM;
		return -1;
	}
	snprintf(prefix, sizeof(prefix), "--file-prefix=xylem-%s", dp->cfg.name);
	snprintf(memory, sizeof(memory), "%zu", (need >> 20) + 1);
	argv[argc++] = (char *)"xylemd";
	argv[argc++] = cores;
	argv[argc++] = prefix;
	argc = devices(dp, argv, argc);
	argv[argc++] = (char *)"--log-level=lib.eal:error";
	argv[argc++] = (char *)"--log-level=lib.*:error";
	if (huge) {
		argv[argc++] = (char *)"--in-memory";
		argv[argc++] = (char *)"--iova-mode=va";
	} else {
		argv[argc++] = (char *)"--no-huge";
		argv[argc++] = (char *)"--no-shconf";
		argv[argc++] = (char *)"-m";
		argv[argc++] = memory;
	}
	argv[argc] = NULL;
	drivers_hidden = !dp->cfg.device_count;
	int r = rte_eal_init(argc, argv);
	drivers_hidden = false;
	return r;
}

int xy_eal_start(struct xy_dp *dp, size_t need, struct xy_err *err)
{
	bool huge = hugepages_fit(need);
	int r = place(dp, err);
	if (r)
		return r;
	if (huge)
		snprintf(dp->memory, sizeof(dp->memory), "hugepages");
	else
		snprintf(dp->memory, sizeof(dp->memory), "no hugepages (%zu MiB heap)", need >> 20);
	if (eal_init(dp, huge, need) >= 0)
		return 0;
	// It asks there whether the kernel has VFIO, whatever ports there are, and gives up.
	const char *lacks = access("/sys/module", F_OK)
				    ? "; it needs /sys/module, which is not there: "
				      "in systemd-nspawn, --bind-ro=/sys/module"
				    : "";
	r = xy_err_set(err, rte_errno ? rte_errno : EIO,
		       "DPDK's EAL did not start (%s, %s): %s; its own message is above%s",
		       dp->memory, dp->cfg.name, rte_strerror(rte_errno), lacks);
	dp->memory[0] = '\0'; // nothing to stop
	return r;
}

void xy_eal_stop(void)
{
	// EAL's own, under /run/dpdk (mode 0700); it removes neither the socket nor the folder.
	char folder[PATH_MAX], telemetry[PATH_MAX + sizeof(TELEMETRY_SOCKET)];
	snprintf(folder, sizeof(folder), "%s", rte_eal_get_runtime_dir());
	snprintf(telemetry, sizeof(telemetry), "%s" TELEMETRY_SOCKET, folder);
	rte_eal_cleanup();
	unlink(telemetry);
	rmdir(folder);
}
