// SPDX-License-Identifier: BSD-3-Clause
// The daemon's ports: opened from the config, and kept in step with the kernel: the path MTU to
// each peer, and for those on cards their addresses, the next hop to each peer, interfaces that go
// and come back. Control thread only.
#pragma once

#include "dataplane.h"

struct xy_config;
struct xy_daemon;
struct xy_ports;

// Fills in what the dataplane must know of the ports before they open: devices, buffers, the
// largest packet. devices has room for XY_CONFIG_PORTS.
void xy_ports_prepare(const struct xy_config *c, struct xy_dp_config *dp, const char **devices);
int xy_ports_open(struct xy_daemon *d, struct xy_err *err);  // needs the dataplane
int xy_ports_start(struct xy_daemon *d, struct xy_err *err); // follows the kernel on d->loop
// What the kernel changed is taken over once it has come to rest, about 1 ms at a time.
xy_nsec xy_ports_deadline(const struct xy_daemon *d);
void xy_ports_run(struct xy_daemon *d, xy_nsec now);
void xy_ports_second(struct xy_daemon *d); // once a tick
void xy_ports_close(struct xy_daemon *d);  // the loop is closed
// Why little or nothing comes by a port on a card as it stands; false: nothing is known against it.
bool xy_ports_note(const struct xy_daemon *d, unsigned port, char *text, size_t size);
// What a port waits for, for people: the i-th; false: there are no more.
bool xy_ports_waiting(const struct xy_daemon *d, unsigned i, char *to, size_t size);
// As xy_links_ops path.
void xy_ports_path(void *arg, struct xy_dp_peer *peer);
// A link was told that its path MTU may be another: the host interface's may be, too.
void xy_ports_mtu_told(struct xy_daemon *d);
// The firewall mark of what links send, where the config says none; 0: none. It is asked anew by
// which way that goes. -errno: not all of it is marked.
int xy_ports_mark(struct xy_daemon *d, uint32_t mark);
