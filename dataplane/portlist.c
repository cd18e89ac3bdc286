// SPDX-License-Identifier: BSD-3-Clause
// The list of ports, and the drivers that make them.
#include "dp.h"
#include "port/card.h"
#include "retire.h"

#include <stdlib.h>

// What a driver does besides opening is in its ports' operations.
static int (*const open_by[])(struct xy_dp *dp, const struct xy_dp_port_config *cfg, unsigned id,
			      struct xy_port **out, struct xy_err *err) = {
	[XY_DP_SOCKET] = xy_port_socket_open,
	[XY_DP_AF_XDP] = xy_port_af_xdp_open,
	[XY_DP_DPDK] = xy_port_dpdk_open,
};

int xy_dp_port_publish(struct xy_dp *dp, unsigned id, struct xy_port *port)
{
	struct xy_port_list *list = malloc(sizeof(*list)), *old = dp->ports;
	if (!list)
		return -ENOMEM;
	*list = *old;
	list->port[id] = port;
	for (list->end = XY_DP_PORTS; list->end && !list->port[list->end - 1];)
		list->end--;
	__atomic_store_n(&dp->ports, list, __ATOMIC_RELEASE);
	xy_dp_retire_free(dp, old);
	return 0;
}

int xy_dp_port_add(struct xy_dp *dp, const struct xy_dp_port_config *cfg, unsigned *port,
		   struct xy_err *err)
{
	struct xy_port *p;
	unsigned id = 0;
	while (id < XY_DP_PORTS && dp->ports->port[id])
		id++;
	if (id == XY_DP_PORTS)
		return xy_err_set(err, ENOSPC, "no more than %d ports", XY_DP_PORTS);
	struct xy_dp_port_config marked = *cfg;
	if (!marked.fwmark)
		marked.fwmark = dp->mark;
	int r = open_by[cfg->driver](dp, &marked, id, &p, err);
	if (r)
		return r;
	r = xy_dp_port_publish(dp, id, p);
	if (r) {
		p->ops->close(p);
		return xy_err_set(err, -r, "no memory for a port");
	}
	*port = id;
	return 0;
}

static struct xy_port *port_at(const struct xy_dp *dp, unsigned port)
{
	return port < XY_DP_PORTS ? dp->ports->port[port] : NULL;
}

static void port_close(struct xy_dp *dp, void *ptr)
{
	(void)dp;
	struct xy_port *p = ptr;
	p->ops->close(p);
}

void xy_dp_port_del(struct xy_dp *dp, unsigned port)
{
	struct xy_port *p = port_at(dp, port);
	if (p && xy_dp_port_publish(dp, port, NULL) == 0)
		xy_dp_retire(dp, p, port_close);
}

int xy_dp_port_info(const struct xy_dp *dp, unsigned port, struct xy_dp_port_info *out)
{
	const struct xy_port *p = port_at(dp, port);
	if (!p)
		return -ENOENT;
	*out = (struct xy_dp_port_info){.driver = p->ops->driver,
					.mode = "",
					.interface = "",
					.idle = dp->cfg.poll ? "always polled" : "descriptor",
					.queues = p->workers,
					.address = p->address,
					.port = p->udp_port};
	xy_port_counters_add(p, out);
	if (p->ops->info)
		p->ops->info(p, out);
	return 0;
}

bool xy_dp_port_takes_lanes(const struct xy_dp *dp, unsigned port)
{
	const struct xy_port *p = port_at(dp, port);
	return p && p->steered;
}

int xy_dp_port_addresses(struct xy_dp *dp, unsigned port, const struct xy_addr *addr,
			 unsigned count)
{
	struct xy_port *p = port_at(dp, port);
	return p && p->ops->addresses ? p->ops->addresses(p, addr, count) : -ENOENT;
}

int xy_dp_ports_mark(struct xy_dp *dp, uint32_t mark)
{
	int r = 0;
	dp->mark = mark;
	for (unsigned id = 0; id < XY_DP_PORTS; id++) {
		struct xy_port *p = dp->ports->port[id];
		int e = p && p->ops->mark ? p->ops->mark(p, mark) : 0;
		r = e ? e : r;
	}
	return r;
}

void xy_dp_port_follow(struct xy_dp *dp, unsigned port)
{
	struct xy_port *p = port_at(dp, port);
	if (p && p->ops->follow)
		p->ops->follow(p);
}
