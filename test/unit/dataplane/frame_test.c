// SPDX-License-Identifier: BSD-3-Clause
// Frames put on and taken off: round trips, checksums against a slow model, and frames that are not
// what they say; frames that come in pieces.
#include "rig.h"

#include "base/bytes.h"
#include "drops.h"
#include "port/frame.h"
#include "port/gather.h"
#include "wire/inet.h"

static const uint8_t mac_a[6] = {2, 0, 0, 0, 0, 1}, mac_b[6] = {2, 0, 0, 0, 0, 2};

static struct xy_addr addr(const char *s)
{
	struct xy_addr a = {0};
	CU_ASSERT_EQUAL_FATAL(xy_addr_parse(s, &a), 0);
	return a;
}

static struct xy_frame_header header_with(const char *local, const char *remote, unsigned sums)
{
	struct xy_frame_header h;
	struct xy_addr from = addr(local);
	struct xy_endpoint to = {.addr = addr(remote), .port = 0x1234};
	CU_ASSERT_EQUAL_FATAL(xy_frame_header_make(&h, mac_b, mac_a, &from, 0xabcd, &to, sums), 0);
	return h;
}

static struct xy_frame_header header(const char *local, const char *remote)
{
	return header_with(local, remote, 0);
}

static struct rte_mbuf *made(unsigned len, unsigned seed, uint8_t ecn)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(rig_pool);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	m->data_off = XY_HEADROOM;
	uint8_t *data = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)len);
	for (unsigned i = 0; i < len; i++)
		data[i] = (uint8_t)(i * 7 + seed * 13 + (i >> 8));
	memset(xy_packet(m), 0, sizeof(struct xy_packet));
	xy_packet(m)->ecn = ecn;
	return m;
}

// RFC 1071 as it is written: 16-bit words, one after the other, carries at once.
static uint32_t slow_sum(uint32_t sum, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		sum += (uint32_t)(i % 2 ? p[i] : p[i] << 8);
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

// The UDP checksum of an IP packet, pseudo header and all, comes out right.
static bool udp_sum_right(const uint8_t *ip, unsigned len)
{
	bool v4 = ip[0] >> 4 == 4;
	uint8_t tail[8] = {0, 0, (uint8_t)((8 + len) >> 8), (uint8_t)(8 + len), 0, 0, 0, 17};
	const uint8_t *udp = ip + (v4 ? 20 : 40);
	uint32_t sum = slow_sum(0, v4 ? ip + 12 : ip + 8, v4 ? 8 : 32);
	sum = slow_sum(sum, tail, sizeof(tail));
	return slow_sum(sum, udp, 8 + len) == 0xffff;
}

static void check_v4(const uint8_t *ip, unsigned len, uint8_t ecn)
{
	CU_ASSERT_EQUAL(ip[0], 0x45);
	CU_ASSERT_EQUAL(ip[1], ecn);
	CU_ASSERT_EQUAL(xy_be16_load(ip + 2), 20 + 8 + len);
	CU_ASSERT_EQUAL(xy_be16_load(ip + 6), 0x4000);
	CU_ASSERT_EQUAL(slow_sum(0, ip, 20), 0xffff);
	CU_ASSERT_EQUAL(xy_be16_load(ip + 20 + 4), 8 + len);
	CU_ASSERT_NOT_EQUAL(xy_be16_load(ip + 20 + 6), 0);
	CU_ASSERT(udp_sum_right(ip, len));
}

static void check_v6(const uint8_t *ip, unsigned len, uint8_t ecn)
{
	CU_ASSERT_EQUAL(xy_be16_load(ip), 0x6000 | ecn << 4);
	CU_ASSERT_EQUAL(xy_be16_load(ip + 4), 8 + len);
	CU_ASSERT_EQUAL(ip[6], 17);
	CU_ASSERT_EQUAL(xy_be16_load(ip + 40 + 4), 8 + len);
	CU_ASSERT_NOT_EQUAL(xy_be16_load(ip + 40 + 6), 0);
	CU_ASSERT(udp_sum_right(ip, len));
}

static void round_trip(const char *local, const char *remote, unsigned len, uint8_t ecn)
{
	struct xy_frame_header h = header(local, remote);
	struct rte_mbuf *m = made(len, len + ecn, ecn), *copy = made(len, len + ecn, ecn);
	struct xy_addr from = addr(local), to = addr(remote);
	bool v4 = xy_addr_is_v4(&from);
	unsigned overhead = v4 ? 42 : 62;

	xy_frame_put_on(m, &h);
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	CU_ASSERT_EQUAL(m->data_len, len + overhead);
	CU_ASSERT(memcmp(frame, mac_b, 6) == 0 && memcmp(frame + 6, mac_a, 6) == 0);
	CU_ASSERT_EQUAL(xy_be16_load(frame + overhead - 8), 0xabcd);
	CU_ASSERT_EQUAL(xy_be16_load(frame + overhead - 6), 0x1234);
	if (v4)
		check_v4(frame + 14, len, ecn);
	else
		check_v6(frame + 14, len, ecn);

	if (m->data_len < 60) // as Ethernet pads
		memset(rte_pktmbuf_append(m, (uint16_t)(60 - m->data_len)), 0xee,
		       60u - len - overhead);
	memset(xy_packet(m), 0x5a, sizeof(struct xy_packet));
	CU_ASSERT_FATAL(xy_frame_take_off(m));
	struct xy_packet *p = xy_packet(m);
	CU_ASSERT_EQUAL(m->data_len, len);
	CU_ASSERT_EQUAL(m->pkt_len, len);
	CU_ASSERT(memcmp(rte_pktmbuf_mtod(m, void *), rte_pktmbuf_mtod(copy, void *), len) == 0);
	CU_ASSERT(xy_addr_eq(&p->remote.addr, &from));
	CU_ASSERT_EQUAL(p->remote.port, 0xabcd);
	CU_ASSERT_EQUAL(p->remote.scope, 0);
	CU_ASSERT(xy_addr_eq(&p->local, &to));
	CU_ASSERT_EQUAL(p->ecn, ecn);
	rte_pktmbuf_free(m);
	rte_pktmbuf_free(copy);
}

static void test_round_trip(void)
{
	for (unsigned len = 0; len < 1460; len += len < 70 ? 1 : 89)
		for (uint8_t ecn = 0; ecn < 4; ecn++) {
			round_trip("192.0.2.1", "198.51.100.254", len, ecn);
			round_trip("2001:db8::1", "2001:db8:ffff::fffe", len, ecn);
		}
	round_trip("255.255.255.254", "255.255.255.253", 1400, 3);
	round_trip("fe80::1", "fe80::2", 32, 0);
}

// A sum that comes out as zero is sent as 0xffff: zero says "none" (RFC 8200 section 8.1).
static void zero_sum(const char *local, const char *remote)
{
	struct xy_frame_header h = header(local, remote);
	struct rte_mbuf *m = made(2, 0, 0);
	unsigned zero = 0;
	for (unsigned v = 0; v < 65536; v++) {
		xy_be16_store(rte_pktmbuf_mtod(m, uint8_t *), (uint16_t)v);
		xy_frame_put_on(m, &h);
		const uint8_t *udp = rte_pktmbuf_mtod(m, const uint8_t *) + h.len - 8;
		CU_ASSERT_NOT_EQUAL_FATAL(xy_be16_load(udp + 6), 0);
		zero += xy_be16_load(udp + 6) == 0xffff;
		rte_pktmbuf_adj(m, h.len);
	}
	CU_ASSERT(zero > 0);
	rte_pktmbuf_free(m);
}

static void test_zero_sum(void)
{
	zero_sum("192.0.2.1", "192.0.2.2");
	zero_sum("2001:db8::1", "2001:db8::2");
}

// Who makes it: here; nobody, over IPv4 only; the device, which wants the pseudo header's, not
// complemented, and told where things are. What a buffer's last sender asked for is forgotten.
static void test_who_sums(void)
{
	static const struct {
		const char *local, *remote;
		unsigned sums;
		bool none, left;
	} rows[] = {
		{"192.0.2.1", "192.0.2.2", 0, false, false},
		{"192.0.2.1", "192.0.2.2", XY_FRAME_SUM_NONE_V4, true, false},
		{"192.0.2.1", "192.0.2.2", XY_FRAME_SUM_DEVICE, false, true},
		{"192.0.2.1", "192.0.2.2", XY_FRAME_SUM_NONE_V4 | XY_FRAME_SUM_DEVICE, true, false},
		{"2001:db8::1", "2001:db8::2", 0, false, false},
		{"2001:db8::1", "2001:db8::2", XY_FRAME_SUM_NONE_V4, false, false},
		{"2001:db8::1", "2001:db8::2", XY_FRAME_SUM_DEVICE, false, true},
		{"2001:db8::1", "2001:db8::2", XY_FRAME_SUM_NONE_V4 | XY_FRAME_SUM_DEVICE, false,
		 true},
	};
	for (size_t i = 0; i < RTE_DIM(rows); i++) {
		struct xy_frame_header h = header_with(rows[i].local, rows[i].remote, rows[i].sums);
		struct rte_mbuf *m = made(500, 3, 1);
		bool v4 = h.len == 42;
		m->ol_flags = RTE_MBUF_F_TX_TCP_CKSUM;
		xy_frame_put_on(m, &h);
		uint8_t *ip = rte_pktmbuf_mtod(m, uint8_t *) + 14, *udp = ip + h.len - 22;
		uint64_t asked = m->ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK;
		if (rows[i].none) {
			CU_ASSERT_EQUAL(xy_be16_load(udp + 6), 0);
		} else if (rows[i].left) {
			CU_ASSERT_EQUAL(asked, RTE_MBUF_F_TX_UDP_CKSUM | (v4 ? RTE_MBUF_F_TX_IPV4
									     : RTE_MBUF_F_TX_IPV6));
			CU_ASSERT_EQUAL(m->l2_len, 14);
			CU_ASSERT_EQUAL(m->l3_len, v4 ? 20 : 40);
			// As a device does it: the sum from the UDP header on, what is there
			// included.
			xy_be16_store(udp + 6, (uint16_t)~slow_sum(0, udp, 508));
		}
		CU_ASSERT(rows[i].left || !asked);
		CU_ASSERT(rows[i].none || udp_sum_right(ip, 500));
		CU_ASSERT(!v4 || slow_sum(0, ip, 20) == 0xffff);
		rte_pktmbuf_free(m);
	}
}

// An IPv4 header that was damaged on its way, each bit of it; what the device says of it counts.
static void test_header_sum(void)
{
	static const struct {
		uint64_t told;
		bool damaged, taken;
	} rows[] = {
		{RTE_MBUF_F_RX_IP_CKSUM_UNKNOWN, false, true},
		{RTE_MBUF_F_RX_IP_CKSUM_UNKNOWN, true, false},
		{RTE_MBUF_F_RX_IP_CKSUM_GOOD, false, true},
		{RTE_MBUF_F_RX_IP_CKSUM_BAD, false, false},
		{RTE_MBUF_F_RX_IP_CKSUM_NONE, true, true}, // verified, and not put back
	};
	struct xy_frame_header h = header("192.0.2.1", "192.0.2.2");
	for (size_t i = 0; i < RTE_DIM(rows); i++) {
		struct rte_mbuf *m = made(64, 1, 0);
		xy_frame_put_on(m, &h);
		rte_pktmbuf_mtod(m, uint8_t *)[14 + 8] ^= rows[i].damaged; // TTL
		m->ol_flags = rows[i].told;
		CU_ASSERT_EQUAL(xy_frame_take_off(m), rows[i].taken);
		CU_ASSERT(rows[i].taken || xy_packet(m)->drop == XY_DROP_BAD_HEADER_SUM);
		rte_pktmbuf_free(m);
	}
	for (unsigned bit = 0; bit < 160; bit++) {
		struct rte_mbuf *m = made(64, 1, 0);
		xy_frame_put_on(m, &h);
		rte_pktmbuf_mtod(m, uint8_t *)[14 + bit / 8] ^= (uint8_t)(1 << bit % 8);
		CU_ASSERT_FALSE(xy_frame_take_off(m));
		CU_ASSERT(xy_packet(m)->drop == XY_DROP_BAD_HEADER_SUM ||
			  xy_packet(m)->drop == XY_DROP_NOT_WIREGUARD);
		rte_pktmbuf_free(m);
	}
}

static void test_make_refuses(void)
{
	struct xy_frame_header h;
	struct xy_addr v4 = addr("192.0.2.1"), v6 = addr("2001:db8::1");
	struct xy_endpoint to4 = {.addr = v4, .port = 9}, to6 = {.addr = v6, .port = 9};
	struct xy_endpoint none = {.addr = v4};
	CU_ASSERT_EQUAL(xy_frame_header_make(&h, mac_a, mac_b, &v4, 1, &to6, 0), -EINVAL);
	CU_ASSERT_EQUAL(h.len, 0);
	CU_ASSERT_EQUAL(xy_frame_header_make(&h, mac_a, mac_b, &v6, 1, &to4, 0), -EINVAL);
	CU_ASSERT_EQUAL(xy_frame_header_make(&h, mac_a, mac_b, &v4, 1, &none, 0), -EINVAL);
	CU_ASSERT_EQUAL(xy_frame_header_make(&h, mac_a, mac_b, &v4, 0, &to4, 0), -EINVAL);
}

// One byte of a good frame changed, or its end cut off.
static bool taken(const char *local, const char *remote, unsigned at, int value, unsigned keep)
{
	struct xy_frame_header h = header(local, remote);
	struct rte_mbuf *m = made(32, 1, 0);
	xy_frame_put_on(m, &h);
	if (value >= 0)
		rte_pktmbuf_mtod(m, uint8_t *)[at] = (uint8_t)value;
	if (keep < m->data_len)
		rte_pktmbuf_trim(m, (uint16_t)(m->data_len - keep));
	bool r = xy_frame_take_off(m);
	rte_pktmbuf_free(m);
	return r;
}

static void test_take_off_refuses(void)
{
	const char *a4 = "192.0.2.1", *b4 = "192.0.2.2", *a6 = "2001:db8::1", *b6 = "2001:db8::2";
	enum { ALL = 9999, UDP4 = 34, UDP6 = 54 };
	CU_ASSERT(taken(a4, b4, 0, -1, ALL));
	CU_ASSERT(taken(a6, b6, 0, -1, ALL));
	for (unsigned keep = 0; keep < 42 + 32; keep++)
		CU_ASSERT_FALSE(taken(a4, b4, 0, -1, keep));
	for (unsigned keep = 0; keep < 62 + 32; keep++)
		CU_ASSERT_FALSE(taken(a6, b6, 0, -1, keep));
	CU_ASSERT_FALSE(taken(a4, b4, 13, 6, ALL));	    // ARP
	CU_ASSERT_FALSE(taken(a4, b4, 14, 0x46, ALL));	    // options
	CU_ASSERT_FALSE(taken(a4, b4, 20, 0x20, ALL));	    // more fragments
	CU_ASSERT_FALSE(taken(a4, b4, 23, 6, ALL));	    // TCP
	CU_ASSERT_FALSE(taken(a4, b4, UDP4 + 5, 7, ALL));   // shorter than its own header
	CU_ASSERT_FALSE(taken(a4, b4, UDP4 + 5, 41, ALL));  // longer than the frame
	CU_ASSERT_FALSE(taken(a4, b4, UDP4 + 4, 255, ALL)); // much longer
	CU_ASSERT_FALSE(taken(a6, b6, 20, 44, ALL));	    // fragment header
	CU_ASSERT_FALSE(taken(a6, b6, UDP6 + 5, 41, ALL));
	CU_ASSERT(taken(a4, b4, UDP4 + 5, 8, ALL)); // empty, the rest is padding
}

// --- frames in pieces

enum { PIECES = XY_GATHER_PIECES + 3, ROOM = RIG_ROOM - XY_HEADROOM - XY_FRAME_SHIFT };

static uint8_t gather_data[(PIECES + 1) * (ROOM + 1)];

static struct rte_mbuf *gather_give(struct xy_gather *g, const uint32_t len[], unsigned n)
{
	const uint8_t *at = gather_data;
	struct rte_mbuf *m = NULL;
	for (unsigned i = 0; i < n; i++) {
		m = xy_gather_add(g, at, len[i], i + 1 < n);
		if (i + 1 < n)
			CU_ASSERT_PTR_NULL(m);
		at += len[i];
	}
	return m;
}

static bool gather_intact(struct rte_mbuf *m, uint32_t len)
{
	return m->data_len == len && m->pkt_len == len && m->nb_segs == 1 && !m->next &&
	       rte_pktmbuf_headroom(m) == XY_HEADROOM + XY_FRAME_SHIFT &&
	       memcmp(rte_pktmbuf_mtod(m, void *), gather_data, len) == 0;
}

// Each row by itself, and with a good frame behind it, which is whole whatever came before.
static void test_gather(void)
{
	static const struct {
		const char *name;
		uint32_t len[PIECES];
		unsigned count;
		uint32_t whole; // 0: lost as too long
	} rows[] = {
		{"one piece", {1400}, 1, 1400},
		{"an empty one", {0}, 1, 0},
		{"two pieces", {1000, 3}, 2, 1003},
		{"an empty piece between", {1000, 0, 3}, 3, 1003},
		{"all the room, one piece", {ROOM}, 1, ROOM},
		{"all the room, two pieces", {1, ROOM - 1}, 2, ROOM},
		{"a byte more, one piece", {ROOM + 1}, 1, 0},
		{"a byte more, in the last piece", {ROOM, 1}, 2, 0},
		{"a byte more, pieces behind it", {ROOM, 1, 5, 7}, 4, 0},
		{"far too long", {ROOM, ROOM, ROOM, ROOM, ROOM}, 5, 0},
		{"as many pieces as can be",
		 {[0 ... XY_GATHER_PIECES - 1] = 7},
		 XY_GATHER_PIECES,
		 7 * XY_GATHER_PIECES},
		{"one piece too many", {[0 ... XY_GATHER_PIECES] = 7}, XY_GATHER_PIECES + 1, 0},
		{"empty pieces without end", {1}, PIECES, 0},
	};
	struct xy_gather g = {.pool = rig_pool};
	const uint32_t good[] = {700, 700, 5};
	for (size_t i = 0; i < sizeof(gather_data); i++)
		gather_data[i] = (uint8_t)(i * 7 + (i >> 8));
	for (size_t i = 0; i < RTE_DIM(rows); i++) {
		uint32_t lost = g.too_long;
		struct rte_mbuf *m = gather_give(&g, rows[i].len, rows[i].count);
		bool kept = rows[i].whole || rows[i].count == 1;
		if (rows[i].len[0] > ROOM)
			kept = false;
		if ((m != NULL) != kept || g.too_long - lost != (kept ? 0 : 1) ||
		    (m && !gather_intact(m, rows[i].whole))) {
			fprintf(stderr, "%s\n", rows[i].name);
			CU_FAIL("gathered wrongly");
		}
		rte_pktmbuf_free(m);
		m = gather_give(&g, good, RTE_DIM(good));
		CU_ASSERT_FATAL(m && gather_intact(m, 1405));
		rte_pktmbuf_free(m);
	}
	CU_ASSERT_EQUAL(g.no_buffer, 0);
	CU_ASSERT_EQUAL(rte_mempool_avail_count(rig_pool), RIG_BUFFERS);
}

// A chain that is cut off leaves nothing; what comes after it is a frame of its own.
static void test_gather_cut(void)
{
	struct xy_gather g = {.pool = rig_pool};
	CU_ASSERT_PTR_NULL(xy_gather_add(&g, gather_data, 1000, true));
	xy_gather_end(&g);
	CU_ASSERT_EQUAL(rte_mempool_avail_count(rig_pool), RIG_BUFFERS);
	CU_ASSERT_PTR_NULL(xy_gather_add(&g, gather_data, ROOM + 1, true)); // skipping
	xy_gather_end(&g);
	CU_ASSERT_EQUAL(g.too_long, 1);
	struct rte_mbuf *m = gather_give(&g, (const uint32_t[]){40, 2}, 2);
	CU_ASSERT_FATAL(m && gather_intact(m, 42));
	rte_pktmbuf_free(m);
}

// No buffer when a frame begins: all of it is lost, once; the next has one again.
static void test_gather_no_buffer(void)
{
	static struct rte_mbuf *hoard[RIG_BUFFERS];
	struct xy_gather g = {.pool = rig_pool};
	const uint32_t len[] = {1000, 1000, 1000};
	CU_ASSERT_EQUAL_FATAL(rte_pktmbuf_alloc_bulk(rig_pool, hoard, RIG_BUFFERS), 0);
	CU_ASSERT_PTR_NULL(gather_give(&g, len, 1));
	CU_ASSERT_EQUAL(g.no_buffer, 1);
	CU_ASSERT_PTR_NULL(xy_gather_add(&g, gather_data, 1000, true));
	rte_pktmbuf_free_bulk(hoard, RIG_BUFFERS);
	CU_ASSERT_PTR_NULL(xy_gather_add(&g, gather_data, 500, false)); // its end
	CU_ASSERT_EQUAL(g.no_buffer, 2);
	CU_ASSERT_EQUAL(g.too_long, 0);
	struct rte_mbuf *m = gather_give(&g, len, 2);
	CU_ASSERT_FATAL(m && gather_intact(m, 2000));
	rte_pktmbuf_free(m);
}

int main(int argc, char **argv)
{
	static const struct xy_unit_case cases[] = {
		{"round trip", test_round_trip},
		{"sums of zero", test_zero_sum},
		{"who sums", test_who_sums},
		{"IPv4 header checksums", test_header_sum},
		{"templates that cannot be", test_make_refuses},
		{"frames that are not ours", test_take_off_refuses},
		{"pieces", test_gather},
		{"pieces, cut off", test_gather_cut},
		{"pieces without a buffer", test_gather_no_buffer},
	};
	int r = rig_start("frame_test");
	return r ? r : xy_unit_run("frame", cases, RTE_DIM(cases), argc, argv);
}
