// SPDX-License-Identifier: BSD-3-Clause
// dpdk ports on the vdevs that need no hardware: frames in and out, what is not ours to the TAP and
// back, and the limit of that. One device each, for a closed one is gone.
//
//   net_af_packet0 on p0 ---- q0 (10.66.2.2, a kernel)       TAP xport1 (10.66.2.1)
//   net_tap0 = xt0 (10.66.3.2, a kernel)                     TAP xport2 (10.66.3.1, beyond)
//   net_memif0 ---- net_memif1, net_ring0 to itself, net_null0, net_pcap0 on files
#include "card_rig.h"

#include <rte_dev.h>
#include <rte_ethdev.h>

#define PCAP_IN	 "in.pcap"
#define PCAP_OUT "out.pcap"

static char dir[] = "/tmp/xylem-dpdk-test.XXXXXX";

static struct xy_port *opened(const char *device, const char *tap, unsigned id, uint16_t udp_port,
			      const char *ours)
{
	struct xy_dp_port_config cfg = {
		.driver = XY_DP_DPDK, .address = addr("::"), .port = udp_port};
	struct xy_addr a = addr(ours);
	struct xy_port *port = NULL;
	struct xy_err err = {{0}};
	snprintf(cfg.device, sizeof(cfg.device), "%s", device);
	snprintf(cfg.interface, sizeof(cfg.interface), "%s", tap);
	int r = xy_port_dpdk_open(&rig.dp, &cfg, id, &port, &err);
	if (r)
		fprintf(stderr, "%s\n", err.text);
	CU_ASSERT_EQUAL_FATAL(r, 0);
	CU_ASSERT_EQUAL(xy_card(port)->ops->addresses(xy_card(port), &a, 1), 0);
	return port;
}

static void begin(unsigned workers)
{
	start(workers);
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	for (unsigned i = 0; i < workers; i++)
		rig.worker[i].now = (xy_nsec)t.tv_sec * XY_SEC;
}

// Walks the port, as a worker would, while a command runs.
static int walk_during(struct xy_port *port, const char *cmd)
{
	struct rte_mbuf *m[XY_BURST];
	struct xy_worker *w = &rig.worker[0];
	int status;
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", cmd, NULL);
		_exit(127);
	}
	while (waitpid(pid, &status, WNOHANG) == 0) {
		w->now += 100 * XY_USEC;
		rig_consume(w, m, look(port, 0, m, XY_BURST));
		rig_pause();
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// The kernel at the wire's other end sends to us, and receives from us.
static void both_ways(struct xy_port *port, const char *local, const char *remote,
		      const uint8_t next_mac[6])
{
	struct rte_mbuf *m[20];
	uint8_t own[6];
	int fd = kernel_socket(remote, 4000);
	for (unsigned i = 0; i < 20; i++)
		kernel_send(fd, local, OURS, i, 40 + i * 60);
	CU_ASSERT_EQUAL_FATAL(take(port, 0, m, 20), 20);
	for (unsigned i = 0; i < 20; i++)
		CU_ASSERT(intact(m[i], i, 40 + i * 60));
	CU_ASSERT_EQUAL(xy_card(port)->kernel->counters[0].rx_packets, 0);
	rig_consume(&rig.worker[0], m, 20);
	mac_of(xy_card(port)->interface, own);
	peer_at(port, local, remote, 4000, next_mac, own);
	for (unsigned i = 0; i < 20; i++) {
		m[0] = made(0, i, i * 70, 0, remote, 4000);
		CU_ASSERT_EQUAL(port->ops->tx_burst_rcu(port, &rig.worker[0], m, 1), 1);
		CU_ASSERT(kernel_got(fd, i, i * 70, OURS));
	}
	CU_ASSERT_EQUAL(xy_card(port)->kernel->counters[0].tx_packets, 0);
	close(fd);
}

// The host is reached through the port, and reaches out through it: ARP, ping, both ways.
static void host_path(struct xy_port *port, const char *local, const char *remote)
{
	char cmd[128];
	uint64_t punted = rig.worker[0].stats.punted, from_host = rig.worker[0].stats.host_rx;
	snprintf(cmd, sizeof(cmd), "ping -q -c 3 -i 0.05 -W 5 %s >/dev/null", remote);
	CU_ASSERT_EQUAL(walk_during(port, cmd), 0);
	snprintf(cmd, sizeof(cmd),
		 "nsenter --net=/proc/%d/fd/%d ping -q -c 3 -i 0.05 -W 5 %s >/dev/null",
		 (int)getpid(), there, local);
	CU_ASSERT_EQUAL(walk_during(port, cmd), 0);
	CU_ASSERT(rig.worker[0].stats.punted >= punted + 6);
	CU_ASSERT(rig.worker[0].stats.host_rx >= from_host + 6);
}

// What is sent to a group of the host's passes the device's filter.
static bool hears_groups(const char *name)
{
	uint16_t id;
	CU_ASSERT_EQUAL_FATAL(rte_eth_dev_get_port_by_name(name, &id), 0);
	return rte_eth_allmulticast_get(id) == 1 || rte_eth_promiscuous_get(id) == 1;
}

static void test_af_packet(void)
{
	uint8_t next[6];
	begin(1);
	struct xy_port *port = opened("net_af_packet0,iface=p0", "xport1", 1, OURS, "10.66.2.1");
	CU_ASSERT_EQUAL(sh("ip addr add 10.66.2.1/24 dev xport1"), 0);
	CU_ASSERT(hears_groups("net_af_packet0"));
	CU_ASSERT_EQUAL(port->sums, 0);
	mac_there("q0", next);
	host_path(port, "10.66.2.1", "10.66.2.2");
	both_ways(port, "10.66.2.1", "10.66.2.2", next);
	CU_ASSERT_STRING_EQUAL(xy_card(port)->ops->driver, "dpdk");
	CU_ASSERT_STRING_EQUAL(xy_card(port)->interface, "xport1");
	CU_ASSERT_EQUAL(rig.worker[0].blind, 1);
	finish(port);
	CU_ASSERT_EQUAL(rig.worker[0].blind, 0);
	CU_ASSERT_EQUAL(if_nametoindex("xport1"), 0); // the TAP goes with the port
}

static void test_tap(void)
{
	uint8_t next[6];
	begin(1);
	struct xy_port *port = opened("net_tap0,iface=xt0", "xport2", 1, OURS, "10.66.3.1");
	CU_ASSERT_EQUAL(sh("ip addr add 10.66.3.1/24 dev xport2"), 0);
	CU_ASSERT_EQUAL(sh("ip link set xt0 netns /proc/%d/fd/%d", (int)getpid(), there), 0);
	CU_ASSERT_EQUAL(sh_there("ip link set xt0 address 02:00:00:00:03:02 && "
				 "ip addr add 10.66.3.2/24 dev xt0 && ip link set xt0 up"),
			0);
	CU_ASSERT(hears_groups("net_tap0"));
	CU_ASSERT(port->sums & XY_FRAME_SUM_DEVICE); // the kernel beyond checks what it makes of it
	mac_there("xt0", next);
	host_path(port, "10.66.3.1", "10.66.3.2");
	both_ways(port, "10.66.3.1", "10.66.3.2", next);
	char back[64];
	snprintf(back, sizeof(back), "ip link set xt0 netns /proc/%d/fd/%d", (int)getpid(), here);
	CU_ASSERT_EQUAL(sh_there(back), 0); // its driver looks for it at the end
	finish(port);
}

// What is put on one comes out of the other: each from its own address to the other's.
static void cross(struct xy_port *from, struct xy_port *to, const char *local, const char *remote)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 9};
	struct rte_mbuf *m;
	peer_at(from, local, remote, to->udp_port, mac, mac);
	for (unsigned i = 0; i < 40; i++) {
		unsigned sent = 0;
		for (unsigned k = 0; !sent && k < WAITS; k++) {
			m = made(0, i, i * 35, 0, remote, to->udp_port);
			sent = from->ops->tx_burst_rcu(from, &rig.worker[0], &m, 1);
			if (sent)
				break;
			// memif: until it is connected, and the other end has given room
			CU_ASSERT_EQUAL(xy_packet(m)->drop, XY_DROP_TX_FULL);
			rig_drop(&rig.worker[0], &m, 1);
			CU_ASSERT_EQUAL(look(to, 0, &m, 1), 0);
			rig_pause();
		}
		CU_ASSERT_EQUAL_FATAL(take(to, 0, &m, 1), 1);
		CU_ASSERT(intact(m, i, i * 35));
		CU_ASSERT_EQUAL(xy_packet(m)->port, to->id);
		CU_ASSERT_EQUAL(xy_packet(m)->remote.port, from->udp_port);
		rig_consume(&rig.worker[0], &m, 1);
	}
}

static void test_ring(void)
{
	struct rte_mbuf *m;
	begin(1);
	struct xy_port *port = opened("net_ring0", "xport3", 2, OURS, "10.66.4.1");
	cross(port, port, "10.66.4.1", "10.66.4.1");
	int watched = rig_watched; // the deleted twin must not keep its worker awake
	CU_ASSERT_EQUAL(sh("ip link del xport3"), 0);
	for (unsigned i = 0; i < 64; i++)
		CU_ASSERT_EQUAL(look(port, 0, &m, 1), 0);
	CU_ASSERT_EQUAL(rig_watched, watched - 1);
	finish(port);
}

static void test_memif(void)
{
	char device[128];
	begin(1);
	snprintf(device, sizeof(device), "net_memif0,socket=%s/memif", dir);
	struct xy_port *a = opened(device, "xport4", 4, OURS, "10.66.5.1");
	snprintf(device, sizeof(device), "net_memif1,socket=%s/memif", dir);
	struct xy_port *b = opened(device, "xport5", 5, OURS + 1, "10.66.5.2");
	cross(a, b, "10.66.5.1", "10.66.5.2");
	cross(b, a, "10.66.5.2", "10.66.5.1");
	b->ops->close(b);
	finish(a);
}

// An endless source of frames that are nobody's: the host gets so many a second, the rest is
// counted.
static void test_rate(void)
{
	struct rte_mbuf *m[XY_BURST];
	begin(1);
	struct xy_port *port = opened("net_null0", "xport6", 6, OURS, "10.66.6.1");
	struct xy_worker *w = &rig.worker[0];
	for (unsigned i = 0; i < 100; i++) // at one moment: the burst
		CU_ASSERT_EQUAL(look(port, 0, m, XY_BURST), 0);
	uint64_t to_host = w->stats.punted + w->stats.drop[XY_DROP_HOST_FULL];
	CU_ASSERT_EQUAL(to_host, 512);
	CU_ASSERT_EQUAL(w->stats.drop[XY_DROP_EXCEPTION_LIMITED], w->stats.rx - 512);
	for (unsigned i = 0; i < 10000; i++) { // a second, in 100 us
		w->now += 100 * XY_USEC;
		look(port, 0, m, XY_BURST);
	}
	to_host = w->stats.punted + w->stats.drop[XY_DROP_HOST_FULL];
	CU_ASSERT_EQUAL(to_host, 512 + 20000);
	CU_ASSERT_EQUAL(w->stats.drop[XY_DROP_EXCEPTION_LIMITED] + to_host, w->stats.rx);
	finish(port);
}

// --- files of frames

static void pcap_write(const char *path, unsigned frames)
{
	static const uint32_t head[6] = {0xa1b2c3d4, 4 << 16 | 2, 0, 0, 65535, 1};
	FILE *f = fopen(path, "wb");
	struct xy_addr from = addr("10.66.7.2");
	struct xy_endpoint to = {.addr = addr("10.66.7.1"), .port = OURS};
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 9};
	struct xy_frame_header h;
	CU_ASSERT_EQUAL_FATAL(xy_frame_header_make(&h, mac, mac, &from, 4000, &to, 0), 0);
	fwrite(head, sizeof(head), 1, f);
	for (unsigned i = 0; i < frames; i++) {
		struct rte_mbuf *m = made(0, i, i * 30, 0, "10.66.7.1", OURS);
		xy_frame_put_on(m, &h);
		uint32_t record[4] = {0, 0, m->data_len, m->data_len};
		fwrite(record, sizeof(record), 1, f);
		fwrite(rte_pktmbuf_mtod(m, void *), m->data_len, 1, f);
		rig_consume(&rig.worker[0], &m, 1);
	}
	fclose(f);
}

static void test_pcap(void)
{
	struct rte_mbuf *m[40];
	char device[200], path[80];
	struct stat st;
	begin(1);
	snprintf(path, sizeof(path), "%s/" PCAP_IN, dir);
	pcap_write(path, 40);
	// Its file is opened as the device comes up, so not before.
	snprintf(device, sizeof(device), "rx_pcap=%s/" PCAP_IN ",tx_pcap=%s/" PCAP_OUT, dir, dir);
	CU_ASSERT_EQUAL_FATAL(rte_eal_hotplug_add("vdev", "net_pcap0", device), 0);
	struct xy_port *port = opened("net_pcap0", "xport7", 7, OURS, "10.66.7.1");
	CU_ASSERT_EQUAL_FATAL(take(port, 0, m, 40), 40);
	for (unsigned i = 0; i < 40; i++)
		CU_ASSERT(intact(m[i], i, i * 30));
	rig_consume(&rig.worker[0], m, 40);
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 9};
	peer_at(port, "10.66.7.1", "10.66.7.2", 4000, mac, mac);
	m[0] = made(0, 1, 100, 0, "10.66.7.2", 4000);
	CU_ASSERT_EQUAL(port->ops->tx_burst_rcu(port, &rig.worker[0], m, 1), 1);
	finish(port);
	snprintf(path, sizeof(path), "%s/" PCAP_OUT, dir);
	CU_ASSERT_EQUAL(stat(path, &st), 0);
	CU_ASSERT_EQUAL(st.st_size, 24 + 16 + 142);
}

static void test_refused(void)
{
	struct xy_dp_port_config cfg = {.driver = XY_DP_DPDK,
					.device = "net_nosuch0,iface=x",
					.address = addr("::"),
					.port = OURS};
	struct xy_port *port = NULL;
	struct xy_err err = {{0}};
	begin(1);
	CU_ASSERT_EQUAL(xy_port_dpdk_open(&rig.dp, &cfg, 0, &port, &err), -ENODEV);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "net_nosuch0"));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "no such device"));
	CU_ASSERT_PTR_NULL(port);
	finish(NULL);
}

// --- the devices must be there before EAL starts

static int wire_make(void)
{
	// p0 is the device's alone: the kernel, which sees its frames as well, must not answer.
	int r = sh("ip link add p0 type veth peer name q0 netns /proc/%d/fd/%d && "
		   "sysctl -qw net.ipv6.conf.p0.disable_ipv6=1 net.ipv4.conf.p0.arp_ignore=8 "
		   "net.ipv4.conf.p0.rp_filter=1 && ip link set p0 up",
		   (int)getpid(), there);
	return r ? r : sh_there("ip addr add 10.66.2.2/24 dev q0 && ip link set q0 up");
}

static int run(int argc, char **argv)
{
	static const struct xy_unit_case cases[] = {
		{"af_packet, with the host", test_af_packet},
		{"tap, with the host", test_tap},
		{"ring", test_ring},
		{"memif", test_memif},
		{"null: the host's rate", test_rate},
		{"pcap", test_pcap},
		{"refused", test_refused},
	};
	static char memif[2][128];
	const char *vdevs[] = {"net_af_packet0,iface=p0",
			       "net_tap0,iface=xt0",
			       "net_ring0",
			       memif[0],
			       memif[1],
			       "net_null0"};
	for (unsigned i = 0; i < 2; i++)
		snprintf(memif[i], sizeof(memif[i]),
			 "net_memif%u,role=%s,socket-abstract=no,socket=%s/memif", i,
			 i ? "client" : "server", dir);
	int r = rig_eal("dpdk_test", vdevs, RTE_DIM(vdevs));
	return r ? r : xy_unit_run("dpdk", cases, RTE_DIM(cases), argc, argv);
}

int main(int argc, char **argv)
{
	rig_net("dpdk_test");
	int r = card_rig_start("dpdk_test");
	if (r)
		return r;
	if (wire_make() || !mkdtemp(dir))
		return 2;
	r = run(argc, argv);
	sh("rm -rf %s", dir);
	return r;
}
