// SPDX-License-Identifier: BSD-3-Clause
// Copies of packets on their way: at which point, of whom, why they were dropped, and that workers
// never wait for who takes them.
#include "capture.h"
#include "graph_rig.h"

static struct xy_dp_captured took[OUT_MAX];
static uint8_t took_data[OUT_MAX][128];
static unsigned taken, most;

static bool take(void *arg, const struct xy_dp_captured *c)
{
	(void)arg;
	if (taken == most)
		return false;
	took[taken] = *c;
	memcpy(took_data[taken++], c->data, RTE_MIN(c->caplen, 128u));
	return true;
}

static unsigned take_all(void)
{
	taken = 0;
	most = OUT_MAX;
	return xy_dp_capture_take(dp, take, NULL);
}

static struct xy_dp_capture all(void)
{
	return (struct xy_dp_capture){.points = (1u << XY_DP_CAPTURE_POINTS) - 1,
				      .peer = XY_DP_NO_PEER,
				      .port = -1,
				      .drop = -1,
				      .snap = 65535};
}

static void start(struct xy_dp_capture what)
{
	session_new(NODE_A, 0, true);
	session_new(NODE_B, 0, true);
	CU_ASSERT_EQUAL_FATAL(xy_dp_capture_start(dp, &what), 0);
}

static void stop(void)
{
	xy_dp_capture_stop(dp);
	CU_ASSERT_PTR_NULL(dp->capture);
	CU_ASSERT_EQUAL(take_all(), 0);
	settle();
	grace();
}

static void relay(unsigned count)
{
	feed_from(NODE_A, &at_a, &at_b, 100, count);
	CU_ASSERT_EQUAL(run(), count);
	free_out();
}

// One packet from A to B is seen as a datagram, opened, before it is sealed, and as a datagram.
static void test_points(void)
{
	static const enum xy_dp_capture_point way[] = {XY_DP_CAPTURE_RX, XY_DP_CAPTURE_IN,
						       XY_DP_CAPTURE_OUT, XY_DP_CAPTURE_TX};
	const struct xy_dp_capture again = all();
	const struct xy_endpoint a = endpoint(NODE_A), b = endpoint(NODE_B);
	start(all());
	CU_ASSERT_EQUAL(xy_dp_capture_start(dp, &again), -EBUSY);
	relay(1);
	CU_ASSERT_EQUAL_FATAL(take_all(), 4);
	for (unsigned i = 0; i < 4; i++) {
		bool datagram = i == 0 || i == 3;
		CU_ASSERT_EQUAL(took[i].point, way[i]);
		CU_ASSERT_EQUAL(took[i].peer, i < 2 ? NODE_A : NODE_B);
		CU_ASSERT_EQUAL(took[i].datagram, datagram);
		CU_ASSERT_EQUAL(took[i].len, datagram ? 112 + XY_WG_DATA_OVERHEAD
					     : i == 1 ? 112
						      : 100);
		CU_ASSERT_EQUAL(took[i].caplen, took[i].len);
		CU_ASSERT_EQUAL(took[i].at, at);
		CU_ASSERT_EQUAL(took_data[i][0], datagram ? XY_WG_DATA : 0x60);
	}
	CU_ASSERT(xy_endpoint_eq(&took[0].remote, &a) && xy_endpoint_eq(&took[3].remote, &b));
	CU_ASSERT(took_data[1][7] == 64 && took_data[2][7] == 63);
	CU_ASSERT_EQUAL(xy_dp_capture_lost(dp), 0);
	stop();
	relay(1); // nobody captures
}

static void test_peer(void)
{
	struct xy_dp_capture what = all();
	what.peer = NODE_B;
	start(what);
	relay(1);
	CU_ASSERT(take_all() == 2 && took[0].point == XY_DP_CAPTURE_OUT &&
		  took[1].point == XY_DP_CAPTURE_TX);
	feed_from(NODE_B, &at_b, &at_a, 100, 1);
	CU_ASSERT_EQUAL(run(), 1);
	free_out();
	CU_ASSERT(take_all() == 2 && took[0].point == XY_DP_CAPTURE_RX &&
		  took[1].point == XY_DP_CAPTURE_IN);
	// A handshake message bears no number of ours: it is B's by where it comes from.
	for (uint32_t who = NODE_A; who <= NODE_B; who++) {
		struct rte_mbuf *m = buffer();
		memset(rte_pktmbuf_append(m, sizeof(struct xy_wg_initiation)), 0,
		       sizeof(struct xy_wg_initiation));
		*rte_pktmbuf_mtod(m, uint8_t *) = XY_WG_INITIATION;
		xy_packet(m)->remote = endpoint(who);
		feed(m);
	}
	run();
	CU_ASSERT(take_all() == 1 && took[0].peer == NODE_B && took[0].datagram);
	events();
	stop();
}

static void test_port(void)
{
	struct xy_dp_capture what = all();
	what.port = 0;
	start(what);
	relay(1);
	CU_ASSERT(take_all() == 2 && took[0].datagram && took[1].datagram);
	stop();
	what.port = 1;
	start(what);
	relay(1);
	CU_ASSERT_EQUAL(take_all(), 0);
	stop();
}

static void test_drop(void)
{
	struct xy_dp_capture what = all();
	what.points = 1u << XY_DP_CAPTURE_DROP;
	what.drop = XY_DROP_SPOOFED;
	start(what);
	expect_drop(NODE_A, packet(&us, &at_b, 64, 100), XY_DROP_SPOOFED);
	struct rte_mbuf *m = packet(&at_a, &at_b, 64, 100);
	seal(NODE_A, m);
	rte_pktmbuf_mtod(m, uint8_t *)[m->data_len - 1] ^= 1;
	feed(m);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL_FATAL(take_all(), 1);
	CU_ASSERT(took[0].point == XY_DP_CAPTURE_DROP && took[0].drop == XY_DROP_SPOOFED);
	CU_ASSERT(took[0].peer == NODE_A && !took[0].datagram && took_data[0][0] == 0x60);
	stop();
	what.drop = -1;
	start(what);
	m = packet(&at_a, &at_b, 64, 100);
	seal(NODE_A, m);
	rte_pktmbuf_mtod(m, uint8_t *)[m->data_len - 1] ^= 1;
	feed(m);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL_FATAL(take_all(), 1);
	CU_ASSERT(took[0].drop == XY_DROP_BAD_TAG && took[0].datagram && took[0].peer == NODE_A);
	stop();
}

static struct xy_dp_capture of_drop(enum xy_drop reason, uint32_t who)
{
	struct xy_dp_capture what = all();
	what.points = 1u << XY_DP_CAPTURE_DROP;
	what.drop = (int)reason;
	what.peer = who;
	return what;
}

// Whose a drop is, and what it holds, is as in the account of drops.
static void test_drop_owners(void)
{
	// The next hop's, not the sender's.
	start(of_drop(XY_DROP_NO_SESSION, NODE_B));
	session_new(NODE_B, 0, false);
	CU_ASSERT_EQUAL(xy_dp_overlay_send(dp, NODE_B, bytes(packet(&us, &at_b, 64, 100)), 100), 0);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL_FATAL(take_all(), 1);
	CU_ASSERT(took[0].peer == NODE_B && !took[0].datagram);
	stop();
	// A stranger's that looks like IPv6, which came by port 0.
	static const uint8_t fake[60] = {0x60, [7] = 64, [8] = 2, 0xb};
	const struct xy_endpoint from = endpoint(9);
	struct xy_dp_capture what = of_drop(XY_DROP_NOT_WIREGUARD, XY_DP_NO_PEER);
	what.port = 0;
	start(what);
	struct rte_mbuf *m = buffer();
	memcpy(rte_pktmbuf_append(m, sizeof(fake)), fake, sizeof(fake));
	xy_packet(m)->remote = from;
	feed(m);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL_FATAL(take_all(), 1);
	CU_ASSERT(took[0].datagram && !took[0].ours && took[0].peer == XY_DP_NO_PEER);
	CU_ASSERT(xy_endpoint_eq(&took[0].remote, &from));
	stop();
}

// Our datagrams bear the others' indexes: one like an index of ours makes it nobody else's.
static void test_drop_ours(void)
{
	struct rte_mbuf *m = buffer();
	void *objs[] = {m};
	const struct xy_endpoint to = endpoint(NODE_B);
	start(of_drop(XY_DROP_TX_FULL, NODE_B));
	struct xy_wg_data *d = (struct xy_wg_data *)rte_pktmbuf_append(m, 60);
	*d = (struct xy_wg_data){.type = XY_WG_DATA, .receiver = peer[NODE_A].index};
	xy_packet(m)->from = XY_PEER_SELF;
	xy_packet(m)->next = NODE_B;
	xy_packet(m)->remote = to;
	xy_capture_burst(dp->worker[0], XY_DP_CAPTURE_DROP, XY_DROP_TX_FULL, objs, 1);
	CU_ASSERT_EQUAL_FATAL(take_all(), 1);
	CU_ASSERT(took[0].peer == NODE_B && took[0].datagram && took[0].ours);
	CU_ASSERT(xy_endpoint_eq(&took[0].remote, &to));
	rte_pktmbuf_free(m);
	stop();
}

static void test_snap(void)
{
	struct xy_dp_capture what = all();
	what.points = 1u << XY_DP_CAPTURE_IN;
	what.snap = 41;
	start(what);
	relay(2);
	most = 1; // the second one stays
	taken = 0;
	CU_ASSERT_EQUAL(xy_dp_capture_take(dp, take, NULL), 1);
	CU_ASSERT(took[0].len == 112 && took[0].caplen == 41);
	CU_ASSERT_EQUAL(take_all(), 1);
	stop();
}

// Nobody takes them: what finds no room is counted and all is forwarded; then there is room again,
// also where a record would not fit before the end of the ring.
static void test_full(void)
{
	enum { LEN = 1404, RECORD = 1504 };
	struct xy_dp_capture what = all();
	unsigned sent = 0;
	what.points = 1u << XY_DP_CAPTURE_IN;
	start(what);
	for (; !xy_dp_capture_lost(dp) && sent < 10000; sent += 50) {
		if (peer[NODE_A].counter > 150) {
			session_new(NODE_A, 0, true);
			session_new(NODE_B, 0, true);
		}
		feed_from(NODE_A, &at_a, &at_b, LEN, 50);
		CU_ASSERT_EQUAL_FATAL(run(), 50);
		free_out();
	}
	uint64_t lost = xy_dp_capture_lost(dp);
	CU_ASSERT(lost > 0 && lost < 50);
	unsigned kept = 0;
	while (take_all())
		for (unsigned i = 0; i < taken; i++, kept++)
			CU_ASSERT(took[i].caplen == took[i].len && took_data[i][0] == 0x60);
	CU_ASSERT_EQUAL(kept, sent - lost);
	CU_ASSERT(kept >= XY_CAPTURE_ROOM / RECORD - 1);
	for (unsigned i = 0; i < 3 * XY_CAPTURE_ROOM / RECORD / 50; i++) {
		if (peer[NODE_A].counter > 150) {
			session_new(NODE_A, 0, true);
			session_new(NODE_B, 0, true);
		}
		relay(50);
		CU_ASSERT_EQUAL(take_all(), 50);
	}
	CU_ASSERT_EQUAL(xy_dp_capture_lost(dp), lost);
	stop();
}

XY_UNIT_MAIN("graph_capture", {"create", test_create, .always = true}, {"points", test_points},
	     {"a peer's", test_peer}, {"a port's", test_port}, {"what is dropped", test_drop},
	     {"whose it is", test_drop_owners}, {"what is ours", test_drop_ours},
	     {"a part of each", test_snap}, {"nobody takes them", test_full},
	     {"destroy", test_destroy, .always = true})
