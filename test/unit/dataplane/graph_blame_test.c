// SPDX-License-Identifier: BSD-3-Clause
// Whose dropped packets are: by peer and reason, with the last one of each; a flood of one leaves
// the others' records; strangers are nobody; who goes takes his with him.
#include "graph_rig.h"

#include "blame.h"

#include <stdlib.h>

static struct xy_dp_blame got[64];

static unsigned blames(enum xy_drop reason)
{
	struct xy_dp_blame *v;
	unsigned n;
	CU_ASSERT_FATAL(xy_dp_blames(dp, reason, &v, &n) == 0);
	memcpy(got, v, RTE_MIN(n, RTE_DIM(got)) * sizeof(*v));
	free(v);
	return n;
}

static bool is(const struct xy_dp_blame *b, uint32_t of, uint64_t packets, xy_nsec when)
{
	return b->of == of && b->packets == packets && b->at == when;
}

// NODE_A spoofs a little, the leaf floods: each keeps its own.
static void test_owners(void)
{
	at = 5000;
	for (unsigned i = 0; i < 3; i++)
		expect_drop(NODE_A, packet(&at_b, &us, 64, 100), XY_DROP_SPOOFED);
	expect_drop(NODE_A, packet(&us, &at_a, 64, 100), XY_DROP_SPOOFED);
	at = 6000;
	feed_from(LEAF, &us, &at_a, 80, 200);
	CU_ASSERT_EQUAL(run(), 0);
	settle();
	CU_ASSERT_EQUAL_FATAL(blames(XY_DROP_SPOOFED), 2);
	CU_ASSERT(is(&got[0], LEAF, 200, 6000) && is(&got[1], NODE_A, 4, 5000));
	CU_ASSERT(xy_addr_eq(&got[1].src, &us) && xy_addr_eq(&got[1].dst, &at_a));
	CU_ASSERT(!got[1].datagram && !got[1].src_port);
	CU_ASSERT_EQUAL(blames(XY_DROP_NO_ROUTE), 0);
	// In one burst, by turns.
	at = 7000;
	for (unsigned i = 0; i < 40; i++)
		feed_from(i % 2 ? NODE_A : LEAF, &us, &nowhere, 80, 1);
	CU_ASSERT_EQUAL(run(), 0);
	settle();
	CU_ASSERT_EQUAL_FATAL(blames(XY_DROP_SPOOFED), 2);
	CU_ASSERT(is(&got[0], LEAF, 220, 7000) && is(&got[1], NODE_A, 24, 7000));
}

// What nobody has opened is a stranger's, by the address that it came from; forged for a session it
// is counted with that session's peer, and has the forger's address.
static void test_strangers(void)
{
	static const uint8_t fake[60] = {0x60, [7] = 64, [8] = 2, 0xb}; // looks like IPv6
	const struct xy_endpoint from = endpoint(9);
	struct rte_mbuf *m = buffer();
	at = 8000;
	memcpy(rte_pktmbuf_append(m, sizeof(fake)), fake, sizeof(fake));
	xy_packet(m)->remote = from;
	xy_packet(m)->local = us;
	feed(m);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL_FATAL(blames(XY_DROP_NOT_WIREGUARD), 1);
	CU_ASSERT(is(&got[0], XY_DP_OF_STRANGER, 1, 8000) && got[0].datagram);
	CU_ASSERT(xy_addr_eq(&got[0].src, &from.addr) && xy_addr_eq(&got[0].dst, &us));
	CU_ASSERT_EQUAL(got[0].src_port, 51820);
	m = packet(&at_a, &us, 64, 100);
	seal(NODE_A, m);
	rte_pktmbuf_mtod(m, uint8_t *)[40] ^= 1;
	xy_packet(m)->remote = from;
	feed(m);
	CU_ASSERT_EQUAL(run(), 0);
	settle();
	CU_ASSERT_EQUAL_FATAL(blames(XY_DROP_BAD_TAG), 1);
	CU_ASSERT(got[0].of == NODE_A && xy_addr_eq(&got[0].src, &from.addr));
}

// The next hop's, and what this node made itself.
static void test_next(void)
{
	const uint8_t *p;
	at = 9000;
	session_new(NODE_B, 0, false);
	p = bytes(packet(&us, &at_b, 64, 100));
	CU_ASSERT_EQUAL(xy_dp_overlay_send(dp, NODE_B, p, 100), 0);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL_FATAL(blames(XY_DROP_NO_SESSION), 1);
	CU_ASSERT(is(&got[0], NODE_B, 1, 9000) && xy_addr_eq(&got[0].dst, &at_b));
	session_new(NODE_B, 0, true);
	CU_ASSERT_EQUAL(
		xy_dp_overlay_send(dp, XY_DP_NO_PEER, bytes(packet(&us, &us, 64, 100)), 100), 0);
	CU_ASSERT_EQUAL(run(), 0);
	settle();
	CU_ASSERT(blames(XY_DROP_HOST_DOWN) >= 1 && got[0].of == XY_DP_OF_NODE);
}

static void test_two_workers(void)
{
	struct rte_mbuf *m = packet(&us, &at_a, 64, 100);
	uint64_t before = (blames(XY_DROP_SPOOFED), got[0].packets);
	at = 10000;
	xy_packet(m)->from = LEAF;
	xy_packet_incarnation_set(xy_packet(m), dp->end[LEAF].incarnation);
	xy_blame(dp->worker[1], XY_DROP_SPOOFED, m, 5); // at 0: it has not walked since
	rte_pktmbuf_free(m);
	CU_ASSERT_EQUAL_FATAL(blames(XY_DROP_SPOOFED), 2);
	CU_ASSERT(got[0].of == LEAF && got[0].packets == before + 5);
}

static void loses(uint32_t who, enum xy_drop reason, struct rte_mbuf *m, uint64_t n)
{
	xy_packet(m)->from = xy_packet(m)->next = who;
	xy_packet_incarnation_set(xy_packet(m), dp->end[who].incarnation);
	xy_blame(dp->worker[0], reason, m, n);
}

// Nothing of today gives way; who finds no place is not in the list, and that is said.
static void test_full(void)
{
	struct rte_mbuf *m = packet(&us, &at_a, 64, 100);
	struct xy_dp_blame *v;
	unsigned n, all = 0;
	at = 11000;
	loses(NODE_A, XY_DROP_SPOOFED, m, 220); // he has a place
	for (unsigned i = 0; i < 32; i++)
		for (unsigned reason = 0; reason < XY_DROP_COUNT; reason++) {
			xy_packet(m)->from = xy_packet(m)->next = i;
			xy_packet_incarnation_set(xy_packet(m), dp->end[i].incarnation);
			for (unsigned k = 0; k < 3; k++)
				xy_blame(dp->worker[0], reason, m, 1);
		}
	for (unsigned reason = 0; reason < XY_DROP_COUNT; reason++) {
		CU_ASSERT_FATAL(xy_dp_blames(dp, reason, &v, &n) == 0);
		for (unsigned i = 1; i < n; i++)
			CU_ASSERT(v[i - 1].packets >= v[i].packets);
		for (unsigned i = 0; i < n; i++)
			CU_ASSERT(v[i].of >= 32 || v[i].packets >= 3);
		all += n;
		free(v);
	}
	CU_ASSERT(all > 700 && all <= 2 * 1024); // of 1,216: four ways of a place each
	CU_ASSERT(blames(XY_DROP_SPOOFED) > 1 && got[0].packets >= 220);
	uint64_t none = 0;
	for (unsigned reason = 0; reason < XY_DROP_COUNT; reason++)
		none += xy_dp_blames_no_room(dp, reason);
	CU_ASSERT(none > 0 && none % 3 == 0);
	rte_pktmbuf_free(m);
}

static bool is_listed(uint32_t who, enum xy_drop reason, uint64_t packets)
{
	struct xy_dp_blame *v;
	unsigned n, has = 0;
	CU_ASSERT_FATAL(xy_dp_blames(dp, reason, &v, &n) == 0);
	for (unsigned i = 0; i < n; i++)
		has += v[i].of == who && v[i].packets >= packets;
	free(v);
	return has == 1;
}

// All places are taken by who lost a little long ago: who loses much is named nevertheless, and one
// that lost much keeps his place against who loses little.
static void test_old(void)
{
	struct rte_mbuf *m = packet(&us, &at_a, 64, 100);
	xy_nsec before = dp->worker[0]->now;
	unsigned listed = 0;
	xy_end_incarnate(&dp->end[NODE_A]); // he has no place yet
	loses(NODE_C, XY_DROP_SPOOFED, m, 1000);
	for (unsigned reason = 0; reason < XY_DROP_COUNT; reason++)
		for (uint32_t who = 0; who < dp->ends && who < 200; who++)
			if (who != NODE_A)
				loses(who, reason, m, 1);
	dp->worker[0]->now += 601 * XY_SEC;
	for (unsigned reason = 0; reason < XY_DROP_COUNT; reason++) {
		for (unsigned i = 0; i < 10; i++)
			loses(NODE_A, reason, m, 100);
		listed += is_listed(NODE_A, reason, 900);
	}
	CU_ASSERT_EQUAL(listed, XY_DROP_COUNT);
	CU_ASSERT(is_listed(NODE_C, XY_DROP_SPOOFED, 1000));
	dp->worker[0]->now = before;
	rte_pktmbuf_free(m);
}

static void test_forget(void)
{
	CU_ASSERT(blames(XY_DROP_BAD_TAG) >= 1);
	xy_dp_peer_del(dp, NODE_C);
	grace();
	for (unsigned reason = 0; reason < XY_DROP_COUNT; reason++) {
		unsigned n = blames(reason);
		for (unsigned i = 0; i < n && i < RTE_DIM(got); i++)
			CU_ASSERT(got[i].of != NODE_C);
	}
	peer_kind(NODE_C, false); // another of its number begins at nothing
	session_new(NODE_C, 0, true);
	expect_drop(NODE_C, packet(&at_b, &us, 64, 100), XY_DROP_SPOOFED);
	unsigned n = blames(XY_DROP_SPOOFED), seen_c = 0;
	for (unsigned i = 0; i < n && i < RTE_DIM(got); i++)
		seen_c += got[i].of == NODE_C && got[i].packets == 1;
	CU_ASSERT_EQUAL(seen_c, 1);
}

static uint64_t packets_of(enum xy_drop reason, uint32_t of)
{
	unsigned n = blames(reason);
	for (unsigned i = 0; i < n && i < RTE_DIM(got); i++)
		if (got[i].of == of)
			return got[i].packets;
	return 0;
}

// A number is another's in the same turn, before any worker looks: nothing of the old one is his,
// nor what waited meanwhile, nor does his own go when the old one's memory does.
static void test_another(void)
{
	static const struct xy_addr mesh = {.b = {2}};
	struct xy_addr far = {.b = {3, 0xfa, [7] = 9, [15] = 1}};
	route(&mesh, 7, XY_DP_ROUTE_ASK, 0);
	xy_dp_route_commit(dp);
	session_new(LEAF, 0, true);
	expect_drop(LEAF, packet(&us, &at_a, 64, 100), XY_DROP_SPOOFED);
	CU_ASSERT(packets_of(XY_DROP_SPOOFED, LEAF) > 0);
	struct rte_mbuf *m = packet(&leaf, &far, 64, 100);
	seal(LEAF, m);
	feed(m);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(dp->worker[0]->stats.held, 1);
	uint64_t late = drops(XY_DROP_NO_ANSWER);
	xy_dp_peer_del(dp, LEAF);
	peer_kind(LEAF, true);
	CU_ASSERT_EQUAL(packets_of(XY_DROP_SPOOFED, LEAF), 0);
	session_new(LEAF, 0, true);
	expect_drop(LEAF, packet(&us, &at_a, 64, 100), XY_DROP_SPOOFED);
	grace();
	CU_ASSERT_EQUAL(packets_of(XY_DROP_SPOOFED, LEAF), 1);
	at += 11 * XY_SEC;
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(drops(XY_DROP_NO_ANSWER), late + 1);
	CU_ASSERT_EQUAL(packets_of(XY_DROP_NO_ANSWER, LEAF), 0);
	settle();
	unroute(&mesh, 7);
	xy_dp_route_commit(dp);
}

// What waited for a session of the one before is not for the one that has his number now.
static void test_another_next(void)
{
	session_new(NODE_A, 0, true);
	xy_dp_session_del(dp, peer[NODE_B].index);
	peer[NODE_B].index = 0;
	grace();
	uint64_t none = drops(XY_DROP_NO_SESSION), stale = drops(XY_DROP_STALE),
		 had = packets_of(XY_DROP_NO_SESSION, NODE_B);
	feed_from(NODE_A, &at_a, &at_b, 100, 1);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL_FATAL(dp->worker[0]->stats.held, 1);
	xy_dp_peer_del(dp, NODE_B);
	peer_kind(NODE_B, false);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(dp->worker[0]->stats.held, 0);
	CU_ASSERT_EQUAL(drops(XY_DROP_NO_SESSION), none);
	CU_ASSERT_EQUAL(drops(XY_DROP_STALE), stale + 1);
	CU_ASSERT(had > 0 && packets_of(XY_DROP_NO_SESSION, NODE_B) == 0);
	settle();
}

XY_UNIT_MAIN("graph_blame", {"create", test_create}, {"owners", test_owners},
	     {"strangers", test_strangers}, {"next hop", test_next},
	     {"two workers", test_two_workers}, {"forget", test_forget}, {"another", test_another},
	     {"another next hop", test_another_next}, {"full", test_full}, {"old", test_old},
	     {"destroy", test_destroy})
