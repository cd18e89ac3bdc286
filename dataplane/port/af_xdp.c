// SPDX-License-Identifier: BSD-3-Clause
// A card that stays the kernel's: our UDP by AF_XDP, one socket per queue.
#include "card.h"
#include "dp.h"
#include "steering.h"
#include "xsk.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <rte_ether.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { QUEUES_MAX = 64 }; // entries of the program's socket map

struct af_xdp {
	struct xy_card card;
	struct xy_steering *steering;
	struct xy_xsk *xsk; // [queues]
};

static struct af_xdp *af_xdp(const struct xy_card *card)
{
	return (struct af_xdp *)(uintptr_t)card;
}

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

static uint16_t rx(struct xy_card *card, unsigned queue, struct rte_mbuf **out, uint16_t n)
{
	return xy_xsk_rx_burst(&af_xdp(card)->xsk[queue], out, n);
}

static uint16_t tx(struct xy_card *card, unsigned queue, struct rte_mbuf **frames, uint16_t n)
{
	return xy_xsk_tx_burst(&af_xdp(card)->xsk[queue], frames, n);
}

// The program let it through, so only its UDP length can be wrong.
static void exception(struct xy_card *card, struct xy_worker *w, struct rte_mbuf *m)
{
	(void)card;
	xy_count_drop(w, XY_DROP_NOT_WIREGUARD, 1);
	rte_pktmbuf_free(m);
}

static void tend(struct xy_card *card, struct xy_worker *w, unsigned queue)
{
	if (xy_xsk_tend(&af_xdp(card)->xsk[queue]))
		w->busy = true; // no descriptor would tell
}

static uint64_t missed(const struct xy_card *card)
{
	uint64_t sum = 0;
	for (unsigned q = 0; q < card->queues; q++)
		sum += xy_xsk_missed(&af_xdp(card)->xsk[q]);
	return sum;
}

static int addresses(struct xy_card *card, const struct xy_addr *addr, unsigned count)
{
	return xy_steering_addresses(af_xdp(card)->steering, addr, count);
}

static void steered(const struct xy_card *card, uint64_t out[static XY_STEER_COUNT])
{
	xy_steering_counters(af_xdp(card)->steering, out);
}

static void close_card(struct xy_card *card)
{
	struct af_xdp *x = af_xdp(card);
	xy_steering_free(x->steering); // first: nothing is redirected into a closing socket
	for (unsigned q = 0; x->xsk && q < card->queues; q++)
		if (x->xsk[q].socket) {
			xy_worker_unwatch(card->dp->worker[q % card->dp->workers],
					  xsk_socket__fd(x->xsk[q].socket));
			xy_xsk_close(&x->xsk[q]);
		}
	xy_card_port_free(card);
	free(x->xsk);
	free(x);
}

static const struct xy_card_ops ops = {.driver = "af_xdp",
				       .rx = rx,
				       .tx = tx,
				       .exception = exception,
				       .tend = tend,
				       .missed = missed,
				       .addresses = addresses,
				       .steered = steered,
				       .close = close_card};

static int queue_open(struct af_xdp *x, unsigned q, struct xy_err *err)
{
	struct xy_dp *dp = x->card.dp;
	// Marks the buffers that this socket holds, among all sockets ever: an old one of the same
	// port and queue may still wait for its grace period, and then frees what bears its mark.
	uint64_t owner = ++dp->xsk_owners;
	int r = xy_xsk_open(&x->xsk[q], x->card.interface, q, dp->pool, owner, err);
	if (r)
		return r;
	int fd = xsk_socket__fd(x->xsk[q].socket);
	r = xy_steering_socket(x->steering, q, fd);
	r = r ? r : xy_worker_watch(dp->worker[q % dp->workers], fd);
	return r ? xy_err_set(err, -r, "%s: queue %u: %s", x->card.interface, q, strerror(-r)) : 0;
}

static int mtu_check(const struct xy_dp *dp, const char *interface, struct xy_err *err)
{
	struct ifreq ifr = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int most = (int)xy_xsk_frame_max(dp->pool) - RTE_ETHER_HDR_LEN;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", interface);
	int r = fd < 0 || ioctl(fd, SIOCGIFMTU, &ifr) ? -errno : 0;
	if (fd >= 0)
		close(fd);
	if (r)
		return xy_err_set(err, -r, "%s: %s", interface,
				  r == -ENODEV ? "no such interface" : strerror(-r));
	if (ifr.ifr_mtu > most)
		return xy_err_set(err, EMSGSIZE,
				  "%s: MTU %d, but an AF_XDP buffer holds %d: ip link set dev %s "
				  "mtu %d, or use driver = \"socket\"",
				  interface, ifr.ifr_mtu, most, interface, most);
	return 0;
}

static int card_open(struct xy_dp *dp, struct af_xdp *x, const struct xy_dp_port_config *cfg,
		     unsigned id, struct xy_err *err)
{
	int r = mtu_check(dp, x->card.interface, err);
	r = r ? r : xy_card_port_make(dp, &x->card, cfg, id, err);
	uint16_t port = r ? 0 : x->card.port->udp_port;
	r = r ? r : xy_steering_load(x->card.interface, port, port, &x->steering, err);
	for (unsigned q = 0; !r && q < x->card.queues; q++)
		r = queue_open(x, q, err);
	r = r ? r : xy_steering_attach(x->steering, err);
	if (!r)
		snprintf(x->card.mode, sizeof(x->card.mode), "%s, %s",
			 xy_steering_mode(x->steering), x->xsk[0].zero_copy ? "zero copy" : "copy");
	return r;
}

int xy_port_af_xdp_open(struct xy_dp *dp, const struct xy_dp_port_config *cfg, unsigned id,
			struct xy_port **out, struct xy_err *err)
{
	struct af_xdp *x = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*x));
	if (!x)
		return xy_err_set(err, ENOMEM, "%s: no memory for a port", cfg->interface);
	memset(x, 0, sizeof(*x));
	x->card.ops = &ops;
	x->card.dp = dp;
	x->card.queues = queue_count(cfg->interface);
	snprintf(x->card.interface, sizeof(x->card.interface), "%s", cfg->interface);
	x->xsk = calloc(x->card.queues, sizeof(*x->xsk));
	int r = x->xsk ? card_open(dp, x, cfg, id, err)
		       : xy_err_set(err, ENOMEM, "%s: no memory for a port", cfg->interface);
	if (r) {
		close_card(&x->card);
		return r;
	}
	*out = x->card.port;
	return 0;
}
