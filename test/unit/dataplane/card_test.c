// SPDX-License-Identifier: BSD-3-Clause
// af_xdp ports on a veth whose other end is a kernel in another namespace: which datagrams come by
// AF_XDP and which by the kernel's socket, what is sent how, what is refused, and that nothing is
// left behind.
//
//   c0 (10.66.0.1, fd66::1, the port) ---- k0 (10.66.0.2, fd66::2, a kernel)
#include "card_rig.h"

#include "port/steering.h"
#include "port/xsk.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <netinet/udp.h>
#include <signal.h>

static uint8_t mac_c0[6], mac_k0[6];
static struct rte_mempool *jumbo_pool; // buffers longer than a page

static void wire_make(unsigned queues)
{
	CU_ASSERT_EQUAL_FATAL(
		sh("ip link add c0 numrxqueues %u numtxqueues %u type veth peer name k0 "
		   "numrxqueues %u numtxqueues %u netns /proc/%d/fd/%d && "
		   "ip addr add 10.66.0.1/24 dev c0 && ip addr add fd66::1/64 dev c0 nodad && "
		   "ip link set c0 up",
		   queues, queues, queues, queues, (int)getpid(), there),
		0);
	CU_ASSERT_EQUAL_FATAL(sh_there("ip addr add 10.66.0.2/24 dev k0 && "
				       "ip addr add fd66::2/64 dev k0 nodad && ip link set k0 up"),
			      0);
	mac_of("c0", mac_c0);
	mac_there("k0", mac_k0);
}

static void wire_gone(void)
{
	CU_ASSERT_EQUAL(sh("ip link del c0"), 0);
}

static bool no_checksum; // of the ports that are opened
static const char *on = "c0";

static int try_open(uint16_t udp_port, unsigned id, struct xy_port **out, struct xy_err *err)
{
	struct xy_dp_port_config cfg = {.driver = XY_DP_AF_XDP,
					.address = addr("::"),
					.port = udp_port,
					.no_checksum = no_checksum};
	snprintf(cfg.interface, sizeof(cfg.interface), "%s", on);
	*out = NULL;
	return xy_port_af_xdp_open(&rig.dp, &cfg, id, out, err);
}

static struct xy_port *opened(uint16_t udp_port)
{
	struct xy_addr ours[2] = {addr("10.66.0.1"), addr("fd66::1")};
	struct xy_port *port;
	struct xy_err err = {{0}};
	int r = try_open(udp_port, 3, &port, &err);
	if (r)
		fprintf(stderr, "%s\n", err.text);
	CU_ASSERT_EQUAL_FATAL(r, 0);
	CU_ASSERT_EQUAL(xy_card(port)->ops->addresses(xy_card(port), ours, 2), 0);
	return port;
}

static uint64_t steered(struct xy_port *port, enum xy_steer verdict)
{
	uint64_t n[XY_STEER_COUNT];
	xy_card(port)->ops->steered(xy_card(port), n);
	return n[verdict];
}

static bool has_program(void)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, q);
	CU_ASSERT_EQUAL_FATAL(bpf_xdp_query((int)if_nametoindex("c0"), 0, &q), 0);
	return q.attach_mode != XDP_ATTACHED_NONE;
}

// Is what is sealed in a datagram over IPv4 where the cipher wants it?
static bool begins_line(struct rte_mbuf *m)
{
	return !xy_addr_is_v4(&xy_packet(m)->local) ||
	       RIG_BEGINS_LINE(rte_pktmbuf_mtod(m, uint8_t *) + XY_WG_DATA_HEADER_LEN);
}

static void receive(const char *from, const char *to)
{
	struct rte_mbuf *m[100];
	struct xy_addr local = addr(to), remote = addr(from);
	start(1);
	struct xy_port *port = opened(OURS);
	int fd = kernel_socket(from, 4000), ecn = 2;
	setsockopt(fd, SOL_IP, IP_TOS, &ecn, sizeof(ecn));
	setsockopt(fd, SOL_IPV6, IPV6_TCLASS, &ecn, sizeof(ecn));

	for (unsigned i = 0; i < 100; i++)
		kernel_send(fd, to, OURS, i, i * 14);
	CU_ASSERT_EQUAL_FATAL(take(port, 0, m, 100), 100);
	for (unsigned i = 0; i < 100; i++) {
		struct xy_packet *p = xy_packet(m[i]);
		CU_ASSERT(intact(m[i], i, i * 14));
		CU_ASSERT(xy_addr_eq(&p->remote.addr, &remote));
		CU_ASSERT_EQUAL(p->remote.port, 4000);
		CU_ASSERT_EQUAL(p->remote.scope, 0);
		CU_ASSERT(xy_addr_eq(&p->local, &local));
		CU_ASSERT_EQUAL(p->port, 3);
		CU_ASSERT_EQUAL(p->from, XY_PEER_NONE);
		CU_ASSERT_EQUAL(p->ecn, 2);
		CU_ASSERT(rte_pktmbuf_headroom(m[i]) >= XY_HEADROOM);
		CU_ASSERT(begins_line(m[i]));
	}
	CU_ASSERT_EQUAL(steered(port, XY_STEER_OURS), 100);
	CU_ASSERT_EQUAL(port->counters[0].rx_packets, 100);
	CU_ASSERT_EQUAL(port->counters[0].rx_bytes, 14 * 99 * 100 / 2);
	CU_ASSERT_EQUAL(xy_card(port)->kernel->counters[0].rx_packets, 0);
	rig_consume(&rig.worker[0], m, 100);
	close(fd);
	finish(port);
}

static void test_receive(void)
{
	receive("10.66.0.2", "10.66.0.1");
	receive("fd66::2", "fd66::1");
}

static void tcp(const char *to)
{
	union at a;
	socklen_t len = at_make(&a, to, 7000);
	int one = 1, listener = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	CU_ASSERT_EQUAL_FATAL(bind(listener, &a.any, len), 0);
	CU_ASSERT_EQUAL_FATAL(listen(listener, 1), 0);
	enter(there);
	int fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	enter(here);
	CU_ASSERT_EQUAL(connect(fd, &a.any, len), 0);
	int peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	char got[8] = {0};
	CU_ASSERT_EQUAL(write(fd, "through", 7), 7);
	CU_ASSERT_EQUAL(read(peer, got, sizeof(got)), 7);
	close(peer);
	close(fd);
	close(listener);
}

// What is not ours goes on to the kernel, and our UDP that XDP does not take comes by its socket.
static void test_others(void)
{
	struct rte_mbuf *m[2];
	start(1);
	struct xy_port *port = opened(OURS);
	int fd = kernel_socket("10.66.0.2", 4000);

	CU_ASSERT_EQUAL(sh_there("ip neigh flush dev k0"), 0);
	CU_ASSERT_EQUAL(sh_there("ping -q -c 2 -i 0.01 -W 5 10.66.0.1 >/dev/null"), 0);
	CU_ASSERT_EQUAL(sh_there("ping -q -c 2 -i 0.01 -W 5 fd66::1 >/dev/null"), 0);
	tcp("10.66.0.1");
	tcp("fd66::1");
	CU_ASSERT(steered(port, XY_STEER_NOT_UDP) > 8);
	CU_ASSERT(steered(port, XY_STEER_NOT_IP) > 0); // ARP

	int other = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	union at a;
	socklen_t len = at_make(&a, "10.66.0.1", OURS + 1);
	CU_ASSERT_EQUAL_FATAL(bind(other, &a.any, len), 0);
	kernel_send(fd, "10.66.0.1", OURS + 1, 1, 50);
	CU_ASSERT(kernel_got(other, 1, 50, 4000));
	CU_ASSERT(steered(port, XY_STEER_OTHER_PORT) > 0);
	close(other);

	CU_ASSERT_EQUAL(look(port, 0, m, 2), 0); // none of it is ours
	kernel_send(fd, "10.66.0.1", OURS, 2, 2000);
	CU_ASSERT_EQUAL_FATAL(take(port, 0, m, 1), 1);
	CU_ASSERT(intact(m[0], 2, 2000));
	CU_ASSERT_EQUAL(xy_packet(m[0])->port, 3);
	CU_ASSERT_EQUAL(steered(port, XY_STEER_FRAGMENT), 2);
	CU_ASSERT_EQUAL(steered(port, XY_STEER_OURS), 0);
	rig_consume(&rig.worker[0], m, 1);
	close(fd);
	finish(port);
}

static bool is_ours(struct xy_port *port, int from, const char *to)
{
	struct rte_mbuf *m;
	uint64_t before = steered(port, XY_STEER_OURS);
	kernel_send(from, to, OURS, 1, 20);
	CU_ASSERT_EQUAL_FATAL(take(port, 0, &m, 1), 1);
	rig_consume(&rig.worker[0], &m, 1);
	return steered(port, XY_STEER_OURS) > before;
}

// As many addresses as the program's map holds may all be exchanged for others.
static void test_all_addresses_change(void)
{
	static struct xy_addr set[2][256];
	start(1);
	struct xy_port *port = opened(OURS);
	struct xy_card *card = xy_card(port);
	int fd = kernel_socket("10.66.0.2", 4000);
	for (unsigned i = 0; i < 512; i++)
		set[i / 256][i % 256] = xy_addr_from_v4(0x0a420100 + i);
	set[0][255] = addr("10.66.0.1");
	for (unsigned i = 0; i < 4; i++) {
		CU_ASSERT_EQUAL(card->ops->addresses(card, set[i & 1], 256), 0);
		CU_ASSERT_EQUAL(is_ours(port, fd, "10.66.0.1"), !(i & 1));
	}
	close(fd);
	finish(port);
}

// Only UDP to the addresses of the last call; a removed one's comes by the kernel's socket.
static void test_addresses(void)
{
	struct rte_mbuf *m;
	struct xy_addr v6 = addr("fd66::1");
	start(1);
	struct xy_port *port = opened(OURS);
	int fd = kernel_socket("10.66.0.2", 4000);
	CU_ASSERT_EQUAL(xy_card(port)->ops->addresses(xy_card(port), &v6, 1), 0);
	kernel_send(fd, "10.66.0.1", OURS, 1, 100);
	CU_ASSERT_EQUAL_FATAL(take(port, 0, &m, 1), 1);
	CU_ASSERT(intact(m, 1, 100));
	CU_ASSERT_EQUAL(steered(port, XY_STEER_OTHER_ADDR), 1);
	CU_ASSERT_EQUAL(xy_card(port)->kernel->counters[0].rx_packets, 1);
	rig_consume(&rig.worker[0], &m, 1);
	close(fd);
	finish(port);
}

// With an adjacency by AF_XDP, without one by the kernel's socket; the kernel beyond the wire
// checks the sums.
static void transmit(const char *local, const char *remote)
{
	enum { N = 200 };
	struct rte_mbuf *m[N];
	start(1);
	struct xy_port *port = opened(OURS);
	int fd = kernel_socket(remote, 4000);
	peer_at(port, local, remote, 4000, mac_k0, mac_c0);

	for (unsigned i = 0; i < N; i++)
		m[i] = made(0, i, i * 7, i % 10 ? 0 : XY_PEER_NONE, remote, 4000);
	for (unsigned i = 0; i < N; i += 10) {
		CU_ASSERT_EQUAL(port->ops->tx_burst_rcu(port, &rig.worker[0], m + i, 10), 10);
		// Those by the kernel's socket may overtake the nine of their burst.
		bool seen[10] = {false};
		for (unsigned j = 0; j < 10; j++) {
			uint8_t data[2048];
			ssize_t n = -1;
			for (unsigned k = 0; n < 0 && k < WAITS; k++)
				if ((n = recv(fd, data, sizeof(data), 0)) < 0)
					rig_pause();
			CU_ASSERT_FATAL(n >= 0 && n % 7 == 0 && (unsigned)n / 7 - i < 10);
			unsigned number = (unsigned)n / 7;
			CU_ASSERT_FALSE(seen[number - i]);
			seen[number - i] = true;
			for (unsigned k = 0; k < (unsigned)n; k++)
				CU_ASSERT_EQUAL_FATAL(data[k], byte(number, k));
		}
	}
	CU_ASSERT_EQUAL(port->counters[0].tx_packets, N - N / 10);
	CU_ASSERT_EQUAL(xy_card(port)->kernel->counters[0].tx_packets, N / 10);
	CU_ASSERT_EQUAL(rig.worker[0].stats.tx, N);
	close(fd);
	finish(port);
}

static void test_transmit(void)
{
	transmit("10.66.0.1", "10.66.0.2");
	transmit("fd66::1", "fd66::2");
}

// The checksum of the next datagram that comes to a raw socket, from the wire.
static int checksum_on_wire(int raw, unsigned ip_len)
{
	uint8_t data[2048];
	for (unsigned k = 0; k < WAITS; k++) {
		if (recv(raw, data, sizeof(data), MSG_DONTWAIT) >= (ssize_t)ip_len + 8)
			return data[ip_len + 6] << 8 | data[ip_len + 7];
		rig_pause();
	}
	return -1;
}

static void checksums(const char *local, const char *remote, bool none, bool expect_none)
{
	struct rte_mbuf *m;
	no_checksum = none;
	start(1);
	struct xy_port *port = opened(OURS);
	no_checksum = false;
	bool v4 = !strchr(local, ':');
	int fd = kernel_socket(remote, 4000);
	enter(there);
	int raw = socket(v4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_UDP);
	enter(here);
	peer_at(port, local, remote, 4000, mac_k0, mac_c0);
	m = made(0, 1, 777, 0, remote, 4000);
	CU_ASSERT_EQUAL(port->ops->tx_burst_rcu(port, &rig.worker[0], &m, 1), 1);
	CU_ASSERT(kernel_got(fd, 1, 777, OURS)); // which checks one that is there
	int sum = checksum_on_wire(raw, v4 ? 20 : 0);
	CU_ASSERT(expect_none ? sum == 0 : sum > 0);
	close(raw);
	close(fd);
	finish(port);
}

static void test_checksums(void)
{
	checksums("10.66.0.1", "10.66.0.2", false, false);
	checksums("10.66.0.1", "10.66.0.2", true, true);
	checksums("fd66::1", "fd66::2", true, false);
}

// A frame whose IPv4 header was damaged on its way is a drop with a name, and what follows comes.
static void test_damaged_header(void)
{
	uint8_t frame[14 + 20 + 8 + 32] = {0};
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP)};
	struct rte_mbuf *m;
	start(1);
	struct xy_port *port = opened(OURS);
	struct xy_frame_header h;
	struct xy_addr from = addr("10.66.0.2");
	struct xy_endpoint us = {.addr = addr("10.66.0.1"), .port = OURS};
	CU_ASSERT_EQUAL_FATAL(xy_frame_header_make(&h, mac_c0, mac_k0, &from, 4000, &us, 0), 0);
	enter(there);
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	to.sll_ifindex = (int)if_nametoindex("k0");
	enter(here);
	for (unsigned i = 0; i < 3; i++) {
		m = made(0, i, 32, 0, "10.66.0.1", OURS);
		xy_frame_put_on(m, &h);
		memcpy(frame, rte_pktmbuf_mtod(m, void *), sizeof(frame));
		frame[14 + 8] ^= i == 1; // TTL
		rig_consume(&rig.worker[0], &m, 1);
		CU_ASSERT_EQUAL(sendto(fd, frame, sizeof(frame), 0, (void *)&to, sizeof(to)),
				sizeof(frame));
	}
	for (unsigned i = 0; i < 3; i += 2) {
		CU_ASSERT_EQUAL_FATAL(take(port, 0, &m, 1), 1);
		CU_ASSERT(intact(m, i, 32));
		rig_consume(&rig.worker[0], &m, 1);
	}
	CU_ASSERT_EQUAL(rig.worker[0].stats.drop[XY_DROP_BAD_HEADER_SUM], 1);
	CU_ASSERT_EQUAL(rig.worker[0].stats.drops, 1);
	close(fd);
	finish(port);
}

// More than the ring holds, without a look at the completions between: all arrive, in order, or
// come back as tx_full.
static void test_transmit_many(void)
{
	enum { BURSTS = 60 };
	struct rte_mbuf *m[XY_BURST];
	int room = 32 << 20;
	unsigned sent = 0, got = 0;
	start(1);
	struct xy_port *port = opened(OURS);
	int fd = kernel_socket("10.66.0.2", 4000);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	peer_at(port, "10.66.0.1", "10.66.0.2", 4000, mac_k0, mac_c0);
	for (unsigned b = 0; b < BURSTS; b++) {
		for (unsigned i = 0; i < XY_BURST; i++)
			m[i] = made(0, sent + i, 1000, 0, "10.66.0.2", 4000);
		unsigned k = port->ops->tx_burst_rcu(port, &rig.worker[0], m, XY_BURST);
		for (unsigned i = 0; i < XY_BURST - k; i++)
			CU_ASSERT_EQUAL(xy_packet(m[i])->drop, XY_DROP_TX_FULL);
		rig_drop(&rig.worker[0], m, XY_BURST - k);
		CU_ASSERT(k > 0);
		sent += k;
		look(port, 0, m, 1); // tends
	}
	for (; got < sent && kernel_got(fd, got, 1000, OURS); got++)
		look(port, 0, m, 1);
	CU_ASSERT_EQUAL(got, sent);
	close(fd);
	finish(port);
}

// Flows come by both queues, each by one and in order; its worker alone sees it.
static void test_workers(void)
{
	enum { FLOWS = 64, EACH = 20 };
	struct rte_mbuf *m[64];
	unsigned got[2] = {0}, next[FLOWS] = {0}, of_flow[FLOWS] = {0};
	bool in_order = true, one_worker = true;
	int fd[FLOWS];
	wire_gone();
	wire_make(2);
	start(2);
	struct xy_port *port = opened(OURS);
	CU_ASSERT_EQUAL(xy_card(port)->queues, 2);
	CU_ASSERT_EQUAL(rig_watched, 4);
	for (unsigned f = 0; f < FLOWS; f++)
		fd[f] = kernel_socket("10.66.0.2", (uint16_t)(4000 + f));
	for (unsigned i = 0; i < EACH; i++)
		for (unsigned f = 0; f < FLOWS; f++)
			kernel_send(fd[f], "10.66.0.1", OURS, i, 100);
	for (unsigned i = 0; got[0] + got[1] < FLOWS * EACH && i < WAITS; i++)
		for (unsigned w = 0; w < 2; w++) {
			unsigned k = look(port, w, m, 64);
			for (unsigned j = 0; j < k; j++) {
				unsigned f = xy_packet(m[j])->remote.port - 4000u;
				one_worker = one_worker && (!next[f] || of_flow[f] == w);
				in_order = in_order && intact(m[j], next[f]++, 100);
				of_flow[f] = w;
			}
			rig_consume(&rig.worker[w], m, k);
			got[w] += k;
		}
	CU_ASSERT_EQUAL(got[0] + got[1], FLOWS * EACH);
	CU_ASSERT(got[0] > 0 && got[1] > 0);
	CU_ASSERT(in_order);
	CU_ASSERT(one_worker);
	CU_ASSERT_EQUAL(steered(port, XY_STEER_OURS), FLOWS * EACH);

	// Each sends by its own queue.
	peer_at(port, "10.66.0.1", "10.66.0.2", 4000, mac_k0, mac_c0);
	for (unsigned w = 0; w < 2; w++) {
		m[0] = made(w, 7 + w, 90, 0, "10.66.0.2", 4000);
		CU_ASSERT_EQUAL(port->ops->tx_burst_rcu(port, &rig.worker[w], m, 1), 1);
		CU_ASSERT(kernel_got(fd[0], 7 + w, 90, OURS));
		CU_ASSERT_EQUAL(port->counters[w].tx_packets, 1);
	}
	for (unsigned f = 0; f < FLOWS; f++)
		close(fd[f]);
	finish(port);
}

// Two queues of one worker: a full one leaves the other its turn.
static void test_one_worker_two_queues(void)
{
	enum { FLOWS = 64 };
	struct rte_mbuf *m[64];
	unsigned got = 0;
	start(1);
	struct xy_port *port = opened(OURS);
	CU_ASSERT_EQUAL(xy_card(port)->queues, 2);
	for (unsigned f = 0; f < FLOWS; f++) {
		int fd = kernel_socket("10.66.0.2", (uint16_t)(4000 + f));
		kernel_send(fd, "10.66.0.1", OURS, f, 100);
		close(fd);
	}
	for (unsigned i = 0; got < FLOWS && i < WAITS; i++) {
		unsigned k = look(port, 0, m, 3);
		rig_consume(&rig.worker[0], m, k);
		got += k;
	}
	CU_ASSERT_EQUAL(got, FLOWS);
	finish(port);
}

// A card that another has is waited for at the start, as its last owner may be about to go; not
// when it is tried again.
static void test_tried_again(void)
{
	struct xy_dp_port_config cfg = {
		.driver = XY_DP_AF_XDP, .interface = "c0", .address = addr("::"), .port = OURS + 7};
	struct xy_port *port, *second;
	struct xy_err err = {{0}};
	struct timespec t[3];
	start(1);
	port = opened(OURS);
	for (unsigned i = 0; i < 2; i++) {
		clock_gettime(CLOCK_MONOTONIC, &t[i]);
		cfg.again = i;
		CU_ASSERT_EQUAL(xy_port_af_xdp_open(&rig.dp, &cfg, 4, &second, &err), -EBUSY);
	}
	clock_gettime(CLOCK_MONOTONIC, &t[2]);
	CU_ASSERT((t[2].tv_sec - t[1].tv_sec) * 1e9 + (double)(t[2].tv_nsec - t[1].tv_nsec) <
		  ((t[1].tv_sec - t[0].tv_sec) * 1e9 + (double)(t[1].tv_nsec - t[0].tv_nsec)) / 2);
	finish(port);
}

static void test_refused(void)
{
	struct xy_port *port, *second;
	struct xy_err err = {{0}};
	struct xy_steering *foreign = NULL;
	start(1);
	port = opened(OURS);
	CU_ASSERT_EQUAL(try_open(OURS + 7, 4, &second, &err), -EBUSY);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "c0"));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "another xylemd"));
	CU_ASSERT_PTR_NULL(second);
	CU_ASSERT(has_program()); // the first one's
	CU_ASSERT_EQUAL(try_open(OURS, 4, &second, &err), -EADDRINUSE);
	finish(port);
	CU_ASSERT_FALSE(has_program());

	start(1);
	const struct xy_dp_program_config other = {.interface = "c0", .port = 1, .frame_max = 1514};
	CU_ASSERT_EQUAL_FATAL(xy_steering_load(&rig.dp, &other, &foreign, &err), 0);
	CU_ASSERT_EQUAL_FATAL(xy_steering_attach(foreign, &err), 0);
	CU_ASSERT_EQUAL(try_open(OURS, 4, &second, &err), -EBUSY);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "XDP program already"));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "ip link set dev c0 xdp off"));
	xy_steering_free(foreign);
	finish(NULL);

	start(1);
	struct xy_dp_port_config cfg = {.driver = XY_DP_AF_XDP,
					.interface = "nosuch0",
					.address = addr("::"),
					.port = OURS};
	CU_ASSERT_EQUAL(xy_port_af_xdp_open(&rig.dp, &cfg, 0, &second, &err), -ENODEV);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "nosuch0: no such interface"));
	finish(NULL);
}

// Native where the driver can, else generic: a veth whose peer's frames may be too long for native.
static void test_mode(void)
{
	struct xy_err err;
	start(1);
	struct xy_port *port = opened(OURS);
	CU_ASSERT_STRING_EQUAL(xy_card(port)->mode, "native, copy");
	finish(port);
	CU_ASSERT_EQUAL(sh_there("ip link set k0 mtu 9000"), 0);
	start(1);
	port = opened(OURS);
	CU_ASSERT_STRING_EQUAL(xy_card(port)->mode, "generic, copy");
	int fd = kernel_socket("10.66.0.2", 4000);
	struct rte_mbuf *m;
	kernel_send(fd, "10.66.0.1", OURS, 1, 1400);
	CU_ASSERT_EQUAL_FATAL(take(port, 0, &m, 1), 1);
	CU_ASSERT(intact(m, 1, 1400));
	CU_ASSERT_EQUAL(steered(port, XY_STEER_OURS), 1);
	rig_consume(&rig.worker[0], &m, 1);
	close(fd);
	finish(port);
	// Frames longer than a buffer would be lost one by one: refused at once.
	CU_ASSERT_EQUAL(sh("ip link set c0 mtu 9000"), 0);
	start(1);
	CU_ASSERT_EQUAL(try_open(OURS, 3, &port, &err), -EMSGSIZE);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "c0: MTU 9000, but no card had more"));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "ip link set dev c0 mtu"));
	finish(NULL);
	CU_ASSERT_EQUAL(sh("ip link set c0 mtu 1500"), 0);
	CU_ASSERT_EQUAL(sh_there("ip link set k0 mtu 1500"), 0);
}

// A sender that gives the kernel several datagrams at a time (UDP_SEGMENT): len bytes each.
static void send_train(int fd, const char *to, unsigned first, unsigned count, unsigned len,
		       const uint8_t *head)
{
	uint8_t data[65000];
	union at a;
	socklen_t size = at_make(&a, to, OURS);
	int each = (int)len;
	CU_ASSERT_EQUAL_FATAL(setsockopt(fd, SOL_UDP, UDP_SEGMENT, &each, sizeof(each)), 0);
	for (unsigned k = 0; k < count; k++)
		for (unsigned i = 0; i < len; i++)
			data[k * len + i] = i < 8 && head ? head[i] : byte(first + k, i);
	CU_ASSERT_EQUAL(sendto(fd, data, count * len, 0, &a.any, size), count * len);
	each = 0;
	setsockopt(fd, SOL_UDP, UDP_SEGMENT, &each, sizeof(each));
}

static void all_intact(struct xy_port *port, struct rte_mbuf **m, unsigned first, unsigned count,
		       unsigned len)
{
	CU_ASSERT_EQUAL_FATAL(take(port, 0, m, count), count);
	for (unsigned i = 0; i < count; i++) // in order, too
		CU_ASSERT(intact(m[i], first + i, len));
	rig_consume(&rig.worker[0], m, count);
}

// Where the kernel runs the program (here a bridge that has the address) frames are trains. They
// and all behind them go by the kernel's socket, cut and in order; short ones are seen by who takes
// them.
static void test_trains(void)
{
	static const uint8_t head[8] = {4, 0, 0, 0, 0xde, 0xad, 0xbe, 0xef};
	struct rte_mbuf *m[64];
	uint64_t n[XY_STEER_COUNT];
	CU_ASSERT_EQUAL_FATAL(sh("ip link add b0 type bridge && ip link set c0 master b0 && "
				 "ip addr flush dev c0 && ip link set b0 up && "
				 "ip addr add 10.66.0.1/24 dev b0"),
			      0);
	for (unsigned kind = 0; kind < 2; kind++) {
		struct xy_addr ours = addr("10.66.0.1");
		struct xy_port *port;
		struct xy_err err = {{0}};
		start(1);
		on = "b0";
		CU_ASSERT_EQUAL_FATAL(try_open(OURS, 3, &port, &err), 0);
		on = "c0";
		struct xy_card *card = xy_card(port);
		CU_ASSERT_EQUAL(card->ops->addresses(card, &ours, 1), 0);
		CU_ASSERT_STRING_EQUAL(card->mode, "generic, copy");
		CU_ASSERT(card->may_train && !card->ops->trained(card));
		int fd = kernel_socket("10.66.0.2", 4000);
		kernel_send(fd, "10.66.0.1", OURS, 1, 1400);
		all_intact(port, m, 1, 1, 1400);
		card->ops->steered(card, n);
		CU_ASSERT_EQUAL(n[XY_STEER_OURS], 1);
		if (kind == 0) { // longer than the MTU: nothing is lost
			send_train(fd, "10.66.0.1", 2, 20, 1300, NULL);
			all_intact(port, m, 2, 20, 1300);
		} else { // shorter: lost, once
			send_train(fd, "10.66.0.1", 0, 10, 96, head);
			for (unsigned i = 0; !card->ops->trained(card) && i < WAITS; i++) {
				CU_ASSERT_EQUAL(look(port, 0, m, 64), 0);
				rig_pause();
			}
			CU_ASSERT_EQUAL(rig.worker[0].stats.drop[XY_DROP_TRAIN], 1);
			CU_ASSERT_EQUAL(rig.worker[0].stats.drops, 1);
		}
		CU_ASSERT(card->ops->trained(card));
		send_train(fd, "10.66.0.1", 30, 10, 96, NULL);
		all_intact(port, m, 30, 10, 96);
		kernel_send(fd, "10.66.0.1", OURS, 40, 1400);
		all_intact(port, m, 40, 1, 1400);
		card->ops->steered(card, n);
		CU_ASSERT_EQUAL(n[XY_STEER_OURS], 1 + kind);
		CU_ASSERT_EQUAL(n[XY_STEER_TRAIN], 1 - kind);
		CU_ASSERT_EQUAL(n[XY_STEER_TO_SOCKET], 2);
		close(fd);
		finish(port);
	}
	CU_ASSERT_EQUAL(sh("ip link del b0 && ip addr add 10.66.0.1/24 dev c0"), 0);
}

static void test_killed(void)
{
	int ready[2];
	char c;
	CU_ASSERT_EQUAL_FATAL(pipe(ready), 0);
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		start(1);
		opened(OURS);
		if (write(ready[1], "r", 1) == 1)
			pause();
		_exit(1);
	}
	CU_ASSERT_EQUAL(read(ready[0], &c, 1), 1);
	CU_ASSERT(has_program());
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	bool gone = false;
	for (unsigned i = 0; !gone && i < WAITS; i++) {
		gone = !has_program();
		rig_pause();
	}
	CU_ASSERT(gone);
	close(ready[0]);
	close(ready[1]);
	start(1);
	finish(opened(OURS));
}

// Without buffers the kernel drops and counts; with buffers again the frames come again.
static void test_no_buffers(void)
{
	static struct rte_mbuf *hoard[RIG_BUFFERS], *m[RIG_BUFFERS];
	start(1);
	struct xy_port *port = opened(OURS);
	int fd = kernel_socket("10.66.0.2", 4000);
	unsigned kept = 0, n = rte_mempool_avail_count(rig_pool);
	CU_ASSERT_EQUAL_FATAL(rte_pktmbuf_alloc_bulk(rig_pool, hoard, n), 0);
	for (unsigned i = 0; i < 4000; i++) {
		kernel_send(fd, "10.66.0.1", OURS, i, 10);
		if (i % 16 == 0)
			kept += look(port, 0, m + kept, 64);
	}
	for (unsigned i = 0; i < 100; i++) {
		kept += look(port, 0, m + kept, 64);
		rig_pause();
	}
	CU_ASSERT(kept > 0 && kept < 4000);
	CU_ASSERT(xy_card(port)->ops->missed(xy_card(port)) > 0);
	CU_ASSERT_EQUAL(kept + xy_card(port)->ops->missed(xy_card(port)), 4000);
	rig_consume(&rig.worker[0], m, kept);
	rte_pktmbuf_free_bulk(hoard, n);
	CU_ASSERT_EQUAL(look(port, 0, m, 1), 0); // fills
	kernel_send(fd, "10.66.0.1", OURS, 9, 10);
	CU_ASSERT_EQUAL_FATAL(take(port, 0, m, 1), 1);
	CU_ASSERT(intact(m[0], 9, 10));
	rig_consume(&rig.worker[0], m, 1);
	close(fd);
	finish(port);
}

static void test_down(void)
{
	struct rte_mbuf *m[XY_BURST];
	start(1);
	struct xy_port *port = opened(OURS);
	int fd = kernel_socket("10.66.0.2", 4000);
	peer_at(port, "10.66.0.1", "10.66.0.2", 4000, mac_k0, mac_c0);
	CU_ASSERT_EQUAL(sh("ip link set c0 down && ip link set c0 up"), 0);
	kernel_send(fd, "10.66.0.1", OURS, 1, 60);
	CU_ASSERT_EQUAL_FATAL(take(port, 0, m, 1), 1);
	CU_ASSERT(intact(m[0], 1, 60));
	CU_ASSERT_EQUAL(steered(port, XY_STEER_OURS), 1);
	rig_consume(&rig.worker[0], m, 1);
	m[0] = made(0, 2, 60, 0, "10.66.0.2", 4000);
	CU_ASSERT_EQUAL(port->ops->tx_burst_rcu(port, &rig.worker[0], m, 1), 1);
	CU_ASSERT(kernel_got(fd, 2, 60, OURS));
	CU_ASSERT_EQUAL(sh("ip addr add fd66::1/64 dev c0 nodad"), 0); // went with the link
	close(fd);
	finish(port);
}

// The card goes while the port is open: what is sent is refused in the end, nothing breaks.
static void test_removed(void)
{
	struct rte_mbuf *m[XY_BURST];
	start(1);
	struct xy_port *port = opened(OURS);
	peer_at(port, "10.66.0.1", "10.66.0.2", 4000, mac_k0, mac_c0);
	wire_gone();
	bool full = false;
	for (unsigned b = 0; b < 40; b++) {
		for (unsigned i = 0; i < XY_BURST; i++)
			m[i] = made(0, i, 100, 0, "10.66.0.2", 4000);
		unsigned k = port->ops->tx_burst_rcu(port, &rig.worker[0], m, XY_BURST);
		full = full || k < XY_BURST;
		rig_drop(&rig.worker[0], m, XY_BURST - k);
		CU_ASSERT_EQUAL(look(port, 0, m, XY_BURST), 0);
	}
	CU_ASSERT(full);
	finish(port);
	wire_make(1);
	start(1);
	finish(opened(OURS));
}

// Buffers of another node's pool are not in the socket's memory: what is in them is sent all the
// same, between others, and they go back to where they came from.
static void test_other_pool(void)
{
	enum { N = 40, OTHERS = 31 };
	struct rte_mbuf *m[N];
	struct rte_mempool *other = rte_pktmbuf_pool_create(
		"other", OTHERS, 0, sizeof(struct xy_packet), RIG_ROOM, SOCKET_ID_ANY);
	CU_ASSERT_PTR_NOT_NULL_FATAL(other);
	start(1);
	struct xy_port *port = opened(OURS);
	int fd = kernel_socket("fd66::2", 4000);
	peer_at(port, "fd66::1", "fd66::2", 4000, mac_k0, mac_c0);
	for (unsigned i = 0; i < N; i++) {
		rig.worker[0].pool = i % 2 ? other : rig_pool;
		m[i] = made(0, i, i * 30, 0, "fd66::2", 4000);
	}
	rig.worker[0].pool = rig_pool;
	CU_ASSERT_EQUAL(port->ops->tx_burst_rcu(port, &rig.worker[0], m, N), N);
	for (unsigned i = 0; i < N; i++)
		CU_ASSERT(kernel_got(fd, i, i * 30, OURS));
	CU_ASSERT_EQUAL(rte_mempool_avail_count(other), OTHERS);
	CU_ASSERT_EQUAL(port->counters[0].tx_packets, N);
	close(fd);
	finish(port);
	rte_mempool_free(other);
}

// --- jumbo frames

enum { JUMBO_BUFFERS = 511, JUMBO_ROOM = XY_HEADROOM + XY_FRAME_SHIFT + 9014 };

static void mtu_set(int mtu)
{
	CU_ASSERT_EQUAL_FATAL(sh("ip link set c0 mtu %d", mtu), 0);
	enter(there);
	CU_ASSERT_EQUAL(sh("ip link set k0 mtu %d", mtu), 0);
	enter(here);
}

static struct xy_port *jumbo_opened(int mtu, const char *mode)
{
	mtu_set(mtu);
	start(1);
	rig.worker[0].pool = jumbo_pool;
	struct xy_port *port = opened(OURS);
	CU_ASSERT_STRING_EQUAL(xy_card(port)->mode, mode);
	return port;
}

static void jumbo_finish(struct xy_port *port)
{
	finish(port);
	CU_ASSERT_EQUAL(rte_mempool_avail_count(jumbo_pool), JUMBO_BUFFERS);
	mtu_set(1500);
}

// Sizes around the pieces' ends, both ways; packets of all sizes mixed.
static void jumbo(const char *local, const char *remote, unsigned most)
{
	const unsigned sizes[] = {0,	1,    1400, 3700, 3798, 3799, 3840, 4034, 4054,
				  4055, 5000, 7700, 8000, 8130, 8192, most, most};
	struct rte_mbuf *m[RTE_DIM(sizes)];
	struct xy_port *port = jumbo_opened(9000, "native, copy, jumbo frames");
	int fd = kernel_socket(remote, 4000);
	for (unsigned i = 0; i < RTE_DIM(sizes); i++)
		kernel_send(fd, local, OURS, i, sizes[i]);
	CU_ASSERT_EQUAL_FATAL(take(port, 0, m, RTE_DIM(sizes)), RTE_DIM(sizes));
	for (unsigned i = 0; i < RTE_DIM(sizes); i++) {
		CU_ASSERT(intact(m[i], i, sizes[i]));
		CU_ASSERT(rte_pktmbuf_headroom(m[i]) >= XY_HEADROOM);
		CU_ASSERT(begins_line(m[i]));
	}
	CU_ASSERT_EQUAL(steered(port, XY_STEER_OURS), RTE_DIM(sizes));
	CU_ASSERT_EQUAL(xy_card(port)->kernel->counters[0].rx_packets, 0);
	rig_consume(&rig.worker[0], m, RTE_DIM(sizes));

	peer_at(port, local, remote, 4000, mac_k0, mac_c0);
	for (unsigned i = 0; i < RTE_DIM(sizes); i++)
		m[i] = made(0, i, sizes[i], 0, remote, 4000);
	CU_ASSERT_EQUAL(port->ops->tx_burst_rcu(port, &rig.worker[0], m, RTE_DIM(sizes)),
			RTE_DIM(sizes));
	for (unsigned i = 0; i < RTE_DIM(sizes); i++)
		CU_ASSERT(kernel_got(fd, i, sizes[i], OURS));
	CU_ASSERT_EQUAL(port->counters[0].tx_packets, RTE_DIM(sizes));
	CU_ASSERT_EQUAL(xy_card(port)->kernel->counters[0].tx_packets, 0);
	close(fd);
	jumbo_finish(port);
}

static void test_jumbo(void)
{
	jumbo("10.66.0.1", "10.66.0.2", 8972);
	jumbo("fd66::1", "fd66::2", 8952);
}

// The MTU rose behind our back: what is longer than a buffer is a counted drop, what comes after
// it is whole.
static void test_jumbo_too_long(void)
{
	struct rte_mbuf *m;
	struct xy_port *port = jumbo_opened(9000, "native, copy, jumbo frames");
	struct xy_worker *w = &rig.worker[0];
	int fd = kernel_socket("10.66.0.2", 4000);
	mtu_set(15000);
	xy_card(port)->ops->follow(xy_card(port)); // else they would be taken for trains
	for (unsigned i = 0; i < 3; i++)
		kernel_send(fd, "10.66.0.1", OURS, i, 9000 + i * 2500);
	kernel_send(fd, "10.66.0.1", OURS, 3, 8972);
	CU_ASSERT_EQUAL_FATAL(take(port, 0, &m, 1), 1);
	CU_ASSERT(intact(m, 3, 8972));
	CU_ASSERT_EQUAL(steered(port, XY_STEER_OURS), 4);
	CU_ASSERT_EQUAL(w->stats.drop[XY_DROP_NOT_WIREGUARD], 3);
	CU_ASSERT_EQUAL(w->stats.rx, 4);
	CU_ASSERT_EQUAL(port->counters[0].rx_packets, 4);
	rig_consume(w, &m, 1);
	close(fd);
	jumbo_finish(port);
}

// Beyond what the rings take: tx_full, and all that was taken arrives, in order.
static void test_jumbo_full(void)
{
	enum { BURSTS = 60, LEN = 8900 };
	struct rte_mbuf *m[XY_BURST];
	int room = 64 << 20;
	unsigned sent = 0, got = 0, refused = 0;
	struct xy_port *port = jumbo_opened(9000, "native, copy, jumbo frames");
	int fd = kernel_socket("10.66.0.2", 4000);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	peer_at(port, "10.66.0.1", "10.66.0.2", 4000, mac_k0, mac_c0);
	for (unsigned b = 0; b < BURSTS; b++) {
		for (unsigned i = 0; i < XY_BURST; i++)
			m[i] = made(0, sent + i, LEN, 0, "10.66.0.2", 4000);
		unsigned k = port->ops->tx_burst_rcu(port, &rig.worker[0], m, XY_BURST);
		for (unsigned i = 0; i < XY_BURST - k; i++)
			CU_ASSERT_EQUAL(xy_packet(m[i])->drop, XY_DROP_TX_FULL);
		rig_drop(&rig.worker[0], m, XY_BURST - k);
		sent += k;
		refused += XY_BURST - k;
	}
	for (; got < sent && kernel_got(fd, got, LEN, OURS); got++)
		look(port, 0, m, 1);
	CU_ASSERT_EQUAL(got, sent);
	CU_ASSERT_EQUAL(rig.worker[0].stats.drop[XY_DROP_TX_FULL], refused);
	close(fd);
	jumbo_finish(port);
}

static void test_jumbo_no_buffers(void)
{
	static struct rte_mbuf *hoard[JUMBO_BUFFERS];
	struct rte_mbuf *m;
	struct xy_port *port = jumbo_opened(9000, "native, copy, jumbo frames");
	struct xy_worker *w = &rig.worker[0];
	int fd = kernel_socket("10.66.0.2", 4000);
	CU_ASSERT_EQUAL_FATAL(rte_pktmbuf_alloc_bulk(jumbo_pool, hoard, JUMBO_BUFFERS), 0);
	for (unsigned i = 0; i < 10; i++)
		kernel_send(fd, "10.66.0.1", OURS, i, 8000);
	for (unsigned i = 0; w->stats.drop[XY_DROP_NO_BUFFER] < 10 && i < WAITS; i++) {
		CU_ASSERT_EQUAL(look(port, 0, &m, 1), 0);
		rig_pause();
	}
	CU_ASSERT_EQUAL(w->stats.drop[XY_DROP_NO_BUFFER], 10);
	CU_ASSERT_EQUAL(rig_balance(w), 0);
	rte_pktmbuf_free_bulk(hoard, JUMBO_BUFFERS);
	kernel_send(fd, "10.66.0.1", OURS, 10, 8000);
	CU_ASSERT_EQUAL_FATAL(take(port, 0, &m, 1), 1);
	CU_ASSERT(intact(m, 10, 8000));
	rig_consume(w, &m, 1);
	close(fd);
	jumbo_finish(port);
}

// What IP may cut goes by the kernel's socket, which cuts it; what comes in fragments comes by it.
static void test_pieces(void)
{
	struct rte_mbuf *m[2];
	mtu_set(1500);
	start(1);
	struct xy_port *port = opened(OURS);
	int fd = kernel_socket("10.66.0.2", 4000);
	peer_at(port, "10.66.0.1", "10.66.0.2", 4000, mac_k0, mac_c0);
	m[0] = made(0, 1, 1472, 0, "10.66.0.2", 4000);
	m[1] = made(0, 2, 1600, 0, "10.66.0.2", 4000);
	xy_packet(m[1])->pieces = XY_PIECES_PATH;
	CU_ASSERT_EQUAL(port->ops->tx_burst_rcu(port, &rig.worker[0], m, 2), 2);
	CU_ASSERT(kernel_got(fd, 1, 1472, OURS));
	CU_ASSERT(kernel_got(fd, 2, 1600, OURS));
	CU_ASSERT_EQUAL(port->counters[0].tx_packets, 1);
	CU_ASSERT_EQUAL(xy_card(port)->kernel->counters[0].tx_fragmented, 1);
	kernel_send(fd, "10.66.0.1", OURS, 3, 1600);
	CU_ASSERT_EQUAL_FATAL(take(port, 0, m, 1), 1);
	CU_ASSERT(intact(m[0], 3, 1600));
	CU_ASSERT_EQUAL(steered(port, XY_STEER_FRAGMENT), 2);
	CU_ASSERT_EQUAL(xy_card(port)->kernel->counters[0].rx_fragmented, 1);
	rig_consume(&rig.worker[0], m, 1);
	close(fd);
	finish(port);
}

// An ordinary card beside one with jumbo frames. In what it took there is `pool`; what is longer
// than its MTU goes by the kernel's socket.
static void beside(struct xy_port *port, const struct rte_mempool *pool)
{
	struct rte_mbuf *m[2];
	int fd = kernel_socket("10.66.0.2", 4000);
	peer_at(port, "10.66.0.1", "10.66.0.2", 4000, mac_k0, mac_c0);
	kernel_send(fd, "10.66.0.1", OURS, 1, 1472);
	CU_ASSERT_EQUAL_FATAL(take(port, 0, m, 1), 1);
	CU_ASSERT(intact(m[0], 1, 1472));
	CU_ASSERT_PTR_EQUAL(m[0]->pool, pool);
	CU_ASSERT_EQUAL(steered(port, XY_STEER_OURS), 1);
	rig_consume(&rig.worker[0], m, 1);
	m[0] = made(0, 2, 1472, 0, "10.66.0.2", 4000);
	m[1] = made(0, 3, 8000, 0, "10.66.0.2", 4000);
	CU_ASSERT_EQUAL(port->ops->tx_burst_rcu(port, &rig.worker[0], m, 2), 1);
	CU_ASSERT_EQUAL(xy_packet(m[0])->drop, XY_DROP_UNDERLAY_MTU);
	rig_drop(&rig.worker[0], m, 1);
	CU_ASSERT(kernel_got(fd, 2, 1472, OURS));
	CU_ASSERT_EQUAL(port->counters[0].tx_packets, 1);
	close(fd);
	jumbo_finish(port);
	CU_ASSERT_EQUAL(rte_mempool_avail_count(rig_pool), RIG_BUFFERS);
}

// Its frames are buffers of the plain pool.
static void test_jumbo_beside(void)
{
	mtu_set(1500);
	start(1);
	rig.worker[0].pool = jumbo_pool;
	rig.dp.pools.plain = rig_pool;
	struct xy_port *port = opened(OURS);
	CU_ASSERT_STRING_EQUAL(xy_card(port)->mode, "native, copy");
	beside(port, rig_pool);
}

// There is no such pool, or not enough in it: copied, in one piece each.
static void test_jumbo_beside_copied(void)
{
	enum { LEFT = XY_XSK_RING - 1 };
	static struct rte_mbuf *hoard[RIG_BUFFERS - LEFT];
	beside(jumbo_opened(1500, "native, copy, own frames"), jumbo_pool);

	CU_ASSERT_EQUAL_FATAL(rte_pktmbuf_alloc_bulk(rig_pool, hoard, RTE_DIM(hoard)), 0);
	start(1);
	rig.worker[0].pool = jumbo_pool;
	rig.dp.pools.plain = rig_pool;
	struct xy_port *port = opened(OURS);
	rte_pktmbuf_free_bulk(hoard, RTE_DIM(hoard));
	CU_ASSERT_STRING_EQUAL(xy_card(port)->mode, "native, copy, own frames");
	beside(port, jumbo_pool);
}

// Longer than any buffer; or there was no such card when the buffers were made.
static void test_jumbo_refused(void)
{
	struct xy_port *port;
	struct xy_err err = {{0}};
	mtu_set(9001);
	start(1);
	rig.worker[0].pool = jumbo_pool;
	CU_ASSERT_EQUAL(try_open(OURS, 3, &port, &err), -EMSGSIZE);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "c0: MTU 9001, but a packet buffer holds 9000"));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "ip link set dev c0 mtu 9000"));
	jumbo_finish(NULL);
}

static void test_wire(void)
{
	wire_make(1);
}

int main(int argc, char **argv)
{
	static const struct xy_unit_case cases[] = {
		{"a wire", test_wire},
		{"receive by AF_XDP", test_receive},
		{"the kernel keeps the rest", test_others},
		{"addresses change", test_addresses},
		{"all addresses change", test_all_addresses_change},
		{"transmit, resolved or not", test_transmit},
		{"transmit more than a ring", test_transmit_many},
		{"checksums on the wire", test_checksums},
		{"a damaged IPv4 header", test_damaged_header},
		{"in fragments, both ways", test_pieces},
		{"refused", test_refused},
		{"tried again", test_tried_again},
		{"native, generic", test_mode},
		{"trains", test_trains},
		{"killed", test_killed},
		{"no buffers", test_no_buffers},
		{"down and up", test_down},
		{"two queues, two workers", test_workers},
		{"two queues, one worker", test_one_worker_two_queues},
		{"removed while open", test_removed},
		{"buffers of another pool", test_other_pool},
		{"jumbo frames", test_jumbo},
		{"jumbo frames, too long", test_jumbo_too_long},
		{"jumbo frames, rings full", test_jumbo_full},
		{"jumbo frames, no buffers", test_jumbo_no_buffers},
		{"jumbo frames on another card", test_jumbo_beside},
		{"and no buffers for this one", test_jumbo_beside_copied},
		{"jumbo frames refused", test_jumbo_refused},
	};
	rig_net("card_test");
	int r = card_rig_start("card_test");
	r = r ? r : rig_eal("card_test", NULL, 0);
	jumbo_pool =
		r ? NULL
		  : rte_pktmbuf_pool_create("jumbo", JUMBO_BUFFERS, 0, sizeof(struct xy_packet),
					    JUMBO_ROOM, SOCKET_ID_ANY);
	r = r || jumbo_pool ? r : 2;
	return r ? r : xy_unit_run("card", cases, RTE_DIM(cases), argc, argv);
}
