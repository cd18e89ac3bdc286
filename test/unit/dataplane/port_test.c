// SPDX-License-Identifier: BSD-3-Clause
// Socket ports over loopback (MTU 1500, in a namespace of the test's own): what goes in comes out,
// with its addresses and marks, and each datagram is accounted for.
#include "port/socket.h"
#include "rig.h"

#include "base/bytes.h"

#include <arpa/inet.h>
#include <netinet/udp.h>
#include <rte_ip.h>

#define WAITS 5000 // looks, 0.2 ms apart, until something must have come

static struct rig rig;

// --- the kernel, where some paths take no trains (linked with --wrap)

static unsigned messages, trains; // that it was asked to send
static struct xy_addr singly;	  // where it takes none to

ssize_t __wrap_sendmsg(int fd, const struct msghdr *h, int flags);
int __wrap_sendmmsg(int fd, struct mmsghdr *h, unsigned n, int flags);
ssize_t __real_sendmsg(int fd, const struct msghdr *h, int flags);
int __real_sendmmsg(int fd, struct mmsghdr *h, unsigned n, int flags);

static bool refused_as_train(const struct msghdr *h)
{
	struct xy_endpoint to;
	messages++;
	if (h->msg_iovlen < 2)
		return false;
	trains++;
	xy_socket_remote(&to, h->msg_name);
	return xy_addr_eq(&to.addr, &singly);
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *h, int flags)
{
	if (!refused_as_train(h))
		return __real_sendmsg(fd, h, flags);
	errno = EIO;
	return -1;
}

int __wrap_sendmmsg(int fd, struct mmsghdr *h, unsigned n, int flags)
{
	unsigned ok = 0;
	while (ok < n && !refused_as_train(&h[ok].msg_hdr))
		ok++;
	if (ok)
		return __real_sendmmsg(fd, h, ok, flags);
	errno = EIO;
	return -1;
}

static void start(unsigned workers)
{
	rig_init(&rig, workers, xy_port_worker_init, xy_port_worker_fini);
}

static struct xy_addr addr(const char *s)
{
	struct xy_addr a = {0};
	CU_ASSERT_EQUAL(xy_addr_parse(s, &a), 0);
	return a;
}

static struct xy_endpoint at(const char *s, uint16_t port)
{
	return (struct xy_endpoint){.addr = addr(s), .port = port};
}

static struct xy_port *opened(const char *address, uint16_t udp_port, unsigned id)
{
	struct xy_dp_port_config cfg = {.address = addr(address), .port = udp_port};
	struct xy_port *port = NULL;
	struct xy_err err = {{0}};
	int r = xy_port_socket_open(&rig.dp, &cfg, id, &port, &err);
	if (r)
		fprintf(stderr, "%s\n", err.text);
	CU_ASSERT_EQUAL_FATAL(r, 0);
	CU_ASSERT_NOT_EQUAL(port->udp_port, 0);
	return port;
}

static uint8_t byte(unsigned packet, unsigned i)
{
	return (uint8_t)(packet * 131 + i * 7 + (i >> 8));
}

static struct rte_mbuf *made(unsigned number, unsigned len, const struct xy_endpoint *to)
{
	struct xy_worker *w = &rig.worker[0];
	struct rte_mbuf *m;
	CU_ASSERT_EQUAL_FATAL(xy_buffers_alloc(w, &m, 1), 0);
	uint8_t *data = rte_pktmbuf_mtod(m, uint8_t *);
	for (unsigned i = 0; i < len; i++)
		data[i] = byte(number, i);
	m->data_len = (uint16_t)len;
	m->pkt_len = len;
	*xy_packet(m) = (struct xy_packet){.remote = *to, .next = XY_PEER_NONE};
	XY_COUNT(w, generated, 1);
	return m;
}

static bool intact(const struct rte_mbuf *m, unsigned number, unsigned len)
{
	const uint8_t *data = rte_pktmbuf_mtod(m, const uint8_t *);
	if (m->data_len != len || m->pkt_len != len)
		return false;
	for (unsigned i = 0; i < len; i++)
		if (data[i] != byte(number, i))
			return false;
	return true;
}

static unsigned sent(struct xy_port *port, struct rte_mbuf **m, unsigned n)
{
	return port->ops->tx_burst_rcu(port, &rig.worker[0], m, (uint16_t)n);
}

// Takes until n are there, `step` at a time.
static unsigned take_by(struct xy_port *port, unsigned worker, struct rte_mbuf **m, unsigned n,
			unsigned step)
{
	unsigned got = 0;
	for (unsigned i = 0; got < n && i < WAITS; i++) {
		unsigned k = port->ops->rx_burst_rcu(port, &rig.worker[worker], m + got,
						     (uint16_t)RTE_MIN(step, n - got));
		for (unsigned j = got; j < got + k; j++)
			CU_ASSERT(RIG_BEGINS_LINE(
				rte_pktmbuf_mtod_offset(m[j], uint8_t *, XY_WG_DATA_HEADER_LEN)));
		got += k;
		if (!k)
			rig_pause();
	}
	return got;
}

static unsigned take(struct xy_port *port, struct rte_mbuf **m, unsigned n)
{
	return take_by(port, 0, m, n, XY_BURST);
}

static void finish(struct xy_port *a, struct xy_port *b)
{
	a->ops->close(a);
	if (b)
		b->ops->close(b);
	for (unsigned i = 0; i < rig.dp.workers; i++)
		CU_ASSERT_EQUAL(rig_balance(&rig.worker[i]), 0);
	rig_fini(&rig);
}

// One datagram each way between two ports; the answer goes to where the first came from.
static void echo(const char *bind_a, const char *bind_b, const char *to_b)
{
	start(1);
	struct xy_port *a = opened(bind_a, 0, 0), *b = opened(bind_b, 0, 7);
	struct xy_endpoint to = at(to_b, b->udp_port);
	struct rte_mbuf *m = made(1, 148, &to);

	CU_ASSERT_EQUAL_FATAL(sent(a, &m, 1), 1);
	CU_ASSERT_EQUAL_FATAL(take(b, &m, 1), 1);
	struct xy_packet *p = xy_packet(m);
	CU_ASSERT(intact(m, 1, 148));
	CU_ASSERT_EQUAL(p->remote.port, a->udp_port);
	CU_ASSERT_EQUAL(p->remote.scope, 0);
	CU_ASSERT(xy_addr_eq(&p->local, &to.addr));
	CU_ASSERT_EQUAL(p->port, 7);
	CU_ASSERT_EQUAL(p->ecn, 0);
	CU_ASSERT_EQUAL(p->from, XY_PEER_NONE);

	CU_ASSERT_EQUAL_FATAL(sent(b, &m, 1), 1);
	CU_ASSERT_EQUAL_FATAL(take(a, &m, 1), 1);
	CU_ASSERT(intact(m, 1, 148));
	CU_ASSERT(xy_endpoint_eq(&xy_packet(m)->remote, &to));
	rig_consume(&rig.worker[0], &m, 1);
	finish(a, b);
}

static void test_echo(void)
{
	echo("127.0.0.1", "127.0.0.1", "127.0.0.1");
	echo("::1", "::1", "::1");
	echo("::", "::", "::1");
	echo("::", "::", "127.0.0.1"); // IPv4 through dual-stack sockets
	echo("0.0.0.0", "::", "127.0.0.1");
	echo("::", "0.0.0.0", "127.0.0.1");
	echo("::", "127.0.0.1", "127.0.0.1");
}

// Datagrams of these lengths, in this order, arrive whole and in order, however they are joined.
static void round_trip(const char *to, const unsigned *len, unsigned n, unsigned step)
{
	struct rte_mbuf *m[256];
	start(1);
	struct xy_port *a = opened("::", 0, 0), *b = opened("::", 0, 1);
	struct xy_endpoint remote = at(to, b->udp_port);
	uint64_t bytes = 0;

	for (unsigned i = 0; i < n; i++) {
		m[i] = made(i, len[i], &remote);
		bytes += len[i];
	}
	CU_ASSERT_EQUAL_FATAL(sent(a, m, n), n);
	CU_ASSERT_EQUAL_FATAL(take_by(b, 0, m, n, step), n);
	for (unsigned i = 0; i < n; i++)
		CU_ASSERT(intact(m[i], i, len[i]));
	CU_ASSERT_EQUAL(a->counters[0].tx_packets, n);
	CU_ASSERT_EQUAL(a->counters[0].tx_bytes, bytes);
	CU_ASSERT_EQUAL(b->counters[0].rx_packets, n);
	CU_ASSERT_EQUAL(b->counters[0].rx_bytes, bytes);
	rig_consume(&rig.worker[0], m, n);
	finish(a, b);
}

static void test_trains(void)
{
	unsigned len[256];
	for (unsigned i = 0; i < 200; i++)
		len[i] = 1400;
	round_trip("127.0.0.1", len, 200, XY_BURST);
	round_trip("::1", len, 200, XY_BURST);
	round_trip("::1", len, 200, 5); // a train taken in pieces
	len[10] = 1399;			// a shorter one ends a train
	len[11] = 0;			// an empty one travels alone
	len[12] = 1;
	len[13] = 1420;
	round_trip("127.0.0.1", len, 64, XY_BURST);
	for (unsigned i = 0; i < 200; i++)
		len[i] = 32 + i * 37 % 1300;
	round_trip("::1", len, 200, XY_BURST);
	round_trip("127.0.0.1", len, 200, 1);
}

// What came as one train goes on in one burst, so that it can be one again; but for one that is
// longer than a burst.
static void test_whole(void)
{
	struct rte_mbuf *m[3 * 40];
	start(1);
	struct xy_port *a = opened("::", 0, 0), *b = opened("::", 0, 1);
	struct xy_endpoint remote = at("127.0.0.1", b->udp_port);
	for (unsigned i = 0; i < RTE_DIM(m); i++)
		m[i] = made(i, 1400, &remote);
	messages = 0;
	for (unsigned i = 0; i < RTE_DIM(m); i += 40)
		CU_ASSERT_EQUAL_FATAL(sent(a, m + i, 40), 40);
	CU_ASSERT_EQUAL(messages, 3);
	for (unsigned i = 0, waits = 0; i < 80 && waits < WAITS;
	     waits++) { // two would not go into it
		unsigned n = b->ops->rx_burst_rcu(b, &rig.worker[0], m + i, XY_BURST);
		CU_ASSERT_FATAL(n == 0 || n == 40);
		i += n;
		if (!n)
			rig_pause();
	}
	CU_ASSERT_EQUAL(take_by(b, 0, m + 80, 40, 30), 40);
	CU_ASSERT_EQUAL(b->counters[0].rx_packets, RTE_DIM(m));
	for (unsigned i = 0; i < RTE_DIM(m); i++)
		CU_ASSERT(intact(m[i], i, 1400));
	rig_consume(&rig.worker[0], m, RTE_DIM(m));
	finish(a, b);
}

// What a train is on the wire: a plain socket without UDP_GRO counts the same datagrams.
static void test_train_is_datagrams(void)
{
	struct rte_mbuf *m[40];
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(to);
	uint8_t got[2048];
	start(1);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	CU_ASSERT_EQUAL_FATAL(getsockname(fd, (struct sockaddr *)&to, &len), 0);
	struct xy_port *a = opened("::", 0, 0);
	struct xy_endpoint remote = at("127.0.0.1", ntohs(to.sin_port));

	for (unsigned i = 0; i < 40; i++)
		m[i] = made(i, i == 39 ? 77 : 1200, &remote);
	CU_ASSERT_EQUAL(sent(a, m, 40), 40);
	for (unsigned i = 0; i < 40; i++) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		CU_ASSERT_EQUAL_FATAL(poll(&p, 1, 1000), 1);
		CU_ASSERT_EQUAL(recv(fd, got, sizeof(got), 0), i == 39 ? 77 : 1200);
		CU_ASSERT_EQUAL(got[5], byte(i, 5));
	}
	close(fd);
	finish(a, NULL);
}

enum { REMOTES = 4, EACH = 16 }; // a burst

// A burst to several remotes, one packet each in turn, with marks that change; to the first of them
// perhaps no trains. Each hears its own in order.
static void interleaved(struct xy_port *a, struct xy_port *const *b, const struct xy_endpoint *to,
			bool marked)
{
	struct rte_mbuf *m[REMOTES * EACH];
	messages = trains = 0;
	for (unsigned i = 0; i < REMOTES * EACH; i++) {
		m[i] = made(i, 1200, &to[i % REMOTES]);
		xy_packet(m[i])->ecn = marked && i / REMOTES % 4 == 3 ? 3 : 0;
	}
	CU_ASSERT_EQUAL_FATAL(sent(a, m, REMOTES * EACH), REMOTES * EACH);
	for (unsigned r = 0; r < REMOTES; r++) {
		CU_ASSERT_EQUAL_FATAL(take(b[r], m, EACH), EACH);
		for (unsigned i = 0; i < EACH; i++)
			CU_ASSERT(intact(m[i], i * REMOTES + r, 1200));
		rig_consume(&rig.worker[0], m, EACH);
	}
}

static void test_interleaved(void)
{
	struct xy_port *b[REMOTES];
	struct xy_endpoint to[REMOTES];
	start(1);
	rig.worker[0].now = XY_SEC;
	struct xy_port *a = opened("::", 0, 0);
	for (unsigned r = 0; r < REMOTES; r++) {
		char address[16];
		snprintf(address, sizeof(address), "127.0.0.%u", r + 2);
		b[r] = opened(address, 0, r + 1);
		to[r] = at(address, b[r]->udp_port);
	}
	interleaved(a, b, to, false);
	CU_ASSERT_EQUAL(messages, REMOTES); // a train each
	interleaved(a, b, to, true);
	CU_ASSERT_EQUAL(messages, REMOTES * 8); // three, and one that is marked

	// One path takes no trains: the others do, and it is asked again later.
	singly = to[0].addr;
	interleaved(a, b, to, false);
	CU_ASSERT(trains >= REMOTES);
	for (unsigned i = 0; i < 3; i++) {
		rig.worker[0].now += XY_SOCKET_RETRY / 4;
		interleaved(a, b, to, false);
		CU_ASSERT_EQUAL(messages, REMOTES - 1 + EACH);
		CU_ASSERT_EQUAL(trains, REMOTES - 1);
	}
	singly = (struct xy_addr){0};
	rig.worker[0].now += XY_SOCKET_RETRY / 4;
	interleaved(a, b, to, false);
	CU_ASSERT_EQUAL(messages, REMOTES);
	for (unsigned r = 0; r < REMOTES; r++)
		b[r]->ops->close(b[r]);
	finish(a, NULL);
}

// A link-local remote comes with its interface, and an answer from our own link-local address goes
// back to it.
static void test_link_local(void)
{
	struct {
		struct in6_addr addr;
		uint32_t len;
		int index;
	} r6 = {.len = 64, .index = (int)if_nametoindex("lo")};
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct rte_mbuf *m;
	unsigned came = 0, lost = 0;
	inet_pton(AF_INET6, "fe80::77", &r6.addr);
	if (!rig_own_net || ioctl(fd, SIOCSIFADDR, &r6)) {
		fprintf(stderr, "skipped: ");
		close(fd);
		return;
	}
	close(fd);
	start(1);
	struct xy_port *a = opened("::", 0, 0), *b = opened("::", 0, 1);
	struct xy_endpoint to = at("fe80::77", b->udp_port);
	to.scope = (uint32_t)r6.index;
	while (!came && a->counters[0].tx_errors + lost < WAITS) {
		rig_pause(); // the address is tentative for a moment: refused, or lost on the way
		m = made(5, 80, &to);
		if (!sent(a, &m, 1)) {
			rig_drop(&rig.worker[0], &m, 1);
			continue;
		}
		came = take(b, &m, 1);
		lost += !came;
	}
	CU_ASSERT_EQUAL_FATAL(came, 1);
	CU_ASSERT_EQUAL(xy_packet(m)->remote.scope, to.scope);
	CU_ASSERT(xy_addr_eq(&xy_packet(m)->remote.addr, &to.addr));
	CU_ASSERT(xy_addr_eq(&xy_packet(m)->local, &to.addr));
	CU_ASSERT_EQUAL_FATAL(sent(b, &m, 1), 1);
	CU_ASSERT_EQUAL_FATAL(take(a, &m, 1), 1);
	CU_ASSERT(intact(m, 5, 80));
	CU_ASSERT(xy_endpoint_eq(&xy_packet(m)->remote, &to));
	rig_consume(&rig.worker[0], &m, 1);
	finish(a, b);
}

static void marks(const char *to)
{
	struct rte_mbuf *m[12];
	start(1);
	struct xy_port *a = opened("::", 0, 0), *b = opened("::", 0, 1);
	struct xy_endpoint remote = at(to, b->udp_port);

	for (unsigned i = 0; i < 12; i++) { // three of each, which are trains, too
		m[i] = made(i, 100, &remote);
		xy_packet(m[i])->ecn = (uint8_t)(i / 3);
	}
	CU_ASSERT_EQUAL_FATAL(sent(a, m, 12), 12);
	CU_ASSERT_EQUAL_FATAL(take(b, m, 12), 12);
	for (unsigned i = 0; i < 12; i++) {
		CU_ASSERT(intact(m[i], i, 100));
		CU_ASSERT_EQUAL(xy_packet(m[i])->ecn, i / 3);
	}
	rig_consume(&rig.worker[0], m, 12);
	finish(a, b);
}

static void test_ecn(void)
{
	marks("127.0.0.1");
	marks("::1");
}

// The local address that is asked for is used; one that is not ours is replaced by the kernel's.
static void from(const char *to, const char *local, const char *want)
{
	struct rte_mbuf *m[3];
	start(1);
	struct xy_port *a = opened("::", 0, 0), *b = opened("::", 0, 1);
	struct xy_endpoint remote = at(to, b->udp_port);
	struct xy_addr wanted = addr(want);

	for (unsigned i = 0; i < 3; i++) {
		m[i] = made(i, 64, &remote);
		xy_packet(m[i])->local = addr(local);
	}
	CU_ASSERT_EQUAL_FATAL(sent(a, m, 3), 3);
	CU_ASSERT_EQUAL_FATAL(take(b, m, 3), 3);
	for (unsigned i = 0; i < 3; i++)
		CU_ASSERT(xy_addr_eq(&xy_packet(m[i])->remote.addr, &wanted));
	rig_consume(&rig.worker[0], m, 3);
	finish(a, b);
}

static void test_local(void)
{
	from("127.0.0.1", "::", "127.0.0.1");
	from("127.0.0.1", "127.0.0.9", "127.0.0.9");
	from("127.0.0.1", "192.0.2.1", "127.0.0.1");
	from("127.0.0.1", "2001:db8::1", "127.0.0.1"); // of the other family
	from("::1", "::1", "::1");
	from("::1", "2001:db8::1", "::1");
	from("::1", "192.0.2.1", "::1");
}

// Two too long for the path among others: those come back, in order, with the reason.
static void test_mtu(void)
{
	struct rte_mbuf *m[70];
	if (!rig_own_net) {
		fprintf(stderr, "skipped: ");
		return;
	}
	for (unsigned v6 = 0; v6 < 2; v6++) {
		start(1);
		struct xy_port *a = opened("::", 0, 0), *b = opened("::", 0, 1);
		struct xy_endpoint remote = at(v6 ? "::1" : "127.0.0.1", b->udp_port);
		for (unsigned i = 0; i < 70; i++)
			m[i] = made(i, i == 3 || i == 66 ? 1600 : 1400, &remote);
		CU_ASSERT_EQUAL_FATAL(sent(a, m, 70), 68);
		CU_ASSERT(intact(m[0], 3, 1600));
		CU_ASSERT(intact(m[1], 66, 1600));
		CU_ASSERT_EQUAL(xy_packet(m[0])->drop, XY_DROP_UNDERLAY_MTU);
		CU_ASSERT_EQUAL(xy_packet(m[1])->drop, XY_DROP_UNDERLAY_MTU);
		CU_ASSERT_EQUAL(a->counters[0].tx_errors, 2);
		rig_drop(&rig.worker[0], m, 2);
		CU_ASSERT_EQUAL_FATAL(take(b, m, 68), 68);
		CU_ASSERT(intact(m[3], 4, 1400));
		CU_ASSERT(intact(m[67], 69, 1400));
		rig_consume(&rig.worker[0], m, 68);

		// A whole train that is too long, but for its end.
		for (unsigned i = 0; i < 10; i++)
			m[i] = made(i, i == 9 ? 90 : 1600, &remote);
		CU_ASSERT_EQUAL_FATAL(sent(a, m, 10), 1);
		for (unsigned i = 0; i < 9; i++)
			CU_ASSERT_EQUAL(xy_packet(m[i])->drop, XY_DROP_UNDERLAY_MTU);
		rig_drop(&rig.worker[0], m, 9);
		CU_ASSERT_EQUAL_FATAL(take(b, m, 1), 1);
		CU_ASSERT(intact(m[0], 9, 90));
		rig_consume(&rig.worker[0], m, 1);
		finish(a, b);
	}
}

// Datagrams that IP may cut pass where they are too long, in their place among those that may not,
// by interface and by a route's own MTU; the socket's own way is what it was.
static void in_pieces(bool v6, unsigned how)
{
	enum { N = 70 };
	struct rte_mbuf *m[N];
	start(1);
	struct xy_port *a = opened("::", 0, 0), *b = opened("::", 0, 1);
	struct xy_endpoint remote = at(v6 ? "::1" : "127.0.0.1", b->udp_port);
	unsigned cut = 0;
	for (unsigned i = 0; i < N; i++) {
		bool large = i % 7 == 3 || i == 8 || i == 67;
		m[i] = made(i, large ? 1600 : 1400, &remote);
		xy_packet(m[i])->pieces = large ? how : XY_PIECES_NONE;
		cut += large;
	}
	CU_ASSERT_EQUAL_FATAL(sent(a, m, N), N);
	CU_ASSERT_EQUAL_FATAL(take(b, m, N), N);
	for (unsigned i = 0; i < N; i++) {
		bool large = i % 7 == 3 || i == 8 || i == 67;
		CU_ASSERT(intact(m[i], i, large ? 1600 : 1400));
	}
	CU_ASSERT_EQUAL(a->counters[0].tx_fragmented, cut);
	CU_ASSERT_EQUAL(b->counters[0].rx_fragmented, cut);
	rig_consume(&rig.worker[0], m, N);
	m[0] = made(0, 1600, &remote);
	CU_ASSERT_EQUAL_FATAL(sent(a, m, 1), 0);
	CU_ASSERT_EQUAL(xy_packet(m[0])->drop, XY_DROP_UNDERLAY_MTU);
	rig_drop(&rig.worker[0], m, 1);
	finish(a, b);
}

static void test_pieces(void)
{
	if (!rig_own_net) {
		fprintf(stderr, "skipped: ");
		return;
	}
	for (unsigned v6 = 0; v6 < 2; v6++)
		for (unsigned how = XY_PIECES_PATH; how <= XY_PIECES_ROUTE; how++)
			in_pieces(v6, how);
}

static void test_refused(void)
{
	struct rte_mbuf *m[4];
	start(1);
	struct xy_port *a = opened("127.0.0.1", 0, 0);
	struct xy_endpoint v6 = at("::1", 9), none = at("127.0.0.1", 0);
	m[0] = made(0, 64, &v6); // an IPv4 socket reaches no IPv6 remote
	m[1] = made(1, 64, &v6);
	m[2] = made(2, 64, &none);
	m[3] = made(3, 64, &v6);
	CU_ASSERT_EQUAL_FATAL(sent(a, m, 4), 0);
	for (unsigned i = 0; i < 4; i++) {
		static const unsigned order[] = {0, 1, 3, 2}; // each remote's together
		CU_ASSERT(intact(m[i], order[i], 64));
		CU_ASSERT_EQUAL(xy_packet(m[i])->drop, XY_DROP_TX_FAILED);
	}
	rig_drop(&rig.worker[0], m, 4);
	// Nobody listens: the ICMP error for one does not stop the next.
	struct xy_endpoint closed = at("127.0.0.1", 9);
	for (unsigned i = 0; i < 4; i++) {
		m[0] = made(i, 64, &closed);
		CU_ASSERT_EQUAL(sent(a, m, 1), 1);
	}
	finish(a, NULL);
}

// --- ICMP errors

static bool has_errors(struct xy_port *p)
{
	struct pollfd f = {.fd = xy_socket_queue(p, 0)->fd};
	poll(&f, 1, 0);
	return f.revents & POLLERR;
}

static void errors_gone(struct xy_port *p)
{
	struct rte_mbuf *m;
	for (unsigned i = 0; i < 1000 && has_errors(p); i++)
		CU_ASSERT_EQUAL(p->ops->rx_burst_rcu(p, &rig.worker[0], &m, 1), 0);
	CU_ASSERT_FALSE(has_errors(p)); // it would keep a worker from sleeping
}

// Errors about one remote, who has closed his port, cost no datagram to another.
static void test_closed(void)
{
	enum { N = 40 };
	struct rte_mbuf *m[2 * N];
	for (unsigned v6 = 0; v6 < 2; v6++) {
		const char *lo = v6 ? "::1" : "127.0.0.1";
		start(1);
		struct xy_port *a = opened("::", 0, 0), *b = opened("::", 0, 1);
		struct xy_endpoint there = at(lo, b->udp_port), closed = at(lo, 9);
		for (unsigned i = 0; i < N; i++) { // one at a time, and in bursts
			m[0] = made(i, 64, &closed);
			m[1] = made(i, 64, &there);
			CU_ASSERT_EQUAL_FATAL(sent(a, m, 1), 1);
			CU_ASSERT_EQUAL_FATAL(sent(a, m + 1, 1), 1);
		}
		CU_ASSERT(has_errors(a));
		rig_refused = 0;
		CU_ASSERT_EQUAL_FATAL(take(b, m, N), N);
		rig_consume(&rig.worker[0], m, N);
		for (unsigned i = 0; i < 2 * N; i++)
			m[i] = made(i, 64, i % 2 ? &there : &closed);
		CU_ASSERT_EQUAL_FATAL(sent(a, m, 2 * N), 2 * N);
		CU_ASSERT_EQUAL_FATAL(take(b, m, N), N);
		rig_consume(&rig.worker[0], m, N);
		errors_gone(a);
		CU_ASSERT_EQUAL(rig_too_big, 0);
		CU_ASSERT_EQUAL(rig_refused, ECONNREFUSED); // and the control plane is told where
		CU_ASSERT(xy_endpoint_eq(&rig_refused_at, &closed));
		finish(a, b);
	}
}

// A router's "too big", about a datagram that this socket never sent: as when a card sent it.
static void too_big_from_router(bool v6, uint16_t from, uint16_t to)
{
	uint8_t msg[8 + 40 + 8] = {3, 4, 0, 0, 0, 0, 1400 >> 8, 1400 & 0xff};
	size_t ip = v6 ? 40 : 20, len = 8 + ip + 8;
	uint8_t *quote = msg + 8;
	if (v6) {
		static const uint8_t head[] = {
			2,    0, 0, 0, 0,	  0, 1400 >> 8, 1400 & 0xff, // ICMPv6
			0x60, 0, 0, 0, 1400 >> 8, 8, 17,	64};
		memcpy(msg, head, sizeof(head));
		quote[8 + 15] = quote[24 + 15] = 1;
	} else {
		static const uint8_t head[] = {0x45, 0,	 1440 >> 8, 1440 & 0xff, 0, 0,	 0x40,
					       0,    64, 17,	    0,		 0, 127, 0,
					       0,    1,	 127,	    0,		 0, 1};
		memcpy(quote, head, sizeof(head));
		xy_be16_store(quote + 10, rte_be_to_cpu_16((uint16_t)~rte_raw_cksum(head, 20)));
	}
	xy_be16_store(quote + ip, from);
	xy_be16_store(quote + ip + 2, to);
	xy_be16_store(quote + ip + 4, 1400 - 40);
	if (!v6)
		xy_be16_store(msg + 2, rte_be_to_cpu_16((uint16_t)~rte_raw_cksum(msg, len)));
	struct xy_endpoint lo = at(v6 ? "::1" : "127.0.0.1", 0);
	union xy_sockaddr dst = {0};
	if (v6) {
		dst.v6.sin6_family = AF_INET6;
		memcpy(&dst.v6.sin6_addr, lo.addr.b, 16);
	} else {
		dst.v4.sin_family = AF_INET;
		memcpy(&dst.v4.sin_addr, lo.addr.b + 12, 4);
	}
	int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_RAW | SOCK_CLOEXEC,
			v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(sendto(fd, msg, len, 0, &dst.any, v6 ? sizeof(dst.v6) : sizeof(dst.v4)),
			(ssize_t)len);
	close(fd);
}

static void test_too_big(void)
{
	if (!rig_own_net) {
		fprintf(stderr, "skipped: ");
		return;
	}
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct xy_endpoint remote = at(v6 ? "::1" : "127.0.0.1", 4711);
		struct rte_mbuf *m;
		start(1);
		struct xy_port *a = opened("::", 0, 0);
		rig_too_big = 0;
		too_big_from_router(v6, a->udp_port, 4711);
		errors_gone(a);
		CU_ASSERT_EQUAL(rig_too_big, 1);
		CU_ASSERT(xy_endpoint_eq(&rig_too_big_at, &remote));
		too_big_from_router(v6, (uint16_t)(a->udp_port ^ 1), 4711); // not about our port
		CU_ASSERT_FALSE(has_errors(a));
		// The kernel believes it; what the socket may send is the interface's MTU all the
		// same.
		struct xy_port *b = opened("::", 0, 1);
		remote.port = b->udp_port;
		m = made(7, 1440, &remote);
		CU_ASSERT_EQUAL_FATAL(sent(a, &m, 1), 1);
		CU_ASSERT_EQUAL_FATAL(take(b, &m, 1), 1);
		rig_consume(&rig.worker[0], &m, 1);
		rig_too_big = 0;
		finish(a, b);
	}
}

static void refused_open(const char *address, uint16_t udp_port, int error, const char *word)
{
	struct xy_dp_port_config cfg = {.address = addr(address), .port = udp_port};
	struct xy_port *port = NULL;
	struct xy_err err = {{0}};
	CU_ASSERT_EQUAL_FATAL(xy_port_socket_open(&rig.dp, &cfg, 0, &port, &err), -error);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, word));
	CU_ASSERT_PTR_NULL(port);
}

// A port that has an owner is refused, also while the owner has SO_REUSEPORT on (several workers)
// and the second would set it as well.
static void test_busy(void)
{
	for (unsigned workers = 1; workers <= 2; workers++) {
		char number[16];
		start(workers);
		struct xy_port *a = opened("::", 0, 0);
		snprintf(number, sizeof(number), " %u ", a->udp_port);
		refused_open("::", a->udp_port, EADDRINUSE, number);
		refused_open("127.0.0.1", a->udp_port, EADDRINUSE, "127.0.0.1");
		refused_open("::1", a->udp_port, EADDRINUSE, "another xylemd");
		refused_open("192.0.2.1", a->udp_port, EADDRNOTAVAIL, "192.0.2.1");
		refused_open("2001:db8::1", 0, EADDRNOTAVAIL, "2001:db8::1");
		refused_open("fe80::1", 0, EINVAL, "link-local");
		uint16_t udp_port = a->udp_port;
		a->ops->close(a);
		finish(opened("::", udp_port, 0), NULL); // and free again
	}
}

// Data goes to the worker of its session and lane, wherever it comes from; each datagram to one.
static void test_workers(void)
{
	enum { FLOWS = 64 };
	struct rte_mbuf *m[FLOWS];
	unsigned got[2] = {0}, want[2] = {0};
	start(2);
	struct xy_port *b = opened("::", 0, 0);
	CU_ASSERT_EQUAL(rig_watched, 2);
	CU_ASSERT_TRUE_FATAL(b->steered);
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(b->udp_port),
				 .sin_addr = {htonl(INADDR_LOOPBACK)}};
	for (unsigned i = 0; i < FLOWS; i++) {
		int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		struct xy_wg_data data = {.type = XY_WG_DATA,
					  .receiver = i * UINT32_C(2654435761),
					  .counter = (uint64_t)(i / 2) << 56 | i};
		CU_ASSERT_EQUAL(
			sendto(fd, &data, sizeof(data), 0, (struct sockaddr *)&to, sizeof(to)),
			(ssize_t)sizeof(data));
		want[xy_port_worker_of(2, data.receiver, i / 2)]++;
		close(fd);
	}
	CU_ASSERT(want[0] && want[1]);
	for (unsigned i = 0; got[0] + got[1] < FLOWS && i < WAITS; i++)
		for (unsigned w = 0; w < 2; w++) {
			unsigned k = b->ops->rx_burst_rcu(b, &rig.worker[w], m, XY_BURST);
			for (unsigned n = 0; n < k; n++) {
				const struct xy_wg_data *d = rte_pktmbuf_mtod(m[n], void *);
				unsigned lane = (unsigned)(d->counter >> 56);
				CU_ASSERT_EQUAL(xy_port_worker_of(2, d->receiver, lane), w);
			}
			rig_consume(&rig.worker[w], m, k);
			got[w] += k;
		}
	CU_ASSERT_EQUAL(got[0], want[0]);
	CU_ASSERT_EQUAL(got[1], want[1]);
	CU_ASSERT_EQUAL(b->counters[0].rx_packets, got[0]);
	CU_ASSERT_EQUAL(b->counters[1].rx_packets, got[1]);
	finish(b, NULL);
}

// Without buffers datagrams are taken, counted and dropped; one too long for a buffer, too.
static void test_no_buffers(void)
{
	struct rte_mbuf *m[64], *hoard[RIG_BUFFERS];
	start(1);
	struct xy_worker *w = &rig.worker[0];
	struct xy_port *a = opened("::", 0, 0), *b = opened("::", 0, 1);
	struct xy_endpoint remote = at("127.0.0.1", b->udp_port);

	for (unsigned i = 0; i < 64; i++)
		m[i] = made(i, 1000, &remote);
	CU_ASSERT_EQUAL_FATAL(sent(a, m, 64), 64);
	unsigned have = rte_mempool_avail_count(rig_pool) - 10;
	CU_ASSERT_EQUAL_FATAL(rte_pktmbuf_alloc_bulk(rig_pool, hoard, have), 0);
	unsigned got = 0;
	for (unsigned i = 0; w->stats.rx < 64 && i < WAITS; i++) {
		w->busy = false;
		uint64_t before = w->stats.rx;
		got += b->ops->rx_burst_rcu(b, w, m + got, XY_BURST);
		CU_ASSERT_EQUAL(w->busy, w->stats.rx > before);
	}
	CU_ASSERT(got > 0 && got <= 10);
	CU_ASSERT_EQUAL(w->stats.rx, 64);
	CU_ASSERT_EQUAL(w->stats.drop[XY_DROP_NO_BUFFER], 64 - got);
	for (unsigned i = 0; i < got; i++)
		CU_ASSERT(intact(m[i], i, 1000));
	rig_consume(w, m, got);
	rte_pktmbuf_free_bulk(hoard, have);

	static const uint8_t big[4000];
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(b->udp_port),
				 .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	CU_ASSERT_EQUAL(sendto(fd, big, sizeof(big), 0, (struct sockaddr *)&to, sizeof(to)), 4000);
	CU_ASSERT_EQUAL(sendto(fd, "ok", 2, 0, (struct sockaddr *)&to, sizeof(to)), 2);
	close(fd);
	CU_ASSERT_EQUAL_FATAL(take(b, m, 1), 1);
	CU_ASSERT_EQUAL(m[0]->data_len, 2);
	CU_ASSERT_EQUAL(w->stats.drop[XY_DROP_NOT_WIREGUARD], 1);
	rig_consume(w, m, 1);
	finish(a, b);
}

// What the kernel had no room for is told.
static void test_missed(void)
{
	start(1);
	struct xy_port *b = opened("127.0.0.1", 0, 0);
	static const uint8_t big[1000];
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(b->udp_port),
				 .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	CU_ASSERT_EQUAL(xy_port_socket_missed(b), 0);
	for (unsigned i = 0; i < 100000 && xy_port_socket_missed(b) == 0; i++)
		sendto(fd, big, sizeof(big), 0, (struct sockaddr *)&to, sizeof(to));
	CU_ASSERT(xy_port_socket_missed(b) > 0);
	close(fd);
	finish(b, NULL);
}

// What a sleep that ran its time has said, no system call asks again; what it has not waits.
static void test_quiet(void)
{
	start(1);
	struct xy_port *a = opened("127.0.0.1", 0, 1), *b = opened("127.0.0.1", 0, 2);
	struct xy_endpoint to = at("127.0.0.1", b->udp_port);
	struct rte_mbuf *m = made(1, 100, &to);
	CU_ASSERT_EQUAL_FATAL(sent(a, &m, 1), 1);
	rig.worker[0].listed = true;
	for (unsigned i = 0; i < 10; i++) {
		CU_ASSERT_EQUAL(b->ops->rx_burst_rcu(b, &rig.worker[0], &m, 1), 0);
		rig_pause();
	}
	rig.worker[0].listed = false;
	CU_ASSERT_EQUAL_FATAL(take(b, &m, 1), 1);
	CU_ASSERT(intact(m, 1, 100));
	rig_consume(&rig.worker[0], &m, 1);
	finish(a, b);
}

int main(int argc, char **argv)
{
	static const struct xy_unit_case cases[] = {
		{"echo, both families", test_echo},
		{"trains, byte by byte", test_trains},
		{"whole trains", test_whole},
		{"a train is datagrams", test_train_is_datagrams},
		{"several remotes in turn", test_interleaved},
		{"link-local", test_link_local},
		{"ECN both ways", test_ecn},
		{"local address", test_local},
		{"too long for the path", test_mtu},
		{"too long, and may be cut", test_pieces},
		{"refused by the kernel", test_refused},
		{"errors about another", test_closed},
		{"too big, says a router", test_too_big},
		{"busy port", test_busy},
		{"data over workers", test_workers},
		{"no buffers", test_no_buffers},
		{"missed by the kernel", test_missed},
		{"after a sleep that ran its time", test_quiet},
	};
	int r = rig_start("port_test");
	return r ? r : xy_unit_run("port", cases, RTE_DIM(cases), argc, argv);
}
