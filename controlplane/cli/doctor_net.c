// SPDX-License-Identifier: BSD-3-Clause
// What the kernel's network does to our datagrams and to what we hand to it.
#include "cli/doctor.h"
#include "strict.h"

#include <linux/route.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 256 };

static unsigned port_of(const struct xy_doctor *d)
{
	return d->config->port_count ? d->config->ports[0].port : 0;
}

// --- connection tracking

// Entries of UDP with our port on either side.
static long tracked(const struct xy_doctor *d)
{
	char path[512], line[1024], ours[2][32];
	long n = 0;
	snprintf(path, sizeof(path), "%s/proc/net/nf_conntrack", d->root);
	snprintf(ours[0], sizeof(ours[0]), "sport=%u ", port_of(d));
	snprintf(ours[1], sizeof(ours[1]), "dport=%u ", port_of(d));
	FILE *f = fopen(path, "re");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		n += strstr(line, " udp ") && (strstr(line, ours[0]) || strstr(line, ours[1]));
	fclose(f);
	return n;
}

static void see_conntrack(struct xy_doctor *d)
{
	char found[LINE], type[400];
	long count = xy_doctor_number(d, "/proc/sys/net/netfilter/nf_conntrack_count");
	long max = xy_doctor_number(d, "/proc/sys/net/netfilter/nf_conntrack_max"), ours;
	if (max <= 0 || count < 0) {
		xy_doctor_row(d, XY_DOCTOR_OK, "conntrack", "the kernel tracks nothing", "", "");
		return;
	}
	ours = tracked(d);
	snprintf(found, sizeof(found),
		 ours < 0 ? "%ld of %ld flows" : "%ld of %ld flows, ours: %ld", count, max, ours);
	snprintf(
		type, sizeof(type),
		"nft 'add table inet raw_xylem'; nft 'add chain inet raw_xylem p { type filter "
		"hook "
		"prerouting priority raw; }'; nft 'add rule inet raw_xylem p udp dport %u notrack' "
		"(and udp sport %u in output)",
		port_of(d), port_of(d));
	if (count * 10 >= max * 9)
		xy_doctor_row(d, XY_DOCTOR_WRONG, "conntrack", found,
			      "its table is nearly full: the kernel drops what is new, links too",
			      "sysctl -w net.netfilter.nf_conntrack_max=1048576, or spare our "
			      "datagrams: see operating.md");
	else if (ours > 0)
		xy_doctor_row(
			d, XY_DOCTOR_BETTER, "conntrack", found,
			"each datagram of a link is looked up there: some percent of a relay's "
			"CPU, and an entry for each stranger that sends",
			type);
	else
		xy_doctor_row(d, XY_DOCTOR_OK, "conntrack", found, "", "");
}

// --- rp_filter

enum { UPLINKS = 16 };

struct uplinks {
	char name[UPLINKS][16];
	long metric[UPLINKS];
	unsigned count, best; // best: by which all goes that has no other way
};

// Interfaces over which a default route of IPv4 leads: what strangers send comes by them.
static void find_uplinks(const struct xy_doctor *d, struct uplinks *u)
{
	char path[512], line[512], name[16];
	unsigned long to, mask, flags;
	long metric;
	snprintf(path, sizeof(path), "%s/proc/net/route", d->root);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f) && u->count < UPLINKS) {
		unsigned i = 0;
		if (sscanf(line, "%15s %lx %*x %lx %*d %*d %ld %lx", name, &to, &flags, &metric,
			   &mask) != 5 ||
		    to || mask || (flags & (RTF_UP | RTF_REJECT)) != RTF_UP)
			continue;
		while (i < u->count && strcmp(u->name[i], name) != 0)
			i++;
		if (i == u->count) {
			memcpy(u->name[i], name, sizeof(name));
			u->metric[u->count++] = metric;
		} else if (metric < u->metric[i]) {
			u->metric[i] = metric;
		}
		if (u->metric[i] < u->metric[u->best])
			u->best = i;
	}
	if (f)
		fclose(f);
}

static void see_rp_filter(struct xy_doctor *d)
{
	struct uplinks u = {.count = 0};
	char names[UPLINKS * 17] = "", found[LINE + UPLINKS * 17], type[LINE];
	unsigned strict = 0;
	find_uplinks(d, &u);
	for (unsigned i = 0; i < u.count; i++) {
		size_t n = strlen(names);
		if (!xy_strict(d->root, u.name[i]))
			continue;
		snprintf(names + n, sizeof(names) - n, "%s%s", n ? " " : "", u.name[i]);
		strict++;
	}
	snprintf(found, sizeof(found), "strict: %s", strict ? names : "no uplink");
	snprintf(type, sizeof(type), "sysctl -w net.ipv4.conf.%s.rp_filter=2 (loose)",
		 u.name[u.best]);
	if (d->config->exit.used && u.count && xy_strict_to_marks(d->root, u.name[u.best]))
		xy_doctor_row(
			d, XY_DOCTOR_WRONG, "rp_filter", found,
			"with an exit in use the kernel drops what links bring: their way back "
			"is known by our mark alone",
			type);
	else if (strict && u.count > 1)
		xy_doctor_row(
			d, XY_DOCTOR_BETTER, "rp_filter", found,
			"what comes by another uplink than the way back leads over is dropped "
			"without a word",
			"sysctl -w net.ipv4.conf.UPLINK.rp_filter=2 (loose), of each of them");
	else
		xy_doctor_row(d, XY_DOCTOR_OK, "rp_filter", found, "", "");
}

// --- forwarding

static void see_forwarding(struct xy_doctor *d)
{
	long v6 = xy_doctor_number(d, "/proc/sys/net/ipv6/conf/all/forwarding");
	long v4 = xy_doctor_number(d, "/proc/sys/net/ipv4/ip_forward");
	bool has_v4 = false, has_v6 = d->config->exit.offer;
	char found[LINE];
	for (unsigned i = 0; i < d->config->routing.announce.count; i++) {
		bool is_v4 = xy_prefix_is_v4(&d->config->routing.announce.v[i]);
		has_v4 |= is_v4;
		has_v6 |= !is_v4;
	}
	if (!has_v4 && !has_v6)
		return;
	snprintf(found, sizeof(found), "IPv4 %s, IPv6 %s", v4 == 1 ? "on" : "off",
		 v6 == 1 ? "on" : "off");
	if ((has_v4 && v4 != 1) || (has_v6 && v6 != 1))
		xy_doctor_row(
			d, d->config->exit.offer ? XY_DOCTOR_WRONG : XY_DOCTOR_BETTER, "forwarding",
			found,
			"this node announces networks; what is behind this host (not behind a "
			"leaf, or this host itself) is reached only when its kernel forwards",
			"sysctl -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
	else
		xy_doctor_row(d, XY_DOCTOR_OK, "forwarding", found, "", "");
}

static void see_buffers(struct xy_doctor *d)
{
	enum { ENOUGH = 212992 };
	char found[LINE];
	long most = xy_doctor_number(d, "/proc/sys/net/core/rmem_max");
	long queue = xy_doctor_number(d, "/proc/sys/net/core/netdev_max_backlog");
	snprintf(found, sizeof(found), "rmem_max %ld, netdev_max_backlog %ld", most, queue);
	if (most > 0 && most < ENOUGH)
		xy_doctor_row(d, XY_DOCTOR_BETTER, "socket buffers", found,
			      "a node without CAP_NET_ADMIN gets no larger ones, and loses bursts",
			      "sysctl -w net.core.rmem_max=4194304");
	else if (most > 0)
		xy_doctor_row(d, XY_DOCTOR_OK, "socket buffers", found, "", "");
}

void xy_doctor_net(struct xy_doctor *d)
{
	see_conntrack(d);
	see_rp_filter(d);
	see_forwarding(d);
	see_buffers(d);
}
