// SPDX-License-Identifier: BSD-3-Clause
// The host interface: two kernels (network namespaces of the test's own), each with a TUN, and the
// test as the wire between them. Kernel TCP, UDP and ICMP pass; packets made by hand show what is
// joined and in which order it is written. One thread.
//
//     kernel A  10.99.0.1, fd99::1  ==TUN==  side[0] <-> side[1]  ==TUN==  10.99.0.2, fd99::2
//     kernel B
#include "rig.h"

#include "base/bytes.h"
#include "train.h"
#include "wire/inet.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <linux/rtnetlink.h>
#include <net/ethernet.h>
#include <netinet/udp.h>

#define WAITS 20000 // rounds without progress, 0.2 ms each

static struct side {
	struct rig rig;
	struct xy_host *host;
	int net; // the namespace
} side[2];

static struct xy_worker *worker(unsigned s)
{
	return &side[s].rig.worker[0];
}

static uint16_t host_rx(unsigned s, struct xy_worker *w, struct rte_mbuf **out, uint16_t n)
{
	return side[s].host->ops->rx_burst_rcu(side[s].host, w, out, n);
}

static void host_tx(unsigned s, struct xy_worker *w, struct rte_mbuf **pkts, uint16_t n)
{
	side[s].host->ops->tx_burst_rcu(side[s].host, w, pkts, n);
}

static const struct xy_dp_worker_stats *stats(unsigned s)
{
	return &worker(s)->stats;
}

// --- namespaces, interfaces

static void enter(unsigned s)
{
	CU_ASSERT_EQUAL_FATAL(setns(side[s].net, CLONE_NEWNET), 0);
}

static bool nets_make(void)
{
	for (unsigned s = 0; s < 2; s++) {
		if (s && unshare(CLONE_NEWNET))
			return false;
		side[s].net = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
		if (side[s].net < 0)
			return false;
	}
	return true;
}

static void address_set(const char *name, unsigned s)
{
	struct ifreq r = {0};
	struct sockaddr_in *in = (struct sockaddr_in *)&r.ifr_addr;
	struct {
		struct in6_addr addr;
		uint32_t len;
		int index;
	} r6 = {.len = 64, .index = (int)if_nametoindex(name)};
	int v4 = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int v6 = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	in->sin_family = AF_INET;
	in->sin_addr.s_addr = htonl(0x0a630001 + s);
	CU_ASSERT_EQUAL(ioctl(v4, SIOCSIFADDR, &r), 0);
	in->sin_addr.s_addr = htonl(0xffffff00);
	CU_ASSERT_EQUAL(ioctl(v4, SIOCSIFNETMASK, &r), 0);
	inet_pton(AF_INET6, s ? "fd99::2" : "fd99::1", &r6.addr);
	CU_ASSERT_EQUAL(ioctl(v6, SIOCSIFADDR, &r6), 0);
	close(v4);
	close(v6);
}

static void start_side(unsigned s, unsigned workers)
{
	struct xy_err err = {{0}};
	enter(s);
	rig_init(&side[s].rig, workers, xy_host_worker_init, xy_host_worker_fini);
	int r = xy_host_tun_open(&side[s].rig.dp, 0, "", &side[s].host, &err);
	if (r)
		fprintf(stderr, "%s\n", err.text);
	CU_ASSERT_EQUAL_FATAL(r, 0);
	CU_ASSERT_NOT_EQUAL_FATAL(if_nametoindex(side[s].host->name), 0);
	CU_ASSERT(rig_link_up(side[s].host->name, 1500));
	address_set(side[s].host->name, s);
}

static void finish(void)
{
	for (unsigned s = 0; s < 2; s++) {
		side[s].host->ops->close(side[s].host);
		CU_ASSERT_EQUAL(rig_balance(worker(s)), 0);
	}
	side[0].rig.fini(worker(0)); // the pool is both sides': looked at once
	rig_fini(&side[1].rig);
}

// --- the wire

static unsigned burst_size = XY_BURST;

static unsigned carry(unsigned from, unsigned to)
{
	struct rte_mbuf *m[XY_BURST];
	uint64_t split = stats(from)->split;
	uint32_t sealed = 0; // twice, as by links
	unsigned n = host_rx(from, worker(from), m, (uint16_t)burst_size);
	for (unsigned i = 0; i < n; i++) {
		const uint8_t *pkt = rte_pktmbuf_mtod(m[i], const uint8_t *);
		CU_ASSERT_EQUAL(xy_packet(m[i])->version, pkt[0] >> 4);
		CU_ASSERT_EQUAL(xy_packet(m[i])->from, XY_PEER_NONE);
		CU_ASSERT(m[i]->data_len <= 1500 && m[i]->data_off == XY_HEADROOM);
		CU_ASSERT(RIG_BEGINS_LINE(pkt));
		sealed += m[i]->data_len + XY_E2E_OVERHEAD + XY_WG_DATA_OVERHEAD;
	}
	CU_ASSERT(stats(from)->split == split || sealed <= XY_TRAIN_BYTES); // one train of them
	XY_COUNT(worker(from), consumed, n);
	XY_COUNT(worker(to), generated, n);
	host_tx(to, worker(to), m, (uint16_t)n);
	CU_ASSERT_EQUAL(rig_balance(worker(from)), 0); // also in the middle of a frame
	return n;
}

static unsigned pump(void)
{
	unsigned n = carry(0, 1) + carry(1, 0);
	if (!n)
		rig_pause();
	return n;
}

// --- sockets of the kernels

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t address_of(union address *a, unsigned s, bool v6, uint16_t port)
{
	memset(a, 0, sizeof(*a));
	if (v6) {
		a->v6.sin6_family = AF_INET6;
		a->v6.sin6_port = htons(port);
		inet_pton(AF_INET6, s ? "fd99::2" : "fd99::1", &a->v6.sin6_addr);
		return sizeof(a->v6);
	}
	a->v4.sin_family = AF_INET;
	a->v4.sin_port = htons(port);
	a->v4.sin_addr.s_addr = htonl(0x0a630001 + s);
	return sizeof(a->v4);
}

static int opened(unsigned s, bool v6, int type, int protocol)
{
	enter(s);
	int fd = socket(v6 ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
	CU_ASSERT_FATAL(fd >= 0);
	return fd;
}

static int bound(unsigned s, bool v6, int type, uint16_t port)
{
	union address a;
	int fd = opened(s, v6, type, 0);
	socklen_t len = address_of(&a, s, v6, port);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
	int r = bind(fd, &a.any, len);
	for (unsigned i = 0; r && i < WAITS; i++) { // an IPv6 address is tentative for a moment
		rig_pause();
		r = bind(fd, &a.any, len);
	}
	CU_ASSERT_EQUAL_FATAL(r, 0);
	return fd;
}

// False when the machine does not let us; said once per case.
static bool start(void)
{
	if (!rig_own_net || access("/dev/net/tun", R_OK | W_OK)) {
		fprintf(stderr, "skipped (no namespaces or no /dev/net/tun): ");
		return false;
	}
	for (unsigned s = 0; s < 2; s++) {
		start_side(s, 1);
		close(bound(s, true, SOCK_DGRAM, 0));
	}
	return true;
}

// --- TCP

static uint8_t stream_byte(size_t at)
{
	return (uint8_t)(at * 13 + (at >> 11));
}

static size_t push(int fd, size_t at, size_t total)
{
	uint8_t buf[65536];
	size_t n = RTE_MIN(sizeof(buf), total - at);
	for (size_t i = 0; i < n; i++)
		buf[i] = stream_byte(at + i);
	ssize_t r = n ? send(fd, buf, n, MSG_NOSIGNAL) : 0;
	return r > 0 ? (size_t)r : 0;
}

static size_t pull(int fd, size_t at, bool *good)
{
	uint8_t buf[65536];
	ssize_t r = recv(fd, buf, sizeof(buf), 0);
	for (ssize_t i = 0; i < r; i++)
		*good = *good && buf[i] == stream_byte(at + (size_t)i);
	return r > 0 ? (size_t)r : 0;
}

static void connect_through(bool v6, int *client, int *server)
{
	union address a;
	int listener = bound(0, v6, SOCK_STREAM, 5000);
	CU_ASSERT_EQUAL_FATAL(listen(listener, 1), 0);
	*client = opened(1, v6, SOCK_STREAM, 0);
	socklen_t len = address_of(&a, 0, v6, 5000);
	CU_ASSERT(connect(*client, &a.any, len) == 0 || errno == EINPROGRESS);
	*server = -1;
	for (unsigned i = 0; *server < 0 && i < WAITS; i++) {
		pump();
		*server = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	}
	close(listener);
	CU_ASSERT_FATAL(*server >= 0);
}

static void tcp(bool v6, size_t total)
{
	int client, server;
	size_t out = 0, in = 0;
	bool good = true;
	if (!start())
		return;
	connect_through(v6, &client, &server);
	for (unsigned idle = 0; in < total && idle < WAITS;) {
		size_t sent = push(client, out, total), got = pull(server, in, &good);
		out += sent;
		in += got;
		idle = pump() || got ? 0 : idle + 1;
	}
	CU_ASSERT_EQUAL(in, total);
	CU_ASSERT(good);
	CU_ASSERT(stats(1)->split > stats(1)->host_rx); // the kernel sent large segments
	if (burst_size == XY_BURST)
		CU_ASSERT(stats(0)->merged > stats(0)->host_tx); // and got such
	for (unsigned s = 0; s < 2; s++)
		CU_ASSERT_EQUAL(stats(s)->drops, 0);
	close(client);
	close(server);
	finish();
}

static void test_tcp(void)
{
	tcp(false, 8 << 20);
	tcp(true, 8 << 20);
	burst_size = 3; // frames taken in pieces
	tcp(true, 1 << 20);
	burst_size = XY_BURST;
}

// --- UDP

// One send of `count` datagrams of `size` each, the last of one byte.
static bool send_train(int fd, const union address *to, socklen_t len, unsigned count,
		       uint16_t size)
{
	static uint8_t buf[65536];
	uint64_t control[4] = {0};
	struct iovec iov = {.iov_base = buf, .iov_len = (count - 1) * (size_t)size + 1};
	struct msghdr h = {.msg_name = (void *)(uintptr_t)to,
			   .msg_namelen = len,
			   .msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control,
			   .msg_controllen = CMSG_SPACE(sizeof(size))};
	struct cmsghdr *c = CMSG_FIRSTHDR(&h);
	c->cmsg_level = SOL_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof(size));
	memcpy(CMSG_DATA(c), &size, sizeof(size));
	for (unsigned i = 0; i < count; i++)
		memset(buf + i * (size_t)size, (int)i + 1, i + 1 < count ? size : 1);
	return sendmsg(fd, &h, 0) == (ssize_t)iov.iov_len;
}

static bool receive_train(int fd, unsigned count, uint16_t size)
{
	uint8_t buf[2048];
	for (unsigned i = 0; i < count; i++) {
		ssize_t r = -1;
		for (unsigned k = 0; r < 0 && k < WAITS; k++) {
			r = recv(fd, buf, sizeof(buf), 0);
			if (r < 0)
				pump();
		}
		if (r != (i + 1 < count ? size : 1) || buf[0] != i + 1 || buf[r - 1] != i + 1)
			return false;
	}
	return true;
}

static void udp(bool v6)
{
	union address to;
	uint64_t frames, packets;
	if (!start())
		return;
	int a = bound(0, v6, SOCK_DGRAM, 6000), b = opened(1, v6, SOCK_DGRAM, 0);
	socklen_t len = address_of(&to, 0, v6, 6000);

	CU_ASSERT_EQUAL(sendto(b, "\1", 1, 0, &to.any, len), 1);
	CU_ASSERT(receive_train(a, 1, 1));
	frames = stats(0)->host_tx;
	packets = stats(0)->host_tx + stats(0)->merged;
	CU_ASSERT_FATAL(send_train(b, &to, len, 40, 1200));
	CU_ASSERT(receive_train(a, 40, 1200));
	CU_ASSERT(stats(0)->host_tx + stats(0)->merged >= packets + 40);
	if (stats(1)->split) { // the kernel knows USO
		CU_ASSERT(stats(1)->split >= 39);
		// IPv4 segments of the kernel come without DF, so they are not joined again.
		CU_ASSERT(!v6 || stats(0)->host_tx < frames + 40);
	}
	CU_ASSERT_EQUAL(stats(0)->drops + stats(1)->drops, 0);
	close(a);
	close(b);
	finish();
}

static void test_udp(void)
{
	udp(false);
	udp(true);
}

// --- ICMP

static void ping(bool v6)
{
	union address to;
	uint8_t echo[64] = {v6 ? 128 : 8, 0, 0, 0, 0x12, 0x34, 0, 1}, got[128];
	ssize_t r = -1;
	bool answered = false;
	if (!start())
		return;
	int fd = opened(1, v6, SOCK_RAW, v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
	socklen_t len = address_of(&to, 0, v6, 0);
	if (!v6)
		xy_le16_store(echo + 2, xy_csum_fold(xy_csum_add(0, echo, sizeof(echo))));
	CU_ASSERT_EQUAL(sendto(fd, echo, sizeof(echo), 0, &to.any, len), sizeof(echo));
	for (unsigned i = 0; !answered && i < WAITS; i++) {
		pump();
		r = recv(fd, got, sizeof(got), 0);
		const uint8_t *icmp = got + (v6 ? 0 : 20);
		answered = r > 0 && icmp[0] == (v6 ? 129 : 0) && icmp[4] == 0x12;
	}
	CU_ASSERT(answered);
	close(fd);
	finish();
}

static void test_icmp(void)
{
	ping(false);
	ping(true);
}

// --- what is joined, and in which order

// What the kernel takes from a TUN, as it takes it: joined frames are seen whole.
static int tap(unsigned s)
{
	enter(s);
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL));
	struct sockaddr_ll at = {.sll_family = AF_PACKET,
				 .sll_protocol = htons(ETH_P_ALL),
				 .sll_ifindex = (int)if_nametoindex(side[s].host->name)};
	CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

// The next frame that came in; its first source port (or 0) and how long it is.
static bool seen(int fd, uint16_t *port, unsigned *len)
{
	static uint8_t buf[70000];
	struct sockaddr_ll from;
	for (unsigned i = 0; i < WAITS;) {
		socklen_t n = sizeof(from);
		ssize_t r =
			recvfrom(fd, buf, sizeof(buf), MSG_DONTWAIT, (struct sockaddr *)&from, &n);
		if (r < 0) {
			rig_pause();
			i++;
		} else if (from.sll_pkttype == PACKET_HOST && buf[0] == 0x45) {
			*port = xy_be16_load(buf + 20);
			*len = (unsigned)r;
			return true;
		}
	}
	return false;
}

struct hand { // a packet made by hand, IPv4 from 10.99.0.77 to the kernel of side 0
	uint8_t protocol;
	uint16_t port; // source
	uint32_t seq;
	uint8_t flags; // TCP
	uint16_t payload;
	uint16_t fragment; // IPv4's flags and offset, if not DF
};

static struct rte_mbuf *made(const struct hand *h)
{
	struct xy_worker *w = worker(0);
	struct rte_mbuf *m;
	CU_ASSERT_EQUAL_FATAL(xy_buffers_alloc(w, &m, 1), 0);
	unsigned l4 = h->protocol == XY_PROTO_TCP ? 20 : 8, len = 20 + l4 + h->payload;
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);
	memset(p, 0x33, len + 16); // with padding behind, as links bring it
	memset(p, 0, 20 + l4);
	p[0] = 0x45;
	xy_be16_store(p + 2, (uint16_t)len);
	xy_be16_store(p + 6, h->fragment ? h->fragment : 0x4000);
	p[8] = 64;
	p[9] = h->protocol;
	xy_be32_store(p + 12, 0x0a63004d);
	xy_be32_store(p + 16, 0x0a630001);
	xy_le16_store(p + 10, xy_csum_fold(xy_csum_add(0, p, 20)));
	xy_be16_store(p + 20, h->port);
	xy_be16_store(p + 22, 7777);
	struct xy_addr src = xy_addr_from_v4(0x0a63004d), dst = xy_addr_from_v4(0x0a630001);
	uint32_t sum = xy_csum_pseudo(&src, &dst, h->protocol, l4 + h->payload);
	uint8_t *csum = p + 20 + (h->protocol == XY_PROTO_TCP ? 16 : 6);
	if (h->protocol == XY_PROTO_TCP) {
		xy_be32_store(p + 24, h->seq);
		p[32] = 0x50;
		p[33] = h->flags;
	} else {
		xy_be16_store(p + 24, (uint16_t)(8 + h->payload));
	}
	xy_le16_store(csum, xy_csum_fold(xy_csum_add(sum, p + 20, l4 + h->payload)));
	m->data_len = (uint16_t)(len + 16);
	m->pkt_len = len + 16;
	XY_COUNT(w, generated, 1);
	return m;
}

static void test_order(void)
{
	enum { T = XY_PROTO_TCP, U = XY_PROTO_UDP, ACK = 0x10, FIN = 0x11, PSH = 0x18 };
	static const struct hand in[] = {
		{T, 1, 1000, ACK, 100}, {T, 2, 500, ACK, 100},	  {T, 1, 1100, ACK, 100},
		{T, 1, 1200, ACK, 0}, // an acknowledgement: not joined, not overtaken
		{T, 1, 1200, ACK, 100}, {T, 2, 600, PSH, 100}, // PSH ends it
		{T, 2, 700, ACK, 100},	{T, 1, 1300, FIN, 50},	  {U, 3, 0, 0, 64},
		{U, 3, 0, 0, 64},	{U, 3, 0, 0, 64, 0x2000}, // a fragment: of a flow unknown
		{U, 3, 0, 0, 64},	{U, 3, 0, 0, 64},	  {T, 2, 800, ACK, 100},
	};
	static const struct {
		uint16_t port;
		unsigned len;
	} out[] = {
		{1, 240}, {2, 240},	 {1, 40},      {1, 140},      {2, 140},
		{1, 90},  {3, 28 + 128}, {3, 28 + 64}, {3, 28 + 128}, {2, 140},
	};
	struct rte_mbuf *m[RTE_DIM(in)];
	if (!start())
		return;
	int fd = tap(0);
	for (unsigned i = 0; i < RTE_DIM(in); i++)
		m[i] = made(&in[i]);
	host_tx(0, worker(0), m, RTE_DIM(in));
	for (unsigned i = 0; i < RTE_DIM(out); i++) {
		uint16_t port = 0;
		unsigned len = 0;
		CU_ASSERT(seen(fd, &port, &len));
		CU_ASSERT_EQUAL(port, out[i].port);
		CU_ASSERT_EQUAL(len, out[i].len);
		if (port != out[i].port || len != out[i].len)
			fprintf(stderr, "frame %u: port %u, %u bytes\n", i, port, len);
	}
	CU_ASSERT_EQUAL(stats(0)->host_tx, RTE_DIM(out));
	CU_ASSERT_EQUAL(stats(0)->merged, RTE_DIM(in) - RTE_DIM(out));
	CU_ASSERT_EQUAL(stats(0)->drops, 0);
	close(fd);
	finish();
}

// --- what goes wrong

// Bytes that the kernel passes to the TUN as they are.
static void inject(unsigned s, const void *data, size_t len)
{
	enter(s);
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_ll to = {.sll_family = AF_PACKET,
				 .sll_protocol = htons(ETH_P_IP),
				 .sll_ifindex = (int)if_nametoindex(side[s].host->name)};
	CU_ASSERT_EQUAL(sendto(fd, data, len, 0, (struct sockaddr *)&to, sizeof(to)), (ssize_t)len);
	close(fd);
}

static void test_bad(void)
{
	uint8_t junk[100];
	struct rte_mbuf *m[XY_BURST];
	if (!start())
		return;
	while (pump()) // what the kernels say by themselves
		;
	memset(junk, 0xff, sizeof(junk));
	uint64_t frames = stats(0)->host_rx, split = stats(0)->split;
	inject(0, junk, sizeof(junk));
	inject(0, junk, 1);
	junk[0] = 0x45; // its total length is beyond its end
	inject(0, junk, sizeof(junk));
	worker(0)->busy = false;
	for (unsigned i = 0; stats(0)->drop[XY_DROP_HOST_BAD] < 3 && i < WAITS; i++)
		rig_consume(worker(0), m, host_rx(0, worker(0), m, XY_BURST));
	CU_ASSERT_EQUAL(stats(0)->drop[XY_DROP_HOST_BAD], 3);
	CU_ASSERT(stats(0)->host_rx >= frames + 3);
	CU_ASSERT_EQUAL(stats(0)->split, split);
	CU_ASSERT(worker(0)->busy);
	finish();
}

// A frame of 40 packets and 10 buffers: some come, the others are dropped, and all are counted.
static void test_no_buffers(void)
{
	static struct rte_mbuf *hoard[RIG_BUFFERS];
	struct rte_mbuf *m[XY_BURST];
	union address to;
	unsigned got = 0;
	if (!start())
		return;
	while (pump())
		;
	int fd = opened(0, false, SOCK_DGRAM, 0);
	socklen_t len = address_of(&to, 1, false, 6000);
	unsigned have = rte_mempool_avail_count(rig_pool) - 10;
	CU_ASSERT_EQUAL_FATAL(rte_pktmbuf_alloc_bulk(rig_pool, hoard, have), 0);
	uint64_t before = stats(0)->host_rx + stats(0)->split;
	CU_ASSERT(send_train(fd, &to, len, 40, 1200));
	for (unsigned i = 0; stats(0)->host_rx + stats(0)->split < before + 40 && i < WAITS; i++)
		got += host_rx(0, worker(0), m + got, (uint16_t)(XY_BURST - got));
	CU_ASSERT(got > 0 && got <= 10);
	CU_ASSERT_EQUAL(stats(0)->host_rx + stats(0)->split, before + 40);
	CU_ASSERT_EQUAL(stats(0)->drop[XY_DROP_NO_BUFFER], 40 - got);
	rig_consume(worker(0), m, got);
	rte_pktmbuf_free_bulk(hoard, have);
	close(fd);
	finish();
}

static void link_delete(unsigned s)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg i;
	} del = {.h = {.nlmsg_len = sizeof(del),
		       .nlmsg_type = RTM_DELLINK,
		       .nlmsg_flags = NLM_F_REQUEST},
		 .i = {.ifi_family = AF_UNSPEC}};
	enter(s);
	del.i.ifi_index = (int)if_nametoindex(side[s].host->name);
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	CU_ASSERT_EQUAL(send(fd, &del, sizeof(del), 0), sizeof(del));
	close(fd);
}

// Down: packets are dropped as host_full. Deleted: also, and the worker no longer watches it.
static void drain(unsigned s)
{
	struct rte_mbuf *m[2];
	for (unsigned n; (n = host_rx(s, worker(s), m, 2));)
		rte_pktmbuf_free_bulk(m, n);
}

static void test_down(void)
{
	static const struct hand h = {XY_PROTO_UDP, 9, 0, 0, 64, 0};
	struct ifreq r = {0};
	if (!start())
		return;
	while (pump())
		;
	enter(0);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", side[0].host->name);
	CU_ASSERT_EQUAL(ioctl(fd, SIOCSIFFLAGS, &r), 0); // no flag: down
	close(fd);
	drain(0); // what the kernel had sent of itself until then
	for (unsigned i = 0; i < 2; i++) {
		struct rte_mbuf *m[2] = {made(&h), made(&h)};
		if (i)
			link_delete(0);
		host_tx(0, worker(0), m, 2);
		CU_ASSERT_EQUAL(stats(0)->drop[XY_DROP_HOST_FULL], 2 * i + 2);
		CU_ASSERT_EQUAL(host_rx(0, worker(0), m, 2), 0);
		CU_ASSERT_EQUAL(rig_watched, 2 - (int)i);
	}
	finish();
}

static void refused(const char *name, int error, const char *word)
{
	struct xy_host *host = NULL;
	struct xy_err err = {{0}};
	CU_ASSERT_EQUAL(xy_host_tun_open(&side[0].rig.dp, 0, name, &host, &err), -error);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, word));
	CU_ASSERT_PTR_NULL(host);
}

static void test_names(void)
{
	if (!start())
		return;
	refused("a-name-of-16-chr", EINVAL, "15 characters");
	refused("a/b", EINVAL, "a/b");
	refused("xy%d", EINVAL, "xy%d");
	enter(0);
	refused(side[0].host->name, EBUSY, side[0].host->name);
	refused("lo", EBUSY, "lo");
	finish();

	start_side(0, 2); // with several queues another daemon could join in silence
	CU_ASSERT_EQUAL(rig_watched, 2);
	refused(side[0].host->name, EBUSY, side[0].host->name);
	side[0].host->ops->close(side[0].host);
	rig_fini(&side[0].rig);
}

int main(int argc, char **argv)
{
	static const struct xy_unit_case cases[] = {
		{"TCP of the kernel", test_tcp},
		{"UDP of the kernel", test_udp},
		{"ICMP of the kernel", test_icmp},
		{"joined in order", test_order},
		{"bad frames", test_bad},
		{"no buffers", test_no_buffers},
		{"interface down, deleted", test_down},
		{"names", test_names},
	};
	int r = rig_start("host_test");
	rig_own_net = rig_own_net && nets_make();
	return r ? r : xy_unit_run("host", cases, RTE_DIM(cases), argc, argv);
}
