// SPDX-License-Identifier: BSD-3-Clause
#include "frame.h"

#include "base/bytes.h"
#include "wire/inet.h"
#include "wire/steer.h"

#include <errno.h>

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
	h->sum = xy_csum_add(0, ip, XY_IPV4_MIN_LEN);
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

int xy_frame_header_make(struct xy_frame_header *h, const uint8_t dst_mac[static 6],
			 const uint8_t src_mac[static 6], const struct xy_addr *local,
			 uint16_t local_port, const struct xy_endpoint *remote)
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
	return 0;
}

bool xy_frame_take_off(struct rte_mbuf *m)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	const uint8_t *ip = frame + ETHER_LEN;
	struct xy_packet *p = xy_packet(m);
	struct xy_steer_found found;

	if (xy_steer_form(frame, frame + m->data_len, &found) != XY_STEER_OURS)
		return false;
	const uint8_t *udp = frame + found.payload - XY_UDP_LEN;
	uint16_t len = xy_be16_load(udp + 4);
	if (len < XY_UDP_LEN || found.payload - XY_UDP_LEN + len > m->data_len)
		return false;
	bool v4 = ip[0] >> 4 == 4;
	p->remote = (struct xy_endpoint){.port = xy_be16_load(udp)};
	p->remote.addr = xy_inner_src(ip, v4 ? 4 : 6);
	memcpy(p->local.b, found.dst.b, sizeof(p->local.b));
	p->ecn = (uint8_t)((v4 ? ip[1] : xy_be16_load(ip) >> 4) & XY_ECN_MASK);
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
	sum = xy_csum_fold(xy_csum_add(h->sum, changed, sizeof(changed)));
	memcpy(ip + 10, &sum, sizeof(sum));
}

static void finish_v6(uint8_t *ip, uint16_t udp_len, uint8_t ecn)
{
	uint8_t *udp = ip + XY_IPV6_LEN;
	struct xy_addr src, dst;
	uint16_t sum;
	ip[1] = (uint8_t)(ecn << 4);
	xy_be16_store(ip + 4, udp_len);
	memcpy(src.b, ip + 8, 16);
	memcpy(dst.b, ip + 24, 16);
	sum = xy_csum_fold(
		xy_csum_add(xy_csum_pseudo(&src, &dst, XY_PROTO_UDP, udp_len), udp, udp_len));
	sum = sum ? sum : 0xffff;
	memcpy(udp + 6, &sum, sizeof(sum));
}

void xy_frame_put_on(struct rte_mbuf *m, const struct xy_frame_header *h)
{
	uint16_t udp_len = (uint16_t)(XY_UDP_LEN + m->data_len);
	uint8_t ecn = xy_packet(m)->ecn;
	uint8_t *frame = (uint8_t *)rte_pktmbuf_prepend(m, h->len);
	memcpy(frame, h->bytes, h->len);
	xy_be16_store(frame + h->len - XY_UDP_LEN + 4, udp_len);
	if (h->len == ETHER_LEN + XY_IPV4_MIN_LEN + XY_UDP_LEN)
		finish_v4(frame + ETHER_LEN, h, udp_len, ecn);
	else
		finish_v6(frame + ETHER_LEN, udp_len, ecn);
}
