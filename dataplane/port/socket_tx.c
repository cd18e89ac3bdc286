// SPDX-License-Identifier: BSD-3-Clause
// Sending: a burst is grouped by where it goes and becomes messages, each a datagram or a train
// (UDP_SEGMENT) of datagrams to one remote, which go by sendmmsg straight from the buffers. What
// the kernel refuses as a train goes again one by one.
#include "socket.h"

#include "table/exact_hash.h"

#include <netinet/udp.h>
#include <stdlib.h>

struct tx { // scratch of one worker
	struct mmsghdr header[XY_BURST];
	struct iovec iov[XY_BURST];
	union xy_sockaddr to[XY_BURST];
	uint64_t control[XY_BURST][XY_SOCKET_CONTROL / sizeof(uint64_t)];
	uint8_t first[XY_BURST + 1]; // of the packets of each message
	struct rte_mbuf *grouped[XY_BURST];
	xy_nsec now;
};

int xy_port_worker_init(struct xy_worker *w)
{
	w->port_scratch = aligned_alloc(RTE_CACHE_LINE_SIZE,
					RTE_ALIGN_CEIL(sizeof(struct tx), RTE_CACHE_LINE_SIZE));
	if (!w->port_scratch)
		return -ENOMEM;
	memset(w->port_scratch, 0, sizeof(struct tx));
	return 0;
}

void xy_port_worker_fini(struct xy_worker *w)
{
	free(w->port_scratch);
	w->port_scratch = NULL;
}

// --- making a message

static socklen_t set_to(union xy_sockaddr *to, const struct xy_endpoint *remote, sa_family_t family)
{
	if (family == AF_INET && xy_addr_is_v4(&remote->addr)) {
		to->v4 = (struct sockaddr_in){.sin_family = AF_INET,
					      .sin_port = htons(remote->port)};
		memcpy(&to->v4.sin_addr, remote->addr.b + 12, 4);
		return sizeof(to->v4);
	}
	to->v6 = (struct sockaddr_in6){.sin6_family = AF_INET6,
				       .sin6_port = htons(remote->port),
				       .sin6_scope_id = remote->scope};
	memcpy(&to->v6.sin6_addr, remote->addr.b, sizeof(remote->addr.b));
	return sizeof(to->v6);
}

static void add_control(struct msghdr *h, int level, int type, const void *data, size_t len)
{
	struct cmsghdr *c = (struct cmsghdr *)((uint8_t *)h->msg_control + h->msg_controllen);
	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), data, len);
	h->msg_controllen += CMSG_SPACE(len);
}

static void add_local(struct msghdr *h, const struct xy_packet *p)
{
	if (xy_addr_is_v4(&p->local)) {
		struct in_pktinfo info = {0};
		memcpy(&info.ipi_spec_dst, p->local.b + 12, 4);
		add_control(h, SOL_IP, IP_PKTINFO, &info, sizeof(info));
	} else {
		struct in6_pktinfo info = {.ipi6_ifindex = p->remote.scope};
		memcpy(&info.ipi6_addr, p->local.b, sizeof(p->local.b));
		add_control(h, SOL_IPV6, IPV6_PKTINFO, &info, sizeof(info));
	}
}

static bool has_local(const struct xy_packet *p)
{
	return !xy_addr_is_unspecified(&p->local) &&
	       xy_addr_is_v4(&p->local) == xy_addr_is_v4(&p->remote.addr);
}

// Ancillary data: where from, ECN (an IPv4 remote takes IP_TOS on either kind of socket), and the
// datagrams' size if there are several.
static void set_control(struct msghdr *h, const struct xy_packet *p, bool local, uint16_t size)
{
	h->msg_controllen = 0;
	if (local && has_local(p))
		add_local(h, p);
	if (p->ecn) {
		int ecn = p->ecn;
		bool v4 = xy_addr_is_v4(&p->remote.addr);
		add_control(h, v4 ? SOL_IP : SOL_IPV6, v4 ? IP_TOS : IPV6_TCLASS, &ecn,
			    sizeof(ecn));
	}
	if (size)
		add_control(h, SOL_UDP, UDP_SEGMENT, &size, sizeof(size));
}

// --- planning a burst

static bool same_way(const struct xy_packet *a, const struct xy_packet *b)
{
	return xy_endpoint_eq(&a->remote, &b->remote) && xy_addr_eq(&a->local, &b->local);
}

// The group of each packet, numbered as they come up, and how many are in each; false: each group
// stands in one piece.
static bool groups(struct rte_mbuf *const *pkts, unsigned n, uint8_t group[static XY_BURST],
		   uint8_t count[static XY_BURST])
{
	const struct xy_packet *first[XY_BURST]; // of each group
	unsigned known = 0, g = 0;
	bool mixed = false;
	for (unsigned i = 0; i < n; i++) {
		const struct xy_packet *p = xy_packet(pkts[i]);
		if (!known || !same_way(first[g], p)) { // not the last one's
			for (g = 0; g < known && !same_way(first[g], p); g++)
				;
			mixed |= g < known;
		}
		if (g == known) {
			first[known] = p;
			count[known++] = 0;
		}
		group[i] = (uint8_t)g;
		count[g]++;
	}
	return mixed;
}

// Packets of several peers come in turn; a train has one remote. Stable, and not by ECN: what goes
// to one peer stays in order, whatever flows are in it.
static void arrange(struct tx *tx, struct rte_mbuf **pkts, unsigned n)
{
	uint8_t group[XY_BURST], count[XY_BURST], place[XY_BURST];
	if (!groups(pkts, n, group, count))
		return;
	for (unsigned g = 0, at = 0; at < n; at += count[g++])
		place[g] = (uint8_t)at;
	for (unsigned i = 0; i < n; i++)
		tx->grouped[place[group[i]]++] = pkts[i];
	memcpy(pkts, tx->grouped, n * sizeof(*pkts));
}

// Devices without checksum offload and paths through IPsec take no trains. The kernel says so of a
// message, never of a device, so each remote learns for itself, and is asked again after a while.
// Two that meet in a place share it: one goes singly without need.
static unsigned place_of(const struct xy_endpoint *remote)
{
	uint64_t word[2];
	memcpy(word, remote->addr.b, sizeof(word));
	return (unsigned)(xy_exact_fold(word[0] ^ UINT64_C(0x9e3779b97f4a7c15),
					word[1] ^ UINT64_C(0xbf58476d1ce4e5b9)) %
			  XY_SOCKET_SINGLY);
}

// How many of the n packets go as one message.
static unsigned train(const struct xy_socket_queue *q, struct rte_mbuf *const *pkts, unsigned n,
		      xy_nsec now)
{
	const struct xy_packet *a = xy_packet(pkts[0]);
	uint32_t size = pkts[0]->data_len, bytes = size;
	unsigned i = 1;

	if (!q->gso || size == 0 || n == 1 || a->pieces || now < q->singly[place_of(&a->remote)])
		return 1;
	for (; i < RTE_MIN(n, (unsigned)XY_TRAIN); i++) {
		const struct xy_packet *b = xy_packet(pkts[i]);
		uint32_t len = pkts[i]->data_len;
		if (len == 0 || len > size || bytes + len > XY_TRAIN_BYTES || b->ecn != a->ecn ||
		    b->pieces || !same_way(a, b))
			break;
		bytes += len;
		if (len < size) // a shorter one ends it
			return i + 1;
	}
	return i;
}

static void set_message(const struct xy_socket_queue *q, struct tx *tx, unsigned i,
			struct rte_mbuf *const *pkts, unsigned first, unsigned count)
{
	struct msghdr *h = &tx->header[i].msg_hdr;
	const struct xy_packet *p = xy_packet(pkts[first]);

	tx->first[i] = (uint8_t)first;
	for (unsigned k = first; k < first + count; k++) {
		tx->iov[k].iov_base = rte_pktmbuf_mtod(pkts[k], void *);
		tx->iov[k].iov_len = pkts[k]->data_len;
	}
	h->msg_name = &tx->to[i];
	h->msg_namelen = set_to(&tx->to[i], &p->remote, q->family);
	h->msg_iov = &tx->iov[first];
	h->msg_iovlen = count;
	h->msg_control = tx->control[i];
	set_control(h, p, true, count > 1 ? pkts[first]->data_len : 0);
}

static unsigned plan(const struct xy_socket_queue *q, struct tx *tx, struct rte_mbuf **pkts,
		     unsigned n)
{
	arrange(tx, pkts, n);
	unsigned messages = 0;
	for (unsigned at = 0; at < n; messages++) {
		unsigned count = train(q, pkts + at, n - at, tx->now);
		set_message(q, tx, messages, pkts, at, count);
		at += count;
	}
	tx->first[messages] = (uint8_t)n;
	return messages;
}

// --- sending it, and what to do when the kernel refuses

static int send_message(struct xy_socket_queue *q, const struct msghdr *h)
{
	ssize_t r = sendmsg(q->fd, h, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (r < 0 && (xy_socket_is_old_error(errno) || errno == EINTR)) {
		q->errors = true;
		r = sendmsg(q->fd, h, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	return r < 0 ? errno : 0;
}

static bool may_be_local(int error) // an address or interface of ours that is gone
{
	return error == EINVAL || error == EADDRNOTAVAIL || error == ENODEV || error == ENXIO ||
	       error == ENETUNREACH;
}

// Message i again, as it is or from an address that the kernel chooses.
static int send_again(struct xy_socket_queue *q, struct tx *tx, unsigned i,
		      struct rte_mbuf *const *pkts, int error)
{
	struct msghdr *h = &tx->header[i].msg_hdr;
	const struct rte_mbuf *m = pkts[tx->first[i]];
	const struct xy_packet *p = xy_packet((struct rte_mbuf *)(uintptr_t)m);

	if (xy_socket_is_old_error(error) || error == EINTR)
		error = send_message(q, h);
	if (may_be_local(error) && has_local(p)) {
		set_control(h, p, false, h->msg_iovlen > 1 ? m->data_len : 0);
		error = send_message(q, h);
	}
	return error;
}

static enum xy_drop reason(int error)
{
	switch (error) {
	case EMSGSIZE:
		return XY_DROP_UNDERLAY_MTU;
	case EAGAIN:
	case ENOBUFS:
	case ENOMEM:
		return XY_DROP_TX_FULL;
	}
	return XY_DROP_TX_FAILED;
}

static uint64_t refuse(struct rte_mbuf *const *pkts, unsigned from, unsigned to, int error)
{
	for (unsigned k = from; k < to; k++)
		xy_packet(pkts[k])->drop = (uint8_t)reason(error);
	return 0;
}

// The packets of a train one by one, through message slot i. Returns a bit per packet sent.
static uint64_t send_singly(struct xy_socket_queue *q, struct tx *tx, unsigned i,
			    struct rte_mbuf *const *pkts, unsigned end, int why)
{
	unsigned first = tx->first[i];
	uint64_t sent = 0;

	for (unsigned k = first; k < end; k++) {
		set_message(q, tx, i, pkts, k, 1);
		int error = send_message(q, &tx->header[i].msg_hdr);
		if (error)
			error = send_again(q, tx, i, pkts, error);
		if (error)
			refuse(pkts, k, k + 1, error);
		else
			sent |= UINT64_C(1) << k;
	}
	// EINVAL is the train's own fault only if its packets pass without it.
	if (why == EIO || (why == EINVAL && sent >> first & 1))
		q->singly[place_of(&xy_packet(pkts[first])->remote)] = tx->now + XY_SOCKET_RETRY;
	return sent;
}

static uint64_t salvage(struct xy_socket_queue *q, struct tx *tx, unsigned i,
			struct rte_mbuf *const *pkts, int error)
{
	unsigned first = tx->first[i], end = tx->first[i + 1];
	error = send_again(q, tx, i, pkts, error);
	if (!error)
		return (UINT64_MAX >> (63 - (end - 1))) & (UINT64_MAX << first);
	if (end - first > 1 && (error == EIO || error == EINVAL || error == EMSGSIZE))
		return send_singly(q, tx, i, pkts, end, error);
	return refuse(pkts, first, end, error);
}

// Sends messages from `i` up to `to`; returns a bit per packet sent. *full: the buffer is.
static uint64_t send_some(struct xy_socket_queue *q, struct tx *tx, struct rte_mbuf *const *pkts,
			  unsigned i, unsigned to, bool *full)
{
	uint64_t sent = 0;
	while (i < to) {
		int r = sendmmsg(q->fd, tx->header + i, to - i, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (r > 0) {
			unsigned first = tx->first[i], end = tx->first[i + (unsigned)r];
			q->errors |= (unsigned)r < to - i; // perhaps: it does not say why
			sent |= (UINT64_MAX >> (63 - (end - 1))) & (UINT64_MAX << first);
			i += (unsigned)r;
		} else if (errno == EAGAIN) {
			*full = true;
			return sent | refuse(pkts, tx->first[i], tx->first[to], EAGAIN);
		} else {
			q->errors |= xy_socket_is_old_error(errno);
			sent |= salvage(q, tx, i, pkts, errno);
			i++;
		}
	}
	return sent;
}

// What becomes of datagrams that are too large is a socket's property, not a datagram's: IPv4 has
// no ancillary data for it, and that of IPv6 (IPV6_DONTFRAG) does not undo PMTUDISC_PROBE. So it is
// changed for some and changed back, which nobody else sees: this worker alone sends by it.
//
// IPv6's sender makes the fragments and must know the path, so the kernel's opinion counts (DONT),
// which is at least 1280. IPv4's leaves them to the routers (OMIT): nobody who forges ICMP errors
// makes it cut finer. Only a route's own MTU counts there.
static void allow_pieces(struct xy_socket_queue *q, const struct xy_packet *p, bool on)
{
	bool v4 = xy_addr_is_v4(&p->remote.addr);
	int how = v4 ? IP_PMTUDISC_PROBE : IPV6_PMTUDISC_PROBE;
	if (!p->pieces)
		return;
	if (on && v4)
		how = p->pieces == XY_PIECES_ROUTE ? IP_PMTUDISC_DONT : IP_PMTUDISC_OMIT;
	else if (on)
		how = IPV6_PMTUDISC_DONT;
	setsockopt(q->fd, v4 ? SOL_IP : SOL_IPV6, v4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER, &how,
		   sizeof(how));
}

// From message i on, the end of those that the socket sends in the same way.
static unsigned alike(const struct tx *tx, struct rte_mbuf *const *pkts, unsigned i,
		      unsigned messages)
{
	const struct xy_packet *a = xy_packet(pkts[tx->first[i]]);
	for (i++; i < messages; i++) {
		const struct xy_packet *b = xy_packet(pkts[tx->first[i]]);
		if (b->pieces != a->pieces ||
		    (a->pieces && xy_addr_is_v4(&a->remote.addr) != xy_addr_is_v4(&b->remote.addr)))
			break;
	}
	return i;
}

// Sends all messages; returns a bit per packet sent.
static uint64_t send_all(struct xy_socket_queue *q, struct tx *tx, struct rte_mbuf *const *pkts,
			 unsigned messages)
{
	uint64_t sent = 0;
	bool full = false;
	for (unsigned i = 0, to; i < messages && !full; i = to) {
		const struct xy_packet *first = xy_packet(pkts[tx->first[i]]);
		to = alike(tx, pkts, i, messages);
		allow_pieces(q, first, true);
		sent |= send_some(q, tx, pkts, i, to, &full);
		allow_pieces(q, first, false);
		if (full) // for all that follow, too
			refuse(pkts, tx->first[to], tx->first[messages], EAGAIN);
	}
	return sent;
}

struct put { // of one burst, for the counters
	uint64_t bytes, fragmented;
};

// Frees what was sent; the others come to the front, in order. Returns how many were sent.
static unsigned settle(struct rte_mbuf **pkts, unsigned n, uint64_t sent, struct put *put)
{
	unsigned left = 0;
	for (unsigned k = 0; k < n; k++) {
		if (sent >> k & 1) {
			put->bytes += pkts[k]->data_len;
			put->fragmented += xy_packet(pkts[k])->pieces != XY_PIECES_NONE;
			rte_pktmbuf_free(pkts[k]);
		} else {
			pkts[left++] = pkts[k];
		}
	}
	return n - left;
}

uint16_t xy_socket_tx_burst_rcu(struct xy_port *port, struct xy_worker *w, struct rte_mbuf **pkts,
				uint16_t n)
{
	struct xy_socket_queue *q = xy_socket_queue(port, w->id);
	struct tx *tx = w->port_scratch;
	struct put put = {0};
	unsigned failed = 0;

	tx->now = w->now;
	for (unsigned at = 0; at < n; at += XY_BURST) {
		unsigned k = RTE_MIN(n - at, (unsigned)XY_BURST);
		unsigned messages = plan(q, tx, pkts + at, k);
		unsigned sent = settle(pkts + at, k, send_all(q, tx, pkts + at, messages), &put);
		memmove(pkts + failed, pkts + at, (k - sent) * sizeof(*pkts));
		failed += k - sent;
	}
	xy_port_count_tx(port, w, n - failed, put.bytes, failed);
	XY_SET(port->counters[w->id].tx_fragmented,
	       port->counters[w->id].tx_fragmented + put.fragmented);
	return (uint16_t)(n - failed);
}
