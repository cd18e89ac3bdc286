// SPDX-License-Identifier: BSD-3-Clause
#include "peer.h"

#include "base/bytes.h"
#include "known.h"
#include "retire.h"

#include <stdlib.h>

int xy_peers_init(struct xy_dp *dp, struct xy_err *err)
{
	if (xy_known_init(dp))
		return xy_err_set(err, ENOMEM,
				  "no memory for %u peers: lower max_peers in the config",
				  dp->cfg.max_peers);
	return 0;
}

void xy_peers_fini(struct xy_dp *dp)
{
	for (uint32_t i = 0; dp->end && i < dp->cfg.max_peers; i++)
		free(dp->end[i].link.adjacency);
	xy_known_fini(dp);
}

static bool is_there(const struct xy_dp *dp, uint32_t peer)
{
	return peer < dp->cfg.max_peers && dp->end[peer].link.adjacency;
}

// What fits between the underlay headers, WireGuard's header and its tag.
static uint32_t whole_max(const struct xy_dp *dp, const struct xy_dp_peer *cfg)
{
	uint32_t overhead = xy_wg_link_overhead(&cfg->remote);
	uint32_t room = cfg->mtu > overhead ? cfg->mtu - overhead : 0;
	return RTE_MIN(room, dp->cfg.max_packet);
}

static void sizes_set(const struct xy_dp *dp, const struct xy_dp_peer *cfg, struct xy_adjacency *a)
{
	a->whole_max = whole_max(dp, cfg);
	a->payload_max = cfg->room ? RTE_MIN(cfg->room, dp->cfg.max_packet) : a->whole_max;
	a->whole_max = RTE_MIN(a->whole_max, a->payload_max);
	a->pieces = cfg->route_mtu ? XY_PIECES_ROUTE : XY_PIECES_PATH;
}

int xy_dp_peer_set(struct xy_dp *dp, uint32_t peer, const struct xy_dp_peer *cfg)
{
	if (peer >= dp->cfg.max_peers)
		return -ENOSPC;
	// What workers compare and copy for each packet is in its first line.
	struct xy_adjacency *a = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*a));
	if (!a)
		return -ENOMEM;
	*a = (struct xy_adjacency){.remote = cfg->remote,
				   .local = cfg->local,
				   .port = (uint16_t)cfg->port,
				   .heard_local = cfg->heard.local,
				   .heard_port = (uint16_t)cfg->heard.port,
				   .heard_interface = cfg->heard.interface,
				   .as_heard = cfg->port == cfg->heard.port &&
					       xy_addr_eq(&cfg->local, &cfg->heard.local),
				   .leaf = cfg->leaf,
				   .routing = cfg->routing,
				   .open = cfg->open};
	sizes_set(dp, cfg, a);
	const struct xy_port *port = cfg->port < XY_DP_PORTS ? dp->ports->port[cfg->port] : NULL;
	if (cfg->resolved && port) // else the kernel's socket sends
		xy_frame_header_make(&a->frame, cfg->next_mac, cfg->own_mac, &cfg->local,
				     port->udp_port, &cfg->remote, port->sums);
	struct xy_end *e = &dp->end[peer];
	struct xy_adjacency *old = e->link.adjacency;
	if (!old)
		xy_end_incarnate(e);
	__atomic_store_n(&e->net, cfg->leaf ? 0 : xy_be64_load(cfg->node.b), __ATOMIC_RELAXED);
	__atomic_store_n(&e->link.adjacency, a, __ATOMIC_RELEASE);
	xy_known_set(dp, &e->link.known,
		     cfg->remote.port && !cfg->provisional ? &cfg->remote : NULL);
	xy_dp_retire_free(dp, old);
	xy_dp_epoch_raise(dp, &dp->session_epoch);
	return 0;
}

void xy_dp_peer_del(struct xy_dp *dp, uint32_t peer)
{
	if (!is_there(dp, peer))
		return;
	struct xy_end *e = &dp->end[peer];
	struct xy_adjacency *old = e->link.adjacency;
	__atomic_store_n(&e->link.adjacency, NULL, __ATOMIC_RELEASE);
	xy_known_set(dp, &e->link.known, NULL);
	xy_dp_retire_free(dp, old);
	xy_end_forget(dp, peer);
}

int xy_dp_peer_patient(struct xy_dp *dp, uint32_t peer, bool patient)
{
	if (!is_there(dp, peer))
		return -ENOENT;
	bool *p = &dp->end[peer].link.patient;
	if (__atomic_load_n(p, __ATOMIC_RELAXED) != patient) // workers read the line it is in
		__atomic_store_n(p, patient, __ATOMIC_RELAXED);
	return 0;
}

void xy_dp_peer_release_held(struct xy_dp *dp, uint32_t peer)
{
	if (peer < dp->cfg.max_peers)
		xy_end_release_held(dp, peer);
}
