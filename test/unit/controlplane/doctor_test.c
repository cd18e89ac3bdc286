// SPDX-License-Identifier: BSD-3-Clause
// What doctor says of hosts that are made up: files below a root of their own, one that is well and
// what is changed in it, row by row.
#include "cli/doctor.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[] = "/tmp/xylem-doctor-XXXXXX";

// Each part of the path is made.
static void put(const char *path, const char *text)
{
	char whole[512];
	snprintf(whole, sizeof(whole), "%s%s", root, path);
	for (char *p = whole + sizeof(root); (p = strchr(p, '/')); *p++ = '/') {
		*p = 0;
		mkdir(whole, 0755);
	}
	unlink(whole);
	FILE *f = text ? fopen(whole, "w") : NULL;
	if (f) {
		fputs(text, f);
		fclose(f);
	}
}

static void lead(const char *path, const char *to)
{
	char whole[512];
	put(path, NULL);
	snprintf(whole, sizeof(whole), "%s%s", root, path);
	CU_ASSERT(symlink(to, whole) == 0);
}

#define EXIT                                             \
	"exit = \"a\"; peers = ( { name = \"a\"; key = " \
	"\"xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=\"; endpoints = [ \"192.0.2.1:5\" ]; } );"

#define CARD  "/sys/class/net/eth0"
#define PAGES "/hugepages/hugepages-2048kB/nr_hugepages"

#define ROUTES                                                                                  \
	"Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n" \
	"xylem0\t00000A0A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
#define WAY(name, metric) name "\t00000000\t0101A8C0\t0003\t0\t0\t" metric "\t00000000\t0\t0\t0\n"

static void make_host(void)
{
	static const char *const files[][2] = {
		{"/proc/sys/kernel/osrelease", "6.12.1\n"},
		{"/dev/net/tun", "x"},
		{"/sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n"},
		{"/run/systemd/timesync/synchronized", "x"},
		{"/sys/devices/system/node/node0" PAGES, "128\n"},
		{"/sys/devices/system/node/node0/cpu0/x", "x"},
		{"/sys/devices/system/node/node0/cpu1/x", "x"},
		{"/sys/devices/system/cpu/isolated", "\n"},
		{"/sys/devices/system/cpu/online", "0-3\n"},
		{CARD "/operstate", "up\n"},
		{CARD "/mtu", "1500\n"},
		{CARD "/queues/rx-0/x", "x"},
		{CARD "/queues/rx-1/x", "x"},
		{CARD "/device/numa_node", "0\n"},
		{CARD "/device/msi_irqs/40", "x"},
		{CARD "/device/msi_irqs/41", "x"},
		{"/proc/irq/40/smp_affinity_list", "0\n"},
		{"/proc/irq/41/smp_affinity_list", "1\n"},
		{"/proc/sys/net/netfilter/nf_conntrack_count", "5\n"},
		{"/proc/sys/net/netfilter/nf_conntrack_max", "1000\n"},
		{"/proc/net/nf_conntrack",
		 "ipv4 2 tcp 6 300 src=10.0.0.1 dst=10.0.0.2 sport=1 dport=51820 \n"},
		{"/proc/sys/net/ipv4/conf/all/rp_filter", "2\n"},
		{"/proc/sys/net/ipv4/conf/eth0/rp_filter", "1\n"},
		{"/proc/sys/net/ipv4/conf/eth1/rp_filter", "1\n"},
		{"/proc/sys/net/ipv4/conf/xylem0/rp_filter", "1\n"},
		{"/proc/net/route", ROUTES WAY("eth0", "100")},
		{"/proc/sys/net/ipv4/ip_forward", "0\n"},
		{"/proc/sys/net/ipv6/conf/all/forwarding", "0\n"},
		{"/proc/sys/net/core/rmem_max", "212992\n"},
	};
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		put(files[i][0], files[i][1]);
	lead(CARD "/device/driver", "../../../bus/pci/drivers/ice");
}

#define XDP "ports = ( { driver = \"af_xdp\"; interface = \"eth0\"; } ); workers = { count = 2; };"

static json_t *look(const char *config, const char *ports, const char *node)
{
	struct xy_config c;
	struct xy_err err = {""};
	json_t *p = ports ? json_loads(ports, 0, NULL) : NULL,
	       *n = node ? json_loads(node, 0, NULL) : NULL;
	CU_ASSERT_FATAL(xy_config_parse("c", config, strlen(config), &c, &err) == 0);
	struct xy_doctor d = {
		.root = root, .config = &c, .ports = p, .node = n, .rows = json_array()};
	xy_doctor_kernel(&d);
	xy_doctor_cards(&d);
	xy_doctor_net(&d);
	xy_config_free(&c);
	json_decref(p);
	json_decref(n);
	return d.rows;
}

static const char *text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));
	return text ? text : "";
}

// Another file than in a host that is well (NULL: none; "" as path: none is changed), what is seen.
static const struct row {
	const char *path, *text, *config, *ports, *node;
	const char *what, *state, *found, *type;
} rows[] = {
	{"/proc/sys/kernel/osrelease", "5.10.0-1\n", "", NULL, NULL, "kernel", "could be better",
	 "5.10.0-1", "apt-get install"},
	{"/proc/sys/kernel/osrelease", "4.19.0\n", XDP, NULL, NULL, "kernel", "wrong", "4.19", ""},
	{"/dev/net/tun", NULL, "", NULL, NULL, "tun", "wrong", "no /dev/net/tun", "modprobe tun"},
	{"/dev/net/tun", NULL, "tun = false;", NULL, NULL, NULL, NULL, NULL, NULL},
	{"/sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet\n", "", NULL,
	 NULL, "clock source", "could be better", "hpet", "echo tsc"},
	{"/run/systemd/timesync/synchronized", NULL, "", NULL, NULL, "clock", "could be better",
	 "not known", "timedatectl set-ntp true"},
	{"/sys/devices/system/node/node0" PAGES, "0\n", "", NULL, NULL, "hugepages",
	 "could be better", "0 of 2 MiB", "vm.nr_hugepages"},
	{"/sys/devices/system/node/node1" PAGES, "0\n", "", NULL, NULL, "hugepages",
	 "could be better", "128 of 2 MiB on 2 NUMA nodes", "node"},
	{"", NULL, "", NULL, "{\"memory\":\"no hugepages (29 MiB heap)\"}", "hugepages",
	 "could be better", "128", "restart"},
	{"", NULL, "workers = { idle = \"poll\"; };", NULL, NULL, "isolcpus", "could be better",
	 "poll", "isolcpus="},
	{"/sys/devices/system/cpu/isolated", "2-3\n", "", NULL, NULL, "isolcpus", "could be better",
	 "2-3", "cpus = [ N ]"},
	{"/sys/devices/system/cpu/isolated", "2-3\n",
	 "workers = { count = 1; cpus = [ 3 ]; idle = \"poll\"; };", NULL, NULL, NULL, NULL, NULL,
	 NULL},
	{"/sys/devices/system/cpu/isolated", "2\n",
	 "workers = { count = 1; cpus = [ 3 ]; idle = \"poll\"; };", NULL, NULL, "isolcpus",
	 "could be better", "2;", ""},
	{"/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n", "", NULL, NULL,
	 "frequency", "could be better", "1 CPUs", "cpupower"},
	// cards
	{"", NULL, XDP,
	 "{\"ports\":[{\"interface\":\"eth0\",\"driver\":\"af_xdp\",\"mode\":\"generic, copy\"}]}",
	 NULL, "eth0 XDP", "could be better", "driver ice, mode generic", "driver = \"socket\""},
	{"", NULL, "ports = ( { driver = \"af_xdp\"; interface = \"eth0\"; } );", NULL, NULL,
	 "eth0 queues", "could be better", "2, workers: 1", "ethtool -L eth0 combined 1"},
	{CARD "/queues/rx-2/x", "x", XDP, NULL, NULL, "eth0 queues", "could be better",
	 "3, workers: 2", "workers.count = 3"},
	{"/proc/irq/41/smp_affinity_list", "0\n", "", NULL, NULL, "eth0 interrupts",
	 "could be better", "all on CPU 0", "irqbalance"},
	{CARD "/operstate", "down\n", XDP, NULL, NULL, "eth0 link", "wrong", "down",
	 "ip link set eth0 up"},
	{"", NULL, "ports = ( { driver = \"af_xdp\"; interface = \"eth7\"; } );", NULL, NULL,
	 "eth7 link", "wrong", "no such interface", ""},
	{CARD "/mtu", "1400\n", "", NULL, NULL, "eth0 MTU", "could be better", "1400", "mtu 1500"},
	{CARD "/mtu", "9000\n", XDP, NULL, NULL, NULL, NULL, NULL, NULL},
	{CARD "/device/numa_node", "1\n", XDP, NULL, NULL, NULL, NULL, NULL,
	 NULL}, // one node alone
	// network
	{"/proc/net/nf_conntrack",
	 "ipv4 2 udp 17 30 src=10.0.0.1 dst=10.0.0.2 sport=51820 dport=51820 \n", "", NULL, NULL,
	 "conntrack", "could be better", "ours: 1", "notrack"},
	{"/proc/sys/net/netfilter/nf_conntrack_count", "950\n", "", NULL, NULL, "conntrack",
	 "wrong", "950 of 1000", "nf_conntrack_max"},
	{"/proc/sys/net/netfilter/nf_conntrack_max", NULL, "", NULL, NULL, NULL, NULL, NULL, NULL},
	{"/proc/sys/net/ipv4/conf/all/rp_filter", "1\n", "", NULL, NULL, NULL, NULL, NULL, NULL},
	{"/proc/sys/net/core/rmem_max", "65536\n", "", NULL, NULL, "socket buffers",
	 "could be better", "65536", "rmem_max="},
	{"", NULL, "routing = { announce = [ \"10.1.0.0/16\" ]; };", NULL, NULL, "forwarding",
	 "could be better", "IPv4 off", "ip_forward=1"},
};

// What the kernel does to what links bring while an exit is used: as the daemon itself decides it.
static const struct strictness {
	const char *all, *mark, *eth0_mark, *routes;
	bool exit;
	const char *state, *type;
} strictnesses[] = {
	{"2", "0", "0", ROUTES WAY("eth0", "100"), true, "ok", ""},
	{"1", "0", "0", ROUTES WAY("eth0", "100"), true, "wrong", "net.ipv4.conf.eth0.rp_filter=2"},
	{"1", "1", "0", ROUTES WAY("eth0", "100"), true, "ok", ""}, // as wg-quick has it
	{"1", "0", "1", ROUTES WAY("eth0", "100"), true, "ok", ""},
	{"1", "0", "0", ROUTES, true, "ok", ""},
	{"1", "0", "0", ROUTES WAY("eth0", "100"), false, "ok", ""},
	{"1", "0", "0", ROUTES WAY("eth0", "100") WAY("eth1", "50"), false, "could be better",
	 "UPLINK"},
	{"1", "0", "1", ROUTES WAY("eth0", "100") WAY("eth1", "50"), true, "wrong",
	 "net.ipv4.conf.eth1.rp_filter=2"},
};

static void remove_all(void)
{
	char command[80];
	snprintf(command, sizeof(command), "rm -rf '%s'/*", root);
	CU_ASSERT(system(command) == 0);
}

static bool right(const struct row *r, const json_t *seen)
{
	bool found = !r->what;
	const json_t *o;
	size_t i;
	json_array_foreach(seen, i, o)
	{
		bool it = r->what && strcmp(text_of(o, "what"), r->what) == 0;
		if (it)
			found = strcmp(text_of(o, "state"), r->state) == 0 &&
				strstr(text_of(o, "found"), r->found) &&
				strstr(text_of(o, "type"), r->type);
		else if (strcmp(text_of(o, "state"), "ok") != 0)
			return false; // and all else is well
		if (strcmp(text_of(o, "state"), "ok") != 0 && !*text_of(o, "means"))
			return false;
	}
	return found;
}

static void test_rows(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		remove_all();
		make_host();
		if (*r->path)
			put(r->path, r->text);
		json_t *seen = look(r->config, r->ports, r->node);
		bool good = right(r, seen);
		if (!good) {
			char *text = json_dumps(seen, JSON_INDENT(1));
			printf("\n  row %zu %s: %s\n", i, r->path, text);
			free(text);
		}
		CU_ASSERT(good);
		json_decref(seen);
	}
}

static const json_t *row_of(const json_t *seen, const char *what)
{
	const json_t *o;
	size_t i;
	json_array_foreach(seen, i, o)
	{
		if (strcmp(text_of(o, "what"), what) == 0)
			return o;
	}
	return NULL;
}

static void test_strict(void)
{
	for (size_t i = 0; i < sizeof(strictnesses) / sizeof(strictnesses[0]); i++) {
		const struct strictness *s = &strictnesses[i];
		remove_all();
		make_host();
		put("/proc/sys/net/ipv4/conf/all/rp_filter", s->all);
		put("/proc/sys/net/ipv4/conf/all/src_valid_mark", s->mark);
		put("/proc/sys/net/ipv4/conf/eth0/src_valid_mark", s->eth0_mark);
		put("/proc/net/route", s->routes);
		json_t *seen = look(s->exit ? EXIT : "", NULL, NULL);
		const json_t *o = row_of(seen, "rp_filter");
		bool good = strcmp(text_of(o, "state"), s->state) == 0 &&
			    strstr(text_of(o, "type"), s->type);
		if (!good)
			printf("\n  strict row %zu: %s, %s\n", i, text_of(o, "state"),
			       text_of(o, "type"));
		CU_ASSERT(good);
		json_decref(seen);
	}
}

// `powersave` is the usual name where the hardware decides, and no sleep.
static void test_governor(void)
{
	static const struct {
		const char *driver;
		bool told;
	} rows_of[] = {{"intel_pstate\n", false},
		       {"amd-pstate-epp\n", false},
		       {"intel_cpufreq\n", true},
		       {"acpi-cpufreq\n", true}};
	for (size_t i = 0; i < sizeof(rows_of) / sizeof(rows_of[0]); i++) {
		remove_all();
		make_host();
		put("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n");
		put("/sys/devices/system/cpu/cpu0/cpufreq/scaling_driver", rows_of[i].driver);
		json_t *seen = look("", NULL, NULL);
		CU_ASSERT((row_of(seen, "frequency") != NULL) == rows_of[i].told);
		json_decref(seen);
	}
}

// A host of which nothing can be read, as in a container: no row is wrong by that.
static void test_nothing(void)
{
	remove_all();
	json_t *seen = look("tun = false;", NULL, NULL), *o;
	size_t i;
	json_array_foreach(seen, i, o)
	{
		CU_ASSERT_STRING_NOT_EQUAL(text_of(o, "state"), "wrong");
	}
	json_decref(seen);
	rmdir(root);
}

static void prepare(void)
{
	CU_ASSERT_FATAL(mkdtemp(root) != NULL);
}

XY_UNIT_MAIN("doctor", {"a folder", prepare}, {"each thing", test_rows}, {"rp_filter", test_strict},
	     {"frequency", test_governor}, {"nothing is there", test_nothing})
