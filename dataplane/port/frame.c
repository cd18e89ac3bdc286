// SPDX-License-Identifier: BSD-3-Clause
#include "frame.h"

#include "base/bytes.h"
#include "drops.h"
#include "wire/inet.h"
#include "wire/steer.h"

#include <errno.h>
#include <rte_byteorder.h>

enum { ETHER_LEN = 14, TTL = 64 };

static void make_v4(struct xy_frame_header *h, const struct xy_addr *local,
		    const struct xy_addr *remote)
{
	uint8_t *ip = h->bytes + ETHER_LEN;
	xy_be16_store(h->bytes + 12, 0x0800);
	ip[0] = 0x45;
	xy_be16_store(ip + 6, 0x4000); // DF: the path MTU is ours to keep
	ip[8] = TTL;
	ip[9] = XY_PROTO_UDP;
	memcpy(ip + 12, local->b + 12, 4);
	memcpy(ip + 16, remote->b + 12, 4);
	h->ip_sum = xy_csum_add(0, ip, XY_IPV4_MIN_LEN);
	h->len = ETHER_LEN + XY_IPV4_MIN_LEN + XY_UDP_LEN;
}

static void make_v6(struct xy_frame_header *h, const struct xy_addr *local,
		    const struct xy_addr *remote)
{
	uint8_t *ip = h->bytes + ETHER_LEN;
	xy_be16_store(h->bytes + 12, 0x86dd);
	ip[0] = 0x60;
	ip[6] = XY_PROTO_UDP;
	ip[7] = TTL;
	memcpy(ip + 8, local->b, 16);
	memcpy(ip + 24, remote->b, 16);
	h->len = ETHER_LEN + XY_IPV6_LEN + XY_UDP_LEN;
}

// What is known of the UDP checksum before there is a packet: the pseudo header without the length,
// and what stands in the UDP header, unless the device sums that.
static void sum_make(struct xy_frame_header *h, const struct xy_addr *local,
		     const struct xy_addr *remote, unsigned sums)
{
	bool none = (sums & XY_FRAME_SUM_NONE_V4) && xy_addr_is_v4(local);
	h->sum_left = !none && (sums & XY_FRAME_SUM_DEVICE);
	h->sum_made = !none && !h->sum_left;
	h->udp_sum = xy_csum_pseudo(local, remote, XY_PROTO_UDP, 0);
	if (h->sum_made)
		h->udp_sum = xy_csum_add(h->udp_sum, h->bytes + h->len - XY_UDP_LEN, 4);
}

int xy_frame_header_make(struct xy_frame_header *h, const uint8_t dst_mac[static 6],
			 const uint8_t src_mac[static 6], const struct xy_addr *local,
			 uint16_t local_port, const struct xy_endpoint *remote, unsigned sums)
{
	bool v4 = xy_addr_is_v4(&remote->addr);
	*h = (struct xy_frame_header){.len = 0};
	if (v4 != xy_addr_is_v4(local) || !remote->port || !local_port)
		return -EINVAL;
	memcpy(h->bytes, dst_mac, 6);
	memcpy(h->bytes + 6, src_mac, 6);
	if (v4)
		make_v4(h, local, &remote->addr);
	else
		make_v6(h, local, &remote->addr);
	xy_be16_store(h->bytes + h->len - XY_UDP_LEN, local_port);
	xy_be16_store(h->bytes + h->len - XY_UDP_LEN + 2, remote->port);
	sum_make(h, local, &remote->addr, sums);
	return 0;
}

// A device that has a word for it says "good", "bad", or "wrong here, but verified" (NONE).
static bool header_sum_ok(const struct rte_mbuf *m, const uint8_t *ip)
{
	uint64_t told = m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;
	if (told != RTE_MBUF_F_RX_IP_CKSUM_UNKNOWN)
		return told != RTE_MBUF_F_RX_IP_CKSUM_BAD;
	return xy_csum_fold(xy_csum_add(0, ip, XY_IPV4_MIN_LEN)) == 0;
}

bool xy_frame_take_off(struct rte_mbuf *m)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	const uint8_t *ip = frame + ETHER_LEN;
	struct xy_packet *p = xy_packet(m);
	struct xy_steer_found found;

	p->drop = XY_DROP_NOT_WIREGUARD;
	if (xy_steer_form(frame, frame + m->data_len, 0, &found) != XY_STEER_OURS)
		return false;
	const uint8_t *udp = frame + found.payload - XY_UDP_LEN;
	uint16_t len = xy_be16_load(udp + 4);
	if (len < XY_UDP_LEN || found.payload - XY_UDP_LEN + len > m->data_len)
		return false;
	bool v4 = ip[0] >> 4 == 4;
	if (v4 && !header_sum_ok(m, ip)) {
		p->drop = XY_DROP_BAD_HEADER_SUM;
		return false;
	}
	p->remote = (struct xy_endpoint){.port = xy_be16_load(udp)};
	p->remote.addr = xy_inner_src(ip, v4 ? 4 : 6);
	memcpy(p->local.b, found.dst.b, sizeof(p->local.b));
	p->ecn = (v4 ? ip[1] : xy_be16_load(ip) >> 4) & XY_ECN_MASK;
	rte_pktmbuf_adj(m, found.payload);
	rte_pktmbuf_trim(m, m->data_len - (len - XY_UDP_LEN)); // Ethernet pads short frames
	return true;
}

static void finish_v4(uint8_t *ip, const struct xy_frame_header *h, uint16_t udp_len, uint8_t ecn)
{
	uint16_t total = (uint16_t)(XY_IPV4_MIN_LEN + udp_len);
	uint8_t changed[4] = {0, ecn, (uint8_t)(total >> 8), (uint8_t)total};
	uint16_t sum;
	ip[1] = ecn;
	xy_be16_store(ip + 2, total);
	// The template has zeros in these two words.
	sum = xy_csum_fold(xy_csum_add(h->ip_sum, changed, sizeof(changed)));
	memcpy(ip + 10, &sum, sizeof(sum));
}

static void finish_v6(uint8_t *ip, uint16_t udp_len, uint8_t ecn)
{
	ip[1] = (uint8_t)(ecn << 4);
	xy_be16_store(ip + 4, udp_len);
}

// In one pass over the sealed bytes, which the cipher has left in the cache.
static void sum_put(uint8_t *udp, const struct xy_frame_header *h, uint16_t udp_len)
{
	uint32_t lengths = 2u * rte_cpu_to_be_16(udp_len); // the pseudo header's, and UDP's own
	uint16_t sum = xy_csum_fold(
		xy_csum_add(h->udp_sum + lengths, udp + XY_UDP_LEN, udp_len - XY_UDP_LEN));
	sum = sum ? sum : 0xffff; // 0 would say that there is none
	memcpy(udp + 6, &sum, sizeof(sum));
}

// The device sums from the UDP header on, and begins with what it finds in the checksum's place.
static void sum_leave(struct rte_mbuf *m, uint8_t *udp, const struct xy_frame_header *h,
		      uint16_t udp_len)
{
	unsigned ip_len = h->len - ETHER_LEN - XY_UDP_LEN;
	uint16_t sum = (uint16_t)~xy_csum_fold(h->udp_sum + rte_cpu_to_be_16(udp_len));
	memcpy(udp + 6, &sum, sizeof(sum));
	m->tx_offload = rte_mbuf_tx_offload(ETHER_LEN, ip_len, 0, 0, 0, 0, 0);
	m->ol_flags |= RTE_MBUF_F_TX_UDP_CKSUM |
		       (ip_len == XY_IPV4_MIN_LEN ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6);
}

void xy_frame_put_on(struct rte_mbuf *m, const struct xy_frame_header *h)
{
	uint16_t udp_len = (uint16_t)(XY_UDP_LEN + m->data_len);
	uint8_t ecn = xy_packet(m)->ecn;
	uint8_t *frame = (uint8_t *)rte_pktmbuf_prepend(m, h->len);
	uint8_t *udp = frame + h->len - XY_UDP_LEN;
	memcpy(frame, h->bytes, h->len);
	xy_be16_store(udp + 4, udp_len);
	if (h->len == ETHER_LEN + XY_IPV4_MIN_LEN + XY_UDP_LEN)
		finish_v4(frame + ETHER_LEN, h, udp_len, ecn);
	else
		finish_v6(frame + ETHER_LEN, udp_len, ecn);
	m->ol_flags &= ~RTE_MBUF_F_TX_OFFLOAD_MASK; // a ring's buffers come with the last sender's
	if (h->sum_made)
		sum_put(udp, h, udp_len);
	else if (h->sum_left)
		sum_leave(m, udp, h, udp_len);
}
