// SPDX-License-Identifier: BSD-3-Clause
// Receiving: recvmmsg into flat frames, trains cut by the size that UDP_GRO tells, one copy into
// buffers.
#include "socket.h"

#include "base/bytes.h"

#include <netinet/udp.h>
#include <rte_memcpy.h>

void xy_socket_rx_init(struct xy_socket_queue *q)
{
	q->per_message = 1;
	for (unsigned i = 0; i < XY_SOCKET_SLOTS; i++) {
		q->iov[i].iov_base = q->frames + (size_t)i * XY_SOCKET_STRIDE;
		q->iov[i].iov_len = XY_SOCKET_FRAME;
		q->header[i].msg_hdr.msg_iov = &q->iov[i];
		q->header[i].msg_hdr.msg_iovlen = 1;
		q->header[i].msg_hdr.msg_name = &q->from[i];
		q->header[i].msg_hdr.msg_control = q->control[i];
	}
}

// --- reading what the kernel tells of a message

// An IPv4 datagram on a dual-stack socket comes with IPV6_PKTINFO (mapped) and IP_TOS.
static void read_control(struct xy_socket_message *msg, const struct cmsghdr *c)
{
	const void *data = CMSG_DATA(c);
	struct in6_pktinfo info6;
	struct in_pktinfo info4;
	int number;

	if (c->cmsg_level == SOL_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
		memcpy(&info6, data, sizeof(info6));
		memcpy(msg->local.b, &info6.ipi6_addr, sizeof(msg->local.b));
		msg->interface = info6.ipi6_ifindex;
	} else if (c->cmsg_level == SOL_IP && c->cmsg_type == IP_PKTINFO) {
		memcpy(&info4, data, sizeof(info4));
		msg->local = xy_socket_mapped(&info4.ipi_addr);
		msg->interface = (uint32_t)info4.ipi_ifindex;
	} else if (c->cmsg_level == SOL_IPV6 && c->cmsg_type == IPV6_TCLASS) {
		memcpy(&number, data, sizeof(number));
		msg->ecn = number & 3;
	} else if (c->cmsg_level == SOL_IP && c->cmsg_type == IP_TOS) {
		msg->ecn = *(const uint8_t *)data & 3;
	} else if ((c->cmsg_level == SOL_IP && c->cmsg_type == IP_RECVFRAGSIZE) ||
		   (c->cmsg_level == SOL_IPV6 && c->cmsg_type == IPV6_RECVFRAGSIZE)) {
		msg->fragmented = true;
	} else if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
		memcpy(&number, data, sizeof(number));
		if (number > 0)
			msg->size = (uint32_t)number;
	}
}

static void read_message(struct xy_socket_queue *q, unsigned slot)
{
	struct xy_socket_message *msg = &q->message[slot];
	struct msghdr *h = &q->header[slot].msg_hdr;

	*msg = (struct xy_socket_message){.len = q->header[slot].msg_len, .size = XY_SOCKET_FRAME};
	xy_socket_remote(&msg->remote, &q->from[slot]);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c))
		read_control(msg, c);
	// An empty datagram is one, too.
	msg->count = msg->len ? (uint16_t)((msg->len + msg->size - 1) / msg->size) : 1;
}

// --- taking messages

// Takes messages for about `room` datagrams, and asks for one more than there may be: so one call
// tells that there are no more. False when the kernel had fewer than asked for.
static bool take(struct xy_socket_queue *q, unsigned room)
{
	unsigned want = RTE_MAX(room / q->per_message, 2u);
	unsigned ask = RTE_MIN(want, (unsigned)XY_SOCKET_SLOTS);
	for (unsigned i = 0; i < ask; i++) {
		q->header[i].msg_hdr.msg_namelen = sizeof(q->from[i]);
		q->header[i].msg_hdr.msg_controllen = sizeof(q->control[i]);
	}
	int r = recvmmsg(q->fd, q->header, ask, MSG_DONTWAIT, NULL);
	q->errors |= r < 0 && xy_socket_is_old_error(errno);
	q->head = 0;
	q->filled = r > 0 ? (unsigned)r : 0;
	q->per_message = 1;
	for (unsigned i = 0; i < q->filled; i++) {
		read_message(q, i);
		q->waiting += q->message[i].count;
		q->per_message = RTE_MAX(q->per_message, q->message[i].count);
	}
	return q->filled == ask;
}

// The next datagram that waits; its bytes and its message.
static const struct xy_socket_message *next(struct xy_socket_queue *q, const uint8_t **data,
					    uint32_t *len)
{
	while (q->message[q->head].next == q->message[q->head].count)
		q->head++;
	struct xy_socket_message *msg = &q->message[q->head];
	uint32_t at = msg->next * msg->size;
	*data = q->frames + (size_t)q->head * XY_SOCKET_STRIDE + at;
	*len = RTE_MIN(msg->size, msg->len - at);
	msg->next++;
	q->waiting--;
	return msg;
}

static void fill(struct rte_mbuf *m, const struct xy_socket_message *msg, const uint8_t *data,
		 uint32_t len, unsigned port)
{
	struct xy_packet *p = xy_packet(m);
	m->data_off = XY_DATAGRAM_AT;
	rte_memcpy(rte_pktmbuf_mtod(m, void *), data, len);
	m->data_len = (uint16_t)len;
	m->pkt_len = len;
	p->remote = msg->remote;
	p->local = msg->local;
	p->interface = msg->interface;
	p->ecn = msg->ecn;
	p->port = (uint8_t)port;
}

struct taken { // of one burst, for the counters
	uint32_t packets, bytes, fragmented;
};

// Cuts datagrams into as many buffers as there are; one that is longer than a buffer is no
// WireGuard message of any link of ours. Returns how many buffers were filled.
static uint16_t cut(struct xy_socket_queue *q, unsigned port, struct rte_mbuf **bufs, uint16_t n,
		    struct taken *t)
{
	uint16_t done = 0;
	for (uint16_t i = 0; i < n; i++) {
		const uint8_t *data;
		uint32_t len;
		const struct xy_socket_message *msg = next(q, &data, &len);
		t->packets++;
		t->bytes += len;
		t->fragmented += msg->fragmented;
		if (len <= rte_pktmbuf_tailroom(bufs[done]))
			fill(bufs[done++], msg, data, len, port);
	}
	return done;
}

static void discard(struct xy_socket_queue *q, struct xy_worker *w, struct taken *t)
{
	const uint8_t *data;
	uint32_t len;
	xy_count_drop(w, XY_DROP_NO_BUFFER, q->waiting);
	t->packets += q->waiting;
	while (q->waiting) {
		next(q, &data, &len);
		t->bytes += len;
	}
}

// Of the datagrams that wait, so many as go into a burst without cutting a train in two: what came
// as one can go on as one. The first of a burst is taken however long it is.
static unsigned whole(const struct xy_socket_queue *q, unsigned room, bool first)
{
	unsigned n = 0;
	for (unsigned i = q->head; i < q->filled; i++) {
		unsigned left = q->message[i].count - q->message[i].next;
		if (n + left > room)
			break;
		n += left;
	}
	return n || !first ? n : RTE_MIN(room, q->waiting);
}

// Moves up to n waiting datagrams into buffers.
static uint16_t move(struct xy_socket_queue *q, unsigned port, struct xy_worker *w,
		     struct rte_mbuf **out, uint16_t n, struct taken *t)
{
	uint16_t want = (uint16_t)RTE_MIN((unsigned)n, q->waiting);
	while (want && xy_buffers_alloc(w, out, want))
		want /= 2;
	if (!want) {
		discard(q, w, t);
		return 0;
	}
	uint16_t done = cut(q, port, out, want, t);
	if (done < want) {
		xy_count_drop(w, XY_DROP_NOT_WIREGUARD, want - done);
		rte_pktmbuf_free_bulk(out + done, want - done);
	}
	return done;
}

uint16_t xy_socket_rx_burst_rcu(struct xy_port *port, struct xy_worker *w, struct rte_mbuf **out,
				uint16_t n)
{
	struct xy_socket_queue *q = xy_socket_queue(port, w->id);
	struct taken t = {0};
	uint16_t got = 0;
	bool more = true;

	if (!q->waiting && !xy_worker_ready(w, q->fd))
		return 0;
	if (q->errors)
		xy_socket_errors_read(q, w, port->id);
	while (t.packets < n) {
		if (!q->waiting) {
			if (!more)
				break;
			more = take(q, n - t.packets);
			if (!q->waiting)
				break;
		}
		unsigned room = whole(q, n - t.packets, t.packets == 0);
		if (!room)
			break;
		got += move(q, port->id, w, out + got, (uint16_t)room, &t);
	}
	if (t.packets || q->errors) {
		w->busy = true; // also when all were dropped
		xy_worker_gave(w, q->fd, more || q->waiting || q->errors);
		xy_port_count_rx(port, w, t.packets, t.bytes);
		XY_SET(port->counters[w->id].rx_fragmented,
		       port->counters[w->id].rx_fragmented + t.fragmented);
	}
	return got;
}
