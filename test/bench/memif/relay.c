// SPDX-License-Identifier: BSD-3-Clause
// Behind the memif: the relay, which is the dataplane with a DPDK port and a worker that polls, as
// the daemon has them; or a loop that hands each frame back, which is what memif costs by itself.
#include "memif.h"

#include "base/err.h"
#include "base/ip.h"
#include "dataplane.h"

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const uint8_t own_mac[6] = {2, 0, 0, 0, 0, 1}, next_mac[6] = {2, 0, 0, 0, 0, 2};

static void must(int r, const char *what, const struct xy_err *err)
{
	if (r)
		fail(what, err ? err->text : strerror(-r));
}

static struct xy_addr node_address(uint32_t host)
{
	return (struct xy_addr){.b = {XY_MESH_BYTE, [7] = (uint8_t)(host + 1), [15] = 1}};
}

static void peer_make(struct xy_dp *dp, struct memif_shared *s, uint32_t host, unsigned port)
{
	struct xy_dp_peer cfg = {
		.remote = {.addr = xy_addr_from_v4(UINT32_C(0x0a000000) + host), .port = PORT},
		.local = xy_addr_from_v4(UINT32_C(0xc0000201)),
		.heard = {.local = xy_addr_from_v4(UINT32_C(0xc0000201)), .port = port},
		.node = node_address(host),
		.port = port,
		.mtu = 1500,
		.resolved = true};
	struct xy_dp_session_keys keys = {.remote_index = host, .suite = XY_WG_CHACHA20_POLY1305};
	struct timespec now;
	clock_gettime(XY_DP_CLOCK, &now);
	keys.born = (xy_nsec)now.tv_sec * XY_SEC;
	memcpy(keys.recv, s->to_relay[host], sizeof(keys.recv));
	memcpy(keys.send, s->from_relay[host], sizeof(keys.send));
	memcpy(cfg.own_mac, own_mac, sizeof(own_mac));
	memcpy(cfg.next_mac, next_mac, sizeof(next_mac));
	must(xy_dp_peer_set(dp, host, &cfg), "peer", NULL);
	must(xy_dp_session_reserve(dp, host, &s->index[host]), "session", NULL);
	must(xy_dp_session_set(dp, s->index[host], &keys), "session", NULL);
	must(xy_dp_session_use(dp, s->index[host]), "session", NULL);
}

static unsigned port_make(struct xy_dp *dp, const char *device)
{
	struct xy_dp_port_config cfg = {.driver = XY_DP_DPDK, .interface = "bench", .port = PORT};
	struct xy_addr own = xy_addr_from_v4(UINT32_C(0xc0000201));
	struct xy_err err;
	unsigned port;
	snprintf(cfg.device, sizeof(cfg.device), "%s", device);
	must(xy_dp_port_add(dp, &cfg, &port, &err), "port", &err);
	must(xy_dp_port_addresses(dp, port, &own, 1), "port's address", NULL);
	return port;
}

static void ignore(void *arg, const struct xy_dp_event *ev)
{
	(void)arg, (void)ev;
}

void relay_run(struct memif_shared *s)
{
	char device[128];
	snprintf(device, sizeof(device), "net_memif0,role=server,socket-abstract=no,socket=%s",
		 s->socket);
	const char *devices[] = {device};
	struct xy_dp_config cfg = {.name = "bench-memif",
				   .workers = 1,
				   .cpus = &s->relay_cpu,
				   .poll = true,
				   .max_peers = HOSTS,
				   .max_sessions = 2 * HOSTS,
				   .max_routes = 16,
				   .max_packet = 1500,
				   .device_count = 1,
				   .devices = devices,
				   .limits = xy_wg_limits_default,
				   .node_addr = {.b = {XY_MESH_BYTE, [15] = 1}}};
	const struct xy_dp_route to_b = {.kind = XY_DP_ROUTE_PEER, .peer = HOST_B};
	const struct xy_prefix net = {.addr = {.b = {XY_MESH_BYTE, [7] = HOST_B + 1}}, .len = 64};
	struct xy_dp *dp;
	struct xy_err err;
	must(xy_dp_create(&cfg, &dp, &err), "dataplane", &err);
	unsigned port = port_make(dp, device);
	for (uint32_t i = 0; i < HOSTS; i++)
		peer_make(dp, s, i, port);
	must(xy_dp_route_set(dp, &net, &to_b), "route", NULL);
	xy_dp_route_commit(dp);
	must(xy_dp_start(dp, &err), "worker", &err);
	snprintf(s->memory, sizeof(s->memory), "%s", xy_dp_memory(dp));
	for (atomic_store(&s->ready, true);; usleep(100000)) {
		while (xy_dp_poll(dp, 64, ignore, NULL))
			;
		while (xy_dp_housekeep(dp))
			;
	}
}

void pass_on_run(struct memif_shared *s)
{
	struct rte_mbuf *m[64];
	memif_open(s, &(struct memif_end){.who = "who passes frames on",
					  .role = "server",
					  .megabytes = "128",
					  .cpu = s->relay_cpu,
					  .buffers = 8191});
	for (atomic_store(&s->ready, true);;) {
		uint16_t n = rte_eth_rx_burst(0, 0, m, RTE_DIM(m));
		for (uint16_t sent = 0; sent < n;)
			sent += rte_eth_tx_burst(0, 0, m + sent, (uint16_t)(n - sent));
	}
}
