// SPDX-License-Identifier: BSD-3-Clause
// ICMP errors about our datagrams, by the socket's error queue (IP_RECVERR). The kernel has looked
// them up by the ports and addresses they quote, so those about frames that a card sent past it
// come here as well. It has also put their MTU into its cache of path MTUs, where the control plane
// finds it; a socket that asks for PMTUDISC_PROBE does not obey that cache.
#include "socket.h"

#include "event.h"

#include <errno.h>
#include <linux/errqueue.h>

enum { ERRORS_PER_CALL = 16 };

bool xy_socket_is_old_error(int error)
{
	switch (error) { // net/ipv4/icmp.c and net/ipv6/icmp.c: icmp_err_convert, tab_unreach
	case EMSGSIZE:
	case ECONNREFUSED:
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EHOSTDOWN:
	case ENOPROTOOPT:
	case EOPNOTSUPP:
	case ENONET:
	case EACCES:
	case EPROTO:
		return true;
	}
	return false;
}

// The error of an ICMP message in the kernel's words (errno); 0: it is none.
static int icmp_error(const struct cmsghdr *c)
{
	struct sock_extended_err e;
	bool v4 = c->cmsg_level == SOL_IP && c->cmsg_type == IP_RECVERR;
	bool v6 = c->cmsg_level == SOL_IPV6 && c->cmsg_type == IPV6_RECVERR;
	if ((!v4 && !v6) || c->cmsg_len < CMSG_LEN(sizeof(e)))
		return 0;
	memcpy(&e, CMSG_DATA(c), sizeof(e));
	bool icmp = e.ee_origin == SO_EE_ORIGIN_ICMP || e.ee_origin == SO_EE_ORIGIN_ICMP6;
	return icmp ? (int)e.ee_errno : 0;
}

void xy_socket_errors_read(struct xy_socket_queue *q, struct xy_worker *w, unsigned port)
{
	for (unsigned i = 0; i < ERRORS_PER_CALL; i++) {
		union xy_sockaddr to; // where the datagram was to go
		uint64_t control[XY_SOCKET_CONTROL * 2 / sizeof(uint64_t)];
		struct msghdr h = {.msg_name = &to,
				   .msg_namelen = sizeof(to),
				   .msg_control = control,
				   .msg_controllen = sizeof(control)};
		struct xy_endpoint remote;
		if (recvmsg(q->fd, &h, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) {
			q->errors = false;
			return;
		}
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&h); c; c = CMSG_NXTHDR(&h, c)) {
			int error = icmp_error(c);
			if (!error || h.msg_namelen == 0)
				continue;
			xy_socket_remote(&remote, &to);
			if (error == EMSGSIZE)
				xy_event_mtu_at(w, (uint8_t)port, &remote);
			else
				xy_event_refused_at(w, (uint8_t)port, &remote, error);
		}
	}
}
