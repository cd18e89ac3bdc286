// SPDX-License-Identifier: BSD-3-Clause
#include "card.h"

#include "dp.h"
#include "frame.h"
#include "noise/wg.h"
#include "peer.h"

#include <net/if.h>
#include <stdlib.h>

// Calls between looks at the kernel's socket while frames come: one system call per so many bursts.
#define KERNEL_EVERY 32

// --- receive

static void claim(const struct xy_card *c, struct xy_packet *p)
{
	p->port = (uint8_t)c->port->id;
	p->from = XY_PEER_NONE;
	p->interface = c->ifindex;
	if (xy_addr_is_link_local(&p->remote.addr))
		p->remote.scope = c->ifindex;
}

static void refuse(struct xy_worker *w, struct rte_mbuf *m)
{
	xy_count_drop(w, xy_packet(m)->drop, 1);
	rte_pktmbuf_free(m);
}

// What the program cannot see, since it is no longer than a single datagram may be. It cannot be
// cut either: nothing tells where. So it is lost, once, and the program told.
static bool is_train(struct xy_card *c, struct rte_mbuf *m)
{
	if (!xy_wg_is_train(rte_pktmbuf_mtod(m, const uint8_t *), m->data_len))
		return false;
	xy_packet(m)->drop = XY_DROP_TRAIN;
	if (!__atomic_exchange_n(&c->train_told, true, __ATOMIC_RELAXED))
		c->ops->train(c);
	return true;
}

static uint16_t rx_queue(struct xy_card *c, struct xy_worker *w, unsigned queue,
			 struct rte_mbuf **out, uint16_t n)
{
	struct rte_mbuf *m[XY_BURST];
	uint16_t got = c->ops->rx(c, queue, m, RTE_MIN(n, (uint16_t)XY_BURST)), kept = 0;
	uint64_t bytes = 0;
	for (uint16_t i = 0; i < got; i++) {
		if (c->ops->is_ours && !c->ops->is_ours(c, m[i])) {
			c->ops->exception(c, w, m[i]);
			continue;
		}
		if (!xy_frame_take_off(m[i]) || (c->may_train && is_train(c, m[i]))) {
			refuse(w, m[i]);
			continue;
		}
		claim(c, xy_packet(m[i]));
		bytes += m[i]->data_len;
		out[kept++] = m[i];
	}
	w->more |= got > 0;
	xy_port_count_rx(c->port, w, got, bytes);
	if (c->ops->tend)
		c->ops->tend(c, w, queue);
	return kept;
}

// Its queues in turn, each call beginning at another: a full one must not starve the next.
static uint16_t rx_queues(struct xy_card *c, struct xy_worker *w, unsigned call,
			  struct rte_mbuf **out, uint16_t n)
{
	unsigned workers = c->port->workers;
	unsigned own = w->id < c->queues ? (c->queues - w->id - 1) / workers + 1 : 0;
	uint16_t got = 0;
	for (unsigned i = 0; i < own && got < n; i++) {
		unsigned q = w->id + (call + i) % own * workers;
		got = (uint16_t)(got + rx_queue(c, w, q, out + got, (uint16_t)(n - got)));
	}
	return got;
}

static uint16_t rx_kernel(struct xy_card *c, struct xy_worker *w, struct rte_mbuf **out, uint16_t n)
{
	return c->kernel->ops->rx_burst_rcu(c->kernel, w, out, n);
}

static uint16_t rx_burst(struct xy_port *port, struct xy_worker *w, struct rte_mbuf **out,
			 uint16_t n)
{
	struct xy_card *c = xy_card(port);
	unsigned call = c->turn[w->id].calls++;
	uint16_t got = 0;
	if (call % KERNEL_EVERY == 0) // first, or full queues would leave it no room
		got = rx_kernel(c, w, out, n);
	got = (uint16_t)(got + rx_queues(c, w, call, out + got, (uint16_t)(n - got)));
	return got ? got : rx_kernel(c, w, out, n);
}

// --- transmit

// What goes in front of a packet that a queue can send, or NULL: then the kernel's socket does, and
// says why not if it cannot; it also makes the fragments. A worker without a queue of its own sends
// all by that socket.
static const struct xy_frame_header *header_of(const struct xy_card *c, const struct xy_worker *w,
					       struct rte_mbuf *m)
{
	uint32_t peer = xy_packet(m)->next;
	if (w->id >= c->queues || peer >= w->dp->cfg.max_peers || xy_packet(m)->pieces)
		return NULL;
	const struct xy_adjacency *a = xy_adjacency_rcu(w->dp, peer);
	return a && a->frame.len && a->port == c->port->id &&
			       m->data_len + (uint32_t)a->frame.len <= c->frame_max
		       ? &a->frame
		       : NULL;
}

static uint16_t tx_frames(struct xy_card *c, struct xy_worker *w, struct rte_mbuf **m, uint16_t n)
{
	uint64_t bytes = 0;
	for (uint16_t i = 0; i < n; i++) // before they are the driver's
		bytes += m[i]->data_len;
	uint16_t sent = c->ops->tx(c, w->id, m, n);
	w->more = true; // what was sent comes back to be freed
	for (uint16_t i = sent; i < n; i++) {
		xy_packet(m[i])->drop = XY_DROP_TX_FULL;
		bytes -= m[i]->data_len;
	}
	xy_port_count_tx(c->port, w, sent, bytes, (uint64_t)(n - sent));
	return sent;
}

static uint16_t tx_burst(struct xy_port *port, struct xy_worker *w, struct rte_mbuf **pkts,
			 uint16_t n)
{
	struct xy_card *c = xy_card(port);
	struct rte_mbuf *frame[XY_BURST], *plain[XY_BURST];
	uint16_t frames = 0, plains = 0, failed = 0;

	for (uint16_t i = 0; i < n; i++) {
		const struct xy_frame_header *h = header_of(c, w, pkts[i]);
		if (h) {
			xy_frame_put_on(pkts[i], h);
			frame[frames++] = pkts[i];
		} else {
			plain[plains++] = pkts[i];
		}
	}
	uint16_t sent = frames ? tx_frames(c, w, frame, frames) : 0;
	for (uint16_t i = sent; i < frames; i++)
		pkts[failed++] = frame[i];
	sent = plains ? c->kernel->ops->tx_burst_rcu(c->kernel, w, plain, plains) : 0;
	for (uint16_t i = 0; i < plains - sent; i++)
		pkts[failed++] = plain[i];
	return (uint16_t)(n - failed);
}

// --- what the control thread asks and tells

// The card, and the kernel's socket beside it.
static void info(const struct xy_port *port, struct xy_dp_port_info *out)
{
	const struct xy_card *c = xy_card(port);
	out->driver = c->ops->driver;
	out->mode = c->mode;
	out->interface = c->interface;
	out->queues = c->queues;
	if (c->blind && !c->dp->cfg.poll)
		out->idle = "polled, naps of " XY_WORKER_NAP_TEXT;
	out->may_train = c->may_train;
	out->trained = c->ops->trained && c->ops->trained(c);
	out->rx_missed += c->ops->missed(c);
	if (c->ops->steered)
		c->ops->steered(c, out->steered);
	xy_port_counters_add(c->kernel, out);
	c->kernel->ops->info(c->kernel, out);
}

static int addresses(struct xy_port *port, const struct xy_addr *addr, unsigned count)
{
	struct xy_card *c = xy_card(port);
	return c->ops->addresses(c, addr, count);
}

static void follow(struct xy_port *port)
{
	struct xy_card *c = xy_card(port);
	if (c->ops->follow)
		c->ops->follow(c);
}

// Its frames go where the kernel's routes lead, which are asked with the mark.
static int mark(struct xy_port *port, uint32_t mark)
{
	const struct xy_card *c = xy_card(port);
	return c->kernel->ops->mark(c->kernel, mark);
}

// --- life

static void close_port(struct xy_port *port)
{
	struct xy_card *c = xy_card(port);
	c->ops->close(c);
}

static const struct xy_port_ops ops = {.driver = "card",
				       .rx_burst_rcu = rx_burst,
				       .tx_burst_rcu = tx_burst,
				       .info = info,
				       .addresses = addresses,
				       .follow = follow,
				       .mark = mark,
				       .close = close_port};

int xy_card_port_make(struct xy_dp *dp, struct xy_card *card, const struct xy_dp_port_config *cfg,
		      unsigned id, struct xy_err *err)
{
	struct xy_port *p = calloc(1, sizeof(*p));
	struct xy_port_counters *counters =
		aligned_alloc(RTE_CACHE_LINE_SIZE, dp->workers * sizeof(*counters));
	if (!p || !counters) {
		free(p);
		free(counters);
		return xy_err_set(err, ENOMEM, "%s: no memory for a port", card->interface);
	}
	memset(counters, 0, dp->workers * sizeof(*counters));
	*p = (struct xy_port){.ops = &ops,
			      .id = id,
			      .workers = dp->workers,
			      .sums = cfg->no_checksum ? XY_FRAME_SUM_NONE_V4 : 0,
			      .counters = counters,
			      .driver_data = card};
	card->dp = dp;
	card->port = p;
	card->ifindex = if_nametoindex(card->interface);
	struct xy_dp_port_config beside = *cfg;
	memcpy(beside.interface, card->interface, sizeof(beside.interface));
	int r = xy_port_socket_open(dp, &beside, id, &card->kernel, err);
	if (r)
		return r;
	p->address = card->kernel->address;
	p->udp_port = card->kernel->udp_port;
	return 0;
}

void xy_card_port_free(struct xy_card *card)
{
	if (card->kernel)
		card->kernel->ops->close(card->kernel);
	if (card->port)
		free(card->port->counters);
	free(card->port);
}
