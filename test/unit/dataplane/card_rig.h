// SPDX-License-Identifier: BSD-3-Clause
// What tests of ports on cards share: a second network namespace with a kernel in it for the other
// end of the wire, and peers with an adjacency. One thread.
#pragma once

#define RIG_BUFFERS 8191 // AF_XDP keeps 2048 for each queue
#include "rig.h"

#include "peer.h"
#include "port/card.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <sys/wait.h>

#define WAITS 5000 // looks, 0.2 ms apart, until something must have come
#define OURS  51820

static struct rig rig;
static int here = -1, there = -1; // network namespaces: ours, and the one beyond the wire

// --- what the rest of the dataplane gives

void xy_dp_retire(struct xy_dp *dp, void *ptr, void (*fn)(struct xy_dp *dp, void *ptr))
{
	if (ptr)
		fn(dp, ptr); // the test is the only worker
}

// --- the machine

__attribute__((format(printf, 1, 2))) static inline int sh(const char *fmt, ...)
{
	char cmd[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	int r = system(cmd);
	return WIFEXITED(r) ? WEXITSTATUS(r) : -1;
}

static inline void enter(int net)
{
	if (setns(net, CLONE_NEWNET))
		abort();
}

// Runs a command beyond the wire.
static inline int sh_there(const char *cmd)
{
	enter(there);
	int r = sh("%s", cmd);
	enter(here);
	return r;
}

static inline int net_open(void)
{
	return open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
}

// After rig_net; 77 where there is nothing to test with.
static inline int card_rig_start(const char *name)
{
	if (!rig_own_net || geteuid() != 0) {
		fprintf(stderr, "%s: skipped: needs root\n", name);
		return 77;
	}
	here = net_open();
	if (unshare(CLONE_NEWNET) || !rig_link_up("lo", 1500))
		return 2;
	there = net_open();
	return setns(here, CLONE_NEWNET) || sh("ip link set lo up") ? 2 : 0;
}

// --- ports and packets

static inline struct xy_addr addr(const char *s)
{
	struct xy_addr a = {0};
	CU_ASSERT_EQUAL_FATAL(xy_addr_parse(s, &a), 0);
	return a;
}

static inline void start(unsigned workers)
{
	rig_init(&rig, workers, xy_port_worker_init, xy_port_worker_fini);
	rig.dp.cfg.max_peers = 4;
	rig.dp.end = aligned_alloc(RTE_CACHE_LINE_SIZE, 4 * sizeof(*rig.dp.end));
	CU_ASSERT_PTR_NOT_NULL_FATAL(rig.dp.end);
	memset(rig.dp.end, 0, 4 * sizeof(*rig.dp.end));
}

static inline void finish(struct xy_port *port)
{
	if (port)
		port->ops->close(port);
	for (unsigned i = 0; i < rig.dp.workers; i++)
		CU_ASSERT_EQUAL(rig_balance(&rig.worker[i]), 0);
	for (unsigned i = 0; i < 4; i++)
		free(rig.dp.end[i].link.adjacency);
	free(rig.dp.end);
	rig_fini(&rig);
}

// Peer 0 is at remote, by this port; its frames go to next_mac.
static inline void peer_at(const struct xy_port *port, const char *local, const char *remote,
			   uint16_t udp_port, const uint8_t next_mac[6], const uint8_t own_mac[6])
{
	struct xy_adjacency *a = rig.dp.end[0].link.adjacency;
	struct xy_addr from = addr(local);
	a = a ? a : calloc(1, sizeof(*a));
	*a = (struct xy_adjacency){.remote = {.addr = addr(remote), .port = udp_port},
				   .local = from,
				   .port = (uint16_t)port->id};
	CU_ASSERT_EQUAL_FATAL(xy_frame_header_make(&a->frame, next_mac, own_mac, &from,
						   port->udp_port, &a->remote, port->sums),
			      0);
	rig.dp.end[0].link.adjacency = a;
}

static inline uint8_t byte(unsigned packet, unsigned i)
{
	return (uint8_t)(packet * 131 + i * 7 + (i >> 8));
}

static inline struct rte_mbuf *made(unsigned worker, unsigned number, unsigned len, uint32_t peer,
				    const char *remote, uint16_t udp_port)
{
	struct xy_worker *w = &rig.worker[worker];
	struct rte_mbuf *m;
	CU_ASSERT_EQUAL_FATAL(xy_buffers_alloc(w, &m, 1), 0);
	uint8_t *data = rte_pktmbuf_mtod(m, uint8_t *);
	for (unsigned i = 0; i < len; i++)
		data[i] = byte(number, i);
	m->data_len = (uint16_t)len;
	m->pkt_len = len;
	*xy_packet(m) = (struct xy_packet){.remote = {.addr = addr(remote), .port = udp_port},
					   .next = peer};
	XY_COUNT(w, generated, 1);
	return m;
}

static inline bool intact(const struct rte_mbuf *m, unsigned number, unsigned len)
{
	const uint8_t *data = rte_pktmbuf_mtod(m, const uint8_t *);
	if (m->data_len != len || m->pkt_len != len)
		return false;
	for (unsigned i = 0; i < len; i++)
		if (data[i] != byte(number, i))
			return false;
	return true;
}

static inline unsigned look(struct xy_port *port, unsigned worker, struct rte_mbuf **m, unsigned n)
{
	return port->ops->rx_burst_rcu(port, &rig.worker[worker], m, (uint16_t)RTE_MIN(n, 64u));
}

// Takes until n are there.
static inline unsigned take(struct xy_port *port, unsigned worker, struct rte_mbuf **m, unsigned n)
{
	unsigned got = 0;
	for (unsigned i = 0; got < n && i < WAITS; i++) {
		unsigned k = look(port, worker, m + got, n - got);
		got += k;
		if (!k)
			rig_pause();
	}
	return got;
}

// --- the kernel's end

union at {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static inline socklen_t at_make(union at *a, const char *text, uint16_t udp_port)
{
	memset(a, 0, sizeof(*a));
	if (inet_pton(AF_INET, text, &a->v4.sin_addr) == 1) {
		a->v4.sin_family = AF_INET;
		a->v4.sin_port = htons(udp_port);
		return sizeof(a->v4);
	}
	CU_ASSERT_EQUAL_FATAL(inet_pton(AF_INET6, text, &a->v6.sin6_addr), 1);
	a->v6.sin6_family = AF_INET6;
	a->v6.sin6_port = htons(udp_port);
	return sizeof(a->v6);
}

// A UDP socket beyond the wire.
static inline int kernel_socket(const char *local, uint16_t udp_port)
{
	union at a;
	socklen_t len = at_make(&a, local, udp_port);
	enter(there);
	int fd = socket(a.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	enter(here);
	CU_ASSERT_EQUAL_FATAL(bind(fd, &a.any, len), 0);
	return fd;
}

static inline void kernel_send(int fd, const char *to, uint16_t udp_port, unsigned number,
			       unsigned len)
{
	uint8_t data[16384];
	union at a;
	socklen_t size = at_make(&a, to, udp_port);
	for (unsigned i = 0; i < len; i++)
		data[i] = byte(number, i);
	for (unsigned i = 0; i < WAITS; i++) {
		if (sendto(fd, data, len, 0, &a.any, size) == (ssize_t)len)
			return;
		rig_pause();
	}
	CU_FAIL("the kernel did not send");
}

// The next datagram of the socket is this one, from our port.
static inline bool kernel_got(int fd, unsigned number, unsigned len, uint16_t from)
{
	uint8_t data[16384];
	union at a;
	socklen_t size = sizeof(a);
	ssize_t n = -1;
	for (unsigned i = 0; n < 0 && i < WAITS; i++) {
		n = recvfrom(fd, data, sizeof(data), 0, &a.any, &size);
		if (n < 0)
			rig_pause();
	}
	if (n != (ssize_t)len || ntohs(a.v4.sin_port) != from)
		return false;
	for (unsigned i = 0; i < len; i++)
		if (data[i] != byte(number, i))
			return false;
	return true;
}

static inline void mac_of(const char *interface, uint8_t out[6])
{
	struct ifreq r = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", interface);
	CU_ASSERT_EQUAL_FATAL(ioctl(fd, SIOCGIFHWADDR, &r), 0);
	memcpy(out, r.ifr_hwaddr.sa_data, 6);
	close(fd);
}

static inline void mac_there(const char *interface, uint8_t out[6])
{
	enter(there);
	mac_of(interface, out);
	enter(here);
}
