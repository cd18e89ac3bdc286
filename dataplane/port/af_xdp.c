// SPDX-License-Identifier: BSD-3-Clause
// A card that stays the kernel's: our UDP by AF_XDP, one socket per queue.
#include "card.h"
#include "dp.h"
#include "netdev.h"
#include "steering.h"
#include "xsk.h"

#include <rte_ether.h>
#include <stdlib.h>
#include <time.h>

// A program that another left behind goes when the kernel, or its privileged helper, has seen that
// it is dead.
enum { BUSY_TRIES = 20, BUSY_PAUSE = 50 }; // ms

struct af_xdp {
	struct xy_card card;
	struct xy_steering *steering;
	struct xy_xsk *xsk; // [queues]
	bool jumbo;	    // frames come and go in pieces
	bool again;	    // as xy_dp_port_config
	// Whose buffers are the frames: the workers' own would be too long. NULL: the workers'.
	struct rte_mempool *plain;
};

static struct af_xdp *af_xdp(const struct xy_card *card)
{
	return (struct af_xdp *)(uintptr_t)card;
}

static struct xy_worker *worker_of(const struct xy_card *card, unsigned queue)
{
	return card->dp->worker[queue % card->dp->workers];
}

static uint16_t rx(struct xy_card *card, unsigned queue, struct rte_mbuf **out, uint16_t n)
{
	return xy_xsk_rx_burst(&af_xdp(card)->xsk[queue], out, n);
}

static uint16_t tx(struct xy_card *card, unsigned queue, struct rte_mbuf **frames, uint16_t n)
{
	return xy_xsk_tx_burst(&af_xdp(card)->xsk[queue], frames, n);
}

// Frames in pieces that did not become a packet. One longer than a buffer is no WireGuard message
// of any link of ours.
static void count_lost(const struct xy_card *card, struct xy_worker *w, struct xy_gather *g)
{
	uint64_t lost = (uint64_t)g->too_long + g->no_buffer;
	if (!lost)
		return;
	xy_port_count_rx(card->port, w, lost, 0);
	xy_count_drop(w, XY_DROP_NOT_WIREGUARD, g->too_long);
	xy_count_drop(w, XY_DROP_NO_BUFFER, g->no_buffer);
	g->too_long = g->no_buffer = 0;
	w->busy = true;
}

static void tend(struct xy_card *card, struct xy_worker *w, unsigned queue)
{
	struct xy_xsk *x = &af_xdp(card)->xsk[queue];
	if (xy_xsk_tend(x))
		w->busy = true; // no descriptor would tell
	w->dry |= x->dry;
	count_lost(card, w, &x->gather);
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

static uint32_t frame_max(const struct xy_card *card)
{
	int mtu = xy_netdev_mtu(card->interface);
	return mtu > 0 ? (uint32_t)mtu + RTE_ETHER_HDR_LEN : UINT16_MAX;
}

static void follow(struct xy_card *card)
{
	xy_steering_frame_max(af_xdp(card)->steering, frame_max(card));
}

static void train(struct xy_card *card)
{
	xy_steering_train(af_xdp(card)->steering);
}

static bool trained(const struct xy_card *card)
{
	return xy_steering_trained(af_xdp(card)->steering);
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
		if (x->xsk[q].fd >= 0) {
			xy_worker_unwatch(worker_of(card, q), x->xsk[q].fd);
			xy_xsk_close(&x->xsk[q]);
		}
	xy_card_port_free(card);
	free(x->xsk);
	free(x);
}

static const struct xy_card_ops ops = {.driver = "af_xdp",
				       .rx = rx,
				       .tx = tx,
				       .tend = tend,
				       .missed = missed,
				       .addresses = addresses,
				       .follow = follow,
				       .train = train,
				       .trained = trained,
				       .steered = steered,
				       .close = close_card};

static int socket_make(const struct xy_dp *dp, const char *interface, struct xy_err *err)
{
	const struct xy_dp_privileges *by = dp->cfg.by;
	return by ? by->xsk(dp->cfg.by_arg, interface, err) : xy_dp_xsk(interface, err);
}

static int queue_open(struct af_xdp *x, unsigned q, struct xy_err *err)
{
	struct xy_dp *dp = x->card.dp;
	struct xy_worker *w = worker_of(&x->card, q);
	// Marks the buffers that this socket holds, among all sockets ever: an old one of the same
	// port and queue may still wait for its grace period, and then frees what bears its mark.
	// The top bit is in no offload request, which tx_offload may still hold from a DPDK device.
	uint64_t owner = ++dp->xsk_owners | UINT64_C(1) << 63;
	struct xy_xsk_config cfg = {.interface = x->card.interface,
				    .queue = q,
				    .pool = x->plain ? x->plain : w->pool,
				    .owner = owner,
				    .flags = (x->jumbo ? XY_XSK_PIECES : 0) |
					     (x->again ? XY_XSK_NO_WAIT : 0)};
	cfg.fd = socket_make(dp, cfg.interface, err);
	int r = cfg.fd < 0 ? cfg.fd : xy_xsk_open(&x->xsk[q], &cfg, err);
	if (r)
		return r;
	r = xy_steering_socket(x->steering, q, cfg.fd);
	r = r ? r : xy_worker_watch(w, cfg.fd);
	return r ? xy_err_set(err, -r, "%s: queue %u: %s", x->card.interface, q, strerror(-r)) : 0;
}

bool xy_dp_card_is_jumbo(const char *interface)
{
	return xy_netdev_mtu(interface) > XY_XSK_MTU_PLAIN;
}

unsigned xy_dp_card_queues(const char *interface)
{
	return xy_netdev_queues(interface);
}

static int mtu_refuse(const char *interface, int mtu, int most, bool copies, struct xy_err *err)
{
	if (copies)
		return xy_err_set(err, EMSGSIZE,
				  "%s: MTU %d, but a packet buffer holds %d: ip link set dev %s "
				  "mtu %d, or use driver = \"socket\"",
				  interface, mtu, most, interface, most);
	return xy_err_set(err, EMSGSIZE,
			  "%s: MTU %d, but no card had more than %d when xylemd started: restart "
			  "it, or ip link set dev %s mtu %d",
			  interface, mtu, XY_XSK_MTU_PLAIN, interface, most);
}

// A card that had jumbo frames when xylemd started and has none any more finds no buffers meant for
// it: enough of the others', or it has frames of its own.
static struct rte_mempool *plain_of(const struct af_xdp *x)
{
	struct rte_mempool *plain = x->card.dp->pools.plain;
	bool enough = plain && rte_mempool_avail_count(plain) >= x->card.queues * XY_XSK_RING;
	return enough ? plain : NULL;
}

static int mtu_check(struct af_xdp *x, struct xy_err *err)
{
	const char *interface = x->card.interface;
	const struct rte_mempool *pool = worker_of(&x->card, 0)->pool;
	bool copies = xy_xsk_copies(pool);
	int most = (int)xy_xsk_frame_max(pool) - RTE_ETHER_HDR_LEN;
	int mtu = xy_netdev_mtu(interface);
	if (mtu < 0)
		return xy_err_set(err, -mtu, "%s: %s", interface,
				  mtu == -ENODEV ? "no such interface" : strerror(-mtu));
	if (mtu > most)
		return mtu_refuse(interface, mtu, most, copies, err);
	x->jumbo = copies && mtu > XY_XSK_MTU_PLAIN;
	if (copies && !x->jumbo) {
		x->plain = plain_of(x);
		x->card.frame_max = x->plain ? xy_xsk_frame_max(x->plain) : XY_XSK_CHUNK;
	}
	return 0;
}

static void mode_text(struct af_xdp *x)
{
	const char *frames = x->jumbo ? ", jumbo frames" : x->xsk[0].copy ? ", own frames" : "";
	snprintf(x->card.mode, sizeof(x->card.mode), "%s, %s%s", xy_steering_mode(x->steering),
		 x->xsk[0].zero_copy ? "zero copy" : "copy", frames);
}

static int attach(struct af_xdp *x, struct xy_err *err)
{
	int tries = x->again ? 0 : BUSY_TRIES, r = xy_steering_attach(x->steering, err);
	for (int i = 0; r == -EBUSY && i < tries; i++) {
		nanosleep(&(struct timespec){.tv_nsec = BUSY_PAUSE * 1000000L}, NULL);
		r = xy_steering_attach(x->steering, err);
	}
	return r;
}

static int program_load(struct xy_dp *dp, struct af_xdp *x, struct xy_err *err)
{
	struct xy_dp_program_config cfg = {.port = x->card.port->udp_port,
					   .frame_max = frame_max(&x->card),
					   .pieces = x->jumbo};
	snprintf(cfg.interface, sizeof(cfg.interface), "%s", x->card.interface);
	return xy_steering_load(dp, &cfg, &x->steering, err);
}

static int card_open(struct xy_dp *dp, struct af_xdp *x, const struct xy_dp_port_config *cfg,
		     unsigned id, struct xy_err *err)
{
	int r = mtu_check(x, err);
	r = r ? r : xy_card_port_make(dp, &x->card, cfg, id, err);
	r = r ? r : program_load(dp, x, err);
	for (unsigned q = 0; !r && q < x->card.queues; q++)
		r = queue_open(x, q, err);
	r = r ? r : attach(x, err);
	if (r)
		return r;
	x->card.may_train = xy_steering_may_train(x->steering);
	mode_text(x);
	return 0;
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
	x->card.frame_max = UINT32_MAX;
	x->again = cfg->again;
	x->card.queues = xy_netdev_queues(cfg->interface);
	snprintf(x->card.interface, sizeof(x->card.interface), "%s", cfg->interface);
	x->xsk = calloc(x->card.queues, sizeof(*x->xsk));
	for (unsigned q = 0; x->xsk && q < x->card.queues; q++)
		x->xsk[q].fd = -1;
	int r = x->xsk ? card_open(dp, x, cfg, id, err)
		       : xy_err_set(err, ENOMEM, "%s: no memory for a port", cfg->interface);
	if (r) {
		close_card(&x->card);
		return r;
	}
	*out = x->card.port;
	return 0;
}
