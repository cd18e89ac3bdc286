// SPDX-License-Identifier: BSD-3-Clause
// Rings, transmit queues and buffers that are full.
#include "graph_rig.h"

#include "event.h"

static void feed_many(unsigned n)
{
	feed_from(NODE_A, &at_a, &at_b, 100, n);
}

// The owner of the window stands still: its ring fills, what does not fit is dropped and counted,
// and what did goes on when the owner does.
static void test_ring_full(void)
{
	enum { ROOM = 1023 };
	session_new(NODE_A, 1, true);
	uint64_t full = drops(XY_DROP_RING_FULL), handed = dp->worker[0]->stats.ring_out;
	for (int round = 0; round < 2; round++) { // a fed array holds no more than the ring
		feed_many(700);
		ring = (struct xy_port_ring){
			.in = in, .in_count = fed, .out = out, .out_max = OUT_MAX};
		for (int i = 0; i < 16; i++)
			walk_one(0);
		fed = 0;
	}
	CU_ASSERT_EQUAL(dp->worker[0]->stats.ring_out, handed + ROOM);
	CU_ASSERT_EQUAL(drops(XY_DROP_RING_FULL), full + 1400 - ROOM);
	CU_ASSERT_EQUAL(xy_dp_accounts_balance(&dp->worker[0]->stats), 0);
	uint64_t taken = dp->worker[1]->stats.ring_in;
	for (int i = 0; i < 16; i++)
		walk_one(1);
	CU_ASSERT_EQUAL(dp->worker[1]->stats.ring_in, taken + ROOM);
	settle();
	session_new(NODE_A, 0, true);
	session_new(NODE_B, 0, true); // used up
}

static void test_tx_full(void)
{
	uint64_t full = drops(XY_DROP_TX_FULL);
	feed_many(100);
	ring = (struct xy_port_ring){.in = in, .in_count = fed, .out = out, .out_max = 70};
	for (int i = 0; i < 8; i++)
		walk_one(0);
	fed = 0;
	CU_ASSERT_EQUAL(ring.out_count, 70);
	CU_ASSERT_EQUAL(drops(XY_DROP_TX_FULL), full + 30);
	settle();
}

// No buffer is left: what needs a new one (an ICMP error, our own datagrams, a keepalive) is not
// made; what has one goes on; and with buffers all is as before.
static void test_no_buffers(void)
{
	static struct rte_mbuf *hoard[1 << 15];
	unsigned n = 0;
	session_new(NODE_A, 0, true);
	session_new(NODE_B, 0, true);
	feed_many(10);
	struct rte_mbuf *lost = packet(&at_a, &nowhere, 64, 100);
	seal(NODE_A, lost);
	feed(lost);
	while (n < RTE_DIM(hoard) && (hoard[n] = rte_pktmbuf_alloc(dp->worker[0]->pool)))
		n++;
	CU_ASSERT_FATAL(n < RTE_DIM(hoard));
	struct xy_endpoint to = endpoint(NODE_A);
	uint64_t no_route = drops(XY_DROP_NO_ROUTE);
	CU_ASSERT_EQUAL(xy_dp_send(dp, 0, &to, NULL, "x", 1), -ENOBUFS);
	CU_ASSERT_EQUAL(xy_dp_session_keepalive(dp, peer[NODE_B].index), -ENOBUFS);
	CU_ASSERT_EQUAL(run(), 10); // the answer to the eleventh finds no buffer
	CU_ASSERT_EQUAL(drops(XY_DROP_NO_ROUTE), no_route + 1);
	settle();
	rte_pktmbuf_free_bulk(hoard, n);

	CU_ASSERT_EQUAL(xy_dp_send(dp, 0, &to, NULL, "x", 1), 0);
	CU_ASSERT_EQUAL(xy_dp_session_keepalive(dp, peer[NODE_B].index), 0);
	feed_many(10);
	CU_ASSERT_EQUAL(run(), 12);
	settle();
}

XY_UNIT_MAIN("graph_full", {"create", test_create, .always = true}, {"rings full", test_ring_full},
	     {"transmit queue full", test_tx_full}, {"no buffers", test_no_buffers},
	     {"destroy", test_destroy, .always = true})
