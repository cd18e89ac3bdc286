// SPDX-License-Identifier: BSD-3-Clause
// The daemon's side of a fleet: what xylem-fleet may ask of it by the control socket. Records of
// this node, which are signed here and are of nobody else; peers that a registry names, and who may
// come by himself (peers/registry.h); the prefix that was claimed for this node, announced as ours
// while somebody says so. All of it ends by itself. Control thread only.
#pragma once

#include "base/err.h"
#include "base/time.h"

#include <stdbool.h>

struct xy_addr;
struct xy_config_peer;
struct xy_daemon;
struct xy_key;
struct xy_nodeinfo_seen;
struct xy_plan;

int xy_fleetside_up(struct xy_daemon *d, struct xy_err *err); // the book is there; before links
int xy_fleetside_register(struct xy_daemon *d);		      // commands at d->control; -errno
void xy_fleetside_down(struct xy_daemon *d);		      // links are gone
xy_nsec xy_fleetside_deadline(const struct xy_daemon *d);
void xy_fleetside_run(struct xy_daemon *d, xy_nsec now);
void xy_fleetside_second(struct xy_daemon *d); // once a tick
// A plan comes into force: what the fleet's nodes claim is accepted of them as if it stood there.
// True: something is.
bool xy_fleetside_lay(struct xy_daemon *d, struct xy_plan *plan);
void xy_fleetside_settle(struct xy_daemon *d); // it is in force, or a peer was added
// A neighbour said from where it sees this node.
void xy_fleetside_seen_told(void *daemon, const struct xy_addr *from,
			    const struct xy_nodeinfo_seen *ours, xy_nsec now);
bool xy_fleetside_admits(const struct xy_daemon *d, const struct xy_key *key);
