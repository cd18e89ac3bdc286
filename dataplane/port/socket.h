// SPDX-License-Identifier: BSD-3-Clause
// Inside of the socket port: one UDP socket per worker. port/ only.
//
// A worker's queue holds what the kernel gave (messages, each a datagram or a train of datagrams
// joined by UDP_GRO) until it is cut into buffers; nothing in it is counted before it is cut.
#pragma once

#include "port.h"
#include "train.h"

#include <netinet/in.h>
#include <sys/socket.h>

enum {
	XY_SOCKET_SLOTS = 32,	 // messages per recvmmsg
	XY_SOCKET_FRAME = 65536, // no UDP datagram and no train is longer
	// Slots begin at different cache sets: at 64 KB apart they would all share the same ones.
	XY_SOCKET_STRIDE = XY_SOCKET_FRAME + 26 * RTE_CACHE_LINE_SIZE,
	XY_SOCKET_CONTROL = 128, // bytes of ancillary data, either way
	XY_SOCKET_SINGLY = 512,	 // places of remotes that take no trains
};
#define XY_SOCKET_RETRY (30 * XY_SEC) // until such a one is asked again

union xy_sockaddr {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct xy_socket_message { // what one slot holds
	struct xy_endpoint remote;
	struct xy_addr local;
	uint32_t interface;
	uint32_t len;
	uint32_t size; // of each datagram in it but the last
	uint16_t next; // datagrams that are cut already
	uint16_t count;
	uint8_t ecn;
	bool fragmented; // it came in fragments
};

struct xy_socket_queue { // worker rw; fd, family, watched: control rw
	int fd;
	sa_family_t family;
	bool watched;
	bool gso;	       // the kernel takes trains
	bool errors;	       // ICMP errors may wait in the kernel
	unsigned head, filled; // messages: the next to cut, all
	unsigned waiting;      // datagrams in them that are not cut yet
	unsigned per_message;  // most datagrams per message the last time
	uint8_t *frames;       // [XY_SOCKET_SLOTS] of XY_SOCKET_STRIDE; pages come with use
	xy_nsec singly[XY_SOCKET_SINGLY]; // by remote: no trains until then
	struct xy_socket_message message[XY_SOCKET_SLOTS];
	struct mmsghdr header[XY_SOCKET_SLOTS];
	struct iovec iov[XY_SOCKET_SLOTS];
	union xy_sockaddr from[XY_SOCKET_SLOTS];
	uint64_t control[XY_SOCKET_SLOTS][XY_SOCKET_CONTROL / sizeof(uint64_t)];
} __rte_cache_aligned;

struct xy_socket_port {
	struct xy_port port;
	struct xy_dp *dp;
	struct xy_socket_queue *queue; // [port.workers]
};

static inline struct xy_socket_queue *xy_socket_queue(struct xy_port *port, unsigned worker)
{
	return &((struct xy_socket_port *)port->driver_data)->queue[worker];
}

// From the kernel's words into ours.
static inline struct xy_addr xy_socket_mapped(const struct in_addr *v4)
{
	return xy_addr_from_v4(ntohl(v4->s_addr));
}

static inline void xy_socket_remote(struct xy_endpoint *remote, const union xy_sockaddr *from)
{
	if (from->any.sa_family == AF_INET) {
		*remote = (struct xy_endpoint){.addr = xy_socket_mapped(&from->v4.sin_addr),
					       .port = ntohs(from->v4.sin_port)};
		return;
	}
	*remote = (struct xy_endpoint){.port = ntohs(from->v6.sin6_port)};
	memcpy(remote->addr.b, &from->v6.sin6_addr, sizeof(remote->addr.b));
	if (xy_addr_is_link_local(&remote->addr))
		remote->scope = from->v6.sin6_scope_id;
}

void xy_socket_rx_init(struct xy_socket_queue *q); // points the headers at the slots
// Could it be about an earlier datagram, by an ICMP error? The kernel says so once, at any call.
bool xy_socket_is_old_error(int error);
// Reads the ICMP errors that wait, a bounded number, and tells of path MTUs. Worker w only.
void xy_socket_errors_read(struct xy_socket_queue *q, struct xy_worker *w, unsigned port);
uint16_t xy_socket_rx_burst_rcu(struct xy_port *port, struct xy_worker *w, struct rte_mbuf **out,
				uint16_t n);
uint16_t xy_socket_tx_burst_rcu(struct xy_port *port, struct xy_worker *w, struct rte_mbuf **pkts,
				uint16_t n);
