// SPDX-License-Identifier: BSD-3-Clause
// One end of the memif, with EAL under it.
#include "memif.h"

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <stdio.h>

struct rte_mempool *memif_open(const struct memif_shared *s, const struct memif_end *e)
{
	char device[160], cpu[16];
	snprintf(device, sizeof(device), "--vdev=net_memif0,role=%s,socket-abstract=no,socket=%s",
		 e->role, s->socket);
	snprintf(cpu, sizeof(cpu), "%d", e->cpu);
	char *argv[] = {"bench",
			"-l",
			cpu,
			device,
			"--no-huge",
			"--no-shconf",
			"--no-pci",
			"--no-telemetry",
			"-m",
			(char *)e->megabytes,
			"--log-level=lib.*:error",
			"--log-level=pmd.net.memif:critical"};
	struct rte_eth_conf conf = {0};
	if (rte_eal_init(RTE_DIM(argv), argv) < 0)
		fail(e->who, "DPDK does not start");
	struct rte_mempool *pool =
		rte_pktmbuf_pool_create("memif", e->buffers, 256, 0, 2048 + 128, -1);
	if (!pool || rte_eth_dev_configure(0, 1, 1, &conf) ||
	    rte_eth_rx_queue_setup(0, 0, 1024, 0, NULL, pool) ||
	    rte_eth_tx_queue_setup(0, 0, 1024, 0, NULL) || rte_eth_dev_start(0))
		fail(e->who, "its memif does not start");
	return pool;
}
