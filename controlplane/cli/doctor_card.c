// SPDX-License-Identifier: BSD-3-Clause
// Each card that the config or the daemon names, or that is this host's: driver, XDP, queues, the
// CPUs of its interrupts, NUMA, offloads, MTU.
#include "cli/doctor.h"

#include "base/bytes.h"

#include <ctype.h>
#include <limits.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CARDS = 16, TEXT = 300, JUMBO = 3506, WHOLE = 1432, PLAIN = 1500 };

struct card {
	const char *name;
	bool af_xdp;	  // as the config or the daemon has it
	bool named;	  // by one of them
	const char *mode; // the daemon's; NULL: not known
	char driver[64];
	unsigned queues;
};

struct cards {
	unsigned count;
	char name[CARDS][IFNAMSIZ];
};

static void add(struct cards *c, const char *name)
{
	for (unsigned i = 0; i < c->count; i++)
		if (strcmp(c->name[i], name) == 0)
			return;
	if (*name && c->count < CARDS)
		snprintf(c->name[c->count++], IFNAMSIZ, "%s", name);
}

__attribute__((format(printf, 6, 7))) static void row(struct xy_doctor *d, const struct card *c,
						      enum xy_doctor_state state, const char *what,
						      const char *means_type[2], const char *fmt,
						      ...)
{
	char found[TEXT], whole[64];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(found, sizeof(found), fmt, ap);
	va_end(ap);
	snprintf(whole, sizeof(whole), "%s %s", c->name, what);
	xy_doctor_row(d, state, whole, found, means_type ? means_type[0] : "",
		      means_type ? means_type[1] : "");
}

#define SAYS(means, type) ((const char *[2]){(means), (type)})

// --- driver and XDP

static void driver_of(const struct xy_doctor *d, struct card *c)
{
	char path[PATH_MAX], target[PATH_MAX];
	snprintf(path, sizeof(path), "%s/sys/class/net/%s/device/driver", d->root, c->name);
	ssize_t n = readlink(path, target, sizeof(target) - 1);
	if (n <= 0)
		return;
	target[n] = 0;
	const char *slash = strrchr(target, '/');
	snprintf(c->driver, sizeof(c->driver), "%.60s", slash ? slash + 1 : target);
}

// Whose driver runs XDP programs itself, as of Linux 6.12. What is not here may all the same.
static bool has_xdp(const char *driver)
{
	static const char *const known[] = {
		"ixgbe",   "ixgbevf", "i40e",	  "ice",   "igc",      "igb",	    "mlx5_core",
		"mlx4_en", "bnxt_en", "nfp",	  "sfc",   "ena",      "gve",	    "virtio_net",
		"veth",	   "tun",     "mvneta",	  "mvpp2", "thunderx", "nicvf",	    "qede",
		"fm10k",   "stmmac",  "dwmac",	  "cpsw",  "tsnep",    "hv_netvsc", "vmxnet3",
		"mana",	   "bonding", "netdevsim"};
	for (size_t i = 0; i < XY_ARRAY_SIZE(known); i++)
		if (strcmp(driver, known[i]) == 0)
			return true;
	return false;
}

static void see_driver(struct xy_doctor *d, const struct card *c)
{
	const char *driver = *c->driver ? c->driver : "none: a virtual interface";
	bool good = has_xdp(c->driver);
	if (c->mode && strstr(c->mode, "generic"))
		row(d, c, XY_DOCTOR_BETTER, "XDP",
		    SAYS("the kernel runs the program behind its own joining of packets: no faster "
			 "than a socket, and trains may be lost",
			 "driver = \"socket\"; for this port, or a card whose driver has XDP"),
		    "driver %s, mode %s", driver, c->mode);
	else if (c->mode && *c->mode)
		row(d, c, XY_DOCTOR_OK, "XDP", NULL, "driver %s, mode %s", driver, c->mode);
	else if (c->af_xdp && *c->driver && !good)
		row(d, c, XY_DOCTOR_BETTER, "XDP",
		    SAYS("this driver is not known to run XDP programs itself; the kernel would, "
			 "more slowly",
			 "start it, and see MODE of xylem show ports; else driver = \"socket\";"),
		    "driver %s", driver);
	else if (!c->af_xdp && good)
		row(d, c, XY_DOCTOR_OK, "XDP", NULL, "driver %s can; ports use sockets", driver);
	else
		row(d, c, XY_DOCTOR_OK, "XDP", NULL, "driver %s", driver);
}

// --- queues

static void count_queue(struct xy_doctor *d, const char *name, void *arg)
{
	(*(unsigned *)arg)++;
}

static void see_queues(struct xy_doctor *d, struct card *c)
{
	char folder[PATH_MAX], type[TEXT];
	unsigned workers = d->config->workers.count;
	snprintf(folder, sizeof(folder), "/sys/class/net/%s/queues", c->name);
	xy_doctor_each(d, folder, "rx-", count_queue, &c->queues);
	snprintf(type, sizeof(type), "ethtool -L %s combined %u, or workers.count = %u;", c->name,
		 workers, c->queues);
	if (!c->queues)
		return;
	if (c->af_xdp && c->queues != workers)
		row(d, c, XY_DOCTOR_BETTER, "queues",
		    SAYS(c->queues > workers
				 ? "each queue is one worker's, and some workers have several: RSS "
				   "spreads what comes over all of them"
				 : "each queue is one worker's: some workers get nothing from this "
				   "card",
			 type),
		    "%u, workers: %u", c->queues, workers);
	else if (!c->af_xdp && *c->driver && c->queues == 1 && workers > 1)
		row(d, c, XY_DOCTOR_BETTER, "queues",
		    SAYS("the card has one queue, so one CPU takes all that comes, whatever the "
			 "workers",
			 type),
		    "1, workers: %u", workers);
	else
		row(d, c, XY_DOCTOR_OK, "queues", NULL, "%u, workers: %u", c->queues, workers);
}

// --- interrupts

struct interrupts {
	unsigned count;
	char cpus[64]; // of the first one
	bool differ;
};

static void see_interrupt(const struct xy_doctor *d, long number, struct interrupts *out)
{
	char cpus[64];
	if (!xy_doctor_read(d, cpus, sizeof(cpus), "/proc/irq/%ld/effective_affinity_list",
			    number) &&
	    !xy_doctor_read(d, cpus, sizeof(cpus), "/proc/irq/%ld/smp_affinity_list", number))
		return;
	if (out->count++)
		out->differ |= strcmp(out->cpus, cpus) != 0;
	else
		snprintf(out->cpus, sizeof(out->cpus), "%s", cpus);
}

static void count_msi(struct xy_doctor *d, const char *name, void *arg)
{
	see_interrupt(d, strtol(name, NULL, 10), arg);
}

static void see_interrupts(struct xy_doctor *d, const struct card *c)
{
	char folder[PATH_MAX], online[64];
	struct interrupts n = {0};
	snprintf(folder, sizeof(folder), "/sys/class/net/%s/device/msi_irqs", c->name);
	xy_doctor_each(d, folder, "", count_msi, &n);
	if (!n.count) { // a virtio card is a part of what has them
		snprintf(folder, sizeof(folder), "/sys/class/net/%s/device/../msi_irqs", c->name);
		xy_doctor_each(d, folder, "", count_msi, &n);
	}
	if (!n.count)
		return;
	bool many = xy_doctor_read(d, online, sizeof(online), "/sys/devices/system/cpu/online") &&
		    strpbrk(online, "-,");
	if (many && c->queues > 1 && !n.differ && !strpbrk(n.cpus, "-,"))
		row(d, c, XY_DOCTOR_BETTER, "interrupts",
		    SAYS("one CPU takes all of the card's interrupts",
			 "apt-get install irqbalance, or "
			 "echo CPU > /proc/irq/N/"
			 "smp_affinity_list for each"),
		    "%u, all on CPU %s", n.count, n.cpus);
	else
		row(d, c, XY_DOCTOR_OK, "interrupts", NULL, "%u, on %s%s", n.count,
		    n.differ ? "several CPUs, the first on " : "CPU ", n.cpus);
}

// --- NUMA

static void count_node(struct xy_doctor *d, const char *name, void *arg)
{
	(*(unsigned *)arg)++;
}

static long node_of_cpu(struct xy_doctor *d, int cpu)
{
	char folder[64];
	for (long n = 0; n < 64; n++) {
		unsigned there = 0;
		snprintf(folder, sizeof(folder), "/sys/devices/system/node/node%ld", n);
		char name[24];
		snprintf(name, sizeof(name), "cpu%d", cpu);
		xy_doctor_each(d, folder, name, count_node, &there);
		if (there)
			return n;
	}
	return -1;
}

static void see_numa(struct xy_doctor *d, const struct card *c)
{
	unsigned nodes = 0, away = 0;
	long node = xy_doctor_number(d, "/sys/class/net/%s/device/numa_node", c->name);
	xy_doctor_each(d, "/sys/devices/system/node", "node", count_node, &nodes);
	if (nodes < 2 || node < 0)
		return;
	for (unsigned i = 0; i < d->config->workers.cpu_count; i++) {
		long of = node_of_cpu(d, d->config->workers.cpus[i]);
		away += of >= 0 && of != node;
	}
	if (away)
		row(d, c, XY_DOCTOR_BETTER, "NUMA",
		    SAYS("a worker on another node fetches each packet from afar",
			 "choose workers.cpus of the card's node: cat "
			 "/sys/devices/system/node/nodeN/"
			 "cpulist"),
		    "on node %ld, %u workers on another", node, away);
	else
		row(d, c, XY_DOCTOR_OK, "NUMA", NULL, "on node %ld of %u", node, nodes);
}

// --- MTU, carrier

static void see_mtu(struct xy_doctor *d, const struct card *c)
{
	long mtu = xy_doctor_number(d, "/sys/class/net/%s/mtu", c->name);
	char release[64], type[TEXT];
	unsigned major = 0, minor = 0;
	if (mtu < 0)
		return;
	if (xy_doctor_read(d, release, sizeof(release), "/proc/sys/kernel/osrelease") &&
	    sscanf(release, "%u.%u", &major, &minor) != 2)
		major = 0;
	snprintf(type, sizeof(type), "ip link set %s mtu %d", c->name, PLAIN);
	if (c->af_xdp && mtu > JUMBO && major && major * 1000 + minor < 6006)
		row(d, c, XY_DOCTOR_WRONG, "MTU",
		    SAYS("jumbo frames on AF_XDP need Linux 6.6", type), "%ld", mtu);
	else if (mtu < WHOLE)
		row(d, c, XY_DOCTOR_BETTER, "MTU",
		    SAYS("links carry 1352 bytes in any case, over this interface in fragments",
			 type),
		    "%ld", mtu);
	else
		row(d, c, XY_DOCTOR_OK, "MTU", NULL, "%ld", mtu);
}

static bool see_link(struct xy_doctor *d, const struct card *c)
{
	char state[32], type[TEXT];
	snprintf(type, sizeof(type), "ip link set %s up; see the cable: ethtool %s", c->name,
		 c->name);
	if (!xy_doctor_read(d, state, sizeof(state), "/sys/class/net/%s/operstate", c->name)) {
		row(d, c, XY_DOCTOR_WRONG, "link",
		    SAYS("the config names it, and it is not there; the node waits for it",
			 "ip -br link"),
		    "there is no such interface");
		return false;
	}
	if (strcmp(state, "down") == 0 && c->named)
		row(d, c, XY_DOCTOR_WRONG, "link", SAYS("nothing goes by it", type), "%s", state);
	return true;
}

// --- offloads: by ioctl alone

static long ethtool_flag(const char *name, unsigned command)
{
	struct ethtool_value v = {.cmd = command};
	struct ifreq r = {.ifr_data = (void *)&v};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	long ret = fd >= 0 && ioctl(fd, SIOCETHTOOL, &r) == 0 ? (long)v.data : -1;
	if (fd >= 0)
		close(fd);
	return ret;
}

// Does the card spread UDP over its queues by ports, too? Below 0: it does not say.
static long spreads_by_port(const char *name, unsigned flow)
{
	struct ethtool_rxnfc n = {.cmd = ETHTOOL_GRXFH, .flow_type = flow};
	struct ifreq r = {.ifr_data = (void *)&n};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	long ret = fd >= 0 && ioctl(fd, SIOCETHTOOL, &r) == 0
			   ? (n.data & RXH_L4_B_0_1) && (n.data & RXH_L4_B_2_3)
			   : -1;
	if (fd >= 0)
		close(fd);
	return ret;
}

static void see_offloads(struct xy_doctor *d, const struct card *c)
{
	char type[TEXT];
	if (*d->root || !*c->driver)
		return;
	long gro = ethtool_flag(c->name, ETHTOOL_GGRO),
	     flags = ethtool_flag(c->name, ETHTOOL_GFLAGS);
	bool lro = flags > 0 && (flags & ETH_FLAG_LRO);
	snprintf(type, sizeof(type), "ethtool -K %s lro off gro on", c->name);
	if (lro)
		row(d, c, XY_DOCTOR_WRONG, "offloads",
		    SAYS("LRO joins what a host forwards, and no router can cut it again", type),
		    "LRO on, GRO %s", gro == 1 ? "on" : "off");
	else if (gro == 0)
		row(d, c, XY_DOCTOR_BETTER, "offloads",
		    SAYS("without GRO each datagram goes through the kernel alone", type),
		    "GRO off");
	else if (gro == 1)
		row(d, c, XY_DOCTOR_OK, "offloads", NULL, "GRO on, LRO off");
	long four = spreads_by_port(c->name, UDP_V4_FLOW),
	     six = spreads_by_port(c->name, UDP_V6_FLOW);
	snprintf(type, sizeof(type), "ethtool -N %s rx-flow-hash udp4 sdfn; and udp6", c->name);
	if (c->queues > 1 && (four == 0 || six == 0))
		row(d, c, XY_DOCTOR_BETTER, "RSS",
		    SAYS("all datagrams between two addresses come to one queue: that is all of a "
			 "peer's, so few peers use few queues",
			 type),
		    "UDP by addresses alone%s%s", four == 0 ? ", IPv4" : "",
		    six == 0 ? ", IPv6" : "");
	else if (c->queues > 1 && four == 1)
		row(d, c, XY_DOCTOR_OK, "RSS", NULL, "UDP by addresses and ports");
}

// --- which

static void see_own(struct xy_doctor *d, const char *name, void *arg)
{
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/sys/class/net/%s/device", d->root, name);
	if (access(path, F_OK) == 0)
		add(arg, name);
}

static void see_card(struct xy_doctor *d, const char *name)
{
	struct card c = {.name = name};
	const json_t *p;
	size_t i;
	for (unsigned k = 0; k < d->config->port_count; k++)
		if (strcmp(d->config->ports[k].interface, name) == 0) {
			c.named = true;
			c.af_xdp = d->config->ports[k].driver == XY_DRIVER_AF_XDP;
		}
	json_array_foreach(json_object_get(d->ports, "ports"), i, p)
	{
		const char *at = json_string_value(json_object_get(p, "interface"));
		const char *driver = json_string_value(json_object_get(p, "driver"));
		if (!at || strcmp(at, name) != 0)
			continue;
		c.named = true;
		c.af_xdp = driver && strcmp(driver, "af_xdp") == 0;
		c.mode = json_string_value(json_object_get(p, "mode"));
	}
	if (!see_link(d, &c))
		return;
	driver_of(d, &c);
	see_driver(d, &c);
	see_queues(d, &c);
	see_interrupts(d, &c);
	see_numa(d, &c);
	see_offloads(d, &c);
	see_mtu(d, &c);
}

void xy_doctor_cards(struct xy_doctor *d)
{
	struct cards all = {0};
	const json_t *p;
	size_t i;
	for (unsigned k = 0; k < d->config->port_count; k++)
		if (d->config->ports[k].driver == XY_DRIVER_AF_XDP)
			add(&all, d->config->ports[k].interface);
	json_array_foreach(json_object_get(d->ports, "ports"), i, p)
	{
		const char *name = json_string_value(json_object_get(p, "interface"));
		add(&all, name ? name : "");
	}
	xy_doctor_each(d, "/sys/class/net", "", see_own, &all);
	if (!all.count)
		xy_doctor_row(d, XY_DOCTOR_OK, "cards", "none here (a container, or a namespace)",
			      "", "");
	for (unsigned k = 0; k < all.count; k++)
		see_card(d, all.name[k]);
}
