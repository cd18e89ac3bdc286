// SPDX-License-Identifier: BSD-3-Clause
#include "af_xdp.h"

#include "dp.h"
#include "frame.h"
#include "peer.h"
#include "steering.h"
#include "xsk.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	QUEUES_MAX = 64,   // entries of the program's socket map
	KERNEL_EVERY = 32, // calls between looks at the kernel's socket while AF_XDP is busy
};

struct card {
	struct xy_port *kernel; // the UDP socket beside
	struct xy_steering *steering;
	char mode[32];
	unsigned queues;
	struct xy_xsk *xsk; // [queues]
	struct xy_worker *watchers[XY_DP_WORKERS];
	struct { // per worker
		unsigned skipped;
	} __rte_cache_aligned turn[XY_DP_WORKERS];
};

// Receive queues of a card: combined ones and receive-only ones (veth tells the latter).
static unsigned queue_count(const char *interface)
{
	struct ethtool_channels ch = {.cmd = ETHTOOL_GCHANNELS};
	struct ifreq ifr = {.ifr_data = (void *)&ch};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	unsigned n = 1;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", interface);
	if (fd >= 0 && ioctl(fd, SIOCETHTOOL, &ifr) == 0 && ch.combined_count + ch.rx_count)
		n = ch.combined_count + ch.rx_count;
	if (fd >= 0)
		close(fd);
	return RTE_MIN(n, (unsigned)QUEUES_MAX);
}

// --- receive

static uint16_t rx_queue(struct xy_port *port, struct xy_worker *w, struct xy_xsk *x,
			 struct rte_mbuf **out, uint16_t n)
{
	struct rte_mbuf *m[XY_BURST];
	uint16_t got = xy_xsk_rx_burst(x, m, RTE_MIN(n, (uint16_t)XY_BURST)), kept = 0;
	uint64_t bytes = 0;
	for (uint16_t i = 0; i < got; i++) {
		if (!xy_frame_take_off(m[i])) {
			xy_count_drop(w, XY_DROP_NOT_WIREGUARD, 1);
			rte_pktmbuf_free(m[i]);
			continue;
		}
		xy_packet(m[i])->port = (uint8_t)port->id;
		xy_packet(m[i])->from = XY_PEER_NONE;
		bytes += m[i]->data_len;
		out[kept++] = m[i];
	}
	XY_COUNT(w, rx, got);
	XY_SET(port->counters[w->id].rx_packets, port->counters[w->id].rx_packets + got);
	XY_SET(port->counters[w->id].rx_bytes, port->counters[w->id].rx_bytes + bytes);
	return kept;
}

static uint16_t rx_burst(struct xy_port *port, struct xy_worker *w, struct rte_mbuf **out,
			 uint16_t n)
{
	struct card *c = port->driver_data;
	uint16_t got = 0;
	for (unsigned q = w->id; q < c->queues && got < n; q += port->workers) {
		got = (uint16_t)(got +
				 rx_queue(port, w, &c->xsk[q], out + got, (uint16_t)(n - got)));
		xy_xsk_reclaim(&c->xsk[q]);
	}
	if (got == n || (got && ++c->turn[w->id].skipped < KERNEL_EVERY))
		return got;
	c->turn[w->id].skipped = 0;
	return (uint16_t)(got + c->kernel->ops->rx_burst_rcu(c->kernel, w, out + got,
							     (uint16_t)(n - got)));
}

// --- transmit

static const struct xy_frame_header *header_of(const struct xy_port *port,
					       const struct xy_worker *w, struct rte_mbuf *m)
{
	uint32_t peer = xy_packet(m)->next;
	if (peer >= w->dp->cfg.max_peers)
		return NULL;
	const struct xy_adjacency *a = xy_adjacency_rcu(w->dp, peer);
	return a && a->frame.len && a->port == port->id ? &a->frame : NULL;
}

static uint16_t tx_frames(struct xy_port *port, struct xy_worker *w, struct xy_xsk *x,
			  struct rte_mbuf **m, uint16_t n)
{
	uint64_t bytes = 0;
	for (uint16_t i = 0; i < n; i++) // before the kernel has them
		bytes += m[i]->data_len;
	uint16_t sent = xy_xsk_tx_burst(x, m, n);
	for (uint16_t i = sent; i < n; i++) {
		xy_packet(m[i])->verdict = XY_DROP_TX_FULL;
		bytes -= m[i]->data_len;
	}
	struct xy_port_counters *c = &port->counters[w->id];
	XY_COUNT(w, tx, sent);
	XY_SET(c->tx_packets, c->tx_packets + sent);
	XY_SET(c->tx_bytes, c->tx_bytes + bytes);
	XY_SET(c->tx_errors, c->tx_errors + (n - sent));
	return sent;
}

static uint16_t tx_burst(struct xy_port *port, struct xy_worker *w, struct rte_mbuf **pkts,
			 uint16_t n)
{
	struct card *c = port->driver_data;
	struct rte_mbuf *frame[XY_BURST], *plain[XY_BURST];
	uint16_t frames = 0, plains = 0, failed = 0;
	bool queue = w->id < c->queues;

	for (uint16_t i = 0; i < n; i++) {
		const struct xy_frame_header *h = queue ? header_of(port, w, pkts[i]) : NULL;
		if (h) {
			xy_frame_put_on(pkts[i], h);
			frame[frames++] = pkts[i];
		} else {
			plain[plains++] = pkts[i];
		}
	}
	uint16_t sent = frames ? tx_frames(port, w, &c->xsk[w->id], frame, frames) : 0;
	for (uint16_t i = sent; i < frames; i++)
		pkts[failed++] = frame[i];
	uint16_t by_kernel = plains ? c->kernel->ops->tx_burst_rcu(c->kernel, w, plain, plains) : 0;
	for (uint16_t i = 0; i < plains - by_kernel; i++)
		pkts[failed++] = plain[i];
	return (uint16_t)(n - failed);
}

// --- open, close

static void close_card(struct xy_port *port)
{
	struct card *c = port->driver_data;
	xy_steering_free(c->steering); // first: nothing is redirected into a closing socket
	for (unsigned q = 0; q < c->queues; q++)
		if (c->xsk[q].socket) {
			xy_worker_unwatch(c->watchers[q % port->workers],
					  xsk_socket__fd(c->xsk[q].socket));
			xy_xsk_close(&c->xsk[q]);
		}
	if (c->kernel)
		c->kernel->ops->close(c->kernel);
	free(c->xsk);
	free(c);
	free(port->counters);
	free(port);
}

static const struct xy_port_ops ops = {.driver = "af_xdp",
				       .rx_burst_rcu = rx_burst,
				       .tx_burst_rcu = tx_burst,
				       .close = close_card};

static int queues_open(struct xy_dp *dp, struct xy_port *port, const char *interface,
		       struct xy_err *err)
{
	struct card *c = port->driver_data;
	for (unsigned q = 0; q < c->queues; q++) {
		struct xy_worker *w = dp->worker[q % dp->workers];
		uint64_t owner = (uint64_t)(port->id + 1) << 32 | (q + 1);
		int r = xy_xsk_open(&c->xsk[q], interface, q, dp->pool, owner, err);
		if (r)
			return r;
		int fd = xsk_socket__fd(c->xsk[q].socket);
		r = xy_steering_socket(c->steering, q, fd);
		r = r ? r : xy_worker_watch(w, fd);
		if (r)
			return xy_err_set(err, -r, "%s: queue %u: %s", interface, q, strerror(-r));
	}
	return 0;
}

static int card_open(struct xy_dp *dp, struct xy_port *port, const struct xy_dp_port_config *cfg,
		     struct xy_err *err)
{
	struct card *c = port->driver_data;
	int r = xy_port_socket_open(dp, cfg, port->id, &c->kernel, err);
	if (r)
		return r;
	port->address = c->kernel->address;
	port->udp_port = c->kernel->udp_port;
	memcpy(c->watchers, dp->worker, sizeof(c->watchers));
	r = xy_steering_load(cfg->interface, port->udp_port, port->udp_port, &c->steering, err);
	r = r ? r : queues_open(dp, port, cfg->interface, err);
	r = r ? r : xy_steering_attach(c->steering, err);
	if (!r)
		snprintf(c->mode, sizeof(c->mode), "%s, %s", xy_steering_mode(c->steering),
			 c->xsk[0].zero_copy ? "zero copy" : "copy");
	return r;
}

int xy_port_af_xdp_open(struct xy_dp *dp, const struct xy_dp_port_config *cfg, unsigned id,
			struct xy_port **out, struct xy_err *err)
{
	unsigned queues = queue_count(cfg->interface);
	struct xy_port *p = calloc(1, sizeof(*p));
	struct card *c = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*c));
	struct xy_xsk *xsk = calloc(queues, sizeof(*xsk));
	struct xy_port_counters *counters =
		aligned_alloc(RTE_CACHE_LINE_SIZE, dp->workers * sizeof(*counters));

	if (!p || !c || !xsk || !counters) {
		free(p);
		free(c);
		free(xsk);
		free(counters);
		return xy_err_set(err, ENOMEM, "%s: no memory for a port", cfg->interface);
	}
	memset(c, 0, sizeof(*c));
	memset(counters, 0, dp->workers * sizeof(*counters));
	c->queues = queues;
	c->xsk = xsk;
	*p = (struct xy_port){.ops = &ops,
			      .id = id,
			      .workers = dp->workers,
			      .counters = counters,
			      .driver_data = c};
	int r = card_open(dp, p, cfg, err);
	if (r) {
		close_card(p);
		return r;
	}
	*out = p;
	return 0;
}

// --- what the control plane asks

int xy_port_af_xdp_addresses(struct xy_port *port, const struct xy_addr *addr, unsigned count)
{
	struct card *c = port->driver_data;
	return xy_steering_addresses(c->steering, addr, count);
}

uint64_t xy_port_af_xdp_missed(const struct xy_port *port)
{
	const struct card *c = port->driver_data;
	uint64_t sum = xy_port_socket_missed(c->kernel);
	for (unsigned q = 0; q < c->queues; q++)
		sum += xy_xsk_missed(&c->xsk[q]);
	return sum;
}

const char *xy_port_af_xdp_mode(const struct xy_port *port)
{
	return ((const struct card *)port->driver_data)->mode;
}

unsigned xy_port_af_xdp_queues(const struct xy_port *port)
{
	return ((const struct card *)port->driver_data)->queues;
}

void xy_port_af_xdp_verdicts(const struct xy_port *port, uint64_t out[static XY_STEER_COUNT])
{
	xy_steering_counters(((const struct card *)port->driver_data)->steering, out);
}
