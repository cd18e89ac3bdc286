// SPDX-License-Identifier: BSD-3-Clause
#include "port.h"

void xy_port_counters_add(const struct xy_port *port, struct xy_dp_port_info *out)
{
	for (unsigned i = 0; i < port->workers; i++) {
		const struct xy_port_counters *c = &port->counters[i];
		out->rx_packets += __atomic_load_n(&c->rx_packets, __ATOMIC_RELAXED);
		out->rx_bytes += __atomic_load_n(&c->rx_bytes, __ATOMIC_RELAXED);
		out->tx_packets += __atomic_load_n(&c->tx_packets, __ATOMIC_RELAXED);
		out->tx_bytes += __atomic_load_n(&c->tx_bytes, __ATOMIC_RELAXED);
		out->tx_errors += __atomic_load_n(&c->tx_errors, __ATOMIC_RELAXED);
		out->rx_fragmented += __atomic_load_n(&c->rx_fragmented, __ATOMIC_RELAXED);
		out->tx_fragmented += __atomic_load_n(&c->tx_fragmented, __ATOMIC_RELAXED);
	}
}
