// SPDX-License-Identifier: BSD-3-Clause
// A card that is DPDK's: by PCI address or vdev. The kernel does not see it, so a TAP stands for it
// there: what is not ours goes to the TAP (within a rate), what the host sends on the TAP goes out;
// addresses, ARP, ND and DHCP live on it.
#include "card.h"
#include "dp.h"
#include "frame.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <rte_ethdev.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	RX_DESC = 1024,
	TX_DESC = 1024,
	TAP_EVERY = 16,	 // bursts between looks at the TAP: one system call per so many
	TAP_FRAMES = 16, // frames from the TAP at a time
	// Frames to the TAP per second, and at once: a flood of foreign frames costs a write each,
	// 1 us.
	EXCEPTION_RATE = 20000,
	EXCEPTION_BURST = 512,
	ADDRS_MAX = 256,
};

struct ours { // published by RCU
	unsigned count;
	struct xy_addr addr[ADDRS_MAX];
};

struct dpdk {
	struct xy_card card;
	uint16_t ethdev;
	bool found, started;
	bool sums; // it makes UDP checksums
	int tap;
	bool tap_gone; // somebody deleted it; of the worker with queue 0
	struct ours *ours;
	unsigned tap_turn; // of the worker with queue 0
	struct {	   // per worker
		uint64_t tokens;
		xy_nsec refill;
	} __rte_cache_aligned rate[XY_DP_WORKERS];
};

static struct dpdk *dpdk(const struct xy_card *card)
{
	return (struct dpdk *)(uintptr_t)card;
}

// --- frames

static uint16_t rx(struct xy_card *card, unsigned queue, struct rte_mbuf **out, uint16_t n)
{
	uint16_t got = rte_eth_rx_burst(dpdk(card)->ethdev, (uint16_t)queue, out, n);
	for (uint16_t i = 0; i < got; i++) { // no driver touches what we read and write first
		rte_prefetch0(rte_pktmbuf_mtod(out[i], const void *));
		rte_prefetch0(xy_packet(out[i]));
	}
	return got;
}

static uint16_t tx(struct xy_card *card, unsigned queue, struct rte_mbuf **frames, uint16_t n)
{
	struct dpdk *d = dpdk(card);
	if (d->sums) // some want more for it than the flags
		n = rte_eth_tx_prepare(d->ethdev, (uint16_t)queue, frames, n);
	return rte_eth_tx_burst(d->ethdev, (uint16_t)queue, frames, n);
}

static bool is_ours(const struct xy_card *card, const struct rte_mbuf *m)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	const struct ours *o = __atomic_load_n(&dpdk(card)->ours, __ATOMIC_ACQUIRE);
	struct xy_steer_found found;
	if (m->nb_segs != 1 ||
	    xy_steer_form(frame, frame + m->data_len, 0, &found) != XY_STEER_OURS ||
	    found.port != card->port->udp_port)
		return false;
	for (unsigned i = 0; i < o->count; i++)
		if (memcmp(found.dst.b, o->addr[i].b, sizeof(found.dst.b)) == 0)
			return true;
	return false;
}

static bool within_rate(struct dpdk *d, const struct xy_worker *w)
{
	uint64_t since = w->now - d->rate[w->id].refill, fresh = since / (XY_SEC / EXCEPTION_RATE);
	if (fresh) {
		d->rate[w->id].tokens =
			RTE_MIN(d->rate[w->id].tokens + fresh, (uint64_t)EXCEPTION_BURST);
		d->rate[w->id].refill = w->now - since % (XY_SEC / EXCEPTION_RATE);
	}
	if (!d->rate[w->id].tokens)
		return false;
	d->rate[w->id].tokens--;
	return true;
}

static void exception(struct xy_card *card, struct xy_worker *w, struct rte_mbuf *m)
{
	struct dpdk *d = dpdk(card);
	if (!within_rate(d, w))
		xy_count_drop(w, XY_DROP_EXCEPTION_LIMITED, 1);
	else if (m->nb_segs != 1 || write(d->tap, rte_pktmbuf_mtod(m, void *), m->data_len) < 0)
		xy_count_drop(w, XY_DROP_HOST_FULL, 1);
	else
		XY_COUNT(w, punted, 1);
	rte_pktmbuf_free(m);
}

// A TAP that was deleted makes its descriptor readable for ever: taken out of the wake-up set.
static void tap_failed(struct dpdk *d, struct xy_worker *w, int error)
{
	if (error != EBADFD && error != EFAULT)
		return;
	d->tap_gone = true;
	xy_worker_unwatch(w, d->tap);
}

// One frame of the host's, or NULL when it has none.
static struct rte_mbuf *read_tap(struct dpdk *d, struct xy_worker *w)
{
	struct rte_mbuf *m;
	if (xy_buffers_alloc(w, &m, 1))
		return NULL;
	ssize_t n = read(d->tap, rte_pktmbuf_mtod(m, void *), rte_pktmbuf_tailroom(m));
	if (n <= 0) {
		tap_failed(d, w, n < 0 ? errno : 0);
		rte_pktmbuf_free(m);
		return NULL;
	}
	rte_pktmbuf_append(m, (uint16_t)n);
	return m;
}

static void tend(struct xy_card *card, struct xy_worker *w, unsigned queue)
{
	struct dpdk *d = dpdk(card);
	struct rte_mbuf *m[TAP_FRAMES];
	uint16_t n = 0, sent;
	if (queue != 0 || !xy_worker_ready(w, d->tap) || d->tap_gone || ++d->tap_turn < TAP_EVERY)
		return;
	d->tap_turn = 0;
	while (n < TAP_FRAMES && (m[n] = read_tap(d, w)))
		n++;
	if (!n)
		return;
	XY_COUNT(w, host_rx, n);
	sent = tx(card, 0, m, n);
	XY_COUNT(w, tx, sent);
	xy_count_drop(w, XY_DROP_TX_FULL, (uint64_t)(n - sent));
	rte_pktmbuf_free_bulk(m + sent, (unsigned)(n - sent));
	w->busy = true;
}

// --- what the control plane asks

static uint64_t missed(const struct xy_card *card)
{
	struct rte_eth_stats s;
	if (rte_eth_stats_get(dpdk(card)->ethdev, &s))
		return 0;
	return s.imissed + s.ierrors + s.rx_nombuf;
}

static void ours_free(struct xy_dp *dp, void *ptr)
{
	(void)dp;
	free(ptr);
}

static int addresses(struct xy_card *card, const struct xy_addr *addr, unsigned count)
{
	struct dpdk *d = dpdk(card);
	if (count > ADDRS_MAX)
		return -ENOSPC;
	struct ours *fresh = calloc(1, sizeof(*fresh)), *old = d->ours;
	if (!fresh)
		return -ENOMEM;
	fresh->count = count;
	memcpy(fresh->addr, addr, count * sizeof(*addr));
	__atomic_store_n(&d->ours, fresh, __ATOMIC_RELEASE);
	xy_dp_retire(card->dp, old, ours_free);
	return 0;
}

// --- the TAP twin

static int tap_ioctls(struct dpdk *d, int ctl)
{
	struct ifreq ifr = {0};
	struct rte_ether_addr mac;
	uint16_t mtu = RTE_ETHER_MTU;

	ifr.ifr_flags = IFF_TAP | IFF_NO_PI;
	memcpy(ifr.ifr_name, d->card.interface, sizeof(d->card.interface));
	if (ioctl(d->tap, TUNSETIFF, &ifr))
		return -errno;
	memcpy(d->card.interface, ifr.ifr_name, sizeof(d->card.interface));
	// The card's own hardware address, so that what the host answers is right on the wire.
	// Some vdevs have none; then the TAP's is as good as any.
	if (rte_eth_macaddr_get(d->ethdev, &mac) == 0 && rte_is_valid_assigned_ether_addr(&mac)) {
		ifr.ifr_hwaddr.sa_family = ARPHRD_ETHER;
		memcpy(ifr.ifr_hwaddr.sa_data, mac.addr_bytes, sizeof(mac.addr_bytes));
		if (ioctl(ctl, SIOCSIFHWADDR, &ifr))
			return -errno;
	}
	rte_eth_dev_get_mtu(d->ethdev, &mtu);
	ifr.ifr_mtu = mtu;
	if (ioctl(ctl, SIOCSIFMTU, &ifr))
		return -errno;
	if (ioctl(ctl, SIOCGIFFLAGS, &ifr))
		return -errno;
	ifr.ifr_flags |= IFF_UP;
	return ioctl(ctl, SIOCSIFFLAGS, &ifr) ? -errno : 0;
}

static int tap_open(struct dpdk *d, const char *device, struct xy_err *err)
{
	int ctl = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	d->tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	int r = ctl < 0 || d->tap < 0 ? -errno : tap_ioctls(d, ctl);
	if (ctl >= 0)
		close(ctl);
	if (r)
		return xy_err_set(err, -r, "%s: TAP %s for the host: %s%s", device,
				  d->card.interface, strerror(-r),
				  r == -EPERM ? " (CAP_NET_ADMIN is needed)" : "");
	return 0;
}

// --- the device

static int queues_setup(struct dpdk *d)
{
	const struct xy_dp *dp = d->card.dp;
	int socket_id = rte_eth_dev_socket_id(d->ethdev);
	struct rte_mempool *near = xy_pools_at(&dp->pools, socket_id);
	for (uint16_t q = 0; q < d->card.queues; q++) {
		struct rte_mempool *pool = near ? near : dp->worker[q % dp->workers]->pool;
		int r = rte_eth_rx_queue_setup(d->ethdev, q, RX_DESC, (unsigned)socket_id, NULL,
					       pool);
		r = r ? r
		      : rte_eth_tx_queue_setup(d->ethdev, q, TX_DESC, (unsigned)socket_id, NULL);
		if (r)
			return r;
	}
	return 0;
}

// The host listens on the TAP, so the card's filter does not learn of its groups; and neighbour
// discovery asks by multicast (RFC 4861, section 4.3). A device that cannot tell them apart takes
// all.
static void hear_groups(uint16_t ethdev)
{
	if (rte_eth_allmulticast_enable(ethdev) == -ENOTSUP)
		rte_eth_promiscuous_enable(ethdev);
}

// What the device can do of checksums: IPv4 headers that came, UDP that goes. Where one cannot, we
// do it: a flag that it does not set is an answer (frame.c).
static void ask_sums(struct dpdk *d, const struct rte_eth_dev_info *info, struct rte_eth_conf *conf)
{
	conf->rxmode.offloads = info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_IPV4_CKSUM;
	conf->txmode.offloads = info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
	d->sums = conf->txmode.offloads;
	d->card.port->sums |= d->sums ? XY_FRAME_SUM_DEVICE : 0;
}

static void ask_queues(struct dpdk *d, const struct rte_eth_dev_info *info,
		       struct rte_eth_conf *conf)
{
	unsigned queues = RTE_MIN(info->max_rx_queues, info->max_tx_queues);
	d->card.queues = RTE_MIN(d->card.dp->workers, queues);
	uint64_t hash = info->flow_type_rss_offloads & (RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP);
	if (d->card.queues > 1 && hash) {
		conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf->rx_adv_conf.rss_conf.rss_hf = hash;
	}
}

static int device_start(struct dpdk *d, const char *device, struct xy_err *err)
{
	struct rte_eth_dev_info info;
	struct rte_eth_conf conf = {0};
	int r = rte_eth_dev_info_get(d->ethdev, &info);
	if (r)
		return xy_err_set(err, -r, "%s: %s", device, strerror(-r));
	ask_sums(d, &info, &conf);
	ask_queues(d, &info, &conf);
	unsigned queues = d->card.queues;
	r = rte_eth_dev_configure(d->ethdev, (uint16_t)queues, (uint16_t)queues, &conf);
	r = r ? r : queues_setup(d);
	r = r ? r : rte_eth_dev_start(d->ethdev);
	if (r)
		return xy_err_set(err, -r, "%s: the device does not start: %s", device,
				  strerror(-r));
	d->started = true;
	hear_groups(d->ethdev);
	snprintf(d->card.mode, sizeof(d->card.mode), "%s%s%s", info.driver_name,
		 conf.rxmode.mq_mode ? ", RSS" : "", d->sums ? ", checksums" : "");
	return 0;
}

// The name that EAL knows the device by: a PCI address as it is, a vdev up to its first comma.
static int device_find(struct dpdk *d, const char *device, struct xy_err *err)
{
	char name[RTE_ETH_NAME_MAX_LEN];
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(device, ","), device);
	if (rte_eth_dev_get_port_by_name(name, &d->ethdev))
		return xy_err_set(err, ENODEV,
				  "%s: DPDK has no such device; a card must be bound to vfio-pci "
				  "(dpdk-devbind.py), a vdev be one that DPDK was built with",
				  device);
	d->found = true;
	return 0;
}

static void watch(struct dpdk *d, bool on)
{
	struct xy_dp *dp = d->card.dp;
	for (unsigned q = 0; q < d->card.queues; q++)
		__atomic_add_fetch(&dp->worker[q % dp->workers]->blind, on ? 1 : -1,
				   __ATOMIC_RELAXED);
	if (on)
		xy_worker_watch(dp->worker[0], d->tap);
	else if (!d->tap_gone)
		xy_worker_unwatch(dp->worker[0], d->tap);
}

static void close_card(struct xy_card *card)
{
	struct dpdk *d = dpdk(card);
	if (d->started) {
		watch(d, false);
		rte_eth_dev_stop(d->ethdev);
	}
	if (d->found) // while there is a pool that its buffers can go back to
		rte_eth_dev_close(d->ethdev);
	if (d->tap >= 0)
		close(d->tap);
	xy_card_port_free(card);
	free(d->ours);
	free(d);
}

static const struct xy_card_ops ops = {.driver = "dpdk",
				       .rx = rx,
				       .tx = tx,
				       .is_ours = is_ours,
				       .exception = exception,
				       .tend = tend,
				       .missed = missed,
				       .addresses = addresses,
				       .close = close_card};

int xy_port_dpdk_open(struct xy_dp *dp, const struct xy_dp_port_config *cfg, unsigned id,
		      struct xy_port **out, struct xy_err *err)
{
	struct dpdk *d = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*d));
	if (!d)
		return xy_err_set(err, ENOMEM, "%s: no memory for a port", cfg->device);
	memset(d, 0, sizeof(*d));
	d->tap = -1;
	d->card.ops = &ops;
	d->card.dp = dp;
	d->card.frame_max = UINT32_MAX; // the device says so itself
	d->card.blind = true;
	snprintf(d->card.interface, sizeof(d->card.interface), "%s", cfg->interface);
	d->ours = calloc(1, sizeof(*d->ours));
	int r = d->ours ? device_find(d, cfg->device, err)
			: xy_err_set(err, ENOMEM, "%s: no memory for a port", cfg->device);
	r = r ? r : tap_open(d, cfg->device, err);
	r = r ? r : xy_card_port_make(dp, &d->card, cfg, id, err);
	r = r ? r : device_start(d, cfg->device, err);
	if (r) {
		close_card(&d->card);
		return r;
	}
	watch(d, true);
	*out = d->card.port;
	return 0;
}
