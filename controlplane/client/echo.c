// SPDX-License-Identifier: BSD-3-Clause
#include "client/echo.h"

#include "base/bytes.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEADER = 8 }; // of echo, in both families

union place {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static void put16(uint8_t *to, uint16_t v)
{
	to[0] = (uint8_t)(v >> 8);
	to[1] = (uint8_t)v;
}

static uint16_t get16(const uint8_t *from)
{
	return (uint16_t)(from[0] << 8 | from[1]);
}

static socklen_t place_of(const struct xy_addr *a, union place *out)
{
	memset(out, 0, sizeof(*out));
	if (xy_addr_is_v4(a)) {
		out->v4.sin_family = AF_INET;
		memcpy(&out->v4.sin_addr, a->b + 12, 4);
		return sizeof(out->v4);
	}
	out->v6.sin6_family = AF_INET6;
	memcpy(&out->v6.sin6_addr, a->b, 16);
	return sizeof(out->v6);
}

static struct xy_addr addr_of(const union place *p)
{
	struct xy_addr a = {.b = {[10] = 0xff, [11] = 0xff}};
	if (p->sa.sa_family == AF_INET)
		memcpy(a.b + 12, &p->v4.sin_addr, 4);
	else
		memcpy(a.b, &p->v6.sin6_addr, 16);
	return a;
}

static int dial(struct xy_echo *e, int type)
{
	int protocol = e->v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	e->fd = socket(e->v4 ? AF_INET : AF_INET6, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
	e->raw = type == SOCK_RAW;
	return e->fd < 0 ? -errno : 0;
}

// Sizes are tried as they are: no fragments, and what was learned of the path before is no limit.
static void set_options(const struct xy_echo *e)
{
	int on = 1, probe4 = IP_PMTUDISC_PROBE, probe6 = IPV6_PMTUDISC_PROBE;
	if (e->v4) {
		setsockopt(e->fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on));
		setsockopt(e->fd, IPPROTO_IP, IP_RECVTTL, &on, sizeof(on));
		setsockopt(e->fd, IPPROTO_IP, IP_MTU_DISCOVER, &probe4, sizeof(probe4));
		return;
	}
	struct icmp6_filter only;
	ICMP6_FILTER_SETBLOCKALL(&only);
	ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &only);
	setsockopt(e->fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof(on));
	setsockopt(e->fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &on, sizeof(on));
	setsockopt(e->fd, IPPROTO_IPV6, IPV6_DONTFRAG, &on, sizeof(on));
	setsockopt(e->fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &probe6, sizeof(probe6));
	if (e->raw)
		setsockopt(e->fd, IPPROTO_ICMPV6, ICMP6_FILTER, &only, sizeof(only));
}

static int refused(int code, struct xy_err *err)
{
	if (code == EACCES || code == EPERM)
		return xy_err_set(err, code,
				  "no socket for ICMP echo: run as root, or let your group: sysctl "
				  "-w net.ipv4.ping_group_range=\"0 2147483647\"");
	return xy_err_set(err, code, "no socket for ICMP echo: %s", strerror(code));
}

int xy_echo_open(struct xy_echo *e, const struct xy_addr *to, struct xy_err *err)
{
	union place at;
	socklen_t len = place_of(to, &at);
	static _Atomic uint16_t opened; // raw sockets see each other's answers
	*e = (struct xy_echo){.v4 = xy_addr_is_v4(to),
			      .id = (uint16_t)((unsigned)getpid() * 257 + opened++)};
	int ret = dial(e, SOCK_DGRAM);
	if (ret == -EACCES || ret == -EPERM || ret == -EPROTONOSUPPORT)
		ret = dial(e, SOCK_RAW);
	if (ret)
		return refused(-ret, err);
	set_options(e);
	if (connect(e->fd, &at.sa, len)) {
		ret = xy_err_set(err, errno, "this host's kernel: %s", strerror(errno));
		xy_echo_close(e);
		return ret;
	}
	len = sizeof(at);
	if (getsockname(e->fd, &at.sa, &len) == 0)
		e->source = addr_of(&at);
	return 0;
}

void xy_echo_close(struct xy_echo *e)
{
	if (e->fd >= 0)
		close(e->fd);
	e->fd = -1;
}

// RFC 1071; of ICMPv6 the kernel makes it.
static uint16_t sum_of(const uint8_t *b, size_t len)
{
	uint32_t sum = 0;
	for (size_t i = 0; i < len; i++)
		sum += (uint32_t)b[i] << (i % 2 ? 0 : 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

int xy_echo_send(struct xy_echo *e, uint16_t seq, unsigned data)
{
	static _Thread_local uint8_t packet[HEADER + XY_ECHO_MOST];
	size_t len = HEADER + (data < XY_ECHO_MOST ? data : XY_ECHO_MOST);
	memset(packet, 0, HEADER);
	packet[0] = e->v4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
	put16(packet + 4, e->id);
	put16(packet + 6, seq);
	for (size_t i = HEADER; i < len; i++)
		packet[i] = (uint8_t)i;
	if (e->v4)
		put16(packet + 2, sum_of(packet, len));
	e->last = seq;
	clock_gettime(CLOCK_MONOTONIC, &e->sent[seq % XY_ECHO_KEPT]);
	ssize_t n = send(e->fd, packet, len, 0);
	if (n < 0 && errno != EMSGSIZE && errno != EAGAIN) // an error of before is not this one's
		n = send(e->fd, packet, len, 0);
	return n < 0 ? -errno : 0;
}

static double since(const struct xy_echo *e, uint16_t seq)
{
	const struct timespec *then = &e->sent[seq % XY_ECHO_KEPT];
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if ((uint16_t)(e->last - seq) >= XY_ECHO_KEPT)
		return -1;
	return (double)(now.tv_sec - then->tv_sec) * 1e3 +
	       (double)(now.tv_nsec - then->tv_nsec) / 1e6;
}

static unsigned hops_of(struct msghdr *m)
{
	int value = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		if ((c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_HOPLIMIT) ||
		    (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TTL))
			memcpy(&value, CMSG_DATA(c), sizeof(value));
	return (unsigned)value;
}

// --- answers

// A raw IPv4 socket gives the IP header as well.
static bool read_answer(const struct xy_echo *e, const uint8_t *b, size_t len,
			struct xy_echo_seen *out)
{
	size_t skip = e->raw && e->v4 && len ? (size_t)(b[0] & 15) * 4 : 0;
	if (len < skip + HEADER)
		return false;
	b += skip;
	if (b[0] != (e->v4 ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY))
		return false;
	if (e->raw && get16(b + 4) != e->id)
		return false;
	out->what = XY_ECHO_ANSWER;
	out->seq = get16(b + 6);
	out->bytes = (unsigned)(len - skip);
	out->ms = since(e, out->seq);
	return true;
}

static bool take_answer(struct xy_echo *e, struct xy_echo_seen *out)
{
	static _Thread_local uint8_t buf[HEADER + XY_ECHO_MOST + 64];
	union place from;
	char control[256];
	for (;;) {
		struct iovec v = {buf, sizeof(buf)};
		struct msghdr m = {.msg_name = &from,
				   .msg_namelen = sizeof(from),
				   .msg_iov = &v,
				   .msg_iovlen = 1,
				   .msg_control = control,
				   .msg_controllen = sizeof(control)};
		ssize_t n = recvmsg(e->fd, &m, 0);
		if (n < 0)
			return false;
		if (!read_answer(e, buf, (size_t)n, out))
			continue;
		out->from = addr_of(&from);
		out->hops = hops_of(&m);
		return true;
	}
}

// --- errors

// quoted: what was sent, from the ICMP header on; a local error may quote nothing.
static bool read_error(const struct xy_echo *e, const struct sock_extended_err *x,
		       const uint8_t *quoted, size_t len, struct xy_echo_seen *out)
{
	if (e->raw && len >= HEADER && get16(quoted + 4) != e->id)
		return false;
	out->seq = len >= HEADER ? get16(quoted + 6) : e->last;
	out->ms = since(e, out->seq);
	out->type = x->ee_type;
	out->code = x->ee_code;
	out->mtu = x->ee_errno == EMSGSIZE ? x->ee_info : 0;
	if (x->ee_origin == SO_EE_ORIGIN_LOCAL) {
		out->what = XY_ECHO_LOCAL;
		return true;
	}
	const union place *by = (const void *)SO_EE_OFFENDER(x);
	out->what = XY_ECHO_ERROR;
	if (by->sa.sa_family == AF_INET || by->sa.sa_family == AF_INET6)
		out->from = addr_of(by);
	return true;
}

static bool take_error(struct xy_echo *e, struct xy_echo_seen *out)
{
	uint8_t buf[256];
	char control[512];
	for (;;) {
		struct iovec v = {buf, sizeof(buf)};
		struct msghdr m = {.msg_iov = &v,
				   .msg_iovlen = 1,
				   .msg_control = control,
				   .msg_controllen = sizeof(control)};
		ssize_t n = recvmsg(e->fd, &m, MSG_ERRQUEUE);
		if (n < 0)
			return false;
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
			bool error =
				(c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR) ||
				(c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR);
			if (error && read_error(e, (const void *)CMSG_DATA(c), buf, (size_t)n, out))
				return true;
		}
	}
}

bool xy_echo_take(struct xy_echo *e, struct xy_echo_seen *out)
{
	*out = (struct xy_echo_seen){.ms = -1};
	if (take_error(e, out) || take_answer(e, out))
		return true;
	// recvmsg gives an error's errno once in an answer's place
	return take_error(e, out) || take_answer(e, out);
}

// --- words

#define PROHIBITED "prohibited (a firewall, or an exit that does not let this node)"

static const char *unreachable6(uint8_t code)
{
	static const char *const text[] = {
		[ICMP6_DST_UNREACH_NOROUTE] = "no route to it",
		[ICMP6_DST_UNREACH_ADMIN] = PROHIBITED,
		[ICMP6_DST_UNREACH_BEYONDSCOPE] = "beyond the scope of the source",
		[ICMP6_DST_UNREACH_ADDR] =
			"address unreachable: who should have it does not answer",
		[ICMP6_DST_UNREACH_NOPORT] = "port unreachable",
		[5] = "the source is not allowed there",
		[6] = "a route that rejects it",
	};
	return code < XY_ARRAY_SIZE(text) ? text[code] : "destination unreachable";
}

static const char *unreachable4(uint8_t code)
{
	switch (code) {
	case ICMP_NET_UNREACH:
		return "no route to it";
	case ICMP_HOST_UNREACH:
		return "address unreachable: who should have it does not answer";
	case ICMP_FRAG_NEEDED:
		return "too big";
	case ICMP_NET_ANO:
	case ICMP_HOST_ANO:
	case ICMP_PKT_FILTERED:
		return PROHIBITED;
	default:
		return "destination unreachable";
	}
}

const char *xy_echo_error_text(const struct xy_echo_seen *s, bool v4)
{
	if (s->what == XY_ECHO_LOCAL)
		return "too big for this host's interface";
	if (v4)
		return s->type == ICMP_DEST_UNREACH    ? unreachable4(s->code)
		       : s->type == ICMP_TIME_EXCEEDED ? "hop limit exceeded: do routes form a "
							 "loop?"
						       : "ICMP error";
	switch (s->type) {
	case ICMP6_DST_UNREACH:
		return unreachable6(s->code);
	case ICMP6_PACKET_TOO_BIG:
		return "too big";
	case ICMP6_TIME_EXCEEDED:
		return "hop limit exceeded: do routes form a loop?";
	case ICMP6_PARAM_PROB:
		return "it says that the packet is malformed";
	default:
		return "ICMP error";
	}
}

// --- several at once

double xy_echo_clock(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void send_next(struct xy_echo_run *r)
{
	if (r->echo.fd < 0 || r->sent == r->count)
		return;
	int ret = xy_echo_send(&r->echo, (uint16_t)++r->sent, r->data);
	r->why = ret ? ret : r->why;
}

static void take_all(struct xy_echo_run *r)
{
	struct xy_echo_seen s;
	while (r->echo.fd >= 0 && xy_echo_take(&r->echo, &s)) {
		if (s.what != XY_ECHO_ANSWER) {
			r->error = true;
			r->seen = s;
			continue;
		}
		if (r->answers == r->sent) // doubled on the way
			continue;
		r->least = !r->answers || s.ms < r->least ? s.ms : r->least;
		r->most = s.ms > r->most ? s.ms : r->most;
		r->sum += s.ms;
		r->answers++;
	}
}

static bool all_answered(const struct xy_echo_run *r, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (r[i].echo.fd >= 0 && r[i].answers < r[i].count && !r[i].error)
			return false;
	return true;
}

// Waits until one can be read, `until` at most.
static void wait_for_one(const struct xy_echo_run *r, unsigned n, struct pollfd *p, double until)
{
	double left = until - xy_echo_clock();
	for (unsigned i = 0; i < n; i++)
		p[i] = (struct pollfd){.fd = r[i].echo.fd, .events = POLLIN};
	poll(p, n, left > 0 ? (int)left + 1 : 0);
}

void xy_echo_all(struct xy_echo_run *r, unsigned n, unsigned interval_ms, unsigned wait_ms)
{
	struct pollfd *p = calloc(n ? n : 1, sizeof(*p));
	unsigned rounds = 0;
	for (unsigned i = 0; i < n; i++) {
		r[i].why = xy_echo_open(&r[i].echo, &r[i].to, NULL);
		r[i].source = r[i].echo.source;
		rounds = r[i].count > rounds ? r[i].count : rounds;
	}
	for (unsigned k = 0; p && k < rounds; k++) {
		double until = xy_echo_clock() + (k + 1 < rounds ? interval_ms : wait_ms);
		for (unsigned i = 0; i < n; i++)
			send_next(&r[i]);
		while (xy_echo_clock() < until) {
			wait_for_one(r, n, p, until);
			for (unsigned i = 0; i < n; i++)
				take_all(&r[i]);
			if (k + 1 == rounds && all_answered(r, n))
				break;
		}
	}
	for (unsigned i = 0; i < n; i++)
		xy_echo_close(&r[i].echo);
	free(p);
}
