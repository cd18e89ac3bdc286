// SPDX-License-Identifier: BSD-3-Clause
// The dataplane, and who is around it: links to nodes, and far nodes that are reached over them.
#include "bench.h"

#include <sodium.h>
#include <stdlib.h>

uint64_t next_random(struct bench *b) // xorshift64*
{
	b->random ^= b->random >> 12;
	b->random ^= b->random << 25;
	b->random ^= b->random >> 27;
	return b->random * UINT64_C(0x2545f4914f6cdd1d);
}

void *need(size_t n, size_t size)
{
	void *p = calloc(n, size);
	if (!p)
		die("memory", NULL);
	return p;
}

static unsigned workers(const struct bench *b)
{
	return RTE_MAX(b->load.workers, 1u);
}

static void worker_online(struct bench *b)
{
	rte_rcu_qsbr_thread_register(b->dp->rcu, b->worker);
	rte_rcu_qsbr_thread_online(b->dp->rcu, b->worker);
}

static void dataplane_make(struct bench *b)
{
	struct xy_err err;
	uint32_t ends = b->links + b->fars;
	struct xy_dp_config cfg = {.name = "bench",
				   .workers = workers(b),
				   .cpus = b->load.cpus,
				   .max_peers = b->links,
				   .max_far = b->fars,
				   .max_sessions = ends * 2 < 4 ? 4 : ends * 2,
				   .max_routes = b->load.routes + 16,
				   .max_packet = 1500,
				   .buffers = BUFFERS * 2 * workers(b) - 1,
				   .limits = xy_wg_limits_default};
	cfg.node_addr.b[0] = XY_MESH_BYTE;
	if (xy_dp_create(&cfg, &b->dp, &err))
		die("dataplane", &err);
	struct xy_port *port;
	if (xy_port_ring_open(b->dp, 0, b->ring, workers(b), &port, &err))
		die("port", &err);
	port->udp_port = 51820;
	xy_dp_port_publish(b->dp, 0, port);
	// Only an edge's, and of one worker.
	if (workers(b) == 1 && host_memory_open(b->dp, XY_DP_HOST_MAIN, &b->host))
		die("host interface", NULL);
	worker_online(b);
}

struct xy_addr own_address(void)
{
	return xy_addr_from_v4(UINT32_C(0xc0000201));
}

struct xy_addr link_address(uint32_t link)
{
	return xy_addr_from_v4(UINT32_C(0x0a000000) + link);
}

struct xy_addr node_address(const struct bench *b, uint32_t end)
{
	struct xy_addr a = {.b = {XY_MESH_BYTE, end >= b->links, [15] = 1}};
	xy_be32_store(a.b + 4, end + 1);
	return a;
}

// A peer as it is after its first packet: answered from where it was heard.
void link_place(struct bench *b, uint32_t link)
{
	struct xy_dp_peer cfg = {.remote = {.addr = link_address(link), .port = 51820},
				 .local = own_address(),
				 .heard = {.local = own_address()},
				 .node = node_address(b, link),
				 .mtu = 1580,
				 .resolved = true};
	if (xy_dp_peer_set(b->dp, link, &cfg))
		die("peer", NULL);
}

static void session_make(struct bench *b, uint32_t end)
{
	struct xy_dp_session_keys keys = {.remote_index = end,
					  .suite = b->load.light && end < b->links
							   ? xy_wg_light_of(b->load.suite)
							   : b->load.suite,
					  .born = clock_now(),
					  .owner = end % workers(b)};
	randombytes_buf(keys.recv, sizeof(keys.recv));
	randombytes_buf(keys.send, sizeof(keys.send));
	xy_aead_key_set(b->load.suite, &b->rx_key[end], keys.recv);
	xy_aead_key_set(b->load.suite, &b->tx_key[end], keys.send);
	if (xy_dp_session_reserve(b->dp, end, &b->index[end]) ||
	    xy_dp_session_set(b->dp, b->index[end], &keys) ||
	    xy_dp_session_use(b->dp, b->index[end]))
		die("session", NULL);
}

static void far_make(struct bench *b, uint32_t end)
{
	const struct xy_dp_far cfg = {.addr = node_address(b, end)};
	if (xy_dp_far_set(b->dp, end, &cfg))
		die("far node", NULL);
}

static void route_make(struct bench *b, uint64_t net, const struct xy_dp_route *r)
{
	struct xy_prefix p = {.len = 64};
	xy_be64_store(p.addr.b, net);
	if (xy_dp_route_set(b->dp, &p, r))
		die("route", NULL);
}

// A relay's are /64s that nobody around has; an edge's those of the nodes it speaks with.
static uint64_t route_net(struct bench *b, uint32_t i)
{
	struct xy_addr a;
	if (b->load.path == RELAY)
		return (next_random(b) & ~(UINT64_C(0xff) << 56)) | UINT64_C(3) << 56;
	a = node_address(b, (b->fars ? b->links : 0) + i);
	return xy_be64_load(a.b);
}

// With one session of a relay for each worker there are the peers that all comes from, 0 for worker
// 0, and behind them those that it goes to: one for each worker, or one for all.
static uint32_t route_way(struct bench *b, uint32_t i)
{
	if (b->load.path == RELAY)
		return b->load.sessions == 1 ? workers(b) + i % (b->links - workers(b))
					     : (uint32_t)(next_random(b) % b->links);
	return b->fars ? i % b->links : i;
}

static void routes_make(struct bench *b)
{
	const struct xy_dp_route host = {.kind = XY_DP_ROUTE_HOST, .host = XY_DP_HOST_MAIN};
	const struct xy_prefix own = {.addr = {.b = {XY_MESH_BYTE}}, .len = 64};
	for (uint32_t i = 0; i < b->load.routes; i++) {
		struct xy_dp_route r = {.kind = XY_DP_ROUTE_PEER};
		b->route[i] = route_net(b, i);
		b->route_link[i] = r.peer = route_way(b, i);
		route_make(b, b->route[i], &r);
	}
	route_make(b, xy_be64_load(own.addr.b), &host);
	if (xy_dp_source_own(b->dp, &own))
		die("own prefix", NULL);
	xy_dp_route_commit(b->dp);
}

static void ends_count(struct bench *b)
{
	uint32_t n = b->load.sessions;
	bool far = b->load.path == TO_FAR || b->load.path == FROM_FAR;
	b->fars = far ? n : 0;
	b->links = far ? RTE_MIN(n, (uint32_t)FAR_LINKS)
		   : b->load.path == RELAY && n == 1
			   ? workers(b) + (b->load.shared ? 1 : workers(b))
			   : n;
}

uint32_t mesh_source(struct bench *b)
{
	uint32_t each = b->load.sessions == 1 ? 1 : b->links / workers(b);
	uint32_t which = each == 1 ? 0 : (uint32_t)(next_random(b) % each);
	return which * workers(b) + b->worker;
}

bool mesh_may_send(const struct bench *b, uint32_t link)
{
	return b->load.shared || link % workers(b) == b->worker;
}

static struct xy_port_ring *rings_make(unsigned n)
{
	struct xy_port_ring *r = aligned_alloc(RTE_CACHE_LINE_SIZE, n * sizeof(*r));
	if (!r)
		die("memory", NULL);
	return memset(r, 0, n * sizeof(*r));
}

static void buffers_take(struct bench *b)
{
	b->cipher = xy_aead_create();
	b->ring->in = b->host.in = b->in; // and none of them yet
	if (!b->cipher || rte_pktmbuf_alloc_bulk(b->dp->worker[b->worker]->pool, b->in, BUFFERS))
		die("buffers", NULL);
}

void mesh_make(struct bench *b)
{
	b->ring = rings_make(workers(b));
	b->random = 88172645463325252u;
	ends_count(b);
	uint32_t ends = b->links + b->fars;
	b->index = need(ends, sizeof(*b->index));
	b->rx_key = need(ends, sizeof(struct xy_aead_schedule));
	b->tx_key = need(ends, sizeof(struct xy_aead_schedule));
	b->rx_counter = need(ends, sizeof(*b->rx_counter));
	b->route = need(b->load.routes, sizeof(*b->route));
	b->route_link = need(b->load.routes, sizeof(*b->route_link));
	dataplane_make(b);
	for (uint32_t i = 0; i < ends; i++) {
		if (i < b->links)
			link_place(b, i);
		else
			far_make(b, i);
		session_make(b, i);
	}
	routes_make(b);
	buffers_take(b);
}

void mesh_worker(const struct bench *mesh, unsigned worker, struct bench *b)
{
	*b = *mesh;
	b->worker = worker;
	b->ring = mesh->ring + worker;
	b->random += worker;
	worker_online(b);
	buffers_take(b);
}

void mesh_check(struct bench *b)
{
	struct xy_dp_worker_stats s;
	xy_dp_worker_stats(b->dp, b->worker, &s);
	if (s.drops || xy_dp_accounts_balance(&s))
		die("packets were dropped", NULL);
}
