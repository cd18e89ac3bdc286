// SPDX-License-Identifier: BSD-3-Clause
#include "cli/doctor.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>
#include <unistd.h>

enum { PATH_LEN = 512, LINE_LEN = 256 };

static const char *const state_text[] = {"ok", "could be better", "wrong"};

void xy_doctor_row(struct xy_doctor *d, enum xy_doctor_state state, const char *what,
		   const char *found, const char *means, const char *type)
{
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s}", "state", state_text[state], "what", what,
			      "found", found, "means", means, "type", type);
	if (o)
		json_array_append_new(d->rows, o);
}

static bool read_line(const char *path, char *to, size_t size)
{
	FILE *f = fopen(path, "re");
	bool good = f && fgets(to, (int)size, f);
	if (f)
		fclose(f);
	if (good)
		to[strcspn(to, "\r\n")] = 0;
	return good && *to;
}

__attribute__((format(printf, 3, 0))) static void path_of(const struct xy_doctor *d,
							  char to[static PATH_LEN], const char *fmt,
							  va_list ap)
{
	size_t n = (size_t)snprintf(to, PATH_LEN, "%s", d->root);
	if (n < PATH_LEN)
		vsnprintf(to + n, PATH_LEN - n, fmt, ap);
}

bool xy_doctor_read(const struct xy_doctor *d, char *to, size_t size, const char *fmt, ...)
{
	char path[PATH_LEN];
	va_list ap;
	va_start(ap, fmt);
	path_of(d, path, fmt, ap);
	va_end(ap);
	return read_line(path, to, size);
}

long xy_doctor_number(const struct xy_doctor *d, const char *fmt, ...)
{
	char path[PATH_LEN], text[64], *end;
	va_list ap;
	va_start(ap, fmt);
	path_of(d, path, fmt, ap);
	va_end(ap);
	if (!read_line(path, text, sizeof(text)))
		return -1;
	long n = strtol(text, &end, 10);
	return end == text ? -1 : n;
}

void xy_doctor_each(struct xy_doctor *d, const char *folder, const char *begin,
		    void (*see)(struct xy_doctor *d, const char *name, void *arg), void *arg)
{
	char path[PATH_LEN];
	struct dirent **list;
	snprintf(path, sizeof(path), "%s%s", d->root, folder);
	int n = scandir(path, &list, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		if (list[i]->d_name[0] != '.' &&
		    strncmp(list[i]->d_name, begin, strlen(begin)) == 0)
			see(d, list[i]->d_name, arg);
		free(list[i]);
	}
	if (n >= 0)
		free(list);
}

// --- kernel

static bool needs_card(const struct xy_doctor *d)
{
	for (unsigned i = 0; i < d->config->port_count; i++)
		if (d->config->ports[i].driver == XY_DRIVER_AF_XDP)
			return true;
	return false;
}

static void see_release(struct xy_doctor *d)
{
	char release[LINE_LEN];
	unsigned major = 0, minor = 0;
	if (!xy_doctor_read(d, release, sizeof(release), "/proc/sys/kernel/osrelease") ||
	    sscanf(release, "%u.%u", &major, &minor) != 2)
		return;
	unsigned version = major * 1000 + minor;
	if (version < 5004 && needs_card(d))
		xy_doctor_row(d, XY_DOCTOR_WRONG, "kernel", release,
			      "AF_XDP as it is used here needs Linux 5.4",
			      "apt-get install linux-image-amd64 (or driver = \"socket\";)");
	else if (version < 6001)
		xy_doctor_row(
			d, XY_DOCTOR_BETTER, "kernel", release,
			"it is tested on Linux 6.1 and later; jumbo frames on AF_XDP need 6.6",
			"apt-get install linux-image-amd64");
	else
		xy_doctor_row(d, XY_DOCTOR_OK, "kernel", release, "", "");
}

static void see_tun(struct xy_doctor *d)
{
	char path[PATH_LEN];
	if (!d->config->host.enabled)
		return;
	snprintf(path, sizeof(path), "%s/dev/net/tun", d->root);
	if (access(path, F_OK) == 0)
		xy_doctor_row(d, XY_DOCTOR_OK, "tun", "/dev/net/tun", "", "");
	else
		xy_doctor_row(
			d, XY_DOCTOR_WRONG, "tun", "there is no /dev/net/tun",
			"the node gets no interface of its host",
			"modprobe tun (in a container: let its host give the device), or tun = "
			"false;");
}

// --- clock

static void see_clock(struct xy_doctor *d)
{
	char source[LINE_LEN];
	struct timex t = {0};
	bool real = !*d->root, there;
	char path[PATH_LEN];
	if (xy_doctor_read(d, source, sizeof(source),
			   "/sys/devices/system/clocksource/clocksource0/current_clocksource")) {
		bool fast = strcmp(source, "tsc") == 0 || strstr(source, "kvm") ||
			    strstr(source, "hyperv");
		xy_doctor_row(d, fast ? XY_DOCTOR_OK : XY_DOCTOR_BETTER, "clock source", source,
			      fast ? "" : "each look at the clock is a slow one",
			      fast ? ""
				   : "echo tsc > /sys/devices/system/clocksource/clocksource0/"
				     "current_clocksource");
	}
	snprintf(path, sizeof(path), "%s/run/systemd/timesync/synchronized", d->root);
	there = access(path, F_OK) == 0;
	if (there || (real && adjtimex(&t) >= 0 && !(t.status & STA_UNSYNC)))
		xy_doctor_row(d, XY_DOCTOR_OK, "clock", "synchronized", "", "");
	else
		xy_doctor_row(d, XY_DOCTOR_BETTER, "clock", "not known to be synchronized",
			      "peers refuse handshakes whose time stamps go back: a clock that is "
			      "set back later cuts the node off for as long",
			      "timedatectl set-ntp true");
}

// --- memory

struct pages {
	long all, free;
	unsigned nodes, bare; // bare: nodes without any
};

static void count_pages(struct xy_doctor *d, const char *name, void *arg)
{
	struct pages *p = arg;
	long n = xy_doctor_number(
		d, "/sys/devices/system/node/%s/hugepages/hugepages-2048kB/nr_hugepages", name);
	long big = xy_doctor_number(
		d, "/sys/devices/system/node/%s/hugepages/hugepages-1048576kB/nr_hugepages", name);
	n = (n > 0 ? n : 0) + (big > 0 ? 512 * big : 0);
	p->nodes++;
	p->bare += n == 0;
	p->all += n;
}

static void see_hugepages(struct xy_doctor *d)
{
	char found[LINE_LEN];
	struct pages p = {0};
	const char *in_use = json_string_value(json_object_get(d->node, "memory"));
	xy_doctor_each(d, "/sys/devices/system/node", "node", count_pages, &p);
	if (!p.nodes) {
		p.all = xy_doctor_number(d,
					 "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages");
		p.nodes = 1;
		p.bare = p.all <= 0;
	}
	snprintf(found, sizeof(found), "%ld of 2 MiB on %u NUMA node%s%s%s", p.all > 0 ? p.all : 0,
		 p.nodes, p.nodes == 1 ? "" : "s", in_use ? "; the daemon: " : "",
		 in_use ? in_use : "");
	if (p.all <= 0)
		xy_doctor_row(
			d, XY_DOCTOR_BETTER, "hugepages", found,
			"packets lie in ordinary pages: it works, with more misses of the TLB, "
			"and cards copy frames",
			"sysctl -w vm.nr_hugepages=128 (kept: /etc/sysctl.d), then restart");
	else if (p.bare)
		xy_doctor_row(d, XY_DOCTOR_BETTER, "hugepages", found,
			      "a NUMA node has none: its workers' packets lie on another",
			      "echo 64 > /sys/devices/system/node/nodeN/hugepages/hugepages-2048kB/"
			      "nr_hugepages");
	else if (in_use && strncmp(in_use, "no hugepages", 12) == 0)
		xy_doctor_row(d, XY_DOCTOR_BETTER, "hugepages", found,
			      "there are some, and the daemon started without",
			      "systemctl restart xylem");
	else
		xy_doctor_row(d, XY_DOCTOR_OK, "hugepages", found, "", "");
}

// --- CPUs

// Is the CPU in a list like "2-3,6"?
static bool in_list(const char *list, int cpu)
{
	while (*list) {
		char *end;
		long from = strtol(list, &end, 10), to = from;
		if (end == list)
			return false;
		if (*end == '-')
			to = strtol(end + 1, &end, 10);
		if (cpu >= from && cpu <= to)
			return true;
		list = *end == ',' ? end + 1 : end + strlen(end);
	}
	return false;
}

static void see_isolation(struct xy_doctor *d)
{
	char isolated[LINE_LEN] = "", found[2 * LINE_LEN];
	unsigned bare = 0, count = d->config->workers.cpu_count;
	bool polls = d->config->workers.idle == XY_IDLE_POLL;
	xy_doctor_read(d, isolated, sizeof(isolated), "/sys/devices/system/cpu/isolated");
	for (unsigned i = 0; i < count; i++)
		bare += !in_list(isolated, d->config->workers.cpus[i]);
	snprintf(found, sizeof(found), "isolated: %s; workers.cpus: %u set, idle: %s",
		 *isolated ? isolated : "none", count, polls ? "poll" : "adaptive");
	if (polls && (!count || bare))
		xy_doctor_row(
			d, XY_DOCTOR_BETTER, "isolcpus", found,
			"a worker that polls shares its CPU with other programs, and both lose",
			"workers.cpus = [ N ]; and isolcpus=N on the kernel's command line "
			"(GRUB_CMDLINE_LINUX), or CPUAffinity= of the other units");
	else if (*isolated && !count)
		xy_doctor_row(d, XY_DOCTOR_BETTER, "isolcpus", found,
			      "CPUs are kept free, and no worker is told to use them",
			      "workers = { cpus = [ N ]; };");
	else
		xy_doctor_row(d, XY_DOCTOR_OK, "isolcpus", found, "", "");
}

static void count_cpu(struct xy_doctor *d, const char *name, void *arg)
{
	char governor[64], driver[64] = "";
	unsigned *slow = arg;
	xy_doctor_read(d, driver, sizeof(driver),
		       "/sys/devices/system/cpu/%s/cpufreq/scaling_driver", name);
	if (strcmp(driver, "intel_pstate") == 0 || strcmp(driver, "amd-pstate-epp") == 0)
		return; // the hardware decides, and goes up under load by this name, too
	if (xy_doctor_read(d, governor, sizeof(governor),
			   "/sys/devices/system/cpu/%s/cpufreq/scaling_governor", name))
		*slow += strcmp(governor, "powersave") == 0;
}

static void see_governor(struct xy_doctor *d)
{
	char found[64];
	unsigned slow = 0;
	xy_doctor_each(d, "/sys/devices/system/cpu", "cpu", count_cpu, &slow);
	snprintf(found, sizeof(found), "powersave on %u CPUs", slow);
	if (slow)
		xy_doctor_row(d, XY_DOCTOR_BETTER, "frequency", found,
			      "a CPU that sleeps is slow to answer: round trips get longer where "
			      "there is little traffic",
			      "cpupower frequency-set -g performance");
}

void xy_doctor_kernel(struct xy_doctor *d)
{
	see_release(d);
	see_tun(d);
	see_clock(d);
	see_hugepages(d);
	see_isolation(d);
	see_governor(d);
}
