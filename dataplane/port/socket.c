// SPDX-License-Identifier: BSD-3-Clause
// Opening and closing a socket port. Workers share one address and port by SO_REUSEPORT; another
// process must not: SO_REUSEPORT would let any process of the same user take a share of the
// datagrams in silence. So the first socket is always bound without the option, which the kernel
// refuses while anybody else is bound there; only then it is given the option, and the other
// workers' sockets join it. There is no moment at which two daemons both succeed, since each begins
// with the exclusive bind.
#include "socket.h"

#include "dp.h"
#include "privileges.h"

#include <linux/filter.h>
#include <linux/sock_diag.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

// --- one socket

static int set_number(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) ? -errno : 0;
}

// What the port cannot do without: a datagram's local address and ECN, no silent fragments, and to
// be told of ICMP errors.
static int set_needed(int fd, sa_family_t family, struct xy_err *err)
{
	static const struct {
		int level, name, value;
		bool v6;
		const char *what;
	} need[] = {
		{SOL_IPV6, IPV6_RECVPKTINFO, 1, true, "IPV6_RECVPKTINFO"},
		{SOL_IPV6, IPV6_RECVTCLASS, 1, true, "IPV6_RECVTCLASS"},
		// Not fragmented unless we say so for a datagram, and no smaller than the
		// interface's MTU by the kernel's own opinion: an ICMP error, which anybody can
		// forge, is ours to weigh.
		{SOL_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE, true, "IPV6_MTU_DISCOVER"},
		{SOL_IPV6, IPV6_RECVERR, 1, true, "IPV6_RECVERR"},
		{SOL_IP, IP_RECVTOS, 1, false, "IP_RECVTOS"}, // on dual-stack sockets as well
		{SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE, false, "IP_MTU_DISCOVER"},
		{SOL_IP, IP_RECVERR, 1, false, "IP_RECVERR"},
	};
	int r = family == AF_INET ? set_number(fd, SOL_IP, IP_PKTINFO, 1) : 0;
	if (r)
		return xy_err_set(err, -r, "UDP socket: IP_PKTINFO: %s", strerror(-r));
	for (size_t i = 0; i < RTE_DIM(need); i++) {
		if (need[i].v6 && family != AF_INET6)
			continue;
		r = set_number(fd, need[i].level, need[i].name, need[i].value);
		if (r)
			return xy_err_set(err, -r, "UDP socket: %s: %s", need[i].what,
					  strerror(-r));
	}
	return 0;
}

static int set_mark(const struct xy_dp *dp, int fd, uint32_t mark, struct xy_err *err)
{
	int r = mark ? xy_privileged_mark(dp, fd, mark) : 0;
	if (r)
		return xy_err_set(
			err, -r,
			"UDP socket: fwmark %u: %s; it needs CAP_NET_ADMIN: run as root, or "
			"leave fwmark out",
			mark, strerror(-r));
	return 0;
}

static int set_interface(const struct xy_dp *dp, int fd, const struct xy_dp_port_config *cfg,
			 struct xy_err *err)
{
	int r = cfg->shared ? xy_privileged_device(dp, fd, cfg->interface) : 0;
	return r ? xy_err_set(err, -r, "UDP socket on %s: %s", cfg->interface, strerror(-r)) : 0;
}

static int set_options(const struct xy_dp *dp, struct xy_socket_queue *q,
		       const struct xy_dp_port_config *cfg, struct xy_err *err)
{
	int r = set_needed(q->fd, q->family, err);
	r = r ? r : set_mark(dp, q->fd, cfg->fwmark, err);
	r = r ? r : set_interface(dp, q->fd, cfg, err);
	if (r)
		return r;
	xy_privileged_buffers(dp, q->fd);
	set_number(q->fd, SOL_UDP, UDP_GRO, 1);	       // without it datagrams come one by one
	set_number(q->fd, SOL_IP, IP_RECVFRAGSIZE, 1); // without it fragments are not counted
	if (q->family == AF_INET6)
		set_number(q->fd, SOL_IPV6, IPV6_RECVFRAGSIZE, 1);
	q->gso = set_number(q->fd, SOL_UDP, UDP_SEGMENT, 0) == 0;
	return 0;
}

// --- address and family

static bool any_family(const struct xy_addr *a) // "::", while 0.0.0.0 asks for IPv4
{
	return xy_addr_is_unspecified(a) && !xy_addr_is_v4(a);
}

static int create(struct xy_socket_queue *q, const struct xy_addr *address, struct xy_err *err)
{
	q->family = xy_addr_is_v4(address) ? AF_INET : AF_INET6;
	q->fd = socket(q->family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (q->fd < 0 && errno == EAFNOSUPPORT && any_family(address)) {
		q->family = AF_INET;
		q->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	}
	if (q->fd < 0)
		return xy_err_set(err, errno, "UDP socket: %s%s", strerror(errno),
				  errno == EAFNOSUPPORT ? "; this kernel has no IPv6" : "");
	if (q->family == AF_INET6)
		set_number(q->fd, SOL_IPV6, IPV6_V6ONLY, !any_family(address));
	return 0;
}

static int bind_error(int error, const struct xy_addr *address, uint16_t port, struct xy_err *err)
{
	char text[XY_ADDR_STRLEN];
	xy_addr_str(address, text);
	switch (error) {
	case EADDRINUSE:
		return xy_err_set(
			err, error,
			"UDP port %u of %s is taken: another xylemd, a WireGuard interface "
			"or another program has it (see: ss -ulnp 'sport = :%u'); stop that, "
			"or set another port",
			port, text, port);
	case EADDRNOTAVAIL:
		return xy_err_set(
			err, error,
			"UDP port %u of %s: no interface of this machine has that address; "
			"add it first, or leave the address out",
			port, text);
	case EACCES:
		return xy_err_set(
			err, error,
			"UDP port %u of %s: ports below 1024 need CAP_NET_BIND_SERVICE; run "
			"as root, or set a higher port",
			port, text);
	case EINVAL:
		if (xy_addr_is_link_local(address))
			return xy_err_set(err, error,
					  "UDP port %u of %s: a port cannot have a link-local "
					  "address; leave the address out",
					  port, text);
	}
	return xy_err_set(err, error, "UDP port %u of %s: %s", port, text, strerror(error));
}

static int bind_to(const struct xy_dp *dp, const struct xy_socket_queue *q,
		   const struct xy_addr *address, uint16_t port, struct xy_err *err)
{
	int r = xy_privileged_bind(dp, q->fd, address, port);
	return r ? bind_error(-r, address, port, err) : 0;
}

static int bound_port(const struct xy_socket_queue *q, uint16_t *port, struct xy_err *err)
{
	union xy_sockaddr at = {0};
	socklen_t len = sizeof(at);
	if (getsockname(q->fd, &at.any, &len))
		return xy_err_set(err, errno, "UDP socket: getsockname: %s", strerror(errno));
	*port = ntohs(q->family == AF_INET ? at.v4.sin_port : at.v6.sin6_port);
	return 0;
}

// --- by which socket what comes is read

// The kernel's choice by addresses and ports would bring all that one peer sends to one worker. The
// session and the lane choose instead, so that no window's packets come elsewhere
// (xy_port_worker_of): the index is at byte 4 of data, the lane at 15. What else comes goes by the
// same word, which is random. A datagram that is too short is the first worker's.
static int steer(const struct xy_socket_port *p)
{
	const struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 4),
		BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, p->port.workers),
		BPF_STMT(BPF_MISC | BPF_TAX, 0),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, XY_WG_DATA, 2, 0),
		BPF_STMT(BPF_MISC | BPF_TXA, 0),
		BPF_STMT(BPF_RET | BPF_A, 0),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 15),
		BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0),
		BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, p->port.workers),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};
	const struct sock_fprog program = {RTE_DIM(code), (struct sock_filter *)(uintptr_t)code};
	return setsockopt(p->queue[0].fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program,
			  sizeof(program))
		       ? -errno
		       : 0;
}

// --- a queue, a port

static int queue_memory(struct xy_socket_queue *q, struct xy_err *err)
{
	size_t len = (size_t)XY_SOCKET_SLOTS * XY_SOCKET_STRIDE;
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return xy_err_set(err, ENOMEM, "no memory for the frames of a UDP socket");
	madvise(p, len, MADV_NOHUGEPAGE); // a small node touches one page of each slot
	q->frames = p;
	xy_socket_rx_init(q);
	return 0;
}

static int queue_open(struct xy_socket_port *p, unsigned i, const struct xy_dp_port_config *cfg,
		      struct xy_err *err)
{
	struct xy_socket_queue *q = &p->queue[i];
	int r = queue_memory(q, err);
	r = r ? r : create(q, &cfg->address, err);
	r = r ? r : set_options(p->dp, q, cfg, err);
	if (!r && i > 0 && set_number(q->fd, SOL_SOCKET, SO_REUSEPORT, 1))
		r = xy_err_set(err, errno, "UDP socket: SO_REUSEPORT: %s", strerror(errno));
	r = r ? r : bind_to(p->dp, q, &cfg->address, p->port.udp_port, err);
	if (!r && i == 0)
		r = bound_port(q, &p->port.udp_port, err);
	// After its exclusive bind the first socket lets the other workers' join it.
	if (!r && i == 0 && p->port.workers > 1 && set_number(q->fd, SOL_SOCKET, SO_REUSEPORT, 1))
		r = xy_err_set(err, errno, "UDP socket: SO_REUSEPORT: %s", strerror(errno));
	return r;
}

static int queues_watch(struct xy_socket_port *p, struct xy_err *err)
{
	for (unsigned i = 0; i < p->port.workers; i++) {
		int r = xy_worker_watch(p->dp->worker[i], p->queue[i].fd);
		if (r)
			return xy_err_set(err, -r, "UDP socket: epoll: %s", strerror(-r));
		p->queue[i].watched = true;
	}
	return 0;
}

static void queue_close(struct xy_worker *w, struct xy_socket_queue *q)
{
	if (q->watched)
		xy_worker_unwatch(w, q->fd);
	if (q->fd >= 0)
		close(q->fd);
	if (q->frames)
		munmap(q->frames, (size_t)XY_SOCKET_SLOTS * XY_SOCKET_STRIDE);
}

static void socket_close(struct xy_port *port)
{
	struct xy_socket_port *p = port->driver_data;
	for (unsigned i = 0; p->queue && i < port->workers; i++)
		queue_close(p->dp->worker[i], &p->queue[i]);
	free(p->queue);
	free(port->counters);
	free(p);
}

static void info(const struct xy_port *port, struct xy_dp_port_info *out)
{
	out->rx_missed += xy_port_socket_missed(port);
}

static int mark(struct xy_port *port, uint32_t mark)
{
	const struct xy_socket_port *p = port->driver_data;
	int r = 0;
	for (unsigned i = 0; i < port->workers; i++) {
		int e = xy_privileged_mark(p->dp, p->queue[i].fd, mark);
		r = e ? e : r;
	}
	return r;
}

static const struct xy_port_ops ops = {
	.driver = "socket",
	.rx_burst_rcu = xy_socket_rx_burst_rcu,
	.tx_burst_rcu = xy_socket_tx_burst_rcu,
	.info = info,
	.mark = mark,
	.close = socket_close,
};

static void *lines(size_t size) // zeroed, whole cache lines
{
	size = RTE_ALIGN_CEIL(size, (size_t)RTE_CACHE_LINE_SIZE);
	void *p = aligned_alloc(RTE_CACHE_LINE_SIZE, size);
	return p ? memset(p, 0, size) : NULL;
}

static struct xy_socket_port *port_alloc(struct xy_dp *dp, const struct xy_dp_port_config *cfg,
					 unsigned id)
{
	struct xy_socket_port *p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->dp = dp;
	p->port = (struct xy_port){.ops = &ops,
				   .id = id,
				   .address = cfg->address,
				   .udp_port = cfg->port,
				   .workers = dp->workers,
				   .driver_data = p};
	p->port.counters = lines(dp->workers * sizeof(*p->port.counters));
	p->queue = lines(dp->workers * sizeof(*p->queue));
	for (unsigned i = 0; p->queue && i < dp->workers; i++)
		p->queue[i].fd = -1;
	return p;
}

int xy_port_socket_open(struct xy_dp *dp, const struct xy_dp_port_config *cfg, unsigned id,
			struct xy_port **out, struct xy_err *err)
{
	struct xy_socket_port *p = port_alloc(dp, cfg, id);
	if (!p)
		return xy_err_set(err, ENOMEM, "no memory for a port");
	int r = 0;
	if (!p->queue || !p->port.counters)
		r = xy_err_set(err, ENOMEM, "no memory for a port");
	for (unsigned i = 0; !r && i < dp->workers; i++)
		r = queue_open(p, i, cfg, err);
	r = r ? r : queues_watch(p, err);
	p->port.steered = !r && dp->workers > 1 && steer(p) == 0;
	if (r) {
		socket_close(&p->port);
		return r;
	}
	*out = &p->port;
	return 0;
}

uint64_t xy_port_socket_missed(const struct xy_port *port)
{
	const struct xy_socket_port *p = port->driver_data;
	uint64_t missed = 0;
	for (unsigned i = 0; i < port->workers; i++) {
		uint32_t info[SK_MEMINFO_VARS] = {0};
		socklen_t len = sizeof(info);
		if (getsockopt(p->queue[i].fd, SOL_SOCKET, SO_MEMINFO, info, &len) == 0)
			missed += info[SK_MEMINFO_DROPS];
	}
	return missed;
}
