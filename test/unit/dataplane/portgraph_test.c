// SPDX-License-Identifier: BSD-3-Clause
// The graph's ends (port_rx, port_tx, host_rx, host_tx and the drop nodes) in a small graph of
// their own: `feed` is a source of the test, `classify` sends back what came, `route` is not
// reached.
#include "rig.h"

#include "capture.h"
#include "event.h"

#include <rte_graph.h>
#include <rte_graph_worker.h>

#define WAITS 5000

static struct rig rig;
static struct xy_port_list list;
static struct rte_mbuf *fed[300];
static unsigned feeding, mtu_events;
static uint32_t mtu_peer;

void xy_event_mtu(struct xy_worker *w, uint32_t peer)
{
	(void)w;
	mtu_events++;
	mtu_peer = peer;
}

// --- the test's nodes

enum { TO_PORT, TO_HOST };
void xy_capture_put(struct xy_worker *w, struct xy_capture *c, enum xy_dp_capture_point point,
		    unsigned drop, void **objs, unsigned n)
{
	CU_FAIL("nobody captures here");
}

static rte_edge_t feed_to;

static uint16_t feed_process(struct rte_graph *graph, struct rte_node *node, void **objs,
			     uint16_t n)
{
	(void)objs;
	n = (uint16_t)feeding;
	feeding = 0;
	if (n)
		rte_node_enqueue(graph, node, feed_to, (void **)fed, n);
	return n;
}

static uint16_t back(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n)
{
	rte_node_enqueue(graph, node, 0, objs, n);
	return n;
}

static struct rte_node_register feed = {
	.name = "feed",
	.flags = RTE_NODE_SOURCE_F,
	.process = feed_process,
	.nb_edges = 2,
	.next_nodes = {[TO_PORT] = "port_tx", [TO_HOST] = "host_tx"},
};
RTE_NODE_REGISTER(feed);

static struct rte_node_register classify = {
	.name = "classify", .process = back, .nb_edges = 1, .next_nodes = {"port_tx"}};
RTE_NODE_REGISTER(classify);

static struct rte_node_register route = {
	.name = "route", .process = back, .nb_edges = 1, .next_nodes = {"host_tx"}};
RTE_NODE_REGISTER(route);

// --- a worker with that graph

static struct xy_worker *start(void)
{
	const char *patterns[] = {"feed", "port_rx", "host_rx"};
	struct rte_graph_param param = {.socket_id = SOCKET_ID_ANY,
					.nb_node_patterns = RTE_DIM(patterns),
					.node_patterns = patterns};
	struct xy_worker *w = &rig.worker[0];
	rte_node_t count;
	rte_graph_off_t off;
	struct rte_node *node;

	rig_init(&rig, 1, xy_port_worker_init, xy_port_worker_fini);
	memset(&list, 0, sizeof(list));
	list.end = XY_DP_PORTS;
	rig.dp.ports = &list;
	mtu_events = 0;
	CU_ASSERT_NOT_EQUAL_FATAL(rte_graph_create("ends", &param), RTE_GRAPH_ID_INVALID);
	w->graph = rte_graph_lookup("ends");
	rte_graph_foreach_node(count, off, w->graph, node)
	{
		memcpy(node->ctx, &w, sizeof(w));
	}
	return w;
}

static void finish(void)
{
	rte_graph_destroy(rte_graph_from_name("ends"));
	for (unsigned i = 0; i < XY_DP_PORTS; i++)
		if (list.port[i])
			list.port[i]->ops->close(list.port[i]);
	CU_ASSERT_EQUAL(rig_balance(&rig.worker[0]), 0);
	rig_fini(&rig);
}

static struct xy_port *opened(unsigned id)
{
	struct xy_dp_port_config cfg = {.address = xy_addr_from_v4(0x7f000001)};
	struct xy_port *port = NULL;
	CU_ASSERT_EQUAL_FATAL(xy_port_socket_open(&rig.dp, &cfg, id, &port, NULL), 0);
	return port;
}

// n packets, numbered, to a port of ours; sent by port `via`.
static void make(unsigned n, uint16_t len, uint16_t to, uint8_t via)
{
	struct xy_worker *w = &rig.worker[0];
	CU_ASSERT_EQUAL_FATAL(xy_buffers_alloc(w, fed, n), 0);
	for (unsigned i = 0; i < n; i++) {
		memset(rte_pktmbuf_mtod(fed[i], void *), (int)i, len);
		fed[i]->data_len = len;
		fed[i]->pkt_len = len;
		*xy_packet(fed[i]) =
			(struct xy_packet){.remote = {xy_addr_from_v4(0x7f000001), 0, to},
					   .next = XY_PEER_NONE,
					   .port = via};
	}
	XY_COUNT(w, generated, n);
}

static void feed_walk(rte_edge_t to, unsigned n)
{
	feed_to = to;
	feeding = n;
	rte_graph_walk(rig.worker[0].graph);
}

static uint8_t number(const struct rte_mbuf *m)
{
	return *rte_pktmbuf_mtod(m, const uint8_t *);
}

// --- cases

// More than a chunk through port_rx and port_tx and back, in order.
static void test_echo(void)
{
	enum { N = 200 };
	struct rte_mbuf *m[N];
	unsigned got = 0;
	struct xy_worker *w = start();
	struct xy_port *outside = opened(9);
	list.port[3] = opened(3);
	rte_graph_walk(w->graph);
	CU_ASSERT(!w->busy);

	make(N, 100, list.port[3]->udp_port, 9);
	CU_ASSERT_EQUAL_FATAL(outside->ops->tx_burst_rcu(outside, w, fed, N), N);
	for (unsigned i = 0; got < N && i < WAITS; i++) {
		rte_graph_walk(w->graph);
		got += outside->ops->rx_burst_rcu(outside, w, m + got, (uint16_t)(N - got));
	}
	CU_ASSERT_EQUAL_FATAL(got, N);
	CU_ASSERT(w->busy);
	for (unsigned i = 0; i < N; i++)
		CU_ASSERT_EQUAL(number(m[i]), i);
	CU_ASSERT_EQUAL(list.port[3]->counters[0].rx_packets, N);
	CU_ASSERT_EQUAL(list.port[3]->counters[0].tx_packets, N);
	rig_consume(w, m, N);
	outside->ops->close(outside);
	finish();
}

// Packets of two ports and of none, mixed: each goes its way, in order.
static void test_mixed(void)
{
	enum { N = 210 };
	struct rte_mbuf *m[N];
	unsigned got = 0, last[2] = {0};
	struct xy_worker *w = start();
	struct xy_port *outside = opened(9);
	list.port[0] = opened(0);
	list.port[15] = opened(15);

	make(N, 64, outside->udp_port, 0);
	static const uint8_t via[7] = {0, 15, 7, 15, 0, 200, 0}; // 7 and 200: no such port
	for (unsigned i = 0; i < N; i++)
		xy_packet(fed[i])->port = via[i % 7];
	feed_walk(TO_PORT, N);
	CU_ASSERT_EQUAL(w->stats.drop[XY_DROP_PORT_GONE], N / 7 * 2);
	for (unsigned i = 0; got < N / 7 * 5 && i < WAITS; i++)
		got += outside->ops->rx_burst_rcu(outside, w, m + got, (uint16_t)(N - got));
	CU_ASSERT_EQUAL(got, N / 7 * 5);
	CU_ASSERT_EQUAL(list.port[0]->counters[0].tx_packets, N / 7 * 3);
	CU_ASSERT_EQUAL(list.port[15]->counters[0].tx_packets, N / 7 * 2);
	for (unsigned i = 0; i < got; i++) {
		bool first = xy_packet(m[i])->remote.port == list.port[0]->udp_port;
		CU_ASSERT_EQUAL(via[number(m[i]) % 7], first ? 0 : 15);
		CU_ASSERT(number(m[i]) >= last[first]);
		last[first] = number(m[i]);
	}
	rig_consume(w, m, got);
	outside->ops->close(outside);
	finish();
}

// Each refusal leads to its drop node; the control plane hears of sizes, if a peer is meant.
static void test_refused(void)
{
	struct xy_worker *w = start();
	list.port[0] = opened(0);
	make(70, 1600, 9, 0);
	xy_packet(fed[1])->next = 42;
	xy_packet(fed[69])->remote.addr.b[0] = 0xfe; // an IPv6 remote on an IPv4 port
	feed_walk(TO_PORT, 70);
	CU_ASSERT_EQUAL(w->stats.drop[XY_DROP_TX_FAILED], 1);
	if (rig_own_net) {
		CU_ASSERT_EQUAL(w->stats.drop[XY_DROP_UNDERLAY_MTU], 69);
		CU_ASSERT_EQUAL(mtu_events, 1);
		CU_ASSERT_EQUAL(mtu_peer, 42);
	}
	finish();
}

static void test_no_host(void)
{
	struct xy_worker *w = start();
	make(150, 64, 9, 0);
	feed_walk(TO_HOST, 150);
	CU_ASSERT_EQUAL(w->stats.drop[XY_DROP_HOST_DOWN], 150);
	CU_ASSERT_EQUAL(w->stats.drops, 150);
	finish();
}

int main(int argc, char **argv)
{
	static const struct xy_unit_case cases[] = {
		{"there and back", test_echo},
		{"ports mixed", test_mixed},
		{"refused", test_refused},
		{"no host interface", test_no_host},
	};
	int r = rig_start("portgraph_test");
	return r ? r : xy_unit_run("portgraph", cases, RTE_DIM(cases), argc, argv);
}
