// SPDX-License-Identifier: BSD-3-Clause
// Several next hops: which flow takes which, and the sets that routes share.
#include "graph_rig.h"

#include "group.h"

static const struct xy_addr spread_net = {.b = {2, 0xee, [15] = 1}};

enum { FLOWS = 60 };

// What is spread here by its ports ends at leaves.
static void leaves(bool are)
{
	for (uint32_t who = NODE_B; who <= NODE_D; who++)
		if (who != LEAF)
			peer_kind(who, are);
}

// Which peers FLOWS flows take, and that each flow stays where it is.
static void flows(uint32_t taken[FLOWS], unsigned count[PEERS])
{
	memset(count, 0, PEERS * sizeof(*count));
	sessions_new();
	for (unsigned i = 0; i < FLOWS; i++) {
		for (uint16_t k = 0; k < 2; k++) {
			struct rte_mbuf *m = udp(&at_a, &spread_net, (uint16_t)(1000 + i), 53,
						 (uint16_t)(60 + k));
			uint32_t who = taken_by(NODE_A, m);
			CU_ASSERT(!k || who == taken[i]);
			taken[i] = who;
		}
		count[taken[i]]++;
	}
	settle();
}

static void test_spread(void)
{
	uint32_t was[FLOWS], is[FLOWS], again[FLOWS];
	unsigned n[PEERS];
	leaves(true);
	route_over(&spread_net, 64, 3, (uint32_t[]){NODE_D, NODE_B, NODE_C});
	flows(was, n);
	CU_ASSERT(n[NODE_B] >= 5 && n[NODE_C] >= 5 && n[NODE_D] >= 5);
	CU_ASSERT_EQUAL(n[NODE_B] + n[NODE_C] + n[NODE_D], FLOWS);
	route_over(&spread_net, 64, 2, (uint32_t[]){NODE_B, NODE_D});
	flows(is, n);
	for (unsigned i = 0; i < FLOWS; i++) // only the flows of the one that went have moved
		CU_ASSERT(is[i] != NODE_C && (was[i] == NODE_C || is[i] == was[i]));
	route_over(&spread_net, 64, 4, (uint32_t[]){NODE_B, NODE_C, NODE_D, NODE_B});
	flows(again, n);
	CU_ASSERT_EQUAL(memcmp(again, was, sizeof(was)), 0);
	route_over(&spread_net, 64, 2, (uint32_t[]){NODE_C, NODE_C}); // one, twice
	flows(is, n);
	CU_ASSERT_EQUAL(n[NODE_C], FLOWS);
	unroute(&spread_net, 64);
}

// What has no ports is told apart by IPv6's label and the addresses; fragments stay together.
static void test_spread_portless(void)
{
	unsigned n[PEERS] = {0};
	uint32_t of_flow = PEERS;
	route_over(&spread_net, 64, 2, (uint32_t[]){NODE_B, NODE_C});
	leaves(false);
	sessions_new();
	for (unsigned i = 0; i < 40; i++) {
		struct rte_mbuf *m = packet(&at_a, &spread_net, 64, 100);
		uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);
		p[6] = XY_PROTO_E2E;
		xy_be32_store(p, 0x60000000 + i * 0x1111);
		n[taken_by(NODE_A, m)]++;
	}
	CU_ASSERT(n[NODE_B] >= 5 && n[NODE_C] >= 5);
	leaves(true);
	for (uint16_t i = 0; i < 20; i++) {
		struct rte_mbuf *m = udp(&at_a, &spread_net, i, i, 100);
		rte_pktmbuf_mtod(m, uint8_t *)[6] = 44;
		uint32_t who = taken_by(NODE_A, m);
		CU_ASSERT(!i || who == of_flow);
		of_flow = who;
	}
	settle();
	unroute(&spread_net, 64);
}

// Never back to where it came from while there is another.
static void test_spread_back(void)
{
	struct xy_addr at_d = node_of(NODE_D);
	peer_kind(NODE_D, false);
	route_over(&spread_net, 64, 2, (uint32_t[]){NODE_A, NODE_B});
	sessions_new();
	for (uint16_t i = 0; i < 20; i++)
		CU_ASSERT_EQUAL(taken_by(NODE_A, udp(&at_a, &spread_net, i, 53, 60)), NODE_B);
	settle();
	route_over(&spread_net, 64, 2, (uint32_t[]){NODE_B, NODE_D});
	for (uint16_t i = 0; i < 20; i++)
		CU_ASSERT_EQUAL(taken_by(NODE_D, udp(&at_d, &spread_net, i, 53, 60)), NODE_B);
	settle();
	leaves(false);
	unroute(&spread_net, 64);
}

// Sets are shared, outlive the routes that workers may still see, and come back.
static void test_groups(void)
{
	struct xy_dp_route bad = {.kind = XY_DP_ROUTE_PEER, .hop_count = XY_DP_HOPS + 1};
	struct xy_prefix p = {.addr = {.b = {0x20, 1, 0xd, 0xb8}}, .len = 32};
	uint32_t bc[] = {NODE_B, NODE_C};
	CU_ASSERT_EQUAL(xy_dp_route_set(dp, &p, &bad), -EINVAL);
	bad.hop_count = 2;
	bad.hops[1] = 16;
	CU_ASSERT_EQUAL(xy_dp_route_set(dp, &p, &bad), -EINVAL);

	route_over(&p.addr, 32, 2, bc);
	route_over(&spread_net, 64, 2, bc);
	int number = xy_group_take(dp, &(struct xy_group){.count = 2, .hop = {NODE_B, NODE_C}});
	xy_group_give(dp, (uint32_t)number);
	unroute(&spread_net, 64);
	CU_ASSERT_EQUAL(xy_group_rcu(dp, (uint32_t)number)->count, 2);
	// The last reference goes, but workers see the table as it was until the commit.
	CU_ASSERT_EQUAL(xy_dp_route_del(dp, &p), 0);
	route_over(&spread_net, 64, 2, (uint32_t[]){NODE_C, NODE_D});
	CU_ASSERT_NOT_EQUAL(
		xy_group_take(dp, &(struct xy_group){.count = 2, .hop = {NODE_A, NODE_D}}), number);
	grace(); // committed by route_over: now it may be used anew
	CU_ASSERT_EQUAL(xy_group_take(dp, &(struct xy_group){.count = 2, .hop = {NODE_A, NODE_B}}),
			number);
	// Given back and taken again between two commits: it stays.
	xy_group_give(dp, (uint32_t)number);
	CU_ASSERT_EQUAL(xy_group_take(dp, &(struct xy_group){.count = 2, .hop = {NODE_A, NODE_B}}),
			number);
	xy_dp_route_commit(dp);
	grace();
	CU_ASSERT_NOT_EQUAL(
		xy_group_take(dp, &(struct xy_group){.count = 2, .hop = {NODE_B, NODE_D}}), number);
	xy_group_give(dp, (uint32_t)number);
	unroute(&spread_net, 64);
}

static void test_groups_run_out(void)
{
	struct xy_group g = {.count = XY_DP_HOPS};
	unsigned n = 0, taken[PEERS];
	uint32_t where[FLOWS];
	leaves(true);
	xy_group_take(dp, &(struct xy_group){.count = 2, .hop = {NODE_B, NODE_D}});
	for (uint32_t i = 0; i < XY_GROUPS + 10; i++) {
		for (unsigned k = 0; k < XY_DP_HOPS; k++)
			g.hop[k] = i * 10 + k;
		n += xy_group_take(dp, &g) >= 0;
	}
	CU_ASSERT(n > XY_GROUPS - 10 && n < XY_GROUPS);		      // one is still taken
	route_over(&spread_net, 64, 2, (uint32_t[]){NODE_C, NODE_B}); // the first alone
	flows(where, taken);
	CU_ASSERT_EQUAL(taken[NODE_C], FLOWS);
	unroute(&spread_net, 64);
	leaves(false);
}

// The last number that there is, and the first that is none: of a peer, one of several, how many, a
// host interface. What is refused leaves the route as it was.
static void test_route_refused(void)
{
	const struct xy_dp_route bad[] = {
		{.kind = XY_DP_ROUTE_PEER, .peer = 16},
		{.kind = XY_DP_ROUTE_PEER, .hop_count = 2, .hops = {NODE_A, 16}},
		{.kind = XY_DP_ROUTE_PEER, .hop_count = 2, .hops = {16, NODE_A}},
		{.kind = XY_DP_ROUTE_PEER, .hop_count = XY_DP_HOPS + 1},
		{.kind = XY_DP_ROUTE_HOST, .host = XY_DP_HOSTS},
	};
	struct xy_prefix p = {.addr = at_b, .len = 64}, q = {.addr = nowhere, .len = 64};
	xy_prefix_mask(&p);
	xy_prefix_mask(&q);
	for (size_t i = 0; i < XY_ARRAY_SIZE(bad); i++) {
		CU_ASSERT_EQUAL(xy_dp_route_set(dp, &p, &bad[i]), -EINVAL);
		CU_ASSERT_EQUAL(xy_dp_route_set(dp, &q, &bad[i]), -EINVAL);
		CU_ASSERT_EQUAL(xy_dp_route_del(dp, &q), -ENOENT);
	}
	xy_dp_route_commit(dp);
	feed_from(NODE_A, &at_a, &at_b, 100, 1);
	CU_ASSERT_EQUAL(run(), 1);
	settle();
	CU_ASSERT_EQUAL(
		xy_dp_route_set(dp, &q,
				&(struct xy_dp_route){.kind = XY_DP_ROUTE_PEER, .peer = 15}),
		0);
	CU_ASSERT_EQUAL(xy_dp_route_del(dp, &q), 0);
	xy_dp_route_commit(dp);
}

XY_UNIT_MAIN("graph_spread", {"create", test_create, .always = true},
	     {"spread over next hops", test_spread}, {"spread without ports", test_spread_portless},
	     {"spread, not back", test_spread_back}, {"sets of next hops", test_groups},
	     {"sets run out", test_groups_run_out}, {"routes that cannot be", test_route_refused},
	     {"destroy", test_destroy, .always = true})
