// SPDX-License-Identifier: BSD-3-Clause
#include "xsk.h"

#include "xsk_copy.h"

#include <linux/bpf.h>
#include <net/if.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_memcpy.h>
#include <rte_mempool.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef SOL_XDP
#define SOL_XDP 283
#endif
#ifndef XDP_USE_SG // headers before Linux 6.6
#define XDP_USE_SG (1 << 4)
#endif

enum {
	KICKS_MAX = 8,
	// Tends that a worker stays awake for frames which the kernel does not take: a card whose
	// link is down takes none for as long as that is.
	STALLED_MAX = 1000,
};

// What the kernel takes as a chunk: XDP_UMEM_MIN_CHUNK_SIZE, and a page.
enum { CHUNK_MIN = 2048, CHUNK_MAX = 4096 };

// A UMEM is released by the kernel some time after its socket: 200 ms were always enough.
#define BUSY_TRIES 20
#define BUSY_PAUSE 50 // ms

// --- the kernel's side, as linux/if_xdp.h has it

static int set(int fd, int name, const void *value, socklen_t len)
{
	return setsockopt(fd, SOL_XDP, name, value, len) ? -errno : 0;
}

static int ring_map(int fd, struct xy_xsk_ring *r, const struct xdp_ring_offset *at, size_t entry,
		    off_t page)
{
	r->map_len = at->desc + XY_XSK_RING * entry;
	uint8_t *map =
		mmap(NULL, r->map_len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, page);
	if (map == MAP_FAILED)
		return -errno;
	r->map = map;
	r->mask = XY_XSK_RING - 1;
	r->producer = (uint32_t *)(map + at->producer);
	r->consumer = (uint32_t *)(map + at->consumer);
	r->flags = (uint32_t *)(map + at->flags);
	r->entries = map + at->desc;
	r->put = *r->producer;
	r->taken = *r->consumer;
	return 0;
}

static void ring_unmap(struct xy_xsk_ring *r)
{
	if (r->map)
		munmap(r->map, r->map_len);
	*r = (struct xy_xsk_ring){0};
}

static int offsets(int fd, struct xdp_mmap_offsets *out)
{
	socklen_t len = sizeof(*out);
	if (getsockopt(fd, SOL_XDP, XDP_MMAP_OFFSETS, out, &len))
		return -errno;
	return len == sizeof(*out) ? 0 : -EOPNOTSUPP; // before Linux 5.4: without flags
}

// Memory of ours as the socket's UMEM, and the two rings that say which of it is whose. 0 or
// -errno; -ENOBUFS: beyond RLIMIT_MEMLOCK.
static int umem_give(struct xy_xsk *x, const struct xdp_umem_reg *memory)
{
	const int entries = XY_XSK_RING;
	struct xdp_mmap_offsets at;
	int r = set(x->fd, XDP_UMEM_REG, memory, sizeof(*memory));
	r = r ? r : set(x->fd, XDP_UMEM_FILL_RING, &entries, sizeof(entries));
	r = r ? r : set(x->fd, XDP_UMEM_COMPLETION_RING, &entries, sizeof(entries));
	r = r ? r : offsets(x->fd, &at);
	r = r ? r : ring_map(x->fd, &x->fill, &at.fr, sizeof(uint64_t), XDP_UMEM_PGOFF_FILL_RING);
	return r ? r
		 : ring_map(x->fd, &x->done, &at.cr, sizeof(uint64_t),
			    XDP_UMEM_PGOFF_COMPLETION_RING);
}

static int rings(struct xy_xsk *x, struct xy_err *err)
{
	const int entries = XY_XSK_RING;
	struct xdp_mmap_offsets at;
	int r = set(x->fd, XDP_RX_RING, &entries, sizeof(entries));
	r = r ? r : set(x->fd, XDP_TX_RING, &entries, sizeof(entries));
	r = r ? r : offsets(x->fd, &at);
	r = r ? r : ring_map(x->fd, &x->rx, &at.rx, sizeof(struct xdp_desc), XDP_PGOFF_RX_RING);
	r = r ? r : ring_map(x->fd, &x->tx, &at.tx, sizeof(struct xdp_desc), XDP_PGOFF_TX_RING);
	return r ? xy_err_set(err, -r, "rings of an AF_XDP socket: %s", strerror(-r)) : 0;
}

// --- memory

struct area {
	uint8_t *start;
	size_t len;
	unsigned chunks;
};

static void area_of(struct rte_mempool *mp, void *opaque, struct rte_mempool_memhdr *mem,
		    unsigned idx)
{
	struct area *a = opaque;
	(void)mp;
	(void)idx;
	a->start = mem->addr;
	a->len = mem->len;
	a->chunks++;
}

static struct rte_mbuf *mbuf_at(const struct xy_xsk *x, uint64_t addr)
{
	return (struct rte_mbuf *)(x->base + (addr & XSK_UNALIGNED_BUF_ADDR_MASK));
}

static uint64_t addr_of(const struct xy_xsk *x, const struct rte_mbuf *m)
{
	return (uint64_t)((const uint8_t *)m - x->base);
}

// The kernel writes a frame XDP_PACKET_HEADROOM (256) behind frame_headroom; we give it the mbuf
// itself and its private area as that headroom, so the data lands XY_FRAME_SHIFT + 256 bytes into
// the buffer.
static int pool_as_umem(struct xy_xsk *x, struct xdp_umem_reg *out, struct xy_err *err)
{
	struct area a = {0};
	rte_mempool_mem_iter(x->pool, area_of, &a);
	uint32_t object = x->pool->elt_size;
	if (a.chunks != 1 || object < CHUNK_MIN || object > CHUNK_MAX)
		return xy_err_set(
			err, EINVAL,
			"AF_XDP wants packet buffers in one piece, of %d to %d bytes (they are in "
			"%u, of %u): set a smaller MTU, reserve more hugepages, or use "
			"driver = \"socket\"",
			CHUNK_MIN, CHUNK_MAX, a.chunks, object);
	uintptr_t page = (uintptr_t)a.start & ~(uintptr_t)4095;
	x->base = (uint8_t *)page;
	// Not cut to whole pages: the last buffer would lie beyond the end, and the kernel refuse
	// it.
	*out = (struct xdp_umem_reg){
		.addr = page,
		.len = (uintptr_t)a.start + a.len - page,
		.chunk_size = object,
		.headroom = (uint32_t)(sizeof(struct rte_mbuf) + sizeof(struct xy_packet)) +
			    XY_FRAME_SHIFT,
		.flags = XDP_UMEM_UNALIGNED_CHUNK_FLAG,
	};
	return 0;
}

static int umem(struct xy_xsk *x, struct xy_err *err)
{
	struct xdp_umem_reg memory;
	int r = xy_xsk_copies(x->pool) ? xy_xsk_copy_make(x, &memory, err)
				       : pool_as_umem(x, &memory, err);
	if (r)
		return r;
	r = umem_give(x, &memory);
	return r ? xy_err_set(err, -r,
			      "%llu MiB of packet buffers as AF_XDP memory: %s (beyond "
			      "RLIMIT_MEMLOCK CAP_IPC_LOCK is needed, or more of it: ulimit -l, or "
			      "LimitMEMLOCK= in the service)",
			      (unsigned long long)memory.len >> 20, strerror(-r))
		 : 0;
}

// Zero copy wants each buffer within one piece of the card's memory: without hugepages, where they
// lie across pages, the kernel passes such buffers over in both rings and never gives them back.
static uint16_t bind_flags(const struct xy_xsk *x)
{
	return (uint16_t)(XDP_USE_NEED_WAKEUP | (x->pieces ? XDP_USE_SG : 0) |
			  (x->copy || rte_eal_has_hugepages() ? 0 : XDP_COPY));
}

static int try_bind(const struct xy_xsk *x, const struct xy_xsk_config *cfg)
{
	const struct sockaddr_xdp to = {.sxdp_family = AF_XDP,
					.sxdp_flags = bind_flags(x),
					.sxdp_ifindex = if_nametoindex(cfg->interface),
					.sxdp_queue_id = cfg->queue};
	if (!to.sxdp_ifindex)
		return -ENODEV;
	return bind(x->fd, (const struct sockaddr *)&to, sizeof(to)) ? -errno : 0;
}

static int bind_to(struct xy_xsk *x, const struct xy_xsk_config *cfg, struct xy_err *err)
{
	const char *interface = cfg->interface;
	int tries = cfg->flags & XY_XSK_NO_WAIT ? 0 : BUSY_TRIES, r = try_bind(x, cfg);
	for (int i = 0; r == -EBUSY && i < tries; i++) {
		nanosleep(&(struct timespec){.tv_nsec = BUSY_PAUSE * 1000000L}, NULL);
		r = try_bind(x, cfg);
	}
	if (r == -EBUSY)
		return xy_err_set(
			err, EBUSY,
			"%s: queue %u has an AF_XDP socket already; is another xylemd running "
			"on this interface?",
			interface, cfg->queue);
	if (r == -EINVAL && x->pieces)
		return xy_err_set(err, EINVAL,
				  "%s: this kernel has no AF_XDP for frames beyond a page (Linux "
				  "6.6 has): ip link set dev %s mtu %d, or use driver = \"socket\"",
				  interface, interface, XY_XSK_MTU_PLAIN);
	if (r)
		return xy_err_set(err, -r, "%s: AF_XDP socket on queue %u: %s", interface,
				  cfg->queue, strerror(-r));
	struct xdp_options o = {0};
	socklen_t len = sizeof(o);
	getsockopt(x->fd, SOL_XDP, XDP_OPTIONS, &o, &len);
	x->zero_copy = o.flags & XDP_OPTIONS_ZEROCOPY;
	return 0;
}

// Tops the fill ring up; with no buffers left the kernel drops, and counts it. The ring holds
// buffers away from the pool, so it has room for no more than an interrupt's worth.
static void refill(struct xy_xsk *x)
{
	struct rte_mbuf *m[XY_BURST];
	uint32_t at = 0;
	x->dry = false;
	while (xy_xsk_ring_free(&x->fill, XY_BURST) >= XY_BURST) {
		x->dry = rte_pktmbuf_alloc_bulk(x->pool, m, XY_BURST) != 0;
		if (x->dry)
			return;
		xy_xsk_ring_reserve(&x->fill, XY_BURST, &at);
		for (unsigned i = 0; i < XY_BURST; i++) {
			m[i]->tx_offload = x->owner;
			*xy_xsk_ring_addr(&x->fill, at + i) = addr_of(x, m[i]);
		}
		xy_xsk_ring_submit(&x->fill);
	}
}

bool xy_xsk_copies(const struct rte_mempool *pool)
{
	return pool->elt_size > CHUNK_MAX;
}

uint32_t xy_xsk_frame_max(const struct rte_mempool *pool)
{
	if (xy_xsk_copies(pool))
		return rte_pktmbuf_data_room_size((struct rte_mempool *)(uintptr_t)pool) -
		       XY_HEADROOM - XY_FRAME_SHIFT;
	uint32_t before = (uint32_t)(sizeof(struct rte_mbuf) + sizeof(struct xy_packet)) +
			  XY_FRAME_SHIFT + XDP_PACKET_HEADROOM;
	return pool->elt_size - before;
}

int xy_xsk_open(struct xy_xsk *x, const struct xy_xsk_config *cfg, struct xy_err *err)
{
	*x = (struct xy_xsk){.fd = cfg->fd,
			     .pool = cfg->pool,
			     .owner = cfg->owner,
			     .pieces = cfg->flags & XY_XSK_PIECES};
	int r = umem(x, err);
	r = r ? r : rings(x, err);
	r = r ? r : bind_to(x, cfg, err);
	if (r) {
		xy_xsk_close(x);
		return r;
	}
	if (x->copy)
		xy_xsk_copy_fill(x);
	else
		refill(x);
	return 0;
}

static void give_back(struct rte_mempool *mp, void *opaque, void *obj, unsigned idx)
{
	struct rte_mbuf *m = obj;
	(void)mp;
	(void)idx;
	if (m->tx_offload == *(uint64_t *)opaque) {
		m->tx_offload = 0;
		rte_pktmbuf_free(m);
	}
}

void xy_xsk_close(struct xy_xsk *x)
{
	struct xy_xsk_ring *const ring[] = {&x->fill, &x->done, &x->rx, &x->tx};
	for (unsigned i = 0; i < RTE_DIM(ring); i++)
		ring_unmap(ring[i]);
	if (x->fd >= 0)
		close(x->fd);
	x->fd = -1;
	if (x->copy)
		xy_xsk_copy_close(x);
	else if (x->pool)
		rte_mempool_obj_iter(x->pool, give_back, &x->owner);
}

static uint16_t take(struct xy_xsk *x, struct rte_mbuf **out, uint16_t n)
{
	uint32_t at = 0, got = xy_xsk_ring_peek(&x->rx, n, &at);
	for (uint32_t i = 0; i < got; i++) {
		const struct xdp_desc *d = xy_xsk_ring_desc(&x->rx, at + i);
		struct rte_mbuf *m = mbuf_at(x, d->addr);
		m->tx_offload = 0;
		m->data_off = (uint16_t)((d->addr >> XSK_UNALIGNED_BUF_OFFSET_SHIFT) -
					 sizeof(struct rte_mbuf) - sizeof(struct xy_packet));
		m->data_len = (uint16_t)d->len;
		m->pkt_len = d->len;
		rte_prefetch0(rte_pktmbuf_mtod(m, void *));
		out[i] = m;
	}
	if (got)
		xy_xsk_ring_release(&x->rx);
	refill(x); // also without frames: a ring that ran dry when buffers were short brings none
	return (uint16_t)got;
}

uint16_t xy_xsk_rx_burst(struct xy_xsk *x, struct rte_mbuf **out, uint16_t n)
{
	uint16_t got = x->copy ? xy_xsk_copy_take(x, out, n) : take(x, out, n);
	if (xy_xsk_ring_wants_wakeup(&x->fill))
		recvfrom(x->fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
	return got;
}

// Copy mode sends in the system call, 32 frames at most each; EAGAIN asks for another.
static void kick(struct xy_xsk *x)
{
	x->unsent = false;
	for (int i = 0; i < KICKS_MAX && xy_xsk_ring_wants_wakeup(&x->tx); i++) {
		if (sendto(x->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) >= 0)
			return;
		x->unsent = errno == EAGAIN || errno == EBUSY;
		if (!x->unsent)
			return;
	}
}

static void reclaim(struct xy_xsk *x)
{
	struct rte_mbuf *m[XY_BURST];
	uint32_t at = 0, got;
	while (x->outstanding && (got = xy_xsk_ring_peek(&x->done, XY_BURST, &at))) {
		for (uint32_t i = 0; i < got; i++) {
			m[i] = mbuf_at(x, *xy_xsk_ring_addr(&x->done, at + i));
			m[i]->tx_offload = 0;
		}
		xy_xsk_ring_release(&x->done);
		rte_pktmbuf_free_bulk(m, got);
		x->outstanding -= got;
	}
}

// Frames that the kernel has not taken from the ring.
static uint32_t untaken(const struct xy_xsk *x)
{
	return x->tx.put - __atomic_load_n(x->tx.consumer, __ATOMIC_ACQUIRE);
}

// A driver in zero copy may stop after our last look at its flag, with frames before it in the ring
// or in the card, and asks by the flag alone to be told of them. Copy mode has the flag always:
// there only what is still in the ring is worth a system call.
static bool wants_kick(const struct xy_xsk *x)
{
	return x->outstanding && (x->zero_copy || untaken(x)) && xy_xsk_ring_wants_wakeup(&x->tx);
}

static bool stays_awake(struct xy_xsk *x)
{
	uint32_t taken = x->tx.put - untaken(x);
	if (taken == x->tx.put || taken != x->taken)
		x->stalled = 0;
	x->taken = taken;
	return taken != x->tx.put && x->stalled++ < STALLED_MAX;
}

bool xy_xsk_tend(struct xy_xsk *x)
{
	if (x->copy)
		xy_xsk_copy_reclaim(x);
	else
		reclaim(x);
	if (x->unsent || wants_kick(x))
		kick(x);
	return stays_awake(x) || x->unsent;
}

// A packet in a buffer of another node's pool lies outside of our UMEM: copied. NULL: no buffer.
static struct rte_mbuf *own(const struct xy_xsk *x, struct rte_mbuf *m)
{
	if (likely(m->pool == x->pool))
		return m;
	struct rte_mbuf *copy = rte_pktmbuf_alloc(x->pool);
	if (!copy)
		return NULL;
	copy->data_off = XY_HEADROOM;
	rte_memcpy(rte_pktmbuf_append(copy, m->data_len), rte_pktmbuf_mtod(m, void *), m->data_len);
	rte_pktmbuf_free(m);
	return copy;
}

static uint16_t own_all(const struct xy_xsk *x, struct rte_mbuf **pkts, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = own(x, pkts[i]);
		if (!m)
			return i;
		pkts[i] = m;
	}
	return n;
}

static uint16_t put(struct xy_xsk *x, struct rte_mbuf **pkts, uint16_t n)
{
	uint32_t at = 0;
	reclaim(x);
	n = (uint16_t)RTE_MIN((uint32_t)n, xy_xsk_ring_free(&x->tx, n));
	n = (uint16_t)RTE_MIN((uint32_t)n, XY_XSK_RING - x->outstanding); // of the completion ring
	n = own_all(x, pkts, n);
	if (!n)
		return 0;
	xy_xsk_ring_reserve(&x->tx, n, &at);
	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = pkts[i];
		uint64_t offset = (uint64_t)(rte_pktmbuf_mtod(m, uint8_t *) - (uint8_t *)m);
		m->tx_offload = x->owner;
		*xy_xsk_ring_desc(&x->tx, at + i) = (struct xdp_desc){
			.addr = addr_of(x, m) | offset << XSK_UNALIGNED_BUF_OFFSET_SHIFT,
			.len = m->data_len};
	}
	xy_xsk_ring_submit(&x->tx);
	x->outstanding += n;
	return n;
}

uint16_t xy_xsk_tx_burst(struct xy_xsk *x, struct rte_mbuf **pkts, uint16_t n)
{
	n = x->copy ? xy_xsk_copy_put(x, pkts, n) : put(x, pkts, n);
	if (n)
		kick(x);
	return n;
}

uint64_t xy_xsk_missed(const struct xy_xsk *x)
{
	struct xdp_statistics s = {0};
	socklen_t len = sizeof(s);
	if (getsockopt(x->fd, SOL_XDP, XDP_STATISTICS, &s, &len))
		return 0;
	// rx_fill_ring_empty_descs counts looks at an empty ring: in copy mode the frames of
	// rx_dropped once more.
	return s.rx_dropped + s.rx_ring_full;
}
