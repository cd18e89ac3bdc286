// SPDX-License-Identifier: BSD-3-Clause
// Several attachments of this host, in memory: a route's number says which one a packet goes to.
#include "graph_rig.h"

static const struct xy_addr other = {.b = {0x20, 1, 0xd, 0xb8, [15] = 1}}; // behind HOST_OTHER

enum { HOST_MAIN = XY_DP_HOST_MAIN, HOST_OTHER = 3 };

struct attachment {
	struct xy_host host;
	struct rte_mbuf *in[XY_BURST], *out[XY_BURST];
	unsigned in_count, out_count;
};

static uint16_t give(struct xy_host *host, struct xy_worker *w, struct rte_mbuf **to, uint16_t n)
{
	struct attachment *a = (struct attachment *)host;
	uint16_t given = w->id == 0 ? (uint16_t)RTE_MIN(a->in_count, n) : 0;
	for (unsigned i = 0; i < given; i++) {
		to[i] = a->in[i];
		xy_packet(to[i])->from = XY_PEER_NONE;
		xy_packet(to[i])->version = 6;
		xy_packet(to[i])->host = host->id;
	}
	a->in_count -= given;
	XY_COUNT(w, host_rx, given);
	return given;
}

static void take(struct xy_host *host, struct xy_worker *w, struct rte_mbuf **pkts, uint16_t n)
{
	struct attachment *a = (struct attachment *)host;
	CU_ASSERT_FATAL(a->out_count + n <= XY_BURST);
	memcpy(a->out + a->out_count, pkts, n * sizeof(*pkts));
	a->out_count += n;
	XY_COUNT(w, host_tx, n);
}

static void gone(struct xy_host *host)
{
	(void)host;
}

static const struct xy_host_ops ops = {
	.driver = "memory", .rx_burst_rcu = give, .tx_burst_rcu = take, .close = gone};
static struct attachment at_main = {.host = {.ops = &ops, .id = HOST_MAIN}};
static struct attachment at_other = {.host = {.ops = &ops, .id = HOST_OTHER}};

static void route_other(unsigned host)
{
	struct xy_prefix p = {.addr = other, .len = 48};
	struct xy_dp_route r = {.kind = XY_DP_ROUTE_HOST, .host = host};
	xy_prefix_mask(&p);
	CU_ASSERT_EQUAL_FATAL(xy_dp_route_set(dp, &p, &r), 0);
	xy_dp_route_commit(dp);
}

static void begin(void)
{
	CU_ASSERT_EQUAL(xy_dp_host_publish(dp, HOST_MAIN, &at_main.host), 0);
	CU_ASSERT_EQUAL(xy_dp_host_publish(dp, HOST_OTHER, &at_other.host), 0);
	route_other(HOST_OTHER);
	sessions_new();
}

static void empty(struct attachment *a)
{
	rte_pktmbuf_free_bulk(a->out, a->out_count);
	a->out_count = 0;
}

static void end(void)
{
	empty(&at_main);
	empty(&at_other);
	settle();
	xy_dp_host_close(dp, HOST_MAIN);
	xy_dp_host_close(dp, HOST_OTHER);
	unroute(&other, 48);
}

// The last byte of where it goes, which tells packets apart.
static uint8_t mark_of(struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod(m, const uint8_t *)[24 + 15];
}

static void test_by_number(void)
{
	begin();
	for (uint8_t i = 1; i <= 6; i++) {
		struct xy_addr to = i % 3 ? us : other;
		to.b[15] = 0x10 + i;
		feed_from(NODE_A, &at_a, &to, 100, 1);
	}
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL_FATAL(at_main.out_count, 4);
	CU_ASSERT_EQUAL_FATAL(at_other.out_count, 2);
	static const uint8_t main_marks[] = {0x11, 0x12, 0x14, 0x15};
	for (unsigned i = 0; i < 4; i++)
		CU_ASSERT_EQUAL(mark_of(at_main.out[i]), main_marks[i]);
	CU_ASSERT_EQUAL(mark_of(at_other.out[0]), 0x13);
	CU_ASSERT_EQUAL(mark_of(at_other.out[1]), 0x16);
	end();
}

// From one to another; what would go back to where it came from is answered there.
static void test_between(void)
{
	begin();
	at_main.in[0] = packet(&us, &other, 64, 100);
	at_main.in_count = 1;
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(at_main.out_count, 0);
	CU_ASSERT_EQUAL_FATAL(at_other.out_count, 1);
	CU_ASSERT_EQUAL(rte_pktmbuf_mtod(at_other.out[0], uint8_t *)[7], 64);
	empty(&at_other);
	struct xy_addr beside = other;
	beside.b[15] = 2;
	uint64_t none = drops(XY_DROP_NO_ROUTE);
	at_other.in[0] = packet(&other, &beside, 64, 100);
	at_other.in_count = 1;
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(drops(XY_DROP_NO_ROUTE), none + 1);
	CU_ASSERT_EQUAL_FATAL(at_other.out_count, 1);
	const uint8_t *p = rte_pktmbuf_mtod(at_other.out[0], const uint8_t *);
	CU_ASSERT(p[6] == XY_PROTO_ICMPV6 && p[40] == 1 && p[41] == 3); // address unreachable
	at_other.in[0] = packet(&other, &at_b, 64, 100); // and out of the host as from any
	at_other.in_count = 1;
	CU_ASSERT_EQUAL_FATAL(run(), 1);
	CU_ASSERT(open_sent(NODE_B, out[0]) > 0);
	end();
}

// What the host sends to a link alone goes by no default route.
static void test_link_alone(void)
{
	static const struct xy_addr to[] = {{.b = {0xff, 2, [15] = 2}},
					    {.b = {0xff, 0x0e, [15] = 1}},
					    {.b = {0xfe, 0x80, [15] = 9}}};
	const struct xy_addr all = {0};
	begin();
	route(&all, 0, XY_DP_ROUTE_HOST, HOST_OTHER);
	xy_dp_route_commit(dp);
	uint64_t before = drops(XY_DROP_NOT_FORWARDED);
	for (unsigned i = 0; i < RTE_DIM(to); i++)
		at_main.in[i] = packet(&us, &to[i], 64, 100);
	at_main.in_count = RTE_DIM(to);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT(at_other.out_count == 0 && at_main.out_count == 0);
	CU_ASSERT_EQUAL(drops(XY_DROP_NOT_FORWARDED), before + RTE_DIM(to));
	unroute(&all, 0);
	end();
}

static void test_one_goes(void)
{
	uint64_t down = drops(XY_DROP_HOST_DOWN);
	begin();
	xy_dp_host_close(dp, HOST_OTHER);
	feed_from(NODE_A, &at_a, &other, 100, 2);
	feed_from(NODE_A, &at_a, &us, 100, 1);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(drops(XY_DROP_HOST_DOWN), down + 2);
	CU_ASSERT_EQUAL(at_main.out_count, 1);
	CU_ASSERT_EQUAL(xy_dp_host_publish(dp, HOST_OTHER, &at_other.host), 0);
	feed_from(NODE_A, &at_a, &other, 100, 1);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(at_other.out_count, 1);
	end();
}

static void test_no_number(void)
{
	struct xy_prefix p = {.addr = other, .len = 128};
	struct xy_dp_route r = {.kind = XY_DP_ROUTE_HOST, .host = XY_DP_HOSTS};
	struct xy_err err;
	char name[16] = "";
	CU_ASSERT_EQUAL(xy_dp_route_set(dp, &p, &r), -EINVAL);
	CU_ASSERT_EQUAL(xy_dp_host_open(dp, XY_DP_HOSTS, name, &err), -EINVAL);
	xy_dp_host_close(dp, XY_DP_HOSTS);
	xy_dp_host_close(dp, HOST_OTHER); // none is there
}

XY_UNIT_MAIN("graph_host", {"create", test_create, .always = true},
	     {"by the route's number", test_by_number}, {"from one to another", test_between},
	     {"to a link alone", test_link_alone}, {"one goes", test_one_goes},
	     {"no such number", test_no_number}, {"destroy", test_destroy, .always = true})
