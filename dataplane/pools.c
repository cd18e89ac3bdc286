// SPDX-License-Identifier: BSD-3-Clause
#include "pools.h"

#include "dp.h"
#include "port/frame.h"

#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf_pool_ops.h>
#include <unistd.h>

#define BUFFERS_BASE	   4095 // mbufs, and per worker; powers of two less one waste no memory
#define BUFFERS_PER_WORKER 4096
#define BUFFER_CACHE	   256

// --- how many, where

uint32_t xy_pools_buffers(const struct xy_dp_config *cfg)
{
	uint32_t n = cfg->buffers ? cfg->buffers : BUFFERS_BASE + cfg->workers * BUFFERS_PER_WORKER;
	return n + cfg->more_buffers;
}

static uint32_t room_for(const struct xy_dp_config *cfg, uint32_t packet)
{
	// AF_XDP puts a frame 256 bytes into the buffer (XDP_PACKET_HEADROOM), with its own
	// headers.
	uint32_t data = 256 + XY_FRAME_SHIFT + XY_FRAME_HEADER_MAX + XY_WG_DATA_HEADER_LEN +
			packet + XY_WG_PAD + XY_WG_TAG_LEN + XY_TAILROOM;
	// It also takes none below 2 KB (XDP_UMEM_MIN_CHUNK_SIZE), with what stands before the
	// room.
	uint32_t least = 2048 - (uint32_t)(sizeof(struct rte_mbuf) + sizeof(struct xy_packet));
	if (cfg->device_count) // drivers of cards count in buffers of 2 KB and the usual headroom
		least = RTE_MBUF_DEFAULT_BUF_SIZE;
	return RTE_ALIGN_CEIL(RTE_MAX(data, least), 64u);
}

uint32_t xy_pools_room(const struct xy_dp_config *cfg)
{
	return room_for(cfg, cfg->max_packet);
}

uint32_t xy_pools_plain_room(const struct xy_dp_config *cfg)
{
	return room_for(cfg, XY_DP_PACKET_PLAIN);
}

uint32_t xy_pools_plain(const struct xy_dp_config *cfg)
{
	bool wanted = cfg->plain_buffers && cfg->max_packet > XY_DP_PACKET_PLAIN;
	return wanted ? BUFFERS_BASE + cfg->plain_buffers : 0;
}

static unsigned pool_of(struct xy_pools *p, int node)
{
	for (unsigned i = 0; i < p->count; i++)
		if (p->pool[i].node == node || node == SOCKET_ID_ANY)
			return i;
	if (p->count == XY_POOLS)
		return 0;
	p->pool[p->count].node = node;
	return p->count++;
}

static uint32_t share(uint32_t all, unsigned part, unsigned whole) // rounded up
{
	return (uint32_t)(((uint64_t)all * part + whole - 1) / whole);
}

// Queues of cards are dealt to workers in turn, so what they keep goes by workers, too; a node that
// has only devices may have all of them.
static uint32_t buffers_at(const struct xy_dp_config *cfg, unsigned workers)
{
	if (!workers)
		return BUFFERS_BASE + cfg->more_buffers;
	uint32_t n = cfg->buffers ? share(cfg->buffers, workers, cfg->workers)
				  : BUFFERS_BASE + workers * BUFFERS_PER_WORKER;
	return n + share(cfg->more_buffers, workers, cfg->workers);
}

void xy_pools_plan(const struct xy_dp_config *cfg, const struct xy_pools_places *at,
		   struct xy_pools *out)
{
	unsigned workers[XY_POOLS] = {0};
	*out = (struct xy_pools){.count = 0};
	for (unsigned i = 0; i < at->workers; i++) // pinned ones first: the others go to theirs
		if (at->worker[i] != SOCKET_ID_ANY)
			workers[pool_of(out, at->worker[i])]++;
	for (unsigned i = 0; i < at->workers; i++)
		if (at->worker[i] == SOCKET_ID_ANY)
			workers[pool_of(out, SOCKET_ID_ANY)]++;
	for (unsigned i = 0; i < at->devices; i++)
		pool_of(out, at->device[i]);
	for (unsigned i = 0; i < out->count; i++)
		out->pool[i].buffers = buffers_at(cfg, workers[i]);
}

// --- where things are

static int node_of_cpu(int cpu)
{
	char path[64];
	for (int node = 0; cpu >= 0 && node < RTE_MAX_NUMA_NODES; node++) {
		snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/node%d", cpu, node);
		if (access(path, F_OK) == 0)
			return node;
	}
	return SOCKET_ID_ANY;
}

static int node_of_device(const char *device)
{
	char name[RTE_ETH_NAME_MAX_LEN];
	uint16_t id;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(device, ","), device);
	return rte_eth_dev_get_port_by_name(name, &id) ? SOCKET_ID_ANY : rte_eth_dev_socket_id(id);
}

static void plan(struct xy_dp *dp, int worker[static XY_DP_WORKERS])
{
	int device[XY_DP_PORTS];
	bool numa = rte_socket_count() > 1 && rte_eal_has_hugepages();
	for (unsigned i = 0; i < dp->workers; i++)
		worker[i] = numa ? node_of_cpu(dp->worker[i]->cpu) : SOCKET_ID_ANY;
	for (unsigned i = 0; i < dp->cfg.device_count; i++)
		device[i] = numa ? node_of_device(dp->cfg.devices[i]) : SOCKET_ID_ANY;
	xy_pools_plan(&dp->cfg,
		      &(struct xy_pools_places){.workers = dp->workers,
						.worker = worker,
						.devices = dp->cfg.device_count,
						.device = device},
		      &dp->pools);
}

// --- life

// As rte_pktmbuf_pool_create, but that without hugepages a buffer may lie across 4 KB pages: kept
// inside them, each would take a page of its own, twice the memory. A card's IOMMU sees virtual
// addresses there, so nothing needs them contiguous.
static struct rte_mempool *buffers_create(const struct xy_dp *dp, const char *name, uint32_t count,
					  uint32_t room, int node)
{
	struct rte_pktmbuf_pool_private private = {.mbuf_data_room_size = (uint16_t)room,
						   .mbuf_priv_size = sizeof(struct xy_packet)};
	struct rte_mempool *mp = rte_mempool_create_empty(
		name, count, (unsigned)(sizeof(struct rte_mbuf) + sizeof(struct xy_packet) + room),
		BUFFER_CACHE, sizeof(private), node,
		rte_eal_has_hugepages() ? 0 : RTE_MEMPOOL_F_NO_IOVA_CONTIG);
	if (!mp)
		return NULL;
	if (rte_mempool_set_ops_byname(mp, rte_mbuf_best_mempool_ops(), NULL)) {
		rte_mempool_free(mp);
		return NULL;
	}
	rte_pktmbuf_pool_init(mp, &private);
	if (rte_mempool_populate_default(mp) < 0) {
		rte_mempool_free(mp);
		return NULL;
	}
	rte_mempool_obj_iter(mp, rte_pktmbuf_init, NULL);
	return mp;
}

static int no_memory(const struct xy_dp *dp, uint32_t buffers, struct xy_err *err)
{
	return xy_err_set(err, ENOMEM, "no memory for %u packet buffers (%s): %s", buffers,
			  dp->memory, rte_strerror(rte_errno));
}

// A node without free hugepages of its own is better served from another than not at all.
static int pool_create(struct xy_dp *dp, unsigned i, struct xy_err *err)
{
	struct xy_pool *p = &dp->pools.pool[i];
	uint32_t room = xy_pools_room(&dp->cfg);
	char name[32] = "packets";
	if (i)
		snprintf(name, sizeof(name), "packets%u", i);
	p->mp = buffers_create(dp, name, p->buffers, room, p->node);
	if (!p->mp && p->node != SOCKET_ID_ANY)
		p->mp = buffers_create(dp, name, p->buffers, room, SOCKET_ID_ANY);
	return p->mp ? 0 : no_memory(dp, p->buffers, err);
}

static int plain_create(struct xy_dp *dp, struct xy_err *err)
{
	uint32_t count = xy_pools_plain(&dp->cfg), room = xy_pools_plain_room(&dp->cfg);
	if (count)
		dp->pools.plain = buffers_create(dp, "plain", count, room, SOCKET_ID_ANY);
	return !count || dp->pools.plain ? 0 : no_memory(dp, count, err);
}

int xy_pools_create(struct xy_dp *dp, struct xy_err *err)
{
	int worker[XY_DP_WORKERS];
	plan(dp, worker);
	for (unsigned i = 0; i < dp->pools.count; i++) {
		int r = pool_create(dp, i, err);
		if (r)
			return r;
	}
	int r = plain_create(dp, err);
	if (r)
		return r;
	if (dp->pools.count > 1)
		snprintf(dp->memory, sizeof(dp->memory), "hugepages, %u nodes", dp->pools.count);
	for (unsigned i = 0; i < dp->workers; i++)
		dp->worker[i]->pool = dp->pools.pool[pool_of(&dp->pools, worker[i])].mp;
	return 0;
}

void xy_pools_destroy(struct xy_dp *dp)
{
	for (unsigned i = 0; i < dp->pools.count; i++)
		rte_mempool_free(dp->pools.pool[i].mp);
	rte_mempool_free(dp->pools.plain);
}
